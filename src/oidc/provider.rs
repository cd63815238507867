//! The provider, over the network: asked when somebody logs in and not before, with a deadline, and a few questions at a time.
//!
//! What it says of itself is kept for a while, and its keys for less; a key that is not known has them fetched once more.

use super::begun::{Begun, Logins};
use super::keys::Keys;
use super::metadata::Metadata;
use super::refused::{Away, Refused, Unfit};
use super::token::{Expected, subject};
use crate::http_client::trusting;
use crate::people::OidcLogin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long all that a login needs of the provider may take, before people are sent there and after they came back.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How long the provider's word about itself holds.
const METADATA_LASTS: Duration = Duration::from_secs(3600);

/// How long its keys do: one that it takes back is good for no longer.
const KEYS_LAST: Duration = Duration::from_secs(600);

/// The longest answer that is read.
const ANSWER_LEN_MAX: usize = 512 << 10;

/// So many questions are asked at the same time.
const ASKING_MAX: usize = 4;

/// The provider of the settings.
pub struct Provider {
    login: OidcLogin,
    http: Result<Client, String>,
    logins: Logins,
    metadata: Kept<Metadata>,
    keys: Kept<Keys>,
    asking: Semaphore,
}

/// What it has said, and since when that is known.
struct Kept<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Kept<T> {
    /// If it is no older than this.
    fn get(&self, lasts: Duration) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(since, _)| since.elapsed() < lasts).map(|(_, said)| Arc::clone(said))
    }

    fn keep(&self, said: T) -> Arc<T> {
        let said = Arc::new(said);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&said)));
        said
    }
}

/// What a browser is given to begin a login.
pub struct Beginning {
    /// Where it is sent.
    pub url: String,
    /// What it keeps until it comes back.
    pub cookie: String,
}

/// What a browser brings back from the provider.
#[derive(Default)]
pub struct Answer {
    code: Option<SecretString>,
    state: String,
    issuer: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Exchanged {
    id_token: String,
}

impl Answer {
    /// As it stands in the query. What stands there twice is not clear, and so it belongs to no login.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let all = |name: &str| pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect();
        let [code, state, issuer, error]: [Vec<String>; 4] = ["code", "state", "iss", "error"].map(all);
        if [&code, &state, &issuer, &error].iter().any(|values| 1 < values.len()) {
            return Self::default();
        }
        let first = |values: Vec<String>| values.into_iter().next();
        Self {
            code: first(code).map(SecretString::from),
            state: first(state).unwrap_or_default(),
            issuer: first(issuer),
            error: first(error),
        }
    }
}

impl Provider {
    /// The provider of these settings. Nothing is asked yet.
    #[must_use]
    pub fn new(login: OidcLogin) -> Self {
        let http = trusting(DEADLINE, login.ca.as_deref());
        Self {
            login,
            http,
            logins: Logins::new(Instant::now()),
            metadata: Kept(Mutex::default()),
            keys: Kept(Mutex::default()),
            asking: Semaphore::new(ASKING_MAX),
        }
    }

    /// What the settings say of it.
    #[must_use]
    pub fn login(&self) -> &OidcLogin {
        &self.login
    }

