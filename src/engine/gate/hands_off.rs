//! Hands off what somebody is at: a container that was touched from outside, or deployed, a short while ago is left
//! alone. Part of the gate `target`.
//!
//! Docker's events name no one, so what happened while an act of ours was under way counts as ours. Ages are told by the
//! engine's own clock; ours only tells how long ago our acts were.

use super::{Question, refuse};
use crate::model::container::{
    COMPOSE_CONFIG_HASH, Container, ContainerState, EventHistory, Predecessor, StopCause, TargetView, Touch,
};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Duration;

/// The engine's answers tell its time in whole seconds.
const ROUNDING: TimeDelta = TimeDelta::seconds(2);

/// A moment that Docker tells twice may differ by this much: the history reaches back to it all the same.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// Asks who was at the container within `docker.hands_off`.
pub(super) fn ask(question: &Question<'_>, view: &TargetView) -> Result<(), Refusal> {
    let hands_off = question.policy.hands_off;
    if hands_off.is_zero() {
        return Ok(());
    }
    let container = &view.container;
    let (now, touches, complete_since, predecessor) = match &view.history {
        EventHistory::Known { now, touches, complete_since, predecessor } => {
            (*now, touches, *complete_since, predecessor.as_ref())
        }
        EventHistory::Unknown(why) => {
            let name = &container.name;
            let detail = format!(
                "nobody can tell who was at {name} lately, because Docker's event history is not known: {why}; \
                 let sickbay ask for GET /events, or set docker.hands_off to 0s"
            );
            let refusal = refuse(Gate::Target, Reason::DockerUnavailable, detail);
            let refusal = refusal.saw("container", name).saw("error", why);
            return Err(refusal.saw("hands_off", format_duration(hands_off)));
        }
    };
    let look = Look { question, container, now, hands_off, complete_since };
    look.deployed(predecessor)?;
    // The latest first: it holds the container longest.
    touches.iter().rev().try_for_each(|touch| look.touched(touch))?;
    if container.state == ContainerState::Running {
        look.unexplained("started", &container.started_at)?;
    }
    if container.state == ContainerState::Exited && view.stop_cause == StopCause::Forgotten {
        look.unexplained("ended", &container.finished_at)?;
    }
    Ok(())
}

/// One container at one moment of the engine's.
struct Look<'a> {
    question: &'a Question<'a>,
    container: &'a Container,
    now: DateTime<Utc>,
    hands_off: Duration,
    complete_since: Option<DateTime<Utc>>,
}

impl Look<'_> {
    /// A new container that stands in for another one is a deployment, if it is another image or definition, or if the
    /// alert is older than it: then the alert was about the other one.
    fn deployed(&self, predecessor: Option<&Predecessor>) -> Result<(), Refusal> {
        let name = &self.container.name;
        let Ok(created) = self.container.created.parse::<DateTime<Utc>>() else {
            let detail = format!("Docker does not say when {name} was created");
            let refusal = refuse(Gate::Target, Reason::RecentlyDeployed, detail);
            return Err(refusal.saw("container", name).saw("created", &self.container.created));
        };
        let left_alone = |what: &str| self.leave_alone((Reason::RecentlyDeployed, "created"), created, what);
        let Some(predecessor) = predecessor else {
            if self.explained(created) {
                return Ok(());
            }
            return left_alone(&format!("{name} was created, perhaps in place of another,"));
        };
        let image = &self.container.image;
        let config_hash = self.container.labels.get(COMPOSE_CONFIG_HASH);
        let what = if predecessor.image != *image {
            format!("{name} was created from {image} in place of one from {}", predecessor.image)
        } else if predecessor.config_hash.as_ref() != config_hash {
            format!("{name} was created with another definition in place of one that was removed")
        } else if self.alert_is_older(created) {
            format!("{name} was created, in place of the one that the alert is about,")
        } else {
            return Ok(());
        };
        left_alone(&what)
    }

    /// Whether the alert began before a moment of the engine's, or nobody knows. The two clocks are not compared, only
    /// what each says how long ago it was.
    fn alert_is_older(&self, at: DateTime<Utc>) -> bool {
        let Some(began) = self.question.incident.alert.starts_at else { return true };
        self.now - at < self.question.now.wall - began
    }

    /// Whether the history reaches back to a moment.
    fn explained(&self, at: DateTime<Utc>) -> bool {
        self.complete_since.is_some_and(|since| since <= at + TOLERANCE)
    }

    fn touched(&self, touch: &Touch) -> Result<(), Refusal> {
        if self.ours(touch.at) {
            return Ok(());
        }
        let action = touch.action.as_str();
        let what = format!("somebody else did a `docker {action}` of {}", self.container.name);
        self.leave_alone((Reason::RecentlyTouched, action), touch.at, &what)
    }

    /// A start or an end whose cause the history no longer holds may have been anybody's.
    fn unexplained(&self, what: &str, at: &str) -> Result<(), Refusal> {
        let Ok(at) = at.parse::<DateTime<Utc>>() else { return Ok(()) };
        if self.explained(at) || self.ours(at) {
            return Ok(());
        }
        let words = format!("{} {what}, and Docker's event history no longer shows by whom,", self.container.name);
        self.leave_alone((Reason::RecentlyTouched, what), at, &words)
    }

    fn ours(&self, at: DateTime<Utc>) -> bool {
        let (own, now) = (self.question.state.own_acts(), self.question.now);
        let age = (self.now - at).to_std().unwrap_or_default();
        own.covers(&self.container.id, age, now)
    }

    /// No, if it was less than `hands_off` ago, or is yet to come by the engine's own clock.
    fn leave_alone(&self, (reason, action): (Reason, &str), at: DateTime<Utc>, what: &str) -> Result<(), Refusal> {
        let mut inputs = vec![
            ("action".to_owned(), action.to_owned()),
            ("at".to_owned(), at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            ("docker_time".to_owned(), self.now.to_rfc3339_opts(SecondsFormat::Secs, true)),
            ("hands_off".to_owned(), format_duration(self.hands_off)),
        ];
        let container = &self.container.name;
        if self.now + ROUNDING < at {
            let detail = format!("{what} in the future, by Docker's own clock: nobody can tell how long ago that was");
            return Err(Refusal { inputs, ..refuse(Gate::Target, reason, detail) }.saw("container", container));
        }
        let age = (self.now - at).to_std().unwrap_or_default();
        let age = Duration::from_secs(age.as_secs());
        if self.hands_off <= age {
            return Ok(());
        }
        inputs.push(("age".to_owned(), format_duration(age)));
        let (rest, limit) = (self.hands_off - age, format_duration(self.hands_off));
        let detail = format!("{what} {} ago; docker.hands_off is {limit}", format_duration(age));
        Err(Refusal { inputs, retry_after: rest, ..refuse(Gate::Target, reason, detail) }.saw("container", container))
    }
}
