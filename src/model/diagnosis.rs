//! What is the matter with a container: findings, the likeliest first, each with a stable code and what to do about it.
//!
//! The texts quote what the container wrote itself, so they are as untrusted as a log line: cleaned of secrets, never
//! markup, never a command. Who finds all this is `diagnosis`. Read [`Diagnosis`] first.

use super::reason::codes;
use serde_json::{Value, json};

/// How much a finding explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It explains why the container does not do its work.
    Cause,
    /// It will explain it soon, or may explain it already.
    Risk,
    /// Worth knowing, and no trouble by itself.
    Note,
}

impl Weight {
    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Risk => "risk",
            Self::Note => "note",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "cause" => Self::Cause,
            "risk" => Self::Risk,
            _ => Self::Note,
        }
    }
}

codes! {
    /// What can be the matter with a container.
    DiagnosisCode {
        /// Somebody paused it.
        Paused = "paused",
        /// It is being removed.
        Removing = "removing",
        /// Docker could not remove it.
        Dead = "dead",
        /// It was made and never started.
        NeverStarted = "never-started",
        /// Its command is not in the image, or a command that it calls.
        CommandNotFound = "command.not-found",
        /// Its command may not be executed, or a command that it calls.
        CommandNotExecutable = "command.not-executable",
        /// The command is a script whose interpreter, or a program whose loader is not in the image; or its lines end with CRLF.
        InterpreterMissing = "command.interpreter-missing",
        /// The command is no program for this machine.
        Architecture = "image.architecture",
        /// Something else has the port that it publishes.
        PortTaken = "port.taken",
        /// The machine has no such address to publish a port on.
        PortAddress = "port.address-missing",
        /// What is to be mounted does not exist.
        MountSourceMissing = "mount.source-missing",
        /// A directory is to be mounted onto a file, or a file onto a directory.
        MountWrongKind = "mount.wrong-kind",
        /// A volume or bind could not be mounted.
        MountFailed = "mount.failed",
        /// The disk is full.
        DiskFull = "disk.full",
        /// It writes where it may only read.
        ReadOnly = "read-only",
        /// A network that it belongs to is gone.
        NetworkMissing = "network.missing",
        /// Another container has the fixed address that it is to have in a network.
        AddressTaken = "network.address-taken",
        /// The container whose network it shares is gone.
        ParentGone = "network.parent-gone",
        /// The container whose network it shares does not run.
        ParentStopped = "network.parent-stopped",
        /// The container whose network it shares was restarted, and left it with a dead one.
        ParentRestarted = "network.parent-restarted",
        /// A device or its driver is missing.
        DeviceMissing = "device.missing",
        /// Its user or group is not in the image.
        UserUnknown = "user.unknown",
        /// Its working directory cannot be entered.
        WorkdirUnusable = "workdir.unusable",
        /// The memory limit does not even suffice to start.
        LimitTooLow = "memory.limit-too-low",
        /// A security profile, or a missing privilege.
        SecurityRefused = "security.refused",
        /// Docker could not set up its log.
        LogDriver = "log-driver.failed",
        /// Docker could not start it, for another reason.
        StartFailed = "start.failed",
        /// Somebody stopped it.
        StoppedByHand = "stopped.by-hand",
        /// Somebody killed it through Docker.
        KilledByHand = "killed.by-hand",
        /// The kernel killed it for memory.
        OomKilled = "memory.oom-killed",
        /// The kernel killed one of its processes for memory; the main one lives.
        OomChild = "memory.oom-child",
        /// The application's own heap is full.
        HeapExhausted = "memory.heap-exhausted",
        /// Its memory is nearly used up.
        MemoryNearLimit = "memory.near-limit",
        /// Its memory grows and grows.
        MemoryGrowing = "memory.growing",
        /// It may hardly start another process.
        PidsNearLimit = "pids.near-limit",
        /// Its CPU limit holds it back.
        CpuThrottled = "cpu.throttled",
        /// It uses all the CPU that it can get.
        CpuBusy = "cpu.busy",
        /// The health check's command is not in the image.
        HealthCommandMissing = "health.command-missing",
        /// The health check's command may not be executed.
        HealthNotExecutable = "health.command-not-executable",
        /// The health check takes longer than it may.
        HealthTimeout = "health.timeout",
        /// Nobody listens where the health check asks.
        HealthRefused = "health.refused",
        /// The health check is answered with an HTTP error.
        HealthHttpStatus = "health.http-status",
        /// The health check asks for a name that nobody knows.
        HealthDns = "health.dns",
        /// The health check does not trust the certificate.
        HealthTls = "health.tls",
        /// The health check fails for another reason.
        HealthFailing = "health.failing",
        /// It has been starting for long, or its checks fail while it starts, which Docker does not count.
        HealthStarting = "health.starting",
        /// It was ended by SIGSEGV.
        Segfault = "crash.segfault",
        /// It ended itself by SIGABRT.
        Abort = "crash.abort",
        /// It was ended by another signal.
        Signal = "crash.signal",
        /// It was ended by SIGKILL, and nobody knows by whom.
        KilledUnknown = "killed.unknown",
        /// It was ended by SIGTERM, and nobody knows by whom.
        Terminated = "terminated",
        /// Its log: another process in there has the address.
        AddressInUse = "address.in-use",
        /// Its log: it may not read, write or bind something.
        PermissionDenied = "permission.denied",
        /// Its log: a file is not there.
        FileMissing = "file.missing",
        /// Its log: where it wants a file there is a directory.
        DirectoryForFile = "mount.directory-for-file",
        /// Its log: a variable of the environment is missing.
        VariableMissing = "config.variable-missing",
        /// Its log: its configuration cannot be read.
        ConfigInvalid = "config.invalid",
        /// Its log: a name cannot be resolved.
        DnsFailed = "dns.failed",
        /// Its log: something that it needs cannot be reached.
        DependencyUnreachable = "dependency.unreachable",
        /// Its log: something that it needs does not accept its credentials.
        CredentialsRefused = "credentials.refused",
        /// Its log: a certificate is not accepted.
        TlsFailed = "tls.failed",
        /// Its log: a module of its own language is missing.
        ModuleMissing = "module.missing",
        /// Its log: a shared library is missing, or of the wrong version.
        LibraryMissing = "library.missing",
        /// Its log: it has too many files or connections open, or may watch no more files (inotify).
        FilesExhausted = "files.exhausted",
        /// Its log: it may start no more processes or threads.
        ProcessesExhausted = "processes.exhausted",
        /// Its log: a lock of an earlier run is still there.
        LockLeft = "lock.left-behind",
        /// Its log: an error that is none of those above.
        ApplicationError = "application.error",
        /// Its log: it listens on loopback, where a published port does not lead.
        ListensOnLoopback = "port.listens-on-loopback",
        /// Its log: it listens on another port than the published one.
        PortMismatch = "port.mismatch",
        /// Exit code 125: Docker's own command failed.
        ExitDocker = "exit.docker",
        /// It ended with an exit code of its own.
        ExitApplication = "exit.application",
        /// It ended without an error.
        ExitNormal = "exit.normal",
        /// It ends again and again.
        CrashLoop = "crash-loop",
        /// It was restarted some time ago, and has been running since.
        RestartsEarlier = "restarts.earlier",
        /// Tasks of a Swarm service fail.
        TasksFailing = "service.tasks-failing",
        /// Fewer of a service's replicas run than are wanted.
        ReplicasMissing = "service.replicas-missing",
        /// The image or definition was changed lately.
        ImageChanged = "image.changed",
        /// Its image's name has come to mean another image.
        ImageRetagged = "image.retagged",
        /// It has no network.
        NetworkNone = "network.none",
        /// It publishes a port for this machine alone.
        PublishedOnLoopback = "port.published-on-loopback",
        /// It has no memory limit.
        NoMemoryLimit = "limits.no-memory",
        /// It has no health check.
        NoHealthCheck = "health.none",
        /// Something that would be needed to say more could not be had.
        EvidenceMissing = "evidence.missing",
    }
}

