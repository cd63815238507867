//! How an incident ends. The state machine of a running one is [`crate`]'s `engine::incident`.

use super::reason::codes;

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
    }
}
