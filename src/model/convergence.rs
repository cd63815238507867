//! When a service counts as well: pure, one look at a time, as `recovery` does it for containers.
//!
//! A change of the number of replicas leaves no trace in `UpdateStatus`, so what counts is what runs; a forced update and
//! a rollback have a state of their own as well. Whatever else about the service moved meanwhile was somebody else, and
//! then nobody can say that the action helped. Read [`ServiceWatch::look`] first.

use super::action::ServiceAction;
use super::fact::StepResult;
use super::owner;
use super::recovery::Outlook;
use super::service::{Service, Update};
use super::step::{ReplicasGoal, VerifySpec, WatchedService};
use std::time::Duration;

/// The least time between two looks.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// What a service is given to come up where the playbook does not say: tasks start one after the other.
pub const SERVICE_WITHIN: Duration = Duration::from_secs(300);

/// What one look showed.
#[derive(Clone, Copy, Debug)]
pub enum ServiceSight<'a> {
    /// The service.
    Seen(&'a Service),
    /// There is no such service.
    Gone,
    /// Docker did not answer; it may yet.
    Unseen(&'a str),
    /// Docker will not answer.
    Hidden(&'a str),
}

/// One service under watch.
#[derive(Clone, Debug)]
pub struct ServiceWatch {
    watched: WatchedService,
    spec: VerifySpec,
    /// Since when it looks well, on the watch's clock.
    well_since: Option<Duration>,
    /// How long it must stay well: Swarm's own idea of it, or its owner's, may be longer than the playbook's.
    stable_for: Duration,
    /// The last thing seen that was not the goal.
    last_words: String,
}

/// What one look at a present service says, before time is considered.
enum Finding {
    Well(String),
    NotYet(String),
    Failed(String),
}

impl ServiceWatch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(watched: &WatchedService, spec: &VerifySpec) -> Self {
        Self {
            watched: watched.clone(),
            spec: spec.clone(),
            well_since: None,
            stable_for: spec.stable_for,
            last_words: "not seen yet".to_owned(),
        }
    }

    /// What is watched.
    #[must_use]
    pub fn watched(&self) -> &WatchedService {
        &self.watched
    }

    /// Since the step began, after which it counts as not recovered. Whoever wrote `within` had `stable_for` in mind: what it
    /// must stay well beyond that is added, or no change of a service with a long monitor could ever count as well.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        let within = self.spec.within.unwrap_or(SERVICE_WITHIN);
        within + self.stable_for.saturating_sub(self.spec.stable_for)
    }

    /// Judges one look, `now` being the time since the step began.
    pub fn look(&mut self, sight: ServiceSight<'_>, now: Duration) -> Outlook {
        let finding = match sight {
            ServiceSight::Seen(service) => {
                self.stable_for = owner::stable_for(&service.labels, self.spec.stable_for.max(service.monitor));
                self.find(service)
            }
            ServiceSight::Gone => Finding::Failed("gone: it was removed".to_owned()),
            ServiceSight::Unseen(error) => Finding::NotYet(format!("not seen: {error}")),
            ServiceSight::Hidden(error) => Finding::Failed(format!("cannot be seen: {error}")),
        };
        match finding {
            Finding::Failed(words) => Outlook::Failed(self.say(&words)),
            Finding::Well(words) => {
                let since = *self.well_since.get_or_insert(now);
                let stable = now.saturating_sub(since);
                if self.stable_for <= stable {
                    let stable_for = self.stable_for.as_secs();
                    return Outlook::Well(self.say(&format!("{words}, stable for {stable_for} s")));
                }
                self.last_words = format!("{words}, but stable only for {} s", stable.as_secs());
                self.in_time(now)
            }
            Finding::NotYet(words) => {
                self.well_since = None;
                self.last_words = words;
                self.in_time(now)
            }
        }
    }

    /// How the step ends by this look, or the pause until the next.
    ///
    /// # Errors
    /// The pause, if nothing is decided yet. The last look is at the deadline, not a pause after it.
    pub fn step(&mut self, sight: ServiceSight<'_>, now: Duration) -> Result<StepResult, Duration> {
        match self.look(sight, now) {
            Outlook::Well(words) => Ok(StepResult::Verified(words)),
            Outlook::Failed(words) => Ok(StepResult::NotVerified(words)),
            Outlook::Waiting => Err(self.spec.every.max(EVERY_MIN).min(self.deadline().saturating_sub(now))),
        }
    }

    fn in_time(&self, now: Duration) -> Outlook {
        if now < self.deadline() {
            return Outlook::Waiting;
        }
        let within = self.deadline().as_secs();
        Outlook::Failed(self.say(&format!("not recovered within {within} s: {}", self.last_words)))
    }

    fn say(&self, words: &str) -> String {
        format!("{}: {words}", self.watched.target.name)
    }

    fn find(&self, service: &Service) -> Finding {
        // What Swarm takes back looks like somebody else's change: its own word for it comes first.
        let taken_back = matches!(service.update, Some(Update::RollingBack | Update::RolledBack));
        if let Some(unsettled) = self.update(service).filter(|_| taken_back) {
            return unsettled;
        }
        if let Some(words) = self.changed_by_others(service) {
            return Finding::Failed(words);
        }
        match self.update(service) {
            Some(unsettled) => unsettled,
            None => self.count(service),
        }
    }

    /// What moved beside the one thing that the action was to move.
    fn changed_by_others(&self, service: &Service) -> Option<String> {
        let (action, before) = self.watched.done.as_ref()?;
        let (wanted, counter) = match action {
            ServiceAction::Scale { to, .. } => (*to, before.force_update),
            ServiceAction::ForceUpdate { counter } => (before.wanted, *counter),
            // A way back brings its own counter along.
            ServiceAction::Rollback { .. } => (before.wanted, service.force_update),
        };
        if service.wanted != wanted {
            let found = service.wanted;
            return Some(format!("{found} replicas are wanted, and {wanted} were to be: somebody else scaled it"));
        }
        match action {
            ServiceAction::Rollback { to_image, .. } if service.image != *to_image && !service.is_being_updated() => {
                Some(format!("its image is {}, not {to_image}", service.image))
            }
            ServiceAction::Scale { .. } | ServiceAction::ForceUpdate { .. } if service.template != before.template => {
                Some("another definition was deployed meanwhile".to_owned())
            }
            ServiceAction::Scale { .. } | ServiceAction::ForceUpdate { .. } if service.force_update != counter => {
                Some(format!("it was restarted {} times by force, not {counter}", service.force_update))
            }
            ServiceAction::Scale { .. } | ServiceAction::ForceUpdate { .. } | ServiceAction::Rollback { .. } => None,
        }
    }

    /// How far Swarm is with it; `None` if nothing is under way or wrong.
    fn update(&self, service: &Service) -> Option<Finding> {
        let rolls_back = matches!(self.watched.done, Some((ServiceAction::Rollback { .. }, _)));
        let was = self.watched.done.as_ref().and_then(|(_, before)| before.update.as_deref());
        match service.update.as_ref()? {
            Update::Completed => None,
            Update::RolledBack if rolls_back => None,
            // It may have been so before anything was done.
            Update::RolledBack if was == Some(Update::RolledBack.as_str()) => None,
            Update::RolledBack if self.watched.done.is_none() => None,
            Update::RolledBack => Some(Finding::Failed("Swarm took the change back: its tasks failed".to_owned())),
            Update::Updating => Some(Finding::NotYet("it is being updated".to_owned())),
            Update::RollingBack if rolls_back => Some(Finding::NotYet("it is being taken back".to_owned())),
            Update::RollingBack => Some(Finding::NotYet("Swarm is taking the change back".to_owned())),
            Update::Paused => Some(Finding::Failed("its update stopped half way: tasks failed".to_owned())),
            Update::RollbackPaused => Some(Finding::Failed("the way back stopped half way: tasks failed".to_owned())),
            Update::Other(word) => Some(Finding::NotYet(format!("its update is in the unknown state {word:?}"))),
        }
    }

    fn count(&self, service: &Service) -> Finding {
        let Service { wanted, running, healthy, .. } = *service;
        let goal = match self.watched.goal {
            ReplicasGoal::All => wanted,
            ReplicasGoal::AtLeast(number) => number,
        };
        let words = format!("{running} of {wanted} replicas run");
        if running < goal {
            return Finding::NotYet(words);
        }
        if healthy < goal {
            return Finding::NotYet(format!("{words}, {healthy} of them healthy"));
        }
        Finding::Well(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::TargetIdent;
    use crate::model::service::{Mode, Room, ServiceId, ServiceVitals};
    use crate::model::target::{ContainerName, SwarmId};
    use chrono::DateTime;

    fn service(wanted: u32, running: u32, healthy: u32) -> Service {
        let name = ContainerName::parse("shop_worker").unwrap();
        Service {
            id: ServiceId::Swarm(SwarmId::parse(&"a".repeat(25)).unwrap(), name),
            image: "w:1".into(),
            template: "t1".into(),
            mode: Mode::Replicated,
            wanted,
            running,
            healthy,
            update: None,
            previous: None,
            force_update: 0,
            version: 1,
            monitor: Duration::from_secs(5),
            down_at_once: 1,
            most: None,
            mixed: false,
            created: None,
            changed: None,
            now: DateTime::UNIX_EPOCH,
            labels: [].into(),
            room: Room::default(),
            stop_timeout: None,
        }
    }

    fn watch(done: Option<ServiceAction>, goal: ReplicasGoal) -> ServiceWatch {
        let before = service(2, 2, 2);
        let done = done.map(|action| (action, ServiceVitals::from(&before)));
        let watched = WatchedService { target: TargetIdent::from(&before), done, goal };
        let (within, stable_for) = (Some(Duration::from_secs(60)), Duration::from_secs(3));
        ServiceWatch::new(&watched, &VerifySpec { within, stable_for, ..VerifySpec::default() })
    }

    /// The first look's word: `well`, `failed` or `not yet`, once it has been so for long.
    fn word(watch: &mut ServiceWatch, seen: &Service) -> &'static str {
        let words = |outlook: &Outlook| match outlook {
            Outlook::Well(_) => "well",
            Outlook::Failed(_) => "failed",
            Outlook::Waiting => "not yet",
        };
        let first = watch.look(ServiceSight::Seen(seen), Duration::from_secs(1));
        if first != Outlook::Waiting {
            return words(&first);
        }
        words(&watch.look(ServiceSight::Seen(seen), Duration::from_secs(30)))
    }

    #[test]
    fn a_service_is_well_by_what_runs_and_by_what_it_was_to_become() {
        let scale = || Some(ServiceAction::Scale { from: 2, to: 3, original: 2 });
        let with = |change: fn(&mut Service)| {
            let mut seen = service(3, 3, 3);
            change(&mut seen);
            seen
        };
        let (all, two) = (ReplicasGoal::All, ReplicasGoal::AtLeast(2));
        for (name, done, goal, seen, want) in [
            ("nothing done, all run", None, all, with(|_| {}), "well"),
            ("one is missing", None, all, with(|s| s.running = 2), "not yet"),
            ("one is missing, two suffice", None, two, with(|s| (s.running, s.healthy) = (2, 2)), "well"),
            ("one is ill", None, all, with(|s| s.healthy = 2), "not yet"),
            ("scaled", scale(), all, with(|_| {}), "well"),
            ("scaled and not there yet", scale(), all, with(|s| (s.running, s.healthy) = (2, 2)), "not yet"),
            ("not scaled at all", scale(), all, service(2, 2, 2), "failed"),
            ("scaled by somebody else", scale(), all, with(|s| s.wanted = 5), "failed"),
            ("deployed meanwhile", scale(), all, with(|s| s.template = "t2".into()), "failed"),
            ("restarted by somebody else", scale(), all, with(|s| s.force_update = 1), "failed"),
        ] {
            assert_eq!(word(&mut watch(done, goal), &seen), want, "{name}");
        }
    }

    #[test]
    fn a_restart_or_a_rollback_is_well_when_swarm_is_through_with_it() {
        let force = || Some(ServiceAction::ForceUpdate { counter: 1 });
        let back = || Some(ServiceAction::Rollback { from_image: "w:1".into(), to_image: "w:0".into() });
        let with = |change: fn(&mut Service)| {
            let mut seen = service(3, 3, 3);
            change(&mut seen);
            seen
        };
        let all = ReplicasGoal::All;
        for (name, done, goal, seen, want) in [
            ("restarted", force(), all, with(|s| (s.wanted, s.force_update) = (2, 1)), "well"),
            ("not restarted", force(), all, with(|s| s.wanted = 2), "failed"),
            (
                "being restarted",
                force(),
                all,
                with(|s| (s.wanted, s.force_update, s.update) = (2, 1, Some(Update::Updating))),
                "not yet",
            ),
            (
                "its restart stopped",
                force(),
                all,
                with(|s| (s.wanted, s.force_update, s.update) = (2, 1, Some(Update::Paused))),
                "failed",
            ),
            (
                "taken back by Swarm",
                force(),
                all,
                with(|s| (s.wanted, s.update) = (2, Some(Update::RolledBack))),
                "failed",
            ),
            (
                "being taken back by Swarm",
                force(),
                all,
                with(|s| (s.wanted, s.update) = (2, Some(Update::RollingBack))),
                "not yet",
            ),
            (
                "rolled back",
                back(),
                all,
                with(|s| {
                    (s.wanted, s.image, s.template, s.update) = (2, "w:0".into(), "t0".into(), Some(Update::RolledBack))
                }),
                "well",
            ),
            ("not rolled back", back(), all, with(|s| s.wanted = 2), "failed"),
        ] {
            assert_eq!(word(&mut watch(done, goal), &seen), want, "{name}");
        }
    }

    #[test]
    fn it_must_stay_well_for_as_long_as_swarm_itself_watches() {
        let (mut watch, secs) = (watch(None, ReplicasGoal::All), Duration::from_secs);
        let well = service(2, 2, 2);
        assert_eq!(watch.look(ServiceSight::Seen(&well), secs(1)), Outlook::Waiting);
        assert_eq!(
            watch.look(ServiceSight::Seen(&well), secs(5)),
            Outlook::Waiting,
            "stable_for is over, monitor is not"
        );
        assert_eq!(watch.look(ServiceSight::Seen(&service(2, 1, 1)), secs(6)), Outlook::Waiting);
        assert_eq!(watch.look(ServiceSight::Seen(&well), secs(7)), Outlook::Waiting, "it begins anew");
        assert!(matches!(watch.look(ServiceSight::Seen(&well), secs(12)), Outlook::Well(_)));
        let mut late = self::watch(None, ReplicasGoal::All);
        assert!(matches!(late.look(ServiceSight::Unseen("cut"), secs(60)), Outlook::Failed(_)));
        assert!(matches!(late.look(ServiceSight::Gone, secs(1)), Outlook::Failed(_)));
    }

    #[test]
    fn a_monitor_as_long_as_within_does_not_make_every_change_a_failure() {
        let secs = Duration::from_secs;
        let long = |running| Service { monitor: secs(90), ..service(2, running, running) };
        let mut good = watch(None, ReplicasGoal::All);
        for now in [1, 59, 60, 90] {
            assert_eq!(good.look(ServiceSight::Seen(&long(2)), secs(now)), Outlook::Waiting, "{now}");
        }
        assert!(matches!(good.look(ServiceSight::Seen(&long(2)), secs(91)), Outlook::Well(_)));
        assert_eq!(good.deadline(), secs(60 + 90 - 3), "within, and what the monitor asks for beyond stable_for");
        // Time to become well is not made longer by more than that.
        let mut bad = watch(None, ReplicasGoal::All);
        assert_eq!(bad.look(ServiceSight::Seen(&long(1)), secs(146)), Outlook::Waiting);
        assert!(matches!(bad.look(ServiceSight::Seen(&long(1)), secs(147)), Outlook::Failed(_)));
        let mut owned = service(2, 2, 2);
        owned.labels.insert(owner::STABLE_FOR.to_owned(), "2m".to_owned());
        let mut watch = watch(None, ReplicasGoal::All);
        assert_eq!(watch.look(ServiceSight::Seen(&owned), secs(0)), Outlook::Waiting);
        assert_eq!(watch.look(ServiceSight::Seen(&owned), secs(119)), Outlook::Waiting);
        assert!(matches!(watch.look(ServiceSight::Seen(&owned), secs(120)), Outlook::Well(_)));
    }
}
