//! Carries out effects and brings their results back as events. The only caller of `docker`, `notifier` and
//! `alertmanager`.
//!
//! It decides nothing: what may be done was decided by the gates, and an action needs the permit they made.

use super::tasks::Tasks;
use crate::alertmanager::Witnesses;
use crate::docker;
use crate::engine::effect::{Effect, PermittedAction};
use crate::engine::event::Event;
use crate::model::action::ActionOutcome;
use crate::model::fact::{AlertReceived, StepResult};
use crate::model::id::IncidentId;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::target::TargetQuery;
use crate::model::testimony::{ASK_EVERY, Heard};
use crate::notifier::Notifier;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument;

/// The same incident's target is not asked for more often than this, however often its alert is delivered.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How many targets are looked for at the same time: each takes a call for every replica and neighbour, and a storm of
/// alerts must not make Docker too slow to answer any of them.
const LOOKS_MAX: usize = 16;

/// What the daemon can do to Docker. A dry run holds nothing that could write.
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

/// Carries out effects.
#[derive(Debug)]
pub struct Executor {
    hands: Hands,
    notifiers: Notifiers,
    witnesses: Witnesses,
    results: mpsc::Sender<Event>,
    tasks: Tasks,
    asked: HashMap<IncidentId, Instant>,
    looks: Arc<Semaphore>,
}

impl Executor {
    /// Makes one; results go to `results`.
    #[must_use]
    pub fn new(
        hands: Hands,
        (notifiers, witnesses): (Notifiers, Witnesses),
        results: mpsc::Sender<Event>,
        tasks: Tasks,
    ) -> Self {
        let (asked, looks) = (HashMap::new(), Arc::new(Semaphore::new(LOOKS_MAX)));
        Self { hands, notifiers, witnesses, results, tasks, asked, looks }
    }

    /// Starts one effect. Never waits; an effect that needs nothing outside gives its event at once. `waited` is how
    /// long its records took to become durable.
    pub fn start(&mut self, effect: Effect, waited: Duration) -> Option<Event> {
        let reader = self.hands.reader().clone();
        match effect {
            Effect::ResolveTarget { incident, query, alert } => self.resolve(incident, query, alert),
            // Nobody outside needs to be asked.
            Effect::SkipTarget { incident } => return Some(Event::TargetSkipped { incident }),
            Effect::Capture { incident, index, target, spec } => {
                self.look("capture", incident, async move {
                    let begun = Instant::now();
                    let evidence = docker::capture(&reader, &target, &spec).await;
                    let result = StepResult::Captured(evidence);
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
            Effect::Reconcile(reconciliation) => {
                self.look("reconcile", reconciliation.act.incident, async move {
                    let (finding, post, detail) = docker::reconcile(&reader, &reconciliation).await;
                    Event::ActionObserved { act: reconciliation.act, finding, post, detail }
                });
            }
            Effect::Verify { incident, index, watched, spec, already } => {
                self.look("verify", incident, async move {
                    let begun = Instant::now();
                    let result = docker::verify(&reader, &watched, &spec, already).await;
                    Event::StepEnded { incident, index, elapsed: already + begun.elapsed(), result }
                });
            }
            Effect::Sleep { incident, index, remaining } => {
                self.look("wait", incident, async move {
                    tokio::time::sleep(remaining).await;
                    Event::StepEnded { incident, index, elapsed: remaining, result: StepResult::Waited }
                });
            }
            Effect::AwaitAlert { incident, index, alert, remaining } => {
                self.wait_for_alert((incident, index), alert, remaining);
            }
            Effect::SendNotice { notice, repeat } => self.tell(notice, repeat),
        }
        None
    }

    /// Whether an incident's target was asked for a moment ago, which makes asking again pointless.
    pub fn asked_lately(&mut self, incident: IncidentId) -> bool {
        let now = Instant::now();
        self.asked.retain(|_, asked| now.duration_since(*asked) < ASK_AGAIN_AFTER);
        self.asked.insert(incident, now).is_some()
    }

    fn resolve(&self, incident: IncidentId, query: TargetQuery, alert: Option<Arc<AlertReceived>>) {
        let (reader, witnesses) = (self.hands.reader().clone(), self.witnesses.clone());
        let looks = Arc::clone(&self.looks);
        self.look("resolve", incident, async move {
            // Docker is looked at last: what the gates see of the container is as young as can be.
            let heard = match alert {
                None => Heard::NotPut,
                Some(_) if witnesses.is_empty() => Heard::Nobody,
                Some(alert) => Heard::Said(witnesses.ask(&alert).await),
            };
            let _turn = looks.acquire().await;
            let report = docker::resolve(&reader, &query).await;
            Event::TargetResolved { incident, report, heard }
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
        let writer = match &self.hands {
            Hands::Live(_, writer) => Some(writer.clone()),
            Hands::DryRun(_) => None,
        };
        let work = async move {
            let target = &permitted.target;
            tracing::info!(container.name = %target.name, container.id = target.id.short(), op = permitted.action.op(), "acting");
            let outcome = match writer {
                Some(writer) => {
                    let PermittedAction { action, deadline, pre, .. } = &permitted;
                    docker::perform(&writer, &target.id, pre, action, *deadline).await
                }
                // Unreachable by the gates; if it is reached all the same, nothing is sent.
                None => ActionOutcome::Failed { error: "not sent: the daemon is in dry-run".to_owned() },
            };
            report(results, Event::ActionReturned { act, outcome }).await;
        };
        self.tasks.finish("act", work.instrument(span));
    }

    fn tell(&self, notice: Notice, repeat: bool) {
        let results = self.results.clone();
        let notifier = self.notifiers.get(&notice.notifier);
        let act = notice.act;
        let span = tracing::info_span!("effect", incident.id = %act.incident, act.id = %act);
        let work = async move {
            let outcome = match notifier {
                Some(notifier) => notifier.send(&notice, repeat).await,
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

/// Hands a result to the dispatcher. If that is gone, the daemon is stopping and the log will tell.
async fn report(results: mpsc::Sender<Event>, event: Event) {
    if results.send(event).await.is_err() {
        tracing::debug!("a result came after the dispatcher had stopped");
    }
}
