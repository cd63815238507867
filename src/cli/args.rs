//! The command line as a whole: `serve` is what runs when no command is given.

use super::abort::AbortArgs;
use super::approve::{PendingArgs, VoteArgs};
use super::check::CheckArgs;
use super::diagnose::DiagnoseArgs;
use super::explain::ExplainArgs;
use super::hash_password::HashPasswordArgs;
use super::init::InitArgs;
use super::log::LogArgs;
use super::new::NewArgs;
use super::pause::{PauseArgs, ResumeArgs};
use super::permissions::PermissionsArgs;
use super::reload::ReloadArgs;
use super::reset::ResetArgs;
use super::schema::SchemaArgs;
use super::serve::ServeArgs;
use super::simulate::SimulateArgs;
use super::status::{HealthcheckArgs, StatusArgs};
use super::test::TestArgs;
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
    /// Run the unit tests of playbooks on a simulated machine
    Test(TestArgs),
    /// Read the incident log: tail, show, verify, query
    Log(LogArgs),
    /// Say why something was done, or not: from the log, or beforehand from the rules
    Explain(ExplainArgs),
    /// Say what is the matter with a container, by all that Docker tells about it
    Diagnose(DiagnoseArgs),
    /// Play recorded alerts through the playbooks of today: what would have been done
    Simulate(SimulateArgs),
    /// Print the Docker calls that the playbooks need, and allow-lists of socket proxies for them
    Permissions(PermissionsArgs),
    /// Show what a running daemon is doing
    Status(StatusArgs),
    /// Show what a running daemon asks people
    Pending(PendingArgs),
    /// Agree to a plan that a running daemon asks about
    Approve(VoteArgs),
    /// Say no to a plan that a running daemon asks about
    Deny(VoteArgs),
    /// End an incident of a running daemon: nothing more is done about it
    Abort(AbortArgs),
    /// Hold back every run of a running daemon, or those of one host, playbook or target
    Pause(PauseArgs),
    /// End a pause
    Resume(ResumeArgs),
    /// Have a running daemon read its settings and playbooks anew
    Reload(ReloadArgs),
    /// Let a running daemon treat a target again that its last runs did not help
    Reset(ResetArgs),
    /// Write a directory to begin with: commented settings, a playbook and its tests
    Init(InitArgs),
    /// Print or write a commented playbook to begin with
    New(NewArgs),
    /// Print the JSON Schema of playbooks, their tests, settings or records of the incident log
    Schema(SchemaArgs),
    /// Print the hash of a password, or a new token, for `people` in the settings
    HashPassword(HashPasswordArgs),
    /// Exit with 0 if a daemon answers, for Docker's HEALTHCHECK
    Healthcheck(HealthcheckArgs),
}

const EXIT_CODES: &str = "Exit codes:
  0   fine
  1   findings: check, permissions, test, diagnose and the like; or the daemon says no
  2   wrong usage
  3   check --lint-fatal: only lint; log verify: only a torn last line
  4   no daemon answers (status, approve and the like), or no Docker (diagnose)
  65  the incident log is damaged
  69  a listen address cannot be used
  70  the daemon had to stop: its incident log failed, or an internal error
  74  the storage directory cannot be used: permission, read-only, full
  75  another sickbay uses the storage directory
  78  the settings or playbooks are wrong";
