//! `log stats` and `log debt`: what was done and what it helped, and what keeps being treated.

use super::args::LogOutput;
use crate::cli::print_json;
use crate::model::duration::format_duration;
use crate::story::{Debt, PlaybookTally, Tally, printable};
use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// From when on, and until when, incidents count.
pub(super) type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Each playbook with what it did and what that helped.
pub(super) fn stats(path: &Path, output: LogOutput, span: Span, out: &mut dyn Write) -> anyhow::Result<u8> {
    let tally = Tally::read(path, span)?;
    let playbooks = tally.playbooks();
    match output {
        LogOutput::Json => print_json(&json!({"playbooks": playbooks}), out)?,
        LogOutput::Text if playbooks.is_empty() => writeln!(out, "no playbook is loaded, and none opened an incident")?,
        LogOutput::Text => {
            const HEAD: [&str; 9] = [
                "PLAYBOOK",
                "INCIDENTS",
                "REFUSALS",
                "TREATED",
                "RECOVERED",
                "RELAPSED",
                "OPEN",
                "SUCCESS",
                "RECOVERY",
            ];
            table(HEAD, playbooks.iter().map(stats_row), out)?;
        }
    }
    whole(&tally)
}

/// Each target that was treated for the same thing more than once.
pub(super) fn debt(path: &Path, output: LogOutput, span: Span, out: &mut dyn Write) -> anyhow::Result<u8> {
    let tally = Tally::read(path, span)?;
    let debts = tally.debts();
    match output {
        LogOutput::Json => print_json(&json!({"debts": debts}), out)?,
        LogOutput::Text if debts.is_empty() => writeln!(out, "nothing was treated more than once")?,
        LogOutput::Text => {
            const HEAD: [&str; 8] =
                ["TARGET", "PLAYBOOK", "TREATED", "RECOVERED", "RELAPSED", "EVERY", "LAST", "LAST INCIDENT"];
            table(HEAD, debts.iter().map(debt_row), out)?;
        }
    }
    whole(&tally)
}

fn whole(tally: &Tally) -> anyhow::Result<u8> {
    match tally.unreadable() {
        0 => Ok(0),
        lines => bail!("{lines} lines are not records and were left out: see what `sickbay log verify` says"),
    }
}

fn stats_row(playbook: &PlaybookTally) -> [String; 9] {
    let numbers = [playbook.incidents, playbook.refusals, playbook.treated, playbook.recovered, playbook.relapsed];
    let [incidents, refusals, treated, recovered, relapsed] = numbers.map(|number| number.to_string());
    let success = playbook.success.map_or_else(|| "-".to_owned(), |part| format!("{:.0} %", part * 100.0));
    let recovery = playbook.recovery_seconds.map_or_else(|| "-".to_owned(), seconds);
    let name = printable(&playbook.playbook).into_owned();
    [name, incidents, refusals, treated, recovered, relapsed, playbook.open.to_string(), success, recovery]
}

fn debt_row(debt: &Debt) -> [String; 8] {
    let [target, playbook] = [&debt.target, &debt.playbook].map(|name| printable(name).into_owned());
    let [treated, recovered, relapsed] = [debt.treated, debt.recovered, debt.relapsed].map(|number| number.to_string());
    let last = debt.last.to_rfc3339_opts(SecondsFormat::Secs, true);
    [target, playbook, treated, recovered, relapsed, seconds(debt.between_seconds), last, debt.last_incident.clone()]
}

fn seconds(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds))
}

/// Columns as wide as what stands in them, two spaces apart.
fn table<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
