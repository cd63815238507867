//! What becomes of each effect: an event, later, by way of a Docker that may be slow, away, or wrong.
//!
//! Whether a container recovered and what became of an action is judged by `model::recovery` and `model::reconcile`, as
//! in the daemon.

use super::clock::SimTime;
use super::docker::{Call, CallVerb, Caller, Phase, Reply};
use super::input::Fate;
use super::services::ServiceCall;
use super::world::{Pending, SentNotice, World, Write};
use crate::engine::effect::{Effect, PermittedAction, TimeLeft};
use crate::engine::event::Event;
use crate::model::action::{Action, ActionOutcome, ServiceAction, TargetVitals};
use crate::model::container::{Container, TargetReport};
use crate::model::convergence::{ServiceSight, ServiceWatch};
use crate::model::fact::{AlertReceived, StepResult};
use crate::model::host::Host;
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::reconcile::{Inquiry, Look, after_refusal};
use crate::model::recovery::{Sight, Vigil};
use crate::model::service::{Service, ServiceVitals};
use crate::model::target::{ContainerId, TargetId, TargetQuery};
use crate::model::testimony::{ASK_EVERY, Heard};
use std::sync::Arc;
use std::time::Duration;

/// How long half a question takes: to the engine, or back.
const HALF_WAY: Duration = Duration::from_millis(1);

/// How long Docker is given to answer a question.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// How long evidence takes.
const CAPTURE_TAKES: Duration = Duration::from_millis(50);

/// How long a message takes.
const NOTICE_TAKES: Duration = Duration::from_millis(20);

/// When a cut connection is noticed.
const CUT_AFTER: Duration = Duration::from_secs(1);

/// Why a look showed nothing.
const AWAY: &str = "docker cannot be reached";

/// Why a look will never show anything.
const BLOCKED: &str = "blocked by the socket proxy";

/// A question on its way to Docker.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    incident: IncidentId,
    /// The target, and on which host; `None` if nothing needs to be known of it.
    query: Option<(Host, TargetQuery)>,
    /// The step that the question is about, if it is not about an act.
    step: Option<usize>,
    /// What Alertmanager said before.
    heard: Heard,
    /// Whether to look as well how much memory it uses.
    memory: bool,
}

/// A question that Alertmanager has had for so long, and what comes next.
#[derive(Clone, Debug)]
pub(super) struct Inquiring {
    alert: Arc<AlertReceived>,
    took: Duration,
    then: AfterInquiry,
}

/// What an answer of Alertmanager's is for.
#[derive(Clone, Debug)]
enum AfterInquiry {
    /// Docker is asked next.
    Ask(Asking),
    /// A verify step waits for it.
    Tell(IncidentId, usize),
}

/// A verify step.
#[derive(Clone, Debug)]
pub(super) struct Watching {
    incident: IncidentId,
    index: usize,
    vigil: Vigil,
    /// When the step began, by the watch's own clock.
    began: SimTime,
    already: Duration,
}

/// A verify step about a service.
#[derive(Clone, Debug)]
pub(super) struct WatchingService {
    incident: IncidentId,
    index: usize,
    watch: ServiceWatch,
    /// When the step began, by the watch's own clock.
    began: SimTime,
    already: Duration,
}

/// The looking for an action's outcome.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    inquiry: Inquiry,
    /// When the first look was made.
    began: SimTime,
}

