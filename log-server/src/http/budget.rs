//! How many requests an address may make.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use govlog_daemon::access::is_loopback;
use govlog_daemon::budget::Buckets;

use crate::refusal::{RateLimit, Refusal};

/// Requests per second of an address that is not this machine's, when the configuration does not say.
const DEFAULT_RATE: f64 = 200.0;
/// Who has an IPv6 address has a network of 2⁶⁴ of them.
const V6_BITS: u32 = 64;

/// The budgets of all addresses.
#[derive(Debug)]
pub(super) struct Budgets {
    /// For every address; without one the default, for others than this machine's.
    configured: Option<NonZeroU32>,
    /// Two seconds' worth at once.
    buckets: Mutex<Buckets>,
}

impl Budgets {
    pub(super) fn new(configured: Option<NonZeroU32>) -> Self {
        let per_second = configured.map_or(DEFAULT_RATE, |rate| f64::from(rate.get()));
        Self { configured, buckets: Mutex::new(Buckets::new(per_second, per_second * 2.0, V6_BITS)) }
    }

    /// Takes one request of an address.
    ///
    /// "Address budgets (429) are off on loopback unless configured." (exact.md §4)
    ///
    /// # Errors
    /// When it has used up its budget.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        if self.configured.is_none() && is_loopback(address) {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.take(address, Instant::now()) {
            return Ok(());
        }
        drop(buckets);
        let limit = RateLimit::Address { per_second: self.configured.map_or(DEFAULT_WHOLE, |rate| rate.get().into()) };
        Err(Refusal::TooManyRequests { limit, retry_after_s: 1 })
    }
}

/// [`DEFAULT_RATE`], for messages.
const DEFAULT_WHOLE: u64 = 200;

#[cfg(test)]
mod tests {
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
}
