//! `sickbay check`: every problem of rules files and settings, drawn where it stands.
//!
//! Prints in amtool's manner and reads all files before it fails. It opens no connection and needs no daemon. Read
//! [`run`] first.

use super::drawing;
use crate::playbook::definition::Playbook;
use crate::playbook::{Loaded, Problem, RuleFile, Severity, load, load_knowing};
use crate::settings::rules::{is_test, read_one, text_of};
use crate::settings::{self, Overrides, Settings, rules};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// Nothing is wrong.
const FINE: u8 = 0;
/// Something is.
const FINDINGS: u8 = 1;
/// Nothing was named to be checked.
const USAGE: u8 = 2;
/// Only lint found something, and `--lint-fatal` was given.
const LINT: u8 = 3;

/// Check rules files and settings without running anything.
#[derive(Args, Clone, Debug, Default)]
pub struct CheckArgs {
    /// Rules files, directories (their *.yaml and *.yml), or `-` for standard input
    #[arg(value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Check this settings file as well, with the rules it names if no others are given
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Exit with 3 if only lint finds something
    #[arg(long)]
    pub lint_fatal: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Whether to draw in colour: on a terminal, unless `NO_COLOR` says otherwise.
#[must_use]
pub fn wants_colour() -> bool {
    io::stdout().is_terminal() && !settings::no_color()
}

/// What became of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing has to be changed.
    Ok,
    /// Something has.
    Failed,
    /// It holds tests and no rules, and was left out.
    Skipped,
}

/// Everything that was checked.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) files: Vec<FileReport>,
    pub(super) settings: Option<SettingsReport>,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

/// One rules file.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    pub(super) path: String,
    pub(super) verdict: Verdict,
    pub(super) playbooks: usize,
    pub(super) steps: usize,
    pub(super) problems: Vec<ProblemReport>,
    #[serde(skip)]
    pub(super) text: String,
}

/// The settings file.
#[derive(Debug, Serialize)]
pub(super) struct SettingsReport {
    pub(super) path: String,
    pub(super) verdict: Verdict,
    pub(super) problems: Vec<String>,
}

/// One problem; the shape is stable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProblemReport {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) severity: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl From<Problem> for ProblemReport {
    fn from(problem: Problem) -> Self {
        let Problem { file: _, line, column, offset, length, severity, code, message, hint } = problem;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self { line, column, offset, length, severity, code, message, hint }
    }
}

/// Checks what the arguments name, prints the result, and returns the exit code: 0 fine, 1 errors, 2 nothing to check,
/// 3 only lint findings with `--lint-fatal`.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &CheckArgs, colour: bool, stdin: &mut dyn Read, out: &mut dyn Write) -> io::Result<u8> {
    let (settings, settings_report) = check_settings(args);
    let mut sources = Vec::new();
    for path in &args.paths {
        sources.extend(sources_of(path, stdin));
    }
    if args.paths.is_empty() {
        match (&settings, &args.config_file) {
            (Some(settings), _) => sources.extend(sources_of_settings(settings)),
            (None, Some(_)) => {}
            (None, None) if io::stdin().is_terminal() => {
                writeln!(out, "sickbay check: name rules files or a directory, or give --config.file")?;
                return Ok(USAGE);
            }
            (None, None) => sources.extend(sources_of(Path::new("-"), stdin)),
        }
    }
    let notifiers = settings.as_ref().map(Settings::notifier_names);
    let mut report = Report { files: check_rules(sources, notifiers.as_deref()), ..Report::default() };
    let found = |severity: &str| {
        let problems = report.files.iter().flat_map(|file| &file.problems);
        problems.filter(|problem| problem.severity == severity).count()
    };
    report.warnings = found("warning");
    report.errors = found("error") + settings_report.as_ref().map_or(0, |settings| settings.problems.len());
    report.settings = settings_report;
    match args.output {
        Output::Text => drawing::print(&report, colour, out)?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
    }
    Ok(match (report.errors, report.warnings) {
        (0, 0) => FINE,
        (0, _) if args.lint_fatal => LINT,
        (0, _) => FINE,
        (_, _) => FINDINGS,
    })
}

fn check_settings(args: &CheckArgs) -> (Option<Settings>, Option<SettingsReport>) {
    let Some(file) = &args.config_file else { return (None, None) };
    let path = file.display().to_string();
    match settings::load(Overrides::default(), Some(file)) {
        Ok(settings) => (Some(settings), Some(SettingsReport { path, verdict: Verdict::Ok, problems: Vec::new() })),
        Err(error) => {
            let problems = error.problems.iter().map(ToString::to_string).collect();
            (None, Some(SettingsReport { path, verdict: Verdict::Failed, problems }))
        }
    }
}

