//! What is expected against what is seen: item by item, key by key, and what differs in words.

use super::definition::{Aspect, Calls, Expected, Item, Wanted};
use super::observe::{Seen, Value};
use std::time::Duration;

/// Something that is not as it was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// At which time after the start; `None`: at the end.
    pub at: Option<Duration>,
    /// Where the expectation stands.
    pub line: usize,
    /// Which list: `runs`.
    pub what: &'static str,
    /// Each item that was expected.
    pub expected: Vec<String>,
    /// Each item that was seen, with the keys that matter.
    pub got: Vec<String>,
    /// What exactly differs.
    pub differs: Vec<String>,
}

/// Compares one list. `None`: it is as expected.
pub(super) fn list(at: Duration, expected: &Expected, seen: Result<Vec<Seen>, String>) -> Option<Failure> {
    let failure = |got: Vec<String>, differs: Vec<String>| {
        let (line, what) = (expected.line, expected.aspect.as_str());
        let expected = expected.items.iter().map(written).collect();
        Some(Failure { at: Some(at), line, what, expected, got, differs })
    };
    let seen = match seen {
        Ok(seen) if matches!(expected.aspect, Aspect::Containers | Aspect::Services) => named(&expected.items, &seen),
        Ok(seen) => seen,
        Err(words) => return failure(Vec::new(), vec![words]),
    };
    let mut differs = Vec::new();
    for (number, (item, seen)) in expected.items.iter().zip(&seen).enumerate() {
        for (key, wanted) in &item.0 {
            differs
                .extend(difference(wanted, seen.get(key)).map(|words| format!("item {}, {key}: {words}", number + 1)));
        }
    }
    let (want, have) = (expected.items.len(), seen.len());
    if want != have {
        differs.push(format!("{} expected, {} seen", counted(want), have));
    }
    if differs.is_empty() {
        return None;
    }
    failure(seen.iter().map(|seen| shown(expected, seen)).collect(), differs)
}

fn counted(count: usize) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "1 item".to_owned(),
        many => format!("{many} items"),
    }
}

/// The containers or services that are looked at, in the order of the expectation.
fn named(items: &[Item], seen: &[Seen]) -> Vec<Seen> {
    let name = |item: &Item| item.0.iter().find(|(key, _)| *key == "name").map(|(_, wanted)| wanted.clone());
    let find = |item: &Item| {
        let Some(Wanted::Is(name)) = name(item) else { return Seen(Vec::new()) };
        let known = seen.iter().find(|seen| seen.get("name") == Some(&name)).cloned();
        known.unwrap_or_else(|| Seen(vec![("name", name), ("state", Value::Text("missing".to_owned()))]))
    };
    items.iter().map(find).collect()
}

/// What is wrong with one value.
fn difference(wanted: &Wanted, seen: Option<&Value>) -> Option<String> {
    match (wanted, seen) {
        (Wanted::Is(wanted), Some(seen)) if wanted == seen => None,
        (Wanted::Contains(part), Some(Value::Text(text))) if text.contains(part.as_str()) => None,
        (Wanted::Includes(wanted), Some(Value::Pairs(seen))) => {
            let missing = wanted.iter().filter(|pair| !seen.contains(pair));
            let told = missing.map(|(name, text)| {
                let found = seen.iter().find(|(known, _)| known == name).map(|(_, found)| found.as_str());
                format!(
                    "{name} expected to be {text:?}, is {}",
                    found.map_or("not there".to_owned(), |found| format!("{found:?}"))
                )
            });
            let told: Vec<String> = told.collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
        (wanted, seen) => {
            let seen = seen.map_or("nothing".to_owned(), ToString::to_string);
            Some(match wanted {
                Wanted::Is(value) => format!("expected {value}, got {seen}"),
                Wanted::Contains(part) => format!("expected to contain {part:?}, got {seen}"),
                Wanted::Includes(_) => format!("expected names and texts, got {seen}"),
            })
        }
    }
}

/// An expected item as it could be written.
fn written(item: &Item) -> String {
    let keys = item.0.iter().map(|(key, wanted)| match wanted {
        Wanted::Is(value) => format!("{key}: {value}"),
        Wanted::Contains(part) => format!("{key}_contains: {part:?}"),
        Wanted::Includes(pairs) => format!("{key}: {}", Value::Pairs(pairs.clone())),
    });
    format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
}

/// What is shown of a seen item: the keys that were asked for, and those by which a reader knows it.
fn shown(expected: &Expected, seen: &Seen) -> String {
    let known_by: &[&str] = match expected.aspect {
        Aspect::Runs => &["playbook", "target", "outcome", "steps", "notified"],
        Aspect::Suppressed => &["playbook", "target", "reason", "detail"],
        Aspect::Notices => &["to", "severity", "title"],
        Aspect::Matched => &["playbook"],
        Aspect::NoMatch => &["labels"],
        Aspect::Open => &["playbook", "target", "doing", "reason"],
        Aspect::Containers => &["name", "state", "health"],
        Aspect::Services => &["name", "state", "replicas", "running", "healthy"],
        Aspect::Approvals => &["playbook", "target", "outcome", "by", "comment"],
        Aspect::Votes => &["by", "answer"],
        Aspect::Requests => &["method", "url"],
        Aspect::Paused | Aspect::Breakers | Aspect::Frozen => &["scope", "target", "frozen"],
    };
    let asked = |key: &str| expected.items.iter().any(|item| item.0.iter().any(|(name, _)| *name == key));
    let keys = seen.0.iter().filter(|(key, _)| known_by.contains(key) || asked(key));
    format!("{{{}}}", keys.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", "))
}

/// Compares the calls to Docker.
pub(super) fn calls(expected: &Calls, got: Vec<String>) -> Option<Failure> {
    if expected.calls == got {
        return None;
    }
    let mut differs = Vec::new();
    let first = expected.calls.iter().zip(&got).position(|(wanted, got)| wanted != got);
    if let Some(place) = first {
        differs.push(format!("call {} is another one", place + 1));
    }
    if expected.calls.len() != got.len() {
        let want = expected.calls.len();
        differs.push(format!(
            "{} expected, {} sent",
            if want == 0 { "none".to_owned() } else { want.to_string() },
            got.len()
        ));
    }
    let (line, what) = (expected.line, "expect_docker_calls");
    Some(Failure { at: None, line, what, expected: expected.calls.clone(), got, differs })
}

/// An input that could not happen: what was missing for it.
pub(super) fn in_vain(at: Duration, line: usize, words: &str) -> Failure {
    let (expected, got, differs) = (Vec::new(), Vec::new(), vec![words.to_owned()]);
    Failure { at: Some(at), line, what: "input", expected, got, differs }
}
