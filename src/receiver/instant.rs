//! RFC 3339 times as senders write them. The usual form (`2026-11-21T09:23:57.557347Z`) is read by hand, because every
//! alert brings two of them; anything else goes to chrono.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// Reads a time. `None` if it is not RFC 3339.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    usual(text.as_bytes()).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
}

/// Go's zero time and anything before it stand for "no time".
pub(super) fn is_zero(time: DateTime<Utc>) -> bool {
    time.year() <= 1
}

/// The form Go writes for UTC: no offset, up to nine digits of fraction. `None` means: ask somebody slower.
fn usual(bytes: &[u8]) -> Option<DateTime<Utc>> {
    let [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = bytes
    else {
        return None;
    };
    let year = i32::try_from(two(*y1, *y2)? * 100 + two(*y3, *y4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, two(*o1, *o2)?, two(*d1, *d2)?)?;
    let nanos = match rest {
        [b'Z'] => 0,
        [b'.', fraction @ .., b'Z'] => nanos(fraction)?,
        _ => return None,
    };
    Some(date.and_hms_nano_opt(two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?, nanos)?.and_utc())
}

fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn nanos(fraction: &[u8]) -> Option<u32> {
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let digits = fraction.iter().try_fold(0, |sum, byte| Some(sum * 10 + digit(*byte)?))?;
    Some((fraction.len()..9).fold(digits, |sum, _place| sum * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_way_and_chrono_agree() {
        for text in [
            "2026-11-21T09:23:57Z",
            "2026-11-21T09:23:57.557347Z",
            "2026-11-21T09:23:57.1Z",
            "2026-11-21T09:23:57.123456789Z",
            "0001-01-01T00:00:00Z",
            "2024-02-29T23:59:59.999999999Z",
        ] {
            let slow = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
            assert_eq!(usual(text.as_bytes()), Some(slow), "{text}");
        }
    }

    #[test]
    fn other_forms_are_read_and_nonsense_is_not() {
        let same = parse("2026-11-21T09:23:57Z").unwrap();
        assert_eq!(parse("2026-11-21T17:23:57+08:00"), Some(same));
        assert_eq!(parse("2026-11-21T09:23:57.000000000001Z"), Some(same));
        for wrong in ["", "now", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-21", "1700000000", "20é6"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn year_one_and_before_are_no_time() {
        assert!(is_zero(parse("0001-01-01T00:00:00Z").unwrap()));
        assert!(!is_zero(parse("1970-01-01T00:00:00Z").unwrap()));
    }
}
