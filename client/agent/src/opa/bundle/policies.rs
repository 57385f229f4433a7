//! Which policy a revision of a bundle is: what verified bundles told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

/// The most revisions that are remembered of a bundle. Beyond it the one that was seen first is forgotten.
const MAX_REVISIONS: usize = 1024;

/// What is known of the bundles of one group of instances. Their feeds write it and keep it with their places; decisions are bound by it.
#[derive(Debug, Default)]
pub struct Policies(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By bundle, in the order in which they were seen.
    bundles: BTreeMap<String, Vec<Revision>>,
    /// The bundles of which a revision was asked for that is not known.
    wanted: BTreeSet<String>,
}

/// A revision of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revision {
    /// As the bundle's manifest has it.
    pub(super) revision: String,
    /// The policy's digest; none: bundles with different policies bear this revision, so it names none.
    #[serde(with = "crate::hex::maybe")]
    pub(super) policy: Option<Digest>,
}

impl Policies {
    /// Finds the policy of a revision.
    #[must_use]
    pub fn find(&self, bundle: &str, revision: &str) -> Option<Digest> {
        self.state().bundles.get(bundle)?.iter().find(|known| known.revision == revision)?.policy
    }

    /// Says whether a bundle is read of which this revision was not seen, and has it looked for.
    #[must_use]
    pub fn awaits(&self, bundle: &str, revision: &str) -> bool {
        let mut state = self.state();
        let is_unknown = |known: &Vec<Revision>| known.iter().all(|known| known.revision != revision);
        let awaits = state.bundles.get(bundle).is_some_and(is_unknown);
        if awaits {
            state.wanted.insert(bundle.to_owned());
        }
        awaits
    }

    /// Notes what a verified bundle told. `false`: another policy bears this revision, so from now on it names none.
    pub(super) fn learn(&self, bundle: &str, revision: &str, policy: Digest) -> bool {
        let mut state = self.state();
        let known = state.bundles.entry(bundle.to_owned()).or_default();
        if let Some(known) = known.iter_mut().find(|known| known.revision == revision) {
            let is_same = known.policy == Some(policy);
            known.policy = known.policy.filter(|_| is_same);
            return is_same;
        }
        known.push(Revision { revision: revision.to_owned(), policy: Some(policy) });
        if known.len() > MAX_REVISIONS {
            known.remove(0);
        }
        true
    }

    /// Gives what is known of a bundle.
    pub(super) fn of(&self, bundle: &str) -> Vec<Revision> {
        self.state().bundles.get(bundle).cloned().unwrap_or_default()
    }

    /// Puts back what was known of a bundle.
    pub(super) fn restore(&self, bundle: &str, revisions: Vec<Revision>) {
        self.state().bundles.insert(bundle.to_owned(), revisions);
    }

    /// Says whether a revision of a bundle was asked for that is not known, once.
    pub(super) fn take_wanted(&self, bundle: &str) -> bool {
        self.state().wanted.remove(bundle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
