//! Any order of appends, rotations, truncations, reads and restarts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// The writer writes so many bytes of what it has to write.
    Append(usize),
    /// Another file gets the name; there at once, or with the next append.
    Rotate {
        at_once: bool,
    },
    /// `copytruncate`
    Truncate,
    Read,
    /// A new process goes on from a place that was given, so many items ago.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_usize..300).prop_map(Step::Append),
        2 => any::<bool>().prop_map(|at_once| Step::Rotate { at_once }),
        1 => Just(Step::Truncate),
        4 => Just(Step::Read),
        2 => prop_oneof![3 => Just(0), 1 => 0_usize..10].prop_map(Step::Restart),
    ]
}

/// A writer, a reader, and what is known of both.
struct Model {
    lab: Lab,
    limits: Limits,
    dated: bool,
    rotations: u32,
    tail: Tail,
    /// What the writer has begun to write and not written yet.
    unwritten: Vec<u8>,
    /// The part of the last line that is written, without its end.
    half: Vec<u8>,
    lengths: Vec<usize>,
    /// Which line has which bytes, and in which file it was written: files are counted, and one that is truncated is another one then.
    lines: BTreeMap<Vec<u8>, usize>,
    of_file: Vec<usize>,
    file: usize,
    truncated: BTreeSet<usize>,
    /// What the reader was given; an error: what stood behind a byte is lost.
    given: Vec<(Result<usize, u64>, Place)>,
    began: Option<Place>,
}

impl Model {
    fn new(limits: Limits, dated: bool, lengths: Vec<usize>) -> Self {
        let lab = Lab::new();
        lab.append("log", "");
        let mut tail = Tail::new(&lab.path("log"), limits, None);
        let began = tail.read().unwrap().place;
        Self {
            lab,
            limits,
            dated,
            rotations: 0,
            tail,
            unwritten: Vec::new(),
            half: Vec::new(),
            lengths,
            lines: BTreeMap::new(),
            of_file: Vec::new(),
            file: 0,
            truncated: BTreeSet::new(),
            given: Vec::new(),
            began,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(bytes) => self.append(*bytes),
            Step::Rotate { at_once } => self.rotate(*at_once),
            Step::Truncate => self.truncate(),
            Step::Read => self.read(),
            Step::Restart(back) => self.restart(*back),
        }
    }

    fn append(&mut self, count: usize) {
        while self.unwritten.len() < count {
            let number = self.of_file.len() + self.unwritten.iter().filter(|byte| **byte == b'\n').count();
            let length = self.lengths[number % self.lengths.len()];
            self.unwritten.extend(format!("{number}-{:->length$}\n", "").bytes());
        }
        let written: Vec<u8> = self.unwritten.drain(..count).collect();
        self.lab.append("log", std::str::from_utf8(&written).unwrap());
        for byte in written {
            if byte == b'\n' {
                self.ends();
            } else {
                self.half.push(byte);
            }
        }
    }

    /// What was written since the last line is one.
    fn ends(&mut self) {
        self.lines.insert(std::mem::take(&mut self.half), self.of_file.len());
        self.of_file.push(self.file);
    }

    fn rotate(&mut self, at_once: bool) {
        if !self.lab.path("log").exists() {
            return;
        }
        self.drop_rest();
        self.rotations += 1;
        if self.dated {
            self.lab.rename("log", &format!("log-202611{:04}", self.rotations));
        } else {
            for number in (1..self.rotations).rev() {
                self.lab.rename(&format!("log.{number}"), &format!("log.{}", number + 1));
            }
            self.lab.rename("log", "log.1");
        }
        self.file += 1;
        if at_once {
            self.lab.append("log", "");
        }
    }

    fn truncate(&mut self) {
        if !self.lab.path("log").exists() {
            return;
        }
        self.drop_rest();
        fs::File::create(self.lab.path("log")).unwrap();
        self.truncated.insert(self.file);
        self.file += 1;
    }

    /// The writer begins anew: half a line stays one, and its rest is never written.
    fn drop_rest(&mut self) {
        // Its number at least, with what ends it: or two halves could be the same.
        while !self.half.is_empty() && !self.half.contains(&b'-') {
            self.append(1);
        }
        self.unwritten.clear();
        if !self.half.is_empty() {
            self.ends();
        }
    }

