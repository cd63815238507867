//! `look`: what Docker showed of a target when the gates were asked, as far as they read it.
//!
//! For replays: members that stand for nothing special (no restarts, exit code 0, no labels) are left out. Of the other
//! containers of the service only their names and how they are is kept; they read back with ids made of their names.

use super::Problem;
use super::action::LimitsLine;
use super::look_service::ServiceLine;
use super::parts::{BorrowedStr, Str, Word, is_false, millis_up};
use crate::model::container::{
    Container, ContainerState, EventHistory, Health, HealthCheck, MemoryInUse, Predecessor, RestartPolicy, StopCause,
    TargetReport, TargetView, Touch, TouchAction,
};
use crate::model::target::{ContainerId, ContainerName};
use crate::record::chain::Hash;
use crate::record::text::{Cap, PairList, Text};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The latest touches that are kept: what is older holds nobody back.
const TOUCHES_MAX: usize = 32;

/// A look as it stands in the line.
#[derive(Serialize, Deserialize)]
pub(super) struct LookLine<'a> {
    answer: AnswerWord,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<OtherLine>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    container: Option<ContainerLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    stop_cause: Option<BorrowedStr<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    dependents: Vec<ContainerLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    peers: Option<PairList<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    history: Option<HistoryLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_in_use: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    memory_unknown: Option<Text<'a>>,
}

/// One of several containers that is not the first.
#[derive(Serialize, Deserialize)]
struct OtherLine {
    name: Word<ContainerName>,
    id: Word<ContainerId>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerWord {
    Found,
    Several,
    Missing,
    Ambiguous,
    Unavailable,
    Denied,
    NoManager,
}

#[derive(Serialize, Deserialize)]
struct ContainerLine<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow)]
    image_id: Str<'a>,
    #[serde(borrow)]
    state: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    health: Option<BorrowedStr<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_period_ms: Option<u64>,
    #[serde(borrow)]
    created: Str<'a>,
    #[serde(borrow)]
    started_at: Str<'a>,
    #[serde(borrow)]
    finished_at: Str<'a>,
    #[serde(default, skip_serializing_if = "is_zero")]
    restart_count: u64,
    #[serde(default, skip_serializing_if = "is_nothing")]
    exit_code: i64,
    #[serde(default, skip_serializing_if = "is_false")]
    oom_killed: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_error: Option<Text<'a>>,
    #[serde(borrow)]
    restart_policy: Str<'a>,
    #[serde(default, skip_serializing_if = "is_false")]
    auto_remove: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "LimitsLine::are_none")]
    limits: LimitsLine,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    labels: Option<PairList<'a>>,
}

#[derive(Serialize, Deserialize)]
struct HistoryLine<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    unknown: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    touches: Vec<TouchLine>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    before: Option<BeforeLine<'a>>,
}

#[derive(Serialize, Deserialize)]
struct TouchLine {
    action: String,
    at: String,
}

#[derive(Serialize, Deserialize)]
struct BeforeLine<'a> {
    gone: String,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    config_hash: Option<BorrowedStr<'a>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_nothing(number: &i64) -> bool {
    *number == 0
}

