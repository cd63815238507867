//! What a simulation found, as it is printed. Both shapes are stable: fields are added, never renamed or removed.

use super::input::Input;
use crate::playbook::index::Playbooks;
use crate::replay::{Act, Decision, Difference, Outcome, Tally};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// What one set of rules would have done.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) input: InputReport,
    pub(super) decisions: Basis,
    /// In the order of the files.
    pub(super) playbooks: Vec<PlaybookReport>,
    /// Enabled ones that took no alert.
    pub(super) never_matched: Vec<String>,
    /// Alerts that no playbook took, the most frequent first.
    pub(super) nobody_took: Vec<Nobody>,
    /// With `--alerts`, each of them in the order in which they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alerts: Option<Vec<AlertReport>>,
}

/// What is decided about one alert.
#[derive(Debug, Serialize)]
pub(super) struct AlertReport {
    /// The recorded incident, where the input is an incident log and a playbook took the alert then.
    pub(super) incident: Option<String>,
    pub(super) at: String,
    pub(super) alertname: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) fingerprint: String,
    pub(super) playbook: Option<String>,
    /// Why nobody took it.
    pub(super) nobody: Option<&'static str>,
    pub(super) decisions: Vec<DecisionReport>,
    pub(super) actions: Vec<ActReport>,
    /// How often people were asked to agree.
    pub(super) approvals_asked: usize,
    /// Those that nobody was asked in the input: they are assumed to get no answer.
    pub(super) approvals_unanswered: usize,
    /// The notifiers that were told something.
    pub(super) notices: Vec<String>,
    /// `null` while it is open, or if nobody took it.
    pub(super) verdict: Option<&'static str>,
    pub(super) verdict_reason: Option<&'static str>,
    /// Whether any of it rests on an assumption.
    pub(super) assumed: bool,
}

/// One answer of the gates.
#[derive(Debug, Serialize)]
pub(super) struct DecisionReport {
    /// `run` or `refused`.
    pub(super) result: &'static str,
    pub(super) gate: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) target: Option<String>,
    pub(super) dry_run: bool,
}

/// One action.
#[derive(Debug, Serialize)]
pub(super) struct ActReport {
    pub(super) op: &'static str,
    pub(super) target: String,
    pub(super) dry_run: bool,
}

/// What was played.
#[derive(Debug, Serialize)]
pub(super) struct InputReport {
    /// `incident_log`, `webhook_bodies` or `amtool_alerts`.
    pub(super) kind: &'static str,
    /// How many records, bodies or alerts.
    pub(super) entries: usize,
    /// How many of them could not be read.
    pub(super) left_out: usize,
    /// How many alerts were silenced or inhibited.
    pub(super) suppressed: usize,
    /// Episodes of alerts in the period.
    pub(super) alerts: usize,
    /// Alerts that could not be read within bodies that could.
    pub(super) unreadable_alerts: u64,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// The first ones.
    pub(super) problems: Vec<String>,
}

/// What decisions rest on.
#[derive(Debug, Default, Serialize)]
pub(super) struct Basis {
    /// On what the log tells of the same moment.
    pub(super) told: usize,
    /// On the nearest look at the target, or on an assumption.
    pub(super) assumed: usize,
    /// Taken from the record as they stand, because the log does not tell what was seen.
    pub(super) from_record: usize,
}

/// One playbook.
#[derive(Debug, Serialize)]
pub(super) struct PlaybookReport {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) dry_run: bool,
    /// Alerts it took.
    pub(super) matched: usize,
    /// Alerts for which something would be done to a container.
    pub(super) would_act: usize,
    /// Runs, or tries, that would begin.
    pub(super) runs: usize,
    /// Changes that would be sent to Docker.
    pub(super) actions: usize,
    /// Changes that a dry run only records.
    pub(super) rehearsed: usize,
    /// The most actions within any hour.
    pub(super) peak_actions_per_hour: usize,
    pub(super) refused: Vec<RefusedReport>,
    /// Approvals that people would be asked for.
    pub(super) approvals_asked: usize,
    /// Those that nobody was asked in the input: they are assumed to get no answer.
    pub(super) approvals_unanswered: usize,
    /// How its incidents ended: verdict → how many.
    pub(super) verdicts: BTreeMap<String, usize>,
    pub(super) targets: Vec<TargetReport>,
    pub(super) decisions: Basis,
}

/// How often one gate refused for one reason.
#[derive(Debug, Serialize)]
pub(super) struct RefusedReport {
    pub(super) gate: &'static str,
    pub(super) reason: &'static str,
    pub(super) count: usize,
}

/// One target of a playbook.
#[derive(Debug, Default, Serialize)]
pub(super) struct TargetReport {
    pub(super) name: String,
    pub(super) runs: usize,
    pub(super) actions: usize,
    pub(super) refused: usize,
}

/// Alerts that nobody took.
#[derive(Debug, Serialize)]
pub(super) struct Nobody {
    pub(super) alertname: String,
    pub(super) reason: &'static str,
    pub(super) alerts: usize,
}

