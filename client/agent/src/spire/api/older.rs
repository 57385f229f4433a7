//! The form in which all that was found stood in one place, before each thing had a note of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::changes::{agent_name, bundle_name, entry_name};
use super::memory::{Memory, Was};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Older {
    entries: BTreeMap<String, Entry>,
    /// Digests.
    agents: BTreeMap<String, String>,
    banned: BTreeSet<String>,
    /// Digests.
    bundles: BTreeMap<String, String>,
    authorities: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    revision: u64,
    digest: String,
    subject: String,
}

impl Memory {
    /// Takes over what stands in a place; all of it is to be noted.
    ///
    /// # Errors
    ///
    /// It is no such place.
    pub(super) fn take_older(&mut self, place: &[u8]) -> Result<(), serde_json::Error> {
        let Older { entries, agents, banned, bundles, authorities } = serde_json::from_slice(place)?;
        for (id, Entry { revision, digest, subject }) in entries {
            self.put(entry_name(&id), Was { revision, digest, subject, ..Was::default() });
        }
        for (id, digest) in agents {
            let banned = banned.contains(&id);
            self.put(agent_name(&id), Was { digest, banned, ..Was::default() });
        }
        for (domain, digest) in bundles {
            self.put(bundle_name(&domain), Was { digest, ..Was::default() });
        }
        for name in authorities {
            self.put(name, Was::default());
        }
        Ok(())
    }
}
