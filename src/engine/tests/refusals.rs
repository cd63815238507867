//! What a refusal says: by its words, on the list of what is open, and in the record.

use super::world::*;
use crate::model::container::TargetReport;
use crate::model::fact::Fact;
use crate::model::reason::Reason;
use crate::playbook::definition::TargetSpec;

fn label(key: &str, value: &str) -> TargetReport {
    let mut web = container("web");
    web.labels.insert(key.to_owned(), value.to_owned());
    found(web)
}

#[test]
fn what_is_mistyped_on_a_label_is_told_with_what_was_meant() {
    for (key, value, want) in [
        (
            "sickbay.protected",
            "true",
            "sickbay.protected, which is no label of sickbay (did you mean sickbay.protect?)",
        ),
        ("sickbay.action", "none", "(did you mean sickbay.actions?): it counts as protected"),
        ("sickbay.not-before", "22:00", "sickbay.not-before, which is no label of sickbay: it counts as protected"),
        ("sickbay.actions", "Restart , START", "without restart: write restart in small letters"),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.fire(firing(world.now_s));
        world.docker(first(), label(key, value));
        assert!(world.last_words().contains(want), "{key}: {}", world.last_words());
    }
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    let mut meant = container("web");
    meant.labels = [("sickbay.enabled".to_owned(), "true".to_owned())].into();
    world.docker(first(), found(meant));
    assert_eq!(world.last_refusal(), Some(Reason::NotOptedIn), "a mistyped consent is none");
    assert!(world.last_words().contains("did you mean sickbay.enable?"), "{}", world.last_words());
}

#[test]
fn a_refused_incident_is_listed_with_its_target() {
    for (report, want) in [
        (label("sickbay.protect", "true"), Some("web")),
        (TargetReport::Missing, Some("web")),
        (TargetReport::Unavailable("no answer".into()), Some("web")),
    ] {
        let mut world = World::new(vec![restarting()]);
        world.fire(firing(world.now_s));
        world.docker(first(), report);
        let shown = world.snapshot().incidents.remove(0);
        assert_eq!((shown.doing, shown.target.as_deref()), ("refused", want), "{:?}", world.last_words());
    }
}

#[test]
fn what_was_not_found_is_told_by_its_name_and_its_host() {
    for (hosts, want) in [
        (&["local"][..], "no container matches the target: Docker knows no container web"),
        (&["local", "web-2"], "no container matches the target: Docker knows no container web on the host local"),
    ] {
        let mut playbook = restarting();
        playbook.target = playbook.target.map(|target| TargetSpec { host: Some(template("local")), ..target });
        let mut world = World::new(vec![playbook]);
        world.ruleset.policy.hosts = hosts.iter().map(ToString::to_string).collect();
        world.fire(firing(world.now_s));
        world.docker(first(), TargetReport::Missing);
        assert_eq!(world.last_words(), want);
    }
}

#[test]
fn the_record_of_a_refusal_keeps_the_label_that_refused() {
    let mut world = World::new(vec![restarting()]);
    world.fire(firing(world.now_s));
    world.docker(first(), label("sickbay_protect", "true"));
    let look = world.log.iter().rev().find_map(|record| match &record.fact {
        Fact::Decided(decided) => decided.look.clone(),
        _ => None,
    });
    let Some(TargetReport::Found(view)) = look.as_deref() else { panic!("{look:?}") };
    assert!(view.container.labels.contains_key("sickbay_protect"), "{:?}", view.container.labels);
}
