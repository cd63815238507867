//! What templates can see. Alert text goes in as data and comes out as text; it never becomes anything else.

use super::incident::{Failure, Incident, Run, StepNote};
use crate::model::alert::Alert;
use crate::model::diagnosis::Finding;
use crate::model::duration::format_duration;
use crate::model::fact::{AlertReceived, Branch};
use crate::model::label::Labels;
use crate::model::policy::Policy;
use crate::model::step::StepOutcome;
use crate::playbook::definition::Playbook;
use chrono::{DateTime, SecondsFormat, Utc};
use minijinja::{Value, context};
use std::collections::BTreeMap;
use std::time::Duration;

/// For target templates: the alert alone.
pub(super) fn of_alert(alert: &AlertReceived) -> Value {
    context! {
        labels => labels(&alert.labels),
        annotations => labels(&alert.annotations),
        alert => alert_value(alert),
    }
}

/// For target templates, before the alert is recorded.
pub(super) fn of_new_alert(alert: &Alert) -> Value {
    context! {
        labels => labels(&alert.labels),
        annotations => labels(&alert.annotations),
        alert => context! {
            name => alert.labels.value("alertname"),
            fingerprint => alert.fingerprint.to_string(),
            starts_at => moment(alert.starts_at),
            generator_url => &*alert.generator_url,
        },
    }
}

/// For messages: everything about the run.
pub(super) fn of_run(incident: &Incident, run: &Run, playbook: &Playbook, policy: &Policy) -> Value {
    let steps: BTreeMap<&str, Value> = of_steps(run, playbook)
        .map(|(id, StepLeft { outcome, elapsed, detail })| {
            (id, context! { outcome => outcome.as_str(), elapsed => rounded(elapsed), detail => detail })
        })
        .collect();
    let target = run.target.as_ref().map(|target| {
        context! {
            name => target.name.bare(),
            host => policy.name_of(&target.name.host()),
            id => target.id.to_string(),
            image => target.image_id.as_str(),
        }
    });
    let window = playbook.limits.windows.first();
    let failed = failed(incident, run, playbook).map(
        |(name, failure)| context! { name => name, error => failure.error.as_str(), verdict => failure.verdict.as_str() },
    );
    context! {
        labels => labels(&incident.alert.labels),
        annotations => labels(&incident.alert.annotations),
        alert => alert_value(&incident.alert),
        target => target,
        diagnosis => diagnosis(run),
        steps => steps,
        run => context! {
            id => incident.id.to_string(),
            playbook => &*incident.playbook,
            dry_run => run.dry_run,
            attempt => run.attempt.number,
            attempts => run.attempt.count,
            url => url_of(policy, incident),
        },
        limits => context! {
            runs => window.map(|window| window.runs),
            per => window.map(|window| format_duration(window.per)),
            cooldown => format_duration(playbook.limits.cooldown),
        },
        failed => failed,
        approval => incident.approval.as_ref().and_then(|approval| approval.end.as_ref()).map(|end| context! {
            outcome => end.outcome.as_str(),
            by => end.by.join(", "),
            reason => end.reason.as_str(),
        }),
    }
}

/// What explains most of what the run saw of its target; empty texts where nothing does, or nothing was captured.
fn diagnosis(run: &Run) -> Value {
    let text = |part: fn(&Finding) -> &str| run.diagnosis.as_ref().map(part).unwrap_or_default();
    context! {
        code => text(|finding| finding.code.as_str()),
        what => text(|finding| &finding.what),
        seen => text(|finding| &finding.seen),
        next => text(|finding| &finding.next),
    }
}

/// Where people read about an incident.
fn url_of(policy: &Policy, incident: &Incident) -> String {
    format!("{}incidents/{}", policy.url, incident.id)
}

/// What a step left for those after it.
pub(super) struct StepLeft<'a> {
    /// What came of it.
    pub(super) outcome: StepOutcome,
    /// How long it took.
    pub(super) elapsed: Duration,
    /// In words.
    pub(super) detail: &'a str,
}

/// What each step with an id left. One whose turn has not come, or never came, is skipped so far.
pub(super) fn of_steps<'a>(run: &'a Run, playbook: &'a Playbook) -> impl Iterator<Item = (&'a str, StepLeft<'a>)> {
    let tries = (1..).zip(playbook.attempts.iter());
    let of_tries = tries.map(|(number, attempt)| (number, Branch::Steps, &attempt.steps));
    let number = run.attempt.number;
    let lists = of_tries.chain([
        (number, Branch::OnFailure, &playbook.on_failure),
        (number, Branch::OnDenied, &playbook.on_denied),
        (number, Branch::OnResolved, &playbook.on_resolved),
    ]);
    lists.flat_map(move |(attempt, branch, steps)| {
        steps.iter().enumerate().filter_map(move |(index, step)| {
            let of_it = |note: &&StepNote| (note.attempt, note.branch, note.index) == (attempt, branch, index);
            let left = run.notes.iter().rev().find(of_it).map_or(
                StepLeft { outcome: StepOutcome::Skipped, elapsed: Duration::ZERO, detail: "its turn never came" },
                |note| StepLeft { outcome: note.outcome, elapsed: note.elapsed, detail: &note.detail },
            );
            Some((step.id.as_deref()?, left))
        })
    })
}

/// The step that failed the run, by its title, and how.
pub(super) fn failed<'a>(incident: &Incident, run: &'a Run, playbook: &'a Playbook) -> Option<(&'a str, &'a Failure)> {
    let failure = run.failure.as_ref()?;
    let step = super::advance::work_of(playbook, incident).get(failure.index);
    Some((step.map_or(failure.step, |step| step.title()), failure))
}

fn labels(set: &Labels) -> Value {
    set.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<BTreeMap<_, _>>().into()
}

fn alert_value(alert: &AlertReceived) -> Value {
    context! {
        name => alert.labels.value("alertname"),
        fingerprint => alert.fingerprint.to_string(),
        starts_at => moment(alert.starts_at),
        generator_url => &*alert.generator_url,
    }
}

fn moment(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

/// Tenths below ten seconds, whole seconds above.
fn rounded(span: Duration) -> String {
    if span < Duration::from_secs(10) {
        format!("{:.1}s", span.as_secs_f64())
    } else {
        format_duration(Duration::from_secs(span.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::names::{FIXED, OF_A_STEP};
    use crate::playbook::template::Template;

    #[test]
    fn every_name_that_check_accepts_is_given() {
        let mut incident = crate::engine::tests::world::running_incident();
        let denied = crate::engine::tests::world::denied_incident();
        assert!(incident.approval.is_none());
        incident.approval = denied.approval;
        let mut playbook = crate::engine::tests::world::restarting();
        playbook.attempts.first.steps[0].id = Some("back".into());
        let run = incident.run().expect("it runs");
        let values = of_run(&incident, run, &playbook, &Policy::default());
        let fixed = FIXED.iter().flat_map(|(root, names)| names.iter().map(move |name| format!("{root}.{name}")));
        let of_steps = OF_A_STEP.iter().map(|name| format!("steps.back.{name}"));
        for path in fixed.chain(of_steps) {
            let root = path.split('.').next().expect("a path has a root");
            let template = Template::parse(&format!("{{{{ {path} }}}}"), &[root]).expect("the path parses");
            template.render(&values).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}
