//! The result of `check` for people: amtool's lines, and each problem drawn with the text it is about.

use super::excerpt::Excerpt;
use super::report::{FileReport, ProblemReport, Report, SettingsReport, Verdict};
use super::shown;
use crate::settings::SettingsProblem;
use crate::story::printable;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// Prints everything.
pub(super) fn print(report: &Report, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let handler = handler(colour);
    if let Some(settings) = &report.settings {
        print_settings(settings, &handler, out)?;
    }
    for file in &report.files {
        print_file(file, &handler, out)?;
    }
    let failed = report.files.iter().filter(|file| file.verdict == Verdict::Failed).count()
        + usize::from(report.settings.as_ref().is_some_and(|settings| settings.verdict == Verdict::Failed));
    if failed != 0 {
        writeln!(out, "sickbay: error: failed to validate {}", counted(failed, "file"))?;
    }
    Ok(())
}

fn handler(colour: bool) -> GraphicalReportHandler {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme)
        .with_context_lines(1)
        .with_width(120)
        .with_links(false)
        // The column of our own counts characters, as editors do.
        .without_primary_span_start()
}

/// Draws the problems of one file: its name and its text.
pub(in crate::cli) fn print_problems(
    file: (&str, &str),
    problems: &[ProblemReport],
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    draw(file, problems, &handler(colour), out)
}

fn draw(
    file: (&str, &str),
    problems: &[ProblemReport],
    handler: &GraphicalReportHandler,
    out: &mut dyn Write,
) -> io::Result<()> {
    for problem in problems {
        let drawing = Drawing::new(file, problem);
        let mut drawn = String::new();
        handler.render_report(&mut drawn, &drawing).map_err(io::Error::other)?;
        writeln!(out, "{drawn}")?;
    }
    Ok(())
}

/// Draws what is wrong with the settings: the name of their file, and where it is.
pub(super) fn print_settings_problems(
    (path, file): (String, Option<&Path>),
    problems: &[SettingsProblem],
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let report = SettingsReport::new(path, Verdict::Failed, (problems, file));
    draw((&report.path, report.file.text()), &report.problems, &handler(colour), out)
}

fn print_settings(settings: &SettingsReport, handler: &GraphicalReportHandler, out: &mut dyn Write) -> io::Result<()> {
    if settings.verdict == Verdict::Ok {
        writeln!(out, "Checking '{}'  SUCCESS", printable(&settings.path))?;
    } else {
        let errors = counted(settings.problems.len(), "error");
        writeln!(out, "Checking '{}'  FAILED: {errors}", printable(&settings.path))?;
    }
    writeln!(out)?;
    draw((&settings.path, settings.file.text()), &settings.problems, handler, out)
}

fn print_file(file: &FileReport, handler: &GraphicalReportHandler, out: &mut dyn Write) -> io::Result<()> {
    let of = |severity: &str| file.problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (of("error"), of("warning"));
    if file.verdict == Verdict::Ok {
        writeln!(out, "Checking '{}'  SUCCESS", printable(&file.path))?;
        writeln!(out, "Found:")?;
        let rules = [(file.playbooks, "playbook"), (file.steps, "step"), (warnings, "warning")];
        let tests = file.tests.map(|tests| [(tests, "test")]);
        for (count, noun) in tests.iter().flatten().chain(rules.iter().filter(|_| tests.is_none())).copied() {
            writeln!(out, " - {}", counted(count, noun))?;
        }
    } else {
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        writeln!(out, "Checking '{}'  FAILED: {errors}, {warnings}", printable(&file.path))?;
    }
    writeln!(out)?;
    draw((&file.path, &file.text), &file.problems, handler, out)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One problem as miette wants it.
#[derive(Debug)]
struct Drawing<'r> {
    problem: &'r ProblemReport,
    excerpt: Option<Excerpt>,
}

impl<'r> Drawing<'r> {
    fn new((path, text): (&str, &str), problem: &'r ProblemReport) -> Self {
        // Without a line there is nothing to draw: the file could not be read.
        let excerpt = (problem.line != 0 && !text.is_empty()).then(|| Excerpt::around((path, text), problem));
        Self { problem, excerpt }
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.problem.message, &['\n']))
    }
}

impl std::error::Error for Drawing<'_> {}

impl Diagnostic for Drawing<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.problem.severity == "error" { miette::Severity::Error } else { miette::Severity::Warning })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.hint.as_ref().map(|hint| Box::new(shown(hint, &['\n'])) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        let span = LabeledSpan::new(None, excerpt.marked.0, excerpt.marked.1);
        Some(Box::new(std::iter::once(span)))
    }
}
