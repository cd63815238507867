//! Who may look and who may change something over HTTP: people of the settings, whoever knows the API token, or, without
//! both, programs on this machine; never another site's page.
//!
//! A browser on this machine is such a program too, so whatever a foreign page could make it send is refused: by the
//! headers that browsers add, and by the name in `Host` (a name that leads here only by a trick of DNS is not ours). Read
//! [`Guard::admit`] first.

mod denied;
mod entrance;
mod oidc;
mod origin;
mod presented;
#[cfg(test)]
mod tests;

use super::sessions::{Sessions, Way, form_token, is_form_token};
use crate::oidc::Provider;
use crate::people::{Attempts, ForwardAuth, LinkKey, OidcLogin, People, Person, Role, SlackApp};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
pub use denied::Denied;
pub(in crate::web) use entrance::Entered;
pub use oidc::{Begins, CameBack, NotIn};
use origin::{address_of, is_foreign, is_local, origin_of, says_where, user_of};
use presented::Presented;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// How many passwords are checked at the same time: each takes a core and much memory.
const CHECKING_MAX: usize = 2;

/// The cookie of a session.
const COOKIE: &str = "sickbay_session";

/// The same over TLS: browsers let nobody but the very host set it, and only over TLS.
const TLS_COOKIE: &str = "__Host-sickbay_session";

/// Where a request came from; the server puts it into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address.
    Address(IpAddr),
    /// A user of this machine, by the kernel's word, over `web.socket`.
    User(u32),
}

/// What the settings say about who is let in.
#[derive(Debug, Default)]
pub struct Access {
    /// The API token. Without one, and without people, programs on this machine need not prove anything.
    pub token: Option<SecretString>,
    /// Who can prove who they are.
    pub people: People,
    /// Whether nobody but this machine reaches the daemon, neither directly nor by a proxy with a name of its own: then
    /// its programs may look without a proof.
    pub only_here: bool,
    /// How people reach the pages, where the settings say it.
    pub external_url: Option<String>,
    /// Whether the daemon speaks TLS itself.
    pub tls: bool,
    /// The proxies that say who somebody is.
    pub forward: Option<ForwardAuth>,
    /// The Slack app whose word counts for who has clicked.
    pub slack: Option<SlackApp>,
    /// What signed links are signed with.
    pub links: Option<LinkKey>,
    /// The provider of OpenID Connect whose word counts for who has logged in.
    pub oidc: Option<OidcLogin>,
}

/// Lets in, or not.
pub struct Guard {
    known: RwLock<Known>,
    attempts: Attempts,
    checking: Arc<Semaphore>,
    sessions: Sessions,
    /// For the forms of those whom a proxy names; `None` if the system gave no random numbers.
    key: Option<[u8; 32]>,
    /// How many requests named somebody that nobody trusted has named.
    ignored: AtomicU64,
}

/// Somebody who is logged in with a browser.
pub struct LoggedIn {
    /// Who.
    pub person: Arc<Person>,
    secret: String,
    over_tls: bool,
    /// The word in the record of what they do.
    channel: &'static str,
    /// A proxy has them log in and out.
    by_proxy: bool,
}

/// [`Access`], as it is asked.
#[derive(Clone)]
struct Known {
    /// SHA-256 of the API token.
    token: Option<[u8; 32]>,
    people: Arc<People>,
    only_here: bool,
    /// The origin of the pages' URL.
    origin: Option<Arc<str>>,
    tls: bool,
    forward: Option<Arc<ForwardAuth>>,
    slack: Option<Arc<SlackApp>>,
    links: Option<Arc<LinkKey>>,
    oidc: Option<Arc<Provider>>,
}

impl From<Access> for Known {
    fn from(access: Access) -> Self {
        let Access { token, people, only_here, external_url, tls, forward, slack, links, oidc } = access;
        let token = token.map(|token| digest(token.expose_secret().as_bytes()));
        let origin = external_url.as_deref().and_then(origin_of).map(Arc::from);
        // Where there is a proxy, a request of this machine may be anybody's.
        let only_here = only_here && forward.is_none();
        let (forward, slack, links) = (forward.map(Arc::new), slack.map(Arc::new), links.map(Arc::new));
        let oidc = oidc.map(|login| Arc::new(Provider::new(login)));
        Self { token, people: Arc::new(people), only_here, origin, tls, forward, slack, links, oidc }
    }
}

