//! The JSON the API answers with. The shapes are stable: fields are added, never renamed or removed.
//!
//! [`Status`] is what `GET /api/v1/status` and `sickbay status` show.

pub use super::api_approvals::{ApprovalList, AskedEvidence, AskedFinding, OpenApproval, VoteAnswered, VoteRequest};
pub use super::api_budgets::{BudgetLeft, CooldownLeft, RoomLeft};
use super::health::{Condition, DockerCondition, LogCondition};
use crate::engine::ruleset::Changes;
use crate::engine::snapshot::{BreakerSummary, IncidentSummary, PauseSummary, Snapshot, StormSummary};
use crate::model::docker_call::DockerCall;
use crate::model::duration::format_duration;
use crate::model::pause::Pause;
use crate::model::permission::{ABILITIES, Ability, Grants, Need, missing};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// The daemon at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Seconds since its start.
    pub uptime_seconds: u64,
    /// Whether nothing is changed at all.
    pub dry_run: bool,
    /// Whether it takes and does everything.
    pub ready: bool,
    /// Why not, if not.
    pub not_ready_because: Vec<String>,
    /// How many playbooks are loaded; null until they are.
    pub playbooks: Option<usize>,
    /// The incident log.
    pub log: LogStatus,
    /// Docker.
    pub docker: DockerStatus,
    /// What Docker, or a proxy before it, lets sickbay do of what the playbooks need; empty until it was asked.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// What is paused: the file's pause first, then from wide to narrow.
    #[serde(default)]
    pub pauses: Vec<StandingPause>,
    /// Targets that nothing is done to because the last runs did not help, by name, at most 1000.
    #[serde(default)]
    pub breakers: Vec<OpenBreaker>,
    /// What people are asked, and what they agreed to and has not begun yet, oldest first, at most 1000.
    #[serde(default)]
    pub approvals: Vec<OpenApproval>,
    /// The freeze while there is a storm of alerts; null while there is none.
    #[serde(default)]
    pub storm: Option<StormFreeze>,
    /// Alerts whose episode is open.
    pub open_episodes: usize,
    /// Open incidents, oldest first, at most 1000.
    pub incidents: Vec<OpenIncident>,
    /// Whether pauses, breakers, approvals, storm and incidents were left out, because whoever asks has not proved that
    /// they may see them.
    #[serde(default)]
    pub withheld: bool,
}

/// The incident log at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStatus {
    /// `opening`, `writable` or `unwritable`.
    pub state: String,
    /// Why it cannot be written, if so.
    pub reason: Option<String>,
    /// The last durable record's number.
    pub last_seq: Option<u64>,
    /// Its hash, in hex.
    pub head: Option<String>,
}

/// Docker at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerStatus {
    /// `unasked`, `answering` or `silent`; with several hosts, `answering` if any of them does.
    pub state: String,
    /// The last error, if it is silent.
    pub error: Option<String>,
    /// Each host, in the order of the settings.
    #[serde(default)]
    pub hosts: Vec<DockerHostStatus>,
}

/// One Docker host at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerHostStatus {
    /// Its name in the settings.
    pub name: String,
    /// `unasked`, `answering` or `silent`.
    pub state: String,
    /// The last error, if it is silent.
    pub error: Option<String>,
}

/// Something that sickbay can do to a Docker, if it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The name of the Docker host.
    pub host: String,
    /// What: `look`, `restart`, `scale` and the like.
    pub ability: String,
    /// `allowed`, `denied` or `unknown`.
    pub state: String,
    /// Which of its calls are denied: `POST /containers/create`.
    pub denied: Vec<String>,
    /// Which playbooks cannot do their work because of that.
    pub missed_by: Vec<String>,
}

impl From<&Condition> for DockerStatus {
    fn from(condition: &Condition) -> Self {
        let told = |docker: DockerCondition| match docker {
            DockerCondition::Unasked => ("unasked".to_owned(), None),
            DockerCondition::Answering => ("answering".to_owned(), None),
            DockerCondition::Silent { error } => ("silent".to_owned(), Some(error)),
        };
        let host = |(name, docker): &(String, DockerCondition)| {
            let (state, error) = told(docker.clone());
            DockerHostStatus { name: name.clone(), state, error }
        };
        let (state, error) = told(condition.dockers());
        Self { state, error, hosts: condition.docker.iter().map(host).collect() }
    }
}

/// One open incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIncident {
    /// Its name: `i1042`.
    pub id: String,
    /// The playbook that took the alert.
    pub playbook: String,
    /// The alert's name.
    pub alertname: String,
    /// The target's name, once known.
    pub target: Option<String>,
    /// What it is doing now.
    pub doing: String,
    /// The reason's code, if a gate refused or holds it.
    pub reason: Option<String>,
    /// The incident that opened it; null if an alert did.
    #[serde(default)]
    pub of: Option<String>,
    /// Why it did: `resolved` or `further_target`.
    #[serde(default)]
    pub cause: Option<String>,
}

/// What `GET /api/v1/stream` tells of incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentList {
    /// Open incidents, oldest first, at most 1000.
    pub incidents: Vec<OpenIncident>,
}

