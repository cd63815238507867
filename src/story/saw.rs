//! What stands below the words of a record: the values that were seen, what each gate said, and texts of several lines.

use super::evidence::{evidence_lines, evidence_of};
use super::printable::span;
use crate::model::action::{Action, TargetIdent};
use crate::model::container::{Container, TargetReport};
use crate::model::fact::{ActionIntended, Answer, Decided, Fact, RequestIntended, StepRef};
use crate::model::reason::Gate;
use crate::model::service::Service;
use std::time::Duration;

/// Values by name.
type Pairs = Vec<(String, String)>;

/// What each gate said, in the order in which they are asked. Those behind a no are not asked, and of those before it
/// only the ones that surely were are named.
pub(super) fn gates(decided: &Decided, runs: bool) -> Vec<(&'static str, &'static str)> {
    let refused = match &decided.answer {
        Answer::Run { .. } => return Gate::ALL.iter().map(|gate| (gate.as_str(), "yes")).collect(),
        Answer::Refused(refusal) => refusal.gate,
    };
    // What was refused before Docker was asked, or in the middle of a run, was not asked of all of them.
    let shown = decided.look.as_deref().is_some_and(is_shown);
    let before = Gate::ALL.iter().take_while(|gate| **gate != refused).filter(|_| shown && !runs);
    let mut told: Vec<_> = before.map(|gate| (gate.as_str(), "yes")).collect();
    told.push((refused.as_str(), "no"));
    if shown && !runs {
        let behind = Gate::ALL.iter().skip_while(|gate| **gate != refused).skip(1);
        told.extend(behind.map(|gate| (gate.as_str(), "not asked")));
    }
    told
}

fn is_shown(look: &TargetReport) -> bool {
    match look {
        TargetReport::Found(_) | TargetReport::FoundService(_) | TargetReport::Several { .. } => true,
        TargetReport::Missing
        | TargetReport::Ambiguous(_)
        | TargetReport::Unavailable(_)
        | TargetReport::Denied(_)
        | TargetReport::NoManager(_) => false,
    }
}

/// What was seen, asked for or sent.
pub(super) fn saw(fact: &Fact) -> Pairs {
    if let Fact::Decided(decided) = fact {
        of_decision(decided)
    } else if let Fact::ActionIntended(intended) = fact {
        of_action(intended)
    } else if let Fact::RequestIntended(intended) = fact {
        of_request(intended)
    } else if let Fact::StepFinished(finished) = fact {
        [of_step(&finished.step), pairs([("took", span(finished.elapsed))])].concat()
    } else if let Fact::TargetVerified(verified) = fact {
        of_step(&verified.step)
    } else if let Fact::StepMarked(marked) = fact {
        of_step(&marked.step)
    } else if let Fact::ApprovalRequested(asked) = fact {
        let mut told = pairs([
            ("asked", asked.who()),
            ("needed", asked.required.to_string()),
            ("time to answer", span(asked.timeout)),
            ("plan", asked.plan.clone()),
        ]);
        told.extend(asked.target.iter().flat_map(of_target));
        told.extend(asked.look.as_deref().into_iter().flat_map(of_look));
        told
    } else if let Fact::NoticeIntended(intended) = fact {
        let notice = &intended.notice;
        pairs([("to", notice.notifier.clone()), ("severity", notice.severity.clone())])
    } else {
        Vec::new()
    }
}

/// Texts of several lines, and what they are.
pub(super) fn lines(fact: &Fact) -> (&'static str, Vec<String>) {
    let split = |text: &str| text.lines().map(str::to_owned).collect();
    if let Some(evidence) = evidence_of(fact) {
        ("The evidence", evidence_lines(evidence))
    } else if let Fact::NoticeIntended(intended) = fact {
        ("The message", split(&intended.notice.message))
    } else if let Fact::RequestIntended(RequestIntended { body: Some(body), .. }) = fact {
        ("What is sent", split(body))
    } else {
        ("", Vec::new())
    }
}

