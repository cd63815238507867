//! What the records of acts, requests, messages and approvals hold: a part of [`schema`](mod@super::schema).

use super::schema::{Member, act, count, flag, incident, list, named, object, pattern, plan, text, words};
use super::schema_services as services;
use crate::model::action::Reconciled;
use crate::model::approval::{ReasonFor, VoteAnswer};
use crate::model::step::StepMark;
use crate::model::testimony::Says;
use serde_json::{Value, json};

pub(super) fn of_steps() -> Vec<(&'static str, Vec<Member>)> {
    let results = [
        "captured",
        "verified",
        "not_verified",
        "failed",
        "waited",
        "notified",
        "paused",
        "skipped",
        "condition_false",
        "not_needed",
        "approved",
    ];
    vec![
        (
            "step.finished",
            vec![
                ("inc", incident()),
                ("step", named("step")),
                ("elapsed_ms", count()),
                ("result", words(results)),
                ("detail?", named("text")),
                ("evidence?", json!({"description": "What was captured."})),
            ],
        ),
        (
            "step.marked",
            vec![
                ("inc", incident()),
                ("step", named("step")),
                ("mark", words(StepMark::ALL.iter().map(|mark| mark.as_str()))),
                ("detail", named("text")),
                ("witness?", witness()),
                ("look?", named("look")),
            ],
        ),
        (
            "verify.target",
            vec![("inc", incident()), ("step", named("step")), ("elapsed_ms", count()), ("detail", named("text"))],
        ),
    ]
}

pub(super) fn of_acts() -> Vec<(&'static str, Vec<Member>)> {
    vec![
        (
            "action.intent",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("playbook", text()),
                ("op", pattern("^[a-z]+\\.[a-z_]+$")),
                ("target", named("target")),
                ("pre", named("vitals")),
                ("args", object(services::args())),
                ("deadline_s", count()),
                ("timeout_ms?", count()),
                ("plan", plan()),
                ("dependent?", flag()),
                ("dependents?", list(named("target"))),
                ("dry_run?", flag()),
                ("witness?", witness()),
                ("look?", named("look")),
            ],
        ),
        (
            "action.outcome",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("result", words(["succeeded", "failed", "unknown", "rehearsed"])),
                ("error?", named("text")),
                ("post?", named("vitals")),
            ],
        ),
        (
            "action.reconciled",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("result", words(Reconciled::ALL.iter().map(|finding| finding.as_str()))),
                ("post?", named("vitals")),
                ("detail", named("text")),
            ],
        ),
    ]
}

/// What Alertmanager said.
fn witness() -> Value {
    object(vec![("alert", words(Says::ALL.iter().map(|says| says.as_str()))), ("detail", named("text"))])
}

pub(super) fn of_requests() -> Vec<(&'static str, Vec<Member>)> {
    vec![
        (
            "http.intent",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("playbook", text()),
                ("step", named("step")),
                ("method", words(["GET", "POST", "PUT", "PATCH", "DELETE"])),
                ("url", named("text")),
                ("body?", named("text")),
                ("body_bytes", count()),
                ("deadline_ms", count()),
                ("dry_run?", flag()),
                ("witness?", witness()),
            ],
        ),
        (
            "http.outcome",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("result", words(["expected", "unexpected", "failed", "unknown", "rehearsed"])),
                ("status?", count()),
                ("detail?", named("text")),
                ("error?", named("text")),
            ],
        ),
    ]
}

pub(super) fn of_notices() -> Vec<(&'static str, Vec<Member>)> {
    vec![
        (
            "notify.intent",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("playbook", text()),
                ("notifier", text()),
                ("severity", text()),
                ("title", named("text")),
                ("message", named("text")),
                ("target?", object(vec![("name", text())])),
                ("dry_run?", flag()),
            ],
        ),
        (
            "notify.outcome",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("result", words(["delivered", "failed"])),
                ("error?", named("text")),
            ],
        ),
    ]
}

pub(super) fn of_approvals() -> Vec<(&'static str, Vec<Member>)> {
    let ended = || {
        vec![
            ("inc", incident()),
            ("act", act()),
            ("by", list(named("text"))),
            ("reason", named("text")),
            ("detail", named("text")),
            ("look?", named("look")),
        ]
    };
    let mut kinds = vec![
        (
            "approval.requested",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("playbook", text()),
                ("target?", named("target")),
                ("plan", plan()),
                ("terms?", plan()),
                ("what", named("text")),
                ("required", count()),
                ("from", list(named("text"))),
                ("timeout_ms", count()),
                ("approve_on_timeout?", flag()),
                ("prevent_self_approval", flag()),
                ("no_links?", flag()),
                ("reason?", words(ReasonFor::ALL.iter().map(|reason| reason.as_str()))),
                ("cause?", named("text")),
                ("step?", named("step")),
                ("attempt?", count()),
                ("attempts?", count()),
                ("dry_run?", flag()),
                ("evidence?", json!({"description": "What was found to be the matter with the target right before."})),
                ("look?", named("look")),
            ],
        ),
        (
            "approval.vote",
            vec![
                ("inc", incident()),
                ("act", act()),
                ("plan", named("text")),
                ("by", named("text")),
                ("groups", list(named("text"))),
                ("channel", named("text")),
                ("vote", words(["yes", "no"])),
                ("result", words(VoteAnswer::ALL.iter().map(|answer| answer.as_str()))),
                ("comment", named("text")),
            ],
        ),
    ];
    let ends =
        ["approval.approved", "approval.denied", "approval.expired", "approval.superseded", "approval.cancelled"];
    kinds.extend(ends.map(|kind| (kind, ended())));
    kinds
}