/// A pause that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingPause {
    /// `all`, `host:NAME`, `playbook:NAME` or `target:NAME`.
    pub scope: String,
    /// Who said so; `file:UID` is the file `PAUSE`, `signal` is SIGUSR1.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was set, by the wall clock of then.
    pub since: String,
    /// How long it lasts; null until somebody resumes.
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// When it ends at the earliest: later if the machine was off, or its clock was set.
    pub until: Option<String>,
}

/// A target that nothing is done to because the last runs did not help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBreaker {
    /// The target's name.
    pub target: String,
    /// How many runs in a row did not help, or not for long.
    pub failures: u32,
    /// When the last of them ended, by the wall clock of then.
    pub since: String,
    /// When it is due a trial at the earliest: later if the machine was off, or its clock was set.
    pub until: Option<String>,
}

/// Nothing is done because too many alerts came at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormFreeze {
    /// When it began, by the wall clock of then.
    pub since: String,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: String,
    /// When it ends at the earliest: later if the machine was off, or its clock was set.
    pub until: Option<String>,
}

/// The body of `POST /api/v1/incidents/{id}/abort`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortRequest {
    /// Why; at most 500 characters.
    pub reason: String,
    /// Who asks.
    pub by: Option<String>,
}

/// The answer to whoever ended an incident: it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentAborted {
    /// `aborted`.
    pub result: String,
    /// The incident.
    pub incident: String,
    /// How it ended: `cancelled` if nothing was done, else `abandoned`.
    pub verdict: String,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// `GET /api/v1/breakers`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerList {
    /// Those that are open.
    pub breakers: Vec<OpenBreaker>,
}

/// The answer to whoever reset a breaker: it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReset {
    /// `reset`.
    pub result: String,
    /// The target's name.
    pub target: String,
    /// How many runs in a row had not helped.
    pub failures: u32,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Those that are still open.
    pub breakers: Vec<OpenBreaker>,
}

/// `GET /api/v1/pauses`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseList {
    /// All of them.
    pub pauses: Vec<StandingPause>,
}

/// The body of `POST /api/v1/pauses`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// What is to be held back.
    pub scope: String,
    /// Why; at most 500 characters.
    pub reason: String,
    /// Who asks.
    pub by: Option<String>,
    /// How long, as in `1h30m`; left out, until somebody resumes.
    #[serde(rename = "for")]
    pub length: Option<String>,
}

/// The body or the query of `DELETE /api/v1/pauses/{scope}`, where all of it may be left out, and of
/// `DELETE /api/v1/breakers/{target}`, which needs the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// Who asks.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A pause as somebody asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseBrief {
    /// What was held back.
    pub scope: String,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How long; null until somebody resumes.
    #[serde(rename = "for")]
    pub length: Option<String>,
}

/// The answer to whoever set or ended a pause: it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseChanged {
    /// `paused` or `resumed`.
    pub result: String,
    /// The pause that stands now, or the one that has ended.
    pub pause: PauseBrief,
    /// The pause whose place it took.
    pub replaced: Option<PauseBrief>,
    /// What may be wrong with it.
    pub warning: Option<String>,
    /// Everything that is paused now.
    pub pauses: Vec<StandingPause>,
}

/// The answer to `POST /-/reload`, where JSON is asked for. Its text is the other answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// `reloaded` or `rejected`.
    pub result: String,
    /// How many playbooks are loaded now; null if nothing was reloaded.
    pub playbooks: Option<usize>,
    /// The names of those that are new.
    pub added: Vec<String>,
    /// The names of those whose text is another one.
    pub changed: Vec<String>,
    /// The names of those that are gone.
    pub removed: Vec<String>,
    /// Why nothing was reloaded: all of them, each with its place.
    pub problems: Vec<String>,
}

impl ReloadAnswer {
    const RELOADED: &str = "reloaded";

    /// Nothing was taken.
    pub(super) fn rejected(problems: Vec<String>) -> Self {
        Self { result: "rejected".to_owned(), playbooks: None, problems, ..Self::from(Changes::default()) }
    }

    /// Whether everything was taken.
    #[must_use]
    pub fn is_reloaded(&self) -> bool {
        self.result == Self::RELOADED
    }
}

impl From<Changes> for ReloadAnswer {
    fn from(Changes { playbooks, added, changed, removed }: Changes) -> Self {
        let result = Self::RELOADED.to_owned();
        Self { result, playbooks: Some(playbooks), added, changed, removed, problems: Vec::new() }
    }
}

impl fmt::Display for ReloadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(playbooks) = self.playbooks else {
            writeln!(f, "not reloaded, what was loaded stays:")?;
            return self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"));
        };
        let changes = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let ending = if playbooks == 1 { "" } else { "s" };
        write!(f, "reloaded: {playbooks} playbook{ending}")?;
        if changes.iter().all(|(_, names)| names.is_empty()) {
            write!(f, ", none of them changed")?;
        }
        writeln!(f)?;
        let mut told = changes.iter().filter(|(_, names)| !names.is_empty());
        told.try_for_each(|(what, names)| writeln!(f, "{what}: {}", names.join(", ")))
    }
}

