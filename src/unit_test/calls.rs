//! Calls to Docker that change something, in the words of `expect_docker_calls`: how each that was made is told, and
//! whether what a test expects is one.
//!
//! The words are Docker's own, with the name in place of the ID and, for a number that changes, from what to what. A
//! Compose service is no object of Docker's: its change is told as Compose's own command would be, if it had one.

use super::definition::{Calls, Stock};
use super::read::Reader;
use super::values::one_or_many;
use crate::model::action::{Action, ServiceAction};
use crate::model::resources::LimitsChange;
use crate::model::target::TargetId;
use crate::playbook::problem::Note;
use crate::playbook::raw::Field;
use crate::playbook::yaml::Content;
use crate::sim::input::Fate;
use crate::sim::world::{World, Write};
use std::time::Duration;

/// The calls that were sent to Docker to change something.
pub(super) fn sent(world: &World) -> Vec<String> {
    let sent = |write: &&Write| write.fate != Fate::NotSent;
    world.seen.writes.iter().filter(sent).map(written).collect()
}

fn written(write: &Write) -> String {
    let (name, is_compose) = (&write.target.name, matches!(write.target.id, TargetId::Compose(_)));
    match &write.action {
        Action::Restart { stop_timeout } | Action::Stop { stop_timeout } => {
            format!("POST /containers/{name}/{}{}", write.action.word(), grace(*stop_timeout))
        }
        Action::Start => format!("POST /containers/{name}/start"),
        Action::UpdateLimits(change) => format!("POST /containers/{name}/update{}", limits(change)),
        Action::Service(ServiceAction::Scale { from, to, .. }) if is_compose => {
            format!("compose scale {name} {from}->{to}")
        }
        Action::Service(ServiceAction::Scale { from, to, .. }) => {
            format!("POST /services/{name}/update replicas={from}->{to}")
        }
        Action::Service(ServiceAction::ForceUpdate { counter }) => {
            format!("POST /services/{name}/update force_update={counter}")
        }
        Action::Service(ServiceAction::Rollback { from_image, to_image }) if is_compose => {
            format!("compose rollback {name} {from_image}->{to_image}")
        }
        Action::Service(ServiceAction::Rollback { .. }) => format!("POST /services/{name}/update?rollback=previous"),
    }
}

fn grace(stop_timeout: Option<Duration>) -> String {
    let whole = |grace: Duration| grace.as_secs() + u64::from(grace.subsec_nanos() != 0);
    stop_timeout.map(|grace| format!("?t={}", whole(grace))).unwrap_or_default()
}

fn limits(LimitsChange { from, to }: &LimitsChange) -> String {
    let mut words = String::new();
    if from.memory != to.memory {
        words.push_str(&format!(" memory={}->{}", size(from.memory), size(to.memory)));
    }
    if from.nano_cpus != to.nano_cpus {
        words.push_str(&format!(" cpus={}->{}", cpus(from.nano_cpus), cpus(to.nano_cpus)));
    }
    words
}

/// In the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift));
    whole.map_or_else(|| bytes.to_string(), |(unit, shift)| format!("{}{unit}", bytes >> shift))
}

fn cpus(nano: u64) -> String {
    let fraction = format!("{:09}", nano % 1_000_000_000);
    match fraction.trim_end_matches('0') {
        "" => (nano / 1_000_000_000).to_string(),
        fraction => format!("{}.{fraction}", nano / 1_000_000_000),
    }
}

/// On what a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On<'c> {
    Container(&'c str),
    Service(&'c str),
}

/// Reads `expect_docker_calls`.
pub(super) fn expected(field: Field<'_>, stock: &Stock, reader: &mut Reader<'_>) -> Option<Calls> {
    let line = reader.line(field.key);
    let findings = &mut reader.findings;
    if let Content::Scalar { .. } | Content::Map(_) = &field.value.content {
        field.wrong("a list such as [\"POST /containers/web-1/restart?t=20\"]", findings);
        return None;
    }
    let mut calls = Vec::new();
    for item in one_or_many(field) {
        let Some(call) = item.text(findings) else { continue };
        match on(call) {
            None => {
                let message = format!("{call:?} is no call that sickbay makes");
                let note = Note::error("test.docker-call", item.span(), message);
                findings.push(note.hint(hint(call)));
            }
            Some(On::Container(name)) if !stock.may_have(name) => {
                let message = format!("{name:?} is not the name of a container of this test");
                findings.push(Note::error("test.unknown-container", item.span(), message));
            }
            Some(On::Service(name)) if !stock.has_service(name) => {
                let message = format!("{name:?} is not the name of a service of this test");
                findings.push(Note::error("test.unknown-container", item.span(), message));
            }
            Some(On::Container(_) | On::Service(_)) => {}
        }
        calls.push(call.to_owned());
    }
    Some(Calls { line, calls })
}

/// How a call like this one is written.
fn hint(call: &str) -> &'static str {
    if call.contains("compose") {
        "write one of: compose scale PROJECT/SERVICE 2->3, compose rollback PROJECT/SERVICE app:2->app:1"
    } else if call.contains("/services") {
        "write one of: POST /services/NAME/update replicas=2->3, POST /services/NAME/update force_update=1, \
         POST /services/NAME/update?rollback=previous"
    } else if call.contains("/update") {
        "write what changes from what to what: POST /containers/NAME/update memory=256MiB->384MiB cpus=1->1.5"
    } else {
        "write it as Docker hears it: POST /containers/NAME/restart, with ?t=20 for `stop_timeout: 20s`"
    }
}

