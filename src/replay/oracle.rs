//! Answers to what the engine asks where the replay goes its own way: what the log knows of the same target, and where it
//! knows nothing, an assumption.
//!
//! Nothing here is the truth about what would have been. Whoever gets an answer from here marks the decision as assumed.

use super::history::Assume;
use super::services;
use crate::engine::effect::{Effect, Reconciliation, RequestPermit};
use crate::engine::event::Event;
use crate::model::action::{Action, ActionOutcome, Goal, Reconciled, TargetIdent, TargetVitals};
use crate::model::container::{
    COMPOSE_PROJECT, COMPOSE_SERVICE, Container, ContainerState, EventHistory, Health, HealthCheck, MemoryInUse,
    StopCause, TargetReport, TargetView,
};
use crate::model::convergence::SERVICE_WITHIN;
use crate::model::fact::{ActionIntended, Fact, Record, StepResult};
use crate::model::moment::Moment;
use crate::model::notice::NoticeOutcome;
use crate::model::request::RequestOutcome;
use crate::model::service::{Service, ServiceId};
use crate::model::step::{VerifySpec, Watched};
use crate::model::target::{ContainerId, ContainerName, Selector, TargetId, TargetQuery};
use crate::model::testimony::Heard;
use crate::playbook::definition::Playbook;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long Docker takes for an answer.
const LOOK_TAKES: Duration = Duration::from_millis(50);

/// How long evidence, a message or a change takes.
const STEP_TAKES: Duration = Duration::from_secs(1);

/// After a recovery an alert ends about this much later.
const ALERT_ENDS_AFTER: Duration = Duration::from_secs(60);

/// How long an assumed container has been what it is.
const SETTLED_FOR: TimeDelta = TimeDelta::days(1);

/// Where a playbook wants healthy others of the service, so many are assumed.
const OTHERS: usize = 99;

/// What the log knows of targets, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Looks {
    by_question: HashMap<String, Vec<Look>>,
}

/// What Docker showed, and when.
type Look = (DateTime<Utc>, Arc<TargetReport>);

impl Looks {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut looks = Self::default();
        for record in records {
            let (look, missing) = if let Fact::Decided(decided) = &record.fact {
                (decided.look.as_ref(), super::cause::asked_for(decided))
            } else if let Fact::ActionIntended(intended) = &record.fact {
                (intended.look.as_ref().filter(|_| !intended.dependent), None)
            } else if let Fact::ApprovalRequested(asked) = &record.fact {
                (asked.look.as_ref(), None)
            } else {
                (None, None)
            };
            let Some(look) = look else { continue };
            let questions = match &**look {
                TargetReport::Found(view) | TargetReport::Several { first: view, .. } => questions_for(&view.container),
                TargetReport::FoundService(service) => vec![question_for(service)],
                TargetReport::Missing | TargetReport::Ambiguous(_) => missing.into_iter().collect(),
                // Tells of Docker, not of the target.
                TargetReport::Unavailable(_) | TargetReport::Denied(_) | TargetReport::NoManager(_) => Vec::new(),
            };
            for question in questions {
                looks.by_question.entry(question).or_default().push((record.at.wall, Arc::clone(look)));
            }
        }
        looks
    }

    /// The look at the same target whose time is nearest.
    fn nearest(&self, question: &str, at: DateTime<Utc>) -> Option<(DateTime<Utc>, &TargetReport)> {
        let known = self.by_question.get(question)?;
        let nearest = known.iter().min_by_key(|(seen, _)| (*seen - at).abs())?;
        Some((nearest.0, &nearest.1))
    }
}

/// Whether what the log tells of a target answers what the engine asked: other rules may mean another one.
pub(super) fn answers(asked: Option<&Effect>, told: &Event) -> bool {
    let (Some(Effect::ResolveTarget { query, .. }), Event::TargetResolved { report, .. }) = (asked, told) else {
        return true;
    };
    let (TargetReport::Found(view) | TargetReport::Several { first: view, .. }) = report else { return true };
    may_mean(query, &view.container)
}

