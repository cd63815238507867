//! `approvals` of the settings, and who gets signed links by which notifier.

use super::raw::RawApprovals;
use super::resolve::Checks;
use super::types::{ApprovalSettings, NotifierSettings, NotifierTo, WebSettings};
use crate::people::{LinkKey, Person};

impl Checks<'_> {
    /// A secret switches links on. Without a URL they would lead nowhere.
    pub(super) fn approvals(&mut self, raw: RawApprovals, web: &WebSettings) -> ApprovalSettings {
        let of_file = raw.link_secret_file.is_some();
        let key = if of_file { "approvals.link_secret_file" } else { "approvals.link_secret" };
        let given = of_file || raw.link_secret.is_some();
        let secret = self.secret("approvals.link_secret", raw.link_secret, raw.link_secret_file);
        let link_key = secret.and_then(|secret| self.keep(key, LinkKey::new(secret)));
        if given && web.external_url.is_none() && !self.has_problem_at("web.external_url") {
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
            match notifiers.iter().find(|notifier| notifier.name == *name).map(|notifier| &notifier.to) {
                Some(NotifierTo::Http(_)) => {}
                Some(NotifierTo::Slack(_)) => {
                    self.fail(&key, format!("`{name}` posts in a channel that others read; name one with `http`"));
                }
                // What is wrong with its entry is told there.
                None if self.has_problem_at("notifiers") => {}
                None => self.fail(&key, format!("`{name}` is none of `notifiers`: is the name right?")),
            }
        }
    }
}
