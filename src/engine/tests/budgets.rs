//! What is left of limits, as people are shown it: the gate's own numbers, for what counts together and nothing else.

use super::approvals::gated;
use super::stage::Stage;
use super::world::*;
use crate::engine::ruleset::Ruleset;
use crate::engine::snapshot::{PlaybookBudget, Room};
use crate::engine::state::State;
use crate::model::fact::{Fact, Record, StepResult};
use crate::model::id::{IncidentId, Seq};
use crate::model::limit::{Limits, Scope, Window};
use crate::model::memory::{Attempt, Memory};
use crate::model::moment::Moment;
use crate::model::policy::Policy;
use crate::model::reason::Reason;
use crate::playbook::definition::Playbook;
use crate::playbook::index::Playbooks;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn at(minute: u64) -> Moment {
    Moment { wall: wall(minute * 60), passed_ms: minute * 60_000 }
}

/// A run that began and ended in a minute.
fn ran(minute: u64, target: &str) -> Attempt {
    Attempt {
        incident: IncidentId(Seq(minute)),
        playbook: "p".into(),
        target: Some(target.into()),
        at: at(minute),
        ended: Some(at(minute)),
        dry_run: false,
        aftercare: false,
        key: Vec::new(),
    }
}

fn by(customer: &str, attempt: Attempt) -> Attempt {
    Attempt { key: vec![("customer".to_owned(), customer.to_owned())], ..attempt }
}

/// Two an hour for each target, no cooldown; and no caps.
fn playbook() -> Playbook {
    let limits = Limits { windows: vec![Window { runs: 2, per: HOUR }], cooldown: Duration::ZERO, ..Limits::default() };
    Playbook { name: "p".into(), limits, ..restarting() }
}

fn uncapped() -> Policy {
    Policy { global: Vec::new(), hosts: vec!["local".to_owned(), "far".to_owned()], ..Policy::default() }
}

fn budget((playbook, policy): (Playbook, Policy), attempts: Vec<Attempt>, minute: u64) -> PlaybookBudget {
    let memory = Memory { attempts, ..Memory::default() };
    let mut state = State::default();
    let record =
        Record { seq: state.next_seq(), at: World::new(vec![]).now(), fact: Fact::StateSaved(Box::new(memory)) };
    state.apply(&record);
    let ruleset = Ruleset::new(Playbooks::new(vec![playbook]), policy);
    state.snapshot(None, &ruleset, &at(minute)).budgets.remove(0)
}

/// `whose of used/runs, left, one more in so many minutes`.
fn line(room: &Room) -> String {
    let (level, per) = (room.level, room.level.window.per.as_secs() / 60);
    let minutes = level.room_in().as_secs() / 60;
    let (whose, of, runs, used, left) = (room.whose.as_str(), &room.of, level.window.runs, level.used, level.left());
    format!("{whose} {of}: {used}/{runs} in {per}, {left} left, next in {minutes}")
}

fn of_scope(scope: Scope) -> Playbook {
    let mut playbook = playbook();
    playbook.limits.scope = scope;
    playbook
}

