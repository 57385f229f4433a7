//! How much those who connect from a network may have in a time: buckets of tokens, in bounded memory.
//!
//! Trust: addresses are cheap, those of IPv6 most of all. The table has a bound, and counts networks where there are many addresses to one owner.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::time::Instant;

use lru::LruCache;

/// Networks remembered: whoever was away longest is forgotten first, with a full budget.
const NETWORKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// The buckets of all networks.
#[derive(Debug)]
pub struct Buckets {
    per_second: f64,
    most: f64,
    /// Leading bits of an IPv6 address that make its network.
    v6_bits: u32,
    by_network: LruCache<IpAddr, Bucket>,
}

/// Tokens, which come back with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Gives each network `most` at once, and so many each second.
    #[must_use]
    pub fn new(per_second: f64, most: f64, v6_bits: u32) -> Self {
        Self { per_second, most, v6_bits, by_network: LruCache::new(NETWORKS) }
    }

    /// Takes one, or says that there is none.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> bool {
        let is_left = self.is_left(address, now);
        if is_left {
            self.bucket(address, now).tokens -= 1.0;
        }
        is_left
    }

    /// Whether there is one.
    pub fn is_left(&mut self, address: IpAddr, now: Instant) -> bool {
        self.bucket(address, now).tokens >= 1.0
    }

    /// Takes one whether there is one or not: a debt, which is at most what there is at once.
    pub fn charge(&mut self, address: IpAddr, now: Instant) {
        let most = self.most;
        let bucket = self.bucket(address, now);
        bucket.tokens = (bucket.tokens - 1.0).max(-most);
    }

    /// Finds a network's bucket, filled up to now.
    fn bucket(&mut self, address: IpAddr, now: Instant) -> &mut Bucket {
        let (per_second, most) = (self.per_second, self.most);
        let network = network(address, self.v6_bits);
        let bucket = self.by_network.get_or_insert_mut(network, || Bucket { tokens: most, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * per_second).min(most);
        bucket.at = bucket.at.max(now);
        bucket
    }
}

/// Whoever has an IPv6 address has a whole network of them.
fn network(address: IpAddr, v6_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let rest = u128::MAX.checked_shr(v6_bits).unwrap_or_default();
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !rest))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn one_network_shares_a_budget_and_others_have_their_own() {
        let (mut buckets, now) = (Buckets::new(1.0, 2.0, 64), Instant::now());
        assert!(buckets.take(ip("2001:db8::1"), now) && buckets.take(ip("2001:db8::2"), now));
        assert!(!buckets.take(ip("2001:db8::3"), now));
        assert!(buckets.take(ip("2001:db8:0:1::1"), now));
        assert!(buckets.take(ip("192.0.2.1"), now) && buckets.take(ip("::ffff:192.0.2.1"), now));
        assert!(!buckets.take(ip("192.0.2.1"), now), "the same address, however it is written");
        assert_eq!(network(ip("2001:db8:1:2::3"), 48), ip("2001:db8:1::"));
        assert_eq!(network(ip("2001:db8:1:2::3"), 128), ip("2001:db8:1:2::3"));
    }

    #[test]
    fn a_budget_comes_back_with_time_and_never_grows_beyond_its_bound() {
        let (mut buckets, start, own) = (Buckets::new(10.0, 20.0, 64), Instant::now(), ip("192.0.2.1"));
        let taken = |buckets: &mut Buckets, at| (0..100).filter(|_| buckets.take(own, at)).count();
        assert_eq!(taken(&mut buckets, start), 20);
        assert_eq!(taken(&mut buckets, start + Duration::from_millis(150)), 1);
        assert_eq!(taken(&mut buckets, start + Duration::from_millis(160)), 0);
        assert_eq!(taken(&mut buckets, start + Duration::from_secs(1000)), 20);
        assert_eq!(taken(&mut buckets, start), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn a_debt_is_bounded_and_paid_off_first() {
        let (mut buckets, start, own) = (Buckets::new(1.0, 3.0, 64), Instant::now(), ip("192.0.2.1"));
        (0..100).for_each(|_| buckets.charge(own, start));
        assert!(!buckets.is_left(own, start + Duration::from_millis(3_900)));
        assert!(buckets.is_left(own, start + Duration::from_millis(4_001)));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut buckets, now) = (Buckets::new(1.0, 1.0, 64), Instant::now());
        for number in 0..40_000_u32 {
            assert!(buckets.take(IpAddr::V4(number.into()), now));
        }
        assert_eq!(buckets.by_network.len(), NETWORKS.get());
    }
}
