//! What templates can name below each root. The engine gives exactly these values (`engine/values.rs`), and a name that
//! is not among them is an error when the playbook is checked, not when somebody waits for the message.

/// Roots with a fixed set of values, each with their names. `labels` and `annotations` are the alert's own; `steps` has
/// the ids of earlier steps, each with what stands under [`OF_A_STEP`].
pub const FIXED: &[(&str, &[&str])] = &[
    ("alert", &["name", "fingerprint", "starts_at", "generator_url"]),
    ("target", &["name", "host", "id", "image"]),
    ("diagnosis", &["code", "what", "seen", "next"]),
    ("run", &["id", "playbook", "dry_run", "attempt", "attempts", "url"]),
    ("limits", &["runs", "per", "cooldown"]),
    ("failed", &["name", "error", "verdict"]),
    ("approval", &["outcome", "by", "reason"]),
];

/// What a finished step offers: `steps.ID.outcome`, `steps.ID.elapsed`, `steps.ID.detail`.
pub const OF_A_STEP: &[&str] = &["outcome", "elapsed", "detail"];

/// A path such as `run.uid` of which the part behind the root does not exist, with the names that do.
pub(super) fn unknown(path: &str) -> Option<(&str, &'static [&'static str])> {
    let (root, rest) = path.split_once('.')?;
    if root == "steps" {
        let (_, name) = rest.split_once('.')?;
        return (!OF_A_STEP.contains(&name)).then_some((name, OF_A_STEP));
    }
    let (_, known) = FIXED.iter().find(|(fixed, _)| *fixed == root)?;
    (!known.contains(&rest)).then_some((rest, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_engine_gives_is_known() {
        for (path, want) in [
            ("labels.anything", None),
            ("run.id", None),
            ("run.uid", Some("uid")),
            ("alert.labels", Some("labels")),
            ("target.name.upper", Some("name.upper")),
            ("steps.back.elapsed", None),
            ("steps.back.elapse", Some("elapse")),
            ("steps.back", None),
            ("run", None),
        ] {
            assert_eq!(unknown(path).map(|(name, _)| name), want, "{path}");
        }
    }
}
