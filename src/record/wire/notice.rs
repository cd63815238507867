//! `notify.intent` and `notify.outcome`: our own messages.

use super::Problem;
use super::parts::{Str, Word, is_false};
use crate::model::fact::{NoticeFinished, NoticeIntended};
use crate::model::id::{ActId, IncidentId};
use crate::model::notice::{Notice, NoticeOutcome};
use crate::record::text::{Cap, Text};
use serde::{Deserialize, Serialize};

/// `notify.intent`
#[derive(Serialize, Deserialize)]
pub(super) struct IntentLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    #[serde(borrow)]
    playbook: Str<'a>,
    #[serde(borrow)]
    notifier: Str<'a>,
    #[serde(borrow)]
    severity: Str<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    target: Option<NamedLine<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
}

/// A target of which only the name is known.
#[derive(Serialize, Deserialize)]
struct NamedLine<'a> {
    #[serde(borrow)]
    name: Str<'a>,
}

impl<'a> IntentLine<'a> {
    pub(super) fn new(intended: &'a NoticeIntended, cap: Cap) -> Self {
        let Notice { act, notifier, severity, title, message, playbook, target, dry_run } = &intended.notice;
        Self {
            inc: Word(act.incident),
            act: Word(*act),
            playbook: playbook.into(),
            notifier: notifier.into(),
            severity: severity.into(),
            title: Text::new(title, cap),
            message: Text::new(message, cap),
            target: target.as_deref().map(|name| NamedLine { name: name.into() }),
            dry_run: *dry_run,
        }
    }
}

impl From<IntentLine<'_>> for NoticeIntended {
    fn from(line: IntentLine<'_>) -> Self {
        let notice = Notice {
            act: line.act.0,
            notifier: line.notifier.into_owned(),
            severity: line.severity.into_owned(),
            title: line.title.into_string(),
            message: line.message.into_string(),
            playbook: line.playbook.into_owned(),
            target: line.target.map(|target| target.name.into_owned()),
            dry_run: line.dry_run,
        };
        Self { notice }
    }
}

/// `notify.outcome`
#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeLine<'a> {
    inc: Word<IncidentId>,
    act: Word<ActId>,
    result: OutcomeWord,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeWord {
    Delivered,
    Failed,
}

impl<'a> OutcomeLine<'a> {
    pub(super) fn new(finished: &'a NoticeFinished, cap: Cap) -> Self {
        let (result, error) = match &finished.outcome {
            NoticeOutcome::Delivered => (OutcomeWord::Delivered, None),
            NoticeOutcome::Failed { error } => (OutcomeWord::Failed, Some(Text::new(error, cap))),
        };
        Self { inc: Word(finished.act.incident), act: Word(finished.act), result, error }
    }
}

impl TryFrom<OutcomeLine<'_>> for NoticeFinished {
    type Error = Problem;

    fn try_from(line: OutcomeLine<'_>) -> Result<Self, Problem> {
        let outcome = match (line.result, line.error) {
            (OutcomeWord::Delivered, _) => NoticeOutcome::Delivered,
            (OutcomeWord::Failed, Some(error)) => NoticeOutcome::Failed { error: error.into_string() },
            (OutcomeWord::Failed, None) => return Err("error is missing".to_owned()),
        };
        Ok(Self { act: line.act.0, outcome })
    }
}
