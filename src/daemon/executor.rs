//! Carries out effects and brings their results back as events. The only caller of `docker`, `notifier` and
//! `alertmanager`.
//!
//! It decides nothing: what may be done was decided by the gates, and an action needs the permit they made.

use super::hosts::{DockerHost, Hosts};
use super::links::Links;
use super::tasks::Tasks;
use crate::alertmanager::Witnesses;
use crate::diagnosis::{for_people, with_diagnosis};
use crate::docker;
use crate::engine::effect::{Effect, LookCloser, PermittedAction, TimeLeft};
use crate::engine::event::Event;
use crate::model::action::{ActionOutcome, Reconciled, TargetIdent};
use crate::model::approval::AskedPlan;
use crate::model::container::TargetReport;
use crate::model::fact::{AlertReceived, StepResult};
use crate::model::host::Host;
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::request::{Request, RequestOutcome};
use crate::model::step::{ASKED_ABOUT, Reconciliation, VerifySpec, Watched, WatchedService};
use crate::model::target::{ContainerName, TargetQuery};
use crate::model::testimony::ASK_EVERY;
use crate::notifier::Notifier;
use crate::requester::Requester;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::Instrument;

/// The same incident's target is not asked for more often than this, however often its alert is delivered.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What the daemon can do to one Docker. A dry run holds nothing that could write.
#[derive(Clone, Debug)]
pub enum Hands {
    /// Looks and never touches.
    DryRun(docker::Reader),
    /// Looks and acts.
    Live(docker::Reader, docker::Writer),
}

impl Hands {
    /// The looking half.
    #[must_use]
    pub fn reader(&self) -> &docker::Reader {
        match self {
            Self::DryRun(reader) | Self::Live(reader, _) => reader,
        }
    }
}

/// Where messages go, by name. Cheap to clone.
///
/// A notifier that a reload takes out of the settings stays: runs that began before it may still name it.
#[derive(Clone, Debug)]
pub struct Notifiers(Arc<RwLock<HashMap<String, Arc<Notifier>>>>);

impl Notifiers {
    /// These.
    #[must_use]
    pub fn new(named: HashMap<String, Notifier>) -> Self {
        let notifiers = Self(Arc::default());
        notifiers.add(named);
        notifiers
    }

    /// Adds these, in place of those of the same name.
    pub fn add(&self, named: HashMap<String, Notifier>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(named.into_iter().map(|(name, notifier)| (name, Arc::new(notifier))));
    }

    fn get(&self, name: &str) -> Option<Arc<Notifier>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Everything outside but Docker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Where messages go.
    pub notifiers: Notifiers,
    /// Who is asked whether an alert still fires.
    pub witnesses: Witnesses,
    /// What speaks to the systems that playbooks name.
    pub requester: Requester,
    /// Who is sent signed links, and by which notifier.
    pub links: Links,
}

/// Carries out effects.
#[derive(Debug)]
pub struct Executor {
    hosts: Hosts,
    notifiers: Notifiers,
    witnesses: Witnesses,
    requester: Requester,
    links: Links,
    /// The incident log's name: the numbers of messages are unique in it.
    log: String,
    results: mpsc::Sender<Event>,
    tasks: Tasks,
    asked: HashMap<IncidentId, Instant>,
}

impl Executor {
    /// Makes one; results go to `results`, and `log` names the incident log.
    #[must_use]
    pub fn new(
        hosts: Hosts,
        Outside { notifiers, witnesses, requester, links }: Outside,
        results: mpsc::Sender<Event>,
        tasks: Tasks,
        log: String,
    ) -> Self {
        Self { hosts, notifiers, witnesses, requester, links, log, results, tasks, asked: HashMap::new() }
    }

