//! `state.saved`: the whole state in one record. It is never cut: what is missing from it would be forgotten.
//!
//! Facts stand in it with the bodies of their own kinds, so that there is one way to write each.

use super::parts::{BorrowedStr, Str, Word, is_false, millis_up};
use super::remembered::{LeftLine, OriginalLine, RaisedLine};
use super::{Problem, brake, opened, read_body, write_body};
use crate::model::fact::{AlertReceived, Fact};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::label::Fingerprint;
use crate::model::memory::{
    Attempt, Ended, Episode, Help, LimitsRaised, Memory, OpenIncident, Original, Owed, OwnAct, PauseInForce,
    ServiceLeft,
};
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use crate::model::stamp::{BootId, Stamp};
use crate::model::target::ContainerId;
use crate::record::text::{Cap, PairList};
use crate::record::time;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// `state.saved`
#[derive(Serialize, Deserialize)]
pub(super) struct StateLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<ClockLine>,
    #[serde(borrow)]
    episodes: Vec<EpisodeLine<'a>>,
    ended: Vec<EndLine>,
    #[serde(borrow)]
    incidents: Vec<IncidentLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    owed: Vec<OwedLine<'a>>,
    #[serde(borrow)]
    attempts: Vec<AttemptLine<'a>>,
    #[serde(borrow)]
    ends: Vec<HelpLine<'a>>,
    #[serde(borrow)]
    pauses: Vec<PauseLine<'a>>,
    taken: Vec<MomentLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<FreezeLine>,
    own_acts: Vec<OwnActLine>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<LeftLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    originals: Vec<OriginalLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    raised: Vec<RaisedLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    texts: Vec<Str<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first_host: Option<Cow<'a, str>>,
}

/// A moment of the log's own time.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct MomentLine {
    #[serde(with = "time::exact")]
    ts: DateTime<Utc>,
    passed_ms: u64,
}

/// Where the log's time stands.
#[derive(Serialize, Deserialize)]
struct ClockLine {
    #[serde(with = "time::exact")]
    ts: DateTime<Utc>,
    up_ms: u64,
    boot: Word<BootId>,
    passed_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct EpisodeLine<'a> {
    fingerprint: Word<Fingerprint>,
    #[serde(default, with = "time::optional", skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    seen: MomentLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<MomentLine>,
    #[serde(default, with = "time::optional", skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inc: Option<Word<IncidentId>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    playbook: Option<BorrowedStr<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<Reason>>,
    acted: bool,
}

#[derive(Serialize, Deserialize)]
struct EndLine {
    fingerprint: Word<Fingerprint>,
    at: MomentLine,
}

#[derive(Serialize, Deserialize)]
struct IncidentLine<'a> {
    inc: Word<IncidentId>,
    opened: MomentLine,
    alert: Box<RawValue>,
    #[serde(borrow)]
    story: Vec<ToldLine<'a>>,
}

/// One fact of an incident.
#[derive(Serialize, Deserialize)]
struct ToldLine<'a> {
    at: MomentLine,
    #[serde(borrow)]
    kind: Str<'a>,
    body: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
struct AttemptLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    target: Option<BorrowedStr<'a>>,
    at: MomentLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<MomentLine>,
    dry_run: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    aftercare: bool,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    key: Option<PairList<'a>>,
}

/// What may follow the end of an alert.
#[derive(Serialize, Deserialize)]
struct OwedLine<'a> {
    inc: Word<IncidentId>,
    alert: Box<RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    left: Option<opened::LeftLine<'a>>,
    ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<MomentLine>,
}

#[derive(Serialize, Deserialize)]
struct HelpLine<'a> {
    inc: Word<IncidentId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow)]
    target: Str<'a>,
    at: MomentLine,
    help: Word<Help>,
}

#[derive(Serialize, Deserialize)]
struct PauseLine<'a> {
    #[serde(borrow)]
    pause: brake::PauseLine<'a>,
    set: MomentLine,
}

