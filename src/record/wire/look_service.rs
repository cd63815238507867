//! A service as a look keeps it: all that a gate reads of it.

use super::Problem;
use super::look::{read, written};
use super::parts::{BorrowedStr, KindWord, Str, id_text, is_false, millis_up};
use crate::model::reason::Reason;
use crate::model::service::{ImageChange, Mode, Obstacle, Previous, Room, Service, ServiceId, Update};
use crate::model::target::{ContainerName, TargetId};
use crate::record::text::{Cap, PairList};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// `service`
#[derive(Serialize, Deserialize)]
pub(super) struct ServiceLine<'a> {
    kind: KindWord,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<BorrowedStr<'a>>,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow)]
    template: Str<'a>,
    #[serde(borrow)]
    mode: Str<'a>,
    replicas: u32,
    running: u32,
    healthy: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    update: Option<BorrowedStr<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    previous: Option<PreviousLine<'a>>,
    force_update: u64,
    version: u64,
    monitor_ms: u64,
    down_at_once: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    mixed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<String>,
    now: String,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    labels: Option<PairList<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    no_more: Option<ObstacleLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    no_fewer: Option<ObstacleLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    no_back: Option<ObstacleLine<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_timeout_s: Option<u64>,
}

/// Why no replica can be added, or no more than so many taken away, or why they cannot be taken back.
#[derive(Serialize, Deserialize)]
struct ObstacleLine<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beyond: Option<u32>,
    #[serde(borrow)]
    reason: Str<'a>,
    #[serde(borrow)]
    detail: Str<'a>,
}

impl<'a> ObstacleLine<'a> {
    fn new((reason, detail): &'a Obstacle, beyond: Option<u32>) -> Self {
        Self { beyond, reason: reason.as_str().into(), detail: detail.as_str().into() }
    }

    fn into_obstacle(self) -> Result<Obstacle, Problem> {
        let reason = Reason::parse(&self.reason).ok_or_else(|| format!("unknown reason {:?}", &*self.reason))?;
        Ok((reason, self.detail.into_owned()))
    }
}

#[derive(Serialize, Deserialize)]
struct PreviousLine<'a> {
    #[serde(borrow)]
    image: Str<'a>,
    replicas: u32,
    #[serde(borrow)]
    template: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    change: Option<ChangeLine<'a>>,
}

/// How the present image of a Compose service came.
#[derive(Serialize, Deserialize)]
struct ChangeLine<'a> {
    #[serde(borrow)]
    image_id: Str<'a>,
    #[serde(borrow)]
    name: Str<'a>,
    at: String,
    settles_ms: u64,
}

impl<'a> PreviousLine<'a> {
    fn new(previous: &'a Previous) -> Self {
        let change = previous.change.as_ref().map(|change| ChangeLine {
            image_id: change.image_id.as_str().into(),
            name: change.name.as_str().into(),
            at: written(change.at),
            settles_ms: millis_up(change.settles_within),
        });
        Self {
            image: previous.image.as_str().into(),
            replicas: previous.replicas,
            template: previous.template.as_str().into(),
            change,
        }
    }

    fn into_previous(self) -> Result<Previous, Problem> {
        let change = self.change.map(|change| {
            Ok::<_, Problem>(ImageChange {
                image_id: change.image_id.into_owned(),
                name: change.name.into_owned(),
                at: read(&change.at)?,
                settles_within: Duration::from_millis(change.settles_ms),
            })
        });
        Ok(Previous {
            image: self.image.into_owned(),
            replicas: self.replicas,
            template: self.template.into_owned(),
            change: change.transpose()?,
        })
    }
}

impl<'a> ServiceLine<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        let labels: Vec<(String, String)> =
            service.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let id = service.id.target_id();
        let name = match &service.id {
            ServiceId::Swarm(_, name) => Some(BorrowedStr::from(name.as_str())),
            ServiceId::Compose(_) => None,
        };
        Self {
            kind: KindWord::of(&id),
            id: Cow::Owned(id_text(&id).into_owned()),
            name,
            image: service.image.as_str().into(),
            template: service.template.as_str().into(),
            mode: service.mode.as_str().into(),
            replicas: service.wanted,
            running: service.running,
            healthy: service.healthy,
            update: service.update.as_ref().map(|update| update.as_str().into()),
            previous: service.previous.as_ref().map(PreviousLine::new),
            force_update: service.force_update,
            version: service.version,
            monitor_ms: millis_up(service.monitor),
            down_at_once: service.down_at_once,
            most: service.most,
            mixed: service.mixed,
            created: service.created.map(written),
            changed: service.changed.map(written),
            now: written(service.now),
            labels: (!labels.is_empty()).then_some(PairList(Cow::Owned(labels), Cap::LOOK)),
            no_more: service.room.more.as_ref().map(|obstacle| ObstacleLine::new(obstacle, None)),
            no_back: service.room.back.as_ref().map(|obstacle| ObstacleLine::new(obstacle, None)),
            no_fewer: service.room.fewer.as_ref().map(|(fewer, obstacle)| ObstacleLine::new(obstacle, Some(*fewer))),
            stop_timeout_s: service.stop_timeout.map(|timeout| timeout.as_secs()),
        }
    }

    pub(super) fn into_service(self) -> Result<Service, Problem> {
        let id = match (self.kind.id(&self.id)?, self.name) {
            (TargetId::Swarm(id), Some(name)) => {
                ServiceId::Swarm(id, ContainerName::parse(&name.0).map_err(|bad| bad.to_string())?)
            }
            (TargetId::Compose(service), _) => ServiceId::Compose(service),
            (TargetId::Swarm(_) | TargetId::Container(_), _) => return Err("a service needs its name".to_owned()),
        };
        let labels = self.labels.map(|labels| labels.0.into_owned()).unwrap_or_default();
        Ok(Service {
            id,
            image: self.image.into_owned(),
            template: self.template.into_owned(),
            mode: match &*self.mode {
                "replicated" => Mode::Replicated,
                "global" => Mode::Global,
                other => Mode::Other(other.to_owned()),
            },
            wanted: self.replicas,
            running: self.running,
            healthy: self.healthy,
            update: self.update.map(|update| Update::parse(&update.0)),
            previous: self.previous.map(PreviousLine::into_previous).transpose()?,
            force_update: self.force_update,
            version: self.version,
            monitor: Duration::from_millis(self.monitor_ms),
            down_at_once: self.down_at_once,
            most: self.most,
            mixed: self.mixed,
            created: self.created.as_deref().map(read).transpose()?,
            changed: self.changed.as_deref().map(read).transpose()?,
            now: read(&self.now)?,
            labels: labels.into_iter().collect(),
            room: Room {
                more: self.no_more.map(ObstacleLine::into_obstacle).transpose()?,
                fewer: match self.no_fewer {
                    Some(line) => Some((line.beyond.unwrap_or_default(), line.into_obstacle()?)),
                    None => None,
                },
                back: self.no_back.map(ObstacleLine::into_obstacle).transpose()?,
            },
            stop_timeout: self.stop_timeout_s.map(Duration::from_secs),
        })
    }
}
