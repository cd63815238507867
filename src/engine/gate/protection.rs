//! Who may be treated at all: what the container's owner, the settings and sickbay itself say. Part of the gate `target`.
//!
//! Labels may only narrow. What watches, what calls and what stands between us and Docker is protected unasked.

use super::Question;
use super::target::No;
use crate::model::container::Container;
use crate::model::policy;
use crate::model::reason::Reason;

/// What the owner of the container says: labels may only narrow. An unreadable value gets the safest reading.
pub(super) fn allowed(question: &Question<'_>, container: &Container, action: &str) -> Result<(), No> {
    let policy = question.policy;
    let name = container.name.as_str();
    let label = |key: &str| container.labels.get(key).map(|value| value.trim());
    if let Some(value) = label("sickbay.protect")
        && !is_false(value)
    {
        return Err((Reason::Protected, format!("{name} has the label sickbay.protect={value}")));
    }
    if policy.protect.iter().any(|protected| protected.covers(name)) {
        return Err((Reason::Protected, format!("{name} is covered by docker.protect in the settings")));
    }
    if let Some(what) = built_in(question, container) {
        let detail = format!("{name} is protected: {what}. This is built in, and no label lifts it");
        return Err((Reason::Protected, detail));
    }
    let own = policy.own_container.as_deref();
    if own.is_some_and(|own| 12 <= own.len() && container.id.as_str().starts_with(own)) {
        return Err((Reason::SelfTarget, format!("{name} is the container sickbay runs in")));
    }
    match label("sickbay.enable") {
        Some(value) if is_true(value) => {}
        None if !policy.require_opt_in => {}
        Some(value) => return Err((Reason::NotOptedIn, format!("{name} has the label sickbay.enable={value}"))),
        None => {
            let detail = format!("{name} lacks the label sickbay.enable=true");
            return Err((Reason::NotOptedIn, detail));
        }
    }
    match label("sickbay.actions") {
        Some(listed) if !listed.split(',').any(|word| word.trim() == action) => {
            let detail = format!("{name} has the label sickbay.actions={listed}, without {action}");
            Err((Reason::ActionNotAllowed, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Why a container is protected although nobody said so.
fn built_in(question: &Question<'_>, container: &Container) -> Option<String> {
    if let Some(guardian) = policy::guardian(&container.image) {
        return Some(format!("its image {} is {guardian}, a part of what watches and treats", container.image));
    }
    let host = question.policy.docker_host.as_deref()?;
    let service = container.compose().map(|(_, service)| service);
    let is_it = container.name.as_str() == host || service == Some(host);
    is_it.then(|| format!("{host} is the host by which the settings reach Docker"))
}

fn is_true(value: &str) -> bool {
    ["1", "t", "true", "yes"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_false(value: &str) -> bool {
    ["0", "f", "false", "no"].iter().any(|word| value.eq_ignore_ascii_case(word))
}
