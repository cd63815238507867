//! Each gate says no with its own reason, and a no is not an attempt.

use super::world::*;
use crate::engine::event::Event;
use crate::model::action::ActionOutcome;
use crate::model::container::{Container, ContainerState, Health, RestartPolicy, StopCause, TargetReport, TargetView};
use crate::model::fact::StepResult;
use crate::model::id::IncidentId;
use crate::model::label::Labels;
use crate::model::policy::ProtectedName;
use crate::model::reason::Reason;
use crate::playbook::definition::{Playbook, Verb};
use std::time::Duration;

/// What the gates say about a container; `None` is yes.
fn verdict_on(view: TargetView) -> Option<Reason> {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), TargetReport::Found(Box::new(view)));
    world.last_refusal()
}

fn with(change: impl FnOnce(&mut Container)) -> TargetView {
    let mut changed = container("web");
    change(&mut changed);
    view(changed)
}

fn label(key: &str, value: &str) -> TargetView {
    with(|web| _ = web.labels.insert(key.into(), value.into()))
}

fn exited(code: i64, policy: RestartPolicy, cause: StopCause) -> TargetView {
    let mut stopped = with(|web| {
        web.state = ContainerState::Exited;
        web.exit_code = code;
        web.restart_policy = policy;
    });
    stopped.stop_cause = cause;
    stopped
}

#[test]
fn labels_decide_who_may_be_treated() {
    for (key, value, want) in [
        ("sickbay.enable", "true", None),
        ("sickbay.enable", "1", None),
        ("sickbay.enable", "YES", None),
        ("sickbay.enable", "false", Some(Reason::NotOptedIn)),
        ("sickbay.enable", "ture", Some(Reason::NotOptedIn)),
        ("sickbay.enable", "", Some(Reason::NotOptedIn)),
        ("sickbay.protect", "true", Some(Reason::Protected)),
        ("sickbay.protect", "flase", Some(Reason::Protected)),
        ("sickbay.protect", "", Some(Reason::Protected)),
        ("sickbay.protect", "false", None),
        ("sickbay.actions", "scale, restart", None),
        ("sickbay.actions", "scale", Some(Reason::ActionNotAllowed)),
        ("sickbay.actions", "", Some(Reason::ActionNotAllowed)),
        ("sickbay.scope", "prod", Some(Reason::OtherScope)),
        ("sickbay.scope", "", Some(Reason::OtherScope)),
        ("sickbay.protected", "true", Some(Reason::Protected)),
        ("sickbay.protected", "false", Some(Reason::Protected)),
        ("sickbay.action", "restart", Some(Reason::Protected)),
        ("sickbay.not-before", "22:00", Some(Reason::Protected)),
        ("sickbay_protect", "true", Some(Reason::Protected)),
        ("sickbay.actions", "Restart", Some(Reason::ActionNotAllowed)),
        ("sickbay.clone-of", "web-1", None),
        ("sickbay-test", "true", None),
        ("com.docker.swarm.service.id", "x", Some(Reason::SwarmTask)),
        ("io.kubernetes.pod.name", "x", Some(Reason::KubernetesPod)),
    ] {
        assert_eq!(verdict_on(label(key, value)), want, "{key}={value}");
    }
    assert_eq!(verdict_on(with(|web| web.labels.clear())), Some(Reason::NotOptedIn));
}

#[test]
fn what_belongs_to_another_sickbay_is_left_alone() {
    for (own, label, want) in [
        (None, None, None),
        (None, Some("prod"), Some(Reason::OtherScope)),
        (Some("prod"), None, None),
        (Some("prod"), Some("prod"), None),
        (Some("prod"), Some(" prod "), None),
        (Some("prod"), Some("PROD"), Some(Reason::OtherScope)),
        (Some("prod"), Some("test"), Some(Reason::OtherScope)),
        (Some("prod"), Some(""), Some(Reason::OtherScope)),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.ruleset.policy.scope = own.map(str::to_owned);
        let mut web = container("web");
        web.labels.extend(label.map(|label| ("sickbay.scope".to_owned(), label.to_owned())));
        world.fire(firing(world.now_s));
        world.docker(first(), found(web));
        assert_eq!(world.last_refusal(), want, "{own:?} {label:?}");
    }
}

