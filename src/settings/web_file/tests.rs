//! The format of Prometheus' web configuration: what is taken, and what is wrong and where. The certificates are those of
//! `tests/fixtures/tls`.

use super::{ClientAuth, WebFile};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";
const PAIR: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

/// A directory with the certificates, and this as `web.yml`.
fn folder(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join("web.yml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read(text: &str) -> Result<WebFile, Vec<String>> {
    let (_folder, path) = folder(text);
    WebFile::read(&path)
}

/// Problems without the directory.
fn problems(text: &str) -> Vec<String> {
    let (folder, path) = folder(text);
    let within = format!("{}/", folder.path().display());
    let problems = WebFile::read(&path).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.replace(&within, "")).collect()
}

#[test]
fn what_the_format_says_is_read_in_full() {
    let text = format!(
        "{PAIR}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [a.example]\n  \
         min_version: TLS13\n  max_version: TLS13\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  \
         prefer_server_cipher_suites: false\n  curve_preferences: [CurveP256, X25519]\n\
         http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    \
         Strict-Transport-Security: max-age=60\n    Content-Security-Policy: ''\n\
         basic_auth_users:\n  prometheus: {HASH}\n  a.b: {HASH}\n"
    );
    let file = read(&text).unwrap();
    let tls = file.tls.as_ref().unwrap();
    assert_eq!(tls.client_auth, ClientAuth::RequireAndVerifyClientCert);
    assert!(!tls.config.ignore_client_order && tls.config.alpn_protocols == [b"http/1.1"]);
    let provider = tls.config.crypto_provider();
    let suites: Vec<String> = provider.cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
    assert_eq!(suites, ["TLS13_AES_128_GCM_SHA256"]);
    let curves: Vec<String> = provider.kx_groups.iter().map(|curve| format!("{:?}", curve.name())).collect();
    assert_eq!(curves, ["secp256r1", "X25519"]);
    let users: Vec<&str> = file.users.iter().map(|(name, _)| &**name).collect();
    assert_eq!(users, ["prometheus", "a.b"]);
    assert_eq!(file.headers.len(), 2, "what is blank is not set: {:?}", file.headers);
    assert!(!format!("{file:?}").contains("bvIG6Nmid91Mu9"), "no hash is printed");
}

#[test]
fn a_list_of_suites_of_tls_1_2_leaves_tls_1_3_alone() {
    let file = read(&format!("{PAIR}  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n")).unwrap();
    let suites = &file.tls.as_ref().unwrap().config.crypto_provider().cipher_suites;
    let old: Vec<String> =
        suites.iter().filter(|suite| suite.tls13().is_none()).map(|suite| format!("{:?}", suite.suite())).collect();
    assert_eq!((old, suites.len()), (vec!["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384".to_owned()], 4));
}

#[test]
fn a_file_that_says_nothing_protects_nothing() {
    for text in ["", "# nothing\n", "basic_auth_users:\n", "tls_server_config:\nhttp_server_config: {}\n"] {
        let file = read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        assert!(file.tls.is_none() && file.users.is_empty() && file.headers.is_empty(), "{text}");
    }
}

#[test]
fn texts_in_the_file_do_as_well_as_files() {
    let fixture = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name);
        fs::read_to_string(path).unwrap().lines().map(|line| format!("    {line}\n")).collect::<String>()
    };
    let (cert, key) = (fixture("server.pem"), fixture("server.key"));
    let text = format!("tls_server_config:\n  cert: |\n{cert}  key: |\n{key}");
    assert!(read(&text).unwrap().tls.is_some());
    let said = problems(&format!("{text}  key_file: server.key\n"));
    assert!(said.len() == 1 && said[0].contains("`tls_server_config.key_file`: is given beside `key`"), "{said:?}");
    assert!(!said[0].contains("PRIVATE"), "{said:?}");
}

