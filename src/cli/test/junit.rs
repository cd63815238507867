//! The result of `test` as `JUnit` XML, for whatever shows test results.

use super::report::{FailureReport, FileReport, Report, TestReport};
use std::fmt::Write as _;

/// The whole document.
pub(super) fn xml(report: &Report) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures) = (total(report), report.failed);
    _ = writeln!(xml, "<testsuites name=\"sickbay\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    for file in &report.files {
        suite(file, &mut xml);
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// A file that could not be used counts as one test that failed.
fn total(report: &Report) -> usize {
    report.tests + report.files.iter().filter(|file| file.is_broken()).count()
}

fn suite(file: &FileReport, xml: &mut String) {
    let broken = usize::from(file.is_broken());
    let failures = broken + file.tests.iter().filter(|test| !test.passed).count();
    let (name, tests) = (escaped(&file.path), file.tests.len() + broken);
    _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    if file.is_broken() {
        let problems = file.problems.iter().map(|problem| {
            let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}:{}:{}: {}{hint}", file.path, problem.line, problem.column, problem.message)
        });
        let text = escaped(&problems.collect::<Vec<_>>().join("\n"));
        _ = writeln!(xml, "    <testcase name=\"{name}\" classname=\"{name}\">");
        _ = writeln!(xml, "      <failure message=\"the test file cannot be used\">{text}</failure>");
        _ = writeln!(xml, "    </testcase>");
    }
    for test in &file.tests {
        case(&name, test, xml);
    }
    xml.push_str("  </testsuite>\n");
}

fn case(file: &str, test: &TestReport, xml: &mut String) {
    let name = escaped(&test.name);
    if test.passed {
        _ = writeln!(xml, "    <testcase name=\"{name}\" classname=\"{file}\"/>");
        return;
    }
    _ = writeln!(xml, "    <testcase name=\"{name}\" classname=\"{file}\">");
    for failure in &test.failures {
        let FailureReport { time, line, what, expected, got, differs } = failure;
        let message = escaped(&format!("line {line}, {what}, time {time}: {}", differs.join("; ")));
        let text = escaped(&format!("exp:[\n{}\n]\ngot:[\n{}\n]", expected.join("\n"), got.join("\n")));
        _ = writeln!(xml, "      <failure message=\"{message}\">{text}</failure>");
    }
    _ = writeln!(xml, "      <system-out>{}</system-out>", escaped(&test.story.join("\n")));
    _ = writeln!(xml, "    </testcase>");
}

/// Text as XML may hold it; what no XML document may hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_the_document() {
        assert_eq!(escaped("a<b & \"c\">\u{1}\n\u{1b}[0m"), "a&lt;b &amp; &quot;c&quot;&gt;&#10;[0m");
    }
}
