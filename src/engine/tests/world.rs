//! A small world for tables: one engine, a clock that is set by hand, and containers that are plain values.

use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::receipt::{AlertReceipt, Reply};
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::engine::{Decision, decide};
use crate::model::alert::{Alert, AlertStatus, Notification};
use crate::model::approval::Ballot;
use crate::model::container::{
    Container, ContainerState, EventHistory, MemoryInUse, RestartPolicy, StopCause, TargetReport, TargetView,
};
use crate::model::fact::{Answer, Decided, Fact, Record, StepResult};
use crate::model::id::{ActId, IncidentId, Seq};
use crate::model::label::Labels;
use crate::model::limit::{Limits, Scope, Window};
use crate::model::matcher::parse_matchers;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::model::resources::ResourceLimits;
use crate::model::stamp::{BootId, Stamp};
use crate::model::target::{ContainerId, ContainerName};
use crate::model::testimony::Heard;
use crate::model::time_interval::Schedule;
use crate::playbook::condition::{Looks, Nameable};
use crate::playbook::definition::{
    ApprovalSpec, Attempts, CaptureSpec, NotifySpec, Playbook, RestartSpec, Step, Verb, VerifyStep, Which,
};
use crate::playbook::index::Playbooks;
use crate::playbook::template::Template;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

pub(super) const ROOTS: &[&str] = &["labels", "annotations", "alert", "target", "steps", "run", "limits", "failed"];

/// An engine with its log.
pub(super) struct World {
    pub(super) state: State,
    pub(super) ruleset: Ruleset,
    pub(super) log: Vec<Record>,
    /// True time.
    pub(super) now_s: u64,
    /// By how much the wall clock was set ahead.
    pub(super) wall_ahead_s: i64,
    /// Which boot this is, and when it began.
    pub(super) boot: (u32, u64),
    pub(super) effects: Vec<Effect>,
    pub(super) reply: Reply,
}

impl World {
    pub(super) fn new(playbooks: Vec<Playbook>) -> Self {
        let ruleset = Ruleset::new(Playbooks::new(playbooks), Policy::default());
        Self {
            state: State::default(),
            ruleset,
            log: Vec::new(),
            now_s: 100_000,
            wall_ahead_s: 0,
            boot: (1, 0),
            effects: Vec::new(),
            reply: Reply::default(),
        }
    }

    pub(super) fn now(&self) -> Stamp {
        let (boot, began) = self.boot;
        let wall = wall(self.now_s) + TimeDelta::seconds(self.wall_ahead_s);
        Stamp { wall, up_ms: (self.now_s - began) * 1000, boot: BootId(boot) }
    }

    /// One event: its facts are logged and applied, its effects kept.
    pub(super) fn feed(&mut self, event: Event) -> Vec<AlertReceipt> {
        let at = self.now();
        let Decision { facts, effects, reply, ruleset } = decide(&self.state, &self.ruleset, event, &at);
        for fact in facts {
            if let Fact::Decided(Decided { answer: Answer::Refused(refusal), .. }) = &fact {
                assert!(!refusal.inputs.is_empty(), "nobody could tell what the gate saw: {refusal:?}");
            }
            let record = Record { seq: self.state.next_seq(), at, fact };
            self.state.apply(&record);
            self.log.push(record);
        }
        self.effects = effects;
        self.ruleset = ruleset.unwrap_or_else(|| self.ruleset.clone());
        self.reply = reply.clone();
        match reply {
            Reply::Alerts(receipts) => receipts,
            Reply::Switched(_) | Reply::Voted(_) | Reply::Reloaded(_) | Reply::NotReloaded => Vec::new(),
        }
    }

