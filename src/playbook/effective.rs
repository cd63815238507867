//! Playbooks as YAML again, with every default written out and every step that is added by itself: what a file really
//! means. Loading it gives the same playbooks.
//!
//! A key that the daemon does not execute stands there only where it says something: as a default it would have the
//! playbook refused. Comments are gone. Read [`to_yaml`] first.

use super::definition::{
    ApprovalSpec, Attempt, CaptureSpec, HealthGoal, HttpSpec, LimitsSpec, NotifySpec, PauseSpec, Playbook,
    ReplicasGoal, ScaleChange, ScaleSpec, Step, TargetSpec, Verb, VerifyStep, Which,
};
use super::template::Template;
use crate::model::duration::format_duration;
use crate::model::limit::{Limits, MinHealthy, Scope};
use crate::model::time_interval::{Period, Range, TimeInterval};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One rules file with all of these playbooks and the time intervals that they name.
#[must_use]
pub fn to_yaml(playbooks: &[Playbook]) -> String {
    let mut named: BTreeMap<&str, &Arc<TimeInterval>> = BTreeMap::new();
    for playbook in playbooks {
        let schedule = &playbook.schedule;
        named.extend(schedule.active.iter().chain(&schedule.mute).map(|interval| (&*interval.name, interval)));
    }
    let mut file = vec![("version", Yaml::plain(1))];
    if !named.is_empty() {
        file.push(("time_intervals", Yaml::List(named.into_values().map(time_interval).collect())));
    }
    file.push(("playbooks", Yaml::List(playbooks.iter().map(playbook).collect())));
    let mut text = String::new();
    Yaml::map(file).write(0, &mut text);
    text
}

/// Steps as they stand in such a file, with all their arguments.
#[must_use]
pub fn steps_to_yaml(steps: &[Step]) -> String {
    let mut text = String::new();
    Yaml::List(steps.iter().map(step).collect()).write(0, &mut text);
    text
}

/// A value that is to be written.
enum Yaml {
    /// Needs no quotes: a number, a duration, a word of the language.
    Plain(String),
    /// Anything.
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    #[expect(clippy::needless_pass_by_value, reason = "numbers, words and references alike")]
    fn plain(value: impl ToString) -> Self {
        Self::Plain(value.to_string())
    }

    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    fn duration(duration: Duration) -> Self {
        Self::Plain(format_duration(duration))
    }

    fn template(template: &Template) -> Self {
        Self::text(template.source())
    }

    fn map(entries: Vec<(&str, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Writes it in block style. What begins on the line of its key or dash comes first.
    fn write(&self, indent: usize, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Map(entries) if entries.is_empty() => out.push_str("{}"),
            Self::List(items) => {
                for item in items {
                    start_line(indent, out);
                    out.push_str("- ");
                    // The first key of a map stands on the line of the dash.
                    item.write(indent + 2, out);
                }
            }
            Self::Map(entries) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index != 0 || !out.ends_with("- ") {
                        start_line(indent, out);
                    }
                    write_text(key, out);
                    out.push(':');
                    match value {
                        Self::List(items) if !items.is_empty() => value.write(indent + 2, out),
                        Self::Map(entries) if !entries.is_empty() => value.write(indent + 2, out),
                        Self::Plain(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => {
                            out.push(' ');
                            value.write(indent, out);
                        }
                    }
                }
            }
        }
        if indent == 0 && !out.ends_with('\n') {
            out.push('\n');
        }
    }
}

