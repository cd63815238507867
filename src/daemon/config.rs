//! Everything the daemon is configured with, read from files, environment and flags: at the start and at each reload alike.
//!
//! It takes all or nothing, and changes nothing. Read [`Sources`] first.

use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;
use crate::playbook::{Known, Problem, RuleFile, Severity, load_with};
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
    let (notifiers, hosts) = (settings.notifier_names(), settings.host_names());
    let (approve_on_timeout, deciders) = (Some(settings.approvals.approve_on_timeout), settings.deciders());
    let known =
        Known { notifiers: Some(&notifiers), hosts: Some(&hosts), approve_on_timeout, deciders: Some(&deciders) };
    let loaded = load_with(&texts, known);
    if loaded.has_errors() {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let heading = "the playbooks are not valid; `sickbay check` shows each place:\n";
        return Err(ConfigError { problems: errors.map(one_line).collect(), heading });
    }
    let unable: Vec<String> =
        loaded.playbooks.iter().filter(|playbook| playbook.enabled).filter_map(not_executed).collect();
    if !unable.is_empty() {
        let heading =
            "this version's daemon does not execute all of the playbooks; a playbook must not do less than it says:\n";
        return Err(ConfigError { problems: unable, heading });
    }
    Ok(Config { settings, playbooks: Playbooks::new(loaded.playbooks), files })
}

/// What of a playbook this daemon would leave undone.
fn not_executed(playbook: &Playbook) -> Option<String> {
    let keys: Vec<String> = playbook.not_executed.iter().map(|key| format!("`{key}`")).collect();
    let (source, name) = (&playbook.source, &playbook.name);
    (!keys.is_empty())
        .then(|| format!("{source}: `{name}` uses {}: remove it, or say `enabled: false`", keys.join(", ")))
}

fn one_line(problem: &Problem) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}:{}:{}: {}{hint}", problem.file, problem.line, problem.column, problem.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a playbook that restarts `web`, with these keys before its steps and these settings.
    fn read(keys: &str, settings: &str) -> Result<usize, String> {
        let text = format!(
            "version: 1\nplaybooks:\n  - name: asks-first\n    matchers:\n      - alertname = \"Down\"\n    \
             target: {{container: web}}\n{keys}    steps:\n      - restart: {{}}\n"
        );
        let directory = tempfile::tempdir().expect("a directory");
        let (rules, file) = (directory.path().join("rules.yaml"), directory.path().join("sickbay.yml"));
        std::fs::write(&rules, text).expect("written");
        std::fs::write(&file, settings).expect("written");
        let rules = vec![rules.display().to_string()];
        let settings = settings::load(Overrides { rules, ..Overrides::default() }, Some(&file));
        let settings = settings.expect("the settings load");
        playbooks(settings).map(|config| config.playbooks.iter().count()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_playbook_that_would_be_done_by_halves_is_refused() {
        let file = RuleFile {
            path: "rules.yaml".to_owned(),
            text:
                "version: 1\nplaybooks:\n  - name: p\n    matchers: ['a = \"b\"']\n    steps: [{notify: {to: [log], message: m}}]\n"
                    .to_owned(),
        };
        let mut playbook = load_with(&[file], Known::default()).playbooks.remove(0);
        assert_eq!(not_executed(&playbook), None);
        playbook.not_executed = vec!["later", "never"];
        let said = not_executed(&playbook).expect("it is not executed");
        assert!(said.ends_with("`p` uses `later`, `never`: remove it, or say `enabled: false`"), "{said}");
    }

    #[test]
    fn a_playbook_that_asks_more_people_than_there_are_is_refused() {
        let hash = |number: u8| format!("{number:064x}");
        let person = |name: &str, rest: &str, number: u8| {
            format!("  - {{name: {name}, token_hash: \"{}\"{rest}}}\n", hash(number))
        };
        let people = format!(
            "people:\n{}{}{}",
            person("ada", ", groups: [sre]", 1),
            person("bob", ", groups: [dba]", 2),
            person("eve", ", groups: [sre], roles: [view, operate]", 3),
        );
        let asks = |required: u32, from: &str| {
            format!("    approval: {{required: {required}, from: [{from}], timeout: 5m}}\n")
        };
        for (required, from, settings, want) in [
            (1, "sre", &*people, None),
            (2, "sre, dba", &people, None),
            (1, "ada", &people, None),
            (2, "sre", &people, Some("2 of sre must agree, and the settings have 1 of them who may")),
            (1, "sr", &people, Some("the settings have 0 of them who may")),
            (1, "eve", &people, Some("have 0")),
            (1, "sre", "", Some("have 0")),
        ] {
            let read = read(&asks(required, from), settings);
            match want {
                None => assert_eq!(read, Ok(1), "{required} of {from}"),
                Some(words) => {
                    let said = read.expect_err("nobody could agree");
                    assert!(said.contains(words) && said.contains("rules.yaml:7:"), "{said}");
                }
            }
        }
    }
}
