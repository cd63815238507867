//! The command line as a whole: `serve` is what runs when no command is given.

use super::check::CheckArgs;
use super::explain::ExplainArgs;
use super::log::LogArgs;
use super::pause::{PauseArgs, ResumeArgs};
use super::reload::ReloadArgs;
use super::reset::ResetArgs;
use super::serve::ServeArgs;
use super::status::{HealthcheckArgs, StatusArgs};
use clap::{Parser, Subcommand};

/// Alertmanager calls; sickbay treats the container, watches it recover, and writes everything down.
#[derive(Debug, Parser)]
#[command(name = "sickbay", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon (the default)
    Serve(ServeArgs),
    /// Check playbooks and settings without running anything
    Check(CheckArgs),
    /// Read the incident log: tail, show, verify, query
    Log(LogArgs),
    /// Say why something was done, or not: from the log, or beforehand from the rules
    Explain(ExplainArgs),
    /// Show what a running daemon is doing
    Status(StatusArgs),
    /// Hold back every run of a running daemon, or those of one host, playbook or target
    Pause(PauseArgs),
    /// End a pause
    Resume(ResumeArgs),
    /// Have a running daemon read its settings and playbooks anew
    Reload(ReloadArgs),
    /// Let a running daemon treat a target again that its last runs did not help
    Reset(ResetArgs),
    /// Exit with 0 if a daemon answers, for Docker's HEALTHCHECK
    Healthcheck(HealthcheckArgs),
}

const EXIT_CODES: &str = "Exit codes:
  0   fine
  1   findings: check, log verify, healthcheck, explain; refused: pause, resume, reset, reload
  2   wrong usage
  3   check --lint-fatal: only lint; log verify: only a torn last line
  4   no daemon answers (status, pause, resume, reset, reload)
  65  the incident log is damaged
  69  a listen address cannot be used
  70  the daemon had to stop: its incident log failed, or an internal error
  74  the storage directory cannot be used: permission, read-only, full
  75  another sickbay uses the storage directory
  78  the settings or playbooks are wrong";
