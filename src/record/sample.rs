//! Facts of every kind and small logs, for the tests of this crate.

pub(crate) use super::sample_looks::look;
use super::sample_looks::looks;
use super::sample_services::{of_services, raised, remembered};
use super::{Hash, LogId, encode};
use crate::model::action::{Action, ActionOutcome, Reconciled, TargetIdent, TargetVitals, Vitals};
use crate::model::container::TargetReport;
use crate::model::fact::{
    ActionFinished, ActionIntended, ActionReconciled, AlertEnded, AlertReceived, AlertsRejected, Answer, AttemptEnded,
    Branch, BreakerOpened, BreakerReset, Cause, ClockJumped, ConfigLoaded, ConfigRejected, Decided, Fact,
    IncidentClosed, IncidentOpened, IncidentRelapsed, Left, LogOpened, LogRecovered, NoticeFinished, NoticeIntended,
    Origin, PauseCleared, Record, Refusal, StepFinished, StepRef, StepResult, Stopped, StormFrozen, Taken,
    TargetVerified,
};
use crate::model::host::{Host, HostName};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::incident::{AttemptNumber, EpisodeEnd, FirstSight, Verdict};
use crate::model::label::{Fingerprint, Labels};
use crate::model::memory::{Ended, Episode, Help, Memory, OpenIncident, Owed, OwnAct, PauseInForce};
use crate::model::moment::Moment;
use crate::model::notice::{Notice, NoticeOutcome};
use crate::model::pause::{Pause, PauseScope};
use crate::model::reason::{Gate, Reason};
use crate::model::stamp::{BootId, Stamp};
use crate::model::target::{ContainerId, TargetId, TargetName};
use crate::model::testimony::Testimony;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LOG: LogId = LogId(0xa1b2_c3d4);
pub(crate) const INCIDENT: IncidentId = IncidentId(Seq(2));

pub(crate) fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_607_207, 121_900_000).unwrap()
}

pub(crate) fn record(seq: u64, fact: Fact) -> Record {
    let wall = moment() + TimeDelta::milliseconds(i64::try_from(seq).unwrap() * 250);
    Record { seq: Seq(seq), at: Stamp { wall, up_ms: 86_407_121 + seq * 250, boot: BootId(0x5f0c_2b1e) }, fact }
}

/// The lines of a log that holds these facts from record 0 on, and the hash of its last one.
pub(crate) fn log_of(facts: Vec<Fact>) -> (Vec<u8>, Hash) {
    let mut out = Vec::new();
    let mut head = Hash::GENESIS;
    for (seq, fact) in facts.into_iter().enumerate() {
        head = encode(&record(seq as u64, fact), LOG, &head, &mut out);
    }
    (out, head)
}

pub(crate) fn opened() -> Fact {
    Fact::LogOpened(LogOpened {
        version: "0.1.0".into(),
        hostname: "web-host".into(),
        dry_run: false,
        first_host: Some("local".into()),
    })
}

pub(crate) fn target() -> TargetIdent {
    TargetIdent {
        id: TargetId::Container(ContainerId::parse(&"96af1178".repeat(8)).unwrap()),
        name: TargetName::parse("web-1").unwrap(),
        image_id: "sha256:62b4".into(),
        service: None,
    }
}

fn container_id() -> ContainerId {
    target().id.container().unwrap().clone()
}

fn replica() -> TargetIdent {
    TargetIdent { service: Some("shop/web".into()), ..target() }
}

fn vitals(health: Option<&str>) -> TargetVitals {
    let (started_at, health) = ("2026-01-05T08:00:00.474728664Z".into(), health.map(str::to_owned));
    TargetVitals::Container(Vitals { started_at, restart_count: 2, state: "running".into(), health })
}

pub(super) fn act(number: u32) -> ActId {
    ActId { incident: INCIDENT, number }
}

pub(crate) fn alert(text: &str, taken: Taken) -> Fact {
    let labels: Labels = [("alertname", "InstanceDown"), ("severity", "page"), ("text", text)].into_iter().collect();
    Fact::AlertReceived(Arc::new(AlertReceived {
        fingerprint: labels.fingerprint(),
        annotations: [("summary", text)].into_iter().collect(),
        labels,
        starts_at: DateTime::from_timestamp(1_767_607_200, 474_728_664),
        generator_url: "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0".into(),
        sender: "alertmanager".into(),
        receiver_name: "sickbay".into(),
        group_key: text.into(),
        sight: FirstSight::New,
        taken,
    }))
}

