//! Durations in Prometheus' grammar: `30s`, `5m`, `1h30m`.
//!
//! Whole numbers with a unit each, from the largest unit to the smallest, each unit once; `0` alone needs no unit. More
//! lenient forms (`90`, `1.5h`, `5 minutes`, `1M`) are refused with the form to write instead: a limit that is read
//! other than it was meant is worse than none. Read [`parse_duration`] first.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// The units from large to small, in milliseconds. A year has 365 days, as in Prometheus.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration Prometheus can hold: 2^63 - 1 nanoseconds, some 292 years.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadDuration {
    /// What is wrong and what would be right.
    pub message: String,
}

/// Reads a duration such as `1h30m`.
///
/// # Errors
/// [`BadDuration`] with what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parts = split(text).ok_or_else(|| refuse(text))?;
    let mut smaller = UNITS.iter();
    let mut millis: u64 = 0;
    for (digits, unit) in parts {
        // Only the units below the last one are left in the iterator: each stands once, in order.
        let (_, size) = smaller.find(|(name, _)| *name == unit).ok_or_else(|| refuse(text))?;
        millis = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*size))
            .and_then(|part| millis.checked_add(part))
            .filter(|millis| *millis <= MAX_MILLIS)
            .ok_or_else(|| BadDuration { message: format!("the duration `{text}` is out of range: at most 292y") })?;
    }
    Ok(Duration::from_millis(millis))
}

/// Prints a duration in the same grammar, to the millisecond below.
///
/// Years and weeks are used only where nothing remains, because `90d` is easier to read than `12w6d`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        let size = u128::from(size);
        let only_whole = matches!(unit, "y" | "w");
        if left < size || (only_whole && !left.is_multiple_of(size)) {
            continue;
        }
        text.push_str(&format!("{}{unit}", left / size));
        left %= size;
    }
    text
}

/// Splits `1h30m` into `("1", "h"), ("30", "m")`; `None` if the text is not a row of digits and letters.
fn split(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut rest = text;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (digits, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, after) =
            after.split_at_checked(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()))?;
        if digits.is_empty() || unit.is_empty() {
            return None;
        }
        parts.push((digits, unit));
        rest = after;
    }
    (!parts.is_empty()).then_some(parts)
}

/// Says why a text is not a duration, by the mistake it looks like.
fn refuse(text: &str) -> BadDuration {
    let trimmed = text.trim();
    let lower = trimmed.to_ascii_lowercase();
    let squeezed: String = lower.split_whitespace().collect();
    let hint = if trimmed.is_empty() {
        "write for example `30s`, `5m` or `1h30m`".to_owned()
    } else if trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("it has no unit, did you mean `{trimmed}s`?")
    } else if trimmed.starts_with(['-', '+']) {
        "a duration has no sign".to_owned()
    } else if trimmed.contains(['.', ',']) {
        "only whole numbers are allowed, write `1h30m` for one and a half hours".to_owned()
    } else if let Some(meant) = spelled_out(&lower) {
        format!("did you mean `{meant}`?")
    } else if is_in_form(&squeezed) {
        format!("did you mean `{squeezed}`?")
    } else if split(trimmed).is_some_and(|parts| parts.iter().all(|(_, unit)| is_unit(unit))) {
        "units go from large to small, each once, as in `1h30m`".to_owned()
    } else {
        "the units are y, w, d, h, m, s and ms, as in `1h30m`".to_owned()
    };
    BadDuration { message: format!("`{text}` is not a duration: {hint}") }
}

/// Whether the units are known and in order, whatever the numbers.
fn is_in_form(text: &str) -> bool {
    let mut smaller = UNITS.iter();
    split(text).is_some_and(|parts| parts.iter().all(|(_, unit)| smaller.any(|(name, _)| name == unit)))
}

fn is_unit(unit: &str) -> bool {
    UNITS.iter().any(|(name, _)| *name == unit)
}

