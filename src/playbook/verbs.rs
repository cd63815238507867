//! Each verb's arguments and their bounds. Read [`read`] first.

use super::approval::approval;
use super::condition::Looks;
use super::definition::{
    CaptureSpec, HealthGoal, HttpSpec, LimitsSpec, NotifySpec, PauseSpec, RaiseCpus, RaiseMemory, ReplicasGoal,
    RestartSpec, RollbackSpec, ScaleChange, ScaleSpec, StopSpec, Verb, VerifySpec, VerifyStep,
};
use super::keys;
use super::load::Reading;
use super::problem::{Findings, Note};
use super::raw::{Field, Fields};
use super::resolve::{one_of, positive, template, url};
use super::steps::Sees;
use super::yaml::Content;
use std::time::Duration;

/// The longest that Docker may wait before it kills.
const STOP_TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// The most headers of one request.
const HEADERS_MAX: usize = 20;

/// What a verb's value turned out to be.
pub(super) enum Read {
    /// The verb.
    Verb(Verb),
    /// `none`: what is added by itself shall not be.
    None,
}

/// Reads a verb and its arguments; every problem is in the findings.
pub(super) fn read(field: Field<'_>, (ids, sees): (&[&str], Sees<'_>), reading: &mut Reading<'_>) -> Option<Read> {
    let findings = &mut reading.findings;
    Some(Read::Verb(match field.name {
        "capture" | "verify" if field.is_word("none") => return Some(Read::None),
        "capture" => Verb::Capture(capture(field, findings)?),
        "restart" => Verb::Restart(restart(field, findings)?),
        "start" => {
            arguments(field, &keys::START, "{}", findings)?;
            Verb::Start
        }
        "stop" => {
            let fields = arguments(field, &keys::STOP, "{}", findings)?;
            Verb::Stop(StopSpec { stop_timeout: stop_timeout(&fields, findings) })
        }
        "scale" => Verb::Scale(scale(field, findings)?),
        "rollback" => {
            let fields = arguments(field, &keys::ROLLBACK, "{}", findings)?;
            Verb::Rollback(rollback(&fields, sees, findings))
        }
        "update_limits" => Verb::UpdateLimits(update_limits(field, findings)?),
        "verify" => Verb::Verify(verify(field, (ids, sees), findings)?),
        "wait" => Verb::Wait(positive(field, findings)?),
        "notify" => Verb::Notify(notify(field, (ids, sees), reading)?),
        "http" => Verb::Http(http(field, (ids, sees), findings)?),
        "approve" => Verb::Approve(approval(field, (ids, sees), reading)?),
        "pause_playbook" => Verb::PausePlaybook(pause_playbook(field, (ids, sees), findings)?),
        _ => return None,
    }))
}

fn capture(field: Field<'_>, findings: &mut Findings<'_>) -> Option<CaptureSpec> {
    let fields = arguments(field, &keys::CAPTURE, "{logs: 50}`, or `capture: none", findings)?;
    let default = CaptureSpec::default();
    let logs = fields.get("logs").and_then(|field| field.whole(&(0..=keys::LOG_LINES_MAX), findings));
    Some(CaptureSpec {
        logs: logs.unwrap_or(default.logs),
        inspect: fields.boolean("inspect", default.inspect, findings),
        stats: fields.boolean("stats", default.stats, findings),
        top: fields.boolean("top", default.top, findings),
        changes: fields.boolean("changes", default.changes, findings),
        events: fields.boolean("events", default.events, findings),
    })
}

/// How long Swarm's last change is ago nobody can tell, so only Compose has a `within`.
fn rollback(fields: &Fields<'_>, sees: Sees<'_>, findings: &mut Findings<'_>) -> RollbackSpec {
    let within = fields.get("within");
    if let Some(field) = within.filter(|_| !sees.compose) {
        let message = "`within` is for a Compose service: when Swarm changed an image last, nobody can tell";
        findings.push(Note::error("playbook.target", field.key, message).hint("write `rollback: {}`"));
    }
    let said = within.and_then(|field| positive(field, findings));
    RollbackSpec { within: sees.compose.then_some(said.unwrap_or(keys::ROLLBACK_WITHIN)) }
}

