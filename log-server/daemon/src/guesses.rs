//! How many wrong tokens somebody may try.
//!
//! A wrong token costs its network one of what it has; who has none left is refused before the token is looked at, for else the answer would
//! still tell a right one from a wrong one. Nobody is held to it who is let in without a token, nor who goes on over a connection that has
//! brought a right one: what strangers try from the same network does not cut off those who are at work.
//!
//! Trust: whoever tries tokens chooses networks and connections as it likes. A right token of one role is no leave to try those of others: a wrong one
//! ends what the connection had before.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use lru::LruCache;

use crate::access::{Caller, Denied};
use crate::budget::Buckets;

/// Wrong tokens of a network at once.
const AT_ONCE: f64 = 100.0;
/// Wrong tokens of a network each second after those.
const PER_SECOND: f64 = 1.0;
/// One owner has this much of IPv6 at least.
const V6_BITS: u32 = 48;
/// Connections remembered that have brought a right token. One that is forgotten is as a new one.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// What is remembered of those who have brought tokens.
#[derive(Debug)]
pub struct Guesses(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    networks: Buckets,
    /// By the peer's address and port, which no other connection has as long as it is open.
    proven: LruCache<SocketAddr, ()>,
}

impl Default for Guesses {
    fn default() -> Self {
        let networks = Buckets::new(PER_SECOND, AT_ONCE, V6_BITS);
        Self(Mutex::new(Remembered { networks, proven: LruCache::new(CONNECTIONS) }))
    }
}

impl Guesses {
    /// Lets somebody in or not, as `check` says of what is known of them; `is_known` tells whether a token is anybody's.
    ///
    /// # Errors
    /// As `check`, or [`Denied::Throttled`].
    pub(crate) fn judge(
        &self,
        peer: Option<SocketAddr>,
        caller: &Caller<'_>,
        is_known: impl FnOnce(&str) -> bool,
        check: impl Fn(&Caller<'_>) -> Result<(), Denied>,
    ) -> Result<(), Denied> {
        let Some(token) = caller.bearer else { return check(caller) };
        let without = check(&Caller { bearer: None, ..*caller });
        // Where nothing hangs on the token its bearer learns nothing of it.
        if without != Err(Denied::Unauthenticated) {
            return without;
        }
        let peer = peer.unwrap_or(NOWHERE);
        if !self.may_try(peer) {
            return Err(Denied::Throttled);
        }
        self.note(peer, is_known(token));
        check(caller)
    }

    fn may_try(&self, peer: SocketAddr) -> bool {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.proven.get(&peer).is_some() || remembered.networks.is_left(peer.ip(), Instant::now())
    }

    fn note(&self, peer: SocketAddr, is_right: bool) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_right {
            remembered.proven.put(peer, ());
        } else {
            remembered.proven.pop(&peer);
            remembered.networks.charge(peer.ip(), Instant::now());
        }
    }
}

/// Whoever's address is not known.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, RawAccess};
    use govlog_formats::digest::Digest;

    /// A door with a token for each of two roles; what is asked for is the first one's.
    struct Door {
        guesses: Guesses,
        first: Access,
        second: Access,
    }

    impl Door {
        fn new() -> Self {
            let role = |token: &str, more: &str| {
                let digest = Digest::sha256(token.as_bytes()).to_string();
                Access::parse(Some(RawAccess::Several(vec![digest, more.to_owned()]))).unwrap()
            };
            let (first, second) = (role("first", "spiffe://a.example/one"), role("second", "loopback"));
            Self { guesses: Guesses::default(), first, second }
        }

        fn ask(&self, peer: &str, caller: &Caller<'_>) -> Result<(), Denied> {
            let is_known = |token: &str| self.first.knows_token(token) || self.second.knows_token(token);
            self.guesses.judge(Some(peer.parse().unwrap()), caller, is_known, |caller| self.first.check(caller))
        }

        /// Tries wrong tokens until they are not looked at any more, and says how many were.
        fn flood(&self, peer: impl Fn(usize) -> String) -> usize {
            let wrong = |at: usize| self.ask(&peer(at), &with_token(&format!("wrong {at}")));
            (0..5_000).take_while(|at| wrong(*at) == Err(Denied::Unauthenticated)).count()
        }
    }

    fn with_token(bearer: &str) -> Caller<'_> {
        Caller { bearer: Some(bearer), ..Caller::default() }
    }

    #[test]
    fn wrong_tokens_are_looked_at_a_hundred_times_and_then_not_even_right_ones_are() {
        let door = Door::new();
        let tried = door.flood(|at| format!("192.0.2.7:{}", 1000 + at));
        assert!((100..110).contains(&tried), "{tried}");
        assert_eq!(door.ask("192.0.2.7:9", &with_token("first")), Err(Denied::Throttled), "or it would be told apart");
        // Others are not concerned, nor who needs no token.
        assert_eq!(door.ask("192.0.2.8:9", &with_token("first")), Ok(()));
        let identity = Some("spiffe://a.example/one");
        assert_eq!(door.ask("192.0.2.7:9", &Caller { identity, ..with_token("wrong") }), Ok(()));
        assert_eq!(door.ask("192.0.2.7:9", &Caller::default()), Err(Denied::Unauthenticated));
    }

    #[test]
    fn who_is_at_work_goes_on_while_others_of_its_network_try() {
        let door = Door::new();
        door.ask("192.0.2.7:1", &with_token("first")).unwrap();
        door.flood(|_| "192.0.2.7:2".to_owned());
        for _ in 0..1_000 {
            door.ask("192.0.2.7:1", &with_token("first")).unwrap();
        }
        assert_eq!(door.ask("192.0.2.7:3", &with_token("first")), Err(Denied::Throttled));
        // A wrong one ends that.
        assert_eq!(door.ask("192.0.2.7:1", &with_token("wrong")), Err(Denied::Unauthenticated));
        assert_eq!(door.ask("192.0.2.7:1", &with_token("first")), Err(Denied::Throttled));
    }

    #[test]
    fn another_roles_token_is_no_guess_and_no_leave_to_guess() {
        let door = Door::new();
        for _ in 0..1_000 {
            assert_eq!(door.ask("192.0.2.7:1", &with_token("second")), Err(Denied::Unauthenticated));
        }
        assert_eq!(door.ask("192.0.2.7:1", &with_token("first")), Ok(()));
        // Many connections that are proven are many debts, and not many times a hundred.
        let peers = |at: usize| format!("192.0.2.7:{}", 1000 + at);
        let mut tried = 0;
        for round in 0..10 {
            for at in 0..500 {
                let _proven_if_it_may = door.ask(&peers(at), &with_token("second"));
            }
            tried += (0..500)
                .filter(|at| {
                    door.ask(&peers(*at), &with_token(&format!("{round} {at}"))) == Err(Denied::Unauthenticated)
                })
                .count();
        }
        assert!(tried < 700, "{tried}");
    }

    #[test]
    fn a_site_of_ipv6_is_one_network() {
        let door = Door::new();
        let tried = door.flood(|at| format!("[2001:db8:1:{at:x}::1]:1"));
        assert!((100..110).contains(&tried), "{tried}");
    }
}