/// Whether the engine may ask about this container by this question.
fn may_mean(query: &TargetQuery, container: &Container) -> bool {
    let by_name = matches!(query, TargetQuery::Name(_) | TargetQuery::Compose { .. });
    !by_name || questions_for(container).contains(&query.to_string())
}

fn questions_for(container: &Container) -> Vec<String> {
    let mut questions = vec![TargetQuery::Name(container.name.clone()).to_string()];
    if let Some((project, service)) = container.compose() {
        let (project, service) = (project.to_owned(), service.to_owned());
        questions.push(TargetQuery::Compose { project, service }.to_string());
    }
    questions
}

fn question_for(service: &Service) -> String {
    match &service.id {
        ServiceId::Swarm(_, name) => TargetQuery::Service(name.clone()).to_string(),
        ServiceId::Compose(service) => TargetQuery::ComposeService(service.clone()).to_string(),
    }
}

/// What one incident has seen and done to its target since it goes its own way.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    seen: Option<Box<TargetView>>,
    service: Option<Box<Service>>,
}

/// Whom the engine asks.
#[derive(Debug)]
pub(super) struct Oracle {
    pub(super) looks: Looks,
    pub(super) assume: Assume,
}

impl Oracle {
    /// The answer to an effect, and how long it takes to come.
    pub(super) fn answer(
        &self,
        effect: Effect,
        (memory, playbook): (&mut Memory, Option<&Playbook>),
        now: &Moment,
    ) -> (Duration, Event) {
        let recovers = self.assume == Assume::Recovers;
        match effect {
            Effect::ResolveTarget { incident, query, alert, host: _, memory: asks, evidence: _ } => {
                let mut report = self.look((&query, playbook), memory, now);
                if asks {
                    assume_room(&mut report);
                }
                let heard = if alert.is_some() { Heard::Nobody } else { Heard::NotPut };
                (LOOK_TAKES, Event::TargetResolved { incident, report, heard })
            }
            Effect::SkipTarget { incident } => (Duration::ZERO, Event::TargetSkipped { incident }),
            Effect::AskStep { incident, index, target, alert, host: _ } => {
                let report = target.map(|query| self.look((&query, playbook), memory, now));
                let heard = if alert.is_some() { Heard::Nobody } else { Heard::NotPut };
                (LOOK_TAKES, Event::StepAsked { incident, index, report, heard })
            }
            Effect::SendRequest(permit) => (STEP_TAKES, answered(permit)),
            Effect::Capture { incident, index, target: _, spec: _, within: _ } => {
                let result = StepResult::Captured(serde_json::json!({}));
                (STEP_TAKES, Event::StepEnded { incident, index, elapsed: STEP_TAKES, result })
            }
            Effect::RunAction(permit) => {
                let permitted = permit.redeem();
                memory.acted(&permitted.action, &permitted.target, now);
                let outcome = ActionOutcome::Succeeded { post: memory.vitals() };
                (STEP_TAKES, Event::ActionReturned { act: permitted.act, outcome })
            }
            Effect::Reconcile(Reconciliation { act, settle, action, target, pre: _ }) => {
                memory.acted(&action, &target, now);
                let (finding, detail) = (Reconciled::Observed, "assumed: it was done".to_owned());
                (settle + LOOK_TAKES, Event::ActionObserved { act, finding, post: memory.vitals(), detail })
            }
            Effect::Verify { incident, index, watched, spec, http: _, already } => {
                let (takes, result) = if recovers || watched.iter().all(is_down) {
                    memory.recovered();
                    let words = "assumed: it recovered".to_owned();
                    (spec.stable_for.saturating_sub(already), StepResult::Verified(words))
                } else {
                    let within = spec.within.unwrap_or(ALERT_ENDS_AFTER);
                    let words = "assumed: nothing got better".to_owned();
                    (within.saturating_sub(already), StepResult::NotVerified(words))
                };
                (takes, Event::StepEnded { incident, index, elapsed: already + takes, result })
            }
            Effect::VerifyService { incident, index, watched: _, spec, already } => {
                let (elapsed, result) = converged(&spec, already, recovers);
                (elapsed.saturating_sub(already), Event::StepEnded { incident, index, elapsed, result })
            }
            Effect::Sleep { incident, index, remaining } => {
                (remaining, Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited })
            }
            Effect::AwaitAlert { incident, index, alert: _, remaining } => {
                let (takes, result) = alert_ended(remaining, recovers);
                (takes, Event::StepEnded { incident, index, elapsed: takes, result })
            }
            Effect::SendNotice { notice, repeat: _, asks: _, within: _ } => {
                (STEP_TAKES, Event::NoticeReturned { act: notice.act, outcome: NoticeOutcome::Delivered })
            }
        }
    }

    fn look(
        &self,
        (query, playbook): (&TargetQuery, Option<&Playbook>),
        memory: &mut Memory,
        now: &Moment,
    ) -> TargetReport {
        if let TargetQuery::Id(id) = query {
            return memory.again(id, now);
        }
        if let Some(service) = memory.service.as_deref_mut() {
            service.now = now.wall.max(service.now);
            let is_it = matches!(query, TargetQuery::ServiceId(id) if service.id.target_id() == TargetId::Swarm(id.clone()))
                || query.to_string() == question_for(service);
            return if is_it { TargetReport::FoundService(Box::new(service.clone())) } else { TargetReport::Missing };
        }
        // What was done to it since is remembered; what it was before is in the log.
        let known = self.looks.nearest(&query.to_string(), now.wall);
        let seen = memory.seen.as_ref().filter(|seen| may_mean(query, &seen.container));
        let report = match (seen, known) {
            (Some(seen), _) => TargetReport::Found(seen.clone()),
            (None, Some((seen, look))) => moved(look.clone(), seen, now.wall),
            (None, None) => match services::assumed(query, now) {
                Some(service) => TargetReport::FoundService(Box::new(service)),
                None => TargetReport::Found(Box::new(assumed(query, playbook, now))),
            },
        };
        if let TargetReport::FoundService(service) = &report {
            memory.service = Some(service.clone());
        }
        if let TargetReport::Found(view) = &report {
            memory.seen = Some(view.clone());
        }
        report
    }
}

