//! Votes over HTTP: who may, what is asked, what is answered.

use super::pauses_tests::{HERE, send};
use super::routes_tests::{TestSite, peopled_site};
use crate::engine::receipt::Voted;
use crate::model::approval::{ApprovalOutcome, VoteAnswer};
use axum::http::StatusCode;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
/// What the stand-in's `ada` presents; she may decide and nothing else.
const ADA: (&str, &str) = ("authorization", "Bearer ada-has-a-long-token");
/// `bob` may look.
const BOB: (&str, &str) = ("authorization", "Bearer bob-has-a-long-token");
/// `eve` may operate.
const EVE: (&str, &str) = ("authorization", "Bearer eve-has-a-long-token");
const POST: &str = "POST /api/v1/approvals/i12.1";

fn yes() -> String {
    json!({"vote": "approve", "plan": "ab".repeat(32), "comment": "looks right"}).to_string()
}

#[tokio::test]
async fn a_vote_is_cast_under_the_name_of_whoever_proved_it() {
    let site = peopled_site(None);
    let (status, said) = send(&site.router, POST, (HERE, &[JSON, ADA]), yes()).await;
    assert_eq!(status, 200, "{said}");
    // The stand-in answers with what was cast: who, as which groups, by which way.
    let want = json!({
        "result": "counted", "id": "i12.1", "plan": "ab".repeat(32), "by": "ada", "yes": 1, "required": 2,
        "outcome": null, "message": "counted: 1 of 2 agreed",
    });
    assert_eq!(said, want);
    let basic = ("authorization", "Basic YWRhOnNlc2FtZQ==");
    assert_eq!(send(&site.router, POST, (HERE, &[JSON, basic]), yes()).await.1["by"], "ada");
}

#[tokio::test]
async fn nobody_votes_who_is_no_person_with_the_role_wherever_they_come_from() {
    let site = peopled_site(Some("the-api-token-of-all"));
    let with = |header: &'static [(&'static str, &'static str)]| [&[JSON][..], header].concat();
    for (headers, want) in [
        (&[][..], 401),
        (&[("authorization", "Bearer the-api-token-of-all")], 401),
        (&[("authorization", "Bearer ada-has-a-long-toke")], 401),
        (&[("authorization", "Basic YWRhOlNlc2FtZQ==")], 401),
        (&[("authorization", "ada-has-a-long-token")], 401),
        (&[ADA, EVE], 401),
        (&[BOB], 403),
        (&[EVE], 403),
        (&[ADA, ("origin", "http://evil.example")], 403),
        (&[ADA, ("sec-fetch-site", "cross-site")], 403),
        (&[ADA, ("sec-fetch-site", "same-site")], 403),
        (&[ADA], 200),
    ] {
        let (status, said) = send(&site.router, POST, (HERE, &with(headers)), yes()).await;
        assert_eq!(status, want, "{headers:?}: {said}");
    }
    assert_eq!(send(&site.router, POST, (HERE, &[ADA, ("content-type", "text/plain")]), yes()).await.0, 415);
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(
            send(&site.router, &format!("{method} /api/v1/approvals/i12.1"), (HERE, &[ADA]), yes()).await.0,
            405
        );
    }
}

#[tokio::test]
async fn attempts_to_be_somebody_are_bounded_by_where_they_come_from() {
    let site = peopled_site(None);
    let wrong = ("authorization", "Bearer ada-has-another-token");
    for attempt in 0..12 {
        let (status, _) = send(&site.router, POST, ("192.0.2.7", &[JSON, wrong]), yes()).await;
        assert_eq!(status, if attempt < 10 { 401 } else { 429 }, "attempt {attempt}");
    }
    // Whoever has the right one is not locked out by those who guess from the same place.
    assert_eq!(send(&site.router, POST, ("192.0.2.7", &[JSON, ADA]), yes()).await.0, 200);
    let password = ("authorization", "Basic YWRhOnB3");
    assert_eq!(send(&site.router, POST, ("192.0.2.7", &[JSON, password]), yes()).await.0, 429);
}

