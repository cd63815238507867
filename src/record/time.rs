//! Moments as the log writes them: RFC 3339, UTC, six digits and `Z`, or nine where six would lose something.
//!
//! Written and read by hand, because every record holds at least one. Years are kept within four digits.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use std::ops::Range;

const TEMPLATE: [u8; 30] = *b"0000-00-00T00:00:00.000000000Z";
const MICROS_LEN: usize = 27;

/// A written moment.
struct Written {
    text: [u8; 30],
    len: usize,
}

impl Written {
    fn new(moment: DateTime<Utc>, micros: bool) -> Self {
        let nanos = moment.nanosecond().min(999_999_999);
        let mut text = TEMPLATE;
        let year = moment.year().clamp(0, 9999).unsigned_abs();
        for (place, value) in [
            (0..4, year),
            (5..7, moment.month()),
            (8..10, moment.day()),
            (11..13, moment.hour()),
            (14..16, moment.minute()),
            (17..19, moment.second()),
            (20..29, nanos),
        ] {
            put_digits(&mut text, place, value);
        }
        if !micros {
            return Self { text, len: text.len() };
        }
        if let Some(seventh) = text.get_mut(MICROS_LEN - 1) {
            *seventh = b'Z';
        }
        Self { text, len: MICROS_LEN }
    }

    fn bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

fn put_digits(text: &mut [u8; 30], place: Range<usize>, mut value: u32) {
    for byte in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
        *byte = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
}

/// Appends a moment with six digits, whatever it holds beyond them.
pub(super) fn push_micros(moment: DateTime<Utc>, out: &mut Vec<u8>) {
    out.extend_from_slice(Written::new(moment, true).bytes());
}

/// Reads a moment with six or nine digits.
pub(super) fn parse(text: &[u8]) -> Option<DateTime<Utc>> {
    let punctuation =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (text.len().saturating_sub(1), b'Z')];
    let shape = matches!(text.len(), 27 | 30) && punctuation.iter().all(|(at, byte)| text.get(*at) == Some(byte));
    if !shape {
        return None;
    }
    let number = |place: Range<usize>| digits(text.get(place)?);
    let fraction = number(20..text.len() - 1)?;
    let nanos = if text.len() == MICROS_LEN { fraction * 1000 } else { fraction };
    let date = NaiveDate::from_ymd_opt(number(0..4)?.cast_signed(), number(5..7)?, number(8..10)?)?;
    Some(date.and_hms_nano_opt(number(11..13)?, number(14..16)?, number(17..19)?, nanos)?.and_utc())
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

/// For `#[serde(with = "time::optional")]`: nine digits only where six would lose something, because a start time is
/// part of an episode's identity.
pub(super) mod optional {
    use super::*;
    use serde::Deserialize;
    use std::borrow::Cow;

    pub(in crate::record) fn serialize<S: Serializer>(
        moment: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Some(moment) = moment else { return serializer.serialize_none() };
        let written = Written::new(*moment, moment.nanosecond() % 1000 == 0);
        serializer.serialize_str(str::from_utf8(written.bytes()).unwrap_or_default())
    }

    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        let Some(Text(text)) = Option::<Text<'de>>::deserialize(deserializer)? else { return Ok(None) };
        parse(text.as_bytes()).map(Some).ok_or_else(|| de::Error::custom(format_args!("{text:?} is not a moment")))
    }
}

/// For `#[serde(with = "time::exact")]`: as [`optional`], and always there.
pub(super) mod exact {
    use super::*;

    pub(in crate::record) fn serialize<S: Serializer>(
        moment: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        optional::serialize(&Some(*moment), serializer)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        optional::deserialize(deserializer)?.ok_or_else(|| de::Error::custom("a moment is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(moment: &str, micros: bool) -> String {
        let moment = DateTime::parse_from_rfc3339(moment).unwrap().to_utc();
        String::from_utf8(Written::new(moment, micros).bytes().to_vec()).unwrap()
    }

    #[test]
    fn moments_are_written_in_one_shape_and_read_back() {
        for (moment, micros, want) in [
            ("2026-01-05T10:00:07.1219Z", true, "2026-01-05T10:00:07.121900Z"),
            ("2026-01-05T12:00:07+02:00", true, "2026-01-05T10:00:07.000000Z"),
            ("2026-01-05T08:00:00.474728664Z", true, "2026-01-05T08:00:00.474728Z"),
            ("2026-01-05T08:00:00.474728664Z", false, "2026-01-05T08:00:00.474728664Z"),
            ("0001-01-01T00:00:00Z", false, "0001-01-01T00:00:00.000000000Z"),
        ] {
            let text = written(moment, micros);
            assert_eq!(text, want);
            assert_eq!(parse(text.as_bytes()).unwrap(), DateTime::parse_from_rfc3339(want).unwrap());
        }
    }

    #[test]
    fn other_shapes_are_not_moments() {
        for text in [
            "",
            "Z",
            "2026-01-05T10:00:07Z",
            "2026-01-05T10:00:07.12190Z",
            "2026-01-05 10:00:07.121900Z",
            "2026-13-05T10:00:07.121900Z",
            "2026-01-05T10:00:07.121900+",
            "2026-01-05T10:00:07.1219x0Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
