//! The kill switch's moves: pauses are set, cleared and run out, and what they held back goes on.
//!
//! Every move is a fact first. What was held back is only asked about again: the gates decide anew, each time.

use super::decide::Draft;
use super::effect::Effect;
use super::event::Event;
use super::incident::{Incident, Phase};
use super::receipt::{Reply, Switched};
use super::{advance, approval, attempts, offspring};
use crate::model::fact::{Fact, PauseCleared, Refusal};
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::Reason;
use std::sync::Arc;

/// How many pauses may stand at once.
const PAUSES_MAX: usize = 1000;

/// Somebody asks for a pause.
pub(super) fn pause(draft: &mut Draft<'_>, pause: Pause) {
    let replaced = draft.state.pauses().of(&pause.scope).filter(|standing| !standing.is_over(draft.now));
    let replaced = replaced.map(|standing| standing.pause.clone());
    if replaced.is_none() && PAUSES_MAX <= draft.state.pauses().count() {
        draft.decision.reply = Reply::Switched(Switched::TooMany);
        return;
    }
    let known = match &pause.scope {
        PauseScope::All | PauseScope::Target(_) => true,
        PauseScope::Host(name) => draft.ruleset.policy.host(name).is_some(),
        PauseScope::Playbook(name) => draft.ruleset.knows(name),
    };
    draft.decision.reply = Reply::Switched(Switched::Paused { pause: pause.clone(), replaced, known });
    draft.decision.facts.push(Fact::PauseSet(pause));
}

/// Somebody asks for the end of a pause. The file's own ends with the file alone.
pub(super) fn resume(draft: &mut Draft<'_>, (scope, by, reason): (PauseScope, String, String)) {
    let pauses = draft.state.pauses();
    let file = pauses.of_file().filter(|_| scope == PauseScope::All);
    let standing = pauses.of(&scope).filter(|standing| !standing.is_over(draft.now));
    let switched = match (file, standing) {
        (Some(file), _) => Switched::HeldByFile(file.pause.clone()),
        (None, None) => Switched::NotPaused(scope),
        (None, Some(standing)) => {
            let ended = standing.pause.clone();
            draft.decision.facts.push(Fact::PauseCleared(PauseCleared { scope, by, reason }));
            Switched::Resumed(ended)
        }
    };
    draft.decision.reply = Reply::Switched(switched);
}

/// The file was looked at: it is there, or not.
pub(super) fn file(draft: &mut Draft<'_>, seen: Option<Pause>) {
    let standing = draft.state.pauses().of_file().map(|standing| &standing.pause);
    match (seen, standing) {
        (Some(seen), standing) if standing != Some(&seen) => draft.decision.facts.push(Fact::PauseSet(seen)),
        (None, Some(standing)) => {
            let (scope, by) = (standing.scope.clone(), standing.by.clone());
            let reason = "the file PAUSE is gone".to_owned();
            draft.decision.facts.push(Fact::PauseCleared(PauseCleared { scope, by, reason }));
        }
        (Some(_) | None, _) => {}
    }
}

/// Before anything else is decided: what has run out is recorded as ended.
pub(super) fn run_out(draft: &mut Draft<'_>) {
    let (by, reason) = ("sickbay", "its time is over");
    let over = draft.state.pauses().over(draft.now).map(|standing| standing.pause.scope.clone());
    let ended =
        over.map(|scope| Fact::PauseCleared(PauseCleared { scope, by: by.to_owned(), reason: reason.to_owned() }));
    draft.decision.facts.extend(ended.collect::<Vec<Fact>>());
}

/// What an event may let go on, beside what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The daemon starts: a pause may have ended right before the last stop.
    Start,
    /// Time passed: a try may be due.
    Tick,
    /// Nothing but the end of a pause.
    Other,
}

impl Occasion {
    pub(super) fn of(event: &Event) -> Self {
        if matches!(event, Event::Started { .. }) {
            Self::Start
        } else if matches!(event, Event::Ticked) {
            Self::Tick
        } else {
            Self::Other
        }
    }
}