fn pairs<const N: usize>(told: [(&str, String); N]) -> Pairs {
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_decision(decided: &Decided) -> Pairs {
    let mut told: Pairs = decided.target.iter().flat_map(of_target).collect();
    match &decided.answer {
        Answer::Run { plan, attempt, key, dry_run: _ } => {
            told.extend(plan.iter().map(|plan| ("plan".to_owned(), plan.clone())));
            if attempt.is_one_of_several() {
                told.extend(pairs([("try", attempt.to_string())]));
            }
            told.extend(key.iter().map(|(name, value)| (format!("counted by {name}"), value.clone())));
        }
        Answer::Refused(refusal) => {
            told.extend(refusal.inputs.iter().cloned());
            if !refusal.retry_after.is_zero() {
                told.extend(pairs([("not asked again before", span(refusal.retry_after))]));
            }
        }
    }
    told.extend(decided.look.as_deref().into_iter().flat_map(of_look));
    told
}

fn of_target(target: &TargetIdent) -> Pairs {
    pairs([("target", target.name.to_string()), ("id", target.id.to_string()), ("image", target.image_id.clone())])
}

/// What Docker showed of the target.
fn of_look(look: &TargetReport) -> Pairs {
    match look {
        TargetReport::Found(view) | TargetReport::Several { first: view, .. } => of_container(&view.container),
        TargetReport::FoundService(service) => of_service(service),
        TargetReport::Missing => pairs([("Docker shows", "no such target".to_owned())]),
        TargetReport::Ambiguous(names) => pairs([("Docker shows", names.join(", "))]),
        TargetReport::Unavailable(error) | TargetReport::Denied(error) | TargetReport::NoManager(error) => {
            pairs([("Docker says", error.clone())])
        }
    }
}

fn of_container(container: &Container) -> Pairs {
    let health =
        container.health.as_ref().map_or_else(|| "no health check".to_owned(), |health| health.as_str().to_owned());
    let mut told = pairs([
        ("state", container.state.as_str().to_owned()),
        ("health", health),
        ("started", container.started_at.clone()),
        ("restarts by Docker", container.restart_count.to_string()),
        ("last exit code", container.exit_code.to_string()),
    ]);
    if container.oom_killed {
        told.extend(pairs([("killed for memory", "yes".to_owned())]));
    }
    told
}

fn of_service(service: &Service) -> Pairs {
    let Service { wanted, running, healthy, .. } = service;
    pairs([("replicas", format!("{running} of {wanted} run, {healthy} healthy"))])
}

fn of_step(step: &StepRef) -> Pairs {
    let place = format!("{} of {}", step.index + 1, step.branch.as_str());
    let mut told = pairs([("step", place)]);
    told.extend(step.id.iter().map(|id| ("id".to_owned(), id.to_string())));
    told
}

fn of_action(intended: &ActionIntended) -> Pairs {
    let mut told = of_step_of(intended);
    told.extend(of_target(&intended.target));
    told.extend(pairs([("plan", intended.plan.clone()), ("waited for at most", span(intended.deadline))]));
    told.extend(intended.timeout.map(|timeout| ("timeout of the step".to_owned(), span(timeout))));
    if !intended.dependents.is_empty() {
        let names: Vec<String> = intended.dependents.iter().map(|target| target.name.to_string()).collect();
        told.extend(pairs([("restarted afterwards", names.join(", "))]));
    }
    told.extend(intended.look.as_deref().into_iter().flat_map(of_look));
    told
}

/// The call to Docker, where it is one call.
fn of_step_of(intended: &ActionIntended) -> Pairs {
    let id = &intended.target.id;
    let call = |what: &str, grace: &Option<Duration>| {
        let grace = grace.map(|span| span.as_secs() + u64::from(0 < span.subsec_nanos()));
        let query = grace.map(|secs| format!("?t={secs}")).unwrap_or_default();
        Some(format!("POST /containers/{id}/{what}{query}"))
    };
    let call = match &intended.action {
        Action::Restart { stop_timeout } => call("restart", stop_timeout),
        Action::Start => call("start", &None),
        Action::Stop { stop_timeout } => call("stop", stop_timeout),
        Action::UpdateLimits(_) => call("update", &None),
        Action::Service(_) => None,
    };
    let name = if intended.dry_run { "would send" } else { "sends" };
    call.map(|call| (name.to_owned(), call)).into_iter().collect()
}

fn of_request(intended: &RequestIntended) -> Pairs {
    let RequestIntended { step, method, url, body_len, deadline, .. } = intended;
    let mut told = of_step(step);
    told.extend(pairs([
        ("sends", format!("{method} {url}")),
        ("bytes", body_len.to_string()),
        ("waited for at most", span(*deadline)),
    ]));
    told
}