#[test]
fn settings_protect_by_name_and_sickbay_protects_itself() {
    let ask = |change: fn(&mut World)| {
        let mut world = World::new(vec![restarting()]);
        change(&mut world);
        world.fire(firing(world.now_s));
        world.docker(first(), found(container("web")));
        world.last_refusal()
    };
    let protect = |world: &mut World| world.ruleset.policy.protect = vec![ProtectedName::Exact("web".into())];
    assert_eq!(ask(protect), Some(Reason::Protected));
    let other = |world: &mut World| world.ruleset.policy.protect = vec![ProtectedName::Exact("web-1".into())];
    assert_eq!(ask(other), None);
    let own = |world: &mut World| {
        world.ruleset.policy.own_container = Some(container("web").id.short().to_owned());
    };
    assert_eq!(ask(own), Some(Reason::SelfTarget));
}

#[test]
fn what_watches_and_what_stands_before_docker_is_protected_unasked() {
    let image = |image: &str| {
        with(|web| {
            web.image = image.into();
            web.labels.insert("sickbay.protect".into(), "false".into());
        })
    };
    for (view, want) in [
        (image("prom/prometheus:v3.5.0"), Some(Reason::Protected)),
        (image("registry.example:5000/x/docker-socket-proxy@sha256:1"), Some(Reason::Protected)),
        (image("example/prometheus-demo"), None),
    ] {
        assert_eq!(verdict_on(view.clone()), want, "{}", view.container.image);
    }
    let service = with(|web| {
        web.labels.insert("com.docker.compose.project".into(), "shop".into());
        web.labels.insert("com.docker.compose.service".into(), "docker-door".into());
    });
    for (host, view, want) in [
        ("web", with(|_| {}), Some(Reason::Protected)),
        ("docker-door", service, Some(Reason::Protected)),
        ("web-2", with(|_| {}), None),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.ruleset.policy.docker_hosts = vec![host.into()];
        world.fire(firing(world.now_s));
        world.docker(first(), TargetReport::Found(Box::new(view)));
        assert_eq!(world.last_refusal(), want, "{host}");
    }
}

#[test]
fn without_opt_in_a_label_can_still_opt_out() {
    for (value, want) in [(None, None), (Some("false"), Some(Reason::NotOptedIn))] {
        let mut world = World::new(vec![restarting()]);
        world.ruleset.policy.require_opt_in = false;
        world.fire(firing(world.now_s));
        let mut web = container("web");
        web.labels.clear();
        web.labels.extend(value.map(|value| ("sickbay.enable".to_owned(), value.to_owned())));
        world.docker(first(), found(web));
        assert_eq!(world.last_refusal(), want, "{value:?}");
    }
}