/// A file that begins with `+` goes on after the certificate and its key, and `HASH` is one.
const MISTAKES: &[(&str, &str)] = &[
    (
        "tls_server_confg: {}\n",
        "web.yml:1:1: `tls_server_confg`: unknown key `tls_server_confg`; did you mean `tls_server_config`?",
    ),
    ("- a\n", "web.yml:1:1: a map of keys and values belongs here"),
    ("tls_server_config: [\n", "web.yml:"),
    ("basic_auth_users: {a: x}\nbasic_auth_users: {}\n", "web.yml:2:1: the key `basic_auth_users` stands twice"),
    ("basic_auth_users: [a]\n", "web.yml:1:19: `basic_auth_users`: must be names and their texts"),
    ("basic_auth_users:\n  ada: sesame\n", "web.yml:2:8: `basic_auth_users.ada`: is no hash of argon2id or bcrypt"),
    ("basic_auth_users:\n  ada:\n", "web.yml:2:3: `basic_auth_users.ada`: has no hash"),
    (
        "basic_auth_users:\n  a:b: HASH\n",
        "web.yml:2:3: `basic_auth_users.a:b`: a user name is not empty and holds no `:`",
    ),
    ("rate_limit: {interval: 1s, burst: 5}\n", "web.yml:1:1: `rate_limit`: is not executed"),
    ("http_server_config: {http2: true}\n", "web.yml:1:29: `http_server_config.http2`: HTTP/2 is not spoken"),
    (
        "http_server_config:\n  headers:\n    X-Frame-Options: never\n",
        "web.yml:3:22: `http_server_config.headers.X-Frame-Options`: must be deny or sameorigin",
    ),
    (
        "http_server_config:\n  headers:\n    X-Frame-Options: ''\n",
        "web.yml:3:22: `http_server_config.headers.X-Frame-Options`: must be deny or sameorigin",
    ),
    (
        "http_server_config:\n  headers:\n    Server: me\n",
        "web.yml:3:5: `http_server_config.headers.Server`: unknown key",
    ),
    ("http_server_config:\n  headers:\n    X-XSS-Protection: \"a\\nb\"\n", "holds what no HTTP header can carry"),
    ("tls_server_config: {}\n", "web.yml:1:1: `tls_server_config`: needs `cert_file`"),
    ("tls_server_config:\n  cert_file: server.pem\n", "web.yml:1:1: `tls_server_config`: needs `key_file`"),
    ("tls_server_config:\n  min_version: TLS13\n", "web.yml:1:1: `tls_server_config`: needs `cert_file`"),
    (
        "tls_server_config:\n  cert_file: no.pem\n  key_file: server.key\n",
        "web.yml:2:14: `tls_server_config.cert_file`: cannot read no.pem",
    ),
    ("tls_server_config:\n  cert_file: .\n  key_file: server.key\n", "it is no plain file"),
    (
        "tls_server_config:\n  cert_file: server.key\n  key_file: server.key\n",
        "web.yml:2:14: `tls_server_config.cert_file`: has no certificate in it",
    ),
    (
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.pem\n",
        "web.yml:3:13: `tls_server_config.key_file`: has no private key in it",
    ),
    (
        "tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n",
        "web.yml:3:13: `tls_server_config.key_file`: is not the key of the certificate",
    ),
    (
        "tls_server_config:\n  cert_file: expired.pem\n  key_file: expired.key\n",
        "web.yml:2:14: `tls_server_config.cert_file`: the certificate has expired, on 2020-01-02 00:00:00 UTC",
    ),
    ("+  client_auth_type: Maybe", "web.yml:4:21: `tls_server_config.client_auth_type`: must be one of NoClientCert, "),
    (
        "+  client_auth_type: RequireAndVerifyClientCert",
        "web.yml:4:21: `tls_server_config.client_auth_type`: needs `client_ca_file`",
    ),
    ("+  client_ca_file: ca.pem", "web.yml:4:3: `tls_server_config.client_ca_file`: is never asked"),
    (
        "+  client_ca_file: server.key\n  client_auth_type: RequireAndVerifyClientCert",
        "web.yml:4:19: `tls_server_config.client_ca_file`: has no certificate",
    ),
    (
        "+  client_allowed_sans: [a]",
        "web.yml:4:3: `tls_server_config.client_allowed_sans`: needs `client_auth_type: RequireAndVerifyClientCert`",
    ),
    (
        "+  client_allowed_sans: [a]\n  client_auth_type: RequireAnyClientCert",
        "`tls_server_config.client_allowed_sans`: needs",
    ),
    (
        "+  client_allowed_sans: []\n  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert",
        "names nobody",
    ),
    ("+  min_version: TLS10", "web.yml:4:16: `tls_server_config.min_version`: TLS10 is too old"),
    ("+  max_version: TLS11", "web.yml:4:16: `tls_server_config.max_version`: TLS11 is too old"),
    ("+  min_version: 1.2", "web.yml:4:16: `tls_server_config.min_version`: 1.2 is no version"),
    ("+  min_version: TLS13\n  max_version: TLS12", "web.yml:5:16: `tls_server_config.max_version`: is older"),
    (
        "+  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]",
        "web.yml:4:43: `tls_server_config.cipher_suites[1]`: sickbay does not have `TLS_RSA_WITH_AES_128_CBC_SHA`; it has TLS_",
    ),
    (
        "+  curve_preferences: [CurveP521]",
        "web.yml:4:23: `tls_server_config.curve_preferences[0]`: sickbay does not have `CurveP521`; it has X25519, CurveP256, CurveP384",
    ),
    (
        "+  prefer_server_cipher_suites: yes",
        "web.yml:4:32: `tls_server_config.prefer_server_cipher_suites`: must be true or false",
    ),
];

