//! Who is let in, and who is not.

use super::*;
use crate::people::{ForwardAuth, Network, TokenHash};
use axum::http::Request;

fn head(peer: Option<&str>, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/api/v1/pauses");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    parts.extensions.extend(
        peer.map(|peer| {
            let mut extensions = axum::http::Extensions::new();
            extensions.insert(Peer::Address(peer.parse().unwrap()));
            extensions
        })
        .unwrap_or_default(),
    );
    parts
}

fn access(token: Option<&str>) -> Access {
    Access { token: token.map(SecretString::from), ..Access::default() }
}

fn guard(token: Option<&str>) -> Guard {
    Guard::new(access(token))
}

async fn admitted(guard: &Guard, head: &Parts) -> Result<(), Denied> {
    guard.admit(head, Role::Operate).await.map(|_caller| ())
}

#[tokio::test]
async fn without_a_token_only_programs_of_this_machine_are_let_in() {
    let guard = guard(None);
    let here = ("host", "127.0.0.1:10112");
    for (peer, headers, want) in [
        (Some("127.0.0.1"), &[here][..], Ok(())),
        (Some("::1"), &[("host", "[::1]:10112")], Ok(())),
        (Some("::ffff:127.0.0.1"), &[("host", "localhost:10112")], Ok(())),
        (Some("127.0.0.1"), &[], Ok(())),
        (Some("127.0.0.1"), &[here, ("origin", "http://127.0.0.1:10112")], Ok(())),
        (Some("127.0.0.1"), &[here, ("sec-fetch-site", "same-origin")], Ok(())),
        (Some("192.0.2.7"), &[here], Err(Denied::Elsewhere)),
        (None, &[here], Err(Denied::Elsewhere)),
        (Some("127.0.0.1"), &[here, ("x-forwarded-for", "192.0.2.7")], Err(Denied::Elsewhere)),
        (Some("127.0.0.1"), &[("host", "evil.example:10112")], Err(Denied::Elsewhere)),
        (Some("127.0.0.1"), &[("host", "localhost.evil.example")], Err(Denied::Elsewhere)),
        (Some("192.0.2.7"), &[here, ("authorization", "Bearer ")], Err(Denied::Elsewhere)),
        (Some("127.0.0.1"), &[here, ("origin", "http://evil.example")], Err(Denied::Foreign)),
        (Some("127.0.0.1"), &[here, ("origin", "null")], Err(Denied::Foreign)),
        (Some("127.0.0.1"), &[here, ("sec-fetch-site", "cross-site")], Err(Denied::Foreign)),
        (Some("127.0.0.1"), &[here, ("sec-fetch-site", "same-site")], Err(Denied::Foreign)),
    ] {
        assert_eq!(admitted(&guard, &head(peer, headers)).await, want, "{peer:?} {headers:?}");
    }
}

#[tokio::test]
async fn with_a_token_everybody_needs_it() {
    let guard = guard(Some("s3cret"));
    let good = ("authorization", "Bearer s3cret");
    for (peer, headers, want) in [
        ("192.0.2.7", &[good][..], Ok(())),
        ("192.0.2.7", &[("authorization", "bearer  s3cret")], Ok(())),
        ("192.0.2.7", &[good, ("host", "sickbay.example"), ("x-forwarded-for", "192.0.2.8")], Ok(())),
        ("127.0.0.1", &[], Err(Denied::Token)),
        ("127.0.0.1", &[("authorization", "Bearer s3cre")], Err(Denied::Token)),
        ("127.0.0.1", &[("authorization", "Bearer ")], Err(Denied::Token)),
        ("127.0.0.1", &[("authorization", "s3cret")], Err(Denied::Token)),
        ("127.0.0.1", &[("authorization", "Basic s3cret")], Err(Denied::Token)),
        ("127.0.0.1", &[good, good], Err(Denied::Token)),
        ("127.0.0.1", &[good, ("origin", "http://evil.example")], Err(Denied::Foreign)),
    ] {
        assert_eq!(admitted(&guard, &head(Some(peer), headers)).await, want, "{peer} {headers:?}");
    }
    guard.change(access(Some("another")));
    assert_eq!(admitted(&guard, &head(Some("127.0.0.1"), &[good])).await, Err(Denied::Token));
    guard.change(access(None));
    assert_eq!(admitted(&guard, &head(Some("192.0.2.7"), &[good])).await, Err(Denied::Elsewhere));
}

