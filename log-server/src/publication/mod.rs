//! Publication: a committed head becomes a note that meets the witness policy, archived before anyone sees it.
//!
//! ```text
//! CommittedHead ─▶ Round ─▶ one Cosigner task per witness ─▶ lines, verified ─▶ quorum ─▶ archive (synced) ─▶ Published
//! ```
//!
//! A round asks all witnesses at once. It publishes when the quorum is met and all others have answered or 100 ms have passed; those go on in
//! the background, for "cancelling them makes a slow witness fall behind for good" (exact.md §5). The log commits meanwhile, whoever is away.

mod backoff;
mod claim;
mod cosigner;
mod door;
mod published;
mod round;
mod signer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::note::Vkey;
use govlog_formats::tlog_policy::{Policy, Witness};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::backoff::Backoff;
use self::cosigner::{Cosigner, Report, Target};
use self::door::Door;
use self::round::Round;
use crate::config;
use crate::refusal::Refusal;
use crate::sequencer::{CommittedHead, Sequencer};
use crate::store::StoreError;
use crate::telemetry::{Station, Telemetry};
use crate::tree::ReadError;

pub(crate) use claim::root_at;
pub use published::Published;
pub use signer::LogSigner;

/// The newest published note, and news of it. `None` until size 1 is published.
pub type PublishedNotes = watch::Receiver<Option<Published>>;

/// What publication works with.
pub struct Parts {
    /// Which witnesses there are, and how many must cosign.
    pub policy: Policy,
    /// The log's checkpoint key.
    pub log: Vkey,
    /// Intervals and timeouts.
    pub settings: config::Publication,
    /// Whose heads are published; poisoned when a witness proves that the log contradicts itself.
    pub sequencer: Sequencer,
    /// Where what happens is counted.
    pub telemetry: Telemetry,
}

/// Why publication can not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublicationError {
    /// The witness policy does not list the log's own key, so no note could ever meet it.
    #[error("the witness policy lists no log with the key {0}: no note of this log could meet it")]
    ForeignPolicy(Vkey),
    /// A witness can not be asked.
    #[error("witness {0:?} of the policy has no URL that can be read")]
    Url(String),
    /// The HTTP client can not be made.
    #[error("HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The newest archived note can not be read.
    #[error("the newest archived note: {0}")]
    Archive(#[from] StoreError),
    /// The root of the newest archived note can not be computed.
    #[error("the newest archived note: {0}")]
    Read(#[from] ReadError),
}

/// The publisher's tasks. Dropped, they end.
#[derive(Debug)]
pub struct Publisher {
    tasks: JoinSet<()>,
    published: PublishedNotes,
}

impl Publisher {
    /// Starts to publish. Statements are let in once enough witnesses have accepted the head that is committed now.
    ///
    /// Reads the store: call it where blocking is allowed, within a runtime.
    ///
    /// # Errors
    /// When the policy can not be met, or the store not be read.
    pub fn start(parts: Parts) -> Result<Self, PublicationError> {
        let Parts { policy, log, settings, sequencer, telemetry } = parts;
        if policy.logs().iter().all(|listed| *listed.vkey() != log) {
            return Err(PublicationError::ForeignPolicy(log));
        }
        let newest = newest_archived(&sequencer)?;
        let (published, notes) = watch::channel(newest);
        let (targets, asked) = watch::channel(None);
        let (reports, inbox) = mpsc::channel(REPORTS);
        let client = client()?;
        let mut tasks = JoinSet::new();
        for (at, witness) in policy.witnesses().iter().enumerate() {
            let cosigner = Cosigner {
                witness: at,
                name: witness.name().to_string(),
                vkey: witness.vkey().clone(),
                log: log.clone(),
                door: door(&client, witness, &log, settings.witness_timeout)?,
                sequencer: sequencer.clone(),
                telemetry: telemetry.clone(),
                targets: asked.clone(),
                reports: reports.clone(),
                accepted: govlog_formats::merkle::TreeSize::ZERO,
                backoff: Backoff::default(),
            };
            tasks.spawn(cosigner.run());
        }
        let heads = sequencer.committed();
        let confirmed = Confirmed { accepted: BTreeSet::new(), done: false };
        let task = Task {
            policy: Arc::new(policy),
            settings,
            sequencer,
            telemetry,
            heads,
            targets,
            inbox,
            published,
            round: None,
            confirmed,
        };
        tasks.spawn(async move {
            // As long as this task lives, so does the channel of reports: it ends when the sequencer stops.
            let _reports = reports;
            task.run().await;
        });
        Ok(Self { tasks, published: notes })
    }

    /// Returns what is published, and tells when that changes.
    #[must_use]
    pub fn published(&self) -> PublishedNotes {
        self.published.clone()
    }

    /// Ends all tasks. What was handed to the sequencer to be archived is archived, or not, as a whole.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// What the publisher's own task knows.
struct Task {
    policy: Arc<Policy>,
    settings: config::Publication,
    sequencer: Sequencer,
    telemetry: Telemetry,
    heads: watch::Receiver<CommittedHead>,
    targets: watch::Sender<Option<Target>>,
    inbox: mpsc::Receiver<Report>,
    published: watch::Sender<Option<Published>>,
    round: Option<Round>,
    confirmed: Confirmed,
}

/// Which witnesses have accepted a head since the start.
struct Confirmed {
    accepted: BTreeSet<usize>,
    done: bool,
}

impl Task {
    async fn run(mut self) {
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
            Ok(note) => bytes::Bytes::from(note),
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
        self.telemetry
            .published(published.size().get(), crate::clock::Clock::now(&crate::clock::SystemClock).seconds());
        tracing::debug!(size = %published.size(), "published");
        self.published.send_replace(Some(published));
        Ok(())
    }
}

/// "otherwise reads only, retried every second and lifted by itself" (DESIGN §7.4)
const RETRY: Duration = Duration::from_secs(1);

/// Reports on their way; each witness has at most one or two.
const REPORTS: usize = 64;

/// Shows what was published before the start.
fn newest_archived(sequencer: &Sequencer) -> Result<Option<Published>, PublicationError> {
    let head = sequencer.committed().borrow().clone();
    let Some(archived) = head.tree().store().newest_archived()? else { return Ok(None) };
    let root = root_at(head.tree(), archived.size)?;
    let served = archived.note.clone();
    Ok(Some(Published::new(archived, served, head, root)))
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Whoever installed a provider before has made the choice for the whole process.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(2)
        .tcp_nodelay(true)
        .user_agent(concat!("govlog-server/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn door(client: &reqwest::Client, witness: &Witness, log: &Vkey, timeout: Duration) -> Result<Door, PublicationError> {
    let unreadable = || PublicationError::Url(witness.name().to_string());
    let url = witness.url().and_then(|url| url.as_str()).ok_or_else(unreadable)?;
    reqwest::Url::parse(url).map_err(|_| unreadable())?;
    Ok(Door::new(client.clone(), url, &log.name().clone().into(), timeout))
}
