//! How many requests an address may make.
//!
//! Trust: addresses are cheap, those of IPv6 most of all. The table has a bound, and counts networks of 64 bits.

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use govlog_daemon::access::is_loopback;
use lru::LruCache;

use crate::refusal::{RateLimit, Refusal};

/// Requests per second of an address that is not this machine's, when the configuration does not say.
const DEFAULT_RATE: f64 = 200.0;
/// Addresses remembered: whoever was away longest is forgotten first, with a full budget.
const ADDRESSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// The budgets of all addresses.
#[derive(Debug)]
pub(super) struct Budgets {
    /// For every address; without one the default, for others than this machine's.
    configured: Option<NonZeroU32>,
    buckets: Mutex<LruCache<IpAddr, Bucket>>,
}

/// Tokens, which come back with time; two seconds' worth at most.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Budgets {
    pub(super) fn new(configured: Option<NonZeroU32>) -> Self {
        Self { configured, buckets: Mutex::new(LruCache::new(ADDRESSES)) }
    }

    /// Takes one request of an address.
    ///
    /// "Address budgets (429) are off on loopback unless configured." (exact.md §4)
    ///
    /// # Errors
    /// When it has used up its budget.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        let per_second = match self.configured {
            Some(rate) => f64::from(rate.get()),
            None if is_loopback(address) => return Ok(()),
            None => DEFAULT_RATE,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let bucket = buckets.get_or_insert_mut(network(address), || Bucket { tokens: per_second * 2.0, at: now });
        if bucket.take(per_second, now) {
            return Ok(());
        }
        drop(buckets);
        let limit = RateLimit::Address { per_second: self.configured.map_or(DEFAULT_WHOLE, |rate| rate.get().into()) };
        Err(Refusal::TooManyRequests { limit, retry_after_s: 1 })
    }
}

/// [`DEFAULT_RATE`], for messages.
const DEFAULT_WHOLE: u64 = 200;

impl Bucket {
    fn take(&mut self, per_second: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * per_second).min(per_second * 2.0);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// Whoever has an IPv6 address has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn loopback_has_no_budget_unless_one_is_configured() {
        let free = Budgets::new(None);
        let strict = Budgets::new(NonZeroU32::new(1));
        let own: IpAddr = "127.0.0.1".parse().unwrap();
        for _ in 0..10_000 {
            free.take(Some(own)).unwrap();
        }
        strict.take(Some(own)).unwrap();
        strict.take(Some(own)).unwrap();
        assert!(matches!(strict.take(Some(own)), Err(Refusal::TooManyRequests { retry_after_s: 1, .. })));
    }

    #[test]
    fn one_network_shares_a_budget_and_others_have_their_own() {
        let budgets = Budgets::new(NonZeroU32::new(1));
        let take = |address: &str| budgets.take(Some(address.parse().unwrap()));
        take("2001:db8::1").unwrap();
        take("2001:db8::2").unwrap();
        take("2001:db8::3").unwrap_err();
        take("2001:db8:0:1::1").unwrap();
        take("192.0.2.1").unwrap();
    }

    #[test]
    fn a_budget_comes_back_with_time_and_never_grows_beyond_its_bound() {
        let start = Instant::now();
        let mut bucket = Bucket { tokens: 0.0, at: start };
        assert!(!bucket.take(10.0, start));
        assert!(bucket.take(10.0, start + Duration::from_millis(150)));
        assert!(!bucket.take(10.0, start + Duration::from_millis(160)));
        let later = start + Duration::from_secs(1000);
        assert_eq!((0..100).filter(|_| bucket.take(10.0, later)).count(), 20);
    }
}
