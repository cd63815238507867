//! The kill switch: what is held back, by whom, why, and for how long. ("Silence" is Alertmanager's word and mutes.)

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// What a pause holds back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseScope {
    /// Every action.
    All,
    /// Actions on one Docker host.
    Host(Arc<str>),
    /// Actions of one playbook.
    Playbook(Arc<str>),
    /// Actions on one target, by its name.
    Target(Arc<str>),
}

/// A text that is no scope of a pause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be paused: write `all`, `host:NAME`, `playbook:NAME` or `target:NAME`")]
pub struct NotAScope(String);

impl PauseScope {
    /// The longest name a scope may hold, in bytes.
    pub const NAME_LEN_MAX: usize = 255;
}

impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Host(name) => write!(f, "host:{name}"),
            Self::Playbook(name) => write!(f, "playbook:{name}"),
            Self::Target(name) => write!(f, "target:{name}"),
        }
    }
}

impl FromStr for PauseScope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let not_a_scope = || NotAScope(text.chars().take(80).collect());
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, name) = text.split_once(':').ok_or_else(not_a_scope)?;
        let plain = !name.is_empty() && !name.chars().any(|sign| sign.is_control() || sign.is_whitespace());
        if !plain || Self::NAME_LEN_MAX < name.len() {
            return Err(not_a_scope());
        }
        match kind {
            "host" => Ok(Self::Host(name.into())),
            "playbook" => Ok(Self::Playbook(name.into())),
            "target" => Ok(Self::Target(name.into())),
            _ => Err(not_a_scope()),
        }
    }
}

/// One pause. There is at most one per scope; a new one takes the place of the old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What is held back.
    pub scope: PauseScope,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How long, from the record that set it; `None` until somebody resumes.
    pub length: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_as_written() {
        for text in ["all", "host:local", "playbook:web-restart", "target:web-1"] {
            assert_eq!(text.parse::<PauseScope>().unwrap().to_string(), text);
        }
        for wrong in ["", "ALL", "web-1", "target:", "target:a b", "image:x", "target:a\nb"] {
            assert!(wrong.parse::<PauseScope>().is_err(), "{wrong:?}");
        }
    }
}
