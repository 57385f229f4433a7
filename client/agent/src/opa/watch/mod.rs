//! What one status of an instance tells beside the one before it: which policies came into force, what was dropped, and who fell silent.
//!
//! A pure function of the two, and of when decisions were received. What is remembered between them is kept with what they told, or neither is.
//!
//! Trust: statuses are the instance's own word, as its decisions are. They prove no loss and no activation; they say what OPA says.

mod record;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use govlog_formats::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{SYSTEM, Status};
use crate::outbox::{Arrival, Content, idempotency_key};
pub(super) use record::awaits;
pub use record::{activation, finding, gap, subject};
pub use silence::Silence;

/// The form of an activation in the outbox.
pub const ACTIVATION: &str = "activation";
/// The form of a declared gap.
pub const GAP: &str = "gap";
/// The form of what is found of a stream's silence.
pub const FINDING: &str = "finding";

/// What is remembered of an instance between two of its statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    v: u32,
    /// When the last status came, POSIX milliseconds.
    status_ms: u64,
    counters: BTreeMap<String, u64>,
    /// How often the counters began anew.
    restarts: u64,
    bundles: BTreeMap<String, Active>,
    silence: Silence,
}

/// The revision of a bundle that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    revision: String,
    /// Since when: the first activation that was reported of it.
    activated: String,
}

/// What is known besides a status.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time, POSIX milliseconds.
    pub ms: u64,
    /// When the last event of the instance came, kept or not, if one did since this process began.
    pub event_ms: Option<u64>,
    /// When an upload of decisions last came to its group from nobody knows whom, if one did since then.
    pub unnamed_ms: Option<u64>,
    /// When this process began.
    pub began_ms: u64,
}

/// What an operator wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether activations are logged.
    pub activations: bool,
    /// How long a stream may be silent while statuses go on; zero: as long as it likes.
    pub silent_after: Duration,
}

/// What two statuses told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A revision came into force, or went out of it.
    Activation(Activation),
    /// OPA dropped events.
    Gap(Gap),
    /// A stream fell silent, or speaks again.
    Finding(Finding),
}

/// A revision of a bundle came into force, or went out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    native_id: String,
    instance: String,
    version: Option<String>,
    bundle: String,
    revision: String,
    is_retired: bool,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    /// What went wrong with the bundle, as OPA says it.
    trouble: Option<String>,
}

/// Events that OPA dropped before they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    native_id: String,
    instance: String,
    version: Option<String>,
    counter: String,
    cause: String,
    /// How many; none where the counter counts something else than events.
    count: Option<u64>,
    from_ms: Option<u64>,
    to_ms: u64,
}

/// A stream that is silent while its statuses go on, or speaks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    native_id: String,
    instance: String,
    version: Option<String>,
    /// Since when nothing came.
    since_ms: u64,
    /// How many questions OPA answered meanwhile; none: it does not say.
    asked: Option<u64>,
    /// When an event came again; none: none did yet.
    until_ms: Option<u64>,
    now_ms: u64,
}

impl Told {
    /// Makes of it what the outbox takes.
    ///
    /// A gap is about its stream. The others go into the agent's own: a log that does not let this issuer say them holds no decision back.
    ///
    /// # Errors
    ///
    /// It cannot be written as JSON: a mistake in this program.
    pub fn arrival(&self) -> Result<Arrival, serde_json::Error> {
        let (form, stream, instance, native_id, bytes) = match self {
            Self::Activation(told) => (ACTIVATION, "", &told.instance, &told.native_id, serde_json::to_vec(told)?),
            Self::Gap(told) => {
                (GAP, told.instance.as_str(), &told.instance, &told.native_id, serde_json::to_vec(told)?)
            }
            Self::Finding(told) => (FINDING, "", &told.instance, &told.native_id, serde_json::to_vec(told)?),
        };
        let key = idempotency_key(SYSTEM, instance, native_id);
        let content = Content::Formed { form: form.to_owned(), bytes };
        // The name says all that the source said; what differs when it is told again is when it was seen.
        Ok(Arrival { instance: stream.to_owned(), key, semantic: Digest::sha256(native_id.as_bytes()), content })
    }

    /// By which name somebody is told of it, and what; none: nobody need be.
    #[must_use]
    pub fn alarm(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Activation(_) => None,
            Self::Gap(Gap { instance, counter, count, .. }) => {
                let count = count.map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string());
                Some(("dropped", format!("OPA {instance} dropped {count} decisions before they were sent: {counter}")))
            }
            Self::Finding(Finding { instance, asked: Some(asked), until_ms: None, .. }) => Some((
                "silent",
                format!(
                    "OPA {instance} answered {asked} questions and sends statuses, but no decisions; is decision_logs.reporting.trigger \
                     \"immediate\", or does system.log.drop drop all?"
                ),
            )),
            Self::Finding(_) => None,
        }
    }
}