#[tokio::test]
async fn the_api_token_can_be_guessed_at_ten_times_a_minute_and_whoever_has_it_is_let_in_all_the_same() {
    let guard = guard(Some("the-api-token-of-all"));
    let with = |token: &str| head(Some("192.0.2.7"), &[("authorization", &*format!("Bearer {token}"))]);
    for attempt in 0..12 {
        let want = if attempt < 10 { Denied::Token } else { Denied::TooOften };
        assert_eq!(admitted(&guard, &with("the-api-token-of-none")).await, Err(want), "attempt {attempt}");
    }
    assert_eq!(admitted(&guard, &with("the-api-token-of-all")).await, Ok(()));
    let elsewhere = head(Some("192.0.2.9"), &[("authorization", "Bearer nothing")]);
    assert_eq!(admitted(&guard, &elsewhere).await, Err(Denied::Token));
}

#[tokio::test]
async fn what_looks_like_somebodys_name_is_marked() {
    let people = crate::web::routes_tests::people("sesame");
    for (claimed, want) in [
        ("ada", "unproven:ada"),
        ("Ada", "unproven:Ada"),
        ("a d a", "unproven:a d a"),
        ("\u{430}da", "unproven:\u{430}da"),
        ("carol", "carol"),
    ] {
        assert_eq!(Caller::Token.name(claimed.to_owned(), &people), want);
        assert_eq!(Caller::Machine.name(claimed.to_owned(), &people), want);
    }
}

#[test]
fn where_tls_is_spoken_a_page_that_came_without_it_is_another_sites() {
    for (tls, origin, foreign) in [
        (true, "https://127.0.0.1:10112", false),
        (true, "http://127.0.0.1:10112", true),
        (false, "http://127.0.0.1:10112", false),
    ] {
        let known = Known::from(Access { tls, ..Access::default() });
        let head = head(None, &[("origin", origin), ("host", "127.0.0.1:10112")]);
        assert_eq!(known.is_foreign(&head.headers), foreign, "{tls} {origin}");
        assert_eq!(known.over_tls(), tls, "the cookie is for TLS alone");
    }
}

#[test]
fn a_proxys_own_name_is_ours_where_the_settings_say_so() {
    for (url, origin, host, foreign) in [
        (None, "https://sickbay.example", "sickbay.example", false),
        (None, "https://sickbay.example", "10.0.0.7:10112", true),
        (Some("https://sickbay.example/ops/"), "https://sickbay.example", "10.0.0.7:10112", false),
        (Some("https://sickbay.example:443/"), "https://Sickbay.example", "10.0.0.7:10112", false),
        (Some("https://sickbay.example:8443/"), "https://sickbay.example:8443", "10.0.0.7:10112", false),
        (Some("https://sickbay.example/"), "http://sickbay.example", "10.0.0.7:10112", true),
        (Some("https://sickbay.example/"), "https://sickbay.example.evil", "10.0.0.7:10112", true),
        (Some("https://sickbay.example/"), "null", "10.0.0.7:10112", true),
    ] {
        let known = Known::from(Access { external_url: url.map(str::to_owned), ..Access::default() });
        let head = head(None, &[("origin", origin), ("host", host)]);
        assert_eq!(known.is_foreign(&head.headers), foreign, "{url:?} {origin} {host}");
    }
    let known = Known::from(Access { external_url: Some("https://sickbay.example/".to_owned()), ..Access::default() });
    let cross = head(None, &[("origin", "https://sickbay.example"), ("sec-fetch-site", "cross-site")]);
    assert!(known.is_foreign(&cross.headers));
}

