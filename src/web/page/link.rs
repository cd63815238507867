//! The page of a signed link: the same for everybody until somebody shows a token or a code, and then the one question.

use super::render::{PAGES, answer, file, shown};
use crate::story::printable;
use crate::web::api::OpenApproval;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use minijinja::value::Serde;
use minijinja::{Error, Value, context};
use serde::Serialize;

/// What the holder of a link is asked.
#[derive(Serialize)]
pub(in crate::web) struct LinkQuestion {
    /// The question.
    pub(in crate::web) asked: OpenApproval,
    /// Who they are.
    pub(in crate::web) person: String,
    /// Whether they have typed a code, and must do so again to decide.
    pub(in crate::web) by_code: bool,
}

/// What stands on the page: what became of something, the question, and whether a code is asked for.
pub(in crate::web) type LinkPage = (Option<(bool, String)>, Option<LinkQuestion>, bool);

/// The whole page. It shows neither a token nor a code, whoever calls for it.
pub(in crate::web) fn link(status: StatusCode, root: &str, (said, question, ask_code): LinkPage) -> Response {
    let said = said.map(|(good, text)| {
        let kind = if good { "good" } else { "no-good" };
        context! { kind, text => printable(&text) }
    });
    let question = question.map_or_else(|| Ok(String::new()), |question| part(&question));
    let whole = question.and_then(|question| {
        let question = Value::from_safe_string(question);
        PAGES.get_template("link.html")?.render(context! { root, said, question, ask_code })
    });
    answer(status, whole)
}

/// The question alone, for the script.
pub(in crate::web) fn link_part(question: &LinkQuestion) -> Response {
    answer(StatusCode::OK, part(question))
}

fn part(question: &LinkQuestion) -> Result<String, Error> {
    let facts = shown(serde_json::to_value(question).unwrap_or_default());
    PAGES.get_template("link_question.html")?.render(Value::from(Serde(facts)))
}

/// Its script.
pub(in crate::web) async fn link_script(asks: HeaderMap) -> Response {
    file(&asks, "text/javascript; charset=utf-8", include_str!("link.js"))
}
