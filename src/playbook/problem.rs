//! What is wrong with a rules file, and exactly where.
//!
//! A [`Problem`] is finished: it can be printed, sent as JSON or drawn with the text it is about. [`Findings`] collects
//! the problems of one file while it is read and turns byte offsets into lines and columns.

use super::yaml::Span;

/// Problems kept per file: what comes after so many is seldom news.
const PROBLEMS_MAX: usize = 100;

/// Whether a problem keeps the playbooks from being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is loaded.
    Error,
    /// Legal but suspicious: a lint finding.
    Warning,
}

/// One thing that is wrong, or suspicious, in a rules file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// First byte of the offending text within the file.
    pub offset: usize,
    /// Length of the offending text in bytes.
    pub length: usize,
    /// Error or lint finding.
    pub severity: Severity,
    /// Stable code, such as `playbook.unknown-key`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// A problem whose line is still to be counted.
#[derive(Clone, Debug)]
pub(super) struct Note {
    severity: Severity,
    code: &'static str,
    at: Span,
    message: String,
    hint: Option<String>,
}

impl Note {
    /// Something that must be changed.
    pub(super) fn error(code: &'static str, at: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, at, message: message.into(), hint: None }
    }

    /// Something that should be looked at.
    pub(super) fn warning(code: &'static str, at: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// Adds what to do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The problems of one file, in the order in which they were found.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    problems: Vec<Problem>,
    errors: usize,
}

impl<'t> Findings<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, line_starts, problems: Vec::new(), errors: 0 }
    }

    /// The file's text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// How many errors were found so far; a reader compares it before and after.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// `FILE:LINE` of an offset.
    pub(super) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.file, self.line_and_column(offset).0)
    }

    /// Adds a problem. Past the limit it is counted but not kept.
    pub(super) fn push(&mut self, note: Note) {
        self.errors += usize::from(note.severity == Severity::Error);
        if self.problems.len() < PROBLEMS_MAX {
            let (line, column) = self.line_and_column(note.at.start);
            self.problems.push(Problem {
                file: self.file.to_owned(),
                line,
                column,
                offset: note.at.start,
                length: self.first_line_of(note.at),
                severity: note.severity,
                code: note.code,
                message: note.message,
                hint: note.hint,
            });
        } else if self.problems.len() == PROBLEMS_MAX {
            self.problems.push(Problem {
                file: self.file.to_owned(),
                line: self.line_starts.len(),
                column: 1,
                offset: self.text.len(),
                length: 0,
                // An error may be among those that are not shown.
                severity: Severity::Error,
                code: "file.too-many-problems",
                message: format!("more than {PROBLEMS_MAX} problems in this file; the rest is not shown"),
                hint: None,
            });
            self.errors += 1;
        }
    }

    /// All problems, by their place in the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.offset);
        self.problems
    }

    /// A value of many lines is underlined on its first one only.
    fn first_line_of(&self, span: Span) -> usize {
        let marked = self.text.get(span.start..span.end).unwrap_or_default();
        marked.lines().next().unwrap_or_default().trim_end().len()
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        (line, column)
    }
}
