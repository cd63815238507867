//! `sickbay status` and `sickbay healthcheck`: what a running daemon says about itself, over HTTP.

use super::check::Output;
use super::complain;
use crate::web::api::{ApiError, Status};
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io::{self, Write};
use std::time::Duration;

const UNREACHABLE: u8 = 4;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_LEN_MAX: usize = 4 << 20;

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
    let (code, body) = match get(&args.url, "/api/v1/status") {
        Ok(answer) => answer,
        Err(problem) => {
            complain(&problem);
            return Ok(UNREACHABLE);
        }
    };
    let status: Status = match serde_json::from_slice(&body) {
        Ok(status) if code == StatusCode::OK => status,
        Ok(_) | Err(_) => {
            let said = serde_json::from_slice::<ApiError>(&body).map(|said| said.error).unwrap_or_default();
            complain(&format!("{} answered {code}, which is no status of sickbay: {said}", args.url));
            return Ok(UNREACHABLE);
        }
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
    match get(&args.url, path) {
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

/// hyper's own words say only which half failed; the system's say why.
fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => root_cause(cause),
        None => error.to_string(),
    }
}

fn get(url: &str, path: &str) -> Result<(StatusCode, Bytes), String> {
    let uri: hyper::Uri = format!("{}{path}", url.trim_end_matches('/'))
        .parse()
        .map_err(|error| format!("{url} is not a URL: {error}; use one like http://127.0.0.1:10112"))?;
    if uri.scheme_str() != Some("http") {
        return Err(format!("{url} is not an http URL; this version speaks plain HTTP only"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let asked = async {
            let answer =
                client.get(uri).await.map_err(|error| format!("no daemon answers at {url}: {}", root_cause(&error)))?;
            let code = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect().await;
            let body = body.map_err(|error| format!("the answer of {url} cannot be read: {error}"))?;
            Ok((code, body.to_bytes()))
        };
        tokio::select! {
            answer = asked => answer,
            () = tokio::time::sleep(ANSWER_WITHIN) => Err(format!("no daemon answers at {url} within 5 s")),
        }
    })
}
