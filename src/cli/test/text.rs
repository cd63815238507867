//! The result of `test` for people: promtool's lines, what was expected and what was got, and what really happened.

use super::report::{CoveredReport, FailureReport, FileReport, Report, TestReport};
use crate::cli::check::print_problems;
use std::io::{self, Write};

/// Prints everything.
pub(super) fn print(report: &Report, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    for file in &report.files {
        print_file(file, colour, out)?;
    }
    if let Some(coverage) = &report.coverage {
        print_coverage(coverage, out)?;
    }
    let left_out: usize = report.files.iter().map(|file| file.left_out).sum();
    let left_out = if left_out == 0 { String::new() } else { format!(", {left_out} left out by --run") };
    let failed = match report.failed {
        0 => "all passed".to_owned(),
        failed => format!("{failed} failed"),
    };
    writeln!(out, "{} in {}: {failed}{left_out}", counted(report.tests, "test"), counted(report.files.len(), "file"))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn print_file(file: &FileReport, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Unit Testing:  {}", file.path)?;
    let passed = file.passed();
    writeln!(out, "  {}", if passed { "SUCCESS" } else { "FAILED:" })?;
    if !file.problems.is_empty() {
        writeln!(out)?;
        print_problems((&file.path, &file.text), &file.problems, colour, out)?;
    }
    for test in file.tests.iter().filter(|test| !test.passed) {
        print_test(file, test, out)?;
    }
    writeln!(out)
}

fn print_test(file: &FileReport, test: &TestReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    name: {},  ({}:{})", test.name, file.path, test.line)?;
    for failure in &test.failures {
        print_failure(file, failure, out)?;
    }
    writeln!(out, "    what happened:")?;
    test.story.iter().try_for_each(|line| writeln!(out, "      {line}"))?;
    writeln!(out)
}

fn print_failure(file: &FileReport, failure: &FailureReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    {}, time: {},  ({}:{})", failure.what, failure.time, file.path, failure.line)?;
    let nothing = failure.expected.is_empty() && failure.got.is_empty();
    for (word, items) in [("exp", &failure.expected), ("got", &failure.got)].into_iter().filter(|_| !nothing) {
        if items.is_empty() {
            writeln!(out, "        {word}:[]")?;
            continue;
        }
        writeln!(out, "        {word}:[")?;
        for (number, item) in (1..).zip(items) {
            writeln!(out, "          {number}: {item}")?;
        }
        writeln!(out, "            ]")?;
    }
    failure.differs.iter().try_for_each(|words| writeln!(out, "        → {words}"))?;
    writeln!(out)
}

fn print_coverage(coverage: &[CoveredReport], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Coverage:")?;
    for playbook in coverage {
        let CoveredReport { playbook, place, points, reached, not_reached } = playbook;
        writeln!(out, "  {playbook} ({place}): {reached} of {points} reached")?;
        for missed in not_reached {
            writeln!(out, "    {}: no test reached {}", missed.place, missed.what)?;
        }
    }
    writeln!(out)
}
