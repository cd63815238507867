//! `incident.opened`: an incident that another one opened. The alert stands in it whole, so that it tells its own story.

use super::Problem;
use super::parts::{Str, Word, is_false};
use crate::model::fact::{AlertReceived, Cause, IncidentOpened, Left, Origin, Stopped, Taken};
use crate::model::host::HostName;
use crate::model::id::IncidentId;
use crate::model::incident::FirstSight;
use crate::model::label::Fingerprint;
use crate::model::target::{ContainerId, ContainerName};
use crate::record::text::{Cap, LabelSet, Text};
use crate::record::time;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// `incident.opened`
#[derive(Serialize, Deserialize)]
pub(super) struct OpenedLine<'a> {
    /// For readers: it is always the record's own number, and left out within another record.
    #[serde(skip_serializing_if = "Option::is_none")]
    inc: Option<Word<IncidentId>>,
    of: Word<IncidentId>,
    cause: CauseWord,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow)]
    revision: Str<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Word<HostName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Word<ContainerName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<Word<ContainerId>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    stopped: Option<StoppedLine<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(borrow)]
    alert: AlertLine<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    playbook_text: Option<Text<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseWord {
    Resolved,
    FurtherTarget,
}

/// A container that was left stopped.
#[derive(Serialize, Deserialize)]
pub(super) struct StoppedLine<'a> {
    container_id: Word<ContainerId>,
    #[serde(borrow)]
    started_at: Str<'a>,
}

/// The alert, with the members that `alert.received` has.
#[derive(Serialize, Deserialize)]
pub(super) struct AlertLine<'a> {
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
}

/// What a run left, as members of other records.
#[derive(Serialize, Deserialize)]
pub(super) struct LeftLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Word<ContainerName>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    stopped: Option<StoppedLine<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
}

impl<'a> OpenedLine<'a> {
    pub(super) fn new(opened: &'a IncidentOpened, incident: Option<IncidentId>, cap: Cap) -> Self {
        let IncidentOpened { alert, origin: Origin { of, cause, left } } = opened;
        let (playbook, revision, host) = match &alert.taken {
            Taken::ByPlaybook { playbook, revision, host, text: _ } => (&**playbook, &**revision, host.name()),
            // No incident comes of an alert that nobody took.
            Taken::ByNobody(_) => ("", "", None),
        };
        let (cause, container_id) = match cause {
            Cause::Resolved => (CauseWord::Resolved, None),
            Cause::FurtherTarget(container) => (CauseWord::FurtherTarget, Some(Word(container.clone()))),
        };
        let LeftLine { container, stopped, dry_run } = left.into();
        Self {
            inc: incident.map(Word),
            of: Word(*of),
            cause,
            playbook: Cow::Borrowed(playbook),
            revision: Cow::Borrowed(revision),
            host: host.cloned().map(Word),
            container,
            container_id,
            stopped,
            dry_run,
            alert: AlertLine::new(alert, cap),
            playbook_text: alert.taken.text().map(|text| Text::new(text, cap)),
        }
    }
}

impl TryFrom<OpenedLine<'_>> for IncidentOpened {
    type Error = Problem;

    fn try_from(line: OpenedLine<'_>) -> Result<Self, Problem> {
        let cause = match (line.cause, line.container_id) {
            (CauseWord::Resolved, None) => Cause::Resolved,
            (CauseWord::FurtherTarget, Some(Word(container))) => Cause::FurtherTarget(container),
            (_, _) => return Err("a further target, and nothing else, has a container_id".to_owned()),
        };
        let left = LeftLine { container: line.container, stopped: line.stopped, dry_run: line.dry_run }.into();
        let host = line.host.map(|Word(host)| host).into();
        let text = line.playbook_text.map(|text| text.into_boxed().into());
        let taken =
            Taken::ByPlaybook { playbook: (*line.playbook).into(), revision: (*line.revision).into(), host, text };
        Ok(Self { alert: Arc::new(line.alert.taken(taken)), origin: Origin { of: line.of.0, cause, left } })
    }
}

impl<'a> AlertLine<'a> {
    fn new(alert: &'a AlertReceived, cap: Cap) -> Self {
        Self {
            fingerprint: Word(alert.fingerprint),
            labels: LabelSet(Cow::Borrowed(&alert.labels), cap),
            annotations: LabelSet(Cow::Borrowed(&alert.annotations), cap),
            starts_at: alert.starts_at,
            generator_url: Text::new(&alert.generator_url, cap),
            sender: Text::new(&alert.sender, cap),
            receiver: Text::new(&alert.receiver_name, cap),
            group_key: Text::new(&alert.group_key, cap),
            sight: Word(alert.sight),
        }
    }

    fn taken(self, taken: Taken) -> AlertReceived {
        AlertReceived {
            fingerprint: self.fingerprint.0,
            labels: self.labels.0.into_owned(),
            annotations: self.annotations.0.into_owned(),
            starts_at: self.starts_at,
            generator_url: self.generator_url.into_boxed(),
            sender: self.sender.into_boxed().into(),
            receiver_name: self.receiver.into_boxed().into(),
            group_key: self.group_key.into_boxed().into(),
            sight: self.sight.0,
            taken,
        }
    }
}

impl<'a> From<&'a Left> for LeftLine<'a> {
    fn from(left: &'a Left) -> Self {
        let stopped = |stopped: &'a Stopped| StoppedLine {
            container_id: Word(stopped.container.clone()),
            started_at: Cow::Borrowed(&stopped.started_at),
        };
        let container = left.container.clone().map(Word);
        Self { container, stopped: left.stopped.as_ref().map(stopped), dry_run: left.dry_run }
    }
}

impl From<LeftLine<'_>> for Left {
    fn from(line: LeftLine<'_>) -> Self {
        let stopped = |line: StoppedLine<'_>| Stopped {
            container: line.container_id.0,
            started_at: line.started_at.into_owned(),
        };
        let container = line.container.map(|Word(container)| container);
        Self { container, stopped: line.stopped.map(stopped), dry_run: line.dry_run }
    }
}
