//! `sickbay reload`: a running daemon reads its settings and playbooks anew, over HTTP.

use super::ask::{Question, REFUSED, ask, understood};
use super::caller::encoded;
use super::check::Output;
use super::reach::Reach;
use super::{complain, print_json};
use crate::settings;
use crate::story::printable;
use crate::web::api::ReloadAnswer;
use clap::Args;
use hyper::Method;
use std::io::{self, Write};

/// Read settings and playbooks anew: all of it is taken, or nothing.
#[derive(Args, Clone, Debug)]
pub struct ReloadArgs {
    /// Who you are [default: your login name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Has a daemon reload; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &ReloadArgs, out: &mut dyn Write) -> io::Result<u8> {
    let way = match args.reach.way() {
        Ok(way) => way,
        Err(code) => return Ok(code),
    };
    let by = args.by.clone().or_else(settings::login_name).unwrap_or_else(|| "unknown".to_owned());
    let (url, path) = (&*way.url, &*format!("/-/reload?by={}", encoded(&by)));
    let answer = ask(Question { way: &way, method: Method::POST, path, body: Vec::new() });
    // A refusal has the same shape, and another status.
    let refused = answer.as_ref().ok().and_then(|(_, body)| serde_json::from_slice::<ReloadAnswer>(body).ok());
    let answer = match refused.filter(|answer| !answer.is_reloaded()) {
        Some(refused) => refused,
        None => match understood(url, answer) {
            Ok(answer) => answer,
            Err(code) => return Ok(code),
        },
    };
    match args.output {
        Output::Json => print_json(&answer, out)?,
        Output::Text if answer.is_reloaded() => {
            answer.to_string().lines().try_for_each(|line| writeln!(out, "{}", printable(line)))?;
        }
        Output::Text => complain(answer.to_string().trim_end()),
    }
    Ok(if answer.is_reloaded() { 0 } else { REFUSED })
}