#[test]
fn only_states_that_a_restart_can_treat_pass() {
    use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
    use StopCause::{Died, Forgotten, Stopped};
    let state = |state: ContainerState| with(|web| web.state = state);
    for (name, view, want) in [
        ("running", state(ContainerState::Running), None),
        ("paused", state(ContainerState::Paused), Some(Reason::ContainerPaused)),
        ("restarting", state(ContainerState::Restarting), Some(Reason::CrashLoop)),
        ("created", state(ContainerState::Created), Some(Reason::ContainerCreated)),
        ("removing", state(ContainerState::Removing), Some(Reason::ContainerGone)),
        ("dead", state(ContainerState::Dead), Some(Reason::ContainerGone)),
        ("new word", state(ContainerState::Other("thawing".into())), Some(Reason::ContainerStateUnknown)),
        ("--rm", with(|web| web.auto_remove = true), Some(Reason::AutoRemove)),
        ("killed", exited(137, No, Died), None),
        ("killed, unless-stopped", exited(137, UnlessStopped, Died), None),
        ("crashed", exited(1, OnFailure, Died), None),
        ("stopped", exited(137, No, Stopped), Some(Reason::StoppedByHuman)),
        ("stopped politely", exited(0, UnlessStopped, Stopped), Some(Reason::StoppedByHuman)),
        ("finished job", exited(0, No, Died), Some(Reason::ContainerFinished)),
        ("long ago, SIGTERM", exited(143, No, Forgotten), Some(Reason::StoppedByHuman)),
        ("long ago, unless-stopped", exited(137, UnlessStopped, Forgotten), Some(Reason::StoppedByHuman)),
        ("long ago, always", exited(137, Always, Forgotten), Some(Reason::StoppedByHuman)),
        ("long ago, crashed", exited(1, No, Forgotten), None),
    ] {
        assert_eq!(verdict_on(view), want, "{name}");
    }
}

#[test]
fn a_stopped_container_is_started_only_if_the_playbook_says_so() {
    let mut playbook = restarting();
    let Verb::Restart(restart) = &mut playbook.attempts.first.steps[1].verb else { panic!() };
    restart.start_if_stopped = false;
    let mut world = World::new(vec![playbook]);
    world.fire(firing(world.now_s));
    world.docker(first(), TargetReport::Found(Box::new(exited(137, RestartPolicy::No, StopCause::Died))));
    assert_eq!(world.last_refusal(), Some(Reason::ContainerStopped));
}

#[test]
fn a_container_that_started_after_the_alert_is_given_time() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let started = |seconds: u64| {
        let mut web = container("web");
        web.started_at = wall(seconds).to_rfc3339();
        web
    };
    world.docker(first(), found(started(world.now_s - 5)));
    assert_eq!(world.last_refusal(), Some(Reason::RecentlyStarted));
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let mut sick = started(world.now_s - 5);
    sick.health = Some(Health::Unhealthy);
    world.docker(first(), found(sick));
    assert_eq!(world.last_refusal(), None, "known to be sick since its start");
}

#[test]
fn what_docker_does_not_say_is_a_no() {
    for (report, want) in [
        (TargetReport::Missing, Reason::TargetMissing),
        (TargetReport::Ambiguous(vec!["a".into(), "b".into()]), Reason::TargetAmbiguous),
        (TargetReport::Unavailable("no answer".into()), Reason::DockerUnavailable),
        (TargetReport::Denied("GET /containers".into()), Reason::DockerDenied),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.fire(firing(world.now_s));
        world.docker(first(), report);
        assert_eq!(world.last_refusal(), Some(want));
        assert!(world.effects.is_empty());
    }
}

#[test]
fn an_alert_that_names_no_valid_container_is_refused_at_once() {
    for labels in [vec![("alertname", "Down")], vec![("alertname", "Down"), ("container", "a/../../prune#")]] {
        let mut world = World::new(vec![restarting()]);
        let labels: Labels = labels.into_iter().collect();
        let alert = crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) };
        let receipt = world.fire(alert);
        assert_eq!(receipt.reason, Some(Reason::TargetInvalid));
        assert!(world.effects.is_empty());
    }
}

#[test]
fn a_dependent_that_may_not_be_restarted_protects_its_parent() {
    for (value, want) in [("true", None), ("false", Some(Reason::DependentRefused))] {
        let mut sidecar = container("sidecar");
        sidecar.labels.insert("sickbay.enable".into(), value.into());
        let mut parent = view(container("web"));
        parent.dependents = vec![sidecar];
        assert_eq!(verdict_on(parent), want, "{value}");
    }
}

