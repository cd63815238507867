//! `sickbay permissions`: which calls to Docker the playbooks need, and the configuration of a socket proxy that lets these
//! through and as little else as it can.
//!
//! It finds rules and settings as `check` does, opens no connection and needs no daemon. `allow_list` knows the proxies,
//! `text` prints for people. Read [`run`] first.

mod allow_list;
mod text;

use super::check::{self, CheckArgs, Output};
use super::print_json;
use crate::daemon::permits;
use crate::model::docker_call::DockerCall;
use crate::model::permission::{Need, Why};
use crate::playbook::definition::Playbook;
use crate::settings::{self, Overrides, Settings};
use allow_list::{AllowList, allow_list};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Print the Docker calls that the playbooks need, and allow-lists of socket proxies for them.
#[derive(Args, Clone, Debug, Default)]
pub struct PermissionsArgs {
    /// Rules files, directories (their *.yaml and *.yml), or `-` for standard input
    #[arg(value_name = "RULES")]
    pub paths: Vec<PathBuf>,
    /// The settings file, with the rules it names if no others are given
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Print the configuration of this socket proxy alone, for a compose file
    #[arg(long = "for", value_enum, value_name = "PROXY", conflicts_with = "output")]
    pub proxy: Option<Proxy>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// A socket proxy that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// wollomatic/socket-proxy: exactly these calls
    Wollomatic,
    /// linuxserver/socket-proxy: by groups of calls
    Linuxserver,
    /// tecnativa/docker-socket-proxy: by groups of calls, reading and writing apart
    Tecnativa,
}

impl Proxy {
    /// All that are known, the narrowest first.
    const ALL: [Self; 3] = [Self::Wollomatic, Self::Linuxserver, Self::Tecnativa];
}

/// What is printed; the shape is stable.
#[derive(Serialize)]
struct Permissions {
    /// Nothing is changed by anyone, so nothing that changes something is needed.
    dry_run: bool,
    /// The playbooks that were asked: those that are enabled.
    playbooks: Vec<String>,
    calls: Vec<Call>,
    allow_lists: BTreeMap<Proxy, AllowList>,
}

/// One call that is needed.
#[derive(Serialize)]
struct Call {
    operation: &'static str,
    method: &'static str,
    /// With a word in place of the thing: `/containers/{container}/json`.
    path: String,
    /// The path as a regular expression without anchors; `/v1.NN` may stand before it.
    pattern: String,
    /// `look`, `act`, or `root`: whoever may make it can become root on the machine.
    power: &'static str,
    /// Something goes on without it, with less.
    optional: bool,
    purpose: &'static str,
    why: Vec<Reason>,
}

/// Who needs a call.
#[derive(Serialize)]
struct Reason {
    /// Null for sickbay itself.
    playbook: Option<String>,
    /// The key of the playbook that needs it.
    key: &'static str,
    optional: bool,
}

/// Prints what the playbooks need, and returns the exit code: 0 fine, 1 the rules or settings are wrong, 2 no rules are
/// named.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &PermissionsArgs, stdin: &mut dyn Read, out: &mut dyn Write) -> io::Result<u8> {
    let named = CheckArgs { paths: args.paths.clone(), config_file: args.config_file.clone(), ..CheckArgs::default() };
    let (settings, playbooks) = match check::load(&named, ("permissions", stdin), out)? {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let settings = match settings.map_or_else(|| settings::load(Overrides::default(), None), Ok) {
        Ok(settings) => settings,
        Err(error) => {
            for problem in error.problems {
                writeln!(out, "{problem}")?;
            }
            return Ok(check::FINDINGS);
        }
    };
    let needs = permits::needed_anywhere(&settings, &playbooks);
    match (args.output, args.proxy) {
        (Output::Json, _) => print_json(&permissions(&settings, &playbooks, &needs), out)?,
        (Output::Text, Some(proxy)) => text::proxy(proxy, &allow_list(proxy, &calls(&needs)), out)?,
        (Output::Text, None) => {
            text::calls(&needs, settings.dry_run, out)?;
            for proxy in Proxy::ALL {
                writeln!(out)?;
                text::proxy(proxy, &allow_list(proxy, &calls(&needs)), out)?;
            }
        }
    }
    Ok(0)
}

fn calls(needs: &[Need]) -> Vec<DockerCall> {
    needs.iter().map(|need| need.call).collect()
}

fn permissions(settings: &Settings, playbooks: &[Playbook], needs: &[Need]) -> Permissions {
    let reason = |why: &Why| Reason {
        playbook: why.playbook.as_ref().map(ToString::to_string),
        key: why.what,
        optional: why.optional,
    };
    let call = |need: &Need| Call {
        operation: need.call.operation(),
        method: need.call.method(),
        path: need.call.shown(),
        pattern: need.call.regex(),
        power: need.call.power().as_str(),
        optional: need.optional,
        purpose: need.call.purpose(),
        why: need.why.iter().map(reason).collect(),
    };
    let enabled = playbooks.iter().filter(|playbook| playbook.enabled);
    Permissions {
        dry_run: settings.dry_run,
        playbooks: enabled.map(|playbook| playbook.name.to_string()).collect(),
        calls: needs.iter().map(call).collect(),
        allow_lists: Proxy::ALL.into_iter().map(|proxy| (proxy, allow_list(proxy, &calls(needs)))).collect(),
    }
}
