//! How many statements each row of the policy admits in a second, and how many approvals an operator in an hour.
//!
//! A row may be a whole trust domain. One of its workloads may use all of its rate while no other needs it. As long as others were refused of
//! late, each is sure of a share: half, a third where two others came of late, and so on down to an eighth. Beyond its share it is let in while
//! more than half of a second's rate is left over, so that nothing is wasted and whoever comes finds some.
//!
//! So eight workloads of a domain that all take what they can get may still starve the rest of it: the policy can give those a row of their own,
//! or none.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::num::{NonZeroU8, NonZeroU64};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use govlog_formats::admission::RowRate;
use govlog_formats::digest::Digest;

use crate::refusal::{RateLimit, Refusal};

/// Approvals that one operator may have logged at once, and again with each hour. Every verifier reads every one of them: this is more than people
/// ever say, and less than anybody has trouble to read.
const APPROVALS_AN_HOUR: NonZeroU64 = NonZeroU64::MIN.saturating_add(59);

/// The rates of those whose signature verified. They are back-pressure and are forgotten when the process ends.
#[derive(Default)]
pub(super) struct Rates {
    rows: Mutex<Rows>,
    /// Operators by their keys: likewise.
    operators: Mutex<Buckets<Digest>>,
}

/// Rows that have a rate, and whom they admit.
#[derive(Default)]
struct Rows {
    /// Their number is bounded by the policy, and that of the workloads of a trust domain by nothing.
    rows: Swept<String, Row>,
    /// What those are sure of who are admitted by the row of a trust domain: as many as were let in of late.
    shares: Buckets<String>,
}

/// What is left of a row's rate, and who wants it.
struct Row {
    bucket: Bucket,
    /// Who came of late, where it admits several.
    came: Last,
    /// Who was refused within its share.
    waits: Last,
}

/// Something for each name.
struct Swept<K, V> {
    by_name: HashMap<K, V>,
    /// At this many, those are thrown away that are as good as new ones. Names that were retired leave that way.
    sweep_at: usize,
}

/// A bucket of tokens for each name.
type Buckets<K> = Swept<K, Bucket>;

/// So many tokens come in each window, or an even part of them, and there are never more than those of one, or than one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    tokens: NonZeroU64,
    window_s: NonZeroU64,
    /// Among how many they are divided.
    among: NonZeroU8,
}

/// `level` counts parts of a token so small that one token a window gives one in a nanosecond.
struct Bucket {
    level: u128,
    filled: Instant,
    rate: Rate,
}

/// Those of whom something was seen last, and when: of each the last time.
#[derive(Default)]
struct Last(VecDeque<(String, Instant)>);

const PER_SECOND: u128 = 1_000_000_000;
const SWEEP_LEAST: usize = 1024;
/// As many are told apart: what is done for each submission is bounded.
const MOST_LAST: usize = 8;
/// Who was refused that lately is taken to come again: longer than those are told to wait.
const LATELY: Duration = Duration::from_secs(10);

impl Rates {
    /// Takes one token from a row's bucket, for whoever it admits.
    ///
    /// # Errors
    /// When there is none, or only such as others wait for: the refusal says when there will be.
    pub(super) fn take(&self, rate: &RowRate, iss: &str, now: Instant) -> Result<(), Refusal> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rows.take(rate, iss, now);
        taken.map_err(|(limit, retry_after_s)| Refusal::TooManyRequests { limit, retry_after_s })
    }

    /// Takes one token from an operator's bucket of approvals.
    ///
    /// # Errors
    /// As [`Rates::take`].
    pub(super) fn take_approval(&self, kid: &Digest, now: Instant) -> Result<(), Refusal> {
        let rate = Rate { window_s: NonZeroU64::MIN.saturating_add(3599), ..Rate::of(APPROVALS_AN_HOUR) };
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        operators.bucket(kid, rate, now).take().map_err(|retry_after_s| Refusal::TooManyRequests {
            limit: RateLimit::Approvals { kid: *kid, per_hour: APPROVALS_AN_HOUR.get() },
            retry_after_s,
        })
    }
}

impl Rows {
    /// Takes a token, or says in how many seconds there will be one, and of what.
    fn take(&mut self, given: &RowRate, iss: &str, now: Instant) -> Result<(), (RateLimit, u32)> {
        let (name, per_second) = (&given.row, given.per_second.get());
        let limit = || RateLimit::Row { row: name.clone(), per_second };
        let rate = Rate::of(given.per_second);
        let row = self.rows.of(name.as_str(), || Row::new(rate, now), |row| row.is_as_new(now));
        row.bucket.fill(rate, now);
        if name == iss {
            return row.bucket.take().map_err(|retry_after_s| (limit(), retry_after_s));
        }
        row.came.note(iss, now);
        let share = self.shares.bucket(iss, row.part(iss, rate, now), now);
        // Where others wait, beyond its share only of what is left over.
        let is_beyond = row.waits.others(iss, now) > 0 && !row.bucket.leaves_half();
        if let Some(retry_after_s) = share.lacks().filter(|_| is_beyond) {
            return Err((RateLimit::Share { row: name.clone(), iss: iss.to_owned(), per_second }, retry_after_s));
        }
        match row.bucket.take() {
            Ok(()) => share.spend(),
            Err(retry_after_s) => {
                if share.lacks().is_none() {
                    row.waits.note(iss, now);
                }
                return Err((limit(), retry_after_s));
            }
        }
        Ok(())
    }
}

