//! How many statements each row of the policy admits in a second, and how many approvals an operator in an hour.
//!
//! A row may be a whole trust domain. One of its workloads may use all of its rate while no other needs it. As long as others were refused of
//! late, each is sure of a share: half, a third where two others came of late, and so on down to an eighth. Beyond its share it is let in while more than half
//! of a second's rate is left over, so that nothing is wasted and whoever comes finds some.
//!
//! So eight workloads of a domain that all take what they can get may still starve the rest of it: the policy can give those a row of their own,
//! or none.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::num::NonZeroU64;
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
    rates: Buckets<String>,
    /// What those had who are admitted by the row of a trust domain: as many as were let in of late.
    shares: Swept<String, Share>,
    /// Who came to be admitted by such a row of late.
    crowds: Swept<String, Crowd>,
}

/// Something for each name.
struct Swept<K, V> {
    by_name: HashMap<K, V>,
    /// At this many, those are thrown away that are as good as new ones. Names that were retired leave that way.
    sweep_at: usize,
}

/// A bucket of tokens for each name.
type Buckets<K> = Swept<K, Bucket>;

/// So many tokens come in each window, and there are never more than those of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    tokens: NonZeroU64,
    window_s: NonZeroU64,
}

/// `level` counts parts of a token so small that one token a window gives one in a nanosecond.
struct Bucket {
    level: u128,
    filled: Instant,
    rate: Rate,
}

/// What one of many had of the rate of their row, as if its part of it drained that again.
struct Share {
    /// In parts of a token.
    used: u128,
    drained: Instant,
    part: Part,
}

/// What one is sure of, of a row's rate.
#[derive(Clone, Copy)]
struct Part {
    per_second: NonZeroU64,
    /// Among how many it is divided.
    among: u8,
}

/// Those whom a row admits, as far as they came of late.
#[derive(Default)]
struct Crowd {
    came: Last,
    /// Who was refused within its share.
    waits: Last,
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
        let RowRate { row, per_second } = rate;
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if row != iss {
            rows.crowd(row, now).came.note(iss, now);
        }
        let limited = |limit, retry_after_s| Refusal::TooManyRequests { limit, retry_after_s };
        if let Err(retry_after_s) = rows.share(row, iss, *per_second, now) {
            let (row, iss) = (row.clone(), iss.to_owned());
            return Err(limited(RateLimit::Share { row, iss, per_second: per_second.get() }, retry_after_s));
        }
        let taken = rows.take(row, iss, *per_second, now);
        taken.map_err(|retry_after_s| {
            limited(RateLimit::Row { row: row.clone(), per_second: per_second.get() }, retry_after_s)
        })
    }

    /// Takes one token from an operator's bucket of approvals.
    ///
    /// # Errors
    /// As [`Rates::take`].
    pub(super) fn take_approval(&self, kid: &Digest, now: Instant) -> Result<(), Refusal> {
        let rate = Rate { tokens: APPROVALS_AN_HOUR, window_s: NonZeroU64::MIN.saturating_add(3599) };
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        operators.take(kid, rate, now).map_err(|retry_after_s| Refusal::TooManyRequests {
            limit: RateLimit::Approvals { kid: *kid, per_hour: APPROVALS_AN_HOUR.get() },
            retry_after_s,
        })
    }
}

impl Rows {
    /// Says whether one of many whom a row admits may take a token, or in how many seconds: where others wait, beyond its share only of what is
    /// left over.
    fn share(&mut self, row: &str, iss: &str, per_second: NonZeroU64, now: Instant) -> Result<(), u32> {
        if row == iss || self.crowd(row, now).waits.others(iss, now) == 0 {
            return Ok(());
        }
        let Some(retry_after_s) = self.share_of(row, iss, per_second, now).lacks() else { return Ok(()) };
        let is_left = self.rates.bucket(row, Rate::of(per_second), now).leaves_half();
        if is_left { Ok(()) } else { Err(retry_after_s) }
    }

    fn take(&mut self, row: &str, iss: &str, per_second: NonZeroU64, now: Instant) -> Result<(), u32> {
        let taken = self.rates.take(row, Rate::of(per_second), now);
        if row == iss {
            return taken;
        }
        let share = self.share_of(row, iss, per_second, now);
        match taken {
            Ok(()) => share.take(),
            Err(_) if share.lacks().is_none() => self.crowd(row, now).waits.note(iss, now),
            Err(_) => {}
        }
        taken
    }

    fn crowd(&mut self, row: &str, now: Instant) -> &mut Crowd {
        self.crowds.of(row, Crowd::default, |crowd| crowd.came.is_empty(now))
    }

