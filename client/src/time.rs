//! Times for people to read.

/// Writes POSIX seconds as UTC, such as `2026-11-22T04:07:35Z`.
#[must_use]
pub fn utc(time_s: u64) -> String {
    i64::try_from(time_s)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| format!("{time_s} s after 1970, beyond the calendar"), |time| time.to_string())
}

/// Writes how long before `now_s` a time lies, such as `12 s`, `3 h 5 min` or `2 days`.
#[must_use]
pub fn age(time_s: u64, now_s: u64) -> String {
    let Some(seconds) = now_s.checked_sub(time_s) else {
        return format!("{} s ahead of this machine's clock", time_s.saturating_sub(now_s));
    };
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Reads this machine's clock, POSIX seconds.
#[must_use]
pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_as_the_calendar_has_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_795_320_442), "2026-11-22T04:07:22Z");
        assert!(utc(u64::MAX).contains("beyond the calendar"));
    }

    #[test]
    fn writes_ages_in_the_unit_that_fits() {
        assert_eq!(age(100, 112), "12 s");
        assert_eq!(age(0, 3_600), "60 min");
        assert_eq!(age(0, 11_100), "3 h 5 min");
        assert_eq!(age(0, 200_000), "2 days");
        assert_eq!(age(112, 100), "12 s ahead of this machine's clock");
    }
}
