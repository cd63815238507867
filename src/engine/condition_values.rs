//! What conditions can see: the names of `playbook::condition::names`, each with its type.

use super::gate::Question;
use crate::model::container::{Container, RestartPolicy};
use crate::model::label::Labels;
use crate::playbook::condition::{Given, Value};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Everything a gate knows, as values.
pub(super) fn of(question: &Question<'_>) -> Given {
    let (incident, playbook, now) = (question.incident, question.playbook, question.now.wall);
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
    if let Some(view) = question.view {
        given.record("target", target(&view.container, now));
    }
    given.record(
        "run",
        [
            ("id", text(incident.id.to_string())),
            ("playbook", text(&*incident.playbook)),
            ("dry_run", Some(Value::Bool(question.dry_run()))),
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
    given
}

/// A container that does not run has no `running_for`, and one that never ran no `started_at`.
fn target(container: &Container, now: DateTime<Utc>) -> [(&'static str, Option<Value>); 13] {
    let started_at = started_at(container);
    let running = container.state == crate::model::container::ContainerState::Running;
    let health = container.health.as_ref().map_or("none", |health| health.as_str());
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
        ("restart_policy", text(policy(container.restart_policy))),
        ("started_at", started_at.map(Value::Time)),
        ("running_for", started_at.filter(|_| running).map(|started_at| Value::Span(now - started_at))),
    ]
}

/// Docker's zero time means that it never started.
fn started_at(container: &Container) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(&container.started_at).ok()?.to_utc();
    (0 < parsed.timestamp()).then_some(parsed)
}

/// Docker's word for it.
fn policy(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::No => "no",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Always => "always",
        RestartPolicy::UnlessStopped => "unless-stopped",
    }
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
