//! Clicks, signed as Slack signs them: whose count, which do not, and what is said about them.

use super::words::replaced;
use crate::people::{Mac, SlackApp};
use crate::web::guard::{Access, Peer};
use crate::web::routes_tests::{TestSite, people, peopled_site_as, text};
use axum::body::Body;
use axum::http::Request;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

const SECRET: &str = "canary-0123456789abcdef0123456789";
/// When the site's clock stands still.
const NOW: i64 = 1_795_000_000;
const PLAN: &str = "abababababababababababababababababababababababababababababababab";

fn site() -> TestSite {
    let slack = Some(SlackApp {
        signing_secret: SecretString::from(SECRET),
        team_id: "T0US".to_owned(),
        app_id: Some("A0US".to_owned()),
        answer_origin: SlackApp::ANSWERS.to_owned(),
    });
    peopled_site_as(Access { people: people("sesame"), slack, ..Access::default() })
}

fn payload(user: &str, action: &str) -> Value {
    json!({
        "type": "block_actions", "api_app_id": "A0US", "team": {"id": "T0US", "domain": "us"},
        "user": {"id": user, "username": "x", "team_id": "T0US"},
        "response_url": "https://hooks.slack.com/actions/T0US/1/c4nary",
        "actions": [{"action_id": action, "value": format!("i12.1 {PLAN}"), "type": "button"}],
        "message": {"ts": "1.2", "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "restart web"}},
            {"type": "actions", "elements": []},
        ]},
    })
}

fn form(payload: &Value) -> String {
    serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap()
}

