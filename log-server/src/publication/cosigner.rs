//! One witness: a task that brings it every head in turn, and remembers what it accepted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::merkle::{ConsistencyProof, TreeSize};
use govlog_formats::note::{Note, SignatureLine, Vkey};
use govlog_formats::wire::add_checkpoint::AddCheckpoint;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::claim::{self, Claim};
use super::door::{Answer, Door};
use crate::sequencer::{CommittedHead, Sequencer};
use crate::telemetry::{Telemetry, WitnessState};

/// A head that witnesses are asked to cosign.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Counts up; a later round never has a smaller head.
    pub(super) round: u64,
    pub(super) head: CommittedHead,
    /// The witnesses whose cosignature on this head is at hand already.
    pub(super) have: Arc<BTreeSet<usize>>,
    /// Whether the log still waits for witnesses to confirm its head.
    pub(super) unconfirmed: bool,
}

/// What became of a target at one witness.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) witness: usize,
    pub(super) round: u64,
    pub(super) size: TreeSize,
    /// The witness's verified line; `None` when there is none, or not yet.
    pub(super) line: Option<SignatureLine>,
}

/// The task of one witness.
pub(super) struct Cosigner {
    pub(super) witness: usize,
    /// Its name in the policy.
    pub(super) name: String,
    pub(super) vkey: Vkey,
    pub(super) log: Vkey,
    pub(super) door: Door,
    pub(super) sequencer: Sequencer,
    pub(super) telemetry: Telemetry,
    pub(super) targets: watch::Receiver<Option<Target>>,
    pub(super) reports: mpsc::Sender<Report>,
    /// The size it accepted last, as far as is known; 0 when nothing is.
    pub(super) accepted: TreeSize,
    pub(super) backoff: Backoff,
}

/// Why a witness did not cosign.
#[derive(Debug)]
enum Failure {
    /// It can not now.
    Away { after: Option<Duration>, why: String },
    /// It will not.
    Refusing(String),
    /// It contradicts itself, the protocol, or what can be proved.
    Unreliable(String),
    /// The log itself could not do its part.
    Own(String),
}

/// How often one head is sent again because the witness named another size.
const MAX_RESENDS: usize = 3;

