//! `sickbay reset`: a person says that a target may be treated again, over HTTP.

use super::caller::{Caller, Changed, encoded};
use crate::story::printable;
use crate::web::api::{BreakerReset, OpenBreaker, ResumeRequest, StormFreeze};
use clap::Args;
use hyper::Method;
use std::io::{self, Write};

/// Close the breaker of a target: its past failures count no more.
#[derive(Args, Clone, Debug)]
pub struct ResetArgs {
    /// The target's name, as `sickbay status` shows it: web-1, shop/web, or web-2:web on another Docker host
    #[arg(value_name = "TARGET")]
    target: String,
    /// What you found or changed, for the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    caller: Caller,
}

/// Resets; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn reset(args: &ResetArgs, out: &mut dyn Write) -> io::Result<u8> {
    let request = ResumeRequest { by: Some(args.caller.name()), reason: Some(args.reason.clone()) };
    let path = format!("/api/v1/breakers/{}", encoded(&args.target));
    args.caller.change::<BreakerReset>((Method::DELETE, &path), &request, out)
}

impl Changed for BreakerReset {
    fn warning(&self) -> Option<&str> {
        None
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { target, failures, by, reason, .. } = self;
        let mut line = |text: String| writeln!(out, "{}", printable(&text));
        line(format!("reset {target} by {by}, after {failures} runs that did not help: {reason}"))?;
        self.breakers.iter().try_for_each(|breaker| line(format!("also {}", open(breaker))))
    }
}

/// An open breaker, in one line.
pub(super) fn open(breaker: &OpenBreaker) -> String {
    let OpenBreaker { target, failures, since, until } = breaker;
    let until = until.as_deref().unwrap_or("somebody resets it");
    format!(
        "BREAKER OPEN {target} since {since}, until {until} at the earliest: {failures} runs did not help; look at it, \
         then `sickbay reset {target}`"
    )
}

/// A freeze, in one line.
pub(super) fn frozen(storm: &StormFreeze) -> String {
    let StormFreeze { since, length, until } = storm;
    let until = until.as_deref().unwrap_or(length);
    format!("STORM since {since}, until {until} at the earliest: too many alerts at once, nothing is done")
}
