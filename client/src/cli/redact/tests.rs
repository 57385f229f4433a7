//! How far redactions come with logs that are slow, refuse, or have them already, and with somebody who takes long to answer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use tempfile::TempDir;

use super::work::same_log;
use super::*;
use crate::openings::{Hold, Identities, OpeningStore as _, Protection, Settings};
use crate::source::{Outbound, SourceError};
use crate::testing::{ISSUER, ORIGIN, TestLog, sign};

/// A store with the openings of one entry, and a redaction of them that was begun.
struct World {
    dir: TempDir,
    log: TestLog,
    trust: TrustDir,
    store: Folder,
    leaf: Digest,
    begun: Journaled,
}

type Told = Result<Answer, SendError>;

impl World {
    fn new() -> Self {
        let (dir, log) = (tempfile::tempdir().unwrap(), TestLog::new());
        let trust = log.trusted_in(&dir.path().join("trust"));
        let path = dir.path().join("openings");
        let settings = Settings { protection: Protection::Plaintext, retention_days: Some(30) };
        drop(Folder::open(&path, settings).unwrap());
        let store = Folder::existing(&path, Identities::default()).unwrap();
        let leaf = Digest::sha256(b"1");
        store.put(&[(leaf, b"opening")]).unwrap();
        let ground = Ground {
            rule: RedactionRule::Order,
            legal_basis: "order".to_owned(),
            reason: None,
            reference: None,
            store: None,
            event_ms: 1,
        };
        let payload = payload(&[Planned { leaf, fields: None }], &ground).unwrap();
        let begun = Journaled { statement: sign(&log.issuer, "redaction", &payload, None), id: None, is_done: false };
        store.note_redaction(&store.lock().unwrap(), &begun).unwrap();
        Self { dir, log, trust, store, leaf, begun }
    }

    /// What the log answers once it has published the redaction.
    fn published(&self) -> Told {
        let mut log = TestLog::new();
        log.entries.clone_from(&self.log.entries);
        let index = log.append(self.begun.statement.entry().to_vec());
        let proof = log.tlog_proof(index, &log.note_of(log.size(), &[0, 1]));
        let id = Some(EntryId { epoch: 1, index: LeafIndex::new(index.get()) });
        Ok(Answer { status: 201, id, proof: Some(proof), ..Answer::default() })
    }

    /// Goes on with the redaction while the log answers so; returns where it ends, and how many answers were not asked for.
    fn finish(&self, turn: Turn, patience: Duration, answers: Vec<Told>) -> (anyhow::Result<End>, usize) {
        let answers = RefCell::new(VecDeque::from(answers));
        let log = |statement: &SignedStatement| {
            assert_eq!(statement.entry(), self.begun.statement.entry(), "the same bytes each time");
            answers.borrow_mut().pop_front().expect("an answer is left")
        };
        let out = Output::new(false, Outbound::default());
        let work = Work { pause: Duration::ZERO, ..Work::new(&self.store, &log, self.trust.trust(), &out) };
        let ended = work.finish(&self.store.lock().unwrap(), self.begun.clone(), turn, patience);
        (ended, answers.borrow().len())
    }

    fn noted(&self) -> Option<Journaled> {
        self.store.redactions().unwrap().pop()
    }
}

fn answered(status: u16) -> Told {
    Ok(Answer { status, detail: Some("because".to_owned()), ..Answer::default() })
}

#[test]
fn a_log_that_is_slow_to_publish_is_asked_again_with_the_same_bytes() {
    let world = World::new();
    let busy = SourceError::Status { url: "u".to_owned(), status: 503, detail: String::new() };
    let answers = vec![answered(303), answered(429), Err(SendError::Source(busy)), world.published()];
    let (ended, left) = world.finish(Turn::First, PATIENCE, answers);
    assert!(matches!(ended, Ok(End::Done(_, 1))) && left == 0);
    assert!(!world.store.has(&world.leaf) && world.noted().unwrap().is_done);
}

