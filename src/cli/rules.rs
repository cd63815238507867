//! Playbooks from the rules files and directories that a command names: all of them, or the first mistake.

use super::check::patterns_of;
use crate::playbook::index::Playbooks;
use crate::playbook::{Known, Problem, RuleFile, Severity, load_with};
use crate::settings::rules;
use anyhow::bail;
use std::path::PathBuf;

/// Loads rules as the daemon does: all of them, or none. Where nobody knows the settings, any notifier and any host is taken.
pub(super) fn load_rules(paths: &[PathBuf], known: Known<'_>) -> anyhow::Result<Playbooks> {
    let mut patterns = Vec::new();
    for path in paths {
        if path.is_dir() {
            patterns.extend(patterns_of(path));
        } else {
            patterns.push(glob::Pattern::escape(&path.to_string_lossy()));
        }
    }
    load_patterns(&patterns, known)
}

/// As [`load_rules`], from globs.
pub(super) fn load_patterns(patterns: &[String], known: Known<'_>) -> anyhow::Result<Playbooks> {
    let texts = rules::read(patterns)?;
    let files: Vec<RuleFile> = texts.into_iter().map(|(path, text)| RuleFile { path, text }).collect();
    let loaded = load_with(&files, known);
    let is_error = |problem: &&Problem| problem.severity == Severity::Error;
    if let Some(Problem { file, line, column, message, .. }) = loaded.problems.iter().find(is_error) {
        bail!("the playbooks are not valid; `sickbay check` shows each place: {file}:{line}:{column}: {message}");
    }
    Ok(Playbooks::new(loaded.playbooks))
}
