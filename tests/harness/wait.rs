//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long anything that is sure to happen may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none before the deadline; the message names what was waited for.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    within(limit, look).unwrap_or_else(|| panic!("waited {limit:?} for {what}"))
}

/// Asks again and again until there is an answer or the deadline passes.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Between two looks; not a time that anything depends on.
const BETWEEN_LOOKS: Duration = Duration::from_millis(4);
