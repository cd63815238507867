//! When a container counts as recovered: pure, one look at a time.
//!
//! Times of the engine are compared with each other only. Our own clock measures nothing but how long we have been
//! watching, and comes in as an argument. The daemon and the simulation look through the same eyes. Read
//! [`Watch::look`] first; [`Vigil`] watches several.

use super::action::{Goal, Vitals};
use super::container::{Container, ContainerState, Health};
use super::fact::StepResult;
use super::owner;
use super::redact::clean;
use super::resources::ResourceLimits;
use super::step::{HealthGoal, VerifySpec, Watched};
use super::target::ContainerId;
use std::time::Duration;

/// The least time between two looks.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// What a container without a health check is given to come up.
const WITHOUT_CHECK: Duration = Duration::from_secs(60);

/// What a container with a health check is given beyond its own timing.
const MARGIN: Duration = Duration::from_secs(30);

/// How much of a URL is told, in bytes.
const URL_LEN_MAX: usize = 256;

/// What one look showed.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'a> {
    /// The container, and how long after its start a check first passed, both by the engine's clock.
    Seen(&'a Container, Option<Duration>),
    /// There is no such container.
    Gone,
    /// Docker did not answer; it may yet.
    Unseen(&'a str),
    /// Docker will not answer.
    Hidden(&'a str),
}

/// What is known after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Not yet.
    Waiting,
    /// Well, and long enough.
    Well(String),
    /// It will not get well, or not in time.
    Failed(String),
}

/// One container under watch.
#[derive(Clone, Debug)]
pub struct Watch {
    name: String,
    before: Option<Vitals>,
    goal: Goal,
    /// The limits it is to have, if they were changed.
    limits: Option<ResourceLimits>,
    spec: VerifySpec,
    /// The start that is watched, and the restart count it had when first seen.
    start: Option<(String, u64)>,
    /// Since when it looks well, on the watch's clock.
    well_since: Option<Duration>,
    /// How long it must stay well: its owner may want longer than the playbook.
    stable_for: Duration,
    /// The longest a sound container takes, once its health check is known.
    settles_within: Option<Duration>,
    /// The last thing seen that was not the goal.
    last_words: String,
}

/// What one look at a present container says, before time is considered.
enum Finding {
    Well(String),
    NotYet(String),
    Failed(String),
}

impl Watch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(watched: &Watched, spec: &VerifySpec) -> Self {
        Self {
            name: watched.target.name.to_string(),
            before: watched.before.clone(),
            goal: watched.goal,
            limits: watched.limits,
            spec: spec.clone(),
            start: None,
            well_since: None,
            stable_for: spec.stable_for,
            settles_within: None,
            last_words: "not seen yet".to_owned(),
        }
    }

    /// Since the step began, after which it counts as not recovered.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        let own = self.settles_within.map_or(WITHOUT_CHECK, |settles| settles + MARGIN);
        let within = self.spec.within.unwrap_or(own + self.spec.stable_for);
        // What its owner adds is added, or there would be no time to stay well for.
        within + self.stable_for.saturating_sub(self.spec.stable_for)
    }

    /// Judges one look, `now` being the time since the step began.
    pub fn look(&mut self, sight: Sight<'_>, now: Duration) -> Outlook {
        let finding = match sight {
            Sight::Seen(container, healthy_after) => {
                self.stable_for = owner::stable_for(&container.labels, self.spec.stable_for);
                self.find(container, healthy_after)
            }
            Sight::Gone => Finding::Failed("gone: it was removed".to_owned()),
            Sight::Unseen(error) => Finding::NotYet(format!("not seen: {error}")),
            Sight::Hidden(error) => Finding::Failed(format!("cannot be seen: {error}")),
        };
        match finding {
            Finding::Failed(words) => Outlook::Failed(self.say(&words)),
            Finding::Well(words) => {
                let since = *self.well_since.get_or_insert(now);
                let stable = now.saturating_sub(since);
                if self.stable_for <= stable {
                    let stable_for = seconds(self.stable_for);
                    return Outlook::Well(self.say(&format!("{words}, stable for {stable_for}")));
                }
                self.last_words = format!("{words}, but stable only for {}", seconds(stable));
                self.in_time(now)
            }
            Finding::NotYet(words) => {
                self.well_since = None;
                self.last_words = words;
                self.in_time(now)
            }
        }
    }

    fn in_time(&self, now: Duration) -> Outlook {
        let deadline = self.deadline();
        if now < deadline {
            return Outlook::Waiting;
        }
        Outlook::Failed(self.say(&format!("not recovered within {}: {}", seconds(deadline), self.last_words)))
    }

    fn say(&self, words: &str) -> String {
        format!("{}: {words}", self.name)
    }

    fn find(&mut self, container: &Container, healthy_after: Option<Duration>) -> Finding {
        if self.goal == Goal::Down {
            return self.find_stopped(container);
        }
        self.settles_within = container.health_check.map(|check| check.settles_within());
        if let Some(before) = &self.before
            && before.started_at == container.started_at
        {
            return Finding::NotYet(format!("not started again, {}", container.state.as_str()));
        }
        if let Some(words) = self.crash_loop(container) {
            return Finding::Failed(words);
        }
        if self.limits.is_some_and(|limits| limits != container.limits) {
            return Finding::Failed("its limits are not the ones it was given".to_owned());
        }
        match &container.state {
            ContainerState::Running => self.find_running(container, healthy_after),
            ContainerState::Exited | ContainerState::Dead => Finding::Failed(death(container)),
            ContainerState::Removing => Finding::Failed("being removed".to_owned()),
            ContainerState::Restarting => Finding::Failed(format!("crash loop: {}", death(container))),
            ContainerState::Paused => Finding::NotYet("paused: whether it recovered cannot be told".to_owned()),
            ContainerState::Created => Finding::NotYet("created and not started".to_owned()),
            ContainerState::Other(word) => Finding::NotYet(format!("in the unknown state {word:?}")),
        }
    }

    /// What was stopped is well when it is down. If it comes up again, somebody else wants it up.
    fn find_stopped(&self, container: &Container) -> Finding {
        let started_again = self.before.as_ref().is_some_and(|before| before.started_at != container.started_at);
        let state = container.state.as_str();
        match &container.state {
            _ if started_again => Finding::Failed(format!("started again at {}, now {state}", container.started_at)),
            ContainerState::Exited => Finding::Well(format!("stopped, with exit code {}", container.exit_code)),
            ContainerState::Created | ContainerState::Dead => Finding::Well(format!("not running: {state}")),
            ContainerState::Removing => Finding::Failed("being removed".to_owned()),
            ContainerState::Running
            | ContainerState::Paused
            | ContainerState::Restarting
            | ContainerState::Other(_) => Finding::NotYet(format!("not stopped: {state}")),
        }
    }

    /// A restart by the API sets the restart count to zero, so after one any other count is Docker's policy at work.
    fn crash_loop(&mut self, container: &Container) -> Option<String> {
        let count = container.restart_count;
        let first_count = if self.before.is_some() { 0 } else { count };
        let (start, first_count) = self.start.get_or_insert_with(|| (container.started_at.clone(), first_count));
        let died = || death(container);
        if *first_count < count {
            return Some(format!("crash loop: docker restarted it again (restart count {count}): {}", died()));
        }
        (*start != container.started_at)
            .then(|| format!("started once more at {} while it was watched: {}", container.started_at, died()))
    }

    fn find_running(&self, container: &Container, healthy_after: Option<Duration>) -> Finding {
        let wants_health = match self.spec.health {
            HealthGoal::Healthy => true,
            HealthGoal::Running => false,
            HealthGoal::Auto => container.health_check.is_some(),
        };
        if !wants_health {
            return Finding::Well("running on the same start".to_owned());
        }
        match &container.health {
            Some(Health::Healthy) => {
                let after = healthy_after.map(|after| format!(" {} after its start", seconds(after)));
                Finding::Well(format!("healthy{}", after.unwrap_or_default()))
            }
            // Only after a restart does the streak begin anew; otherwise it may still be the old trouble.
            Some(Health::Unhealthy) if self.before.is_some() => Finding::Failed("unhealthy".to_owned()),
            Some(other) => Finding::NotYet(format!("health is {}", other.as_str())),
            None if container.health_check.is_some() => Finding::NotYet("no health status yet".to_owned()),
            None => Finding::Failed("it has no health check, so it cannot become healthy".to_owned()),
        }
    }
}

