//! TLS and users of `web.config_file`, with the real program, `curl` and `openssl`: who is let in, over which TLS, what a
//! change of the files does while it runs, and what `promtool` says of the same files.

use crate::alerts::{firing, notification};
use crate::http::request;
use crate::rules::{DOWN, engine, settings};
use crate::sickbay_process::Sickbay;
use serde_json::json;
use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// `password`
const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";
const PAIR: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

/// Of argon2id, which Prometheus does not take.
const ARGON2: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2lja2JheXNpY2tiYXk$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// Not started: its directory holds the certificates and this `web.yml`.
fn prepared(more: &str, web: &str) -> (Sickbay, crate::fake_docker::FakeDocker) {
    let docker = engine();
    let mut sickbay = Sickbay::new(DOWN, &format!("{}{more}web: {{config_file: web.yml}}\n", settings(&docker)));
    for entry in fs::read_dir(FIXTURES).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, sickbay.directory().join(path.file_name().unwrap())).unwrap();
    }
    sickbay.write_file("web.yml", web);
    let port = sickbay.port;
    let directory = sickbay.directory().to_owned();
    // Ready is whoever greets; what is answered is asked by the tests.
    sickbay.ready_when(move || {
        let args = ["-sk", "--cert", "client.pem", "--key", "client.key", "-o", "/dev/null"];
        let url = format!("https://127.0.0.1:{port}/-/healthy");
        let asked = Command::new("curl").args(args).arg(url).current_dir(&directory).status().unwrap();
        // Who is refused over TLS has been greeted: all but "could not connect".
        asked.code() != Some(7)
    });
    (sickbay, docker)
}

/// What `curl` is answered: the status, and the rest; 000 without an answer.
fn curl(sickbay: &Sickbay, path: &str, args: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["-s", "-i", "--max-time", "20", "-w", "\n%{http_code}", "--cacert", "ca.pem"]).args(args);
    command.arg(format!("https://127.0.0.1:{}{path}", sickbay.port)).current_dir(sickbay.directory());
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("curl: {error} (apt install curl)"));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let (told, code) = told.rsplit_once('\n').unwrap();
    (code.to_owned(), told.to_owned())
}

fn status(sickbay: &Sickbay, path: &str, args: &[&str]) -> String {
    curl(sickbay, path, args).0
}