/// What two sets of rules decide differently.
#[derive(Debug, Serialize)]
pub(super) struct DiffReport {
    pub(super) input: InputReport,
    pub(super) old: Totals,
    pub(super) new: Totals,
    /// How many alerts are decided otherwise.
    pub(super) different: usize,
    /// For how many of them something is done that was not done before.
    pub(super) acts_more: usize,
    pub(super) differences: Vec<DifferenceReport>,
}

/// One set of rules in figures.
#[derive(Debug, Serialize)]
pub(super) struct Totals {
    pub(super) taken: usize,
    pub(super) would_act: usize,
    pub(super) actions: usize,
    pub(super) decisions: Basis,
}

/// One alert that is decided otherwise.
#[derive(Debug, Serialize)]
pub(super) struct DifferenceReport {
    /// The recorded incident, where the input is an incident log and a playbook took the alert then.
    pub(super) incident: Option<String>,
    pub(super) at: String,
    pub(super) alertname: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) fingerprint: String,
    pub(super) acts_more: bool,
    /// Whether either side rests on an assumption.
    pub(super) assumed: bool,
    pub(super) changes: Vec<ChangeReport>,
}

/// One thing that is different.
#[derive(Debug, Serialize)]
pub(super) struct ChangeReport {
    pub(super) what: &'static str,
    pub(super) old: String,
    pub(super) new: String,
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Basis {
    fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut basis = Self::default();
        for outcome in outcomes {
            basis.assumed += outcome.assumed;
            basis.from_record += outcome.copied;
            basis.told += outcome.decisions.len().saturating_sub(outcome.assumed + outcome.copied);
        }
        basis
    }
}

impl InputReport {
    fn new(input: &Input, tally: &Tally) -> Self {
        let period = input.history.period();
        Self {
            kind: input.kind,
            entries: input.entries,
            left_out: input.left_out,
            suppressed: input.suppressed,
            alerts: tally.outcomes.len(),
            unreadable_alerts: tally.unreadable,
            from: period.map(|(from, _)| written(from)),
            to: period.map(|(_, to)| written(to)),
            problems: input.problems.clone(),
        }
    }
}

impl Report {
    pub(super) fn new(input: &Input, (playbooks, tally): (&Playbooks, &Tally), each: bool) -> Self {
        let mut taken: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        let mut nobody: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
        for outcome in &tally.outcomes {
            if let Some(playbook) = outcome.playbook() {
                taken.entry(playbook).or_default().push(outcome);
            } else if let Some(reason) = outcome.nobody() {
                *nobody.entry((outcome.alert.labels.value("alertname"), reason.as_str())).or_default() += 1;
            }
        }
        let mut nobody_took: Vec<Nobody> = nobody
            .into_iter()
            .map(|((alertname, reason), alerts)| Nobody { alertname: alertname.to_owned(), reason, alerts })
            .collect();
        nobody_took.sort_by_key(|one| std::cmp::Reverse(one.alerts));
        let unused = playbooks.iter().filter(|playbook| playbook.enabled && !taken.contains_key(&*playbook.name));
        let reports = playbooks.iter().map(|playbook| {
            let outcomes = taken.get(&*playbook.name).map(Vec::as_slice).unwrap_or_default();
            let (name, source) = (playbook.name.to_string(), playbook.source.clone());
            PlaybookReport { name, source, dry_run: playbook.dry_run, ..PlaybookReport::of(outcomes) }
        });
        Self {
            input: InputReport::new(input, tally),
            decisions: Basis::of(tally.outcomes.iter()),
            never_matched: unused.map(|playbook| playbook.name.to_string()).collect(),
            playbooks: reports.collect(),
            nobody_took,
            alerts: each.then(|| tally.outcomes.iter().map(|outcome| AlertReport::of(input, outcome)).collect()),
        }
    }
}

impl AlertReport {
    fn of(input: &Input, outcome: &Outcome) -> Self {
        let alert = &outcome.alert;
        let (verdict, verdict_reason) =
            outcome.verdict.map_or((None, None), |(verdict, reason)| (Some(verdict), reason));
        let act = |act: &Act| ActReport { op: act.op, target: act.target.to_string(), dry_run: act.dry_run };
        Self {
            incident: input.history.incident_at(outcome.entry).map(|incident| incident.to_string()),
            at: written(outcome.at),
            alertname: alert.labels.value("alertname").to_owned(),
            labels: alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            fingerprint: alert.fingerprint.to_string(),
            playbook: outcome.playbook().map(|playbook| playbook.to_string()),
            nobody: outcome.nobody().map(|reason| reason.as_str()),
            decisions: outcome.decisions.iter().map(DecisionReport::of).collect(),
            actions: outcome.actions.iter().map(act).collect(),
            approvals_asked: outcome.approvals,
            approvals_unanswered: outcome.unanswered,
            notices: outcome.notices.iter().map(|notifier| notifier.to_string()).collect(),
            verdict: verdict.map(|verdict| verdict.as_str()),
            verdict_reason: verdict_reason.map(|reason| reason.as_str()),
            assumed: rests_on_assumptions(outcome),
        }
    }
}

/// On what nobody saw, or on an answer that nobody gave.
fn rests_on_assumptions(outcome: &Outcome) -> bool {
    outcome.assumed + outcome.unanswered != 0
}

