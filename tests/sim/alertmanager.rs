//! The simulated Alertmanager: groups that are sent again while they fire, retried until they are answered, and now and
//! then twice or late. It has a clock of its own.

use crate::cast::AlertSpec;
use crate::schedule::Mishap;
use sickbay::model::alert::{Alert, AlertStatus, Notification};
use sickbay::model::label::{Fingerprint, Labels};
use sickbay::sim::clock::SimTime;
use sickbay::sim::world::DeliveryId;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a sender waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The first pause before a delivery that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How often one body is tried before the next flush makes a new one.
const TRIES_MAX: u32 = 8;

/// How things stand with one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Quiet,
    Firing { since: SimTime },
    Resolved { since: SimTime, ended: SimTime },
}

/// What Alertmanager is going to do.
#[derive(Clone, Debug)]
pub(crate) enum Duty {
    /// Look whether a group is to be sent.
    Flush(usize),
    /// Send this body.
    Send(Body),
    /// Give up waiting for the answer to this delivery.
    Expect(DeliveryId),
}

/// A body on its way.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    notification: Notification,
    tries: u32,
    /// Nobody waits for its answer.
    is_copy: bool,
    answer_is_lost: bool,
}

/// Alertmanager.
#[derive(Clone, Debug)]
pub(crate) struct Alertmanager {
    alerts: Vec<AlertSpec>,
    standings: Vec<Standing>,
    interval: Duration,
    skew_ms: i64,
    mishaps: VecDeque<Mishap>,
    sent: BTreeMap<DeliveryId, Body>,
    deliveries: u64,
}

impl Alertmanager {
    pub(crate) fn new(alerts: Vec<AlertSpec>, interval: Duration, skew_ms: i64) -> Self {
        let standings = vec![Standing::Quiet; alerts.len()];
        let (mishaps, sent) = (VecDeque::new(), BTreeMap::new());
        Self { alerts, standings, interval, skew_ms, mishaps, sent, deliveries: 0 }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn fire(&mut self, alert: usize, now: SimTime, ago: Duration) {
        if !matches!(self.standings[alert], Standing::Firing { .. }) {
            let ago = u64::try_from(ago.as_millis()).unwrap_or_default();
            self.standings[alert] = Standing::Firing { since: SimTime(now.0.saturating_sub(ago)) };
        }
    }

    pub(crate) fn resolve(&mut self, alert: usize, now: SimTime) {
        if let Standing::Firing { since } = self.standings[alert] {
            self.standings[alert] = Standing::Resolved { since, ended: now };
        }
    }

    pub(crate) fn resolve_all(&mut self, now: SimTime) {
        (0..self.alerts.len()).for_each(|alert| self.resolve(alert, now));
        self.mishaps.clear();
    }

    /// What its API lists.
    pub(crate) fn firing(&self) -> Vec<Fingerprint> {
        let fires = |(_, standing): &(&AlertSpec, &Standing)| matches!(standing, Standing::Firing { .. });
        self.alerts.iter().zip(&self.standings).filter(fires).map(|(spec, _)| spec.labels.fingerprint()).collect()
    }

    pub(crate) fn befall(&mut self, mishap: Mishap) {
        self.mishaps.push_back(mishap);
    }

    /// Whether everything that ended has been told, and nothing fires.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.sent.is_empty() && self.standings.iter().all(|standing| *standing == Standing::Quiet)
    }

    /// Does a duty; what comes of it later. `deliver` hands a body to the daemon and says whether it was taken.
    pub(crate) fn attend(
        &mut self,
        duty: Duty,
        deliver: &mut dyn FnMut(DeliveryId, Notification) -> bool,
    ) -> Vec<(Duration, Duty)> {
        match duty {
            Duty::Flush(group) => {
                let mut later = vec![(self.interval, Duty::Flush(group))];
                later.extend(self.flush(group));
                later
            }
            Duty::Send(body) => {
                self.deliveries += 1;
                let id = DeliveryId(self.deliveries);
                let mut wanted = body.clone();
                wanted.tries += 1;
                if deliver(id, body.notification) && !body.answer_is_lost {
                    self.sent.insert(id, wanted);
                    vec![(ANSWER_WITHIN, Duty::Expect(id))]
                } else {
                    again(Body { answer_is_lost: false, ..wanted })
                }
            }
            Duty::Expect(id) => self.sent.remove(&id).map(again).unwrap_or_default(),
        }
    }

    /// A delivery was answered: ends that it told need not be told again. The body, for whoever checks the answer.
    pub(crate) fn answered(&mut self, id: DeliveryId) -> Option<Notification> {
        let body = self.sent.remove(&id)?;
        for (alert, standing) in self.standings.iter_mut().enumerate() {
            let Standing::Resolved { ended, .. } = *standing else { continue };
            let ends_at = wall(ended, self.skew_ms);
            let labels = &self.alerts[alert].labels;
            let told = |told: &Alert| told.labels == *labels && told.ends_at == Some(ends_at);
            if !body.is_copy && body.notification.alerts.iter().any(told) {
                *standing = Standing::Quiet;
            }
        }
        Some(body.notification)
    }

    fn flush(&mut self, group: usize) -> Vec<(Duration, Duty)> {
        let alerts: Vec<Alert> = self
            .alerts
            .iter()
            .zip(&self.standings)
            .filter(|(spec, _)| spec.group == group)
            .filter_map(|(spec, standing)| self.written(spec, *standing))
            .collect();
        if alerts.is_empty() {
            return Vec::new();
        }
        let group_key = format!("{{}}:{{group=\"{group}\"}}").into();
        let notification = Notification {
            sender: "sim".into(),
            receiver_name: "sickbay".into(),
            group_key,
            truncated_alerts: 0,
            alerts,
            rejected: Vec::new(),
        };
        let body = Body { notification, tries: 0, is_copy: false, answer_is_lost: false };
        match self.mishaps.pop_front() {
            None => vec![(Duration::ZERO, Duty::Send(body))],
            Some(Mishap::Twin(after)) => {
                let copy = Body { is_copy: true, ..body.clone() };
                vec![(Duration::ZERO, Duty::Send(body)), (after, Duty::Send(copy))]
            }
            Some(Mishap::Late(after)) => vec![(after, Duty::Send(Body { is_copy: true, ..body }))],
            Some(Mishap::AnswerLost) => vec![(Duration::ZERO, Duty::Send(Body { answer_is_lost: true, ..body }))],
        }
    }

    fn written(&self, spec: &AlertSpec, standing: Standing) -> Option<Alert> {
        let (status, since, ended) = match standing {
            Standing::Quiet => return None,
            Standing::Firing { since } => (AlertStatus::Firing, since, None),
            Standing::Resolved { since, ended } => (AlertStatus::Resolved, since, Some(ended)),
        };
        Some(Alert {
            fingerprint: spec.labels.fingerprint(),
            status,
            labels: spec.labels.clone(),
            annotations: Labels::default(),
            starts_at: Some(wall(since, self.skew_ms)),
            ends_at: ended.map(|ended| wall(ended, self.skew_ms)),
            generator_url: "".into(),
        })
    }
}

/// A body that was not answered is tried again for a while; the next flush makes a new one anyway.
fn again(body: Body) -> Vec<(Duration, Duty)> {
    if body.is_copy || TRIES_MAX <= body.tries {
        return Vec::new();
    }
    vec![(RETRY_AFTER * body.tries.max(1), Duty::Send(body))]
}

fn wall(at: SimTime, skew_ms: i64) -> chrono::DateTime<chrono::Utc> {
    at.true_wall() + chrono::TimeDelta::milliseconds(skew_ms)
}