#[test]
fn every_mistake_is_named_with_its_line_its_column_and_its_key() {
    for (text, want) in MISTAKES {
        let text = text.strip_prefix('+').map_or_else(|| (*text).to_owned(), |keys| format!("{PAIR}{keys}\n"));
        let said = problems(&text.replace("HASH", HASH));
        assert!(said.len() == 1 && said[0].contains(want), "{text}\n{want}\n{said:#?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let said = problems(
        "tls_server_config:\n  cert_file: no.pem\n  key_file: no.key\n  min_version: TLS9\nbasic_auth_users: {a: b}\nx: 1\n",
    );
    let places: Vec<&str> = said.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
    assert_eq!(places, ["2", "3", "4", "5", "6"], "{said:#?}");
}

#[test]
fn what_protects_is_neither_taken_away_nor_weakened_while_it_runs() {
    let users = format!("basic_auth_users: {{a: {HASH}}}\n");
    let verified = format!("{PAIR}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let all = format!("{verified}{users}");
    let (_folder, path) = folder(&all);
    let before = WebFile::read(&path).unwrap();
    for (text, may) in [
        (all.replace("server.", "renewed."), true),
        (all.replace("{a:", "{b:"), true),
        (all.replace("client_ca_file: ca.pem", "client_ca_file: other-ca.pem"), true),
        (format!("{all}http_server_config: {{headers: {{X-Frame-Options: deny}}}}\n"), true),
        (verified, false),
        (users.clone(), false),
        (format!("{PAIR}{users}"), false),
        (String::new(), false),
    ] {
        fs::write(&path, &text).unwrap();
        assert_ne!(before.digest_now(), before.digest, "{text}");
        let new = WebFile::read(&path).unwrap();
        assert_eq!(before.may_become(&new).is_ok(), may, "{text}");
    }
    fs::write(&path, &all).unwrap();
    assert_eq!(before.digest_now(), before.digest);
    for named in ["server.pem", "server.key", "ca.pem"] {
        let other = path.with_file_name(named);
        let kept = fs::read(&other).unwrap();
        fs::write(&other, "x").unwrap();
        assert_ne!(before.digest_now(), before.digest, "{named}");
        fs::write(&other, kept).unwrap();
    }
}

/// Greets in memory, as a client with this certificate; whether the server has taken it.
fn is_let_in(file: &WebFile, client: Option<&str>) -> bool {
    let pem = |name: &str| fs::read(format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = vec![CertificateDer::from_pem_slice(&pem(&format!("{name}.pem"))).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(&pem(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let mut client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&file.tls.as_ref().unwrap().config)).unwrap();
    for _ in 0..8 {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        let mut there = &*there;
        while !there.is_empty() {
            server.read_tls(&mut there).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
        }
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        let mut back = &*back;
        while !back.is_empty() {
            client.read_tls(&mut back).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    !server.is_handshaking()
}

#[test]
fn clients_show_the_certificate_that_the_file_asks_for() {
    let ca = "client_ca_file: ca.pem";
    for (keys, none, client, stranger, server) in [
        (String::new(), true, true, true, true),
        ("client_auth_type: RequestClientCert".to_owned(), true, true, true, true),
        ("client_auth_type: RequireAnyClientCert".to_owned(), false, true, true, true),
        (format!("client_auth_type: VerifyClientCertIfGiven\n  {ca}"), true, true, false, false),
        (format!("client_auth_type: RequireAndVerifyClientCert\n  {ca}"), false, true, false, false),
        (
            format!(
                "client_auth_type: RequireAndVerifyClientCert\n  {ca}\n  client_allowed_sans: [prometheus.example]"
            ),
            false,
            true,
            false,
            false,
        ),
        (
            format!("client_auth_type: RequireAndVerifyClientCert\n  {ca}\n  client_allowed_sans: [example, client]"),
            false,
            false,
            false,
            false,
        ),
    ] {
        let file = read(&format!("{PAIR}  {keys}\n")).unwrap();
        let let_in = [None, Some("client"), Some("stranger"), Some("server")].map(|shown| is_let_in(&file, shown));
        assert_eq!(let_in, [none, client, stranger, server], "{keys}");
    }
}
