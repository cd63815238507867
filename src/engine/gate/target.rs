//! The target: opted in, unprotected, and in a state that may be treated. The table is `reference` knowledge of
//! Docker's restart semantics: a restart starts a stopped container, un-pauses a paused one, deletes an `--rm` one and
//! makes a crash loop faster.

use super::{Question, refuse};
use crate::model::container::{Container, ContainerState, Health, RestartPolicy, StopCause, TargetView};
use crate::model::fact::Refusal;
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::{RestartSpec, Verb};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// A run this long is the engine's own idea of "started well".
const SETTLE: Duration = Duration::from_secs(10);

/// Restarts by policy within a minute that make a loop of it.
const CRASH_LOOP_RESTARTS: u64 = 3;

/// Asks everything about the target itself. A playbook that changes nothing only needs one that exists.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    let Some(view) = question.view else { return Ok(()) };
    let Some(restart) = restart_spec(question) else { return Ok(()) };
    let no = |(reason, detail): No| refuse(Gate::Target, reason, detail);
    allowed(question, &view.container).map_err(no)?;
    owned_by_nobody_else(&view.container).map_err(no)?;
    treatable(view, restart, question.now.wall).map_err(no)?;
    settled(&view.container, question.incident.alert.starts_at, question.now.wall).map_err(no)?;
    for dependent in &view.dependents {
        treatable_dependent(question, dependent).map_err(|(reason, detail)| {
            let name = &view.container.name;
            let detail = format!("{} shares a namespace with {name}: {detail} ({reason})", dependent.name);
            refuse(Gate::Target, Reason::DependentRefused, detail)
        })?;
    }
    Ok(())
}

/// Before the target is touched: a dependent that runs must be allowed to be restarted, and one that somebody holds
/// paused would wake up in a dead namespace. What is stopped or being restarted by Docker joins the new one by itself.
fn treatable_dependent(question: &Question<'_>, dependent: &Container) -> Result<(), No> {
    match &dependent.state {
        ContainerState::Running => {
            allowed(question, dependent)?;
            owned_by_nobody_else(dependent)
        }
        ContainerState::Paused => Err((Reason::ContainerPaused, format!("{} is paused", dependent.name))),
        ContainerState::Exited
        | ContainerState::Restarting
        | ContainerState::Created
        | ContainerState::Removing
        | ContainerState::Dead
        | ContainerState::Other(_) => Ok(()),
    }
}

/// Asked right before a dependent is restarted after its target: its owner must still allow it, and it must still run,
/// or have died. Whoever shares the target's PID namespace dies with it, so that death is our doing; a stop is not.
pub(in crate::engine) fn may_restart_dependent(question: &Question<'_>, view: &TargetView) -> Result<(), Refusal> {
    let dependent = &view.container;
    let no = |(reason, detail): No| refuse(Gate::Target, reason, detail);
    allowed(question, dependent).map_err(no)?;
    owned_by_nobody_else(dependent).map_err(no)?;
    match &dependent.state {
        ContainerState::Running | ContainerState::Restarting => Ok(()),
        ContainerState::Exited => not_on_purpose(view).map_err(no),
        ContainerState::Paused => Err(no((Reason::ContainerPaused, format!("{} is paused", dependent.name)))),
        ContainerState::Created | ContainerState::Removing | ContainerState::Dead | ContainerState::Other(_) => {
            let detail = format!("{} is {}", dependent.name, dependent.state.as_str());
            Err(no((Reason::ContainerStopped, detail)))
        }
    }
}

/// Dependents that a restart of the target would leave with a dead namespace.
pub(in crate::engine) fn running_dependents(view: &TargetView) -> impl Iterator<Item = &Container> {
    view.dependents.iter().filter(|dependent| dependent.state == ContainerState::Running)
}

type No = (Reason, String);

fn restart_spec<'a>(question: &Question<'a>) -> Option<&'a RestartSpec> {
    question.playbook.steps.iter().find_map(|step| match &step.verb {
        Verb::Restart(spec) => Some(spec),
        Verb::Capture(_) | Verb::Verify(_) | Verb::Wait(_) | Verb::Notify(_) => None,
    })
}