impl<'a> LookLine<'a> {
    /// `None` where a record would grow too long otherwise.
    pub(super) fn new(look: &'a TargetReport, cap: Cap) -> Option<Self> {
        let line = |answer| Self {
            answer,
            error: None,
            names: Vec::new(),
            others: Vec::new(),
            container: None,
            service: None,
            stop_cause: None,
            dependents: Vec::new(),
            peers: None,
            history: None,
            memory_in_use: None,
            memory_unknown: None,
        };
        if cap.is_smallest() {
            return None;
        }
        let failed = |answer, error: &'a str| Self { error: Some(Text::new(error, cap)), ..line(answer) };
        let found = |view: &'a TargetView, answer| Self {
            container: Some(ContainerLine::new(&view.container, cap)),
            stop_cause: (view.stop_cause != StopCause::NotAsked).then(|| view.stop_cause.as_str().into()),
            dependents: view.dependents.iter().map(|dependent| ContainerLine::new(dependent, cap)).collect(),
            peers: peers(&view.peers),
            history: Some(HistoryLine::new(&view.history, cap)),
            memory_in_use: if let MemoryInUse::Known(bytes) = view.memory_in_use { Some(bytes) } else { None },
            memory_unknown: if let MemoryInUse::Unknown(why) = &view.memory_in_use {
                Some(Text::new(why, cap))
            } else {
                None
            },
            ..line(answer)
        };
        Some(match look {
            TargetReport::Found(view) => found(view, AnswerWord::Found),
            TargetReport::FoundService(service) => {
                Self { service: Some(ServiceLine::new(service)), ..line(AnswerWord::Found) }
            }
            TargetReport::Several { first, others } => {
                let other = |(id, name): &(ContainerId, ContainerName)| OtherLine {
                    name: Word(name.clone()),
                    id: Word(id.clone()),
                };
                Self { others: others.iter().map(other).collect(), ..found(first, AnswerWord::Several) }
            }
            TargetReport::Missing => line(AnswerWord::Missing),
            TargetReport::Ambiguous(names) => Self { names: names.clone(), ..line(AnswerWord::Ambiguous) },
            TargetReport::Unavailable(error) => failed(AnswerWord::Unavailable, error),
            TargetReport::Denied(error) => failed(AnswerWord::Denied, error),
            TargetReport::NoManager(error) => failed(AnswerWord::NoManager, error),
        })
    }

    /// The look again.
    pub(super) fn into_look(self) -> Result<Arc<TargetReport>, Problem> {
        let error = self.error.map(Text::into_string).unwrap_or_default();
        Ok(Arc::new(match self.answer {
            AnswerWord::Missing => TargetReport::Missing,
            AnswerWord::Ambiguous => TargetReport::Ambiguous(self.names),
            AnswerWord::Unavailable => TargetReport::Unavailable(error),
            AnswerWord::Denied => TargetReport::Denied(error),
            AnswerWord::NoManager => TargetReport::NoManager(error),
            AnswerWord::Found if self.service.is_some() => {
                let service = self.service.ok_or("a look that found a service holds it")?;
                TargetReport::FoundService(Box::new(service.into_service()?))
            }
            answer @ (AnswerWord::Found | AnswerWord::Several) => {
                let container =
                    self.container.ok_or("a look that found something holds a container")?.into_container()?;
                let dependents = self.dependents.into_iter().map(ContainerLine::into_container);
                let dependents = dependents.collect::<Result<Vec<_>, _>>()?;
                let peers = self.peers.map(|peers| peers.0.into_owned()).unwrap_or_default();
                let peers = peers.iter().map(|peer| read_peer(peer, &container)).collect::<Result<Vec<_>, _>>()?;
                let stop_cause = self.stop_cause.map_or(Ok(StopCause::NotAsked), |word| read_cause(&word.0))?;
                let history = self.history.ok_or("a look that found something holds a history")?.into_history()?;
                let memory_in_use = match (self.memory_in_use, self.memory_unknown) {
                    (Some(bytes), _) => MemoryInUse::Known(bytes),
                    (None, Some(why)) => MemoryInUse::Unknown(why.into_string()),
                    (None, None) => MemoryInUse::NotAsked,
                };
                let view = Box::new(TargetView { container, dependents, peers, stop_cause, history, memory_in_use });
                let others = self.others.into_iter().map(|other| (other.id.0, other.name.0)).collect();
                if matches!(answer, AnswerWord::Several) {
                    TargetReport::Several { first: view, others }
                } else {
                    TargetReport::Found(view)
                }
            }
        }))
    }
}

impl<'a> ContainerLine<'a> {
    fn new(container: &'a Container, cap: Cap) -> Self {
        let labels: Vec<(String, String)> =
            container.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let error = &container.start_error;
        Self {
            name: container.name.as_str().into(),
            id: container.id.as_str().into(),
            image: container.image.as_str().into(),
            image_id: container.image_id.as_str().into(),
            state: container.state.as_str().into(),
            health: container.health.as_ref().map(|health| health.as_str().into()),
            start_period_ms: container.health_check.map(|check| millis_up(check.start_period)),
            created: container.created.as_str().into(),
            started_at: container.started_at.as_str().into(),
            finished_at: container.finished_at.as_str().into(),
            restart_count: container.restart_count,
            exit_code: container.exit_code,
            oom_killed: container.oom_killed,
            start_error: (!error.is_empty()).then(|| Text::new(error, cap)),
            restart_policy: container.restart_policy.as_str().into(),
            auto_remove: container.auto_remove,
            stop_timeout_ms: container.stop_timeout.map(millis_up),
            limits: container.limits.into(),
            labels: (!labels.is_empty()).then_some(PairList(Cow::Owned(labels), Cap::LOOK)),
        }
    }

    fn into_container(self) -> Result<Container, Problem> {
        let labels = self.labels.map(|labels| labels.0.into_owned()).unwrap_or_default();
        // Only the start period is looked at.
        let check = |start_period| HealthCheck {
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
            retries: 0,
            start_period: Duration::from_millis(start_period),
        };
        Ok(Container {
            id: ContainerId::parse(&self.id).ok_or_else(|| format!("{:?} is not a full container id", self.id))?,
            name: ContainerName::parse(&self.name).map_err(|bad| bad.to_string())?,
            image: self.image.into_owned(),
            image_id: self.image_id.into_owned(),
            state: ContainerState::parse(&self.state),
            health: self.health.map(|health| Health::parse(&health.0)),
            health_check: self.start_period_ms.map(check),
            created: self.created.into_owned(),
            started_at: self.started_at.into_owned(),
            finished_at: self.finished_at.into_owned(),
            restart_count: self.restart_count,
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            start_error: self.start_error.map(Text::into_string).unwrap_or_default(),
            restart_policy: read_policy(&self.restart_policy)?,
            auto_remove: self.auto_remove,
            stop_timeout: self.stop_timeout_ms.map(Duration::from_millis),
            network_mode: String::new(),
            limits: self.limits.into(),
            labels: labels.into_iter().collect(),
        })
    }
}