impl World {
    /// Begins an effect. `waited` is how long its records took to become durable.
    pub(super) fn begin(&mut self, effect: Effect, waited: Duration) {
        let incident = effect.incident();
        let now = self.clock.now();
        let Some(daemon) = &mut self.daemon else { return };
        *daemon.under_way.entry(incident).or_default() += 1;
        match effect {
            Effect::ResolveTarget { incident, query, alert, host, memory, evidence: _ } => {
                let query = Some((host, query));
                self.resolve(Asking { incident, query, step: None, heard: Heard::NotPut, memory }, alert);
            }
            Effect::AskStep { incident, index, target, alert, host } => {
                let (query, step) = (target.map(|target| (host, target)), Some(index));
                self.resolve(Asking { incident, query, step, heard: Heard::NotPut, memory: false }, alert);
            }
            Effect::SkipTarget { incident } => {
                self.ends_at_once(incident, Event::TargetSkipped { incident });
            }
            Effect::Capture { incident, index, target: _, spec: _, within } => self.capture((incident, index), within),
            Effect::RunAction(permit) => match permit.redeem_after(waited) {
                Ok(permitted) => self.send(permitted),
                Err(late) => self.ends_at_once(incident, late.into()),
            },
            Effect::Reconcile(reconciliation) => {
                let settle = reconciliation.settle;
                let looking = Looking { inquiry: Inquiry::new(reconciliation), began: now.after(settle) };
                self.later(settle, Pending::Looked(Box::new(looking)));
            }
            Effect::Verify { incident, index, watched, spec, http, already } => match Vigil::new(&watched, &spec, http)
            {
                Ok(vigil) => {
                    let watching = Watching { incident, index, vigil, began: now, already };
                    self.later(HALF_WAY, Pending::Watched(Box::new(watching)));
                }
                Err(result) => {
                    self.ends_at_once(incident, Event::StepEnded { incident, index, elapsed: already, result });
                }
            },
            Effect::VerifyService { incident, index, watched, spec, already } => {
                let watch = ServiceWatch::new(&watched, &spec);
                let watching = WatchingService { incident, index, watch, began: now, already };
                self.later(HALF_WAY, Pending::WatchedService(Box::new(watching)));
            }
            Effect::Sleep { incident, index, remaining } => {
                let event = Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited };
                self.later(remaining, Pending::Returned(incident, event));
            }
            Effect::AwaitAlert { incident, index, alert, remaining } => {
                self.wait_for_alert((incident, index), alert, remaining);
            }
            Effect::SendRequest(permit) => self.request(permit, waited),
            Effect::SendNotice { notice, repeat: _, asks: _, within } => self.tell_people(&notice, within),
        }
    }

    fn capture(&mut self, (incident, index): (IncidentId, usize), within: Option<TimeLeft>) {
        let late = within.filter(|within| within.left < CAPTURE_TAKES);
        let elapsed = late.map_or(CAPTURE_TAKES, |late| late.left);
        let result = late.map_or_else(
            || StepResult::Captured(serde_json::Value::Object(serde_json::Map::new())),
            |late| StepResult::Failed(late.words()),
        );
        let event = Event::StepEnded { incident, index, elapsed, result };
        self.later(elapsed, Pending::Returned(incident, event));
    }

    fn tell_people(&mut self, notice: &Notice, within: Option<TimeLeft>) {
        let (act, durable, now) = (notice.act, self.disk.durable(), self.clock.now());
        self.seen.notices.push(SentNotice { act, durable });
        let late = within.filter(|within| within.left < NOTICE_TAKES);
        let outcome = if let Some(late) = late {
            NoticeOutcome::Failed { error: late.words() }
        } else if now < self.weather.notices_lost {
            NoticeOutcome::Failed { error: "connection refused".to_owned() }
        } else {
            NoticeOutcome::Delivered
        };
        let event = Event::NoticeReturned { act, outcome };
        self.later(late.map_or(NOTICE_TAKES, |late| late.left), Pending::Returned(act.incident, event));
    }

    fn resolve(&mut self, asking: Asking, alert: Option<Arc<AlertReceived>>) {
        let now = self.clock.now();
        match (alert, &self.api) {
            (Some(alert), Some(api)) => {
                let (took, then) = (api.takes(now), AfterInquiry::Ask(asking));
                self.later(took, Pending::Inquired(Box::new(Inquiring { alert, took, then })));
            }
            (Some(_), None) => self.ask_docker(Asking { heard: Heard::Nobody, ..asking }),
            (None, _) => self.ask_docker(asking),
        }
    }

    fn wait_for_alert(
        &mut self,
        (incident, index): (IncidentId, usize),
        alert: Arc<AlertReceived>,
        remaining: Duration,
    ) {
        let now = self.clock.now();
        let Some(api) = &self.api else {
            let event = Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited };
            return self.later(remaining, Pending::Returned(incident, event));
        };
        let pause = remaining.min(ASK_EVERY);
        let (took, then) = (api.takes(now.after(pause)), AfterInquiry::Tell(incident, index));
        self.later(pause + took, Pending::Inquired(Box::new(Inquiring { alert, took, then })));
    }

    /// An effect that needs nothing outside gives its event at once.
    pub(super) fn ends_at_once(&mut self, incident: IncidentId, event: Event) {
        let Some(daemon) = &mut self.daemon else { return };
        if let Some(left) = daemon.under_way.get_mut(&incident) {
            *left -= 1;
            if *left == 0 {
                daemon.under_way.remove(&incident);
            }
        }
        daemon.due.push_back(event);
    }

    /// How much longer a look takes now.
    fn lateness(&self) -> Duration {
        let (until, by) = self.weather.docker_slow;
        if self.clock.now() < until { by.min(READ_WITHIN) } else { Duration::ZERO }
    }

    fn ask_docker(&mut self, asking: Asking) {
        let late = self.lateness();
        self.later(HALF_WAY + late, Pending::Asked(asking));
    }

    /// Alertmanager has answered, or its time is over.
    pub(super) fn inquire(&mut self, inquiring: Inquiring) {
        let Inquiring { alert, took, then } = inquiring;
        let now = self.clock.now();
        let Some(api) = &self.api else { return };
        let testimony = api.answer(&alert, (now, took));
        match then {
            AfterInquiry::Ask(asking) => self.ask_docker(Asking { heard: Heard::Said(testimony), ..asking }),
            AfterInquiry::Tell(incident, index) => {
                self.returned(incident, Event::AlertWitnessed { incident, index, testimony });
            }
        }
    }

    pub(super) fn ask(&mut self, asking: Asking) {
        let Asking { incident, query, step, heard, memory } = asking;
        let Some((host, query)) = query else {
            // Nobody else needs to be asked.
            let event = Event::StepAsked { incident, index: step.unwrap_or_default(), report: None, heard };
            return self.later(Duration::ZERO, Pending::Returned(incident, event));
        };
        let now = self.clock.now();
        let (until, by) = self.weather.docker_slow;
        let mut report = if now < self.weather.docker_away || (now < until && READ_WITHIN <= by) {
            TargetReport::Unavailable(AWAY.to_owned())
        } else if now < self.weather.docker_blocked {
            TargetReport::Denied("GET /containers".to_owned())
        } else {
            self.docker.resolve((&host, &query), self.clock.wall())
        };
        if memory {
            self.docker.look_at_memory(&mut report);
        }
        let late = self.lateness();
        let event = match step {
            Some(index) => Event::StepAsked { incident, index, report: Some(report), heard },
            None => Event::TargetResolved { incident, report, heard },
        };
        self.later(HALF_WAY + late, Pending::Returned(incident, event));
    }

    /// Whether Docker would answer a look.
    fn reach(&self) -> Result<(), Unseen> {
        let now = self.clock.now();
        if now < self.weather.docker_away {
            return Err(Unseen::Away);
        }
        if now < self.weather.docker_blocked { Err(Unseen::Blocked) } else { Ok(()) }
    }

    /// A container as a look shows it now, or why it shows nothing.
    fn inspect(&self, id: &ContainerId) -> Result<Option<&Container>, Unseen> {
        self.reach()?;
        Ok(self.docker.inspect(id).map(super::container::SimContainer::shown))
    }

    pub(super) fn watch(&mut self, mut watching: Box<Watching>) {
        let elapsed = watching.already + self.clock.now().since(watching.began);
        let (incident, index) = (watching.incident, watching.index);
        let mut ended = None;
        for id in watching.vigil.ids() {
            let sight = match self.inspect(&id) {
                Ok(Some(container)) => Sight::Seen(container, None),
                Ok(None) => Sight::Gone,
                Err(Unseen::Away) => Sight::Unseen(AWAY),
                Err(Unseen::Blocked) => Sight::Hidden(BLOCKED),
            };
            ended = ended.or(watching.vigil.look(&id, sight, elapsed));
        }
        if let Some(url) = watching.vigil.url() {
            let answer = self.probe(url);
            watching.vigil.hear(answer.as_deref().map_err(String::as_str), elapsed);
        }
        let result = match ended {
            Some(result) => result,
            None => match watching.vigil.end_round(elapsed) {
                Ok(result) => result,
                Err(pause) => return self.later(pause, Pending::Watched(watching)),
            },
        };
        self.returned(incident, Event::StepEnded { incident, index, elapsed, result });
    }

    pub(super) fn look(&mut self, mut looking: Box<Looking>) {
        let elapsed = self.clock.now().since(looking.began);
        let (act, id) = {
            let reconciliation = looking.inquiry.reconciliation();
            (reconciliation.act, reconciliation.target.id.clone())
        };
        let seen = self.inspect_target(&id);
        let found = looking.inquiry.look(seen.look(), elapsed);
        match found {
            Ok((finding, post, detail)) => {
                self.returned(act.incident, Event::ActionObserved { act, finding, post, detail });
            }
            Err(pause) => self.later(pause, Pending::Looked(looking)),
        }
    }

    /// A verify step looks at its service.
    pub(super) fn watch_service(&mut self, mut watching: Box<WatchingService>) {
        let elapsed = watching.already + self.clock.now().since(watching.began);
        let (incident, index) = (watching.incident, watching.index);
        let seen = self.inspect_target(&watching.watch.watched().target.id);
        let sight = match &seen {
            Inspected::Service(service) => ServiceSight::Seen(service),
            Inspected::Container(_) | Inspected::Gone => ServiceSight::Gone,
            Inspected::Unseen(Unseen::Away) => ServiceSight::Unseen(AWAY),
            Inspected::Unseen(Unseen::Blocked) => ServiceSight::Hidden(BLOCKED),
        };
        match watching.watch.step(sight, elapsed) {
            Ok(result) => self.returned(incident, Event::StepEnded { incident, index, elapsed, result }),
            Err(pause) => self.later(pause, Pending::WatchedService(watching)),
        }
    }

    fn inspect_target(&self, id: &TargetId) -> Inspected {
        let seen = match id {
            TargetId::Container(id) => self.inspect(id).map(|seen| seen.map(|one| Inspected::Container(one.clone()))),
            TargetId::Swarm(_) | TargetId::Compose(_) => {
                self.reach().map(|()| self.docker.inspect_service(id, self.clock.wall()).map(Inspected::Service))
            }
        };
        seen.map_or_else(Inspected::Unseen, |seen| seen.unwrap_or(Inspected::Gone))
    }

    /// The target as it is, if anybody could see it.
    fn vitals(&self, id: &TargetId) -> Option<TargetVitals> {
        match id {
            TargetId::Container(id) => self.docker.inspect(id).map(|container| TargetVitals::from(container.shown())),
            TargetId::Swarm(_) | TargetId::Compose(_) => {
                self.docker.inspect_service(id, self.clock.wall()).as_ref().map(TargetVitals::from)
            }
        }
    }

    /// What is read right before a service is changed: its index, if it still is as it was when that was decided.
    fn reread(&self, id: &TargetId, pre: &TargetVitals) -> Result<u64, String> {
        let now = self.docker.inspect_service(id, self.clock.wall()).as_ref().map(ServiceVitals::from);
        let (Some(now), Some(pre)) = (now, pre.service()) else { return Err("no such service".to_owned()) };
        let same = (now.wanted, &now.template, now.force_update) == (pre.wanted, &pre.template, pre.force_update);
        if same { Ok(now.version) } else { Err("not sent: somebody else has changed the service meanwhile".to_owned()) }
    }

    /// Sends a call that changes something, once.
    fn send(&mut self, permitted: PermittedAction) {
        let now = self.clock.now();
        let PermittedAction { act, action, target, deadline, pre } = permitted;
        let fate = if now < self.weather.docker_away {
            Fate::NotSent
        } else if now < self.weather.docker_blocked {
            Fate::Blocked
        } else {
            self.weather.fates.pop_front().unwrap_or(Fate::Prompt)
        };
        self.tell(|| format!("{act} is sent: {} {}; {fate:?}", action.op(), target.name));
        let place = self.seen.writes.len();
        let durable = self.disk.durable();
        let post = self.vitals(&target.id);
        let call = match (&target.id, &action) {
            (TargetId::Swarm(_) | TargetId::Compose(_), Action::Service(change)) => match self.reread(&target.id, &pre)
            {
                Ok(version) => Ok(service_call(&target.id, change, version, place)),
                Err(error) => Err(error),
            },
            (TargetId::Container(id), action) => verb_of(action)
                .map(|verb| Pending::Call(Call { id: id.clone(), verb, by: Caller::Daemon(place) }, Phase::Arrived))
                .ok_or_else(|| "not sent: not for a container".to_owned()),
            (TargetId::Swarm(_) | TargetId::Compose(_), _) => Err("not sent: not for a service".to_owned()),
        };
        let id = target.id.clone();
        self.seen.writes.push(Write { act, target, action: action.clone(), sent: now, durable, fate, done: None });
        if let Some(daemon) = &mut self.daemon {
            daemon.calls.insert(act);
        }
        let refused = |error: &str| ActionOutcome::Failed { error: error.to_owned() };
        let cut = || ActionOutcome::Unknown { error: "the connection was cut".to_owned() };
        let call = match call {
            Ok(call) => call,
            Err(error) => return self.later(HALF_WAY, Pending::CallEnds(act, refused(&error))),
        };
        let (arrives, ends) = match fate {
            Fate::Prompt | Fate::DoneAndCalledFailed | Fate::Hangs => (Some(HALF_WAY), None),
            Fate::Late(by) => (Some(by), None),
            Fate::NotSent => (None, Some((HALF_WAY, refused(AWAY)))),
            Fate::Blocked => (None, Some((HALF_WAY, refused(BLOCKED)))),
            Fate::LostOnTheWay => (None, Some((CUT_AFTER, cut()))),
            Fate::Stray(by) => (Some(by), Some((CUT_AFTER, cut()))),
            Fate::AnswerLost => (Some(HALF_WAY), Some((CUT_AFTER, cut()))),
            Fate::Lies => (None, Some((CUT_AFTER, ActionOutcome::Succeeded { post }))),
            Fate::Fails => (None, Some((HALF_WAY, self.refusal(&id, (&pre, &action))))),
        };
        if let Some(after) = arrives {
            self.later(after, call);
        }
        if let Some((after, outcome)) = ends {
            self.later(after, Pending::CallEnds(act, outcome));
        }
        let late = ActionOutcome::Unknown { error: "docker did not answer in time".to_owned() };
        self.later(deadline, Pending::CallEnds(act, late));
    }

    /// Docker is through with a call: what the daemon hears of it.
    pub(super) fn answer(&mut self, write: &Write, reply: &Reply) {
        let pre = self.intended_pre(write.act);
        let outcome = match (write.fate, reply) {
            (Fate::AnswerLost | Fate::Hangs | Fate::Stray(_), _) => return,
            (Fate::DoneAndCalledFailed, _) => pre.map(|pre| self.refusal(&write.target.id, (&pre, &write.action))),
            (_, Reply::Done | Reply::Unchanged) => {
                let post = self.vitals(&write.target.id);
                Some(ActionOutcome::Succeeded { post })
            }
            (_, Reply::NotFound | Reply::Conflict(_) | Reply::Failed(_)) => {
                pre.map(|pre| self.refusal(&write.target.id, (&pre, &write.action)))
            }
        };
        if let Some(outcome) = outcome {
            self.later(HALF_WAY, Pending::CallEnds(write.act, outcome));
        }
    }

    /// The container as it was when an act was decided.
    fn intended_pre(&self, act: ActId) -> Option<TargetVitals> {
        self.disk.records().iter().rev().find_map(|record| {
            let crate::model::fact::Fact::ActionIntended(intended) = &record.fact else { return None };
            (intended.act == act).then(|| intended.pre.clone())
        })
    }

    /// What Docker's no means, after looking.
    fn refusal(&self, id: &TargetId, intended: (&TargetVitals, &Action)) -> ActionOutcome {
        after_refusal("docker failed (http 500)", intended, self.inspect_target(id).look())
    }

    /// The first end of a call counts; a deadline after the answer is none.
    pub(super) fn call_ended(&mut self, act: ActId, outcome: ActionOutcome) {
        if self.daemon.as_mut().is_some_and(|daemon| daemon.calls.remove(&act)) {
            self.returned(act.incident, Event::ActionReturned { act, outcome });
        }
    }
}

