//! Notices and signed links by mail: the real daemon, a mail server that speaks TLS, and Python's parser, which reads the
//! mails as mail programs do.

use crate::alerts::{firing, notification};
use crate::fake_docker::{FakeDocker, running};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use crate::smtp::{MailServer, Manner, PASSWORD, Received, Tls, USER};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// What sees a mail as its reader does: headers decoded, defects of the form, the text.
const PARSE: &str = "
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
headers = [[name.lower(), str(value)] for name, value in mail.items()]
broken = [repr(d) for d in mail.defects] + [repr(d) for name in mail for h in mail.get_all(name) for d in h.defects]
json.dump({'headers': headers, 'defects': broken, 'type': mail.get_content_type(), 'parts': mail.is_multipart(),
           'text': mail.get_content().replace('\\r\\n', '\\n'), 'to': [a.addr_spec for a in mail['to'].addresses],
           'from': [a.addr_spec for a in mail['from'].addresses], 'at': mail['date'].datetime.timestamp()}, sys.stdout)
";

fn parsed(mail: &Received) -> Value {
    let mut python =
        Command::new("python3").args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(mail.text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", mail.text);
    let parsed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(parsed["defects"], json!([]), "{}", mail.text);
    assert_eq!((&parsed["type"], &parsed["parts"]), (&json!("text/plain"), &json!(false)));
    parsed
}

/// The one header of this name.
fn header(parsed: &Value, name: &str) -> String {
    let all = parsed["headers"].as_array().unwrap();
    let [one] = &all.iter().filter(|pair| pair[0] == name).collect::<Vec<_>>()[..] else { panic!("{name}: {parsed}") };
    one[1].as_str().unwrap().to_owned()
}

/// Not started: it asks in `ask`; `more` stands in the entry of `ada-mail`.
fn prepared(docker: &FakeDocker, server: &MailServer, (ask, more): (&str, &str)) -> Sickbay {
    let approval = format!("    approval: {{from: [sre], timeout: 10m, ask: [{ask}]}}\n    steps:");
    let tells = "      - notify: {to: [ada-mail, crew], message: 'it is {{ labels.note }}'}\n    on_failure:";
    let rules = DOWN.replace("    steps:", &approval).replace("    on_failure:", tells);
    let sickbay = Sickbay::new(&rules, &settings(docker));
    let port = server.port;
    let ca = if more.contains("ca_file") || more.contains("require_tls: false") { "" } else { ", ca_file: ca.pem" };
    sickbay.configure(&format!(
        "web: {{external_url: 'https://sickbay.example/ops/'}}
approvals: {{link_secret_file: links}}
people:
  - {{name: ada, groups: [sre], token_file: ada.token, link_notifier: ada-mail}}
notifiers:
  - name: ada-mail
    email: {{to: 'Ada L\u{f6}v <ada@example.com>', from: 'Sickbay <{USER}>', smarthost: '127.0.0.1:{port}'{ca}{more}}}
  - name: crew
    email: {{to: [bob@example.com, eve@example.com], from: {USER}, smarthost: '127.0.0.1:{port}'{ca}{more}}}
",
    ));
    sickbay.write_file("links", "c4nary-of-the-link-secret-0123456789\n");
    sickbay.write_file("ada.token", "t0ken-of-ada-long-enough\n");
    sickbay.write_file("mail.password", &format!("{PASSWORD}\n"));
    fs::copy(format!("{FIXTURES}/ca.pem"), sickbay.directory().join("ca.pem")).unwrap();
    fs::copy(format!("{FIXTURES}/other-ca.pem"), sickbay.directory().join("other-ca.pem")).unwrap();
    sickbay
}

/// With the account's password.
fn login() -> String {
    format!(", auth_username: '{USER}', auth_password_file: mail.password")
}

fn alert(sickbay: &Sickbay, note: &str) {
    let alert = firing(&json!({"alertname": "Down", "container": "web", "note": note}));
    assert_eq!(sickbay.post(&notification(&[alert])).status, 200);
}

/// Nothing that the daemon wrote or answers holds a password, a key or a token.
fn nothing_leaked(sickbay: &Sickbay) {
    let mut told = sickbay.said();
    let ada = [("Authorization", "Bearer t0ken-of-ada-long-enough")];
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/approvals", "/incidents/i2"] {
        told.push_str(&request(sickbay.port, &format!("GET {path}"), &ada, "").unwrap().body);
    }
    for record in sickbay.records() {
        told.push_str(&record.to_string());
    }
    assert!(told.contains("approval.requested") || told.contains("notify.outcome"));
    let plain = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("\0{USER}\0{PASSWORD}"));
    for secret in ["c4nary", &plain] {
        assert!(!told.contains(secret), "{secret} stands in what is told:\n{told}");
    }
}

