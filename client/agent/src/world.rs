//! What an agent takes from the machine it runs on: the time, and randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Clock and randomness, given from outside so that tests can set both.
pub trait World: Send + Sync {
    /// The time, POSIX milliseconds.
    fn now_ms(&self) -> u64;

    /// 32 bytes that nobody can guess; `None` when the system has none to give.
    fn random(&self) -> Option<[u8; 32]>;
}

/// The machine's own.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl World for Machine {
    fn now_ms(&self) -> u64 {
        millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn random(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok().map(|()| bytes)
    }
}

/// A time span in milliseconds; more than there are numbers for is the most.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
