//! A provider of OpenID Connect, small but real: it sends browsers back with a code, holds whoever brings the code to PKCE and
//! to its secret, and signs ID tokens with a key of its own. It can be told to give bad ones, to be slow, and to be away.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sickbay::people::Mac;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What nobody but the provider and the daemon may ever see.
pub(crate) const SECRET: &str = "c4nary-of-the-client secret:+&";

/// Who has signed a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The provider.
    #[default]
    Own,
    /// Somebody else.
    Other,
    /// Nobody.
    Nobody,
    /// Whoever has read the public key, as if it were a secret.
    Reader,
}

/// What is different from what is right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twist {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) metadata: Value,
    pub(crate) signer: Signer,
    /// Each answer comes so much later.
    pub(crate) delay: Duration,
}

struct Code {
    nonce: String,
    challenge: String,
    redirect: String,
}

struct Inner {
    issuer: String,
    key: Mutex<(String, EcdsaKeyPair)>,
    twist: Mutex<Twist>,
    codes: Mutex<BTreeMap<String, Code>>,
    asked: Mutex<Vec<String>>,
}

/// Serves as long as the test lasts.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

/// Pairs of a query or a form.
pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = http::Uri::try_from(format!("http://a/?{text}")).unwrap();
    let decoded = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.bytes());
        while let Some(byte) = rest.next() {
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let query = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    query.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

impl Provider {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            issuer,
            key: Mutex::new(("k1".to_owned(), new_key())),
            twist: Mutex::default(),
            codes: Mutex::default(),
            asked: Mutex::default(),
        };
        let provider = Self(Arc::new(inner));
        let serving = provider.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let provider = serving.clone();
                std::thread::spawn(move || provider.serve(stream));
            }
        });
        provider
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// From now on it differs so.
    pub(crate) fn twist(&self, twist: Twist) {
        *self.0.twist.lock().unwrap() = twist;
    }

    /// From now on it signs with another key.
    pub(crate) fn rotate(&self, kid: &str) {
        *self.0.key.lock().unwrap() = (kid.to_owned(), new_key());
    }

    /// The paths that were asked for, so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    /// Somebody logs in there, whose browser came with this query: a code for it.
    pub(crate) fn agree(&self, query: &BTreeMap<String, String>) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        let code = format!("c4nary-code-{}", hex::encode(bytes));
        assert_eq!((&*query["response_type"], &*query["code_challenge_method"]), ("code", "S256"));
        let [nonce, challenge, redirect] =
            ["nonce", "code_challenge", "redirect_uri"].map(|name| query.get(name).unwrap().clone());
        self.0.codes.lock().unwrap().insert(code.clone(), Code { nonce, challenge, redirect });
        code
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length, mut authorization) = (String::new(), 0, None);
        reader.read_line(&mut first).ok()?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    authorization = Some(value.trim().to_owned());
                }
                None => break,
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let target = first.split(' ').nth(1)?.to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        self.0.asked.lock().unwrap().push(path.to_owned());
        let twist = self.0.twist.lock().unwrap().clone();
        std::thread::sleep(twist.delay);
        let (status, headers, answer) = match path {
            "/.well-known/openid-configuration" => ("200 OK", String::new(), self.metadata(&twist).to_string()),
            "/jwks" => ("200 OK", String::new(), json!({"keys": [self.jwk()]}).to_string()),
            "/authorize" => {
                let query = pairs(query);
                let (code, state) = (self.agree(&query), &query["state"]);
                let to = format!("{}?code={code}&state={state}&iss={}", query["redirect_uri"], self.0.issuer);
                ("302 Found", format!("Location: {to}\r\n"), String::new())
            }
            "/token" => match self.token(&pairs(&String::from_utf8(body).ok()?), authorization.as_deref(), &twist) {
                Ok(token) => ("200 OK", String::new(), json!({"id_token": token, "token_type": "Bearer"}).to_string()),
                Err(error) => ("400 Bad Request", String::new(), json!({"error": error}).to_string()),
            },
            _ => ("404 Not Found", String::new(), String::new()),
        };
        let length = answer.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        reader.into_inner().write_all(format!("{head}{answer}").as_bytes()).ok()
    }

    fn metadata(&self, twist: &Twist) -> Value {
        let issuer = &self.0.issuer;
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        changed(metadata, &twist.metadata)
    }

    fn jwk(&self) -> Value {
        let key = self.0.key.lock().unwrap();
        let (x, y) = key.1.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({"kty": "EC", "crv": "P-256", "kid": key.0, "use": "sig", "alg": "ES256", "x": x, "y": y})
    }

    /// A code is taken once, of whoever has the secret and the verifier.
    fn token(
        &self,
        form: &BTreeMap<String, String>,
        authorization: Option<&str>,
        twist: &Twist,
    ) -> Result<String, &'static str> {
        let code = self.0.codes.lock().unwrap().remove(form.get("code").ok_or("invalid_request")?);
        let code = code.ok_or("invalid_grant")?;
        let wanted = format!("sickbay:{}", SECRET.replace(' ', "+").replace("+&", "%2B%26").replace(':', "%3A"));
        if authorization != Some(&format!("Basic {}", STANDARD.encode(wanted))) {
            return Err("invalid_client");
        }
        let verifier = form.get("code_verifier").ok_or("invalid_request")?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        if challenge != code.challenge || form.get("redirect_uri") != Some(&code.redirect) {
            return Err("invalid_grant");
        }
        Ok(self.signed(&code.nonce, twist))
    }

    fn signed(&self, nonce: &str, twist: &Twist) -> String {
        let key = self.0.key.lock().unwrap();
        let header = changed(json!({"alg": "ES256", "kid": key.0, "typ": "JWT"}), &twist.header);
        let claims = json!({
            "iss": self.0.issuer, "aud": "sickbay", "sub": "248289", "nonce": nonce, "iat": now(), "exp": now() + 300,
            "email": "ada@example.org", "email_verified": true,
        });
        let claims = changed(claims, &twist.claims);
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let text = format!("{header}.{claims}");
        let by = |key: &EcdsaKeyPair| key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec();
        let signature = match twist.signer {
            Signer::Own => by(&key.1),
            Signer::Other => by(&new_key()),
            Signer::Nobody => Vec::new(),
            Signer::Reader => hex::decode(Mac::of(key.1.public_key().as_ref(), &[text.as_bytes()]).hex()).unwrap(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// With these members instead; null takes one away.
fn changed(mut value: Value, changes: &Value) -> Value {
    let members = value.as_object_mut().unwrap();
    members.extend(changes.as_object().cloned().unwrap_or_default());
    members.retain(|_, value| !value.is_null());
    value
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap()
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the daemon compares the times of a token with its own clock")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