#[test]
fn waiting_is_bounded_and_the_next_run_goes_on() {
    let world = World::new();
    let (ended, left) = world.finish(Turn::First, Duration::ZERO, vec![answered(303), answered(303)]);
    assert!(matches!(ended, Ok(End::Unpublished)) && left == 1);
    assert!(world.store.has(&world.leaf) && world.noted().unwrap().id.is_none());
    let (ended, _) = world.finish(Turn::Again, Duration::ZERO, vec![world.published()]);
    assert!(matches!(ended, Ok(End::Done(_, 1))) && !world.store.has(&world.leaf));
}

#[test]
fn what_is_refused_at_once_is_forgotten_and_what_may_have_been_sent_is_kept() {
    for status in [400, 403, 409, 413] {
        let world = World::new();
        let (ended, _) = world.finish(Turn::Again, PATIENCE, vec![answered(status)]);
        assert!(matches!(ended, Ok(End::Refused)), "{status}");
        assert!(world.store.has(&world.leaf) && !world.noted().unwrap().is_done, "{status}");
        // Begun in this run, and perhaps taken when it was not answered yet.
        let (ended, _) = world.finish(Turn::First, PATIENCE, vec![answered(503), answered(status)]);
        assert!(matches!(ended, Ok(End::Refused)) && world.noted().is_some(), "{status}");
        // And so it is there for when the log takes it.
        let (ended, _) = world.finish(Turn::Again, PATIENCE, vec![world.published()]);
        assert!(matches!(ended, Ok(End::Done(_, 1))), "{status}");

        let world = World::new();
        let (ended, _) = world.finish(Turn::First, PATIENCE, vec![answered(status)]);
        let error = ended.err().unwrap().to_string();
        assert!(error.contains(&format!("({status}): because")), "{error}");
        assert!(world.store.has(&world.leaf) && world.noted().is_none(), "{status}");
    }
}

#[test]
fn one_that_ends_early_is_said_in_the_exit_code_and_the_others_are_reported() {
    let out = Output::new(true, Outbound::default());
    let end = |ends: Vec<End>| {
        let mut all = Ends::default();
        ends.into_iter().for_each(|end| all.add(end));
        (all.report(&out), all.patience().is_zero())
    };
    let done = || End::Done(Box::new(World::new().begun), 1);
    assert_eq!(end(vec![]), (Exit::NothingFound, false));
    assert_eq!(end(vec![done()]), (Exit::Ok, false));
    assert_eq!(end(vec![done(), End::Held]), (Exit::Pending, false));
    assert_eq!(end(vec![End::Refused, done()]), (Exit::Pending, false));
    assert_eq!(end(vec![done(), End::Unpublished]), (Exit::Pending, true), "the others are not waited for as long");
}

/// A store from which everything is to be destroyed by its age, and the command for that; no log answers it.
fn expiring() -> (World, Redact) {
    let world = World::new();
    world.store.forget_redaction(&world.store.lock().unwrap(), &world.begun).unwrap();
    let [openings, key] = ["openings", "dpo.key"].map(|name| world.dir.path().join(name));
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key);
    std::io::Write::write_all(&mut file.unwrap(), world.log.issuer.to_pkcs8_pem().as_bytes()).unwrap();
    stored_long_ago(&openings);
    let command = Redact {
        openings,
        identity: None,
        log: "http://127.0.0.1:1".to_owned(),
        trust: world.dir.path().join("trust"),
        key,
        iss: ISSUER.to_owned(),
        sub: None,
        rule: None,
        basis: "retention schedule".to_owned(),
        reason: None,
        reference: None,
        store: None,
        field: Vec::new(),
        expired: true,
        yes: false,
        entries: Vec::new(),
    };
    (world, command)
}

#[test]
fn nobody_is_kept_from_placing_a_hold_while_somebody_is_asked() {
    let (world, command) = expiring();
    let openings = command.openings.clone();
    let hold = || -> anyhow::Result<bool> {
        let lock = std::fs::File::options().write(true).open(openings.join("lock")).unwrap();
        lock.try_lock().expect("the store is not locked while somebody is asked");
        drop(lock);
        let (name, reason) = ("case-7".to_owned(), "litigation".to_owned());
        let hold = Hold { name, reason, placed_ms: 1, everything: true, leaves: vec![], released: None };
        world.store.hold(&world.store.lock().unwrap(), hold).unwrap();
        Ok(true)
    };
    let out = Output::new(false, Outbound::default());
    let error = command.run_asking(&out, &hold).unwrap_err();
    assert!(error.to_string().contains("held meanwhile: case-7, litigation; nothing was signed"), "{error:#}");
    assert!(world.store.has(&world.leaf) && world.noted().is_none());
}

