//! `sickbay pause` and `sickbay resume`: the kill switch of a running daemon, over HTTP.

use super::caller::{Caller, Changed, encoded};
use crate::model::duration::{format_duration, parse_duration};
use crate::model::pause::PauseScope;
use crate::story::printable;
use crate::web::api::{PauseBrief, PauseChanged, PauseRequest, ResumeRequest, StandingPause};
use clap::Args;
use hyper::Method;
use std::io::{self, Write};
use std::time::Duration;

/// Hold back every run, or those of one host, playbook or target.
#[derive(Args, Clone, Debug)]
pub struct PauseArgs {
    /// all, host:NAME, playbook:NAME or target:NAME
    #[arg(value_name = "SCOPE", default_value = "all", value_parser = scope)]
    scope: PauseScope,
    /// Why, for whoever finds it paused
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long, as in 1h30m; left out, until somebody resumes
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    length: Option<Duration>,
    #[command(flatten)]
    caller: Caller,
}

/// End a pause: what it held back goes on, or is asked about again.
#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    /// all, host:NAME, playbook:NAME or target:NAME, as it was paused
    #[arg(value_name = "SCOPE", default_value = "all", value_parser = scope)]
    scope: PauseScope,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    caller: Caller,
}

/// Pauses; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn pause(args: &PauseArgs, out: &mut dyn Write) -> io::Result<u8> {
    let request = PauseRequest {
        scope: args.scope.to_string(),
        reason: args.reason.clone(),
        by: Some(args.caller.name()),
        length: args.length.map(format_duration),
    };
    args.caller.change::<PauseChanged>((Method::POST, "/api/v1/pauses"), &request, out)
}

/// Resumes; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn resume(args: &ResumeArgs, out: &mut dyn Write) -> io::Result<u8> {
    let request = ResumeRequest { by: Some(args.caller.name()), reason: args.reason.clone() };
    let path = format!("/api/v1/pauses/{}", encoded(&args.scope.to_string()));
    args.caller.change::<PauseChanged>((Method::DELETE, &path), &request, out)
}

impl Changed for PauseChanged {
    fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        print(self, out)
    }
}

fn print(changed: &PauseChanged, out: &mut dyn Write) -> io::Result<()> {
    let brief = |pause: &PauseBrief| {
        let lasts = pause.length.as_ref().map_or("until resumed".to_owned(), |length| format!("for {length}"));
        format!("{} by {}, {lasts}: {}", pause.scope, pause.by, pause.reason)
    };
    let mut line = |text: String| writeln!(out, "{}", printable(&text));
    line(format!("{} {}", changed.result, brief(&changed.pause)))?;
    if let Some(replaced) = &changed.replaced {
        line(format!("in place of {}", brief(replaced)))?;
    }
    let others = changed.pauses.iter().filter(|pause| !is_same(&changed.pause, pause));
    others.map(standing).try_for_each(|pause| line(format!("also {pause}")))
}

fn is_same(brief: &PauseBrief, standing: &StandingPause) -> bool {
    brief.scope == standing.scope && brief.by == standing.by
}

/// A pause that stands, in one line.
pub(super) fn standing(pause: &StandingPause) -> String {
    let StandingPause { scope, by, reason, since, length: _, until } = pause;
    let until = until.as_ref().map_or("until resumed".to_owned(), |until| format!("until {until} at the earliest"));
    format!("PAUSED {scope} by {by} since {since}, {until}: {reason}")
}

fn scope(text: &str) -> Result<PauseScope, String> {
    text.parse().map_err(|error| {
        let hint = match text {
            "host" | "playbook" | "target" | "" => String::new(),
            bare if bare.eq_ignore_ascii_case("all") => "; did you mean `all`?".to_owned(),
            bare if !bare.contains(':') && !bare.contains(char::is_whitespace) => {
                format!("; did you mean `target:{bare}` or `playbook:{bare}`?")
            }
            _ => String::new(),
        };
        format!("{error}{hint}")
    })
}

fn length(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than zero; leave it out to pause until resumed".to_owned()),
        Ok(length) => Ok(length),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_word_is_answered_with_what_it_may_mean() {
        for (text, want) in [
            ("web-restart", "did you mean `target:web-restart` or `playbook:web-restart`?"),
            ("ALL", "did you mean `all`?"),
            ("image:x", "cannot be paused: write `all`"),
        ] {
            let message = scope(text).unwrap_err();
            assert!(message.contains(want), "{message}");
        }
        assert_eq!(scope("playbook:web"), Ok(PauseScope::Playbook("web".into())));
    }
}