#[test]
fn an_owner_may_have_nothing_done_to_what_others_depend_on() {
    let refused = Some(Reason::DependentRefused);
    for (label, enabled, want) in [
        ("restart", "true", None),
        ("warn", "true", None),
        // To leave a dependent alone is no leave to take its namespace away.
        ("warn", "false", refused),
        ("refuse", "true", refused),
        ("REFUSE", "true", refused),
        ("perhaps", "true", refused),
        ("", "true", refused),
    ] {
        let mut sidecar = container("sidecar");
        sidecar.labels.insert("sickbay.enable".into(), enabled.into());
        let mut parent = view(container("web"));
        parent.container.labels.insert("sickbay.dependents".into(), label.into());
        parent.dependents = vec![sidecar];
        assert_eq!(verdict_on(parent), want, "{label}");
        let mut alone = container("web");
        alone.labels.insert("sickbay.dependents".into(), label.into());
        assert_eq!(verdict_on(view(alone)), None, "{label}: it says nothing where there are none");
    }
}

#[test]
fn a_dependent_that_a_restart_would_delete_wake_up_or_fight_over_protects_its_parent() {
    type Change = fn(&mut Container);
    let changes: [(&str, Change); 4] = [
        ("--rm", |c| c.auto_remove = true),
        ("paused", |c| c.state = ContainerState::Paused),
        ("swarm", |c| drop(c.labels.insert("com.docker.swarm.service.id".into(), "s".into()))),
        ("pod", |c| drop(c.labels.insert("io.kubernetes.pod.name".into(), "p".into()))),
    ];
    for (what, change) in changes {
        let mut sidecar = container("sidecar");
        change(&mut sidecar);
        let mut parent = view(container("web"));
        parent.dependents = vec![sidecar];
        assert_eq!(verdict_on(parent), Some(Reason::DependentRefused), "{what}");
    }
}

#[test]
fn a_crash_before_a_refusal_at_first_sight_does_not_leave_the_alert_undecided() {
    let mut world = World::new(vec![restarting()]);
    let labels: Labels = [("alertname", "Down"), ("container", "a/b")].into_iter().collect();
    world.fire(crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) });
    world.state = world.replayed(1);
    world.log.truncate(1);
    world.feed(Event::Started { recovered: None, version: "0".into(), hostname: "h".into(), files: vec![] });
    assert_eq!(world.last_refusal(), Some(Reason::TargetInvalid));
}

/// An alert of its own for `web`, so that limits and not episodes decide.
fn another(world: &World, number: usize) -> crate::model::alert::Alert {
    let number = number.to_string();
    let labels: Labels = [("alertname", "Down"), ("container", "web"), ("n", &number)].into_iter().collect();
    crate::model::alert::Alert { fingerprint: labels.fingerprint(), labels, ..firing(world.now_s) }
}

/// Runs one alert to its end, or to the refusal that it meets.
fn attempt(world: &mut World, number: usize) -> Option<Reason> {
    let incident = world.fire(another(world, number)).incident.unwrap();
    world.docker(incident, found(container("web")));
    if world.state.incident(incident).unwrap().run().is_none() {
        return world.last_refusal();
    }
    finish(world, incident);
    None
}

fn finish(world: &mut World, incident: IncidentId) {
    world.step(incident, 0, StepResult::Captured(serde_json::json!({})));
    world.docker(incident, found(container("web")));
    let act = world.permitted().expect("permitted");
    world.feed(Event::ActionReturned { act, outcome: ActionOutcome::Succeeded { post: None } });
    world.step(incident, 2, StepResult::Verified("healthy".into()));
}

#[test]
fn budgets_are_charged_on_attempts_alone_and_hold_across_restarts() {
    let mut world = World::new(vec![restarting()]);
    // Alerts that follow each other are relapses, and the breaker would answer before the window is full.
    world.ruleset.policy.breaker.failures = 100;
    for number in 0..3 {
        assert_eq!(attempt(&mut world, number), None);
        world.now_s += 60;
    }
    for number in 3..6 {
        assert_eq!(attempt(&mut world, number), Some(Reason::BudgetExhausted));
        world.now_s += 60;
    }
    world.state = world.replayed(world.log.len());
    assert_eq!(attempt(&mut world, 6), Some(Reason::BudgetExhausted));
    world.now_s = 100_000 + 3600;
    assert_eq!(attempt(&mut world, 7), None, "the first attempt has left the window");
    assert_eq!(attempt(&mut world, 8), Some(Reason::BudgetExhausted));
}