#[tokio::test]
async fn what_is_no_vote_is_refused_with_what_is_wrong() {
    let site = peopled_site(None);
    let plan = "ab".repeat(32);
    for (path, body, status, want) in [
        ("i12.1", json!({"vote": "approve"}), 400, "plan"),
        ("i12.1", json!({"vote": "approve", "plan": "abababababa"}), 400, "first 12 digits"),
        ("i12.1", json!({"vote": "approve", "plan": "not hexadecimal"}), 400, "first 12 digits"),
        ("i12.1", json!({"vote": "yes", "plan": plan}), 400, "approve or deny"),
        ("i12.1", json!({"vote": "approve", "plan": plan, "by": "eve"}), 400, "by"),
        ("i12.1", json!({"vote": "approve", "plan": plan, "comment": "x".repeat(501)}), 400, "longer than 500"),
        ("i12.1", json!({"vote": "approve", "plan": plan, "comment": "a\u{0}b"}), 400, "control characters"),
        ("i12", json!({"vote": "approve", "plan": plan}), 404, "named like"),
    ] {
        let line = format!("POST /api/v1/approvals/{path}");
        let (answered, said) = send(&site.router, &line, (HERE, &[JSON, ADA]), body.to_string()).await;
        assert_eq!(answered, status, "{body}: {said}");
        assert!(said["error"].as_str().unwrap().contains(want), "{body}: {said}");
    }
    let deny = json!({"vote": "deny", "plan": "abababababab", "comment": " "}).to_string();
    assert_eq!(send(&site.router, POST, (HERE, &[JSON, ADA]), deny).await.1["result"], "denied");
}

#[test]
fn every_answer_has_a_status_and_words_of_its_own() {
    let voted = |answer| Voted { answer, outcome: Some(ApprovalOutcome::Expired), yes: 0, required: 1 };
    for answer in VoteAnswer::ALL {
        let refusal = super::approvals::refusal(&voted(*answer));
        let want = match answer {
            VoteAnswer::Counted | VoteAnswer::Approved | VoteAnswer::Denied | VoteAnswer::Repeated => None,
            VoteAnswer::NotEligible | VoteAnswer::SelfApproval | VoteAnswer::NoLinks | VoteAnswer::WrongLink => {
                Some(StatusCode::FORBIDDEN)
            }
            VoteAnswer::NoReason => Some(StatusCode::BAD_REQUEST),
            VoteAnswer::WrongPlan | VoteAnswer::AlreadyDecided => Some(StatusCode::CONFLICT),
            VoteAnswer::TooLate => Some(StatusCode::GONE),
            VoteAnswer::Unknown | VoteAnswer::Lapsed => Some(StatusCode::NOT_FOUND),
        };
        assert_eq!(refusal.as_ref().map(|(status, _)| *status), want, "{answer}");
        assert_eq!(refusal.is_none(), answer.counts() || *answer == VoteAnswer::Repeated);
    }
    assert!(super::approvals::refusal(&voted(VoteAnswer::AlreadyDecided)).unwrap().1.ends_with("before (expired)"));
}

async fn vote_of(site: &TestSite, header: (&str, &str), line: &str, body: Value) -> (u16, Value) {
    send(&site.router, line, (HERE, &[JSON, header]), body.to_string()).await
}

#[tokio::test]
async fn what_people_operate_is_recorded_under_their_proved_name() {
    let site = peopled_site(Some("the-api-token-of-all"));
    let pause = json!({"scope": "all", "reason": "x", "by": "somebody else"});
    let post = "POST /api/v1/pauses";
    let (status, said) = vote_of(&site, EVE, post, pause.clone()).await;
    assert_eq!((status, &said["pause"]["by"]), (200, &"eve".into()), "{said}");
    let token = ("authorization", "Bearer the-api-token-of-all");
    assert_eq!(vote_of(&site, token, post, pause.clone()).await.1["pause"]["by"], "somebody else");
    let claims = json!({"scope": "all", "reason": "x", "by": "eve"});
    assert_eq!(vote_of(&site, token, post, claims).await.1["pause"]["by"], "unproven:eve");
    let (status, said) = vote_of(&site, ADA, post, pause).await;
    assert_eq!(status, 403);
    assert!(said["error"].as_str().unwrap().contains("`operate`"), "{said}");
    let (status, said) = send(&site.router, "DELETE /api/v1/breakers/web-1?reason=x&by=ada", (HERE, &[EVE]), "").await;
    assert_eq!((status, &said["by"]), (200, &"eve".into()), "{said}");
    assert_eq!(send(&site.router, "DELETE /api/v1/pauses/playbook:p", (HERE, &[BOB]), "").await.0, 403);
}
