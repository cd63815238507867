//! `POST /api/v1/slack/interactive`: clicks on the buttons of questions in Slack.
//!
//! A click is looked at only once Slack has proved that it is its own; then whose it is, the settings say, and the vote
//! goes the way of any other, to the engine. Slack is answered within 3 seconds, and the vote is on disk by then. What is
//! posted to Slack afterwards, a task of the daemon sends ([`Answer`]). Read `interactive` first.

mod payload;
#[cfg(test)]
mod tests;
mod words;

use super::api::VoteAnswered;
use super::approvals::{ballot_of, refusal};
use super::change::{Refused, within_limit};
use super::guard::Denied;
use super::routes::{Site, error};
use crate::engine::receipt::Voted;
use crate::model::approval::VoteAnswer;
use crate::people::{Person, Role, SlackApp, Unsigned};
use crate::receiver::handler::Clock;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use payload::{Choice, Click, Unread};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use words::{ephemeral, replaced};

/// The longest body: Slack sends the message along in which somebody clicked.
const BODY_MAX: usize = 256 << 10;

/// How long the vote may take to be on disk. Slack waits 3 seconds in all.
const DURABLE_WITHIN: Duration = Duration::from_millis(2500);

/// How many answers may wait to be sent.
pub const ANSWERS_LEN_MAX: usize = 64;

/// What is to be posted to Slack about a click.
pub struct Answer {
    /// Where, as the click said. Whoever knows it may post there: it is shown nowhere.
    pub url: String,
    /// What its origin must be.
    pub origin: String,
    /// JSON, one after the other.
    pub bodies: Vec<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Where clicks are dealt with.
pub struct Desk {
    /// By which it is told how old a request is.
    pub clock: Clock,
    /// Takes what is to be posted.
    pub answers: mpsc::Sender<Answer>,
}

/// What became of a click, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Counted,
    NotCounted,
    Unsigned,
    Foreign,
    UnknownUser,
    NotAllowed,
    Unreadable,
    Unavailable,
    Ignored,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::NotCounted => "not_counted",
            Self::Unsigned => "unsigned",
            Self::Foreign => "foreign",
            Self::UnknownUser => "unknown_user",
            Self::NotAllowed => "not_allowed",
            Self::Unreadable => "unreadable",
            Self::Unavailable => "unavailable",
            Self::Ignored => "ignored",
        }
    }
}

/// What is said about a click: to whoever has clicked, and to everybody in place of the message.
struct Told {
    outcome: Outcome,
    to_them: String,
    /// The new message, if it changes.
    to_all: Option<String>,
}

impl Told {
    fn them(outcome: Outcome, words: impl Into<String>) -> Self {
        Self { outcome, to_them: words.into(), to_all: None }
    }
}

/// Somebody has clicked.
pub(super) async fn interactive(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Some(app) = site.guard.slack() else {
        return error(StatusCode::NOT_FOUND, "the settings have no `slack`, so no click counts");
    };
    let (head, body) = request.into_parts();
    let body = match signed(&app, (&head.headers, body), site.slack.clock.as_ref()().timestamp()).await {
        Ok(body) => body,
        Err(refused) => {
            site.metrics.slack_clicked(Outcome::Unsigned.as_str());
            return refused.into_response();
        }
    };
    let click = match Click::read(&body) {
        Ok(click) => click,
        // Slack calls for other things as well, such as buttons that are links.
        Err(Unread::OtherKind) => {
            site.metrics.slack_clicked(Outcome::Ignored.as_str());
            return StatusCode::OK.into_response();
        }
        Err(Unread::Wrong) => {
            site.metrics.slack_clicked(Outcome::Unreadable.as_str());
            tracing::warn!("Slack has sent a click that cannot be read");
            return error(StatusCode::BAD_REQUEST, "this is no click on a button of sickbay's");
        }
    };
    let told = decided(&site, &app, &click).await;
    site.metrics.slack_clicked(told.outcome.as_str());
    answer(&site, &app, (&click, &told));
    Json(ephemeral(&told.to_them)).into_response()
}