#[test]
fn cooldown_counts_from_the_end_and_refusals_do_not_extend_it() {
    let mut playbook = restarting();
    playbook.limits.cooldown = Duration::from_secs(300);
    let mut world = World::new(vec![playbook]);
    assert_eq!(attempt(&mut world, 0), None);
    for number in 1..5 {
        world.now_s += 70;
        assert_eq!(attempt(&mut world, number), Some(Reason::Cooldown), "{number}");
    }
    world.now_s += 20;
    assert_eq!(attempt(&mut world, 9), None);
}

#[test]
fn settings_cap_what_playbooks_allow() {
    use crate::model::limit::Window;
    let hour = Duration::from_secs(3600);
    for per_target in [true, false] {
        let mut world = World::new(vec![restarting()]);
        let window = vec![Window { runs: 1, per: hour }];
        match per_target {
            true => world.ruleset.policy.per_target = window,
            false => world.ruleset.policy.global = window,
        }
        assert_eq!(attempt(&mut world, 0), None);
        assert_eq!(attempt(&mut world, 1), Some(Reason::GlobalBudget));
    }
}

#[test]
fn a_target_under_treatment_is_busy_and_so_are_its_dependents() {
    let mut world = World::new(vec![restarting()]);
    let one = world.fire(another(&world, 1)).incident.unwrap();
    world.docker(one, found(container("web")));
    let two = world.fire(another(&world, 2)).incident.unwrap();
    world.docker(two, found(container("web")));
    assert_eq!(world.last_refusal(), Some(Reason::Busy));
    let three = world.fire(another(&world, 3)).incident.unwrap();
    let mut parent = view(container("parent"));
    parent.dependents = vec![container("web")];
    world.docker(three, TargetReport::Found(Box::new(parent)));
    assert_eq!(world.state.incident(three).unwrap().run(), None);
    assert_eq!(world.last_refusal(), Some(Reason::Busy));
}

#[test]
fn no_more_runs_at_once_than_the_settings_allow() {
    let mut world = World::new(vec![restarting()]);
    for (number, name, want) in [(1, "web", None), (2, "api", None), (3, "db", Some(Reason::MaxParallel))] {
        let incident = world.fire(another(&world, number)).incident.unwrap();
        world.docker(incident, found(container(name)));
        assert_eq!(world.last_refusal(), want, "{name}");
    }
}

#[test]
fn a_refusal_is_asked_again_when_its_time_has_come_and_written_only_if_it_changes() {
    let mut world = World::new(vec![restarting()]);
    let alert = firing(world.now_s);
    world.fire(alert.clone());
    let mut paused = container("web");
    paused.state = ContainerState::Paused;
    world.docker(first(), found(paused.clone()));
    world.fire(alert.clone());
    assert!(world.effects.is_empty(), "too soon");
    world.now_s += 60;
    let receipt = world.fire(alert.clone());
    assert_eq!(receipt.reason, Some(Reason::ContainerPaused));
    assert_eq!(world.effects.len(), 1);
    let written = world.log.len();
    world.docker(first(), found(paused));
    assert_eq!(world.log.len(), written, "the same answer is not written again");
    world.docker(first(), found(container("web")));
    assert_eq!(world.kinds(written), ["decision"]);
    assert!(world.state.incident(first()).unwrap().run().is_some());
}

#[test]
fn a_disabled_playbook_takes_nothing() {
    let mut world = World::new(vec![Playbook { enabled: false, ..restarting() }]);
    assert_eq!(world.fire(firing(world.now_s)).reason, Some(Reason::NoMatch));
}
