//! `sickbay simulate`: recorded alerts through the playbooks of today, at virtual speed. Needs no daemon and no Docker.
//!
//! It reads an incident log, webhook bodies, or what `amtool alert query -o json` prints, and says what would have been
//! done; with `--diff`, what other rules would have done instead. Read [`SimulateArgs`], then `input` and `report::Report`.

pub(in crate::cli) mod bodies;
mod input;
mod report;
mod text;

use super::check::Output;
use super::log::parse_time;
use super::print_json;
use super::rules::{load_patterns, load_rules};
use crate::daemon::config::Sources;
use crate::model::policy::Policy;
use crate::playbook::Known;
use crate::playbook::index::Playbooks;
use crate::replay::{self, Assume, Config, Tally};
use crate::settings::Overrides;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use input::Input;
use report::{DiffReport, Report};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Exit code where no answer could be given: wrong arguments, nothing that could be read, rules with a mistake.
const NO_ANSWER: u8 = 2;

/// With `--diff`: something is decided otherwise.
const FINDINGS: u8 = 1;

/// Play recorded alerts through the playbooks of today: what would have been done.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// A data directory with its incident log; webhook bodies (one per file, one per line, a directory of them); the
    /// output of `amtool alert query -o json`; `-` for standard input [default: the data directory of --config.file, else data/]
    #[arg(value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// Rules files or directories [default: those of the settings, else rules/]
    #[arg(long, value_name = "FILE|DIR")]
    rules: Vec<PathBuf>,
    /// Limits, opt-in and protection from this settings file [default: those of a daemon without one]
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Play these rules as well, and name every alert that is decided otherwise by --rules
    #[arg(long, value_name = "OLD_RULES")]
    diff: Vec<PathBuf>,
    /// With --diff, exit with 1 if
    #[arg(long, value_enum, default_value_t = FailOn::Any, requires = "diff", value_name = "WHAT")]
    fail_on: FailOn,
    /// Tell what is decided about each alert as well
    #[arg(long, conflicts_with = "diff")]
    alerts: bool,
    /// Count only alerts that came not before: 24h (ago), or 2026-01-05T10:00:00Z; what came before is played all the same
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only alerts that came before: 1h (ago), or 2026-01-05T10:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What becomes of a target where nobody knows
    #[arg(long, value_enum, default_value_t = Assumption::Recovers)]
    assume: Assumption,
    /// How often Alertmanager delivered alerts again that still fired (its `repeat_interval`), beside what the input tells
    #[arg(long, value_name = "DURATION")]
    repeat: Option<String>,
    /// When the first body without a time of its own came [default: when the last thing it tells of happened]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// How long after each other bodies came that would have come at once
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    spacing: String,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// When a comparison fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Any alert is decided otherwise.
    Any,
    /// For any alert something is done to a container that was not done before.
    ActsMore,
    /// Never.
    None,
}

/// What becomes of a target where nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Assumption {
    /// Every action helps.
    Recovers,
    /// No action helps.
    Ineffective,
}

/// Simulates; the exit code. `now` is what times like `24h` count from.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(
    args: &SimulateArgs,
    now: DateTime<Utc>,
    (stdin, out, err): (&mut dyn Read, &mut dyn Write, &mut dyn Write),
) -> io::Result<u8> {
    match simulate(args, now, (stdin, err)) {
        Ok((text, code)) => {
            out.write_all(&text)?;
            Ok(code)
        }
        Err(error) => {
            writeln!(err, "error: {error:#}")?;
            Ok(NO_ANSWER)
        }
    }
}