fn forward() -> ForwardAuth {
    ForwardAuth {
        header: "Remote-User".to_owned(),
        secret_header: "X-Proxy-Secret".to_owned(),
        secret: TokenHash::of("a-secret-of-the-proxy").unwrap(),
        trusted: vec![Network::parse("192.0.2.0/24").unwrap()],
    }
}

#[test]
fn a_name_that_a_proxy_gives_is_believed_of_trusted_ones_alone() {
    let people = || crate::web::routes_tests::people("sesame");
    let guard = Guard::new(Access { people: people(), forward: Some(forward()), only_here: true, ..Access::default() });
    let (ada, secret) = (("remote-user", "ada"), ("x-proxy-secret", "a-secret-of-the-proxy"));
    let mut ignored = 0;
    for (peer, headers, want, is_ignored) in [
        ("192.0.2.7", &[ada, secret][..], Some("ada"), false),
        ("::ffff:192.0.2.7", &[ada, secret], Some("ada"), false),
        // From elsewhere, without the secret, with a wrong one, with two.
        ("198.51.100.7", &[ada, secret], None, true),
        ("127.0.0.1", &[ada, secret], None, true),
        ("192.0.2.7", &[ada], None, true),
        ("192.0.2.7", &[ada, ("x-proxy-secret", "a-secret-of-the-prox")], None, true),
        ("192.0.2.7", &[ada, secret, ("x-proxy-secret", "")], None, true),
        // Nobody, somebody unknown, somebody who looks like ada, two at once.
        ("192.0.2.7", &[secret], None, false),
        ("192.0.2.7", &[("remote-user", ""), secret], None, false),
        ("192.0.2.7", &[("remote-user", "carol"), secret], None, false),
        ("192.0.2.7", &[("remote-user", "Ada"), secret], None, false),
        ("192.0.2.7", &[ada, ("remote-user", "eve"), secret], None, false),
    ] {
        let known = guard.session(&head(Some(peer), headers));
        assert_eq!(known.as_ref().map(|known| &*known.person.name), want, "{peer} {headers:?}");
        assert_eq!(known.is_some_and(|known| known.by_proxy()), want.is_some());
        ignored += u64::from(is_ignored);
    }
    assert_eq!((guard.ignored(), guard.ignored()), (ignored, 0));
    // Without the setting, the header is one of many.
    let guard = Guard::new(Access { people: people(), ..Access::default() });
    assert!(guard.session(&head(Some("192.0.2.7"), &[ada, secret])).is_none());
}

#[tokio::test]
async fn a_form_of_somebody_behind_a_proxy_needs_its_token_and_no_machine_is_believed_there() {
    let people = crate::web::routes_tests::people("sesame");
    let access = Access { people, forward: Some(forward()), only_here: true, ..Access::default() };
    let guard = Guard::new(access);
    let secret = ("x-proxy-secret", "a-secret-of-the-proxy");
    let of = |name: &'static str, more: &[(&str, &str)]| {
        head(Some("192.0.2.7"), &[&[("remote-user", name), secret][..], more].concat())
    };
    let token = |name: &'static str| guard.session(&of(name, &[])).unwrap().form_token();
    let voted =
        |head: &Parts, token: &str| guard.of_form(head, token, Role::Approve).map(|known| known.person.name.clone());
    let ours = ("sec-fetch-site", "same-origin");
    assert_eq!(voted(&of("ada", &[ours]), &token("ada")), Ok("ada".to_owned()));
    assert_eq!(voted(&of("ada", &[ours]), &token("eve")), Err(Denied::Foreign));
    assert_eq!(voted(&of("eve", &[ours]), &token("eve")), Err(Denied::Role(Role::Approve)));
    assert_eq!(voted(&of("ada", &[]), &token("ada")), Err(Denied::Unsaid));
    let cross = of("ada", &[("sec-fetch-site", "cross-site")]);
    assert_eq!(voted(&cross, &token("ada")), Err(Denied::Foreign));
    // The cookie of another is not looked at, and the API takes its own proofs alone.
    let eve =
        guard.log_in(&head(None, &[ours]), "eve".to_owned(), SecretString::from("eve-has-a-long-token")).await.unwrap();
    let cookie = eve.cookie().split(';').next().unwrap().to_owned();
    assert_eq!(guard.session(&of("ada", &[("cookie", &cookie)])).unwrap().person.name, "ada");
    assert!(guard.session(&of("carol", &[("cookie", &cookie)])).is_none());
    assert_eq!(guard.person(&of("ada", &[]), Role::Approve).await.map(|_| ()), Err(Denied::Nobody));
    let here = head(Some("127.0.0.1"), &[("host", "127.0.0.1:10112")]);
    assert_eq!((guard.look(&here).await, admitted(&guard, &here).await), (Ok(false), Err(Denied::Token)));
}

