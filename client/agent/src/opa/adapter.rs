//! OPA's place among the adapters.

use std::sync::Arc;

use super::bundle::{self, Policies};
use super::xfcc::Unknown;
use super::{Group, SYSTEM, decision, watch};
use crate::adapter::{Adapter, Kept};
use crate::seal::{Draft, Sealer};

/// Makes records of what one group of instances uploads, and of the bundles they load.
#[derive(Debug)]
pub struct OpaAdapter {
    group: Group,
    policies: Arc<Policies>,
}

impl OpaAdapter {
    /// Makes one; `policies` is what the feeds of the group's bundles tell.
    #[must_use]
    pub fn new(group: Group, policies: Arc<Policies>) -> Self {
        Self { group, policies }
    }
}

impl Adapter for OpaAdapter {
    fn route(&self) -> &str {
        self.group.prefix()
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn kinds(&self) -> Vec<&'static str> {
        KINDS.iter().filter(|(_, is_made)| is_made(&self.group)).map(|(kind, _)| *kind).collect()
    }

    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String> {
        match event.form {
            "" => {
                let known = |name: &str, revision: &str| self.policies.find(name, revision);
                decision::decision_under(event.bytes, &self.group, &known, sealer)
                    .map_err(|unmapped| unmapped.to_string())
            }
            bundle::FORM => bundle::policy(event, sealer),
            watch::ACTIVATION => watch::activation(event, &self.group, &self.policies, sealer),
            watch::GAP => watch::gap(event, &self.group, sealer),
            watch::FINDING => watch::finding(event, &self.group, sealer),
            form => Err(format!("a form that this version does not know: {form}")),
        }
    }

    fn waits(&self, event: &Kept<'_>, now_ms: u64) -> bool {
        let is_young = now_ms.checked_sub(event.received_ms).is_some_and(|age_ms| age_ms < PATIENCE_MS);
        if self.group.bundles().is_empty() || !is_young {
            return false;
        }
        match event.form {
            "" => decision::awaits(event.bytes, &self.policies),
            watch::ACTIVATION => watch::awaits(event, &self.policies),
            _ => false,
        }
    }

    fn doubt(&self, event: &Kept<'_>) -> Option<Unknown> {
        let is_asked = event.form.is_empty() && !self.group.xfcc_from().is_empty();
        is_asked.then(|| decision::client(event.bytes, &self.group).err()).flatten()
    }
}

/// A kind, and whether a group's records may be of it.
type Made = (&'static str, fn(&Group) -> bool);

const KINDS: [Made; 4] = [
    ("decision", |_| true),
    ("policy", |group| !group.bundles().is_empty()),
    ("activation", |group| group.terms().activations),
    ("finding", |group| !group.terms().silent_after.is_zero()),
];
/// How long a decision waits for the bundle that it names: OPA may have it some seconds before the agent has read it. Its feed looks at once.
const PATIENCE_MS: u64 = 5_000;
