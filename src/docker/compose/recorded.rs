//! What real engines said about containers that real Compose had made, for the tests of the neighbours.

use crate::model::id::{ActId, IncidentId, Seq};
use serde_json::Value;

const COMPOSE_2: &str = include_str!("../../../tests/fixtures/compose/compose-2.26.json");
const COMPOSE_1: &str = include_str!("../../../tests/fixtures/compose/compose-1.29.json");
const ODD: &str = include_str!("../../../tests/fixtures/compose/odd-services.json");

fn of(file: &str, name: &str) -> Option<Value> {
    let mut all: Value = serde_json::from_str(file).unwrap();
    Some(all.get_mut(name)?.take())
}

/// A replica of the project `shop`, by its name without the project's.
pub(super) fn replica(name: &str) -> Value {
    of(COMPOSE_2, name).or_else(|| of(COMPOSE_1, name)).unwrap_or_else(|| panic!("no {name} was recorded"))
}

/// The replica of a service that is out of the ordinary.
pub(super) fn odd(name: &str) -> Value {
    of(ODD, name).unwrap_or_else(|| panic!("no {name} was recorded"))
}

/// Any act.
pub(super) fn act() -> ActId {
    ActId { incident: IncidentId(Seq(7)), number: 1 }
}