    fn share_of(&mut self, row: &str, iss: &str, per_second: NonZeroU64, now: Instant) -> &mut Share {
        // Where nobody else comes somebody may.
        let among = self.crowd(row, now).came.others(iss, now).saturating_add(1).max(2);
        let part = Part { per_second, among };
        let share = self.shares.of(iss, || Share { used: 0, drained: now, part }, |share| share.is_unused(now));
        share.drain(part, now);
        share
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
    /// Takes a token, or says in how many seconds there will be one.
    fn take<Q>(&mut self, name: &Q, rate: Rate, now: Instant) -> Result<(), u32>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.bucket(name, rate, now).take()
    }

    fn bucket<Q>(&mut self, name: &Q, rate: Rate, now: Instant) -> &mut Bucket
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let is_full = |bucket: &mut Bucket| {
            bucket.fill(bucket.rate, now);
            bucket.level >= bucket.rate.most()
        };
        let bucket = self.of(name, || Bucket::full(rate, now), is_full);
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

impl Part {
    /// What may be used at once.
    fn most(&self) -> u128 {
        (u128::from(self.per_second.get()).saturating_mul(PER_SECOND) / u128::from(self.among)).max(PER_SECOND)
    }
}

impl Share {
    fn drain(&mut self, part: Part, now: Instant) {
        self.part = part;
        let elapsed_ns = now.saturating_duration_since(self.drained).as_nanos();
        let drained = elapsed_ns.saturating_mul(u128::from(part.per_second.get())) / u128::from(part.among);
        self.used = self.used.saturating_sub(drained);
        self.drained = self.drained.max(now);
    }

    fn is_unused(&mut self, now: Instant) -> bool {
        self.drain(self.part, now);
        self.used == 0
    }

    /// Takes a token. Beyond its part nothing is left to be taken.
    fn take(&mut self) {
        self.used = self.used.saturating_add(PER_SECOND).min(self.part.most());
    }

    /// In how many seconds there will be a token, rounded up; none: there is one.
    fn lacks(&self) -> Option<u32> {
        let after = self.used.saturating_add(PER_SECOND);
        let lacking = after.checked_sub(self.part.most()).filter(|lacking| *lacking > 0)?;
        let lacking_ns =
            lacking.saturating_mul(u128::from(self.part.among)).div_ceil(u128::from(self.part.per_second.get()));
        Some(u32::try_from(lacking_ns.div_ceil(PER_SECOND)).unwrap_or(u32::MAX))
    }
}

impl Rate {
    /// So many in a second.
    const fn of(per_second: NonZeroU64) -> Self {
        Self { tokens: per_second, window_s: NonZeroU64::MIN }
    }

    fn per_token(&self) -> u128 {
        PER_SECOND * u128::from(self.window_s.get())
    }

    fn most(&self) -> u128 {
        u128::from(self.tokens.get()).saturating_mul(self.per_token())
    }
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { level: rate.most(), filled: now, rate }
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        self.rate = rate;
        let elapsed_ns = now.saturating_duration_since(self.filled).as_nanos();
        let added = elapsed_ns.saturating_mul(u128::from(rate.tokens.get()));
        self.level = self.level.saturating_add(added).min(rate.most());
        self.filled = self.filled.max(now);
    }

    /// Takes a token, or says in how many seconds there will be one.
    fn take(&mut self) -> Result<(), u32> {
        if let Some(retry_after_s) = self.lacks() {
            return Err(retry_after_s);
        }
        self.level = self.level.saturating_sub(self.rate.per_token());
        Ok(())
    }

    /// Whether half of what may be there is left when one is taken.
    fn leaves_half(&self) -> bool {
        self.level.checked_sub(self.rate.per_token()).is_some_and(|left| left >= self.rate.most() / 2)
    }

