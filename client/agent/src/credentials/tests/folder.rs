//! A folder that others write into.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::feed::{Feed as _, Found};

struct Lab {
    dir: tempfile::TempDir,
    feed: Watcher<Folder>,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let feed = Watcher::new(watched(dir.path()), Folder::new(dir.path()));
        Self { dir, feed }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn read(&mut self) -> Found {
        self.feed.read(NOW).unwrap()
    }

    /// How many are new.
    fn new_ones(&mut self) -> usize {
        self.read().arrivals.len()
    }
}

#[test]
fn what_is_rotated_is_new_and_what_stays_is_not() {
    let mut lab = Lab::new();
    lab.put("svid.0.pem", &capture("pay-1.pem"));
    let first = lab.read();
    assert_eq!((first.arrivals.len(), lab.new_ones()), (1, 0));
    lab.put("copy.pem", &capture("pay-1.pem"));
    assert_eq!(lab.new_ones(), 0, "the same elsewhere");
    lab.put("svid.0.pem", &capture("pay-2.pem"));
    let second = lab.read();
    assert_eq!(second.arrivals.len(), 1);
    assert_ne!(first.arrivals[0].key, second.arrivals[0].key);
    let mut next = Watcher::new(watched(lab.dir.path()), Folder::new(lab.dir.path()));
    next.resume(second.place.as_deref()).unwrap();
    assert!(next.read(NOW).unwrap().arrivals.is_empty(), "the next process knows them");
    assert!(next.resume(Some(b"[]")).is_err());
}

#[test]
fn whenever_and_wherever_it_is_seen_it_is_the_same_event() {
    let (mut one, mut other) = (Lab::new(), Lab::new());
    one.put("a.pem", &capture("pay-1.pem"));
    other.put("b.crt", &capture("pay-1.pem"));
    let (one, other) = (one.read().arrivals.remove(0), other.feed.read(NOW + 99).unwrap().arrivals.remove(0));
    assert_eq!((one.key, one.semantic), (other.key, other.semantic));
}

#[test]
fn half_a_file_is_looked_at_again() {
    let mut lab = Lab::new();
    let whole = capture("pay-1.pem");
    lab.put("svid.0.pem", &whole[..200]);
    assert_eq!(lab.read().heard[0].1["files that cannot be read"], "1");
    lab.put("svid.0.pem", &whole);
    let found = lab.read();
    assert_eq!(found.arrivals.len(), 1);
    assert_eq!(found.heard[0].1["files that cannot be read"], "0");
}

#[test]
fn links_are_followed_and_what_is_no_file_is_passed_over() {
    let mut lab = Lab::new();
    fs::create_dir(lab.dir.path().join("..data")).unwrap();
    lab.put("..data/tls.crt", &capture("pay-1.pem"));
    symlink("..data/tls.crt", lab.dir.path().join("tls.crt")).unwrap();
    symlink("nowhere", lab.dir.path().join("gone.pem")).unwrap();
    symlink("loop.pem", lab.dir.path().join("loop.pem")).unwrap();
    fs::create_dir(lab.dir.path().join("folder.pem")).unwrap();
    let pipe = lab.dir.path().join("pipe.pem");
    rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    lab.put("large.pem", &[vec![b' '; 70_000], capture("pay-2.pem")].concat());
    let found = lab.read();
    assert_eq!(found.arrivals.len(), 1);
    assert_eq!(found.heard[0].1["files that cannot be read"], "1", "the large one");
}

#[test]
fn a_folder_that_is_not_there_is_said_and_found_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later");
    let mut feed = Watcher::new(watched(&path), Folder::new(&path));
    assert!(feed.read(NOW).unwrap_err().to_string().contains("later"));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.pem"), capture("ledger-1.pem")).unwrap();
    assert_eq!(feed.read(NOW).unwrap().arrivals.len(), 1);
}

#[test]
fn a_folder_of_too_many_files_is_refused() {
    let mut lab = Lab::new();
    for number in 0..10_001 {
        lab.put(&format!("{number}.pem"), b"");
    }
    assert!(lab.feed.read(NOW).unwrap_err().to_string().contains("more than 10000"));
}
