//! Members that several kinds of record share: words of closed lists, ids, targets, what a container looked like.

use super::Problem;
use crate::model::action::{Reconciled, TargetIdent, Vitals};
use crate::model::fact::Branch;
use crate::model::id::{ActId, IncidentId};
use crate::model::incident::{EpisodeEnd, FirstSight, Verdict};
use crate::model::label::Fingerprint;
use crate::model::memory::Help;
use crate::model::pause::PauseScope;
use crate::model::reason::{Gate, Reason};
use crate::model::stamp::BootId;
use crate::model::target::{ContainerId, ContainerName};
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
    Says: "a witness's word", Says::parse;
    PauseScope: "the scope of a pause", |word: &str| word.parse().ok();
    ContainerName: "a container name", |word: &str| ContainerName::parse(word).ok();
    ContainerId: "a full container id", ContainerId::parse;
    Help: "how a run helped", Help::parse;
    BootId: "a boot", |word: &str| u32::from_str_radix(word, 16).ok().map(BootId);
}

impl Wordable for Branch {
    const WHAT: &'static str = "a list of steps";

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Steps, Self::OnFailure].into_iter().find(|branch| branch.as_str() == word)
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

/// `target`: the container that is meant.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct TargetLine<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    image: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    service: Option<BorrowedStr<'a>>,
}

impl<'a> From<&'a TargetIdent> for TargetLine<'a> {
    fn from(target: &'a TargetIdent) -> Self {
        Self {
            name: target.name.as_str().into(),
            id: target.id.as_str().into(),
            image: target.image_id.as_str().into(),
            service: target.service.as_deref().map(BorrowedStr::from),
        }
    }
}

impl TryFrom<TargetLine<'_>> for TargetIdent {
    type Error = Problem;

    fn try_from(line: TargetLine<'_>) -> Result<Self, Problem> {
        let name = ContainerName::parse(&line.name).map_err(|bad| bad.to_string())?;
        let id = ContainerId::parse(&line.id).ok_or_else(|| format!("{:?} is not a full container id", line.id))?;
        let service = line.service.map(|service| (*service.0).into());
        Ok(Self { id, name, image_id: line.image.into_owned(), service })
    }
}

/// `pre` and `post`: how a container looked, in Docker's own words and spelling.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VitalsLine<'a> {
    #[serde(borrow)]
    started_at: Str<'a>,
    restart_count: u64,
    #[serde(borrow)]
    state: Str<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    health: Option<BorrowedStr<'a>>,
}

impl<'a> From<&'a Vitals> for VitalsLine<'a> {
    fn from(vitals: &'a Vitals) -> Self {
        Self {
            started_at: vitals.started_at.as_str().into(),
            restart_count: vitals.restart_count,
            state: vitals.state.as_str().into(),
            health: vitals.health.as_deref().map(BorrowedStr::from),
        }
    }
}

impl From<VitalsLine<'_>> for Vitals {
    fn from(line: VitalsLine<'_>) -> Self {
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
