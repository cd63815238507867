//! What must hold of Alertmanager's word about an alert: it is asked for before the first act, quoted as it was, and never
//! made up.

use crate::invariants::Verdict;
use crate::witness::Witness;
use sickbay::model::fact::{AlertEnded, Fact, Record};
use sickbay::model::id::IncidentId;
use sickbay::model::incident::EpisodeEnd;
use sickbay::model::testimony::Says;
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::World;
use std::time::Duration;

/// How long an answer of Alertmanager's may be on its way: a slow one, and two slow looks at Docker after it.
const ANSWER_IN_FLIGHT: Duration = Duration::from_secs(30);

/// What Alertmanager's API was quoted to say was true when it was asked, a short while ago.
pub(crate) fn no_end_of_an_alert_is_made_up(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::AlertEnded(AlertEnded { end: EpisodeEnd::NotFiring, fingerprint, .. }) = &record.fact else {
        return Ok(());
    };
    let Some(api) = world.api() else { return Err("nobody was asked, and an alert ended by the answer".to_owned()) };
    match api.fires_since(*fingerprint) {
        Some(since) if !witness.slept && ANSWER_IN_FLIGHT < now.since(since) => {
            Err(format!("the alert {fingerprint} ended although it has fired since {since}"))
        }
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn alertmanager_is_asked_and_quoted_before_the_first_act(
    witness: &Witness,
    world: &World,
    record: &Record,
    now: SimTime,
) -> Verdict {
    let Fact::ActionIntended(intended) = &record.fact else { return Ok(()) };
    let (Some(api), act) = (world.api(), intended.act) else { return Ok(()) };
    let first = witness.runs.get(&act.incident).is_some_and(|run| !run.has_acted());
    let long_ago = |at: SimTime| !witness.slept && ANSWER_IN_FLIGHT < now.since(at);
    let alert = world.disk().records().iter().find(|opened| IncidentId(opened.seq) == act.incident);
    let alert = match alert.map(|record| &record.fact) {
        Some(Fact::AlertReceived(alert)) => alert,
        Some(Fact::IncidentOpened(opened)) => &opened.alert,
        Some(_) | None => return Ok(()),
    };
    // What follows the end of an alert is about the opposite.
    let aftercare = witness.is_aftercare(act.incident);
    match intended.witness.as_ref().map(|testimony| testimony.says) {
        None if first => Err(format!("{act} is the first, and Alertmanager was not asked")),
        Some(Says::NotFiring) if !aftercare => {
            Err(format!("{act} although Alertmanager said that its alert had ended"))
        }
        Some(Says::Firing) if !aftercare && api.ended(alert.fingerprint).is_some_and(long_ago) => {
            Err(format!("{act} quotes Alertmanager, which has not listed the alert for long"))
        }
        Some(Says::CannotTell) if long_ago(api.troubled()) => {
            Err(format!("{act} says that Alertmanager cannot tell, and nothing was wrong with it"))
        }
        Some(Says::Firing | Says::NotFiring | Says::CannotTell) | None => Ok(()),
    }
}
