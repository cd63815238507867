//! A `*.test.yaml` text into a [`TestFile`], or every mistake of it at its place.

use super::definition::{Expectation, Stock, Test, TestFile, Timed};
use super::values::{items, texts, unknown};
use super::{calls, containers, expectations, keys, settings, timeline};
use crate::model::policy::Policy;
use crate::playbook::codes::{self, Code};
use crate::playbook::index::Playbooks;
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use crate::playbook::yaml::{self, Span};
use crate::playbook::{Problem, RuleFile, Severity, load};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// Finds and reads rules files: those of these globs, relative to the test file, or those beside it. The error says
/// what is wrong in words.
pub type FindRules<'f> = &'f dyn Fn(Option<&[String]>) -> Result<Vec<RuleFile>, String>;

/// What reading gave.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The file; `None` if anything is wrong with it.
    pub file: Option<TestFile>,
    /// What is wrong, in the order of the text.
    pub problems: Vec<Problem>,
}

/// When a test begins that does not say when: a Monday, at noon.
const START: &str = "2026-01-05T12:00:00Z";

/// How long a test is played after its last input, if only its calls to Docker are looked at.
const AFTERMATH: Duration = Duration::from_secs(3600);

/// What the reader of one file needs beside the file.
pub(super) struct Reader<'a> {
    /// Where problems go.
    pub(super) findings: Findings<'a>,
    /// What the settings impose.
    pub(super) policy: Policy,
    find: FindRules<'a>,
    /// The names of all playbooks that are loaded at some time; `None` if they could not be.
    names: Option<BTreeSet<String>>,
}

impl Reader<'_> {
    /// The line of a place.
    pub(super) fn line(&self, span: Span) -> usize {
        let before = self.findings.text().get(..span.start).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// Loads the playbooks that a list of files names, or those beside the file.
    pub(super) fn load(&mut self, field: Option<Field<'_>>) -> Option<(Vec<RuleFile>, Playbooks)> {
        let at = field.map_or(Span { start: 0, end: 0 }, |field| field.span());
        let globs = match field {
            Some(field) => Some(texts(field, "list rules files: [web.yaml]", &mut self.findings)?),
            None => None,
        };
        let found = (self.find)(globs.as_deref()).and_then(|files| {
            let loaded = load(&files);
            match loaded.problems.iter().find(|problem| problem.severity == Severity::Error) {
                Some(problem) => Err(format!("the playbooks cannot be loaded: {problem}")),
                None => Ok((files, Playbooks::new(loaded.playbooks))),
            }
        });
        match found {
            Ok((files, playbooks)) => {
                let names = playbooks.iter().map(|playbook| playbook.name.to_string());
                self.names.get_or_insert_default().extend(names);
                Some((files, playbooks))
            }
            Err(words) => {
                self.findings.push(Note::error("test.playbooks", at, words).hint("see what `sickbay check` says"));
                None
            }
        }
    }

    /// Reports a playbook that is not loaded at any time of the file.
    pub(super) fn known_playbook(&mut self, field: Field<'_>, name: &str) {
        let Some(names) = &self.names else { return };
        if !names.contains(name) {
            let wanted = "playbook of `playbook_files`";
            unknown(field, wanted, names.iter().map(String::as_str), &mut self.findings);
        }
    }
}

/// Reads a test file.
#[must_use]
pub fn read(path: &str, text: &str, find: FindRules<'_>) -> Reading {
    let mut findings = Findings::new(path, text);
    let root = yaml::parse(text, &mut findings).filter(|root| !root.is_nothing());
    let mut reader = Reader { findings, policy: Policy::default(), find, names: None };
    let file = match &root {
        Some(root) => {
            let fields = Fields::read(root, Span { start: 0, end: 0 }, &keys::FILE, &mut reader.findings);
            fields.and_then(|fields| file(&fields, &mut reader))
        }
        None => {
            if reader.findings.errors() == 0 {
                let note = Note::error("test.empty", Span { start: 0, end: 0 }, "the file is empty");
                reader.findings.push(note.hint("start it with a list of `tests`"));
            }
            None
        }
    };
    let fine = reader.findings.errors() == 0;
    let problems = reader.findings.into_problems().into_iter().map(of_a_test).collect();
    Reading { file: file.filter(|_| fine), problems }
}

/// The reader of playbooks found it, in a file of tests.
fn of_a_test(problem: Problem) -> Problem {
    let code = match problem.code {
        "playbook.type" => "test.type",
        "playbook.unknown-key" => "test.unknown-key",
        "playbook.missing-key" => "test.missing-key",
        "playbook.duration" => "test.duration",
        other => other,
    };
    // What is said of a code where nothing more is known: playbooks have their page, and tests have theirs.
    let general = |code| codes::find(code).map(Code::hint);
    let hint = if problem.hint == general(problem.code) { general(code) } else { problem.hint };
    Problem { code, hint, ..problem }
}

