//! A test file, valid by construction: whatever it names exists, and whatever it expects can be seen.

use super::observe::Value;
use crate::model::container::{COMPOSE_PROJECT, COMPOSE_SERVICE};
use crate::model::label::Labels;
use crate::model::policy::Policy;
use crate::model::target::{ComposeService, ContainerName};
use crate::playbook::RuleFile;
use crate::playbook::index::Playbooks;
use crate::sim::container::{ContainerSpec, Found, Life};
use crate::sim::input::Input;
use crate::sim::service::ServiceSpec;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// A `*.test.yaml` file with the playbooks it is about.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The rules files, for the places of what no test reached.
    pub rules: Vec<RuleFile>,
    /// What they hold.
    pub playbooks: Playbooks,
    /// What the settings impose.
    pub policy: Policy,
    /// One or more.
    pub tests: Vec<Test>,
}

/// One story and what is expected of it.
#[derive(Clone, Debug)]
pub struct Test {
    /// Unique within its file.
    pub name: String,
    /// Where it stands.
    pub line: usize,
    /// What the wall clock shows when it begins.
    pub start: DateTime<Utc>,
    /// What Docker has when it begins.
    pub stock: Stock,
    /// Whether sickbay asks Alertmanager's API.
    pub asks_alertmanager: bool,
    /// What happens, in the order of its time.
    pub timeline: Vec<Timed>,
    /// What is expected, in the order of its time. Never without anything that could fail.
    pub expectations: Vec<Expectation>,
    /// All calls to Docker that change something; `None` if nobody asks.
    pub docker_calls: Option<Calls>,
}

/// What Docker has when a test begins.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// The containers, those of Compose services among them.
    pub containers: Vec<Placed>,
    /// The Swarm services.
    pub services: Vec<PlacedService>,
    /// How replicas of Compose services live that are made later.
    pub replicas: Vec<(ComposeService, Vec<Life>)>,
    /// What Compose services ran before, and how long ago that ended.
    pub images_before: Vec<(ComposeService, String, Duration)>,
}

impl Stock {
    /// The names of the containers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.containers.iter().map(|container| container.spec.name.as_str())
    }

    /// The containers of a Compose service.
    pub fn composed(&self, service: &ComposeService) -> impl Iterator<Item = &Placed> {
        self.containers.iter().filter(move |placed| placed.compose().is_some_and(|own| own == *service))
    }

    /// The names of the services of both kinds.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        let swarm = self.services.iter().map(|service| service.spec.name.to_string());
        let composed = self.containers.iter().filter_map(|placed| placed.compose().map(|service| service.to_string()));
        let mut names: Vec<String> = swarm.chain(composed).collect();
        let mut known = BTreeSet::new();
        names.retain(|name| known.insert(name.clone()));
        names
    }

    /// Whether there is a service of this name.
    #[must_use]
    pub fn has_service(&self, name: &str) -> bool {
        self.service_names().iter().any(|known| known == name)
    }

    /// Whether there is a container of this name, or may be later: a further replica of a Compose service.
    #[must_use]
    pub fn may_have(&self, name: &str) -> bool {
        let is_replica = |service: String| {
            let number = name.strip_prefix(&format!("{}-", service.replace('/', "-")));
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.names().any(|known| known == name)
            || self.containers.iter().filter_map(Placed::compose).any(|service| is_replica(service.to_string()))
    }

    /// Whether something of this name can be treated.
    #[must_use]
    pub fn may_be_treated(&self, name: &str) -> bool {
        self.may_have(name) || self.has_service(name)
    }
}

/// A Swarm service as a test finds it.
#[derive(Clone, Debug)]
pub struct PlacedService {
    /// How it is made and behaves.
    pub spec: ServiceSpec,
    /// The image that it ran before the last deployment.
    pub previous: Option<String>,
    /// For how long it has been what it is.
    pub since: Duration,
}