pub(crate) fn taken() -> Taken {
    Taken::ByPlaybook { playbook: "web-restart".into(), revision: "0123456789ab".into(), host: Host::First, text: None }
}

fn taken_on_another_host() -> Taken {
    let host = Host::from(HostName::parse("web-2"));
    let text = Some("name: web-restart\nsteps:\n  - restart: {}".into());
    Taken::ByPlaybook { playbook: "web-restart".into(), revision: "0123456789ab".into(), host, text }
}

fn decided(answer: Answer, target: Option<TargetIdent>) -> Fact {
    let look = target.as_ref().map(|_| Arc::new(look("a")));
    Fact::Decided(Decided { incident: INCIDENT, playbook: "web-restart".into(), target, answer, look })
}

pub(super) fn step(index: usize, id: Option<&str>, verb: &'static str, result: StepResult) -> Fact {
    let step = StepRef { branch: Branch::Steps, index, id: id.map(Arc::from), verb };
    Fact::StepFinished(StepFinished { incident: INCIDENT, step, elapsed: Duration::from_millis(1_250), result })
}

pub(super) fn intended(dry_run: bool) -> Fact {
    Fact::ActionIntended(ActionIntended {
        act: act(1),
        playbook: "web-restart".into(),
        action: Action::Restart { stop_timeout: (!dry_run).then(|| Duration::from_secs(10)) },
        target: target(),
        pre: vitals(Some("unhealthy")),
        deadline: Duration::from_secs(40),
        timeout: dry_run.then(|| Duration::from_secs(90)),
        plan: "d0c1".repeat(16),
        dependent: dry_run,
        dependents: if dry_run { vec![target(), replica()] } else { Vec::new() },
        dry_run,
        witness: dry_run.then(|| Testimony::cannot_tell("am:9093 answered 500")),
        look: dry_run.then(|| Arc::new(TargetReport::Missing)),
    })
}

pub(super) fn other_action(action: Action) -> Fact {
    let mut fact = intended(false);
    if let Fact::ActionIntended(intended) = &mut fact {
        intended.action = action;
    }
    fact
}

fn notice(text: &str, target: Option<&str>) -> Fact {
    Fact::NoticeIntended(NoticeIntended {
        notice: Notice {
            act: act(2),
            notifier: "sre-chat".into(),
            severity: "warning".into(),
            title: text.into(),
            message: text.into(),
            playbook: "web-restart".into(),
            target: target.map(str::to_owned),
            // One without a target is as good as any to be of a dry run.
            dry_run: target.is_none(),
        },
    })
}

fn reloaded(text: &str) -> Fact {
    let (files, playbooks, by) = (Vec::new(), Vec::new(), Some(text.into()));
    Fact::ConfigLoaded(ConfigLoaded { files, playbooks, dry_run: true, reloaded: true, by })
}

fn reconciled(text: &str, finding: Reconciled, post: bool) -> Fact {
    let post = post.then(|| vitals(None));
    Fact::ActionReconciled(ActionReconciled { act: act(1), finding, post, detail: text.into() })
}

/// A run on `web-1` that begins as record `seq`: taken, decided, acted upon and closed, in four records.
pub(crate) fn run(seq: u64, (dry_run, verdict): (bool, Verdict)) -> Vec<Fact> {
    let incident = IncidentId(Seq(seq));
    let (plan, key) = (Some("d0c1".repeat(16)), Vec::new());
    let mut decision = decided(Answer::Run { dry_run, plan, attempt: AttemptNumber::ONLY, key }, Some(target()));
    if let Fact::Decided(decided) = &mut decision {
        decided.incident = incident;
    }
    let mut intent = intended(dry_run);
    if let Fact::ActionIntended(intended) = &mut intent {
        intended.act = ActId { incident, number: 1 };
    }
    let closed = IncidentClosed { incident, verdict, reason: None, detail: String::new() };
    vec![alert("x", taken()), decision, intent, Fact::IncidentClosed(closed)]
}