/// Why a look showed nothing.
#[derive(Clone, Copy, Debug)]
enum Unseen {
    Away,
    Blocked,
}

/// What a look at a target showed.
enum Inspected {
    Container(Container),
    Service(Service),
    Gone,
    Unseen(Unseen),
}

impl Inspected {
    fn look(&self) -> Look<'_> {
        match self {
            Self::Container(container) => Look::Found(container),
            Self::Service(service) => Look::FoundService(service),
            Self::Gone => Look::Gone,
            Self::Unseen(Unseen::Away) => Look::Unseen(AWAY),
            Self::Unseen(Unseen::Blocked) => Look::Hidden(BLOCKED),
        }
    }
}

fn service_call(id: &TargetId, action: &ServiceAction, version: u64, place: usize) -> Pending {
    let (id, action) = (id.clone(), action.clone());
    Pending::ServiceCall(ServiceCall { id, action, version, by: Caller::Daemon(place) })
}

fn verb_of(action: &Action) -> Option<CallVerb> {
    Some(match action {
        Action::Restart { stop_timeout } => CallVerb::Restart(*stop_timeout),
        Action::Start => CallVerb::Start,
        Action::Stop { stop_timeout } => CallVerb::Stop(*stop_timeout),
        Action::UpdateLimits(change) => CallVerb::UpdateLimits(*change),
        Action::Service(_) => return None,
    })
}