#[derive(Serialize, Deserialize)]
struct FreezeLine {
    at: MomentLine,
    freeze_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct OwnActLine {
    act: Word<ActId>,
    container: Word<ContainerId>,
    from: MomentLine,
    deadline_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<MomentLine>,
}

impl From<Moment> for MomentLine {
    fn from(moment: Moment) -> Self {
        Self { ts: moment.wall, passed_ms: moment.passed_ms }
    }
}

impl From<MomentLine> for Moment {
    fn from(line: MomentLine) -> Self {
        Self { wall: line.ts, passed_ms: line.passed_ms }
    }
}

impl<'a> From<&'a Memory> for StateLine<'a> {
    fn from(memory: &'a Memory) -> Self {
        let clock = memory.clock.map(|(Stamp { wall, up_ms, boot }, passed_ms)| ClockLine {
            ts: wall,
            up_ms,
            boot: Word(boot),
            passed_ms,
        });
        let end =
            |(fingerprint, at): &(Fingerprint, Moment)| EndLine { fingerprint: Word(*fingerprint), at: (*at).into() };
        let pause = |held: &'a PauseInForce| PauseLine {
            pause: brake::PauseLine::new(&held.pause, Cap::NONE),
            set: held.set.into(),
        };
        Self {
            clock,
            episodes: memory.episodes.iter().map(EpisodeLine::from).collect(),
            ended: memory.ended.iter().map(end).collect(),
            incidents: memory.incidents.iter().map(IncidentLine::from).collect(),
            owed: memory.owed.iter().map(OwedLine::from).collect(),
            attempts: memory.attempts.iter().map(AttemptLine::from).collect(),
            ends: memory.ends.iter().map(HelpLine::from).collect(),
            pauses: memory.pauses.iter().map(pause).collect(),
            taken: memory.taken.iter().map(|at| (*at).into()).collect(),
            frozen: memory.frozen.map(|(at, freeze)| FreezeLine { at: at.into(), freeze_ms: millis_up(freeze) }),
            own_acts: memory.own_acts.iter().map(OwnActLine::from).collect(),
            services: memory.services.iter().map(LeftLine::from).collect(),
            originals: memory.originals.iter().map(OriginalLine::from).collect(),
            raised: memory.raised.iter().map(RaisedLine::from).collect(),
            texts: memory.texts.iter().map(|revision| Cow::Borrowed(&**revision)).collect(),
            first_host: memory.first_host.as_deref().map(Cow::Borrowed),
        }
    }
}

impl TryFrom<StateLine<'_>> for Memory {
    type Error = Problem;

    fn try_from(line: StateLine<'_>) -> Result<Self, Problem> {
        let clock = |line: ClockLine| (Stamp { wall: line.ts, up_ms: line.up_ms, boot: line.boot.0 }, line.passed_ms);
        let pause = |line: PauseLine<'_>| PauseInForce { pause: line.pause.into(), set: line.set.into() };
        Ok(Self {
            clock: line.clock.map(clock),
            episodes: line.episodes.into_iter().map(EpisodeLine::into_episode).collect(),
            ended: line.ended.into_iter().map(|end| (end.fingerprint.0, end.at.into())).collect(),
            incidents: line.incidents.into_iter().map(OpenIncident::try_from).collect::<Result<_, _>>()?,
            owed: line.owed.into_iter().map(Owed::try_from).collect::<Result<_, _>>()?,
            attempts: line.attempts.into_iter().map(Attempt::from).collect(),
            ends: line.ends.into_iter().map(Ended::from).collect(),
            pauses: line.pauses.into_iter().map(pause).collect(),
            taken: line.taken.into_iter().map(Moment::from).collect(),
            frozen: line.frozen.map(|line| (line.at.into(), Duration::from_millis(line.freeze_ms))),
            own_acts: line.own_acts.into_iter().map(OwnAct::from).collect(),
            services: line.services.into_iter().map(ServiceLeft::try_from).collect::<Result<_, _>>()?,
            originals: line.originals.into_iter().map(Original::try_from).collect::<Result<_, _>>()?,
            raised: line.raised.into_iter().map(LimitsRaised::try_from).collect::<Result<_, _>>()?,
            texts: line.texts.into_iter().map(Arc::from).collect(),
            first_host: line.first_host.map(Cow::into_owned),
        })
    }
}

impl<'a> From<&'a (Fingerprint, Episode)> for EpisodeLine<'a> {
    fn from((fingerprint, episode): &'a (Fingerprint, Episode)) -> Self {
        Self {
            fingerprint: Word(*fingerprint),
            starts_at: episode.starts_at,
            seen: episode.seen.into(),
            ended: episode.ended.map(MomentLine::from),
            ends_at: episode.ends_at,
            inc: episode.incident.map(Word),
            playbook: episode.playbook.as_deref().map(BorrowedStr::from),
            reason: episode.nobody.map(Word),
            acted: episode.acted,
        }
    }
}

impl EpisodeLine<'_> {
    fn into_episode(self) -> (Fingerprint, Episode) {
        let episode = Episode {
            starts_at: self.starts_at,
            seen: self.seen.into(),
            ended: self.ended.map(Moment::from),
            ends_at: self.ends_at,
            incident: self.inc.map(|Word(incident)| incident),
            playbook: self.playbook.map(|BorrowedStr(playbook)| (*playbook).into()),
            nobody: self.reason.map(|Word(reason)| reason),
            acted: self.acted,
        };
        (self.fingerprint.0, episode)
    }
}

impl From<&OpenIncident> for IncidentLine<'_> {
    fn from(open: &OpenIncident) -> Self {
        let alert = body(&Fact::AlertReceived(Arc::clone(&open.alert)), open.id.0);
        let told = |(at, fact): &(Moment, Fact)| ToldLine {
            at: (*at).into(),
            kind: Cow::Borrowed(fact.kind()),
            body: body(fact, open.id.0),
        };
        let story = open.story.iter().map(told).collect();
        Self { inc: Word(open.id), opened: open.opened.into(), alert, story }
    }
}

