//! `approvals` of the settings, and who gets signed links by which notifier.

use super::email::same_mailbox;
use super::raw::RawApprovals;
use super::resolve::Checks;
use super::types::{ApprovalSettings, NotifierSettings, NotifierTo, WebSettings};
use crate::model::mail::MailConfig;
use crate::people::{LinkKey, Person};

impl Checks<'_> {
    /// A secret switches links on. Without a URL they would lead nowhere.
    pub(super) fn approvals(&mut self, raw: RawApprovals, web: &WebSettings) -> ApprovalSettings {
        let of_file = raw.link_secret_file.is_some();
        let key = if of_file { "approvals.link_secret_file" } else { "approvals.link_secret" };
        let given = of_file || raw.link_secret.is_some();
        let secret = self.secret("approvals.link_secret", raw.link_secret, raw.link_secret_file);
        let link_key = secret.and_then(|secret| self.keep(key, LinkKey::new(secret)));
        if given && web.external_url.is_none() && !self.is_wrong("web.external_url") {
            let message =
                "needs `web.external_url`: signed links begin with it; set it to where people reach the pages";
            self.fail(key, message);
        }
        ApprovalSettings { approve_on_timeout: raw.approve_on_timeout.unwrap_or(false), link_key }
    }

    /// Whoever reads a link can vote by it: it goes where one person reads, and nobody else.
    pub(super) fn link_notifiers(&mut self, people: &[Person], notifiers: &[NotifierSettings], has_links: bool) {
        for (index, person) in people.iter().enumerate() {
            let Some(name) = &person.link_notifier else { continue };
            let key = format!("people[{index}].link_notifier");
            if !has_links {
                let message = "needs `approvals: {link_secret_file: FILE}`: without it no link can be signed; add it, or \
                               remove this";
                self.fail(&key, message);
            }
            let earlier = people.iter().take(index).find(|other| other.link_notifier.as_ref() == Some(name));
            if let Some(other) = earlier {
                let message = format!(
                    "is that of `{}` too: whoever reads it could vote as both; give each a notifier of their own",
                    other.name
                );
                self.fail(&key, message);
            }
            match way(notifiers, name) {
                Some(NotifierTo::Http(_)) => {}
                Some(NotifierTo::Email(email)) => self.link_mailbox(&key, (name, email), (people, index), notifiers),
                Some(NotifierTo::Slack(_)) => {
                    let message =
                        format!("`{name}` posts in a channel that others read; name one with `http` or `email`");
                    self.fail(&key, message);
                }
                // What is wrong with its entry is told there.
                None if self.is_wrong("notifiers") => {}
                None => self.fail(&key, format!("`{name}` is none of `notifiers`: is the name right?")),
            }
        }
    }

    /// A mailbox is one person's if nothing here says otherwise.
    fn link_mailbox(
        &mut self,
        key: &str,
        (name, email): (&str, &MailConfig),
        (people, index): (&[Person], usize),
        notifiers: &[NotifierSettings],
    ) {
        let [own] = email.to.as_slice() else {
            let message = format!(
                "`{name}` sends mail to {} addresses, and whoever reads it could vote; name one with a single address",
                email.to.len()
            );
            return self.fail(key, message);
        };
        let shares = |other: &&Person| match other.link_notifier.as_ref().and_then(|name| way(notifiers, name)) {
            Some(NotifierTo::Email(theirs)) => theirs.to.iter().any(|mailbox| same_mailbox(mailbox, own)),
            Some(NotifierTo::Http(_) | NotifierTo::Slack(_)) | None => false,
        };
        let earlier = people.iter().take(index).filter(|person| person.link_notifier.as_deref() != Some(name));
        if let Some(other) = earlier.into_iter().find(shares) {
            let message = format!(
                "`{name}` sends mail to {}, which is where the links of `{}` go too: whoever reads it could vote as both",
                own.email, other.name
            );
            self.fail(key, message);
        }
    }
}

/// Where a notifier's notices go.
fn way<'n>(notifiers: &'n [NotifierSettings], name: &str) -> Option<&'n NotifierTo> {
    notifiers.iter().find(|notifier| notifier.name == name).map(|notifier| &notifier.to)
}
