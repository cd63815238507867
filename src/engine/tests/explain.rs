//! What can be told about an alert from its labels alone, and what is not claimed.

use super::world::*;
use crate::engine::explain::{Explained, No, explain};
use crate::engine::ruleset::Ruleset;
use crate::model::container::TargetReport;
use crate::model::label::Labels;
use crate::model::matcher::parse_matchers;
use crate::model::policy::Policy;
use crate::model::reason::{Gate, Reason};
use crate::model::time_interval::{Period, Schedule, TimeInterval};
use crate::playbook::condition::Condition;
use crate::playbook::definition::{Playbook, TargetSpec, Which};
use crate::playbook::index::Playbooks;
use crate::playbook::template::Template;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn down() -> Labels {
    labels(&[("alertname", "Down"), ("container", "web"), ("severity", "page")])
}

fn named(name: &str, matchers: &str) -> Playbook {
    Playbook { name: name.into(), matchers: parse_matchers(matchers).unwrap().matchers, ..restarting() }
}

fn told(playbooks: Vec<Playbook>, labels: &Labels) -> Vec<Explained> {
    let ruleset = Ruleset::new(Playbooks::new(playbooks), Policy::default());
    explain(&ruleset, labels, wall(100_000))
}

fn one(playbook: Playbook) -> Explained {
    told(vec![playbook], &down()).remove(0)
}

fn refused(explained: &Explained) -> Option<(Gate, Reason)> {
    match &explained.no {
        Some(No::Refused(refusal)) => Some((refusal.gate, refusal.reason)),
        Some(No::TakenBy(_)) | None => None,
    }
}