/// What somebody ended in this decision. What it held back may go on.
struct Ended {
    /// The daemon starts: any of it may have ended right before the last stop.
    starting: bool,
    /// A pause.
    pause: bool,
    /// The breakers of these targets.
    breakers: Vec<Arc<str>>,
}

impl Ended {
    /// Whether it may have been what this refusal was for.
    fn held(&self, refusal: &Refusal) -> bool {
        if refusal.reason == Reason::BreakerOpen {
            let target = refusal.inputs.iter().find(|(name, _)| name == "target").map(|(_, target)| target.as_str());
            return self.starting || self.breakers.iter().any(|reset| Some(&**reset) == target);
        }
        refusal.reason == Reason::Paused && (self.starting || self.pause)
    }
}

/// After everything else is decided: what waits is asked about again. If a pause ended or a breaker was reset, whatever it
/// held back; when time passes, the tries whose time has come.
pub(super) fn ask_again(draft: &mut Draft<'_>, occasion: Occasion) {
    let mut pauses = draft.state.pauses().clone();
    let mut ended = Ended { starting: occasion == Occasion::Start, pause: false, breakers: Vec::new() };
    for fact in &draft.decision.facts {
        if let Fact::PauseCleared(cleared) = fact {
            pauses.clear(&cleared.scope, &cleared.by);
            ended.pause = true;
        } else if let Fact::PauseSet(pause) = fact {
            pauses.set(pause, *draft.now);
        } else if let Fact::BreakerReset(reset) = fact {
            ended.breakers.push(Arc::clone(&reset.target));
        }
    }
    // While everything stands still, nobody needs to be asked.
    let stands_still = pauses.iter().any(|standing| standing.pause.scope == PauseScope::All);
    let anything = !stands_still && (ended.starting || ended.pause || !ended.breakers.is_empty());
    let ticked = occasion != Occasion::Other;
    if !anything && !ticked {
        return;
    }
    let question = |incident: &Incident| {
        let next = if anything { held_back(draft, incident, &ended) } else { None };
        let due = || {
            let tried = attempts::question(draft, incident).or_else(|| approval::question(draft, incident));
            tried.or_else(|| offspring::question(draft, incident))
        };
        next.or_else(|| due().filter(|_| ticked))
    };
    let waits = |incident: &&Incident| !is_asked_about(draft, incident);
    let asked: Vec<Effect> = draft.state.incidents().filter(waits).filter_map(question).collect();
    draft.decision.effects.extend(asked);
}

/// Whether the question about an incident is on its way already.
fn is_asked_about(draft: &Draft<'_>, incident: &Incident) -> bool {
    draft.decision.effects.iter().any(|effect| match effect {
        Effect::ResolveTarget { incident: asked, .. }
        | Effect::AskStep { incident: asked, .. }
        | Effect::SkipTarget { incident: asked } => *asked == incident.id,
        Effect::Capture { .. }
        | Effect::RunAction(_)
        | Effect::Reconcile(_)
        | Effect::Verify { .. }
        | Effect::VerifyService { .. }
        | Effect::Sleep { .. }
        | Effect::AwaitAlert { .. }
        | Effect::SendRequest(_)
        | Effect::SendNotice { .. } => false,
    })
}

/// The question that an incident held back by what has ended goes on with.
fn held_back(draft: &Draft<'_>, incident: &Incident, ended: &Ended) -> Option<Effect> {
    let held_back = match &incident.phase {
        Phase::AwaitingTarget | Phase::AwaitingApproval | Phase::BetweenTries => false,
        Phase::Refused { refusal, .. } => ended.held(refusal) && !incident.is_called_off(),
        Phase::Running(run) => run.held.as_ref().is_some_and(|refusal| ended.held(refusal)),
    };
    let playbook = advance::playbook_of(incident, draft.ruleset).filter(|_| held_back)?;
    match incident.run() {
        Some(run) => advance::ask_next(incident, run, playbook),
        None => advance::ask_target(incident, playbook).ok(),
    }
}
