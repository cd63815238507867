//! Against a service on loopback that misbehaves in every way that a real one does not on demand.

use super::client::Instance;
use super::{Credential, InstanceConfig, InstanceError, Observer, Witnesses};
use crate::model::fact::{AlertReceived, Taken};
use crate::model::incident::FirstSight;
use crate::model::label::Labels;
use crate::model::reason::Reason;
use crate::model::testimony::Says;
use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, DATE, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One hour up, by its own clock.
const OLD: &str = r#"{"uptime":"2026-01-05T09:00:00.000Z"}"#;

/// A minute up.
const FRESH: &str = r#"{"uptime":"2026-01-05T09:59:00.000Z"}"#;

/// What a service does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// The list holds the alert.
    Lists,
    /// It does not, and the status is this.
    Lacks(&'static str),
    /// The list is this text.
    Says(&'static str),
    /// Another status, with the body that a list without the alert has.
    Code(u16),
    /// The status page fails, the list is empty.
    NoStatus,
    /// No end in sight.
    Endless,
    Redirects,
    Hangs,
    /// The head of an answer, and then nothing.
    HangsInTheBody,
}

fn alert() -> AlertReceived {
    let labels: Labels = [("alertname", "Down"), ("container", "a \"b\"")].into_iter().collect();
    AlertReceived {
        fingerprint: labels.fingerprint(),
        labels,
        annotations: Labels::default(),
        starts_at: None,
        generator_url: "".into(),
        sender: "alertmanager".into(),
        receiver_name: "".into(),
        group_key: "".into(),
        sight: FirstSight::New,
        taken: Taken::ByNobody(Reason::NoMatch),
    }
}

/// Requests as the service saw them: path with query, and authorization.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

struct Service {
    url: String,
    seen: Seen,
    #[expect(dead_code, reason = "it ends when this is dropped")]
    tasks: JoinSet<()>,
}

async fn service(manner: Manner) -> Service {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let answer = async move |request: Request| {
        let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        log.lock().unwrap().push((request.uri().to_string(), authorization.unwrap_or_default()));
        respond(manner, request.uri().path().ends_with("/api/v2/status")).await
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prefix", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    Service { url, seen, tasks }
}

async fn respond(manner: Manner, status: bool) -> Response {
    let date: [(HeaderName, &str); 1] = [(DATE, "Mon, 05 Jan 2026 10:00:00 GMT")];
    let listed = || format!(r#"[{{"fingerprint":"{}","labels":{{}}}}]"#, alert().fingerprint);
    match manner {
        Manner::Lists => listed().into_response(),
        Manner::Lacks(body) if status => (date, body).into_response(),
        Manner::Lacks(_) => "[]".into_response(),
        Manner::NoStatus if status => StatusCode::NOT_FOUND.into_response(),
        Manner::NoStatus => "[]".into_response(),
        Manner::Says(body) => (date, body).into_response(),
        Manner::Code(code) => (StatusCode::from_u16(code).unwrap(), date, "[]").into_response(),
        Manner::Endless => " ".repeat(2 << 20).into_response(),
        Manner::Redirects => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
        Manner::Hangs => std::future::pending().await,
        Manner::HangsInTheBody => axum::body::Body::new(Never).into_response(),
    }
}

/// A body that never comes.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

/// How long an instance may take here: those that answer do so sooner, also on a busy machine.
const WITHIN: Duration = Duration::from_secs(1);

fn instance(url: &str, credential: Option<Credential>, observer: Option<Observer>) -> Arc<Instance> {
    let config = InstanceConfig { url: url.to_owned(), credential };
    Arc::new(Instance::new(&config, WITHIN, observer).unwrap())
}

/// What a cluster of services with these manners says.
async fn cluster(manners: &[Manner]) -> (Says, String) {
    let mut services = Vec::new();
    for manner in manners {
        services.push(service(*manner).await);
    }
    let witnesses = Witnesses::of(services.iter().map(|service| instance(&service.url, None, None)).collect());
    let testimony = witnesses.ask(&alert()).await;
    (testimony.says, testimony.detail)
}

#[tokio::test]
async fn whatever_is_not_a_clear_word_is_none() {
    for (manner, says, detail) in [
        (Manner::Lists, Says::Firing, "lists it"),
        (Manner::Lacks(OLD), Says::NotFiring, "no longer listed by 127.0.0.1:"),
        (Manner::Lacks(FRESH), Says::CannotTell, "does not list it, but started only 1m ago"),
        (Manner::Lacks("{}"), Says::CannotTell, "answered something else than its status"),
        (Manner::NoStatus, Says::CannotTell, "answered 404"),
        (Manner::Says("[{\"fingerprint\":7}]"), Says::CannotTell, "answered something else than a list of alerts"),
        (Manner::Says("<html>Welcome</html>"), Says::CannotTell, "answered something else than a list of alerts"),
        (Manner::Says(""), Says::CannotTell, "answered something else than a list of alerts"),
        (Manner::Code(401), Says::CannotTell, "answered 401"),
        (Manner::Code(500), Says::CannotTell, "answered 500"),
        (Manner::Code(204), Says::CannotTell, "answered 204"),
        (Manner::Redirects, Says::CannotTell, "answered 302; redirects are not followed"),
        (Manner::Endless, Says::CannotTell, "answered with more than 1 MiB"),
        (Manner::Hangs, Says::CannotTell, "did not answer within 1 seconds"),
        (Manner::HangsInTheBody, Says::CannotTell, "did not answer within 1 seconds"),
    ] {
        let (said, why) = cluster(&[manner]).await;
        assert!(said == says && why.contains(detail), "{said}: {why}, and not {says}: {detail}");
        assert!(!why.contains("prefix"), "{why}");
    }
}

#[tokio::test]
async fn of_a_cluster_any_may_say_that_it_fires_and_only_all_that_it_ended() {
    let ended = Manner::Lacks(OLD);
    for (manners, says) in [
        (&[ended, ended][..], Says::NotFiring),
        (&[ended, Manner::Lists], Says::Firing),
        (&[Manner::Hangs, Manner::Lists], Says::Firing),
        (&[ended, Manner::Hangs], Says::CannotTell),
        (&[ended, Manner::Code(500), ended], Says::CannotTell),
        (&[ended, Manner::Lacks(FRESH)], Says::CannotTell),
    ] {
        assert_eq!(cluster(manners).await.0, says);
    }
}

#[tokio::test]
async fn all_of_a_cluster_are_asked_at_the_same_time() {
    let (begun, many) = (Instant::now(), [Manner::Hangs; 40]);
    assert_eq!(cluster(&many).await.0, Says::CannotTell);
    // One after the other they would take as many times the deadline of one.
    assert!(begun.elapsed() < WITHIN * 20, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_question_carries_the_labels_the_prefix_and_the_secret_and_is_counted() {
    let bearer = Credential::Bearer(SecretString::from("s3cret"));
    let basic = Credential::Basic { username: "me".to_owned(), password: SecretString::from("s3cret") };
    for (credential, authorization) in
        [(None, ""), (Some(bearer), "Bearer s3cret"), (Some(basic), "Basic bWU6czNjcmV0")]
    {
        let service = service(Manner::Lacks(OLD)).await;
        let counted = Arc::new(Mutex::new(Vec::new()));
        let counts = Arc::clone(&counted);
        let observer: Observer =
            Arc::new(move |operation, code| counts.lock().unwrap().push(format!("{operation} {code}")));
        let instance = instance(&service.url, credential, Some(observer));
        assert!(!format!("{instance:?}").contains("s3cret"), "{instance:?}");
        let witnesses = Witnesses::of(vec![instance]);
        assert_eq!(witnesses.ask(&alert()).await.says, Says::NotFiring);
        let query = "active=true&silenced=true&inhibited=true&filter=alertname%3D%22Down%22\
                     &filter=container%3D%22a+%5C%22b%5C%22%22";
        let want = [format!("/prefix/api/v2/alerts?{query}"), "/prefix/api/v2/status".to_owned()];
        let want = want.map(|path| (path, authorization.to_owned()));
        assert_eq!(*service.seen.lock().unwrap(), want);
        assert_eq!(*counted.lock().unwrap(), ["alerts 200", "status 200"]);
    }
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_cause_and_counted_as_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cret", free.local_addr().unwrap());
    drop(free);
    let counted = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::clone(&counted);
    let observer: Observer =
        Arc::new(move |operation, code| counts.lock().unwrap().push(format!("{operation} {code}")));
    let witnesses = Witnesses::of(vec![instance(&url, None, Some(observer))]);
    let testimony = witnesses.ask(&alert()).await;
    assert_eq!(testimony.says, Says::CannotTell);
    assert!(testimony.detail.contains("refused") && !testimony.detail.contains("s3cret"), "{}", testimony.detail);
    assert_eq!(*counted.lock().unwrap(), ["alerts error"]);
}

#[test]
fn wrong_settings_are_named_with_their_place() {
    let config = |url: &str, token: Option<&str>| InstanceConfig {
        url: url.to_owned(),
        credential: token.map(|token| Credential::Bearer(SecretString::from(token))),
    };
    assert!(Witnesses::new(&[config("https://am.example/alertmanager", Some("t"))], None).is_ok());
    for (url, token, error) in [
        ("am:9093", None, InstanceError::Url),
        ("file:///etc/passwd", None, InstanceError::Url),
        ("http://me:s3cret@am:9093", None, InstanceError::Url),
        ("http://am:9093/?key=s3cret", None, InstanceError::Url),
        ("http://am:9093/#s3cret", None, InstanceError::Url),
        ("http://am:9093", Some("a\nb"), InstanceError::Secret),
    ] {
        assert!(!error.to_string().contains("s3cret"));
        let configs = [config("http://am:9093", None), config(url, token)];
        assert_eq!(Witnesses::new(&configs, None).map(|_| ()), Err((1, error)), "{url}");
    }
}

#[tokio::test]
async fn after_a_reload_others_are_asked() {
    let (before, after) = (service(Manner::Lists).await, service(Manner::Lacks(OLD)).await);
    let witnesses = Witnesses::of(vec![instance(&before.url, None, None)]);
    let asked = witnesses.clone();
    assert_eq!(asked.ask(&alert()).await.says, Says::Firing);
    witnesses.replace_by(&Witnesses::of(vec![instance(&after.url, None, None)]));
    assert_eq!(asked.ask(&alert()).await.says, Says::NotFiring);
    witnesses.replace_by(&Witnesses::default());
    assert!(asked.is_empty());
}
