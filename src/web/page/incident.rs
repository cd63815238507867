//! `/incidents/ID`: one incident as it went, for browsers; for everybody else the story as plain text.

use super::handlers::frame;
use super::render::page;
use crate::model::id::IncidentId;
use crate::story::{self, Unread};
use crate::web::incidents::{NoTurn, UNREAD, as_text};
use crate::web::routes::{Site, error};
use crate::web::sight::wants_html;
use crate::web::taken::{Path, Query};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How somebody wants to read it.
#[derive(Deserialize)]
pub(in crate::web) struct Wish {
    /// `text`: as on the command line.
    #[serde(rename = "as")]
    form: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    course: Option<story::Course>,
    problem: Option<String>,
}

/// One incident.
pub(in crate::web) async fn incident(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    head: Parts,
) -> Response {
    if !wants_html(&head.headers) || wish.form.as_deref() == Some("text") {
        return as_text(&site, &id).await;
    }
    let (status, course, problem) = match read(&site, &id).await {
        Ok(course) => (StatusCode::OK, Some(course), None),
        Err((StatusCode::SERVICE_UNAVAILABLE, problem)) => return error(StatusCode::SERVICE_UNAVAILABLE, problem),
        Err((status, problem)) => (status, None, Some(problem.to_owned())),
    };
    let known = site.guard.session(&head);
    let title = if course.is_some() { format!("Incident {id}") } else { "No incident".to_owned() };
    let facts = Shown { id, course, problem };
    page(status, (&title, "incident.html"), &frame(&site, known.as_ref(), None), &facts)
}