/// The containers of one verify step, looked at in rounds.
#[derive(Clone, Debug)]
pub struct Vigil {
    watches: Vec<(ContainerId, Watch)>,
    every: Duration,
    stable_for: Duration,
    /// The words of those that were well in this round.
    well: Vec<String>,
    /// What must answer as well.
    http: Option<UrlWatch>,
}

/// A URL under watch.
#[derive(Clone, Debug)]
struct UrlWatch {
    url: String,
    /// Since when it answers well, on the watch's clock.
    well_since: Option<Duration>,
    /// The last thing it answered.
    last_words: String,
}

impl UrlWatch {
    fn is_well(&self, stable_for: Duration, now: Duration) -> bool {
        self.well_since.is_some_and(|since| stable_for <= now.saturating_sub(since))
    }
}

impl Vigil {
    /// Begins one, unless there is nothing to watch.
    ///
    /// # Errors
    /// How the step ends if there is no container.
    pub fn new(watched: &[Watched], spec: &VerifySpec, http: Option<String>) -> Result<Self, StepResult> {
        if watched.is_empty() {
            return Err(StepResult::NotVerified("there is no container to watch".to_owned()));
        }
        let watch = |one: &Watched| Some((one.target.id.container()?.clone(), Watch::new(one, spec)));
        let watches: Vec<(ContainerId, Watch)> = watched.iter().filter_map(watch).collect();
        if watches.len() < watched.len() {
            return Err(StepResult::NotVerified("a service is not watched as a container".to_owned()));
        }
        let http = http.map(|url| UrlWatch { url, well_since: None, last_words: "not asked yet".to_owned() });
        let (every, stable_for) = (spec.every.max(EVERY_MIN), spec.stable_for);
        Ok(Self { watches, every, stable_for, well: Vec::new(), http })
    }