/// The others of the service: `running`, or `running/healthy` with a health check.
fn peers(peers: &[Container]) -> Option<PairList<'static>> {
    let told = peers.iter().map(|peer| {
        let state = peer.state.as_str();
        let health = peer.health.as_ref().map(|health| format!("/{}", health.as_str())).unwrap_or_default();
        (peer.name.to_string(), format!("{state}{health}"))
    });
    (!peers.is_empty()).then(|| PairList(told.collect(), Cap::NONE))
}

fn read_peer((name, told): &(String, String), target: &Container) -> Result<Container, Problem> {
    let id = Hash::of(name.as_bytes()).to_string();
    let id = if *name == target.name.as_str() { Some(target.id.clone()) } else { ContainerId::parse(&id) };
    let (state, health) = told.split_once('/').map_or((told.as_str(), None), |(state, health)| (state, Some(health)));
    Ok(Container {
        id: id.ok_or("no id for another of the service")?,
        name: ContainerName::parse(name).map_err(|bad| bad.to_string())?,
        state: ContainerState::parse(state),
        health: health.map(Health::parse),
        ..Container::named(&target.name, &target.id)
    })
}

impl<'a> HistoryLine<'a> {
    fn new(history: &'a EventHistory, cap: Cap) -> Self {
        let nothing = Self { unknown: None, now: None, since: None, touches: Vec::new(), before: None };
        match history {
            EventHistory::Unknown(why) => Self { unknown: Some(Text::new(why, cap)), ..nothing },
            EventHistory::Known { now, touches, complete_since, predecessor } => {
                let latest = touches.len().saturating_sub(TOUCHES_MAX);
                let line = |touch: &Touch| TouchLine { action: touch.action.to_string(), at: written(touch.at) };
                Self {
                    now: Some(written(*now)),
                    since: complete_since.map(written),
                    touches: touches.iter().skip(latest).map(line).collect(),
                    before: predecessor.as_ref().map(|before| BeforeLine {
                        gone: written(before.gone),
                        image: before.image.as_str().into(),
                        config_hash: before.config_hash.as_deref().map(BorrowedStr::from),
                    }),
                    ..nothing
                }
            }
        }
    }

    fn into_history(self) -> Result<EventHistory, Problem> {
        let Some(now) = self.now else {
            return Ok(EventHistory::Unknown(self.unknown.map(Text::into_string).unwrap_or_default()));
        };
        let touch = |line: TouchLine| -> Result<Touch, Problem> {
            let action = TouchAction::parse(&line.action);
            let action = action.ok_or_else(|| format!("{:?} is nothing this version knows of", line.action))?;
            Ok(Touch { action, at: read(&line.at)? })
        };
        let before = |line: BeforeLine<'_>| -> Result<Predecessor, Problem> {
            let config_hash = line.config_hash.map(|hash| hash.0.into_owned());
            Ok(Predecessor { gone: read(&line.gone)?, image: line.image.into_owned(), config_hash })
        };
        Ok(EventHistory::Known {
            now: read(&now)?,
            touches: self.touches.into_iter().map(touch).collect::<Result<_, _>>()?,
            complete_since: self.since.as_deref().map(read).transpose()?,
            predecessor: self.before.map(before).transpose()?,
        })
    }
}

/// As all moments of the log: six digits, or nine where six would lose something.
pub(super) fn written(at: DateTime<Utc>) -> String {
    let digits =
        if at.timestamp_subsec_nanos().is_multiple_of(1000) { SecondsFormat::Micros } else { SecondsFormat::Nanos };
    at.to_rfc3339_opts(digits, true)
}

pub(super) fn read(text: &str) -> Result<DateTime<Utc>, Problem> {
    text.parse().map_err(|_not_a_time| format!("{text:?} is not a time"))
}

fn read_cause(word: &str) -> Result<StopCause, Problem> {
    let known = [StopCause::NotAsked, StopCause::Stopped, StopCause::Died, StopCause::Forgotten];
    let found = known.into_iter().find(|cause| cause.as_str() == word);
    found.ok_or_else(|| format!("{word:?} is not a cause this version knows"))
}

fn read_policy(word: &str) -> Result<RestartPolicy, Problem> {
    RestartPolicy::parse(word).ok_or_else(|| format!("{word:?} is not a restart policy this version knows"))
}
