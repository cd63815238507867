//! The command line. Results go to standard output and nothing else does; problems go to standard error.

pub mod abort;
pub mod approve;
mod args;
mod ask;
mod caller;
pub mod check;
pub mod diagnose;
pub mod explain;
pub mod hash_password;
pub mod init;
pub mod log;
pub mod new;
pub mod pause;
pub mod permissions;
mod reach;
pub mod reload;
pub mod reset;
mod rules;
pub mod schema;
pub mod serve;
pub mod simulate;
pub mod starters;
pub mod status;
pub mod test;

use crate::daemon::clock::Clock;
use crate::record::needs_escape;
use crate::story::printable;
use args::{Cli, Command};
use clap::Parser;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// The process's exit code for "wrong usage".
const USAGE: u8 = 2;

/// Runs the program with its arguments, the program's own name first.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is wrong usage.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let (mut stdin, mut stdout) = (stdin.lock(), io::BufWriter::new(stdout.lock()));
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => return ExitCode::from(serve::run(&args)),
        Command::Check(args) => check::run(&args, check::wants_colour(), &mut stdin, &mut stdout),
        Command::Test(args) => test::run(&args, check::wants_colour(), &mut stdout, &mut io::stderr().lock()),
        Command::Log(args) => match Clock::system() {
            Ok(clock) => Ok(log::run(&args, clock.now().wall, &mut stdout, &mut io::stderr().lock())),
            Err(error) => Err(error),
        },
        Command::Explain(args) => match Clock::system() {
            Ok(clock) => explain::run(&args, clock.now().wall, (&mut stdin, &mut stdout, &mut io::stderr().lock())),
            Err(error) => Err(error),
        },
        Command::Simulate(args) => match Clock::system() {
            Ok(clock) => {
                let now = clock.now().wall;
                simulate::run(&args, now, (&mut stdin, &mut stdout, &mut io::stderr().lock()))
            }
            Err(error) => Err(error),
        },
        Command::Diagnose(args) => diagnose::run(&args, &mut stdout),
        Command::Permissions(args) => permissions::run(&args, &mut stdin, &mut stdout),
        Command::Status(args) => status::run(&args, &mut stdout),
        Command::Pending(args) => approve::pending(&args, &mut stdout),
        Command::Approve(args) => approve::approve(&args, &mut stdout),
        Command::Deny(args) => approve::deny(&args, &mut stdout),
        Command::Abort(args) => abort::abort(&args, &mut stdout),
        Command::Pause(args) => pause::pause(&args, &mut stdout),
        Command::Resume(args) => pause::resume(&args, &mut stdout),
        Command::Reload(args) => reload::run(&args, &mut stdout),
        Command::Reset(args) => reset::reset(&args, &mut stdout),
        Command::Init(args) => init::run(&args, &mut stdout),
        Command::New(args) => new::run(&args, &mut stdout),
        Command::Schema(args) => schema::run(args, &mut stdout),
        Command::HashPassword(args) => hash_password::run(&args, &mut stdin, &mut stdout),
        Command::Healthcheck(args) => Ok(status::healthcheck(&args)),
    };
    match done.and_then(|code| stdout.flush().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        // The reader went away (`| head`): nobody is left to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("the result cannot be printed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// For programs: indented JSON, with a newline at its end.
fn print_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    writeln!(out, "{}", escaped(&json))
}

/// JSON with what a terminal would obey as escapes; such characters stand in texts only.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for scalar in json.chars() {
        if scalar == '\n' || !(scalar.is_control() || needs_escape(scalar)) {
            shown.push(scalar);
        } else {
            let mut units = [0; 2];
            shown.extend(scalar.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// What is wrong, on standard error. What it names may come from anywhere, and a terminal would obey it.
fn complain(problem: &str) {
    let lines: Vec<_> = problem.lines().map(printable).collect();
    _ = writeln!(io::stderr().lock(), "sickbay: {}", lines.join("\n"));
}