async fn read(site: &Site, id: &str) -> Result<story::Course, (StatusCode, &'static str)> {
    let id: IncidentId = id.parse().map_err(|_bad| (StatusCode::NOT_FOUND, "an incident is named like i1042"))?;
    match site.stories.read(move |path| story::course(path, id)).await.map_err(NoTurn::told)? {
        Ok(course) => Ok(course),
        Err(Unread::Nothing(_)) => Err((StatusCode::NOT_FOUND, "there is no such incident in the log")),
        Err(Unread::Question(why) | Unread::Log(why)) => {
            tracing::warn!(incident.id = %id, why, "an incident could not be shown");
            Err(UNREAD)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{AlertReceived, Fact, Taken};
    use crate::model::id::Seq;
    use crate::record::sample::{every_shape, log_of, story as sample_story};
    use crate::web::page::render::Frame;
    use axum::body::to_bytes;

    /// The page about `i2` of a log.
    async fn shown(log: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log).unwrap();
        let course = story::course(file.path(), IncidentId(Seq(2))).unwrap();
        let facts = Shown { id: "i2".to_owned(), course: Some(course), problem: None };
        let frame = Frame { root: "/", person: None, said: None };
        let response = page(StatusCode::OK, ("Incident i2", "incident.html"), &frame, &facts);
        assert_eq!(response.status(), 200);
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    /// The alert that opens `i2`, altered.
    fn with(mut facts: Vec<Fact>, alter: impl Fn(&mut AlertReceived)) -> Vec<Fact> {
        if let Some(Fact::AlertReceived(alert)) = facts.get_mut(2) {
            let mut altered = AlertReceived::clone(alert);
            alter(&mut altered);
            *alert = Arc::new(altered);
        }
        facts
    }

    fn tells(revision: &str, text: Option<&str>) -> Taken {
        let (playbook, text) = ("web-restart".into(), text.map(Into::into));
        Taken::ByPlaybook { playbook, revision: revision.into(), host: crate::model::host::Host::First, text }
    }

    #[tokio::test]
    async fn an_incident_is_shown_moment_by_moment_with_what_each_gate_said_and_saw() {
        let html = shown(&log_of(sample_story("fine")).0).await;
        for want in [
            "Incident i2: InstanceDown on ",
            "Ended as <strong>recovered</strong>",
            "<ol class=\"course\">",
            "<time datetime=\"2026-",
            "<li><code>budget</code> yes</li>",
            "<dt>plan</dt>",
            "<summary>The evidence</summary>",
            "second line",
            "<dt>sends</dt><dd>POST &#x2f;containers&#x2f;",
            "<a href=\"http:&#x2f;&#x2f;prometheus:9090&#x2f;graph?g0.expr=up+%3D%3D+0\"",
            "?as=text",
        ] {
            assert!(html.contains(want), "{want}: {html}");
        }
        let order: Vec<usize> = ["</time> alert<", "</time> decision<", "</time> action<", "</time> closed<"]
            .map(|heading| html.find(heading).unwrap_or_else(|| panic!("{heading}: {html}")))
            .to_vec();
        assert!(order.is_sorted(), "{order:?}");
    }

    #[tokio::test]
    async fn of_an_incident_that_goes_on_for_ever_the_beginning_and_the_end_are_shown() {
        let mut facts = sample_story("x");
        assert_eq!(facts.pop(), Some(Fact::LogClosed));
        let (decision, closed) = (facts[3].clone(), facts.pop().unwrap());
        let shown_of_all = facts.len() - 2;
        facts.extend(std::iter::repeat_n(decision, 600));
        facts.push(closed);
        let html = shown(&log_of(facts).0).await;
        assert_eq!(html.matches("</h3>").count(), 500);
        assert!(html.contains(&format!("{} records are left out here", shown_of_all + 601 - 500)), "{html}");
        assert!(html.contains("</time> closed</h3>"));
    }

    #[tokio::test]
    async fn whatever_is_recorded_is_shown_as_text() {
        let evil = "<img src=x onerror=alert(1)></pre></details>\"'> \u{202e}live";
        let facts = [sample_story(evil), every_shape(evil)].concat();
        let facts = with(facts, |alert| alert.taken = tells("0123456789ab", Some(evil)));
        let html = shown(&log_of(facts).0).await;
        assert!(!html.contains("<img") && !html.contains('\u{202e}'), "{html}");
        assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;") && html.contains("\\u{202e}live"), "{html}");
        // What nobody wrote into the log opens or closes nothing.
        for tag in ["pre", "details", "dl", "li", "ol", "ul", "p"] {
            let (opened, closed) =
                (html.matches(&format!("<{tag}>")).count(), html.matches(&format!("</{tag}>")).count());
            let opened = opened + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, closed, "{tag}");
        }
    }

    #[tokio::test]
    async fn a_link_leads_to_a_page_or_is_none() {
        for (url, leads) in [
            ("https://prometheus.example/graph", true),
            ("HTTP://prometheus:9090/", true),
            ("javascript:alert(1)", false),
            ("data:text/html,<script>alert(1)</script>", false),
            (" javascript:alert(1)", false),
            ("https://a.example/\nb", false),
            ("//elsewhere.example/", false),
            ("", false),
        ] {
            let html = shown(&log_of(with(sample_story("x"), |alert| alert.generator_url = url.into())).0).await;
            assert_eq!(html.contains("<dt>Expression</dt>"), leads, "{url}");
            assert!(!html.contains("href=\"javascript") && !html.contains("href=\"data:text"), "{url}");
        }
    }

    #[tokio::test]
    async fn the_text_is_the_one_by_which_it_was_decided() {
        let later = |revision: &str, text: &str| {
            let altered = with(sample_story("x"), |alert| alert.taken = tells(revision, Some(text)));
            altered.into_iter().nth(2).unwrap()
        };
        let loaded = |name: &str, revision: &str| {
            let mut facts = sample_story("x");
            if let Some(Fact::ConfigLoaded(loaded)) = facts.get_mut(1) {
                loaded.playbooks = vec![(name.to_owned(), revision.to_owned())];
            }
            facts.remove(1)
        };
        let of = |text: Option<&str>, before: Fact, after: Vec<Fact>| {
            let mut facts = with(sample_story("x"), |alert| alert.taken = tells("0123456789ab", text));
            facts[0] = before;
            facts.extend(after);
            facts
        };
        let (new, newly) = (later("ffffffffffff", "as it is now"), loaded("web-restart", "ffffffffffff"));
        for (name, facts, text, note) in [
            (
                "as it is",
                of(Some("as it was"), Fact::LogClosed, vec![]),
                Some("as it was"),
                "loaded with this text now",
            ),
            (
                "changed since",
                of(Some("as it was"), Fact::LogClosed, vec![newly.clone(), new.clone()]),
                Some("as it was"),
                "It has changed since.",
            ),
            (
                "another before",
                of(Some("as it was"), new.clone(), vec![newly.clone()]),
                Some("as it was"),
                "It has changed since.",
            ),
            (
                "told before",
                of(None, later("0123456789ab", "as it was"), vec![newly.clone(), new.clone()]),
                Some("as it was"),
                "It has changed since.",
            ),
            ("not told", of(None, Fact::LogClosed, vec![newly, new]), None, "It has changed since."),
            ("gone", of(None, Fact::LogClosed, vec![loaded("other", "x")]), None, "It is not loaded any more."),
        ] {
            let html = shown(&log_of(facts).0).await;
            let pre = html.split("without secrets</summary><pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
            assert_eq!(pre.map(str::trim_end), text, "{name}: {html}");
            assert!(html.contains(note), "{name}: {html}");
            assert_eq!(html.contains("an earlier version of sickbay"), text.is_none(), "{name}");
        }
    }
}
