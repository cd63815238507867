//! What can be played: the records of a daemon, or the notifications that came.

use crate::model::alert::Notification;
use crate::model::fact::{Fact, Record, StepResult};
use crate::model::id::IncidentId;
use chrono::{DateTime, Utc};

/// What happened, oldest first.
#[derive(Clone, Debug)]
pub enum History {
    /// What a daemon wrote down, in the order of its log.
    Log(Vec<Record>),
    /// What Alertmanager sent. Of Docker nothing is known.
    Notifications(Vec<Came>),
}

/// A notification, and when it came.
#[derive(Clone, Debug)]
pub struct Came {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub notification: Notification,
}

impl History {
    /// A fact without evidence, which is large: no decision reads more of it than the diagnosis.
    #[must_use]
    pub fn lean(mut fact: Fact) -> Fact {
        if let Fact::StepFinished(finished) = &mut fact
            && let StepResult::Captured(evidence) = &mut finished.result
        {
            let diagnosis = evidence.get("diagnosis").map(|diagnosis| ("diagnosis".to_owned(), diagnosis.clone()));
            *evidence = diagnosis.into_iter().collect();
        }
        fact
    }

    /// From notifications, which are put in the order of their time.
    #[must_use]
    pub fn of_notifications(mut came: Vec<Came>) -> Self {
        came.sort_by_key(|came| came.at);
        Self::Notifications(came)
    }

    /// When the first and the last thing in it happened; `None` if it is empty.
    #[must_use]
    pub fn period(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        match self {
            Self::Log(records) => Some((records.first()?.at.wall, records.last()?.at.wall)),
            Self::Notifications(came) => Some((came.first()?.at, came.last()?.at)),
        }
    }

    /// The incident that the record at this place opened, by the log's own word.
    #[must_use]
    pub fn incident_at(&self, entry: usize) -> Option<IncidentId> {
        let Self::Log(records) = self else { return None };
        let record = records.get(entry)?;
        record.fact.incident(record.seq)
    }
}

/// What becomes of a target where nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assume {
    /// The action succeeds, the target recovers, and its alert ends.
    #[default]
    Recovers,
    /// The action succeeds, and nothing gets better by it.
    Ineffective,
}