fn start_line(indent: usize, out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A word as it is; anything else between double quotes, with YAML's escapes.
fn write_text(text: &str, out: &mut String) {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner);
    // What some reader of YAML takes for something else.
    let taken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"];
    if word && !taken.contains(&text.to_ascii_lowercase().as_str()) {
        return out.push_str(text);
    }
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(letter),
            letter if letter.is_alphanumeric() => out.push(letter),
            letter => match u32::from(letter) {
                code @ ..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push('"');
}

fn time_interval(interval: &Arc<TimeInterval>) -> Yaml {
    let periods = interval.periods.iter().map(period).collect();
    Yaml::map(vec![("name", Yaml::text(&interval.name)), ("time_intervals", Yaml::List(periods))])
}

fn period(period: &Period) -> Yaml {
    let mut entries = Vec::new();
    if let Some(times) = &period.times {
        let clock = |minutes: u32| Yaml::Text(format!("{:02}:{:02}", minutes / 60, minutes % 60));
        let time = |range: &crate::model::time_interval::TimeRange| {
            Yaml::map(vec![("start_time", clock(range.start)), ("end_time", clock(range.end))])
        };
        entries.push(("times", Yaml::List(times.iter().map(time).collect())));
    }
    let number = |number: i64| number.to_string();
    let weekday = |day: i64| Range::weekday_name(day).to_owned();
    for (key, ranges) in
        [("days_of_month", &period.days_of_month), ("months", &period.months), ("years", &period.years)]
    {
        entries.extend(ranges.as_ref().map(|all| (key, ranges_of(all, &number))));
    }
    entries.extend(period.weekdays.as_ref().map(|all| ("weekdays", ranges_of(all, &weekday))));
    entries.push(("location", Yaml::text(period.location.name())));
    Yaml::map(entries)
}

fn ranges_of(ranges: &[Range], name: &dyn Fn(i64) -> String) -> Yaml {
    let range = |range: &Range| match range.first == range.last {
        true => Yaml::Text(name(range.first)),
        false => Yaml::Text(format!("{}:{}", name(range.first), name(range.last))),
    };
    Yaml::List(ranges.iter().map(range).collect())
}

fn playbook(playbook: &Playbook) -> Yaml {
    let mut entries = vec![("name", Yaml::text(&playbook.name))];
    if !playbook.description.is_empty() {
        entries.push(("description", Yaml::text(&playbook.description)));
    }
    entries.push(("enabled", Yaml::plain(playbook.enabled)));
    entries.push(("dry_run", Yaml::plain(playbook.dry_run)));
    let matchers = playbook.matchers.iter().map(|matcher| Yaml::Text(matcher.to_string()));
    entries.push(("matchers", Yaml::List(matchers.collect())));
    for (key, intervals) in
        [("active_time_intervals", &playbook.schedule.active), ("mute_time_intervals", &playbook.schedule.mute)]
    {
        if !intervals.is_empty() {
            entries.push((key, Yaml::texts(intervals.iter().map(|interval| &*interval.name))));
        }
    }
    entries.extend(playbook.target.as_ref().map(|spec| ("target", target(spec))));
    entries.extend(playbook.condition.as_ref().map(|condition| ("if", Yaml::text(condition.source()))));
    entries.push(("limits", limits(&playbook.limits)));
    entries.extend(playbook.approval.as_ref().map(|spec| ("approval", approval(spec))));
    let tries: Vec<&Attempt> = playbook.attempts.iter().collect();
    match tries.as_slice() {
        [Attempt { name: None, steps }] => entries.push(("steps", steps_of_try(steps))),
        several => entries.push(("attempts", Yaml::List(several.iter().map(|attempt| one_attempt(attempt)).collect()))),
    }
    for (key, steps) in [("on_failure", &playbook.on_failure), ("on_denied", &playbook.on_denied)] {
        if !steps.is_empty() {
            entries.push((key, Yaml::List(steps.iter().map(step).collect())));
        }
    }
    if !playbook.on_resolved.is_empty() {
        entries.push(("on_resolved", steps_of_try(&playbook.on_resolved)));
    }
    Yaml::map(entries)
}

fn one_attempt(attempt: &Attempt) -> Yaml {
    let mut entries: Vec<(&str, Yaml)> = attempt.name.iter().map(|name| ("name", Yaml::text(name))).collect();
    entries.push(("steps", steps_of_try(&attempt.steps)));
    Yaml::map(entries)
}

/// Steps to which evidence and verification are added, unless it is said that they shall not be.
fn steps_of_try(steps: &[Step]) -> Yaml {
    let none = |word| Yaml::map(vec![(word, Yaml::plain("none"))]);
    let destroys = |step: &Step| step.verb.acts() && !matches!(step.verb, Verb::Scale(_));
    let captured = |first| steps.iter().take(first).any(|step| matches!(step.verb, Verb::Capture(_)));
    let verified = |last| steps.iter().skip(last).any(|step| matches!(step.verb, Verb::Verify(_)));
    let without_capture = steps.iter().position(destroys).is_some_and(|first| !captured(first));
    let without_verify = steps.iter().rposition(|step| step.verb.acts()).is_some_and(|last| !verified(last));
    let mut all: Vec<Yaml> = without_capture.then(|| none("capture")).into_iter().collect();
    all.extend(steps.iter().map(step));
    all.extend(without_verify.then(|| none("verify")));
    Yaml::List(all)
}

fn target(spec: &TargetSpec) -> Yaml {
    let mut entries = match &spec.which {
        Which::Container(name) => vec![("container", Yaml::template(name))],
        Which::Service(name) => vec![("service", Yaml::template(name))],
        Which::Compose { project, service } => {
            let compose = vec![("project", Yaml::template(project)), ("service", Yaml::template(service))];
            vec![("compose", Yaml::map(compose))]
        }
        Which::Selector { labels, max } => {
            let labels = labels.iter().map(|(label, value)| (label.clone(), Yaml::template(value))).collect();
            vec![("selector", Yaml::Map(labels)), ("max", Yaml::plain(max))]
        }
    };
    entries.extend(spec.host.as_ref().map(|host| ("host", Yaml::template(host))));
    Yaml::map(entries)
}

/// All windows, and with the first of them what holds for all.
fn limits(limits: &Limits) -> Yaml {
    let mut windows = limits
        .windows
        .iter()
        .map(|window| vec![("runs", Yaml::plain(window.runs)), ("per", Yaml::duration(window.per))]);
    let mut first = windows.next().unwrap_or_default();
    first.push(("cooldown", Yaml::duration(limits.cooldown)));
    if limits.key.is_empty() {
        let scope = match limits.scope {
            Scope::Target => "target",
            Scope::Playbook => "playbook",
            Scope::Host => "host",
        };
        first.push(("scope", Yaml::plain(scope)));
    } else {
        first.push(("key", Yaml::texts(limits.key.iter().map(|label| &**label))));
    }
    first.push(("max_parallel", Yaml::plain(limits.max_parallel)));
    first.extend(limits.min_healthy.map(|least| match least {
        MinHealthy::Count(count) => ("min_healthy", Yaml::plain(count)),
        MinHealthy::Percent(share) => ("min_healthy", Yaml::Plain(format!("{share}%"))),
    }));
    let rest: Vec<Yaml> = windows.map(Yaml::map).collect();
    let first = Yaml::map(first);
    if rest.is_empty() { first } else { Yaml::List(std::iter::once(first).chain(rest).collect()) }
}

fn approval(spec: &ApprovalSpec) -> Yaml {
    let mut entries = vec![
        ("required", Yaml::plain(spec.required)),
        ("from", Yaml::texts(spec.from.iter().map(String::as_str))),
        ("timeout", Yaml::duration(spec.timeout)),
        ("on_timeout", Yaml::plain(if spec.approve_on_timeout { "approve" } else { "deny" })),
        ("prevent_self_approval", Yaml::plain(spec.prevent_self_approval)),
        ("links", Yaml::plain(spec.links)),
        ("reason", Yaml::plain(spec.reason)),
    ];
    if !spec.ask.is_empty() {
        entries.push(("ask", Yaml::texts(spec.ask.iter().map(String::as_str))));
    }
    entries.extend(spec.message.as_ref().map(|message| ("message", Yaml::template(message))));
    Yaml::map(entries)
}

fn step(step: &Step) -> Yaml {
    let mut entries = Vec::new();
    entries.extend(step.id.as_ref().map(|id| ("id", Yaml::text(id))));
    entries.extend(step.name.as_ref().map(|name| ("name", Yaml::text(name))));
    entries.extend(step.condition.as_ref().map(|condition| ("if", Yaml::text(condition.source()))));
    entries.extend(step.timeout.map(|timeout| ("timeout", Yaml::duration(timeout))));
    entries.extend(step.continue_on_error.then(|| ("continue_on_error", Yaml::plain(true))));
    entries.push((step.verb.word(), arguments(&step.verb)));
    Yaml::map(entries)
}

fn arguments(verb: &Verb) -> Yaml {
    let stop_timeout = |timeout: Option<Duration>| timeout.map(|timeout| ("stop_timeout", Yaml::duration(timeout)));
    match verb {
        Verb::Capture(spec) => capture(spec),
        Verb::Restart(spec) => {
            let mut entries: Vec<(&str, Yaml)> = stop_timeout(spec.stop_timeout).into_iter().collect();
            entries.push(("start_if_stopped", Yaml::plain(spec.start_if_stopped)));
            Yaml::map(entries)
        }
        Verb::Stop(spec) => Yaml::map(stop_timeout(spec.stop_timeout).into_iter().collect()),
        Verb::Start => Yaml::Map(Vec::new()),
        Verb::Rollback(spec) => {
            Yaml::map(spec.within.map(|within| ("within", Yaml::duration(within))).into_iter().collect())
        }
        Verb::Scale(spec) => scale(spec),
        Verb::UpdateLimits(spec) => update_limits(spec),
        Verb::Verify(step) => verify(step),
        Verb::Wait(length) => Yaml::duration(*length),
        Verb::Notify(spec) => notify(spec),
        Verb::Http(spec) => http(spec),
        Verb::Approve(spec) => approval(spec),
        Verb::PausePlaybook(spec) => pause(spec),
    }
}

fn capture(spec: &CaptureSpec) -> Yaml {
    let CaptureSpec { logs, inspect, stats, top, changes, events } = spec;
    let mut entries = vec![
        ("logs", Yaml::plain(logs)),
        ("inspect", Yaml::plain(inspect)),
        ("stats", Yaml::plain(stats)),
        ("events", Yaml::plain(events)),
    ];
    for (key, wanted) in [("top", top), ("changes", changes)] {
        entries.extend(wanted.then(|| (key, Yaml::plain(true))));
    }
    Yaml::map(entries)
}

fn scale(spec: &ScaleSpec) -> Yaml {
    let change = match spec.change {
        ScaleChange::By(by) => ("by", Yaml::plain(by)),
        ScaleChange::To(to) => ("to", Yaml::plain(to)),
        ScaleChange::ToOriginal => ("to", Yaml::plain("original")),
    };
    let mut entries = vec![change, ("min", Yaml::plain(spec.min))];
    entries.extend(spec.max.map(|max| ("max", Yaml::plain(max))));
    Yaml::map(entries)
}

fn update_limits(spec: &LimitsSpec) -> Yaml {
    let LimitsSpec::Raise { memory, cpus } = spec else {
        return Yaml::map(vec![("to", Yaml::plain("original"))]);
    };
    let raise = |factor: f64, max: Yaml| Yaml::map(vec![("factor", Yaml::plain(factor)), ("max", max)]);
    let memory = memory.map(|memory| ("memory", raise(memory.factor, Yaml::Plain(size(memory.max)))));
    let cpus = cpus.map(|cpus| ("cpus", raise(cpus.factor, Yaml::plain(cpus.max))));
    Yaml::map(memory.into_iter().chain(cpus).collect())
}

/// A size in the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20)];
    let whole = units.into_iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift));
    let (unit, shift) = whole.unwrap_or(("KiB", 10));
    format!("{}{unit}", bytes >> shift)
}