fn answered(permit: RequestPermit) -> Event {
    let (act, request, _) = match permit.redeem_after(Duration::ZERO) {
        Ok(permitted) => permitted,
        Err(late) => return *late,
    };
    let status = request.expect.first().copied().unwrap_or(200);
    let detail = "assumed: it was answered well".to_owned();
    Event::RequestReturned { act, outcome: RequestOutcome::Answered { status, expected: true, detail } }
}

fn is_down(watched: &Watched) -> bool {
    watched.goal == Goal::Down
}

impl Memory {
    /// What the recorded way had seen last, where it parts from the replay's.
    pub(super) fn saw(&mut self, look: &TargetReport) {
        if let TargetReport::Found(view) = look {
            self.seen = Some(view.clone());
        } else if let TargetReport::FoundService(service) = look {
            self.service = Some(service.clone());
        }
    }

    fn vitals(&self) -> Option<TargetVitals> {
        let service = || self.service.as_deref().map(TargetVitals::from);
        self.seen.as_ref().map(|view| TargetVitals::from(&view.container)).or_else(service)
    }

    /// The very container of the plan, or one that depends on it.
    fn again(&mut self, id: &ContainerId, now: &Moment) -> TargetReport {
        let Some(seen) = &self.seen else { return TargetReport::Missing };
        let mut view = seen.clone();
        if view.container.id != *id {
            let Some(dependent) = view.dependents.iter().find(|dependent| dependent.id == *id).cloned() else {
                return TargetReport::Missing;
            };
            *view = TargetView { container: dependent, dependents: Vec::new(), peers: Vec::new(), ..*view };
        }
        tell_time(&mut view.history, now.wall);
        TargetReport::Found(view)
    }

    fn acted(&mut self, action: &Action, target: &TargetIdent, now: &Moment) {
        if let (Action::Service(action), Some(service)) = (action, &mut self.service) {
            return services::acted(service, action, now);
        }
        let Some(view) = &mut self.seen else { return };
        if Some(&view.container.id) != target.id.container() {
            return;
        }
        let container = &mut view.container;
        if let Action::UpdateLimits(change) = action {
            container.limits = change.to;
            return;
        }
        match action.goal() {
            Goal::Up => {
                container.state = ContainerState::Running;
                container.started_at = written(now.wall);
                container.restart_count = 0;
                view.stop_cause = StopCause::NotAsked;
            }
            Goal::Down => {
                container.state = ContainerState::Exited;
                container.finished_at = written(now.wall);
                container.exit_code = 0;
                view.stop_cause = StopCause::Stopped;
            }
        }
    }

