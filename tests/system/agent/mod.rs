//! The agent between its sources and the log: killed, cut off, lied to, robbed of its memory; every event is logged exactly once.

mod anew;
mod ask;
mod batches;
mod custody;
mod fail;
mod feeds;
mod hostile;
mod kill;
mod opa;
mod openings;
mod outage;
mod report;
mod source;
mod x509;

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::agent::{QUICK, captured_groups};
use harness::network::Plan;
use harness::opa::Sources;
use harness::wait::SOON;
use harness::{Agent, Faults, Ledger, Network, Opa, Recorded, check};

use crate::NODE;

/// The fail points at which each of the crash tests kills the agent, in the order of their documentation.
pub(crate) const HIT: [&[&str]; 2] = [&kill::POINTS, &feeds::POINTS];

/// How long a life of the agent may last that is to end at a place: on a busy machine too, for this only keeps a test from waiting for ever.
const LONGEST_LIFE: Duration = Duration::from_secs(60);

/// A log, and an agent that it admits; the log runs, the agent does not yet.
pub(crate) struct Scene {
    network: Network,
    pub(crate) agent: Agent,
}

impl Scene {
    /// With the groups of the captured instances.
    fn new(plan: Plan) -> Self {
        Self::with(plan, &(QUICK.to_owned() + &captured_groups()))
    }

    pub(crate) fn with(plan: Plan, tables: &str) -> Self {
        let mut scene = Self::unadmitted(plan, tables);
        scene.admit();
        scene
    }

    fn unadmitted(plan: Plan, tables: &str) -> Self {
        let mut network = plan.build();
        network.log.stay();
        network.log.start(&Faults::none());
        network.log.ready();
        let agent = Agent::create(&network, Path::new(NODE), tables);
        Self { network, agent }
    }

    fn admit(&mut self) {
        self.network.log.admit_rows(vec![self.agent.row()]);
    }

    pub(crate) fn start(&mut self) {
        self.agent.start(&Faults::none());
    }

    fn start_log(&mut self) {
        self.network.log.start(&Faults::none());
        self.network.log.ready();
    }

    fn openings(&self) -> PathBuf {
        self.agent.dir.join("openings")
    }

    fn outbox(&self) -> PathBuf {
        self.agent.dir.join("outbox")
    }

    /// What the agent has got into the log, which keeps every rule of a log.
    fn recorded(&self) -> Recorded {
        let checked = check::log(&self.network.log, &Ledger::default()).unwrap();
        let mut recorded = Recorded::of(&checked).unwrap();
        recorded.read_members(&self.openings()).unwrap();
        recorded
    }

    /// Waits until the outbox is empty: then every event that the sources sent is logged once, nothing else is, and all of it opens.
    fn all_logged(&self, sources: &Sources) -> Recorded {
        self.agent.drained(SOON);
        let (recorded, sent) = (self.recorded(), sources.sent());
        recorded.is_exactly(&sent).unwrap();
        recorded.open(&self.openings(), &sent).unwrap();
        recorded
    }

    /// Uploads so many of each instance's uploads; each is taken at once.
    fn upload(&self, sources: &mut Sources, uploads: usize) {
        for opa in &mut sources.0 {
            let end = opa.begun() + uploads;
            opa.send_all(&mut self.agent.client(), end).unwrap();
        }
    }

    /// Uploads all that was captured.
    fn upload_capture(&self, sources: &mut Sources) {
        for opa in &mut sources.0 {
            let all = opa.captured();
            opa.send_all(&mut self.agent.client(), all).unwrap();
        }
    }
}

/// One instance alone.
fn one_source(seed: u64) -> Sources {
    Sources(vec![Opa::new("a", seed)])
}

/// What was captured holds 609 events, 18 of them twice; an agent that never fails logs each once.
#[test]
fn the_capture_is_logged_once() {
    let mut scene = Scene::new(Plan::new(NODE).witnesses(3, 2));
    scene.start();
    let mut sources = Sources::captured(1);
    scene.upload_capture(&mut sources);
    assert_eq!(sources.sent().len(), 591);
    let recorded = scene.all_logged(&sources);
    assert_eq!((recorded.decisions.len(), recorded.quarantines.len(), recorded.streams.len()), (591, 0, 2));
    scene.agent.reader.trusting(&["audit", "--structure", "--log", &scene.network.log.url()]).expect(0);
    scene.agent.stop();
}
