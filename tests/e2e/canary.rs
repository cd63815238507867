//! One daemon that has every secret which settings, playbooks and containers can hold, and is asked, wronged and broken in
//! every way: none of them stands in anything that it writes, answers or prints.

use crate::alerts::{firing, notification, resolved};
use crate::fake_docker::{FakeDocker, Reply, running};
use crate::http::request;
use crate::sickbay_process::{Sickbay, free_port};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What every secret here begins with.
const CANARY: &str = "c4nary";

/// Sends each secret that a playbook can hold, to nobody: the notifiers and the other system are not there.
fn rules(nowhere: u16) -> String {
    format!(
        "version: 1
playbooks:
  - name: web-down
    matchers: ['alertname = \"Down\"']
    target: {{container: '{{{{ labels.container }}}}'}}
    limits: {{runs: 1000, per: 1h, cooldown: 0s}}
    approval: {{required: 1, from: [sre], timeout: 10m, ask: [chat, team, post]}}
    steps:
      - capture: {{}}
      - http:
          method: POST
          url: 'http://127.0.0.1:{nowhere}/hook?token=c4nary-of-the-query'
          body: '{{\"password\": \"c4nary-of-the-body\"}}'
        continue_on_error: true
      - restart: {{stop_timeout: 0s}}
      - verify: {{within: 30s, every: 1s, stable_for: 1s}}
      - notify: {{to: [chat, team, post, post2, log], message: 'done'}}
    on_failure:
      - notify: {{to: [chat, team, post, post2, log], severity: critical, message: '{{{{ failed.error }}}}'}}
"
    )
}

/// Every secret, half of them in files.
fn settings(docker: &FakeDocker, nowhere: u16, home: &Path) -> String {
    let hash = sickbay::people::PasswordHash::make("c4nary-password-of-ada").unwrap();
    for (file, secret) in [
        ("bearer", "c4nary-of-the-sender-in-a-file"),
        ("ada.hash", &*hash),
        ("bob.token", "c4nary-token-of-bob-long-enough"),
        ("chat.url", &format!("http://127.0.0.1:{nowhere}/c4nary-of-the-path?key=c4nary-of-the-url")),
        ("signing", "c4nary-of-the-signing-secret-0123456789"),
        ("mail.password", "c4nary-of-the-mail-in-a-file"),
    ] {
        fs::write(home.join(file), format!("{secret}\n")).unwrap();
    }
    format!(
        "docker: {{hands_off: 0s, hosts: [{{name: local, url: '{}'}}]}}
limits: {{global: [{{runs: 1000, per: 1h}}], max_parallel: 100}}
log: {{level: debug}}
web:
  api_token: c4nary-of-the-api-long-enough
  forward_auth: {{header: Remote-User, secret_header: X-Proxy-Secret, secret: c4nary-of-the-proxy-0123, trusted: [192.0.2.7]}}
  external_url: http://127.0.0.1:{nowhere}/
  oidc: {{issuer: 'http://127.0.0.1:{nowhere}', client_id: sickbay, client_secret: c4nary-of-the-client}}
webhook:
  senders:
    - {{name: one, bearer_token_file: bearer}}
    - {{name: two, bearer_token: c4nary-of-the-sender-inline}}
    - {{name: three, basic_auth: {{username: grafana, password: c4nary-of-the-basic-sender}}}}
slack: {{signing_secret_file: signing, team_id: T0US, answer_origin: 'http://127.0.0.1:{nowhere}'}}
people:
  - {{name: ada, groups: [sre], roles: [approve, operate], password_hash_file: ada.hash}}
  - {{name: bob, groups: [sre], token_file: bob.token}}
notifiers:
  - {{name: chat, http: {{url_file: chat.url, headers: {{X-Key: c4nary-of-the-notifier}}, bearer_token: c4nary-of-the-bearer}}}}
  - {{name: team, slack: {{url: 'http://127.0.0.1:{nowhere}/services/T0US/c4nary-of-the-webhook'}}}}
  - {{name: post, email: {{to: ada@example.org, from: sickbay@example.org, smarthost: '127.0.0.1:{nowhere}', auth_username: sickbay, auth_password: c4nary-of-the-mail}}}}
  - {{name: post2, email: {{to: ada@example.org, from: sickbay@example.org, smarthost: '127.0.0.1:{nowhere}', auth_username: sickbay, auth_password_file: mail.password}}}}
alertmanagers:
  - {{url: 'http://127.0.0.1:{nowhere}', bearer_token: c4nary-of-the-alertmanager}}
",
        docker.url()
    )
}