fn verify(step: &VerifyStep) -> Yaml {
    let mut entries = Vec::new();
    match step.spec.health {
        HealthGoal::Auto => {}
        HealthGoal::Healthy => entries.push(("health", Yaml::plain("healthy"))),
        HealthGoal::Running => entries.push(("health", Yaml::plain("running"))),
    }
    entries.extend(step.replicas.map(|goal| match goal {
        ReplicasGoal::All => ("replicas_running", Yaml::plain("all")),
        ReplicasGoal::AtLeast(count) => ("replicas_running", Yaml::plain(count)),
    }));
    entries.extend(step.http.as_ref().map(|url| ("http", Yaml::text(url.source()))));
    entries.push(("alert_resolved", Yaml::plain(step.spec.alert_resolved)));
    entries.extend(step.spec.within.map(|within| ("within", Yaml::duration(within))));
    entries.push(("every", Yaml::duration(step.spec.every)));
    entries.push(("stable_for", Yaml::duration(step.spec.stable_for)));
    Yaml::map(entries)
}

fn notify(spec: &NotifySpec) -> Yaml {
    let mut entries =
        vec![("to", Yaml::texts(spec.to.iter().map(String::as_str))), ("severity", Yaml::plain(&spec.severity))];
    entries.extend(spec.title.as_ref().map(|title| ("title", Yaml::template(title))));
    entries.push(("message", Yaml::template(&spec.message)));
    Yaml::map(entries)
}

fn http(spec: &HttpSpec) -> Yaml {
    let mut entries = vec![("url", Yaml::text(spec.url.source())), ("method", Yaml::plain(spec.method))];
    if !spec.headers.is_empty() {
        let headers = spec.headers.iter().map(|(name, value)| (name.clone(), Yaml::text(value))).collect();
        entries.push(("headers", Yaml::Map(headers)));
    }
    entries.extend(spec.body.as_ref().map(|body| ("body", Yaml::template(body))));
    entries.push(("expect", Yaml::List(spec.expect.iter().map(Yaml::plain).collect())));
    Yaml::map(entries)
}

fn pause(spec: &PauseSpec) -> Yaml {
    let length = spec.length.map(|length| ("for", Yaml::duration(length)));
    let reason = spec.reason.as_ref().map(|reason| ("reason", Yaml::template(reason)));
    Yaml::map(length.into_iter().chain(reason).collect())
}