impl Known {
    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        is_foreign(headers, self.origin.as_deref(), self.tls)
    }

    /// Refuses a form that no page of ours has sent, as far as whoever sends it says: a browser that says nothing is
    /// turned away, for it would say nothing of a foreign page's form either.
    fn must_be_own_form(&self, headers: &HeaderMap) -> Result<(), Denied> {
        if self.is_foreign(headers) {
            return Err(Denied::Foreign);
        }
        if says_where(headers) { Ok(()) } else { Err(Denied::Unsaid) }
    }

    /// What a session of this person rests on; `None` if there is no such way to log in any more.
    fn credentials(&self, person: &Person, way: Way) -> Option<[u8; 32]> {
        match way {
            Way::Password => Some(person.credentials()),
            Way::Oidc => self.oidc.as_ref().map(|provider| provider.login().credentials(person)),
        }
    }

    fn over_tls(&self) -> bool {
        self.origin.as_deref().map_or(self.tls, |origin| origin.starts_with("https://"))
    }

    /// Whether it is the API token, or that of a person.
    fn has_token(&self, token: &[u8]) -> bool {
        let is_ours = self.token.as_ref().is_some_and(|wanted| digest(token).ct_eq(wanted).into());
        is_ours || self.people.by_token(token).is_some()
    }
}

/// Who was let in.
#[derive(Clone, Debug)]
pub enum Caller {
    /// One of the people of the settings.
    Person(Arc<Person>),
    /// Whoever knows the API token.
    Token,
    /// A program on this machine.
    Machine,
}

