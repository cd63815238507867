//! Settings from text, environment and flags; what is wrong, and where it says so.

use super::layers::{Inputs, layer};
use super::resolve::resolve;
use super::{DockerUrl, LogFormat, LogLevel, Overrides, SenderAuth, Settings};
use crate::model::limit::Window;
use secrecy::ExposeSecret;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The secret files of these tests.
fn secret_file(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/etc/sickbay/token" | "token") => Ok("s3cret\n".to_owned()),
        Some("/etc/sickbay/url") => Ok("https://hooks.example/T0KEN\n".to_owned()),
        Some("/etc/sickbay/empty") => Ok("\n".to_owned()),
        _ => Err(Error::from(ErrorKind::NotFound)),
    }
}

fn load(text: Option<&str>, env: &[(&str, &str)], overrides: Overrides) -> Result<Settings, String> {
    let inputs = Inputs {
        overrides,
        file: text.map(|text| ("/etc/sickbay/sickbay.yml".to_owned(), text.to_owned())),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let layered = layer(&inputs).map_err(|error| error.to_string())?;
    resolve(layered, &inputs, &secret_file).map_err(|error| error.to_string())
}

fn file(text: &str) -> Result<Settings, String> {
    load(Some(text), &[], Overrides::default())
}

const SHAPE: &str = r#"
web:
  listen_address: [127.0.0.1:10112, "[::1]:10113"]
  external_url: http://sickbay.example:10112
  api_token_file: token
webhook:
  senders:
    - {name: alertmanager, bearer_token_file: token}
    - {name: grafana, basic_auth: {username: g, password: 1.10}}
  max_body: 8MiB
  max_alert_age: 30m
rules:
  paths: [rules/*.yaml, /srv/rules/*.yaml]
storage:
  path: data/
docker:
  require_opt_in: false
  protect: [postgres, "regex:.*-primary"]
  hands_off: 90s
  hosts:
    - {name: local, url: "tcp://proxy:2375"}
limits:
  global: [{runs: 10, per: 1h}]
  per_target: [{runs: 3, per: 1h}, {runs: 7, per: 1d}]
  max_parallel: 4
notifiers:
  - {name: chat, http: {url_file: url}}
  - {name: other, http: {url: "http://x/", method: PUT, headers: {X-Team: sre}, bearer_token: t}}
alertmanagers:
  - {url: "https://am-1.example/alertmanager/", bearer_token_file: token}
  - {url: "http://am-2:9093", basic_auth: {username: me, password: pw}}
  - {url: "http://[::1]:9093"}
dry_run: true
log:
  level: warn
  format: json
"#;

#[test]
fn every_key_of_the_file_arrives() {
    let settings = file(SHAPE).unwrap();
    let addresses: Vec<String> = settings.web.listen_addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1:10112", "[::1]:10113"]);
    assert_eq!(settings.web.external_url.as_deref(), Some("http://sickbay.example:10112/"));
    assert_eq!(settings.web.api_token.as_ref().map(|token| token.expose_secret()), Some("s3cret"));
    let [alertmanager, grafana] = &settings.webhook.senders[..] else { panic!() };
    assert!(matches!(&alertmanager.auth, SenderAuth::Bearer(token) if token.expose_secret() == "s3cret"));
    let SenderAuth::Basic { username, password } = &grafana.auth else { panic!() };
    assert_eq!((username.as_str(), password.expose_secret()), ("g", "1.10"));
    assert_eq!((settings.webhook.max_body, settings.webhook.max_alert_age.as_secs()), (8 << 20, 1800));
    assert_eq!(settings.rules, ["/etc/sickbay/rules/*.yaml", "/srv/rules/*.yaml"]);
    assert_eq!(settings.storage_path, PathBuf::from("/etc/sickbay/data/"));
    assert_eq!(settings.docker.host.url, DockerUrl::Tcp("proxy:2375".to_owned()));
    let protected: Vec<bool> = ["postgres", "db-primary", "db-primary-2"]
        .map(|name| settings.docker.protect.iter().any(|p| p.covers(name)))
        .into();
    assert_eq!(protected, [true, true, false]);
    let policy = settings.policy();
    assert!(policy.dry_run && !policy.require_opt_in);
    assert_eq!((policy.hands_off.as_secs(), policy.docker_host.as_deref()), (90, Some("proxy")));
    assert_eq!((policy.global.len(), policy.per_target.len(), policy.max_parallel), (1, 2, 4));
    assert_eq!(policy.per_target[1], Window { runs: 7, per: Duration::from_secs(86400) });
    assert_eq!(settings.notifier_names(), ["chat", "other"]);
    assert_eq!(settings.notifiers[0].http.url.expose_secret(), "https://hooks.example/T0KEN");
    let other = &settings.notifiers[1].http;
    assert_eq!((other.method.as_str(), other.headers[0].0.as_str()), ("PUT", "X-Team"));
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Warn, LogFormat::Json));
    let urls: Vec<&str> = settings.alertmanagers.iter().map(|alertmanager| alertmanager.url.as_str()).collect();
    assert_eq!(urls, ["https://am-1.example/alertmanager", "http://am-2:9093", "http://[::1]:9093"]);
    let [bearer, basic, none] = &settings.alertmanagers[..] else { panic!() };
    assert!(matches!(&bearer.auth, Some(SenderAuth::Bearer(token)) if token.expose_secret() == "s3cret"));
    assert!(matches!(&basic.auth, Some(SenderAuth::Basic { username, .. }) if username == "me"));
    assert!(none.auth.is_none());
}

#[test]
fn an_alertmanager_that_cannot_be_asked_is_named_with_its_key() {
    let cases: &[Mistake] = &[
        ("alertmanagers:\n  - {url: am:9093}\n", &["2:6: `alertmanagers[0].url`: ", "starts with http:// or https://"]),
        ("alertmanagers: [{url: 'file:///x'}]\n", &["`alertmanagers[0].url`: ", "starts with http:// or https://"]),
        ("alertmanagers: [{url: 'http://am/?a=b'}]\n", &["`alertmanagers[0].url`: ", "without a query"]),
        ("alertmanagers: [{url: 'http://am'}, {url: 'http://am/'}]\n", &["`alertmanagers[1].url`: ", "earlier entry"]),
        ("alertmanagers: [{bearer_token: x}]\n", &["url"]),
        ("alertmanagers: {url: 'http://am'}\n", &["sickbay.yml:1:16: "]),
        (
            "alertmanagers: [{url: 'http://am', bearer_token: a, basic_auth: {username: u, password: p}}]\n",
            &["`alertmanagers[0]`: ", "keep `bearer_token` or `basic_auth`"],
        ),
        (
            "alertmanagers: [{url: 'http://am', basic_auth: {username: u}}]\n",
            &["`alertmanagers[0].basic_auth`: ", "needs `password`"],
        ),
        (
            "alertmanagers: [{url: 'http://am', bearer_token_file: nowhere}]\n",
            &["`alertmanagers[0].bearer_token_file`: ", "/etc/sickbay/nowhere"],
        ),
    ];
    for (text, parts) in cases {
        let error = file(text).unwrap_err();
        parts.iter().for_each(|part| assert!(error.contains(part), "{text}: {error}"));
    }
}

#[test]
fn a_password_in_an_alertmanagers_url_is_refused_and_not_shown() {
    let error = file("alertmanagers: [{url: 'http://me:s3cret@am:9093'}]\n").unwrap_err();
    assert!(error.contains("`alertmanagers[0].url`: holds a user; give it as `basic_auth`"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn hands_off_can_be_switched_off_and_is_five_minutes_unless_set() {
    for (text, want) in [("", 300), ("docker: {hands_off: 0s}\n", 0), ("docker: {hands_off: 1d}\n", 86400)] {
        assert_eq!(file(text).unwrap().policy().hands_off.as_secs(), want, "{text}");
    }
}

#[test]
fn without_a_file_it_is_local_and_harmless() {
    for settings in [load(None, &[], Overrides::default()), file(""), file("# nothing\n")] {
        let settings = settings.unwrap();
        assert_eq!(settings.web.listen_addresses, ["127.0.0.1:10112".parse().unwrap()]);
        assert_eq!(settings.rules, ["rules/*.yaml"]);
        assert_eq!(settings.storage_path, PathBuf::from("data/"));
        assert_eq!(settings.docker.host.url.to_string(), "unix:///var/run/docker.sock");
        assert!(settings.docker.require_opt_in && !settings.dry_run && settings.webhook.senders.is_empty());
        assert_eq!(settings.policy().global, crate::model::policy::Policy::default().global);
    }
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let text = "web: {listen_address: 127.0.0.1:1}\nstorage: {path: from-file}\nlog: {level: error}\n";
    let env = [("SICKBAY__WEB__LISTEN_ADDRESS", "127.0.0.1:2,127.0.0.1:3"), ("SICKBAY__STORAGE__PATH", "from-env")];
    let settings = load(Some(text), &env, Overrides::default()).unwrap();
    assert_eq!(settings.web.listen_addresses.len(), 2);
    assert_eq!(settings.storage_path, PathBuf::from("from-env"));
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Error, LogFormat::Logfmt));
    let overrides = Overrides {
        listen_addresses: vec!["127.0.0.1:4".to_owned()],
        storage_path: Some(PathBuf::from("from-flag")),
        dry_run: Some(true),
        ..Overrides::default()
    };
    let settings = load(Some(text), &env, overrides).unwrap();
    assert_eq!(settings.web.listen_addresses, ["127.0.0.1:4".parse().unwrap()]);
    assert_eq!((settings.storage_path, settings.dry_run), (PathBuf::from("from-flag"), true));
    let env = [("SICKBAY__DRY_RUN", "true"), ("SICKBAY__LIMITS__MAX_PARALLEL", "7"), ("SICKBAY_PORT", "tcp://x")];
    let settings = load(None, &env, Overrides::default()).unwrap();
    assert_eq!((settings.dry_run, settings.limits.max_parallel), (true, 7));
}

#[test]
fn docker_host_is_honoured_unless_the_file_says_otherwise() {
    let env = [("DOCKER_HOST", "tcp://10.0.0.1")];
    let host = |text, env| load(text, env, Overrides::default()).map(|settings| settings.docker.host.url.to_string());
    assert_eq!(host(None, &env), Ok("tcp://10.0.0.1:2375".to_owned()));
    let hosts = "docker: {hosts: [{name: l, url: \"unix:///x.sock\"}]}\n";
    assert_eq!(host(Some(hosts), &env), Ok("unix:///x.sock".to_owned()));
    assert_eq!(host(None, &[("DOCKER_HOST", "")]), Ok("unix:///var/run/docker.sock".to_owned()));
    assert!(host(None, &[("DOCKER_HOST", "ssh://me@x")]).unwrap_err().contains("DOCKER_HOST"));
    let tls = [("DOCKER_HOST", "tcp://10.0.0.1:2376"), ("DOCKER_TLS_VERIFY", "1")];
    assert!(host(None, &tls).unwrap_err().contains("TLS"));
}

/// A file and all that must stand in what is said about it.
type Mistake = (&'static str, &'static [&'static str]);

#[test]
fn a_mistake_is_named_with_its_line_and_its_key() {
    let cases: &[Mistake] = &[
        ("web:\n  listn: x\n", &["sickbay.yml:2:3: ", "listn"]),
        ("web: {}\nweb: {}\n", &["sickbay.yml:2:1: ", "the key `web` stands twice"]),
        ("dry_run: true\n---\ndry_run: false\n", &["sickbay.yml:3:1: ", "one YAML document"]),
        ("web: {<<: {external_url: x}}\n", &["sickbay.yml:1:7: ", "merge keys"]),
        ("dry_run: yes\n", &["sickbay.yml:1:10: "]),
        ("- a\n", &["sickbay.yml:1:1: ", "a map of keys and values belongs here"]),
        ("web: [\n", &["sickbay.yml:"]),
        ("a: &a [x]\nb: *a\n", &["sickbay.yml:1:1: ", "`a`"]),
        ("web:\n  config_file: web.yml\n", &["sickbay.yml:2:3: `web.config_file`: ", "does not execute it; remove it"]),
        ("people:\n  - {name: alice}\n", &["sickbay.yml:1:1: `people`: ", "does not execute"]),
        ("storage:\n  retention: 400d\n", &["2:3: `storage.retention`: ", "does not execute"]),
        ("storage:\n  segment_size: 64MiB\n", &["`storage.segment_size`: ", "does not execute"]),
        (
            "webhook:\n  senders:\n    - name: g\n      hmac_secret_file: /x\n",
            &["4:7: `webhook.senders[0].hmac_secret_file`: ", "does not execute"],
        ),
        ("webhook:\n  senders:\n    - name: g\n", &["3:7: `webhook.senders[0]`: ", "needs `bearer_token`"]),
        (
            "webhook:\n  senders:\n    - {name: g, bearer_token: a, basic_auth: {username: u, password: p}}\n",
            &["`webhook.senders[0]`: ", "one way"],
        ),
        (
            "webhook:\n  senders:\n    - {name: g, bearer_token: a, bearer_token_file: token}\n",
            &["3:34: `webhook.senders[0].bearer_token_file`: ", "keep one of the two"],
        ),
        (
            "webhook:\n  senders:\n    - {name: g, bearer_token: a}\n    - {name: g, bearer_token: b}\n",
            &["4:8: `webhook.senders[1].name`: ", "taken"],
        ),
        ("webhook: {senders: [{name: g, bearer_token: ''}]}\n", &["bearer_token`: is empty"]),
        ("webhook: {senders: [{name: g, basic_auth: {username: u}}]}\n", &["needs `password` or `password_file`"]),
        (
            "webhook: {senders: [{name: g, bearer_token_file: nowhere}]}\n",
            &["cannot read the secret file /etc/sickbay/nowhere: ", "not found; create it"],
        ),
        ("webhook: {senders: [{name: g, bearer_token_file: empty}]}\n", &["/etc/sickbay/empty is empty; write"]),
        ("webhook: {max_body: 16}\n", &["1:11: `webhook.max_body`: ", "16MiB"]),
        ("webhook: {max_body: 2GiB}\n", &["from 1KiB to 1GiB"]),
        ("webhook: {max_alert_age: 90}\n", &["`webhook.max_alert_age`: "]),
        ("webhook: {max_alert_age: 0s}\n", &["more than zero"]),
        ("web: {listen_address: example.com:80}\n", &["`web.listen_address`: ", "IP:PORT"]),
        ("web: {listen_address: []}\n", &["`web.listen_address`: needs at least one"]),
        ("web: {listen_address: \":10112\"}\n", &["1:7: `web.listen_address`: ", "--web.insecure-no-auth"]),
        ("web: {api_token: a, api_token_file: token}\n", &["`web.api_token_file`: "]),
        ("web: {api_token: \"\"}\n", &["`web.api_token`: "]),
        ("web: {external_url: sickbay.example}\n", &["`web.external_url`: "]),
        ("web: {external_url: \"ftp://x/\"}\n", &["http or https"]),
        ("rules: {paths: []}\n", &["`rules.paths`: needs at least one"]),
        ("rules: {paths: [\"a/***b\"]}\n", &["not a glob"]),
        ("docker: {protect: [\"regex:a(\"]}\n", &["1:20: `docker.protect[0]`: "]),
        ("docker: {protect: [\"\"]}\n", &["protects nothing"]),
        ("docker: {hands_off: 2d}\n", &["1:10: `docker.hands_off`: is at most 1d"]),
        ("docker: {hands_off: 5}\n", &["1:10: `docker.hands_off`: "]),
        ("docker: {hosts: []}\n", &["`docker.hosts`: ", "exactly one Docker, and here are 0"]),
        (
            "docker:\n  hosts:\n    - {name: a, url: \"unix:///a\"}\n    - {name: b, url: \"tcp://b:1\", tls: {ca_file: x}}\n",
            &["2:3: `docker.hosts`: ", "here are 2", "4:35: `docker.hosts[1].tls`: "],
        ),
        ("docker: {hosts: [{name: a, url: \"unix://a\"}]}\n", &["absolute"]),
        ("docker: {hosts: [{name: a, url: \"http://a\"}]}\n", &["unix:///path/to/docker.sock or tcp://HOST:PORT"]),
        ("limits: {global: [{runs: 1, per: 32d}]}\n", &["`limits.global[0].per`: is at most 31d"]),
        ("limits: {max_parallel: 0}\n", &["`limits.max_parallel`: must be at least 1"]),
        ("limits: {global: [{runs: 0, per: 1h}]}\n", &["1:20: `limits.global[0].runs`: "]),
        ("limits: {per_target: [{runs: 1}]}\n", &["1:", "per"]),
        ("notifiers:\n  - {name: a}\n", &["`notifiers[0]`: needs `http`"]),
        ("notifiers:\n  - {name: log, http: {url: \"http://x\"}}\n", &["`log` is built in"]),
        ("notifiers:\n  - {name: a, slack: {url_file: url}}\n", &["2:15: `notifiers[0].slack`: ", "does not execute"]),
        ("notifiers:\n  - {name: a, http: {}}\n", &["`notifiers[0].http`: needs `url`"]),
        ("notifiers:\n  - {name: a, http: {url: hooks}}\n", &["http:// or https://"]),
        ("notifiers:\n  - {name: a, http: {url: \"http://x\", method: GET}}\n", &["POST or PUT"]),
        (
            "notifiers:\n  - {name: a, http: {url: \"http://x\", headers: {\"a b\": c}}}\n",
            &["headers.a b`: is not a header"],
        ),
        ("log: {level: trace}\n", &["1:7: `log.level`: must be one of"]),
        ("log: {format: text}\n", &["`log.format`: must be logfmt or json"]),
    ];
    for (text, words) in cases {
        let said = file(text).map(|_| ()).expect_err(text);
        for words in *words {
            assert!(said.contains(words), "{text}\nmust say {words:?} and says\n{said}");
        }
    }
}

#[test]
fn all_mistakes_are_reported_together_in_the_order_of_the_file() {
    let said = file("log: {level: x}\npeople: [a]\nwebhook:\n  max_body: 1\nlimits: {max_parallel: 0}\n").unwrap_err();
    let places: Vec<&str> = said.lines().filter_map(|line| line.split(": ").next()).collect();
    let at = |place: &str| format!("/etc/sickbay/sickbay.yml:{place}");
    assert_eq!(places, [at("1:7"), at("2:1"), at("4:3"), at("5:10")]);
}

#[test]
fn a_mistake_in_the_environment_or_a_flag_names_who_made_it() {
    let env = [
        ("SICKBAY__WEB__LISTN", "x"),
        ("SICKBAY__DRY_RUN", "perhaps"),
        ("SICKBAY__WEBHOOK__SENDERS", "hunter2"),
        ("SICKBAY__LOG__LEVEL", "info"),
    ];
    let said = load(None, &env, Overrides::default()).unwrap_err();
    assert_eq!(said.lines().count(), 3, "{said}");
    for words in ["`listn`", "(set by SICKBAY__WEB__LISTN)", "(set by SICKBAY__DRY_RUN)"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    let said = load(None, &[("SICKBAY__LOG__LEVEL", "loud")], Overrides::default()).unwrap_err();
    assert!(said.contains("(set by SICKBAY__LOG__LEVEL)"), "{said}");
    let overrides = Overrides { log_level: Some("loud".to_owned()), ..Overrides::default() };
    let said = load(Some("log: {level: info}\n"), &[], overrides).unwrap_err();
    assert!(said.contains("(set by --log.level)"), "{said}");
}

#[test]
fn an_open_door_needs_a_sender_or_an_explicit_word() {
    let open = Overrides { listen_addresses: vec!["0.0.0.0:10112".to_owned()], ..Overrides::default() };
    let said = load(None, &[], open.clone()).unwrap_err();
    assert!(said.contains("0.0.0.0:10112") && said.contains("(set by --web.listen-address)"), "{said}");
    assert!(load(None, &[], Overrides { insecure_no_auth: true, ..open.clone() }).is_ok());
    assert!(load(Some("webhook: {senders: [{name: a, bearer_token: t}]}\n"), &[], open).is_ok());
    for loopback in ["localhost:1", "127.8.8.8:1", "[::1]:1"] {
        let overrides = Overrides { listen_addresses: vec![loopback.to_owned()], ..Overrides::default() };
        assert!(load(None, &[], overrides).is_ok(), "{loopback}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let text = SHAPE.replace("token_file: token", "token: hunter2").replace("password: 1.10", "password: hunter2");
    let shown = format!("{:?}", file(&text).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("T0KEN"), "{shown}");
    let wrong = "notifiers: [{name: a, http: {url: \"hunter2://x\", bearer_token: hunter2, method: x}}]\n";
    let said = file(wrong).unwrap_err();
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_hostile_file_is_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, next) in ('a'..'i').zip('b'..='i') {
        bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{name}"); 9].join(",")));
    }
    for (name, text) in [
        ("bomb", format!("people: &p [x]\nstorage:\n  {}", bomb.replace('\n', "\n  "))),
        ("nested", format!("people: {}", "[".repeat(100_000))),
        ("huge", "# x\n".repeat(2_500_000)),
    ] {
        assert!(file(&text).is_err(), "{name}");
    }
}

#[test]
fn what_only_a_start_may_change_is_named_with_its_place_and_the_rest_may_change() {
    let before = file(SHAPE).unwrap();
    let mut text = SHAPE.to_owned();
    for (was, now) in [
        ("127.0.0.1:10112", "127.0.0.1:10199"),
        ("tcp://proxy:2375", "tcp://other:2375"),
        ("dry_run: true", "dry_run: false"),
        ("format: json", "format: logfmt"),
    ] {
        text = text.replace(was, now);
    }
    let after = file(&text).unwrap_or_else(|error| panic!("{error}"));
    let problems: Vec<String> = before.fixed_but_changed(&after).iter().map(ToString::to_string).collect();
    for (key, was, now) in [
        ("web.listen_address", "127.0.0.1:10112", "127.0.0.1:10199"),
        ("docker.hosts", "tcp://proxy:2375", "tcp://other:2375"),
        ("dry_run", "true", "false"),
        ("log.format", "json", "logfmt"),
    ] {
        let problem = problems.iter().find(|problem| problem.contains(&format!("`{key}`"))).expect(key);
        for part in ["sickbay.yml:", "cannot change while sickbay runs", "restart sickbay", was, now] {
            assert!(problem.contains(part), "{problem}");
        }
    }
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(after.fixed_but_changed(&after).is_empty());

    let moved = load(Some(SHAPE), &[("SICKBAY__STORAGE__PATH", "/elsewhere")], Overrides::default()).unwrap();
    let problems = before.fixed_but_changed(&moved);
    assert!(
        problems.len() == 1 && problems[0].to_string().ends_with("(set by SICKBAY__STORAGE__PATH)"),
        "{problems:?}"
    );
    assert_eq!(before.file.as_ref().map(|(_, digest)| digest.len()), Some(64));
}