impl DecisionReport {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Run { target, dry_run } => {
                let target = target.as_ref().map(|target| target.to_string());
                Self { result: "run", gate: None, reason: None, target, dry_run: *dry_run }
            }
            Decision::Refused { gate, reason, target } => {
                let (gate, reason) = (Some(gate.as_str()), Some(reason.as_str()));
                let target = target.as_ref().map(|target| target.to_string());
                Self { result: "refused", gate, reason, target, dry_run: false }
            }
        }
    }
}

impl PlaybookReport {
    fn of(outcomes: &[&Outcome]) -> Self {
        let mut refused: BTreeMap<(&'static str, &'static str), usize> = BTreeMap::new();
        let mut targets: BTreeMap<String, TargetReport> = BTreeMap::new();
        let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
        let mut runs = 0;
        for outcome in outcomes {
            let verdict = outcome.verdict.map_or_else(|| "open".to_owned(), |(verdict, _)| verdict.to_string());
            *verdicts.entry(verdict).or_default() += 1;
            for decision in &outcome.decisions {
                let (target, ran) = match decision {
                    Decision::Run { target, .. } => (target, true),
                    Decision::Refused { gate, reason, target } => {
                        *refused.entry((gate.as_str(), reason.as_str())).or_default() += 1;
                        (target, false)
                    }
                };
                runs += usize::from(ran);
                if let Some(target) = target {
                    let report = targets.entry(target.to_string()).or_default();
                    report.runs += usize::from(ran);
                    report.refused += usize::from(!ran);
                }
            }
            for act in outcome.actions.iter().filter(|act| !act.dry_run) {
                targets.entry(act.target.to_string()).or_default().actions += 1;
            }
        }
        let acts = || outcomes.iter().flat_map(|outcome| &outcome.actions);
        let refused = refused.into_iter().map(|((gate, reason), count)| RefusedReport { gate, reason, count });
        let named = |(name, report): (String, TargetReport)| TargetReport { name, ..report };
        let acting = |outcome: &&&Outcome| outcome.actions.iter().any(|act| !act.dry_run);
        Self {
            name: String::new(),
            source: String::new(),
            dry_run: false,
            matched: outcomes.len(),
            would_act: outcomes.iter().filter(acting).count(),
            runs,
            actions: acts().filter(|act| !act.dry_run).count(),
            rehearsed: acts().filter(|act| act.dry_run).count(),
            peak_actions_per_hour: peak(acts().filter(|act| !act.dry_run)),
            refused: refused.collect(),
            approvals_asked: outcomes.iter().map(|outcome| outcome.approvals).sum(),
            approvals_unanswered: outcomes.iter().map(|outcome| outcome.unanswered).sum(),
            verdicts,
            targets: targets.into_iter().map(named).collect(),
            decisions: Basis::of(outcomes.iter().copied()),
        }
    }
}

/// The most actions within any hour that ends with one of them.
fn peak<'a>(acts: impl Iterator<Item = &'a Act>) -> usize {
    let mut times: Vec<u64> = acts.map(|act| act.at_ms).collect();
    times.sort_unstable();
    let within = |(place, at): (usize, &u64)| place + 1 - times.partition_point(|before| before + HOUR_MS <= *at);
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

impl DiffReport {
    pub(super) fn new(input: &Input, (old, new): (&Tally, &Tally), differences: &[Difference<'_>]) -> Self {
        Self {
            input: InputReport::new(input, new),
            old: Totals::of(old),
            new: Totals::of(new),
            different: differences.len(),
            acts_more: differences.iter().filter(|difference| difference.acts_more).count(),
            differences: differences.iter().filter_map(|difference| DifferenceReport::of(input, difference)).collect(),
        }
    }
}

impl Totals {
    fn of(tally: &Tally) -> Self {
        let acts = |outcome: &Outcome| outcome.actions.iter().filter(|act| !act.dry_run).count();
        Self {
            taken: tally.outcomes.iter().filter(|outcome| outcome.playbook().is_some()).count(),
            would_act: tally.outcomes.iter().filter(|outcome| acts(outcome) != 0).count(),
            actions: tally.outcomes.iter().map(acts).sum(),
            decisions: Basis::of(tally.outcomes.iter()),
        }
    }
}

impl DifferenceReport {
    fn of(input: &Input, difference: &Difference<'_>) -> Option<Self> {
        let outcome = difference.new.or(difference.old)?;
        let alert = &outcome.alert;
        let sides = || [difference.old, difference.new].into_iter().flatten();
        let changes = difference.changes.iter();
        Some(Self {
            incident: input.history.incident_at(outcome.entry).map(|incident| incident.to_string()),
            at: written(outcome.at),
            alertname: alert.labels.value("alertname").to_owned(),
            labels: alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            fingerprint: alert.fingerprint.to_string(),
            acts_more: difference.acts_more,
            assumed: sides().any(rests_on_assumptions),
            changes: changes
                .map(|change| ChangeReport { what: change.what, old: change.old.clone(), new: change.new.clone() })
                .collect(),
        })
    }
}
