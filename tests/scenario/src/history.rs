//! Long histories: days in a row, made one at a time, so that only as many are in memory as are worked on.

use super::{Plan, Scenario};

/// The days of an organisation.
#[derive(Clone, Debug)]
pub struct History {
    seed: u64,
    origin: String,
    entries: usize,
    stolen: usize,
    end_ms: u64,
    days: u64,
}

/// How many entries a day has, about.
const OF_A_DAY: usize = 5_000;
/// On how many days the stolen credential is used at most: its matter holds what these days rest on, and should still fit a file.
const USED_ON: u64 = 20;
const DAY_MS: u64 = 86_400_000;

impl History {
    /// A history of so many entries that ends at this time; the stolen credential is used so many times in it.
    #[must_use]
    pub fn new(seed: u64, origin: &str, entries: usize, stolen: usize, end_ms: u64) -> Self {
        let days = u64::try_from(entries.div_ceil(OF_A_DAY)).unwrap().max(2);
        Self { seed, origin: origin.to_owned(), entries, stolen, end_ms, days }
    }

    /// How many days there are.
    #[must_use]
    pub fn days(&self) -> u64 {
        self.days
    }

    /// Makes a day, the first of which is 0.
    #[must_use]
    pub fn day(&self, day: u64) -> Scenario {
        Scenario::of(Plan {
            seed: self.seed,
            origin: self.origin.clone(),
            start_ms: self.end_ms - (self.days - day) * DAY_MS,
            size: share(self.entries, self.days, day),
            day,
            days: self.days,
            stolen: self.uses(day),
        })
    }

    /// How often the stolen credential is used on a day: on some days, evenly among all.
    fn uses(&self, day: u64) -> usize {
        let used_on = USED_ON.min(self.days);
        let number = (0..used_on).find(|number| number * self.days / used_on == day);
        number.map_or(0, |number| share(self.stolen, used_on, number))
    }
}

/// What falls to one of several parts.
fn share(of: usize, parts: u64, number: u64) -> usize {
    let at = |number: u64| usize::try_from(of as u64 * number / parts).unwrap();
    at(number + 1) - at(number)
}