/// Two people, or two timers, redact at once: the second to be answered finds what the first has done.
#[test]
fn what_another_run_redacts_while_somebody_is_asked_is_not_signed_for_again() {
    let (world, command) = expiring();
    let other = || -> anyhow::Result<bool> {
        world.store.note_redaction(&world.store.lock().unwrap(), &world.begun).unwrap();
        assert!(matches!(world.finish(Turn::First, PATIENCE, vec![world.published()]).0, Ok(End::Done(_, 1))));
        Ok(true)
    };
    let out = Output::new(false, Outbound::default());
    // Nobody is told of anything: no log answers here.
    assert_eq!(command.run_asking(&out, &other).unwrap(), Exit::NothingFound);
    let noted = world.store.redactions().unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].statement.entry(), world.begun.statement.entry());
}

#[test]
fn what_another_run_has_begun_and_not_ended_is_sent_again_and_nothing_else() {
    let (world, command) = expiring();
    let other = || -> anyhow::Result<bool> {
        world.store.note_redaction(&world.store.lock().unwrap(), &world.begun).unwrap();
        Ok(true)
    };
    let out = Output::new(false, Outbound::default());
    // It goes to the log, which does not answer, and waits for the next run.
    command.run_asking(&out, &other).unwrap_err();
    let noted = world.store.redactions().unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].statement.entry(), world.begun.statement.entry());
    assert!(world.store.has(&world.leaf));
}

#[test]
fn of_what_was_planned_only_what_nobody_else_named_is_left() {
    let world = World::new();
    let out = Output::new(true, Outbound::default());
    let digest = |name: &str| Digest::sha256(name.as_bytes());
    let [one, two, three] = ["1", "2", "3"].map(digest);
    let field = |name: &str| (format!("/{name}"), digest(name));
    let some = |leaf, names: &[&str]| Planned { leaf, fields: Some(names.iter().map(|name| field(name)).collect()) };
    let all = |leaf| Planned { leaf, fields: None };
    let ground = Ground {
        rule: RedactionRule::Order,
        legal_basis: "order".to_owned(),
        reason: None,
        reference: None,
        store: None,
        event_ms: 2,
    };
    let other = |planned: &[Planned]| {
        let payload = payload(planned, &ground).unwrap();
        Journaled { statement: sign(&world.log.issuer, "redaction", &payload, None), id: None, is_done: false }
    };
    let others = [other(&[all(one), some(two, &["a", "b"])])];
    let left = |planned: Vec<Planned>| meanwhile::left(planned, &others, |leaf| *leaf != three, &out);
    assert_eq!(left(vec![all(one), some(one, &["a"])]), []);
    assert_eq!(left(vec![some(two, &["a"]), some(two, &["b", "c"])]), [some(two, &["c"])]);
    assert_eq!(left(vec![all(two)]), [all(two)], "what is left of it is all");
    assert_eq!(left(vec![all(three)]), [], "nothing is there any more");
    assert_eq!(left(vec![all(digest("4"))]), [all(digest("4"))]);
}

/// Makes everything in a store old.
fn stored_long_ago(openings: &Path) {
    for entry in walk(openings).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "cbor")) {
        std::fs::File::options().write(true).open(entry).unwrap().set_modified(UNIX_EPOCH).unwrap();
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_redaction_is_sent_only_to_the_log_that_it_was_begun_for() {
    let begun = World::new().begun.statement;
    assert!(same_log(&begun, ORIGIN).is_ok());
    let error = same_log(&begun, "log.example/b").unwrap_err().to_string();
    assert!(error.contains(&format!("begun for log {ORIGIN},")) && error.contains("log.example/b"), "{error}");
}
