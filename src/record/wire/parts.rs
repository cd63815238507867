//! Members that several kinds of record share: words of closed lists, ids, targets, what a container looked like.

use super::Problem;
use crate::model::action::{Reconciled, TargetIdent, TargetVitals, Vitals};
use crate::model::approval::{ReasonFor, VoteAnswer};
use crate::model::fact::Branch;
use crate::model::host::HostName;
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::{EpisodeEnd, FirstSight, Verdict};
use crate::model::label::Fingerprint;
use crate::model::memory::Help;
use crate::model::pause::PauseScope;
use crate::model::reason::{Gate, Reason};
use crate::model::service::ServiceVitals;
use crate::model::stamp::BootId;
use crate::model::step::StepMark;
use crate::model::target::{ComposeService, ContainerId, ContainerName, SwarmId, TargetId, TargetName};
use crate::model::testimony::Says;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A text borrowed from the line where it stands there unescaped.
pub(super) type Str<'a> = Cow<'a, str>;

/// A value that is written as one word: an id, a fingerprint, a code of a closed list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<T>(pub(super) T);

/// What can stand in a [`Word`].
pub(super) trait Wordable: Sized {
    /// What it is called in an error.
    const WHAT: &'static str;
    /// Writes it.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    /// Reads it back.
    fn read(word: &str) -> Option<Self>;
}

macro_rules! wordable {
    ($($type:ty: $what:literal, $read:expr;)*) => {$(
        impl Wordable for $type {
            const WHAT: &'static str = $what;

            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            fn read(word: &str) -> Option<Self> {
                $read(word)
            }
        }
    )*};
}

wordable! {
    IncidentId: "an incident id", |word: &str| word.parse().ok();
    ActId: "an act id", |word: &str| word.parse().ok();
    Fingerprint: "a fingerprint", Fingerprint::parse;
    Reason: "a reason", Reason::parse;
    Gate: "a gate", Gate::parse;
    Verdict: "a verdict", Verdict::parse;
    EpisodeEnd: "an episode's end", EpisodeEnd::parse;
    FirstSight: "a first sight", FirstSight::parse;
    Reconciled: "a finding", Reconciled::parse;
    VoteAnswer: "what became of a vote", VoteAnswer::parse;
    ReasonFor: "which votes need a reason", ReasonFor::parse;
    Says: "a witness's word", Says::parse;
    PauseScope: "the scope of a pause", |word: &str| word.parse().ok();
    HostName: "the name of a Docker host", HostName::parse;
    ContainerName: "a container name", |word: &str| ContainerName::parse(word).ok();
    ContainerId: "a full container id", ContainerId::parse;
    Help: "how a run helped", Help::parse;
    StepMark: "what is noted of a step", StepMark::parse;
    BootId: "a boot", |word: &str| u32::from_str_radix(word, 16).ok().map(BootId);
}

impl Wordable for Branch {
    const WHAT: &'static str = "a list of steps";

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|branch| branch.as_str() == word)
    }
}

impl<T: Wordable> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

impl<T: Wordable> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: Wordable> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = BorrowedStr::deserialize(deserializer)?.0;
        T::read(&word)
            .map(Self)
            .ok_or_else(|| de::Error::custom(format_args!("{word:?} is not {} this version knows", T::WHAT)))
    }
}

/// A text that borrows even inside an `Option` or a sequence, where serde's own derive would copy.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct BorrowedStr<'a>(#[serde(borrow)] pub(super) Str<'a>);

impl<'a> From<&'a str> for BorrowedStr<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// `target`: the container or service that is meant.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct TargetLine<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(default, skip_serializing_if = "KindWord::is_container")]
    kind: KindWord,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    service: Option<BorrowedStr<'a>>,
}

/// What a target is. Logs from before there were services have containers only.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindWord {
    #[default]
    Container,
    Swarm,
    Compose,
}

impl KindWord {
    /// For `skip_serializing_if`.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_container(&self) -> bool {
        matches!(self, Self::Container)
    }

    /// What an id is of.
    pub(super) fn of(id: &TargetId) -> Self {
        match id {
            TargetId::Container(_) => Self::Container,
            TargetId::Swarm(_) => Self::Swarm,
            TargetId::Compose(_) => Self::Compose,
        }
    }

    /// Reads an id of this kind.
    pub(super) fn id(self, text: &str) -> Result<TargetId, Problem> {
        let id = match self {
            Self::Container => ContainerId::parse(text).map(TargetId::Container),
            Self::Swarm => SwarmId::parse(text).map(TargetId::Swarm),
            Self::Compose => ComposeService::parse(text).map(TargetId::Compose),
        };
        id.ok_or_else(|| match self {
            Self::Container => format!("{text:?} is not a full container id"),
            Self::Swarm => format!("{text:?} is not a full service id"),
            Self::Compose => format!("{text:?} is not a Compose project and service"),
        })
    }
}

