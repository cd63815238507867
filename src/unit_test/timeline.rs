//! One entry of `input`: what happens at a time after the start, and to whom.

use super::containers::{cpus, successor};
use super::definition::{Happening, Placed, Stock, Timed};
use super::read::Reader;
use super::values::{labels, one_or_many, signed_ms, some_time, texts, time, unknown, word};
use super::{alerts, keys};
use crate::engine::event::NewConfig;
use crate::model::approval::BY_LINK;
use crate::model::pause::{Pause, PauseScope};
use crate::model::target::{ComposeService, TargetName};
use crate::playbook::keys::Shape;
use crate::playbook::problem::{Findings, Note};
use crate::playbook::raw::{Field, Fields};
use crate::sim::input::{Crash, Fate, Input, Touch};
use crate::sim::service::ServiceTouch;
use crate::sim::vote::{PlanSaid, SimVote, VoteOn};
use std::time::Duration;

/// How long sickbay is down where nobody says how long.
const DOWN: Duration = Duration::from_secs(5);

/// Reads one entry of `input`: what happens, once or several times.
pub(super) fn input(item: Field<'_>, stock: &Stock, reader: &mut Reader<'_>) -> Vec<Timed> {
    let line = reader.line(item.key);
    let findings = &mut reader.findings;
    let Some(fields) = Fields::read(item.value, item.key, &keys::INPUT, findings) else { return Vec::new() };
    let at = fields.need("at", findings).and_then(|field| time(field, findings));
    let Some(subject) = only_subject(&fields, findings) else { return Vec::new() };
    let at = at.unwrap_or_default();
    let one = |what: Option<Input>| -> Vec<Timed> {
        what.map(|input| Timed { at, what: Happening::World(Box::new(input)), line }).into_iter().collect()
    };
    match subject.name {
        "firing" | "resolved" => alerts::notifications((at, line), &fields, findings),
        "container" => one(touch((subject, &fields), stock, findings)),
        "service" => one(touch_service((subject, &fields), stock, findings)),
        "docker" => one(docker(subject, findings)),
        "notifiers" => one(single(subject, &keys::NOTIFIERS_INPUT, findings).map(|(_, span)| Input::LoseNotices(span))),
        "http" => one(http(subject, findings)),
        "alertmanager" => {
            let what = alertmanager(subject, findings);
            what.map(|what| Timed { at, what, line }).into_iter().collect()
        }
        "sickbay" => one(sickbay(subject, findings)),
        "machine" => one(machine(subject, findings)),
        "clock" => one(signed_ms(subject, findings).map(Input::SetWall)),
        "disk" => one(single(subject, &keys::DISK_INPUT, findings).map(|(_, span)| Input::StallDisk(span))),
        "pause" => one(pause(subject, reader)),
        "resume" => one(scope(subject, reader).map(Input::Resume)),
        "reset" => one(known_target(subject, stock, findings).map(Input::ResetBreaker)),
        "reload" => one(reload(subject, reader)),
        _ => one(answer(subject, reader)),
    }
}

/// What the input is about: one thing, or alerts of both kinds. Whatever else stands there must go with it.
fn only_subject<'n>(fields: &Fields<'n>, findings: &mut Findings<'_>) -> Option<Field<'n>> {
    let is_alert = |field: &Field<'_>| matches!(field.name, "firing" | "resolved");
    let subjects: Vec<Field<'n>> = fields.iter().filter(|field| keys::SUBJECTS.contains(&field.name)).collect();
    let Some(subject) = subjects.first().copied() else {
        if !fields.has_unknown() {
            let note = Note::error("test.input", fields.at, "nothing happens in this input");
            findings.push(note.hint(format!("say what happens, by one of: {}", keys::SUBJECTS.join(", "))));
        }
        return None;
    };
    if let Some(second) = subjects.get(1).filter(|_| !subjects.iter().all(is_alert)) {
        let message = format!("`{}` and `{}` are two things", subject.name, second.name);
        let note = Note::error("test.input", second.key, message);
        findings.push(note.hint("write two inputs; of the same time, the one that stands first happens first"));
    }
    if !is_alert(&subject) {
        for field in alerts::stray(fields) {
            findings.push(goes_with(field, "firing"));
        }
    }
    for (key, with) in keys::WITH {
        if let Some(field) = fields.get(key).filter(|_| !with.contains(&subject.name)) {
            findings.push(goes_with(field, &with.join("` and `")));
        }
    }
    Some(subject)
}