/// Record 2 opens incident `i2`; the rest is its story, to a good end. `text` stands wherever free text may.
pub(crate) fn story(text: &str) -> Vec<Fact> {
    let config = ConfigLoaded {
        files: vec![("rules/web.yaml".into(), "ab".repeat(32))],
        playbooks: vec![("web-restart".into(), "0123456789ab".into()), ("a".into(), "b".into())],
        dry_run: false,
        reloaded: false,
        by: None,
    };
    let evidence = json!({
        "logs": {"lines": [format!("2026-01-05T10:00:00Z {text}"), "second line"], "driver": "json-file"},
        "inspect": {"state": "running", "exit_code": 0, "oom_killed": false},
        "stats": {"error": "timed out"},
    });
    let outcome = ActionOutcome::Succeeded { post: Some(vitals(Some("starting"))) };
    let closed = IncidentClosed { incident: INCIDENT, verdict: Verdict::Recovered, reason: None, detail: text.into() };
    vec![
        opened(),
        Fact::ConfigLoaded(config),
        alert(text, taken_on_another_host()),
        decided(
            Answer::Run {
                dry_run: false,
                plan: Some("d0c1".repeat(16)),
                attempt: AttemptNumber::ONLY,
                key: Vec::new(),
            },
            Some(target()),
        ),
        step(0, None, "capture", StepResult::Captured(evidence)),
        intended(false),
        Fact::ActionFinished(ActionFinished { act: act(1), outcome }),
        step(2, Some("check"), "verify", StepResult::Verified(text.into())),
        notice(text, Some("web-1")),
        Fact::NoticeFinished(NoticeFinished { act: act(2), outcome: NoticeOutcome::Delivered }),
        Fact::AlertEnded(AlertEnded {
            fingerprint: Fingerprint(0xb915_815a_9d04_c3be),
            incident: Some(INCIDENT),
            end: EpisodeEnd::Resolved,
            ends_at: Some(moment()),
        }),
        Fact::IncidentClosed(closed),
        Fact::LogClosed,
    ]
}

/// An incident of two tries, neither of which helps.
pub(crate) fn two_tries() -> Vec<Fact> {
    let run = |number| {
        let answer = Answer::Run {
            dry_run: false,
            plan: Some("d0c1".repeat(16)),
            attempt: AttemptNumber { number, count: 2 },
            key: Vec::new(),
        };
        decided(answer, Some(target()))
    };
    let refusal = Refusal {
        gate: Gate::Budget,
        reason: Reason::Cooldown,
        detail: "too soon".into(),
        inputs: Vec::new(),
        retry_after: Duration::from_secs(60),
    };
    let done =
        || Fact::ActionFinished(ActionFinished { act: act(1), outcome: ActionOutcome::Succeeded { post: None } });
    let ended = AttemptEnded {
        incident: INCIDENT,
        attempt: 1,
        verdict: Verdict::Ineffective,
        detail: "verify: still sick".into(),
    };
    let closed = IncidentClosed {
        incident: INCIDENT,
        verdict: Verdict::Ineffective,
        reason: None,
        detail: "try 2 of 2: verify: still sick".into(),
    };
    let sick = || step(2, None, "verify", StepResult::NotVerified("still sick".into()));
    vec![
        opened(),
        opened(),
        alert("x", taken()),
        run(1),
        intended(false),
        done(),
        sick(),
        Fact::AttemptEnded(ended),
        decided(Answer::Refused(refusal), Some(target())),
        run(2),
        sick(),
        notice("gone", Some("web-1")),
        Fact::NoticeFinished(NoticeFinished { act: act(2), outcome: NoticeOutcome::Delivered }),
        Fact::IncidentClosed(closed),
    ]
}

