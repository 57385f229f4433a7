//! How long to wait before something is tried again.

use std::time::Duration;

/// Doubles from try to try, with jitter, so that many agents do not come back at one instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    /// Makes one that waits no longer than `most`.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, tries: 0 }
    }

    /// Begins anew: it went well.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Gives the next wait: between a half and the whole of what has doubled so far. `at_least`: what the other side asked for; `random`: any
    /// byte.
    pub fn next(&mut self, at_least: Option<Duration>, random: u8) -> Duration {
        let whole = self.least.saturating_mul(2_u32.saturating_pow(self.tries)).min(self.most);
        self.tries = self.tries.saturating_add(1);
        let jittered = whole / 2 + whole / 2 * u32::from(random) / 255;
        // What the other side asks for is bounded too: it may ask for anything.
        jittered.max(at_least.unwrap_or_default().min(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_bound_with_jitter_and_begins_anew() {
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(least, most);
        let whole: Vec<u128> = (0..6).map(|_| backoff.next(None, 255).as_millis()).collect();
        assert_eq!(whole, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.next(None, 0), most / 2);
        backoff.reset();
        assert_eq!(backoff.next(None, 0), least / 2);
        assert_eq!(backoff.next(Some(Duration::from_millis(700)), 0).as_millis(), 700);
        assert_eq!(backoff.next(Some(Duration::MAX), 0), most);
        for _ in 0..100 {
            assert!(backoff.next(None, 255) <= most);
        }
    }
}
