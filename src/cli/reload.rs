//! `sickbay reload`: a running daemon reads its settings and playbooks anew, over HTTP.

use super::ask::{DAEMON_URL, Question, REFUSED, ask, daemon_url, token_of, understood};
use super::caller::encoded;
use super::check::Output;
use super::{complain, print_json};
use crate::settings;
use crate::web::api::ReloadAnswer;
use clap::Args;
use hyper::Method;
use std::io::{self, Write};
use std::path::PathBuf;

/// Read settings and playbooks anew: all of it is taken, or nothing.
#[derive(Args, Clone, Debug)]
pub struct ReloadArgs {
    /// Who you are [default: your login name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Where the daemon answers
    #[arg(long, value_name = "URL", default_value = DAEMON_URL, env = "SICKBAY_URL", value_parser = daemon_url)]
    url: String,
    /// The file that holds the token of `web.api_token_file`, if the daemon has one
    #[arg(long, value_name = "FILE", env = "SICKBAY_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Has a daemon reload; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &ReloadArgs, out: &mut dyn Write) -> io::Result<u8> {
    let token = match token_of(args.token_file.as_deref()) {
        Ok(token) => token,
        Err(code) => return Ok(code),
    };
    let by = args.by.clone().or_else(settings::login_name).unwrap_or_else(|| "unknown".to_owned());
    let (url, path) = (&*args.url, &*format!("/-/reload?by={}", encoded(&by)));
    let answer = ask(Question { url, method: Method::POST, path, token: token.as_ref(), body: Vec::new() });
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
        Output::Text if answer.is_reloaded() => write!(out, "{answer}")?,
        Output::Text => complain(answer.to_string().trim_end()),
    }
    Ok(if answer.is_reloaded() { 0 } else { REFUSED })
}
