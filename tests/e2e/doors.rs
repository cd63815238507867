//! Every path that changes something, in one table: it takes nothing from pages of other sites, and nothing without its proof.

use crate::house::{FORM, House, JSON, PROXY, alarm, bearer, routes};
use serde_json::json;
use std::collections::BTreeSet;

const TEXT: (&str, &str) = ("Content-Type", "text/plain");

/// By what a request proves that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// There is no sender in the settings: whoever is no page.
    Program,
    /// Name and password in a form of ours.
    Login,
    /// The cookie of a session and what its forms bring back.
    Form,
    /// A token in a header.
    Bearer,
    /// The token of a link.
    Link,
    /// A signature of Slack.
    Slack,
}

/// One method of one path of the router, and a request that is taken there.
struct Row {
    method: &'static str,
    path: &'static str,
    proof: Proof,
    body: String,
    good: u16,
}

type Headers = Vec<(String, String)>;

/// Everything that changes something, in an order in which each can be done. Whoever adds a path adds it here.
fn rows(house: &House, token: &str) -> Vec<Row> {
    let row = |method, path, proof, body: String, good| Row { method, path, proof, body, good };
    let (plan, link) = (house.plan(), house.link_token("ada"));
    let vote = json!({"vote": "approve", "plan": plan}).to_string();
    let pause = json!({"scope": "all", "reason": "moving"}).to_string();
    let of_form = |rest: &str| format!("form_token={token}&{rest}");
    let none = String::new;
    vec![
        row("any", "/api/v1/webhook", Proof::Program, alarm().to_string(), 200),
        row("any", "/webhook", Proof::Program, alarm().to_string(), 200),
        row("post", "/api/v1/approvals/{id}", Proof::Bearer, vote, 200),
        row("post", "/approvals/{id}", Proof::Form, of_form(&format!("plan={plan}&vote=approve")), 200),
        row("post", "/a/{id}/show", Proof::Link, json!({"token": link}).to_string(), 200),
        row("post", "/a/{id}", Proof::Link, json!({"token": link, "decision": "approve"}).to_string(), 200),
        row("post", "/api/v1/slack/interactive", Proof::Slack, house.click_of(("U0ADA", "sickbay_approve")).0, 200),
        row("post", "/api/v1/pauses", Proof::Bearer, pause, 200),
        row("delete", "/api/v1/pauses/{scope}", Proof::Bearer, none(), 200),
        row("post", "/pause", Proof::Form, of_form("scope=all&reason=moving"), 200),
        row("post", "/resume", Proof::Form, of_form("scope=all&reason=moved"), 200),
        row("delete", "/api/v1/breakers/{target}", Proof::Bearer, none(), 404),
        row("post", "/-/reload", Proof::Bearer, none(), 200),
        row("put", "/-/reload", Proof::Bearer, none(), 200),
        row("post", "/api/v1/incidents/{id}/abort", Proof::Bearer, json!({"reason": "no"}).to_string(), 200),
        row("post", "/login", Proof::Login, "name=ada&password=t0ken-of-ada-long-enough".to_owned(), 200),
        row("post", "/logout", Proof::Form, of_form(""), 200),
    ]
}

