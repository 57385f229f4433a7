//! When a witness that failed is asked again.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest pause while the log waits for witnesses to confirm its head: "retried every second" (DESIGN §7.4).
const LONGEST_UNCONFIRMED: Duration = Duration::from_secs(1);
/// The longest pause that a witness may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// Growing pauses with jitter, so that many logs do not return to a witness in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Forgets all failures.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Notes a failure; `asked`: the pause the witness asked for.
    pub(super) fn failed(&mut self, asked: Option<Duration>, unconfirmed: bool, now: Instant) {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let longest = if unconfirmed { LONGEST_UNCONFIRMED } else { LONGEST };
        let pause = jittered(doubled.min(longest), random());
        let asked = if unconfirmed { None } else { asked };
        self.until = Some(now + pause.max(asked.unwrap_or_default().min(LONGEST_ASKED)));
    }

    /// Returns when the witness may be asked again, unless that is now.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

/// Takes away up to a quarter.
fn jittered(pause: Duration, random: u8) -> Duration {
    pause - (pause / 4) * u32::from(random) / 256
}

fn random() -> u8 {
    let mut byte = [0];
    // Without randomness the pause is merely not jittered.
    match getrandom::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_takes_a_quarter_at_most() {
        let pause = Duration::from_secs(4);
        assert_eq!(jittered(pause, 0), pause);
        assert!(jittered(pause, 255) > Duration::from_secs(3));
        assert!(jittered(pause, 255) < jittered(pause, 1));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_a_success_ends_them() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.until(now), None);
        backoff.failed(None, false, now);
        assert!(backoff.until(now).unwrap() <= now + FIRST);
        for _ in 0..40 {
            backoff.failed(None, false, now);
        }
        let pause = backoff.until(now).unwrap() - now;
        assert!(pause > LONGEST * 3 / 4 - Duration::from_millis(1) && pause <= LONGEST, "{pause:?}");
        assert_eq!(backoff.until(now + LONGEST), None);
        backoff.succeeded();
        assert_eq!(backoff.until(now), None);
    }

    #[test]
    fn a_witness_may_ask_for_more_but_not_for_ever_and_not_at_a_start() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        backoff.failed(Some(Duration::from_secs(20)), false, now);
        assert_eq!(backoff.until(now).unwrap() - now, Duration::from_secs(20));
        backoff.failed(Some(Duration::from_secs(20_000)), false, now);
        assert_eq!(backoff.until(now).unwrap() - now, LONGEST_ASKED);
        for _ in 0..40 {
            backoff.failed(Some(Duration::from_secs(20)), true, now);
        }
        assert!(backoff.until(now).unwrap() - now <= LONGEST_UNCONFIRMED);
    }
}