    /// The URL to be asked in each round, after the containers were looked at.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.http.as_ref().map(|http| http.url.as_str())
    }

    /// Notes what the URL answered, `now` being the time since the step began.
    pub fn hear(&mut self, answer: Result<&str, &str>, now: Duration) {
        let Some(http) = &mut self.http else { return };
        match answer {
            Ok(words) => {
                http.well_since.get_or_insert(now);
                words.clone_into(&mut http.last_words);
            }
            Err(words) => {
                http.well_since = None;
                words.clone_into(&mut http.last_words);
            }
        }
    }

    /// The containers of a round, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<ContainerId> {
        self.watches.iter().map(|(id, _)| id.clone()).collect()
    }

    /// Judges the look at one container, `now` being the time since the step began; the step's end if it has failed.
    pub fn look(&mut self, id: &ContainerId, sight: Sight<'_>, now: Duration) -> Option<StepResult> {
        let (_, watch) = self.watches.iter_mut().find(|(watched, _)| watched == id)?;
        match watch.look(sight, now) {
            Outlook::Waiting => None,
            Outlook::Well(words) => {
                self.well.push(words);
                None
            }
            Outlook::Failed(words) => Some(StepResult::NotVerified(words)),
        }
    }

    /// Ends a round: the step's end if all were well, or how long to wait for the next.
    ///
    /// # Errors
    /// The pause until the next round. The last look is at a deadline, not a pause after it.
    pub fn end_round(&mut self, now: Duration) -> Result<StepResult, Duration> {
        let mut well = std::mem::take(&mut self.well);
        if well.len() == self.watches.len() {
            let Some(http) = &self.http else { return Ok(StepResult::Verified(well.join("; "))) };
            let (url, last_words) = (clean(&http.url, URL_LEN_MAX), &http.last_words);
            if http.is_well(self.stable_for, now) {
                let stable_for = seconds(self.stable_for);
                well.push(format!("{url} answers {last_words}, stable for {stable_for}"));
                return Ok(StepResult::Verified(well.join("; ")));
            }
            let deadline = self.watches.iter().map(|(_, watch)| watch.deadline()).max().unwrap_or_default();
            if deadline <= now {
                let (well, within) = (well.join("; "), seconds(deadline));
                let words = format!("{well}; but {url} did not answer well within {within}: {last_words}");
                return Ok(StepResult::NotVerified(words));
            }
        }
        let to_come = self.watches.iter().map(|(_, watch)| watch.deadline()).filter(|deadline| now < *deadline);
        let next = to_come.min().map_or(Duration::MAX, |deadline| deadline - now);
        Err(self.every.min(next))
    }
}

