//! All people, found by what they present.

use super::alike::may_be_taken_for;
use super::password::PasswordHash;
use super::person::{Person, Role};
use super::token::TokenHash;
use std::sync::Arc;

/// Nobody's password: checked where nobody has the name, so that an answer takes as long.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2lja2JheXNpY2tiYXk$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// The people of the settings.
#[derive(Debug, Default)]
pub struct People(Vec<Arc<Person>>);

impl People {
    /// These.
    #[must_use]
    pub fn new(people: impl IntoIterator<Item = Person>) -> Self {
        Self(people.into_iter().map(Arc::new).collect())
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anybody has this role.
    #[must_use]
    pub fn any_may(&self, role: Role) -> bool {
        self.0.iter().any(|person| person.may(role))
    }

    /// Who has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Person>> {
        self.0.iter().find(|person| person.name == name)
    }

    /// Whether a name that somebody only claims could be taken for one of theirs, by a reader of the record.
    #[must_use]
    pub fn may_be_taken_for_one(&self, claimed: &str) -> bool {
        self.0.iter().any(|person| may_be_taken_for(claimed, &person.name))
    }

    /// Which of them a name could be taken for, by a reader of the record.
    pub fn looks_like<'a>(people: &'a [Person], name: &str) -> Option<&'a Person> {
        people.iter().find(|other| other.name != name && may_be_taken_for(name, &other.name))
    }

    /// Whose token this is. Looks at everybody's, however early one fits.
    #[must_use]
    pub fn by_token(&self, presented: &[u8]) -> Option<Arc<Person>> {
        let presented = TokenHash::digest(presented);
        let mut found = None;
        for person in &self.0 {
            if let Some(token) = &person.token
                && token.is(&presented).into()
            {
                found = Some(Arc::clone(person));
            }
        }
        found
    }

    /// Which of them is this user of the machine.
    #[must_use]
    pub fn by_uid(&self, uid: u32) -> Option<&Arc<Person>> {
        self.0.iter().find(|person| person.uid == Some(uid))
    }

    /// Which of them is this user in Slack.
    #[must_use]
    pub fn by_slack_user(&self, id: &str) -> Option<&Arc<Person>> {
        self.0.iter().find(|person| person.slack_user.as_deref() == Some(id))
    }

    /// Which of them is this user of the provider of OpenID Connect: byte by byte.
    #[must_use]
    pub fn by_oidc_user(&self, user: &str) -> Option<&Arc<Person>> {
        self.0.iter().find(|person| person.oidc_user.as_deref() == Some(user))
    }

    /// Whether anybody has a password or a token.
    #[must_use]
    pub fn any_has_password(&self) -> bool {
        self.0.iter().any(|person| person.password.is_some() || person.token.is_some())
    }

    /// Who has this name and this password. Slow, and as slow where nobody has the name.
    #[must_use]
    pub fn by_password(&self, name: &str, password: &str) -> Option<Arc<Person>> {
        let person = self.named(name);
        match person.and_then(|person| Some((person, person.password.as_ref()?))) {
            Some((person, hash)) => hash.fits(password).then(|| Arc::clone(person)),
            None => {
                _ = PasswordHash::parse(NOBODYS).is_ok_and(|nobodys| nobodys.fits(password));
                None
            }
        }
    }

    /// Those who get signed links and may decide about a plan that names these groups and people.
    pub fn by_link<'a>(&'a self, from: &'a [String]) -> impl Iterator<Item = &'a Arc<Person>> {
        let may = |person: &&Arc<Person>| {
            person.link_notifier.is_some() && person.may(Role::Approve) && person.is_among(from)
        };
        self.0.iter().filter(may)
    }

    /// The names of those who may decide about a plan that names these groups and people.
    pub fn who_may_decide<'a>(&'a self, from: &'a [String]) -> impl Iterator<Item = &'a str> {
        let may = |person: &&Arc<Person>| person.may(Role::Approve) && person.is_among(from);
        self.0.iter().filter(may).map(|person| &*person.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, groups: &[&str], roles: &[Role]) -> Person {
        Person {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            roles: roles.to_vec(),
            password: None,
            token: Some(TokenHash::of(&format!("{name}-has-a-long-token")).unwrap()),
            uid: None,
            slack_user: (name == "ada").then(|| "U0ADA".to_owned()),
            link_notifier: None,
            oidc_user: (name == "ada").then(|| "ada@example.org".to_owned()),
        }
    }

    fn people() -> People {
        let hash = PasswordHash::parse(&PasswordHash::make("sesame").unwrap()).unwrap();
        let ada = Person { password: Some(hash), ..person("ada", &["sre"], &[Role::Approve]) };
        People::new([ada, person("bob", &["sre"], &[Role::View]), person("eve", &[], &[Role::Admin])])
    }

    #[test]
    fn a_token_or_a_password_is_its_owners_and_nobody_elses() {
        let people = people();
        let name = |person: Option<Arc<Person>>| person.map(|person| person.name.clone());
        for (token, want) in [
            ("ada-has-a-long-token", Some("ada")),
            ("eve-has-a-long-token", Some("eve")),
            ("ada-has-a-long-toke", None),
            ("Ada-has-a-long-token", None),
            ("ada", None),
            ("", None),
        ] {
            assert_eq!(name(people.by_token(token.as_bytes())).as_deref(), want, "{token:?}");
        }
        for (who, password, want) in [
            ("ada", "sesame", Some("ada")),
            ("ada", "Sesame", None),
            ("bob", "sesame", None),
            ("bob", "", None),
            ("nobody", "sesame", None),
            ("\u{430}da", "sesame", None),
            ("", "", None),
        ] {
            assert_eq!(name(people.by_password(who, password)).as_deref(), want, "{who} {password:?}");
        }
        assert!(PasswordHash::parse(NOBODYS).is_ok(), "what nobody has costs as much as what somebody has");
    }

    #[test]
    fn a_user_of_the_provider_is_somebody_byte_by_byte() {
        let people = people();
        let name = |user: &str| people.by_oidc_user(user).map(|person| person.name.clone());
        assert_eq!(name("ada@example.org").as_deref(), Some("ada"));
        for nobody in [
            "",
            "ada",
            "Ada@example.org",
            "ada@example.org ",
            "ada@example.org\0",
            "\u{430}da@example.org",
            "\u{ff41}da@example.org",
            "ada@ex\u{430}mple.org",
            "ada\u{200b}@example.org",
        ] {
            assert_eq!(name(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn whoever_may_decide_is_named_and_has_the_role() {
        let people = people();
        let who = |from: &[&str]| {
            let from: Vec<String> = from.iter().map(|name| (*name).to_owned()).collect();
            people.who_may_decide(&from).map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        for (from, want) in [(&["sre"][..], "ada"), (&["sre", "eve"], "ada eve"), (&["bob"], ""), (&["sr"], "")] {
            assert_eq!(who(from), want, "{from:?}");
        }
        let roles = |name: &str| Role::ALL.map(|role| people.named(name).unwrap().may(role));
        assert_eq!(roles("ada"), [true, true, false, false]);
        assert_eq!(roles("bob"), [true, false, false, false]);
        assert_eq!(roles("eve"), [true; 4]);
    }
}