/// On what a call is; `None` if sickbay makes no such call.
fn on(call: &str) -> Option<On<'_>> {
    if let Some(rest) = call.strip_prefix("compose scale ") {
        let (name, change) = rest.split_once(' ')?;
        return is_change(change, is_number).then_some(On::Service(name));
    }
    if let Some(rest) = call.strip_prefix("compose rollback ") {
        let (name, change) = rest.split_once(' ')?;
        return is_change(change, |image| !image.is_empty() && !image.contains(' ')).then_some(On::Service(name));
    }
    if let Some(rest) = call.strip_prefix("POST /services/") {
        let (name, change) = rest.split_once("/update")?;
        let counts = change.strip_prefix(" force_update=").is_some_and(is_number);
        let scales = change.strip_prefix(" replicas=").is_some_and(|change| is_change(change, is_number));
        return (change == "?rollback=previous" || counts || scales).then_some(On::Service(name));
    }
    let (name, verb) = call.strip_prefix("POST /containers/")?.split_once('/')?;
    let is_one = match verb.split_once('?') {
        Some((verb, query)) => matches!(verb, "restart" | "stop") && query.strip_prefix("t=").is_some_and(is_number),
        None => matches!(verb, "restart" | "start" | "stop") || verb.strip_prefix("update ").is_some_and(raises),
    };
    is_one.then_some(On::Container(name))
}

fn raises(words: &str) -> bool {
    let is_size = |text: &str| {
        let digits = ["GiB", "MiB", "KiB"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text);
        is_number(digits)
    };
    words.split(' ').all(|word| match word.split_once('=') {
        Some(("memory", change)) => is_change(change, is_size),
        Some(("cpus", change)) => is_change(change, |text| text.parse::<f64>().is_ok()),
        Some(_) | None => false,
    })
}

fn is_change(text: &str, is_value: impl Fn(&str) -> bool) -> bool {
    text.split_once("->").is_some_and(|(from, to)| is_value(from) && is_value(to))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resources::ResourceLimits;

    #[test]
    fn each_call_is_known_by_what_it_is_on() {
        for (call, want) in [
            ("POST /containers/web-1/restart?t=20", Some(On::Container("web-1"))),
            ("POST /containers/web-1/restart", Some(On::Container("web-1"))),
            ("POST /containers/web-1/start", Some(On::Container("web-1"))),
            ("POST /containers/web-1/stop?t=5", Some(On::Container("web-1"))),
            ("POST /containers/a/update memory=256MiB->384MiB", Some(On::Container("a"))),
            ("POST /containers/a/update memory=1GiB->1572864KiB cpus=1->1.5", Some(On::Container("a"))),
            ("POST /services/shop_web/update replicas=2->3", Some(On::Service("shop_web"))),
            ("POST /services/shop_web/update force_update=1", Some(On::Service("shop_web"))),
            ("POST /services/shop_web/update?rollback=previous", Some(On::Service("shop_web"))),
            ("compose scale shop/web 2->3", Some(On::Service("shop/web"))),
            ("compose rollback shop/web app:2->app:1", Some(On::Service("shop/web"))),
            ("compose rollback shop/web app:1", None),
            ("POST /containers/a/start?t=1", None),
            ("POST /containers/a/restart?t=", None),
            ("POST /containers/a/kill", None),
            ("POST /containers/a/update", None),
            ("POST /containers/a/update memory=384MiB", None),
            ("POST /services/a/update replicas=3", None),
            ("POST /services/a/update", None),
            ("compose scale shop/web 3", None),
            ("GET /containers/a/json", None),
        ] {
            assert_eq!(on(call), want, "{call}");
        }
    }

    #[test]
    fn limits_are_told_in_whole_units_from_what_to_what() {
        let from = ResourceLimits { memory: 256 << 20, nano_cpus: 1_000_000_000, ..ResourceLimits::default() };
        let to = ResourceLimits { nano_cpus: 1_250_000_000, ..from.with_memory(384 << 20) };
        assert_eq!(limits(&LimitsChange { from, to }), " memory=256MiB->384MiB cpus=1->1.25");
        assert_eq!(limits(&LimitsChange { from, to: from.with_memory(1 << 30) }), " memory=256MiB->1GiB");
        assert_eq!((size(1536), size(1)), ("1536".to_owned(), "1".to_owned()));
    }
}
