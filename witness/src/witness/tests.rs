use std::{
    fs,
    sync::{
        Barrier,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use govlog_formats::{
    cosignature::TimestampedSignature,
    digest::Digest,
    merkle::TreeSize,
    note::{Note, SignatureLine},
    wire::add_checkpoint::AddCheckpoint,
};
use proptest::prelude::*;

use super::*;
use crate::{
    evidence::Evidence,
    testing::{Log, folder, manual_clock, own},
};

const NOW: u64 = 1_700_000_000;

struct Fixture {
    _folder: tempfile::TempDir,
    config: Config,
    time: Arc<AtomicU64>,
    log: Log,
    witness: Witness,
}

fn fixture() -> Fixture {
    let log = Log::new("log.example/a", 40);
    let (folder, config) = folder(&[&log]);
    let (time, clock) = manual_clock(NOW);
    let witness = Witness::open(&config, clock).unwrap();
    Fixture { _folder: folder, config, time, log, witness }
}

impl Fixture {
    /// Asks for a cosignature and checks that what comes back is one, over exactly this text, at the clock's time.
    fn cosigned(&self, body: &[u8], size: u64) -> SignatureLine {
        let line = self.witness.add_checkpoint(body).unwrap();
        let time = own().vkey().verify(&self.log.text(size), line.bytes()).unwrap();
        assert_eq!(time, Some(self.time.load(Ordering::SeqCst)));
        assert_eq!((line.name(), line.id()), (own().vkey().name(), own().vkey().id()));
        line
    }

    fn refused(&self, body: &[u8]) -> Refusal {
        match self.witness.add_checkpoint(body) {
            Err(Failure::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// The size and time on record, after checking that the note on record is the log's and the witness's, and nobody else's.
    fn record(&self) -> Option<(u64, u64)> {
        let note = self.witness.checkpoint(&self.log.hash()).unwrap()?;
        let note = Note::parse(&note).unwrap();
        let verified = note.verify(&[self.log.vkey(), own().vkey().clone()]).unwrap();
        assert_eq!((verified.signatures().len(), verified.ignored().len()), (2, 0));
        let size = note.text().lines().nth(1).unwrap().parse().unwrap();
        Some((size, verified.signatures()[1].timestamp.unwrap()))
    }

    /// Ends the witness and starts it again on what is on disk.
    fn restart(self) -> Self {
        let time = Arc::clone(&self.time);
        drop(self.witness);
        let witness = Witness::open(&self.config, Clock::new(move || time.load(Ordering::SeqCst))).unwrap();
        Self { witness, ..self }
    }
}

#[test]
fn a_log_grows_under_the_witnesss_eyes_across_restarts() {
    let mut fixture = fixture();
    assert_eq!(fixture.record(), None);
    let mut old = 0;
    for new in [0, 0, 1, 1, 2, 7, 8, 8, 33, 40] {
        fixture.time.fetch_add(1, Ordering::SeqCst);
        fixture.cosigned(&fixture.log.request(old, new), new);
        let expected = Some((new, fixture.time.load(Ordering::SeqCst)));
        assert_eq!(fixture.record(), expected);
        fixture = fixture.restart();
        assert_eq!(fixture.record(), expected);
        old = new;
    }
}

/// The vector of the C2SP trial log: 70,000 entries, cosigned at 1,700,000,000.
#[test]
fn the_known_answer_is_given() {
    const LOG: &str = "example.com/trial+917002f4+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    const NOTE: &str = "example.com/trial\n70000\n2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=\n\n\
        — example.com/trial kXAC9E5tX7/AXCLPF5zvzkYDdUVEiui0OhMADaQUqgVcx5XKczPSPyQ+PapUzlc1zvTZ8VtLvrvzCPwEhlOfCRYWMQw=\n";
    const COSIGNATURE: &str = "— witness.example/w1 3xwKNQAAAABlU/EAp9vbjkVy6QxP7YWv+zTyqOwXWSj9gtU7rjxDRL6lNcWkm9tRV3OnGyM6Hngy3UQgK6ulCY5XkpldXROWwZB4Ag==";
    assert_eq!(own().vkey().to_string(), "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU");
    let (_folder, config) = folder(&[]);
    assert!(crate::logs::add(&config.logs, own().vkey(), &LOG.parse().unwrap()).unwrap());
    let witness = Witness::open(&config, manual_clock(NOW).1).unwrap();
    let line = witness.add_checkpoint(format!("old 0\n\n{NOTE}").as_bytes()).unwrap();
    assert_eq!(line.to_string(), COSIGNATURE);
    let origin = OriginHash::of(&"example.com/trial".parse().unwrap());
    assert_eq!(witness.checkpoint(&origin).unwrap().unwrap(), format!("{NOTE}{COSIGNATURE}\n").into_bytes());
}

#[test]
fn the_same_checkpoint_is_cosigned_again_with_a_fresh_time() {
    let fixture = fixture();
    let first = fixture.cosigned(&fixture.log.request(0, 5), 5);
    assert_eq!(fixture.cosigned(&fixture.log.request(5, 5), 5), first, "within one second");
    fixture.time.store(NOW + 60, Ordering::SeqCst);
    assert_ne!(fixture.cosigned(&fixture.log.request(5, 5), 5), first);
    assert_eq!(fixture.record(), Some((5, NOW + 60)));
}

#[test]
fn no_refusal_changes_what_is_on_record() {
    let fixture = fixture();
    let (log, fork) = (&fixture.log, Log::with_entries("log.example/a", 40, "fork"));
    fixture.cosigned(&log.request(0, 5), 5);
    fixture.time.store(NOW + 1, Ordering::SeqCst);
    let unsigned =
        Note::with_lines(&log.text(8), &[Log::new("log.example/b", 0).line(&log.text(8))]).unwrap().to_bytes();
    let bodies = [
        b"nonsense".to_vec(),
        Log::new("log.example/unknown", 8).request(0, 8),
        AddCheckpoint { old: TreeSize::new(5), proof: log.proof(5, 8), note: unsigned }.encode(),
        log.request_with(9, &[], &log.text(8)),
        log.request_with(0, &[], &log.text(8)),
        log.request(4, 8),
        log.request_with(5, &[], &log.text(8)),
        log.request_with(5, &log.proof(5, 8), &fork.text(8)),
        log.request_with(5, &[], &fork.text(5)),
        log.request_with(5, &[Digest::ZERO], &log.text(5)),
    ];
    for body in bodies {
        fixture.refused(&body);
        assert_eq!(fixture.record(), Some((5, NOW)));
    }
    fixture.time.store(NOW - 1, Ordering::SeqCst);
    assert!(matches!(fixture.refused(&log.request(5, 8)), Refusal::Clock { .. }));
    fixture.time.store(NOW + 1, Ordering::SeqCst);
    assert_eq!(fixture.restart().record(), Some((5, NOW)));
}

#[test]
fn time_does_not_go_backwards_across_a_restart() {
    let fixture = fixture();
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    let fixture = fixture.restart();
    fixture.time.store(NOW - 1, Ordering::SeqCst);
    assert_eq!(fixture.refused(&fixture.log.request(5, 8)), Refusal::Clock { now: NOW - 1, last: NOW });
    fixture.time.store(NOW, Ordering::SeqCst);
    fixture.cosigned(&fixture.log.request(5, 8), 8);
}

/// A witness was once wedged by storing a forged line in its own name.
#[test]
fn lines_in_the_witnesss_own_name_cannot_wedge_it() {
    let fixture = fixture();
    let mut old = 0;
    for (new, forged) in [(0, 0), (3, 1), (8, 72), (12, 64)] {
        let text = fixture.log.text(new);
        let mut lines = vec![fixture.log.line(&text)];
        let forged =
            SignatureLine::new(own().vkey().name().clone(), own().vkey().id(), vec![1; forged.max(1)]).unwrap();
        lines.insert(0, forged.clone());
        lines.push(forged);
        let note = Note::with_lines(&text, &lines).unwrap().to_bytes();
        fixture.cosigned(
            &AddCheckpoint { old: TreeSize::new(old), proof: fixture.log.proof(old, new), note }.encode(),
            new,
        );
        assert_eq!(fixture.record(), Some((new, NOW)));
        old = new;
    }
    // A genuine cosignature of this witness over this text, but of another time, is no more welcome: it would be served beside the fresh one.
    let text = fixture.log.text(20);
    let stale = own().sign(&text, Some(1)).unwrap();
    let note = Note::with_lines(&text, &[fixture.log.line(&text), stale]).unwrap().to_bytes();
    fixture.cosigned(&AddCheckpoint { old: TreeSize::new(12), proof: fixture.log.proof(12, 20), note }.encode(), 20);
    assert_eq!(fixture.record(), Some((20, NOW)));
    assert_eq!(fixture.restart().record(), Some((20, NOW)));
}

// --- races ---

/// Of many racing requests from one old size to different new ones, one wins; the others are told what is recorded now.
#[test]
fn racing_requests_to_different_sizes_have_one_winner() {
    const RACERS: u64 = 32;
    let fixture = fixture();
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    let start = Barrier::new(usize::try_from(RACERS).unwrap());
    let outcomes: Vec<(u64, Result<SignatureLine, Failure>)> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|n| {
                let (fixture, start, new) = (&fixture, &start, 6 + n);
                let body = fixture.log.request(5, new);
                scope.spawn(move || {
                    start.wait();
                    (new, fixture.witness.add_checkpoint(&body))
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let winners: Vec<u64> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(size, _)| *size).collect();
    assert_eq!(winners.len(), 1);
    for (size, outcome) in &outcomes {
        match outcome {
            Ok(_) => {}
            Err(Failure::Refused(Refusal::Stale { recorded, .. })) => assert_eq!(recorded.get(), winners[0]),
            other => panic!("{size}: {other:?}"),
        }
    }
    assert_eq!(fixture.record(), Some((winners[0], NOW)));
    assert_eq!(fixture.restart().record(), Some((winners[0], NOW)));
}

/// Counts down when dropped, a panic included, so that whoever waits for it never waits for ever.
struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Many clients push the log forward and cosign it again and again, each from what it was told last: neither size nor time ever goes back.
#[test]
fn racing_clients_never_roll_the_record_back() {
    const CLIENTS: usize = 8;
    let fixture = fixture();
    let busy = AtomicUsize::new(CLIENTS);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let _busy = Busy(&busy);
                let mut old = 0;
                for step in 0..40_u64 {
                    let new = (old + step % 3).min(40);
                    match fixture.witness.add_checkpoint(&fixture.log.request(old, new)) {
                        Ok(line) => {
                            let stamped = TimestampedSignature::parse(line.bytes()).unwrap();
                            assert!(stamped.timestamp() <= fixture.time.load(Ordering::SeqCst));
                            old = new;
                        }
                        Err(Failure::Refused(Refusal::Stale { recorded, .. })) => {
                            assert!(recorded.get() > old, "{recorded} is not above {old}");
                            old = recorded.get();
                        }
                        Err(Failure::Contended) => {}
                        other => panic!("{other:?}"),
                    }
                    fixture.time.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            let mut last = (0, 0);
            while busy.load(Ordering::SeqCst) > 0 {
                let now = fixture.record().unwrap_or((0, 0));
                assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
                last = now;
            }
        });
    });
    assert_eq!(fixture.record().unwrap().0, 40);
}

// --- state in doubt ---

#[test]
fn a_damaged_file_keeps_the_witness_from_starting_and_is_named() {
    let fixture = fixture();
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    let path = fixture.config.state.join(fixture.log.hash().to_string());
    let Fixture { _folder, config, witness, .. } = fixture;
    drop(witness);
    fs::write(&path, "nonsense").unwrap();
    let Err(error) = Witness::open(&config, Clock::system()) else { panic!("it started") };
    assert!(matches!(error, OpenError::State(StateError::Corrupt { .. })));
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

/// A file that is whole, but whose note this witness did not cosign: taken from another witness, say.
#[test]
fn a_strangers_note_keeps_the_witness_from_starting_and_is_named() {
    let fixture = fixture();
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    let Fixture { _folder, config, witness, log, .. } = fixture;
    drop(witness);
    let store = DiskStore::open(&config.state).unwrap();
    let good = store.load(&log.hash()).unwrap();
    assert_eq!(store.swap(&log.hash(), good.as_deref(), &log.signed(&log.text(5))).unwrap(), Swap::Done);
    drop(store);
    let Err(error) = Witness::open(&config, Clock::system()) else { panic!("it started") };
    assert!(matches!(&error, OpenError::Memory { path, .. } if path.ends_with(log.hash().to_string())), "{error}");
}

#[test]
fn a_file_damaged_beneath_a_running_witness_stops_that_log_alone() {
    let fixture = fixture();
    let other = Log::new("log.example/b", 8);
    assert!(crate::logs::add(&fixture.config.logs, own().vkey(), &other.vkey()).unwrap());
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    assert_eq!(fixture.witness.troubles(), Vec::<String>::new());
    fs::remove_file(fixture.config.state.join(fixture.log.hash().to_string())).unwrap();
    // Without the file the witness would have "never cosigned" the log, and any first checkpoint would do.
    for body in [fixture.log.request(0, 5), fixture.log.request(5, 8), fixture.log.request(5, 5)] {
        assert!(matches!(fixture.witness.add_checkpoint(&body), Err(Failure::State(_))));
    }
    assert!(matches!(fixture.witness.checkpoint(&fixture.log.hash()), Err(Failure::State(_))));
    assert_eq!(fixture.witness.troubles().len(), 1);
    fixture.witness.add_checkpoint(&other.request(0, 8)).unwrap();
    assert!(fixture.witness.telemetry().render().contains("govlog_witness_state_failures_total 4"));
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let fixture = fixture();
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    let blocked = fixture.config.state.join(format!("{}.tmp", fixture.log.hash()));
    fs::create_dir(&blocked).unwrap();
    let failed = fixture.witness.add_checkpoint(&fixture.log.request(5, 8));
    assert!(matches!(failed, Err(Failure::State(StateError::NotWritten { .. }))));
    assert_eq!(fixture.record(), Some((5, NOW)));
    fs::remove_dir(&blocked).unwrap();
    fixture.cosigned(&fixture.log.request(5, 8), 8);
}

#[test]
fn two_witnesses_never_share_a_folder() {
    let fixture = fixture();
    assert!(matches!(Witness::open(&fixture.config, Clock::system()), Err(OpenError::Lock(LockError::Held { .. }))));
}

// --- the list of logs ---

#[test]
fn a_log_added_or_removed_while_running_counts_at_once() {
    let fixture = fixture();
    let other = Log::new("log.example/b", 8);
    assert_eq!(fixture.refused(&other.request(0, 8)), Refusal::UnknownOrigin(other.origin()));
    assert!(crate::logs::add(&fixture.config.logs, own().vkey(), &other.vkey()).unwrap());
    fixture.witness.add_checkpoint(&other.request(0, 8)).unwrap();
    fs::write(&fixture.config.logs, "").unwrap();
    assert_eq!(fixture.refused(&other.request(8, 8)), Refusal::UnknownOrigin(other.origin()));
    assert!(fixture.witness.checkpoint(&other.hash()).unwrap().is_some(), "what was cosigned stays on show");
    assert!(fixture.restart().witness.checkpoint(&other.hash()).unwrap().is_some());
}

#[test]
fn an_unreadable_list_is_no_reason_to_say_that_a_log_is_unknown() {
    let fixture = fixture();
    fs::write(&fixture.config.logs, "nonsense").unwrap();
    let unknown = Log::new("log.example/b", 8);
    assert!(matches!(fixture.witness.add_checkpoint(&unknown.request(0, 8)), Err(Failure::Logs(_))));
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    assert_eq!(fixture.witness.troubles().len(), 1);
}

// --- evidence ---

#[test]
fn evidence_of_a_split_view_is_kept_and_convinces_a_stranger() {
    let fixture = fixture();
    let fork = Log::with_entries("log.example/a", 40, "fork");
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    for _ in 0..3 {
        assert!(matches!(
            fixture.refused(&fixture.log.request_with(5, &[], &fork.text(5))),
            Refusal::RootDiffers { .. }
        ));
    }
    let folder = fixture.config.evidence.join(fixture.log.hash().to_string());
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let kept: Evidence = toml::from_str(&fs::read_to_string(&files[0]).unwrap()).unwrap();
    let roots = [kept.refused, kept.cosigned.unwrap()].map(|note| {
        let note = Note::parse(note.as_bytes()).unwrap();
        note.verify_log(&fixture.log.vkey()).unwrap();
        let checkpoint = govlog_formats::checkpoint::Checkpoint::of_note(&note).unwrap();
        assert_eq!(checkpoint.size, TreeSize::new(5));
        checkpoint.root
    });
    assert_ne!(roots[0], roots[1]);
    let metrics = fixture.witness.telemetry().render();
    assert!(metrics.contains("govlog_witness_misbehaviour_total"), "{metrics}");
}

#[test]
fn evidence_that_cannot_be_kept_changes_no_answer() {
    let fixture = fixture();
    let fork = Log::with_entries("log.example/a", 40, "fork");
    fixture.cosigned(&fixture.log.request(0, 5), 5);
    fs::remove_dir(&fixture.config.evidence).unwrap();
    assert!(matches!(fixture.refused(&fixture.log.request_with(5, &[], &fork.text(5))), Refusal::RootDiffers { .. }));
    assert_eq!(fixture.record(), Some((5, NOW)));
}

// --- anything at all ---

/// Where a request is damaged, and how.
fn damage() -> impl Strategy<Value = (usize, u8, usize)> {
    (any::<usize>(), any::<u8>(), 0_usize..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn arbitrary_bodies_are_refused_and_change_nothing(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 8)) {
        let fixture = fixture();
        fixture.cosigned(&fixture.log.request(0, 5), 5);
        for body in bodies {
            prop_assert!(fixture.witness.add_checkpoint(&body).is_err());
        }
        prop_assert_eq!(fixture.record(), Some((5, NOW)));
        prop_assert_eq!(fixture.restart().record(), Some((5, NOW)));
    }

    /// A damaged honest request is refused, or the damage was in what nobody signed and the honest checkpoint is cosigned; never anything else.
    #[test]
    fn damaged_requests_never_get_anything_but_the_honest_checkpoint_cosigned(damages in prop::collection::vec(damage(), 8)) {
        let fixture = fixture();
        fixture.cosigned(&fixture.log.request(0, 5), 5);
        let good = fixture.log.request(5, 40);
        for (at, byte, cut) in damages {
            let mut body = good.clone();
            let at = at % body.len();
            body[at] = byte;
            let end = (at + cut).min(body.len());
            if cut % 2 == 1 {
                body.drain(at..end);
            }
            match fixture.witness.add_checkpoint(&body) {
                Ok(_) => prop_assert_eq!(fixture.record(), Some((40, NOW))),
                Err(Failure::Refused(_)) => prop_assert!(fixture.record() == Some((5, NOW)) || fixture.record() == Some((40, NOW))),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
        fixture.restart();
    }

    /// Any sequence of honest, forked, stale and bad requests keeps the invariant: the record is the honest log's, and only grows.
    #[test]
    fn no_sequence_of_signed_requests_breaks_the_record(steps in prop::collection::vec((0_u64..=12, 0_u64..=12, any::<bool>(), any::<bool>()), 1..30)) {
        let fixture = fixture();
        let fork = Log::with_entries("log.example/a", 40, "fork");
        fixture.cosigned(&fixture.log.request(0, 1), 1);
        let mut model = 1;
        for (old, new, forked, with_proof) in steps {
            let text = if forked { fork.text(new) } else { fixture.log.text(new) };
            let proof = if with_proof && old < new { fixture.log.proof(old, new) } else { Vec::new() };
            let accepted = fixture.witness.add_checkpoint(&fixture.log.request_with(old, &proof, &text)).is_ok();
            let proved = old == new || with_proof || (old.is_power_of_two() && fixture.log.proof(old, new.max(old)).is_empty());
            prop_assert_eq!(accepted, old == model && new >= old && !forked && proved, "{} to {} from {}", old, new, model);
            if accepted {
                model = new;
            }
            prop_assert_eq!(fixture.record(), Some((model, NOW)));
        }
    }
}