    /// What readers would see now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.state.timeline().moment(&self.now());
        self.state.snapshot(None, &self.ruleset, &now)
    }

    pub(super) fn fire(&mut self, alert: Alert) -> AlertReceipt {
        let notification = Notification { alerts: vec![alert], ..Notification::default() };
        self.feed(Event::NotificationReceived(notification)).remove(0)
    }

    /// Docker's answer to the question that is under way. There is no Alertmanager to ask.
    pub(super) fn docker(&mut self, incident: IncidentId, report: TargetReport) {
        self.docker_looked(incident, report, None);
    }

    /// The same, with what was found to be the matter.
    pub(super) fn docker_looked(
        &mut self,
        incident: IncidentId,
        report: TargetReport,
        evidence: Option<serde_json::Value>,
    ) {
        let run = self.state.incident(incident).and_then(|incident| incident.run());
        let heard = if run.is_some_and(|run| !run.has_acted()) { Heard::Nobody } else { Heard::NotPut };
        self.feed(Event::TargetResolved { incident, report, evidence, heard });
    }

    pub(super) fn step(&mut self, incident: IncidentId, index: usize, result: StepResult) {
        self.feed(Event::StepEnded { incident, index, elapsed: Duration::from_secs(1), result });
    }

    /// The kinds of all records after the first `skip`.
    pub(super) fn kinds(&self, skip: usize) -> Vec<&'static str> {
        self.log[skip..].iter().map(|record| record.fact.kind()).collect()
    }

    pub(super) fn last_refusal(&self) -> Option<Reason> {
        self.log.iter().rev().find_map(|record| match &record.fact {
            Fact::Decided(decided) => match &decided.answer {
                Answer::Refused(refusal) => Some(refusal.reason),
                Answer::Run { .. } => None,
            },
            _ => None,
        })
    }

    /// The words of the last refusal.
    pub(super) fn last_words(&self) -> &str {
        let refused = self.log.iter().rev().find_map(|record| match &record.fact {
            Fact::Decided(decided) => match &decided.answer {
                Answer::Refused(refusal) => Some(refusal.detail.as_str()),
                Answer::Run { .. } => None,
            },
            _ => None,
        });
        refused.unwrap_or_default()
    }

    pub(super) fn verdict(&self) -> Option<(&'static str, Option<Reason>)> {
        self.log.iter().rev().find_map(|record| match &record.fact {
            Fact::IncidentClosed(closed) => Some((closed.verdict.as_str(), closed.reason)),
            _ => None,
        })
    }

    /// The state from the first `count` records, as a restart would rebuild it.
    pub(super) fn replayed(&self, count: usize) -> State {
        let mut state = State::default();
        self.log[..count].iter().for_each(|record| state.apply(record));
        state
    }

    /// The act of the permit that was released last.
    pub(super) fn permitted(&mut self) -> Option<ActId> {
        let permit = self.effects.iter().position(|effect| matches!(effect, Effect::RunAction(_)))?;
        match self.effects.remove(permit) {
            Effect::RunAction(permit) => Some(permit.redeem().act),
            _ => None,
        }
    }
}

pub(super) fn wall(seconds: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + i64::try_from(seconds).unwrap(), 0).unwrap()
}

/// A firing alert for container `web` that began 10 s before `now_s`.
pub(super) fn firing(now_s: u64) -> Alert {
    let labels: Labels = [("alertname", "Down"), ("container", "web")].into_iter().collect();
    Alert {
        fingerprint: labels.fingerprint(),
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::default(),
        starts_at: Some(wall(now_s) - TimeDelta::seconds(10)),
        ends_at: None,
        generator_url: "".into(),
    }
}

pub(super) fn resolved(alert: &Alert, now_s: u64) -> Alert {
    Alert { status: AlertStatus::Resolved, ends_at: Some(wall(now_s)), ..alert.clone() }
}

pub(super) fn template(text: &str) -> Template {
    Template::parse(text, ROOTS).unwrap()
}

/// What the condition of a playbook with a container may name.
pub(super) const ON_CONTAINER: Nameable<'static> =
    Nameable { target: Some(Looks::Container), steps: &[], failed: false, approval: false };

pub(super) fn step(verb: Verb) -> Step {
    Step::from(verb)
}

pub(super) fn notify() -> Step {
    let message = template("about {{ labels.alertname }}");
    step(Verb::Notify(NotifySpec { to: vec!["log".into()], severity: "info".into(), title: None, message }))
}