    fn recovered(&mut self) {
        if let Some(health) = self.seen.as_mut().and_then(|view| view.container.health.as_mut()) {
            *health = Health::Healthy;
        }
    }
}

/// Of a container at which nobody looked for that, it is assumed that it uses next to no memory.
fn assume_room(report: &mut TargetReport) {
    if let TargetReport::Found(view) | TargetReport::Several { first: view, .. } = report
        && view.memory_in_use == MemoryInUse::NotAsked
    {
        view.memory_in_use = MemoryInUse::Known(0);
    }
}

/// A look at another time than its own: Docker's clock went on, and what came later has not happened yet.
fn moved(report: TargetReport, seen: DateTime<Utc>, now: DateTime<Utc>) -> TargetReport {
    if let TargetReport::FoundService(service) = report {
        return TargetReport::FoundService(Box::new(services::moved(*service, seen, now)));
    }
    let TargetReport::Found(mut view) = report else { return report };
    if let EventHistory::Known { now: docker_now, touches, .. } = &mut view.history {
        *docker_now += now - seen;
        let docker_now = *docker_now;
        touches.retain(|touch| touch.at <= docker_now);
    }
    TargetReport::Found(view)
}

fn tell_time(history: &mut EventHistory, now: DateTime<Utc>) {
    if let EventHistory::Known { now: docker_now, .. } = history {
        *docker_now = now.max(*docker_now);
    }
}

/// A container in whose way nothing stands: opted in, ill, and touched by nobody.
fn assumed(query: &TargetQuery, playbook: Option<&Playbook>, now: &Moment) -> TargetView {
    let (name, service) = match query {
        TargetQuery::Name(name) => (name.clone(), None),
        TargetQuery::Compose { project, service } => {
            let name = ContainerName::parse(&format!("{project}-{service}-1"));
            let name = name.or_else(|_| ContainerName::parse("assumed"));
            (name.unwrap_or_else(|_| unreachable_name()), Some((project.clone(), service.clone())))
        }
        TargetQuery::Selector(Selector { only: Some(name), .. }) => (name.clone(), None),
        TargetQuery::Selector(_)
        | TargetQuery::Id(_)
        | TargetQuery::Service(_)
        | TargetQuery::ServiceId(_)
        | TargetQuery::ComposeService(_) => (unreachable_name(), None),
    };
    let wants_others = playbook.is_some_and(|playbook| playbook.limits.min_healthy.is_some());
    let service = service.or_else(|| wants_others.then(|| ("assumed".to_owned(), name.to_string())));
    let mut view = view_of(Container::named(&name, &id_of(name.as_str())), now);
    if let Some((project, service)) = service {
        let labels = [(COMPOSE_PROJECT, project), (COMPOSE_SERVICE, service)];
        view.container.labels.extend(labels.map(|(label, value)| (label.to_owned(), value)));
    }
    if wants_others {
        view.peers.push(view.container.clone());
        let others = (2..OTHERS + 2).filter_map(|number| ContainerName::parse(&format!("{name}-{number}")).ok());
        view.peers.extend(others.map(|name| Container::named(&name, &id_of(name.as_str()))));
    }
    // A playbook that starts its target is for one that died.
    let first = playbook.and_then(|playbook| playbook.attempts.steps(1).iter().find_map(|step| step.verb.action()));
    if first == Some(Action::Start) {
        view.container.state = ContainerState::Exited;
        view.container.exit_code = 137;
        view.container.finished_at = written(now.wall - TimeDelta::minutes(10));
        view.stop_cause = StopCause::Died;
    }
    view
}

fn unreachable_name() -> ContainerName {
    ContainerName::parse("assumed").expect("a name of letters is a container name")
}

