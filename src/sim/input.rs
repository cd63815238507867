//! Everything that may happen to a world from outside, other than an alert: a closed list.

use super::container::ContainerSpec;
use super::service::ServiceTouch;
use super::vote::SimVote;
use crate::engine::event::NewConfig;
use crate::model::pause::{Pause, PauseScope};
use crate::model::target::TargetName;
use std::fmt;
use std::time::Duration;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// The daemon dies and is started again.
    Crash(Crash),
    /// The daemon dies as soon as it has decided on so many more records.
    CrashAfter(u64, Crash),
    /// The daemon is told to stop, and is started again this long after it has.
    Stop(Duration),
    /// The machine loses its power and comes back after a while.
    Reboot(Crash),
    /// Somebody sets the wall clock by so many milliseconds.
    SetWall(i64),
    /// The machine sleeps.
    Suspend(Duration),
    /// The disk takes this long for its next sync.
    StallDisk(Duration),
    /// The Docker engine does not answer for a while.
    LoseDocker(Duration),
    /// A proxy blocks every call for a while.
    BlockDocker(Duration),
    /// For a while each look takes so much longer.
    SlowDocker {
        /// How much longer.
        by: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// The engine's event history is lost.
    ForgetHistory,
    /// What becomes of the next call that changes something and has no fate yet.
    NextWrite(Fate),
    /// Messages cannot be delivered for a while.
    LoseNotices(Duration),
    /// For a while other systems answer requests of playbooks with this status; `None`: nobody is there.
    AnswerRequests {
        /// The status.
        status: Option<u16>,
        /// For how long.
        lasts: Duration,
    },
    /// Alertmanager's API is away for a while.
    LoseAlertmanager(Duration),
    /// For a while each answer of Alertmanager's API takes so much longer.
    SlowAlertmanager {
        /// How much longer.
        by: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Alertmanager is started anew, and is away for so long: what fires is sent to it again later.
    RestartAlertmanager(Duration),
    /// A person asks the daemon, if it runs, to hold runs back.
    Pause(Pause),
    /// A person asks the daemon, if it runs, to end a pause.
    Resume(PauseScope),
    /// A person says yes or no to a plan, if the daemon runs and there is one to say it to.
    Vote(SimVote),
    /// A person says, if the daemon runs, that nothing more is to be done about the oldest open incident.
    Abort,
    /// A person asks the daemon, if it runs, to let a target be treated again.
    ResetBreaker(TargetName),
    /// The files are others from now on: a daemon that runs reads them at once, another one at its start.
    Reload(Box<NewConfig>),
    /// The files have a mistake when a daemon that runs reads them, and are set right afterwards.
    ReloadInVain,
    /// Somebody, or the process itself, does something to a container.
    Touch(TargetName, Touch),
    /// Somebody, or the process itself, does something to a service.
    TouchService(TargetName, ServiceTouch),
}

/// How the daemon or the machine dies.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    /// How many thousandths of the records that were not durable are found all the same.
    pub kept_permille: u16,
    /// How long it is down.
    pub down: Duration,
    /// Whether requests that were under way still reach Docker.
    pub requests_arrive: bool,
}

/// What becomes of one call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done, and the answer says so.
    Prompt,
    /// It reaches Docker late.
    Late(Duration),
    /// No connection: it was never sent.
    NotSent,
    /// A proxy says no.
    Blocked,
    /// The connection is cut, and Docker never got it.
    LostOnTheWay,
    /// The connection is cut; Docker gets it all the same, this much later.
    Stray(Duration),
    /// Docker does it, and the connection is cut before it answers.
    AnswerLost,
    /// Docker does it, and never answers.
    Hangs,
    /// The answer says that it was done, and it was not.
    Lies,
    /// Docker does it and calls it a failure.
    DoneAndCalledFailed,
    /// Docker fails at once and does nothing.
    Fails,
}

