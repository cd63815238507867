//! What conditions can see: the names of `playbook::condition::names`, each with its type.

use super::gate::{Question, Shown};
use super::incident::{Incident, Run};
use super::values::{self, StepLeft};
use crate::model::container::{Container, Health};
use crate::model::label::Labels;
use crate::model::moment::Moment;
use crate::model::service::Service;
use crate::playbook::condition::{Given, Value};
use crate::playbook::definition::Playbook;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How much of the words about a step a condition sees, in bytes.
const WORDS_LEN_MAX: usize = 1024;

/// Everything a gate knows, as values.
pub(super) fn of(question: &Question<'_>) -> Given {
    let Question { incident, playbook, now, .. } = question;
    of_alert(incident, (playbook, question.shown()), question.dry_run(), now)
}

/// Everything a step can know: the same, and what the steps before it left.
pub(super) fn of_step(
    incident: &Incident,
    run: &Run,
    (playbook, shown): (&Playbook, Shown<'_>),
    now: &Moment,
) -> Given {
    let mut given = of_alert(incident, (playbook, shown), run.dry_run, now);
    let left = |left: StepLeft<'_>| {
        let fields = [
            ("outcome", text(left.outcome.as_str())),
            ("elapsed", span(left.elapsed)),
            ("detail", text(start_of(left.detail))),
        ];
        Value::Record(fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    };
    given.record("steps", values::of_steps(run, playbook).map(|(id, one)| (id, Some(left(one)))));
    if let Some((name, failure)) = values::failed(incident, run, playbook) {
        let fields = [("name", name), ("error", start_of(&failure.error)), ("verdict", failure.verdict.as_str())];
        given.record("failed", fields.map(|(field, value)| (field, text(value))));
    }
    given
}

/// Others' words can be long, and a condition looks at short texts only.
fn start_of(words: &str) -> &str {
    let end = (0..=WORDS_LEN_MAX.min(words.len())).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    words.get(..end).unwrap_or_default()
}

fn of_alert(incident: &Incident, (playbook, shown): (&Playbook, Shown<'_>), dry_run: bool, now: &Moment) -> Given {
    let now = now.wall;
    let alert = &incident.alert;
    let mut given = Given::default();
    given.record("labels", labels(&alert.labels));
    given.record("annotations", labels(&alert.annotations));
    given.record(
        "alert",
        [
            ("name", text(alert.labels.value("alertname"))),
            ("fingerprint", text(alert.fingerprint.to_string())),
            ("starts_at", alert.starts_at.map(Value::Time)),
            ("age", alert.starts_at.map(|starts_at| Value::Span(now - starts_at))),
            ("generator_url", text(&*alert.generator_url)),
        ],
    );
    if let Some(view) = shown.view {
        given.record("target", target(&view.container, now));
    }
    if let Some(service) = shown.service {
        given.record("target", target_service(service));
    }
    given.record(
        "run",
        [
            ("id", text(incident.id.to_string())),
            ("playbook", text(&*incident.playbook)),
            ("dry_run", Some(Value::Bool(dry_run))),
            ("attempt", Some(Value::Int(incident.attempt().into()))),
            ("attempts", Some(Value::Int(playbook.attempts.count().into()))),
        ],
    );
    let window = playbook.limits.windows.first();
    given.record(
        "limits",
        [
            ("runs", window.map(|window| Value::Int(window.runs.into()))),
            ("per", window.and_then(|window| span(window.per))),
            ("cooldown", span(playbook.limits.cooldown)),
        ],
    );
    if let Some(end) = incident.approval.as_ref().and_then(|approval| approval.end.as_ref()) {
        let said = |text: String| Some(text).filter(|text| !text.is_empty()).map(Value::Text);
        given.record(
            "approval",
            [
                ("outcome", text(end.outcome.as_str())),
                ("by", said(end.by.join(", "))),
                ("reason", said(end.reason.clone())),
            ],
        );
    }
    given
}

/// A container that does not run has no `running_for`, and one that never ran no `started_at`.
fn target(container: &Container, now: DateTime<Utc>) -> [(&'static str, Option<Value>); 13] {
    let started_at = started_at(container);
    let running = container.state == crate::model::container::ContainerState::Running;
    let health = container.health.as_ref().map_or(Health::NONE, |health| health.as_str());
    [
        ("name", text(container.name.as_str())),
        ("id", text(container.id.as_str())),
        ("image", text(&*container.image)),
        ("image_id", text(&*container.image_id)),
        ("labels", Some(Value::Texts(container.labels.clone()))),
        ("state", text(container.state.as_str())),
        ("health", text(health)),
        ("exit_code", Some(Value::Int(container.exit_code))),
        ("oom_killed", Some(Value::Bool(container.oom_killed))),
        ("restart_count", i64::try_from(container.restart_count).ok().map(Value::Int)),
        ("restart_policy", text(container.restart_policy.as_str())),
        ("started_at", started_at.map(Value::Time)),
        ("running_for", started_at.filter(|_| running).map(|started_at| Value::Span(now - started_at))),
    ]
}

fn target_service(service: &Service) -> [(&'static str, Option<Value>); 6] {
    [
        ("name", text(service.name().as_str())),
        ("id", text(service.id.target_id().to_string())),
        ("image", text(&*service.image)),
        ("labels", Some(Value::Texts(service.labels.clone()))),
        ("replicas", Some(Value::Int(service.wanted.into()))),
        ("replicas_running", Some(Value::Int(service.running.into()))),
    ]
}

/// Docker's zero time means that it never started.
fn started_at(container: &Container) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(&container.started_at).ok()?.to_utc();
    (0 < parsed.timestamp()).then_some(parsed)
}

fn labels(set: &Labels) -> impl Iterator<Item = (&str, Option<Value>)> {
    set.iter().map(|(name, value)| (name, text(value)))
}

fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::Text(text.into()))
}

fn span(span: Duration) -> Option<Value> {
    TimeDelta::from_std(span).ok().map(Value::Span)
}
