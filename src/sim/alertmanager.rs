//! The simulated Alertmanager's API: asked whether an alert fires, now and then away, slow, or freshly started.
//!
//! What it sends of its own accord is the tests' business; here it only knows what it would list. What its answer means
//! is judged by `model::testimony`, as in the daemon.

use super::clock::SimTime;
use crate::model::fact::AlertReceived;
use crate::model::label::Fingerprint;
use crate::model::testimony::{Answer, Testimony, UP_MIN};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a question may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long a prompt answer takes.
const PROMPT: Duration = Duration::from_millis(2);

/// After a start it lists nothing until Prometheus has sent it all again.
const FILLED_AFTER: Duration = Duration::from_secs(60);

/// The API of the one Alertmanager.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// What fires in truth, and since when.
    firing: BTreeMap<Fingerprint, SimTime>,
    /// When what no longer fires ended.
    ended: BTreeMap<Fingerprint, SimTime>,
    /// When it was last started, if it ever was since the beginning.
    started: Option<SimTime>,
    /// Until when something may be wrong with it.
    troubled: SimTime,
    away: SimTime,
    slow: (SimTime, Duration),
}

impl Api {
    /// These alerts fire from now on, and no others.
    pub fn list(&mut self, firing: impl IntoIterator<Item = Fingerprint>, now: SimTime) {
        let mut before = std::mem::take(&mut self.firing);
        for fingerprint in firing {
            let since = before.remove(&fingerprint).unwrap_or(now);
            self.firing.insert(fingerprint, since);
            self.ended.remove(&fingerprint);
        }
        self.ended.extend(before.into_keys().map(|fingerprint| (fingerprint, now)));
    }

    /// Since when an alert fires in truth; `None` if it does not.
    #[must_use]
    pub fn fires_since(&self, fingerprint: Fingerprint) -> Option<SimTime> {
        self.firing.get(&fingerprint).copied()
    }

    /// When an alert that does not fire ended; `None` if it fires, or never did.
    #[must_use]
    pub fn ended(&self, fingerprint: Fingerprint) -> Option<SimTime> {
        self.ended.get(&fingerprint).copied()
    }

    /// From when on it may be relied on to answer, as far as is known now.
    #[must_use]
    pub fn troubled(&self) -> SimTime {
        self.troubled
    }

    /// It cannot be asked until then.
    pub(super) fn lose(&mut self, until: SimTime) {
        self.away = until;
        self.troubled = self.troubled.max(until);
    }

    /// It takes so much longer until then.
    pub(super) fn slow_down(&mut self, by: Duration, until: SimTime) {
        self.slow = (until, by);
        self.troubled = self.troubled.max(until);
    }

    /// It is started anew, and is there at `at`.
    pub(super) fn restart(&mut self, at: SimTime) {
        self.lose(self.away.max(at));
        self.started = Some(at);
        self.troubled = self.troubled.max(at.after(UP_MIN));
    }

    /// It is there, and prompt. When it was started does not change.
    pub(super) fn calm(&mut self) {
        (self.away, self.slow) = (SimTime::default(), (SimTime::default(), Duration::ZERO));
    }

    /// How long a question that is put now takes.
    pub(super) fn takes(&self, now: SimTime) -> Duration {
        let (until, by) = self.slow;
        if now < self.away || until <= now { PROMPT } else { by.clamp(PROMPT, ANSWERS_WITHIN) }
    }

    /// What it answers now, to a question that took so long.
    pub(super) fn answer(&self, alert: &AlertReceived, (now, took): (SimTime, Duration)) -> Testimony {
        if let Some(testimony) = Testimony::about_a_stranger(alert) {
            return testimony;
        }
        let up = self.started.map_or(Duration::MAX, |started| now.since(started));
        let answer = if now < self.away {
            Answer::Silent("cannot be asked: connection refused".to_owned())
        } else if ANSWERS_WITHIN <= took {
            Answer::Silent("did not answer within 5 seconds".to_owned())
        } else if self.firing.contains_key(&alert.fingerprint) && FILLED_AFTER <= up {
            Answer::Lists
        } else {
            Answer::Lacks { up }
        };
        Testimony::of(&[("am".to_owned(), answer)])
    }
}