    /// Begins a login of somebody who was going to this path.
    ///
    /// # Errors
    /// [`Refused`], if the provider does not say where people log in.
    pub async fn begin(&self, to: &str) -> Result<Beginning, Refused> {
        let metadata = in_time(async { Ok(self.metadata().await?) }).await?;
        let (begun, cookie) = self.logins.begin(to, Instant::now()).ok_or(Refused::Busy)?;
        let mut url = metadata.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.login.client_id)
            .append_pair("redirect_uri", &self.login.redirect_url)
            .append_pair("scope", &self.login.scopes.join(" "))
            .append_pair("state", begun.state())
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &begun.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(Beginning { url: url.into(), cookie })
    }

    /// The login that an answer belongs to, if this browser has begun it and the answer is the first.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn recognise(&self, cookie: Option<&str>, answer: &Answer) -> Result<Begun, Refused> {
        self.logins.recognise(cookie, &answer.state, Instant::now())
    }

    /// Whom the provider vouches for; `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`Refused`] says why nobody.
    pub async fn vouch(&self, begun: &Begun, answer: Answer, now: i64) -> Result<String, Refused> {
        in_time(async {
            let metadata = self.metadata().await?;
            let named = match &answer.issuer {
                Some(issuer) => *issuer == self.login.issuer,
                None => !metadata.names_itself,
            };
            if !named {
                return Err(Refused::OtherProvider);
            }
            if let Some(error) = &answer.error {
                return Err(Refused::Provider(in_words(error)));
            }
            let token = self.exchange(&metadata, begun, &answer.code.ok_or(Refused::Code)?).await?;
            let expected = Expected { login: &self.login, nonce: &begun.nonce, now };
            let keys = self.keys(&metadata, None).await?;
            let found = match subject(token.expose_secret(), &keys, &expected) {
                // The provider may have changed its keys since.
                Err(Unfit::Key) => {
                    subject(token.expose_secret(), &*self.keys(&metadata, Some(&keys)).await?, &expected)
                }
                found => found,
            };
            Ok(found?)
        })
        .await
    }

    /// The ID token for a code.
    async fn exchange(&self, metadata: &Metadata, begun: &Begun, code: &SecretString) -> Result<SecretString, Refused> {
        let OidcLogin { client_id, client_secret, redirect_url, .. } = &self.login;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect_url),
            ("code_verifier", &begun.verifier),
        ];
        let mut request = self.http()?.post(metadata.token.clone());
        match client_secret {
            Some(secret) if !metadata.secret_in_body => {
                request = request.header(AUTHORIZATION, basic(client_id, secret));
            }
            Some(secret) => form.extend([("client_id", &**client_id), ("client_secret", secret.expose_secret())]),
            None => form.push(("client_id", client_id)),
        }
        let body = serde_urlencoded::to_string(form).map_err(|_never| Refused::Code)?;
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let (status, body) = self.ask(request).await?;
        if !status {
            tracing::warn!(issuer = self.login.issuer, error = oauth_error(&body), "a code was not taken");
            return Err(Refused::Code);
        }
        let exchanged: Exchanged = serde_json::from_slice(&body).map_err(|_no_token| Refused::Code)?;
        Ok(SecretString::from(exchanged.id_token))
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Away> {
        if let Some(metadata) = self.metadata.get(METADATA_LASTS) {
            return Ok(metadata);
        }
        let place = Url::parse(&Metadata::place(&self.login.issuer));
        let place = place.map_err(|error| self.unusable(&format!("`web.oidc.issuer` is no URL: {error}")))?;
        let json = self.fetch(place).await?;
        let metadata = Metadata::read(&json, &self.login.issuer).map_err(|why| self.unusable(&why))?;
        Ok(self.metadata.keep(metadata))
    }

    /// Its keys; others than these, if there are.
    async fn keys(&self, metadata: &Metadata, but: Option<&Arc<Keys>>) -> Result<Arc<Keys>, Away> {
        let others = |keys: &Arc<Keys>| but.is_none_or(|but| !Arc::ptr_eq(but, keys));
        if let Some(keys) = self.keys.get(KEYS_LAST).filter(others) {
            return Ok(keys);
        }
        let json = self.fetch(metadata.keys.clone()).await?;
        let keys = Keys::read(&json).ok_or_else(|| self.unusable("its keys cannot be read"))?;
        Ok(self.keys.keep(keys))
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, Away> {
        let shown = url.to_string();
        match self.ask(self.http()?.get(url).header(ACCEPT, "application/json")).await? {
            (true, body) => Ok(body),
            (false, _) => Err(self.unusable(&format!("{shown} does not answer with 200"))),
        }
    }

    /// Whether it is a 200, and its body.
    async fn ask(&self, request: RequestBuilder) -> Result<(bool, Vec<u8>), Away> {
        let _turn = self.asking.acquire().await.map_err(|_closed| Away::Unreachable)?;
        answered(request).await
    }

    fn http(&self) -> Result<&Client, Away> {
        self.http.as_ref().map_err(|why| self.unusable(why))
    }

    fn unusable(&self, why: &str) -> Away {
        tracing::warn!(issuer = self.login.issuer, why, "nobody can log in by the provider of `web.oidc`");
        Away::Unusable
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.login.issuer).finish_non_exhaustive()
    }
}

/// Within the deadline, all of it.
#[expect(clippy::disallowed_methods, reason = "what is dropped is a question; nobody has been let in for it yet")]
async fn in_time<T>(asking: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(asked) => asked,
        Err(_elapsed) => Err(Away::Slow(DEADLINE).into()),
    }
}

async fn answered(request: RequestBuilder) -> Result<(bool, Vec<u8>), Away> {
    let away = |error: reqwest::Error| {
        // Addresses are left out: they are the provider's, and what was sent may stand in them.
        let error = error.without_url();
        tracing::warn!(%error, "the provider of `web.oidc` cannot be asked");
        if error.is_timeout() { Away::Slow(DEADLINE) } else { Away::Unreachable }
    };
    let mut response: Response = request.send().await.map_err(away)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(away)? {
        body.extend_from_slice(&chunk);
        if ANSWER_LEN_MAX < body.len() {
            return Err(Away::Unusable);
        }
    }
    Ok((response.status() == reqwest::StatusCode::OK, body))
}

/// Name and secret as RFC 6749, section 2.3.1, has them.
fn basic(client_id: &str, secret: &SecretString) -> HeaderValue {
    let encoded = |text: &str| serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    let (name, secret) = (encoded(client_id), encoded(secret.expose_secret()));
    let pair = format!("{}:{}", name.trim_start_matches('='), secret.trim_start_matches('='));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .unwrap_or_else(|_never| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// The word with which a provider says no, if it is one of the standard's: anything else may be anybody's text.
fn oauth_error(body: &[u8]) -> &'static str {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    serde_json::from_slice::<Said>(body).map_or("no word of the standard", |said| in_words(&said.error))
}

fn in_words(error: &str) -> &'static str {
    const KNOWN: [&str; 17] = [
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_request_uri",
        "invalid_scope",
        "login_required",
        "registration_not_supported",
        "request_not_supported",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    ];
    KNOWN.into_iter().find(|known| *known == error).unwrap_or("it gives a reason that is none of the standard's")
}