/// Turns `5 minutes` or `2hours` into `5m` or `2h`: one number and one word.
fn spelled_out(lower: &str) -> Option<String> {
    let (digits, word) = lower.split_at_checked(lower.find(|c: char| !c.is_ascii_digit())?)?;
    let unit = match word.trim() {
        "year" | "years" | "yr" | "yrs" => "y",
        "week" | "weeks" => "w",
        "day" | "days" => "d",
        "hour" | "hours" | "hr" | "hrs" => "h",
        "minute" | "minutes" | "min" | "mins" => "m",
        "second" | "seconds" | "sec" | "secs" => "s",
        "millisecond" | "milliseconds" | "msec" | "msecs" | "millis" => "ms",
        _ => return None,
    };
    (!digits.is_empty()).then(|| format!("{digits}{unit}"))
}

/// A moment as people write it: `2026-01-05T10:00:00Z` (RFC 3339), or a duration before `now`.
///
/// # Errors
/// What it is not.
pub fn time_or_age(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let bad = || format!("{text:?} is neither a time like 2026-01-05T10:00:00Z nor a duration like 24h");
    let age = parse_duration(text).map_err(|why| format!("{}: {why}", bad()))?;
    TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prometheus_durations_are_read_as_prometheus_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("0ms", 0),
            ("1ms", 1),
            ("30s", 30_000),
            ("90s", 90_000),
            ("5m", 300_000),
            ("05m", 300_000),
            ("1h30m", 5_400_000),
            ("1h0m0s", 3_600_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1y", 31_536_000_000),
            ("1y2w3d4h5m6s7ms", 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000 + 14_706_007),
            ("1m500ms", 60_500),
            ("9223372036854ms", 9_223_372_036_854),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_the_form_to_write() {
        for (text, hint) in [
            ("", "write for example `30s`"),
            ("  ", "write for example `30s`"),
            ("90", "did you mean `90s`?"),
            ("00", "did you mean `00s`?"),
            (" 90 ", "did you mean `90s`?"),
            ("-5m", "has no sign"),
            ("+5m", "has no sign"),
            ("1.5h", "whole numbers"),
            ("1,5h", "whole numbers"),
            ("5 minutes", "did you mean `5m`?"),
            ("5minutes", "did you mean `5m`?"),
            ("2 hours", "did you mean `2h`?"),
            ("10 s", "did you mean `10s`?"),
            ("3min", "did you mean `3m`?"),
            ("1M", "did you mean `1m`?"),
            ("1H30M", "did you mean `1h30m`?"),
            ("30m1h", "from large to small"),
            ("1m1m", "from large to small"),
            ("1ms1s", "from large to small"),
            ("5us", "the units are"),
            ("5µs", "the units are"),
            ("1month", "the units are"),
            ("h", "the units are"),
            ("5", "did you mean `5s`?"),
            ("5m30", "the units are"),
            ("forever", "the units are"),
            ("1h 30m", "did you mean `1h30m`?"),
            (" 5m", "did you mean `5m`?"),
            ("٣s", "the units are"),
            ("293y", "out of range"),
            ("9223372036855ms", "out of range"),
            ("18446744073709551616s", "out of range"),
            ("99999999999999999999999999y", "out of range"),
        ] {
            let refused = parse_duration(text).expect_err(text).message;
            assert!(refused.contains(hint), "{text:?} gives {refused:?}, not {hint:?}");
        }
    }

    #[test]
    fn durations_are_printed_as_prometheus_prints_them() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1000, "1s"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (604_800_000, "1w"),
            (90 * 86_400_000, "90d"),
            (365 * 86_400_000, "1y"),
            (366 * 86_400_000, "366d"),
            (365 * 86_400_000 + 604_800_000, "372d"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(format_duration(Duration::from_nanos(1_999_999)), "1ms", "below a millisecond is cut");
        assert!(format_duration(Duration::MAX).ends_with("999ms"), "no duration is too long");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(millis in 0..=MAX_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn no_row_of_numbers_and_letters_makes_it_panic(text in "([0-9]{1,3}[a-zA-Zµ .]{1,3}){1,4}") {
            let _ = parse_duration(&text);
        }
    }
}
