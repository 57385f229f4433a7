//! What the door tells of statuses: each beside the one before it, and beside when its instance was last heard.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::ingest::Intake;
use crate::opa::watch::{Memory, Now, Terms, Told};
use crate::opa::{self, Group, Status};
use crate::outbox::{ReceiveError, Report, Taken, status_of};

/// Compares the statuses of all instances.
#[derive(Debug)]
pub(super) struct Watch {
    /// By the prefix of the group's routes.
    terms: BTreeMap<String, Terms>,
    began_ms: u64,
    /// One status is compared at a time: each with the one before it.
    turn: Mutex<()>,
}

impl Watch {
    pub(super) fn new(groups: &[Group], began_ms: u64) -> Self {
        let terms = groups.iter().map(|group| (group.prefix().to_owned(), group.terms())).collect();
        Self { terms, began_ms, turn: Mutex::default() }
    }

    /// Takes a status: what it tells, and what is to be remembered of it.
    pub(super) fn status(&self, intake: &Intake, prefix: &str, status: &Status) -> Result<Taken, ReceiveError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (outbox, now_ms) = (&intake.shared.outbox, intake.world.now_ms());
        let before = outbox.place(prefix, &status_of(&status.instance))?;
        // What another version remembered is not known: then this is the first status.
        let before = before.as_deref().and_then(Memory::read);
        // Whether it was kept or not: who speaks is not silent. Lost with the process: silence then begins anew.
        let (event_ms, unnamed_ms) = outbox.who_spoke().spoke_ms(prefix, &status.instance);
        let now = Now { ms: now_ms, event_ms, unnamed_ms, began_ms: self.began_ms };
        let terms = self.terms.get(prefix).copied().unwrap_or(NOTHING);
        let (memory, told) = Memory::next(before.as_ref(), status, now, terms);
        let arrivals =
            told.iter().map(Told::arrival).collect::<Result<Vec<_>, _>>().map_err(|error| outbox.mistake(&error))?;
        let memory = memory.write().map_err(|error| outbox.mistake(&error))?;
        let counters = status.counters.iter().map(|(name, count)| (name.clone(), count.to_string())).collect();
        let report = Report { instance: &status.instance, counters: &counters, arrivals: &arrivals, memory: &memory };
        let taken = intake
            .names
            .naming((opa::SYSTEM, prefix), |name| outbox.report(prefix, &report, intake.hold, now_ms, name))?;
        for (kind, what) in told.iter().filter_map(Told::alarm) {
            tracing::error!(alarm = kind, route = prefix, "{what}");
            intake.shared.telemetry.alarm(kind);
        }
        intake.shared.telemetry.received(taken);
        intake.shared.bell.ring();
        Ok(taken)
    }
}

/// Of a prefix that no group has.
const NOTHING: Terms = Terms { activations: false, silent_after: std::time::Duration::ZERO };