/// A container that has secrets of its own, and tells them in its log.
fn engine() -> FakeDocker {
    let docker = FakeDocker::start();
    let mut container = running("ab", "web");
    container["Config"]["Labels"] = json!({"sickbay.enable": "true", "api_key": "c4nary-of-the-label"});
    container["Config"]["Env"] = json!(["PATH=/bin", "DB_PASSWORD=c4nary-of-the-environment"]);
    container["Config"]["Cmd"] = json!(["serve", "--password=c4nary-of-the-command"]);
    docker.put(container);
    let lines = "connecting with password=c4nary-of-the-log\nAuthorization: Bearer c4nary-of-the-log-too\n";
    let length = u8::try_from(lines.len()).unwrap();
    let framed = [&[1, 0, 0, 0, 0, 0, 0, length], lines.as_bytes()].concat();
    docker.always("GET", "/logs", Reply::Bytes(framed));
    docker
}

/// All that it shows to those who may look, and to those who may not.
fn ask_everything(sickbay: &Sickbay, incident: &str, approval: &str, told: &mut Vec<String>) {
    let paths = [
        "/",
        "/pending",
        "/incidents",
        &format!("/incidents/{incident}"),
        "/incidents?matcher=c4narylabel%3D%22x%22",
        "/playbooks",
        "/status",
        "/login",
        "/metrics",
        "/-/ready",
        "/-/healthy",
        "/nowhere",
        "/api/v1/status",
        "/api/v1/approvals",
        &format!("/api/v1/approvals/{approval}"),
        "/api/v1/playbooks",
        "/api/v1/debts",
        "/api/v1/pauses",
        "/api/v1/breakers",
        "/api/v1/openapi.json",
    ];
    let html = ("Accept", "text/html");
    for proof in
        ["", "Bearer c4nary-of-the-api-long-enough", "Bearer c4nary-token-of-bob-long-enough", "Bearer c4nary-wrong"]
    {
        for path in paths.iter().filter(|path| !path.contains("matcher=")) {
            for accept in [html, ("Accept", "application/json")] {
                let answer = request(sickbay.port, &format!("GET {path}"), &[accept, ("Authorization", proof)], "");
                let answer = answer.unwrap();
                told.push(format!("{}\n{}", answer.head, answer.body));
            }
        }
    }
}

/// What is sent, with which two headers, where to.
type Wrong<'a> = (&'a str, (&'a str, &'a str), (&'a str, &'a str), &'a str);

