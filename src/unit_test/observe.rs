//! What is seen of a world: runs, noes, messages and the state of things, as lists of keys and values.
//!
//! All of it but the state of the moment is read from the incident log, as the log tells it to anybody. [`Value`] is what
//! is compared; [`Observer`] is made once for a time and asked for each list.

use super::definition::Aspect;
use super::questions::{self, Questions};
use crate::model::fact::{
    Answer, Branch, Decided, Fact, IncidentClosed, RequestIntended, StepFinished, StepResult, Taken,
};
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::Verdict;
use crate::model::label::Labels;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::reason::{Gate, Reason};
use crate::model::target::{ComposeService, TargetId};
use crate::sim::clock::SimTime;
use crate::sim::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// `true` or `false`.
    Flag(bool),
    /// Several texts, in order.
    Texts(Vec<String>),
    /// Names and texts.
    Pairs(Vec<(String, String)>),
}

impl fmt::Display for Value {
    /// As it could be written in a test file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                write!(f, "[{}]", texts.join(", "))
            }
            Self::Pairs(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(name, text)| format!("{name}: {}", quoted(text))).collect();
                write!(f, "{{{}}}", pairs.join(", "))
            }
        }
    }
}

/// Plain where YAML would read it back as it is, else between quotes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let is_plain = !text.is_empty() && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

/// One thing that was seen: its keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen(pub Vec<(&'static str, Value)>);

impl Seen {
    /// The value of a key; `None` if it has none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It has not ended.
    Running,
    /// A gate said no right before its first act, and it was taken back.
    Refused,
    /// It ended.
    Ended(Verdict),
}

impl RunOutcome {
    /// Its word in a test file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Refused => "refused",
            Self::Ended(verdict) => verdict.as_str(),
        }
    }

    /// All words.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        let ended = Verdict::ALL.iter().map(|verdict| Self::Ended(*verdict));
        [Self::Running, Self::Refused].into_iter().chain(ended).map(Self::as_str).collect()
    }
}

/// One try of a playbook.
#[derive(Clone, Debug)]
struct Run {
    incident: IncidentId,
    playbook: Arc<str>,
    target: Option<String>,
    attempt: u32,
    dry_run: bool,
    ended: Option<SimTime>,
    outcome: RunOutcome,
    steps: Vec<String>,
    on_failure: Vec<String>,
    notified: Vec<String>,
    /// Something was intended.
    acted: bool,
    /// The step that is listed last is an action, whose end has no record of its own.
    acting: bool,
}

/// An alert that was seen for the first time.
#[derive(Clone, Debug)]
struct Sight {
    at: SimTime,
    labels: Labels,
    taken: Taken,
}

/// A no.
#[derive(Clone, Debug)]
struct No {
    at: SimTime,
    incident: Option<IncidentId>,
    playbook: Option<Arc<str>>,
    target: Option<String>,
    gate: Option<Gate>,
    reason: Reason,
    detail: String,
    saw: Vec<(String, String)>,
    labels: Labels,
}

/// A message.
#[derive(Clone, Debug)]
struct Message {
    at: SimTime,
    notice: Notice,
    delivered: bool,
}

/// What the log tells until a time, and the world at that time.
#[derive(Clone, Debug)]
pub struct Observer<'w> {
    world: &'w World,
    /// Only what is later is new.
    since: SimTime,
    sights: Vec<Sight>,
    runs: Vec<Run>,
    noes: Vec<No>,
    messages: Vec<Message>,
    questions: Questions,
    /// The labels of each incident's alert, and its playbook.
    alerts: BTreeMap<IncidentId, (Labels, Arc<str>)>,
}