fn scale(field: Field<'_>, findings: &mut Findings<'_>) -> Option<ScaleSpec> {
    let fields = arguments(field, &keys::SCALE, "{by: 1, max: 6}", findings)?;
    let min = fields.get("min").map_or(Some(1), |field| field.whole(&(1..=keys::REPLICAS_MAX), findings));
    let max = fields.get("max").map(|field| field.whole(&(1..=keys::REPLICAS_MAX), findings));
    let change = match (fields.get("by"), fields.get("to")) {
        (Some(by), None) => by.signed(-1000..=1000, findings).and_then(|by| {
            if by == 0 {
                let note = Note::error("playbook.scale", fields.at, "`by: 0` changes nothing");
                findings.push(note.hint("such as: by: 1"));
            }
            (by != 0).then_some(ScaleChange::By(by))
        }),
        (None, Some(to)) if to.is_word("original") => Some(ScaleChange::ToOriginal),
        (None, Some(to)) => to.whole(&(1..=keys::REPLICAS_MAX), findings).map(ScaleChange::To),
        (by, to) => {
            let both = by.zip(to).is_some();
            let message = if both { "`scale` has either `by` or `to`" } else { "`scale` needs `by` or `to`" };
            let hint = "such as: scale: {by: 1, max: 6}, or scale: {to: original} in `on_resolved`";
            findings.push(Note::error("playbook.scale", fields.at, message).hint(hint));
            None
        }
    };
    let (change, min) = (change?, min?);
    let max = max.map_or(Some(None), |max| max.map(Some))?;
    let ups = matches!(change, ScaleChange::By(1..)) && max.is_none();
    if ups {
        let note = Note::error("playbook.scale", fields.at, "`by` scales up, and nothing says where it ends");
        findings.push(note.hint("give `max`: the most replicas that the machine can carry"));
    }
    let outside = |to: u32| to < min || max.is_some_and(|max| max < to);
    if max.is_some_and(|max| max < min) || matches!(change, ScaleChange::To(to) if outside(to)) {
        let message = format!("`min` ({min}), `to` and `max` contradict each other");
        findings.push(Note::error("playbook.scale", fields.at, message).hint("min <= to <= max"));
    }
    Some(ScaleSpec { change, min, max })
}

fn update_limits(field: Field<'_>, findings: &mut Findings<'_>) -> Option<LimitsSpec> {
    let fields = arguments(field, &keys::UPDATE_LIMITS, "{memory: {factor: 1.5, max: 2GiB}}", findings)?;
    let raises = fields.get("memory").or(fields.get("cpus"));
    if let Some(to) = fields.get("to") {
        if raises.is_some() {
            let message = "`update_limits` either raises (`memory`, `cpus`) or takes back (`to`)";
            findings.push(Note::error("playbook.update-limits", to.key, message).hint("make it two steps"));
        }
        return one_of(to, &[("original", LimitsSpec::ToOriginal)], findings);
    }
    if raises.is_none() {
        let message = "`update_limits` needs `memory` or `cpus`";
        let hint = "such as: update_limits: {memory: {factor: 1.5, max: 2GiB}}, or {to: original} in `on_resolved`";
        findings.push(Note::error("playbook.update-limits", fields.at, message).hint(hint));
        return None;
    }
    let memory = fields.get("memory").map(|field| {
        let fields = arguments(field, &keys::RAISE_MEMORY, "{factor: 1.5, max: 2GiB}", findings)?;
        let factor = fields.need("factor", findings).and_then(|field| field.more_than(1, findings));
        let max = fields.need("max", findings).and_then(|field| field.bytes(findings));
        Some(RaiseMemory { factor: factor?, max: max? })
    });
    let cpus = fields.get("cpus").map(|field| {
        let fields = arguments(field, &keys::RAISE_CPUS, "{factor: 1.5, max: 2}", findings)?;
        let factor = fields.need("factor", findings).and_then(|field| field.more_than(1, findings));
        let max = fields.need("max", findings).and_then(|field| field.more_than(0, findings));
        Some(RaiseCpus { factor: factor?, max: max? })
    });
    Some(LimitsSpec::Raise {
        memory: memory.map_or(Some(None), |memory| memory.map(Some))?,
        cpus: cpus.map_or(Some(None), |cpus| cpus.map(Some))?,
    })
}

fn http(field: Field<'_>, (ids, sees): (&[&str], Sees<'_>), findings: &mut Findings<'_>) -> Option<HttpSpec> {
    let fields = arguments(field, &keys::HTTP, "{url: \"https://…\"}", findings)?;
    let url = fields.need("url", findings).and_then(|field| url(field, (ids, sees), false, findings));
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].map(|method| (method, method));
    let method = fields.get("method").map_or(Some("POST"), |field| one_of(field, &methods, findings));
    let body = fields.get("body").map(|field| template(field, (ids, sees), findings));
    let headers = fields.get("headers").map_or(Some(Vec::new()), |field| headers(field, findings));
    let expect = fields.get("expect").map_or(Some(vec![200, 201, 202, 204]), |field| {
        let items = field.list("such as: expect: [200]", findings)?;
        if items.is_empty() {
            let note = Note::error("playbook.http", field.span(), "`expect` is empty, so no answer would be good");
            findings.push(note.hint("such as: expect: [200, 204]"));
        }
        let item = |item| Field { value: item, ..field }.whole(&(100..=599), findings);
        items.iter().map(item).map(|status| u16::try_from(status?).ok()).collect()
    });
    Some(HttpSpec {
        url: url?,
        method: method?,
        headers: headers?,
        body: body.map_or(Some(None), |body| body.map(Some))?,
        expect: expect?,
    })
}

