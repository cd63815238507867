//! Rules files into playbooks: all of them, or every problem of all of them.
//!
//! Text comes in; whoever calls has read the files and left out those named `*.test.yaml`. Read [`load`] first.

use super::definition::Playbook;
use super::keys;
use super::lint;
use super::problem::{Findings, Note, Problem, Severity};
use super::raw::Fields;
use super::resolve::{self, Resolved};
use super::when::Intervals;
use super::yaml::{self, Content, Node, Span};
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

/// Something about a playbook that was found after it was loaded, at the first of its keys of this name.
#[must_use]
pub fn found_at(
    file: &RuleFile,
    (playbook, key): (&str, &str),
    (code, message, hint): (&'static str, String, &str),
) -> Problem {
    let mut findings = Findings::new(&file.path, &file.text);
    let root = yaml::parse(&file.text, &mut findings);
    let entry = root.as_ref().and_then(|root| root.entry("playbooks")).and_then(|entry| {
        let Content::List { items, .. } = &entry.value.content else { return None };
        items.iter().find(|item| item.entry("name").is_some_and(|name| name.value.is_text(playbook)))
    });
    let span =
        entry.map_or(Span { start: 0, end: 0 }, |entry| entry.anywhere(key).map_or(entry.span, |found| found.key_span));
    let mut findings = Findings::new(&file.path, &file.text);
    findings.push(Note::error(code, span, message.clone()).hint(hint));
    let plain = Problem {
        file: file.path.clone(),
        line: 0,
        column: 0,
        offset: 0,
        length: 0,
        severity: Severity::Error,
        code,
        message,
        hint: Some(hint.to_owned()),
    };
    findings.into_problems().pop().unwrap_or(plain)
}

/// What the reader of one file needs beside the file.
pub(super) struct Reading<'a> {
    /// Where problems go.
    pub(super) findings: Findings<'a>,
    /// The configured notifiers; `None` if nobody knows.
    pub(super) notifiers: Option<&'a [String]>,
    /// The configured Docker hosts; `None` if nobody knows.
    pub(super) hosts: Option<&'a [String]>,
    /// Whether the settings let silence count as a yes; `None` if nobody knows.
    pub(super) approve_on_timeout: Option<bool>,
    /// Those who may decide, with their groups; `None` if nobody knows.
    pub(super) deciders: Option<&'a [(String, Vec<String>)]>,
    /// The playbook names so far, over all files, and where each stands.
    pub(super) names: BTreeMap<String, String>,
    /// What the regular expressions of all files may still weigh.
    pub(super) regexes_left: usize,
    /// The time intervals of all files.
    pub(super) intervals: &'a Intervals,
}

/// What the settings have, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The notifiers: a `notify` to one that is neither `log` nor one of these is an error.
    pub notifiers: Option<&'a [String]>,
    /// The Docker hosts: a `target.host` that names another one is an error.
    pub hosts: Option<&'a [String]>,
    /// Whether `on_timeout: approve` is allowed; if it is not, it is an error.
    pub approve_on_timeout: Option<bool>,
    /// Those who may decide about plans, with their groups: an `approval` that asks more people than there are is an error.
    pub deciders: Option<&'a [(String, Vec<String>)]>,
}

/// Reads rules files without knowing the settings.
#[must_use]
pub fn load(files: &[RuleFile]) -> Loaded {
    load_with(files, Known::default())
}

/// Reads rules files; a `notify` to a notifier that is neither `log` nor one of these is an error, and so is whatever else
/// the settings do not allow.
#[must_use]
pub fn load_knowing(files: &[RuleFile], notifiers: &[String]) -> Loaded {
    load_with(files, Known { notifiers: Some(notifiers), ..Known::default() })
}

/// Reads rules files knowing as much of the settings as is given.
#[must_use]
pub fn load_with(files: &[RuleFile], known: Known<'_>) -> Loaded {
    let Known { notifiers, hosts, approve_on_timeout, deciders } = known;
    let mut findings: Vec<Findings<'_>> = files.iter().map(|file| Findings::new(&file.path, &file.text)).collect();
    let roots: Vec<Option<Node>> = findings.iter_mut().map(read_text).collect();
    let mut opened = Vec::new();
    for (root, findings) in roots.iter().zip(&mut findings) {
        opened.push(root.as_ref().and_then(|root| Fields::read(root, root.span, &keys::FILE, findings)));
    }
    // Any playbook may name an interval of any file, so these come first.
    let mut intervals = Intervals::default();
    for (file, (fields, findings)) in opened.iter().zip(&mut findings).enumerate() {
        if let Some(fields) = fields {
            intervals.read(fields, file, findings);
        }
    }
    let mut names = BTreeMap::new();
    let mut regexes_left = resolve::REGEX_WEIGHT_MAX;
    let mut read: Vec<(Findings<'_>, Vec<Resolved>)> = Vec::new();
    for (fields, findings) in opened.iter().zip(findings) {
        let (names_before, intervals) = (std::mem::take(&mut names), &intervals);
        let mut reading = Reading {
            findings,
            notifiers,
            hosts,
            approve_on_timeout,
            deciders,
            names: names_before,
            regexes_left,
            intervals,
        };
        let resolved = fields.as_ref().map_or_else(Vec::new, |fields| read_playbooks(fields, &mut reading));
        names = reading.names;
        regexes_left = reading.regexes_left;
        read.push((reading.findings, resolved));
    }
    lint::overlaps(&mut read);
    if read.iter().all(|(findings, _)| findings.errors() == 0) {
        intervals.lint_unused(&mut read);
    }
    let mut loaded = Loaded::default();
    for (findings, resolved) in read {
        loaded.playbooks.extend(resolved.into_iter().map(|resolved| resolved.playbook));
        loaded.problems.extend(findings.into_problems());
    }
    loaded
}

/// The tree of one file; `None` (reported) if there is none.
fn read_text(findings: &mut Findings<'_>) -> Option<Node> {
    let errors = findings.errors();
    let root = yaml::parse(findings.text(), findings).filter(|root| !root.is_nothing());
    if root.is_none() && findings.errors() == errors {
        let note = Note::error("file.empty", Span { start: 0, end: 0 }, "the file is empty");
        findings.push(note.hint("start it with `version: 1` and a list of `playbooks`"));
    }
    root
}

fn read_playbooks(fields: &Fields<'_>, reading: &mut Reading<'_>) -> Vec<Resolved> {
    let findings = &mut reading.findings;
    if let Some(version) = fields.need("version", findings)
        && !version.is_word("1")
    {
        let note = Note::error("file.version", version.span(), "this version of sickbay reads `version: 1` only");
        findings.push(note);
    }
    // A file may hold nothing but intervals for the others.
    if fields.get("playbooks").is_none() && fields.get("time_intervals").is_some() {
        return Vec::new();
    }
    let Some(playbooks) = fields.need("playbooks", findings) else { return Vec::new() };
    let Some(entries) = playbooks.list("start each playbook with `- name: …`", findings) else { return Vec::new() };
    if entries.is_empty() {
        findings.push(Note::warning("lint.no-playbook", playbooks.key, "the file holds no playbook"));
    }
    entries.iter().filter_map(|entry| resolve::playbook(entry, reading)).collect()
}