/// How the last run ended.
fn death(container: &Container) -> String {
    let code = container.exit_code;
    let signal = match code {
        129 => " (SIGHUP)",
        130 => " (SIGINT)",
        134 => " (SIGABRT)",
        137 => " (killed)",
        139 => " (segmentation fault)",
        143 => " (SIGTERM)",
        _ => "",
    };
    // Older engines leave the flag standing after the next start, so it is believed only with the kernel's own signal.
    let oom = if container.oom_killed && code == 137 { ", out of memory" } else { "" };
    let error = match container.start_error.as_str() {
        "" => String::new(),
        error => format!(": {error}"),
    };
    match &container.state {
        ContainerState::Running => "it runs for now".to_owned(),
        ContainerState::Created
        | ContainerState::Paused
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Exited
        | ContainerState::Dead
        | ContainerState::Other(_) => format!("exited with code {code}{signal}{oom}{error}"),
    }
}

/// `4.2 s`, `10 s`.
fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::convert::container;
    use crate::model::action::TargetIdent;
    use serde_json::{Value, json};

    fn seen(started_at: &str, status: &str, health: Option<&str>) -> Container {
        let mut state = json!({"StartedAt": started_at, "Status": status});
        let mut config = json!({});
        if let Some(health) = health {
            state["Health"] = json!({"Status": health});
            let second = 1_000_000_000_u64;
            config["Healthcheck"] = json!({"Test": ["CMD", "x"], "Interval": second, "Timeout": second, "Retries": 2});
        }
        container(&json!({"Id": "ab".repeat(32), "Name": "/web-1", "State": state, "Config": config})).unwrap()
    }

    fn died(status: &str, code: i64, extra: &Value) -> Container {
        let mut state = json!({"StartedAt": "t2", "Status": status, "ExitCode": code});
        for (key, value) in extra.as_object().unwrap() {
            state[key] = value.clone();
        }
        container(&json!({"Id": "ab".repeat(32), "Name": "/web-1", "State": state})).unwrap()
    }

    fn watch(restarted: bool, health: HealthGoal, within: Option<u64>) -> Watch {
        let before = seen("t1", "running", None);
        let spec = VerifySpec {
            alert_resolved: false,
            health,
            within: within.map(Duration::from_secs),
            every: Duration::from_secs(1),
            stable_for: Duration::from_secs(10),
        };
        let before_vitals = restarted.then(|| Vitals::from(&before));
        let target = TargetIdent::from(&before);
        Watch::new(&Watched { target, before: before_vitals, goal: Goal::Up, limits: None }, &spec)
    }

    fn stop_watch(within: u64) -> Watch {
        Watch {
            goal: Goal::Down,
            before: Some(Vitals::from(&seen("t2", "running", None))),
            ..watch(true, HealthGoal::Auto, Some(within))
        }
    }

    #[test]
    fn what_was_stopped_is_well_while_it_stays_down() {
        let down = || died("exited", 143, &json!({}));
        let running = || seen("t2", "running", Some("healthy"));
        check(
            vec![
                ("down", stop_watch(60), vec![down()], 10, "stopped, with exit code 143, stable for 10 s"),
                (
                    "down after a while",
                    stop_watch(60),
                    vec![running(), down()],
                    11,
                    "stopped, with exit code 143, stable for 10 s",
                ),
            ],
            true,
        );
        let again = vec![down(), down(), seen("t3", "running", None)];
        check(
            vec![
                ("up again", stop_watch(60), again, 2, "started again at t3, now running"),
                ("never down", stop_watch(20), vec![running()], 20, "not recovered within 20 s: not stopped: running"),
            ],
            false,
        );
    }

    /// Looks once a second, and says in which second the watch ended and how.
    fn run(mut watch: Watch, sights: &[Container]) -> (u64, Outlook) {
        for now in 0..10_000 {
            let index = usize::try_from(now).unwrap().min(sights.len() - 1);
            let healthy_after = Some(Duration::from_millis(4230));
            match watch.look(Sight::Seen(&sights[index], healthy_after), Duration::from_secs(now)) {
                Outlook::Waiting => {}
                end @ (Outlook::Well(_) | Outlook::Failed(_)) => return (now, end),
            }
        }
        panic!("the watch never ended");
    }

    type Case = (&'static str, Watch, Vec<Container>, u64, &'static str);

    /// Each case says in which second the watch ends and with which words; well or not is told apart by `well`.
    fn check(cases: Vec<Case>, well: bool) {
        for (name, watch, sights, want_at, want) in cases {
            let want = format!("web-1: {want}");
            let want = if well { Outlook::Well(want) } else { Outlook::Failed(want) };
            assert_eq!(run(watch, &sights), (want_at, want), "{name}");
        }
    }

    #[test]
    fn a_container_recovers() {
        let healthy = || seen("t2", "running", Some("healthy"));
        let starting = || seen("t2", "running", Some("starting"));
        let old_trouble = vec![seen("t1", "running", Some("unhealthy")), seen("t1", "running", Some("healthy"))];
        let in_health = "healthy 4.2 s after its start, stable for 10 s";
        let running = "running on the same start, stable for 10 s";
        let auto = |restarted| watch(restarted, HealthGoal::Auto, None);
        check(
            vec![
                ("healthy after a while", auto(true), vec![starting(), starting(), healthy()], 12, in_health),
                ("running without a check", auto(true), vec![seen("t2", "running", None)], 10, running),
                ("running is the goal", watch(true, HealthGoal::Running, None), vec![starting()], 10, running),
                ("old trouble passes without a restart", auto(false), old_trouble, 11, in_health),
            ],
            true,
        );
    }

    #[test]
    fn an_owner_makes_it_stay_well_for_longer_and_never_for_less() {
        let labelled = |value: &str| {
            let mut one = seen("t2", "running", None);
            one.labels.insert(owner::STABLE_FOR.to_owned(), value.to_owned());
            one
        };
        let stable = |secs: u64| format!("running on the same start, stable for {secs} s");
        for (label, within, at) in [("1m", None, 60), ("60", Some(20), 60), ("3s", None, 10), ("soon", None, 10)] {
            let (ended, how) = run(watch(true, HealthGoal::Auto, within), &[labelled(label)]);
            assert_eq!((ended, how), (at, Outlook::Well(format!("web-1: {}", stable(at)))), "{label} {within:?}");
        }
        let never = [seen("t1", "running", None)];
        let mut asked = watch(true, HealthGoal::Auto, Some(20));
        assert_eq!(run(asked.clone(), &never).0, 20);
        asked.look(Sight::Seen(&labelled("1m"), None), Duration::ZERO);
        assert_eq!(asked.deadline(), Duration::from_secs(70), "what is asked for beyond stable_for is added");
    }

    #[test]
    fn a_container_does_not_recover_and_the_reason_is_given() {
        let healthy = || seen("t2", "running", Some("healthy"));
        let unhealthy = || seen("t2", "running", Some("unhealthy"));
        let starting = || seen("t2", "running", Some("starting"));
        let running = || seen("t2", "running", None);
        let once_more = vec![running(), running(), seen("t3", "running", None)];
        let auto = |within| watch(true, HealthGoal::Auto, within);
        let no_check = "it has no health check, so it cannot become healthy";
        let twice = "started once more at t3 while it was watched: it runs for now";
        let old_start = "not recovered within 20 s: not started again, running";
        let paused = "not recovered within 5 s: paused: whether it recovered cannot be told";
        let strange = "not recovered within 5 s: in the unknown state \"hibernating\"";
        let short = "not recovered within 5 s: running on the same start, but stable only for 5 s";
        check(
            vec![
                ("unhealthy", auto(None), vec![starting(), unhealthy()], 1, "unhealthy"),
                ("healthy, then not", auto(None), vec![healthy(), healthy(), unhealthy()], 2, "unhealthy"),
                ("old start", auto(Some(20)), vec![seen("t1", "running", Some("healthy"))], 20, old_start),
                ("no check", watch(true, HealthGoal::Healthy, None), vec![running()], 0, no_check),
                ("started once more", auto(None), once_more, 2, twice),
                ("paused for ever", auto(Some(5)), vec![seen("t2", "paused", None)], 5, paused),
                ("a newer engine", auto(Some(5)), vec![seen("t2", "hibernating", None)], 5, strange),
                ("stable too late", auto(Some(5)), vec![running()], 5, short),
            ],
            false,
        );
    }

    #[test]
    fn a_death_is_told_with_its_cause() {
        for (container, want) in [
            (died("exited", 3, &json!({})), "web-1: exited with code 3"),
            (died("exited", 137, &json!({"OOMKilled": true})), "web-1: exited with code 137 (killed), out of memory"),
            (died("exited", 1, &json!({"OOMKilled": true})), "web-1: exited with code 1"),
            (died("dead", 127, &json!({"Error": "bind source gone"})), "web-1: exited with code 127: bind source gone"),
            (died("restarting", 3, &json!({})), "web-1: crash loop: exited with code 3"),
            (died("removing", 0, &json!({})), "web-1: being removed"),
        ] {
            let outlook = run(watch(true, HealthGoal::Auto, None), &[container]);
            assert_eq!(outlook, (0, Outlook::Failed(want.to_owned())));
        }
    }

    #[test]
    fn a_restart_by_policy_is_a_crash_loop_at_once() {
        let mut again = seen("t3", "running", None);
        again.restart_count = 1;
        let (at, outlook) = run(watch(true, HealthGoal::Auto, None), &[again.clone()]);
        let want = "web-1: crash loop: docker restarted it again (restart count 1): it runs for now";
        assert_eq!((at, outlook), (0, Outlook::Failed(want.to_owned())));
        // Without a restart of ours an old count says nothing, only a growing one does.
        let (_, outlook) = run(watch(false, HealthGoal::Auto, None), &[again.clone()]);
        assert!(matches!(outlook, Outlook::Well(_)), "{outlook:?}");
        let mut grown = again.clone();
        grown.restart_count = 2;
        let (at, outlook) = run(watch(false, HealthGoal::Auto, None), &[again, grown]);
        assert!(at == 1 && matches!(outlook, Outlook::Failed(_)), "{outlook:?}");
    }

    #[test]
    fn the_deadline_comes_from_the_health_check() {
        let mut with_check = watch(true, HealthGoal::Auto, None);
        assert_eq!(with_check.deadline().as_secs(), 60 + 10);
        with_check.look(Sight::Seen(&seen("t2", "running", Some("starting")), None), Duration::ZERO);
        assert_eq!(with_check.deadline().as_secs(), 2 * (1 + 1) + 30 + 10);
        assert_eq!(watch(true, HealthGoal::Auto, Some(45)).deadline().as_secs(), 45);
    }

    #[test]
    fn a_silent_docker_is_asked_until_the_deadline_and_stability_begins_anew() {
        let mut watch = watch(true, HealthGoal::Auto, Some(30));
        let running = seen("t2", "running", None);
        let secs = Duration::from_secs;
        assert_eq!(watch.look(Sight::Seen(&running, None), secs(0)), Outlook::Waiting);
        assert_eq!(watch.look(Sight::Unseen("cut"), secs(9)), Outlook::Waiting);
        assert_eq!(watch.look(Sight::Seen(&running, None), secs(11)), Outlook::Waiting);
        assert!(matches!(watch.clone().look(Sight::Seen(&running, None), secs(21)), Outlook::Well(_)));
        let late = watch.look(Sight::Unseen("cut"), secs(30));
        assert_eq!(late, Outlook::Failed("web-1: not recovered within 30 s: not seen: cut".to_owned()));
        assert!(matches!(watch.look(Sight::Gone, secs(1)), Outlook::Failed(_)));
        assert!(matches!(watch.look(Sight::Hidden("denied"), secs(1)), Outlook::Failed(_)));
    }

    #[test]
    fn a_url_must_answer_well_as_long_as_the_container_is_well() {
        let secs = Duration::from_secs;
        let well = seen("t2", "running", None);
        let before = Some(Vitals::from(&seen("t1", "running", None)));
        let watched = [Watched { target: TargetIdent::from(&well), before, goal: Goal::Up, limits: None }];
        let spec = VerifySpec { within: Some(secs(30)), stable_for: secs(10), ..VerifySpec::default() };
        let play = |answers: fn(u64) -> bool| {
            let url = "http://web-1:8080/healthz?token=hunter2".to_owned();
            let mut vigil = Vigil::new(&watched, &spec, Some(url)).unwrap();
            for now in 0.. {
                assert!(vigil.look(&well.id, Sight::Seen(&well, None), secs(now)).is_none());
                vigil.hear(if answers(now) { Ok("200") } else { Err("answered 503") }, secs(now));
                match vigil.end_round(secs(now)) {
                    Ok(end) => return (now, end),
                    Err(pause) => assert_eq!(pause, secs(1)),
                }
            }
            panic!("it never ends");
        };
        for (name, answers, at, well) in [
            ("at once", (|_| true) as fn(u64) -> bool, 10, true),
            ("after a while", |now| 5 <= now, 15, true),
            ("with a gap", |now| now != 8, 19, true),
            ("never", |_| false, 30, false),
            ("too late to be stable", |now| 25 <= now, 30, false),
        ] {
            let (ended, result) = play(answers);
            assert_eq!((ended, matches!(result, StepResult::Verified(_))), (at, well), "{name}: {result:?}");
            let words = format!("{result:?}");
            assert!(words.contains("http://web-1:8080/healthz") && !words.contains("hunter2"), "{words}");
        }
    }
}
