//! Why not: the closed list of reasons for which a gate refuses, and the gates' names.
//!
//! The same codes stand in the log, the metrics, the API, the command line and `docs/REASONS.md`. A code never changes
//! its meaning.

macro_rules! codes {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code, as written in the log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Reads a code back.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use codes;

codes! {
    /// A check that may refuse, in the order in which they are asked.
    Gate {
        /// The notification is complete.
        Parsed = "parsed",
        /// The alert is firing, and fresh at first sight.
        Fresh = "fresh",
        /// The episode has not been handled yet.
        Episode = "episode",
        /// Nobody has paused it.
        Pause = "pause",
        /// A playbook takes the alert.
        Playbook = "playbook",
        /// The time of day and year is one in which the playbook may run.
        TimeInterval = "time_interval",
        /// The playbook's `if` is true.
        Condition = "condition",
        /// The target is known, exactly one, opted in, unprotected and in a state that may be treated.
        Target = "target",
        /// Nothing else is being done to the target or its dependents.
        SingleFlight = "single_flight",
        /// Every window and the cooldown have room.
        Budget = "budget",
        /// The last runs on the target helped.
        Breaker = "breaker",
        /// Not too many runs at once, enough healthy ones left, and no storm of alerts.
        BlastRadius = "blast_radius",
    }
}

codes! {
    /// Why a gate refused. One closed list; see `docs/REASONS.md` for each one's meaning and remedy.
    Reason {
        /// No enabled playbook's matchers match the alert.
        NoMatch = "no_match",
        /// The episode is already being handled or was handled.
        Duplicate = "duplicate",
        /// At first sight the alert was older than `webhook.max_alert_age`.
        StaleAlert = "stale_alert",
        /// The alert claims to start more than five minutes in the future.
        ClockSkew = "clock_skew",
        /// The alert resolved before anything was done.
        ResolvedFirst = "resolved_first",
        /// Alertmanager left out alerts of the group (`truncatedAlerts`): nobody knows how many there are.
        Truncated = "truncated",
        /// A pause holds it back.
        Paused = "paused",
        /// None of the playbook's `active_time_intervals` holds now.
        OutsideTimeInterval = "outside_time_interval",
        /// One of the playbook's `mute_time_intervals` holds now.
        MutedTimeInterval = "muted_time_interval",
        /// The playbook's `if` is false.
        ConditionFalse = "condition_false",
        /// The playbook's `if` could not be evaluated.
        ConditionError = "condition_error",
        /// The playbook that took the alert is no longer loaded in the same revision.
        PlaybookChanged = "playbook_changed",
        /// The target could not be rendered from the alert, or is not a valid container name.
        TargetInvalid = "target_invalid",
        /// No container has that name.
        TargetMissing = "target_missing",
        /// More than one container matches.
        TargetAmbiguous = "target_ambiguous",
        /// The container is not the one the plan was made for.
        TargetChanged = "target_changed",
        /// The container does not carry `sickbay.enable=true`.
        NotOptedIn = "not_opted_in",
        /// The container is protected by its label or by the settings.
        Protected = "protected",
        /// The container is sickbay itself.
        SelfTarget = "self_target",
        /// The container's `sickbay.actions` label does not list the action.
        ActionNotAllowed = "action_not_allowed",
        /// The container belongs to a Swarm service; Swarm replaces its tasks itself.
        SwarmTask = "swarm_task",
        /// The container belongs to Kubernetes.
        KubernetesPod = "kubernetes_pod",
        /// The container is removed when it stops, so a restart would delete it.
        AutoRemove = "auto_remove",
        /// The container is paused: a person or a backup holds it.
        ContainerPaused = "container_paused",
        /// A person stopped the container.
        StoppedByHuman = "stopped_by_human",
        /// The container ended with exit code 0 and is not meant to run on.
        ContainerFinished = "container_finished",
        /// The container is not running and the playbook does not say `start_if_stopped: true`.
        ContainerStopped = "container_stopped",
        /// The container was created and never started.
        ContainerCreated = "container_created",
        /// The container is being removed or is dead.
        ContainerGone = "container_gone",
        /// Docker is already restarting the container again and again.
        CrashLoop = "crash_loop",
        /// The container is in a state this version does not know.
        ContainerStateUnknown = "container_state_unknown",
        /// The container started after the alert did and is still in its startup grace.
        RecentlyStarted = "recently_started",
        /// Somebody stopped, restarted, paused or changed the container by hand a short while ago.
        RecentlyTouched = "recently_touched",
        /// The container was created a short while ago: a deployment may be under way.
        RecentlyDeployed = "recently_deployed",
        /// A container that shares the target's namespace may not be restarted, so neither may the target.
        DependentRefused = "dependent_refused",
        /// Docker did not answer.
        DockerUnavailable = "docker_unavailable",
        /// A socket proxy or plugin denied the call.
        DockerDenied = "docker_denied",
        /// Another incident holds the target or one of its dependents.
        Busy = "busy",
        /// The last attempt on the target ended too recently.
        Cooldown = "cooldown",
        /// One of the playbook's windows is full.
        BudgetExhausted = "budget_exhausted",
        /// One of the windows in the settings is full.
        GlobalBudget = "global_budget",
        /// The last runs on the target did not help: a person must look.
        BreakerOpen = "breaker_open",
        /// Another container of the same service is being treated.
        ServiceBusy = "service_busy",
        /// Too few containers of the service would be healthy meanwhile.
        MinHealthy = "min_healthy",
        /// Too many alerts came at once: one cause is likelier than many.
        Storm = "storm",
        /// As many runs as `limits.max_parallel` allows are under way.
        MaxParallel = "max_parallel",
        /// A write in dry-run: decided as if real, and not done.
        DryRun = "dry_run",
        /// The daemon is stopping.
        ShuttingDown = "shutting_down",
        /// The run ended without a check that could tell recovery.
        NotVerified = "not_verified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert!(seen.insert(reason.as_str()));
        }
        for gate in Gate::ALL {
            assert_eq!(Gate::parse(gate.as_str()), Some(*gate));
        }
    }
}
