//! `/a/ID`: a person decides by the signed link that they were sent.
//!
//! Whoever asks for the page is shown the same, whatever they ask for: mail is read by scanners first, and these open its
//! links. What the link is about, whoever shows its token or its code is told by a second request, and a third one, for
//! which somebody presses a button, is the vote. It goes the way of any other. A token or a code that fits nobody goes to the
//! engine as well, which counts them. Neither is ever shown, logged or recorded. Read [`holder`].

#[cfg(test)]
mod tests;
mod told;

use super::api::{OpenApproval, VoteAnswered};
use super::approvals::{NO_LINKS, NO_SUCH, WRONG_LINK, ballot_of, refusal};
use super::change::{FORM_TYPE, Refused, is_of_kind, must_be_json, read, within};
use super::guard::Denied;
use super::page;
use super::routes::Site;
use super::taken::Path;
use crate::engine::receipt::Voted;
use crate::engine::snapshot::ApprovalSummary;
use crate::model::approval::{BY_LINK, Ballot, VoteAnswer};
use crate::people::{LinkAbout, LinkKey, People, Person, Role, Unproven};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use told::{Outcome, Turned};

/// How many hexadecimal digits of its SHA-256 tell one wrong token from another in our own log.
const DIGEST_DIGITS: usize = 8;

/// Somebody with a link wants to see what it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    token: SecretString,
}

/// Somebody with a link has pressed a button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByToken {
    token: SecretString,
    decision: String,
    #[serde(default)]
    reason: String,
}

/// Somebody without a script has typed the code.
#[derive(Deserialize)]
struct ByCode {
    code: SecretString,
    decision: String,
    #[serde(default)]
    reason: String,
}

/// What somebody presents.
enum Proof {
    Token(SecretString),
    Code(SecretString),
}

impl Proof {
    fn text(&self) -> &str {
        match self {
            Self::Token(text) | Self::Code(text) => text.expose_secret(),
        }
    }
}

/// The page, the same for everybody.
pub(super) async fn start(State(site): State<Arc<Site>>) -> Response {
    page::link(StatusCode::OK, &site.root, (None, None, true))
}

/// What a token is about, for the script.
pub(super) async fn show(State(site): State<Arc<Site>>, Path(id): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let shown = async {
        must_be_json(&head.headers)?;
        let Shown { token } = serde_json::from_slice(&read(body).await?).map_err(|_told| unreadable())?;
        let (person, summary) = holder(&site, &head, (&id, &Proof::Token(token))).await?;
        Ok::<_, Turned>(question(&site, (&person, &summary), false))
    };
    match shown.await {
        Ok(question) => {
            site.metrics.link_used(Outcome::Shown.as_str());
            page::link_part(&question)
        }
        Err(turned) => turned.counted(&site).into_response(),
    }
}

/// Somebody decides, by a token with the script, or by a code without.
pub(super) async fn answer(State(site): State<Arc<Site>>, Path(id): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if is_of_kind(&head.headers, FORM_TYPE) {
        return typed(&site, &id, (head, body)).await;
    }
    let voted = async {
        must_be_json(&head.headers)?;
        let ByToken { token, decision, reason } =
            serde_json::from_slice(&read(body).await?).map_err(|_told| unreadable())?;
        let (person, summary) = holder(&site, &head, (&id, &Proof::Token(token))).await?;
        vote(&site, (&person, &summary), (&decision, reason)).await
    };
    match voted.await {
        Ok(answered) => {
            site.metrics.link_used(Outcome::Counted.as_str());
            Json(answered).into_response()
        }
        Err(turned) => turned.counted(&site).into_response(),
    }
}

/// Without a script: a page with the question, or with what became of the answer.
async fn typed(site: &Site, id: &str, (head, body): (Parts, axum::body::Body)) -> Response {
    let done = async {
        let form: ByCode = serde_urlencoded::from_bytes(&read(body).await?).map_err(|_told| unreadable())?;
        let ByCode { code, decision, reason } = form;
        let (person, summary) = holder(site, &head, (id, &Proof::Code(code))).await?;
        if decision == "show" {
            return Ok::<_, Turned>((Outcome::Shown, None, Some(question(site, (&person, &summary), true))));
        }
        let answered = vote(site, (&person, &summary), (&decision, reason)).await?;
        Ok((Outcome::Counted, Some((true, answered.message)), None))
    };
    match done.await {
        Ok((outcome, said, question)) => {
            site.metrics.link_used(outcome.as_str());
            page::link(StatusCode::OK, &site.root, (said, question, false))
        }
        Err(turned) => {
            let Turned { status, words, .. } = turned.counted(site);
            page::link(status, &site.root, (Some((false, words)), None, true))
        }
    }
}

fn unreadable() -> Turned {
    // What is wrong with it is not told: it would show what it holds.
    Turned::new(Outcome::Unreadable, StatusCode::BAD_REQUEST, "this cannot be read; open the link of the message again")
}

