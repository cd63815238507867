//! The target: opted in, unprotected, and in a state that may be treated. The table is `reference` knowledge of
//! Docker's semantics: a restart starts a stopped container, un-pauses a paused one, deletes an `--rm` one and makes a
//! crash loop faster; a stop un-pauses, deletes and ends loops alike.

use super::protection::{Owned, allowed};
use super::{Question, hands_off, refuse, service};
use crate::engine::limits::{Aim, aim, has_room, takes_back_next};
use crate::model::container::{Container, ContainerState, Health, MemoryInUse, RestartPolicy, StopCause, TargetView};
use crate::model::fact::Refusal;
use crate::model::owner::{self, DEPENDENTS, Dependents};
use crate::model::reason::{Gate, Reason};
use crate::playbook::definition::{LimitsSpec, Verb};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::Duration;

/// A run this long is the engine's own idea of "started well".
const SETTLE: Duration = Duration::from_secs(10);

/// Restarts by policy within a minute that make a loop of it.
const CRASH_LOOP_RESTARTS: u64 = 3;

/// Asks everything about the target itself. A playbook that changes nothing only needs one that exists.
pub(super) fn ask(question: &Question<'_>) -> Result<(), Refusal> {
    if !question.acts() {
        return Ok(());
    }
    if let Some(found) = question.service {
        return service::ask(question, found);
    }
    let Some(view) = question.view else { return Ok(()) };
    let container = &view.container;
    let no = |no: No| of_container(question, view, no);
    // All of the try's actions: one that may stop and may not start is refused before it stops.
    for step in question.steps().iter().filter(|step| step.verb.acts()) {
        allowed(question, &Owned::from(container), step.verb.word()).map_err(no)?;
    }
    owned_by_nobody_else(container).map_err(no)?;
    let left = treatable(question, view).map_err(no)?;
    hands_off::ask(question, view)?;
    if !question.stopped_here() {
        settled(container, question.incident.alert.starts_at, question.now.wall).map_err(no)?;
    }
    for dependent in &view.dependents {
        let (name, target) = (&dependent.name, &container.name);
        let refused = |detail| {
            refuse(Gate::Target, Reason::DependentRefused, detail).saw("dependent", name).saw("target", target)
        };
        treatable_dependent(question, dependent).map_err(|(reason, detail)| {
            refused(format!("{name} shares a namespace with {target}: {detail} ({reason})")).saw("because", reason)
        })?;
        if left == Standing::Down && dependent.state == ContainerState::Running {
            let detail = format!("{name} shares a namespace with {target}, which the playbook stops and never starts");
            return Err(refused(detail).saw("because", "stopped"));
        }
        if owner::dependents(&container.labels) == Dependents::Refuse {
            let label = container.labels.get(DEPENDENTS).map_or("", String::as_str);
            let detail = format!("{name} shares a namespace with {target}, which has the label {DEPENDENTS}={label}");
            return Err(refused(detail).saw("because", "label"));
        }
    }
    Ok(())
}