fn goes_with(field: Field<'_>, other: &str) -> Note {
    Note::error("test.input", field.key, format!("`{}` goes with `{other}` only", field.name))
}

/// A map with one key that is how long something lasts.
fn single(field: Field<'_>, shape: &Shape, findings: &mut Findings<'_>) -> Option<(String, Duration)> {
    let fields = Fields::read(field.value, field.key, shape, findings)?;
    let known: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
    match (fields.iter().next(), fields.iter().nth(1)) {
        (Some(only), None) => Some((only.name.to_owned(), some_time(only, findings)?)),
        (None, _) if fields.has_unknown() => None,
        (_, _) => {
            let message = format!("`{}` takes one of: {}", field.name, known.join(", "));
            findings.push(Note::error("test.input", field.key, message));
            None
        }
    }
}

/// Something happens to a container.
fn touch((name, fields): (Field<'_>, &Fields<'_>), stock: &Stock, findings: &mut Findings<'_>) -> Option<Input> {
    let (named, container) = known_container(name, stock, findings)?;
    let event = fields.need("event", findings)?;
    let event = word(event, &keys::EVENTS.map(|word| (word, word)), findings)?;
    let with: [(&str, &[&str]); 4] = [
        ("exit_code", &["die"]),
        ("with", &["recreate"]),
        ("memory", &["update_limits", "use_memory"]),
        ("cpus", &["update_limits"]),
    ];
    for (key, with) in with {
        if let Some(field) = fields.get(key).filter(|_| !with.contains(&event)) {
            let message = format!("`{key}` goes with `event: {}` only", with.join("` or `event: "));
            findings.push(Note::error("test.input", field.key, message));
        }
    }
    let touch = match event {
        "stop" => Touch::Stop,
        "start" => Touch::Start,
        "restart" => Touch::Restart,
        "pause" => Touch::Pause,
        "unpause" => Touch::Unpause,
        "remove" => Touch::Remove,
        "recreate" => Touch::Recreate(Box::new(successor(fields.get("with"), &container.spec, findings)?)),
        "sicken" | "recover" if container.spec.health_check.is_none() => {
            let note = Note::error("test.input", name.span(), format!("{named} has no health check to tell"));
            findings.push(note.hint("give it a `health` or a `health_check`"));
            return None;
        }
        "sicken" => Touch::Sicken,
        "recover" => Touch::Recover,
        "update_limits" => limit(fields, findings)?,
        "use_memory" => Touch::UseMemory(fields.need("memory", findings)?.bytes(findings)?),
        _ => {
            let code = fields.get("exit_code").and_then(|field| field.whole(&(0..=255), findings));
            Touch::Die(i64::from(code.unwrap_or(1)))
        }
    };
    Some(Input::Touch(container.spec.name.clone(), touch))
}