    fn read(&mut self) {
        loop {
            let found = self.tail.read().unwrap();
            assert!(found.items.len() <= self.limits.lines + 1);
            let (last, place) = (found.items.last().map(|item| item.place.clone()), found.place.clone());
            for item in found.items {
                let line = self.line(&item.what);
                self.given.push((line, item.place));
            }
            if let (Some((_, given)), Some(place)) = (self.given.last_mut(), place) {
                assert!(last.is_none_or(|last| last.inode != place.inode || last.is_at(&place)));
                *given = place;
            }
            if !found.more {
                return;
            }
        }
    }

    fn line(&self, what: &What) -> Result<usize, u64> {
        Ok(match what {
            What::Line(Line::Whole(bytes)) => {
                assert!(bytes.len() <= self.limits.line_bytes);
                *self.lines.get(bytes).unwrap_or_else(|| panic!("never written: {}", String::from_utf8_lossy(bytes)))
            }
            What::Line(Line::Long { digest, size }) => {
                let is_it = |bytes: &&Vec<u8>| bytes.len() as u64 == *size && Digest::sha256(bytes) == *digest;
                assert!(*size > self.limits.line_bytes as u64);
                self.lines[self.lines.keys().find(is_it).unwrap()]
            }
            What::Lost(lost) => {
                assert_eq!(lost.why, Why::Truncated);
                return Err(lost.offset);
            }
        })
    }

    fn restart(&mut self, back: usize) {
        self.given.truncate(self.given.len().saturating_sub(back));
        let place = self.given.last().map(|(_, place)| place.clone()).or(self.began.clone()).unwrap();
        let place = Place::decode(&place.encode()).unwrap();
        self.tail = Tail::new(&self.lab.path("log"), self.limits, Some(place));
    }

    /// Every line was given once and in order, but for those that were truncated away: and that is said.
    fn check(&self) {
        let (mut next, mut before, mut said) = (0, None, false);
        for (line, _) in &self.given {
            let line = match (*line, before) {
                (Ok(line), _) => line,
                (Err(0), _) => {
                    assert!(!self.truncated.is_empty(), "nobody truncated the file of which half a line was seen");
                    continue;
                }
                (Err(_), None) => panic!("something is lost, and nothing was read"),
                (Err(_), Some(before)) => {
                    let before: usize = before;
                    assert!(self.truncated.contains(&self.of_file[before]), "nobody truncated the file of {before}");
                    said = true;
                    continue;
                }
            };
            self.check_missing(next..line, before, said);
            assert!(line >= next, "{line} came again");
            (next, before, said) = (line + 1, Some(line), false);
        }
        self.check_missing(next..self.of_file.len(), before, said);
    }

    fn check_missing(&self, missing: std::ops::Range<usize>, before: Option<usize>, said: bool) {
        for line in missing {
            let file = self.of_file[line];
            assert!(self.truncated.contains(&file), "{line} is missing");
            // Of a file of which nothing was read nobody can know.
            let was_read = before.is_some_and(|before| self.of_file[before] == file);
            assert!(said || !was_read, "{line} is missing, and nothing says so");
        }
    }
}

proptest! {
    #[test]
    fn every_line_comes_once(
        steps in prop::collection::vec(step(), 1..60),
        line_bytes in 4_usize..150,
        lines in 1_usize..6,
        read_bytes in 1_usize..2_000,
        lengths in prop::collection::vec(prop_oneof![4 => 0_usize..40, 1 => 0_usize..400], 1..5),
        dated in any::<bool>(),
    ) {
        let mut model = Model::new(Limits { line_bytes, read_bytes, lines }, dated, lengths);
        for step in &steps {
            model.step(step);
        }
        // The writer ends a line, and the reader reads to the end.
        let rest = model.unwritten.iter().position(|byte| *byte == b'\n').map_or(1, |end| end + 1);
        model.append(rest);
        while !model.half.is_empty() {
            model.append(1);
        }
        model.read();
        model.check();
    }
}