fn input<'a>(explained: &'a Explained, name: &str) -> &'a str {
    let Some(No::Refused(refusal)) = &explained.no else { return "" };
    refusal.inputs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn the_matcher_that_fails_is_named_with_the_value_it_saw() {
    for (matchers, matcher, name, value) in [
        (r#"alertname="Up""#, r#"alertname="Up""#, "labels.alertname", "Down"),
        (r#"alertname="Down",severity=~"warn.*""#, r#"severity=~"warn.*""#, "labels.severity", "page"),
        (r#"team!="""#, r#"team!="""#, "labels.team", "(absent)"),
    ] {
        let explained = one(named("p", matchers));
        assert_eq!((explained.matched, refused(&explained)), (false, Some((Gate::Playbook, Reason::NoMatch))));
        assert_eq!((input(&explained, "matcher"), input(&explained, name)), (matcher, value));
        assert_eq!(explained.yes, []);
    }
    let off = one(Playbook { enabled: false, ..restarting() });
    assert_eq!((off.matched, input(&off, "enabled")), (false, "false"));
}

#[test]
fn a_playbook_behind_the_one_that_takes_the_alert_says_so() {
    let all =
        told(vec![named("no", r#"alertname="Up""#), named("first", r#"alertname="Down""#), restarting()], &down());
    assert_eq!(all.iter().map(|one| one.matched).collect::<Vec<_>>(), [false, true, true]);
    assert!(all[1].goes_on());
    assert_eq!(all[2].no, Some(No::TakenBy("first".into())));
}

#[test]
fn nothing_is_claimed_of_gates_that_were_not_asked() {
    let explained = one(restarting());
    assert_eq!((explained.no.as_ref(), explained.target.as_deref()), (None, Some("container web")));
    assert_eq!(explained.yes, [Gate::Playbook, Gate::TimeInterval, Gate::Condition]);
    for gate in Gate::ALL {
        let not_asked = explained.not_asked.iter().any(|(known, why)| known == gate && !why.is_empty());
        assert!(not_asked != explained.yes.contains(gate), "{gate}");
    }
}

#[test]
fn a_target_that_the_labels_do_not_give_is_refused_as_the_engine_refuses_it() {
    let template = |source: &str| Some(TargetSpec::from(Which::Container(Template::parse(source, ROOTS).unwrap())));
    for (source, alert, want, value) in [
        ("{{ labels.pod }}", down(), Some(Reason::TargetInvalid), "(absent)"),
        ("{{ labels.pod }}", labels(&[("alertname", "Down"), ("pod", "a b")]), Some(Reason::TargetInvalid), "a b"),
        ("{{ labels.container }}-1", down(), None, ""),
    ] {
        let playbook = Playbook { target: template(source), ..restarting() };
        let explained = told(vec![playbook.clone()], &alert).remove(0);
        assert_eq!(refused(&explained).map(|(_, reason)| reason), want, "{source}");
        assert_eq!(input(&explained, "labels.pod"), value, "{source}");
        // The engine itself.
        let mut world = World::new(vec![playbook]);
        let receipt = world.fire(crate::model::alert::Alert { labels: alert, ..firing(world.now_s) });
        assert_eq!(receipt.reason, want, "{source}");
    }
    let by_annotation = one(Playbook { target: template("{{ annotations.container }}"), ..restarting() });
    assert_eq!((by_annotation.no.as_ref(), by_annotation.target.as_deref()), (None, None));
    let why = by_annotation.not_asked.iter().find(|(gate, _)| *gate == Gate::Target).map(|(_, why)| why.as_str());
    assert!(why.unwrap().contains("annotations.container"), "{why:?}");
}

#[test]
fn the_clock_says_no_with_what_it_shows() {
    let always = TimeInterval { name: "maintenance".into(), periods: vec![Period::default()] };
    let muted = Schedule { active: vec![], mute: vec![always.into()] };
    let explained = one(Playbook { schedule: muted, ..restarting() });
    assert_eq!(refused(&explained), Some((Gate::TimeInterval, Reason::MutedTimeInterval)));
    assert_eq!(input(&explained, "mute_time_interval"), "maintenance");
    let condition = explained.not_asked.iter().find(|(gate, _)| *gate == Gate::Condition);
    assert_eq!(condition.map(|(_, why)| why.as_str()), Some("an earlier gate says no"));
}

/// What is told of a condition: a no, or what it still needs; an empty text is a yes.
fn condition(source: &str) -> Result<String, Reason> {
    let explained = one(Playbook { condition: Some(Condition::parse(source, ON_CONTAINER).unwrap()), ..restarting() });
    match refused(&explained) {
        Some((gate, reason)) => {
            assert_eq!(gate, Gate::Condition);
            Err(reason)
        }
        None if explained.yes.contains(&Gate::Condition) => Ok(String::new()),
        None => Ok(explained.not_asked.into_iter().find(|(gate, _)| *gate == Gate::Condition).unwrap().1),
    }
}

#[test]
fn a_condition_is_told_as_far_as_the_labels_decide_it_and_no_further() {
    for (source, want) in [
        (r#"labels.severity == "page""#, Ok("")),
        (r#"labels.severity == "warn""#, Err(Reason::ConditionFalse)),
        (r#"labels.depth == "1""#, Err(Reason::ConditionError)),
        (r#"labels.depth == "1" && labels.severity == "warn""#, Err(Reason::ConditionFalse)),
        (r#"target.state == "running" && labels.severity == "warn""#, Err(Reason::ConditionFalse)),
        (r#"labels.severity == "page" && target.state == "running""#, Ok("target.state")),
        (r#"labels.severity == "page" || target.state == "running""#, Ok("target.state")),
        (r#"has(target.labels.tier)"#, Ok("target.labels.tier")),
        (r#"!has(annotations.skip)"#, Ok("annotations.skip")),
        (r#"alert.age > duration("2m")"#, Ok("alert.age")),
        (r#"!run.dry_run"#, Ok("run.dry_run")),
        (r#"alert.name == "Down" && limits.runs >= 1 && run.playbook == "restart""#, Ok("")),
    ] {
        match (condition(source), want) {
            (Ok(told), Ok("")) => assert_eq!(told, "", "{source}"),
            (Ok(told), Ok(name)) => assert!(told.contains(name), "{source}: {told}"),
            (told, want) => assert_eq!(told, want.map(str::to_owned), "{source}"),
        }
    }
}

/// Whatever is a no here must be a no of the engine, whatever Docker says.
#[test]
fn a_no_from_the_labels_alone_is_a_no_of_the_engine() {
    for source in [
        r#"labels.severity == "warn""#,
        r#"labels.depth == "1" && labels.severity == "warn""#,
        r#"target.state == "running" && labels.severity == "warn""#,
    ] {
        let playbook = Playbook { condition: Some(Condition::parse(source, ON_CONTAINER).unwrap()), ..restarting() };
        let mut world = World::new(vec![playbook]);
        let alert =
            crate::model::alert::Alert { labels: down(), fingerprint: down().fingerprint(), ..firing(world.now_s) };
        let incident = world.fire(alert).incident.unwrap();
        world.docker(incident, found(container("web")));
        assert_eq!(Err(world.last_refusal().unwrap()), condition(source), "{source}");
        world.docker(incident, TargetReport::Missing);
        assert!(world.state.incident(incident).unwrap().run().is_none());
    }
}
