//! What is new in what a server has, and what is gone.

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use super::model::{Agent, Authority, Bundle, Entry, Listing};
use crate::spire::event::{Event, Form};
use crate::spire::known::Known;

/// What was found before: each thing is recorded once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Before {
    entries: BTreeMap<String, Was>,
    agents: BTreeMap<String, String>,
    banned: BTreeSet<String>,
    /// Digests of bundles, by trust domain.
    bundles: BTreeMap<String, String>,
    authorities: BTreeSet<String>,
    /// Entries that were not in the last listing. A listing is made of pages, and entries change between two of them: one that is missing
    /// again is gone.
    #[serde(skip)]
    missing: BTreeSet<String>,
}

/// An entry as it was last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Was {
    revision: u64,
    digest: String,
    subject: String,
}

impl Before {
    /// Compares what there is with what there was; gives what is new and what is gone.
    pub fn compare(&mut self, listing: &Listing, known: &Known, is_whole: bool) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(entries) = &listing.entries {
            entries.iter().for_each(|entry| events.extend(self.entry(entry)));
            events.extend(self.gone(entries, known, is_whole));
        }
        if let Some(agents) = &listing.agents {
            agents.iter().for_each(|agent| events.extend(self.agent(agent)));
            let there: BTreeSet<&str> = agents.iter().map(|agent| agent.id.as_str()).collect();
            self.agents.retain(|id, _| there.contains(id.as_str()));
            self.banned.retain(|id| there.contains(id.as_str()));
        }
        events.extend(listing.bundles.iter().filter_map(|bundle| self.bundle(bundle)));
        events.extend(listing.authorities.iter().filter_map(|authority| self.authority(authority)));
        events
    }

    fn entry(&mut self, entry: &Entry) -> Option<Event> {
        let was = Was { revision: entry.revision, digest: entry.digest().to_string(), subject: entry.subject.clone() };
        if self.entries.get(&entry.id) == Some(&was) {
            return None;
        }
        self.entries.insert(entry.id.clone(), was);
        let native_id = format!("entry/{}@{}", entry.id, entry.revision);
        Some(formed(Form::FoundEntry, native_id, entry.digest(), entry))
    }

    fn gone(&mut self, entries: &[Entry], known: &Known, is_whole: bool) -> Vec<Event> {
        let there: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let missing: BTreeSet<String> =
            self.entries.keys().filter(|id| !there.contains(id.as_str())).cloned().collect();
        let gone: Vec<String> = missing
            .iter()
            .filter(|id| is_whole || self.missing.contains(*id) || known.is_removed(id))
            .cloned()
            .collect();
        self.missing = missing;
        let mut events = Vec::new();
        for id in gone {
            self.missing.remove(&id);
            let Some(was) = self.entries.remove(&id) else { continue };
            // The log tells who removed it, and when.
            if known.is_removed(&id) {
                continue;
            }
            let native_id = format!("entry/{id}@{}/gone", was.revision);
            let entry = Entry { id, revision: was.revision, subject: was.subject, ..Entry::default() };
            events.push(formed(Form::GoneEntry, native_id, Digest::sha256(was.digest.as_bytes()), &entry));
        }
        events
    }

    fn agent(&mut self, agent: &Agent) -> Vec<Event> {
        let (digest, mut events) = (agent.digest(), Vec::new());
        if self.agents.get(&agent.id) != Some(&digest.to_string()) {
            self.agents.insert(agent.id.clone(), digest.to_string());
            let native_id = format!("agent/{}@{digest}", agent.id);
            events.push(formed(Form::FoundAgent, native_id, digest, agent));
        }
        if !agent.banned {
            self.banned.remove(&agent.id);
        } else if self.banned.insert(agent.id.clone()) {
            events.push(formed(Form::BannedAgent, format!("agent/{}@{digest}/banned", agent.id), digest, agent));
        }
        events
    }

    fn bundle(&mut self, bundle: &Bundle) -> Option<Event> {
        let keys = bundle.keys_digest();
        let digest = Digest::from_slice(&keys.bytes)?;
        if self.bundles.insert(bundle.domain.clone(), digest.to_string()) == Some(digest.to_string()) {
            return None;
        }
        Some(formed(Form::FoundBundle, format!("bundle/{}@{digest}", bundle.domain), digest, bundle))
    }

    fn authority(&mut self, authority: &Authority) -> Option<Event> {
        let native_id = authority.native_id();
        if !self.authorities.insert(native_id.clone()) {
            return None;
        }
        let digest = Digest::sha256(native_id.as_bytes());
        Some(formed(Form::FoundAuthority, native_id, digest, authority))
    }
}

fn formed(form: Form, native_id: String, semantic: Digest, what: &impl Serialize) -> Event {
    // Text and numbers alone: it can always be written.
    Event::Formed { form, native_id, semantic, bytes: serde_json::to_vec(what).unwrap_or_default() }
}
