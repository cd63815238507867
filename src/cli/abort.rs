//! `sickbay abort`: a person ends an incident of a running daemon, over HTTP.

use super::caller::{Caller, Changed};
use crate::model::id::IncidentId;
use crate::story::printable;
use crate::web::api::{AbortRequest, IncidentAborted};
use clap::Args;
use hyper::Method;
use std::io::{self, Write};

/// End an incident: nothing more is done about it.
#[derive(Args, Clone, Debug)]
pub struct AbortArgs {
    /// The incident, as in i1042; the number will do
    #[arg(value_name = "ID", value_parser = incident)]
    id: IncidentId,
    /// Why, for the log
    #[arg(long, visible_alias = "comment", value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    caller: Caller,
}

/// Ends an incident; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn abort(args: &AbortArgs, out: &mut dyn Write) -> io::Result<u8> {
    let request = AbortRequest { reason: args.reason.clone(), by: Some(args.caller.name()) };
    let path = format!("/api/v1/incidents/{}/abort", args.id);
    args.caller.change::<IncidentAborted>((Method::POST, &path), &request, out)
}

impl Changed for IncidentAborted {
    fn warning(&self) -> Option<&str> {
        None
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { incident, verdict, by, reason, .. } = self;
        writeln!(out, "{}", printable(&format!("aborted {incident} by {by}, {verdict}: {reason}")))
    }
}

fn incident(text: &str) -> Result<IncidentId, String> {
    let named = if text.starts_with('i') { text.to_owned() } else { format!("i{text}") };
    named.parse().map_err(|error: crate::model::id::NotAnId| error.to_string())
}