fn signed(body: &str, at: i64) -> [(&'static str, String); 2] {
    let mac = Mac::of(SECRET.as_bytes(), &[format!("v0:{at}:{body}").as_bytes()]);
    [("x-slack-request-timestamp", at.to_string()), ("x-slack-signature", format!("v0={}", mac.hex()))]
}

async fn post(site: &TestSite, headers: &[(&'static str, String)], body: String) -> (u16, Value) {
    let mut request = Request::post("/api/v1/slack/interactive").extension(Peer::Address("192.0.2.7".parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = site.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&text(response).await).unwrap_or_default())
}

/// The status, what the one who clicked is told, and what is posted.
async fn click(site: &mut TestSite, payload: &Value) -> (u16, String, Vec<Value>) {
    let body = form(payload);
    let (status, said) = post(site, &signed(&body, NOW), body).await;
    let posted = site.answered.try_recv().map(|answer| {
        assert!(!format!("{answer:?}").contains("c4nary"));
        assert_eq!(answer.origin, SlackApp::ANSWERS);
        answer.bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    });
    let words = said["text"].as_str().unwrap_or_default().to_owned();
    (status, words, posted.unwrap_or_default())
}

fn counted(site: &TestSite, outcome: &str) -> bool {
    site.site.metrics.plain().contains(&format!("sickbay_slack_requests_total{{outcome=\"{outcome}\"}} 1"))
}

#[tokio::test]
async fn a_click_is_the_vote_of_whoever_slack_says_clicked() {
    let mut site = site();
    let (status, words, posted) = click(&mut site, &payload("U0ADA", "sickbay_approve")).await;
    assert_eq!((status, &*words), (200, "i12.1: counted: 1 of 2 agreed"));
    let [to_them, to_all] = &posted[..] else { panic!("{posted:?}") };
    assert_eq!((&to_them["response_type"], &to_them["replace_original"]), (&json!("ephemeral"), &json!(false)));
    assert_eq!(to_all["text"], "i12.1: ada: counted: 1 of 2 agreed");
    let kinds: Vec<&str> =
        to_all["blocks"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["section", "actions", "context"], "more must agree, so the buttons stay");

    let (status, words, posted) = click(&mut site, &payload("U0ADA", "sickbay_deny")).await;
    assert_eq!((status, &*words), (200, "i12.1: denied: it is not carried out"));
    assert_eq!(posted[1]["blocks"].as_array().unwrap().len(), 2, "the buttons are gone");
    assert!(site.site.metrics.plain().contains("sickbay_slack_requests_total{outcome=\"counted\"} 2"));
}

#[tokio::test]
async fn what_slack_has_not_signed_lately_is_turned_away_before_it_is_read() {
    let site = site();
    let body = form(&payload("U0ADA", "sickbay_approve"));
    let [time, signature] = signed(&body, NOW);
    let altered = body.replace("U0ADA", "U0EVE");
    for (what, headers, body) in [
        ("nothing", vec![], &body),
        ("no time", vec![signature.clone()], &body),
        ("no signature", vec![time.clone()], &body),
        ("two times", vec![time.clone(), time.clone(), signature.clone()], &body),
        ("two signatures", vec![time.clone(), signature.clone(), signature.clone()], &body),
        ("another body", vec![time.clone(), signature.clone()], &altered),
        ("another time", vec![("x-slack-request-timestamp", (NOW + 1).to_string()), signature.clone()], &body),
        ("too old", signed(&body, NOW - 301).to_vec(), &body),
        ("too new", signed(&body, NOW + 301).to_vec(), &body),
    ] {
        let (status, said) = post(&site, &headers, body.clone()).await;
        assert_eq!(status, 401, "{what}: {said}");
        assert!(!said.to_string().contains("canary"), "{said}");
    }
    assert_eq!(post(&site, &signed(&body, NOW - 300), body.clone()).await.0, 200);
    assert!(site.site.metrics.plain().contains("sickbay_slack_requests_total{outcome=\"unsigned\"} 9"));
    let long = format!("payload={}", "x".repeat(256 << 10));
    assert_eq!(post(&site, &signed(&long, NOW), long.clone()).await.0, 413);
}

#[tokio::test]
async fn only_people_of_the_settings_in_this_workspace_decide() {
    for (change, outcome, want) in [
        (("/user/id", json!("U0NOBODY")), "unknown_user", "have `slack_user: U0NOBODY` added"),
        (("/user/id", json!("ada")), "unknown_user", "does not know you"),
        (("/user/id", json!("<!channel>")), "unknown_user", "have `slack_user: ` added"),
        (("/user/id", json!("U0BOB")), "not_allowed", "it takes the role `approve`"),
        (("/user/team_id", json!("T0THEM")), "foreign", "sickbay's own workspace"),
        (("/team/id", json!("T0THEM")), "foreign", "sickbay's own workspace"),
        (("/team", Value::Null), "foreign", "sickbay's own workspace"),
        (("/api_app_id", json!("A0THEM")), "foreign", "sickbay's own workspace"),
    ] {
        let mut site = site();
        let mut payload = payload("U0ADA", "sickbay_approve");
        *payload.pointer_mut(change.0).unwrap() = change.1;
        let (status, words, posted) = click(&mut site, &payload).await;
        assert!(status == 200 && words.contains(want), "{}: {words}", change.0);
        assert_eq!(posted.len(), 1, "{}: whoever may not decide changes no message: {posted:?}", change.0);
        assert!(counted(&site, outcome), "{}: {outcome}", change.0);
    }
}

#[tokio::test]
async fn what_is_no_click_on_our_buttons_changes_nothing() {
    for (change, status) in [
        (("/actions/0/action_id", json!("other")), 200),
        (("/actions", json!([])), 200),
        (("/type", json!("view_submission")), 200),
        (("/actions/0/value", json!("i12.1")), 400),
        (("/actions/0/value", json!(format!("i12.1 {}", "ab".repeat(6)))), 400),
        (("/actions/0/value", json!(format!("i12.1  {PLAN}"))), 400),
        (("/actions/0/value", Value::Null), 400),
        (("/user", Value::Null), 400),
        (("/user", json!(7)), 400),
    ] {
        let mut site = site();
        let mut payload = payload("U0ADA", "sickbay_approve");
        *payload.pointer_mut(change.0).unwrap() = change.1;
        assert_eq!(click(&mut site, &payload).await.0, status, "{}", change.0);
        assert!(!counted(&site, "counted"), "{}", change.0);
        assert!(site.answered.try_recv().is_err());
    }
    let site = site();
    for body in ["", "payload=", "payload=%7B%7D&payload=%7B%7D", "payload=[", "x=1"] {
        let status = post(&site, &signed(body, NOW), body.to_owned()).await.0;
        assert_eq!(status, 400, "{body}");
    }
    let none = peopled_site_as(Access { people: people("sesame"), ..Access::default() });
    let body = form(&payload("U0ADA", "sickbay_approve"));
    assert_eq!(post(&none, &signed(&body, NOW), body).await.0, 404, "without `slack` in the settings");
}

#[test]
fn what_is_put_into_a_message_is_text_and_its_unknown_parts_are_left_out() {
    let blocks = [json!({"type": "image"}), json!("text"), json!({"type": "section"}), json!({"type": "actions"})];
    let told: Value = serde_json::from_str(&replaced("<!here> & more", &blocks, false)).unwrap();
    assert_eq!(told["text"], "&lt;!here&gt; &amp; more");
    let end = json!({"type": "context", "elements": [
        {"type": "mrkdwn", "text": "&lt;!here&gt; &amp; more", "verbatim": true},
    ]});
    assert_eq!(told["blocks"], json!([{"type": "section"}, end]));
}