/// Any error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What is wrong and what to do.
    pub error: String,
    /// One word for it, where programs may want to tell one no from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl ApiError {
    /// In words alone.
    #[must_use]
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), code: None }
    }
}

impl From<&IncidentSummary> for OpenIncident {
    fn from(summary: &IncidentSummary) -> Self {
        Self {
            id: summary.id.to_string(),
            playbook: summary.playbook.to_string(),
            alertname: summary.alertname.clone(),
            target: summary.target.clone(),
            doing: summary.doing.to_owned(),
            reason: summary.reason.map(|reason| reason.as_str().to_owned()),
            of: summary.origin.map(|(of, _)| of.to_string()),
            cause: summary.origin.map(|(_, cause)| cause.to_owned()),
        }
    }
}

impl From<&Pause> for PauseBrief {
    fn from(pause: &Pause) -> Self {
        Self {
            scope: pause.scope.to_string(),
            by: pause.by.clone(),
            reason: pause.reason.clone(),
            length: pause.length.map(format_duration),
        }
    }
}

impl From<&PauseSummary> for StandingPause {
    fn from(summary: &PauseSummary) -> Self {
        let PauseBrief { scope, by, reason, length } = PauseBrief::from(&summary.pause);
        let until = summary.pause.length.and_then(|length| end_of(summary.since, length));
        Self { scope, by, reason, since: written(summary.since), length, until }
    }
}

impl From<&BreakerSummary> for OpenBreaker {
    fn from(summary: &BreakerSummary) -> Self {
        let BreakerSummary { target, failures, since, open_for } = summary;
        let until = end_of(*since, *open_for);
        Self { target: target.to_string(), failures: *failures, since: written(*since), until }
    }
}

impl From<StormSummary> for StormFreeze {
    fn from(StormSummary { since, freeze }: StormSummary) -> Self {
        Self { since: written(since), length: format_duration(freeze), until: end_of(since, freeze) }
    }
}

pub(super) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn end_of(since: DateTime<Utc>, length: Duration) -> Option<String> {
    since.checked_add_signed(TimeDelta::from_std(length).ok()?).map(written)
}

/// What each Docker lets us do.
fn permissions(condition: &Condition) -> Vec<Permission> {
    let of = |(host, grants): (&String, &Grants)| -> Vec<Permission> {
        let needs = condition.needs.get(host).map(Vec::as_slice).unwrap_or_default();
        let needed = |call: DockerCall| missing(needs, grants).filter(move |need| need.call == call);
        let named = |need: &Need| -> Vec<String> {
            let whys = need.why.iter().filter(|why| !why.optional);
            whys.filter_map(|why| why.playbook.as_ref().map(ToString::to_string)).collect()
        };
        let permission = |ability: &Ability| {
            let (grant, denied) = ability.of(grants)?;
            let missed: BTreeSet<String> = denied.iter().copied().flat_map(needed).flat_map(named).collect();
            Some(Permission {
                host: host.clone(),
                ability: ability.name.to_owned(),
                state: grant.as_str().to_owned(),
                denied: denied.iter().map(|call| format!("{} {}", call.method(), call.shown())).collect(),
                missed_by: missed.into_iter().collect(),
            })
        };
        ABILITIES.iter().filter_map(permission).collect()
    };
    condition.grants.iter().flat_map(of).collect()
}

impl Status {
    /// Puts together what the daemon and the state say. Version, uptime, dry run and approvals are filled in by the caller.
    pub(super) fn of(condition: &Condition, snapshot: &Snapshot) -> Self {
        let unready = condition.unready();
        let (log_state, log_reason) = match &condition.log {
            LogCondition::Opening => ("opening", None),
            LogCondition::Writable => ("writable", None),
            LogCondition::Unwritable { reason } => ("unwritable", Some(reason.clone())),
        };
        Self {
            version: String::new(),
            uptime_seconds: 0,
            dry_run: false,
            ready: unready.is_empty(),
            not_ready_because: unready.iter().map(ToString::to_string).collect(),
            playbooks: condition.playbooks,
            log: LogStatus {
                state: log_state.to_owned(),
                reason: log_reason,
                last_seq: snapshot.last_seq.map(|seq| seq.0),
                head: condition.log_head.clone(),
            },
            docker: DockerStatus::from(condition),
            permissions: permissions(condition),
            pauses: snapshot.pauses.iter().map(StandingPause::from).collect(),
            breakers: snapshot.breakers.iter().map(OpenBreaker::from).collect(),
            approvals: Vec::new(),
            storm: snapshot.storm.map(StormFreeze::from),
            open_episodes: snapshot.open_episodes,
            incidents: snapshot.incidents.iter().map(OpenIncident::from).collect(),
            withheld: false,
        }
    }

    /// What everybody may see of it.
    pub(super) fn for_strangers(self) -> Self {
        Self {
            withheld: true,
            permissions: Vec::new(),
            pauses: Vec::new(),
            breakers: Vec::new(),
            approvals: Vec::new(),
            storm: None,
            incidents: Vec::new(),
            ..self
        }
    }
}