fn file(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<TestFile> {
    reader.policy = settings::policy(fields.get("settings"), &mut reader.findings);
    let loaded = reader.load(fields.get("playbook_files"));
    let list = fields.need("tests", &mut reader.findings)?;
    let entries = items(list, "start each test with `- name: …`", &mut reader.findings)?;
    if entries.is_empty() {
        let note = Note::error("test.vacuous", list.key, "the file holds no test");
        reader.findings.push(note.hint("add a test, or remove the file"));
    }
    let mut tests: Vec<Test> = Vec::new();
    for entry in entries {
        if let Some(test) = test(entry, reader) {
            if let Some(twin) = tests.iter().find(|other| other.name == test.name) {
                let message = format!("a test of this name stands in line {} already", twin.line);
                reader.findings.push(Note::error("test.value", entry.key, message));
            }
            tests.push(test);
        }
    }
    let (rules, playbooks) = loaded?;
    Some(TestFile { rules, playbooks, policy: reader.policy.clone(), tests })
}

fn test(entry: Field<'_>, reader: &mut Reader<'_>) -> Option<Test> {
    let findings = &mut reader.findings;
    let fields = Fields::read(entry.value, entry.key, &keys::TEST, findings)?;
    let name = fields.need("name", findings).and_then(|field| field.text(findings)).map(str::to_owned);
    let start = start(fields.get("start"), findings);
    let stock = containers::stock(fields.get("docker"), &reader.policy.hosts, findings);
    let asks_alertmanager = fields
        .get("alertmanager")
        .and_then(|field| Fields::read(field.value, field.key, &keys::ALERTMANAGER, findings))
        .is_some_and(|fields| fields.boolean("asked", true, findings));
    let timeline = timeline_of(fields.get("input"), &stock, reader);
    let expectations = expectations_of(fields.get("expect"), &stock, reader);
    let sent = fields.get("expect_docker_calls");
    let docker_calls = sent.and_then(|field| calls::expected(field, &stock, reader));
    if fields.get("expect").is_none() && sent.is_none() && !fields.has_unknown() {
        let note = Note::error("test.vacuous", entry.key, "this test expects nothing, so it cannot fail");
        reader
            .findings
            .push(note.hint("add `expect` with a time and what is to be seen then, or `expect_docker_calls`"));
    }
    let line = reader.line(entry.key);
    let mut timeline = timeline;
    timeline.sort_by_key(|timed| timed.0.at);
    unseen(&timeline, &expectations, reader);
    let timeline = timeline.into_iter().map(|(timed, _)| timed).collect();
    let expectations = expectations.into_iter().map(|(expectation, _)| expectation).collect();
    Some(Test { name: name?, line, start: start?, stock, asks_alertmanager, timeline, expectations, docker_calls })
}

fn start(field: Option<Field<'_>>, findings: &mut Findings<'_>) -> Option<DateTime<Utc>> {
    let Some(field) = field else { return START.parse().ok() };
    let text = field.text(findings)?;
    match DateTime::parse_from_rfc3339(text) {
        Ok(start) => Some(start.to_utc()),
        Err(error) => {
            let note = Note::error("test.value", field.span(), format!("`start` is not a point in time: {error}"));
            findings.push(note.hint("write it with its offset from UTC: 2026-01-05T10:00:00Z or …T11:00:00+01:00"));
            None
        }
    }
}

fn timeline_of(field: Option<Field<'_>>, stock: &Stock, reader: &mut Reader<'_>) -> Vec<(Timed, Span)> {
    let Some(field) = field else { return Vec::new() };
    let entries = items(field, "start each input with `- at: …`", &mut reader.findings).unwrap_or_default();
    let mut timeline = Vec::new();
    for entry in entries {
        timeline.extend(timeline::input(entry, stock, reader).into_iter().map(|timed| (timed, entry.key)));
    }
    timeline
}

fn expectations_of(field: Option<Field<'_>>, stock: &Stock, reader: &mut Reader<'_>) -> Vec<(Expectation, Span)> {
    let Some(field) = field else { return Vec::new() };
    let entries = items(field, "start each expectation with `- at: …`", &mut reader.findings).unwrap_or_default();
    if super::values::is_empty_list(field.value) {
        let note = Note::error("test.vacuous", field.key, "`expect` is empty, so it cannot fail");
        reader.findings.push(note.hint("say at which time what is to be seen: - {at: 5m, runs: []}"));
    }
    let mut expectations: Vec<(Expectation, Span)> = Vec::new();
    for entry in entries {
        let Some(expectation) = expectations::expectation(entry, stock, reader) else { continue };
        if expectations.last().is_some_and(|(before, _)| expectation.at <= before.at) {
            let message = "the times of expectations go up: this one is not later than the one before";
            let note = Note::error("test.order", entry.key, message);
            reader.findings.push(note.hint("each looks at what happened since the one before"));
        }
        expectations.push((expectation, entry.key));
    }
    expectations
}

/// An input at or after the last expectation can change nothing that is looked at.
fn unseen(timeline: &[(Timed, Span)], expectations: &[(Expectation, Span)], reader: &mut Reader<'_>) {
    let Some((last, _)) = expectations.last() else { return };
    let mut told = None;
    for (_, span) in timeline.iter().filter(|(timed, _)| last.at <= timed.at) {
        if told != Some(*span) {
            told = Some(*span);
            let note = Note::error("test.vacuous", *span, "nothing is expected after this input");
            reader.findings.push(note.hint("add an expectation that is later, or leave the input out"));
        }
    }
}

impl Test {
    /// Until when it is played.
    #[must_use]
    pub fn end(&self) -> Duration {
        match self.expectations.last() {
            Some(last) => last.at,
            None => self.timeline.last().map_or(Duration::ZERO, |timed| timed.at) + AFTERMATH,
        }
    }
}
