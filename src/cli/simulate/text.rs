//! What a simulation found, for people.

use super::report::{
    ActReport, AlertReport, Basis, DecisionReport, DiffReport, DifferenceReport, InputReport, PlaybookReport, Report,
    Totals,
};
use crate::story::printable;
use std::io::{self, Write};

/// How many targets are named for one playbook: those with most actions.
const TARGETS_MAX: usize = 8;

/// How many alerts that nobody took are named.
const NOBODY_MAX: usize = 15;

/// Prints what one set of rules would have done.
pub(super) fn print(report: &Report, out: &mut Vec<u8>) -> io::Result<()> {
    input(&report.input, out)?;
    basis(&report.input, &report.decisions, out)?;
    let width = report.playbooks.iter().map(|playbook| playbook.name.len()).max().unwrap_or(0).max(8);
    writeln!(out)?;
    writeln!(
        out,
        "{:width$}  {:>7}  {:>9}  {:>6}  {:>7}  {:>6}  {:>7}  {:>9}",
        "PLAYBOOK", "MATCHED", "WOULD ACT", "RUNS", "ACTIONS", "PEAK/H", "REFUSED", "APPROVALS"
    )?;
    for playbook in report.playbooks.iter().filter(|playbook| playbook.matched != 0) {
        one(playbook, width, out)?;
    }
    if !report.never_matched.is_empty() {
        writeln!(out, "\nnever matched: {}", report.never_matched.join(", "))?;
    }
    if !report.nobody_took.is_empty() {
        writeln!(out, "\nnobody took:")?;
        for nobody in report.nobody_took.iter().take(NOBODY_MAX) {
            let name = printable(&nobody.alertname);
            writeln!(out, "  {:>7}  {name} ({})", nobody.alerts, nobody.reason)?;
        }
        more(report.nobody_took.len(), NOBODY_MAX, out)?;
    }
    report.alerts.iter().flatten().try_for_each(|alert| each(alert, out))
}

/// One alert on a few lines.
fn each(alert: &AlertReport, out: &mut Vec<u8>) -> io::Result<()> {
    let labels = alert.labels.iter().filter(|(name, _)| *name != "alertname");
    let labels = labels.map(|(name, value)| format!("{name}={}", printable(value))).collect::<Vec<_>>().join(" ");
    let (incident, name) = (alert.incident.as_deref().unwrap_or("-"), printable(&alert.alertname));
    writeln!(out, "\n{incident}  {}  {name} {labels}{}", alert.at, if alert.assumed { "  [assumed]" } else { "" })?;
    let Some(playbook) = &alert.playbook else {
        return writeln!(out, "    nobody takes it: {}", alert.nobody.unwrap_or_default());
    };
    writeln!(out, "    taken by {playbook}")?;
    for DecisionReport { result, gate, reason, target, dry_run } in &alert.decisions {
        let by = gate.zip(*reason).map(|(gate, reason)| format!(" by {gate}: {reason}")).unwrap_or_default();
        let on = target.as_ref().map(|target| format!(" ({target})")).unwrap_or_default();
        writeln!(out, "    {}{result}{by}{on}", if *dry_run { "dry " } else { "" })?;
    }
    if alert.approvals_asked != 0 {
        writeln!(out, "    people are asked: {}{}", alert.approvals_asked, unanswered(alert.approvals_unanswered))?;
    }
    for ActReport { op, target, .. } in &alert.actions {
        writeln!(out, "    {op} {target}")?;
    }
    let reason = alert.verdict_reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    writeln!(out, "    {}{reason}", alert.verdict.unwrap_or("open"))
}

fn input(input: &InputReport, out: &mut Vec<u8>) -> io::Result<()> {
    let kind = match input.kind {
        "incident_log" => "records of an incident log",
        "amtool_alerts" => "alerts from amtool",
        _ => "webhook bodies",
    };
    writeln!(out, "{} {kind}, {} alerts", input.entries, input.alerts)?;
    if let (Some(from), Some(to)) = (&input.from, &input.to) {
        writeln!(out, "from {from} to {to}")?;
    }
    if input.left_out != 0 || input.unreadable_alerts != 0 {
        let unreadable = input.unreadable_alerts;
        writeln!(
            out,
            "left out: {} that could not be read; {unreadable} alerts unreadable within bodies",
            input.left_out
        )?;
    }
    if input.suppressed != 0 {
        writeln!(
            out,
            "left out: {} silenced or inhibited alerts: Alertmanager would not have sent them",
            input.suppressed
        )?;
    }
    Ok(())
}

