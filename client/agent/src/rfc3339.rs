//! Times as RFC 3339 writes them.

use jiff::Timestamp;

/// The year 2200: no clock is wrong by that much and still believed.
const MAX_MS: i64 = 7_258_118_400_000;

/// Gives the POSIX milliseconds of a time between 1970 and 2200; none of anything else.
#[must_use]
pub fn milliseconds(text: &str) -> Option<u64> {
    // jiff reads more than RFC 3339 has: dates without dashes, names of time zones in brackets.
    let dashed = text.as_bytes().get(4) == Some(&b'-') && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    let time =
        text.parse::<Timestamp>().ok().filter(|time| dashed && !text.contains('[') && *time >= Timestamp::UNIX_EPOCH);
    let milliseconds = time.map(Timestamp::as_millisecond).filter(|milliseconds| *milliseconds < MAX_MS)?;
    u64::try_from(milliseconds).ok()
}

/// Gives the POSIX milliseconds of POSIX seconds between 1970 and 2200; none of others.
#[must_use]
pub fn of_seconds(seconds: u64) -> Option<u64> {
    seconds.checked_mul(1000).filter(|milliseconds| *milliseconds < MAX_MS.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_nothing_else_is() {
        let read = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-22T04:07:14.513343963Z", Some(1_795_320_434_513)),
            ("2026-11-22T05:07:14.5+01:00", Some(1_795_320_434_500)),
            ("2199-12-31T23:59:59Z", Some(7_258_118_399_000)),
            ("2200-01-01T00:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("20261122T040714Z", None),
            ("2026-11-22 04:07:14Z", None),
            ("2026-11-22T04:07:14+01:00[Europe/Paris]", None),
            ("2026-11-22T04:07:14", None),
            ("", None),
        ];
        for (text, expected) in read {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
        assert_eq!(
            (of_seconds(1_795_324_039), of_seconds(7_258_118_400), of_seconds(u64::MAX)),
            (Some(1_795_324_039_000), None, None)
        );
    }
}
