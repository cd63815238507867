//! `/api/v1/approvals`: what people are asked, and their votes. Whoever gets a 200 can rely on it: the vote is on disk.
//!
//! It decides nothing: [`Guard`](super::guard::Guard) says who somebody is, and the engine whether their vote counts.

use super::api::{ApiError, ApprovalList, OpenApproval, VoteAnswered, VoteRequest};
use super::change::{Refused, bad, must_be_json, read, said, within};
use super::history::end_of;
use super::routes::{Site, error};
use super::taken::Path;
use crate::engine::receipt::Voted;
use crate::model::approval::{Ballot, PLAN_DIGITS, VoteAnswer};
use crate::model::id::ActId;
use crate::people::{Person, Role};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The longest comment, in characters.
const COMMENT_MAX: usize = 500;

/// Which are open.
pub(super) async fn list(State(site): State<Arc<Site>>) -> Json<ApprovalList> {
    Json(ApprovalList { approvals: open(&site) })
}

/// One of them.
pub(super) async fn one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    match open(&site).into_iter().find(|approval| approval.id == id) {
        Some(approval) => Json(approval).into_response(),
        None => error(StatusCode::NOT_FOUND, &end_of(&site, &id).await.unwrap_or_else(|| NO_SUCH.to_owned())),
    }
}

pub(super) const NO_SUCH: &str = "no approval of this name is open: it was decided before, its time is over, or its alert has ended; its incident says which";

/// What a vote without a reason is told where one is needed.
pub(super) const NO_REASON: &str = "it does not count without a reason: the playbook wants one. Say why in the comment, on the page or \
    with `--comment`";
/// Why no link is taken.
pub(super) const NO_LINKS: &str = "no link is taken for this approval: its playbook wants another way, or too many wrong \
                                   ones were tried; decide on the page, in Slack or with `sickbay approve`";

/// Why a link is not taken.
pub(super) const WRONG_LINK: &str = "this link or code does not fit this approval: it is for another one, or not whole; \
                                     after ten that do not fit, none is taken any more";

/// All that are open.
pub(super) fn open(site: &Site) -> Vec<OpenApproval> {
    let (snapshot, people) = (site.inbox.snapshot(), site.guard.people());
    snapshot.approvals.iter().map(|summary| OpenApproval::of(summary, &people, &site.url)).collect()
}

/// Somebody says yes or no.
pub(super) async fn vote(State(site): State<Arc<Site>>, Path(id): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let person = match site.guard.person(&head, Role::Approve).await {
        Ok(person) => person,
        Err(denied) => return denied.into_response(),
    };
    let asked = async {
        let ballot = ballot(&id, &person, (&head.headers, body)).await?;
        let plan = ballot.plan.clone();
        Ok((within(site.inbox.vote(ballot)).await?, plan))
    };
    match asked.await {
        Ok((voted, plan)) => match refusal_in_full(&site, &voted, &id).await {
            None => Json(VoteAnswered::of(&voted, (id, plan, person.name.clone()))).into_response(),
            Some((status, words)) => {
                let error = ApiError { error: words, code: Some(voted.answer.as_str().to_owned()) };
                (status, Json(error)).into_response()
            }
        },
        Err(refused) => Refused::into_response(refused),
    }
}

async fn ballot(id: &str, person: &Person, (headers, body): (&HeaderMap, Body)) -> Result<Ballot, Refused> {
    must_be_json(headers)?;
    let request: VoteRequest = serde_json::from_slice(&read(body).await?).map_err(|error| {
        bad(format!("{error}; send {{\"vote\": \"approve\", \"plan\": \"…\", \"comment\": \"…\"}}, or \"deny\""))
    })?;
    ballot_of(id, (person, "api"), (&request.vote, request.plan, request.comment))
}

/// The vote of somebody who is known by now.
pub(super) fn ballot_of(
    id: &str,
    (person, channel): (&Person, &str),
    (vote, plan, comment): (&str, String, Option<String>),
) -> Result<Ballot, Refused> {
    let approve = match vote {
        "approve" => true,
        "deny" => false,
        _ => return Err(bad("`vote` must be approve or deny")),
    };
    if plan.len() < PLAN_DIGITS || !plan.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad(format!("`plan` is the plan you were shown: at least its first {PLAN_DIGITS} digits")));
    }
    // Some programs write digits large.
    let plan = plan.to_ascii_lowercase();
    let comment = comment.filter(|comment| !comment.trim().is_empty());
    let comment = comment.map(|comment| said("comment", &comment, COMMENT_MAX)).transpose()?.unwrap_or_default();
    let approval: ActId = id
        .parse()
        .map_err(|_not_one| Refused(StatusCode::NOT_FOUND, "an approval is named like i1042.2".to_owned()))?;
    let (name, groups, channel) = (person.name.clone(), person.groups.clone(), channel.to_owned());
    Ok(Ballot { approval, plan, person: name, groups, channel, approve, comment })
}

/// As [`refusal`]; of what is decided or over the log tells how it ended, and by whom.
pub(super) async fn refusal_in_full(site: &Site, voted: &Voted, id: &str) -> Option<(StatusCode, String)> {
    let (status, words) = refusal(voted)?;
    let end = match voted.answer {
        VoteAnswer::Unknown | VoteAnswer::Lapsed | VoteAnswer::AlreadyDecided | VoteAnswer::TooLate => {
            end_of(site, id).await
        }
        VoteAnswer::Counted
        | VoteAnswer::Approved
        | VoteAnswer::Denied
        | VoteAnswer::Repeated
        | VoteAnswer::NotEligible
        | VoteAnswer::SelfApproval
        | VoteAnswer::WrongPlan
        | VoteAnswer::NoLinks
        | VoteAnswer::NoReason
        | VoteAnswer::WrongLink => None,
    };
    Some((status, end.unwrap_or(words)))
}

/// Why a vote does not count, with the status that says so; `None` if it does.
pub(super) fn refusal(voted: &Voted) -> Option<(StatusCode, String)> {
    let ended = voted.outcome.map(|outcome| format!(" ({outcome})")).unwrap_or_default();
    let (status, words) = match voted.answer {
        VoteAnswer::Counted | VoteAnswer::Approved | VoteAnswer::Denied | VoteAnswer::Repeated => return None,
        VoteAnswer::NotEligible => {
            (StatusCode::FORBIDDEN, "you may not decide about this plan: its playbook asks others".to_owned())
        }
        VoteAnswer::SelfApproval => (
            StatusCode::FORBIDDEN,
            "you caused this run, so somebody else must agree to it; you may still deny it".to_owned(),
        ),
        VoteAnswer::WrongPlan => (
            StatusCode::CONFLICT,
            "this is not the plan that people are asked about; look at it again, it may have changed".to_owned(),
        ),
        VoteAnswer::NoLinks => (StatusCode::FORBIDDEN, NO_LINKS.to_owned()),
        VoteAnswer::NoReason => (StatusCode::BAD_REQUEST, NO_REASON.to_owned()),
        VoteAnswer::WrongLink => (StatusCode::FORBIDDEN, WRONG_LINK.to_owned()),
        VoteAnswer::TooLate => (StatusCode::GONE, "the time to decide is over".to_owned()),
        VoteAnswer::AlreadyDecided => (StatusCode::CONFLICT, format!("it had been decided before{ended}")),
        VoteAnswer::Unknown | VoteAnswer::Lapsed => (StatusCode::NOT_FOUND, NO_SUCH.to_owned()),
    };
    Some((status, words))
}
