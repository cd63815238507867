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

    /// What kinds of scopes there are, from wide to narrow.
    pub const KINDS: [&'static str; 4] = ["all", "host", "playbook", "target"];

    /// Which kind this is: the word before the colon.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Host(_) => "host",
            Self::Playbook(_) => "playbook",
            Self::Target(_) => "target",
        }
    }
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

/// One pause. There is at most one per scope; a new one takes the place of the old. Only the file's pause of everything
/// stands beside the one that people set, so that neither ends the other.
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

impl Pause {
    /// Who the switches of the daemon itself are, in `by`: no person goes by these names.
    pub const SWITCHES: [&'static str; 3] = ["file", "signal", "sickbay"];

    /// The pause that the file stands for; `owner` is the file's user id, if it could be told.
    #[must_use]
    pub fn of_file(owner: Option<u32>, reason: String) -> Self {
        let by = owner.map_or_else(|| "file".to_owned(), |owner| format!("file:{owner}"));
        Self { scope: PauseScope::All, by, reason, length: None }
    }

    /// Who a run of a playbook is that pauses it.
    #[must_use]
    pub fn by_playbook(playbook: &str, incident: &str) -> String {
        format!("playbook {playbook} ({incident})")
    }

    /// Whether the file said so: `file`, or `file:` and its owner's user id.
    #[must_use]
    pub fn is_of_file(by: &str) -> bool {
        by.split(':').next() == Some("file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_pause_is_told_from_those_of_people() {
        for (by, want) in [("file", true), ("file:1000", true), ("filer", false), ("ada", false), ("", false)] {
            assert_eq!(Pause::is_of_file(by), want, "{by:?}");
        }
        assert!(Pause::is_of_file(&Pause::of_file(Some(7), String::new()).by));
    }

    #[test]
    fn scopes_read_back_as_written() {
        for text in ["all", "host:local", "playbook:web-restart", "target:web-1"] {
            let scope: PauseScope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
            assert!(PauseScope::KINDS.contains(&scope.kind()) && text.starts_with(scope.kind()), "{text}");
        }
        for wrong in ["", "ALL", "web-1", "target:", "target:a b", "image:x", "target:a\nb"] {
            assert!(wrong.parse::<PauseScope>().is_err(), "{wrong:?}");
        }
    }
}
