//! What is wrong with a rules file, and exactly where.
//!
//! A [`Problem`] is finished: it can be printed, sent as JSON or drawn with the text it is about. [`Findings`] collects
//! the problems of one file while it is read and turns byte offsets into lines and columns.

use super::codes::{self, Code};
use super::yaml::Span;

/// Errors kept per file, and warnings: what comes after so many is seldom news.
const PROBLEMS_MAX: usize = 100;

/// Characters of a message or hint: a file's own text in it may be long.
const WORDS_MAX: usize = 1000;

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

/// No longer than people read.
fn bounded(words: String) -> String {
    match words.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

/// A problem whose line is still to be counted.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    severity: Severity,
    code: &'static str,
    at: Span,
    message: String,
    hint: Option<String>,
}

impl Note {
    /// Something that must be changed.
    pub(crate) fn error(code: &'static str, at: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, at, message: message.into(), hint: None }
    }

    /// Something that should be looked at.
    pub(crate) fn warning(code: &'static str, at: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The problems of one file, in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    problems: Vec<Problem>,
    errors: usize,
    errors_left_out: usize,
    warnings_left_out: usize,
    not_executed: Vec<&'static str>,
}

impl<'t> Findings<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            file,
            text,
            line_starts,
            problems: Vec::new(),
            errors: 0,
            errors_left_out: 0,
            warnings_left_out: 0,
            not_executed: Vec::new(),
        }
    }

    /// The file's text.
    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    /// How many errors were found so far; a reader compares it before and after.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// `FILE:LINE` of an offset.
    pub(crate) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.file, self.line_and_column(offset).0)
    }

    /// Adds a problem. Past the limit it is counted but not kept.
    pub(crate) fn push(&mut self, note: Note) {
        self.errors += usize::from(note.severity == Severity::Error);
        let kept = self.problems.iter().filter(|problem| problem.severity == note.severity).count();
        if PROBLEMS_MAX <= kept {
            match note.severity {
                Severity::Error => self.errors_left_out += 1,
                Severity::Warning => self.warnings_left_out += 1,
            }
            return;
        }
        let (line, column) = self.line_and_column(note.at.start);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            column,
            offset: note.at.start,
            length: self.first_line_of(note.at),
            severity: note.severity,
            code: note.code,
            message: bounded(note.message),
            hint: note.hint.map(bounded).or_else(|| codes::find(note.code).map(Code::hint)),
        });
    }

    /// Tells how many problems of a kind are not among the others. What is left out is as bad as its kind, no worse.
    fn tell_left_out(&mut self, severity: Severity, count: usize) {
        if count == 0 {
            return;
        }
        let (code, noun) = match severity {
            Severity::Error => ("file.too-many-problems", "error"),
            Severity::Warning => ("lint.too-many-warnings", "warning"),
        };
        let plural = if count == 1 { "" } else { "s" };
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: self.line_starts.len(),
            column: 1,
            offset: self.text.len(),
            length: 0,
            severity,
            code,
            message: format!("{count} more {noun}{plural} in this file, beyond the first {PROBLEMS_MAX}, not shown"),
            hint: codes::find(code).map(Code::hint),
        });
    }

    /// Points out a key that is part of the language and that the daemon of this version does not execute.
    pub(crate) fn not_executed(&mut self, at: Span, key: &'static str) {
        let message = format!("this version's daemon does not execute `{key}`");
        let hint = "`test` and `simulate` know it; `serve` refuses the playbook unless it says `enabled: false`";
        self.push(Note::warning("lint.not-executed", at, message).hint(hint));
        self.not_executed.push(key);
    }

    /// What was pointed out as not executed since this was last asked.
    pub(crate) fn take_not_executed(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.not_executed)
    }

    /// All problems, by their place in the file.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.tell_left_out(Severity::Error, self.errors_left_out);
        self.tell_left_out(Severity::Warning, self.warnings_left_out);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_warnings_are_no_error_and_hide_none() {
        let at = Span { start: 0, end: 1 };
        let mut findings = Findings::new("a.yaml", "x\ny");
        for _ in 0..PROBLEMS_MAX + 7 {
            findings.push(Note::warning("lint.no-playbook", at, "w"));
        }
        findings.push(Note::error("file.empty", at, "e"));
        assert_eq!(findings.errors(), 1);
        let problems = findings.into_problems();
        let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(errors.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["file.empty"]);
        let last = problems.last().expect("there are some");
        assert_eq!((last.severity, last.code), (Severity::Warning, "lint.too-many-warnings"));
        assert_eq!(last.message, "7 more warnings in this file, beyond the first 100, not shown");
    }

    #[test]
    fn errors_past_the_limit_are_told() {
        let mut findings = Findings::new("a.yaml", "x");
        for _ in 0..=PROBLEMS_MAX {
            findings.push(Note::error("file.empty", Span { start: 0, end: 1 }, "e"));
        }
        let last = findings.into_problems().pop().expect("there are some");
        assert_eq!((last.severity, last.code), (Severity::Error, "file.too-many-problems"));
        assert!(last.message.starts_with("1 more error in"), "{}", last.message);
    }
}