impl Memory {
    /// Compares a status with what is remembered; gives what it tells, and what is to be remembered.
    #[must_use]
    pub fn next(before: Option<&Self>, status: &Status, now: Now, terms: Terms) -> (Self, Vec<Told>) {
        let first = Self::default();
        let before_or = before.unwrap_or(&first);
        let mut told = Vec::new();
        let began_anew =
            before_or.counters.iter().any(|(name, count)| status.counters.get(name).is_none_or(|now| now < count));
        let restarts = before_or.restarts + u64::from(began_anew);
        let was = if began_anew { &first.counters } else { &before_or.counters };
        drops(was, restarts, before.map(|before| before.status_ms), status, now.ms, &mut told);
        let bundles = activations(&before_or.bundles, status, terms, &mut told);
        let silence = before_or.silence.next(status, now, terms.silent_after, &mut told);
        let counters = status.counters.clone();
        (Self { v: VERSION, status_ms: now.ms, counters, restarts, bundles, silence }, told)
    }

    /// Reads what was remembered; `None`: another version wrote it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|memory: &Self| memory.v == VERSION)
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// It cannot be written as JSON: a mistake in this program.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// Finds counters of dropped events that grew.
fn drops(
    before: &BTreeMap<String, u64>,
    restarts: u64,
    from_ms: Option<u64>,
    status: &Status,
    to_ms: u64,
    told: &mut Vec<Told>,
) {
    let grown = |name: &str| status.counters.get(name).copied().unwrap_or(0) - before.get(name).copied().unwrap_or(0);
    // OPA's buffer of bytes counts each time it overflowed, in both counters; its buffer of events counts the events, in the first alone.
    let by_bytes = status.counters.keys().any(|name| name.ends_with(BY_BYTES) && grown(name) > 0);
    for name in status.counters.keys() {
        let Some(cause) = cause_of(name).filter(|_| grown(name) > 0) else { continue };
        if by_bytes && name.ends_with(BY_EVENTS) {
            continue;
        }
        let (was, is) = (before.get(name).copied().unwrap_or(0), status.counters.get(name).copied().unwrap_or(0));
        told.push(Told::Gap(Gap {
            native_id: format!("gap/{name}/{restarts}/{was}-{is}"),
            instance: status.instance.clone(),
            version: status.version.clone(),
            counter: name.clone(),
            cause: cause.to_owned(),
            count: (!name.ends_with(BY_BYTES)).then(|| is - was),
            from_ms,
            to_ms,
        }));
    }
}

/// Why events are lost that a counter counts; `None`: it counts no lost events.
fn cause_of(counter: &str) -> Option<&'static str> {
    let is_dropped = counter.contains("dropped") && !counter.contains("nd_builtin_cache");
    match () {
        () if is_dropped && counter.contains("rate_limit") => Some("rate-limited"),
        () if is_dropped && counter.contains("buffer_size_limit") => Some("buffer-full"),
        () if is_dropped || counter.ends_with("encoding_failure") => Some("source-dropped"),
        () => None,
    }
}

/// Finds bundles whose active revision is another one.
fn activations(
    before: &BTreeMap<String, Active>,
    status: &Status,
    terms: Terms,
    told: &mut Vec<Told>,
) -> BTreeMap<String, Active> {
    let mut active = before.clone();
    for (bundle, loaded) in &status.bundles {
        let Some(activated) = loaded.activated.as_ref() else { continue };
        let Some(from_ms) = millis(activated) else { continue };
        let old = before.get(bundle);
        // Nothing new, or a status that was overtaken by a later one.
        if old.is_some_and(|old| {
            old.revision == loaded.revision || millis(&old.activated).is_some_and(|old| old > from_ms)
        }) {
            continue;
        }
        let tell = |op: &str, active: &Active, to_ms: Option<i64>, trouble: Option<String>| {
            Told::Activation(Activation {
                native_id: format!("{op}/{bundle}/{}/{}", active.revision, active.activated),
                instance: status.instance.clone(),
                version: status.version.clone(),
                bundle: bundle.clone(),
                revision: active.revision.clone(),
                is_retired: to_ms.is_some(),
                from_ms: millis(&active.activated),
                to_ms,
                trouble,
            })
        };
        let new = Active { revision: loaded.revision.clone(), activated: activated.clone() };
        if terms.activations {
            told.extend(old.map(|old| tell("retire", old, Some(from_ms), None)));
            told.push(tell("activate", &new, None, loaded.trouble.clone()));
        }
        active.insert(bundle.clone(), new);
    }
    active
}

/// Reads a time of OPA's; its zero, the year 1, is none.
fn millis(text: &str) -> Option<i64> {
    let time = text.parse::<Timestamp>().ok()?;
    (time > Timestamp::UNIX_EPOCH).then(|| time.as_millisecond())
}

const VERSION: u32 = 1;
const BY_BYTES: &str = "buffer_size_limit_bytes_exceeded";
const BY_EVENTS: &str = "buffer_size_limit_exceeded";