/// The text of an id, borrowed where it stands as such.
pub(super) fn id_text(id: &TargetId) -> Cow<'_, str> {
    match id {
        TargetId::Container(id) => id.as_str().into(),
        TargetId::Swarm(id) => id.as_str().into(),
        TargetId::Compose(service) => service.to_string().into(),
    }
}

impl<'a> From<&'a TargetIdent> for TargetLine<'a> {
    fn from(target: &'a TargetIdent) -> Self {
        Self {
            name: target.name.as_str().into(),
            kind: KindWord::of(&target.id),
            id: id_text(&target.id),
            image: target.image_id.as_str().into(),
            service: target.service.as_deref().map(BorrowedStr::from),
        }
    }
}

impl TryFrom<TargetLine<'_>> for TargetIdent {
    type Error = Problem;

    fn try_from(line: TargetLine<'_>) -> Result<Self, Problem> {
        let name = TargetName::parse(&line.name).ok_or_else(|| format!("{:?} is not a target's name", line.name))?;
        let id = line.kind.id(&line.id)?;
        let service = line.service.map(|service| (*service.0).into());
        Ok(Self { id, name, image_id: line.image.into_owned(), service })
    }
}

/// `pre` and `post`: how a target looked, in Docker's own words and spelling.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum VitalsLine<'a> {
    Container(#[serde(borrow)] ContainerVitalsLine<'a>),
    Service(#[serde(borrow)] ServiceVitalsLine<'a>),
}

/// How a service looked.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceVitalsLine<'a> {
    replicas: u32,
    running: u32,
    healthy: u32,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow)]
    template: Str<'a>,
    force_update: u64,
    version: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    update: Option<BorrowedStr<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    previous_image: Option<BorrowedStr<'a>>,
}

impl<'a> From<&'a TargetVitals> for VitalsLine<'a> {
    fn from(vitals: &'a TargetVitals) -> Self {
        match vitals {
            TargetVitals::Container(vitals) => Self::Container(vitals.into()),
            TargetVitals::Service(vitals) => Self::Service(ServiceVitalsLine {
                replicas: vitals.wanted,
                running: vitals.running,
                healthy: vitals.healthy,
                image: vitals.image.as_str().into(),
                template: vitals.template.as_str().into(),
                force_update: vitals.force_update,
                version: vitals.version,
                update: vitals.update.as_deref().map(BorrowedStr::from),
                previous_image: vitals.previous_image.as_deref().map(BorrowedStr::from),
            }),
        }
    }
}

impl From<VitalsLine<'_>> for TargetVitals {
    fn from(line: VitalsLine<'_>) -> Self {
        match line {
            VitalsLine::Container(line) => Self::Container(line.into()),
            VitalsLine::Service(line) => Self::Service(Box::new(ServiceVitals {
                wanted: line.replicas,
                running: line.running,
                healthy: line.healthy,
                image: line.image.into_owned(),
                template: line.template.into_owned(),
                force_update: line.force_update,
                version: line.version,
                update: line.update.map(|update| update.0.into_owned()),
                previous_image: line.previous_image.map(|image| image.0.into_owned()),
            })),
        }
    }
}

/// How a container looked.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerVitalsLine<'a> {
    #[serde(borrow)]
    started_at: Str<'a>,
    restart_count: u64,
    #[serde(borrow)]
    state: Str<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    health: Option<BorrowedStr<'a>>,
}

impl<'a> From<&'a Vitals> for ContainerVitalsLine<'a> {
    fn from(vitals: &'a Vitals) -> Self {
        Self {
            started_at: vitals.started_at.as_str().into(),
            restart_count: vitals.restart_count,
            state: vitals.state.as_str().into(),
            health: vitals.health.as_deref().map(BorrowedStr::from),
        }
    }
}

impl From<ContainerVitalsLine<'_>> for Vitals {
    fn from(line: ContainerVitalsLine<'_>) -> Self {
        Self {
            started_at: line.started_at.into_owned(),
            restart_count: line.restart_count,
            state: line.state.into_owned(),
            health: line.health.map(|health| health.0.into_owned()),
        }
    }
}

/// `plan`: `sha256:` and the digits.
#[derive(Debug)]
pub(super) struct Plan<'a>(pub(super) Str<'a>);

impl Serialize for Plan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("sha256:{}", self.0))
    }
}

impl<'de> Deserialize<'de> for Plan<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = BorrowedStr::deserialize(deserializer)?.0;
        let digits = text.strip_prefix("sha256:").ok_or_else(|| de::Error::custom("a plan begins with sha256:"))?;
        Ok(Self(Cow::Owned(digits.to_owned())))
    }
}

/// Whole milliseconds, rounded up so that nothing is tried too early after a restart.
pub(super) fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Whole seconds, rounded up.
pub(super) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(0 < duration.subsec_nanos())
}

/// For `skip_serializing_if`: `dry_run` and the like stand in a line only when true.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}
