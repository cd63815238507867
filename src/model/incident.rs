//! How an incident ends. The state machine of a running one is [`crate`]'s `engine::incident`.

use super::reason::codes;

/// Which try of a playbook, and how many it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptNumber {
    /// From 1.
    pub number: u32,
    /// How many the playbook has; 1 if it has only `steps`.
    pub count: u32,
}

impl AttemptNumber {
    /// The only try of a playbook with `steps`.
    pub const ONLY: Self = Self { number: 1, count: 1 };

    /// Whether no other follows.
    #[must_use]
    pub fn is_last(self) -> bool {
        self.count <= self.number
    }

    /// Whether there are others before or after it.
    #[must_use]
    pub fn is_one_of_several(self) -> bool {
        1 < self.count
    }
}

impl std::fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.number, self.count)
    }
}

codes! {
    /// How an incident ended. Only `Recovered` counts as success.
    Verdict {
        /// The action was done and the check after it passed.
        Recovered = "recovered",
        /// The action was done and the target did not recover.
        Ineffective = "ineffective",
        /// The action itself failed.
        Failed = "failed",
        /// The alert resolved, or a gate refused, before anything was done.
        Cancelled = "cancelled",
        /// The target was replaced meanwhile.
        Superseded = "superseded",
        /// It could not be carried to its end.
        Abandoned = "abandoned",
        /// Somebody who was asked said no.
        Denied = "denied",
        /// Nobody decided in time.
        Expired = "expired",
        /// Nothing was checked, or nobody can tell.
        Unknown = "unknown",
    }
}

codes! {
    /// How an episode of an alert ended.
    EpisodeEnd {
        /// The sender said so.
        Resolved = "resolved",
        /// A later start showed that we missed the end.
        Inferred = "inferred",
        /// Alertmanager was asked, and no longer lists it.
        NotFiring = "not_firing",
        /// Nothing was heard of it for a week.
        Expired = "expired",
    }
}

codes! {
    /// Why an alert became a new record.
    FirstSight {
        /// Never seen, or long gone.
        New = "new",
        /// The same start came back shortly after its end.
        Reopened = "reopened",
        /// It began anew and we never heard the end of the one before.
        Recurred = "recurred",
        /// It goes on, and what was loaded since then may take it: nothing was done for it before.
        Reconsidered = "reconsidered",
    }
}
