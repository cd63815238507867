//! The texts of which an interval is made: `monday:friday`, `-7:-1`, `december`, `09:00`.
//!
//! Each is read as Alertmanager reads it, mistakes included: what it refuses is refused, and what it takes means the
//! same. Read [`Range`] and [`TimeRange`] first.

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The shortest month: what never holds even there is a mistake.
const SHORTEST_MONTH: i64 = 28;

/// From the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
}

/// Minutes of a day, the last one not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first minute that belongs to it, from 0.
    pub start: u32,
    /// The first minute that no longer does, at most 1440.
    pub end: u32,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRange {
    /// What is wrong.
    pub message: String,
    /// What to write instead, if there is more to say.
    pub hint: Option<&'static str>,
}

impl BadRange {
    fn new(message: String) -> Self {
        Self { message, hint: None }
    }

    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl Range {
    /// Whether it holds this number.
    #[must_use]
    pub fn contains(self, number: i64) -> bool {
        self.first <= number && number <= self.last
    }

    /// The word for a day of the week, counted from Sunday (0).
    #[must_use]
    pub fn weekday_name(day: i64) -> &'static str {
        usize::try_from(day).ok().and_then(|day| WEEKDAYS.get(day)).copied().unwrap_or_default()
    }

    /// Reads days of the week, counted from Sunday (0): `saturday`, `monday:friday`.
    ///
    /// # Errors
    /// [`BadRange`] for a word that is no weekday and for a range that goes past Saturday.
    pub fn weekdays(text: &str) -> Result<Self, BadRange> {
        let range = parse(text, |word| {
            let hint = "weekdays are written out: sunday, monday, tuesday, …";
            index_of(&WEEKDAYS, word).ok_or_else(|| BadRange::new(format!("`{word}` is not a weekday")).hint(hint))
        })?;
        if range.last < range.first {
            let message = format!("`{text}` ends before it starts: a week starts with sunday");
            return Err(BadRange::new(message).hint("write two entries, such as \"saturday\" and \"sunday:monday\""));
        }
        Ok(range)
    }

    /// Reads days of the month, from 1 or, negative, from the end: `1:7`, `-7:-1`.
    ///
    /// # Errors
    /// [`BadRange`] for a day that no month has, and for a range that is empty in the shortest month.
    pub fn days_of_month(text: &str) -> Result<Self, BadRange> {
        let range = parse(text, |word| number(word, "a day of the month"))?;
        for day in [range.first, range.last] {
            if day == 0 || 31 < day.abs() {
                let message = format!("`{day}` is not a day of the month");
                return Err(BadRange::new(message).hint("days go from 1 to 31, or from -1 (the last one) to -31"));
            }
        }
        if range.first < 0 && 0 < range.last {
            let message = format!("`{text}` starts from the end of the month, so it must end from there too");
            return Err(BadRange::new(message).hint("the last week is \"-7:-1\""));
        }
        let in_shortest = |day: i64| if day < 0 { SHORTEST_MONTH + day } else { day };
        if in_shortest(range.last) < in_shortest(range.first) {
            let message = format!("in a short month `{text}` ends before it starts");
            return Err(BadRange::new(message).hint("Alertmanager refuses this too: it takes 28 days for -28 to -1"));
        }
        Ok(range)
    }

    /// Reads months by name or number: `december`, `1:3`. As in Alertmanager, a number that is no month is taken and
    /// never holds.
    ///
    /// # Errors
    /// [`BadRange`] for another word, and for a range that goes past December.
    pub fn months(text: &str) -> Result<Self, BadRange> {
        let range = parse(text, |word| match index_of(&MONTHS, word) {
            Some(index) => Ok(index + 1),
            None => number(word, "a month"),
        })?;
        if range.last < range.first {
            let message = format!("`{text}` ends before it starts");
            let hint = "write two entries, such as \"november:december\" and \"january\"";
            return Err(BadRange::new(message).hint(hint));
        }
        Ok(range)
    }

    /// Reads years: `2026`, `2026:2028`.
    ///
    /// # Errors
    /// [`BadRange`] for what is no number, and for a range the wrong way round.
    pub fn years(text: &str) -> Result<Self, BadRange> {
        let range = parse(text, |word| number(word, "a year"))?;
        if range.last < range.first {
            return Err(BadRange::new(format!("`{text}` ends before it starts")));
        }
        Ok(range)
    }
}

impl TimeRange {
    /// Reads one time of day as minutes: exactly `HH:MM`, or `24:00` for the end of the day.
    ///
    /// # Errors
    /// [`BadRange`] for any other form.
    pub fn minutes(text: &str) -> Result<u32, BadRange> {
        let bad = || {
            let hint = "write hours and minutes with two digits each, from 00:00 to 24:00, such as \"09:00\"";
            BadRange::new(format!("`{text}` is not a time of day")).hint(hint)
        };
        let two = |digits: &str| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
        match (two(hours), two(minutes)) {
            (Some(24), Some(0)) => Ok(24 * 60),
            (Some(hours), Some(minutes)) if hours < 24 && minutes < 60 => Ok(hours * 60 + minutes),
            (Some(_) | None, _) => Err(bad()),
        }
    }

    /// From one time of day to another.
    ///
    /// # Errors
    /// [`BadRange`] if it would not start before it ends.
    pub fn new(start: u32, end: u32) -> Result<Self, BadRange> {
        if end <= start {
            let message = "the start is not before the end".to_owned();
            let hint = "a range cannot cross midnight: write two, one up to \"24:00\" and one from \"00:00\"";
            return Err(BadRange::new(message).hint(hint));
        }
        Ok(Self { start, end })
    }

    /// Whether it holds this minute of the day.
    #[must_use]
    pub fn contains(self, minute: u32) -> bool {
        self.start <= minute && minute < self.end
    }
}

/// One member, or two with a colon between them. Case does not matter.
fn parse(text: &str, member: impl Fn(&str) -> Result<i64, BadRange>) -> Result<Range, BadRange> {
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower.split(':').collect();
    match parts.as_slice() {
        [only] => member(only).map(|only| Range { first: only, last: only }),
        [first, last] => Ok(Range { first: member(first)?, last: member(last)? }),
        _ => Err(BadRange::new(format!("`{text}` is not a range")).hint("a range is FIRST:LAST")),
    }
}

fn index_of(words: &[&str], word: &str) -> Option<i64> {
    words.iter().position(|known| *known == word).and_then(|index| i64::try_from(index).ok())
}

fn number(word: &str, what: &str) -> Result<i64, BadRange> {
    word.parse().ok().ok_or_else(|| BadRange::new(format!("`{word}` is not {what}")))
}
