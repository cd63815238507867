//! The playbook's `if`, about the alert and the target as Docker just showed it. No answer is a no.

use super::{Question, refuse};
use crate::engine::condition_values;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};

/// Values named in one sentence; all of them are in the inputs.
const NAMED_MAX: usize = 4;

/// Asks the condition.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(condition) = &question.playbook.condition else { return Ok(()) };
    let given = condition_values::of(question);
    let (reason, detail) = match condition.evaluate(&given) {
        Ok(true) => return Ok(()),
        Ok(false) => {
            let seen = condition.seen(&given);
            let named: Vec<String> =
                seen.iter().take(NAMED_MAX).map(|(name, value)| format!("{name} is {value}")).collect();
            (Reason::ConditionFalse, format!("the playbook's `if` is false: {}", named.join(", ")))
        }
        Err(error) => (Reason::ConditionError, format!("the playbook's `if` has no answer: {error}")),
    };
    Err(Refusal { inputs: condition.seen(&given), ..refuse(Gate::Condition, reason, detail) })
}
