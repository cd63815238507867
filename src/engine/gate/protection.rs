//! Who may be treated at all: what the container's owner, the settings and sickbay itself say. Part of the gate `target`.
//!
//! Labels may only narrow. What watches, what calls and what stands between us and Docker is protected unasked.

use super::Question;
use super::target::No;
use crate::model::container::Container;
use crate::model::owner::{ACTIONS, ENABLE, PROTECT, SCOPE, is_false, is_true};
use crate::model::owner_names::{Strange, strange};
use crate::model::policy::{self, Policy};
use crate::model::reason::Reason;
use crate::model::service::{Service, ServiceId};
use crate::model::target::TargetName;
use std::collections::BTreeMap;

/// What protection is asked about: a container or a service.
pub(super) struct Owned<'a> {
    name: TargetName,
    image: &'a str,
    labels: &'a BTreeMap<String, String>,
    /// The container's full ID, if it is one.
    container: Option<&'a str>,
    /// The name within its Compose project, if it has one.
    compose: Option<&'a str>,
}

impl<'a> From<&'a Container> for Owned<'a> {
    fn from(container: &'a Container) -> Self {
        Self {
            name: TargetName::from(&container.name),
            image: &container.image,
            labels: &container.labels,
            container: Some(container.id.as_str()),
            compose: container.compose().map(|(_, service)| service),
        }
    }
}

impl<'a> From<&'a Service> for Owned<'a> {
    fn from(service: &'a Service) -> Self {
        let compose = match &service.id {
            ServiceId::Compose(compose) => Some(compose.service.as_str()),
            ServiceId::Swarm(..) => None,
        };
        let Service { image, labels, .. } = service;
        Self { name: service.name(), image, labels, container: None, compose }
    }
}

/// What the owner of the target says: labels may only narrow. An unreadable value gets the safest reading.
pub(super) fn allowed(question: &Question<'_>, owned: &Owned<'_>, action: &str) -> Result<(), No> {
    treatable(question.policy, owned, action)
}

/// Whether a container may be treated at all.
///
/// # Errors
/// The reason why not, and the words for it.
pub fn may_be_treated(policy: &Policy, container: &Container, action: &str) -> Result<(), (Reason, String)> {
    treatable(policy, &Owned::from(container), action)
}

/// Whether a service may be treated at all.
///
/// # Errors
/// The reason why not, and the words for it.
pub fn service_may_be_treated(policy: &Policy, service: &Service, action: &str) -> Result<(), (Reason, String)> {
    treatable(policy, &Owned::from(service), action)
}

fn treatable(policy: &Policy, owned: &Owned<'_>, action: &str) -> Result<(), No> {
    let name = owned.name.as_str();
    let label = |key: &str| owned.labels.get(key).map(|value| value.trim());
    if let Some(value) = label(PROTECT)
        && !is_false(value)
    {
        return Err((Reason::Protected, format!("{name} has the label sickbay.protect={value}")));
    }
    if policy.protect.iter().any(|protected| protected.covers(name)) {
        return Err((Reason::Protected, format!("{name} is covered by docker.protect in the settings")));
    }
    if let Some(what) = built_in(policy, owned) {
        let detail = format!("{name} is protected: {what}. This is built in, and no label lifts it");
        return Err((Reason::Protected, detail));
    }
    let own = policy.own_container.as_deref();
    let is_own = |own: &str| owned.container.is_some_and(|id| 12 <= own.len() && id.starts_with(own));
    if own.is_some_and(is_own) {
        return Err((Reason::SelfTarget, format!("{name} is the container sickbay runs in")));
    }
    if let Some(scope) = label(SCOPE).filter(|scope| Some(*scope) != policy.scope.as_deref()) {
        let own = policy.scope.as_ref().map_or("no scope".to_owned(), |own| format!("the scope {own:?}"));
        let detail = format!("{name} has the label {SCOPE}={scope}, and this sickbay has {own} (labels.scope)");
        return Err((Reason::OtherScope, detail));
    }
    let unknown = strange(owned.labels);
    match label(ENABLE) {
        Some(value) if is_true(value) => {}
        None if !policy.require_opt_in => {}
        Some(value) => return Err((Reason::NotOptedIn, format!("{name} has the label sickbay.enable={value}"))),
        None => {
            let meant = unknown.iter().find(|label| label.meant == Some(ENABLE));
            let but = meant.map(|label| format!("; it has {label}")).unwrap_or_default();
            return Err((Reason::NotOptedIn, format!("{name} lacks the label sickbay.enable=true{but}")));
        }
    }
    if let Some(label) = unknown.first() {
        return Err(not_understood(name, label));
    }
    match label(ACTIONS) {
        Some(listed) if !listed.split(',').any(|word| word.trim() == action) => {
            let detail = format!("{name} has the label sickbay.actions={listed}, without {action}");
            let small = listed.split(',').any(|word| word.trim().eq_ignore_ascii_case(action));
            let but = if small { format!(": write {action} in small letters") } else { String::new() };
            Err((Reason::ActionNotAllowed, format!("{detail}{but}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Labels only narrow, so one that is not understood may well be a no.
fn not_understood(name: &str, label: &Strange) -> No {
    let detail = format!("{name} has the label {label}: it counts as protected until that is corrected or removed");
    (Reason::Protected, detail)
}

/// Why a container is protected although nobody said so.
fn built_in(policy: &Policy, owned: &Owned<'_>) -> Option<String> {
    if let Some(guardian) = policy::guardian(owned.image) {
        return Some(format!("its image {} is {guardian}, a part of what watches and treats", owned.image));
    }
    let is_it = |host: &&String| owned.name.as_str() == **host || owned.compose == Some(host.as_str());
    let host = policy.docker_hosts.iter().find(is_it)?;
    Some(format!("{host} is the host by which the settings reach Docker"))
}