/// A request over the socket in the file system.
fn of_user(uid: u32, headers: &[(&str, &str)]) -> Parts {
    let mut parts = head(None, headers);
    parts.extensions.insert(Peer::User(uid));
    parts
}

#[tokio::test]
async fn over_the_socket_a_user_is_who_the_kernel_says_and_a_proxy_is_nobody() {
    let [ada, bob, eve, nobody] = [1001, 1002, 1003, 1004];
    let people = || {
        let named = crate::web::routes_tests::people("sesame");
        People::new(["ada", "bob", "eve"].into_iter().zip([ada, bob, eve]).map(|(name, uid)| {
            let person = named.named(name).unwrap();
            Person { uid: Some(uid), ..Person::clone(person) }
        }))
    };
    let guard = Guard::new(Access { people: people(), ..Access::default() });
    let bearer = ("authorization", "Bearer eve-has-a-long-token");
    for (uid, headers, operates, votes) in [
        (ada, &[][..], Err(Denied::Role(Role::Operate)), Ok("ada")),
        (bob, &[], Err(Denied::Role(Role::Operate)), Err(Denied::Role(Role::Approve))),
        (eve, &[], Ok(Some("eve")), Err(Denied::Role(Role::Approve))),
        (nobody, &[], Err(Denied::Token), Err(Denied::Nobody)),
        // What is presented goes first, and if it is wrong, nothing else counts.
        (ada, &[bearer], Ok(Some("eve")), Err(Denied::Role(Role::Approve))),
        (eve, &[("authorization", "Bearer wrong")], Err(Denied::Token), Err(Denied::Nobody)),
        // A proxy of eve's is not eve.
        (eve, &[("x-forwarded-for", "192.0.2.7")], Err(Denied::Token), Err(Denied::Nobody)),
        (eve, &[("origin", "http://evil.example")], Err(Denied::Foreign), Err(Denied::Foreign)),
    ] {
        let head = of_user(uid, headers);
        let operator = guard.admit(&head, Role::Operate).await.map(|caller| match caller {
            Caller::Person(person) => Some(person.name.clone()),
            Caller::Token | Caller::Machine => None,
        });
        assert_eq!(operator.as_ref().map(Option::as_deref), operates.as_ref().map(|name| *name), "{uid} {headers:?}");
        let voter = guard.person(&head, Role::Approve).await.map(|person| person.name.clone());
        assert_eq!(voter.as_deref(), votes.as_ref().map(|name| *name), "{uid} {headers:?}");
    }
    assert_eq!((guard.look(&of_user(bob, &[])).await, guard.look(&of_user(nobody, &[])).await), (Ok(true), Ok(false)));
    // Where nobody can be told apart, a user is a program on this machine.
    let open = Guard::new(access(None));
    let caller = open.admit(&of_user(nobody, &[("host", "localhost")]), Role::Operate).await;
    assert!(matches!(caller, Ok(Caller::Machine)), "{caller:?}");
    assert_eq!(admitted(&open, &of_user(ada, &[("x-real-ip", "192.0.2.7")])).await, Err(Denied::Elsewhere));
}