/// One thing that is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub code: DiagnosisCode,
    /// How much it explains.
    pub weight: Weight,
    /// What is the matter, in a sentence.
    pub what: String,
    /// What was seen that says so; untrusted.
    pub seen: String,
    /// What to do next.
    pub next: String,
}

/// What is the matter with a container, the likeliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// All that was found.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// What explains most, if anything does: no mere note.
    #[must_use]
    pub fn first(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.weight != Weight::Note)
    }

    /// As it stands in evidence and in `-o json`. Fields are added, never renamed or removed.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "code": finding.code.as_str(),
                "weight": finding.weight.as_str(),
                "what": finding.what,
                "seen": finding.seen,
                "next": finding.next,
            })
        };
        json!({"findings": self.findings.iter().map(finding).collect::<Vec<Value>>()})
    }

    /// Reads what [`Self::to_json`] wrote. A code of a newer version is left out.
    #[must_use]
    pub fn from_json(json: &Value) -> Self {
        let findings = json.get("findings").and_then(Value::as_array).into_iter().flatten();
        let text = |finding: &Value, key: &str| {
            let text = finding.get(key).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let finding = |json: &Value| {
            Some(Finding {
                code: DiagnosisCode::parse(json.get("code")?.as_str()?)?,
                weight: Weight::parse(&text(json, "weight")),
                what: text(json, "what"),
                seen: text(json, "seen"),
                next: text(json, "next"),
            })
        };
        Self { findings: findings.filter_map(finding).collect() }
    }

    /// The diagnosis that evidence holds; nothing found where it holds none.
    #[must_use]
    pub fn in_evidence(evidence: &Value) -> Self {
        evidence.get("diagnosis").map(Self::from_json).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_survives_being_written() {
        let finding = |code, weight| Finding {
            code,
            weight,
            what: "It is paused.".to_owned(),
            seen: String::new(),
            next: "Ask who did it.".to_owned(),
        };
        for findings in [
            vec![],
            vec![finding(DiagnosisCode::Paused, Weight::Cause), finding(DiagnosisCode::NoMemoryLimit, Weight::Note)],
        ] {
            let diagnosis = Diagnosis { findings };
            assert_eq!(Diagnosis::from_json(&diagnosis.to_json()), diagnosis);
        }
        let newer = json!({"findings": [{"code": "of-tomorrow", "what": "x"}]});
        assert_eq!(Diagnosis::from_json(&newer), Diagnosis::default());
        assert_eq!(Diagnosis::in_evidence(&json!({})), Diagnosis::default());
    }

    #[test]
    fn a_note_explains_nothing() {
        let note = Finding {
            code: DiagnosisCode::NoHealthCheck,
            weight: Weight::Note,
            what: String::new(),
            seen: String::new(),
            next: String::new(),
        };
        assert_eq!(Diagnosis { findings: vec![note] }.first(), None);
    }
}
