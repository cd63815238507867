//! The place whose clocks an interval means.
//!
//! The time zone database is compiled in: the same interval means the same on every machine. Read [`Location`] first.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

/// A time zone of the IANA database; UTC where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location(Tz);

impl Default for Location {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadLocation {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: &'static str,
}

impl Location {
    /// Reads a name such as `Europe/Berlin`. Nothing and `UTC` mean UTC.
    ///
    /// # Errors
    /// [`BadLocation`] for an unknown name, and for `Local`: what that means differs from machine to machine, so that
    /// neither a review nor a test could tell what the playbook does.
    pub fn parse(name: &str) -> Result<Self, BadLocation> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        if name == "Local" {
            let message = "`Local` is another time on another machine".to_owned();
            return Err(BadLocation { message, hint: "name the place, such as \"Europe/Berlin\"" });
        }
        name.parse().map(Self).map_err(|_unparsed: chrono_tz::ParseError| BadLocation {
            message: format!("there is no time zone `{}`", name.chars().take(64).collect::<String>()),
            hint: "use a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\"; capitals matter",
        })
    }

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What its clocks show.
    #[must_use]
    pub fn clock(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// What its clocks show, for people: `Mon 2026-11-23 09:30 Europe/Berlin`.
    #[must_use]
    pub fn describe(self, at: DateTime<Utc>) -> String {
        format!("{} {}", self.clock(at).format("%a %Y-%m-%d %H:%M"), self.0.name())
    }
}
