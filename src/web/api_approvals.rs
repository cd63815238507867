//! The JSON about approvals: what people are asked, how somebody votes, and what they are answered.
//!
//! The shapes are stable: fields are added, never renamed or removed. Read [`OpenApproval`] first.

use super::api::{end_of, written};
use crate::engine::receipt::Voted;
use crate::engine::snapshot::{ApprovalSummary, Room};
use crate::model::approval::VoteAnswer;
use crate::model::duration::format_duration;
use crate::people::People;
use serde::{Deserialize, Serialize};

/// What people are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenApproval {
    /// Its name, such as `i1042.2`.
    pub id: String,
    /// The playbook that asks.
    pub playbook: String,
    /// The target's name, if there is one.
    pub target: Option<String>,
    /// SHA-256 of the plan, in hex.
    pub plan: String,
    /// The plan in words. Untrusted text.
    pub what: String,
    /// How many different people must agree.
    pub required: u32,
    /// Groups or people who may decide.
    pub from: Vec<String>,
    /// Who has agreed.
    pub yes: Vec<String>,
    /// Whether enough have.
    pub approved: bool,
    /// When people were asked.
    pub since: String,
    /// Seconds that are left to decide, at most.
    pub seconds_left: u64,
    /// Whether silence counts as a yes.
    pub approve_on_timeout: bool,
    /// Whether nothing would be changed in any case.
    pub dry_run: bool,
    /// The incident: what is known of it stands at `/incidents/ID`.
    #[serde(default)]
    pub incident: String,
    /// The `alertname` of the alert behind it. Untrusted text.
    #[serde(default)]
    pub alertname: String,
    /// Until when people may decide, by the wall clock of when they were asked.
    #[serde(default)]
    pub until: Option<String>,
    /// What would be sent to Docker and to other systems, in order. Untrusted text.
    #[serde(default)]
    pub calls: Vec<String>,
    /// The target's full ID, or the service's name.
    #[serde(default)]
    pub target_id: Option<String>,
    /// The image it runs: `sha256:…` of a container.
    #[serde(default)]
    pub image: Option<String>,
    /// The names of those who may decide now: people of the settings.
    #[serde(default)]
    pub deciders: Vec<String>,
    /// What is left of the limits.
    #[serde(default)]
    pub limits: Vec<RoomLeft>,
    /// Where the daemon's page tells what is known of the incident, evidence included.
    #[serde(default)]
    pub url: String,
}

/// How full a window of the limits is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLeft {
    /// Whose limit: `playbook`, `per_target` or `global`.
    pub whose: String,
    /// So many runs are allowed.
    pub runs: u32,
    /// In any stretch of this length.
    pub per: String,
    /// So many were begun in it.
    pub used: u64,
}

impl OpenApproval {
    /// One question, with those of these people who may decide.
    pub(super) fn of(summary: &ApprovalSummary, people: &People, base: &str) -> Self {
        let ApprovalSummary { asked, since, left, yes, approved, takes_links: _, alertname, calls, room } = summary;
        let incident = asked.approval.incident.to_string();
        let target = asked.target.as_ref();
        Self {
            id: asked.approval.to_string(),
            playbook: asked.playbook.to_string(),
            target: target.map(|target| target.name.to_string()),
            plan: asked.plan.clone(),
            what: asked.what.clone(),
            required: asked.required,
            from: asked.from.clone(),
            yes: yes.clone(),
            approved: *approved,
            since: written(*since),
            seconds_left: left.as_secs(),
            approve_on_timeout: asked.approve_on_timeout,
            dry_run: asked.dry_run,
            url: format!("{base}incidents/{incident}"),
            incident,
            alertname: alertname.clone(),
            until: end_of(*since, asked.timeout),
            calls: calls.clone(),
            target_id: target.map(|target| target.id.to_string()),
            image: target.map(|target| target.image_id.clone()),
            deciders: people.who_may_decide(&asked.from).map(str::to_owned).collect(),
            limits: room.iter().map(RoomLeft::from).collect(),
        }
    }
}

impl From<&Room> for RoomLeft {
    fn from(Room { whose, window, used }: &Room) -> Self {
        let used = u64::try_from(*used).unwrap_or(u64::MAX);
        Self { whose: (*whose).to_owned(), runs: window.runs, per: format_duration(window.per), used }
    }
}

/// `GET /api/v1/approvals`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalList {
    /// Those that are open, oldest first, at most 1000.
    pub approvals: Vec<OpenApproval>,
}

/// The body of `POST /api/v1/approvals/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// `approve` or `deny`.
    pub vote: String,
    /// The plan it is about: its SHA-256, or at least the first 12 digits.
    pub plan: String,
    /// What to record with it; at most 500 characters.
    pub comment: Option<String>,
}

/// The answer to whoever voted: it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteAnswered {
    /// `counted`, `approved`, `denied` or `repeated`.
    pub result: String,
    /// The approval.
    pub id: String,
    /// The plan that was voted on.
    pub plan: String,
    /// Who voted.
    pub by: String,
    /// How many different people have agreed by now.
    pub yes: u32,
    /// How many must.
    pub required: u32,
    /// How the approval ended, if it has.
    pub outcome: Option<String>,
    /// The same in words.
    pub message: String,
}

impl VoteAnswered {
    /// To a vote that counts, or did so before.
    pub(super) fn of(voted: &Voted, (id, plan, by): (String, String, String)) -> Self {
        let Voted { answer, outcome, yes, required } = *voted;
        let message = match answer {
            VoteAnswer::Approved => "approved: it is carried out now, if the gates let it".to_owned(),
            VoteAnswer::Denied => "denied: it is not carried out".to_owned(),
            VoteAnswer::Repeated => format!("you had agreed already, which counts once: {yes} of {required}"),
            VoteAnswer::Counted
            | VoteAnswer::NotEligible
            | VoteAnswer::SelfApproval
            | VoteAnswer::WrongPlan
            | VoteAnswer::TooLate
            | VoteAnswer::AlreadyDecided
            | VoteAnswer::Unknown
            | VoteAnswer::NoLinks
            | VoteAnswer::WrongLink
            | VoteAnswer::Lapsed => format!("counted: {yes} of {required} agreed"),
        };
        let outcome = outcome.map(|outcome| outcome.as_str().to_owned());
        Self { result: answer.as_str().to_owned(), id, plan, by, yes, required, outcome, message }
    }
}
