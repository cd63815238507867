//! Everything the daemon is configured with, read from files, environment and flags: at the start and at each reload alike.
//!
//! It takes all or nothing, and changes nothing. Read [`Sources`] first.

use crate::playbook::index::Playbooks;
use crate::playbook::{Problem, RuleFile, Severity, load_knowing};
use crate::settings::{self, Overrides, Settings};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Where settings and playbooks come from: fixed for as long as the process lives.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What the flags say.
    pub overrides: Overrides,
    /// The settings file, if there is one.
    pub config_file: Option<PathBuf>,
}

/// Settings and playbooks without any mistake.
#[derive(Clone, Debug)]
pub struct Config {
    /// Resolved settings.
    pub settings: Settings,
    /// Checked playbooks.
    pub playbooks: Playbooks,
    /// Each file that was read, with its SHA-256, for the record. Secret files are not among them.
    pub files: Vec<(String, String)>,
}

/// What is wrong with settings or playbooks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{heading}{}", .problems.join("\n"))]
pub struct ConfigError {
    /// Each with its place, one line each; at least one.
    pub problems: Vec<String>,
    heading: &'static str,
}

impl ConfigError {
    fn other(text: &str) -> Self {
        Self { problems: text.lines().map(str::to_owned).collect(), heading: "" }
    }
}

impl Sources {
    /// Reads everything anew.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(&self) -> Result<Config, ConfigError> {
        self.settings().and_then(playbooks)
    }

    /// Reads the settings alone.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong with them.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let read = settings::load(self.overrides.clone(), self.config_file.as_deref());
        read.map_err(|error| ConfigError::other(&error.to_string()))
    }
}

/// Reads the playbooks that these settings name.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong with them.
pub fn playbooks(settings: Settings) -> Result<Config, ConfigError> {
    let texts = settings::rules::read(&settings.rules).map_err(|error| ConfigError::other(&error.to_string()))?;
    let digests = texts.iter().map(|(path, text)| (path.clone(), hex::encode(Sha256::digest(text))));
    let files = settings.file.iter().cloned().chain(digests).collect();
    let texts: Vec<RuleFile> = texts.into_iter().map(|(path, text)| RuleFile { path, text }).collect();
    let loaded = load_knowing(&texts, &settings.notifier_names());
    if loaded.has_errors() {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let heading = "the playbooks are not valid; `sickbay check` shows each place:\n";
        return Err(ConfigError { problems: errors.map(one_line).collect(), heading });
    }
    Ok(Config { settings, playbooks: Playbooks::new(loaded.playbooks), files })
}

fn one_line(problem: &Problem) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}:{}:{}: {}{hint}", problem.file, problem.line, problem.column, problem.message)
}
