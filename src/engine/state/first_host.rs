//! Whether the first Docker host of the settings is the one that the records without a host mean.
//!
//! The first host has no name in records. If another one takes its place, whatever the log has about targets without a host
//! would be about that one: an action would be looked for where it never was, and limits would count for somebody else.

use super::State;
use crate::model::fact::{AlertReceived, Taken};
use crate::model::host::Host;
use crate::model::memory::Help;
use crate::model::pause::PauseScope;
use crate::model::target::host_of;

impl State {
    /// Whether the first host may be called so from now on. `renamed_from` is what the settings say it was called before.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn accepts_first_host(&self, first: &str, renamed_from: Option<&str>) -> Result<(), String> {
        let Some(before) = self.first_host.as_deref().filter(|before| *before != first) else { return Ok(()) };
        if renamed_from == Some(before) {
            return self.may_be_renamed(before);
        }
        let bound = self.bound_to_first_host();
        if bound.is_empty() {
            return Ok(());
        }
        let bound = bound.join(", ");
        Err(format!(
            "docker.hosts: the first host is {first:?}, and the incident log was written with {before:?} as the first: \
             what it has about targets without a host ({bound}) would be taken for {first:?}. Put {before:?} first again; \
             or, if it is the same Docker under another name, add `renamed_from: {before}` to {first:?}; or begin a new \
             incident log with another storage.path"
        ))
    }

    /// A pause of the host goes by its name, and would end with that.
    fn may_be_renamed(&self, before: &str) -> Result<(), String> {
        let paused =
            self.pauses.iter().any(|held| matches!(&held.pause.scope, PauseScope::Host(name) if **name == *before));
        if paused {
            return Err(format!(
                "docker.hosts: the host {before:?} is paused under this name, and would not be under another: put the \
                 name back, start sickbay, run `sickbay resume host:{before}`, then rename it"
            ));
        }
        Ok(())
    }

    /// What is remembered of targets without a host, counted and in words.
    fn bound_to_first_host(&self) -> Vec<String> {
        let first = |target: &str| host_of(target) == Host::First;
        let incidents = self.incidents.values().filter(|incident| *incident.host() == Host::First).count();
        let owed = self.aftermath.iter().filter(|owed| is_on_first(&owed.alert)).count();
        let attempts = self.ledger.iter().filter(|attempt| attempt.target.as_deref().is_some_and(first)).count();
        let ends = self.history.iter().filter(|ended| counts(ended.help) && first(&ended.target)).count();
        let pauses = self.pauses.iter().filter(|held| match &held.pause.scope {
            PauseScope::Target(target) => first(target),
            PauseScope::Host(name) => self.first_host.as_deref() == Some(&**name),
            PauseScope::All | PauseScope::Playbook(_) => false,
        });
        [
            (incidents, "open incidents"),
            (owed, "runs that their alerts' ends are awaited for"),
            (attempts, "runs that count against limits"),
            (ends, "runs that count for breakers"),
            (pauses.count(), "pauses"),
        ]
        .into_iter()
        .filter(|(count, _)| 0 < *count)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }
}

/// Whether a breaker goes by it.
fn counts(help: Help) -> bool {
    match help {
        Help::NotForLong | Help::No | Help::NoneLeft => true,
        Help::Yes | Help::Reset => false,
    }
}

fn is_on_first(alert: &AlertReceived) -> bool {
    matches!(&alert.taken, Taken::ByPlaybook { host: Host::First, .. })
}