impl Guard {
    /// Lets in as the settings say.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self {
            known: RwLock::new(access.into()),
            attempts: Attempts::default(),
            checking: Arc::new(Semaphore::new(CHECKING_MAX)),
            sessions: Sessions::default(),
            key: random(),
            ignored: AtomicU64::new(0),
        }
    }

    /// From the next request on, the settings say this.
    pub fn change(&self, access: Access) {
        let mut new = Known::from(access);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever is on the way there and back need not begin again.
        if let Some((old, same)) = known.oidc.clone().zip(new.oidc.clone())
            && old.login().is_same(same.login())
        {
            new.oidc = Some(old);
        }
        *known = new;
    }

    /// The people of the settings.
    #[must_use]
    pub fn people(&self) -> Arc<People> {
        self.known().people
    }

    /// The Slack app of the settings, if there is one.
    #[must_use]
    pub fn slack(&self) -> Option<Arc<SlackApp>> {
        self.known().slack
    }

    /// What signed links are signed with, if the settings have them.
    #[must_use]
    pub fn links(&self) -> Option<Arc<LinkKey>> {
        self.known().links
    }

    /// Refuses what a page of another site sends.
    ///
    /// # Errors
    /// If it is that.
    pub fn refuse_foreign(&self, head: &Parts) -> Result<(), Denied> {
        if self.known().is_foreign(&head.headers) { Err(Denied::Foreign) } else { Ok(()) }
    }

    /// Whether the request may change something that takes this role, and who sends it.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub async fn admit(&self, head: &Parts, role: Role) -> Result<Caller, Denied> {
        let known = self.known();
        if known.is_foreign(&head.headers) {
            return Err(Denied::Foreign);
        }
        match self.proved(head, &known).await? {
            Some(Caller::Person(person)) if !person.may(role) => Err(Denied::Role(role)),
            Some(caller) => Ok(caller),
            // Once somebody is named who may operate, being on this machine proves nothing: a proxy is there too.
            None if known.token.is_some() || known.forward.is_some() || known.people.any_may(role) => {
                Err(if is_user(head) { Denied::Role(role) } else { Denied::Token })
            }
            None => is_local(head).then_some(Caller::Machine).ok_or(Denied::Elsewhere),
        }
    }

    /// Whether the request may see what is known; false if it does not try to prove anything and would have to.
    ///
    /// While nobody stands in `people`, everybody may. Then whoever proves to be one of them, or knows the API token; and
    /// programs on this machine, as long as nobody else reaches the daemon.
    ///
    /// # Errors
    /// [`Denied`] says why what it proves is not enough.
    pub async fn look(&self, head: &Parts) -> Result<bool, Denied> {
        let known = self.known();
        if known.people.is_empty() || (known.only_here && is_local(head)) {
            return Ok(true);
        }
        match self.proved(head, &known).await? {
            Some(Caller::Person(person)) if !person.may(Role::View) => Err(Denied::Role(Role::View)),
            Some(Caller::Person(_) | Caller::Token | Caller::Machine) => Ok(true),
            None => Ok(is_user(head)),
        }
    }

    /// The person who sends the request, if they have this role. A token of nobody, or a place, is no person.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub async fn person(&self, head: &Parts, role: Role) -> Result<Arc<Person>, Denied> {
        let known = self.known();
        if known.is_foreign(&head.headers) {
            return Err(Denied::Foreign);
        }
        match self.proved(head, &known).await {
            Ok(Some(Caller::Person(person))) if person.may(role) => Ok(person),
            Ok(Some(Caller::Person(_))) => Err(Denied::Role(role)),
            Ok(Some(Caller::Token | Caller::Machine) | None) | Err(Denied::Token) => Err(Denied::Nobody),
            Err(denied) => Err(denied),
        }
    }

    /// Who is logged in, by the word of a trusted proxy, or else by the cookie of a request. Whoever is gone from the
    /// settings, or has another password or token there by now, is so no more.
    #[must_use]
    pub fn session(&self, head: &Parts) -> Option<LoggedIn> {
        let (known, headers) = (self.known(), &head.headers);
        let over_tls = known.over_tls();
        if let Some(named) = self.named_by_proxy(head, &known) {
            // Whom a trusted proxy names is nobody else, and who is unknown is nobody.
            let person = named?;
            let secret = self.key.map(|key| secret_of(&key, &person.name))?;
            return Some(LoggedIn { person, secret, over_tls, channel: Way::Password.channel(), by_proxy: true });
        }
        let wanted = if over_tls { TLS_COOKIE } else { COOKIE };
        let secret = cookie(headers, wanted)?;
        let of = self.sessions.find(secret, Instant::now())?;
        let person = known.people.named(&of.person)?;
        if known.credentials(person, of.way) != Some(of.credentials) {
            return None;
        }
        let (secret, channel) = (secret.to_owned(), of.way.channel());
        Some(LoggedIn { person: Arc::clone(person), secret, over_tls, channel, by_proxy: false })
    }

    /// Who has sent a form of ours, if they have this role: the cookie alone is not enough.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub fn of_form(&self, head: &Parts, token: &str, role: Role) -> Result<LoggedIn, Denied> {
        self.known().must_be_own_form(&head.headers)?;
        let known = self.session(head).ok_or(Denied::Nobody)?;
        if !is_form_token(&known.secret, token) {
            return Err(Denied::Foreign);
        }
        if known.person.may(role) { Ok(known) } else { Err(Denied::Role(role)) }
    }

    /// Lets somebody in by name, and password or token.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub async fn log_in(&self, head: &Parts, name: String, proof: SecretString) -> Result<LoggedIn, Denied> {
        let known = self.known();
        known.must_be_own_form(&head.headers)?;
        let people = &known.people;
        let from = address_of(head);
        if !self.attempts.begin(from, Instant::now()) {
            return Err(Denied::TooOften);
        }
        let by_token = people.by_token(proof.expose_secret().as_bytes()).filter(|person| person.name == name);
        let found = match by_token {
            Some(person) => Some(person),
            None => self.by_password(people, (name, proof)).await,
        };
        let Some(person) = found else {
            tracing::warn!(peer = from.map(tracing::field::display), "somebody could not log in");
            return Err(Denied::Nobody);
        };
        self.attempts.succeeded(from);
        let secret = self.begin_session(&person, (Way::Password, &known)).ok_or(Denied::Nobody)?;
        tracing::info!(person = person.name, "logged in");
        let (over_tls, channel) = (known.over_tls(), Way::Password.channel());
        Ok(LoggedIn { person, secret, over_tls, channel, by_proxy: false })
    }

    fn begin_session(&self, person: &Person, (way, known): (Way, &Known)) -> Option<String> {
        self.sessions.begin(&person.name, (way, known.credentials(person, way)?), Instant::now())
    }

    /// Ends a session.
    pub fn log_out(&self, known: &LoggedIn) {
        self.sessions.end(&known.secret);
    }

    /// How many requests since the last question named somebody in the header of proxies, and came from none of them.
    pub fn ignored(&self) -> u64 {
        self.ignored.swap(0, Ordering::Relaxed)
    }

    /// Whom a trusted proxy names: `None` if none does, `Some(None)` if it names nobody who is known.
    fn named_by_proxy(&self, head: &Parts, known: &Known) -> Option<Option<Arc<Person>>> {
        let forward = known.forward.as_deref()?;
        let mut names = head.headers.get_all(&*forward.header).iter();
        let name = names.next()?;
        let from = address_of(head);
        let mut secrets = head.headers.get_all(&*forward.secret_header).iter();
        let secret = secrets.next().filter(|_| secrets.next().is_none());
        if !secret.is_some_and(|secret| forward.trusts(from, secret.as_bytes())) {
            self.ignored.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(peer = from.map(tracing::field::display), "named somebody, and is no trusted proxy");
            return None;
        }
        let name = name.to_str().ok().filter(|_| names.next().is_none());
        Some(name.and_then(|name| known.people.named(name)).cloned())
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who the request proves to come from; `None` if it does not try to prove anything, or there is nobody to be.
    async fn proved(&self, head: &Parts, known: &Known) -> Result<Option<Caller>, Denied> {
        match head.extensions.get::<Entered>() {
            Some(Entered::Person(person)) => return Ok(Some(Caller::Person(Arc::clone(person)))),
            Some(Entered::User(name)) => return Ok(known.people.named(name).cloned().map(Caller::Person)),
            None => {}
        }
        let presented = Presented::read(&head.headers);
        if matches!(presented, Presented::Nothing)
            && let Some(person) = user_of(head).and_then(|uid| known.people.by_uid(uid))
        {
            return Ok(Some(Caller::Person(Arc::clone(person))));
        }
        if matches!(presented, Presented::Nothing) || (known.people.is_empty() && known.token.is_none()) {
            return Ok(None);
        }
        // A token that fits is looked at whatever else comes from there: strangers must not lock out those who are needed.
        if let Presented::Bearer(token) = &presented {
            if known.token.as_ref().is_some_and(|wanted| digest(token).ct_eq(wanted).into()) {
                return Ok(Some(Caller::Token));
            }
            if let Some(person) = known.people.by_token(token) {
                return Ok(Some(Caller::Person(person)));
            }
        }
        let from = address_of(head);
        if !self.attempts.begin(from, Instant::now()) {
            return Err(Denied::TooOften);
        }
        let found = match presented {
            Presented::Bearer(_) => None,
            Presented::Basic { name, password } => self.by_password(&known.people, (name, password)).await,
            Presented::Nothing | Presented::Nonsense => None,
        };
        let Some(person) = found else {
            tracing::warn!(peer = from.map(tracing::field::display), "somebody could not prove who they are");
            return Err(Denied::Token);
        };
        self.attempts.succeeded(from);
        Ok(Some(Caller::Person(person)))
    }

    async fn by_password(&self, people: &Arc<People>, (name, password): (String, SecretString)) -> Option<Arc<Person>> {
        // The turn ends with the check, not with the request: whoever hangs up must not let in one more.
        let turn = Arc::clone(&self.checking).acquire_owned().await.ok()?;
        let people = Arc::clone(people);
        let check = move || {
            let _turn = turn;
            people.by_password(&name, password.expose_secret())
        };
        tokio::task::spawn_blocking(check).await.ok().flatten()
    }
}

