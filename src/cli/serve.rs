//! `sickbay serve`: from flags to a running daemon, and from its end to an exit code.

use super::{check, complain};
use crate::daemon::clock::Clock;
use crate::daemon::config::{self, Config, Sources};
use crate::daemon::run::{Daemon, RunError, run as run_daemon};
use crate::incident_log::OpenError;
use crate::settings::{self, Overrides};
use crate::telemetry::logging::{self, LevelSwitch, LogFormat};
use crate::web::listener::{Listener, UnixSocket};
use clap::Args;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const DAMAGED: u8 = 65;
const CANNOT_LISTEN: u8 = 69;
const INTERNAL: u8 = 70;
const STORAGE: u8 = 74;
const LOCKED: u8 = 75;
const CONFIG: u8 = 78;

/// Flags of the daemon. A flag wins over the environment, the environment over the file, the file over the default.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// The settings file; without one, sickbay listens on loopback and uses rules/*.yaml, the local Docker and data/
    #[arg(long = "config.file", value_name = "FILE", env = "SICKBAY_CONFIG_FILE")]
    config_file: Option<PathBuf>,
    /// Rules files or globs; repeatable
    #[arg(long = "rules", value_name = "GLOB")]
    rules: Vec<String>,
    /// Where the incident log is kept [default: data]
    #[arg(long = "storage.path", value_name = "DIR")]
    storage_path: Option<PathBuf>,
    /// Address to listen on; repeatable [default: 127.0.0.1:10112]
    #[arg(long = "web.listen-address", value_name = "ADDR")]
    listen_addresses: Vec<String>,
    /// The URL under which people reach sickbay
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
    /// TLS and users, in the format of Prometheus' web configuration
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,
    /// Accept alerts from anyone even on an address that is not loopback
    #[arg(long = "web.insecure-no-auth")]
    insecure_no_auth: bool,
    /// Decide and record everything, change nothing
    #[arg(long)]
    dry_run: bool,
    /// debug, info, warn or error [default: info]
    #[arg(long = "log.level", value_name = "LEVEL")]
    log_level: Option<String>,
    /// logfmt or json [default: logfmt]
    #[arg(long = "log.format", value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Runs the daemon until SIGTERM or SIGINT; the exit code.
#[must_use]
pub fn run(args: &ServeArgs) -> u8 {
    match prepare(args) {
        Ok(prepared) => serve(prepared),
        Err(Refused { code, problem }) => {
            complain(&problem);
            code
        }
    }
}

/// Why the daemon does not start.
struct Refused {
    code: u8,
    problem: String,
}

/// Everything that can be wrong before a socket is bound.
struct Prepared {
    config: Config,
    sources: Sources,
}

fn prepare(args: &ServeArgs) -> Result<Prepared, Refused> {
    let overrides = Overrides {
        listen_addresses: args.listen_addresses.clone(),
        external_url: args.external_url.clone(),
        web_config_file: args.web_config_file.clone(),
        storage_path: args.storage_path.clone(),
        rules: args.rules.clone(),
        dry_run: args.dry_run.then_some(true),
        log_level: args.log_level.clone(),
        log_format: args.log_format.clone(),
        insecure_no_auth: args.insecure_no_auth,
    };
    let sources = Sources { overrides, config_file: args.config_file.clone() };
    let refused = |problem| Refused { code: CONFIG, problem };
    let settings = settings::load(sources.overrides.clone(), sources.config_file.as_deref()).map_err(|error| {
        let colour = io::stderr().is_terminal() && !settings::no_color();
        let drawn = check::drawn(&error, sources.config_file.as_deref(), colour);
        refused(format!("the settings are not valid:\n\n{drawn}"))
    })?;
    let config = config::playbooks(settings).map_err(|error| refused(error.to_string()))?;
    Ok(Prepared { config, sources })
}

fn serve(prepared: Prepared) -> u8 {
    let log = prepared.config.settings.log;
    let format = match log.format {
        settings::LogFormat::Logfmt => LogFormat::Logfmt,
        settings::LogFormat::Json => LogFormat::Json,
    };
    let level = match logging::init(format, log.level.as_str()) {
        Ok(level) => level,
        Err(error) => {
            complain(&error.to_string());
            return CONFIG;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return INTERNAL;
        }
    };
    let code = runtime.block_on(listen_and_run(prepared, level));
    // Whatever is still blocked must not keep the process alive: the log holds all that matters.
    runtime.shutdown_background();
    code
}

async fn listen_and_run(Prepared { config, sources }: Prepared, level: LevelSwitch) -> u8 {
    let listeners = match listen(&config).await {
        Ok(listeners) => listeners,
        Err(problem) => {
            complain(&problem);
            return CANNOT_LISTEN;
        }
    };
    let clock = match Clock::system() {
        Ok(clock) => clock,
        Err(error) => {
            complain(&format!("the clock cannot be read: {error}"));
            return INTERNAL;
        }
    };
    let stopping = CancellationToken::new();
    let daemon = Daemon { config, sources, level, listeners, clock };
    let running = run_daemon(daemon, stopping.clone());
    let mut running = std::pin::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = told_to_stop() => {
            stopping.cancel();
            running.await
        }
    };
    match ended {
        Ok(()) => 0,
        Err(error) => {
            // What put it into safe mode was said when it did, and is no news hours later.
            if !matches!(error, RunError::Log(OpenError::Damaged(_))) {
                complain(&error.to_string());
            }
            exit_code(&error)
        }
    }
}

/// Binds the addresses and the socket of the settings.
async fn listen(config: &Config) -> Result<Vec<Listener>, String> {
    let web = &config.settings.web;
    let (version, dry_run) = (env!("CARGO_PKG_VERSION"), config.settings.dry_run);
    let playbooks = config.playbooks.iter().count();
    let mut listeners = Vec::new();
    for address in &web.listen_addresses {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!(
                "cannot listen on {address}: {error}; stop what listens there, or use another one with --web.listen-address"
            )
        })?;
        let bound = listener.local_addr().unwrap_or(*address);
        tracing::info!(address = %bound, version, dry_run, playbooks, "listening");
        listeners.push(Listener::Tcp(listener));
    }
    if let Some(socket) = &web.socket {
        let path = socket.path.display();
        let bound = UnixSocket::bind(&socket.path, socket.mode).map_err(|error| {
            format!(
                "cannot listen on {path}: {error}; make its directory, remove what is there, or change `web.socket.path`"
            )
        })?;
        tracing::info!(address = %format!("unix://{path}"), version, dry_run, playbooks, "listening");
        listeners.push(Listener::Unix(bound));
    }
    Ok(listeners)
}

async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn exit_code(error: &RunError) -> u8 {
    match error {
        RunError::Settings(_) => CONFIG,
        RunError::Log(OpenError::Locked { .. }) => LOCKED,
        RunError::Log(OpenError::Damaged(_)) => DAMAGED,
        RunError::Log(
            OpenError::PermissionDenied { .. }
            | OpenError::InTheWay { .. }
            | OpenError::ReadOnly { .. }
            | OpenError::Full { .. }
            | OpenError::Io { .. },
        ) => STORAGE,
        RunError::Poisoned(_) | RunError::Thread(_) | RunError::Signals(_) | RunError::Broken => INTERNAL,
    }
}
