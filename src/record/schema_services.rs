//! What the schema of the log says about services and limits.

use super::schema::{Member, count, flag, host, list, moment, named, object, pattern, text, words};
use serde_json::{Value, json};

/// `kind` and `id` of a target or of what is remembered of one.
pub(super) fn kind() -> Value {
    words(["container", "swarm", "compose"])
}

/// The full ID of a container or of a Swarm service, or a Compose project and service.
pub(super) fn id() -> Value {
    pattern("^([0-9a-f]{64}|[0-9a-z]{25}|[a-zA-Z0-9][a-zA-Z0-9_.-]*/[a-zA-Z0-9][a-zA-Z0-9_.-]*)$")
}

/// `pre` and `post` of a service.
pub(super) fn vitals() -> Vec<Member> {
    vec![
        ("replicas", count()),
        ("running", count()),
        ("healthy", count()),
        ("image", text()),
        ("template", text()),
        ("forceUpdate", count()),
        ("version", count()),
        ("update?", text()),
        ("previousImage?", text()),
    ]
}

/// `args`: each action's own.
pub(super) fn args() -> Vec<Member> {
    vec![
        ("stop_timeout_s?", count()),
        ("from?", count()),
        ("to?", count()),
        ("original?", count()),
        ("force_update?", count()),
        ("from_image?", text()),
        ("to_image?", text()),
        ("from_limits?", limits()),
        ("to_limits?", limits()),
    ]
}

/// What a container may use, in Docker's spelling.
pub(super) fn limits() -> Value {
    let swap = json!({"type": "integer", "minimum": -1});
    object(vec![("memory", count()), ("memorySwap", swap), ("nanoCpus", count()), ("cpuQuota?", flag())])
}

/// Why the number of replicas cannot be moved, or they cannot be taken back.
fn obstacle(more: Vec<Member>) -> Value {
    object([more, vec![("reason", text()), ("detail", text())]].concat())
}

/// `look.service`
pub(super) fn look() -> Value {
    let change = vec![("image_id", text()), ("name", text()), ("at", moment()), ("settles_ms", count())];
    let previous = vec![("image", text()), ("replicas", count()), ("template", text()), ("change?", object(change))];
    object(vec![
        ("kind", kind()),
        ("id", id()),
        ("name?", text()),
        ("image", text()),
        ("template", text()),
        ("mode", text()),
        ("replicas", count()),
        ("running", count()),
        ("healthy", count()),
        ("update?", text()),
        ("previous?", object(previous)),
        ("force_update", count()),
        ("version", count()),
        ("monitor_ms", count()),
        ("down_at_once", count()),
        ("most?", count()),
        ("mixed?", flag()),
        ("created?", moment()),
        ("changed?", moment()),
        ("now", moment()),
        ("labels?", named("texts")),
        ("no_more?", obstacle(vec![])),
        ("no_fewer?", obstacle(vec![("beyond", count())])),
        ("no_back?", obstacle(vec![])),
        ("stop_timeout_s?", count()),
    ])
}

/// What `state.saved` remembers of services and limits.
pub(super) fn remembered() -> [Member; 3] {
    let left = vec![
        ("kind", kind()),
        ("id", id()),
        ("at", named("moment")),
        ("replicas", count()),
        ("force_update", count()),
        ("template", text()),
        ("undone?", text()),
        ("host?", host()),
    ];
    let original = vec![
        ("inc", pattern("^i[0-9]+$")),
        ("kind", kind()),
        ("id", id()),
        ("count", count()),
        ("left", count()),
        ("at", named("moment")),
        ("host?", host()),
    ];
    let raised = vec![
        ("act", pattern("^i[0-9]+\\.[0-9]+$")),
        ("container", pattern("^[0-9a-f]{64}$")),
        ("original", limits()),
        ("before", limits()),
        ("left", limits()),
        ("at", named("moment")),
    ];
    [("services?", list(object(left))), ("originals?", list(object(original))), ("raised?", list(object(raised)))]
}
