//! A world that answers by itself: whatever the engine asks for is done, and goes as a table says.

use super::world::*;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::incident::Phase;
use crate::model::action::{ActionOutcome, Reconciled};
use crate::model::container::TargetReport;
use crate::model::fact::{Answer, Fact, StepResult};
use crate::model::incident::AttemptNumber;
use crate::model::notice::NoticeOutcome;
use crate::model::request::{Request, RequestOutcome};
use crate::model::testimony::Heard;
use crate::playbook::definition::{Attempt, Attempts, CaptureSpec, Playbook, RestartSpec, StopSpec, Verb, VerifyStep};
use serde_json::Value;
use std::time::Duration;

pub(super) const COOLDOWN_S: u64 = 300;

fn acting(verbs: Vec<Verb>) -> Attempt {
    let mut steps = vec![step(Verb::Capture(CaptureSpec::default()))];
    steps.extend(verbs.into_iter().map(step));
    steps.push(step(Verb::Verify(VerifyStep::default())));
    Attempt { name: None, steps }
}

/// A restart, then a stop and a start; five minutes apart. On failure a message.
pub(super) fn ladder() -> Playbook {
    let mut playbook = restarting();
    let restart = Verb::Restart(RestartSpec { stop_timeout: None, start_if_stopped: true });
    let stop = Verb::Stop(StopSpec { stop_timeout: None });
    playbook.attempts = Attempts { first: acting(vec![restart]), more: vec![acting(vec![stop, Verb::Start])] };
    playbook.limits.cooldown = Duration::from_secs(COOLDOWN_S);
    playbook
}

/// Answers whatever is asked and done, and how it goes: `verify` answers for each try.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) verify: fn(u32) -> StepResult,
    pub(super) web: TargetReport,
    /// What a closer look at the target finds, where one is taken.
    pub(super) evidence: Option<Value>,
    /// Messages that were sent, by their titles.
    pub(super) told: Vec<String>,
    pub(super) actions: Vec<&'static str>,
    /// Requests that were sent, and how they are answered.
    pub(super) sent: Vec<Request>,
    pub(super) answer: fn(&Request) -> RequestOutcome,
}

fn fine(_: &Request) -> RequestOutcome {
    RequestOutcome::Answered { status: 200, expected: true, detail: "ok".into() }
}

fn sick(_: u32) -> StepResult {
    StepResult::NotVerified("still sick".into())
}

impl Stage {
    pub(super) fn new(playbook: Playbook) -> Self {
        let world = World::new(vec![playbook]);
        Self {
            world,
            verify: sick,
            web: found(container("web")),
            evidence: None,
            told: Vec::new(),
            actions: Vec::new(),
            sent: Vec::new(),
            answer: fine,
        }
    }

    /// The first try has ended in vain.
    pub(super) fn between(playbook: Playbook) -> Self {
        let mut stage = Self::new(playbook);
        stage.world.fire(firing(stage.world.now_s));
        stage.rest();
        assert_eq!(stage.count("attempt.ended"), 1, "{:?}", stage.world.kinds(0));
        stage
    }

    /// Carries out effects until there are none.
    pub(super) fn rest(&mut self) {
        while let Some(effect) = self.world.effects.pop() {
            let others = std::mem::take(&mut self.world.effects);
            self.carry_out(effect);
            self.world.effects.extend(others);
        }
    }

    /// The same, but what would act or send something is left on its way.
    pub(super) fn rest_but_acts(&mut self) {
        self.rest_but(|effect| matches!(effect, Effect::RunAction(_) | Effect::SendRequest(_)));
    }

    /// The same, but these are left on their way.
    pub(super) fn rest_but(&mut self, left: fn(&Effect) -> bool) {
        while let Some(place) = self.world.effects.iter().position(|effect| !left(effect)) {
            let effect = self.world.effects.remove(place);
            let others = std::mem::take(&mut self.world.effects);
            self.carry_out(effect);
            self.world.effects.extend(others);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let world = &mut self.world;
        match effect {
            Effect::ResolveTarget { incident, closer, .. } => {
                let looks = self.web.target().is_some_and(|target| closer.at(&target.id));
                world.docker_looked(incident, self.web.clone(), self.evidence.clone().filter(|_| looks));
            }
            Effect::AskStep { incident, index, target, alert, host: _ } => {
                let report = target.map(|_| self.web.clone());
                let heard = if alert.is_some() { Heard::Nobody } else { Heard::NotPut };
                world.feed(Event::StepAsked { incident, index, report, heard });
            }
            Effect::SendRequest(permit) => {
                let (act, request, _) = permit.redeem_after(Duration::ZERO).expect("it is in time");
                let outcome = (self.answer)(&request);
                self.sent.push(request);
                world.feed(Event::RequestReturned { act, outcome });
            }
            Effect::SkipTarget { incident } => drop(world.feed(Event::TargetSkipped { incident })),
            Effect::Capture { incident, index, .. } => {
                world.step(incident, index, StepResult::Captured(serde_json::json!({})));
            }
            Effect::RunAction(permit) => {
                let permitted = permit.redeem();
                self.actions.push(permitted.action.word());
                let outcome = ActionOutcome::Succeeded { post: None };
                world.feed(Event::ActionReturned { act: permitted.act, outcome });
            }
            Effect::Reconcile(looking) => {
                let (act, finding) = (looking.act, Reconciled::Observed);
                world.feed(Event::ActionObserved { act, finding, post: None, detail: "seen".into() });
            }
            Effect::Verify { incident, index, .. } | Effect::VerifyService { incident, index, .. } => {
                let attempt = world.state.incident(incident).map_or(1, |incident| incident.attempt());
                world.step(incident, index, (self.verify)(attempt));
            }
            Effect::Sleep { incident, index, .. } | Effect::AwaitAlert { incident, index, .. } => {
                world.step(incident, index, StepResult::Waited);
            }
            Effect::SendNotice { notice, .. } => {
                self.told.push(notice.title);
                world.feed(Event::NoticeReturned { act: notice.act, outcome: NoticeOutcome::Delivered });
            }
        }
    }

    /// Lets so much time pass, and then a tick.
    pub(super) fn later(&mut self, seconds: u64) {
        self.world.now_s += seconds;
        self.world.feed(Event::Ticked);
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        self.world.log.iter().filter(|record| record.fact.kind() == kind).count()
    }

    pub(super) fn phase(&self) -> Option<&Phase> {
        self.world.state.incident(first()).map(|incident| &incident.phase)
    }

    pub(super) fn detail(&self) -> Option<String> {
        self.world.log.iter().rev().find_map(|record| match &record.fact {
            Fact::IncidentClosed(closed) => Some(closed.detail.clone()),
            _ => None,
        })
    }

    pub(super) fn runs(&self) -> Vec<AttemptNumber> {
        let run = |fact: &Fact| match fact {
            Fact::Decided(decided) => match &decided.answer {
                Answer::Run { attempt, .. } => Some(*attempt),
                Answer::Refused(_) => None,
            },
            _ => None,
        };
        self.world.log.iter().filter_map(|record| run(&record.fact)).collect()
    }
}