/// One thing to check: a text, a reason why there is none, or a file of tests.
enum Source {
    Rules(RuleFile),
    Unreadable { path: String, message: String },
    Tests(String),
}

fn sources_of(path: &Path, stdin: &mut dyn Read) -> Vec<Source> {
    if path == Path::new("-") {
        return vec![match text_of(stdin) {
            Ok(text) => Source::Rules(RuleFile { path: "-".to_owned(), text }),
            Err(message) => Source::Unreadable { path: "-".to_owned(), message },
        }];
    }
    if !path.is_dir() {
        return vec![source_of_file(path)];
    }
    sources_of_patterns(&patterns_of(path))
}

/// What names the rules files of a directory.
pub(super) fn patterns_of(directory: &Path) -> [String; 2] {
    let directory = glob::Pattern::escape(&directory.to_string_lossy());
    ["*.yaml", "*.yml"].map(|tail| Path::new(&directory).join(tail).to_string_lossy().into_owned())
}

fn sources_of_settings(settings: &Settings) -> Vec<Source> {
    sources_of_patterns(&settings.rules)
}

fn sources_of_patterns(patterns: &[String]) -> Vec<Source> {
    match rules::find(patterns) {
        Ok(paths) => paths.iter().map(|path| source_of_file(path)).collect(),
        Err(error) => {
            let unreadable =
                |problem: rules::RulesProblem| Source::Unreadable { path: problem.path, message: problem.message };
            error.problems.into_iter().map(unreadable).collect()
        }
    }
}

fn source_of_file(path: &Path) -> Source {
    let name = path.display().to_string();
    if is_test(path) {
        return Source::Tests(name);
    }
    match read_one(path) {
        Ok(text) => Source::Rules(RuleFile { path: name, text }),
        Err(problem) => Source::Unreadable { path: name, message: problem.message },
    }
}

/// Loads all rules together, because names must be unique over all files, and reports on each file by itself.
fn check_rules(sources: Vec<Source>, notifiers: Option<&[String]>) -> Vec<FileReport> {
    let rules = |source: &Source| match source {
        Source::Rules(file) => Some(file.clone()),
        Source::Unreadable { .. } | Source::Tests(_) => None,
    };
    let files: Vec<RuleFile> = sources.iter().filter_map(rules).collect();
    let loaded = notifiers.map_or_else(|| load(&files), |notifiers| load_knowing(&files, notifiers));
    sources.into_iter().map(|source| report_on(source, &loaded)).collect()
}

fn report_on(source: Source, loaded: &Loaded) -> FileReport {
    let empty = |path: String, verdict: Verdict| FileReport {
        path,
        verdict,
        playbooks: 0,
        steps: 0,
        problems: Vec::new(),
        text: String::new(),
    };
    match source {
        Source::Tests(path) => empty(path, Verdict::Skipped),
        Source::Unreadable { path, message } => {
            let unreadable = ProblemReport {
                line: 0,
                column: 0,
                offset: 0,
                length: 0,
                severity: "error",
                code: "file.unreadable",
                message,
                hint: None,
            };
            FileReport { problems: vec![unreadable], ..empty(path, Verdict::Failed) }
        }
        Source::Rules(file) => {
            let problems = loaded.problems.iter().filter(|problem| problem.file == file.path);
            let failed = problems.clone().any(|problem| problem.severity == Severity::Error);
            let of_file = |source: &str| source.rsplit_once(':').is_some_and(|(path, _)| path == file.path);
            let playbooks: Vec<_> = loaded.playbooks.iter().filter(|playbook| of_file(&playbook.source)).collect();
            FileReport {
                playbooks: playbooks.len(),
                steps: playbooks.iter().map(|playbook| steps_of(playbook)).sum(),
                problems: problems.cloned().map(ProblemReport::from).collect(),
                text: file.text,
                ..empty(file.path, if failed { Verdict::Failed } else { Verdict::Ok })
            }
        }
    }
}

/// How many steps a playbook has, with those that were added.
fn steps_of(playbook: &Playbook) -> usize {
    playbook.attempts.iter().map(|attempt| attempt.steps.len()).sum::<usize>() + playbook.on_failure.len()
}
