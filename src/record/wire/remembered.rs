//! What `state.saved` remembers of what runs have left: services as our last change left them, and the replicas and limits
//! that `to: original` goes back to.

use super::Problem;
use super::action::LimitsLine;
use super::parts::{BorrowedStr, KindWord, Str, Word, id_text};
use super::state::MomentLine;
use crate::model::host::HostName;
use crate::model::id::{ActId, IncidentId};
use crate::model::memory::{LimitsRaised, Original, ServiceLeft};
use crate::model::target::ContainerId;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How a service was left.
#[derive(Serialize, Deserialize)]
pub(super) struct LeftLine<'a> {
    kind: KindWord,
    #[serde(borrow)]
    id: Cow<'a, str>,
    at: MomentLine,
    replicas: u32,
    force_update: u64,
    #[serde(borrow)]
    template: Str<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    undone: Option<BorrowedStr<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Word<HostName>>,
}

/// How many replicas there were before.
#[derive(Serialize, Deserialize)]
pub(super) struct OriginalLine<'a> {
    inc: Word<IncidentId>,
    kind: KindWord,
    #[serde(borrow)]
    id: Cow<'a, str>,
    count: u32,
    left: u32,
    at: MomentLine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Word<HostName>>,
}

/// Which limits there were before.
#[derive(Serialize, Deserialize)]
pub(super) struct RaisedLine<'a> {
    act: Word<ActId>,
    #[serde(borrow)]
    container: Str<'a>,
    original: LimitsLine,
    before: LimitsLine,
    left: LimitsLine,
    at: MomentLine,
}

impl<'a> From<&'a LimitsRaised> for RaisedLine<'a> {
    fn from(raised: &'a LimitsRaised) -> Self {
        let LimitsRaised { act, container, original, before, left, at } = raised;
        let (original, before, left) = ((*original).into(), (*before).into(), (*left).into());
        Self { act: Word(*act), container: container.as_str().into(), original, before, left, at: (*at).into() }
    }
}

impl TryFrom<RaisedLine<'_>> for LimitsRaised {
    type Error = Problem;

    fn try_from(line: RaisedLine<'_>) -> Result<Self, Problem> {
        let RaisedLine { act: Word(act), container, original, before, left, at } = line;
        let container =
            ContainerId::parse(&container).ok_or_else(|| format!("{container:?} is not a full container id"))?;
        let (original, before, left) = (original.into(), before.into(), left.into());
        Ok(Self { act, container, original, before, left, at: at.into() })
    }
}

impl<'a> From<&'a ServiceLeft> for LeftLine<'a> {
    fn from(left: &'a ServiceLeft) -> Self {
        Self {
            kind: KindWord::of(&left.id),
            id: id_text(&left.id),
            at: left.at.into(),
            replicas: left.wanted,
            force_update: left.force_update,
            template: left.template.as_str().into(),
            undone: left.undone.as_deref().map(BorrowedStr::from),
            host: left.host.name().cloned().map(Word),
        }
    }
}

impl TryFrom<LeftLine<'_>> for ServiceLeft {
    type Error = Problem;

    fn try_from(line: LeftLine<'_>) -> Result<Self, Problem> {
        Ok(Self {
            id: line.kind.id(&line.id)?,
            at: line.at.into(),
            wanted: line.replicas,
            force_update: line.force_update,
            template: line.template.into_owned(),
            undone: line.undone.map(|undone| undone.0.into_owned()),
            host: line.host.map(|Word(host)| host).into(),
        })
    }
}

impl<'a> From<&'a Original> for OriginalLine<'a> {
    fn from(original: &'a Original) -> Self {
        let Original { incident, id, host, count, left, at } = original;
        let (kind, id, host) = (KindWord::of(id), id_text(id), host.name().cloned().map(Word));
        Self { inc: Word(*incident), kind, id, count: *count, left: *left, at: (*at).into(), host }
    }
}

impl TryFrom<OriginalLine<'_>> for Original {
    type Error = Problem;

    fn try_from(line: OriginalLine<'_>) -> Result<Self, Problem> {
        let id = line.kind.id(&line.id)?;
        let host = line.host.map(|Word(host)| host).into();
        Ok(Self { incident: line.inc.0, id, host, count: line.count, left: line.left, at: line.at.into() })
    }
}
