use super::*;
use crate::{
    decision::{Request, decide, misbehaviour},
    testing::{Log, own},
};

fn remembered(log: &Log, size: u64) -> Remembered {
    let text = log.text(size);
    let bytes = Note::with_lines(&text, &[log.line(&text), own().sign(&text, Some(9)).unwrap()]).unwrap().to_bytes();
    Remembered::open(&bytes, &log.hash(), own().vkey(), &[log.vkey()]).unwrap()
}

/// A log that showed one tree before and signs another now.
fn split_view(word: &str) -> (Log, Authentic, Remembered) {
    let (honest, forked) = (Log::new("log.example/a", 8), Log::with_entries("log.example/a", 8, word));
    let request =
        Request::parse(&forked.request_with(5, &[], &forked.text(5))).unwrap().authenticate(&[honest.vkey()]).unwrap();
    let held = remembered(&honest, 5);
    (honest, request, held)
}

fn evidence(request: &Authentic, held: &Remembered) -> (Misbehaviour, Evidence) {
    let refusal = decide(request, Some(held), 10).unwrap_err();
    let kind = misbehaviour(request, Some(held), &refusal).unwrap();
    (kind, Evidence::new(kind, request, &request.note_with(&[]).unwrap(), Some(held), 10))
}

#[test]
fn a_kept_file_holds_both_notes_and_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = EvidenceStore::open(folder.path()).unwrap();
    let (log, request, held) = split_view("other");
    let (kind, evidence) = evidence(&request, &held);
    assert_eq!(kind, Misbehaviour::SplitView);
    assert_eq!(store.keep(&log.hash(), kind, request.text(), &evidence).unwrap(), Kept::New);
    assert_eq!(store.keep(&log.hash(), kind, request.text(), &evidence).unwrap(), Kept::Already);
    assert_eq!(store.counts().unwrap(), (1, 0));

    let name = format!("{}/split-view-{}.toml", log.hash(), Digest::sha256(request.text().as_bytes()));
    let read: Evidence = toml::from_str(&fs::read_to_string(folder.path().join(name)).unwrap()).unwrap();
    assert_eq!(read, evidence);
    assert!(read.proof);
    // Both notes verify under the log's key, name one size and differ in the root: that is the proof.
    for note in [&read.refused, read.cosigned.as_ref().unwrap()] {
        let note = Note::parse(note.as_bytes()).unwrap();
        note.verify_log(&log.vkey()).unwrap();
    }
    assert_ne!(read.refused.lines().nth(2), read.cosigned.unwrap().lines().nth(2));
}

#[test]
fn no_more_is_kept_than_the_bound_and_each_log_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = EvidenceStore::open(folder.path()).unwrap();
    let mut kept = Vec::new();
    for n in 0..20 {
        let (log, request, held) = split_view(&format!("fork {n}"));
        let (kind, evidence) = evidence(&request, &held);
        kept.push(store.keep(&log.hash(), kind, request.text(), &evidence).unwrap());
    }
    assert_eq!(kept.iter().filter(|kept| **kept == Kept::New).count(), 16);
    assert_eq!(kept[16..], [Kept::Full; 4]);
    let (_, request, held) = split_view("fork 20");
    let (kind, evidence) = evidence(&request, &held);
    let other = Log::new("log.example/b", 0);
    assert_eq!(store.keep(&other.hash(), kind, request.text(), &evidence).unwrap(), Kept::New);
    assert_eq!(store.counts().unwrap(), (17, 0));
}

#[test]
fn unfinished_files_are_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(Log::new("log.example/a", 0).hash().to_string());
    fs::create_dir(&log).unwrap();
    fs::write(log.join("split-view-00.toml.tmp"), "v = 1").unwrap();
    EvidenceStore::open(folder.path()).unwrap();
    assert_eq!(fs::read_dir(log).unwrap().count(), 0);
}
