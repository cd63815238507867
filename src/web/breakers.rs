//! `/api/v1/breakers`: the targets that runs did not help, and a person's word that one may be treated again. Whoever gets
//! a 200 can rely on it: the reset is on disk.
//!
//! It decides nothing: the engine opens and closes breakers, [`Guard`](super::guard::Guard) says who may ask.

use super::api::{BreakerList, BreakerReset, OpenBreaker, ResumeRequest};
use super::change::{Refused, bad, ending, within};
use super::routes::Site;
use super::taken::Path;
use crate::engine::receipt::Switched;
use crate::model::target::TargetName;
use crate::people::Role;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Which are open.
pub(super) async fn list(State(site): State<Arc<Site>>) -> Json<BreakerList> {
    Json(BreakerList { breakers: open(&site) })
}

/// Closes one.
pub(super) async fn reset(
    State(site): State<Arc<Site>>,
    Path(target): Path<String>,
    query: Result<Query<ResumeRequest>, QueryRejection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let caller = match site.guard.admit(&head, Role::Operate).await {
        Ok(caller) => caller,
        Err(denied) => return denied.into_response(),
    };
    let asked = async {
        let target = TargetName::parse(&target).ok_or_else(|| {
            bad(format!(
                "{target:?} is not the name of a target: write NAME or PROJECT/SERVICE, and HOST: before it on \
                         another Docker host than the first"
            ))
        })?;
        let (by, reason) = ending(query, body).await?;
        let by = caller.name(by, &site.guard.people());
        let reason = reason.ok_or_else(|| bad("`reason` is missing: what did you find, or change?"))?;
        within(site.inbox.reset(target.as_str().into(), by, reason)).await
    };
    match asked.await.and_then(|switched| answer(&site, switched)) {
        Ok(answer) => answer.into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(site: &Site, switched: Switched) -> Result<Json<BreakerReset>, Refused> {
    match switched {
        Switched::Reset { reset, failures } => {
            let target = reset.target.to_string();
            let (by, reason, breakers) = (reset.by, reset.reason, open(site));
            Ok(Json(BreakerReset { result: "reset".to_owned(), target, failures, by, reason, breakers }))
        }
        Switched::NotOpen(target) => {
            let message = format!(
                "the breaker of {target} is not open; `sickbay status` and GET /api/v1/breakers list those that are"
            );
            Err(Refused(StatusCode::NOT_FOUND, message))
        }
        Switched::Paused { .. }
        | Switched::Resumed(_)
        | Switched::NotPaused(_)
        | Switched::HeldByFile(_)
        | Switched::TooMany
        | Switched::Aborted { .. }
        | Switched::ActUnderWay(_)
        | Switched::NoSuchIncident(_) => Err(Refused::mixed_up()),
    }
}

fn open(site: &Site) -> Vec<OpenBreaker> {
    site.inbox.snapshot().breakers.iter().map(OpenBreaker::from).collect()
}
