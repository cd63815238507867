//! What a step tells: messages to people, and the pause of its own playbook. Read [`notify`] first.

use super::advance::{Move, finished, step_ref, time_left};
use super::effect::Effect;
use super::incident::{Incident, Run, Stage};
use super::values;
use crate::model::fact::{Branch, Fact, NoticeIntended, StepResult};
use crate::model::moment::Moment;
use crate::model::notice::Notice;
use crate::model::pause::{Pause, PauseScope};
use crate::model::policy::Policy;
use crate::model::redact::clean;
use crate::playbook::definition::{NotifySpec, PauseSpec, Playbook, Step};
use crate::playbook::template::Template;
use std::sync::Arc;
use std::time::Duration;

/// The longest reason of a pause, in bytes.
const REASON_LEN_MAX: usize = 500;

/// The next of a notify step's messages. Its intent is recorded before it is sent.
pub(super) fn notify(
    incident: &Incident,
    run: &Run,
    (playbook, step, spec): (&Playbook, &Step, &NotifySpec),
    (policy, now): (&Policy, &Moment),
) -> Move {
    let within = time_left(run, step, now);
    if let Some(over) = within.filter(|within| within.left.is_zero()) {
        let result = StepResult::Failed(over.words());
        return Move::Record(finished(incident, run, step, (now.since(&run.since), result)));
    }
    let told = if let Stage::Told(told) = run.stage { told } else { 0 };
    let Some(notifier) = spec.to.get(told) else {
        return Move::Record(finished(incident, run, step, (now.since(&run.since), StepResult::Notified)));
    };
    let values = values::of_run(incident, run, playbook, policy);
    let target = run.target.as_ref().map(|target| target.name.to_string());
    let render = |template: &Template| {
        template.render(&values).unwrap_or_else(|error| {
            format!("(the message of playbook {} could not be rendered: {error})", playbook.name)
        })
    };
    let about = target.clone().unwrap_or_else(|| incident.alert.labels.value("alertname").to_owned());
    let title = spec.title.as_ref().map_or_else(|| format!("{}: {about}{}", playbook.name, tries(run)), render);
    let mark = if run.dry_run { "[dry run] " } else { "" };
    let notice = Notice {
        act: incident.next_act(),
        notifier: notifier.clone(),
        severity: spec.severity.clone(),
        title: format!("{mark}{title}"),
        message: format!("{mark}{}", render(&spec.message)),
        playbook: playbook.name.to_string(),
        target,
        dry_run: run.dry_run,
    };
    let effect = Effect::SendNotice { notice: notice.clone(), repeat: false, asks: None, within };
    Move::RecordAndDo(Fact::NoticeIntended(NoticeIntended { notice }), effect)
}

/// A pause of the run's own playbook. The run itself goes on to its end.
pub(super) fn pause_playbook(
    incident: &Incident,
    run: &Run,
    (playbook, step, spec): (&Playbook, &Step, &PauseSpec),
    policy: &Policy,
) -> Move {
    if run.dry_run {
        return Move::Record(finished(incident, run, step, (Duration::ZERO, StepResult::Skipped)));
    }
    let values = values::of_run(incident, run, playbook, policy);
    let words = |template: &Template| {
        template.render(&values).unwrap_or_else(|error| format!("(the reason could not be rendered: {error})"))
    };
    let reason = spec.reason.as_ref().map_or_else(|| "a step of the playbook says so".to_owned(), words);
    let pause = Pause {
        scope: PauseScope::Playbook(Arc::clone(&playbook.name)),
        by: Pause::by_playbook(&playbook.name, &incident.id.to_string()),
        reason: clean(&reason, REASON_LEN_MAX),
        length: spec.length,
    };
    let step = step_ref(run, step);
    Move::Pause(pause, step)
}

/// How many tries were made, where there is more than one.
fn tries(run: &Run) -> String {
    let attempt = run.attempt;
    match run.branch {
        Branch::OnResolved => " (after the alert resolved)".to_owned(),
        _ if !attempt.is_one_of_several() => String::new(),
        Branch::Steps | Branch::OnDenied => format!(" (try {attempt})"),
        Branch::OnFailure => format!(" (after {attempt} tries)"),
    }
}
