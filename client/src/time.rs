//! Times as people read and write them.

use std::time::Duration;

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

/// Writes how long after `now_s` a time lies, such as `in 30 min`, or how long before.
#[must_use]
pub fn from_now(time_s: u64, now_s: u64) -> String {
    if time_s == now_s {
        "now".to_owned()
    } else if time_s > now_s {
        format!("in {}", age(now_s, time_s))
    } else {
        format!("{} ago", age(time_s, now_s))
    }
}

/// Why a text is no time or no span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// No span.
    #[error("{0:?} is not a span of time: numbers with s, m, h, d or w, such as 30m, 8h, 90d or 1h30m")]
    Span(String),
    /// No time.
    #[error(
        "{0:?} is not a time: now, a span from now such as 8h, 2026-11-28T16:00:00Z, or 2026-11-28 (its beginning in UTC)"
    )]
    Time(String),
}

/// Reads a span such as `30m`, `8h`, `90d` or `1h30m`, longer than nothing.
///
/// # Errors
///
/// The text is another; a bare number too, for it does not say of what.
pub fn span(text: &str) -> Result<Duration, TimeError> {
    let wrong = || TimeError::Span(text.to_owned());
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next().ok_or_else(wrong)?;
        let each: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(each)).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
        rest = after.get(unit.len_utf8()..).unwrap_or_default();
    }
    // A hundred thousand days: beyond any that is meant.
    if seconds == 0 || seconds > 8_640_000_000 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// Reads a time in POSIX milliseconds: `now`, a span from now, a date-time with its offset, or a date, whose beginning in UTC is meant.
///
/// # Errors
///
/// The text is another, or lies before 1970.
pub fn when_ms(text: &str, now_s: u64) -> Result<u64, TimeError> {
    let wrong = || TimeError::Time(text.to_owned());
    if text == "now" {
        return Ok(now_s.saturating_mul(1000));
    }
    if let Ok(span) = span(text) {
        return Ok(now_s.saturating_add(span.as_secs()).saturating_mul(1000));
    }
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            // A date alone: a date-time without its offset means another moment in every place.
            let date = Some(text).filter(|text| text.len() == "2026-11-28".len());
            let date: jiff::civil::Date = date.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
            date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp()
        }
    };
    u64::try_from(at.as_millisecond()).map_err(|_| wrong())
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
    fn reads_spans_that_say_of_what() {
        let seconds = |text| span(text).map(|span| span.as_secs());
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("1h30m"), Ok(5_400));
        assert_eq!(seconds("90d"), Ok(7_776_000));
        assert_eq!(seconds("2w1s"), Ok(1_209_601));
        for text in
            ["", "30", "m", "30 m", "-1h", "1.5h", "30min", "0s", "99999999999999999999d", "9000000000d", "1h30"]
        {
            assert!(span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_times_of_every_form_a_person_has() {
        let now_s = 1_795_320_442;
        assert_eq!(when_ms("now", now_s), Ok(1_795_320_442_000));
        assert_eq!(when_ms("8h", now_s), Ok(1_795_349_242_000));
        assert_eq!(when_ms("2026-11-22T04:07:22Z", now_s), Ok(1_795_320_442_000));
        assert_eq!(when_ms("2026-11-22T05:07:22.5+01:00", now_s), Ok(1_795_320_442_500));
        assert_eq!(when_ms("2026-11-22", now_s), Ok(1_795_305_600_000));
        for text in ["", "tomorrow", "2026-11-22T04:07:22", "2026-13-01", "1969-12-31", "1795320442"] {
            assert!(when_ms(text, now_s).is_err(), "{text:?}");
        }
    }

    #[test]
    fn writes_how_far_off_a_time_is() {
        assert_eq!(from_now(1_900, 100), "in 30 min");
        assert_eq!(from_now(100, 112), "12 s ago");
        assert_eq!(from_now(100, 100), "now");
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