/// What the owner of the container says: labels may only narrow. An unreadable value gets the safest reading.
fn allowed(question: &Question<'_>, container: &Container) -> Result<(), No> {
    let policy = question.policy;
    let name = container.name.as_str();
    let label = |key: &str| container.labels.get(key).map(|value| value.trim());
    if let Some(value) = label("sickbay.protect")
        && !is_false(value)
    {
        return Err((Reason::Protected, format!("{name} has the label sickbay.protect={value}")));
    }
    if policy.protect.iter().any(|protected| protected.covers(name)) {
        return Err((Reason::Protected, format!("{name} is covered by docker.protect in the settings")));
    }
    let own = policy.own_container.as_deref();
    if own.is_some_and(|own| 12 <= own.len() && container.id.as_str().starts_with(own)) {
        return Err((Reason::SelfTarget, format!("{name} is the container sickbay runs in")));
    }
    match label("sickbay.enable") {
        Some(value) if is_true(value) => {}
        None if !policy.require_opt_in => {}
        Some(value) => return Err((Reason::NotOptedIn, format!("{name} has the label sickbay.enable={value}"))),
        None => {
            let detail = format!("{name} lacks the label sickbay.enable=true");
            return Err((Reason::NotOptedIn, detail));
        }
    }
    match label("sickbay.actions") {
        Some(listed) if !listed.split(',').any(|action| action.trim() == "restart") => {
            let detail = format!("{name} has the label sickbay.actions={listed}, without restart");
            Err((Reason::ActionNotAllowed, detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_true(value: &str) -> bool {
    ["1", "t", "true", "yes"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_false(value: &str) -> bool {
    ["0", "f", "false", "no"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn owned_by_nobody_else(container: &Container) -> Result<(), No> {
    let name = &container.name;
    let has = |key: &str| container.labels.contains_key(key);
    if has("com.docker.swarm.service.id") || has("com.docker.swarm.task.id") {
        return Err((Reason::SwarmTask, format!("{name} is a task of a Swarm service, which replaces it itself")));
    }
    if container.labels.keys().any(|key| key.starts_with("io.kubernetes.")) {
        return Err((Reason::KubernetesPod, format!("{name} belongs to a Kubernetes pod")));
    }
    if container.auto_remove {
        return Err((Reason::AutoRemove, format!("{name} was started with --rm: a restart would delete it")));
    }
    Ok(())
}

/// Which states a restart may treat.
fn treatable(view: &TargetView, restart: &RestartSpec, now: DateTime<Utc>) -> Result<(), No> {
    let container = &view.container;
    let name = &container.name;
    match &container.state {
        ContainerState::Running => {
            let young = age(&container.started_at, now).is_none_or(|age| age < Duration::from_secs(60));
            if CRASH_LOOP_RESTARTS <= container.restart_count && young {
                let count = container.restart_count;
                return Err((Reason::CrashLoop, format!("{name} was restarted {count} times by its restart policy")));
            }
            Ok(())
        }
        ContainerState::Exited => stopped(view, restart),
        ContainerState::Paused => Err((Reason::ContainerPaused, format!("{name} is paused"))),
        ContainerState::Restarting => {
            let code = container.exit_code;
            let detail = format!("Docker is already restarting {name} again and again (last exit code {code})");
            Err((Reason::CrashLoop, detail))
        }
        ContainerState::Created => {
            Err((Reason::ContainerCreated, format!("{name} was created and has never been started")))
        }
        ContainerState::Removing | ContainerState::Dead => {
            Err((Reason::ContainerGone, format!("{name} is {}", container.state.as_str())))
        }
        ContainerState::Other(word) => {
            Err((Reason::ContainerStateUnknown, format!("{name} is in the state {word:?}, unknown to this version")))
        }
    }
}

/// A stopped container is started only if it did not stop on purpose and the playbook says so.
fn stopped(view: &TargetView, restart: &RestartSpec) -> Result<(), No> {
    not_on_purpose(view)?;
    if !restart.start_if_stopped {
        let (name, code) = (&view.container.name, view.container.exit_code);
        let detail = format!(
            "{name} is not running (exit code {code}) and the playbook does not say restart: {{start_if_stopped: true}}"
        );
        return Err((Reason::ContainerStopped, detail));
    }
    Ok(())
}

/// Whether a stopped container died, and was neither stopped by somebody nor done with its work.
fn not_on_purpose(view: &TargetView) -> Result<(), No> {
    let container = &view.container;
    let name = &container.name;
    let code = container.exit_code;
    let docker_would_have_restarted =
        matches!(container.restart_policy, RestartPolicy::Always | RestartPolicy::UnlessStopped)
            && container.start_error.is_empty();
    let by_human = match view.stop_cause {
        // A restart whose second half failed leaves a stop in the history too.
        _ if !container.start_error.is_empty() => None,
        StopCause::Stopped => Some(format!("somebody stopped {name}: Docker's event history shows it")),
        StopCause::Died => None,
        StopCause::Forgotten | StopCause::NotAsked => {
            // 0, SIGINT and SIGTERM are how a stop in good order ends.
            let politely = matches!(code, 0 | 130 | 143);
            (politely || docker_would_have_restarted)
                .then(|| format!("{name} stopped with exit code {code} and Docker's event history no longer shows why"))
        }
    };
    if let Some(detail) = by_human {
        return Err((Reason::StoppedByHuman, detail));
    }
    if code == 0 && matches!(container.restart_policy, RestartPolicy::No | RestartPolicy::OnFailure) {
        return Err((Reason::ContainerFinished, format!("{name} ended with exit code 0, like a finished job")));
    }
    Ok(())
}

/// A container that started after the alert did has been treated already: give it time.
fn settled(container: &Container, alert_start: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), No> {
    let known_sick = container.health == Some(Health::Unhealthy);
    if container.state != ContainerState::Running || known_sick {
        return Ok(());
    }
    let (Some(alert_start), Ok(started)) = (alert_start, container.started_at.parse::<DateTime<Utc>>()) else {
        return Ok(());
    };
    let start_period = container.health_check.map_or(Duration::ZERO, |check| check.start_period);
    let grace = SETTLE.max(start_period);
    let young = (now - started).to_std().is_ok_and(|age| age < grace);
    if alert_start < started && young {
        let detail = format!("{} started {} after the alert did, and is in its startup grace", container.name, {
            let after = (started - alert_start).to_std().unwrap_or_default();
            crate::model::duration::format_duration(Duration::from_secs(after.as_secs()))
        });
        return Err((Reason::RecentlyStarted, detail));
    }
    Ok(())
}

fn age(started_at: &str, now: DateTime<Utc>) -> Option<Duration> {
    (now - started_at.parse::<DateTime<Utc>>().ok()?).to_std().ok()
}
