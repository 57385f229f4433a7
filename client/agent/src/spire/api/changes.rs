//! What is new in what a server has, and what is gone.
//!
//! A listing may have more in it than goes into one write. It is seen whole, and then compared thing by thing, in portions: [`Before::begin`] takes
//! it, [`Before::portion`] gives the next. What was given of it is remembered by its notes; a process that ends in between sees another listing,
//! and finds in it what was not given.

use std::collections::{BTreeSet, VecDeque};

use govlog_formats::digest::Digest;
use serde::Serialize;

use super::memory::{Memory, Was};
use super::model::{Agent, Authority, Bundle, Entry, Listing};
use crate::outbox::Note;
use crate::spire::event::{Event, Form};
use crate::spire::known::Known;

/// What was found before: each thing is recorded once.
#[derive(Clone, Debug, Default)]
pub struct Before {
    memory: Memory,
    /// What was not in the last listing. A listing is made of pages, and things change between two of them: what is missing again is gone.
    missing: BTreeSet<String>,
    /// Agents whose ban is told of if it is listed again.
    banned: BTreeSet<String>,
    /// Whether all of the listing was there at one time.
    is_whole: bool,
    /// What of a listing is still to be compared.
    steps: VecDeque<Step>,
}

/// Some of what a listing has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// What is new, and what is gone.
    pub events: Vec<Event>,
    /// What is to be remembered with it.
    pub notes: Vec<Note>,
}

/// One thing to compare.
#[derive(Clone, Debug)]
enum Step {
    Entry(Entry),
    Agent(Agent),
    /// The name of an entry or agent that is there no more.
    Gone(String),
    Bundle(Bundle),
    Authority(Authority),
}

impl Before {
    /// Remembers what the notes of another process say.
    ///
    /// # Errors
    ///
    /// The name of a note that is none.
    pub fn recall(&mut self, notes: Vec<Note>) -> Result<(), String> {
        self.memory.recall(notes)
    }

    /// Remembers what an earlier version wrote in one place. To be noted with the next portion.
    ///
    /// # Errors
    ///
    /// It is no such place.
    pub fn take_older(&mut self, place: &[u8]) -> Result<(), serde_json::Error> {
        self.memory.take_older(place)
    }