/// All that it answers to what is wrong, broken, and of nobody.
fn wrong_everything(sickbay: &Sickbay, approval: &str, told: &mut Vec<String>) {
    let html = ("Accept", "text/html");
    let json = ("Content-Type", "application/json");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let posts: [Wrong<'_>; 11] = [
        ("/api/v1/webhook", json, ("Authorization", "Bearer c4nary-wrong"), "{}"),
        ("/api/v1/webhook", json, ("Authorization", "Basic YzRuYXJ5Og=="), "{}"),
        ("/api/v1/webhook", json, ("Authorization", "Bearer c4nary-of-the-sender-inline"), "{\"version\": 4"),
        (&format!("/api/v1/approvals/{approval}"), json, ("Authorization", "Bearer c4nary-wrong"), "{}"),
        (
            &format!("/api/v1/approvals/{approval}"),
            json,
            ("Authorization", "Bearer c4nary-token-of-bob-long-enough"),
            "{\"x\": 1",
        ),
        ("/login", form, html, "name=ada&password=c4nary-wrong"),
        ("/login", form, html, "name=c4&password=c4nary-wrong&password=c4nary-twice"),
        ("/login", json, html, "{\"password\": \"c4nary-wrong\"}"),
        ("/pause", form, ("Cookie", "sickbay_session=c4nary-session"), "form_token=c4nary-form&scope=all&reason=x"),
        (
            "/api/v1/slack/interactive",
            form,
            ("X-Slack-Signature", "v0=c4nary"),
            "payload=%7B%22token%22%3A%22c4nary%22%7D",
        ),
        ("/-/reload", json, ("Authorization", "Bearer c4nary-wrong"), ""),
    ];
    for path in ["/login/oidc", "/login/oidc/callback?code=c4nary-code&state=c4nary-state"] {
        let cookie = ("Cookie", "sickbay_login=c4nary-login");
        let answer = request(sickbay.port, &format!("GET {path}"), &[html, cookie], "").unwrap();
        assert!(answer.status >= 400, "{path}: {answer:?}");
        told.push(format!("{}\n{}", answer.head, answer.body));
    }
    for (path, kind, proof, body) in posts {
        // A form comes from one of its own pages, or nobody looks at it.
        let ours = (kind == form).then_some(("Sec-Fetch-Site", "same-origin"));
        let headers: Vec<_> = [kind, proof].into_iter().chain(ours).collect();
        let answer = request(sickbay.port, &format!("POST {path}"), &headers, body).unwrap();
        told.push(format!("{}\n{}", answer.head, answer.body));
    }
}

