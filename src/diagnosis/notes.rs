//! What is no trouble by itself, and what an engineer would ask next: limits, health check, changes, what could not be seen.

use super::findings::Findings;
use super::look::Look;
use super::words::{quote, span, times};
use crate::model::diagnosis::DiagnosisCode as Code;

/// A change is lately if it was not longer ago.
const LATELY_SECS: i64 = 3600;

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    if !look.knows_the_container() {
        missing(look, findings);
        return;
    }
    changed(look, findings);
    if 0 < look.restarts() && !look.loops() && look.runs() {
        let running = look
            .running_secs()
            .map_or_else(String::new, |secs| format!(" It has been running for {} since.", span(secs)));
        findings.note(
            Code::RestartsEarlier,
            (
                format!("Docker restarted it {} before, because it ended.{running}", times(look.restarts())),
                format!("restart count {}", look.restarts()),
                "Read what its log says before the last start.".to_owned(),
            ),
        );
    }
    if look.text("/container/network_mode") == "none" {
        findings.note(
            Code::NetworkNone,
            (
                "It has no network: nobody reaches it, and it reaches nobody.".to_owned(),
                "network mode none".to_owned(),
                "Give it a network if it is to have one.".to_owned(),
            ),
        );
    }
    if look.at("/container/limits").is_some() && look.positive("/container/limits/memory").is_none() {
        findings.note(
            Code::NoMemoryLimit,
            (
                "It has no memory limit: a leak in it takes the memory of everything else on the machine.".to_owned(),
                "memory limit 0".to_owned(),
                "Give it one (`mem_limit`, `docker update --memory`).".to_owned(),
            ),
        );
    }
    if look.runs() && look.text("/container/state/health").is_empty() {
        findings.note(
            Code::NoHealthCheck,
            (
                "It has no health check: Docker knows that its process runs, and not whether it works.".to_owned(),
                "no health check".to_owned(),
                "Give it a HEALTHCHECK.".to_owned(),
            ),
        );
    }
    missing(look, findings);
}

fn changed(look: &Look<'_>, findings: &mut Findings) {
    let ago = look.time("/container/seen_at").zip(look.time("/container/created"));
    let ago = ago.map(|(now, created)| (now - created).num_seconds().max(0));
    let before = look.text("/past/predecessor/image");
    let image = look.text("/container/image");
    if let Some(secs) = ago.filter(|secs| !before.is_empty() && before != image && *secs <= LATELY_SECS) {
        findings.note(
            Code::ImageChanged,
            (
                format!("It took the place of a container of another image {} ago.", span(secs)),
                format!("{} before, {} now", quote(before), quote(image)),
                "If the trouble began then, go back to the image before.".to_owned(),
            ),
        );
    }
    let tags = look.list("/image/repo_tags");
    let named = |tag: &str| {
        tag == image
            || tag.strip_suffix(":latest") == Some(image)
            || image.starts_with("sha256:")
            || image.contains('@')
    };
    if !tags.is_empty() && !image.is_empty() && !tags.iter().filter_map(serde_json::Value::as_str).any(named) {
        findings.note(
            Code::ImageRetagged,
            (
                format!("{} means another image by now than the one that it runs.", quote(image)),
                "the image that it runs no longer has this name".to_owned(),
                "Making it anew brings the newer image.".to_owned(),
            ),
        );
    }
}

/// Parts that were asked for and could not be had.
fn missing(look: &Look<'_>, findings: &mut Findings) {
    const PARTS: [&str; 8] = ["container", "logs", "stats", "events", "past", "image", "engine", "network_parent"];
    let failed = PARTS.iter().filter_map(|part| {
        let error = look.text(&format!("/{part}/error"));
        (!error.is_empty()).then(|| format!("{part}: {error}"))
    });
    let failed: Vec<String> = failed.collect();
    if !failed.is_empty() {
        findings.note(
            Code::EvidenceMissing,
            (
                "Not everything could be looked at, so something may be missing here.".to_owned(),
                failed.join("; "),
                "Allow sickbay these calls, if a proxy stands before Docker.".to_owned(),
            ),
        );
    }
}
