//! What a run would be charged to: each window of each limit that applies to it, and the cooldown.
//!
//! The gate asks it, and people are shown it: nobody counts a second time. Read [`Account`].

use super::Question;
use super::budget::{agrees, limit_key};
use crate::engine::budget::{Cooling, Ledger};
use crate::engine::snapshot::{Chill, Room, Whose};
use crate::model::fact::Refusal;
use crate::model::host::Host;
use crate::model::id::IncidentId;
use crate::model::limit::{LimitKey, Scope, Window};
use crate::model::memory::Attempt;
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::target::{TargetName, host_of};
use crate::playbook::definition::Playbook;
use std::sync::Arc;

/// Which attempts count for a run: whatever its limits tell apart.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Account<'a> {
    /// Every attempt.
    pub(in crate::engine) ledger: &'a Ledger,
    /// The limits above all playbooks.
    pub(in crate::engine) policy: &'a Policy,
    /// The playbook.
    pub(in crate::engine) playbook: &'a Playbook,
    /// The target's name, if there is one.
    pub(in crate::engine) target: Option<Arc<str>>,
    /// The labels by which the playbook's limits count, with their values.
    pub(in crate::engine) key: LimitKey,
    /// Dry runs are counted apart.
    pub(in crate::engine) dry_run: bool,
    /// What follows the end of an alert is bounded by the run that it follows, and by the caps of the settings.
    pub(in crate::engine) aftercare: bool,
    /// The incident that runs, if one does: of its own runs only the one under way does not count, and an earlier try is a
    /// run like any other.
    pub(in crate::engine) incident: Option<IncidentId>,
}

impl<'a> Account<'a> {
    /// Of the run in question, on the target that Docker shows or that people were asked about.
    ///
    /// # Errors
    /// The refusal where the alert lacks a label by which limits count.
    pub(in crate::engine) fn of(question: &Question<'a>, target: Option<&TargetName>) -> Result<Self, Refusal> {
        Ok(Self {
            ledger: question.state.ledger(),
            policy: question.policy,
            playbook: question.playbook,
            target: target.map(|target| target.as_str().into()),
            key: limit_key(question.playbook, &question.incident.alert.labels)?,
            dry_run: question.dry_run(),
            aftercare: question.incident.is_aftercare(),
            incident: Some(question.incident.id),
        })
    }

    /// Whether an attempt counts for anything.
    fn own(&self, attempt: &Attempt) -> bool {
        let this_one = self.incident == Some(attempt.incident) && attempt.ended.is_none();
        attempt.dry_run == self.dry_run && !this_one
    }

    /// Whether an attempt counts for the playbook's own limits.
    pub(in crate::engine) fn in_scope(&self, attempt: &Attempt) -> bool {
        let same_playbook = attempt.playbook == self.playbook.name;
        self.own(attempt) && !attempt.aftercare && same_playbook && self.same_group(attempt)
    }

    fn same_group(&self, attempt: &Attempt) -> bool {
        let (target, of) = (self.target.as_deref(), attempt.target.as_deref());
        match self.playbook.limits.scope {
            _ if !self.key.is_empty() => agrees(&self.key, &attempt.key),
            Scope::Target => of == target,
            Scope::Host => host_of(of.unwrap_or_default()) == host_of(target.unwrap_or_default()),
            Scope::Playbook => true,
        }
    }

    /// How much of the playbook's cooldown is left.
    pub(in crate::engine) fn cooling(&self, now: &Moment) -> Cooling {
        if self.aftercare {
            return Cooling::default();
        }
        self.ledger.cooling(self.playbook.limits.cooldown, now, |attempt| self.in_scope(attempt))
    }

    /// The same with its name, if there is any.
    pub(in crate::engine) fn chill(&self, now: &Moment) -> Option<Chill> {
        let cooling = self.cooling(now);
        (!cooling.left.is_zero()).then(|| Chill { of: self.group(), cooling })
    }

    /// Every window that must have room for the run, in the order in which they are asked.
    pub(in crate::engine) fn rooms(&self, now: &Moment) -> impl Iterator<Item = Room> {
        self.of_playbook(now).chain(self.of_target(now)).chain(self.of_all(now))
    }

    /// The playbook's own windows.
    pub(in crate::engine) fn of_playbook(&self, now: &Moment) -> impl Iterator<Item = Room> {
        let windows = if self.aftercare { &[] } else { &*self.playbook.limits.windows };
        self.windows((Whose::Playbook, self.group()), windows, now, |account, attempt| account.in_scope(attempt))
    }

    /// The settings' windows for each target.
    pub(in crate::engine) fn of_target(&self, now: &Moment) -> impl Iterator<Item = Room> {
        let windows = if self.target.is_some() { &*self.policy.per_target } else { &[] };
        let of = self.target.as_deref().unwrap_or_default().to_owned();
        let on_target = |account: &Self, attempt: &Attempt| account.own(attempt) && attempt.target == account.target;
        self.windows((Whose::PerTarget, of), windows, now, on_target)
    }

    /// The settings' windows over everything.
    pub(in crate::engine) fn of_all(&self, now: &Moment) -> impl Iterator<Item = Room> {
        self.windows((Whose::Global, "all playbooks".to_owned()), &self.policy.global, now, Self::own)
    }

    fn windows(
        &self,
        (whose, of): (Whose, String),
        windows: &[Window],
        now: &Moment,
        counts: impl Fn(&Self, &Attempt) -> bool,
    ) -> impl Iterator<Item = Room> {
        windows.iter().map(move |window| {
            let level = self.ledger.level(window, now, |attempt| counts(self, attempt));
            Room { whose, of: of.clone(), level }
        })
    }

    /// What the playbook's own limits count together, in words.
    pub(in crate::engine) fn group(&self) -> String {
        if !self.key.is_empty() {
            return self.key.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ");
        }
        match self.playbook.limits.scope {
            Scope::Target => self.target.as_deref().unwrap_or("what has no target").to_owned(),
            Scope::Playbook => "all its targets".to_owned(),
            Scope::Host => {
                let host = host_of(self.target.as_deref().unwrap_or_default());
                let first = || self.policy.hosts.first().map(String::as_str).unwrap_or_default();
                format!("host {}", if let Host::Named(name) = &host { name.as_str() } else { first() })
            }
        }
    }
}
