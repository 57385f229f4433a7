//! Which requests had a decision of late, so that whoever waits for one need not ask for all of them again and again.
//!
//! In memory alone, and of the last ones alone: who missed some, or begins anew, asks for all.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use govlog_formats::digest::Digest;

/// The beginning of the digest of a request's id. Two requests may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestName(u64);

/// Which requests had a decision since somebody last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// These; `None`: more than are known any more.
    pub requests: Option<Vec<RequestName>>,
    /// What to ask with the next time.
    pub so_far: u64,
}

impl RequestName {
    /// Names a request.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let digest = Digest::sha256(id.as_bytes());
        Self(digest.as_bytes().iter().take(8).fold(0, |name, byte| (name << 8) | u64::from(*byte)))
    }
}

/// The last requests that had a decision.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many there were, ever.
    so_far: u64,
    last: VecDeque<RequestName>,
}

impl Lately {
    /// Notes requests whose decisions can be found from now on.
    pub(super) fn note<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut state = self.state();
        for id in ids {
            if state.last.len() == MOST {
                state.last.pop_front();
            }
            state.last.push_back(RequestName::of(id));
            state.so_far += 1;
        }
    }

    pub(super) fn since(&self, so_far: u64) -> Joined {
        let state = self.state();
        let missed = usize::try_from(state.so_far.saturating_sub(so_far)).unwrap_or(usize::MAX);
        let known = state.last.len().checked_sub(missed);
        let requests = known.map(|known| state.last.range(known..).copied().collect());
        Joined { requests, so_far: state.so_far }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Should one be missing, somebody waits for its decision a little longer.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Far more than come between two looks. In tests few.
const MOST: usize = if cfg!(test) { 64 } else { 65_536 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_to_whoever_asks_in_time_and_who_does_not_is_told_that() {
        let lately = Lately::default();
        assert_eq!(lately.since(0), Joined { requests: Some(Vec::new()), so_far: 0 });
        lately.note(["a", "b"].into_iter());
        let names = ["a", "b", "c"].map(RequestName::of);
        assert_eq!(lately.since(0), Joined { requests: Some(names[..2].to_vec()), so_far: 2 });
        lately.note(["c"].into_iter());
        assert_eq!(lately.since(2), Joined { requests: Some(names[2..].to_vec()), so_far: 3 });
        let others: Vec<String> = (0..MOST).map(|number| number.to_string()).collect();
        lately.note(others.iter().map(String::as_str));
        assert_eq!(lately.since(3).requests.map(|names| names.len()), Some(MOST));
        assert_eq!(lately.since(2), Joined { requests: None, so_far: 3 + MOST as u64 });
        assert!(lately.state().last.len() <= MOST);
    }
}
