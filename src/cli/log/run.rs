//! Runs one `sickbay log` command and turns what can go wrong into an exit code.

use super::args::{LogArgs, LogCommand, SpanArgs};
use super::{query, show, tally, verify};
use chrono::{DateTime, Utc};
use std::io::{self, Write};

/// Exit code where no answer could be given: bad arguments, no log, a file that cannot be read.
const NO_ANSWER: u8 = 2;

/// Runs the command; the result is the process's exit code. `now` is what `--since 24h` counts from.
pub fn run(args: &LogArgs, now: DateTime<Utc>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let LogArgs { path, output, command } = args;
    let result = match command {
        LogCommand::Tail { follow, lines } => query::tail(path, *output, (*follow, *lines), out),
        LogCommand::Show { incident, evidence } => show::show(path, *output, (*incident, *evidence), out),
        LogCommand::Verify { place } => verify::verify(place.as_ref().unwrap_or(path), *output, out),
        LogCommand::Stats(span) => between(span, now).and_then(|span| tally::stats(path, *output, span, out)),
        LogCommand::Debt(span) => between(span, now).and_then(|span| tally::debt(path, *output, span, out)),
        LogCommand::Query { span, matchers } => between(span, now).and_then(|span| {
            let filter = query::filter(matchers, span)?;
            for name in query::unknown_names(matchers) {
                let known = "docs/INCIDENT_LOG.md lists the members of each kind";
                writeln!(err, "warning: no record has a member `{name}`, so it reads as empty; {known}")?;
            }
            query::query(path, *output, &filter, out)
        }),
    };
    match result.and_then(|code| out.flush().map(|()| code).map_err(Into::into)) {
        Ok(code) => code,
        // Whoever reads has seen enough, as with `| head`.
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => {
            writeln!(err, "error: {error:#}").unwrap_or_default();
            NO_ANSWER
        }
    }
}

fn between(span: &SpanArgs, now: DateTime<Utc>) -> anyhow::Result<tally::Span> {
    let time = |text: &Option<String>| text.as_deref().map(|text| query::parse_time(text, now)).transpose();
    Ok((time(&span.since)?, time(&span.until)?))
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