    /// Starts one effect. Never waits; an effect that needs nothing outside gives its event at once. `waited` is how
    /// long its records took to become durable.
    pub fn start(&mut self, effect: Effect, waited: Duration) -> Option<Event> {
        match effect {
            Effect::ResolveTarget { incident, host, query, alert, memory, closer } => {
                self.resolve((incident, host), (query, memory, closer), alert);
            }
            // Nobody outside needs to be asked.
            Effect::SkipTarget { incident } => return Some(Event::TargetSkipped { incident }),
            Effect::AskStep { incident, index, host, target, alert } => {
                self.ask_step((incident, index), (host, target), alert);
            }
            Effect::Capture { incident, index, target, spec, within } => {
                let on = self.reader(&target);
                self.look("capture", incident, async move {
                    let begun = Instant::now();
                    let captured = async {
                        let evidence = Box::pin(docker::capture(&on?, &target, &spec)).await;
                        Ok(StepResult::Captured(with_diagnosis(evidence)))
                    };
                    let result = in_time(within, captured).await.flatten().unwrap_or_else(StepResult::Failed);
                    Event::StepEnded { incident, index, elapsed: begun.elapsed(), result }
                });
            }
            Effect::RunAction(permit) => match permit.redeem_after(waited) {
                Ok(permitted) => self.act(permitted),
                Err(late) => {
                    let (act, waited) = (late.act, late.waited.as_secs());
                    tracing::error!(incident.id = %act.incident, act.id = %act, waited, "not acting: the log could not be written in time");
                    return Some(late.into());
                }
            },
            Effect::Reconcile(reconciliation) => self.reconcile(reconciliation),
            Effect::Verify { incident, index, watched, spec, http, already } => {
                self.verify((incident, index), (watched, spec, http), already);
            }
            Effect::VerifyService { incident, index, watched, spec, already } => {
                self.watch_service((incident, index), (watched, spec), already);
            }
            Effect::Sleep { incident, index, remaining } => self.sleep((incident, index), remaining),
            Effect::AwaitAlert { incident, index, alert, remaining } => {
                self.wait_for_alert((incident, index), alert, remaining);
            }
            Effect::SendNotice { notice, repeat, asks, within } => self.tell((notice, asks), (repeat, within)),
            Effect::SendRequest(permit) => match permit.redeem_after(waited) {
                Ok(permitted) => self.request(permitted),
                Err(late) => {
                    let waited = waited.as_secs();
                    tracing::error!(waited, "not sending a request: the log could not be written in time");
                    return Some(*late);
                }
            },
        }
        None
    }

    /// The client that looks at a target, on its host.
    fn reader(&self, target: &TargetIdent) -> Result<docker::Reader, String> {
        self.hosts.get(&target.name.host()).map(|host| host.reader().clone())
    }

    /// What the act has left half made is part of the act: it is removed first, as it would have been if it had failed.
    fn reconcile(&self, mut reconciliation: Reconciliation) {
        let on = self.hosts.get(&reconciliation.target.name.host()).map(|host| host.hands.clone());
        self.look("reconcile", reconciliation.act.incident, async move {
            let (finding, post, detail) = match on {
                Ok(Hands::DryRun(reader)) => docker::reconcile(&reader, &reconciliation).await,
                Ok(Hands::Live(reader, writer)) => {
                    let removed = docker::remove_half_made(&writer, &mut reconciliation).await;
                    let (finding, post, words) = docker::reconcile(&reader, &reconciliation).await;
                    let removed: Vec<&str> = removed.iter().map(ContainerName::as_str).collect();
                    let removed = removed.join(", ");
                    let words = if removed.is_empty() {
                        words
                    } else {
                        format!("{words}; {removed} had been made and not started, and was removed")
                    };
                    (finding, post, words)
                }
                Err(error) => (Reconciled::Unknown, None, error),
            };
            Event::ActionObserved { act: reconciliation.act, finding, post, detail }
        });
    }

    fn verify(
        &self,
        (incident, index): (IncidentId, usize),
        (watched, spec, http): (Vec<Watched>, VerifySpec, Option<String>),
        already: Duration,
    ) {
        // What a run touches is all on one host.
        let on = watched.first().map_or_else(
            || self.hosts.get(&Host::First).map(|host| host.reader().clone()),
            |watched| self.reader(&watched.target),
        );
        let requester = self.requester.clone();
        self.look("verify", incident, async move {
            let begun = Instant::now();
            let probe = move |url: String| {
                let requester = requester.clone();
                async move { requester.probe(&url).await }
            };
            let result = match on {
                Ok(reader) => docker::verify(&reader, (&watched, &spec, http), already, probe).await,
                Err(error) => StepResult::Failed(error),
            };
            Event::StepEnded { incident, index, elapsed: already + begun.elapsed(), result }
        });
    }

