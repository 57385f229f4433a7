//! Sending: signed statements go to the log in the order of their streams, until it has committed them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use govlog_client::submit::{Answer, Judge, Wait};
use govlog_client::trust::Trust;
use govlog_formats::statement::SignedStatement;

use super::{Backoff, Item, Items, Log, PumpError, Round, Shared};
use crate::failpoints;
use crate::names::Names;
use crate::outbox::{Stream, StreamNumber};
use crate::sign::{Replaced, SignError};
use crate::world::World;

/// Sends what is signed.
pub struct Sender<'a> {
    pub(super) shared: &'a Shared,
    pub(super) log: &'a dyn Log,
    pub(super) world: &'a dyn World,
    pub(super) names: &'a Names,
    pub(super) max_age: Duration,
    pub(super) trust: &'a Trust,
    judge: Judge<'a>,
    backoff: Backoff,
    retry_most: Duration,
    /// Streams that the log refuses for now, and when to ask again.
    held: HashMap<StreamNumber, Held>,
    /// How often a stream's statements or place were changed since one of them was taken.
    changes: HashMap<StreamNumber, u64>,
    /// Which stream goes first, so that a busy one does not keep the others waiting.
    turn: usize,
}

/// A stream that waits for somebody to mend something.
struct Held {
    until: Instant,
    backoff: Backoff,
}

/// What a sender is made with.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The time and randomness.
    pub world: &'a dyn World,
    /// What the log's proofs are judged by.
    pub trust: &'a Trust,
    /// The names of new streams.
    pub names: &'a Names,
    /// How old the log lets a statement's `iat` be.
    pub max_age: Duration,
    /// The longest wait between two tries.
    pub retry_most: Duration,
}

impl<'a> Sender<'a> {
    /// Makes a sender.
    #[must_use]
    pub fn new(shared: &'a Shared, log: &'a dyn Log, terms: Terms<'a>) -> Self {
        shared.telemetry.held(0);
        Self {
            shared,
            log,
            world: terms.world,
            names: terms.names,
            max_age: terms.max_age,
            trust: terms.trust,
            judge: Judge::new(Some(terms.trust)),
            backoff: Backoff::new(RETRY_LEAST, terms.retry_most),
            retry_most: terms.retry_most,
            held: HashMap::new(),
            changes: HashMap::new(),
            turn: 0,
        }
    }

    /// Sends one batch.
    ///
    /// # Errors
    ///
    /// The outbox is not well, or this program is wrong; a log that is away is no error.
    pub fn round(&mut self) -> Result<Round, PumpError> {
        let items = self.next_items()?;
        if items.is_empty() {
            return Ok(Round::Idle);
        }
        let statements: Vec<Vec<u8>> = items.iter().map(|item| item.row.entry.clone()).collect();
        failpoints::hit("send::before")?;
        let answers = match self.log.send(&statements, Wait::Committed) {
            Ok(answers) => answers,
            Err(error) => {
                self.shared.telemetry.unreachable();
                tracing::warn!(%error, statements = items.len(), "the log took nothing; it is tried again");
                return Ok(Round::Later(self.later(None)));
            }
        };
        failpoints::hit("send::after")?;
        self.take(&items, &answers)
    }

    /// Collects the next statements of every stream that is not held, in order, up to a batch.
    fn next_items(&mut self) -> Result<Vec<Item>, PumpError> {
        let mut streams = self.shared.outbox.streams()?;
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn.checked_rem(streams.len()).unwrap_or(0);
        streams.rotate_left(first);
        // Of streams that are gone, or went on under another name, nothing is held any more.
        let outbox = &self.shared.outbox;
        let goes_on = |number: &StreamNumber| {
            let has_more = |row: &Stream| !row.closed || outbox.signed_ahead(*number).count > 0;
            streams.iter().any(|(there, row)| there == number && has_more(row))
        };
        let held = self.held.len();
        self.held.retain(|number, _| goes_on(number));
        self.changes.retain(|number, _| goes_on(number));
        if self.held.len() != held {
            self.shared.telemetry.held(self.held.len());
        }
        let (now, mut items) = (Instant::now(), Items::default());
        for (number, row) in streams {
            if self.held.get(&number).is_none_or(|held| held.until <= now) {
                let from = self.shared.unsent(number).unwrap_or(0);
                items.add(&self.shared.outbox, (number, &row.name), from..u64::MAX)?;
            }
        }
        Ok(items.items)
    }

    /// Goes through the answers: what is taken moves its stream on, and the first refusal in a stream decides about the rest of it.
    fn take(&mut self, items: &[Item], answers: &[Answer]) -> Result<Round, PumpError> {
        let (mut stopped, mut wait, mut taken, mut events) = (HashSet::new(), None, 0_u64, 0);
        for (item, answer) in items.iter().zip(answers) {
            if stopped.contains(&item.number) {
                continue;
            }
            let outcome = self.outcome(item, answer)?;
            match outcome {
                Outcome::Taken => {
                    taken += 1;
                    events += item.row.events();
                    self.changes.remove(&item.number);
                    self.shared.set_unsent(item.number, item.seq + 1);
                    if self.held.remove(&item.number).is_some() {
                        tracing::info!(stream = &*item.stream, "the log takes this stream again");
                        self.shared.telemetry.held(self.held.len());
                    }
                }
                Outcome::Changed if self.goes_in_circles(item) => {
                    stopped.insert(item.number);
                    self.alarm("place", item, "the log's answers about the place of this stream contradict each other");
                    self.hold(item.number);
                }
                Outcome::Changed => drop(stopped.insert(item.number)),
                Outcome::Held => {
                    stopped.insert(item.number);
                    self.hold(item.number);
                }
                Outcome::Later(time) => {
                    stopped.insert(item.number);
                    wait = wait.max(Some(time));
                }
            }
        }
        self.shared.telemetry.committed(taken, events);
        if taken > 0 {
            self.shared.bell.ring();
        }
        if taken > 0 || wait.is_none() {
            // Under a rate limit every round takes something and is told to wait: that is no reason to wait longer each time.
            self.backoff.reset();
        }
        Ok(wait.map_or(Round::Worked, |time| Round::Later(self.later(Some(time)))))
    }