/// A container as a test finds it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// How it is made and behaves.
    pub spec: ContainerSpec,
    /// Whether it was ever started.
    pub started: bool,
    /// The state it is found in, if that is not what its start made of it.
    pub found: Option<Found>,
    /// For how long it has been so.
    pub since: Duration,
}

impl Placed {
    /// The Compose service that it is a replica of.
    #[must_use]
    pub fn compose(&self) -> Option<ComposeService> {
        let name = |label: &str| ContainerName::parse(self.spec.labels.get(label)?).ok();
        Some(ComposeService { project: name(COMPOSE_PROJECT)?, service: name(COMPOSE_SERVICE)? })
    }
}

/// Something that happens at a time after the start.
#[derive(Clone, Debug)]
pub struct Timed {
    /// When.
    pub at: Duration,
    /// What.
    pub what: Happening,
    /// Where it stands.
    pub line: usize,
}

/// What happens: a closed list. Whatever the simulated world knows as an input is one of them.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Alertmanager sends a notification.
    Notification(Sent),
    /// Alertmanager's API no longer lists these alerts, and nobody is told.
    Forgotten(Vec<Labels>),
    /// Anything else.
    World(Box<Input>),
}

/// One notification.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The labels of each alert that fires.
    pub firing: Vec<Labels>,
    /// The labels of each alert that is resolved.
    pub resolved: Vec<Labels>,
    /// The annotations of each.
    pub annotations: Labels,
    /// When the alerts began, in milliseconds from the start of the test; `None`: when they were said to have begun
    /// last, or now.
    pub starts_ms: Option<i64>,
    /// How many alerts of the group were left out.
    pub truncated: u64,
}

/// What is expected at one time.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// When, after the start.
    pub at: Duration,
    /// What is looked at; what is not listed is not looked at. Never empty.
    pub aspects: Vec<Expected>,
}

/// One list of an expectation.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Which.
    pub aspect: Aspect,
    /// Where it stands.
    pub line: usize,
    /// What is to be in it; nothing means that nothing is to be there.
    pub items: Vec<Item>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// Alerts that a playbook took.
    Matched,
    /// Alerts that nobody took.
    NoMatch,
    /// Runs that were under way at some time.
    Runs,
    /// Noes of the gates.
    Suppressed,
    /// Messages.
    Notices,
    /// Incidents that are open now.
    Open,
    /// Pauses that stand now.
    Paused,
    /// Breakers that are open now.
    Breakers,
    /// Whether everything is frozen by a storm now.
    Frozen,
    /// Containers as they are now, by name.
    Containers,
    /// Services as they are now, by name.
    Services,
    /// What people were asked, while it was open at some time.
    Approvals,
    /// What people answered.
    Votes,
    /// Requests to other systems.
    Requests,
}

impl Aspect {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Matched,
        Self::NoMatch,
        Self::Runs,
        Self::Suppressed,
        Self::Notices,
        Self::Open,
        Self::Paused,
        Self::Breakers,
        Self::Frozen,
        Self::Containers,
        Self::Services,
        Self::Approvals,
        Self::Votes,
        Self::Requests,
    ];

    /// The key in the test file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NoMatch => "no_match",
            Self::Runs => "runs",
            Self::Suppressed => "suppressed",
            Self::Notices => "notices",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Breakers => "breakers",
            Self::Frozen => "frozen",
            Self::Containers => "containers",
            Self::Services => "services",
            Self::Approvals => "approvals",
            Self::Votes => "votes",
            Self::Requests => "requests",
        }
    }
}

/// One thing that is expected: each of its keys must be seen as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item(pub Vec<(&'static str, Wanted)>);

/// How a value is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Exactly this.
    Is(Value),
    /// Text that holds this.
    Contains(String),
    /// Pairs that hold these.
    Includes(Vec<(String, String)>),
}

/// The expected calls to Docker.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Where they stand.
    pub line: usize,
    /// Each in Docker's own words, in order.
    pub calls: Vec<String>,
}