fn press(sickbay: &Sickbay, path: &str, token: &str) -> (u16, String) {
    let headers = [
        ("Content-Type", "application/json"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "https://sickbay.example"),
    ];
    let body = json!({"token": token, "decision": "approve", "reason": "by mail"}).to_string();
    let answer = request(sickbay.port, &format!("POST {path}"), &headers, &body).unwrap();
    (answer.status, answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_link_comes_by_mail_and_votes() {
    let (docker, server) = (engine(), MailServer::start(Manner::default()));
    let mut sickbay = prepared(&docker, &server, ("ada-mail, crew", &login()));
    sickbay.start(&[]);
    let nasty = "up\r\nBcc: eve@evil.example\r\n\r\n.\r\n\u{202e}evil";
    alert(&sickbay, nasty);
    sickbay.wait_for("notify.outcome", 2);
    let mails = server.received("ada@example.com");
    let [question] = &mails[..] else { panic!("{mails:?}\n{}", sickbay.story()) };
    assert!(question.encrypted && question.to == ["ada@example.com"] && question.from == format!("<{USER}>"));
    let read = parsed(question);
    assert_eq!((&read["to"], &read["from"]), (&json!(["ada@example.com"]), &json!([USER])));
    assert!(header(&read, "to").contains("Ada L\u{f6}v"), "{read}");
    assert_eq!(header(&read, "auto-submitted"), "auto-generated");
    assert!(header(&read, "subject").starts_with("sickbay warning: "), "{read}");
    let text = read["text"].as_str().unwrap();
    let url = text.lines().find(|line| line.starts_with("https://sickbay.example/ops/a/")).unwrap();
    let code = text.lines().find_map(|line| line.strip_prefix("Where no script runs, type this code there: ")).unwrap();

    // Several read what the crew gets.
    let mails = server.received("bob@example.com");
    let [others] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(others.to, ["bob@example.com", "eve@example.com"]);
    let theirs = parsed(others);
    let theirs = theirs["text"].as_str().unwrap();
    assert!(!theirs.contains("/ops/a/") && !theirs.contains(code), "{theirs}");
    assert!(server.received("eve@evil.example").is_empty());

    let (page, token) = url.strip_prefix("https://sickbay.example/ops").unwrap().split_once('#').unwrap();
    let path = page.to_owned();
    sickbay.until("the question is shown", || {
        let ada = [("Authorization", "Bearer t0ken-of-ada-long-enough")];
        let line = format!("GET /api/v1/approvals/{}", path.strip_prefix("/a/").unwrap());
        request(sickbay.port, &line, &ada, "").is_ok_and(|answer| answer.status == 200).then_some(())
    });
    let (status, words) = press(&sickbay, page, token);
    assert!(status == 200 && words.contains("approved"), "{status} {words}");
    let vote = sickbay.wait_for("approval.vote", 1).remove(0);
    assert_eq!((&vote["by"], &vote["channel"]), (&json!("ada"), &json!("link")));
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());

    // All of an incident is one thread, and each message has a name of its own.
    sickbay.wait_for("notify.outcome", 4);
    let told: Vec<Value> = server.received("ada@example.com").iter().map(parsed).collect();
    assert_eq!(told.len(), 2);
    assert!(server.received("eve@evil.example").is_empty());
    let text = told[1]["text"].as_str().unwrap();
    assert!(
        text.starts_with("it is up\\u{d}\nBcc: eve@evil.example\\u{d}\n\\u{d}\n.\\u{d}\n\\u{202e}evil\n"),
        "{text}"
    );
    for name in ["references", "in-reply-to"] {
        assert_eq!(header(&told[0], name), header(&told[1], name));
    }
    assert_ne!(header(&told[0], "message-id"), header(&told[1], "message-id"));
    for mail in &told {
        let text = mail["text"].as_str().unwrap();
        assert!(!text.contains('\u{202e}') && !header(mail, "subject").contains(['\r', '\n']), "{text}");
    }
    assert!(sickbay.metric("sickbay_notifications_total{notifier=\"ada-mail\",outcome=\"delivered\"}") > 0.5);
    nothing_leaked(&sickbay);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_it_is_not_encrypted_believed_or_known() {
    for (manner, more, want) in [
        (
            Manner { tls: Tls::Never, ..Manner::default() },
            login(),
            "offers no encryption (STARTTLS), and `require_tls` is true: nothing was sent",
        ),
        (
            Manner::default(),
            format!("{}, ca_file: other-ca.pem", login()),
            "showed a certificate that is of an authority that is not trusted; name its own authority in `ca_file`: \
             nothing was sent",
        ),
        (
            Manner { certificate: Some("expired"), ..Manner::default() },
            login(),
            "showed a certificate that has expired",
        ),
        (
            Manner { tls: Tls::Implicit, ..Manner::default() },
            format!("{}, ca_file: other-ca.pem, force_implicit_tls: true", login()),
            "showed a certificate that is of an authority",
        ),
        (
            Manner { certificate: Some("client"), ..Manner::default() },
            login(),
            "showed a certificate that cannot be believed: certificate does not allow",
        ),
        (
            Manner::default(),
            format!(", auth_username: '{USER}', auth_password: c4nary-wrong"),
            "does not take `auth_username` and its password (535)",
        ),
        (Manner::default(), String::new(), "answered the sender sickbay@ops.example with 530 5.7.0 log in first"),
        (
            Manner::default(),
            format!("{}, force_implicit_tls: true", login()),
            "does not speak TLS from the start there; set `force_implicit_tls: false`, or another port",
        ),
    ] {
        let (docker, server) = (engine(), MailServer::start(manner.clone()));
        let mut sickbay = prepared(&docker, &server, ("ada-mail", &more));
        sickbay.start(&[]);
        alert(&sickbay, "x");
        let outcome = sickbay.wait_for("notify.outcome", 1).remove(0);
        let error = outcome["error"].as_str().unwrap_or_else(|| panic!("{manner:?}: {outcome}"));
        assert!(error.starts_with(&format!("127.0.0.1:{} {want}", server.port)), "{manner:?}: {error}");
        assert!(server.received("ada@example.com").is_empty());
        assert!(!server.heard().iter().any(|line| line.starts_with("DATA")), "{:?}", server.heard());
        assert!(
            manner != Manner { tls: Tls::Never, ..Manner::default() } || !server.heard().contains(&"AUTH".to_owned())
        );
        assert!(sickbay.metric("sickbay_notifications_total{notifier=\"ada-mail\",outcome=\"failed\"}") > 0.5);
        // The same is found out beforehand.
        let checked = sickbay.run(&["check", "--config.file=sickbay.yml", "--online"]);
        let told = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        let found_early = !want.contains("530");
        assert_eq!(told.contains("`ada-mail` cannot be told anything: 127.0.0.1:"), found_early, "{manner:?}: {told}");
        assert!(!told.contains("c4nary"), "{told}");
        nothing_leaked(&sickbay);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_from_the_start_and_unencrypted_where_the_settings_say_so() {
    for (manner, more, is_encrypted) in [
        (Manner { tls: Tls::Implicit, ..Manner::default() }, format!("{}, force_implicit_tls: true", login()), true),
        (Manner { open: true, ..Manner::default() }, ", require_tls: true".to_owned(), true),
        (Manner { tls: Tls::Never, open: true, ..Manner::default() }, ", require_tls: false".to_owned(), false),
    ] {
        let (docker, server) = (engine(), MailServer::start(manner.clone()));
        let mut sickbay = prepared(&docker, &server, ("ada-mail", &more));
        sickbay.start(&[]);
        alert(&sickbay, "x");
        sickbay.wait_for("notify.outcome", 1);
        let mails = server.received("ada@example.com");
        let [mail] = &mails[..] else { panic!("{manner:?}: {mails:?}\n{}", sickbay.story()) };
        assert_eq!(mail.encrypted, is_encrypted, "{manner:?}");
        parsed(mail);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again_and_one_that_hangs_keeps_no_other_incident_waiting() {
    let (docker, server) = (engine(), MailServer::start(Manner { busy: 1, ..Manner::default() }));
    let mut other = running("cd", "shop");
    other["Config"]["Labels"]["sickbay.enable"] = "true".into();
    docker.put(other);
    let mut sickbay = prepared(&docker, &server, ("ada-mail, slow", &login()));
    let hanging = MailServer::start(Manner { hangs: true, ..Manner::default() });
    sickbay.configure(&format!(
        "  - {{name: slow, email: {{to: zoe@example.com, from: {USER}, smarthost: '127.0.0.1:{}', ca_file: ca.pem{}}}}}\n",
        hanging.port,
        login()
    ));
    sickbay.start(&[]);
    alert(&sickbay, "x");
    sickbay.wait_for("notify.outcome", 1);
    let asked = |server: &MailServer| server.heard().iter().filter(|line| line.starts_with("RCPT")).count();
    assert_eq!((asked(&server), server.received("ada@example.com").len()), (2, 1), "{:?}", server.heard());
    // Somebody waits for the one that hangs.
    sickbay.wait_for("notify.intent", 2);
    let down = firing(&json!({"alertname": "Down", "container": "shop", "note": "y"}));
    assert_eq!(sickbay.post(&notification(&[down])).status, 200);
    sickbay.wait_for("notify.outcome", 2);
    assert_eq!(server.received("ada@example.com").len(), 2);
    assert!(sickbay.records_of("notify.outcome").iter().all(|outcome| outcome["result"] == "delivered"));

    // It is not known whether zoe was told: she is told again, as the same mail, and ada is not.
    sickbay.kill();
    hanging.behave(Manner::default());
    sickbay.start(&[]);
    sickbay.wait_for("notify.outcome", 4);
    let mails: Vec<Value> = hanging.received("zoe@example.com").iter().map(parsed).collect();
    let mut names: Vec<String> = mails.iter().map(|mail| header(mail, "message-id")).collect();
    names.sort();
    let intents = sickbay.records_of("notify.intent");
    let acts =
        intents.iter().filter(|intent| intent["notifier"] == "slow").map(|intent| intent["act"].as_str().unwrap());
    let mut acts: Vec<&str> = acts.collect();
    acts.sort_unstable();
    assert_eq!((names.len(), acts.len()), (2, 2), "{names:?} {acts:?}");
    for (name, act) in names.iter().zip(&acts) {
        assert!(name.starts_with(&format!("<{act}.")) && name.ends_with("@ops.example>"), "{name} {act}");
    }
    for mail in &mails {
        assert!(mail["text"].as_str().unwrap().contains("repeat: this may have been sent before"), "{mail}");
    }
    assert_eq!(server.received("ada@example.com").len(), 2, "what is delivered is not sent again");
    nothing_leaked(&sickbay);
}
