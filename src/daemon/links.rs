//! Who is sent a signed link with a question: the one person whom a notifier reaches, if they may decide about it.
//!
//! A link follows from the question alone, so one that is sent again is the same. Another key, another notifier of theirs,
//! or a role that is gone counts from the reload on. Read [`Links::of`].

use crate::model::approval::AskedPlan;
use crate::notifier::SignedLink;
use crate::people::{LinkAbout, LinkKey, Person, Role};
use crate::settings::Settings;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, PoisonError, RwLock};

/// Signs links. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Links(Arc<RwLock<Option<Issuer>>>);

/// What it takes.
#[derive(Clone, Debug)]
struct Issuer {
    key: LinkKey,
    /// Where the pages are. Ends in `/`.
    base: String,
    people: Vec<Person>,
}

impl Links {
    /// As the settings say.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(RwLock::new(Issuer::of(settings))))
    }

    /// From now on, the settings say this.
    pub fn change(&self, settings: &Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Issuer::of(settings);
    }

    /// The link that goes with a question to this notifier; `None` if there is nobody, or nothing, that it could be for.
    #[must_use]
    pub fn of(&self, notifier: &str, asks: &AskedPlan) -> Option<SignedLink> {
        let issuer = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (Issuer { key, base, people }, links) = (issuer.as_ref()?, asks.links.as_ref()?);
        let is_theirs = |person: &&Person| person.link_notifier.as_deref() == Some(notifier);
        let person = people.iter().find(is_theirs)?;
        if !person.may(Role::Approve) || !person.is_among(&links.from) {
            return None;
        }
        let approval = asks.approval.to_string();
        let until = links.until.timestamp();
        let about = LinkAbout { approval: &approval, plan: &asks.plan, approver: &person.name, until };
        let url = format!("{base}a/{approval}#{}", key.token(about).expose_secret());
        Some(SignedLink { person: person.name.clone(), url: SecretString::from(url), code: key.code(about) })
    }
}

impl Issuer {
    fn of(settings: &Settings) -> Option<Self> {
        let key = settings.approvals.link_key.clone()?;
        Some(Self { key, base: settings.web.external_url.clone()?, people: settings.people.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::approval::LinksFor;
    use crate::model::id::{ActId, IncidentId, Seq};
    use chrono::DateTime;

    fn person(name: &str, groups: &[&str], role: Role) -> Person {
        Person {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            roles: vec![role],
            password: None,
            token: None,
            uid: None,
            slack_user: None,
            link_notifier: (name != "zoe").then(|| format!("{name}-mail")),
        }
    }

    fn links() -> Links {
        let key = LinkKey::new(SecretString::from("0123456789abcdef0123456789abcdef")).unwrap();
        let people = vec![
            person("ada", &["sre"], Role::Approve),
            person("bob", &["dba"], Role::Approve),
            person("eve", &["sre"], Role::View),
            person("zoe", &["sre"], Role::Approve),
        ];
        Links(Arc::new(RwLock::new(Some(Issuer { key, base: "https://sickbay.example/s/".to_owned(), people }))))
    }

    #[test]
    fn a_link_goes_to_whoever_may_decide_by_the_notifier_that_reaches_them_alone() {
        let approval = ActId { incident: IncidentId(Seq(12)), number: 1 };
        let until = DateTime::from_timestamp(1_795_000_900, 0).unwrap();
        let asks = |from: Option<&str>| {
            let links = from.map(|from| LinksFor { from: vec![from.to_owned()], until });
            AskedPlan { approval, plan: "ab".repeat(32), links }
        };
        let links = links();
        for (notifier, from, want) in [
            ("ada-mail", Some("sre"), Some("ada")),
            ("ada-mail", Some("ada"), Some("ada")),
            ("ada-mail", Some("dba"), None),
            ("bob-mail", Some("dba"), Some("bob")),
            ("bob-mail", Some("sre"), None),
            ("eve-mail", Some("sre"), None),
            ("zoe-mail", Some("sre"), None),
            ("team", Some("sre"), None),
            ("log", Some("sre"), None),
            ("ada-mail", None, None),
        ] {
            let person = links.of(notifier, &asks(from)).map(|link| link.person);
            assert_eq!(person.as_deref(), want, "{notifier} {from:?}");
        }
        let one = links.of("ada-mail", &asks(Some("sre"))).unwrap();
        let again = links.of("ada-mail", &asks(Some("sre"))).unwrap();
        let url = one.url.expose_secret();
        assert!(url.starts_with("https://sickbay.example/s/a/i12.1#ada.1795000900."), "{url}");
        assert_eq!((url, one.code.expose_secret()), (again.url.expose_secret(), again.code.expose_secret()));
        assert!(!format!("{links:?} {one:?}").contains("0123456789abcdef"));
        let off = Links(Arc::default());
        assert!(off.of("ada-mail", &asks(Some("sre"))).is_none());
    }
}