    /// In how many seconds there will be a token, rounded up; none: there is one.
    fn lacks(&self) -> Option<u32> {
        let lacking = self.rate.per_token().checked_sub(self.level).filter(|lacking| *lacking > 0)?;
        let lacking_ns = lacking.div_ceil(u128::from(self.rate.tokens.get()));
        Some(u32::try_from(lacking_ns.div_ceil(PER_SECOND)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(row: &str, per_second: u64) -> RowRate {
        RowRate { row: row.to_owned(), per_second: NonZeroU64::new(per_second).unwrap() }
    }

    fn taken(rates: &Rates, row: &str, per_second: u64, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| rates.take(&rate(row, per_second), row, now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_one_seconds_worth() {
        let now = Instant::now();
        for per_second in [1, 3, 100] {
            let rates = Rates::default();
            let most = usize::try_from(per_second).unwrap();
            assert_eq!(taken(&rates, "a", per_second, now, most + 5), most);
        }
    }

    #[test]
    fn tokens_come_back_at_the_rate_and_no_faster() {
        let (rates, start) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", 10, start, 20), 10);
        assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(99), 5), 0);
        assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(100), 5), 1);
        assert_eq!(taken(&rates, "a", 10, start + Duration::from_millis(350), 5), 2);
        assert_eq!(taken(&rates, "a", 10, start + Duration::from_secs(3600), 50), 10);
    }

    #[test]
    fn one_rows_rate_is_not_anothers() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", 2, now, 5), 2);
        assert_eq!(taken(&rates, "b", 2, now, 5), 2);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.take(&rate("a", 1), "a", now).unwrap();
        let refusal = rates.take(&rate("a", 1), "a", now).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::TooManyRequests { limit: RateLimit::Row { row: "a".to_owned(), per_second: 1 }, retry_after_s: 1 }
        );
        rates.take(&rate("a", 1), "a", now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_lower_rate_counts_at_once() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.take(&rate("a", 100), "a", now).unwrap();
        assert_eq!(taken(&rates, "a", 2, now, 10), 2);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let (rates, now) = (Rates::default(), Instant::now() + Duration::from_secs(10));
        assert_eq!(taken(&rates, "a", 2, now, 5), 2);
        assert_eq!(taken(&rates, "a", 2, now - Duration::from_secs(5), 5), 0);
        assert_eq!(taken(&rates, "a", 2, now, 5), 0);
    }

    #[test]
    fn an_operator_approves_sixty_times_an_hour_and_the_refusal_says_when_to_come_back() {
        let (rates, start, kid) = (Rates::default(), Instant::now(), Digest::sha256(b"a"));
        let taken = |kid: &Digest, now| (0..100).filter(|_| rates.take_approval(kid, now).is_ok()).count();
        assert_eq!(taken(&kid, start), 60);
        assert_eq!(taken(&Digest::sha256(b"b"), start), 60, "another operator's is another's");
        let refusal = rates.take_approval(&kid, start + Duration::from_secs(15)).unwrap_err();
        let limit = RateLimit::Approvals { kid, per_hour: 60 };
        assert_eq!(refusal, Refusal::TooManyRequests { limit, retry_after_s: 45 });
        assert_eq!(taken(&kid, start + Duration::from_secs(60)), 1);
        assert_eq!(taken(&kid, start + Duration::from_secs(100_000)), 60);
    }

    #[test]
    fn full_buckets_are_swept() {
        let (rates, now) = (Rates::default(), Instant::now());
        for number in 0..SWEEP_LEAST {
            let iss = format!("iss-{number}");
            rates.take(&rate(&iss, 1), &iss, now).unwrap();
        }
        rates.take(&rate("late", 1), "late", now + Duration::from_secs(2)).unwrap();
        assert_eq!(rates.rows.lock().unwrap().rates.by_name.len(), 1);
    }

    const DOMAIN: &str = "spiffe://prod.example";

    /// How many of so many tries of a workload its domain's row lets in, and what the last was told.
    fn by(rates: &Rates, iss: &str, per_second: u64, now: Instant, tries: usize) -> (usize, Option<RateLimit>) {
        let (mut count, mut told) = (0, None);
        for _ in 0..tries {
            match rates.take(&rate(DOMAIN, per_second), iss, now) {
                Ok(()) => count += 1,
                Err(Refusal::TooManyRequests { limit, .. }) => told = Some(limit),
                Err(other) => panic!("{other}"),
            }
        }
        (count, told)
    }