fn headers(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<(String, String)>> {
    let Content::Map(entries) = &field.value.content else {
        field.wrong("a map of names and values", findings);
        return None;
    };
    if HEADERS_MAX < entries.len() {
        let note = Note::error("playbook.http", field.key, format!("more than {HEADERS_MAX} headers"));
        findings.push(note.hint("most systems need none"));
    }
    let mut headers = Vec::new();
    for entry in entries {
        let item = Field { name: &entry.key, key: entry.key_span, value: &entry.value };
        let value = item.text(findings)?;
        let lower = entry.key.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if entry.key.is_empty() || !entry.key.bytes().all(token) || value.bytes().any(|byte| byte < 32 || byte == 127) {
            let note = Note::error("playbook.http", entry.key_span, "this is not an HTTP header");
            findings.push(note.hint("a name of letters, digits and `-`, and one line of text"));
        } else if ["authorization", "cookie", "proxy-authorization"].contains(&lower.as_str()) {
            let note = Note::error("playbook.http", entry.key_span, "secrets do not belong into a playbook");
            findings.push(note.hint("let a notifier of the settings send it: its secrets come from files"));
        } else if ["host", "content-length", "transfer-encoding", "connection"].contains(&lower.as_str()) {
            let note = Note::error("playbook.http", entry.key_span, format!("`{lower}` is set by the request itself"));
            findings.push(note.hint("remove it"));
        } else if entry.key.contains("{{") || value.contains("{{") {
            let note = Note::error("playbook.http", item.span(), "headers are written out");
            findings.push(note.hint("put values into `body`, or into path or query of `url`"));
        }
        headers.push((entry.key.clone(), value.to_owned()));
    }
    Some(headers)
}

fn pause_playbook(
    field: Field<'_>,
    (ids, sees): (&[&str], Sees<'_>),
    findings: &mut Findings<'_>,
) -> Option<PauseSpec> {
    let fields = arguments(field, &keys::PAUSE_PLAYBOOK, "{for: 1h}", findings)?;
    let length = fields.get("for").map(|field| positive(field, findings));
    let reason = fields.get("reason").map(|field| template(field, (ids, sees), findings));
    Some(PauseSpec {
        length: length.map_or(Some(None), |length| length.map(Some))?,
        reason: reason.map_or(Some(None), |reason| reason.map(Some))?,
    })
}

fn restart(field: Field<'_>, findings: &mut Findings<'_>) -> Option<RestartSpec> {
    let fields = arguments(field, &keys::RESTART, "{}", findings)?;
    let stop_timeout = stop_timeout(&fields, findings);
    Some(RestartSpec { stop_timeout, start_if_stopped: fields.boolean("start_if_stopped", false, findings) })
}

fn stop_timeout(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let stop_timeout = fields.duration("stop_timeout", findings);
    if let Some(timeout) = stop_timeout
        && let Some(field) = fields.get("stop_timeout")
        && (timeout.subsec_nanos() != 0 || STOP_TIMEOUT_MAX < timeout)
    {
        let message = "`stop_timeout` is in whole seconds and at most 10m";
        findings.push(Note::error("playbook.stop-timeout", field.span(), message));
    }
    stop_timeout
}

fn verify(field: Field<'_>, (ids, sees): (&[&str], Sees<'_>), findings: &mut Findings<'_>) -> Option<VerifyStep> {
    let fields = arguments(field, &keys::VERIFY, "{within: 2m}`, or `verify: none", findings)?;
    let default = VerifySpec::default();
    let goals = [("healthy", HealthGoal::Healthy), ("running", HealthGoal::Running)];
    let health = fields.get("health").and_then(|field| one_of(field, &goals, findings)).unwrap_or(default.health);
    let every = fields.duration("every", findings).unwrap_or(default.every);
    if let Some(field) = fields.get("every")
        && every < Duration::from_secs(1)
    {
        findings.push(Note::error("playbook.verify", field.span(), "`every` must be at least 1s"));
    }
    let stable_for = fields.duration("stable_for", findings).unwrap_or(default.stable_for);
    let within = fields.duration("within", findings);
    if let (Some(within), Some(field)) = (within, fields.get("within")) {
        if within <= every {
            let message = "`within` must be longer than `every`: there must be time to look twice";
            findings.push(Note::error("playbook.verify", field.span(), message));
        } else if within <= stable_for {
            let message = "`within` is not longer than `stable_for` (10s unless given)";
            let hint = "the target has to come up and then stay well for all of `stable_for`";
            findings.push(Note::warning("lint.verify-too-short", field.span(), message).hint(hint));
        }
    }
    let alert_resolved = fields.boolean("alert_resolved", default.alert_resolved, findings);
    let http = fields.get("http").map(|field| url(field, (ids, sees), true, findings));
    let replicas = fields.get("replicas_running").map(|field| {
        if field.is_word("all") {
            return Some(ReplicasGoal::All);
        }
        field.whole(&(1..=keys::REPLICAS_MAX), findings).map(ReplicasGoal::AtLeast)
    });
    let misfit = match sees.looks {
        Some(Looks::Service) => {
            let http =
                || Some((fields.get("http")?, "`http` is asked about a container, and this target is a service"));
            let health = "`health` is a container's; a service has `replicas_running`";
            fields.get("health").map(|field| (field, health)).or_else(http)
        }
        Some(Looks::Container) | None => {
            let message = "`replicas_running` is a service's, and this target is a container";
            fields.get("replicas_running").map(|field| (field, message))
        }
    };
    if let Some((field, message)) = misfit {
        findings.push(Note::error("playbook.verify", field.key, message).hint("remove it"));
    }
    Some(VerifyStep {
        spec: VerifySpec { health, within, every, stable_for, alert_resolved },
        replicas: replicas.map_or(Some(None), |replicas| replicas.map(Some))?,
        http: http.map_or(Some(None), |http| http.map(Some))?,
    })
}

fn notify(field: Field<'_>, (ids, sees): (&[&str], Sees<'_>), reading: &mut Reading<'_>) -> Option<NotifySpec> {
    let fields = arguments(field, &keys::NOTIFY, "{to: [log], message: \"…\"}", &mut reading.findings)?;
    let to = recipients(&fields, "to", reading);
    let findings = &mut reading.findings;
    let severities = [("info", "info"), ("warning", "warning"), ("critical", "critical")];
    let severity = fields.get("severity").and_then(|field| one_of(field, &severities, findings)).unwrap_or("info");
    let title = fields.get("title").and_then(|field| template(field, (ids, sees), findings));
    let message = fields.need("message", findings).and_then(|field| template(field, (ids, sees), findings));
    Some(NotifySpec { to: to?, severity: severity.to_owned(), title, message: message? })
}

