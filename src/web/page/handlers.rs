//! What each page and each form does.

use super::oidc;
use super::render::{self, Frame, page};
use crate::engine::receipt::Switched;
use crate::model::approval::Ballot;
use crate::people::{Role, WINDOW};
use crate::web::api::{OpenApproval, PauseRequest, Status, VoteAnswered};
use crate::web::change::{FORM_TYPE, Refused, bad, is_of_kind, read, reason, within};
use crate::web::guard::{Denied, LoggedIn};
use crate::web::routes::{Site, index, status_of, wrong_method};
use crate::web::sight::wants_html;
use crate::web::taken::{Path, Query};
use crate::web::{approvals, pauses};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of something that was done: whether it is good, and in words.
pub(super) type Said = Option<(bool, String)>;

#[derive(Serialize)]
struct Questions {
    approvals: Vec<OpenApproval>,
}

#[derive(Serialize)]
struct StatusShown {
    status: Status,
    operates: bool,
}

#[derive(Serialize)]
struct LoginShown<'s> {
    /// Where a login by the provider begins.
    begin: String,
    provider: Option<&'s str>,
    password: bool,
}

#[derive(Deserialize)]
struct LoginForm {
    name: String,
    password: SecretString,
}

#[derive(Deserialize)]
struct VoteForm {
    plan: String,
    vote: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
struct PauseForm {
    scope: String,
    reason: String,
    #[serde(default, rename = "for")]
    length: String,
}

#[derive(Deserialize)]
struct LogoutForm {}

/// Whose page asks what is new.
#[derive(Deserialize)]
pub(in crate::web) struct ShownTo {
    #[serde(rename = "as")]
    person: Option<String>,
}

/// What each form of somebody who is logged in brings back.
#[derive(Deserialize)]
struct Signed {
    form_token: String,
}

/// A form, and who has sent it.
struct Admitted<T> {
    head: Parts,
    known: LoggedIn,
    form: T,
}

/// What people are asked, for browsers; the list of paths for everybody else.
pub(in crate::web) async fn home(State(site): State<Arc<Site>>, head: Parts) -> Response {
    if wants_html(&head.headers) { questions(&site, &head, StatusCode::OK, None) } else { index().into_response() }
}

/// The questions alone, for the script. A page of somebody who is no longer logged in is told so.
pub(in crate::web) async fn fragment(
    State(site): State<Arc<Site>>,
    Query(shown): Query<ShownTo>,
    head: Parts,
) -> Response {
    let known = site.guard.session(&head);
    let is_theirs = shown.person.as_deref() == known.as_ref().map(|known| &*known.person.name);
    if shown.person.is_some() && !is_theirs {
        return Denied::Nobody.into_response();
    }
    let facts = Questions { approvals: approvals::open(&site) };
    let frame = frame(&site, known.as_ref(), None);
    let tag = tag_of(&facts, &frame);
    render::questions(&frame, &facts, (&head.headers, &tag))
}

/// What tells these questions from others, for this person; what only counts down is no difference.
fn tag_of(facts: &Questions, frame: &Frame<'_>) -> String {
    let timeless = facts.approvals.iter().map(|asked| OpenApproval { seconds_left: 0, ..asked.clone() });
    let told = (timeless.collect::<Vec<_>>(), &frame.person);
    hex::encode(Sha256::digest(serde_json::to_vec(&told).unwrap_or_default()))
}

fn questions(site: &Site, head: &Parts, status: StatusCode, said: Said) -> Response {
    let known = site.guard.session(head);
    let facts = Questions { approvals: approvals::open(site) };
    render::questions_page(status, &frame(site, known.as_ref(), said), &facts)
}

/// How the daemon is.
pub(in crate::web) async fn status(State(site): State<Arc<Site>>, head: Parts) -> Response {
    shown_status(&site, &head, StatusCode::OK, None)
}

fn shown_status(site: &Site, head: &Parts, code: StatusCode, said: Said) -> Response {
    let known = site.guard.session(head);
    let operates = known.as_ref().is_some_and(|known| known.person.may(Role::Operate));
    let facts = StatusShown { status: status_of(site), operates };
    page(code, ("Status", "status.html"), &frame(site, known.as_ref(), said), &facts)
}

pub(super) fn frame<'a>(site: &'a Site, known: Option<&'a LoggedIn>, said: Said) -> Frame<'a> {
    let person = known.map(|known| (&*known.person.name, known.form_token()));
    Frame { root: &site.root, person, said }
}

/// The form to log in.
pub(in crate::web) async fn login(State(site): State<Arc<Site>>, head: Parts) -> Response {
    ask_to_log_in(&site, &head, StatusCode::OK, None)
}

pub(super) fn ask_to_log_in(site: &Site, head: &Parts, status: StatusCode, said: Said) -> Response {
    let known = site.guard.session(head);
    let provider = site.guard.provider();
    let provider = provider.as_ref().map(|provider| provider.login().name.as_str());
    // Where nobody could use it, nobody is asked for a password.
    let password = provider.is_none() || site.guard.people().any_has_password();
    let facts = LoginShown { begin: oidc::begin_path(site, head), provider, password };
    page(status, ("Log in", "login.html"), &frame(site, known.as_ref(), said), &facts)
}

/// What a browser is shown that may not look.
pub(in crate::web) fn door(site: &Site, head: &Parts, denied: Denied) -> Response {
    let said = match denied {
        Denied::Token => None,
        Denied::Foreign
        | Denied::Unsaid
        | Denied::Elsewhere
        | Denied::Nobody
        | Denied::Closed
        | Denied::Role(_)
        | Denied::TooOften => Some((false, denied.to_string())),
    };
    ask_to_log_in(site, head, denied.status(), said)
}

/// Somebody logs in.
pub(in crate::web) async fn log_in(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (head, body) = match read_form(request).await {
        Ok(read) => read,
        Err(told) => {
            let (head, refused) = *told;
            return not_done(&site, &head, refused);
        }
    };
    let form = match fields::<LoginForm>(&body) {
        Ok(form) => form,
        Err(refused) => return not_done(&site, &head, refused),
    };
    let known = match site.guard.log_in(&head, form.name, form.password).await {
        Ok(known) => known,
        Err(Denied::Nobody | Denied::Token) => {
            let said = Some((false, "name and password do not fit".to_owned()));
            return ask_to_log_in(&site, &head, StatusCode::UNAUTHORIZED, said);
        }
        Err(denied) => return turned_away(&site, &head, denied),
    };
    let facts = Questions { approvals: approvals::open(&site) };
    let mut response = render::questions_page(StatusCode::OK, &frame(&site, Some(&known), None), &facts);
    set_cookie(&mut response, &known.cookie());
    response
}

/// Somebody logs out.
pub(in crate::web) async fn log_out(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Admitted { head, known, form: LogoutForm {} } = match admitted(&site, request, Role::View).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    if known.by_proxy() {
        let said = Some((false, "a proxy has logged you in; log out there".to_owned()));
        return ask_to_log_in(&site, &head, StatusCode::CONFLICT, said);
    }
    site.guard.log_out(&known);
    let mut response = ask_to_log_in(&site, &head, StatusCode::OK, Some((true, "logged out".to_owned())));
    set_cookie(&mut response, &known.no_cookie());
    response
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Where a vote was sent to, looked at again, as by a browser that is started anew: the questions, and no vote.
pub(in crate::web) async fn after_vote(State(site): State<Arc<Site>>, head: Parts) -> Response {
    if wants_html(&head.headers) { questions(&site, &head, StatusCode::OK, None) } else { wrong_method().await }
}

/// The same, of a pause.
pub(in crate::web) async fn after_pause(State(site): State<Arc<Site>>, head: Parts) -> Response {
    if wants_html(&head.headers) { shown_status(&site, &head, StatusCode::OK, None) } else { wrong_method().await }
}

/// Somebody says yes or no.
pub(in crate::web) async fn vote(State(site): State<Arc<Site>>, Path(id): Path<String>, request: Request) -> Response {
    let Admitted { head, known, form } = match admitted::<VoteForm>(&site, request, Role::Approve).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let asked = async {
        let ballot = ballot(&id, &known, form)?;
        let plan = ballot.plan.clone();
        Ok::<_, Refused>((within(site.inbox.vote(ballot)).await?, plan))
    };
    let (status, said) = match asked.await {
        Ok((voted, plan)) => match approvals::refusal_in_full(&site, &voted, &id).await {
            Some((status, words)) => (status, (false, format!("{id}: {words}"))),
            None => {
                let answered = VoteAnswered::of(&voted, (id.clone(), plan, known.person.name.clone()));
                (StatusCode::OK, (true, format!("{id}: {}", answered.message)))
            }
        },
        Err(Refused(status, words)) => (status, (false, words)),
    };
    questions(&site, &head, status, Some(said))
}

fn ballot(id: &str, known: &LoggedIn, form: VoteForm) -> Result<Ballot, Refused> {
    let VoteForm { plan, vote, comment, .. } = form;
    approvals::ballot_of(id, (&known.person, known.channel()), (&vote, plan, Some(comment)))
}

/// Somebody pauses.
pub(in crate::web) async fn pause(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Admitted { head, known, form } = match admitted::<PauseForm>(&site, request, Role::Operate).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let asked = async {
        let length = Some(form.length.trim().to_owned()).filter(|length| !length.is_empty());
        let by = Some(known.person.name.clone());
        let request = PauseRequest { scope: form.scope.trim().to_owned(), reason: form.reason, by, length };
        within(site.inbox.pause(pauses::pause_of(request)?)).await
    };
    switched(&site, &head, asked.await)
}

/// Somebody resumes.
pub(in crate::web) async fn resume(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Admitted { head, known, form } = match admitted::<PauseForm>(&site, request, Role::Operate).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let asked = async {
        let (scope, why) = (pauses::scope_of(&form.scope)?, reason(&form.reason)?);
        within(site.inbox.resume(scope, known.person.name.clone(), why)).await
    };
    switched(&site, &head, asked.await)
}

fn switched(site: &Site, head: &Parts, switched: Result<Switched, Refused>) -> Response {
    match switched.and_then(pauses::changed) {
        Ok((result, pause, _, warning)) => {
            let warning = warning.map(|warning| format!("; {warning}")).unwrap_or_default();
            let words = format!("{result} {} by {}: {}{warning}", pause.scope, pause.by, pause.reason);
            shown_status(site, head, StatusCode::OK, Some((true, words)))
        }
        Err(Refused(status, words)) => shown_status(site, head, status, Some((false, words))),
    }
}

/// Reads a form of somebody who is logged in and has this role, or says on a page what is wrong.
async fn admitted<T: DeserializeOwned>(
    site: &Site,
    request: Request,
    role: Role,
) -> Result<Admitted<T>, Box<Response>> {
    let (head, body) = read_form(request).await.map_err(|told| {
        let (head, refused) = *told;
        Box::new(not_done(site, &head, refused))
    })?;
    let wrong = |refused| Box::new(not_done(site, &head, refused));
    let Signed { form_token } = fields(&body).map_err(wrong)?;
    let known = site.guard.of_form(&head, &form_token, role);
    let known = known.map_err(|denied| Box::new(turned_away(site, &head, denied)))?;
    let form = fields(&body).map_err(wrong)?;
    Ok(Admitted { head, known, form })
}

/// The head of a form, and its body, which is no longer than that of any other request that changes something.
async fn read_form(request: Request) -> Result<(Parts, Bytes), Box<(Parts, Refused)>> {
    let (head, body) = request.into_parts();
    if !is_of_kind(&head.headers, FORM_TYPE) {
        return Err(Box::new((head, bad(format!("send a form, as {FORM_TYPE}")))));
    }
    match read(body).await {
        Ok(body) => Ok((head, body)),
        Err(refused) => Err(Box::new((head, refused))),
    }
}

fn fields<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_urlencoded::from_bytes(body).map_err(|error| bad(format!("the form cannot be read: {error}")))
}

/// A form of somebody who may not: they are told on a page of their own.
pub(super) fn turned_away(site: &Site, head: &Parts, denied: Denied) -> Response {
    let words = match denied {
        Denied::Nobody => "your session is over, so nothing was done; log in again".to_owned(),
        Denied::Foreign => {
            "nothing was done: this form is of a page from before you logged in, or of another site; load the \
                            page anew"
                .to_owned()
        }
        Denied::Unsaid | Denied::Elsewhere | Denied::Token | Denied::Closed | Denied::Role(_) | Denied::TooOften => {
            denied.to_string()
        }
    };
    let mut response = ask_to_log_in(site, head, denied.status(), Some((false, words)));
    if denied == Denied::TooOften {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()));
    }
    response
}

/// A form that cannot be read: what is wrong with it, as a page.
fn not_done(site: &Site, head: &Parts, Refused(status, words): Refused) -> Response {
    let known = site.guard.session(head);
    let heading = [("heading", "Not done")].into_iter().collect::<BTreeMap<_, _>>();
    page(status, ("Not done", "said.html"), &frame(site, known.as_ref(), Some((false, words))), &heading)
}
