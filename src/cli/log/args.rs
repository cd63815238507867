//! The command line of `sickbay log`.

use crate::model::id::IncidentId;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Read and verify the incident log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// The data directory (a directory of segments or one file will do).
    #[arg(long, global = true, value_name = "DIR", default_value = "data/")]
    pub path: PathBuf,
    /// How results are printed: text for people; json is the log's own lines.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: LogOutput,
    /// What to do.
    #[command(subcommand)]
    pub command: LogCommand,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogOutput {
    /// For people.
    #[default]
    Text,
    /// For scripts.
    Json,
}

/// What `sickbay log` does.
#[derive(Clone, Debug, Subcommand)]
pub enum LogCommand {
    /// Print the last records.
    Tail {
        /// Go on as the log grows.
        #[arg(short, long)]
        follow: bool,
        /// How many records.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
        lines: usize,
    },
    /// Print one incident with timings.
    Show {
        /// Its name, such as i1042.
        #[arg(value_name = "ID")]
        incident: IncidentId,
        /// Print the captured evidence as well.
        #[arg(long)]
        evidence: bool,
    },
    /// Check the hash chain: 0 all is well, 1 changed or damaged, 2 not readable, 3 only an unfinished end.
    Verify {
        /// A data directory, a directory of segments or one file; default: --path.
        #[arg(value_name = "DIR|FILE")]
        place: Option<PathBuf>,
    },
    /// Print what each playbook did, and how often it helped.
    ///
    /// An incident counts by the time it was opened. `recovered` are those where something was done and the target did not
    /// fall ill again too soon; SUCCESS is their part of all that were treated and have ended, RECOVERY their median time.
    Stats(SpanArgs),
    /// Print the targets that keep being treated for the same thing: what to mend instead.
    ///
    /// Whatever was treated more than once, the most often treated first. EVERY is the median time between two treatments.
    Debt(SpanArgs),
    /// Print the records that satisfy all matchers.
    Query {
        /// From when, until when.
        #[command(flatten)]
        span: SpanArgs,
        /// As in a playbook, over the members of a record: kind="decision" reason!="busy" target=~"web-.*"
        #[arg(value_name = "MATCHER")]
        matchers: Vec<String>,
    },
}

/// From when on, and until when.
#[derive(Args, Clone, Debug)]
pub struct SpanArgs {
    /// Not before: 24h (ago), or 2026-01-05T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before: 1h (ago), or 2026-01-05T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}
