//! What templates can see. Alert text goes in as data and comes out as text; it never becomes anything else.

use super::incident::{Incident, Run};
use crate::model::alert::Alert;
use crate::model::duration::format_duration;
use crate::model::fact::AlertReceived;
use crate::model::label::Labels;
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
pub(super) fn of_run(incident: &Incident, run: &Run, playbook: &Playbook) -> Value {
    let steps: BTreeMap<&str, Value> = run
        .notes
        .iter()
        .map(|note| (&*note.id, context! { elapsed => rounded(note.elapsed), detail => note.detail.as_str() }))
        .collect();
    let target = run.target.as_ref().map(|target| {
        context! { name => target.name.as_str(), id => target.id.as_str(), image => target.image_id.as_str() }
    });
    let window = playbook.limits.windows.first();
    let failed = run.failure.as_ref().map(|failure| {
        let title =
            playbook.attempts.steps(run.attempt.number).get(failure.index).map_or(failure.step, |step| step.title());
        context! { name => title, error => failure.error.as_str(), verdict => failure.verdict.as_str() }
    });
    context! {
        labels => labels(&incident.alert.labels),
        annotations => labels(&incident.alert.annotations),
        alert => alert_value(&incident.alert),
        target => target,
        steps => steps,
        run => context! {
            id => incident.id.to_string(),
            playbook => &*incident.playbook,
            dry_run => run.dry_run,
            attempt => run.attempt.number,
            attempts => run.attempt.count,
        },
        limits => context! {
            runs => window.map(|window| window.runs),
            per => window.map(|window| format_duration(window.per)),
            cooldown => format_duration(playbook.limits.cooldown),
        },
        failed => failed,
    }
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
        let incident = crate::engine::tests::world::running_incident();
        let playbook = crate::engine::tests::world::restarting();
        let run = incident.run().expect("it runs");
        let values = of_run(&incident, run, &playbook);
        let fixed = FIXED.iter().flat_map(|(root, names)| names.iter().map(move |name| format!("{root}.{name}")));
        let of_steps = OF_A_STEP.iter().map(|name| format!("steps.back.{name}"));
        for path in fixed.chain(of_steps) {
            let root = path.split('.').next().expect("a path has a root");
            let template = Template::parse(&format!("{{{{ {path} }}}}"), &[root]).expect("the path parses");
            template.render(&values).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}
