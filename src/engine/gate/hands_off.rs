//! Hands off what somebody is at: a container that was touched from outside, or created, a short while ago is left alone.
//! Part of the gate `target`.
//!
//! Docker's events name no one, so what happened while an act of ours was under way counts as ours. Ages are told by the
//! engine's own clock; ours only tells how long ago our acts were.

use super::{Question, refuse};
use crate::model::container::{Container, ContainerState, EventHistory, StopCause, TargetView, Touch};
use crate::model::duration::format_duration;
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Duration;

/// The engine's answers tell its time in whole seconds.
const ROUNDING: TimeDelta = TimeDelta::seconds(2);

/// Asks who was at the container within `docker.hands_off`.
pub(super) fn ask(question: &Question<'_>, view: &TargetView) -> Result<(), Refusal> {
    let hands_off = question.policy.hands_off;
    if hands_off.is_zero() {
        return Ok(());
    }
    let container = &view.container;
    let (now, touches, reaches_start) = match &view.history {
        EventHistory::Known { now, touches, reaches_start } => (*now, touches, *reaches_start),
        EventHistory::Unknown(why) => {
            let name = &container.name;
            let detail =
                format!("nobody can tell who was at {name} lately, because Docker's event history is not known: {why}");
            let refusal = refuse(Gate::Target, Reason::DockerUnavailable, detail);
            return Err(refusal.saw("container", name).saw("error", why));
        }
    };
    let look = Look { question, container, now, hands_off };
    look.created()?;
    // The latest first: it holds the container longest.
    touches.iter().rev().try_for_each(|touch| look.touched(touch))?;
    if container.state == ContainerState::Running && !reaches_start {
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
}

impl Look<'_> {
    fn created(&self) -> Result<(), Refusal> {
        let name = &self.container.name;
        let Ok(created) = self.container.created.parse::<DateTime<Utc>>() else {
            let detail = format!("Docker does not say when {name} was created");
            let refusal = refuse(Gate::Target, Reason::RecentlyDeployed, detail);
            return Err(refusal.saw("container", name).saw("created", &self.container.created));
        };
        self.leave_alone((Reason::RecentlyDeployed, "created"), created, &format!("{name} was created"))
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
        if self.ours(at) {
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
