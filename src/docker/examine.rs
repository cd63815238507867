//! One container, looked at as closely as it can be without changing it: for a person who wants to know what is the matter.
//!
//! Unlike a capture it is in no hurry, takes several samples, and finds the container as people name it: by its name or the
//! beginning of its ID. Read [`find_container`], then [`examine`].

use super::client::Reader;
use super::convert::{Listed, text};
use super::error::DockerError;
use super::evidence::container;
use super::usage::sample;
use crate::model::docker_call::DockerCall;
use crate::model::step::CaptureSpec;
use crate::model::target::ContainerId;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long everything but the samples may take.
const EXAMINE_WITHIN: Duration = Duration::from_secs(10);

/// How long one sample may take.
const SAMPLE_WITHIN: Duration = Duration::from_secs(5);

/// The shortest beginning of an ID that is taken for one.
const ID_LEN_MIN: usize = 4;

/// The most names told to somebody who mistyped one.
const NAMES_MAX: usize = 8;

/// How closely to look.
#[derive(Clone, Copy, Debug)]
pub struct Examination {
    /// How many samples of memory and CPU.
    pub samples: u32,
    /// The time between them.
    pub interval: Duration,
    /// How many of the last log lines.
    pub logs: u32,
}

/// Finds the one container of this name, or whose ID begins so. A name goes before an ID.
///
/// # Errors
/// Why there is none, in words: Docker does not answer, knows no such container, or several.
pub async fn find_container(reader: &Reader, named: &str) -> Result<ContainerId, String> {
    let listed = reader.list(true, &json!({})).await.map_err(|error| error.to_string())?;
    choose(&listed, named)
}

fn choose(listed: &[Listed], named: &str) -> Result<ContainerId, String> {
    let names = |entry: &Listed| entry.names.first().cloned().unwrap_or_else(|| entry.id.short().to_owned());
    if let Some(entry) = listed.iter().find(|entry| entry.names.iter().any(|name| name == named)) {
        return Ok(entry.id.clone());
    }
    let is_id = ID_LEN_MIN <= named.len() && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wanted = named.to_ascii_lowercase();
    let by_id: Vec<&Listed> = listed.iter().filter(|entry| is_id && entry.id.as_str().starts_with(&wanted)).collect();
    match by_id.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => {
            let alike = listed.iter().map(names).filter(|name| name.contains(named) || named.contains(name.as_str()));
            let mut alike: Vec<String> = alike.take(NAMES_MAX).collect();
            alike.sort();
            let hint = if alike.is_empty() {
                "`docker ps -a` lists them all".to_owned()
            } else {
                format!("did you mean {}?", alike.join(", "))
            };
            Err(format!("docker knows no container {named:?}: {hint}"))
        }
        several => {
            let names: Vec<String> = several.iter().take(NAMES_MAX).map(|entry| names(entry)).collect();
            Err(format!("{named} is the beginning of several IDs ({}): write more of it", names.join(", ")))
        }
    }
}

/// All that can be seen of a container, as evidence; of one that runs, with samples over some time.
pub async fn examine(reader: &Reader, id: &ContainerId, how: &Examination) -> Value {
    let begun = Instant::now();
    let spec = CaptureSpec { logs: how.logs, inspect: true, stats: true, top: false, changes: false, events: true };
    let mut evidence = Box::pin(container(reader, id, &spec, (begun + EXAMINE_WITHIN, EXAMINE_WITHIN))).await;
    let Some(parts) = evidence.as_object_mut() else { return evidence };
    let mut samples: Vec<Value> =
        parts.get("stats").filter(|first| first.get("memory_usage").is_some()).cloned().into_iter().collect();
    if samples.is_empty() {
        return evidence;
    }
    let mut next = begun;
    for _ in 1..how.samples {
        // An engine that takes its time for one sample delays the others; they are never taken in a bunch.
        next = (next + how.interval).max(Instant::now());
        sleep_until(next).await;
        match sample(reader, id, SAMPLE_WITHIN).await {
            Ok(Value::Null) | Err(DockerError::NotFound(_)) => break,
            Ok(taken) => samples.push(taken),
            Err(error) => tracing::debug!(%error, "a sample is missing"),
        }
    }
    if 1 < samples.len() {
        parts.extend(samples.last().cloned().map(|last| ("stats".to_owned(), last)));
        parts.insert("samples".to_owned(), Value::Array(samples));
    }
    evidence
}

/// On which machine the engine runs: its name and its kernel, if it says.
pub async fn machine(reader: &Reader) -> Option<(String, String)> {
    let info = reader.get(DockerCall::Info, "/info", SAMPLE_WITHIN).await.ok()?.json().ok()?;
    let part = |pointer: &str| Some(text(&info, pointer).to_owned()).filter(|text| !text.is_empty());
    part("/Name").zip(part("/KernelVersion"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn listed(id: &str, name: &str) -> Listed {
        Listed {
            id: ContainerId::parse(&id.repeat(32)).unwrap(),
            names: vec![name.to_owned()],
            network_mode: String::new(),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn a_name_goes_before_an_id_and_nothing_is_guessed() {
        let all = || vec![listed("ab", "web-1"), listed("ac", "abab"), listed("ac", "db-1")];
        let id = |named: &str| choose(&all(), named).map(|id| id.short().get(..2).unwrap().to_owned());
        for (named, want) in [
            ("web-1", Ok("ab")),
            ("abab", Ok("ac")),
            ("ababab", Ok("ab")),
            ("ABABAB", Ok("ab")),
            ("acac", Err("is the beginning of several IDs (abab, db-1)")),
            ("web", Err("did you mean web-1?")),
            ("aba", Err("did you mean abab?")),
            ("nosuch", Err("`docker ps -a` lists them all")),
        ] {
            match (id(named), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{named}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{named}: {got}"),
                (got, want) => panic!("{named}: {got:?}, not {want:?}"),
            }
        }
    }
}