impl TryFrom<IncidentLine<'_>> for OpenIncident {
    type Error = Problem;

    fn try_from(line: IncidentLine<'_>) -> Result<Self, Problem> {
        let told = |line: &ToldLine<'_>| Ok((line.at.into(), fact(&line.kind, &line.body)?));
        let story = line.story.iter().map(told).collect::<Result<_, Problem>>()?;
        let alert = alert_of(line.inc, &line.alert)?;
        Ok(Self { id: line.inc.0, opened: line.opened.into(), alert, story })
    }
}

impl<'a> From<&'a Owed> for OwedLine<'a> {
    fn from(owed: &'a Owed) -> Self {
        let alert = body(&Fact::AlertReceived(Arc::clone(&owed.alert)), owed.incident.0);
        let (left, due) = (owed.left.as_ref().map(opened::LeftLine::from), owed.due.map(MomentLine::from));
        Self { inc: Word(owed.incident), alert, left, ended: owed.ended, due }
    }
}

impl TryFrom<OwedLine<'_>> for Owed {
    type Error = Problem;

    fn try_from(line: OwedLine<'_>) -> Result<Self, Problem> {
        let alert = alert_of(line.inc, &line.alert)?;
        let (left, due) = (line.left.map(Into::into), line.due.map(Moment::from));
        Ok(Self { incident: line.inc.0, alert, left, ended: line.ended, due })
    }
}

fn alert_of(inc: Word<IncidentId>, line: &RawValue) -> Result<Arc<AlertReceived>, Problem> {
    let Fact::AlertReceived(alert) = fact("alert.received", line)? else {
        return Err(format!("{inc} has no alert"));
    };
    Ok(alert)
}

/// A fact's own body, whole.
fn body(fact: &Fact, seq: Seq) -> Box<RawValue> {
    let mut out = Vec::new();
    write_body(fact, seq, Cap::NONE, &mut out);
    let text = String::from_utf8(out).unwrap_or_default();
    // What `write_body` writes is JSON; if it ever were not, the record could not be read back, and nothing is hidden.
    RawValue::from_string(text).unwrap_or_else(|_not_json| RawValue::NULL.to_owned())
}

fn fact(kind: &str, body: &RawValue) -> Result<Fact, Problem> {
    read_body(kind, body.get().as_bytes()).unwrap_or_else(|| Err(format!("{kind:?} is not a kind this version knows")))
}

impl<'a> From<&'a Attempt> for AttemptLine<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self {
            inc: Word(attempt.incident),
            playbook: (&*attempt.playbook).into(),
            target: attempt.target.as_deref().map(BorrowedStr::from),
            at: attempt.at.into(),
            ended: attempt.ended.map(MomentLine::from),
            dry_run: attempt.dry_run,
            aftercare: attempt.aftercare,
            key: (!attempt.key.is_empty()).then(|| PairList(Cow::Borrowed(&attempt.key), Cap::NONE)),
        }
    }
}

impl From<AttemptLine<'_>> for Attempt {
    fn from(line: AttemptLine<'_>) -> Self {
        Self {
            incident: line.inc.0,
            playbook: (&*line.playbook).into(),
            target: line.target.map(|BorrowedStr(target)| (*target).into()),
            at: line.at.into(),
            ended: line.ended.map(Moment::from),
            dry_run: line.dry_run,
            aftercare: line.aftercare,
            key: line.key.map(|key| key.0.into_owned()).unwrap_or_default(),
        }
    }
}

impl<'a> From<&'a Ended> for HelpLine<'a> {
    fn from(ended: &'a Ended) -> Self {
        let (playbook, target) = ((&*ended.playbook).into(), (&*ended.target).into());
        Self { inc: Word(ended.incident), playbook, target, at: ended.at.into(), help: Word(ended.help) }
    }
}

impl From<HelpLine<'_>> for Ended {
    fn from(line: HelpLine<'_>) -> Self {
        let (playbook, target) = ((&*line.playbook).into(), (&*line.target).into());
        Self { incident: line.inc.0, playbook, target, at: line.at.into(), help: line.help.0 }
    }
}

impl From<&OwnAct> for OwnActLine {
    fn from(own: &OwnAct) -> Self {
        Self {
            act: Word(own.act),
            container: Word(own.container.clone()),
            from: own.from.into(),
            deadline_ms: millis_up(own.deadline),
            to: own.to.map(MomentLine::from),
        }
    }
}

impl From<OwnActLine> for OwnAct {
    fn from(line: OwnActLine) -> Self {
        Self {
            act: line.act.0,
            container: line.container.0,
            from: line.from.into(),
            deadline: Duration::from_millis(line.deadline_ms),
            to: line.to.map(Moment::from),
        }
    }
}