/// Whose certificate it shows.
fn shown(sickbay: &Sickbay) -> String {
    let greet = format!(
        "openssl s_client -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl x509 -noout -subject",
        sickbay.port
    );
    let output = Command::new("sh").args(["-c", &greet]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_everything_works_as_without_and_nothing_works_without() {
    let senders = "webhook: {senders: [{name: am, bearer_token: opensesame}]}\n";
    let (mut sickbay, docker) = prepared(senders, PAIR);
    sickbay.start(&[]);
    sickbay.until("it is ready", || (status(&sickbay, "/-/ready", &[]) == "200").then_some(()));
    let (code, told) = curl(&sickbay, "/-/healthy", &[]);
    assert!(code == "200" && told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(status(&sickbay, "/-/healthy", &["--http2"]), "200", "HTTP/2 is not offered");
    let body = notification(&[firing(&json!({"alertname": "Down", "container": "web"}))]).to_string();
    let post =
        ["-H", "Authorization: Bearer opensesame", "-H", "Content-Type: application/json", "--data-binary", &body];
    assert_eq!(status(&sickbay, "/api/v1/webhook", &post), "200");
    assert_eq!(status(&sickbay, "/api/v1/webhook", &post[2..]), "401");
    assert_eq!(sickbay.verdict_of(1), "recovered", "{}", sickbay.story());
    assert_eq!(docker.count("POST", "/restart"), 1);

    let plain = request(sickbay.port, "GET /-/healthy", &[], "").unwrap();
    assert!(plain.status == 400 && plain.body.contains("sickbay speaks TLS here"), "{plain:?}");
    let url = format!("https://127.0.0.1:{}", sickbay.port);
    for (args, code, words) in [
        (vec!["healthcheck", "--url", &url, "--ca-file", "ca.pem"], 0, ""),
        (vec!["status", "--url", &url, "--ca-file", "ca.pem"], 0, "ready"),
        (vec!["pause", "--url", &url, "--ca-file", "ca.pem", "--reason", "r", "--for", "1h"], 0, ""),
        (vec!["healthcheck", "--url", &url], 1, "name the authority with --ca-file"),
        (vec!["status", "--url", &url, "--ca-file", "other-ca.pem"], 4, "name the authority with --ca-file"),
        (vec!["status", "--url", &url.replace("https", "http")], 4, "sickbay speaks TLS here"),
        (vec!["status", "--url", &url, "--ca-file", "server.key"], 2, "no certificate in it"),
    ] {
        let output = sickbay.run(&args);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.code() == Some(code) && told.contains(words), "{args:?}: {output:?}");
    }
    sickbay.stop();
}

/// What a client says, and what it is answered.
type Client<'a> = (&'a [&'a str], &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_certificates_of_clients_are_as_the_file_says() {
    let verified = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let client = ["--cert", "client.pem", "--key", "client.key"];
    let stranger = ["--cert", "stranger.pem", "--key", "stranger.key"];
    let server = ["--cert", "server.pem", "--key", "server.key"];
    let asked = |kind: &str| format!("  client_auth_type: {kind}\n");
    let table: Vec<(String, Vec<Client<'_>>)> = vec![
        ("  min_version: TLS13\n".to_owned(), vec![(&["--tls-max", "1.2"], "000"), (&["--tlsv1.3"], "200")]),
        ("  max_version: TLS12\n".to_owned(), vec![(&["--tls-max", "1.2"], "200"), (&["--tlsv1.3"], "000")]),
        (String::new(), vec![(&["--tls-max", "1.2"], "200"), (&["--tlsv1.3"], "200"), (&stranger, "200")]),
        // The server's is signed by the same authority, and is not for clients.
        (verified.to_owned(), vec![(&[], "000"), (&client, "200"), (&stranger, "000"), (&server, "000")]),
        (
            format!("{verified}  client_allowed_sans: [a.example, prometheus.example]\n"),
            vec![(&client, "200"), (&[], "000")],
        ),
        (format!("{verified}  client_allowed_sans: [sre@example.com]\n"), vec![(&client, "200")]),
        (format!("{verified}  client_allowed_sans: ['spiffe://example/sre']\n"), vec![(&client, "200")]),
        (format!("{verified}  client_allowed_sans: [192.0.2.7]\n"), vec![(&client, "200"), (&stranger, "000")]),
        (format!("{verified}  client_allowed_sans: [example, client, PROMETHEUS.example]\n"), vec![(&client, "000")]),
        (
            format!("{}  client_ca_file: ca.pem\n", asked("VerifyClientCertIfGiven")),
            vec![(&[], "200"), (&client, "200"), (&stranger, "000")],
        ),
        (asked("RequireAnyClientCert"), vec![(&[], "000"), (&client, "200"), (&stranger, "200")]),
        (asked("RequestClientCert"), vec![(&[], "200"), (&client, "200"), (&stranger, "200")]),
    ];
    let (mut sickbay, _docker) = prepared("", PAIR);
    for (keys, clients) in table {
        sickbay.write_file("web.yml", &format!("{PAIR}{keys}"));
        sickbay.start(&[]);
        for (args, want) in clients {
            assert_eq!(status(&sickbay, "/-/healthy", args), want, "{keys} {args:?}");
        }
        sickbay.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_asked_for_at_every_path_and_what_changes_in_the_files_is_taken_without_a_restart() {
    let (mut sickbay, _docker) = prepared("", PAIR);
    sickbay.write_file("password", "password\n");
    let users = |names: &[&str]| {
        names.iter().fold(format!("{PAIR}basic_auth_users:\n"), |text, name| format!("{text}  {name}: {HASH}\n"))
    };
    sickbay.write_file("web.yml", &users(&["prometheus", "grafana"]));
    sickbay.start(&[]);
    let as_user = |name: &str| status(&sickbay, "/metrics", &["-u", &format!("{name}:password")]);
    for path in ["/metrics", "/-/healthy", "/-/ready", "/api/v1/status", "/", "/login", "/nothing", "/api/v1/webhook"] {
        assert_eq!(status(&sickbay, path, &[]), "401", "{path}");
    }
    assert_eq!((&*as_user("prometheus"), &*as_user("grafana"), &*as_user("ada")), ("200", "200", "401"));
    let url = format!("https://127.0.0.1:{}", sickbay.port);
    let healthy = ["healthcheck", "--url", &url, "--ca-file", "ca.pem"];
    assert_eq!(sickbay.run(&healthy).status.code(), Some(1));
    let proved = [&healthy[..], &["--user", "prometheus", "--password-file", "password"]].concat();
    let output = sickbay.run(&proved);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    // Another certificate and other users, while a connection stands.
    let before = shown(&sickbay);
    for (from, to) in [("renewed.pem", "server.pem"), ("renewed.key", "server.key")] {
        fs::copy(sickbay.directory().join(from), sickbay.directory().join(to)).unwrap();
    }
    sickbay.write_file("web.yml", &users(&["prometheus", "ada"]));
    sickbay.until("they are taken", || sickbay.said().contains("took the new files").then_some(()));
    assert_eq!((&*as_user("ada"), &*as_user("grafana")), ("200", "401"), "who is gone is gone");
    assert!(before.ends_with("server") && shown(&sickbay).ends_with("renewed"), "{before}");

    // What would let everybody in, or nobody, is not taken, and is told.
    for (text, words) in [
        ("", "cannot change while sickbay runs"),
        (PAIR, "without users"),
        ("basic_auth_users: {a: b}\n", "is no hash"),
        ("tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n", "is not the key"),
    ] {
        sickbay.write_file("web.yml", text);
        sickbay.until(&format!("{words} is said"), || sickbay.said().contains(words).then_some(()));
        assert_eq!((&*as_user("ada"), &*status(&sickbay, "/metrics", &[])), ("200", "401"), "{text}");
        let (_, metrics) = curl(&sickbay, "/metrics", &["-u", "ada:password"]);
        assert!(metrics.contains("sickbay_web_config_last_read_successful{} 0\n"), "{metrics}");
        assert!(metrics.contains("sickbay_web_certificate_expiry_timestamp_seconds{} "), "{metrics}");
    }
    sickbay.write_file("web.yml", &users(&["prometheus"]));
    sickbay.until("it is mended", || (as_user("ada") == "401").then_some(()));
    assert_eq!(as_user("prometheus"), "200");
    sickbay.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_keeps_it_from_starting_and_is_drawn_by_check() {
    let (sickbay, _docker) = prepared("", &format!("{PAIR}  min_version: TLS10\n"));
    for (args, code, words) in [
        (
            vec!["check", "--config.file=sickbay.yml", "-o", "json"],
            1,
            "web.yml:4:16: `tls_server_config.min_version`: TLS10 is too",
        ),
        (vec!["serve", "--config.file=sickbay.yml"], 78, "min_version"),
        (vec!["serve", "--config.file=sickbay.yml", "--web.config.file=no.yml"], 78, "no.yml"),
    ] {
        let output = sickbay.run(&args);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.code() == Some(code) && told.contains(words), "{args:?}: {told}");
    }
    drop(TcpStream::connect(("127.0.0.1", sickbay.port)).unwrap_err());
}

/// What `promtool` and we say of files: whether we take it, and whether it does. One that begins with `+` goes on after the
/// certificate and its key.
const FILES: &[(&str, bool, bool)] = &[
    ("", true, true),
    ("+", true, true),
    ("basic_auth_users:\n  ada: HASH\n", true, true),
    ("basic_auth_users:\n  ada: sesame\n", false, false),
    ("nonsense: 1\n", false, false),
    ("tls_server_config:\n  cert_file: server.pem\n", false, false),
    ("tls_server_config:\n  cert_file: no.pem\n  key_file: server.key\n", false, false),
    ("tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n", false, false),
    ("+  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n", true, true),
    ("+  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n", true, true),
    ("+  client_auth_type: RequireClientCert\n", true, true),
    ("+  client_auth_type: RequestClientCert\n", true, true),
    ("+  client_auth_type: Maybe\n", false, false),
    ("+  client_ca_file: ca.pem\n", false, false),
    ("+  client_auth_type: RequireAnyClientCert\n  client_ca_file: no.pem\n", false, false),
    ("+  min_version: TLS13\n", true, true),
    ("+  max_version: TLS12\n", true, true),
    ("+  min_version: TLS9\n", false, false),
    ("+  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n", true, true),
    ("+  cipher_suites: [TLS_NONSENSE]\n", false, false),
    ("+  curve_preferences: [X25519, CurveP256]\n", true, true),
    ("+  curve_preferences: [P1]\n", false, false),
    ("+  prefer_server_cipher_suites: false\n", true, true),
    ("http_server_config: {http2: false}\n", true, true),
    ("http_server_config: {headers: {X-Frame-Options: deny}}\n", true, true),
    ("http_server_config: {headers: {X-Frame-Options: never}}\n", false, false),
    ("http_server_config: {headers: {Server: me}}\n", false, false),
    // On purpose: what is not done is refused, what expired or proves nothing too, and argon2id is taken.
    ("http_server_config: {http2: true}\n", false, true),
    ("+  min_version: TLS10\n", false, true),
    ("+  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n", false, true),
    ("+  curve_preferences: [CurveP521]\n", false, true),
    ("+  client_auth_type: RequireAndVerifyClientCert\n", false, true),
    ("+  min_version: TLS13\n  max_version: TLS12\n", false, true),
    ("tls_server_config: {}\n", false, true),
    ("tls_server_config:\n  cert_file: expired.pem\n  key_file: expired.key\n", false, true),
    ("basic_auth_users:\n  ada: ARGON2\n", true, false),
];

/// What `promtool` of Prometheus says of the same files. Where the two differ, it is on purpose: see
/// `docs/decisions/0018-web-config-file.md`.
#[test]
fn promtool_agrees_about_the_format() {
    let sickbay = Sickbay::new(DOWN, "web: {config_file: web.yml}\n");
    for entry in fs::read_dir(FIXTURES).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, sickbay.directory().join(path.file_name().unwrap())).unwrap();
    }
    for (text, ours, theirs) in FILES {
        let text = text.replace("HASH", HASH).replace("ARGON2", ARGON2);
        let text = text.strip_prefix('+').map_or_else(|| text.clone(), |keys| format!("{PAIR}{keys}"));
        sickbay.write_file("web.yml", &text);
        let check = sickbay.run(&["check", "--config.file=sickbay.yml"]);
        assert_eq!(check.status.success(), *ours, "{text}: {}", String::from_utf8_lossy(&check.stdout));
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "web-config", "web.yml"]).current_dir(sickbay.directory());
        let output = promtool.output();
        let output = output.unwrap_or_else(|error| panic!("promtool: {error} (apt install prometheus)"));
        assert_eq!(output.status.success(), *theirs, "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
