//! How many statements each issuer may submit in a second.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::refusal::{RateLimit, Refusal};

/// A bucket of tokens per issuer: filled at the issuer's rate, never beyond one second's worth.
///
/// Only issuers whose signature verified, and whose row has a rate, get a bucket: their number is bounded by the policy. It is back-pressure and
/// is forgotten when the process ends.
#[derive(Default)]
pub(super) struct Rates {
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    by_issuer: HashMap<String, Bucket>,
    /// At this many, full buckets are thrown away: they are as good as new ones. Issuers that were retired leave that way.
    sweep_at: usize,
}

/// `level` counts billionths of a token, so that a nanosecond at one token a second is one.
struct Bucket {
    level: u128,
    filled: Instant,
    per_second: NonZeroU64,
}

const PER_TOKEN: u128 = 1_000_000_000;
const SWEEP_LEAST: usize = 1024;

impl Rates {
    /// Takes one token from an issuer's bucket.
    ///
    /// # Errors
    /// When there is none: the refusal says when there will be.
    pub(super) fn take(&self, iss: &str, per_second: NonZeroU64, now: Instant) -> Result<(), Refusal> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let bucket = buckets.by_issuer.entry(iss.to_owned()).or_insert_with(|| Bucket::full(per_second, now));
        bucket.fill(per_second, now);
        bucket.take().map_err(|retry_after_s| Refusal::TooManyRequests {
            limit: RateLimit::Issuer { iss: iss.to_owned(), per_second: per_second.get() },
            retry_after_s,
        })
    }
}

impl Buckets {
    fn sweep(&mut self, now: Instant) {
        if self.by_issuer.len() < self.sweep_at.max(SWEEP_LEAST) {
            return;
        }
        self.by_issuer.retain(|_, bucket| {
            bucket.fill(bucket.per_second, now);
            bucket.level < bucket.most()
        });
        self.sweep_at = self.by_issuer.len().saturating_mul(2);
    }
}

impl Bucket {
    fn full(per_second: NonZeroU64, now: Instant) -> Self {
        let mut bucket = Self { level: 0, filled: now, per_second };
        bucket.level = bucket.most();
        bucket
    }

    fn most(&self) -> u128 {
        u128::from(self.per_second.get()) * PER_TOKEN
    }

    fn fill(&mut self, per_second: NonZeroU64, now: Instant) {
        self.per_second = per_second;
        let elapsed_ns = now.saturating_duration_since(self.filled).as_nanos();
        let added = elapsed_ns.saturating_mul(u128::from(per_second.get()));
        self.level = self.level.saturating_add(added).min(self.most());
        self.filled = self.filled.max(now);
    }

    /// Takes a token, or says in how many seconds there will be one, rounded up.
    fn take(&mut self) -> Result<(), u32> {
        if let Some(left) = self.level.checked_sub(PER_TOKEN) {
            self.level = left;
            return Ok(());
        }
        let lacking_ns = (PER_TOKEN - self.level).div_ceil(u128::from(self.per_second.get()));
        Err(u32::try_from(lacking_ns.div_ceil(PER_TOKEN)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rate(per_second: u64) -> NonZeroU64 {
        NonZeroU64::new(per_second).unwrap()
    }

    fn taken(rates: &Rates, iss: &str, per_second: u64, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| rates.take(iss, rate(per_second), now).is_ok()).count()
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
    fn one_issuers_rate_is_not_anothers() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", 2, now, 5), 2);
        assert_eq!(taken(&rates, "b", 2, now, 5), 2);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.take("a", rate(1), now).unwrap();
        let refusal = rates.take("a", rate(1), now).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::TooManyRequests {
                limit: RateLimit::Issuer { iss: "a".to_owned(), per_second: 1 },
                retry_after_s: 1
            }
        );
        rates.take("a", rate(1), now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_lower_rate_counts_at_once() {
        let (rates, now) = (Rates::default(), Instant::now());
        rates.take("a", rate(100), now).unwrap();
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
    fn full_buckets_are_swept() {
        let (rates, now) = (Rates::default(), Instant::now());
        for number in 0..SWEEP_LEAST {
            rates.take(&format!("iss-{number}"), rate(1), now).unwrap();
        }
        rates.take("late", rate(1), now + Duration::from_secs(2)).unwrap();
        assert_eq!(rates.buckets.lock().unwrap().by_issuer.len(), 1);
    }

    #[test]
    fn the_greatest_rate_does_not_overflow() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(taken(&rates, "a", u64::MAX, now, 1000), 1000);
        assert_eq!(taken(&rates, "a", u64::MAX, now + Duration::from_secs(1 << 40), 1000), 1000);
    }
}