/// Every kind in every shape.
pub(crate) fn every_shape(text: &str) -> Vec<Fact> {
    let refusal = Refusal {
        gate: Gate::Budget,
        reason: Reason::Cooldown,
        detail: text.into(),
        inputs: vec![("cooldown".into(), "5m".into()), ("text".into(), text.into())],
        retry_after: Duration::from_millis(185_001),
    };
    let failed = |outcome| Fact::ActionFinished(ActionFinished { act: act(1), outcome });
    let recovered =
        LogRecovered { bytes: 17, sha256: "cd".repeat(32), offset: 4096, quarantine: "quarantine/7-1.bin".into() };
    let ended = AlertEnded { fingerprint: Fingerprint(7), incident: None, end: EpisodeEnd::Expired, ends_at: None };
    let (verdict, reason) = (Verdict::Cancelled, Some(Reason::ResolvedFirst));
    let closed = IncidentClosed { incident: INCIDENT, verdict, reason, detail: text.into() };
    let mut facts = story(text);
    facts.extend([
        Fact::LogOpened(LogOpened { version: text.into(), hostname: text.into(), dry_run: true, first_host: None }),
        Fact::LogRecovered(recovered),
        reloaded(text),
        alert(text, Taken::ByNobody(Reason::NoMatch)),
        Fact::AlertEnded(AlertEnded { end: EpisodeEnd::NotFiring, ..ended }),
        Fact::AlertEnded(ended),
        Fact::AlertsRejected(AlertsRejected { sender: "alertmanager".into(), count: 2, first: text.into() }),
        decided(
            Answer::Run {
                dry_run: true,
                plan: None,
                attempt: AttemptNumber { number: 2, count: 3 },
                key: vec![("instance".into(), text.into())],
            },
            None,
        ),
        decided(Answer::Refused(refusal), Some(target())),
        step(1, None, "verify", StepResult::NotVerified(text.into())),
        step(1, None, "wait", StepResult::Waited),
        step(1, None, "notify", StepResult::Notified),
        step(1, None, "verify", StepResult::Skipped),
        step(1, None, "start", StepResult::NotNeeded(text.into())),
        step(1, None, "scale", StepResult::NotNeeded(text.into())),
        intended(true),
        other_action(Action::Start),
        other_action(Action::Stop { stop_timeout: Some(Duration::from_secs(10)) }),
        other_action(Action::Stop { stop_timeout: None }),
        failed(ActionOutcome::Succeeded { post: None }),
        failed(ActionOutcome::Failed { error: text.into() }),
        failed(ActionOutcome::Unknown { error: text.into() }),
        failed(ActionOutcome::Rehearsed),
        reconciled(text, Reconciled::Observed, true),
        reconciled(text, Reconciled::Superseded, false),
        notice(text, None),
        Fact::NoticeFinished(NoticeFinished { act: act(2), outcome: NoticeOutcome::Failed { error: text.into() } }),
        Fact::IncidentClosed(closed),
    ]);
    facts.extend(offspring(text));
    facts.extend(looks(text));
    facts.extend(brakes(text));
    facts.extend(of_services(text));
    facts.extend(super::sample_approvals::every_shape(text));
    facts.extend(super::sample_requests::requests(text));
    facts
}

/// Incidents that another one opened.
fn offspring(text: &str) -> Vec<Fact> {
    let opened = |cause, left| {
        let Fact::AlertReceived(alert) = alert(text, taken_on_another_host()) else { return Fact::LogClosed };
        Fact::IncidentOpened(IncidentOpened { alert, origin: Origin { of: INCIDENT, cause, left } })
    };
    let stopped = Stopped { container: container_id(), started_at: "2026-01-05T08:00:00.474728664Z".into() };
    let left = |stopped| Left { container: target().container_name(), stopped, dry_run: false };
    let place = StepRef { branch: Branch::OnResolved, index: 0, id: None, verb: "wait" };
    let (elapsed, result) = (Duration::from_secs(600), StepResult::Waited);
    vec![
        opened(Cause::Resolved, left(Some(stopped))),
        opened(Cause::Resolved, Left { dry_run: true, ..Left::default() }),
        opened(Cause::FurtherTarget(container_id()), left(None)),
        Fact::StepFinished(StepFinished { incident: INCIDENT, step: place, elapsed, result }),
    ]
}