/// A no about a container, with what the gate saw of it.
fn of_container(question: &Question<'_>, view: &TargetView, (reason, detail): No) -> Refusal {
    let container = &view.container;
    let mut refusal = refuse(Gate::Target, reason, detail)
        .saw("container", &container.name)
        .saw("image", &container.image)
        .saw("state", container.state.as_str())
        .saw("exit_code", container.exit_code)
        .saw("restart_count", container.restart_count)
        .saw("started_at", &container.started_at);
    if let Some(starts_at) = question.incident.alert.starts_at {
        refusal = refusal.saw("alert_starts_at", starts_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    if container.state == ContainerState::Exited {
        refusal = refusal.saw("finished_at", &container.finished_at).saw("stop_cause", view.stop_cause.as_str());
    }
    if let MemoryInUse::Known(bytes) = view.memory_in_use {
        refusal = refusal.saw("memory_in_use", bytes).saw("memory_limit", container.limits.memory);
    }
    let own = container.labels.iter().filter(|(name, _)| name.starts_with("sickbay."));
    own.fold(refusal, |refusal, (name, value)| refusal.saw(&format!("labels.{name}"), value))
}

/// Before the target is touched: a dependent that runs must be allowed to be restarted, and one that somebody holds
/// paused would wake up in a dead namespace. What is stopped or being restarted by Docker joins the new one by itself.
fn treatable_dependent(question: &Question<'_>, dependent: &Container) -> Result<(), No> {
    match &dependent.state {
        ContainerState::Running => {
            allowed(question, &Owned::from(dependent), "restart")?;
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
    let no = |no: No| of_container(question, view, no);
    allowed(question, &Owned::from(dependent), "restart").map_err(no)?;
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

/// Dependents that would be left with a dead namespace if the target went down, and are restarted after it. If the target's
/// owner says `warn`, none: they were asked about all the same.
pub(in crate::engine) fn running_dependents(view: &TargetView) -> impl Iterator<Item = &Container> {
    let restarted = owner::dependents(&view.container.labels) != Dependents::Warn;
    view.dependents.iter().filter(move |dependent| restarted && dependent.state == ContainerState::Running)
}

/// A reason, and the words for it.
pub(super) type No = (Reason, String);

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
        return Err((Reason::AutoRemove, format!("{name} was started with --rm: it is deleted when it stops")));
    }
    Ok(())
}

/// How the target stands before or after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Running.
    Up,
    /// Not running, and not by this run's doing.
    Found,
    /// Stopped by this run.
    Down,
}

/// Whether all the actions that are still to come make sense, one after the other, and how they leave the target.
fn treatable(question: &Question<'_>, view: &TargetView) -> Result<Standing, No> {
    let container = &view.container;
    let name = &container.name;
    in_nobody_elses_hands(container, question.now.wall)?;
    let mut standing = match &container.state {
        _ if question.stopped_here() => Standing::Down,
        ContainerState::Exited => Standing::Found,
        ContainerState::Running
        | ContainerState::Created
        | ContainerState::Paused
        | ContainerState::Restarting
        | ContainerState::Removing
        | ContainerState::Dead
        | ContainerState::Other(_) => Standing::Up,
    };
    let is_next = takes_back_next(question.steps_to_come().map(|(step, _)| step));
    for (step, may_be_left_out) in question.steps_to_come() {
        standing = match (&step.verb, standing) {
            // What the run before this one stopped, and nobody touched since, was stopped for this.
            (Verb::Start, Standing::Found) if is_as_left(question, container) => Standing::Up,
            (Verb::Restart(spec), Standing::Found) if spec.start_if_stopped && is_as_left(question, container) => {
                Standing::Up
            }
            // Whether it is done at all is asked when its turn comes, and then all of this again.
            (Verb::Restart(_) | Verb::Start, Standing::Found | Standing::Down) if may_be_left_out => standing,
            (Verb::Restart(spec), Standing::Found) => startable(view, spec.start_if_stopped)?,
            (Verb::Restart(spec), Standing::Down) if !spec.start_if_stopped => {
                let detail = format!("{name} is stopped by the playbook, and then restarted without start_if_stopped");
                return Err((Reason::ContainerStopped, detail));
            }
            (Verb::Start, Standing::Found) => startable(view, true)?,
            (Verb::Restart(_) | Verb::Start, Standing::Up | Standing::Down) => Standing::Up,
            // To stop what is stopped changes nothing.
            (Verb::Stop(_), Standing::Found) => Standing::Found,
            (Verb::Stop(_), Standing::Up | Standing::Down) => Standing::Down,
            (Verb::UpdateLimits(_), as_before) if may_be_left_out => as_before,
            (Verb::UpdateLimits(spec), as_before) => {
                limits(question, (spec, is_next), (view, as_before))?;
                as_before
            }
            (Verb::Scale(_) | Verb::Rollback(_), _) => {
                let detail = format!("`{}` is for a service, and {name} is a container", step.verb.word());
                return Err((Reason::TargetInvalid, detail));
            }
            (
                Verb::Capture(_)
                | Verb::Verify(_)
                | Verb::Wait(_)
                | Verb::Notify(_)
                | Verb::Http(_)
                | Verb::Approve(_)
                | Verb::PausePlaybook(_),
                as_before,
            ) => as_before,
        };
    }
    Ok(standing)
}

/// Whether limits can be changed as a step says. What is in use now matters only to what is done now. What the run has lent a
/// container is not to outlive the alert, whether it runs or not.
fn limits(
    question: &Question<'_>,
    (spec, is_next): (&LimitsSpec, bool),
    (view, standing): (&TargetView, Standing),
) -> Result<(), No> {
    if matches!(spec, LimitsSpec::Raise { .. }) && standing != Standing::Up {
        let name = &view.container.name;
        return Err((Reason::ContainerStopped, format!("{name} is not running, so its limits hold nothing back")));
    }
    match aim(question, spec, &view.container)? {
        Aim::Change(change) if is_next => has_room(&change, view),
        Aim::Change(_) | Aim::NotNeeded(_) => Ok(()),
    }
}

/// Whether the container is down as the run left it that this one follows: the very one, and not started since.
fn is_as_left(question: &Question<'_>, container: &Container) -> bool {
    let left = question.incident.origin.as_ref().and_then(|origin| origin.left.stopped.as_ref());
    left.is_some_and(|left| left.container == container.id && left.started_at == container.started_at)
}

/// Which states no action may treat, because somebody else has the container in hand, or something is wrong with it.
fn in_nobody_elses_hands(container: &Container, now: DateTime<Utc>) -> Result<(), No> {
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
        ContainerState::Exited => Ok(()),
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

/// A container that was found stopped is started only if it did not stop on purpose and the playbook says so.
fn startable(view: &TargetView, says_so: bool) -> Result<Standing, No> {
    not_on_purpose(view)?;
    if !says_so {
        let (name, code) = (&view.container.name, view.container.exit_code);
        let detail = format!(
            "{name} is not running (exit code {code}) and the playbook does not say restart: {{start_if_stopped: true}}"
        );
        return Err((Reason::ContainerStopped, detail));
    }
    Ok(Standing::Up)
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
