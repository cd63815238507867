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
];

/// Fields that the language has and this version does not fill in.
pub const LATER: &[(&str, &str)] = &[("target", "replicas")];

/// Every root.
pub(super) fn roots() -> impl Iterator<Item = &'static str> {
    OPEN.iter().copied().chain(FIXED.iter().map(|(root, _)| *root))
}