/// Names of notifiers.
pub(super) fn recipients(fields: &Fields<'_>, key: &str, reading: &mut Reading<'_>) -> Option<Vec<String>> {
    let field = fields.need(key, &mut reading.findings)?;
    let items = field.list(&format!("name one or more notifiers: {key}: [log]"), &mut reading.findings)?;
    if items.is_empty() {
        let note = Note::error("playbook.notify", field.span(), format!("`{key}` names nobody"));
        reading.findings.push(note.hint("name one or more notifiers; `log` is built in"));
    }
    let mut to: Vec<String> = Vec::new();
    for item in items {
        let item = Field { value: item, key: item.span, ..field };
        let Some(name) = item.text(&mut reading.findings) else { continue };
        let known = |names: &&[String]| name == "log" || names.iter().any(|known| known == name);
        if name.is_empty() || to.iter().any(|earlier| earlier == name) {
            let message = if name.is_empty() { "an empty name" } else { "this notifier is named twice" };
            reading.findings.push(Note::error("playbook.notify", item.span(), message));
        } else if let Some(names) = reading.notifiers.filter(|names| !known(names)) {
            let note = Note::error("playbook.unknown-notifier", item.span(), format!("no notifier is called `{name}`"));
            let mut configured: Vec<&str> = names.iter().map(String::as_str).collect();
            configured.push("log");
            reading.findings.push(note.hint(format!("the settings have: {}", configured.join(", "))));
        }
        to.push(name.to_owned());
    }
    Some(to)
}

/// The arguments of a verb, which are always a map.
fn arguments<'n>(
    field: Field<'n>,
    shape: &keys::Shape,
    example: &str,
    findings: &mut Findings<'_>,
) -> Option<Fields<'n>> {
    if let Content::Map(_) = field.value.content {
        return Fields::read(field.value, field.key, shape, findings);
    }
    let message = format!("`{}` is a map of arguments, not {}", field.name, field.value.kind());
    let note = Note::error("playbook.type", field.span(), message);
    findings.push(note.hint(format!("write `{}: {example}`", field.name)));
    None
}