    #[test]
    fn a_workload_has_all_of_its_domains_rate_while_no_other_needs_it_and_half_while_another_waits() {
        let (rates, start) = (Rates::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        let (row, share) = (
            Some(RateLimit::Row { row: DOMAIN.to_owned(), per_second: 10 }),
            Some(RateLimit::Share { row: DOMAIN.to_owned(), iss: "rogue".to_owned(), per_second: 10 }),
        );
        assert_eq!(by(&rates, "rogue", 10, start, 20), (10, row.clone()));
        assert_eq!(by(&rates, "rogue", 10, at(1_000), 20), (10, row.clone()), "nobody else needs it");
        assert_eq!(by(&rates, "other", 10, at(1_000), 1), (0, row), "it is told to come again");
        // From then on the rogue one leaves something over, however often it tries.
        let (mut rogue, mut other) = (0, 0);
        for tenth in 1..=50 {
            let (count, told) = by(&rates, "rogue", 10, at(1_000 + tenth * 100), 20);
            assert_eq!(told, share);
            rogue += count;
            other += by(&rates, "other", 10, at(1_000 + tenth * 100), usize::from(tenth % 3 == 0)).0;
        }
        assert_eq!(
            (rogue, other),
            (29, 16),
            "all that the other wanted, and of the rest what is more than half a second's"
        );
        assert_eq!(by(&rates, "rogue", 10, at(16_000), 20).0, 10, "and all of it when the other had what it wanted");
    }

    #[test]
    fn the_others_share_one_half_and_an_issuer_with_a_row_of_its_own_has_all_of_it() {
        let (rates, start) = (Rates::default(), Instant::now());
        assert_eq!(by(&rates, "rogue", 1, start, 3).0, 1);
        assert_eq!(by(&rates, "other", 1, start, 1).0, 0);
        let later = start + Duration::from_secs(1);
        assert_eq!(by(&rates, "rogue", 1, later, 3).0, 0, "of one in a second half is one in two");
        assert_eq!(by(&rates, "other", 1, later, 1).0, 1);
        let alone = taken(&rates, "alone", 10, start, 20) + taken(&rates, "alone", 10, later, 20);
        assert_eq!((alone, rates.rows.lock().unwrap().shares.by_name.len()), (20, 2));
    }

    /// How many of their tries are let in within so many tenths of a second; each comes so often every so many tenths, in this order.
    fn together(rates: &Rates, per_second: u64, tenths: usize, come: &[(String, usize, usize)]) -> Vec<usize> {
        let (start, mut counts) = (Instant::now(), vec![0; come.len()]);
        for tenth in 0..tenths {
            let now = start + Duration::from_millis(tenth as u64 * 100);
            for (at, (iss, tries, every)) in come.iter().enumerate() {
                if tenth % every == at % every {
                    counts[at] += by(rates, iss, per_second, now, *tries).0;
                }
            }
        }
        counts
    }

    #[test]
    fn several_who_take_all_they_can_get_leave_the_others_theirs() {
        for rogues in 1..MOST_LAST {
            let rogue = |number| (format!("rogue-{number}"), 8, 1);
            let mut come: Vec<_> = (0..rogues).map(rogue).collect();
            come.push(("small".to_owned(), 1, 5));
            let counts = together(&Rates::default(), 40, 1_000, &come);
            let (small, all) = (counts[rogues], counts.iter().sum::<usize>());
            assert!(small >= 180, "{small} of its 200 beside {rogues}: {counts:?}");
            assert!(all >= 3_950, "{all} of 4,000 beside {rogues}: nothing is wasted");
        }
    }

    #[test]
    fn what_many_small_ones_leave_over_is_had_by_one_who_has_much() {
        let mut come = vec![("bulk".to_owned(), 8, 1)];
        come.extend((0..10).map(|number| (format!("small-{number}"), 1, 10)));
        let counts = together(&Rates::default(), 40, 1_000, &come);
        let (bulk, small) = (counts[0], &counts[1..]);
        assert!(small.iter().all(|count| *count >= 85), "each of its 100: {small:?}");
        assert!(small.iter().sum::<usize>() >= 950, "{small:?}");
        assert!(bulk >= 2_950, "{bulk} of the 3,000 that they leave over");
    }

    #[test]
    fn who_came_is_forgotten_after_a_while_and_for_those_who_came_later() {
        let (mut last, start) = (Last::default(), Instant::now());
        for number in 0..MOST_LAST + 2 {
            last.note(&format!("w-{number}"), start);
            last.note("w-0", start);
        }
        assert_eq!((last.0.len(), last.others("w-0", start), last.others("new", start)), (8, 7, 8));
        assert!(last.0.iter().all(|(who, _)| !["w-1", "w-2"].contains(&who.as_str())));
        assert_eq!((last.others("new", start + LATELY), last.others("w-0", start + LATELY)), (0, 0));
    }

    #[test]
    fn shares_are_as_many_as_were_let_in_of_late() {
        let (rates, start) = (Rates::default(), Instant::now());
        for number in 0..20 * SWEEP_LEAST {
            let now = start + Duration::from_millis(number as u64 * 10);
            by(&rates, &format!("w-{number}"), 1_000, now, 1);
            rates.take(&rate(&format!("row-{number}"), 1), "first", now).unwrap();
            rates.take(&rate(&format!("row-{number}"), 1), "second", now).unwrap_err();
        }
        let rows = rates.rows.lock().unwrap();
        assert!(rows.shares.by_name.len() <= 2 * SWEEP_LEAST, "{}", rows.shares.by_name.len());
        assert!(rows.crowds.by_name.len() <= 2 * SWEEP_LEAST, "{}", rows.crowds.by_name.len());
    }

    #[test]
    fn the_greatest_rate_does_not_overflow() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", u64::MAX, now, 1000), 1000);
        assert_eq!(taken(&rates, "a", u64::MAX, now + Duration::from_secs(1 << 40), 1000), 1000);
    }
}
