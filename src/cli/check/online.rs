//! What `--online` finds, put where it belongs: beside the settings' own problems and into the files of the playbooks.

use super::report::{Checked, ProblemReport, Report, SettingsReport, Verdict};
use crate::daemon::online::{self, Finding};
use crate::playbook::definition::Playbook;
use crate::playbook::{RuleFile, found_at};
use crate::settings::{self, About, Overrides, Place, Settings, SettingsProblem, ShownFile, place_of};
use std::path::{Path, PathBuf};

/// What stands in the report where a settings file would, if there is none.
const NO_FILE: &str = "the settings without a file";

/// With what is asked: the settings of the file, or those that hold without one.
pub(super) struct Asked {
    settings: Result<Settings, Vec<SettingsProblem>>,
    file: Option<PathBuf>,
}

impl Asked {
    /// Takes the settings that were checked; without any, reads those that hold by default and by environment.
    pub(super) fn of(checked: &Checked, file: Option<&Path>) -> Self {
        let settings = match (&checked.settings, file) {
            (Some(settings), _) => Ok(settings.clone()),
            // What is wrong with the file has been reported.
            (None, Some(_)) => Err(Vec::new()),
            (None, None) => settings::load(Overrides::default(), None).map_err(|error| error.problems),
        };
        Self { settings, file: file.map(Path::to_path_buf) }
    }

    /// Asks, if there is nothing to mend before, and adds what was found.
    pub(super) fn add_findings(self, report: &mut Report, playbooks: &[Playbook]) {
        match &self.settings {
            Err(problems) => problems.iter().for_each(|problem| self.add_setting(report, problem)),
            Ok(_) if report.errors != 0 => {
                let message = "nothing was asked online: mend the errors first".to_owned();
                self.add_setting(report, &SettingsProblem::of_all(Place::Default, message));
            }
            Ok(settings) => match online::ask(settings, playbooks) {
                Ok(findings) => findings.into_iter().for_each(|finding| self.add(report, playbooks, finding)),
                Err(message) => {
                    self.add_setting(report, &SettingsProblem::of_all(Place::Default, message));
                }
            },
        }
        report.count();
    }

    fn add(&self, report: &mut Report, playbooks: &[Playbook], finding: Finding) {
        match finding {
            Finding::Setting { key, message } => {
                let place = place_of(&key, self.file.as_deref());
                self.add_setting(report, &SettingsProblem { place, key, message, about: About::Value });
            }
            Finding::Playbook { name, key, code, message, hint } => {
                let source = playbooks.iter().find(|playbook| playbook.name == name).map(|playbook| &playbook.source);
                let path = source.and_then(|source| source.rsplit_once(':')).map_or("", |(path, _)| path);
                let Some(file) = report.files.iter_mut().find(|file| file.path == path) else { return };
                let text = RuleFile { path: file.path.clone(), text: file.text.clone() };
                let problem = found_at(&text, (&name, key), (code, message, hint));
                file.problems.push(ProblemReport::from(problem));
                file.verdict = Verdict::Failed;
            }
        }
    }

    fn add_setting(&self, report: &mut Report, problem: &SettingsProblem) {
        let path = self.file.as_ref().map_or_else(|| NO_FILE.to_owned(), |file| file.display().to_string());
        let found = report.settings.get_or_insert(SettingsReport {
            path,
            verdict: Verdict::Ok,
            problems: Vec::new(),
            file: ShownFile::default(),
        });
        if let Some(file) = self.file.as_ref().filter(|_| found.file.text().is_empty()) {
            found.file = settings::shown_file(file);
        }
        found.verdict = Verdict::Failed;
        found.problems.push(ProblemReport::of_settings(problem, &found.file));
    }
}
