//! Rules files into playbooks: all of them, or every problem of all of them.
//!
//! Text comes in; whoever calls has read the files and left out those named `*.test.yaml`. Read [`load`] first.

use super::definition::Playbook;
use super::lint;
use super::problem::{Findings, Note, Problem, Severity};
use super::raw::{self, Fields};
use super::resolve::{self, Resolved};
use super::yaml::{self, Span};
use std::collections::BTreeMap;

/// One rules file, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// How people call it; stands before each problem.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// What loading gave.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The playbooks without an error, in the order of files and entries. Not to be used while there are errors:
    /// a set is taken whole or not at all.
    pub playbooks: Vec<Playbook>,
    /// Everything that is wrong or suspicious, file by file, in the order of the text.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Whether anything must be changed before the playbooks may be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// What the reader of one file needs beside the file.
pub(super) struct Reading<'a> {
    /// Where problems go.
    pub(super) findings: Findings<'a>,
    /// The configured notifiers; `None` if nobody knows.
    pub(super) notifiers: Option<&'a [String]>,
    /// The playbook names so far, over all files, and where each stands.
    pub(super) names: BTreeMap<String, String>,
}

/// Reads rules files without knowing which notifiers exist.
#[must_use]
pub fn load(files: &[RuleFile]) -> Loaded {
    load_all(files, None)
}

/// Reads rules files; a `notify` to a notifier that is neither `log` nor one of these is an error.
#[must_use]
pub fn load_knowing(files: &[RuleFile], notifiers: &[String]) -> Loaded {
    load_all(files, Some(notifiers))
}

fn load_all(files: &[RuleFile], notifiers: Option<&[String]>) -> Loaded {
    let mut names = BTreeMap::new();
    let mut read: Vec<(Findings<'_>, Vec<Resolved>)> = Vec::new();
    for file in files {
        let findings = Findings::new(&file.path, &file.text);
        let mut reading = Reading { findings, notifiers, names: std::mem::take(&mut names) };
        let resolved = read_file(&mut reading);
        names = reading.names;
        read.push((reading.findings, resolved));
    }
    lint::overlaps(&mut read);
    let mut loaded = Loaded::default();
    for (findings, resolved) in read {
        loaded.playbooks.extend(resolved.into_iter().map(|resolved| resolved.playbook));
        loaded.problems.extend(findings.into_problems());
    }
    loaded
}

fn read_file(reading: &mut Reading<'_>) -> Vec<Resolved> {
    let findings = &mut reading.findings;
    let errors = findings.errors();
    let start = Span { start: 0, end: 0 };
    let Some(root) = yaml::parse(findings.text(), findings).filter(|root| !root.is_nothing()) else {
        if findings.errors() == errors {
            let note = Note::error("file.empty", start, "the file is empty");
            findings.push(note.hint("start it with `version: 1` and a list of `playbooks`"));
        }
        return Vec::new();
    };
    let Some(fields) = Fields::read(&root, start, &raw::FILE, findings) else { return Vec::new() };
    if let Some(version) = fields.need("version", findings)
        && !version.is_word("1")
    {
        let note = Note::error("file.version", version.span(), "this version of sickbay reads `version: 1` only");
        findings.push(note);
    }
    let Some(playbooks) = fields.need("playbooks", findings) else { return Vec::new() };
    let Some(entries) = playbooks.list("start each playbook with `- name: …`", findings) else { return Vec::new() };
    if entries.is_empty() {
        findings.push(Note::warning("lint.no-playbook", playbooks.key, "the file holds no playbook"));
    }
    entries.iter().filter_map(|entry| resolve::playbook(entry, reading)).collect()
}