impl Cosigner {
    /// Works until the publisher has gone. A target that is not accepted is tried again until there is a newer one.
    pub(super) async fn run(mut self) {
        let mut due: Option<Target> = None;
        loop {
            let until = self.backoff.until(Instant::now());
            let retry = async {
                match (&due, until) {
                    (None, _) => std::future::pending().await,
                    (Some(_), None) => {}
                    (Some(_), Some(until)) => tokio::time::sleep_until(until).await,
                }
            };
            let target = tokio::select! {
                biased;
                changed = self.targets.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let Some(target) = self.targets.borrow_and_update().clone() else { continue };
                    if target.have.contains(&self.witness) {
                        due = None;
                        continue;
                    }
                    if self.backoff.until(Instant::now()).is_some() {
                        // The round does not wait for it; the next attempt comes when the pause is over.
                        self.report(&target, None).await;
                        due = Some(target);
                        continue;
                    }
                    target
                }
                () = retry => match due.take() {
                    Some(target) => target,
                    None => continue,
                },
            };
            let line = self.attempt(&target).await;
            due = if line.is_none() { Some(target.clone()) } else { None };
            self.report(&target, line).await;
        }
    }

    async fn report(&self, target: &Target, line: Option<SignatureLine>) {
        let report = Report { witness: self.witness, round: target.round, size: target.head.size(), line };
        if self.reports.send(report).await.is_err() {
            tracing::debug!("the publisher has gone");
        }
    }

    async fn attempt(&mut self, target: &Target) -> Option<SignatureLine> {
        let begun = Instant::now();
        match self.cosign(&target.head).await {
            Ok(line) => {
                self.backoff.succeeded();
                self.telemetry.witness(&self.name, WitnessState::Accepting);
                self.telemetry.cosigned(&self.name, target.head.size().get(), begun.elapsed());
                Some(line)
            }
            Err(failure) => {
                self.failed(failure, target.unconfirmed);
                None
            }
        }
    }

    fn failed(&mut self, failure: Failure, unconfirmed: bool) {
        let (state, after, why) = match failure {
            Failure::Away { after, why } => (WitnessState::Away, after, why),
            Failure::Refusing(why) => (WitnessState::Refusing, None, why),
            Failure::Unreliable(why) => (WitnessState::Unreliable, None, why),
            Failure::Own(why) => {
                tracing::error!(witness = self.name, why, "a head could not be offered");
                self.backoff.failed(None, unconfirmed, Instant::now());
                return;
            }
        };
        tracing::warn!(witness = self.name, ?state, why, "a witness did not cosign");
        self.telemetry.witness(&self.name, state);
        self.backoff.failed(after, unconfirmed, Instant::now());
    }

    /// Offers a head, from the size the witness says it is at.
    async fn cosign(&mut self, head: &CommittedHead) -> Result<SignatureLine, Failure> {
        for _ in 0..MAX_RESENDS {
            let old = self.accepted;
            let request = self.request(old, head).await?;
            match self.door.add_checkpoint(&request).await {
                Answer::Cosigned(lines) => {
                    let line = self.own_line(head, lines)?;
                    self.accepted = head.size();
                    return Ok(line);
                }
                Answer::Conflict(size) if size == old => {
                    return Err(Failure::Unreliable(format!("409 for old {old}, which is the size it names itself")));
                }
                // "409 with a size up to our head is routine: resend from that size." (DESIGN §7.4)
                Answer::Conflict(size) if size <= head.size() => self.accepted = size,
                Answer::Conflict(size) => return Err(self.contradicted(format!("409: it cosigned size {size}")).await),
                Answer::Inconsistent(said) => return Err(self.contradicted(said).await),
                Answer::Later { after, why } => return Err(Failure::Away { after, why }),
                Answer::Refused(said) => return Err(Failure::Refusing(said)),
                Answer::Nonsense(said) => return Err(Failure::Unreliable(said)),
            }
        }
        Err(Failure::Unreliable(format!("it named another size {MAX_RESENDS} times in a row")))
    }

    /// "Send the note with the log's own line alone" (exact.md §5).
    async fn request(&self, old: TreeSize, head: &CommittedHead) -> Result<AddCheckpoint, Failure> {
        let new = head.size();
        let note = head.note().to_vec();
        // "First contact: `old 0` and no proof." An unchanged tree needs none either.
        if old.get() == 0 || old == new {
            return Ok(AddCheckpoint { old, proof: Vec::new(), note });
        }
        let tree = head.tree().clone();
        let built = tokio::task::spawn_blocking(move || ConsistencyProof::build(&tree, old, new)).await;
        match built {
            Ok(Ok(proof)) => Ok(AddCheckpoint { old, proof: proof.path, note }),
            Ok(Err(error)) => Err(Failure::Own(format!("consistency proof from {old} to {new}: {error}"))),
            Err(error) => Err(Failure::Own(format!("consistency proof from {old} to {new}: {error}"))),
        }
    }

    /// Finds the witness's own line and verifies it over the head.
    fn own_line(&self, head: &CommittedHead, lines: Vec<SignatureLine>) -> Result<SignatureLine, Failure> {
        let note = Note::parse(head.note()).map_err(|error| Failure::Own(error.to_string()))?;
        let mine = |line: &SignatureLine| line.name() == self.vkey.name() && line.id() == self.vkey.id();
        let Some(line) = lines.into_iter().find(mine) else {
            return Err(Failure::Unreliable(format!(
                "200 without a line of {} (key ID {})",
                self.vkey.name(),
                self.vkey.id()
            )));
        };
        match self.vkey.verify(note.text(), line.bytes()) {
            Ok(_) => Ok(line),
            Err(error) => Err(Failure::Unreliable(format!("200 with a cosignature that does not verify: {error}"))),
        }
    }

    /// A witness holds something that this log can not have signed, or says so: "fetch that witness's monitoring checkpoint. Only a note with
    /// this log's own signature proves a larger or different tree; such a note, at any time, poisons the sequencer. Without one the witness is
    /// marked unreliable." (DESIGN §7.4)
    async fn contradicted(&mut self, said: String) -> Failure {
        let note = match self.door.monitoring_checkpoint().await {
            Ok(Some(note)) => note,
            Ok(None) => return Failure::Unreliable(format!("{said}, and it shows no note that would prove it")),
            Err(why) => return Failure::Unreliable(format!("{said}, and its note could not be fetched: {why}")),
        };
        let head = self.sequencer.committed().borrow().clone();
        let log = self.log.clone();
        let judged = tokio::task::spawn_blocking(move || claim::judge(&note, &log, &head)).await;
        match judged {
            Ok(Ok(Claim::Proof(proof))) => {
                let why = format!(
                    "witness {} holds proof that this log's state was lost or its key is used elsewhere: {proof} (runbook {RUNBOOK})",
                    self.name
                );
                self.sequencer.poison(why.clone());
                Failure::Unreliable(why)
            }
            Ok(Ok(Claim::Agrees(size))) => {
                self.accepted = size;
                Failure::Unreliable(format!("{said}, but its note is of this tree, at size {size}"))
            }
            Ok(Ok(Claim::Nothing(why))) => Failure::Unreliable(format!("{said}, but {why}")),
            Ok(Err(error)) => Failure::Own(error.to_string()),
            Err(error) => Failure::Own(error.to_string()),
        }
    }
}

/// What to do when a witness has proof against the log.
const RUNBOOK: &str = "head-rolled-back";