impl Row {
    fn new(rate: Rate, now: Instant) -> Self {
        Self { bucket: Bucket::full(rate, now), came: Last::default(), waits: Last::default() }
    }

    /// Whether it says nothing that a new one would not: who waits came.
    fn is_as_new(&mut self, now: Instant) -> bool {
        self.bucket.is_full(now) && self.came.is_empty(now)
    }

    /// What one of those whom it admits is sure of. Where nobody else comes somebody may.
    fn part(&self, iss: &str, rate: Rate, now: Instant) -> Rate {
        let among = NonZeroU8::MIN.saturating_add(self.came.others(iss, now).max(1));
        Rate { among, ..rate }
    }
}

impl<K, V> Default for Swept<K, V> {
    fn default() -> Self {
        Self { by_name: HashMap::new(), sweep_at: 0 }
    }
}

impl<K: Hash + Eq, V> Swept<K, V> {
    /// Gives what is there under a name, or makes it.
    fn of<Q>(&mut self, name: &Q, make: impl FnOnce() -> V, mut is_as_new: impl FnMut(&mut V) -> bool) -> &mut V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.by_name.len() >= self.sweep_at.max(SWEEP_LEAST) {
            self.by_name.retain(|_, value| !is_as_new(value));
            self.sweep_at = self.by_name.len().saturating_mul(2);
        }
        self.by_name.entry(name.to_owned()).or_insert_with(make)
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Gives a bucket as it is now: a new one is full.
    fn bucket<Q>(&mut self, name: &Q, rate: Rate, now: Instant) -> &mut Bucket
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let bucket = self.of(name, || Bucket::full(rate, now), |bucket| bucket.is_full(now));
        bucket.fill(rate, now);
        bucket
    }
}

impl Last {
    /// Notes somebody. Of whom nothing was seen for longest is forgotten for it.
    fn note(&mut self, iss: &str, now: Instant) {
        let known = self.0.iter().position(|(who, _)| who == iss).and_then(|at| self.0.remove(at));
        let (who, _) = known.unwrap_or_else(|| (iss.to_owned(), now));
        if self.0.len() >= MOST_LAST {
            self.0.pop_front();
        }
        self.0.push_back((who, now));
    }

    /// Of how many others something was seen of late.
    fn others(&self, iss: &str, now: Instant) -> u8 {
        let others = self.0.iter().filter(|(who, seen)| who != iss && is_lately(*seen, now));
        others.fold(0, |count: u8, _| count.saturating_add(1))
    }

    fn is_empty(&self, now: Instant) -> bool {
        self.0.iter().all(|(_, seen)| !is_lately(*seen, now))
    }
}

fn is_lately(seen: Instant, now: Instant) -> bool {
    now.saturating_duration_since(seen) < LATELY
}

impl Rate {
    /// So many in a second, for one.
    const fn of(per_second: NonZeroU64) -> Self {
        Self { tokens: per_second, window_s: NonZeroU64::MIN, among: NonZeroU8::MIN }
    }

    fn per_token(&self) -> u128 {
        PER_SECOND * u128::from(self.window_s.get())
    }

    fn most(&self) -> u128 {
        let all = u128::from(self.tokens.get()).saturating_mul(self.per_token());
        (all / u128::from(self.among.get())).max(self.per_token())
    }
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { level: rate.most(), filled: now, rate }
    }

    /// Takes in what came since it was last filled, all of it at the rate as it is now: when others come, a share that had more is cut at once;
    /// when they leave, that gives at most what is missing of one window.
    fn fill(&mut self, rate: Rate, now: Instant) {
        self.rate = rate;
        let elapsed_ns = now.saturating_duration_since(self.filled).as_nanos();
        let added = elapsed_ns.saturating_mul(u128::from(rate.tokens.get())) / u128::from(rate.among.get());
        self.level = self.level.saturating_add(added).min(rate.most());
        self.filled = self.filled.max(now);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(self.rate, now);
        self.level >= self.rate.most()
    }

    /// Takes a token, or says in how many seconds there will be one.
    fn take(&mut self) -> Result<(), u32> {
        if let Some(retry_after_s) = self.lacks() {
            return Err(retry_after_s);
        }
        self.spend();
        Ok(())
    }

    /// Takes a token, or what there is of one.
    fn spend(&mut self) {
        self.level = self.level.saturating_sub(self.rate.per_token());
    }

    /// Whether half of what may be there is left when one is taken.
    fn leaves_half(&self) -> bool {
        self.level.checked_sub(self.rate.per_token()).is_some_and(|left| left >= self.rate.most() / 2)
    }

    /// In how many seconds there will be a token, rounded up; none: there is one.
    fn lacks(&self) -> Option<u32> {
        let lacking = self.rate.per_token().checked_sub(self.level).filter(|lacking| *lacking > 0)?;
        let lacking_ns =
            lacking.saturating_mul(u128::from(self.rate.among.get())).div_ceil(u128::from(self.rate.tokens.get()));
        Some(u32::try_from(lacking_ns.div_ceil(PER_SECOND)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