/// A person gives a container other limits.
fn limit(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Touch> {
    let memory = fields.get("memory").and_then(|field| field.bytes(findings));
    let nano_cpus = fields.get("cpus").and_then(|field| cpus(field, findings));
    if fields.get("memory").or(fields.get("cpus")).is_none() {
        let note = Note::error("test.input", fields.at, "`event: update_limits` needs `memory` or `cpus`");
        findings.push(note.hint("such as: memory: 512MiB"));
        return None;
    }
    Some(Touch::Limit { memory, nano_cpus })
}

/// Something happens to a service.
fn touch_service(
    (name, fields): (Field<'_>, &Fields<'_>),
    stock: &Stock,
    findings: &mut Findings<'_>,
) -> Option<Input> {
    let named = name.text(findings)?;
    let names = stock.service_names();
    let Some(service) = TargetName::parse(named).filter(|_| names.iter().any(|known| known == named)) else {
        unknown(name, "service of this test", names.iter().map(String::as_str), findings);
        return None;
    };
    let event = fields.need("event", findings)?;
    let event = word(event, &keys::SERVICE_EVENTS.map(|word| (word, word)), findings)?;
    for (key, with) in [("to", "scale"), ("image", "deploy")] {
        if let Some(field) = fields.get(key).filter(|_| event != with) {
            findings.push(Note::error("test.input", field.key, format!("`{key}` goes with `event: {with}` only")));
        }
    }
    let composed = ComposeService::parse(named);
    let checked = |service: &ComposeService| stock.composed(service).any(|one| one.spec.health_check.is_some());
    let touch = match (event, &composed) {
        ("scale", _) => ServiceTouch::Scale(fields.need("to", findings)?.whole(&(0..=100), findings)?),
        ("deploy", _) => ServiceTouch::Deploy(fields.need("image", findings)?.text(findings)?.to_owned()),
        ("force_update", Some(_)) => {
            let note = Note::error("test.input", name.span(), "Compose knows no forced update");
            findings.push(note.hint("write `event: deploy` with an `image`, or restart its containers"));
            return None;
        }
        ("force_update", None) => ServiceTouch::ForceUpdate,
        ("remove", _) => ServiceTouch::Remove,
        ("sicken", Some(service)) if !checked(service) => {
            let note = Note::error("test.input", name.span(), format!("{named} has no health check to tell"));
            findings.push(note.hint("give it a `health` or a `health_check`"));
            return None;
        }
        ("sicken", _) => ServiceTouch::SickenOne,
        (_, _) => ServiceTouch::KillOne,
    };
    Some(Input::TouchService(service, touch))
}

/// A container of the test, by its name.
pub(super) fn known_container<'s, 'n>(
    field: Field<'n>,
    stock: &'s Stock,
    findings: &mut Findings<'_>,
) -> Option<(&'n str, &'s Placed)> {
    let named = field.text(findings)?;
    let found = stock.containers.iter().find(|container| container.spec.name.as_str() == named);
    if found.is_none() {
        unknown(field, "container of this test", stock.names(), findings);
    }
    Some((named, found?))
}

/// The name of something of the test that can be treated.
pub(super) fn known_target(field: Field<'_>, stock: &Stock, findings: &mut Findings<'_>) -> Option<TargetName> {
    let named = field.text(findings)?;
    if !stock.may_be_treated(named) {
        let services = stock.service_names();
        let what = if services.is_empty() { "container of this test" } else { "container or service of this test" };
        unknown(field, what, stock.names().chain(services.iter().map(String::as_str)), findings);
        return None;
    }
    TargetName::parse(named)
}

/// Other systems answer otherwise.
fn http(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Input> {
    let fields = Fields::read(field.value, field.key, &keys::HTTP_INPUT, findings)?;
    match (fields.get("away"), fields.get("status")) {
        (Some(away), None) => {
            if let Some(field) = fields.get("for") {
                findings.push(goes_with(field, "status"));
            }
            Some(Input::AnswerRequests { status: None, lasts: some_time(away, findings)? })
        }
        (None, Some(status)) => {
            let lasts = fields.need("for", findings).and_then(|field| some_time(field, findings));
            let status = status.whole(&(100..=599), findings).and_then(|status| u16::try_from(status).ok());
            Some(Input::AnswerRequests { status: Some(status?), lasts: lasts? })
        }
        (None, None) if fields.has_unknown() => None,
        (_, _) => {
            let message = "`http` takes one of: away, status (with `for`)";
            findings.push(Note::error("test.input", field.key, message));
            None
        }
    }
}

/// Something is wrong with Docker, or will be with the next call.
fn docker(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Input> {
    let fields = Fields::read(field.value, field.key, &keys::DOCKER_INPUT, findings)?;
    let main: Vec<Field<'_>> = fields.iter().filter(|field| !matches!(field.name, "for" | "by")).collect();
    let [only] = main.as_slice() else {
        if !fields.has_unknown() {
            let message = "`docker` takes one of: away, blocked, slow (with `for`), next_call, forgets_events";
            findings.push(Note::error("test.input", field.key, message));
        }
        return None;
    };
    if let Some(field) = fields.get("for").filter(|_| only.name != "slow") {
        findings.push(goes_with(field, "slow"));
    }
    match only.name {
        "away" => some_time(*only, findings).map(Input::LoseDocker),
        "blocked" => some_time(*only, findings).map(Input::BlockDocker),
        "slow" => slow(*only, &fields, findings).map(|(by, lasts)| Input::SlowDocker { by, lasts }),
        "forgets_events" => fields.boolean("forgets_events", true, findings).then_some(Input::ForgetHistory),
        _ => fate(*only, fields.get("by"), findings).map(Input::NextWrite),
    }
}

/// How much slower, and for how long.
fn slow(by: Field<'_>, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<(Duration, Duration)> {
    let lasts = fields.need("for", findings).and_then(|field| some_time(field, findings));
    Some((some_time(by, findings)?, lasts?))
}

/// What becomes of the next call that changes something.
fn fate(field: Field<'_>, by: Option<Field<'_>>, findings: &mut Findings<'_>) -> Option<Fate> {
    let words = [
        ("prompt", Fate::Prompt),
        ("late", Fate::Late(Duration::ZERO)),
        ("not_sent", Fate::NotSent),
        ("blocked", Fate::Blocked),
        ("lost", Fate::LostOnTheWay),
        ("stray", Fate::Stray(Duration::ZERO)),
        ("answer_lost", Fate::AnswerLost),
        ("hangs", Fate::Hangs),
        ("lies", Fate::Lies),
        ("done_and_called_failed", Fate::DoneAndCalledFailed),
        ("fails", Fate::Fails),
    ];
    let fate = word(field, &words, findings)?;
    let takes_by = matches!(fate, Fate::Late(_) | Fate::Stray(_));
    let by = match (by, takes_by) {
        (Some(by), true) => some_time(by, findings)?,
        (None, true) => {
            let note = Note::error("test.input", field.span(), "by how much is it late?");
            findings.push(note.hint("add `by: 5s`"));
            return None;
        }
        (Some(by), false) => {
            findings.push(Note::error("test.input", by.key, "`by` goes with `late` and `stray` only"));
            return None;
        }
        (None, false) => Duration::ZERO,
    };
    Some(match fate {
        Fate::Late(_) => Fate::Late(by),
        Fate::Stray(_) => Fate::Stray(by),
        Fate::Prompt
        | Fate::NotSent
        | Fate::Blocked
        | Fate::LostOnTheWay
        | Fate::AnswerLost
        | Fate::Hangs
        | Fate::Lies
        | Fate::DoneAndCalledFailed
        | Fate::Fails => fate,
    })
}

fn alertmanager(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Happening> {
    let shape = &keys::ALERTMANAGER_INPUT;
    let fields = Fields::read(field.value, field.key, shape, findings)?;
    let main: Vec<Field<'_>> = fields.iter().filter(|field| field.name != "for").collect();
    let [only] = main.as_slice() else {
        if !fields.has_unknown() {
            let message = "`alertmanager` takes one of: away, slow (with `for`), restarts, forgets";
            findings.push(Note::error("test.input", field.key, message));
        }
        return None;
    };
    if let Some(field) = fields.get("for").filter(|_| only.name != "slow") {
        findings.push(goes_with(field, "slow"));
    }
    match only.name {
        "forgets" => {
            let forgotten = one_or_many(*only).into_iter().filter_map(|alert| labels(alert, findings)).collect();
            Some(Happening::Forgotten(forgotten))
        }
        "away" => some_time(*only, findings).map(|span| Happening::World(Box::new(Input::LoseAlertmanager(span)))),
        "slow" => slow(*only, &fields, findings)
            .map(|(by, lasts)| Happening::World(Box::new(Input::SlowAlertmanager { by, lasts }))),
        _ => some_time(*only, findings).map(|span| Happening::World(Box::new(Input::RestartAlertmanager(span)))),
    }
}

fn sickbay(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Input> {
    let fields = Fields::read(field.value, field.key, &keys::SICKBAY_INPUT, findings)?;
    let requests = [("arrive", true), ("lost", false)];
    let requests_arrive = fields.get("requests").and_then(|field| word(field, &requests, findings)).unwrap_or(true);
    let (killed, stopped) = (fields.get("killed"), fields.get("stopped"));
    let records = fields.get("after_records").and_then(|field| field.whole(&(1..=10_000), findings));
    match (killed, stopped) {
        (Some(killed), None) => {
            let crash = Crash { kept_permille: 0, down: some_time(killed, findings)?, requests_arrive };
            Some(records.map_or(Input::Crash(crash), |records| Input::CrashAfter(records.into(), crash)))
        }
        (None, Some(stopped)) => {
            for key in ["after_records", "requests"] {
                if let Some(field) = fields.get(key) {
                    findings.push(goes_with(field, "killed"));
                }
            }
            Some(Input::Stop(some_time(stopped, findings)?))
        }
        (None, None) if fields.has_unknown() => None,
        (_, _) => {
            let note = Note::error("test.input", field.key, "`sickbay` is either `killed` or `stopped`, for how long");
            findings.push(note.hint("write {at: 1m, sickbay: {killed: 30s}}"));
            None
        }
    }
}

fn machine(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Input> {
    let (what, span) = single(field, &keys::MACHINE_INPUT, findings)?;
    Some(if what == "sleeps" {
        Input::Suspend(span)
    } else {
        Input::Reboot(Crash { kept_permille: 0, down: span.max(DOWN), requests_arrive: false })
    })
}

fn pause(field: Field<'_>, reader: &mut Reader<'_>) -> Option<Input> {
    let fields = Fields::read(field.value, field.key, &keys::PAUSE_INPUT, &mut reader.findings)?;
    let scope = match fields.get("scope") {
        Some(field) => scope(field, reader)?,
        None => PauseScope::All,
    };
    let findings = &mut reader.findings;
    let length = fields.get("for").and_then(|field| some_time(field, findings));
    let text = |name: &str, findings: &mut Findings<'_>| {
        fields.get(name).and_then(|field| field.text(findings)).unwrap_or("test").to_owned()
    };
    let (by, reason) = (text("by", findings), text("reason", findings));
    Some(Input::Pause(Pause { scope, by, reason, length }))
}

fn scope(field: Field<'_>, reader: &mut Reader<'_>) -> Option<PauseScope> {
    let text = field.text(&mut reader.findings)?;
    match text.parse::<PauseScope>() {
        Ok(PauseScope::Playbook(name)) => {
            reader.known_playbook(field, &name);
            Some(PauseScope::Playbook(name))
        }
        Ok(scope) => Some(scope),
        Err(error) => {
            reader.findings.push(Note::error("test.value", field.span(), error.to_string()));
            None
        }
    }
}

/// Other playbooks are loaded, or a mistake is found in them.
fn reload(field: Field<'_>, reader: &mut Reader<'_>) -> Option<Input> {
    let findings = &mut reader.findings;
    let fields = Fields::read(field.value, field.key, &keys::RELOAD_INPUT, findings)?;
    let fails = fields.boolean("fails", false, findings);
    match (fields.get("playbook_files"), fails) {
        (Some(files), false) => {
            let (_, playbooks) = reader.load(Some(files))?;
            let policy = reader.policy.clone();
            Some(Input::Reload(Box::new(NewConfig { playbooks, policy, files: Vec::new(), by: None })))
        }
        (None, true) => Some(Input::ReloadInVain),
        (_, _) if fields.has_unknown() => None,
        (_, _) => {
            let note = Note::error("test.input", field.key, "`reload` takes either `playbook_files` or `fails: true`");
            findings.push(note.hint("write {at: 1m, reload: {playbook_files: [new.yaml]}}"));
            None
        }
    }
}

/// A person says yes or no to what is asked: to the oldest question, or to that of one playbook.
fn answer(field: Field<'_>, reader: &mut Reader<'_>) -> Option<Input> {
    let fields = Fields::read(field.value, field.key, &keys::ANSWER_INPUT, &mut reader.findings)?;
    let mut on = VoteOn::Oldest;
    if let Some(playbook) = fields.get("playbook") {
        let name = playbook.text(&mut reader.findings)?;
        reader.known_playbook(playbook, name);
        on = VoteOn::Playbook(name.into());
    }
    let findings = &mut reader.findings;
    let by = fields.need("by", findings).and_then(|field| field.text(findings).map(str::to_owned));
    let groups = match fields.get("groups") {
        Some(groups) => texts(groups, "list the groups: [dba]", findings)?,
        None => Vec::new(),
    };
    let comment = fields.get("comment").and_then(|field| field.text(findings)).unwrap_or_default().to_owned();
    let channel = if fields.boolean("by_link", false, findings) { BY_LINK } else { "test" };
    let plan = match fields.get("plan").and_then(|field| field.text(findings)) {
        None => PlanSaid::AsAsked,
        Some("outdated") => PlanSaid::OfTheOneBefore,
        Some(digits) => PlanSaid::Text(digits.to_owned()),
    };
    Some(Input::Vote(SimVote {
        on,
        plan,
        person: by?,
        groups,
        channel: channel.to_owned(),
        approve: field.name == "approve",
        comment,
    }))
}