    fn watch_service(
        &self,
        (incident, index): (IncidentId, usize),
        (watched, spec): (WatchedService, VerifySpec),
        already: Duration,
    ) {
        let on = self.reader(&watched.target);
        self.look("verify", incident, async move {
            let (elapsed, result) = match on {
                Ok(reader) => docker::service::verify(&reader, (&watched, &spec), already).await,
                Err(error) => (already, StepResult::Failed(error)),
            };
            Event::StepEnded { incident, index, elapsed, result }
        });
    }

    /// Whether an incident's target was asked for a moment ago, which makes asking again pointless.
    pub fn asked_lately(&mut self, incident: IncidentId) -> bool {
        let now = Instant::now();
        self.asked.retain(|_, asked| now.duration_since(*asked) < ASK_AGAIN_AFTER);
        self.asked.insert(incident, now).is_some()
    }

    fn resolve(
        &self,
        (incident, host): (IncidentId, Host),
        (query, memory, closer): (TargetQuery, bool, LookCloser),
        alert: Option<Arc<AlertReceived>>,
    ) {
        let (on, witnesses) = (self.hosts.get(&host).cloned(), self.witnesses.clone());
        self.look("resolve", incident, async move {
            // Docker is looked at last: what the gates see of the container is as young as can be.
            let heard = witnesses.hear(alert).await;
            let reader = on.as_ref().ok().map(|host| host.reader().clone());
            let report = look_for(on, (&query, memory)).await;
            let evidence = match reader {
                Some(reader) => look_closer(&reader, &report, &closer).await,
                None => None,
            };
            Event::TargetResolved { incident, report, evidence, heard }
        });
    }

