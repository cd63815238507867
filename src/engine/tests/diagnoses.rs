//! What a capture says is the matter, as messages name it.

use super::world::*;
use crate::model::diagnosis::{Diagnosis, DiagnosisCode, Finding, Weight};
use crate::model::fact::{Fact, StepResult};
use crate::playbook::definition::{NotifySpec, Verb};

#[test]
fn a_message_names_what_the_evidence_says_most_of_all_also_after_a_restart() {
    let finding = |code: DiagnosisCode, weight, what: &str| Finding {
        code,
        weight,
        what: what.to_owned(),
        seen: "exit code 127".to_owned(),
        next: "Install it.".to_owned(),
    };
    let diagnosis = Diagnosis {
        findings: vec![
            finding(DiagnosisCode::CommandNotFound, Weight::Cause, "No such command."),
            finding(DiagnosisCode::NoMemoryLimit, Weight::Note, "No limit."),
        ],
    };
    let roots = &["diagnosis", "steps"];
    let message = "{{ diagnosis.code }}: {{ diagnosis.what }} {{ diagnosis.seen }}; {{ diagnosis.next }}";
    let message = crate::playbook::template::Template::parse(message, roots).unwrap();
    let title = crate::playbook::template::Template::parse("{{ steps.kept.detail }}", roots).unwrap();
    let told = NotifySpec { to: vec!["log".into()], severity: "info".into(), title: Some(title), message };
    let mut playbook = restarting();
    playbook.attempts.first.steps[0].id = Some("kept".into());
    playbook.attempts.first.steps.insert(1, step(Verb::Notify(told)));
    for (evidence, want) in [
        (
            serde_json::json!({"logs": {"lines": ["x"]}, "diagnosis": diagnosis.to_json()}),
            ("No such command.", "command.not-found: No such command. exit code 127; Install it."),
        ),
        (serde_json::json!({}), ("captured", ":  ; ")),
    ] {
        let mut world = World::new(vec![playbook.clone()]);
        world.fire(firing(world.now_s));
        world.docker(first(), found(container("web")));
        world.step(first(), 0, StepResult::Captured(evidence));
        let Some(Fact::NoticeIntended(intended)) = world.log.last().map(|record| record.fact.clone()) else { panic!() };
        assert_eq!((&*intended.notice.title, &*intended.notice.message), want);
        // What is kept of the story leads to the same.
        let incident = world.state.incident(first()).unwrap();
        assert_eq!(world.replayed(world.log.len()).incident(first()), Some(incident));
        let kept = incident.run().unwrap().diagnosis.as_ref().map(|finding| finding.code);
        let story = incident
            .story
            .iter()
            .filter_map(|(_, fact)| if let Fact::StepFinished(step) = fact { Some(&step.result) } else { None });
        let in_story =
            story.filter_map(|result| if let StepResult::Captured(evidence) = result { Some(evidence) } else { None });
        let in_story: Vec<&serde_json::Value> = in_story.collect();
        let findings =
            in_story[0].pointer("/diagnosis/findings").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        assert_eq!((in_story.len(), findings), (1, usize::from(kept.is_some())));
        assert!(in_story[0].get("logs").is_none());
        assert_eq!(kept, (want.0 != "captured").then_some(DiagnosisCode::CommandNotFound));
    }
}
