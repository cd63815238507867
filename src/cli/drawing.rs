//! The result of `check` for people: amtool's lines, and each problem drawn with the text it is about.

use super::check::{FileReport, ProblemReport, Report, SettingsReport};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::io::{self, Write};

/// Prints everything.
pub(super) fn print(report: &Report, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    if let Some(settings) = &report.settings {
        print_settings(settings, out)?;
    }
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_context_lines(1)
        .with_width(120)
        .with_links(false)
        // The column of our own counts characters, as editors do.
        .without_primary_span_start();
    for file in &report.files {
        print_file(file, &handler, out)?;
    }
    let failed = report.files.iter().filter(|file| !file.ok).count()
        + usize::from(report.settings.as_ref().is_some_and(|settings| !settings.ok));
    if failed != 0 {
        writeln!(out, "sickbay: error: failed to validate {}", counted(failed, "file"))?;
    }
    Ok(())
}

fn print_settings(settings: &SettingsReport, out: &mut dyn Write) -> io::Result<()> {
    let verdict = if settings.ok { "SUCCESS" } else { "FAILED" };
    writeln!(out, "Checking '{}'  {verdict}", settings.path)?;
    for problem in &settings.problems {
        writeln!(out, "  {problem}")?;
    }
    writeln!(out)
}

fn print_file(file: &FileReport, handler: &GraphicalReportHandler, out: &mut dyn Write) -> io::Result<()> {
    if file.skipped {
        return writeln!(out, "Checking '{}'  SKIPPED: holds tests, not rules\n", file.path);
    }
    let of = |severity: &str| file.problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (of("error"), of("warning"));
    if file.ok {
        writeln!(out, "Checking '{}'  SUCCESS", file.path)?;
        writeln!(out, "Found:")?;
        for (count, noun) in [(file.playbooks, "playbook"), (file.steps, "step"), (warnings, "warning")] {
            writeln!(out, " - {}", counted(count, noun))?;
        }
    } else {
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        writeln!(out, "Checking '{}'  FAILED: {errors}, {warnings}", file.path)?;
    }
    writeln!(out)?;
    for problem in &file.problems {
        let drawing = Drawing::new(file, problem);
        let mut drawn = String::new();
        handler.render_report(&mut drawn, &drawing).map_err(io::Error::other)?;
        writeln!(out, "{drawn}")?;
    }
    Ok(())
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One problem as miette wants it.
#[derive(Debug)]
struct Drawing<'r> {
    problem: &'r ProblemReport,
    source: Option<NamedSource<String>>,
}

impl<'r> Drawing<'r> {
    fn new(file: &FileReport, problem: &'r ProblemReport) -> Self {
        // Without a line there is nothing to draw: the file could not be read.
        let source = (problem.line != 0 && !file.text.is_empty()).then(|| {
            let place = format!("{}:{}:{}", file.path, problem.line, problem.column);
            NamedSource::new(place, file.text.clone())
        });
        Self { problem, source }
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
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
        self.problem.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = LabeledSpan::new(None, self.problem.offset, self.problem.length);
        self.source.as_ref().map(|_| Box::new(std::iter::once(span)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}
