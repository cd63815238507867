//! The playbook's `if`, about the alert and the target as Docker just showed it. No answer is a no.

use super::{Question, refuse};
use crate::engine::condition_values;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use crate::playbook::condition::{Condition, Given};

/// Values named in one sentence; all of them are in the inputs.
const NAMED_MAX: usize = 4;

/// Asks the condition.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(condition) = &question.playbook.condition else { return Ok(()) };
    // It says when to treat. What follows the end of the alert follows a treatment.
    if question.incident.is_aftercare() {
        return Ok(());
    }
    answer(condition, &condition_values::of(question))
}

/// Asks as much of the condition as can be told from what is `known`, by root and field: a no that nothing else could
/// undo, or the names that it still needs. No names are a yes.
pub(in crate::engine) fn foresee(
    question: &Question<'_>,
    known: &dyn Fn(&str, &str) -> bool,
) -> Result<Vec<String>, Refusal> {
    let Some(condition) = &question.playbook.condition else { return Ok(Vec::new()) };
    let given = condition_values::of(question);
    let (told, untold): (Vec<Condition>, Vec<Condition>) =
        condition.parts().into_iter().partition(|part| part.needs(known).is_empty());
    let refused: Vec<Refusal> = told.iter().filter_map(|part| answer(part, &given).err()).collect();
    // One false part makes all of it false, also where another part has no answer.
    let first = refused.iter().find(|refusal| refusal.reason == Reason::ConditionFalse).or(refused.first());
    if let Some(refusal) = first {
        return Err(refusal.clone());
    }
    let mut needed: Vec<String> = untold.iter().flat_map(|part| part.needs(known)).collect();
    needed.sort_unstable();
    needed.dedup();
    Ok(needed)
}

fn answer(condition: &Condition, given: &Given) -> Result<(), Refusal> {
    let (reason, detail) = match condition.evaluate(given) {
        Ok(true) => return Ok(()),
        Ok(false) => {
            let seen = condition.seen(given);
            let named: Vec<String> =
                seen.iter().take(NAMED_MAX).map(|(name, value)| format!("{name} is {value}")).collect();
            (Reason::ConditionFalse, format!("the playbook's `if` is false: {}", named.join(", ")))
        }
        Err(error) => (Reason::ConditionError, format!("the playbook's `if` has no answer: {error}")),
    };
    Err(Refusal { inputs: condition.seen(given), ..refuse(Gate::Condition, reason, detail) })
}