/// What holds actions back, and what is said about tries.
fn brakes(text: &str) -> Vec<Fact> {
    let minute = Duration::from_secs(60);
    let pause = |scope, length| Fact::PauseSet(Pause { scope, by: text.into(), reason: text.into(), length });
    let place = StepRef { branch: Branch::Steps, index: 2, id: None, verb: "verify" };
    let target: Arc<str> = "web-1".into();
    vec![
        Fact::ConfigRejected(ConfigRejected { problem: text.into(), by: Some(text.into()) }),
        Fact::ClockJumped(ClockJumped { by_ms: -86_400_000, rebooted: true }),
        Fact::ClockJumped(ClockJumped { by_ms: 3_000, rebooted: false }),
        Fact::TargetVerified(TargetVerified { incident: INCIDENT, step: place, elapsed: minute, detail: text.into() }),
        Fact::AttemptEnded(AttemptEnded {
            incident: INCIDENT,
            attempt: 1,
            verdict: Verdict::Ineffective,
            detail: text.into(),
        }),
        Fact::IncidentRelapsed(IncidentRelapsed { incident: INCIDENT, by: IncidentId(Seq(77)) }),
        pause(PauseScope::All, None),
        pause(PauseScope::Target("web-1".into()), Some(minute)),
        Fact::PauseCleared(PauseCleared {
            scope: PauseScope::Playbook("web-restart".into()),
            by: text.into(),
            reason: text.into(),
        }),
        Fact::BreakerOpened(BreakerOpened {
            incident: INCIDENT,
            target: Arc::clone(&target),
            failures: 3,
            open_for: minute,
        }),
        Fact::BreakerReset(BreakerReset { target, by: text.into(), reason: text.into() }),
        Fact::StormFrozen(StormFrozen { alerts: 60, per: minute, freeze: minute * 10 }),
        step(1, None, "approve", StepResult::Approved(text.into())),
        Fact::StateSaved(Box::default()),
        Fact::StateSaved(Box::new(memory(text))),
    ]
}

fn owed(alert: &Arc<AlertReceived>, at: Moment) -> Vec<Owed> {
    let alert = || Arc::clone(alert);
    let stopped = Some(Stopped { container: container_id(), started_at: "2026-01-05T08:00:00Z".into() });
    let left = Left { container: target().container_name(), stopped, dry_run: true };
    vec![
        Owed { incident: INCIDENT, alert: alert(), left: None, ended: true, due: None },
        Owed { incident: IncidentId(Seq(3)), alert: alert(), left: Some(left), ended: true, due: Some(at) },
    ]
}

/// Something of everything.
pub(crate) fn memory(text: &str) -> Memory {
    let at = |seconds: i64| Moment {
        wall: moment() + TimeDelta::seconds(seconds),
        passed_ms: u64::try_from(seconds).unwrap() * 1000,
    };
    let (playbook, web): (Arc<str>, Arc<str>) = ("web-restart".into(), "web-1".into());
    let Fact::AlertReceived(received) = alert(text, taken()) else { panic!("another kind") };
    let pause = Pause { scope: PauseScope::All, by: text.into(), reason: text.into(), length: None };
    let episode = Episode {
        starts_at: received.starts_at,
        seen: at(0),
        ended: Some(at(9)),
        ends_at: None,
        incident: Some(INCIDENT),
        playbook: Some(Arc::clone(&playbook)),
        nobody: None,
        acted: true,
    };
    let unknown =
        Episode { ended: None, incident: None, playbook: None, nobody: Some(Reason::NoMatch), ..episode.clone() };
    let (deadline, container) = (Duration::from_secs(40), ContainerId::parse(&"96af1178".repeat(8)).unwrap());
    let (left, original) = remembered(at(3));
    Memory {
        clock: Some((record(7, Fact::LogClosed).at, 9_000)),
        episodes: vec![(received.fingerprint, episode), (Fingerprint(7), unknown)],
        ended: vec![(received.fingerprint, at(9))],
        owed: owed(&received, at(9)),
        incidents: vec![OpenIncident {
            id: INCIDENT,
            opened: at(0),
            alert: received,
            story: story(text).into_iter().map(|fact| (at(1), fact)).collect(),
        }],
        attempts: super::sample_requests::attempts(text, at(3)),
        ends: Help::ALL
            .iter()
            .map(|help| Ended {
                incident: INCIDENT,
                playbook: Arc::clone(&playbook),
                target: Arc::clone(&web),
                at: at(5),
                help: *help,
            })
            .collect(),
        pauses: vec![PauseInForce { pause, set: at(4) }],
        taken: vec![at(0), at(1)],
        frozen: Some((at(2), Duration::from_secs(600))),
        own_acts: vec![OwnAct { act: act(1), container, from: at(3), deadline, to: Some(at(4)) }],
        services: vec![left],
        originals: vec![original],
        raised: vec![raised(at(3))],
        texts: vec!["0123456789ab".into()],
        first_host: Some(text.to_owned()),
    }
}