/// The body, if Slack has signed it lately. A stranger's is not read further than the head allows.
async fn signed(app: &SlackApp, (headers, body): (&HeaderMap, Body), now: i64) -> Result<Bytes, Refused> {
    let refused = |unsigned: Unsigned| {
        tracing::warn!(why = %unsigned, "a request claims to be Slack's and is not taken for it");
        Refused(StatusCode::UNAUTHORIZED, format!("this is not taken for a request of Slack: {unsigned}"))
    };
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    let proof = one("x-slack-request-timestamp").zip(one("x-slack-signature"));
    let (timestamp, signature) = proof.ok_or_else(|| refused(Unsigned::Malformed))?;
    SlackApp::in_time(timestamp, now).map_err(refused)?;
    let body = to_bytes(body, BODY_MAX).await;
    let body =
        body.map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("the body cannot be read: {error}")))?;
    app.proves((timestamp, signature), &body, now).map_err(refused)?;
    Ok(body)
}

/// Whose click it is, and what becomes of it.
async fn decided(site: &Site, app: &SlackApp, click: &Click) -> Told {
    let user = click.user();
    if !app.is_ours(click.team(), click.app(), click.team_of_user()) {
        tracing::warn!(slack.user = user, "a click came from another workspace or app");
        return Told::them(Outcome::Foreign, "Only people of sickbay's own workspace can decide here.");
    }
    let people = site.guard.people();
    let Some(person) = people.by_slack_user(user) else {
        tracing::warn!(slack.user = user, "a click came from a Slack user who is none of `people`");
        let words = format!(
            "sickbay does not know you: have `slack_user: {user}` added to your entry of `people` in its settings, and \
             click again."
        );
        return Told::them(Outcome::UnknownUser, words);
    };
    if !person.may(Role::Approve) {
        tracing::warn!(person = person.name, "a click came from somebody who may not decide");
        return Told::them(Outcome::NotAllowed, Denied::Role(Role::Approve).to_string());
    }
    voted(site, person, click).await
}

/// The vote, as any other.
async fn voted(site: &Site, person: &Person, click: &Click) -> Told {
    let (id, plan) = click.about();
    let vote = match click.choice() {
        Choice::Approve => "approve",
        Choice::Deny => "deny",
    };
    let ballot = match ballot_of(id, (person, "slack"), (vote, plan.to_owned(), None)) {
        Ok(ballot) => ballot,
        Err(Refused(_, words)) => return Told::them(Outcome::Unreadable, words),
    };
    match within_limit(site.inbox.vote(ballot), DURABLE_WITHIN).await {
        Ok(voted) => counted(&voted, (person, click)),
        Err(Refused(_, words)) => Told::them(Outcome::Unavailable, format!("{id}: perhaps it did not count: {words}")),
    }
}

/// In words what became of a vote, and whether the message keeps its buttons.
fn counted(voted: &Voted, (person, click): (&Person, &Click)) -> Told {
    let ((id, plan), name) = (click.about(), &person.name);
    let (outcome, words) = match refusal(voted) {
        Some((_, words)) => (Outcome::NotCounted, words),
        None => {
            let answered = VoteAnswered::of(voted, (id.to_owned(), plan.to_owned(), name.clone()));
            (Outcome::Counted, answered.message)
        }
    };
    let to_all = match voted.answer {
        VoteAnswer::Approved | VoteAnswer::Denied => Some((format!("{id}: {name}: {words}"), false)),
        VoteAnswer::Counted => Some((format!("{id}: {name}: {words}"), true)),
        VoteAnswer::TooLate | VoteAnswer::AlreadyDecided | VoteAnswer::Unknown | VoteAnswer::Lapsed => {
            Some((format!("{id}: {words}"), false))
        }
        VoteAnswer::Repeated
        | VoteAnswer::NotEligible
        | VoteAnswer::SelfApproval
        | VoteAnswer::WrongPlan
        | VoteAnswer::NoLinks
        | VoteAnswer::NoReason
        | VoteAnswer::WrongLink => None,
    };
    let to_all = to_all.map(|(line, buttons)| replaced(&line, click.blocks(), buttons));
    Told { outcome, to_them: format!("{id}: {words}"), to_all }
}

/// Hands over what is to be posted. If nobody takes it, only the message stays as it was.
fn answer(site: &Site, app: &SlackApp, (click, told): (&Click, &Told)) {
    let Some(url) = click.response_url() else { return };
    // Slack shows nobody what a click is answered with, so it is posted too.
    let mut bodies = vec![ephemeral(&told.to_them).to_string()];
    bodies.extend(told.to_all.clone());
    let answer = Answer { url: url.to_owned(), origin: app.answer_origin.clone(), bodies };
    if site.slack.answers.try_send(answer).is_err() {
        tracing::warn!("an answer to a click in Slack is not sent: too many wait, or sickbay is stopping");
    }
}
