//! What is to be checked: files, directories and standard input into texts.

use crate::cli::test;
use crate::playbook::RuleFile;
use crate::settings::rules::{self, is_test, read_one, text_of};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What standard input is called.
pub(super) const STDIN: &str = "-";

/// One thing to check: a text, a reason why there is none, or a file of tests.
pub(super) enum Source {
    Rules(RuleFile),
    Unreadable { path: String, message: String },
    Tests(PathBuf),
}

impl Source {
    /// Whether there is nothing in it.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Rules(file) => file.text.trim().is_empty(),
            Self::Unreadable { .. } | Self::Tests(_) => false,
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Rules(file) => Path::new(&file.path),
            Self::Unreadable { path, .. } => Path::new(path),
            Self::Tests(path) => path,
        }
    }
}

/// What one argument names.
pub(super) fn of(path: &Path, stdin: &mut dyn Read) -> Vec<Source> {
    if path == Path::new(STDIN) {
        return vec![match text_of(stdin) {
            Ok(text) => Source::Rules(RuleFile { path: STDIN.to_owned(), text }),
            Err(message) => Source::Unreadable { path: STDIN.to_owned(), message },
        }];
    }
    if !path.is_dir() {
        return vec![of_file(path)];
    }
    let mut sources = of_patterns(&patterns_of(path));
    sources.extend(test::tests_in(path).into_iter().map(Source::Tests));
    sources
}

/// What names the rules files of a directory.
pub(in crate::cli) fn patterns_of(directory: &Path) -> [String; 2] {
    let directory = glob::Pattern::escape(&directory.to_string_lossy());
    ["*.yaml", "*.yml"].map(|tail| Path::new(&directory).join(tail).to_string_lossy().into_owned())
}

/// The rules files that patterns name.
pub(super) fn of_patterns(patterns: &[String]) -> Vec<Source> {
    match rules::find(patterns) {
        Ok(paths) => paths.iter().map(|path| of_file(path)).collect(),
        Err(error) => {
            let unreadable =
                |problem: rules::RulesProblem| Source::Unreadable { path: problem.path, message: problem.message };
            error.problems.into_iter().map(unreadable).collect()
        }
    }
}

fn of_file(path: &Path) -> Source {
    let name = path.display().to_string();
    if is_test(path) {
        return Source::Tests(path.to_owned());
    }
    match read_one(path) {
        Ok(text) => Source::Rules(RuleFile { path: name, text }),
        Err(problem) => Source::Unreadable { path: name, message: problem.message },
    }
}

/// The same file may be named twice, by itself and by its directory: its playbooks are not there twice.
pub(super) fn each_once(sources: Vec<Source>) -> Vec<Source> {
    let mut seen = BTreeSet::new();
    let known = |source: &Source| {
        let path = source.path();
        std::fs::canonicalize(path).unwrap_or_else(|_missing| path.to_path_buf())
    };
    sources.into_iter().filter(|source| seen.insert(known(source))).collect()
}