fn basis(input: &InputReport, basis: &Basis, out: &mut Vec<u8>) -> io::Result<()> {
    let Basis { told, assumed, from_record } = basis;
    if input.kind != "incident_log" {
        return writeln!(
            out,
            "Of Docker nothing is known: every target is assumed to exist, opted in and ill. {assumed} decisions rest on that."
        );
    }
    writeln!(out, "{told} decisions on what the log tells, {assumed} assumed, {from_record} taken from the record")
}

fn one(playbook: &PlaybookReport, width: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let refused: usize = playbook.refused.iter().map(|refused| refused.count).sum();
    writeln!(
        out,
        "{:width$}  {:>7}  {:>9}  {:>6}  {:>7}  {:>6}  {refused:>7}  {:>9}",
        playbook.name,
        playbook.matched,
        playbook.would_act,
        playbook.runs,
        playbook.actions,
        playbook.peak_actions_per_hour,
        playbook.approvals_asked
    )?;
    if playbook.approvals_unanswered != 0 {
        let asked = playbook.approvals_asked;
        writeln!(out, "    people are asked: {asked}{}", unanswered(playbook.approvals_unanswered))?;
    }
    if playbook.rehearsed != 0 {
        writeln!(out, "    dry run: {} actions would only be recorded", playbook.rehearsed)?;
    }
    if !playbook.refused.is_empty() {
        let each = playbook.refused.iter().map(|one| format!("{}: {} {}", one.gate, one.reason, one.count));
        writeln!(out, "    refused by {}", each.collect::<Vec<_>>().join(", "))?;
    }
    let mut targets: Vec<_> = playbook.targets.iter().collect();
    targets.sort_by_key(|target| std::cmp::Reverse((target.actions, target.runs, target.refused)));
    if !targets.is_empty() {
        let each = targets
            .iter()
            .take(TARGETS_MAX)
            .map(|target| format!("{} ({} actions, {} refused)", target.name, target.actions, target.refused));
        let rest = targets.len().saturating_sub(TARGETS_MAX);
        let rest = if rest == 0 { String::new() } else { format!(", and {rest} more") };
        writeln!(out, "    targets {}{rest}", each.collect::<Vec<_>>().join(", "))?;
    }
    let ended = playbook.verdicts.iter().map(|(verdict, count)| format!("{verdict} {count}"));
    writeln!(out, "    ended {}", ended.collect::<Vec<_>>().join(", "))
}

/// Of the questions to people, those without a recorded answer.
fn unanswered(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(", {count} of these anew: nobody is assumed to answer"),
    }
}

fn more(count: usize, shown: usize, out: &mut Vec<u8>) -> io::Result<()> {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        rest => writeln!(out, "  and {rest} more; -o json lists all"),
    }
}

/// Prints what two sets of rules decide differently.
pub(super) fn print_diff(report: &DiffReport, out: &mut Vec<u8>) -> io::Result<()> {
    input(&report.input, out)?;
    totals("old", &report.old, out)?;
    totals("new", &report.new, out)?;
    let (different, all) = (report.different, report.input.alerts);
    writeln!(out, "\n{different} of {all} alerts are decided otherwise; {} of them act more", report.acts_more)?;
    report.differences.iter().try_for_each(|difference| changed(difference, out))
}

fn totals(which: &str, totals: &Totals, out: &mut Vec<u8>) -> io::Result<()> {
    let Totals { taken, would_act, actions, decisions } = totals;
    let assumed = decisions.assumed;
    writeln!(out, "{which}: {taken} alerts taken, {would_act} acted on, {actions} actions; {assumed} decisions assumed")
}

fn changed(difference: &DifferenceReport, out: &mut Vec<u8>) -> io::Result<()> {
    let labels = difference.labels.iter().filter(|(name, _)| *name != "alertname");
    let labels = labels.map(|(name, value)| format!("{name}={}", printable(value))).collect::<Vec<_>>().join(" ");
    let incident = difference.incident.as_deref().unwrap_or("-");
    let marks = [(difference.acts_more, "acts more"), (difference.assumed, "assumed")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
    let marks = if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) };
    let name = printable(&difference.alertname);
    writeln!(out, "\n{incident}  {}  {name} {labels}{marks}", difference.at)?;
    for change in &difference.changes {
        writeln!(out, "    {:9} {} \u{2192} {}", change.what, printable(&change.old), printable(&change.new))?;
    }
    Ok(())
}
