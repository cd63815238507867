//! The breaker: after some runs in a row that did not help, nothing is done to a target until a while has passed or a
//! person has looked.

use super::{Question, refuse};
use crate::engine::history::Standing;
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::moment::Moment;
use crate::model::reason::{Gate, Reason};
use std::time::Duration;

/// Asks how the last runs on the target ended.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(target) = question.target_name().filter(|_| question.acts()) else { return Ok(()) };
    let target = target.as_str();
    let (policy, now) = (question.policy, question.now);
    let standing = standing(question, target);
    let breaker = &policy.breaker;
    if !standing.is_open(breaker, now) {
        return Ok(());
    }
    let left = standing.last.map_or(breaker.open_for, |last: Moment| now.remaining(&last, breaker.open_for));
    let left = Duration::from_secs(left.as_secs() + 1);
    let failures = standing.failures;
    let what = if standing.none_left && failures < breaker.failures {
        format!("all tries of a playbook on {target} were in vain")
    } else {
        format!("the last {failures} runs on {target} did not help or did not last")
    };
    let detail = format!("{what}; a trial in {}, or after `sickbay reset {target}`", format_duration(left));
    let refusal = refuse(Gate::Breaker, Reason::BreakerOpen, detail)
        .saw("target", target)
        .saw("failures", failures)
        .saw("allowed", breaker.failures.saturating_sub(1))
        .saw("per", format_duration(breaker.per))
        .saw("open_for", format_duration(breaker.open_for))
        .saw("left", format_duration(left));
    Err(Refusal { retry_after: left, ..refusal })
}

/// How the target stands, this very incident counted: that it is needed may show that the run before did not last.
fn standing(question: &Question<'_>, target: &str) -> Standing {
    let (policy, now, history) = (question.policy, question.now, question.state.history());
    let about = (&*question.playbook.name, target);
    let aftercare = question.incident.is_aftercare();
    let relapsed = history.not_lasting(about, policy.relapse_within, &question.incident.opened);
    match relapsed.filter(|_| !aftercare) {
        Some(earlier) => {
            // A recovery that did not last hides nothing of what was before it, however late the gates are asked.
            let mut known = history.clone();
            known.relapsed(earlier, *now);
            known.standing(target, &policy.breaker, policy.relapse_within, now)
        }
        None => history.standing(target, &policy.breaker, policy.relapse_within, now),
    }
}
