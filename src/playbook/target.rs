//! Reads `target`: which container or service is meant.

use super::condition::Looks;
use super::definition::{TargetSpec, Which};
use super::keys;
use super::problem::{Findings, Note};
use super::raw::{Field, Fields};
use super::resolve::template;
use super::steps::Sees;
use super::template::Template;
use super::yaml::{Content, Entry, Node};
use crate::model::target::ContainerName;

/// What a target's template may name: only the alert that asks, so that a target never depends on anything else.
const SEES: Sees<'static> = Sees { roots: &["labels", "annotations", "alert"], looks: None, compose: false };
/// The ways to name a target.
const WAYS: [&str; 4] = ["container", "compose", "service", "selector"];
/// The verbs that make the target of a Compose service the service itself, in place of its one container.
const ON_SERVICES: [&str; 2] = ["scale", "rollback"];

/// What a playbook's target is, as far as its keys tell; `None` if it has none.
pub(super) fn looks(fields: &Fields<'_>) -> Option<Looks> {
    let target = fields.get("target")?;
    let has =
        |way: &str| matches!(&target.value.content, Content::Map(entries) if entries.iter().any(|e| e.key == way));
    let lists = ["steps", "attempts", "on_resolved"].into_iter().filter_map(|list| fields.get(list));
    let scaled = || lists.map(|list| list.value).any(treats_services);
    Some(if has("service") || (has("compose") && scaled()) { Looks::Service } else { Looks::Container })
}

/// Whether it is named as a service of a Compose project.
pub(super) fn is_compose(fields: &Fields<'_>) -> bool {
    let named = |entries: &[Entry]| entries.iter().any(|entry| entry.key == "compose");
    fields.get("target").is_some_and(|target| matches!(&target.value.content, Content::Map(entries) if named(entries)))
}

/// Whether a list of steps, or of attempts, has a verb for services.
fn treats_services(list: &Node) -> bool {
    let Content::List { items, .. } = &list.content else { return false };
    items.iter().any(|item| {
        let Content::Map(entries) = &item.content else { return false };
        entries.iter().any(|entry| {
            ON_SERVICES.contains(&entry.key.as_str()) || (entry.key == "steps" && treats_services(&entry.value))
        })
    })
}

/// Reads `target`.
pub(super) fn target(field: Field<'_>, hosts: Option<&[String]>, findings: &mut Findings<'_>) -> Option<TargetSpec> {
    let fields = Fields::read(field.value, field.span(), &keys::TARGET, findings)?;
    let mut ways = fields.iter().filter(|field| WAYS.contains(&field.name));
    let (first, second) = (ways.next(), ways.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message =
            format!("a target is named in one way, and this one has both `{}` and `{}`", first.name, second.name);
        let hint = "which of them is meant, if they disagree, nobody could tell: remove one";
        findings.push(Note::error("playbook.target", second.key, message).hint(hint));
        return None;
    }
    let host = fields.get("host").map(|field| host(field, hosts, findings));
    if let Some(several) = hosts.filter(|hosts| host.is_none() && 1 < hosts.len()) {
        let note = Note::error("playbook.no-host", field.key, "`target` does not say on which Docker host it is");
        let known = several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        findings.push(note.hint(format!("add `host`: `docker.hosts` in the settings has {known}")));
    }
    let max = fields.get("max").map(|field| (field, field.whole(&(1..=keys::TARGETS_MAX), findings)));
    let Some(first) = first else {
        if !fields.has_unknown() {
            let message = "`target` needs `container`, `compose`, `service` or `selector`";
            let hint = "such as: container: \"{{ labels.container }}\"";
            findings.push(Note::error("playbook.target", field.key, message).hint(hint));
        }
        return None;
    };
    if let Some((field, _)) = max.filter(|_| first.name != "selector") {
        let message = format!("`max` goes with `selector`; a `{}` is one", first.name);
        findings.push(Note::error("playbook.target", field.key, message).hint("remove `max`"));
    }
    let which = match first.name {
        "container" => Which::Container(name(first, findings)?),
        "compose" => {
            let fields = Fields::read(first.value, first.span(), &keys::COMPOSE, findings)?;
            let [project, service] =
                ["project", "service"].map(|name| fields.need(name, findings).and_then(|field| plain(field, findings)));
            Which::Compose { project: project?, service: service? }
        }
        "service" => Which::Service(name(first, findings)?),
        _ => Which::Selector { labels: selector(first, findings)?, max: max.and_then(|(_, max)| max).unwrap_or(1) },
    };
    Some(TargetSpec { which, host: host.map_or(Some(None), |host| host.map(Some))? })
}

/// `host`: where it is written out, the settings must have it.
fn host(field: Field<'_>, hosts: Option<&[String]>, findings: &mut Findings<'_>) -> Option<Template> {
    let host = plain(field, findings)?;
    let (name, known) = (host.source().trim(), hosts.unwrap_or_default());
    if hosts.is_some() && is_literal(&host) && !known.iter().any(|known| known == name) {
        let note = Note::error("playbook.unknown-host", field.span(), format!("there is no Docker host `{name}`"));
        let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        findings.push(note.hint(format!("`docker.hosts` in the settings has {known}")));
        return None;
    }
    Some(host)
}

fn is_literal(template: &Template) -> bool {
    !["{{", "{%", "{#"].iter().any(|opening| template.source().contains(opening))
}

/// `selector`: each label with its value.
fn selector(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<(String, Template)>> {
    let Content::Map(entries) = &field.value.content else {
        let message = format!("`selector` is a map of labels and their values, not {}", field.value.kind());
        let note = Note::error("playbook.type", field.span(), message);
        findings.push(note.hint("such as: selector: {com.example.role: web}"));
        return None;
    };
    if entries.is_empty() {
        let note = Note::error("playbook.target", field.span(), "an empty `selector` means every container");
        findings.push(note.hint("name at least one label: selector: {com.example.role: web}"));
        return None;
    }
    let mut labels = Some(Vec::new());
    for entry in entries {
        let value = plain(Field { name: &entry.key, key: entry.key_span, value: &entry.value }, findings);
        labels = labels.zip(value).map(|(mut labels, value)| {
            labels.push((entry.key.clone(), value));
            labels
        });
    }
    labels
}

fn plain(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Template> {
    template(field, (&[], SEES), findings)
}

/// A name as it is, which can be checked now, or one still to be rendered.
fn name(field: Field<'_>, findings: &mut Findings<'_>) -> Option<Template> {
    let name = plain(field, findings)?;
    if let Some(error) = ContainerName::parse(name.source()).err().filter(|_| is_literal(&name)) {
        findings.push(Note::error("playbook.target", field.span(), error.to_string()));
        return None;
    }
    Some(name)
}