    /// Whether nothing is left of the listing that was taken last.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.steps.is_empty()
    }

    /// Takes a whole listing, to be compared with what there was. `is_whole`: all of it was there at one time.
    pub fn begin(&mut self, listing: Listing, known: &Known, is_whole: bool) {
        let Listing { entries, agents, bundles, authorities } = listing;
        let kinds = [entries.as_ref().map(|_| ENTRY), agents.as_ref().map(|_| AGENT)];
        kinds.iter().flatten().for_each(|kind| known.listed(kind));
        self.is_whole = is_whole;
        // Whoever names one thing twice in one answer tells of it once: it would change back and forth for ever.
        let mut there = BTreeSet::new();
        let mut steps = VecDeque::new();
        let things =
            entries.into_iter().flatten().map(Step::Entry).chain(agents.into_iter().flatten().map(Step::Agent));
        steps.extend(things.filter(|step| there.insert(step.name())));
        steps.extend(self.gone(&kinds, &there, known, is_whole));
        let things = bundles.into_iter().map(Step::Bundle).chain(authorities.into_iter().map(Step::Authority));
        steps.extend(things.filter(|step| there.insert(step.name())));
        self.steps = steps;
    }

    /// Finds what was there before, and is not in a listing of these kinds.
    fn gone(
        &mut self,
        kinds: &[Option<&'static str>],
        there: &BTreeSet<String>,
        known: &Known,
        is_whole: bool,
    ) -> Vec<Step> {
        let names = kinds.iter().flatten().flat_map(|kind| self.memory.names(kind));
        let missing: BTreeSet<String> = names.filter(|name| !there.contains(*name)).map(str::to_owned).collect();
        let is_gone = |name: &str| {
            let is_told = name.starts_with(ENTRY) && known.is_told(name);
            is_whole || self.missing.contains(name) || is_told
        };
        let (gone, missing): (BTreeSet<String>, _) = missing.into_iter().partition(|name| is_gone(name));
        self.missing = missing;
        gone.into_iter().map(Step::Gone).collect()
    }

    /// Compares on, until there are so many events, or changes of what is remembered, or bytes of events, or nothing is left.
    pub fn portion(&mut self, known: &Known, most: usize, bytes: usize) -> Portion {
        let (mut found, mut size) = (Vec::new(), 0);
        while found.len().max(self.memory.changes()) < most && size < bytes {
            let Some(step) = self.steps.pop_front() else { break };
            let of_step = self.step(step, known);
            size += of_step.iter().map(Event::size).sum::<usize>();
            found.extend(of_step);
        }
        Portion { events: found, notes: self.memory.notes() }
    }

    fn step(&mut self, step: Step, known: &Known) -> Vec<Event> {
        let name = step.name();
        match step {
            Step::Entry(entry) => self.entry(name, entry, known),
            Step::Agent(agent) => self.agent(&name, agent, known),
            Step::Gone(name) => self.ended(&name, known).into_iter().collect(),
            Step::Bundle(bundle) => self.bundle(name, bundle).into_iter().collect(),
            Step::Authority(authority) => self.authority(name, &authority).into_iter().collect(),
        }
    }

    fn entry(&mut self, name: String, entry: Entry, known: &Known) -> Vec<Event> {
        let (digest, mut events) = (entry.digest(), Vec::new());
        let was = self.memory.get(&name).cloned();
        let is_same = |was: &Was| was.revision == entry.revision && was.digest == digest.to_string();
        let generation = match &was {
            None => self.memory.next(&name),
            Some(was) if is_same(was) => return events,
            Some(was) => {
                let is_another = was.created_s.zip(entry.created_s).is_some_and(|(one, other)| one != other);
                if is_another {
                    events.extend(self.ended(&name, known));
                }
                // A revision that was told of is told of again under another number alone.
                was.generation + u64::from(is_another || entry.revision <= was.revision)
            }
        };
        let entry = Entry { generation, ..entry };
        let (subject, created_s) = (entry.subject.clone(), entry.created_s);
        let was =
            Was { generation, digest: digest.to_string(), revision: entry.revision, subject, created_s, banned: false };
        self.memory.put(name, was);
        events.push(formed(Form::FoundEntry, entry.native_id(), digest, &entry));
        events
    }

    /// Tells of the end of an entry; that of an agent is told by the log alone, with what became of it.
    fn ended(&mut self, name: &str, known: &Known) -> Option<Event> {
        let was = self.memory.end(name)?;
        let id = name.strip_prefix(ENTRY)?;
        // The log tells who removed it, and when.
        if known.finds_told(name) {
            return None;
        }
        known.poll_tells(name);
        let Was { generation, digest, revision, subject, .. } = was;
        let entry = Entry { id: id.to_owned(), generation, revision, subject, ..Entry::default() };
        Some(formed(Form::GoneEntry, entry.end_id(), Digest::sha256(digest.as_bytes()), &entry))
    }

    fn agent(&mut self, name: &str, agent: Agent, known: &Known) -> Vec<Event> {
        let digest = agent.digest();
        let was = self.memory.get(name).cloned();
        let is_found = was.as_ref().is_none_or(|was| was.digest != digest.to_string());
        let was_banned = was.as_ref().is_some_and(|was| was.banned);
        let generation = match &was {
            None => self.memory.next(name),
            // What it was found to be has ended, or its ban has: either may come again.
            Some(was) => was.generation + u64::from(is_found || (was_banned && !agent.banned)),
        };
        let agent = Agent { generation, ..agent };
        if !agent.banned {
            self.banned.remove(name);
        }
        let is_banned = agent.banned && !was_banned && !self.is_early(name, known);
        let banned = agent.banned && (was_banned || is_banned);
        let now = Was { generation, digest: digest.to_string(), banned, ..Was::default() };
        if was.as_ref() != Some(&now) {
            self.memory.put(name.to_owned(), now);
        }
        let found = is_found.then(|| formed(Form::FoundAgent, agent.native_id(), digest, &agent));
        // The log tells who banned it.
        let is_new = is_banned && !known.finds_told(name);
        if is_new {
            known.poll_tells(name);
        }
        let banned = is_new.then(|| formed(Form::BannedAgent, agent.ban_id(), digest, &agent));
        found.into_iter().chain(banned).collect()
    }

    /// Whether a ban is not told of before it is listed again: its line, which says who banned it, may be about to be read. A listing that is whole
    /// is not given again.
    fn is_early(&mut self, name: &str, known: &Known) -> bool {
        let may_wait = !self.is_whole && known.is_logged() && !known.is_told(name);
        !self.banned.remove(name) && may_wait && self.banned.insert(name.to_owned())
    }

    fn bundle(&mut self, name: String, bundle: Bundle) -> Option<Event> {
        let digest = Digest::from_slice(&bundle.keys_digest().bytes)?;
        let was = self.memory.get(&name);
        if was.is_some_and(|was| was.digest == digest.to_string()) {
            return None;
        }
        let generation = was.map_or(self.memory.next(&name), |was| was.generation + 1);
        let bundle = Bundle { generation, ..bundle };
        self.memory.put(name, Was { generation, digest: digest.to_string(), ..Was::default() });
        Some(formed(Form::FoundBundle, bundle.native_id(), digest, &bundle))
    }

    fn authority(&mut self, name: String, authority: &Authority) -> Option<Event> {
        if self.memory.get(&name).is_some() {
            return None;
        }
        self.memory.put(name, Was::default());
        let native_id = authority.native_id();
        let digest = Digest::sha256(native_id.as_bytes());
        Some(formed(Form::FoundAuthority, native_id, digest, authority))
    }
}

impl Step {
    /// Under which name it is remembered.
    fn name(&self) -> String {
        match self {
            Self::Entry(entry) => entry_name(&entry.id),
            Self::Agent(agent) => agent_name(&agent.id),
            Self::Gone(name) => name.clone(),
            Self::Bundle(bundle) => bundle_name(&bundle.domain),
            Self::Authority(authority) => authority.native_id(),
        }
    }
}

/// Under which name an entry is remembered.
#[must_use]
pub fn entry_name(id: &str) -> String {
    format!("{ENTRY}{id}")
}

/// Under which name an agent is remembered.
#[must_use]
pub fn agent_name(id: &str) -> String {
    format!("{AGENT}{id}")
}

/// Under which name a trust domain's bundle is remembered.
pub(super) fn bundle_name(domain: &str) -> String {
    format!("bundle/{domain}")
}

fn formed(form: Form, native_id: String, semantic: Digest, what: &impl Serialize) -> Event {
    // Text and numbers alone: it can always be written.
    Event::Formed { form, native_id, semantic, bytes: serde_json::to_vec(what).unwrap_or_default() }
}

const ENTRY: &str = "entry/";
const AGENT: &str = "agent/";
