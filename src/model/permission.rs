//! What must be allowed for the playbooks to do their work, and what is allowed: two lists of Docker calls, compared.
//!
//! What playbooks need is found in `playbook::needs`; what is allowed is what a probe of the engine, or of the socket
//! proxy before it, has shown. Read [`Need`] and [`Grants`].

use super::docker_call::DockerCall;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One call that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which.
    pub call: DockerCall,
    /// Without it something goes on all the same, with less: evidence is missing.
    pub optional: bool,
    /// Who needs it. Never empty.
    pub why: Vec<Why>,
}

/// Who needs a call, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The playbook; `None` for sickbay itself.
    pub playbook: Option<Arc<str>>,
    /// For what of it: `restart`, `target`.
    pub what: &'static str,
    /// It goes on without, with less.
    pub optional: bool,
}

/// What became of one call's probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The engine itself answered.
    Allowed,
    /// Something between us and the engine said no.
    Denied,
    /// Nobody can tell, and why.
    Unknown(String),
}

impl Grant {
    /// The word in logs and answers.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What is known of each call. A call that is not there was not probed.
pub type Grants = BTreeMap<DockerCall, Grant>;

/// What is needed of each Docker, by its name.
pub type Needs = BTreeMap<String, Vec<Need>>;

/// Something that sickbay can do, if all that it needs for it is allowed. Each call belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ability {
    /// What it is called: `restart`.
    pub name: &'static str,
    /// What it takes.
    pub calls: &'static [DockerCall],
}

/// Everything that sickbay can do to Docker, in the order in which it is reported.
pub const ABILITIES: [Ability; 10] = [
    Ability { name: "look", calls: &[DockerCall::Version, DockerCall::List, DockerCall::Inspect] },
    Ability { name: "events", calls: &[DockerCall::Events] },
    Ability {
        name: "evidence",
        calls: &[
            DockerCall::Logs,
            DockerCall::Stats,
            DockerCall::Top,
            DockerCall::Changes,
            DockerCall::Image,
            DockerCall::Info,
        ],
    },
    Ability { name: "restart", calls: &[DockerCall::Restart] },
    Ability { name: "start", calls: &[DockerCall::Start] },
    Ability { name: "stop", calls: &[DockerCall::Stop] },
    Ability { name: "update_limits", calls: &[DockerCall::Update] },
    Ability { name: "scale", calls: &[DockerCall::Create, DockerCall::Connect, DockerCall::Remove] },
    Ability { name: "rollback", calls: &[DockerCall::Rename] },
    Ability {
        name: "swarm",
        calls: &[
            DockerCall::Services,
            DockerCall::Service,
            DockerCall::Tasks,
            DockerCall::Nodes,
            DockerCall::ServiceUpdate,
        ],
    },
];

impl Ability {
    /// Whether what was asked about of it is allowed, and which of its calls are denied. `None` if nothing was asked: no
    /// playbook needs it.
    #[must_use]
    pub fn of(&self, grants: &Grants) -> Option<(Grant, Vec<DockerCall>)> {
        let asked = || self.calls.iter().filter_map(|call| Some((*call, grants.get(call)?)));
        asked().next()?;
        let denied: Vec<DockerCall> =
            asked().filter(|(_, grant)| **grant == Grant::Denied).map(|(call, _)| call).collect();
        if !denied.is_empty() {
            return Some((Grant::Denied, denied));
        }
        let unsure = asked().find(|(_, grant)| **grant != Grant::Allowed);
        Some((unsure.map_or(Grant::Allowed, |(_, grant)| grant.clone()), denied))
    }
}

/// What is needed and denied.
pub fn missing<'a>(needs: &'a [Need], grants: &Grants) -> impl Iterator<Item = &'a Need> {
    needs.iter().filter(|need| grants.get(&need.call) == Some(&Grant::Denied))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_belongs_to_one_thing_that_can_be_done() {
        for call in DockerCall::ALL {
            let of = ABILITIES.iter().filter(|ability| ability.calls.contains(call)).count();
            assert_eq!(of, 1, "{}", call.operation());
        }
    }

    #[test]
    fn one_denied_call_denies_all_of_it_and_what_was_not_asked_does_not_count() {
        let scale = ABILITIES.iter().find(|ability| ability.name == "scale").unwrap();
        let mut grants: Grants = DockerCall::ALL.iter().map(|call| (*call, Grant::Allowed)).collect();
        assert_eq!(scale.of(&grants), Some((Grant::Allowed, vec![])));
        grants.insert(DockerCall::Connect, Grant::Unknown("late".to_owned()));
        assert_eq!(scale.of(&grants), Some((Grant::Unknown("late".to_owned()), vec![])));
        grants.insert(DockerCall::Create, Grant::Denied);
        assert_eq!(scale.of(&grants), Some((Grant::Denied, vec![DockerCall::Create])));
        grants.retain(|call, _| *call == DockerCall::Remove);
        assert_eq!(scale.of(&grants), Some((Grant::Allowed, vec![])));
        assert_eq!(scale.of(&Grants::new()), None);
    }

    #[test]
    fn what_is_denied_and_not_needed_is_not_missing() {
        let why = vec![Why { playbook: None, what: "targets", optional: false }];
        let needs = [Need { call: DockerCall::List, optional: false, why }];
        let grants = |call| Grants::from([(call, Grant::Denied)]);
        assert_eq!(missing(&needs, &grants(DockerCall::List)).count(), 1);
        assert_eq!(missing(&needs, &grants(DockerCall::Create)).count(), 0);
        assert_eq!(missing(&needs, &Grants::new()).count(), 0);
    }
}