/// What is done to a container, other than by sickbay.
#[derive(Clone, Debug)]
pub enum Touch {
    /// A person stops it.
    Stop,
    /// A person starts it.
    Start,
    /// A person restarts it.
    Restart,
    /// A person pauses it.
    Pause,
    /// A person ends the pause.
    Unpause,
    /// A person removes it.
    Remove,
    /// A deployment replaces it by another of the same name.
    Recreate(Box<ContainerSpec>),
    /// Its process ends with this exit code.
    Die(i64),
    /// Its health check begins to fail.
    Sicken,
    /// Its health check passes again.
    Recover,
    /// A person gives it other limits.
    Limit {
        /// The memory limit; swap goes along. `None` leaves it.
        memory: Option<u64>,
        /// Billionths of a CPU; `None` leaves them.
        nano_cpus: Option<u64>,
    },
    /// Its process uses so many bytes of memory from now on.
    UseMemory(u64),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(crash) => write!(f, "the daemon is killed, {crash}"),
            Self::CrashAfter(records, crash) => write!(f, "the daemon is killed {records} records later, {crash}"),
            Self::Stop(down) => write!(f, "the daemon is stopped in good order, for {down:?}"),
            Self::Reboot(crash) => write!(f, "the machine loses its power, {crash}"),
            Self::SetWall(by_ms) => write!(f, "the wall clock is set by {} s", by_ms / 1000),
            Self::Suspend(span) => write!(f, "the machine sleeps for {span:?}"),
            Self::StallDisk(span) => write!(f, "the disk stalls for {span:?}"),
            Self::LoseDocker(span) => write!(f, "Docker is away for {span:?}"),
            Self::BlockDocker(span) => write!(f, "a proxy blocks Docker for {span:?}"),
            Self::SlowDocker { by, lasts } => write!(f, "looking at Docker takes {by:?} longer, for {lasts:?}"),
            Self::ForgetHistory => write!(f, "Docker's event history is lost"),
            Self::NextWrite(fate) => write!(f, "the fate of a coming call to Docker: {fate:?}"),
            Self::LoseNotices(span) => write!(f, "messages cannot be delivered for {span:?}"),
            Self::AnswerRequests { status: Some(status), lasts } => {
                write!(f, "other systems answer with {status} for {lasts:?}")
            }
            Self::AnswerRequests { status: None, lasts } => write!(f, "other systems are away for {lasts:?}"),
            Self::LoseAlertmanager(span) => write!(f, "Alertmanager's API is away for {span:?}"),
            Self::SlowAlertmanager { by, lasts } => {
                write!(f, "Alertmanager's API takes {by:?} longer, for {lasts:?}")
            }
            Self::RestartAlertmanager(down) => write!(f, "Alertmanager is restarted, and away for {down:?}"),
            Self::Pause(Pause { scope, length, .. }) => write!(f, "a person pauses {scope}, length {length:?}"),
            Self::Resume(scope) => write!(f, "a person resumes {scope}"),
            Self::Vote(vote) => write!(f, "{vote}"),
            Self::Abort => write!(f, "a person aborts the oldest open incident"),
            Self::ResetBreaker(target) => write!(f, "a person resets {target}"),
            Self::Reload(new) => {
                write!(f, "other playbooks are loaded:")?;
                let playbooks = new.playbooks.iter();
                playbooks.into_iter().try_for_each(|playbook| {
                    let off = if playbook.enabled { "" } else { " (disabled)" };
                    write!(f, " {}@{}{off}", playbook.name, playbook.revision)
                })
            }
            Self::ReloadInVain => write!(f, "a reload finds a mistake"),
            Self::TouchService(name, touch) => match touch {
                ServiceTouch::Scale(to) => write!(f, "a person scales {name} to {to}"),
                ServiceTouch::Deploy(image) => write!(f, "a deployment gives {name} the image {image}"),
                ServiceTouch::ForceUpdate => write!(f, "a person replaces all tasks of {name}"),
                ServiceTouch::Remove => write!(f, "a person removes {name}"),
                ServiceTouch::KillOne => write!(f, "a replica of {name} dies"),
                ServiceTouch::SickenOne => write!(f, "a replica of {name} falls ill"),
                ServiceTouch::Obstruct(reason) => write!(f, "{name} comes to be such that it is not copied: {reason}"),
            },
            Self::Touch(name, touch) => touched(f, name, touch),
        }
    }
}

fn touched(f: &mut fmt::Formatter<'_>, name: &TargetName, touch: &Touch) -> fmt::Result {
    match touch {
        Touch::Stop => write!(f, "a person stops {name}"),
        Touch::Start => write!(f, "a person starts {name}"),
        Touch::Restart => write!(f, "a person restarts {name}"),
        Touch::Pause => write!(f, "a person pauses {name}"),
        Touch::Unpause => write!(f, "a person ends the pause of {name}"),
        Touch::Remove => write!(f, "a person removes {name}"),
        Touch::Recreate(_) => write!(f, "a deployment replaces {name}"),
        Touch::Die(exit_code) => write!(f, "{name} dies with exit code {exit_code}"),
        Touch::Sicken => write!(f, "{name} falls ill"),
        Touch::Recover => write!(f, "{name} recovers by itself"),
        Touch::Limit { .. } => write!(f, "a person gives {name} other limits"),
        Touch::UseMemory(bytes) => write!(f, "{name} uses {bytes} bytes of memory"),
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = if self.requests_arrive { "arrive" } else { "are lost" };
        let Self { kept_permille, down, .. } = self;
        write!(
            f,
            "down for {down:?}; {kept_permille} ‰ of what was not durable is found, requests under way {requests}"
        )
    }
}
