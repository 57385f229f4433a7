//! Cases one by one; [`model`] has all of them in any order.

mod model;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

/// A folder with a log in it.
struct Lab {
    folder: tempfile::TempDir,
}

const LIMITS: Limits = Limits { line_bytes: 16, read_bytes: 1 << 20, lines: 1_000 };

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn tail(&self, place: Option<Place>) -> Tail {
        Tail::new(&self.path("log"), LIMITS, place)
    }
}

/// Lines as text, what is lost in brackets.
fn shown(read: &Read) -> Vec<String> {
    let one = |item: &Item| match &item.what {
        What::Line(Line::Whole(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        What::Line(Line::Long { size, .. }) => format!("long {size}"),
        What::Lost(lost) => format!("[{:?} {}]", lost.why, lost.offset),
    };
    read.items.iter().map(one).collect()
}

fn read(tail: &mut Tail) -> Vec<String> {
    shown(&tail.read().unwrap())
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for_and_half_a_line_too() {
    let lab = Lab::new();
    let mut tail = Tail::new(&lab.path("sub/log"), LIMITS, None);
    assert_eq!(tail.read().unwrap(), Read { absent: true, ..Read::default() }, "not even its folder is there");
    fs::create_dir(lab.path("sub")).unwrap();
    assert!(tail.read().unwrap().absent);
    lab.append("sub/log", "one\ntw");
    let first = tail.read().unwrap();
    assert_eq!(shown(&first), ["one"]);
    assert!(!first.absent && !first.more && first.place.is_some());
    let second = tail.read().unwrap();
    assert_eq!(second, Read::default(), "nothing is new, and the place is the same");
    lab.append("sub/log", "o\n\n");
    assert_eq!(read(&mut tail), ["two", ""]);
    fs::remove_file(lab.path("sub/log")).unwrap();
    assert!(tail.read().unwrap().absent, "it vanished");
    lab.append("sub/log", "three\n");
    assert_eq!(read(&mut tail), ["three"]);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_the_new_one_once_something_stands_in_it() {
    let lab = Lab::new();
    lab.append("log", "one\n");
    let mut tail = lab.tail(None);
    assert_eq!(read(&mut tail), ["one"]);
    lab.append("log", "two\nhal");
    lab.rename("log", "log.1");
    assert_eq!(read(&mut tail), ["two"]);
    lab.append("log", "");
    assert_eq!(read(&mut tail), [""; 0], "the writer may not know yet");
    lab.append("log.1", "f\nthree");
    assert_eq!(read(&mut tail), ["half"]);
    lab.append("log", "four\n");
    assert_eq!(read(&mut tail), ["three", "four"], "what stands at the end is a line");
}

#[test]
fn after_a_restart_the_old_file_is_found_and_those_rotated_meanwhile() {
    for names in [["log.3", "log.2", "log.1"], ["log-20261126", "log-20261127", "log-20261128"]] {
        let lab = Lab::new();
        lab.append("log", "one\ntwo\n");
        let mut tail = Tail::new(&lab.path("log"), Limits { lines: 1, ..LIMITS }, None);
        let first = tail.read().unwrap();
        assert_eq!((shown(&first), first.more), (vec!["one".to_owned()], true));
        let place = Place::decode(&first.place.unwrap().encode()).unwrap();
        assert_eq!(place.offset(), 4);
        drop(tail);
        lab.rename("log", names[0]);
        lab.append(names[1], "three\n");
        lab.append(names[2], "");
        lab.append("log", "four\n");
        lab.append("log.old", "other\n");
        lab.append("log.9.gz", "packed\n");
        let mut tail = lab.tail(Some(place));
        assert_eq!(read(&mut tail), ["two", "three", "four"], "{names:?}");
    }
}

#[test]
fn what_is_truncated_is_said_whether_it_grew_again_or_not() {
    for (again, found) in [("x\n", vec!["[Truncated 8]", "x"]), ("other lines\n", vec!["[Truncated 8]", "other lines"])]
    {
        for restarts in [false, true] {
            let lab = Lab::new();
            lab.append("log", "one\ntwo\n");
            let mut tail = lab.tail(None);
            let place = tail.read().unwrap().place;
            lab.append("log", "lost\n");
            fs::File::create(lab.path("log")).unwrap();
            lab.append("log", again);
            if restarts {
                tail = lab.tail(place);
            }
            assert_eq!(read(&mut tail), found);
            assert_eq!(read(&mut tail), [""; 0], "it is said once");
        }
    }
}

#[test]
fn a_file_that_is_gone_is_said_and_what_is_younger_is_read() {
    let lab = Lab::new();
    lab.append("log", "one\n");
    let place = lab.tail(None).read().unwrap().place;
    // Another file keeps the inode from being used again.
    fs::hard_link(lab.path("log"), lab.path("kept")).unwrap();
    fs::remove_file(lab.path("log")).unwrap();
    let mut tail = lab.tail(place.clone());
    assert!(tail.read().unwrap().absent, "where to go on is not known yet");
    wait_for_the_clock(&lab, place.as_ref().unwrap());
    lab.append("log.1", "two\n");
    lab.append("log", "three\n");
    assert_eq!(read(&mut tail), ["[Gone 4]", "two", "three"]);
    // The number of an inode is not enough.
    let forged = Place { inode: tail.told.clone().unwrap().inode, ..place.unwrap() };
    assert_eq!(read(&mut lab.tail(Some(forged))), ["[Truncated 4]", "three"]);
}

/// Files are younger than others by the file system's clock, which has steps.
fn wait_for_the_clock(lab: &Lab, place: &Place) {
    let changed = |path: PathBuf| {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path).unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    };
    loop {
        fs::write(lab.path("clock"), "x").unwrap();
        if changed(lab.path("clock")) > place.changed {
            return;
        }
    }
}

#[test]
fn a_long_line_leaves_its_digest_and_is_never_held() {
    let lab = Lab::new();
    let long = "x".repeat(10_000);
    lab.append("log", &format!("a\n{long}"));
    let mut tail = Tail::new(&lab.path("log"), Limits { read_bytes: 256, ..LIMITS }, None);
    let mut calls = 0;
    while tail.read().unwrap().more {
        calls += 1;
    }
    assert!(calls > 10_000 / 512, "{calls}: each reads no more than it may");
    lab.append("log", "yz\nb\n");
    let found = tail.read().unwrap();
    let digest = Digest::sha256(format!("{long}yz").as_bytes());
    assert_eq!(found.items[0].what, What::Line(Line::Long { digest, size: 10_002 }));
    assert_eq!(shown(&found)[1..], ["b"]);
    assert_eq!(read(&mut lab.tail(Some(found.items[0].place.clone()))), ["b"], "its place is behind it");
    assert_eq!(read(&mut lab.tail(None)), ["a", "long 10002", "b"]);
    lab.append("log", &long);
    lab.rename("log", "log.1");
    lab.append("log", "c\n");
    assert_eq!(read(&mut lab.tail(found.place)), ["long 10000", "c"], "at the end of a rotated file");
}

#[test]
fn what_is_no_file_is_refused_and_links_are_followed() {
    let lab = Lab::new();
    fs::create_dir(lab.path("log")).unwrap();
    assert!(matches!(lab.tail(None).read(), Err(TailError::NotAFile(_))));
    fs::remove_dir(lab.path("log")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, lab.path("log"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let error = lab.tail(None).read().unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
    fs::remove_file(lab.path("log")).unwrap();
    fs::create_dir(lab.path("elsewhere")).unwrap();
    symlink("elsewhere/real", lab.path("log")).unwrap();
    let mut tail = lab.tail(None);
    assert!(tail.read().unwrap().absent, "a link that leads nowhere yet");
    lab.append("elsewhere/real", "one\n");
    let place = tail.read().unwrap().place;
    lab.append("elsewhere/real", "two\n");
    lab.rename("elsewhere/real", "elsewhere/real.1");
    lab.append("elsewhere/real", "three\n");
    assert_eq!(read(&mut tail), ["two", "three"]);
    assert_eq!(read(&mut lab.tail(place)), ["two", "three"]);
}

/// Whoever writes the log could have any file read that the agent may.
#[test]
fn a_link_beside_the_log_is_none_of_its_files() {
    let lab = Lab::new();
    lab.append("log", "one\n");
    let mut tail = lab.tail(None);
    assert_eq!(read(&mut tail), ["one"]);
    lab.rename("log", "log.2");
    lab.append("secret", "the agent's key\n");
    symlink("secret", lab.path("log.1")).unwrap();
    lab.append("log", "two\n");
    assert_eq!(read(&mut tail), ["two"]);
}

#[test]
fn an_error_loses_nothing() {
    let lab = Lab::new();
    lab.append("log", "one\n");
    let mut tail = lab.tail(None);
    assert_eq!(read(&mut tail), ["one"]);
    lab.append("log", "two\n");
    lab.rename("log", "log.1");
    fs::create_dir(lab.path("log")).unwrap();
    assert!(tail.read().is_err());
    fs::remove_dir(lab.path("log")).unwrap();
    lab.append("log", "three\n");
    assert_eq!(read(&mut tail), ["two", "three"]);
}

#[test]
fn a_place_is_read_as_it_was_written_or_not_at_all() {
    let lab = Lab::new();
    lab.append("log", "one\n");
    let place = lab.tail(None).read().unwrap().place.unwrap();
    assert_eq!(Place::decode(&place.encode()).unwrap(), place);
    for bytes in [&b""[..], b"{}", b"\xff", br#"{"device":-1}"#] {
        assert!(Place::decode(bytes).is_err());
    }
}
