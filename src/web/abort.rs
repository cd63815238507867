//! `POST /api/v1/incidents/ID/abort`: a person ends an incident. Whoever gets a 200 can rely on it: the end is on disk.
//!
//! It decides nothing: the engine ends incidents, [`Guard`](super::guard::Guard) says who may ask.

use super::api::{AbortRequest, IncidentAborted};
use super::change::{Refused, bad, must_be_json, person, read, reason, within};
use super::routes::Site;
use super::taken::Path;
use crate::engine::receipt::Switched;
use crate::model::id::IncidentId;
use crate::people::Role;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Ends one.
pub(super) async fn abort(State(site): State<Arc<Site>>, Path(id): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let caller = match site.guard.admit(&head, Role::Operate).await {
        Ok(caller) => caller,
        Err(denied) => return denied.into_response(),
    };
    let asked = async {
        must_be_json(&head.headers)?;
        let request: AbortRequest = serde_json::from_slice(&read(body).await?)
            .map_err(|error| bad(format!("{error}; send {{\"reason\": \"…\", \"by\": \"…\"}}")))?;
        let named = |_not_one| Refused(StatusCode::NOT_FOUND, "an incident is named like i1042".to_owned());
        let (incident, why): (IncidentId, _) = (id.parse().map_err(named)?, reason(&request.reason)?);
        let by = caller.name(person(request.by)?, &site.guard.people());
        within(site.inbox.abort(incident, by, why)).await
    };
    match asked.await.and_then(answer) {
        Ok(answer) => answer.into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(switched: Switched) -> Result<Json<IncidentAborted>, Refused> {
    match switched {
        Switched::Aborted { incident, verdict, by, reason } => {
            let (incident, verdict) = (incident.to_string(), verdict.to_string());
            Ok(Json(IncidentAborted { result: "aborted".to_owned(), incident, verdict, by, reason }))
        }
        Switched::ActUnderWay(incident) => {
            let message = format!(
                "something was sent for {incident}, and its answer is awaited; try again in a moment, or pause to hold \
                 back what follows"
            );
            Err(Refused(StatusCode::CONFLICT, message))
        }
        Switched::NoSuchIncident(incident) => {
            Err(Refused(StatusCode::NOT_FOUND, format!("{incident} is not open; `sickbay status` lists what is")))
        }
        Switched::Paused { .. }
        | Switched::Resumed(_)
        | Switched::NotPaused(_)
        | Switched::HeldByFile(_)
        | Switched::TooMany
        | Switched::Reset { .. }
        | Switched::NotOpen(_) => Err(Refused::mixed_up()),
    }
}