/// Who holds this token or code, and what they are asked.
async fn holder(
    site: &Site,
    head: &Parts,
    (id, proof): (&str, &Proof),
) -> Result<(Arc<Person>, ApprovalSummary), Turned> {
    let denied = |outcome, denied: Denied| Turned::new(outcome, denied.status(), denied.to_string());
    site.guard.refuse_foreign(head).map_err(|foreign| denied(Outcome::Foreign, foreign))?;
    let off = "the settings have no `approvals.link_secret_file`, so no link counts";
    let key = site.guard.links().ok_or_else(|| Turned::new(Outcome::Off, StatusCode::NOT_FOUND, off))?;
    let snapshot = site.inbox.snapshot();
    let summary = snapshot.approvals.iter().find(|summary| summary.asked.approval.to_string() == id);
    let summary = summary.ok_or_else(|| Turned::new(Outcome::Unknown, StatusCode::NOT_FOUND, NO_SUCH))?.clone();
    if !summary.takes_links {
        return Err(Turned::new(Outcome::Closed, StatusCode::FORBIDDEN, NO_LINKS));
    }
    if proof.text().trim().is_empty() {
        return Err(unreadable());
    }
    let people = site.guard.people();
    match approver(&key, &people, (id, &summary), (proof, site.slack.clock.as_ref()().timestamp())) {
        Ok(Some(person)) => Ok((person, summary)),
        Ok(None) => Err(denied(Outcome::NotAllowed, Denied::Role(Role::Approve))),
        Err(Unproven::Expired) => {
            let words = "the time of this link is over; whether it can still be decided, the page says";
            Err(Turned::new(Outcome::Expired, StatusCode::GONE, words))
        }
        Err(Unproven::AnotherQuestion) => Err(Turned::new(Outcome::Unknown, StatusCode::NOT_FOUND, NO_SUCH)),
        Err(Unproven::Malformed | Unproven::Forged) => Err(wrong(site, (&summary, proof)).await),
    }
}

/// Who may answer by it: one of those who get links now; `None` if they get none any more.
fn approver(
    key: &LinkKey,
    people: &People,
    (id, ApprovalSummary { asked, since, .. }): (&str, &ApprovalSummary),
    (proof, now): (&Proof, i64),
) -> Result<Option<Arc<Person>>, Unproven> {
    let until = asked.until(*since).ok_or(Unproven::Expired)?.timestamp();
    let about = |person| LinkAbout { approval: id, plan: &asked.plan, approver: person, until };
    let proved = match proof {
        Proof::Token(token) => {
            let token = token.expose_secret();
            let name = key.proves(token, (id, &asked.plan), now)?;
            let found = people.by_link(&asked.from).find(|person| person.name == name);
            // Names begin anew with each log, and a plan may come again.
            if found.is_some_and(|person| !key.fits_token(token, about(&person.name))) {
                return Err(Unproven::AnotherQuestion);
            }
            found
        }
        Proof::Code(code) => {
            let mut found = None;
            // Everybody's is looked at, however early one fits.
            for person in people.by_link(&asked.from) {
                if key.fits_code(code.expose_secret(), about(&person.name)) {
                    found = Some(person);
                }
            }
            if found.is_some() && until <= now {
                return Err(Unproven::Expired);
            }
            Some(found.ok_or(Unproven::Forged)?)
        }
    };
    Ok(proved.map(Arc::clone))
}

/// It fits nobody: that counts, and is on disk before anybody is told.
async fn wrong(site: &Site, (summary, proof): (&ApprovalSummary, &Proof)) -> Turned {
    let digest: String = hex::encode(Sha256::digest(proof.text())).chars().take(DIGEST_DIGITS).collect();
    tracing::warn!(act.id = %summary.asked.approval, tried.sha256 = digest, "a link or a code was tried that fits nobody");
    let ballot = Ballot {
        approval: summary.asked.approval,
        plan: summary.asked.plan.clone(),
        person: String::new(),
        groups: Vec::new(),
        channel: BY_LINK.to_owned(),
        approve: false,
        comment: String::new(),
    };
    match within(site.inbox.vote(ballot)).await {
        Ok(Voted { answer: VoteAnswer::NoLinks, .. }) => Turned::new(Outcome::Closed, StatusCode::FORBIDDEN, NO_LINKS),
        Ok(_counted) => Turned::new(Outcome::Wrong, StatusCode::FORBIDDEN, WRONG_LINK),
        Err(refused) => refused.into(),
    }
}

/// The vote, as any other.
async fn vote(
    site: &Site,
    (person, summary): (&Person, &ApprovalSummary),
    (decision, reason): (&str, String),
) -> Result<VoteAnswered, Turned> {
    let (id, plan) = (summary.asked.approval.to_string(), summary.asked.plan.clone());
    let ballot = ballot_of(&id, (person, BY_LINK), (decision, plan.clone(), Some(reason)))?;
    let voted = within(site.inbox.vote(ballot)).await?;
    match refusal(&voted) {
        None => Ok(VoteAnswered::of(&voted, (id, plan, person.name.clone()))),
        Some((status, words)) => {
            let turned = Turned::new(Outcome::NotCounted, status, words);
            Err(Turned { code: voted.answer.as_str(), ..turned })
        }
    }
}

/// What they are asked, as it is shown.
fn question(site: &Site, (person, summary): (&Person, &ApprovalSummary), by_code: bool) -> page::LinkQuestion {
    let asked = OpenApproval::of(summary, &site.guard.people(), &site.url);
    page::LinkQuestion { asked, person: person.name.clone(), by_code }
}

impl From<Refused> for Turned {
    fn from(Refused(status, words): Refused) -> Self {
        let outcome = if status.is_server_error() { Outcome::Unavailable } else { Outcome::Unreadable };
        Self::new(outcome, status, words)
    }
}
