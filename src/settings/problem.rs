//! What is wrong with the settings, and who said so.
//!
//! Never shows a value that could be a secret: problems name the key and the place. Read [`SettingsError`] first.

use std::fmt;

/// Everything that keeps the settings from being used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// At least one; those of the file in the order of its lines.
    pub problems: Vec<SettingsProblem>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Who set the value.
    pub place: Place,
    /// The key, such as `webhook.senders[0].name`; empty if the file as a whole is meant.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether the key is wrong or its value: that is what is underlined.
    pub about: About,
}

/// What of a setting is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The key itself: it is unknown, or does not belong there.
    Key,
    /// What it is set to.
    Value,
}

impl SettingsProblem {
    /// Of no key.
    #[must_use]
    pub fn of_all(place: Place, message: impl Into<String>) -> Self {
        Self { place, key: String::new(), message: message.into(), about: About::Value }
    }

    /// What is wrong and who set it, and what to do about it, without the place.
    #[must_use]
    pub fn parts(&self) -> (String, Option<String>) {
        let message = &*self.message;
        let near = || message.find(": did you mean ").map(|at| (message.split_at(at).0, message.split_at(at + 2).1));
        let parts = message.split_once("; ").or_else(near);
        let (wrong, todo) = parts.map_or((message, None), |(wrong, todo)| (wrong, Some(todo)));
        let key = match &self.place {
            // There is no line that would show which file it is.
            Place::File { path, line: 0, .. } => format!("{path}: "),
            _ if self.key.is_empty() => String::new(),
            Place::File { .. } | Place::Environment(_) | Place::Flag(_) | Place::Default => format!("`{}`: ", self.key),
        };
        let by = match &self.place {
            Place::File { .. } | Place::Default => String::new(),
            Place::Environment(name) => format!(" (set by {name})"),
            Place::Flag(flag) => format!(" (set by {flag})"),
        };
        (format!("{key}{wrong}{by}"), todo.map(str::to_owned))
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line: 0, .. } => write!(f, "{path}: ")?,
            Place::File { path, line, column } => write!(f, "{path}:{line}:{column}: ")?,
            Place::Environment(_) | Place::Flag(_) | Place::Default => {}
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.place {
            Place::File { .. } | Place::Default => Ok(()),
            Place::Environment(name) => write!(f, " (set by {name})"),
            Place::Flag(flag) => write!(f, " (set by {flag})"),
        }
    }
}

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The settings file.
    File {
        /// As it was named.
        path: String,
        /// Line, from 1; 0 if the whole file is meant.
        line: u64,
        /// Column, from 1.
        column: u64,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag(&'static str),
    /// Nobody: the default, or a key that is missing.
    Default,
}
