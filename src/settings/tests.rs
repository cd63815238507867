//! Settings from text, environment and flags; what is wrong, and where it says so.

use super::layers::{Inputs, layer};
use super::resolve::resolve;
use super::{DockerUrl, LogFormat, LogLevel, NotifierTo, Overrides, SenderAuth, Settings};
use crate::model::limit::Window;
use crate::model::mail::MailTls;
use crate::people::{Role, TokenHash};
use secrecy::ExposeSecret;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The secret files of these tests.
fn secret_file(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/etc/sickbay/token" | "token") => Ok("s3cret\n".to_owned()),
        Some("/etc/sickbay/api_token") => Ok("the-api-token-of-all\n".to_owned()),
        Some("/etc/sickbay/long_token") => Ok("a-token-that-nobody-guesses\n".to_owned()),
        Some("/etc/sickbay/slack_secret") => Ok("0123456789abcdef0123456789abcdef\n".to_owned()),
        Some("/etc/sickbay/url") => Ok("https://hooks.example/T0KEN\n".to_owned()),
        Some("/etc/sickbay/ca.pem" | "/pem/ca.pem" | "/pem/cert.pem" | "/pem/key.pem") => {
            Ok("-----BEGIN CERTIFICATE-----\n".to_owned())
        }
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
  external_url: https://sickbay.example:10112
  api_token_file: api_token
  forward_auth: {header: Remote-User, secret_header: X-Proxy-Secret, secret_file: long_token, trusted: [192.0.2.7, "10.0.0.0/8"]}
  oidc:
    issuer: https://id.example/realms/ops
    client_id: sickbay
    client_secret_file: token
    scopes: [openid, groups]
    claim: email
    name: Example
    ca_file: ca.pem
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
approvals: {approve_on_timeout: true, link_secret_file: slack_secret}
slack: {signing_secret_file: slack_secret, team_id: T012AB3CD, app_id: A012AB3CD}
people:
  - {name: ada, groups: [sre, dba], roles: [view], token_file: long_token, link_notifier: other, oidc_user: ada@example.org}
  - {name: bob, groups: [sre], password_hash: "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", token_hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, slack_user: U012AB3CD}
groups:
  - {name: sre, roles: [operate]}
  - {name: dba}
notifiers:
  - {name: chat, http: {url_file: url}}
  - {name: other, http: {url: "http://x/", method: PUT, headers: {X-Team: sre}, bearer_token: t}}
  - {name: team, slack: {url_file: url}}
  - {name: others, slack: {url_file: url, buttons: false}}
  - name: mail
    email:
      to: [joe@example.com, "Ann <ann@example.com>"]
      from: Sickbay <sickbay@ops.example>
      smarthost: mail.example:587
      hello: ops.example
      auth_username: sickbay
      auth_password_file: token
      require_tls: true
      force_implicit_tls: false
      ca_file: ca.pem
  - {name: local, email: {to: root@localhost, from: sickbay@localhost, smarthost: "[::1]:25", require_tls: false}}
  - {name: smtps, email: {to: a@x.example, from: b@x.example, smarthost: "mail.example:465", auth_username: b, auth_password: p}}
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
    assert_eq!(settings.web.external_url.as_deref(), Some("https://sickbay.example:10112/"));
    assert_eq!(settings.web.api_token.as_ref().map(|token| token.expose_secret()), Some("the-api-token-of-all"));
    let forward = settings.web.forward_auth.as_ref().unwrap();
    assert_eq!((&*forward.header, &*forward.secret_header), ("Remote-User", "X-Proxy-Secret"));
    let trusts = |from: &str| forward.trusts(from.parse().ok(), b"a-token-that-nobody-guesses");
    assert!(trusts("192.0.2.7") && trusts("10.1.2.3") && !trusts("192.0.2.8"));
    let oidc = settings.web.oidc.as_ref().unwrap();
    assert_eq!([&*oidc.issuer, &oidc.client_id, &oidc.claim], ["https://id.example/realms/ops", "sickbay", "email"]);
    assert_eq!(oidc.client_secret.as_ref().map(|secret| secret.expose_secret()), Some("s3cret"));
    assert_eq!((&oidc.scopes[..], &*oidc.name), (&["openid".to_owned(), "groups".to_owned()][..], "Example"));
    assert_eq!(oidc.ca.as_deref(), Some("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(oidc.redirect_url, "https://sickbay.example:10112/login/oidc/callback");
    let [alertmanager, grafana] = &settings.webhook.senders[..] else { panic!() };
    assert!(matches!(&alertmanager.auth, SenderAuth::Bearer(token) if token.expose_secret() == "s3cret"));
    let SenderAuth::Basic { username, password } = &grafana.auth else { panic!() };
    assert_eq!((username.as_str(), password.expose_secret()), ("g", "1.10"));
    assert_eq!((settings.webhook.max_body, settings.webhook.max_alert_age.as_secs()), (8 << 20, 1800));
    assert_eq!(settings.rules, ["/etc/sickbay/rules/*.yaml", "/srv/rules/*.yaml"]);
    assert_eq!(settings.storage_path, PathBuf::from("/etc/sickbay/data/"));
    assert_eq!(settings.docker.hosts[0].url, DockerUrl::Tcp("proxy:2375".to_owned()));
    let protected: Vec<bool> = ["postgres", "db-primary", "db-primary-2"]
        .map(|name| settings.docker.protect.iter().any(|p| p.covers(name)))
        .into();
    assert_eq!(protected, [true, true, false]);
    let policy = settings.policy();
    assert!(policy.dry_run && !policy.require_opt_in && policy.approve_on_timeout_allowed);
    assert_eq!((policy.hands_off.as_secs(), &policy.docker_hosts[..]), (90, &["proxy".to_owned()][..]));
    assert_eq!((policy.global.len(), policy.per_target.len(), policy.max_parallel), (1, 2, 4));
    assert_eq!(policy.per_target[1], Window { runs: 7, per: Duration::from_secs(86400) });
    let [ada, bob] = &settings.people[..] else { panic!() };
    assert_eq!(
        (&*ada.name, &ada.groups[..], &ada.roles[..]),
        ("ada", &["sre".to_owned(), "dba".to_owned()][..], &[Role::View, Role::Operate][..])
    );
    assert!(
        ada.token.is_some()
            && ada.password.is_none()
            && bob.password.as_ref().is_some_and(|hash| hash.fits("password"))
    );
    assert_eq!(bob.roles, [Role::Approve, Role::Operate]);
    assert_eq!(bob.token.as_ref().unwrap().hex(), TokenHash::digest(b"test").hex());
    assert_eq!(settings.deciders(), [("bob".to_owned(), vec!["sre".to_owned()])]);
    assert_eq!(settings.notifier_names(), ["chat", "other", "team", "others", "mail", "local", "smtps"]);
    let [NotifierTo::Http(chat), NotifierTo::Http(other), NotifierTo::Slack(team), NotifierTo::Slack(others)] =
        [0, 1, 2, 3].map(|at: usize| &settings.notifiers[at].to)
    else {
        panic!()
    };
    for url in [&chat.url, &team.url, &others.url] {
        assert_eq!(url.expose_secret(), "https://hooks.example/T0KEN");
    }
    assert!(team.buttons && !others.buttons);
    let [NotifierTo::Email(mail), NotifierTo::Email(local), NotifierTo::Email(smtps)] =
        [4, 5, 6].map(|at: usize| &settings.notifiers[at].to)
    else {
        panic!()
    };
    assert_eq!(
        mail.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["joe@example.com", "Ann <ann@example.com>"]
    );
    assert_eq!(
        (mail.from.to_string(), &*mail.host, mail.port),
        ("Sickbay <sickbay@ops.example>".to_owned(), "mail.example", 587)
    );
    assert_eq!((&*mail.hello, mail.ca.as_deref()), ("ops.example", Some("-----BEGIN CERTIFICATE-----\n")));
    let (user, password) = mail.login.as_ref().unwrap();
    assert_eq!((&**user, password.expose_secret()), ("sickbay", "s3cret"));
    assert_eq!((&*local.host, local.port, &*local.hello), ("::1", 25, "localhost"));
    assert!(local.login.is_none() && local.ca.is_none());
    assert_eq!([mail.tls, local.tls, smtps.tls], [MailTls::StartTls, MailTls::Never, MailTls::Implicit]);
    let slack = settings.slack.as_ref().unwrap();
    assert_eq!((&*slack.team_id, slack.app_id.as_deref()), ("T012AB3CD", Some("A012AB3CD")));
    assert_eq!(slack.answer_origin, "https://hooks.slack.com");
    assert_eq!(slack.signing_secret.expose_secret(), "0123456789abcdef0123456789abcdef");
    assert_eq!((ada.slack_user.as_deref(), bob.slack_user.as_deref()), (None, Some("U012AB3CD")));
    assert!(settings.approvals.link_key.is_some() && settings.approvals.approve_on_timeout);
    assert_eq!((ada.link_notifier.as_deref(), bob.link_notifier.as_deref()), (Some("other"), None));
    assert_eq!((ada.oidc_user.as_deref(), bob.oidc_user.as_deref()), (Some("ada@example.org"), None));
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
        assert_eq!(settings.docker.hosts[0].url.to_string(), "unix:///var/run/docker.sock");
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
    let host = |text, env| load(text, env, Overrides::default()).map(|settings| settings.docker.hosts[0].to_string());
    assert_eq!(host(None, &env), Ok("local (tcp://10.0.0.1:2375)".to_owned()));
    let hosts = "docker: {hosts: [{name: l, url: \"unix:///x.sock\"}]}\n";
    assert_eq!(host(Some(hosts), &env), Ok("l (unix:///x.sock)".to_owned()));
    assert_eq!(host(None, &[("DOCKER_HOST", "")]), Ok("local (unix:///var/run/docker.sock)".to_owned()));
    assert_eq!(host(None, &[("DOCKER_HOST", "ssh://me@x")]), Ok("local (ssh://me@x)".to_owned()));
    assert!(host(None, &[("DOCKER_HOST", "ssh://me:secret@x")]).unwrap_err().contains("DOCKER_HOST"));
    let open = host(None, &[("DOCKER_HOST", "tcp://8.8.8.8")]).unwrap_err();
    assert!(open.contains("8.8.8.8 is not a private address") && open.contains("allow_insecure_tcp"), "{open}");
    let tls = [("DOCKER_HOST", "tcp://8.8.8.8"), ("DOCKER_TLS_VERIFY", "1")];
    assert!(host(None, &tls).unwrap_err().contains("`DOCKER_CERT_PATH`: is not set"));
    let tls = [tls[0], tls[1], ("DOCKER_CERT_PATH", "/pem")];
    let with = "local (tcp://8.8.8.8:2376 with /pem/ca.pem, /pem/cert.pem, /pem/key.pem)";
    assert_eq!(host(None, &tls), Ok(with.to_owned()));
}

#[test]
fn several_hosts_each_come_with_what_they_need() {
    let text = "docker:\n  hosts:\n    - {name: local, url: \"unix:///a\"}\n    - {name: web-2, url: \"tcp://docker.example.com\", \
                tls: {ca_file: ca.pem, cert_file: ca.pem, key_file: ca.pem}}\n    - {name: web-3, url: \"ssh://me@web-3:22\", \
                ssh_config: ssh}\n    - {name: open, url: \"tcp://docker.example.com\", allow_insecure_tcp: true}\n";
    let settings = file(text).unwrap();
    assert_eq!(settings.host_names(), ["local", "web-2", "web-3", "open"]);
    let shown: Vec<String> = settings.docker.hosts.iter().map(ToString::to_string).collect();
    let pem = "/etc/sickbay/ca.pem";
    assert_eq!(
        shown,
        [
            "local (unix:///a)".to_owned(),
            format!("web-2 (tcp://docker.example.com:2376 with {pem}, {pem}, {pem})"),
            "web-3 (ssh://me@web-3:22 with /etc/sickbay/ssh)".to_owned(),
            "open (tcp://docker.example.com:2375)".to_owned(),
        ]
    );
    assert!(settings.docker.hosts[1].tls.as_ref().is_some_and(|tls| tls.identity.is_some()));
    assert_eq!(settings.policy().docker_hosts, ["docker.example.com", "docker.example.com"]);
}

#[test]
fn what_is_written_may_go_another_way_and_both_ways_are_protected() {
    let hosts =
        |write: &str| format!("docker: {{hosts: [{{name: l, url: \"tcp://10.0.0.1:1\", write_url: \"{write}\"}}]}}\n");
    let settings = load(Some(&hosts("tcp://10.0.0.2:2")), &[], Overrides::default()).unwrap();
    assert_eq!(settings.docker.hosts[0].write_url, Some(DockerUrl::Tcp("10.0.0.2:2".to_owned())));
    assert_eq!(settings.policy().docker_hosts, ["10.0.0.1", "10.0.0.2"]);
    let other = load(Some(&hosts("tcp://10.0.0.2:3")), &[], Overrides::default()).unwrap();
    assert!(settings.fixed_but_changed(&other)[0].message.contains("tcp://10.0.0.2:3"));
    for open in ["tcp://8.8.8.8:2375", "gopher://w"] {
        let said = load(Some(&hosts(open)), &[], Overrides::default()).unwrap_err();
        assert!(said.contains("docker.hosts[0].write_url"), "{said}");
    }
}

/// A file and all that must stand in what is said about it.
type Mistake = (&'static str, &'static [&'static str]);

#[test]
fn a_mistake_about_the_provider_is_named_with_what_to_do() {
    let oidc = |url: &str, more: &str| {
        format!("web: {{external_url: '{url}', oidc: {{issuer: 'https://id.example', client_id: a{more}}}}}\n")
    };
    let at = |more: &str| oidc("https://s.example", more);
    let user = |user: &str| format!("{}people: [{{name: a, oidc_user: {user}}}]\n", at(""));
    for (text, want) in [
        ("people: [{name: a, oidc_user: x}]\n".to_owned(), "`people[0].oidc_user`: needs `web.oidc`"),
        ("web: {oidc: {issuer: 'https://id.example', client_id: a}}\n".to_owned(), "needs `web.external_url`"),
        (oidc("http://s.example", ""), "`web.oidc`: needs `web.external_url` to begin with https://"),
        (at("").replace("https://id", "http://id"), "`web.oidc.issuer`: must be the provider's https:// address"),
        (at("").replace("https://id", "https://a:b@id"), "`web.oidc.issuer`: must be the provider's https:// address"),
        (at("").replace("https://id.example", "https://id.example/?a"), "`web.oidc.issuer`: must be"),
        (at("").replace("https://id.example", "id.example"), "`web.oidc.issuer`: must be"),
        (at("").replace("client_id: a", "client_id: ''"), "`web.oidc.client_id`: is empty"),
        (at(", client_secret: a, client_secret_file: token"), "keep one of the two"),
        (at(", client_secret_file: nowhere"), "`web.oidc.client_secret_file`: cannot read"),
        (at(", scopes: [email]"), "`web.oidc.scopes`: needs `openid`"),
        (at(", scopes: ['openid email']"), "`web.oidc.scopes`: a scope is"),
        (at(", claim: iss"), "`web.oidc.claim`: is no claim that names a person"),
        (at(", claim: 'a b'"), "`web.oidc.claim`: is no claim"),
        (at(", name: \"a\\n\""), "`web.oidc.name`: is empty, too long, or holds control"),
        (at(", ca_file: token"), "is not in PEM"),
        (user("\u{430}da"), "`people[0].oidc_user`: is no name that is compared byte by byte"),
        (user("'a b'"), "`people[0].oidc_user`: is no name"),
        (user("''"), "`people[0].oidc_user`: is no name"),
        (
            format!("{}people: [{{name: a, oidc_user: Ada@x}}, {{name: b, oidc_user: ada@x}}]\n", at("")),
            "`people[1].oidc_user`: differs from that of `a` in case alone",
        ),
        (
            format!("{}people: [{{name: a, oidc_user: x}}, {{name: b, oidc_user: x}}]\n", at("")),
            "`people[1].oidc_user`: is the user of `a` at the provider too",
        ),
    ] {
        let told = file(&text).unwrap_err();
        assert!(told.contains(want), "{text}{told}");
    }
    // What follows from a mistake is not told as well.
    let told = file(&format!("{}people: [{{name: a, oidc_user: x}}]\n", at(", claim: iss"))).unwrap_err();
    assert!(!told.contains("needs `web.oidc`"), "{told}");
    for (claim, want) in [("", "openid"), (", claim: email", "openid email"), (", claim: upn", "openid profile")] {
        let oidc = file(&at(claim)).unwrap().web.oidc.unwrap();
        assert_eq!((oidc.scopes.join(" "), &*oidc.name), (want.to_owned(), "id.example"));
    }
    assert!(file(&user("ada")).unwrap().people[0].oidc_user.is_some(), "and it needs no password");
    assert!(file(&oidc("http://127.0.0.1:1", "").replace("https://id.example", "http://[::1]:2")).is_ok());
}

#[test]
fn a_mistake_about_slack_is_named_with_what_to_do() {
    let cases: &[Mistake] = &[
        (
            "people:\n  - {name: alice, token_file: token, slack_user: U012}\n",
            &["`people[0].slack_user`: needs `slack` at the top", "add it, or remove this"],
        ),
        ("people: [{name: a, slack_user: u012}]\n", &["no ID of Slack such as U012AB3CD; the profile"]),
        (
            "people: [{name: a, slack_user: U01}, {name: b, slack_user: U01}]\n",
            &["`people[1].slack_user`: is the Slack user of `a` too"],
        ),
        ("slack: {team_id: T012}\n", &["`slack`: needs `signing_secret_file`", "Basic Information"]),
        (
            "slack: {team_id: T012, signing_secret: short}\n",
            &["`slack.signing_secret`: is shorter than 32 characters", "copy the signing secret"],
        ),
        (
            "slack: {team_id: T012, signing_secret_file: nowhere}\n",
            &["`slack.signing_secret_file`: cannot read the secret file", "create it"],
        ),
        ("slack: {team_id: acme, signing_secret: x}\n", &["`slack.team_id`: is no ID of Slack", "in a browser"]),
        ("slack: {team_id: T012, app_id: T012, signing_secret: x}\n", &["`slack.app_id`: is no ID", "A012AB3CD"]),
        (
            "slack: {team_id: T012, signing_secret: x, answer_origin: \"https://evil.example\"}\n",
            &["`slack.answer_origin`: must be https://hooks.slack.com"],
        ),
        ("slack: {team_id: T012, answer_origin: \"http://10.0.0.1:80\"}\n", &["address and port of this machine"]),
        ("slack: {team_id: T012, answer_origin: \"http://127.0.0.1:80/\"}\n", &["address and port of this machine"]),
        ("slack: {team_id: T012, answer_origin: \"http://hooks.slack.com\"}\n", &["address and port of this machine"]),
        ("notifiers:\n  - {name: a, slack: {}}\n", &["`notifiers[0].slack`: needs `url`"]),
        ("notifiers:\n  - {name: a, slack: {url: hooks}}\n", &["http:// or https://"]),
        (
            "notifiers:\n  - {name: a, slack: {url: \"https://x\", buttons: true}}\n",
            &["`notifiers[0].slack.buttons`: needs `slack` at the top", "or write `buttons: false`"],
        ),
        (
            "notifiers:\n  - {name: a, slack: {url: \"https://x\"}, http: {url: \"https://x\"}}\n",
            &["`notifiers[0]`: goes one way"],
        ),
    ];
    for (text, parts) in cases {
        let said = file(text).unwrap_err();
        assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
    }
}

#[test]
fn a_mistake_about_mail_is_named_with_what_to_do() {
    let cases: &[Mistake] = &[
        (
            "to: joe, from: a@b.c, smarthost: 'm:25'",
            &["`notifiers[0].email.to`: \"joe\" is no address; write joe@example.com"],
        ),
        ("to: [], from: a@b.c, smarthost: 'm:25'", &["`notifiers[0].email.to`: is empty; write whom"]),
        (
            "to: \"a@b.c\\r\\nBcc: e@e.e\", from: a@b.c, smarthost: 'm:25'",
            &["`notifiers[0].email.to`: holds a line break"],
        ),
        (
            "to: a@b.c, from: \"a@b.c\\nTo: e@e.e\", smarthost: 'm:25'",
            &["`notifiers[0].email.from`: holds a line break"],
        ),
        ("to: a@b.c, from: 'a@b.c, d@b.c', smarthost: 'm:25'", &["`notifiers[0].email.from`: must be one address"]),
        ("to: a@b.c, from: a@b.c, smarthost: m", &["`notifiers[0].email.smarthost`: must be HOST:PORT, such as"]),
        ("to: a@b.c, from: a@b.c, smarthost: 'me:canary@m:25'", &["`notifiers[0].email.smarthost`: must be HOST:PORT"]),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', hello: a b",
            &["`notifiers[0].email.hello`: is no name of a machine"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', auth_username: me",
            &["`notifiers[0].email.auth_username`: needs `auth_password_file`"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', auth_password: canary",
            &["`notifiers[0].email.auth_password`: needs `auth_username`"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', auth_username: me, auth_password_file: nowhere",
            &["`notifiers[0].email.auth_password_file`: cannot read the secret file", "create it"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', auth_username: me, auth_password: canary, require_tls: false",
            &["`notifiers[0].email.require_tls`: is false, and so the password would go over the wire"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', require_tls: false, ca_file: ca.pem",
            &["`notifiers[0].email.ca_file`: says whom to trust where nothing is encrypted"],
        ),
        (
            "to: a@b.c, from: a@b.c, smarthost: 'm:25', ca_file: token",
            &["`notifiers[0].email.ca_file`", "is not in PEM"],
        ),
        ("to: a@b.c, from: a@b.c", &["smarthost"]),
    ];
    for (entry, parts) in cases {
        let said = file(&format!("notifiers: [{{name: mail, email: {{{entry}}}}}]\n")).unwrap_err();
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("canary"), "{entry}: {said}");
    }
    let said =
        file("notifiers: [{name: a, email: {to: a@b.c, from: a@b.c, smarthost: 'm:25'}, http: {url: 'http://x'}}]\n");
    assert!(said.unwrap_err().contains("`notifiers[0]`: goes one way: keep one of `http`, `slack` and `email`"));
}

#[test]
fn a_link_goes_by_mail_to_one_address_that_is_nobody_elses() {
    let mail =
        |name: &str, to: &str| format!("  - {{name: {name}, email: {{to: {to}, from: s@x.y, smarthost: 'm:25'}}}}\n");
    let with = |ada: &str, bob: &str| {
        format!(
            "web: {{external_url: \"https://x/\"}}\napprovals: {{link_secret: 0123456789abcdef0123456789abcdef}}\n\
             people: [{{name: ada, link_notifier: ada}}, {{name: bob, link_notifier: bob}}]\nnotifiers:\n{}{}",
            mail("ada", ada),
            mail("bob", bob)
        )
    };
    file(&with("ada@x.y", "bob@x.y")).unwrap();
    for (ada, bob, want) in [
        (
            "[ada@x.y, all@x.y]",
            "bob@x.y",
            "`people[0].link_notifier`: `ada` sends mail to 2 addresses, and whoever reads it could vote; name one with a",
        ),
        ("'ada@x.y, all@x.y'", "bob@x.y", "`people[0].link_notifier`: `ada` sends mail to 2 addresses"),
        (
            "crew@x.y",
            "Crew <CREW@x.y>",
            "`people[1].link_notifier`: `bob` sends mail to CREW@x.y, which is where the links of `ada` go too",
        ),
    ] {
        let said = file(&with(ada, bob)).unwrap_err();
        assert!(said.contains(want), "{ada} {bob}: {said}");
    }
}

#[test]
fn a_mistake_about_signed_links_is_named_with_what_to_do() {
    let secret = "0123456789abcdef0123456789abcdef";
    let on = format!("web: {{external_url: \"https://x/\"}}\napprovals: {{link_secret: {secret}}}\n");
    let mail = "notifiers: [{name: mail, http: {url: \"https://x\"}}, {name: team, slack: {url: \"https://x\"}}]\n";
    for (text, parts) in [
        (
            format!("approvals: {{link_secret: {secret}}}\n"),
            &["`approvals.link_secret`: needs `web.external_url`: signed links begin with it"][..],
        ),
        (
            "approvals: {link_secret: canary}\n".to_owned(),
            &["`approvals.link_secret`: is shorter than 32 characters", "sickbay hash-password --token"],
        ),
        (
            "approvals: {link_secret_file: nowhere}\n".to_owned(),
            &["`approvals.link_secret_file`: cannot read the secret"],
        ),
        (
            format!("{mail}people: [{{name: a, link_notifier: mail}}]\n"),
            &["`people[0].link_notifier`: needs `approvals: {link_secret_file: FILE}`", "or remove this"],
        ),
        (
            format!("{on}{mail}people: [{{name: a, link_notifier: mail}}, {{name: b, link_notifier: mail}}]\n"),
            &["`people[1].link_notifier`: is that of `a` too", "give each a notifier of their own"],
        ),
        (
            format!("{on}{mail}people: [{{name: a, link_notifier: team}}]\n"),
            &["`team` posts in a channel that others read; name one with `http` or `email`"],
        ),
        (format!("{on}{mail}people: [{{name: a, link_notifier: log}}]\n"), &["`log` is none of `notifiers`"]),
        (format!("{on}people: [{{name: a, link_notifier: mial}}]\n"), &["`mial` is none of `notifiers`"]),
    ] {
        let said = file(&text).unwrap_err();
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("canary"), "{text}: {said}");
    }
    let settings = file(&format!("{on}{mail}people: [{{name: a, link_notifier: mail}}]\n")).unwrap();
    assert_eq!(settings.people[0].link_notifier.as_deref(), Some("mail"), "a link proves who they are");
    assert!(!format!("{settings:?}").contains(secret));
    assert!(file("").unwrap().approvals.link_key.is_none(), "off unless switched on");
}

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
        ("web:\n  config_file: no.yml\n", &["sickbay.yml:2:3: `web.config_file`: cannot read /etc/sickbay/no.yml"]),
        ("people:\n  - {name: alice}\n", &["sickbay.yml:2:5: `people[0]`: ", "nobody could tell who it is"]),
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
        ("docker: {hosts: []}\n", &["`docker.hosts`: is empty"]),
        (
            "docker:\n  hosts:\n    - {name: a, url: \"unix:///a\"}\n    - {name: b, url: \"tcp://b:1\", tls: {ca_file: x}}\n",
            &["4:41: `docker.hosts[1].tls.ca_file`: cannot read /etc/sickbay/x: ", "not found"],
        ),
        (
            "docker: {hosts: [{name: a, url: \"unix:///a\"}, {name: a, url: \"unix:///b\"}]}\n",
            &["hosts[1].name`: ", "taken"],
        ),
        ("docker: {hosts: [{name: \"a:b\", url: \"unix:///a\"}]}\n", &["`docker.hosts[0].name`: must be letters"]),
        ("docker: {hosts: [{name: a, url: \"unix:///a\", tls: {ca_file: ca.pem}}]}\n", &["goes with a tcp:// address"]),
        ("docker: {hosts: [{name: a, url: \"tcp://b\", tls: {}}]}\n", &["ca_file"]),
        (
            "docker: {hosts: [{name: a, url: \"tcp://b\", tls: {ca_file: token}}]}\n",
            &["/etc/sickbay/token is not in PEM"],
        ),
        (
            "docker: {hosts: [{name: a, url: \"tcp://b\", tls: {ca_file: ca.pem, cert_file: ca.pem}}]}\n",
            &["`docker.hosts[0].tls`: has `cert_file` without `key_file`"],
        ),
        (
            "docker: {hosts: [{name: a, url: \"tcp://b\", tls: {ca_file: ca.pem, key_file: ca.pem}}]}\n",
            &["`docker.hosts[0].tls`: has `key_file` without `cert_file`"],
        ),
        (
            "docker: {hosts: [{name: a, url: \"tcp://docker.example.com\"}]}\n",
            &["`docker.hosts[0].url`: docker.example.com is not a private address", "allow_insecure_tcp"],
        ),
        ("docker: {hosts: [{name: a, url: \"unix:///a\", ssh_config: x}]}\n", &["goes with an ssh:// address"]),
        ("docker: {hosts: [{name: a, url: \"ssh://-oProxyCommand=x\"}]}\n", &["write ssh://USER@HOST"]),
        ("docker: {hosts: [{name: a, url: \"unix://a\"}]}\n", &["absolute"]),
        (
            "docker: {hosts: [{name: a, url: \"http://a\"}]}\n",
            &["unix:///path/to/docker.sock, tcp://HOST:PORT or ssh://USER@HOST"],
        ),
        ("limits: {global: [{runs: 1, per: 32d}]}\n", &["`limits.global[0].per`: is at most 31d"]),
        ("limits: {max_parallel: 0}\n", &["`limits.max_parallel`: must be at least 1"]),
        ("limits: {global: [{runs: 0, per: 1h}]}\n", &["1:20: `limits.global[0].runs`: "]),
        ("limits: {per_target: [{runs: 1}]}\n", &["1:", "per"]),
        ("notifiers:\n  - {name: a}\n", &["`notifiers[0]`: needs `http`, `slack` or `email`"]),
        ("notifiers:\n  - {name: log, http: {url: \"http://x\"}}\n", &["`log` is built in"]),
        (
            "notifiers:\n  - {name: a, discord: {url_file: url}}\n",
            &["2:15: `notifiers[0].discord`: ", "does not execute"],
        ),
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
    let said = file("log: {level: x}\nweb: {config_file: a.yml}\nwebhook:\n  max_body: 1\nlimits: {max_parallel: 0}\n")
        .unwrap_err();
    let places: Vec<&str> = said.lines().filter_map(|line| line.split(": ").next()).collect();
    let at = |place: &str| format!("/etc/sickbay/sickbay.yml:{place}");
    assert_eq!(places, [at("1:7"), at("2:7"), at("4:3"), at("5:10")]);
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
        ("bomb", format!("rules: &p [x]\nstorage:\n  {}", bomb.replace('\n', "\n  "))),
        ("nested", format!("people: {}", "[".repeat(100_000))),
        ("huge", "# x\n".repeat(2_500_000)),
    ] {
        assert!(file(&text).is_err(), "{name}");
    }
}

#[test]
fn a_mistake_about_tokens_and_proxies_is_named_too() {
    let cases: &[(&str, &[&str])] = &[
        ("web: {forward_auth: {}}\n", &["`web.forward_auth.header`: is missing", "`web.forward_auth.trusted`: needs"]),
        (
            "web: {forward_auth: {header: Remote-User, secret_header: X-S, trusted: [10.0.0.0/8]}}\n",
            &["`web.forward_auth.secret_file`: is missing"],
        ),
        (
            "web: {forward_auth: {header: U, secret_header: u, secret: short, trusted: [10.0.0.1/8]}}\n",
            &["`web.forward_auth.secret`: is shorter", "is the header of the name", "not its first one"],
        ),
        (
            "web: {forward_auth: {header: Cookie, secret_header: \"X S\", secret_file: long_token, trusted: [proxy]}}\n",
            &["has another meaning", "is no name of a header", "is no address"],
        ),
        ("web: {socket: {path: ''}}\n", &["`web.socket.path`: is empty"]),
        ("web: {socket: {path: s, mode: \"0888\"}}\n", &["`web.socket.mode`: is no mode of a file"]),
        ("web: {socket: {path: s, mode: \"66\"}}\n", &["`web.socket.mode`: is no mode of a file"]),
        ("web: {socket: {path: s, mode: \"1777\"}}\n", &["`web.socket.mode`: is no mode of a file"]),
        ("people: [{name: ada, uid: 1000}]\n", &["nobody could tell who it is"]),
        (
            "web: {socket: {path: s}}\npeople: [{name: ada, uid: 7}, {name: bob, uid: 7}, {name: eve, uid: 65534}]\n",
            &["`people[1].uid`: is the user ID of `ada` too", "`people[2].uid`: is what the system says of users"],
        ),
        ("web: {api_token: fifteen-letters}\n", &["1:7: `web.api_token`: is shorter than 16 characters"]),
        ("web: {api_token_file: token}\n", &["1:7: `web.api_token_file`: is shorter than 16 characters"]),
        (
            "web: {api_token: a-token-that-nobody-guesses}\npeople: [{name: ada, token_file: long_token}]\n",
            &["`people[0]`: has the token of `web.api_token`"],
        ),
    ];
    for (text, words) in cases {
        let error = file(text).unwrap_err();
        for word in *words {
            assert!(error.contains(word), "{text}: {error}");
        }
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

#[test]
fn people_who_cannot_be_told_apart_or_prove_nothing_are_refused() {
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let person = |name: &str, rest: &str| format!("  - {{name: {name}, token_hash: {hash}{rest}}}\n");
    let file_of = |people: &str| format!("people:\n{people}");
    for (text, want) in [
        (file_of(&(person("ada", "") + &person("bob", ""))), "`people[1]`: has the token of `ada`"),
        (file_of("  - {name: ada, token_file: token}\n"), "`people[0].token_file`: is shorter than 16"),
        (file_of("  - {name: ada, token_hash: s3cret}\n"), "`people[0].token_hash`: is no SHA-256"),
        (file_of("  - {name: ada, password_hash: s3cret}\n"), "`people[0].password_hash`: is no hash"),
        (file_of("  - {name: ada, password_hash_file: token}\n"), "`people[0].password_hash_file`: is no hash"),
        (file_of(&person("ada", ", token_file: token")), "is given beside `token_hash`"),
        (file_of(&person("ada", ", roles: [boss]")), "`people[0].roles[0]`: \"boss\" is no role"),
        (file_of(&person("\u{430}da", "")), "`people[0].name`: a name is"),
        (file_of(&(person("ada", "") + &person("Ada", ""))), "`people[1].name`: could be taken for `ada`"),
        (file_of(&(person("alice", "") + &person("aIice", ""))), "`people[1].name`: could be taken for `alice`"),
        (file_of(&(person("bob", "") + &person("b.0-b", ""))), "`people[1].name`: could be taken for `bob`"),
        (file_of(&person("ada\u{200b}", "")), "`people[0].name`: a name is"),
        (file_of(&person("\u{ff41}da", "")), "`people[0].name`: a name is"),
        (file_of(&person("ad\u{e4}", "")), "`people[0].name`: a name is"),
        (file_of(&person("ada", ", slack_user: U0\u{410}DA")), "`people[0].slack_user`: is no ID of Slack"),
        (file_of(&person("ada", ", slack_user: u0ada")), "`people[0].slack_user`: is no ID of Slack"),
        (file_of(&person("signal", "")), "is a switch of the daemon"),
        (file_of(&person("ada", ", groups: [ada]")), "`ada` is a person"),
        (file_of(&person("ada", ", groups: [sr]")) + "groups: [{name: sre}]\n", "`sr` is none of `groups`"),
        (file_of(&person("sre", "")) + "groups: [{name: sre}]\n", "is taken by an earlier entry"),
        (file_of(&person("ada", ", token: x")), "unknown key `token`"),
    ] {
        let said = file(&text).unwrap_err();
        assert!(said.contains(want), "{text}: {said}");
        assert!(!said.contains("s3cret") && !said.contains(hash), "{said}");
    }
}

#[test]
fn only_what_listens_on_loopback_and_has_no_name_elsewhere_is_reached_from_here_alone() {
    for (web, want) in [
        ("{}", true),
        ("{listen_address: [\"127.0.0.1:1\", \"[::1]:2\"]}", true),
        ("{external_url: \"http://localhost:10112/x/\"}", true),
        ("{external_url: \"http://[::1]/\"}", true),
        ("{external_url: \"https://sickbay.example/\"}", false),
        ("{external_url: \"http://192.0.2.7:10112\"}", false),
        ("{external_url: \"http://localhost.example/\"}", false),
    ] {
        let settings = file(&format!("web: {web}\n")).unwrap();
        assert_eq!(settings.web.is_only_here(), want, "{web}");
    }
    let senders = "webhook: {senders: [{name: a, bearer_token_file: token}]}\n";
    let wide = file(&format!("web: {{listen_address: [\"127.0.0.1:1\", \"0.0.0.0:2\"]}}\n{senders}")).unwrap();
    assert!(!wide.web.is_only_here());
}

#[test]
fn whom_a_proxy_names_needs_no_proof_of_their_own() {
    let people = "people: [{name: ada}]\n";
    assert!(file(people).unwrap_err().contains("nobody could tell who it is"));
    let web = "web: {forward_auth: {header: U, secret_header: S, secret_file: long_token, trusted: [\"::1\"]}}\n";
    assert_eq!(file(&format!("{web}{people}")).unwrap().people.len(), 1);
}

#[test]
fn owners_labels_may_stand_under_a_prefix_and_belong_to_a_scope() {
    let settings = file("labels: {prefix: com.example.sickbay, scope: prod}\n").unwrap();
    assert_eq!(settings.labels.prefix.as_deref(), Some("com.example.sickbay"));
    assert_eq!(settings.policy().scope.as_deref(), Some("prod"));
    let without = file("dry_run: true\n").unwrap();
    assert_eq!((without.labels.prefix.as_deref(), without.policy().scope), (None, None));
    let changed: Vec<String> = without.fixed_but_changed(&settings).iter().map(ToString::to_string).collect();
    assert!(changed.iter().any(|problem| problem.contains("`labels.prefix`")), "{changed:?}");
    for (labels, key) in [
        ("prefix: com.docker.sickbay", "labels.prefix"),
        ("prefix: io.docker", "labels.prefix"),
        ("prefix: com.example.", "labels.prefix"),
        ("prefix: Com.Example", "labels.prefix"),
        ("prefix: ''", "labels.prefix"),
        ("scope: ''", "labels.scope"),
        ("scope: 'a b'", "labels.scope"),
    ] {
        let said = file(&format!("labels: {{{labels}}}\n")).unwrap_err();
        assert!(said.contains(key), "{labels}: {said}");
    }
}

#[test]
fn only_the_first_host_says_what_it_was_called_before() {
    let hosts = |renamed: [&str; 2]| {
        let [first, second] = renamed;
        format!("docker: {{hosts: [{{name: a, url: 'unix:///a'{first}}}, {{name: b, url: 'unix:///b'{second}}}]}}\n")
    };
    let renamed = file(&hosts([", renamed_from: local", ""])).unwrap();
    assert_eq!(renamed.docker.hosts[0].renamed_from.as_deref(), Some("local"));
    let same = file(&hosts(["", ""])).unwrap();
    assert!(renamed.fixed_but_changed(&same).is_empty(), "it may be taken out while sickbay runs");
    let said = file(&hosts(["", ", renamed_from: local"])).unwrap_err();
    assert!(said.contains("docker.hosts[1].renamed_from"), "{said}");
}

#[test]
fn a_socket_is_for_its_owner_and_group_unless_the_settings_say_otherwise() {
    let people = "people: [{name: ada, uid: 1000}]\n";
    let settings = file(&format!("web: {{socket: {{path: run/s.sock}}}}\n{people}")).unwrap();
    let socket = settings.web.socket.unwrap();
    assert!(socket.path.ends_with("run/s.sock"), "{socket:?}");
    assert_eq!((socket.mode, settings.people[0].uid), (0o660, Some(1000)));
    let settings = file("web: {socket: {path: /run/s.sock, mode: \"600\"}}\n").unwrap();
    assert_eq!(settings.web.socket.unwrap().mode, 0o600);
    let long = format!("web: {{socket: {{path: /{}}}}}\n", "x".repeat(107));
    assert!(file(&long).unwrap_err().contains("has 108 bytes, and the system takes at most 107"));
}