    fn wait_for_alert(&self, (incident, index): (IncidentId, usize), alert: Arc<AlertReceived>, remaining: Duration) {
        let witnesses = self.witnesses.clone();
        self.look("await alert", incident, async move {
            if witnesses.is_empty() {
                tokio::time::sleep(remaining).await;
                return Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited };
            }
            tokio::time::sleep(remaining.min(ASK_EVERY)).await;
            Event::AlertWitnessed { incident, index, testimony: witnesses.ask(&alert).await }
        });
    }

    fn look(&self, name: &'static str, incident: IncidentId, work: impl Future<Output = Event> + Send + 'static) {
        let results = self.results.clone();
        let span = tracing::info_span!("effect", incident.id = %incident, effect.name = name);
        self.tasks.watch(name, async move { report(results, work.await).await }.instrument(span));
    }

    fn act(&self, permitted: PermittedAction) {
        let act = permitted.act;
        let results = self.results.clone();
        let span = tracing::info_span!("effect", incident.id = %act.incident, act.id = %act);
        let writer = self.hosts.get(&permitted.target.name.host()).and_then(|host| match &host.hands {
            Hands::Live(_, writer) => Ok(writer.clone()),
            // Unreachable by the gates; if it is reached all the same, nothing is sent.
            Hands::DryRun(_) => Err("the daemon is in dry-run".to_owned()),
        });
        let work = async move {
            let target = &permitted.target;
            tracing::info!(container.name = %target.name, container.id = &*target.id.short(), op = permitted.action.op(), "acting");
            let PermittedAction { action, deadline, pre, .. } = &permitted;
            let outcome = match writer {
                Ok(writer) => docker::perform(&writer, (act, &target.id), (pre, action), *deadline).await,
                Err(error) => ActionOutcome::Failed { error: format!("not sent: {error}") },
            };
            report(results, Event::ActionReturned { act, outcome }).await;
        };
        self.tasks.finish("act", work.instrument(span));
    }

    fn request(&self, (act, request, deadline): (ActId, Request, Duration)) {
        let (results, requester) = (self.results.clone(), self.requester.clone());
        let span = tracing::info_span!("effect", incident.id = %act.incident, act.id = %act);
        let live = self.hosts.are_live();
        let work = async move {
            let outcome = if live {
                tracing::info!(http.method = request.method, "sending a request");
                requester.send(act, &request, deadline).await
            } else {
                // Unreachable by the gates; if it is reached all the same, nothing is sent.
                RequestOutcome::Failed { error: "not sent: the daemon is in dry-run".to_owned() }
            };
            report(results, Event::RequestReturned { act, outcome }).await;
        };
        self.tasks.finish("http", work.instrument(span));
    }

    fn ask_step(
        &self,
        (incident, index): (IncidentId, usize),
        (host, target): (Host, Option<TargetQuery>),
        alert: Option<Arc<AlertReceived>>,
    ) {
        let (on, witnesses) = (self.hosts.get(&host).cloned(), self.witnesses.clone());
        self.look("ask", incident, async move {
            let heard = witnesses.hear(alert).await;
            let report = match target {
                None => None,
                Some(query) => Some(look_for(on, (&query, false)).await),
            };
            Event::StepAsked { incident, index, report, heard }
        });
    }

    fn sleep(&self, (incident, index): (IncidentId, usize), remaining: Duration) {
        self.look("wait", incident, async move {
            tokio::time::sleep(remaining).await;
            Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited }
        });
    }

    fn tell(&self, (notice, asks): (Notice, Option<AskedPlan>), (repeat, within): (bool, Option<TimeLeft>)) {
        let results = self.results.clone();
        let notifier = self.notifiers.get(&notice.notifier);
        let act = notice.act;
        let link = asks.as_ref().and_then(|asks| self.links.of(&notice.notifier, asks));
        let span = tracing::info_span!("effect", incident.id = %act.incident, act.id = %act);
        let log = self.log.clone();
        let work = async move {
            let outcome = match notifier {
                Some(notifier) => {
                    let sent = notifier.send(&notice, (asks.as_ref(), link.as_ref()), (repeat, &log));
                    let sent = in_time(within, sent).await;
                    sent.unwrap_or_else(|error| NoticeOutcome::Failed { error })
                }
                None => {
                    let error = format!("no notifier named {} in the settings", notice.notifier);
                    NoticeOutcome::Failed { error }
                }
            };
            report(results, Event::NoticeReturned { act, outcome }).await;
        };
        self.tasks.finish("notify", work.instrument(span));
    }
}

/// Looks for a target on its host, when it is its turn there.
async fn look_for(on: Result<DockerHost, String>, (query, memory): (&TargetQuery, bool)) -> TargetReport {
    match on {
        Ok(host) => {
            let _turn = host.looks.acquire().await;
            let mut report = docker::resolve(host.reader(), query).await;
            if memory {
                docker::look_at_memory(host.reader(), &mut report).await;
            }
            report
        }
        Err(error) => TargetReport::Unavailable(error),
    }
}

/// Where people are to be asked: what is the matter with the target, within the few seconds that evidence may take.
/// Whatever cannot be found out keeps nobody from being asked.
async fn look_closer(reader: &docker::Reader, report: &TargetReport, closer: &LookCloser) -> Option<Value> {
    let target = report.target().filter(|target| closer.at(&target.id))?;
    let evidence = Box::pin(docker::capture(reader, &target, &ASKED_ABOUT)).await;
    Some(for_people(&with_diagnosis(evidence)))
}

/// The result, unless the step's time is over before.
async fn in_time<T>(within: Option<TimeLeft>, work: impl Future<Output = T>) -> Result<T, String> {
    let Some(within) = within else { return Ok(work.await) };
    tokio::select! {
        biased;
        result = work => Ok(result),
        () = tokio::time::sleep(within.left) => Err(within.words()),
    }
}

/// Hands a result to the dispatcher. If that is gone, the daemon is stopping and the log will tell.
async fn report(results: mpsc::Sender<Event>, event: Event) {
    if results.send(event).await.is_err() {
        tracing::debug!("a result came after the dispatcher had stopped");
    }
}
