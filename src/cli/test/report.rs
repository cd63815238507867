//! The result of `test` as data: what is printed as text, as JSON, and as `JUnit` XML.

use crate::cli::check::ProblemReport;
use crate::model::duration::format_duration;
use crate::model::fact::Fact;
use crate::story::{heading, words};
use crate::unit_test::coverage::{Coverage, Covered};
use crate::unit_test::definition::Test;
use crate::unit_test::{Failure, Played};
use serde::Serialize;
use std::time::Duration;

/// How many lines of a failed test's story are told.
const STORY_MAX: usize = 80;

/// Everything that was tested. The shape is stable: fields are added, never renamed or removed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) files: Vec<FileReport>,
    pub(super) tests: usize,
    /// Tests that failed, and files that could not be used.
    pub(super) failed: usize,
    /// What no test reached; null without `--coverage`.
    pub(super) coverage: Option<Vec<CoveredReport>>,
    pub(super) missed: usize,
}

impl Report {
    pub(super) fn count(&mut self) {
        self.tests = self.files.iter().map(|file| file.tests.len()).sum();
        let broken = self.files.iter().filter(|file| file.is_broken()).count();
        self.failed = broken + self.files.iter().flat_map(|file| &file.tests).filter(|test| !test.passed).count();
        self.missed = self.coverage.iter().flatten().map(|playbook| playbook.not_reached.len()).sum();
    }
}

/// One test file.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    pub(super) path: String,
    pub(super) problems: Vec<ProblemReport>,
    pub(super) tests: Vec<TestReport>,
    /// Tests that `--run` did not choose.
    pub(super) left_out: usize,
    #[serde(skip)]
    pub(super) text: String,
}

impl FileReport {
    pub(super) fn new(path: String, text: String, problems: Vec<ProblemReport>) -> Self {
        Self { path, text, problems, tests: Vec::new(), left_out: 0 }
    }

    /// Whether it could not be used at all.
    pub(super) fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == "error")
    }

    pub(super) fn passed(&self) -> bool {
        !self.is_broken() && self.tests.iter().all(|test| test.passed)
    }
}

/// One test.
#[derive(Debug, Serialize)]
pub(super) struct TestReport {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) passed: bool,
    pub(super) failures: Vec<FailureReport>,
    /// What really happened; of a failed test only.
    pub(super) story: Vec<String>,
}

/// One thing that was not as expected.
#[derive(Debug, Serialize)]
pub(super) struct FailureReport {
    /// The time after the start, or `the end`.
    pub(super) time: String,
    pub(super) line: usize,
    pub(super) what: &'static str,
    pub(super) expected: Vec<String>,
    pub(super) got: Vec<String>,
    pub(super) differs: Vec<String>,
}

impl TestReport {
    pub(super) fn new(test: &Test, played: &Played) -> Self {
        let passed = played.failures.is_empty();
        Self {
            name: test.name.clone(),
            line: test.line,
            passed,
            failures: played.failures.iter().map(FailureReport::from).collect(),
            story: if passed { Vec::new() } else { story(played) },
        }
    }
}

impl From<&Failure> for FailureReport {
    fn from(failure: &Failure) -> Self {
        let Failure { at, line, what, expected, got, differs } = failure.clone();
        let time = at.map_or_else(|| "the end".to_owned(), format_duration);
        Self { time, line, what, expected, got, differs }
    }
}

/// What happened and what was recorded of it, in the order of time.
fn story(played: &Played) -> Vec<String> {
    let of_interest = |fact: &Fact| !matches!(fact, Fact::LogOpened(_) | Fact::ConfigLoaded(_) | Fact::LogClosed);
    let records = played.records.iter().filter(|(_, record)| of_interest(&record.fact)).map(|(at, record)| {
        let incident = record.fact.incident(record.seq).map(|incident| format!("{incident} ")).unwrap_or_default();
        (*at, 1, format!("{incident}{}: {}", heading(&record.fact), words(&record.fact)))
    });
    let happened = played.happened.iter().map(|(at, words)| (*at, 0, words.clone()));
    let mut told: Vec<(i64, u8, String)> = happened.chain(records).filter(|(at, ..)| 0 <= *at).collect();
    told.sort_by_key(|(at, rank, _)| (*at, *rank));
    let left_out = told.len().saturating_sub(STORY_MAX);
    let mut lines: Vec<String> = told.into_iter().skip(left_out).map(|(at, _, words)| line(at, &words)).collect();
    if left_out != 0 {
        lines.insert(0, format!("… ({left_out} earlier lines are left out)"));
    }
    lines
}

fn line(at: i64, words: &str) -> String {
    let at = format_duration(Duration::from_millis(at.unsigned_abs()));
    let mut text = words.lines();
    let first = text.next().unwrap_or_default();
    let more = if text.next().is_some() { " …" } else { "" };
    format!("{at:>12}  {first}{more}")
}

/// What of one playbook was reached.
#[derive(Debug, Serialize)]
pub(super) struct CoveredReport {
    pub(super) playbook: String,
    pub(super) place: String,
    pub(super) points: usize,
    pub(super) reached: usize,
    pub(super) not_reached: Vec<Missed>,
}

/// Something that no test reached.
#[derive(Debug, Serialize)]
pub(super) struct Missed {
    pub(super) place: String,
    pub(super) what: String,
}

pub(super) fn coverage(coverage: &Coverage) -> Vec<CoveredReport> {
    let report = |covered: &Covered| CoveredReport {
        playbook: covered.name.to_string(),
        place: covered.place.clone(),
        points: covered.points.len(),
        reached: covered.reached(),
        not_reached: covered
            .missed()
            .map(|point| Missed { place: point.place.clone(), what: point.words.clone() })
            .collect(),
    };
    coverage.playbooks().map(report).collect()
}