fn simulate(
    args: &SimulateArgs,
    now: DateTime<Utc>,
    (stdin, err): (&mut dyn Read, &mut dyn Write),
) -> anyhow::Result<(Vec<u8>, u8)> {
    let Given { playbooks, names, policy, storage } = rules_of(args)?;
    let time = |text: &Option<String>| text.as_deref().map(|text| parse_time(text, now)).transpose();
    let (since, until) = (time(&args.since)?, time(&args.until)?);
    let paths = [storage];
    let paths = if args.inputs.is_empty() { &paths } else { args.inputs.as_slice() };
    let spacing = crate::model::duration::parse_duration(&args.spacing)?;
    let input = input::read(paths, (time(&args.at)?, spacing, until), stdin)?;
    for problem in &input.problems {
        writeln!(err, "left out: {problem}")?;
    }
    let assume = match args.assume {
        Assumption::Recovers => Assume::Recovers,
        Assumption::Ineffective => Assume::Ineffective,
    };
    let repeat = args.repeat.as_deref().map(crate::model::duration::parse_duration).transpose()?;
    let tally = play(&input, (playbooks.clone(), policy.clone()), (assume, repeat, since));
    let mut text = Vec::new();
    if args.diff.is_empty() {
        let report = Report::new(&input, (&playbooks, &tally), args.alerts);
        match args.output {
            Output::Json => print_json(&report, &mut text)?,
            Output::Text => text::print(&report, &mut text)?,
        }
        return Ok((text, 0));
    }
    let (notifiers, hosts, approve_on_timeout) = match &names {
        Some((notifiers, hosts)) => (Some(&**notifiers), Some(&**hosts), Some(policy.approve_on_timeout_allowed)),
        None => (None, None, None),
    };
    let known = Known { notifiers, hosts, approve_on_timeout, deciders: None };
    let before = play(&input, (load_rules(&args.diff, known)?, policy), (assume, repeat, since));
    let differences = replay::compare(&before.outcomes, &tally.outcomes);
    let fails = match args.fail_on {
        FailOn::Any => !differences.is_empty(),
        FailOn::ActsMore => differences.iter().any(|difference| difference.acts_more),
        FailOn::None => false,
    };
    let report = DiffReport::new(&input, (&before, &tally), &differences);
    match args.output {
        Output::Json => print_json(&report, &mut text)?,
        Output::Text => text::print_diff(&report, &mut text)?,
    }
    Ok((text, if fails { FINDINGS } else { 0 }))
}

/// The notifiers and the Docker hosts that playbooks may name.
type Names = (Vec<String>, Vec<String>);

/// What the arguments name.
struct Given {
    playbooks: Playbooks,
    /// What playbooks may name, if that is known.
    names: Option<Names>,
    policy: Policy,
    /// The data directory.
    storage: PathBuf,
}

fn rules_of(args: &SimulateArgs) -> anyhow::Result<Given> {
    let rules = [PathBuf::from("rules/")];
    if args.config_file.is_none() {
        let paths = if args.rules.is_empty() { rules.as_slice() } else { &args.rules };
        let (playbooks, storage) = (load_rules(paths, Known::default())?, PathBuf::from("data/"));
        return Ok(Given { playbooks, names: None, policy: Policy::default(), storage });
    }
    let sources = Sources { overrides: Overrides::default(), config_file: args.config_file.clone() };
    let settings = sources.settings()?;
    let (notifiers, hosts) = (settings.notifier_names(), settings.host_names());
    let approve_on_timeout = Some(settings.approvals.approve_on_timeout);
    // What is played asks nobody: who could decide is another question, which `check` answers.
    let known = Known { notifiers: Some(&notifiers), hosts: Some(&hosts), approve_on_timeout, deciders: None };
    let playbooks =
        if args.rules.is_empty() { load_patterns(&settings.rules, known)? } else { load_rules(&args.rules, known)? };
    let policy = settings.policy();
    Ok(Given { playbooks, names: Some((notifiers, hosts)), policy, storage: settings.storage_path })
}

/// Plays everything, and keeps what is asked for.
fn play(
    input: &Input,
    (playbooks, policy): (Playbooks, Policy),
    (assume, repeat, since): (Assume, Option<Duration>, Option<DateTime<Utc>>),
) -> Tally {
    let mut tally = Tally::default();
    let config = Config { playbooks, policy, assume, repeat, configs: None };
    replay::play(&input.history, config, &mut |seen| tally.see(seen));
    tally.outcomes.retain(|outcome| since.is_none_or(|since| since <= outcome.at));
    tally
}
