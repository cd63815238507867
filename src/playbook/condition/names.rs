//! What a condition may name, with the type of each. The engine gives exactly these values
//! (`engine/condition_values.rs`); a name that is not among them is an error when the playbook is checked.

use std::fmt;

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Double,
    /// Text.
    Text,
    /// A stretch of time.
    Span,
    /// A point in time.
    Time,
}

impl fmt::Display for Kind {
    /// CEL's word for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Span => "duration",
            Self::Time => "timestamp",
        })
    }
}

/// Roots whose fields are labels: any name, always text.
pub const OPEN: &[&str] = &["labels", "annotations"];

/// The field of `target` that holds the container's labels.
pub const TARGET_LABELS: &str = "labels";

/// Roots with a fixed set of fields.
pub const FIXED: &[(&str, &[(&str, Kind)])] = &[
    (
        "alert",
        &[
            ("name", Kind::Text),
            ("fingerprint", Kind::Text),
            ("starts_at", Kind::Time),
            ("age", Kind::Span),
            ("generator_url", Kind::Text),
        ],
    ),
    (
        "target",
        &[
            ("name", Kind::Text),
            ("id", Kind::Text),
            ("image", Kind::Text),
            ("image_id", Kind::Text),
            ("state", Kind::Text),
            ("health", Kind::Text),
            ("exit_code", Kind::Int),
            ("oom_killed", Kind::Bool),
            ("restart_count", Kind::Int),
            ("restart_policy", Kind::Text),
            ("started_at", Kind::Time),
            ("running_for", Kind::Span),
            ("replicas", Kind::Int),
            ("replicas_running", Kind::Int),
        ],
    ),
    (
        "run",
        &[
            ("id", Kind::Text),
            ("playbook", Kind::Text),
            ("dry_run", Kind::Bool),
            ("attempt", Kind::Int),
            ("attempts", Kind::Int),
        ],
    ),
    ("limits", &[("runs", Kind::Int), ("per", Kind::Span), ("cooldown", Kind::Span)]),
    ("failed", &[("name", Kind::Text), ("error", Kind::Text), ("verdict", Kind::Text)]),
    ("approval", &[("outcome", Kind::Text), ("by", Kind::Text), ("reason", Kind::Text)]),
];

/// What a finished step of this id has left, in the conditions of later steps: `steps.ID.outcome`.
pub const OF_A_STEP: &[(&str, Kind)] = &[("outcome", Kind::Text), ("elapsed", Kind::Span), ("detail", Kind::Text)];

/// Fields of `target` that only a service has.
pub const OF_SERVICES: &[&str] = &["replicas", "replicas_running"];

/// Fields of `target` that services have as well as containers, beside its labels.
pub const OF_BOTH: &[&str] = &["name", "id", "image"];

/// Where a root that is unknown in one place is known, and what to do. Texts and conditions agree about these.
#[must_use]
pub fn known_elsewhere(root: &str) -> Option<&'static str> {
    match root {
        "failed" => Some("only steps of `on_failure` know what failed: move it there"),
        "approval" => Some("only steps of `on_denied` know who said what: move it there"),
        _ => None,
    }
}

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A container.
    Container,
    /// A service with replicas.
    Service,
}

impl Looks {
    /// Whether such a target has this field.
    pub(super) fn has(self, field: &str) -> bool {
        match self {
            Self::Container => !OF_SERVICES.contains(&field),
            Self::Service => OF_SERVICES.contains(&field) || OF_BOTH.contains(&field) || field == TARGET_LABELS,
        }
    }
}

/// What a condition may name where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nameable<'a> {
    /// What the playbook's target is; `None` if it has none.
    pub target: Option<Looks>,
    /// The ids of the steps before it; none for the playbook's own `if`.
    pub steps: &'a [&'a str],
    /// Whether a step has failed.
    pub failed: bool,
    /// Whether people were asked.
    pub approval: bool,
}

impl Nameable<'_> {
    /// Every root that can be named.
    pub(super) fn roots(&self) -> impl Iterator<Item = &'static str> {
        let (failed, approval) = (self.failed, self.approval);
        let there = move |root: &&'static str| match *root {
            "failed" => failed,
            "approval" => approval,
            _ => true,
        };
        let steps = (!self.steps.is_empty()).then_some("steps");
        OPEN.iter().copied().chain(FIXED.iter().map(|(root, _)| *root)).filter(there).chain(steps)
    }
}
