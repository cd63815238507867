//! Who comes in at all, where `web.config_file` names users: before any path, and before anybody is asked what they may do.

use super::origin::{address_of, user_of};
use super::presented::Presented;
use super::{Denied, Guard};
use crate::people::Person;
use crate::web::front::Door;
use axum::http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Instant;

/// Who has come in by a password: put into the request, so that it is not checked twice.
#[derive(Clone, Debug)]
pub(in crate::web) enum Entered {
    /// A user of `web.config_file`: they may look, and are a person only if `people` has their name.
    User(Arc<str>),
    /// One of `people`, by their own password.
    Person(Arc<Person>),
}

impl Guard {
    /// Lets in whoever has the password of one of the users, or proves to be one of `people`, or has the API token. What
    /// they may do is asked later; `None` leaves the proof to that.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub(in crate::web) async fn enter(&self, head: &Parts, door: &Arc<Door>) -> Result<Option<Entered>, Denied> {
        let known = self.known();
        let presented = Presented::read(&head.headers);
        let (name, password) = match presented {
            Presented::Nothing => {
                let is_known = user_of(head).is_some_and(|uid| known.people.by_uid(uid).is_some());
                return if is_known { Ok(None) } else { Err(Denied::Closed) };
            }
            Presented::Bearer(token) if known.has_token(&token) => return Ok(None),
            Presented::Basic { name, password } => (name, password),
            Presented::Bearer(_) | Presented::Nonsense => (String::new(), SecretString::default()),
        };
        if !name.is_empty() && door.users.have_seen(&name, password.expose_secret()) {
            return Ok(Some(Entered::User(name.into())));
        }
        let from = address_of(head);
        if !self.attempts.begin(from, Instant::now()) {
            return Err(Denied::TooOften);
        }
        let found = if name.is_empty() { None } else { self.by_any_password(&known, door, (name, password)).await };
        let Some(entered) = found else {
            tracing::warn!(peer = from.map(tracing::field::display), "somebody could not come in");
            return Err(Denied::Closed);
        };
        self.attempts.succeeded(from);
        Ok(Some(entered))
    }

    /// Both are asked, whichever of them knows the name, so that the time tells nothing.
    async fn by_any_password(
        &self,
        known: &super::Known,
        door: &Arc<Door>,
        (name, password): (String, SecretString),
    ) -> Option<Entered> {
        let turn = Arc::clone(&self.checking).acquire_owned().await.ok()?;
        let (people, door) = (Arc::clone(&known.people), Arc::clone(door));
        let check = move || {
            let _turn = turn;
            let is_user = door.users.check(&name, password.expose_secret());
            let person = (!is_user && !people.is_empty()).then(|| people.by_password(&name, password.expose_secret()));
            match person.flatten() {
                Some(person) => Some(Entered::Person(person)),
                None => is_user.then(|| Entered::User(name.into())),
            }
        };
        tokio::task::spawn_blocking(check).await.ok().flatten()
    }
}
