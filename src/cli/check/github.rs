//! The result of `check` as commands of a GitHub workflow, which mark the lines in a pull request.
//!
//! The text goes through GitHub's own escapes, so that nothing in a rules file can end a command or begin another one.

use super::report::{ProblemReport, Report};
use super::shown;
use super::sources::STDIN;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Prints everything.
pub(super) fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if let Some(settings) = &report.settings {
        for problem in &settings.problems {
            let path = if problem.line == 0 { "" } else { &settings.path };
            writeln!(out, "{}", of_rules(path, settings.file.text(), problem))?;
        }
    }
    for file in &report.files {
        for problem in &file.problems {
            writeln!(out, "{}", of_rules(&file.path, &file.text, problem))?;
        }
    }
    Ok(())
}

fn of_rules(path: &str, text: &str, problem: &ProblemReport) -> String {
    let mut command = command(problem.severity, path);
    if problem.line != 0 {
        let marked = text.get(problem.offset..problem.offset + problem.length).unwrap_or_default().chars().count();
        // GitHub's last column is the last one that is marked.
        let (line, column, last) = (problem.line, problem.column, problem.column + marked.saturating_sub(1));
        _ = write!(command, ",line={line},endLine={line},col={column},endColumn={last}");
    }
    let hint = problem.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
    finished(&command, problem.code, &format!("{}{hint}", problem.message))
}

/// Standard input is no file of the repository, and neither is what has no place.
fn command(severity: &str, path: &str) -> String {
    if path.is_empty() || path == STDIN {
        return format!("::{severity} ");
    }
    format!("::{severity} file={}", property(path))
}

fn finished(command: &str, title: &str, message: &str) -> String {
    let comma = if command.ends_with(' ') { "" } else { "," };
    let command = command.replacen(" ,", " ", 1);
    format!("{command}{comma}title={}::{}", property(title), data(message))
}

/// The message of a command.
fn data(text: &str) -> String {
    shown(text, &['\n', '\r', '\t']).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, which ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &'static str, message: &str) -> ProblemReport {
        let hint = Some("and: so, 100 %".to_owned());
        let problem = ProblemReport::of_file(code, message.to_owned());
        ProblemReport { line: 2, column: 3, offset: 5, length: 3, hint, ..problem }
    }

    #[test]
    fn nothing_in_a_file_or_its_name_can_end_a_command() {
        let line = of_rules("a,b:c\n::x.yaml", "é\n  äbc", &problem("yaml.syntax", "50 % of\r\n::error::it"));
        let file = "file=a%2Cb%3Ac%0A%3A%3Ax.yaml,line=2,endLine=2,col=3,endColumn=4,title=yaml.syntax";
        assert_eq!(line, format!("::error {file}::50 %25 of%0D%0A::error::it%0Aand: so, 100 %25"));
    }

    #[test]
    fn what_has_no_place_has_no_place() {
        let bare = ProblemReport { hint: None, ..ProblemReport::of_file("file.unreadable", "gone".to_owned()) };
        assert_eq!(of_rules("-", "", &bare), "::error title=file.unreadable::gone");
        assert_eq!(
            of_rules("-", "é\n  äbc", &problem("a", "b")).split("::").nth(1),
            Some("error line=2,endLine=2,col=3,endColumn=4,title=a")
        );
    }
}
