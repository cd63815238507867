//! `sickbay status` and `sickbay healthcheck`: what a running daemon says about itself, over HTTP.

use super::ask::{Question, UNREACHABLE, ask, understood};
use super::check::Output;
use super::complain;
use super::pause::standing;
use super::reset::{frozen, open};
use crate::web::api::Status;
use clap::Args;
use hyper::StatusCode;
use std::io::{self, Write};

/// Show what a running daemon is doing.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Where the daemon answers
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10112", env = "SICKBAY_URL")]
    url: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Exit with 0 if a daemon answers.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckArgs {
    /// Where the daemon answers
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10112", env = "SICKBAY_URL")]
    url: String,
    /// Ask whether it is ready (playbooks, log, Docker), not only alive
    #[arg(long)]
    ready: bool,
}

/// Prints the daemon's status; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &StatusArgs, out: &mut dyn Write) -> io::Result<u8> {
    let status: Status = match understood(&args.url, ask(Question::get(&args.url, "/api/v1/status"))) {
        Ok(status) => status,
        // Whoever answers otherwise is no daemon that could be asked.
        Err(_) => return Ok(UNREACHABLE),
    };
    match args.output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &status)?;
            writeln!(out)?;
        }
        Output::Text => print(&status, out)?,
    }
    Ok(0)
}

/// Asks for life or readiness; the exit code.
#[must_use]
pub fn healthcheck(args: &HealthcheckArgs) -> u8 {
    let path = if args.ready { "/-/ready" } else { "/-/healthy" };
    match ask(Question::get(&args.url, path)) {
        Ok((StatusCode::OK, _)) => 0,
        Ok((code, body)) => {
            complain(&format!("{}{path} answered {code}: {}", args.url, String::from_utf8_lossy(&body).trim()));
            1
        }
        Err(problem) => {
            complain(&problem);
            1
        }
    }
}

fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    for pause in &status.pauses {
        writeln!(out, "{}", standing(pause))?;
    }
    for breaker in &status.breakers {
        writeln!(out, "{}", open(breaker))?;
    }
    if let Some(storm) = &status.storm {
        writeln!(out, "{}", frozen(storm))?;
    }
    let mode = if status.dry_run { ", dry-run" } else { "" };
    let ready = if status.ready { "ready" } else { "NOT READY" };
    writeln!(out, "sickbay {}, up {} s{mode}: {ready}", status.version, status.uptime_seconds)?;
    for reason in &status.not_ready_because {
        writeln!(out, "  - {reason}")?;
    }
    let last = status.log.last_seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
    writeln!(out, "incident log  {}, last record {last}", status.log.state)?;
    writeln!(out, "docker        {}", status.docker.state)?;
    writeln!(out, "playbooks     {}", status.playbooks.unwrap_or_default())?;
    writeln!(out, "open episodes {}", status.open_episodes)?;
    writeln!(out, "incidents     {}", status.incidents.len())?;
    for incident in &status.incidents {
        let target = incident.target.as_deref().unwrap_or("-");
        let reason = incident.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (id, alert, playbook, doing) = (&incident.id, &incident.alertname, &incident.playbook, &incident.doing);
        writeln!(out, "  {id}  {alert}  {playbook}  {target}  {doing}{reason}")?;
    }
    Ok(())
}
