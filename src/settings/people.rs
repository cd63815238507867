//! `people` and `groups` of the settings: who may decide, operate and look, and how they prove who they are.

use super::raw::{RawForwardAuth, RawGroup, RawPerson};
use super::resolve::Checks;
use super::slack::slack_id;
use super::types::WebSettings;
use crate::model::pause::Pause;
use crate::people::{ForwardAuth, Network, PasswordHash, People, Person, Role, TokenHash};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a user that has no ID here: that of another user namespace (`user_namespaces(7)`), and none at all.
const NOBODYS_IDS: [u32; 2] = [65534, u32::MAX];

/// Whose user at the provider is written as this person's but for the case: few providers have two such.
fn differs_in_case<'p>(people: &'p [Person], person: &Person) -> Option<&'p Person> {
    let own = person.oidc_user.as_deref()?;
    let alike = |theirs: &str| theirs != own && theirs.eq_ignore_ascii_case(own);
    people.iter().find(|other| other.oidc_user.as_deref().is_some_and(alike))
}

impl Checks<'_> {
    /// Everybody who can be told from others; the rest is reported.
    pub(super) fn people(
        &mut self,
        (raw, groups): (Vec<RawPerson>, Vec<RawGroup>),
        web: &WebSettings,
        has_app: bool,
    ) -> Vec<Person> {
        let api_token = web.api_token.as_ref().map(|token| TokenHash::digest(token.expose_secret().as_bytes()));
        let mut names = BTreeSet::new();
        let groups = self.groups(groups, &mut names);
        let mut people: Vec<Person> = Vec::new();
        for (index, person) in raw.into_iter().enumerate() {
            let key = format!("people[{index}]");
            // A playbook's `from` names groups and people alike.
            self.unique_name(&format!("{key}.name"), &person.name, &mut names);
            if Pause::SWITCHES.contains(&&*person.name) {
                let message = format!("`{}` is a switch of the daemon itself; choose another name", person.name);
                self.fail(&format!("{key}.name"), message);
            }
            let by_slack = person.slack_user.is_some();
            let by_uid = web.socket.is_some() && person.uid.is_some();
            let by_file = web.file.as_ref().is_some_and(|file| file.users.iter().any(|(user, _)| *user == person.name));
            let (by_link, by_oidc) = (person.link_notifier.is_some(), person.oidc_user.is_some());
            let otherwise_known = web.forward_auth.is_some() || by_uid || by_slack || by_file || by_link || by_oidc;
            if by_slack && !has_app {
                let message = "needs `slack` at the top of the file, with `signing_secret_file` and `team_id`: without \
                               them nobody could tell whose click it is; add it, or remove this";
                self.fail(&format!("{key}.slack_user"), message);
            }
            let oidc_user = self.oidc_user(&key, person.oidc_user.clone(), web);
            let person = Person { oidc_user, ..self.person(&key, person, (&groups, otherwise_known)) };
            let same = |token: &TokenHash| {
                people.iter().find(|other| other.token.as_ref().is_some_and(|theirs| token.is(theirs).into()))
            };
            if person.token.as_ref().zip(api_token.as_ref()).is_some_and(|(own, all)| own.is(all).into()) {
                self.fail(&key, "has the token of `web.api_token`, by which nobody can tell who it is");
            }
            if let Some(other) = person.token.as_ref().and_then(same) {
                let message = format!("has the token of `{}`: nobody could tell them apart", other.name);
                self.fail(&key, message);
            }
            self.unlike_others(&key, &person, &people);
            people.push(person);
        }
        for (index, person) in people.iter().enumerate() {
            for group in &person.groups {
                if people.iter().any(|other| other.name == *group) {
                    let message = format!("`{group}` is a person; a group needs another name");
                    self.fail(&format!("people[{index}].groups"), message);
                }
            }
        }
        people
    }

    /// Each of the people is somebody else, for whoever asks who it is and for whoever reads it.
    fn unlike_others(&mut self, key: &str, person: &Person, people: &[Person]) {
        if let Some(other) = People::looks_like(people, &person.name) {
            let message = format!(
                "could be taken for `{}` by whoever reads the record: it differs in case, punctuation or letters that \
                 look alike; choose a name that nobody mixes up with it",
                other.name
            );
            self.fail(&format!("{key}.name"), message);
        }
        if let Some(other) = person.uid.and_then(|uid| people.iter().find(|other| other.uid == Some(uid))) {
            let message = format!("is the user ID of `{}` too: nobody could tell them apart", other.name);
            self.fail(&format!("{key}.uid"), message);
        }
        let same = |other: &&Person| other.slack_user.is_some() && other.slack_user == person.slack_user;
        if let Some(other) = people.iter().find(same) {
            let message = format!("is the Slack user of `{}` too: nobody could tell them apart", other.name);
            self.fail(&format!("{key}.slack_user"), message);
        }
        let same = |other: &&Person| other.oidc_user.is_some() && other.oidc_user == person.oidc_user;
        if let Some(other) = people.iter().find(same) {
            let message = format!("is the user of `{}` at the provider too: nobody could tell them apart", other.name);
            self.fail(&format!("{key}.oidc_user"), message);
        }
        if let Some(other) = differs_in_case(people, person) {
            let message = format!("differs from that of `{}` in case alone, and may be the same human", other.name);
            self.fail(&format!("{key}.oidc_user"), message);
        }
    }

    /// All of it must stand there: half of it would let the wrong ones in.
    pub(super) fn forward_auth(&mut self, raw: RawForwardAuth) -> Option<ForwardAuth> {
        let key = |name: &str| format!("web.forward_auth.{name}");
        let header = self.header_name(&key("header"), raw.header);
        let secret_header = self.header_name(&key("secret_header"), raw.secret_header);
        let secret_key = key(if raw.secret_file.is_some() { "secret_file" } else { "secret" });
        if raw.secret.is_none() && raw.secret_file.is_none() {
            self.fail(&key("secret_file"), "is missing: without a secret anybody at those addresses is believed");
        }
        let secret = self.secret(&key("secret"), raw.secret, raw.secret_file);
        let secret = secret.and_then(|secret| self.keep(&secret_key, TokenHash::of(secret.expose_secret())));
        if raw.trusted.is_empty() {
            self.fail(&key("trusted"), "needs at least one address or network, such as 192.0.2.7 or 10.0.0.0/8");
        }
        let count = raw.trusted.len();
        let trusted: Vec<Network> =
            raw.trusted.iter().filter_map(|text| self.keep(&key("trusted"), Network::parse(text))).collect();
        let (header, secret_header) = (header?, secret_header?);
        if header.eq_ignore_ascii_case(&secret_header) {
            self.fail(&key("secret_header"), "is the header of the name: they must be two");
            return None;
        }
        (0 < count && trusted.len() == count).then_some(())?;
        Some(ForwardAuth { header, secret_header, secret: secret?, trusted })
    }

    fn header_name(&mut self, key: &str, name: Option<String>) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        // What a proxy sets for other purposes is no name, and no secret.
        const TAKEN: [&str; 6] = ["authorization", "cookie", "host", "origin", "x-forwarded-for", "forwarded"];
        match name {
            None => self.fail(key, "is missing; write the name of a header, such as Remote-User"),
            Some(name) if name.is_empty() || !name.bytes().all(plain) => {
                self.fail(key, "is no name of a header: letters, digits and `-`");
            }
            Some(name) if TAKEN.contains(&&*name.to_ascii_lowercase()) => {
                self.fail(key, format!("`{name}` has another meaning; choose another header"));
            }
            Some(name) => return Some(name),
        }
        None
    }

    fn groups(&mut self, raw: Vec<RawGroup>, names: &mut BTreeSet<String>) -> BTreeMap<String, Vec<Role>> {
        let mut groups = BTreeMap::new();
        for (index, group) in raw.into_iter().enumerate() {
            let key = format!("groups[{index}]");
            self.unique_name(&format!("{key}.name"), &group.name, names);
            let roles = self.roles(&format!("{key}.roles"), &group.roles);
            groups.insert(group.name, roles);
        }
        groups
    }

    fn person(
        &mut self,
        key: &str,
        raw: RawPerson,
        (groups, otherwise_known): (&BTreeMap<String, Vec<Role>>, bool),
    ) -> Person {
        let mut roles = match &raw.roles {
            Some(words) => self.roles(&format!("{key}.roles"), words),
            None => vec![Role::Approve],
        };
        for group in &raw.groups {
            match groups.get(group) {
                Some(of_group) => roles.extend(of_group),
                None if groups.is_empty() => {
                    self.unique_name(&format!("{key}.groups"), group, &mut BTreeSet::new());
                }
                None => {
                    let message = format!("`{group}` is none of `groups`: is the name right?");
                    self.fail(&format!("{key}.groups"), message);
                }
            }
        }
        let proofs = [&raw.password_hash, &raw.password_hash_file, &raw.token_hash, &raw.token_file];
        if !otherwise_known && proofs.iter().all(|proof| proof.is_none()) {
            let message = "needs `password_hash` or `token_file`, or the same with `_file` or `_hash`: nobody could tell \
                           who it is";
            self.fail(key, message);
        }
        let (given, hash_key) = (raw.password_hash_file.is_some(), format!("{key}.password_hash"));
        let password = self.secret(&hash_key, raw.password_hash, raw.password_hash_file);
        let hash_key = if given { format!("{hash_key}_file") } else { hash_key };
        let password = password.and_then(|hash| self.keep(&hash_key, PasswordHash::parse(hash.expose_secret().trim())));
        let token = self.token(key, raw.token_hash, raw.token_file);
        if raw.uid.is_some_and(|uid| NOBODYS_IDS.contains(&uid)) {
            self.fail(&format!("{key}.uid"), "is what the system says of users whom it does not know");
        }
        let slack_user = raw.slack_user.and_then(|id| {
            self.keep(&format!("{key}.slack_user"), slack_id(id, ["U", "W"], "the profile in Slack shows it"))
        });
        let (name, groups, link_notifier) = (raw.name, raw.groups, raw.link_notifier);
        let (uid, oidc_user) = (raw.uid, None);
        Person { name, groups, roles, password, token, uid, slack_user, link_notifier, oidc_user }
    }

    fn token(&mut self, key: &str, hash: Option<String>, file: Option<String>) -> Option<TokenHash> {
        let (hash_key, file_key) = (format!("{key}.token_hash"), format!("{key}.token_file"));
        match (hash, file) {
            (Some(_), Some(_)) => {
                self.fail_key(&file_key, "is given beside `token_hash`; keep one of the two");
                None
            }
            (Some(hash), None) => self.keep(&hash_key, TokenHash::parse(&hash)),
            (None, file) => {
                let token = self.secret(&format!("{key}.token"), None, file)?;
                self.keep(&file_key, TokenHash::of(token.expose_secret()))
            }
        }
    }

    fn roles(&mut self, key: &str, words: &[String]) -> Vec<Role> {
        let mut roles = Vec::new();
        for (index, word) in words.iter().enumerate() {
            match Role::ALL.into_iter().find(|role| role.as_str() == word) {
                Some(role) => roles.push(role),
                None => self.fail(
                    &format!("{key}[{index}]"),
                    format!("{word:?} is no role; write view, approve, operate or admin"),
                ),
            }
        }
        roles
    }
}