fn keyed() -> Playbook {
    let mut playbook = playbook();
    playbook.limits.key = vec!["customer".into()];
    playbook
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_left_is_counted_for_what_counts_together() {
    let windows = |count: u32, per: Duration| vec![Window { runs: count, per }];
    let two = || {
        let mut two = playbook();
        two.limits.windows.push(Window { runs: 3, per: 24 * HOUR });
        two
    };
    let dry = || Playbook { dry_run: true, ..playbook() };
    let dryly = |attempt: Attempt| Attempt { dry_run: true, ..attempt };
    let other = |attempt: Attempt| Attempt { playbook: "q".into(), ..attempt };
    let capped = || Policy { global: windows(5, HOUR), per_target: windows(3, HOUR), ..uncapped() };
    for (name, playbook, policy, attempts, minute, want) in [
        ("nothing was done", playbook(), uncapped(), vec![], 1000, &[][..]),
        (
            "each target by itself",
            playbook(),
            uncapped(),
            vec![ran(1000, "web"), ran(1010, "db"), ran(1020, "web")],
            1030,
            &["playbook web: 2/2 in 60, 0 left, next in 30", "playbook db: 1/2 in 60, 1 left, next in 40"],
        ),
        (
            "the oldest has just left",
            playbook(),
            uncapped(),
            vec![ran(1000, "web"), ran(1020, "web")],
            1060,
            &["playbook web: 1/2 in 60, 1 left, next in 20"],
        ),
        ("all have left", playbook(), uncapped(), vec![ran(1000, "web")], 1060, &[]),
        (
            "each window by itself",
            two(),
            uncapped(),
            vec![ran(1000, "web"), ran(1100, "web")],
            1110,
            &["playbook web: 1/2 in 60, 1 left, next in 50", "playbook web: 2/3 in 1440, 1 left, next in 1330"],
        ),
        (
            "another playbook's runs do not count",
            playbook(),
            uncapped(),
            vec![other(ran(1000, "web")), ran(1001, "web")],
            1010,
            &["playbook web: 1/2 in 60, 1 left, next in 51"],
        ),
        (
            "what follows the end of an alert does not count",
            playbook(),
            uncapped(),
            vec![ran(1000, "web"), Attempt { aftercare: true, ..ran(1005, "web") }],
            1010,
            &["playbook web: 1/2 in 60, 1 left, next in 50"],
        ),
        (
            "dry runs do not count among others",
            playbook(),
            uncapped(),
            vec![ran(1000, "web"), dryly(ran(1005, "web"))],
            1010,
            &["playbook web: 1/2 in 60, 1 left, next in 50"],
        ),
        (
            "nor others among dry runs",
            dry(),
            uncapped(),
            vec![ran(1000, "web"), dryly(ran(1005, "web"))],
            1010,
            &["playbook web: 1/2 in 60, 1 left, next in 55"],
        ),
        (
            "all targets together",
            of_scope(Scope::Playbook),
            uncapped(),
            vec![ran(1000, "web"), ran(1010, "db")],
            1030,
            &["playbook all its targets: 2/2 in 60, 0 left, next in 30"],
        ),
        (
            "each host by itself",
            of_scope(Scope::Host),
            uncapped(),
            vec![ran(1000, "web"), ran(1010, "far:db"), ran(1020, "db")],
            1030,
            &["playbook host local: 2/2 in 60, 0 left, next in 30", "playbook host far: 1/2 in 60, 1 left, next in 40"],
        ),
        (
            "by labels, whatever the target",
            keyed(),
            uncapped(),
            vec![by("acme", ran(1000, "web")), by("other", ran(1010, "web")), by("acme", ran(1020, "db"))],
            1030,
            &[
                "playbook customer=acme: 2/2 in 60, 0 left, next in 30",
                "playbook customer=other: 1/2 in 60, 1 left, next in 40",
            ],
        ),
        (
            "caps of the settings count every playbook",
            playbook(),
            capped(),
            vec![other(ran(1000, "web")), ran(1010, "web"), other(ran(1020, "db"))],
            1030,
            &[
                "playbook web: 1/2 in 60, 1 left, next in 40",
                "per_target web: 2/3 in 60, 1 left, next in 30",
                "global all playbooks: 3/5 in 60, 2 left, next in 30",
            ],
        ),
        (
            "a cap that nothing has touched",
            playbook(),
            capped(),
            vec![],
            1030,
            &["global all playbooks: 0/5 in 60, 5 left, next in 0"],
        ),
    ] {
        let budget = budget((playbook, policy), attempts, minute);
        assert_eq!(budget.rooms.iter().map(line).collect::<Vec<_>>(), want, "{name}");
        assert!(budget.chills.is_empty() && !budget.more, "{name}");
    }
}

#[test]
fn a_cooldown_is_told_until_the_moment_it_is_over() {
    let mut cooling = playbook();
    cooling.limits.cooldown = Duration::from_secs(600);
    let under_way = Attempt { ended: None, ..ran(1000, "web") };
    for (name, attempts, minute, want) in [
        ("under way", vec![under_way], 1090, &[("web", 600, None)][..]),
        ("lately", vec![ran(1000, "web"), ran(1004, "db")], 1006, &[("db", 480, Some(1004)), ("web", 240, Some(1000))]),
        ("a second ago it was not over", vec![ran(1000, "web")], 1009, &[("web", 60, Some(1000))]),
        ("it is just over", vec![ran(1000, "web")], 1010, &[]),
    ] {
        let budget = budget((cooling.clone(), uncapped()), attempts, minute);
        let since = |moment: Moment| moment.passed_ms / 60_000;
        let told = budget.chills.iter();
        let told = told.map(|chill| (&*chill.of, chill.cooling.left.as_secs(), chill.cooling.since.map(since)));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        assert_eq!(told, want, "{name}");
    }
}

#[test]
fn the_latest_groups_are_listed_and_it_is_said_that_others_are_not() {
    let attempts: Vec<Attempt> = (0..25).map(|number| ran(1000 + number, &format!("web-{number}"))).collect();
    let told = budget((playbook(), uncapped()), attempts, 1030);
    assert!(told.more && told.rooms.len() == 20, "{told:?}");
    assert_eq!(told.rooms.first().unwrap().of, "web-24");
    let long_ago: Vec<Attempt> = (0..25).map(|number| ran(1000 + number, &format!("web-{number}"))).collect();
    let told = budget((playbook(), uncapped()), long_ago, 2000);
    assert!(!told.more && told.rooms.is_empty(), "{told:?}");
}

/// Whatever the gate says is what was shown before.
#[test]
fn a_window_that_is_shown_full_refuses_and_no_other_does() {
    let mut stage = Stage::new(playbook());
    stage.verify = |_| StepResult::Verified("well".into());
    stage.world.ruleset.policy = Policy { global: vec![Window { runs: 3, per: HOUR }], ..Policy::default() };
    stage.world.ruleset.policy.breaker.failures = 100;
    let mut refused = Vec::new();
    for (number, (minutes, name)) in
        [(0, "web"), (1, "web"), (1, "web"), (1, "db"), (1, "db"), (55, "db"), (1, "web"), (1, "web"), (61, "web")]
            .into_iter()
            .enumerate()
    {
        stage.world.now_s += minutes * 60;
        let shown = stage.world.snapshot().budgets.remove(0);
        let full =
            shown.rooms.iter().find(|room| room.level.is_full() && (room.of == name || room.of == "all playbooks"));
        stage.web = found(container(name));
        let mut alert = firing(stage.world.now_s);
        alert.labels = [("alertname", "Down"), ("container", name), ("n", &*number.to_string())].into_iter().collect();
        alert.fingerprint = alert.labels.fingerprint();
        let acted = stage.actions.len();
        let before = stage.world.last_refusal();
        stage.world.fire(alert);
        stage.rest();
        assert_eq!(stage.actions.len() == acted, full.is_some(), "{number}: {shown:?} {before:?}");
        refused.push(full.map(|room| room.whose.as_str()));
    }
    let (playbook, global) = (Some("playbook"), Some("global"));
    assert_eq!(refused, [None, None, playbook, None, global, global, None, None, None]);
    assert_eq!(stage.world.last_refusal(), Some(Reason::GlobalBudget));
}

#[test]
fn people_are_shown_what_is_left_for_the_very_target() {
    let mut playbook = gated(1);
    playbook.limits = Limits { cooldown: Duration::from_secs(600), ..super::budgets::playbook().limits };
    let mut stage = Stage::new(playbook);
    stage.verify = |_| StepResult::Verified("well".into());
    let fire = |stage: &mut Stage, number: u32, name: &str| {
        stage.web = found(container(name));
        let mut alert = firing(stage.world.now_s);
        alert.labels = [("alertname", "Down"), ("container", name), ("n", &*number.to_string())].into_iter().collect();
        alert.fingerprint = alert.labels.fingerprint();
        stage.world.fire(alert);
        stage.rest();
    };
    fire(&mut stage, 1, "web");
    let shown = |stage: &Stage| {
        let asked = stage.world.snapshot().approvals.remove(0);
        (asked.room.iter().map(line).collect::<Vec<_>>(), asked.chill)
    };
    let unused = |name: &str, all: u32| {
        let next = if all == 0 { 0 } else { 60 };
        let (all_left, name) = (20 - all, format!("playbook {name}: 0/2 in 60, 2 left, next in 0"));
        vec![name, format!("global all playbooks: {all}/20 in 60, {all_left} left, next in {next}")]
    };
    assert_eq!(shown(&stage), (unused("web", 0), None));
    stage.yes("alice");
    stage.rest();
    assert_eq!(stage.actions, ["restart"]);
    // What was done to `web` is nothing to `db`.
    fire(&mut stage, 2, "db");
    assert_eq!(shown(&stage), (unused("db", 1), None));
    let web = stage.world.snapshot().budgets.remove(0);
    assert_eq!(line(&web.rooms[0]), "playbook web: 1/2 in 60, 1 left, next in 60");
    assert_eq!(web.chills[0].of, "web");
}
