//! `/api/v1/pauses`: the kill switch over HTTP. Whoever gets a 200 can rely on it: the pause is on disk.
//!
//! It decides nothing: the engine sets and ends pauses, [`Guard`](super::guard::Guard) says who may ask.

use super::api::{PauseBrief, PauseChanged, PauseList, PauseRequest, ResumeRequest, StandingPause};
use super::change::{Refused, bad, ending, must_be_json, person, read, reason, within};
use super::routes::Site;
use super::taken::Path;
use crate::engine::receipt::Switched;
use crate::model::duration::parse_duration;
use crate::model::pause::{NotAScope, Pause, PauseScope};
use crate::people::Role;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// What stands.
pub(super) async fn list(State(site): State<Arc<Site>>) -> Json<PauseList> {
    Json(PauseList { pauses: standing(&site) })
}

/// Sets a pause.
pub(super) async fn set(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let caller = match site.guard.admit(&head, Role::Operate).await {
        Ok(caller) => caller,
        Err(denied) => return denied.into_response(),
    };
    let asked = async {
        let pause = wanted(&head.headers, body).await?;
        let by = caller.name(pause.by, &site.guard.people());
        within(site.inbox.pause(Pause { by, ..pause })).await
    };
    answered(&site, asked.await)
}

/// Ends a pause.
pub(super) async fn end(
    State(site): State<Arc<Site>>,
    Path(scope): Path<String>,
    query: Result<Query<ResumeRequest>, QueryRejection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let caller = match site.guard.admit(&head, Role::Operate).await {
        Ok(caller) => caller,
        Err(denied) => return denied.into_response(),
    };
    let asked = async {
        let scope = scope_of(&scope)?;
        let (by, reason) = ending(query, body).await?;
        let by = caller.name(by, &site.guard.people());
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        within(site.inbox.resume(scope, by, reason)).await
    };
    answered(&site, asked.await)
}

async fn wanted(headers: &HeaderMap, body: Body) -> Result<Pause, Refused> {
    must_be_json(headers)?;
    let request: PauseRequest = serde_json::from_slice(&read(body).await?).map_err(|error| {
        bad(format!("{error}; send {{\"scope\": \"all\", \"reason\": \"…\", \"by\": \"…\", \"for\": \"1h\"}}"))
    })?;
    pause_of(request)
}

/// What somebody wants to be held back.
pub(super) fn pause_of(request: PauseRequest) -> Result<Pause, Refused> {
    let length = match request.length.as_deref().map(parse_duration) {
        None => None,
        Some(Ok(Duration::ZERO)) => {
            return Err(bad("`for` must be more than zero; leave it out to pause until resumed"));
        }
        Some(Ok(length)) => Some(length),
        Some(Err(error)) => return Err(bad(format!("`for`: {error}"))),
    };
    let scope = scope_of(&request.scope)?;
    let reason = reason(&request.reason)?;
    Ok(Pause { scope, by: person(request.by)?, reason, length })
}

pub(super) fn scope_of(text: &str) -> Result<PauseScope, Refused> {
    text.parse().map_err(|error: NotAScope| bad(error.to_string()))
}

fn answered(site: &Site, switched: Result<Switched, Refused>) -> Response {
    match switched.and_then(changed) {
        Ok((result, pause, replaced, warning)) => {
            let (pause, replaced) = (PauseBrief::from(&pause), replaced.as_ref().map(PauseBrief::from));
            let changed = PauseChanged { result: result.to_owned(), pause, replaced, warning, pauses: standing(site) };
            Json(changed).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// What became of it: the word for it, the pause, the one whose place it took, and what may be wrong with it.
pub(super) type Changed = (&'static str, Pause, Option<Pause>, Option<String>);

/// What became of a wish to pause or to resume.
pub(super) fn changed(switched: Switched) -> Result<Changed, Refused> {
    match switched {
        Switched::Paused { pause, replaced, known } => {
            let nothing = format!("{} stands for nothing that the daemon knows: is the name right?", pause.scope);
            Ok(("paused", pause, replaced, (!known).then_some(nothing)))
        }
        Switched::Resumed(pause) => Ok(("resumed", pause, None, None)),
        Switched::NotPaused(scope) => Err(Refused(
            StatusCode::NOT_FOUND,
            format!("{scope} is not paused; `sickbay status` and GET /api/v1/pauses list what is"),
        )),
        Switched::HeldByFile(pause) => {
            let message = format!(
                "the file PAUSE in the storage directory pauses everything ({}: {}); no call can override it: delete \
                 the file",
                pause.by, pause.reason
            );
            Err(Refused(StatusCode::CONFLICT, message))
        }
        Switched::TooMany => {
            let message = "as many pauses as there may be stand already: pause all, or end some".to_owned();
            Err(Refused(StatusCode::CONFLICT, message))
        }
        Switched::Reset { .. }
        | Switched::NotOpen(_)
        | Switched::Aborted { .. }
        | Switched::ActUnderWay(_)
        | Switched::NoSuchIncident(_) => Err(Refused::mixed_up()),
    }
}

fn standing(site: &Site) -> Vec<StandingPause> {
    site.inbox.snapshot().pauses.iter().map(StandingPause::from).collect()
}
