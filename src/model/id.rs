//! Names of things in the incident log. Ids come from the log's own sequence, so they are short, reproducible and
//! sayable: the incident opened by record 1042 is `i1042`, its second act is `i1042.2`. They are never secrets.

use std::fmt;
use std::str::FromStr;

/// A record's number in the log: from 0, without gaps, below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An incident: named by the record that opened it (`i1042`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub Seq);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

/// One act within an incident, counted from 1 (`i1042.2`): an action or a notice, with an intent and an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId {
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Its number within the incident, from 1.
    pub number: u32,
}

impl fmt::Display for ActId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incident, self.number)
    }
}

/// A text that is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id like {example}")]
pub struct NotAnId {
    text: String,
    example: &'static str,
}

impl FromStr for IncidentId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let not_an_id = || NotAnId { text: text.to_owned(), example: "i1042" };
        let digits = text.strip_prefix('i').ok_or_else(not_an_id)?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| digits.parse().ok()).flatten().ok_or_else(not_an_id)?;
        Ok(Self(Seq(number)))
    }
}

impl FromStr for ActId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let not_an_id = || NotAnId { text: text.to_owned(), example: "i1042.2" };
        let (incident, number) = text.split_once('.').ok_or_else(not_an_id)?;
        let number = number.parse().ok().filter(|number| 0 < *number).ok_or_else(not_an_id)?;
        Ok(Self { incident: incident.parse()?, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written() {
        let incident: IncidentId = "i1042".parse().unwrap();
        assert_eq!(incident, IncidentId(Seq(1042)));
        let act: ActId = "i1042.2".parse().unwrap();
        assert_eq!(act.to_string(), "i1042.2");
        for wrong in ["", "i", "1042", "i+3", "i1.0", "i1042.", "i1.x"] {
            assert!(wrong.parse::<ActId>().is_err(), "{wrong}");
        }
        assert!("i-1".parse::<IncidentId>().is_err());
        let message = "i1042.2".parse::<IncidentId>().unwrap_err().to_string();
        assert_eq!(message, "\"i1042.2\" is not an id like i1042");
    }
}
