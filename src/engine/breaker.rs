//! When the end of a run opens its target's breaker, when a person may close it, and when the need of a run shows that
//! the last one did not last.

use super::decide::Draft;
use super::history::Standing;
use super::incident::Incident;
use super::receipt::{Reply, Switched};
use super::state::State;
use crate::model::fact::{BreakerOpened, BreakerReset, Fact, IncidentRelapsed};
use crate::model::memory::Help;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use std::sync::Arc;

/// The breaker that opens because a run, or a try of it, ends with `fact`.
///
/// What it opens is told by the history alone; this is the record of it, for people.
pub(super) fn tripped(
    state: &State,
    policy: &Policy,
    (incident, fact): (&Incident, &Fact),
    now: &Moment,
) -> Option<Fact> {
    let help = if let Fact::AttemptEnded(ended) = fact {
        Help::of(ended.verdict, None)
    } else if let Fact::IncidentClosed(closed) = fact {
        Help::of(closed.verdict, closed.reason)
    } else {
        None
    };
    let run = incident.run().filter(|run| !run.dry_run && !run.touched.is_empty() && run.no_further.is_none())?;
    let target: Arc<str> = run.target.as_ref()?.name.as_str().into();
    let Standing { failures, .. } = state.history().standing(&target, &policy.breaker, policy.relapse_within, now);
    let failures = failures + 1;
    let enough = policy.breaker.failures <= failures || run.was_the_last_resort();
    let open = help == Some(Help::No) && enough;
    open.then(|| {
        let open_for = policy.breaker.open_for;
        Fact::BreakerOpened(BreakerOpened { incident: incident.id, target, failures, open_for })
    })
}

/// Somebody says that a target's past failures count no more. Only an open breaker can be reset: whoever misspells a
/// name is told so, and nobody clears failures that hold nothing back yet.
pub(super) fn reset(draft: &mut Draft<'_>, mut reset: BreakerReset) {
    reset.target = draft.ruleset.policy.recorded(&reset.target).into();
    let (state, policy) = (draft.state, &draft.ruleset.policy);
    let standing = state.history().standing(&reset.target, &policy.breaker, policy.relapse_within, draft.now);
    let switched = if standing.is_open(&policy.breaker, draft.now) {
        draft.decision.facts.push(Fact::BreakerReset(reset.clone()));
        Switched::Reset { reset, failures: standing.failures }
    } else {
        Switched::NotOpen(reset.target)
    };
    draft.decision.reply = Reply::Switched(switched);
}

/// The earlier incident that did not last, if this one is about the same thing and comes too soon after it.
pub(super) fn relapse(state: &State, policy: &Policy, incident: &Incident, target: &str) -> Option<Fact> {
    let about = (&*incident.playbook, target);
    let earlier = state.history().not_lasting(about, policy.relapse_within, &incident.opened)?;
    (earlier != incident.id).then_some(Fact::IncidentRelapsed(IncidentRelapsed { incident: earlier, by: incident.id }))
}