fn owned(headers: &[(&str, &str)]) -> Headers {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Row {
    fn line(&self, house: &House) -> String {
        let method = if self.method == "any" { "POST".to_owned() } else { self.method.to_uppercase() };
        let id = if self.path.contains("incidents") { house.asked["incident"].as_str().unwrap() } else { house.id() };
        format!(
            "{method} {}",
            self.path.replace("{id}", id).replace("{scope}", "all").replace("{target}", "web?reason=looked")
        )
    }

    /// The headers with which it is taken.
    fn headers(&self, house: &House, cookie: &str) -> Headers {
        let origin = house.origin();
        let ours = ("Origin", &*origin);
        match self.proof {
            Proof::Program => owned(&[JSON]),
            Proof::Login => owned(&[FORM, ours]),
            Proof::Form => owned(&[FORM, ours, ("Cookie", cookie)]),
            Proof::Bearer => owned(&[JSON, bearer("ada")]),
            Proof::Link => owned(&[JSON, ours]),
            Proof::Slack => {
                let signed = house.click_of(("U0ADA", "sickbay_approve")).1;
                [owned(&[FORM]), signed.to_vec()].concat()
            }
        }
    }

    /// What is not taken.
    fn bad(&self, house: &House, (cookie, token): (&str, &str)) -> Vec<Bad> {
        let good = self.headers(house, cookie);
        let own = match self.proof {
            Proof::Program => Vec::new(),
            Proof::Login => vec![
                self.with("from nowhere", without(&good, "Origin"), 403),
                self.with("of another kind", other(&good, JSON), 400),
            ],
            Proof::Form => self.bad_forms(&good, (token, &house.session("bob").1)),
            Proof::Bearer => self.bad_calls(&good, cookie),
            Proof::Link => vec![
                self.with("as plain text", other(&good, TEXT), 415),
                saying("without a token", &good, "{\"decision\": \"approve\"}".to_owned(), 400),
                saying("and more", &good, format!("{0}{0}", self.body), 400),
            ],
            // A page cannot sign as Slack does, whatever its origin.
            Proof::Slack => {
                return vec![
                    self.with("unsigned", owned(&[FORM]), 401),
                    saying("altered", &good, self.body.replace("%41", "%42"), 401),
                ];
            }
        };
        let foreign = foreign(&house.origin()).into_iter();
        let foreign = foreign.map(|foreign| {
            self.with(&format!("{foreign:?}"), [without(&good, "Origin"), foreign.clone()].concat(), 403)
        });
        foreign.chain(own).collect()
    }

    /// Forms that no page of ours has sent to whoever sends them.
    fn bad_forms(&self, good: &Headers, (token, others): (&str, &str)) -> Vec<Bad> {
        vec![
            self.with("from nowhere", without(good, "Origin"), 403),
            self.with("without a session", without(good, "Cookie"), 401),
            self.with("of no session", other(good, ("Cookie", "sickbay_session=00")), 401),
            self.with("as plain text", other(good, TEXT), 400),
            self.with("as JSON", other(good, JSON), 400),
            saying("without its token", good, self.body.replace("form_token", "x"), 400),
            saying("with an empty token", good, self.body.replace(token, ""), 403),
            saying("with another's token", good, self.body.replace(token, others), 403),
            saying("with two tokens", good, format!("form_token={token}&{}", self.body), 400),
        ]
    }

    /// Calls of the API without the proof that it takes, or of another kind.
    fn bad_calls(&self, good: &Headers, cookie: &str) -> Vec<Bad> {
        let bare = without(good, "Authorization");
        let with = |headers: &[(&str, &str)]| [bare.clone(), owned(headers)].concat();
        let mut bad = vec![
            self.with("without a proof", bare.clone(), 401),
            self.with("by a cookie", with(&[("Cookie", cookie)]), 401),
            self.with("of who looks on", with(&[bearer("eve")]), 403),
            self.with("by a proxy's word", with(&[("Remote-User", "ada"), PROXY]), 401),
            self.with("with two proofs", with(&[bearer("ada"), bearer("ada")]), 401),
        ];
        if !self.body.is_empty() {
            for kind in [TEXT, FORM, ("Content-Type", "multipart/form-data"), ("Content-Type", "")] {
                bad.push(self.with(kind.1, other(good, kind), 415));
            }
            let twice = self.body.replacen('{', "{\"reason\":\"x\",\"reason\":\"y\",", 1);
            bad.push(saying("and more", good, format!("{0}{0}", self.body), 400));
            bad.push(saying("said twice", good, twice, 400));
        }
        bad
    }

    /// The same body with other headers.
    fn with(&self, what: &str, headers: Headers, want: u16) -> Bad {
        Bad { what: what.to_owned(), headers, body: self.body.clone(), want }
    }
}

/// A request that is not taken, and the status that says so.
struct Bad {
    what: String,
    headers: Headers,
    body: String,
    want: u16,
}

/// The same headers with another body.
fn saying(what: &str, headers: &Headers, body: String, want: u16) -> Bad {
    Bad { what: what.to_owned(), headers: headers.clone(), body, want }
}

fn without(headers: &Headers, name: &str) -> Headers {
    headers.iter().filter(|(known, _)| known != name).cloned().collect()
}

/// With this header in place of the one of its name.
fn other(headers: &Headers, header: (&str, &str)) -> Headers {
    [without(headers, header.0), owned(&[header])].concat()
}

/// What browsers say of pages of other sites, and what such pages might try to look like.
fn foreign(ours: &str) -> Vec<Headers> {
    let (longer, port) = (format!("{ours}.evil.example"), format!("{ours}0"));
    [
        &[("Origin", "http://evil.example")][..],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", "file://")],
        &[("Origin", &longer)],
        &[("Origin", &port)],
        &[("Origin", ours), ("Origin", "http://evil.example")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", ours), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "http://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    ]
    .map(owned)
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_by_pages_of_other_sites_or_without_a_proof_on_any_path() {
    let house = House::new("127.0.0.1");
    let (cookie, token) = house.session("ada");
    let rows = rows(&house, &token);
    let handled = |handlers: &str, method: &str| {
        handlers.starts_with(&format!("{method}(")) || handlers.contains(&format!(".{method}("))
    };
    let of = |(path, handlers): (&'static str, &'static str)| {
        let methods = ["post", "put", "delete", "patch", "any"].into_iter().filter(|method| handled(handlers, method));
        methods.map(|method| (method, path)).collect::<Vec<_>>()
    };
    let known: BTreeSet<_> = routes().into_iter().flat_map(of).collect();
    assert_eq!(rows.iter().map(|row| (row.method, row.path)).collect::<BTreeSet<_>>(), known, "each path has its row");
    let send = |row: &Row, headers: &Headers, body: &str| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        house.send(&row.line(&house), &headers, body)
    };
    let before = house.state();
    for row in &rows {
        for Bad { what, headers, body, want } in row.bad(&house, (&cookie, &token)) {
            let answer = send(row, &headers, &body);
            assert_eq!(answer.status, want, "{} {what}: {answer:?}", row.line(&house));
        }
        assert!(house.state() == before, "{} has changed something\n{}", row.line(&house), house.sickbay.story());
    }
    for row in &rows {
        let answer = send(row, &row.headers(&house, &cookie), &row.body);
        assert_eq!(answer.status, row.good, "{}: {answer:?}", row.line(&house));
    }
    assert_eq!(house.docker.count("POST", "/restart"), 0, "one of two has agreed, by four ways");
    assert_eq!(house.sickbay.records_of("approval.vote").len(), 1, "{}", house.sickbay.story());
}
