//! The JSON about approvals: what people are asked, how somebody votes, and what they are answered.
//!
//! The shapes are stable: fields are added, never renamed or removed. Read [`OpenApproval`] first.

use super::api::{CooldownLeft, RoomLeft, end_of, written};
use crate::engine::receipt::Voted;
use crate::engine::snapshot::ApprovalSummary;
use crate::model::approval::VoteAnswer;
use crate::model::diagnosis::{Diagnosis, Finding};
use crate::people::People;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// What is left of the limits, as the gate will find it.
    #[serde(default)]
    pub limits: Vec<RoomLeft>,
    /// What was found to be the matter with the target right before people were asked; null where nobody looked.
    #[serde(default)]
    pub evidence: Option<AskedEvidence>,
    /// The playbook's cooldown, if it is not over: until then nothing begins, whoever agrees.
    #[serde(default)]
    pub cooldown: Option<CooldownLeft>,
    /// Which votes count only with a comment: `never`, `on_deny` or `always`.
    #[serde(default)]
    pub reason: String,
    /// Where the daemon's page tells what is known of the incident, evidence included.
    #[serde(default)]
    pub url: String,
}

/// What was found to be the matter with a target. All of it is untrusted text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedEvidence {
    /// The ID of the container that was looked at.
    pub container: Option<String>,
    /// The ID of the Swarm service, or `PROJECT/SERVICE` of the Compose service, that was looked at instead.
    #[serde(default)]
    pub service: Option<String>,
    /// Its state, and the exit code of one that has ended, in words; of a service, how many replicas run.
    pub state: String,
    /// What is the matter with it, the likeliest first.
    pub findings: Vec<AskedFinding>,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// Why nobody could look, if so.
    pub error: Option<String>,
}

/// One thing that is the matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedFinding {
    /// Its code, as in `sickbay diagnose`.
    pub code: String,
    /// `cause`, `risk` or `note`.
    pub weight: String,
    /// What is the matter.
    pub what: String,
    /// What was seen that says so.
    pub seen: String,
    /// What to do next.
    pub next: String,
}

impl AskedEvidence {
    fn of(evidence: &Value) -> Self {
        let said = |pointer: &str| evidence.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let code = evidence.pointer("/container/state/exit_code").and_then(Value::as_i64);
        let status = said("/container/state/status").unwrap_or_default();
        let count = |name: &str| evidence.pointer(&format!("/service/state/{name}")).and_then(Value::as_u64);
        let state = match (code, count("replicas"), count("running")) {
            (_, Some(wanted), Some(running)) => format!("{running} of {wanted} replicas run"),
            (Some(code), _, _) if status == "exited" || status == "dead" => format!("{status} with code {code}"),
            (Some(_) | None, _, _) => status,
        };
        let finding = |finding: Finding| AskedFinding {
            code: finding.code.as_str().to_owned(),
            weight: finding.weight.as_str().to_owned(),
            what: finding.what,
            seen: finding.seen,
            next: finding.next,
        };
        let lines = evidence.pointer("/logs/lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            container: said("/container/id"),
            service: said("/service/id"),
            state,
            findings: Diagnosis::in_evidence(evidence).findings.into_iter().map(finding).collect(),
            log: lines.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            error: said("/error"),
        }
    }
}

impl OpenApproval {
    /// One question, with those of these people who may decide.
    pub(super) fn of(summary: &ApprovalSummary, people: &People, base: &str) -> Self {
        let ApprovalSummary { asked, since, left, yes, approved, takes_links: _, alertname, calls, room, chill } =
            summary;
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
            reason: asked.reason.as_str().to_owned(),
            url: format!("{base}incidents/{incident}"),
            incident,
            alertname: alertname.clone(),
            until: end_of(*since, asked.timeout),
            calls: calls.clone(),
            target_id: target.map(|target| target.id.to_string()),
            image: target.map(|target| target.image_id.clone()),
            deciders: people.who_may_decide(&asked.from).map(str::to_owned).collect(),
            limits: room.iter().map(RoomLeft::from).collect(),
            evidence: asked.evidence.as_ref().map(AskedEvidence::of),
            cooldown: chill.as_ref().map(CooldownLeft::of),
        }
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
            | VoteAnswer::NoReason
            | VoteAnswer::WrongLink
            | VoteAnswer::Lapsed => format!("counted: {yes} of {required} agreed"),
        };
        let outcome = outcome.map(|outcome| outcome.as_str().to_owned());
        Self { result: answer.as_str().to_owned(), id, plan, by, yes, required, outcome, message }
    }
}
