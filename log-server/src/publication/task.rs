//! The publisher's own task: when a round begins, when it ends, and what is shown then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use govlog_formats::tlog_policy::Policy;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::cosigner::{Report, Target};
use super::published::Published;
use super::round::{self, Round};
use crate::clock::{Clock as _, SystemClock};
use crate::config;
use crate::refusal::Refusal;
use crate::sequencer::{CommittedHead, Sequencer};
use crate::telemetry::{Station, Telemetry};

/// What the publisher's own task knows.
pub(super) struct Task {
    pub(super) policy: Arc<Policy>,
    pub(super) settings: config::Publication,
    pub(super) sequencer: Sequencer,
    pub(super) telemetry: Telemetry,
    pub(super) heads: watch::Receiver<CommittedHead>,
    pub(super) targets: watch::Sender<Option<Target>>,
    pub(super) inbox: mpsc::Receiver<Report>,
    pub(super) published: watch::Sender<Option<Published>>,
    pub(super) round: Option<Round>,
    pub(super) confirmed: Confirmed,
}

/// Which witnesses have accepted a head since the start.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    pub(super) accepted: BTreeSet<usize>,
    pub(super) done: bool,
}

impl Task {
    /// Publishes until the sequencer stops.
    pub(super) async fn run(mut self) {
        self.confirm(None);
        loop {
            if self.is_due() {
                self.begin();
            }
            if self.is_ripe() && self.publish().await.is_err() {
                return;
            }
            let wake = self.wake();
            tokio::select! {
                report = self.inbox.recv() => match report {
                    Some(report) => self.take(report),
                    None => return,
                },
                changed = self.heads.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn head(&mut self) -> CommittedHead {
        self.heads.borrow_and_update().clone()
    }

    /// Tells whether a size is committed that is not published.
    fn has_grown(&self) -> bool {
        let size = self.heads.borrow().size();
        self.published.borrow().as_ref().is_none_or(|published| published.size() < size)
    }

    /// Returns when the next round may begin; while one goes on there is none.
    fn next_round(&self) -> Option<Instant> {
        let Some(round) = &self.round else { return Some(Instant::now()) };
        if !round.over {
            return None;
        }
        // "whenever the tree has grown, the last round is over and 200 ms have passed" (DESIGN §7)
        let pause = if self.has_grown() {
            self.settings.interval
        } else if self.confirmed.done {
            self.settings.republish
        } else {
            RETRY.min(self.settings.republish)
        };
        Some(round.begun + pause)
    }

    fn is_due(&self) -> bool {
        self.next_round().is_some_and(|at| at <= Instant::now())
    }

    fn begin(&mut self) {
        let head = self.head();
        let renews = self.published.borrow().as_ref().is_some_and(|published| published.size() == head.size());
        let round = Round::begin(&self.policy, head, renews, self.round.take());
        self.targets.send_replace(Some(round.target(!self.confirmed.done)));
        self.round = Some(round);
    }

    /// Returns when a round that has its quorum stops waiting for the others; or when one that has not is given up.
    fn deadline(&self, round: &Round) -> Instant {
        match round.met {
            Some(met) => met + self.settings.stragglers,
            // Time for a first answer, and for one more after a 409.
            None => round.begun + self.settings.witness_timeout * 2,
        }
    }

    /// Ends a round whose time has come; tells whether its note can be published.
    fn is_ripe(&mut self) -> bool {
        let Some(round) = self.round.as_ref().filter(|round| !round.over) else { return false };
        let ended = round.complete() || self.deadline(round) <= Instant::now();
        let met = round.met.is_some();
        if let Some(round) = self.round.as_mut().filter(|_| ended) {
            round.over = true;
        }
        ended && met
    }

    fn wake(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        match &self.round {
            Some(round) if !round.over => self.deadline(round),
            _ => self.next_round().unwrap_or(far),
        }
    }

    fn take(&mut self, report: Report) {
        if report.line.is_some() {
            self.confirm(Some(report.witness));
        }
        let policy = Arc::clone(&self.policy);
        if let Some(round) = &mut self.round {
            let late = round.over && round.met.is_none();
            round.take(&policy, report);
            // A witness that was slow, or came back, completes what the round lacked.
            if late && round.met.is_some() {
                round.over = false;
            }
        }
    }

    /// Opens the door once enough witnesses have accepted a head of this start.
    fn confirm(&mut self, witness: Option<usize>) {
        self.confirmed.accepted.extend(witness);
        if self.confirmed.done || !round::confirmed(&self.policy, &self.confirmed.accepted) {
            return;
        }
        self.confirmed.done = true;
        tracing::info!(witnesses = self.confirmed.accepted.len(), "the head is confirmed: statements are taken");
        self.sequencer.open();
        self.telemetry.writable(true);
    }

    /// Archives the note of a round and shows it; for a size that has one already, only shows it.
    async fn publish(&mut self) -> Result<(), Refusal> {
        let Some(round) = &self.round else { return Ok(()) };
        let note = match round.note(&self.policy) {
            Ok(note) => Bytes::from(note),
            Err(why) => {
                tracing::error!(why, "a note is not published");
                return Ok(());
            }
        };
        let head = round.head.clone();
        let earlier = self.published.borrow().clone().filter(|published| published.size() == head.size());
        let published = match earlier {
            Some(earlier) => earlier.renewed(note),
            None => {
                // A crash here leaves the note unarchived and unseen; the next start asks the witnesses again.
                let archived = self.sequencer.archive(&head, note).await?;
                let (served, root) = (archived.note.clone(), head.root());
                Published::new(archived, served, head, root)
            }
        };
        self.telemetry.passed(Station::Publication, round.begun.into_std());
        self.telemetry.published(published.size().get(), SystemClock.now().seconds());
        tracing::debug!(size = %published.size(), "published");
        self.published.send_replace(Some(published));
        Ok(())
    }
}

/// "otherwise reads only, retried every second and lifted by itself" (DESIGN §7.4)
const RETRY: Duration = Duration::from_secs(1);
