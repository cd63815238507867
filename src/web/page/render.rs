//! Templates into pages. Whatever comes from outside is escaped by the templates, and what would turn the direction of text
//! or hide in it is shown by its number, as on the command line.

use crate::story::{printable, span};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use std::time::Duration;

/// What every page is served with: nothing from elsewhere, nothing framed, nothing kept, no address told.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types sickbay";

const TEMPLATES: [(&str, &str); 12] = [
    ("base.html", include_str!("base.html")),
    ("pending.html", include_str!("pending.html")),
    ("questions.html", include_str!("questions.html")),
    ("login.html", include_str!("login.html")),
    ("entered.html", include_str!("entered.html")),
    ("status.html", include_str!("status.html")),
    ("log.html", include_str!("log.html")),
    ("incident.html", include_str!("incident.html")),
    ("playbooks.html", include_str!("playbooks.html")),
    ("said.html", include_str!("said.html")),
    ("link.html", include_str!("link.html")),
    ("link_question.html", include_str!("link_question.html")),
];

/// Read once; a template that cannot be read fails the first test that shows it.
pub(super) static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, text) in TEMPLATES {
        if let Err(error) = pages.add_template(name, text) {
            tracing::error!(name, %error, "a page cannot be read");
        }
    }
    pages.add_filter("span", whole_span);
    pages
});

/// So many seconds as people count down, as `times.js` does.
fn whole_span(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { span(Duration::from_secs(seconds)) }
}

/// What all pages show.
pub(super) struct Frame<'a> {
    /// Where the pages are, as a path that ends in `/`.
    pub(super) root: &'a str,
    /// Who is logged in, and what their forms must bring back.
    pub(super) person: Option<(&'a str, String)>,
    /// What became of what they did: whether it is good, and in words.
    pub(super) said: Option<(bool, String)>,
}

/// One page, as an answer: a title, and what stands below the head.
pub(super) fn page(
    status: StatusCode,
    (title, name): (&str, &str),
    frame: &Frame<'_>,
    facts: &impl Serialize,
) -> Response {
    answer(status, part(name, frame, facts).and_then(|main| whole(title, frame, main)))
}

/// The page of questions.
pub(super) fn questions_page(status: StatusCode, frame: &Frame<'_>, facts: &impl Serialize) -> Response {
    let pending = |questions: String| {
        let (person, _) = frame.of_person();
        let values = context! { root => frame.root, person, questions => Value::from_safe_string(questions) };
        PAGES.get_template("pending.html")?.render(values)
    };
    let main = part("questions.html", frame, facts).and_then(pending);
    answer(status, main.and_then(|main| whole("Pending", frame, main)))
}

/// The questions alone; nothing, if they are those of this tag still.
pub(super) fn questions(frame: &Frame<'_>, facts: &impl Serialize, (asks, tag): (&HeaderMap, &str)) -> Response {
    let tag = format!("\"{tag}\"");
    let mut response = if asks.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        (StatusCode::NOT_MODIFIED, headers("text/html; charset=utf-8")).into_response()
    } else {
        answer(StatusCode::OK, part("questions.html", frame, facts))
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// What stands below the head.
fn part(name: &str, frame: &Frame<'_>, facts: &impl Serialize) -> Result<String, minijinja::Error> {
    let facts = shown(serde_json::to_value(facts).unwrap_or_default());
    let (person, form_token) = frame.of_person();
    let values = context! { root => frame.root, person, form_token, ..Value::from(Serde(facts)) };
    PAGES.get_template(name)?.render(values)
}

fn whole(title: &str, frame: &Frame<'_>, main: String) -> Result<String, minijinja::Error> {
    let (person, form_token) = frame.of_person();
    let said = frame.said.as_ref().map(|(good, text)| {
        let kind = if *good { "good" } else { "no-good" };
        context! { kind, text => printable(text) }
    });
    let main = Value::from_safe_string(main);
    PAGES.get_template("base.html")?.render(context! { root => frame.root, title, person, form_token, said, main })
}

pub(super) fn answer(status: StatusCode, rendered: Result<String, minijinja::Error>) -> Response {
    match rendered {
        Ok(html) => (status, headers("text/html; charset=utf-8"), html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be shown");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be shown; sickbay's own log says why\n")
                .into_response()
        }
    }
}

impl Frame<'_> {
    fn of_person(&self) -> (Option<&str>, Option<&str>) {
        self.person.as_ref().map_or((None, None), |(person, token)| (Some(*person), Some(&**token)))
    }
}

/// The style of all pages.
pub(in crate::web) async fn style(asks: HeaderMap) -> Response {
    file(&asks, "text/css; charset=utf-8", include_str!("style.css"))
}

/// The script of all pages.
pub(in crate::web) async fn script(asks: HeaderMap) -> Response {
    file(&asks, "text/javascript; charset=utf-8", include_str!("live.js"))
}

/// The script for open incidents.
pub(in crate::web) async fn course(asks: HeaderMap) -> Response {
    file(&asks, "text/javascript; charset=utf-8", include_str!("course.js"))
}

/// The script for times, of all pages and of links.
pub(in crate::web) async fn times(asks: HeaderMap) -> Response {
    file(&asks, "text/javascript; charset=utf-8", include_str!("times.js"))
}

/// A file that is the same for everybody: browsers may keep it, and ask each time whether it is that of this version.
pub(super) fn file(asks: &HeaderMap, kind: &'static str, text: &'static str) -> Response {
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(text)));
    let is_kept = asks.get(header::IF_NONE_MATCH).is_some_and(|kept| *kept == *tag);
    let mut response = if is_kept { StatusCode::NOT_MODIFIED.into_response() } else { text.into_response() };
    for (name, value) in headers(kind) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(super) fn headers(kind: &'static str) -> [(header::HeaderName, &'static str); 5] {
    [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ]
}

/// Every text, with what would be obeyed and not seen written out.
pub(super) fn shown(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(printable(&text).into_owned()),
        Json::Array(items) => Json::Array(items.into_iter().map(shown).collect()),
        Json::Object(members) => Json::Object(members.into_iter().map(|(key, value)| (key, shown(value))).collect()),
        plain @ (Json::Null | Json::Bool(_) | Json::Number(_)) => plain,
    }
}
