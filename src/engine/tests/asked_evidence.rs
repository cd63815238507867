//! What is the matter with the target is found out before people are asked, told with the question, and kept with it.

use super::approvals::{gated, questions, spec};
use super::stage::Stage;
use super::world::*;
use crate::engine::effect::{Effect, LookCloser};
use crate::engine::state::State;
use crate::model::container::Container;
use crate::model::diagnosis::Diagnosis;
use crate::model::fact::{Fact, StepResult};
use crate::playbook::definition::Verb;
use serde_json::{Value, json};

fn about(id: &str) -> Value {
    let finding =
        json!({"code": "exit.application", "weight": "cause", "what": "It ended.", "seen": "code 1", "next": "Look."});
    json!({"container": {"id": id, "name": "web"}, "diagnosis": {"findings": [finding]}, "logs": {"lines": ["bye"]}})
}

/// A stage on which this is found out about the target.
fn stage(evidence: Option<Value>) -> Stage {
    let mut stage = Stage::new(gated(1));
    stage.verify = |_| StepResult::Verified("well".into());
    stage.evidence = evidence;
    stage
}

fn looks(stage: &Stage) -> Vec<LookCloser> {
    let asks = |effect: &Effect| match effect {
        Effect::ResolveTarget { closer, .. } => Some(closer.clone()),
        _ => None,
    };
    stage.world.effects.iter().filter_map(asks).collect()
}

#[test]
fn people_are_asked_with_what_is_the_matter_with_the_very_target() {
    let id = container("web").id.as_str().to_owned();
    for (name, evidence, kept) in [
        ("of the target", Some(about(&id)), true),
        ("of another container", Some(about(&"0d".repeat(32))), false),
        ("nobody could look", Some(json!({"error": "no answer in 3s"})), true),
        ("nobody looked", None, false),
    ] {
        let mut stage = stage(evidence.clone());
        stage.world.fire(firing(stage.world.now_s));
        assert_eq!(looks(&stage), [LookCloser::Yes], "{name}");
        stage.rest();
        let want = evidence.filter(|_| kept);
        let asked = questions(&stage.world.log)[0];
        assert_eq!(asked.evidence, want, "{name}");

        // A restart, from the log and from what stands for all of it.
        stage.restart();
        let shown = |state: &State| {
            let now = state.timeline().moment(&stage.world.now());
            state.snapshot(None, &stage.world.ruleset, &now).approvals.remove(0).asked.evidence
        };
        assert_eq!(shown(&stage.world.state), want, "{name}");
        let memory = stage.world.state.memory();
        let mut record = stage.world.log.last().unwrap().clone();
        (record.seq, record.fact) = (stage.world.state.next_seq(), Fact::StateSaved(Box::new(memory)));
        let mut recalled = State::default();
        recalled.apply(&record);
        assert_eq!(shown(&recalled), want, "{name}");

        // Nobody looks once more into what was agreed to.
        stage.yes("alice");
        assert_eq!(looks(&stage), [LookCloser::Unless((&container("web").id).into())], "{name}");
        stage.rest();
        assert_eq!(stage.actions, ["restart"], "{name}");
    }
}

#[test]
fn people_who_are_asked_anew_are_told_about_what_is_there_now() {
    let (old, new) = (container("web"), Container { id: container("another").id, ..container("web") });
    let redeployed = Container { image_id: "sha256:other".to_owned(), ..old.clone() };
    let found_in = |container: &Container| about(container.id.as_str());
    for (name, now, finds, want) in [
        ("another container", &new, found_in(&new), found_in(&new)),
        (
            "the same container, another plan",
            &redeployed,
            json!({"container": {"id": "not looked at"}}),
            found_in(&old),
        ),
    ] {
        let mut stage = stage(Some(found_in(&old)));
        stage.world.fire(firing(stage.world.now_s));
        stage.rest();
        stage.web = found(now.clone());
        stage.evidence = Some(finds);
        stage.yes("alice");
        stage.rest();
        let asked = questions(&stage.world.log);
        assert_eq!(asked.len(), 2, "{name}: {:?}", stage.world.kinds(0));
        assert_eq!(asked[1].evidence, Some(want), "{name}");
    }
}

#[test]
fn in_the_middle_of_a_run_people_are_told_what_its_capture_found() {
    let id = container("web").id.as_str().to_owned();
    let mut playbook = restarting();
    playbook.attempts.first.steps.insert(1, step(Verb::Approve(spec(1))));
    let mut stage = Stage::new(playbook);
    stage.world.fire(firing(stage.world.now_s));
    stage.rest_but(|effect| matches!(effect, Effect::Capture { .. }));
    stage.world.effects.clear();
    stage.world.step(first(), 0, StepResult::Captured(about(&id)));
    let evidence = questions(&stage.world.log)[0].evidence.clone().expect("the capture found something");
    let first = Diagnosis::in_evidence(&evidence).findings.remove(0);
    assert_eq!((&evidence["container"]["id"], &*first.what), (&json!(id), "It ended."));
}

#[test]
fn where_nobody_is_asked_nobody_looks_into_the_target() {
    let mut stage = Stage::new(restarting());
    stage.world.fire(firing(stage.world.now_s));
    assert_eq!(looks(&stage), [LookCloser::No]);
}

#[test]
fn the_message_that_asks_tells_what_it_looks_like() {
    let mut playbook = gated(1);
    playbook.approval.as_mut().unwrap().ask = vec!["log".into()];
    let mut stage = Stage { evidence: Some(about(container("web").id.as_str())), ..Stage::new(playbook) };
    stage.world.fire(firing(stage.world.now_s));
    stage.rest();
    let messages = stage.world.log.iter().filter_map(|record| match &record.fact {
        Fact::NoticeIntended(intended) => Some(intended.notice.message.clone()),
        _ => None,
    });
    let messages: Vec<String> = messages.collect();
    assert!(messages[0].contains("Diagnosis: It ended. (exit.application)"), "{messages:?}");
}