/// All that the other commands print. `check --print-effective` is left out: it prints the author's own file.
fn run_everything(sickbay: &Sickbay, incident: &str, told: &mut Vec<String>) {
    let url = format!("http://127.0.0.1:{}", sickbay.port);
    let asked = ["--url", &url, "--token-file", "bob.token"];
    for args in [
        &["check", "--config.file=sickbay.yml"][..],
        &["check", "--config.file=sickbay.yml", "--online"],
        &["check", "rules.yaml", "-o", "json"],
        &["permissions", "--config.file=sickbay.yml"],
        &["explain", "--rules", "rules.yaml", "alertname=Down", "container=web"],
        &["explain", "--path", "data", incident],
        &["log", "show", "--path", "data", incident],
        &["log", "query", "--path", "data", "-o", "json"],
        &["simulate", "--rules", "rules.yaml", "data"],
        &[&["status"], &asked[..]].concat(),
        &[&["pending"], &asked[..]].concat(),
        &[&["pending", "-o", "json"], &asked[..]].concat(),
        &["pending", "--url", &url, "--token-file", "bearer"],
        &["diagnose", "web", "--config.file=sickbay.yml"],
    ] {
        let output = sickbay.run(args);
        for text in [output.stdout, output.stderr] {
            told.push(format!("{args:?}: {}", String::from_utf8_lossy(&text)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_anything_that_is_written_answered_or_printed() {
    let (docker, nowhere) = (engine(), free_port());
    let mut sickbay = Sickbay::new(&rules(nowhere), "");
    let home = sickbay.storage().parent().unwrap().to_owned();
    sickbay.write(&rules(nowhere), &settings(&docker, nowhere, &home));
    sickbay.start(&[]);
    let mut told = Vec::new();
    let alert = firing(&json!({"alertname": "Down", "container": "web"}));
    let deliver = |alert: &Value| {
        let headers =
            [("Content-Type", "application/json"), ("Authorization", "Bearer c4nary-of-the-sender-in-a-file")];
        let body = notification(std::slice::from_ref(alert)).to_string();
        assert_eq!(request(sickbay.port, "POST /api/v1/webhook", &headers, &body).unwrap().status, 200);
    };
    deliver(&alert);
    let asked = sickbay.wait_for("approval.requested", 1).remove(0);
    let [incident, approval] = ["inc", "act"].map(|key| asked[key].as_str().unwrap().to_owned());

    // By the page: the cookie is for the one browser, and its value stands nowhere else.
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "same-origin")];
    let body = "name=ada&password=c4nary-password-of-ada";
    let entered = request(sickbay.port, "POST /login", &form, body).unwrap();
    assert_eq!(entered.status, 200, "{entered:?}");
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let (_, session) = cookie.split_once('=').unwrap();
    told.push(entered.body);
    for path in ["/", "/status", "/playbooks", &format!("/incidents/{incident}")] {
        let headers = [("Cookie", &*cookie), ("Accept", "text/html")];
        told.push(request(sickbay.port, &format!("GET {path}"), &headers, "").unwrap().body);
    }
    ask_everything(&sickbay, &incident, &approval, &mut told);
    let bob = [("Content-Type", "application/json"), ("Authorization", "Bearer c4nary-token-of-bob-long-enough")];
    let plan = asked["plan"].as_str().unwrap().trim_start_matches("sha256:");
    let body = json!({"vote": "approve", "plan": plan}).to_string();
    let voted = request(sickbay.port, &format!("POST /api/v1/approvals/{approval}"), &bob, &body).unwrap();
    assert_eq!(voted.status, 200, "{voted:?}");
    sickbay.wait_for("incident.closed", 1);
    deliver(&resolved(&alert));
    ask_everything(&sickbay, &incident, &approval, &mut told);
    wrong_everything(&sickbay, &approval, &mut told);
    run_everything(&sickbay, &incident, &mut told);
    break_settings(&sickbay, &home, &mut told);
    sickbay.stop();
    told.push(sickbay.said());
    let files = fs::read_dir(sickbay.storage()).unwrap().flatten();
    told.extend(files.filter_map(|file| fs::read_to_string(file.path()).ok()));
    told.extend(sickbay.records().iter().map(Value::to_string));
    nothing_stands_in(&told, &[CANARY, session, "$argon2id", "YzRuYXJ5"]);
}

/// Reloads and checks settings that are wrong just where the secrets stand.
fn break_settings(sickbay: &Sickbay, home: &Path, told: &mut Vec<String>) {
    let good = fs::read_to_string(home.join("sickbay.yml")).unwrap();
    for (right, wrong) in [
        ("password_hash_file: ada.hash", "password_hash: c4nary-no-hash"),
        (
            "bearer_token: c4nary-of-the-sender-inline",
            "bearer_token: c4nary-of-the-sender-inline, bearer_token_file: c4",
        ),
        ("api_token: c4nary-of-the-api-long-enough", "api_token: c4nary"),
        ("api_token: c4nary-of-the-api-long-enough", "api_tokn: c4nary-of-the-api-long-enough"),
        ("'http://127.0.0.1", "'htp://me:c4nary@127.0.0.1"),
        ("auth_password: c4nary-of-the-mail", "auth_password: [c4nary-of-the-mail]"),
        ("auth_username: sickbay, auth_password: c4nary-of-the-mail", "auth_password: c4nary-of-the-mail"),
        ("client_secret: c4nary-of-the-client", "client_secret: [c4nary-of-the-client]"),
        ("secret: c4nary-of-the-proxy-0123,", "secret: [c4nary-of-the-proxy-0123],"),
    ] {
        assert!(good.contains(right), "{right}");
        fs::write(home.join("sickbay.yml"), good.replace(right, wrong)).unwrap();
        let reload = [("Authorization", "Bearer c4nary-of-the-api-long-enough")];
        let answer = request(sickbay.port, "POST /-/reload", &reload, "").unwrap();
        assert!(answer.status >= 400, "{wrong}: {answer:?}");
        told.push(answer.body);
        for shape in ["text", "json", "github", "sarif"] {
            let output = sickbay.run(&["check", "--config.file=sickbay.yml", "-o", shape]);
            assert!(!output.status.success(), "{wrong}");
            told.extend([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

fn nothing_stands_in(told: &[String], secrets: &[&str]) {
    // What was looked through is what there is.
    let all = told.join("\n");
    for seen in ["web-down", "approval.vote", "[redacted]", "logged in", "incident.closed", "sickbay_build_info"] {
        assert!(all.contains(seen), "{seen}");
    }
    for text in told {
        for secret in secrets {
            let place = text.find(secret);
            let around = place.map(|at| text.get(at.saturating_sub(300)..(at + 100).min(text.len())).unwrap_or(text));
            assert!(around.is_none(), "{secret} stands in what is told: …{}…", around.unwrap());
        }
    }
}