fn id_of(name: &str) -> ContainerId {
    ContainerId::parse(&hex::encode(Sha256::digest(name))).expect("a SHA-256 has the form of a container id")
}

/// A container of which a log tells only who it is, as good as it can be.
pub(super) fn as_recorded(target: &TargetIdent, now: &Moment) -> TargetReport {
    if let Some(service) = services::as_recorded(target, now) {
        return TargetReport::FoundService(Box::new(service));
    }
    let mut container = named(target);
    container.image_id.clone_from(&target.image_id);
    if let Some((project, service)) = target.service.as_deref().and_then(|service| service.split_once('/')) {
        let labels = [(COMPOSE_PROJECT, project), (COMPOSE_SERVICE, service)];
        container.labels.extend(labels.map(|(label, value)| (label.to_owned(), value.to_owned())));
    }
    TargetReport::Found(Box::new(view_of(container, now)))
}

/// The same right before an act.
pub(super) fn before(intended: &ActionIntended, now: &Moment) -> TargetReport {
    if let Some(service) = services::before(intended, now) {
        return TargetReport::FoundService(Box::new(service));
    }
    let report = as_recorded(&intended.target, now);
    let TargetReport::Found(mut view) = report else { return report };
    let ActionIntended { pre, dependents, .. } = intended;
    if let Some(pre) = pre.container() {
        view.container.state = ContainerState::parse(&pre.state);
        view.container.started_at.clone_from(&pre.started_at);
        view.container.restart_count = pre.restart_count;
    }
    if let Action::UpdateLimits(change) = &intended.action {
        view.container.limits = change.from;
        view.memory_in_use = MemoryInUse::Known(0);
    }
    if view.container.state == ContainerState::Exited {
        view.container.exit_code = 137;
        view.container.finished_at = written(now.wall);
        view.stop_cause = StopCause::Died;
    }
    for dependent in dependents {
        let mut container = named(dependent);
        container.image_id.clone_from(&dependent.image_id);
        container.labels.insert("sickbay.enable".to_owned(), "true".to_owned());
        view.dependents.push(container);
    }
    TargetReport::Found(view)
}

/// The container that a log names.
fn named(target: &TargetIdent) -> Container {
    let name = ContainerName::parse(target.name.bare()).unwrap_or_else(|_| unreachable_name());
    let id = target.id.container().cloned().unwrap_or_else(|| id_of(name.as_str()));
    Container::named(&name, &id)
}

fn view_of(container: Container, now: &Moment) -> TargetView {
    let since = now.wall - SETTLED_FOR;
    let mut container = Container {
        created: written(since),
        started_at: written(since),
        finished_at: "0001-01-01T00:00:00Z".to_owned(),
        health: Some(Health::Unhealthy),
        health_check: Some(HealthCheck {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retries: 3,
            start_period: Duration::ZERO,
        }),
        ..container
    };
    container.labels.insert("sickbay.enable".to_owned(), "true".to_owned());
    let complete_since = Some(since - SETTLED_FOR);
    let history = EventHistory::Known { now: now.wall, touches: Vec::new(), complete_since, predecessor: None };
    let (stop_cause, memory_in_use) = (StopCause::NotAsked, MemoryInUse::NotAsked);
    TargetView {
        container,
        dependents: Vec::new(),
        peers: Vec::new(),
        stop_cause,
        history,
        memory_in_use,
        evidence: None,
    }
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// How a service's watch ends, and after how long from its beginning.
fn converged(spec: &VerifySpec, already: Duration, recovers: bool) -> (Duration, StepResult) {
    if recovers {
        return (spec.stable_for.max(already), StepResult::Verified("assumed: it recovered".to_owned()));
    }
    let within = spec.within.unwrap_or(SERVICE_WITHIN);
    (within.max(already), StepResult::NotVerified("assumed: nothing got better".to_owned()))
}

/// How the wait for an alert's end ends, and after how long.
fn alert_ended(remaining: Duration, recovers: bool) -> (Duration, StepResult) {
    if recovers && ALERT_ENDS_AFTER < remaining {
        return (ALERT_ENDS_AFTER, StepResult::Verified("assumed: it recovered, and its alert ended".to_owned()));
    }
    (remaining, StepResult::Waited)
}
