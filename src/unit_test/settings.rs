//! `settings` of a test file: what of sickbay's settings matters to a decision, under the same names without their
//! section. What is left out is as where nobody set it.

use super::keys;
use super::values::{items, some_time};
use crate::model::host::HostName;
use crate::model::limit::{Breaker, MEMORY, STORM_ALERTS_MAX, Storm, Window};
use crate::model::matcher::AnchoredRegex;
use crate::model::policy::{Policy, ProtectedName};
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use std::time::Duration;

/// Reads them.
pub(super) fn policy(field: Option<Field<'_>>, findings: &mut Findings<'_>) -> Policy {
    let mut policy = Policy::default();
    let Some(field) = field else { return policy };
    let Some(fields) = Fields::read(field.value, field.key, &keys::SETTINGS, findings) else { return policy };
    policy.dry_run = fields.boolean("dry_run", false, findings);
    policy.require_opt_in = fields.boolean("require_opt_in", true, findings);
    policy.approve_on_timeout_allowed = fields.boolean("approve_on_timeout", false, findings);
    if let Some(field) = fields.get("hosts") {
        policy.hosts = hosts(field, findings).unwrap_or(policy.hosts);
    }
    if let Some(age) = fields.get("max_alert_age").and_then(|field| some_time(field, findings)) {
        policy.max_alert_age = age;
    }
    if let Some(hands_off) = fields.duration("hands_off", findings) {
        policy.hands_off = hands_off;
    }
    if let Some(field) = fields.get("protect") {
        policy.protect = protected(field, findings);
    }
    if let Some(field) = fields.get("limits") {
        limits(field, &mut policy, findings);
    }
    policy
}

/// The names of Docker hosts; `None` if some are none.
fn hosts(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<String>> {
    let mut hosts: Vec<String> = Vec::new();
    let items = items(field, "list the names of `docker.hosts`, the first one first: hosts: [local, web-2]", findings)?;
    for item in &items {
        let Some(text) = item.text(findings) else { continue };
        let wrong = match HostName::parse(text) {
            None => Some(format!("{text:?} is no name of a host: letters, digits, `.`, `_` and `-`")),
            Some(_) if hosts.iter().any(|other| other == text) => Some(format!("the host `{text}` stands twice")),
            Some(_) => None,
        };
        match wrong {
            Some(words) => {
                let note = Note::error("test.value", item.span(), words);
                findings.push(note.hint("list each name of `docker.hosts` once"));
            }
            None => hosts.push(text.to_owned()),
        }
    }
    if items.is_empty() {
        let note = Note::error("test.value", field.span(), "`hosts` names none");
        findings.push(note.hint("name at least one, or leave `hosts` out"));
    }
    (!hosts.is_empty() && hosts.len() == items.len()).then_some(hosts)
}

fn protected(field: Field<'_>, findings: &mut Findings<'_>) -> Vec<ProtectedName> {
    let mut names = Vec::new();
    for item in items(field, "list container names: protect: [db, \"regex:proxy-.*\"]", findings).unwrap_or_default() {
        let Some(text) = item.text(findings) else { continue };
        match text.strip_prefix("regex:") {
            None => names.push(ProtectedName::Exact(text.to_owned())),
            Some(pattern) => match AnchoredRegex::new(pattern) {
                Ok(pattern) => names.push(ProtectedName::Pattern(pattern)),
                Err(error) => findings.push(Note::error("test.value", item.span(), error.to_string())),
            },
        }
    }
    names
}

fn limits(field: Field<'_>, policy: &mut Policy, findings: &mut Findings<'_>) {
    let Some(fields) = Fields::read(field.value, field.key, &keys::LIMITS, findings) else { return };
    if let Some(field) = fields.get("global") {
        policy.global = windows(field, findings);
    }
    if let Some(field) = fields.get("per_target") {
        policy.per_target = windows(field, findings);
    }
    let at_least_one = 1..=u32::MAX;
    if let Some(most) = fields.get("max_parallel").and_then(|field| field.whole(&at_least_one, findings)) {
        policy.max_parallel = most;
    }
    if let Some(within) = fields.get("relapse_within").and_then(|field| remembered(field, findings)) {
        policy.relapse_within = within;
    }
    if let Some(field) = fields.get("breaker")
        && let Some(fields) = Fields::read(field.value, field.key, &keys::BREAKER, findings)
    {
        let default = Breaker::default();
        policy.breaker = Breaker {
            failures: fields
                .get("failures")
                .and_then(|field| field.whole(&at_least_one, findings))
                .unwrap_or(default.failures),
            per: fields.get("per").and_then(|field| remembered(field, findings)).unwrap_or(default.per),
            open_for: fields.get("open_for").and_then(|field| remembered(field, findings)).unwrap_or(default.open_for),
        };
    }
    if let Some(field) = fields.get("storm")
        && let Some(fields) = Fields::read(field.value, field.key, &keys::STORM, findings)
    {
        let default = Storm::default();
        policy.storm = Storm {
            alerts: fields
                .get("alerts")
                .and_then(|field| field.whole(&(1..=STORM_ALERTS_MAX), findings))
                .unwrap_or(default.alerts),
            per: fields.get("per").and_then(|field| remembered(field, findings)).unwrap_or(default.per),
            freeze: fields.get("freeze").and_then(|field| remembered(field, findings)).unwrap_or(default.freeze),
        };
    }
}

fn windows(field: Field<'_>, findings: &mut Findings<'_>) -> Vec<Window> {
    let mut windows = Vec::new();
    for item in items(field, "list windows: [{runs: 20, per: 1h}]", findings).unwrap_or_default() {
        let Some(fields) = Fields::read(item.value, item.key, &keys::WINDOW, findings) else { continue };
        let runs = fields.need("runs", findings).and_then(|field| field.whole(&(1..=u32::MAX), findings));
        let per = fields.need("per", findings).and_then(|field| remembered(field, findings));
        windows.extend(runs.zip(per).map(|(runs, per)| Window { runs, per }));
    }
    windows
}

/// A duration of more than nothing and no longer than attempts are remembered.
fn remembered(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let span = some_time(field, findings)?;
    if MEMORY < span {
        let message = format!("`{}` is at most 31d: older attempts are forgotten", field.name);
        findings.push(Note::error("test.value", field.span(), message));
        return None;
    }
    Some(span)
}
