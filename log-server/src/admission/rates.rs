//! How many statements each row of the policy admits in a second, and how many approvals an operator in an hour.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use govlog_formats::admission::RowRate;
use govlog_formats::digest::Digest;

use crate::refusal::{RateLimit, Refusal};

/// Approvals that one operator may have logged at once, and again with each hour. Every verifier reads every one of them: this is more than people
/// ever say, and less than anybody has trouble to read.
const APPROVALS_AN_HOUR: NonZeroU64 = NonZeroU64::MIN.saturating_add(59);

/// The rates of those whose signature verified. They are back-pressure and are forgotten when the process ends.
#[derive(Default)]
pub(super) struct Rates {
    /// Rows that have a rate: their number is bounded by the policy, and that of the workloads of a trust domain by nothing.
    rows: Mutex<Buckets<String>>,
    /// Operators by their keys: likewise.
    operators: Mutex<Buckets<Digest>>,
}

/// A bucket of tokens for each name.
struct Buckets<K> {
    by_name: HashMap<K, Bucket>,
    /// At this many, full buckets are thrown away: they are as good as new ones. Names that were retired leave that way.
    sweep_at: usize,
}

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

const PER_SECOND: u128 = 1_000_000_000;
const SWEEP_LEAST: usize = 1024;

impl Rates {
    /// Takes one token from a row's bucket.
    ///
    /// # Errors
    /// When there is none: the refusal says when there will be.
    pub(super) fn take(&self, rate: &RowRate, now: Instant) -> Result<(), Refusal> {
        let RowRate { row, per_second } = rate;
        let rate = Rate { tokens: *per_second, window_s: NonZeroU64::MIN };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.take(row.as_str(), rate, now).map_err(|retry_after_s| Refusal::TooManyRequests {
            limit: RateLimit::Row { row: row.clone(), per_second: per_second.get() },
            retry_after_s,
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

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { by_name: HashMap::new(), sweep_at: 0 }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes a token, or says in how many seconds there will be one.
    fn take<Q>(&mut self, name: &Q, rate: Rate, now: Instant) -> Result<(), u32>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.sweep(now);
        let bucket = self.by_name.entry(name.to_owned()).or_insert_with(|| Bucket::full(rate, now));
        bucket.fill(rate, now);
        bucket.take()
    }

    fn sweep(&mut self, now: Instant) {
        if self.by_name.len() < self.sweep_at.max(SWEEP_LEAST) {
            return;
        }
        self.by_name.retain(|_, bucket| {
            bucket.fill(bucket.rate, now);
            bucket.level < bucket.rate.most()
        });
        self.sweep_at = self.by_name.len().saturating_mul(2);
    }
}

impl Rate {
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

    /// Takes a token, or says in how many seconds there will be one, rounded up.
    fn take(&mut self) -> Result<(), u32> {
        let per_token = self.rate.per_token();
        if let Some(left) = self.level.checked_sub(per_token) {
            self.level = left;
            return Ok(());
        }
        let lacking_ns = (per_token - self.level).div_ceil(u128::from(self.rate.tokens.get()));
        Err(u32::try_from(lacking_ns.div_ceil(PER_SECOND)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(row: &str, per_second: u64) -> RowRate {
        RowRate { row: row.to_owned(), per_second: NonZeroU64::new(per_second).unwrap() }
    }

    fn taken(rates: &Rates, row: &str, per_second: u64, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| rates.take(&rate(row, per_second), now).is_ok()).count()
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
        rates.take(&rate("a", 1), now).unwrap();
        let refusal = rates.take(&rate("a", 1), now).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::TooManyRequests { limit: RateLimit::Row { row: "a".to_owned(), per_second: 1 }, retry_after_s: 1 }
        );
        rates.take(&rate("a", 1), now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_lower_rate_counts_at_once() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.take(&rate("a", 100), now).unwrap();
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
            rates.take(&rate(&format!("iss-{number}"), 1), now).unwrap();
        }
        rates.take(&rate("late", 1), now + Duration::from_secs(2)).unwrap();
        assert_eq!(rates.rows.lock().unwrap().by_name.len(), 1);
    }

    #[test]
    fn the_greatest_rate_does_not_overflow() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", u64::MAX, now, 1000), 1000);
        assert_eq!(taken(&rates, "a", u64::MAX, now + Duration::from_secs(1 << 40), 1000), 1000);
    }
}
