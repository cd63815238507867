//! What the state remembers, as plain values: the parts that it is made of, and all of them as one record holds them.
//!
//! [`Memory`] is the type to read first. What the parts mean, and what is asked of them, is the engine's.

use super::fact::{AlertReceived, Fact, Left};
use super::host::Host;
use super::id::{ActId, IncidentId};
use super::label::Fingerprint;
use super::limit::LimitKey;
use super::moment::Moment;
use super::pause::Pause;
use super::reason::{Reason, codes};
use super::resources::ResourceLimits;
use super::stamp::Stamp;
use super::target::{ContainerId, TargetId};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// The whole state at one point of the log: with it, nothing before that point needs to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// When the last record was written, and how much time is proven to have passed in this log until then, in
    /// milliseconds; `None` before the first record.
    pub clock: Option<(Stamp, u64)>,
    /// Episodes that are open or may still be reopened, by fingerprint.
    pub episodes: Vec<(Fingerprint, Episode)>,
    /// Episodes in the order of their end, to be forgotten in that order.
    pub ended: Vec<(Fingerprint, Moment)>,
    /// Open incidents, oldest first.
    pub incidents: Vec<OpenIncident>,
    /// The runs that something may follow when their alerts have ended, by incident.
    pub owed: Vec<Owed>,
    /// The attempts that count against limits, oldest first.
    pub attempts: Vec<Attempt>,
    /// How runs ended, oldest first.
    pub ends: Vec<Ended>,
    /// The pauses that stand.
    pub pauses: Vec<PauseInForce>,
    /// When playbooks took alerts lately, oldest first.
    pub taken: Vec<Moment>,
    /// The last freeze in a storm: since when, and for how long.
    pub frozen: Option<(Moment, Duration)>,
    /// What was done to containers lately, oldest first.
    pub own_acts: Vec<OwnAct>,
    /// How services were left by our last change of each, oldest first.
    pub services: Vec<ServiceLeft>,
    /// How many replicas services had before incidents scaled them, oldest first.
    pub originals: Vec<Original>,
    /// Which limits containers had before incidents raised them, oldest first.
    pub raised: Vec<LimitsRaised>,
    /// The revisions of playbooks whose texts the log tells: those of a part of it that is gone must not be among them.
    pub texts: Vec<Arc<str>>,
    /// What the first Docker host was called when the daemon last started; `None` where no record says so.
    pub first_host: Option<String>,
}

/// An incident as the facts about it, so far.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIncident {
    /// Its name.
    pub id: IncidentId,
    /// When it was opened.
    pub opened: Moment,
    /// The alert that opened it.
    pub alert: Arc<AlertReceived>,
    /// What happened since, oldest first, without evidence.
    pub story: Vec<(Moment, Fact)>,
}

/// One stretch of an alert being firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The latest start the sender named. A later one means that an end was missed.
    pub starts_at: Option<DateTime<Utc>>,
    /// When it was first seen.
    pub seen: Moment,
    /// When it ended; `None` while it is open.
    pub ended: Option<Moment>,
    /// When the sender says it ended.
    pub ends_at: Option<DateTime<Utc>>,
    /// The incident it opened, even if that is closed by now.
    pub incident: Option<IncidentId>,
    /// The playbook that took it.
    pub playbook: Option<Arc<str>>,
    /// Why nobody took it.
    pub nobody: Option<Reason>,
    /// Whether something was done for it: then nothing is done again.
    pub acted: bool,
}

/// A run that something may follow when its alert has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The incident that ran.
    pub incident: IncidentId,
    /// Its alert.
    pub alert: Arc<AlertReceived>,
    /// What it left; `None` while it is under way.
    pub left: Option<Left>,
    /// Whether its alert has ended.
    pub ended: bool,
    /// Since when the run is over and the alert has ended.
    pub due: Option<Moment>,
}

/// One run, or one try of it, that was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The run.
    pub incident: IncidentId,
    /// Its playbook.
    pub playbook: Arc<str>,
    /// Its target's name, if it has one.
    pub target: Option<Arc<str>>,
    /// When it was charged.
    pub at: Moment,
    /// When it was over; `None` while it is under way.
    pub ended: Option<Moment>,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Whether it followed the end of an alert: then the playbook's own limits do not count it.
    pub aftercare: bool,
    /// The labels by which its playbook counted, each with its value.
    pub key: LimitKey,
}

/// One run, or one try of it, that acted and came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub incident: IncidentId,
    /// Its playbook.
    pub playbook: Arc<str>,
    /// Its target's name.
    pub target: Arc<str>,
    /// When; if it did not last, when that was seen.
    pub at: Moment,
    /// Whether it helped.
    pub help: Help,
}

codes! {
    /// Whether a run helped.
    Help {
        /// It recovered, as far as was looked.
        Yes = "yes",
        /// It recovered and fell ill again too soon.
        NotForLong = "not_for_long",
        /// It failed, did not help, or nobody can tell.
        No = "no",
        /// It was the last of several tries, and did not help either.
        NoneLeft = "none_left",
        /// A person says that what came before counts no more.
        Reset = "reset",
    }
}

/// A pause that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseInForce {
    /// What, by whom, why, how long.
    pub pause: Pause,
    /// Since when.
    pub set: Moment,
}

/// How our last change of a service leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLeft {
    /// Which service.
    pub id: TargetId,
    /// On which Docker host: the same Compose project may be on several.
    pub host: Host,
    /// When the change was intended.
    pub at: Moment,
    /// Replicas wanted.
    pub wanted: u32,
    /// The counter of forced updates.
    pub force_update: u64,
    /// What its tasks are made from; empty where only a look could tell.
    pub template: String,
    /// The image that our last rollback left behind, if there was one: no rollback goes there.
    pub undone: Option<String>,
}

/// How many replicas a service had before an incident scaled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// Which incident.
    pub incident: IncidentId,
    /// Which service.
    pub id: TargetId,
    /// On which Docker host.
    pub host: Host,
    /// How many there were.
    pub count: u32,
    /// How many the incident's last change leaves.
    pub left: u32,
    /// When the first change was intended.
    pub at: Moment,
}

/// Which limits a container had before an incident raised them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsRaised {
    /// The incident's last change of them.
    pub act: ActId,
    /// Which container: another one of the same name was never raised.
    pub container: ContainerId,
    /// Before the first change.
    pub original: ResourceLimits,
    /// Before the last change.
    pub before: ResourceLimits,
    /// As the last change leaves them.
    pub left: ResourceLimits,
    /// When the first change was intended.
    pub at: Moment,
}

/// One act on one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAct {
    /// Which.
    pub act: ActId,
    /// On which container.
    pub container: ContainerId,
    /// When it was intended.
    pub from: Moment,
    /// After this, Docker was done with it, whatever came of it.
    pub deadline: Duration,
    /// When its end was known; `None` while it is not.
    pub to: Option<Moment>,
}