    /// DESIGN §6: "For a submitter only 400 and 413 are definitive. 409 means: fetch the stream's head and look. 403 holds the stream and
    /// raises an alarm, for a policy can be mended. 429, 503 and silence are retried."
    fn outcome(&mut self, item: &Item, answer: &Answer) -> Result<Outcome, PumpError> {
        match answer.status {
            201 => self.proved(item, answer),
            // Taken, though the wait for its proof ran out: the confirmer asks for that.
            303 => Ok(Outcome::Taken),
            400 | 413 => self.refused(item, answer),
            403 => self.forbidden(item, answer),
            409 => self.resync(item, answer),
            429 | 503 => Ok(Outcome::Later(Duration::from_secs(answer.retry_s.unwrap_or(0)))),
            // About this statement alone: the other streams go on.
            status => Ok(self.alarm("unexpected", item, &format!("{status}: {}", words(answer)))),
        }
    }

    fn proved(&mut self, item: &Item, answer: &Answer) -> Result<Outcome, PumpError> {
        let statement = SignedStatement::parse_entry(&item.row.entry)?;
        match self.judge.judge(&statement, answer, Wait::Committed) {
            Some(Ok(())) => Ok(Outcome::Taken),
            Some(Err(error)) => Ok(self.alarm("unproved", item, &error.to_string())),
            None => Ok(self.alarm("unproved", item, "the log accepted it without a proof")),
        }
    }

    fn refused(&mut self, item: &Item, answer: &Answer) -> Result<Outcome, PumpError> {
        let why = words(answer);
        let replaced = self.shared.signer().replace_refused(item.number, item.seq, answer.status);
        let Some(replaced) = unless_unsigned(replaced)? else { return Ok(Outcome::Held) };
        match replaced {
            Replaced::Quarantined => {
                self.alarm("refused", item, &why);
                self.shared.telemetry.signed(crate::sign::Step { quarantined: 1, ..Default::default() });
                Ok(Outcome::Changed)
            }
            Replaced::Unbatched => {
                self.alarm("refused", item, &why);
                Ok(Outcome::Changed)
            }
            Replaced::Stuck => Ok(self.alarm("refused", item, &why)),
            Replaced::Gone => Ok(Outcome::Changed),
        }
    }

    /// Whether a stream was changed again and again, and none of its statements was taken.
    fn goes_in_circles(&mut self, item: &Item) -> bool {
        let changes = self.changes.entry(item.number).or_default();
        *changes += 1;
        *changes > MOST_CHANGES
    }

    /// Says what is wrong where somebody looks; the stream is held.
    pub(super) fn alarm(&self, kind: &'static str, item: &Item, why: &str) -> Outcome {
        self.shared.telemetry.alarm(kind);
        tracing::error!(alarm = kind, stream = &*item.stream, seq = item.seq, why, "the log does not take a statement");
        Outcome::Held
    }

    fn hold(&mut self, number: StreamNumber) {
        let random = self.random();
        let fresh = Backoff::new(HOLD_LEAST.min(self.retry_most), self.retry_most);
        let held = self.held.entry(number).or_insert(Held { until: Instant::now(), backoff: fresh });
        held.until = Instant::now() + held.backoff.next(None, random);
        self.shared.telemetry.held(self.held.len());
    }

    fn later(&mut self, at_least: Option<Duration>) -> Duration {
        let random = self.random();
        self.backoff.next(at_least, random)
    }

    /// For jitter alone, where anything will do.
    fn random(&self) -> u8 {
        self.world.random().map_or(128, |bytes| bytes[0])
    }
}

impl std::fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// What an answer means for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The log has the statement.
    Taken,
    /// The statements were changed, or are sent from another place: look again at once.
    Changed,
    /// Somebody must mend something.
    Held,
    /// To be tried again, not before this time.
    Later(Duration),
}

/// What was signed anew; nothing, while no X.509-SVID is valid: the stream is held until one comes.
pub(super) fn unless_unsigned<T>(signed: Result<T, SignError>) -> Result<Option<T>, PumpError> {
    match signed {
        Ok(signed) => Ok(Some(signed)),
        Err(SignError::Unsigned(why)) => {
            tracing::warn!(%why, "statements must be signed anew, and cannot be now");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What the log says of a refusal.
pub(super) fn words(answer: &Answer) -> String {
    let title = answer.title.as_deref().unwrap_or("refused");
    answer.detail.as_deref().map_or_else(|| title.to_owned(), |detail| format!("{title}: {detail}"))
}

const RETRY_LEAST: Duration = Duration::from_millis(100);
const HOLD_LEAST: Duration = Duration::from_secs(1);
/// Finding back takes one or two; what was signed anew, or a quarantine, is taken with the next try.
const MOST_CHANGES: u64 = 16;
