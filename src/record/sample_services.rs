//! Facts about services and limits, for the tests of this crate.

use super::sample::{INCIDENT, act, intended, moment, other_action};
use crate::model::action::{Action, ActionOutcome, Reconciled, ServiceAction, TargetIdent, TargetVitals};
use crate::model::fact::{ActionFinished, ActionReconciled, Fact};
use crate::model::host::{Host, HostName};
use crate::model::memory::{LimitsRaised, Original, ServiceLeft};
use crate::model::moment::Moment;
use crate::model::reason::Reason;
use crate::model::resources::{LimitsChange, ResourceLimits};
use crate::model::service::{ImageChange, Mode, Previous, Room, Service, ServiceId, ServiceVitals, Update};
use crate::model::target::{ComposeService, ContainerId, ContainerName, SwarmId, TargetId, TargetName};
use std::collections::BTreeMap;
use std::time::Duration;

fn service() -> TargetIdent {
    TargetIdent {
        id: TargetId::Swarm(SwarmId::parse("9mnpnzenvg8p8tdbtq4wvbkcz").unwrap()),
        name: TargetName::parse("shop_worker").unwrap(),
        image_id: "worker:2@sha256:62b4".into(),
        service: None,
    }
}

fn composed() -> TargetIdent {
    let compose = ComposeService::parse("shop/web").unwrap();
    let name = TargetName::from(&compose);
    let service = Some("shop/web".into());
    TargetIdent { id: TargetId::Compose(compose), name, image_id: "web:1".into(), service }
}

fn service_vitals(update: Option<&str>) -> TargetVitals {
    TargetVitals::Service(Box::new(ServiceVitals {
        wanted: 2,
        running: 2,
        healthy: 1,
        image: "worker:2@sha256:62b4".into(),
        template: "ab".repeat(32),
        force_update: 3,
        version: 65,
        update: update.map(str::to_owned),
        previous_image: update.map(|_| "worker:1".into()),
    }))
}

fn on_service(target: TargetIdent, action: ServiceAction) -> Fact {
    let mut fact = intended(false);
    if let Fact::ActionIntended(intended) = &mut fact {
        (intended.action, intended.target) = (Action::Service(action), target);
        intended.pre = service_vitals(Some("completed"));
    }
    fact
}

/// Each thing that is done to a service, and other limits of a container.
pub(crate) fn of_services(text: &str) -> Vec<Fact> {
    let from = ResourceLimits { memory: 512 << 20, memory_swap: -1, nano_cpus: 500_000_000, cpu_quota: false };
    let to = ResourceLimits { cpu_quota: true, ..from.with_memory(768 << 20) };
    let images = || ("worker:2@sha256:62b4".to_owned(), "worker:1".to_owned());
    let (from_image, to_image) = images();
    let done = ActionOutcome::Succeeded { post: Some(service_vitals(None)) };
    let looked = Fact::ActionReconciled(ActionReconciled {
        act: act(1),
        finding: Reconciled::NotApplied,
        post: Some(service_vitals(Some("updating"))),
        detail: text.into(),
    });
    vec![
        on_service(service(), ServiceAction::Scale { from: 2, to: 3, original: 2 }),
        on_service(composed(), ServiceAction::Scale { from: 4, to: 2, original: 2 }),
        on_service(service(), ServiceAction::ForceUpdate { counter: 4 }),
        on_service(service(), ServiceAction::Rollback { from_image, to_image }),
        other_action(Action::UpdateLimits(LimitsChange { from, to })),
        Fact::ActionFinished(ActionFinished { act: act(1), outcome: done }),
        looked,
    ]
}

/// A service with everything that a look keeps.
fn service_look() -> Service {
    let id = SwarmId::parse("9mnpnzenvg8p8tdbtq4wvbkcz").unwrap();
    Service {
        id: ServiceId::Swarm(id, ContainerName::parse("shop_worker").unwrap()),
        image: "worker:2@sha256:62b4".into(),
        template: "ab".repeat(32),
        mode: Mode::Replicated,
        wanted: 3,
        running: 3,
        healthy: 2,
        update: Some(Update::Completed),
        previous: Some(Previous { image: "worker:1".into(), replicas: 3, template: "cd".repeat(32), change: None }),
        force_update: 4,
        version: 65,
        monitor: Duration::from_secs(5),
        down_at_once: 1,
        most: Some(6),
        mixed: false,
        created: Some(moment()),
        changed: Some(moment()),
        now: moment(),
        labels: [("sickbay.enable".to_owned(), "true".to_owned())].into(),
        room: Room::default(),
        stop_timeout: None,
    }
}

/// Looks at services.
pub(crate) fn service_looks() -> [Service; 3] {
    let composed = Service {
        id: ServiceId::Compose(ComposeService::parse("shop/web").unwrap()),
        update: None,
        previous: None,
        most: None,
        mixed: true,
        created: None,
        changed: None,
        labels: BTreeMap::new(),
        room: Room {
            more: Some((Reason::FixedPort, "it publishes port 8080".into())),
            fewer: Some((1, (Reason::NotOurReplicas, "1 of 3 was added by sickbay".into()))),
            back: Some((Reason::PreviousImageUnknown, "nobody listened".into())),
        },
        stop_timeout: Some(Duration::from_secs(30)),
        ..service_look()
    };
    let change = ImageChange {
        image_id: "sha256:99aa".into(),
        name: "web:1".into(),
        at: moment(),
        settles_within: Duration::from_secs(40),
    };
    let previous = Previous { image: "sha256:77bb".into(), replicas: 3, template: "c0".into(), change: Some(change) };
    let deployed = Service { previous: Some(previous), room: Room::default(), ..composed.clone() };
    [service_look(), composed, deployed]
}

/// What is remembered of limits.
pub(crate) fn raised(at: Moment) -> LimitsRaised {
    let original = ResourceLimits { memory: 512 << 20, memory_swap: 1 << 30, nano_cpus: 0, cpu_quota: true };
    let before = original.with_memory(768 << 20);
    let container = ContainerId::parse(&"96af1178".repeat(8)).unwrap();
    LimitsRaised { act: act(2), container, original, before, left: original.with_memory(1 << 30), at }
}

/// What is remembered of services.
pub(crate) fn remembered(at: Moment) -> (ServiceLeft, Original) {
    let left = ServiceLeft {
        host: Host::from(HostName::parse("web-2")),
        id: service().id,
        at,
        wanted: 3,
        force_update: 4,
        template: "ab".repeat(32),
        undone: Some("worker:2".into()),
    };
    (
        left,
        Original {
            incident: INCIDENT,
            id: composed().id,
            host: Host::from(HostName::parse("web-2")),
            count: 2,
            left: 3,
            at,
        },
    )
}
