//! The command line. Results go to standard output and nothing else does; problems go to standard error.

mod args;
mod ask;
mod caller;
pub mod check;
mod drawing;
pub mod explain;
pub mod log;
pub mod pause;
pub mod reload;
pub mod reset;
pub mod serve;
pub mod status;

use crate::daemon::clock::Clock;
use args::{Cli, Command};
use clap::Parser;
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
        Command::Log(args) => match Clock::system() {
            Ok(clock) => Ok(log::run(&args, clock.now().wall, &mut stdout, &mut io::stderr().lock())),
            Err(error) => Err(error),
        },
        Command::Explain(args) => match Clock::system() {
            Ok(clock) => explain::run(&args, clock.now().wall, &mut stdout, &mut io::stderr().lock()),
            Err(error) => Err(error),
        },
        Command::Status(args) => status::run(&args, &mut stdout),
        Command::Pause(args) => pause::pause(&args, &mut stdout),
        Command::Resume(args) => pause::resume(&args, &mut stdout),
        Command::Reload(args) => reload::run(&args, &mut stdout),
        Command::Reset(args) => reset::reset(&args, &mut stdout),
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

/// One line on standard error.
fn complain(problem: &str) {
    _ = writeln!(io::stderr().lock(), "sickbay: {problem}");
}