/// capture, restart, verify; on failure a message. Three runs an hour, no cooldown.
pub(in crate::engine) fn restarting() -> Playbook {
    let restart = RestartSpec { stop_timeout: None, start_if_stopped: true };
    Playbook {
        name: "restart".into(),
        revision: "r1".into(),
        text: "name: restart\nsteps: [{capture: {}}, {restart: {}}, {verify: {}}]".into(),
        source: "rules/test.yaml:1".into(),
        description: String::new(),
        enabled: true,
        dry_run: false,
        matchers: parse_matchers(r#"alertname="Down""#).unwrap().matchers,
        schedule: Schedule::default(),
        condition: None,
        target: Some(Which::Container(template("{{ labels.container }}")).into()),
        limits: Limits {
            windows: vec![Window { runs: 3, per: Duration::from_secs(3600) }],
            scope: Scope::Target,
            cooldown: Duration::ZERO,
            ..Limits::default()
        },
        attempts: Attempts::only(vec![
            step(Verb::Capture(CaptureSpec::default())),
            step(Verb::Restart(restart)),
            step(Verb::Verify(VerifyStep::default())),
        ]),
        approval: None,
        on_failure: vec![notify()],
        on_denied: vec![],
        on_resolved: vec![],
        not_executed: vec![],
    }
}

pub(super) fn container(name: &str) -> Container {
    let digit = name.bytes().map(u64::from).sum::<u64>() % 10;
    Container {
        id: ContainerId::parse(&digit.to_string().repeat(64)).unwrap(),
        name: ContainerName::parse(name).unwrap(),
        image: "box:1".into(),
        image_id: "sha256:1".into(),
        state: ContainerState::Running,
        health: None,
        health_check: None,
        created: "2025-12-31T00:00:00Z".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        finished_at: "0001-01-01T00:00:00Z".into(),
        restart_count: 0,
        exit_code: 0,
        oom_killed: false,
        start_error: String::new(),
        restart_policy: RestartPolicy::No,
        auto_remove: false,
        stop_timeout: None,
        network_mode: "bridge".into(),
        limits: ResourceLimits::default(),
        labels: [("sickbay.enable".to_owned(), "true".to_owned())].into(),
    }
}

pub(super) fn view(container: Container) -> TargetView {
    let (now, complete_since) = (wall(100_000), Some(wall(0)));
    let history = EventHistory::Known { now, touches: Vec::new(), complete_since, predecessor: None };
    let (dependents, peers) = (Vec::new(), Vec::new());
    let (stop_cause, memory_in_use) = (StopCause::NotAsked, MemoryInUse::NotAsked);
    TargetView { container, dependents, peers, stop_cause, history, memory_in_use }
}

pub(super) fn found(container: Container) -> TargetReport {
    TargetReport::Found(Box::new(view(container)))
}

pub(super) fn first() -> IncidentId {
    IncidentId(Seq(0))
}

/// An incident in the middle of its `on_failure`, with everything a template may ask for.
pub(in crate::engine) fn running_incident() -> crate::engine::incident::Incident {
    let mut playbook = restarting();
    playbook.attempts.first.steps[0].id = Some("back".into());
    let mut world = World::new(vec![playbook]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    world.step(first(), 0, StepResult::Captured(serde_json::json!({})));
    world.docker(first(), found(container("web")));
    let act = world.permitted().unwrap();
    let outcome = crate::model::action::ActionOutcome::Failed { error: "no".into() };
    world.feed(Event::ActionReturned { act, outcome });
    world.state.incident(first()).unwrap().clone()
}

/// An incident in the middle of its `on_denied`.
pub(in crate::engine) fn denied_incident() -> crate::engine::incident::Incident {
    let mut playbook = Playbook { on_denied: vec![notify()], ..restarting() };
    playbook.approval = Some(ApprovalSpec {
        required: 1,
        from: vec!["alice".into()],
        timeout: Duration::from_secs(900),
        approve_on_timeout: false,
        prevent_self_approval: true,
        links: true,
        reason: crate::model::approval::ReasonFor::Never,
        ask: vec![],
        message: None,
    });
    let mut world = World::new(vec![playbook]);
    world.fire(firing(world.now_s));
    world.docker(first(), found(container("web")));
    let asked = world.state.incident(first()).unwrap().open_approval().unwrap().asked.clone();
    let (approval, plan) = (asked.approval, asked.plan);
    let (person, channel, comment) = ("alice".to_owned(), "cli".to_owned(), "not now".to_owned());
    world.feed(Event::VoteCast(Ballot { approval, plan, person, groups: vec![], channel, approve: false, comment }));
    world.state.incident(first()).unwrap().clone()
}
