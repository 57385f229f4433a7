//! Publication against witnesses on real sockets.

mod contradiction;
mod rounds;
mod start;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use govlog_formats::merkle::TreeSize;
use govlog_formats::note::Note;
use govlog_formats::tlog_policy::{Policy, VerifiedCheckpoint};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::testing::{FakeWitness, Mode};
use super::*;
use crate::clock::Clock;
use crate::disk::{DiskGuard, Reserve};
use crate::sequencer::testing::{Disk, Place, World};
use crate::sequencer::{self, Limits, Running};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Settings under which nothing takes longer than it must, and nothing is renewed unless a test wants it.
pub(crate) fn settings() -> config::Publication {
    config::Publication {
        interval: Duration::from_millis(1),
        stragglers: Duration::from_millis(50),
        republish: Duration::from_secs(3600),
        witness_timeout: Duration::from_secs(10),
        client: Outbound::default(),
        tokens: BTreeMap::new(),
    }
}

/// Writes a policy over witnesses; `quorum`: how many, or none.
pub(crate) fn policy_of(witnesses: &[FakeWitness], quorum: Option<usize>) -> Policy {
    let mut text = format!("log {}\n", World::get().note.vkey());
    witnesses.iter().for_each(|witness| text.push_str(&witness.line()));
    match quorum {
        None => text.push_str("quorum none\n"),
        Some(quorum) => {
            let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
            writeln!(text, "group g {quorum} {}\nquorum g", names.join(" ")).unwrap();
        }
    }
    Policy::parse(text.as_bytes()).unwrap()
}

/// A log in memory that publishes.
pub(crate) struct Live {
    pub(crate) sequencer: Sequencer,
    pub(crate) running: Running,
    pub(crate) publisher: Publisher,
    pub(crate) policy: Policy,
    pub(crate) alarms: UnboundedReceiver<String>,
    pub(crate) telemetry: Telemetry,
}

impl Live {
    pub(crate) fn start(disk: &Disk, policy: Policy, settings: config::Publication) -> Self {
        let (alarm, alarms) = unbounded_channel();
        let parts = sequencer::Parts {
            signer: Box::new(disk.signer()),
            clock: Arc::clone(&disk.clock) as Arc<dyn Clock>,
            disk: DiskGuard::new(vec!["/".into()], Reserve { bytes: 0, percent: 0 }),
            limits: Limits::default(),
            telemetry: crate::telemetry::Telemetry::new().unwrap(),
            on_fatal: Box::new(move |cause| alarm.send(cause.to_string()).unwrap()),
        };
        let (sequencer, running) = Sequencer::start(disk.recover().unwrap(), parts).unwrap();
        let telemetry = Telemetry::new().unwrap();
        let parts = Parts {
            policy: policy.clone(),
            log: World::get().note.vkey().clone(),
            settings,
            sequencer: sequencer.clone(),
            telemetry: telemetry.clone(),
        };
        let publisher = Publisher::start(parts).unwrap();
        Self { sequencer, running, publisher, policy, alarms, telemetry }
    }

    /// Waits until the published note satisfies a condition.
    pub(crate) async fn published(&self, mut enough: impl FnMut(&Published) -> bool) -> Published {
        let mut notes = self.publisher.published();
        let reached = notes.wait_for(|published| published.as_ref().is_some_and(&mut enough));
        let published = tokio::time::timeout(PATIENCE, reached).await.expect("it is published in time");
        published.unwrap().clone().unwrap()
    }

    pub(crate) async fn published_size(&self, size: u64) -> Published {
        self.published(|published| published.size().get() >= size).await
    }

    /// Waits until statements are taken.
    pub(crate) async fn writable(&self) {
        let wait = async {
            while self.sequencer.check().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("statements are taken in time");
    }

    /// Commits one more entry; returns the size.
    pub(crate) async fn grow(&self, text: &str) -> u64 {
        let statement = World::get().statement(0, &Place::Alone, text);
        let policy = self.sequencer.policy().load_full();
        let admitted = crate::admission::Admitted::judge(&policy, statement, None).unwrap();
        let committed = self.sequencer.submit(vec![admitted]).pop().unwrap().await.unwrap();
        committed.head().size().get()
    }

    pub(crate) fn verify(&self, note: &[u8]) -> VerifiedCheckpoint {
        self.policy.verify_checkpoint(note).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.publisher.stop().await;
        let Self { running, sequencer, mut alarms, .. } = self;
        tokio::task::spawn_blocking(move || running.stop()).await.unwrap();
        assert!(sequencer.poisoned().is_none(), "{:?}", alarms.try_recv());
    }
}

/// Waits for the alarm of a poisoned sequencer.
async fn alarm(live: &mut Live) -> String {
    tokio::time::timeout(PATIENCE, live.alarms.recv()).await.expect("the alarm is raised in time").unwrap()
}

/// The names of the witnesses whose cosignatures a note has.
fn cosigners(live: &Live, note: &[u8]) -> Vec<String> {
    live.verify(note).cosigned().iter().map(|cosigned| cosigned.witness.to_string()).collect()
}
