//! Power cuts: a process is killed, and what it had not synced is lost.
//!
//! `kill -9` alone cannot show a missing sync, for the system writes out later what a dead process has written. So a small
//! library in C stands between the program and `fsync`; it copies each file into a shadow directory when the file is synced,
//! and a cut puts the shadow in the file's place. What is modelled, and what is not, is said in `shim.c`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use govlog_client::testing::Random;

use crate::network::copy_dir;

/// What a cut does to bytes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All of them are lost.
    Clean,
    /// Some of them reached the disk: each file has its synced bytes with a piece of the later ones over or behind them.
    Torn,
}

/// A directory that can lose its power.
#[derive(Debug)]
pub struct Power {
    library: PathBuf,
    root: PathBuf,
    shadow: PathBuf,
    random: Random,
}

impl Power {
    /// Compiles the library into `workplace`, for a directory that nobody writes to for now.
    ///
    /// # Panics
    /// When there is no C compiler.
    #[must_use]
    pub fn over(root: &Path, workplace: &Path, seed: u64) -> Self {
        std::fs::create_dir_all(workplace).unwrap();
        let (source, library) = (workplace.join("shim.c"), workplace.join("shim.so"));
        std::fs::write(&source, include_str!("shim.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let root = root.canonicalize().unwrap();
        let mut power = Self { library, root, shadow: workplace.join("shadow"), random: Random(seed) };
        power.on();
        power
    }

    /// What a program needs in its environment to be cut off from this power.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD".into(), text(&self.library)),
            ("POWER_ROOT".into(), text(&self.root)),
            ("POWER_SHADOW".into(), text(&self.shadow)),
        ]
    }

    /// Takes all that is there for durable.
    fn on(&mut self) {
        if self.shadow.exists() {
            std::fs::remove_dir_all(&self.shadow).unwrap();
        }
        copy_dir(&self.root, &self.shadow);
    }

    /// Loses what was not synced. Every program that used the directory has ended before.
    pub fn cut(&mut self, how: Cut) {
        let (written, synced) = (files(&self.root), files(&self.shadow));
        for (name, now) in &written {
            let path = self.root.join(name);
            let durable = synced.get(name);
            match (durable, how) {
                (Some(durable), Cut::Clean) => std::fs::write(path, durable).unwrap(),
                (Some(durable), Cut::Torn) => std::fs::write(path, self.torn(durable, now)).unwrap(),
                (None, Cut::Torn) if self.random.below(2) == 0 => {
                    std::fs::write(path, self.torn(&[], now)).unwrap();
                }
                (None, _) => std::fs::remove_file(path).unwrap(),
            }
        }
        // A copy that was under way when the process died is no file of the log.
        let lost = synced.iter().filter(|(name, _)| !written.contains_key(*name) && !name.contains(".part-"));
        for (name, durable) in lost {
            // The shim follows a change of name, unless the process dies between the two: then it never was. Whole, for a name changes at once.
            let renamed = written.iter().find(|(other, now)| *now == durable && synced.get(*other) != Some(now));
            let (other, _) = renamed.unwrap_or_else(|| panic!("{name}: synced, not removed, and gone"));
            std::fs::write(self.root.join(name), durable).unwrap();
            match synced.get(other) {
                Some(before) => std::fs::write(self.root.join(other), before).unwrap(),
                None => drop(std::fs::remove_file(self.root.join(other))),
            }
        }
        self.on();
    }

    /// Lets a piece of the newer bytes reach the disk: all up to some place within what differs.
    fn torn(&mut self, durable: &[u8], now: &[u8]) -> Vec<u8> {
        let same = durable.iter().zip(now).take_while(|(old, new)| old == new).count();
        let at = same + self.random.below(now.len() - same + 1);
        let (newer, older) = (&now[..at], durable.get(at..).unwrap_or_default());
        [newer, older].concat()
    }
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    collect(root, "", &mut found);
    found
}

fn collect(root: &Path, below: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &format!("{name}/"), into);
        } else {
            into.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell under the library.
    fn run(power: &Power, script: &str) {
        let done = Command::new("sh").args(["-c", script]).envs(power.environment()).current_dir(&power.root).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn powered() -> (tempfile::TempDir, Power) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("old"), "old").unwrap();
        let power = Power::over(&root, &dir.path().join("work"), 5);
        (dir, power)
    }

    fn read(power: &Power, name: &str) -> Option<String> {
        std::fs::read_to_string(power.root.join(name)).ok()
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_is_lost() {
        let (_dir, mut power) = powered();
        run(&power, "echo synced | dd of=sub/a conv=fsync; echo lost >> sub/a; echo lost > b; echo lost >> old");
        assert_eq!(read(&power, "sub/a").unwrap(), "synced\nlost\n");
        power.cut(Cut::Clean);
        assert_eq!(read(&power, "sub/a").unwrap(), "synced\n");
        assert_eq!(read(&power, "b"), None);
        assert_eq!(read(&power, "old").unwrap(), "old");
        // What was lost before is not found again.
        power.cut(Cut::Clean);
        assert_eq!(read(&power, "sub/a").unwrap(), "synced\n");
    }

    #[test]
    fn what_was_removed_is_gone() {
        let (_dir, mut power) = powered();
        run(&power, "echo synced | dd of=a conv=fsync; rm a old");
        power.cut(Cut::Clean);
        assert_eq!((read(&power, "a"), read(&power, "old")), (None, None));
    }

    #[test]
    fn a_torn_file_is_old_in_front_new_up_to_some_place() {
        let (_dir, mut power) = powered();
        let (mut lengths, mut torn) = (std::collections::BTreeSet::new(), 0);
        for _ in 0..20 {
            run(&power, "printf 0123 | dd of=a conv=fsync; printf 4567 >> a; printf XYZ > old");
            power.cut(Cut::Torn);
            let (a, old) = (read(&power, "a").unwrap(), read(&power, "old").unwrap());
            assert!(a.len() >= 4 && "01234567".starts_with(&a), "{a}");
            lengths.insert(a.len());
            assert!(["old", "Xld", "XYd", "XYZ"].contains(&old.as_str()), "{old}");
            torn += usize::from(old == "Xld" || old == "XYd");
            run(&power, "printf old | dd of=old conv=fsync");
        }
        assert!(lengths.len() > 2 && torn > 2, "{lengths:?} {torn}");
    }
}
