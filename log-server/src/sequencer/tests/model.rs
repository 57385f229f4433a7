//! The sequencer against a plain vector: random streams, duplicates, conflicts, restarts and faults.

use std::collections::HashMap;

use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sequencer::testing::{Disk, HeadFault, Live, Place, World, decoded};
use crate::store::faulty::Fault;

/// One statement to be handed in, relative to what the model holds.
#[derive(Clone, Debug)]
enum Step {
    /// The next of a stream.
    Next { issuer: usize, stream: usize },
    /// One outside every stream.
    Alone { issuer: usize },
    /// One that was handed in before, whatever became of it.
    Again { which: prop::sample::Index },
    /// One of a stream, this much before or behind the next place.
    Beside { issuer: usize, stream: usize, by: i64 },
    /// The next of a stream, with another predecessor.
    WrongPrev { issuer: usize, stream: usize },
}

/// What happens between statements.
#[derive(Clone, Debug)]
enum Action {
    Submit(Vec<Step>),
    Restart,
    /// The write or the head of the next batch fails, done or not done; the log is started again.
    Fault(Failure, Vec<Step>),
}

#[derive(Clone, Copy, Debug)]
enum Failure {
    CommitLost,
    CommitKept,
    HeadLost,
    HeadKept,
    HeadTorn,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3usize, 0..2usize);
    prop_oneof![
        6 => place().prop_map(|(issuer, stream)| Step::Next { issuer, stream }),
        2 => (0..3usize).prop_map(|issuer| Step::Alone { issuer }),
        2 => any::<prop::sample::Index>().prop_map(|which| Step::Again { which }),
        1 => (place(), -3..4i64).prop_map(|((issuer, stream), by)| Step::Beside { issuer, stream, by }),
        1 => place().prop_map(|(issuer, stream)| Step::WrongPrev { issuer, stream }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let failure = prop_oneof![
        Just(Failure::CommitLost),
        Just(Failure::CommitKept),
        Just(Failure::HeadLost),
        Just(Failure::HeadKept),
        Just(Failure::HeadTorn),
    ];
    prop_oneof![
        6 => vec(step(), 1..40).prop_map(Action::Submit),
        1 => Just(Action::Restart),
        1 => (failure, vec(step(), 1..20)).prop_map(|(failure, steps)| Action::Fault(failure, steps)),
    ]
}

/// The log as a vector.
#[derive(Clone, Default)]
struct Model {
    entries: Vec<Vec<u8>>,
    by_identity: HashMap<Digest, usize>,
    /// Next sequence number and predecessor of each stream.
    streams: HashMap<(String, String), (u64, Digest)>,
    /// Everything handed in, so that it can be handed in again.
    seen: Vec<SignedStatement>,
    signed: u64,
}

impl Model {
    fn new() -> Self {
        Self { entries: vec![World::get().genesis.entry().to_vec()], ..Self::default() }
    }

    fn next_of(&self, issuer: usize, stream: usize) -> (String, u64, Digest) {
        let (iss, name) = (format!("https://issuer-{issuer}.example"), format!("stream-{stream}"));
        let (seq, prev) = self.streams.get(&(iss, name.clone())).copied().unwrap_or((0, Digest::ZERO));
        (name, seq, prev)
    }

    /// Signs the statement of a step.
    fn sign(&mut self, step: &Step) -> SignedStatement {
        self.signed += 1;
        let text = format!("statement {}", self.signed);
        let (issuer, place) = match step {
            Step::Again { which } if !self.seen.is_empty() => return which.get(&self.seen).clone(),
            Step::Again { .. } => (0, Place::Alone),
            Step::Alone { issuer } => (*issuer, Place::Alone),
            Step::Next { issuer, stream } => {
                let (name, seq, prev) = self.next_of(*issuer, *stream);
                (*issuer, Place::at(&name, seq, prev))
            }
            Step::Beside { issuer, stream, by } => {
                let (name, seq, prev) = self.next_of(*issuer, *stream);
                (*issuer, Place::at(&name, seq.saturating_add_signed(*by), prev))
            }
            Step::WrongPrev { issuer, stream } => {
                let (name, seq, prev) = self.next_of(*issuer, *stream);
                (*issuer, Place::at(&name, seq, Digest::sha256(prev.as_bytes())))
            }
        };
        World::get().statement(issuer, &place, &text)
    }

    /// Says what the log must answer, and takes the statement in if it must.
    fn take(&mut self, statement: &SignedStatement) -> String {
        self.seen.push(statement.clone());
        let identity = statement.sig_structure_digest();
        if let Some(index) = self.by_identity.get(&identity) {
            return format!("+{index}");
        }
        let claims = statement.claims();
        if let Some(position) = &claims.stream {
            let stream = (claims.iss.clone(), position.stream.clone());
            let (seq, prev) = self.streams.get(&stream).copied().unwrap_or((0, Digest::ZERO));
            if (position.seq, position.prev) != (seq, prev) {
                return format!("conflict, expected {seq}");
            }
            self.streams.insert(stream, (seq + 1, identity));
        }
        let index = self.entries.len();
        self.entries.push(statement.entry().to_vec());
        self.by_identity.insert(identity, index);
        format!("={index}")
    }
}

fn submit(live: &Live, model: &mut Model, steps: &[Step]) {
    let mut statements = Vec::new();
    let mut expected = Vec::new();
    for step in steps {
        let statement = model.sign(step);
        expected.push(model.take(&statement));
        statements.push(statement);
    }
    assert_eq!(live.log(&statements), expected);
}

/// Hands statements in while a step fails; the model follows what a start then finds, which must be all or nothing.
fn submit_with_fault(disk: &Disk, live: Live, model: &mut Model, failure: Failure, steps: &[Step]) -> Live {
    match failure {
        Failure::CommitLost => disk.store.fail(Fault::CommitLost, 0),
        Failure::CommitKept => disk.store.fail(Fault::CommitKept, 0),
        Failure::HeadLost => disk.head.fail(HeadFault::Lost, 0),
        Failure::HeadKept => disk.head.fail(HeadFault::Kept, 0),
        Failure::HeadTorn => disk.head.fail(HeadFault::Torn, 0),
    }
    let mut after = model.clone();
    let mut statements = Vec::new();
    for step in steps {
        let statement = after.sign(step);
        after.take(&statement);
        statements.push(statement);
    }
    let answers: Vec<String> = live.submit(&statements).into_iter().map(|ticket| decoded(ticket.wait())).collect();
    let grew = after.entries.len() > model.entries.len();
    assert!(answers.iter().all(|answer| (answer == "Stopped") == grew), "{answers:?}");
    let kept = match failure {
        Failure::CommitLost => false,
        Failure::CommitKept | Failure::HeadLost | Failure::HeadKept | Failure::HeadTorn => true,
    };
    drop(live.running.stop());
    disk.store.heal();
    disk.head.heal();
    let live = disk.start();
    assert_eq!(live.head().size().get() == u64::try_from(after.entries.len()).unwrap(), kept || !grew);
    if kept {
        *model = after;
    } else {
        model.signed = after.signed;
    }
    live
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_the_model_entry_for_entry(actions in vec(action(), 1..25)) {
        let (disk, mut model) = (Disk::fresh(), Model::new());
        let mut live = disk.start();
        for action in &actions {
            match action {
                Action::Submit(steps) => submit(&live, &mut model, steps),
                Action::Restart => {
                    live.stop();
                    live = disk.start();
                }
                Action::Fault(failure, steps) => {
                    live = submit_with_fault(&disk, live, &mut model, *failure, steps);
                }
            }
            prop_assert_eq!(live.head().size().get(), u64::try_from(model.entries.len()).unwrap());
        }
        live.stop();
        prop_assert_eq!(disk.check(), model.entries);
    }
}
