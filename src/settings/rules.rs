//! The rules files that are meant, and their text. `check` and the daemon both read rules through here.
//!
//! Files named `*.test.yaml` are tests and never read as rules. What the text means is not known here. Read [`read`].

use super::patient;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One byte more than the longest rules file: enough for its reader to refuse it, without reading all of it.
const READ_BYTES_MAX: u64 = (1 << 20) + 1;

/// One rules file's path and text.
pub type RuleText = (String, String);

/// A rules file that cannot be read, or a pattern that names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesProblem {
    /// The path or pattern.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for RulesProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// All that keeps the rules from being read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RulesError {
    /// At least one.
    pub problems: Vec<RulesProblem>,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Reads all files that the patterns name, each once, in the order of their paths.
///
/// # Errors
/// [`RulesError`] if a file cannot be read or the patterns together name none.
pub fn read(patterns: &[String]) -> Result<Vec<RuleText>, RulesError> {
    let mut problems = Vec::new();
    let mut texts = Vec::new();
    for path in find(patterns).unwrap_or_else(|error| {
        problems.extend(error.problems);
        Vec::new()
    }) {
        match read_one(&path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(RulesError { problems }) }
}

/// The rules files that the patterns name, each once, sorted by path, without tests.
///
/// # Errors
/// [`RulesError`] if a directory cannot be listed, or if the patterns together name no file.
pub fn find(patterns: &[String]) -> Result<Vec<PathBuf>, RulesError> {
    let mut problems = Vec::new();
    let mut paths = Vec::new();
    for pattern in patterns {
        let problem = |message: String| RulesProblem { path: pattern.clone(), message };
        match glob::glob(pattern) {
            Err(error) => problems.push(problem(format!("not a glob: {}", error.msg))),
            Ok(found) => {
                for path in found {
                    match path {
                        Ok(path) if !is_test(&path) && !path.is_dir() => paths.push(path),
                        Ok(_) => {}
                        Err(error) => problems.push(problem(format!("cannot list it: {error}"))),
                    }
                }
            }
        }
    }
    if paths.is_empty() && problems.is_empty() {
        let message = "names no rules file; write one, or correct `rules.paths`".to_owned();
        problems.push(RulesProblem { path: patterns.join(", "), message });
    }
    paths.sort();
    paths.dedup();
    if problems.is_empty() { Ok(paths) } else { Err(RulesError { problems }) }
}

/// Reads one rules file.
///
/// # Errors
/// [`RulesProblem`] if it cannot be read or is not UTF-8.
pub fn read_one(path: &Path) -> Result<String, RulesProblem> {
    let problem = |message: String| RulesProblem { path: path.display().to_string(), message };
    let file = patient::open(path).map_err(|cause| problem(format!("cannot be opened: {cause}")))?;
    text_of(file).map_err(problem)
}

/// Reads the text of one rules file from anywhere, no further than its reader would accept.
///
/// # Errors
/// A message if it cannot be read or is not UTF-8.
pub fn text_of(source: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    source.take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(|cause| format!("cannot be read: {cause}"))?;
    let cut = u64::try_from(bytes.len()).is_ok_and(|length| length == READ_BYTES_MAX);
    String::from_utf8(bytes).or_else(|error| {
        let at = error.utf8_error().valid_up_to();
        let lines = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        // The cut itself may have gone through a character.
        let only_the_cut = cut && error.utf8_error().error_len().is_none();
        let message = format!("line {} is not UTF-8 (byte {at} of the file); save it as UTF-8", lines + 1);
        if only_the_cut { Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()) } else { Err(message) }
    })
}

/// Whether a file holds tests for playbooks and no playbooks.
#[must_use]
pub fn is_test(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, content: &[u8]) {
        std::fs::write(dir.join(name), content).unwrap();
    }

    #[test]
    fn files_come_once_sorted_and_without_tests() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yaml", "a.test.yaml", "a.test.yml", "c.yml", "notes.txt"] {
            write(dir.path(), name, name.as_bytes());
        }
        std::fs::create_dir(dir.path().join("d.yaml")).unwrap();
        let pattern = |tail: &str| dir.path().join(tail).display().to_string();
        let read = read(&[pattern("*.yaml"), pattern("a*"), pattern("*.yml")]).unwrap();
        let texts: Vec<&str> = read.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a.yaml", "b.yaml", "c.yml"]);
    }

    #[test]
    fn no_file_at_all_is_an_error_that_names_the_pattern() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "only.test.yaml", b"");
        let pattern = dir.path().join("*.yaml").display().to_string();
        let error = read(std::slice::from_ref(&pattern)).unwrap_err();
        assert_eq!(error.problems.len(), 1);
        assert!(error.to_string().starts_with(&pattern), "{error}");
    }

    #[test]
    fn text_that_is_not_utf8_is_named_by_its_line() {
        assert!(text_of(&b"a\nb\xff"[..]).unwrap_err().starts_with("line 2 is not UTF-8 (byte 3"));
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "bad.yaml", b"\xff");
        let error = read_one(&dir.path().join("bad.yaml")).unwrap_err();
        assert!(error.path.ends_with("bad.yaml") && error.message.contains("UTF-8"), "{error}");
    }

    #[test]
    fn a_huge_file_is_read_no_further_than_needed() {
        assert_eq!(text_of(std::io::repeat(b'a')).unwrap().len(), (1 << 20) + 1);
        let cut_in_a_character = "é".repeat(1 << 20);
        assert!(text_of(cut_in_a_character.as_bytes()).is_ok());
        assert!(read_one(Path::new("/nonexistent/x.yaml")).unwrap_err().message.contains("cannot be opened"));
    }
}
