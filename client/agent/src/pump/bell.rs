//! What wakes a station that has nothing to do.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts how often it was rung, so that a ring between a look and a wait is not missed.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    /// Wakes whoever waits.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// How often it was rung.
    pub fn heard(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is rung more often than `heard`, or the time is over.
    pub fn wait(&self, heard: u64, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(rung, time, |rung| *rung == heard));
    }
}
