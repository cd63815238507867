//! What was checked and what was found, before it is printed. The JSON of it is a stable shape.

use super::sources::Source;
use crate::cli::test;
use crate::playbook::codes::{self, Code};
use crate::playbook::definition::Playbook;
use crate::playbook::{Known, Loaded, Problem, RuleFile, Severity, load_with};
use crate::settings::{self, Mark, Overrides, Place, Settings, SettingsProblem, ShownFile};
use serde::Serialize;
use std::path::Path;

/// The code of all problems of the settings.
const SETTINGS: &str = "settings";

/// What became of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing has to be changed.
    Ok,
    /// Something has.
    Failed,
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
    /// How many tests it holds, if it holds tests and no rules.
    pub(super) tests: Option<usize>,
    pub(super) problems: Vec<ProblemReport>,
    #[serde(skip)]
    pub(super) text: String,
}

/// The settings file.
#[derive(Debug, Serialize)]
pub(super) struct SettingsReport {
    pub(super) path: String,
    pub(super) verdict: Verdict,
    pub(super) problems: Vec<ProblemReport>,
    /// What of it may be shown.
    #[serde(skip)]
    pub(super) file: ShownFile,
}

impl SettingsReport {
    /// These problems, with what the file says where they stand.
    pub(super) fn new(path: String, verdict: Verdict, (problems, file): (&[SettingsProblem], Option<&Path>)) -> Self {
        let file = file.filter(|_| !problems.is_empty()).map(settings::shown_file).unwrap_or_default();
        let problems = problems.iter().map(|problem| ProblemReport::of_settings(problem, &file)).collect();
        Self { path, verdict, problems, file }
    }
}

/// One problem; the shape is stable.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct ProblemReport {
    pub(in crate::cli) line: usize,
    pub(in crate::cli) column: usize,
    pub(in crate::cli) offset: usize,
    pub(in crate::cli) length: usize,
    pub(in crate::cli) severity: &'static str,
    pub(in crate::cli) code: &'static str,
    pub(in crate::cli) message: String,
    pub(in crate::cli) hint: Option<String>,
}

impl ProblemReport {
    /// Something that is wrong with the whole of a file.
    pub(in crate::cli) fn of_file(code: &'static str, message: String) -> Self {
        let hint = codes::find(code).map(Code::hint);
        Self { line: 0, column: 0, offset: 0, length: 0, severity: "error", code, message, hint }
    }
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

impl ProblemReport {
    /// A problem of the settings, which are this file.
    pub(super) fn of_settings(problem: &SettingsProblem, file: &ShownFile) -> Self {
        let (message, hint) = problem.parts();
        let hint = hint.or_else(|| codes::find(SETTINGS).map(Code::hint));
        let report = Self { hint, ..Self::of_file(SETTINGS, message) };
        match (file.mark(problem), &problem.place) {
            (Some(mark), _) => {
                let Mark { line, column, offset, length } = mark;
                Self { line, column, offset, length, ..report }
            }
            (None, Place::File { line, column, .. }) => {
                let [line, column] = [*line, *column].map(|count| usize::try_from(count).unwrap_or(0));
                Self { line, column, ..report }
            }
            (None, Place::Environment(_) | Place::Flag(_) | Place::Default) => report,
        }
    }
}

/// The settings, checked, before the rules are.
pub(super) struct Checked {
    /// Only if nothing is wrong with them.
    pub(super) settings: Option<Settings>,
    report: Option<SettingsReport>,
}

impl Checked {
    /// Checks the settings file, if there is one to check.
    pub(super) fn settings(file: Option<&Path>) -> Self {
        let Some(file) = file else { return Self { settings: None, report: None } };
        let path = file.display().to_string();
        let (loaded, verdict, problems) = match settings::load(Overrides::default(), Some(file)) {
            Ok(settings) => (Some(settings), Verdict::Ok, Vec::new()),
            Err(error) => (None, Verdict::Failed, error.problems),
        };
        Self { settings: loaded, report: Some(SettingsReport::new(path, verdict, (&problems, Some(file)))) }
    }

    /// Checks all rules together, because names must be unique over all files, and reports on each file by itself.
    /// The playbooks are those without an error.
    pub(super) fn rules(self, sources: Vec<Source>) -> (Report, Vec<Playbook>) {
        let rules = |source: &Source| match source {
            Source::Rules(file) => Some(file.clone()),
            Source::Unreadable { .. } | Source::Tests(_) => None,
        };
        let files: Vec<RuleFile> = sources.iter().filter_map(rules).collect();
        let notifiers = self.settings.as_ref().map(Settings::notifier_names);
        let hosts = self.settings.as_ref().map(Settings::host_names);
        let approve_on_timeout = self.settings.as_ref().map(|settings| settings.approvals.approve_on_timeout);
        let deciders = self.settings.as_ref().map(Settings::deciders);
        let (notifiers, hosts, deciders) = (notifiers.as_deref(), hosts.as_deref(), deciders.as_deref());
        let loaded = load_with(&files, Known { notifiers, hosts, approve_on_timeout, deciders });
        let files = sources.into_iter().map(|source| report_on(source, &loaded)).collect();
        let mut report = Report { files, settings: self.report, ..Report::default() };
        report.count();
        (report, loaded.playbooks)
    }
}

impl Report {
    /// Counts errors and warnings.
    pub(super) fn count(&mut self) {
        let found = |severity: &str| {
            let problems = self.files.iter().flat_map(|file| &file.problems);
            problems.filter(|problem| problem.severity == severity).count()
        };
        self.warnings = found("warning");
        self.errors = found("error") + self.settings.as_ref().map_or(0, |settings| settings.problems.len());
    }
}

fn report_on(source: Source, loaded: &Loaded) -> FileReport {
    let empty = |path: String, verdict: Verdict| FileReport {
        path,
        verdict,
        playbooks: 0,
        steps: 0,
        tests: None,
        problems: Vec::new(),
        text: String::new(),
    };
    match source {
        Source::Tests(path) => {
            let test::Opened { path, text, problems, file } = test::open(&path);
            let verdict = if file.is_some() { Verdict::Ok } else { Verdict::Failed };
            let tests = Some(file.map_or(0, |file| file.tests.len()));
            FileReport { tests, problems, text, ..empty(path, verdict) }
        }
        Source::Unreadable { path, message } => {
            let unreadable = ProblemReport::of_file("file.unreadable", message);
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