impl<'w> Observer<'w> {
    /// Reads the log. What is not later than `since` is no news.
    #[must_use]
    pub fn new(world: &'w World, since: SimTime) -> Self {
        let (sights, runs, noes, messages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (questions, alerts) = (Questions::default(), BTreeMap::new());
        let mut observer = Self { world, since, sights, runs, noes, messages, questions, alerts };
        for (place, record) in world.disk().records().iter().enumerate() {
            let at = world.disk().made(place);
            observer.add(IncidentId(record.seq), &record.fact, at);
            observer.questions.add(&record.fact, at);
        }
        observer
    }

    fn add(&mut self, own: IncidentId, fact: &Fact, at: SimTime) {
        match fact {
            Fact::AlertReceived(received) => {
                let (labels, taken) = (received.labels.clone(), received.taken.clone());
                match &taken {
                    Taken::ByPlaybook { playbook, .. } => {
                        self.alerts.insert(own, (labels.clone(), Arc::clone(playbook)));
                    }
                    Taken::ByNobody(reason) => self.nobody_took(*reason, &labels, at),
                }
                self.sights.push(Sight { at, labels, taken });
            }
            Fact::IncidentOpened(opened) => {
                if let Taken::ByPlaybook { playbook, .. } = &opened.alert.taken {
                    self.alerts.insert(own, (opened.alert.labels.clone(), Arc::clone(playbook)));
                }
            }
            Fact::Decided(decided) => self.decided(decided, at),
            Fact::StepFinished(finished) => self.step_finished(finished),
            Fact::ActionIntended(intended) if !intended.dependent => {
                if let Some(run) = self.run_of(intended.act.incident) {
                    run.steps.push(intended.action.word().to_owned());
                    (run.acted, run.acting) = (true, true);
                }
            }
            Fact::NoticeIntended(intended) => self.notice_intended(&intended.notice, at),
            Fact::RequestIntended(intended) => self.request_intended(intended),
            Fact::NoticeFinished(finished) => self.notice_finished(finished.act, &finished.outcome),
            Fact::AttemptEnded(ended) => {
                if let Some(run) = self.runs.iter_mut().rev().find(|run| run.incident == ended.incident) {
                    run.ended = Some(at);
                    run.outcome = RunOutcome::Ended(ended.verdict);
                }
            }
            Fact::IncidentClosed(closed) => self.closed(closed, at),
            Fact::ActionIntended(_)
            | Fact::LogOpened(_)
            | Fact::LogClosed
            | Fact::LogRecovered(_)
            | Fact::ConfigLoaded(_)
            | Fact::ConfigRejected(_)
            | Fact::ClockJumped(_)
            | Fact::AlertEnded(_)
            | Fact::AlertsRejected(_)
            | Fact::ActionFinished(_)
            | Fact::ActionReconciled(_)
            | Fact::TargetVerified(_)
            | Fact::StepMarked(_)
            | Fact::RequestFinished(_)
            | Fact::IncidentRelapsed(_)
            | Fact::PauseSet(_)
            | Fact::PauseCleared(_)
            | Fact::BreakerOpened(_)
            | Fact::BreakerReset(_)
            | Fact::StormFrozen(_)
            | Fact::ApprovalRequested(_)
            | Fact::VoteCast(_)
            | Fact::ApprovalEnded(_)
            | Fact::StateSaved(_) => {}
        }
    }

    /// The incident's run; one whose end is recorded goes on with `on_failure` if no further try follows.
    fn run_of(&mut self, incident: IncidentId) -> Option<&mut Run> {
        let run = self.runs.iter_mut().rev().find(|run| run.incident == incident)?;
        (run.ended, run.outcome) = (None, RunOutcome::Running);
        Some(run)
    }

    fn nobody_took(&mut self, reason: Reason, labels: &Labels, at: SimTime) {
        if reason == Reason::NoMatch {
            return;
        }
        let gate = if reason == Reason::Duplicate { Gate::Episode } else { Gate::Fresh };
        let (detail, saw, labels) = (String::new(), Vec::new(), labels.clone());
        let (incident, playbook, target, gate) = (None, None, None, Some(gate));
        self.noes.push(No { at, incident, playbook, target, gate, reason, detail, saw, labels });
    }

    fn decided(&mut self, decided: &Decided, at: SimTime) {
        let target = decided.target.as_ref().map(|target| target.name.to_string());
        let (incident, playbook) = (decided.incident, Arc::clone(&decided.playbook));
        match &decided.answer {
            Answer::Run { dry_run, attempt, .. } => self.runs.push(Run {
                incident,
                playbook,
                target,
                attempt: attempt.number,
                dry_run: *dry_run,
                ended: None,
                outcome: RunOutcome::Running,
                steps: Vec::new(),
                on_failure: Vec::new(),
                notified: Vec::new(),
                acted: false,
                acting: false,
            }),
            Answer::Refused(refusal) => {
                // Before the first act the run is taken back; after it, it waits.
                let open = |run: &&mut Run| run.incident == incident && run.ended.is_none() && !run.acted;
                if let Some(run) = self.runs.iter_mut().rev().find(open) {
                    (run.ended, run.outcome) = (Some(at), RunOutcome::Refused);
                }
                let labels = self.alerts.get(&incident).map(|(labels, _)| labels.clone()).unwrap_or_default();
                self.noes.push(No {
                    at,
                    incident: Some(incident),
                    playbook: Some(playbook),
                    target,
                    gate: Some(refusal.gate),
                    reason: refusal.reason,
                    detail: refusal.detail.clone(),
                    saw: refusal.inputs.clone(),
                    labels,
                });
            }
        }
    }

    fn step_finished(&mut self, finished: &StepFinished) {
        let Some(run) = self.run_of(finished.incident) else { return };
        let left_out = matches!(finished.result, StepResult::Skipped | StepResult::ConditionFalse(_));
        // An action that could not be carried to its end is listed already.
        let known = std::mem::take(&mut run.acting) && run.steps.last().is_some_and(|last| *last == finished.step.verb);
        let list = match finished.step.branch {
            Branch::Steps | Branch::OnResolved => &mut run.steps,
            Branch::OnFailure => &mut run.on_failure,
            // What is done after a no is told by its messages.
            Branch::OnDenied => return,
        };
        if !left_out && !known {
            list.push(finished.step.verb.to_owned());
        }
    }

    fn request_intended(&mut self, intended: &RequestIntended) {
        let Some(run) = self.run_of(intended.act.incident) else { return };
        let verb = intended.step.verb.to_owned();
        match intended.step.branch {
            Branch::Steps | Branch::OnResolved => run.steps.push(verb),
            Branch::OnFailure => run.on_failure.push(verb),
            // What is done after a no is told by its messages.
            Branch::OnDenied => {}
        }
        run.acted = true;
    }

    fn notice_intended(&mut self, notice: &Notice, at: SimTime) {
        if let Some(run) = self.run_of(notice.act.incident) {
            run.notified.push(notice.notifier.clone());
        }
        self.messages.push(Message { at, notice: notice.clone(), delivered: false });
    }

    fn notice_finished(&mut self, act: ActId, outcome: &NoticeOutcome) {
        if let Some(message) = self.messages.iter_mut().rev().find(|message| message.notice.act == act) {
            message.delivered = *outcome == NoticeOutcome::Delivered;
        }
    }

    fn closed(&mut self, closed: &IncidentClosed, at: SimTime) {
        let last = self.runs.iter_mut().rev().find(|run| run.incident == closed.incident);
        if let Some(run) = last {
            if run.ended.is_none() {
                (run.ended, run.outcome) = (Some(at), RunOutcome::Ended(closed.verdict));
            }
            return;
        }
        let told = |no: &No| no.incident == Some(closed.incident) && Some(no.reason) == closed.reason;
        if let Some(reason) = closed.reason
            && !self.noes.iter().any(told)
        {
            let (labels, playbook) = self.alerts.get(&closed.incident).cloned().unwrap_or_default();
            let (incident, detail, saw) = (Some(closed.incident), closed.detail.clone(), Vec::new());
            let (playbook, target, gate) = (Some(playbook), None, None);
            self.noes.push(No { at, incident, playbook, target, gate, reason, detail, saw, labels });
        }
    }

    /// One list, in the order in which things happened.
    ///
    /// # Errors
    /// If it cannot be told, because sickbay does not run.
    pub fn list(&self, aspect: Aspect) -> Result<Vec<Seen>, String> {
        let new = |at: SimTime| self.since < at;
        Ok(match aspect {
            Aspect::Matched => {
                let taken = |sight: &Sight| match &sight.taken {
                    Taken::ByPlaybook { playbook, .. } => {
                        Some(Seen(vec![text("playbook", playbook), labels(&sight.labels)]))
                    }
                    Taken::ByNobody(_) => None,
                };
                self.sights.iter().filter(|sight| new(sight.at)).filter_map(taken).collect()
            }
            Aspect::NoMatch => {
                let left = |sight: &&Sight| sight.taken == Taken::ByNobody(Reason::NoMatch);
                let left = self.sights.iter().filter(|sight| new(sight.at)).filter(left);
                left.map(|sight| Seen(vec![labels(&sight.labels)])).collect()
            }
            Aspect::Runs => {
                let under_way = |run: &&Run| run.ended.is_none_or(new);
                self.runs.iter().filter(under_way).map(run).collect()
            }
            Aspect::Suppressed => self.noes.iter().filter(|no| new(no.at)).map(suppressed).collect(),
            Aspect::Notices => self.messages.iter().filter(|message| new(message.at)).map(notice).collect(),
            Aspect::Open | Aspect::Paused | Aspect::Breakers | Aspect::Frozen => self.standing(aspect)?,
            Aspect::Containers => self.containers(),
            Aspect::Services => self.services(),
            Aspect::Approvals => self.questions.approvals(self.since),
            Aspect::Votes => self.questions.votes(self.world, self.since),
            Aspect::Requests => {
                let sent = self.world.seen.requests.iter().filter(|request| new(request.sent));
                let playbook = |incident| self.alerts.get(&incident).map(|(_, playbook)| &**playbook);
                sent.map(|sent| questions::request(sent, playbook(sent.act.incident))).collect()
            }
        })
    }

    fn containers(&self) -> Vec<Seen> {
        let seen = self.world.docker().containers().iter().map(|known| {
            let shown = known.shown();
            let health = shown.health.as_ref().map_or("none", |health| health.as_str());
            Seen(vec![
                text("name", known.spec().name.as_str()),
                text("state", shown.state.as_str()),
                text("health", health),
            ])
        });
        seen.collect()
    }

    /// The services of both kinds.
    fn services(&self) -> Vec<Seen> {
        let docker = self.world.docker();
        let swarm = docker.services().iter().map(|service| TargetId::Swarm(service.id().clone()));
        let composed = docker.containers().iter().filter_map(|known| {
            let (project, service) = known.shown().compose()?;
            ComposeService::parse(&format!("{project}/{service}")).map(TargetId::Compose)
        });
        let ids: BTreeSet<TargetId> = swarm.chain(composed).collect();
        let shown = ids.iter().filter_map(|id| docker.inspect_service(id, self.world.clock().wall()));
        let seen = shown.map(|service| {
            let number = |key, number: u32| (key, Value::Number(number.into()));
            Seen(vec![
                text("name", service.name().as_str()),
                text("state", "present"),
                number("replicas", service.wanted),
                number("running", service.running),
                number("healthy", service.healthy),
                text("image", &service.image),
                text("update", service.update.as_ref().map_or("none", |update| update.as_str())),
            ])
        });
        seen.collect()
    }

    /// What the daemon knows at this moment.
    fn standing(&self, aspect: Aspect) -> Result<Vec<Seen>, String> {
        let daemon = self.world.daemon().ok_or_else(|| "sickbay does not run at this time".to_owned())?;
        let state = daemon.state();
        let now = state.timeline().moment(&self.world.clock().stamp());
        let snapshot = state.snapshot(None, &self.world.ruleset, &now);
        Ok(match aspect {
            Aspect::Paused => {
                let scopes = snapshot.pauses.iter().map(|standing| standing.pause.scope.to_string());
                scopes.map(|scope| Seen(vec![text("scope", &scope)])).collect()
            }
            Aspect::Breakers => snapshot.breakers.iter().map(|open| Seen(vec![text("target", &open.target)])).collect(),
            Aspect::Frozen => vec![Seen(vec![("frozen", Value::Flag(snapshot.storm.is_some()))])],
            Aspect::Open
            | Aspect::Matched
            | Aspect::NoMatch
            | Aspect::Runs
            | Aspect::Suppressed
            | Aspect::Notices
            | Aspect::Containers
            | Aspect::Services
            | Aspect::Approvals
            | Aspect::Votes
            | Aspect::Requests => {
                let open = snapshot.incidents.iter().map(|incident| {
                    let mut seen = vec![text("playbook", &incident.playbook)];
                    seen.extend(incident.target.iter().map(|target| text("target", target)));
                    seen.push(text("doing", incident.doing));
                    seen.extend(incident.reason.map(|reason| text("reason", reason.as_str())));
                    Seen(seen)
                });
                open.collect()
            }
        })
    }
}

pub(super) fn text(key: &'static str, text: &str) -> (&'static str, Value) {
    (key, Value::Text(text.to_owned()))
}

fn labels(labels: &Labels) -> (&'static str, Value) {
    ("labels", Value::Pairs(labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

fn run(run: &Run) -> Seen {
    let mut seen = vec![text("playbook", &run.playbook)];
    seen.extend(run.target.iter().map(|target| text("target", target)));
    seen.push(text("outcome", run.outcome.as_str()));
    seen.push(("steps", Value::Texts(run.steps.clone())));
    seen.push(("on_failure", Value::Texts(run.on_failure.clone())));
    seen.push(("notified", Value::Texts(run.notified.clone())));
    seen.push(("attempt", Value::Number(run.attempt.into())));
    seen.push(("dry_run", Value::Flag(run.dry_run)));
    Seen(seen)
}

fn suppressed(no: &No) -> Seen {
    let mut seen: Vec<(&'static str, Value)> = Vec::new();
    seen.extend(no.playbook.iter().map(|playbook| text("playbook", playbook)));
    seen.extend(no.target.iter().map(|target| text("target", target)));
    seen.extend(no.gate.map(|gate| text("gate", gate.as_str())));
    seen.push(text("reason", no.reason.as_str()));
    seen.push(labels(&no.labels));
    seen.push(("saw", Value::Pairs(no.saw.clone())));
    seen.push(text("detail", &no.detail));
    Seen(seen)
}

fn notice(message: &Message) -> Seen {
    let Message { notice, delivered, .. } = message;
    let mut seen = vec![text("to", &notice.notifier), text("severity", &notice.severity), text("title", &notice.title)];
    seen.push(text("message", &notice.message));
    seen.push(text("playbook", &notice.playbook));
    seen.extend(notice.target.iter().map(|target| text("target", target)));
    seen.push(("delivered", Value::Flag(*delivered)));
    Seen(seen)
}
