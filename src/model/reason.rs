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
        /// The people who are asked agree to this very plan, and did so lately.
        Approval = "approval",
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
        /// The alert fires again before anything was done after its end.
        AlertFiresAgain = "alert_fires_again",
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
        /// The playbook's `target.host` is no Docker host of the settings, is missing, or is not the incident's own.
        UnknownHost = "unknown_host",
        /// No container or service has that name.
        TargetMissing = "target_missing",
        /// More than one container matches.
        TargetAmbiguous = "target_ambiguous",
        /// The container or service is not the one the plan was made for.
        TargetChanged = "target_changed",
        /// The container or service belongs to another sickbay: its label `sickbay.scope` is not `labels.scope`.
        OtherScope = "other_scope",
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
        /// The service is global or a job: there is no number of replicas to change.
        NotReplicated = "not_replicated",
        /// The service is being updated or rolled back right now.
        UpdateInProgress = "update_in_progress",
        /// The last update of the service stopped half way: a person must look.
        UpdatePaused = "update_paused",
        /// The service's replicas differ in image or definition.
        MixedReplicas = "mixed_replicas",
        /// The service is to have no replicas: somebody turned it off.
        ServiceStopped = "service_stopped",
        /// Swarm remembers nothing that the service ran before.
        NoPreviousSpec = "no_previous_spec",
        /// Nobody has seen what the Compose service ran before.
        PreviousImageUnknown = "previous_image_unknown",
        /// The image that the service ran before is no longer there.
        PreviousImageGone = "previous_image_gone",
        /// The deployment changed more than the image.
        SettingsChanged = "settings_changed",
        /// The alert began before the present image came, so that cannot be its cause.
        FiredBeforeDeploy = "fired_before_deploy",
        /// The present image ran for too long before the alert began.
        DeployTooOld = "deploy_too_old",
        /// The present image is what a rollback has put there.
        AlreadyRolledBack = "already_rolled_back",
        /// The service's label does not say that its replicas may be taken back.
        RollbackNotEnabled = "rollback_not_enabled",
        /// Another container lives in a replica's namespace, and would be left with a dead one.
        HasDependents = "has_dependents",
        /// A rollback would not take back an image, or not that alone, or bring back what was rolled back.
        NothingToUndo = "nothing_to_undo",
        /// The service has as many replicas as it may have.
        AboveMax = "above_max",
        /// The service has as few replicas as it may have.
        BelowMin = "below_min",
        /// Nobody recorded how many replicas, or which limits, there were before.
        NoOriginal = "no_original",
        /// Somebody else has changed the number of replicas since.
        ReplicasChanged = "replicas_changed",
        /// The service's label does not say that its replicas may be copied.
        ScaleNotEnabled = "scale_not_enabled",
        /// Its containers lack the marks by which Compose knows its own.
        NotMadeByCompose = "not_made_by_compose",
        /// A container of `compose run` or of a hook, not a replica.
        NotAReplica = "not_a_replica",
        /// The replica has a name of its own, which no second one can have.
        FixedName = "fixed_name",
        /// The replica publishes one fixed port of the host.
        FixedPort = "fixed_port",
        /// The replica has a fixed IP address.
        FixedAddress = "fixed_address",
        /// The replica has a fixed MAC address.
        FixedMac = "fixed_mac",
        /// The replica has a host name of its own.
        FixedHostname = "fixed_hostname",
        /// The replica lives in the network of the host or of another container.
        SharedNetwork = "shared_network",
        /// The replica lives in another container's IPC or PID namespace.
        SharedNamespace = "shared_namespace",
        /// The replica is not connected to the network it was made for.
        NetworkMissing = "network_missing",
        /// The replica takes its volumes from another container.
        VolumesFrom = "volumes_from",
        /// The replicas would write to one volume or folder.
        SharedVolume = "shared_volume",
        /// The replica uses old links on the default network.
        LegacyLinks = "legacy_links",
        /// The replica has a device of its host.
        DeviceRequest = "device_request",
        /// The replica is privileged.
        Privileged = "privileged",
        /// Compose has put files into the replica that no copy would have.
        InjectedFiles = "injected_files",
        /// The image that the replicas run is no longer there.
        ImageMissing = "image_missing",
        /// No replica runs, so there is none to copy.
        NoRunningReplica = "no_running_replica",
        /// Replicas that sickbay did not add would have to go.
        NotOurReplicas = "not_our_replicas",
        /// The container has no such limit that could be raised.
        NoLimit = "no_limit",
        /// The container's limit is as high as it may be.
        LimitAtMax = "limit_at_max",
        /// Somebody else has changed the container's limits since.
        LimitsChanged = "limits_changed",
        /// The container uses too much memory for the limit that it had before.
        MemoryInUse = "memory_in_use",
        /// Nobody knows how much memory the container uses, so its limit is not lowered.
        MemoryUseUnknown = "memory_use_unknown",
        /// A container that shares the target's namespace may not be restarted, so neither may the target.
        DependentRefused = "dependent_refused",
        /// Docker did not answer.
        DockerUnavailable = "docker_unavailable",
        /// A socket proxy or plugin denied the call.
        DockerDenied = "docker_denied",
        /// The Docker host is not a manager of a swarm, so it cannot show or change a Swarm service.
        NoSwarmManager = "no_swarm_manager",
        /// Another incident holds the target or one of its dependents.
        Busy = "busy",
        /// The last attempt on the target ended too recently.
        Cooldown = "cooldown",
        /// The alert has no label of a name by which the playbook's limits count.
        LimitKeyMissing = "limit_key_missing",
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
        /// People are asked, and have not decided yet.
        ApprovalPending = "approval_pending",
        /// Somebody who was asked said no.
        ApprovalDenied = "approval_denied",
        /// Too few people agreed in time, or what they agreed to was not carried out in time.
        ApprovalTimeout = "approval_timeout",
        /// What people were asked about changed again and again.
        ApprovalSuperseded = "approval_superseded",
        /// The act has no approval that still holds.
        ApprovalMissing = "approval_missing",
        /// A person ended it.
        Aborted = "aborted",
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
