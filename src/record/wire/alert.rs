//! `alert.received`, `alert.ended`, `alert.rejected_summary`: what came in.

use super::Problem;
use super::parts::{BorrowedStr, Str, Word};
use crate::model::fact::{AlertEnded, AlertReceived, AlertsRejected, Taken};
use crate::model::host::HostName;
use crate::model::id::IncidentId;
use crate::model::incident::{EpisodeEnd, FirstSight};
use crate::model::label::Fingerprint;
use crate::model::reason::Reason;
use crate::record::text::{Cap, LabelSet, Text};
use crate::record::time;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// `alert.received`
#[derive(Serialize, Deserialize)]
pub(super) struct ReceivedLine<'a> {
    /// For readers: it is always the record's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    inc: Option<Word<IncidentId>>,
    fingerprint: Word<Fingerprint>,
    labels: LabelSet<'a>,
    annotations: LabelSet<'a>,
    #[serde(default, with = "time::optional", skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    #[serde(borrow)]
    generator_url: Text<'a>,
    #[serde(borrow)]
    sender: Text<'a>,
    #[serde(borrow)]
    receiver: Text<'a>,
    #[serde(borrow)]
    group_key: Text<'a>,
    sight: Word<FirstSight>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    playbook: Option<BorrowedStr<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    revision: Option<BorrowedStr<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Word<HostName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<Reason>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    playbook_text: Option<Text<'a>>,
}

impl<'a> ReceivedLine<'a> {
    pub(super) fn new(received: &'a AlertReceived, incident: Option<IncidentId>, cap: Cap) -> Self {
        let (playbook, revision, host, reason) = match &received.taken {
            Taken::ByPlaybook { playbook, revision, host, text: _ } => {
                (Some((&**playbook).into()), Some((&**revision).into()), host.name().cloned().map(Word), None)
            }
            Taken::ByNobody(reason) => (None, None, None, Some(Word(*reason))),
        };
        Self {
            inc: incident.map(Word),
            fingerprint: Word(received.fingerprint),
            labels: LabelSet(Cow::Borrowed(&received.labels), cap),
            annotations: LabelSet(Cow::Borrowed(&received.annotations), cap),
            starts_at: received.starts_at,
            generator_url: Text::new(&received.generator_url, cap),
            sender: Text::new(&received.sender, cap),
            receiver: Text::new(&received.receiver_name, cap),
            group_key: Text::new(&received.group_key, cap),
            sight: Word(received.sight),
            playbook,
            revision,
            host,
            reason,
            playbook_text: received.taken.text().map(|text| Text::new(text, cap)),
        }
    }
}

impl TryFrom<ReceivedLine<'_>> for AlertReceived {
    type Error = Problem;

    fn try_from(line: ReceivedLine<'_>) -> Result<Self, Problem> {
        let taken = match (line.playbook, line.revision, line.reason) {
            (Some(playbook), Some(revision), None) => {
                let host = line.host.map(|Word(host)| host).into();
                let text = line.playbook_text.map(|text| text.into_boxed().into());
                Taken::ByPlaybook { playbook: (*playbook.0).into(), revision: (*revision.0).into(), host, text }
            }
            (None, None, Some(Word(reason))) => Taken::ByNobody(reason),
            (_, _, _) => return Err("either playbook and revision or reason must be there".to_owned()),
        };
        Ok(Self {
            fingerprint: line.fingerprint.0,
            labels: line.labels.0.into_owned(),
            annotations: line.annotations.0.into_owned(),
            starts_at: line.starts_at,
            generator_url: line.generator_url.into_boxed(),
            sender: line.sender.into_boxed().into(),
            receiver_name: line.receiver.into_boxed().into(),
            group_key: line.group_key.into_boxed().into(),
            sight: line.sight.0,
            taken,
        })
    }
}

/// `alert.ended`
#[derive(Serialize, Deserialize)]
pub(super) struct EndedLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    inc: Option<Word<IncidentId>>,
    fingerprint: Word<Fingerprint>,
    end: Word<EpisodeEnd>,
    #[serde(default, with = "time::optional", skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
}

impl From<&AlertEnded> for EndedLine {
    fn from(ended: &AlertEnded) -> Self {
        let AlertEnded { fingerprint, incident, end, ends_at } = ended;
        Self { inc: incident.map(Word), fingerprint: Word(*fingerprint), end: Word(*end), ends_at: *ends_at }
    }
}

impl From<EndedLine> for AlertEnded {
    fn from(line: EndedLine) -> Self {
        let incident = line.inc.map(|Word(incident)| incident);
        Self { fingerprint: line.fingerprint.0, incident, end: line.end.0, ends_at: line.ends_at }
    }
}

/// `alert.rejected_summary`
#[derive(Serialize, Deserialize)]
pub(super) struct RejectedLine<'a> {
    #[serde(borrow)]
    sender: Str<'a>,
    count: u64,
    #[serde(borrow)]
    first: Text<'a>,
}

impl<'a> RejectedLine<'a> {
    pub(super) fn new(rejected: &'a AlertsRejected, cap: Cap) -> Self {
        let AlertsRejected { sender, count, first } = rejected;
        Self { sender: Cow::Borrowed(sender), count: *count, first: Text::new(first, cap) }
    }
}

impl From<RejectedLine<'_>> for AlertsRejected {
    fn from(line: RejectedLine<'_>) -> Self {
        Self { sender: line.sender.into(), count: line.count, first: line.first.into_string() }
    }
}
