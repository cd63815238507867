//! `sickbay test`: the unit tests of playbooks, on a simulated machine. Needs no daemon, no Docker and no network.
//!
//! Prints in promtool's manner and runs all files before it fails. Read [`run`] first.

mod files;
mod junit;
mod report;
mod text;

pub(super) use files::{Opened, open, tests_in};

use super::check::Output;
use super::{USAGE, print_json};
use crate::unit_test::coverage::Coverage;
use crate::unit_test::play;
use clap::{Args, ValueEnum};
use regex::Regex;
use report::{FileReport, Report, TestReport};
use std::io::{self, Write};
use std::path::PathBuf;

/// Everything is as expected.
const FINE: u8 = 0;
/// A test failed, a file is wrong, or something was to be reached that was not.
const FAILED: u8 = 1;

/// Run the unit tests of playbooks on a simulated machine.
#[derive(Args, Clone, Debug, Default)]
pub struct TestArgs {
    /// Test files, or directories (their *.test.yaml and *.test.yml, and those of their subdirectories)
    #[arg(value_name = "FILE|DIR", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only tests whose names match this regular expression; may be given several times
    #[arg(long, value_name = "REGEX")]
    pub run: Vec<String>,
    /// List what of the playbooks no test reached; `--coverage=fail` exits with 1 if there is anything
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "inform", value_name = "WHAT")]
    pub coverage: Option<CoverageMode>,
    /// Write the results to this file, for whatever shows test results
    #[arg(long, value_name = "FILE", help = "Write the results to this file as JUnit XML")]
    pub junit: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// What follows from something that no test reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CoverageMode {
    /// It is listed.
    Inform,
    /// It is listed, and the exit code is 1.
    Fail,
}

/// Runs the tests, prints the result, and returns the exit code: 0 all passed, 1 not all, 2 wrong usage.
///
/// # Errors
/// If the result cannot be printed or written.
pub fn run(args: &TestArgs, colour: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let mut chosen = Vec::new();
    for pattern in &args.run {
        match Regex::new(pattern) {
            Ok(pattern) => chosen.push(pattern),
            Err(error) => {
                writeln!(err, "sickbay test: --run is no regular expression: {error}")?;
                return Ok(USAGE);
            }
        }
    }
    let (paths, problems) = files::find(&args.paths);
    let mut report = Report::default();
    report.files.extend(problems);
    let mut coverage = Coverage::default();
    for path in paths {
        report.files.push(run_file(&path, &chosen, &mut coverage));
    }
    if args.coverage.is_some() {
        report.coverage = Some(report::coverage(&coverage));
    }
    report.count();
    if report.tests == 0 && report.files.iter().all(|file| file.problems.is_empty()) {
        writeln!(err, "sickbay test: no test has a name that --run chooses")?;
        return Ok(FAILED);
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, junit::xml(&report))
            .map_err(|cause| io::Error::new(cause.kind(), format!("{} cannot be written: {cause}", path.display())))?;
    }
    match args.output {
        Output::Text => text::print(&report, colour, out)?,
        Output::Json => print_json(&report, out)?,
    }
    let missed = args.coverage == Some(CoverageMode::Fail) && report.missed != 0;
    Ok(if report.failed != 0 || missed { FAILED } else { FINE })
}

fn run_file(path: &std::path::Path, chosen: &[Regex], coverage: &mut Coverage) -> FileReport {
    let Opened { path, text, problems, file } = open(path);
    let mut report = FileReport::new(path, text, problems);
    let Some(file) = file else { return report };
    coverage.know(&file);
    for test in &file.tests {
        if !chosen.is_empty() && chosen.iter().all(|pattern| !pattern.is_match(&test.name)) {
            report.left_out += 1;
            continue;
        }
        let played = play(&file, test);
        coverage.add(&file, &played);
        report.tests.push(TestReport::new(test, &played));
    }
    report
}