impl LoggedIn {
    /// Whether a proxy has them log in and out, and not we.
    #[must_use]
    pub fn by_proxy(&self) -> bool {
        self.by_proxy
    }

    /// The word in the record of what they do.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        self.channel
    }

    /// What each of their forms must bring back.
    #[must_use]
    pub fn form_token(&self) -> String {
        form_token(&self.secret)
    }

    /// The cookie to set: no script sees it, and no other site's page has it sent.
    #[must_use]
    pub fn cookie(&self) -> String {
        self.cookie_of(&self.secret, "")
    }

    /// The cookie of nobody.
    #[must_use]
    pub fn no_cookie(&self) -> String {
        self.cookie_of("", "; Max-Age=0")
    }

    fn cookie_of(&self, secret: &str, ends: &str) -> String {
        let (name, secure) = if self.over_tls { (TLS_COOKIE, "; Secure") } else { (COOKIE, "") };
        format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}")
    }
}

impl Caller {
    /// Under which name it is recorded. A person's is proved; what others claim is only what they say, and is marked where
    /// it is the name of somebody who could have proved it, or looks like it.
    #[must_use]
    pub fn name(&self, claimed: String, people: &People) -> String {
        match self {
            Self::Person(person) => person.name.clone(),
            Self::Token | Self::Machine if people.may_be_taken_for_one(&claimed) => format!("unproven:{claimed}"),
            Self::Token | Self::Machine => claimed,
        }
    }
}

/// Whether a user of `web.config_file` sends it: they may look.
fn is_user(head: &Parts) -> bool {
    matches!(head.extensions.get::<Entered>(), Some(Entered::User(_)))
}

/// The value of a cookie of this name.
fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// What stands for a session where a proxy keeps it: the same for each request, and known to nobody else.
fn secret_of(key: &[u8; 32], name: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"proxy/v1\0");
    hash.update(key);
    hash.update(name);
    hex::encode(hash.finalize())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
