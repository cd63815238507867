//! The test files that are meant, and the rules files that each of them is about.

use super::report::FileReport;
use crate::cli::check::ProblemReport;
use crate::playbook::RuleFile;
use crate::settings::rules::{self, RulesError, is_test, read_one};
use crate::unit_test::definition::TestFile;
use crate::unit_test::{Reading, read};
use std::path::{Path, PathBuf};

/// A test file that was read.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) path: String,
    pub(in crate::cli) text: String,
    pub(in crate::cli) problems: Vec<ProblemReport>,
    /// `None` if anything is wrong with it.
    pub(in crate::cli) file: Option<TestFile>,
}

/// The test files of these paths, each once, in the order of the arguments; and a report on each path that names none.
pub(super) fn find(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<FileReport>) {
    let (mut found, mut failed): (Vec<PathBuf>, Vec<FileReport>) = (Vec::new(), Vec::new());
    for path in paths {
        let named = if path.is_dir() {
            tests_below(path)
        } else if is_test(path) {
            vec![path.clone()]
        } else {
            let message = "the name of a test file ends in .test.yaml".to_owned();
            failed.push(unusable(path, "test.file-name", message));
            continue;
        };
        if named.is_empty() {
            let message = "holds no test file: none ends in .test.yaml or .test.yml".to_owned();
            failed.push(unusable(path, "test.none", message));
        }
        for path in named {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    (found, failed)
}

fn unusable(path: &Path, code: &'static str, message: String) -> FileReport {
    FileReport::new(path.display().to_string(), String::new(), vec![ProblemReport::of_file(code, message)])
}

fn tests_below(directory: &Path) -> Vec<PathBuf> {
    named(directory, ["**/*.test.yaml", "**/*.test.yml"])
}

/// The test files that lie in a directory itself.
pub(in crate::cli) fn tests_in(directory: &Path) -> Vec<PathBuf> {
    named(directory, ["*.test.yaml", "*.test.yml"])
}

/// The files that patterns name, as seen from a directory.
fn named(directory: &Path, patterns: [&str; 2]) -> Vec<PathBuf> {
    let escaped = glob::Pattern::escape(&directory.to_string_lossy());
    let patterns = patterns.map(|tail| Path::new(&escaped).join(tail));
    let matching = patterns.iter().filter_map(|pattern| glob::glob(&pattern.to_string_lossy()).ok());
    let mut found: Vec<PathBuf> = matching.flatten().filter_map(Result::ok).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// Reads a test file with the playbooks it is about.
pub(in crate::cli) fn open(path: &Path) -> Opened {
    let name = path.display().to_string();
    let text = match read_one(path) {
        Ok(text) => text,
        Err(problem) => {
            let problems = vec![ProblemReport::of_file("file.unreadable", problem.message)];
            return Opened { path: name, text: String::new(), problems, file: None };
        }
    };
    let Reading { file, problems } = read(&name, &text, &|globs| rules_of(path, globs));
    Opened { path: name, text, problems: problems.into_iter().map(ProblemReport::from).collect(), file }
}

fn looked_for(words: &str, error: &RulesError) -> String {
    let places: Vec<&str> = error.problems.iter().map(|problem| problem.path.as_str()).collect();
    format!("{words} (looked for {})", places.join(", "))
}

/// The rules files that a test file is about: those of its globs, relative to itself, or those beside it.
fn rules_of(test: &Path, globs: Option<&[String]>) -> Result<Vec<RuleFile>, String> {
    let beside = glob::Pattern::escape(&test.parent().unwrap_or(Path::new("")).to_string_lossy());
    let under = |tail: &str| Path::new(&beside).join(tail).to_string_lossy().into_owned();
    let mut paths = Vec::new();
    match globs {
        None => {
            let patterns = ["*.yaml", "*.yml"].map(under);
            paths.extend(
                rules::find(&patterns).map_err(|error| looked_for("no rules file lies beside this one", &error))?,
            );
        }
        Some(globs) => {
            for pattern in globs {
                let found = rules::find(&[under(pattern)]);
                let words = format!("`{pattern}` names no rules file, as seen from this file");
                paths.extend(found.map_err(|error| looked_for(&words, &error))?);
            }
        }
    }
    paths.sort();
    paths.dedup();
    let read = |path: PathBuf| match read_one(&path) {
        Ok(text) => Ok(RuleFile { path: path.display().to_string(), text }),
        Err(problem) => Err(problem.to_string()),
    };
    paths.into_iter().map(read).collect()
}
