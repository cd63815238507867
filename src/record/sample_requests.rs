//! Facts about requests to other systems and what is noted of steps, for the tests of this crate.

use super::sample::{INCIDENT, act, look, step};
use crate::model::fact::{Branch, Fact, RequestFinished, RequestIntended, StepMarked, StepRef, StepResult};
use crate::model::memory::Attempt;
use crate::model::moment::Moment;
use crate::model::request::RequestOutcome;
use crate::model::step::StepMark;
use crate::model::testimony::{Says, Testimony};
use std::sync::Arc;
use std::time::Duration;

/// What is sent to other systems, and what is noted of steps.
pub(super) fn requests(text: &str) -> Vec<Fact> {
    let outcome = |outcome| Fact::RequestFinished(RequestFinished { act: act(3), outcome });
    let intended = RequestIntended {
        act: act(3),
        playbook: "web-restart".into(),
        step: StepRef { branch: Branch::Steps, index: 1, id: None, verb: "http" },
        method: "POST".into(),
        url: text.into(),
        body: Some(text.into()),
        body_len: 17,
        deadline: Duration::from_secs(10),
        dry_run: false,
        witness: Some(Testimony { says: Says::Firing, detail: text.into() }),
    };
    let marked = |mark: &StepMark| {
        let step = StepRef { branch: Branch::OnFailure, index: 0, id: Some("ask".into()), verb: "http" };
        Fact::StepMarked(StepMarked {
            incident: INCIDENT,
            step,
            mark: *mark,
            detail: text.into(),
            look: Some(Arc::new(look(text))),
            witness: Some(Testimony { says: Says::Firing, detail: text.into() }),
        })
    };
    let mut facts = vec![
        step(1, None, "notify", StepResult::ConditionFalse(text.into())),
        step(1, None, "pause_playbook", StepResult::Paused(text.into())),
        Fact::RequestIntended(intended.clone()),
        Fact::RequestIntended(RequestIntended { body: None, body_len: 0, dry_run: true, witness: None, ..intended }),
        outcome(RequestOutcome::Answered { status: 201, expected: true, detail: text.into() }),
        outcome(RequestOutcome::Answered { status: 500, expected: false, detail: text.into() }),
        outcome(RequestOutcome::Failed { error: text.into() }),
        outcome(RequestOutcome::Unknown { error: text.into() }),
        outcome(RequestOutcome::Rehearsed),
    ];
    facts.extend(StepMark::ALL.iter().map(marked));
    facts
}

/// A run under way, and one that is over and was counted by a label.
pub(super) fn attempts(text: &str, at: Moment) -> Vec<Attempt> {
    let attempt = Attempt {
        incident: INCIDENT,
        playbook: "web-restart".into(),
        target: Some("web-1".into()),
        at,
        ended: None,
        dry_run: false,
        aftercare: false,
        key: Vec::new(),
    };
    let key = vec![("instance".into(), text.into())];
    let over = Attempt { target: None, ended: Some(at), dry_run: true, aftercare: true, key, ..attempt.clone() };
    vec![attempt, over]
}
