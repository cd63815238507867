//! Facts about approvals of every kind, for the tests of this crate.

use super::sample::{INCIDENT, look, target};
use crate::model::approval::{
    ApprovalEnded, ApprovalOutcome, ApprovalRequested, Ballot, ReasonFor, VoteAnswer, VoteCast,
};
use crate::model::container::TargetReport;
use crate::model::fact::{Branch, Fact, StepRef};
use crate::model::id::ActId;
use crate::model::incident::AttemptNumber;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const ACT: ActId = ActId { incident: INCIDENT, number: 1 };

/// A question, with everything there may be in it or with as little as possible.
fn asked(text: &str, whole: bool) -> ApprovalRequested {
    ApprovalRequested {
        approval: ACT,
        playbook: "web-restart".into(),
        target: whole.then(target),
        plan: "d0c1".repeat(16),
        terms: if whole { "7e12".repeat(16) } else { String::new() },
        what: text.into(),
        required: 2,
        from: if whole { vec!["g".repeat(128); 50] } else { vec!["dba".into()] },
        timeout: Duration::from_secs(900),
        approve_on_timeout: whole,
        prevent_self_approval: !whole,
        cause: whole.then(|| text.into()),
        step: whole.then_some(StepRef { branch: Branch::Steps, index: 1, id: None, verb: "approve" }),
        attempt: if whole { AttemptNumber { number: 1, count: 2 } } else { AttemptNumber::ONLY },
        dry_run: whole,
        no_links: whole,
        reason: if whole { ReasonFor::OnDeny } else { ReasonFor::Never },
        evidence: whole.then(|| {
            json!({
                "container": {"id": "0b".repeat(32), "name": "web-1", "state": {"status": "exited", "exit_code": 1}},
                "diagnosis": {"findings": [{"code": "exit.application", "weight": "cause", "what": text, "seen": text, "next": text}]},
                "logs": {"lines": [text]},
            })
        }),
        look: whole.then(|| Arc::new(look(text))),
    }
}

/// Every answer to a vote, and every end.
pub(super) fn every_shape(text: &str) -> Vec<Fact> {
    // The engine keeps what comes from outside within bounds.
    let name: String = text.chars().take(128).collect();
    let vote = |answer: &VoteAnswer| {
        let ballot = Ballot {
            approval: ACT,
            plan: "d0c1".repeat(16),
            person: name.clone(),
            groups: vec![name.clone(); if *answer == VoteAnswer::NotEligible { 64 } else { 1 }],
            channel: "cli".into(),
            approve: answer.counts(),
            comment: text.into(),
        };
        Fact::VoteCast(VoteCast { ballot, answer: *answer })
    };
    let end = |outcome: &ApprovalOutcome| {
        let (approval, outcome, by) = (ACT, *outcome, vec![name.clone(); 20]);
        Fact::ApprovalEnded(ApprovalEnded {
            approval,
            outcome,
            by,
            reason: text.into(),
            detail: text.into(),
            look: Some(Arc::new(TargetReport::Missing)),
        })
    };
    let questions = [true, false].map(|whole| Fact::ApprovalRequested(Box::new(asked(text, whole))));
    let votes = VoteAnswer::ALL.iter().map(vote);
    questions.into_iter().chain(votes).chain(ApprovalOutcome::ALL.iter().map(end)).collect()
}
