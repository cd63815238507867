//! `sickbay check`: every problem of rules files and settings, drawn where it stands.
//!
//! Reads all files before it fails, and needs no daemon. It opens no connection, unless `--online` asks it to look
//! whether what is named exists. `sources` reads, `report` checks and counts, the others print. Read [`run`] first.

mod drawing;
mod excerpt;
mod github;
mod online;
mod report;
mod sarif;
mod sources;

pub(super) use drawing::print_problems;
pub(super) use report::ProblemReport;
pub(super) use sources::patterns_of;

use super::{USAGE, print_json};
use crate::playbook::definition::Playbook;
use crate::playbook::effective;
use crate::settings::{self, Settings, SettingsError};
use crate::story::printable;
use clap::{Args, ValueEnum};
use report::{Checked, Report};
use sources::Source;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// Nothing is wrong.
const FINE: u8 = 0;
/// Something is.
pub(super) const FINDINGS: u8 = 1;
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
    /// Also ask Docker, the notifiers and the Alertmanagers whether what is named exists; nothing is sent or changed
    #[arg(long)]
    pub online: bool,
    /// Print each playbook as YAML with every default filled in and every added step, if nothing is wrong
    #[arg(long, conflicts_with = "output")]
    pub print_effective: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// How the result of a command is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// How the result of `check` is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// Commands by which a GitHub workflow marks the lines
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Whether to draw in colour: on a terminal, unless `NO_COLOR` says otherwise.
#[must_use]
pub fn wants_colour() -> bool {
    io::stdout().is_terminal() && !settings::no_color()
}

/// All problems of the settings, each drawn where it stands.
pub(super) fn drawn(error: &SettingsError, file: Option<&Path>, colour: bool) -> String {
    let file = (file.map(|file| file.display().to_string()).unwrap_or_default(), file);
    let mut drawn = Vec::new();
    // A vector takes everything.
    _ = drawing::print_settings_problems(file, &error.problems, colour, &mut drawn);
    String::from_utf8_lossy(&drawn).trim_end().to_owned()
}

/// Checks what the arguments name, prints the result, and returns the exit code: 0 fine, 1 errors, 2 nothing to check,
/// 3 only lint findings with `--lint-fatal`.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &CheckArgs, colour: bool, stdin: &mut dyn Read, out: &mut dyn Write) -> io::Result<u8> {
    let checked = Checked::settings(args.config_file.as_deref());
    let Some(sources) = named(args, &checked, stdin) else {
        writeln!(out, "sickbay check: {NOTHING_NAMED}")?;
        return Ok(USAGE);
    };
    let asked = args.online.then(|| online::Asked::of(&checked, args.config_file.as_deref()));
    let (mut report, playbooks) = checked.rules(sources);
    if let Some(asked) = asked {
        asked.add_findings(&mut report, &playbooks);
    }
    match args.output {
        Format::Text if args.print_effective && report.errors == 0 => {
            out.write_all(effective::to_yaml(&playbooks).as_bytes())?;
        }
        Format::Text => drawing::print(&report, colour, out)?,
        Format::Json => print_json(&report, out)?,
        Format::Github => github::print(&report, out)?,
        Format::Sarif => sarif::print(&report, out)?,
    }
    Ok(exit_code(&report, args.lint_fatal))
}

/// Told where no rules are named, and nothing comes by standard input.
const NOTHING_NAMED: &str = "name rules files or a directory, or give --config.file";

/// What is to be checked; `None` if nothing is named.
fn named(args: &CheckArgs, checked: &Checked, stdin: &mut dyn Read) -> Option<Vec<Source>> {
    let mut sources = Vec::new();
    for path in &args.paths {
        sources.extend(sources::of(path, stdin));
    }
    if args.paths.is_empty() {
        match (&checked.settings, &args.config_file) {
            (Some(settings), _) => sources.extend(sources::of_patterns(&settings.rules)),
            (None, Some(_)) => {}
            (None, None) if io::stdin().is_terminal() => return None,
            (None, None) => {
                sources.extend(sources::of(Path::new(sources::STDIN), stdin));
                // Nothing came, so nothing was meant: whoever has no terminal has an empty standard input.
                if sources.iter().all(Source::is_blank) {
                    return None;
                }
            }
        }
    }
    Some(sources::each_once(sources))
}

/// Settings, if a file was named, and playbooks; or the exit code for what is wrong with them.
pub(super) type Named = Result<(Option<Settings>, Vec<Playbook>), u8>;

/// For another command that is about the same rules and settings: both, or what is wrong with them, printed, and the exit
/// code for that.
pub(super) fn load(
    args: &CheckArgs,
    (command, stdin): (&str, &mut dyn Read),
    out: &mut dyn Write,
) -> io::Result<Named> {
    let checked = Checked::settings(args.config_file.as_deref());
    let Some(sources) = named(args, &checked, stdin) else {
        writeln!(out, "sickbay {command}: {NOTHING_NAMED}")?;
        return Ok(Err(USAGE));
    };
    let settings = checked.settings.clone();
    let (report, playbooks) = checked.rules(sources);
    if report.errors != 0 {
        drawing::print(&report, wants_colour(), out)?;
        return Ok(Err(FINDINGS));
    }
    Ok(Ok((settings, playbooks)))
}

fn exit_code(report: &Report, lint_fatal: bool) -> u8 {
    match (report.errors, report.warnings) {
        (0, 0) => FINE,
        (0, _) if lint_fatal => LINT,
        (0, _) => FINE,
        (_, _) => FINDINGS,
    }
}

/// What a terminal would obey, shown instead: a rules file may come from anyone. `kept` stays as it is.
fn shown(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(kept) {
        let words = piece.strip_suffix(kept).unwrap_or(piece);
        shown.push_str(&printable(words));
        shown.push_str(piece.get(words.len()..).unwrap_or_default());
    }
    shown
}
