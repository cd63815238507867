//! The names of all labels that sickbay reads or writes, and those that look like one and are none: `sickbay.protected`.
//!
//! A label only narrows what may be done, so one that is not understood may be a no. Read [`strange`].

use super::owner::{
    ACTIONS, DEPENDENTS, ENABLE, OwnerLabels, PROTECT, ROLLBACK_ENABLE, SCALE_ENABLE, SCALE_MAX, SCALE_MIN, SCOPE,
    STABLE_FOR, STOP_TIMEOUT,
};
use std::fmt;

/// Whether replicas that Compose made may be taken away too.
pub const SCALE_REMOVE: &str = "sickbay.scale.remove";

/// On a copy: the name of the replica it was made from.
pub const CLONE_OF: &str = "sickbay.clone-of";
/// On a copy: the incident for which it was made.
pub const INCIDENT: &str = "sickbay.incident";
/// On a replica that took another's place: the ID of the image that was left.
pub const ROLLED_BACK_FROM: &str = "sickbay.rolled-back-from";
/// On a copy: the very act that made it. After a crash this tells which of them were ours.
pub const ACT: &str = "sickbay.act";

/// What the labels of sickbay begin with.
const ROOT: &str = "sickbay";

/// What an owner may say.
const OWNERS: [&str; 16] = [
    PROTECT,
    ENABLE,
    ACTIONS,
    STOP_TIMEOUT,
    STABLE_FOR,
    DEPENDENTS,
    SCOPE,
    SCALE_ENABLE,
    SCALE_MIN,
    SCALE_MAX,
    SCALE_REMOVE,
    "sickbay.scale.shared-volumes",
    "sickbay.scale.hostname",
    "sickbay.scale.devices",
    "sickbay.scale.privileged",
    ROLLBACK_ENABLE,
];

/// What sickbay itself writes on containers and images, the demonstration included.
const OWN_MARKS: [&str; 6] = [CLONE_OF, INCIDENT, ROLLED_BACK_FROM, ACT, "sickbay.demo", "sickbay.recipe"];

/// Words for a no that are no labels.
const NOES: [&str; 6] = ["disable", "disabled", "exclude", "ignore", "never", "skip"];

/// The longest part of a name that is compared.
const CHARS_MAX: usize = 64;

/// A label that says nothing to sickbay although it seems to be meant for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange {
    /// Its name.
    pub name: String,
    /// The label that was probably meant.
    pub meant: Option<&'static str>,
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which is no label of sickbay", self.name)?;
        self.meant.map_or(Ok(()), |meant| write!(f, " (did you mean {meant}?)"))
    }
}

/// Every label that begins with `sickbay.` and is none of sickbay's, and every one that looks like a mistyped one of them:
/// `Sickbay.protect`, `sickbay_protect`, `sikbay.protect`.
#[must_use]
pub fn strange(labels: &OwnerLabels) -> Vec<Strange> {
    labels.keys().filter_map(|name| seems_meant(name)).collect()
}

/// The same about one label.
#[must_use]
pub fn seems_meant(name: &str) -> Option<Strange> {
    if OWNERS.contains(&name) || OWN_MARKS.contains(&name) {
        return None;
    }
    let strange = |meant| Some(Strange { name: name.to_owned(), meant });
    if let Some(rest) = after(name, ROOT) {
        return strange(nearest(rest).or_else(|| alike(rest)));
    }
    let (root, rest) = name.split_once(['.', '-', '_', '/', ':'])?;
    // Most labels end here: names are compared only under what may be ours.
    if 1 < distance(root, ROOT) {
        return None;
    }
    strange(Some(nearest(rest)?))
}

/// What stands after a name and its dot.
fn after<'a>(name: &'a str, root: &str) -> Option<&'a str> {
    name.strip_prefix(root)?.strip_prefix('.')
}

/// The owner's labels, each with what stands after `sickbay.`.
fn owners() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWNERS.into_iter().filter_map(|name| Some((name, after(name, ROOT)?)))
}

/// The label whose name is but a few letters away.
fn nearest(rest: &str) -> Option<&'static str> {
    let near = owners().map(|(name, known)| (distance(rest, known), known.len(), name));
    let near = near.filter(|(distance, len, _)| *distance <= (len / 3).max(1));
    near.min_by_key(|(distance, ..)| *distance).map(|(.., name)| name)
}

/// The label whose name is the beginning, or another word for a no.
fn alike(rest: &str) -> Option<&'static str> {
    let rest = rest.trim().to_lowercase();
    let longer = owners().find(|(_, known)| rest.starts_with(known)).map(|(name, _)| name);
    longer.or_else(|| NOES.contains(&rest.as_str()).then_some(PROTECT))
}

fn distance(written: &str, known: &str) -> usize {
    let written: String = written.trim().chars().take(CHARS_MAX).flat_map(char::to_lowercase).collect();
    strsim::damerau_levenshtein(&written, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_sickbay_and_says_nothing_to_it_is_found_with_what_was_meant() {
        for (name, want) in [
            ("sickbay.protected", Some(Some(PROTECT))),
            ("sickbay.protection", Some(Some(PROTECT))),
            ("sickbay.Protect", Some(Some(PROTECT))),
            ("sickbay.protect ", Some(Some(PROTECT))),
            ("sickbay.disabled", Some(Some(PROTECT))),
            ("sickbay.ignore", Some(Some(PROTECT))),
            ("sickbay.action", Some(Some(ACTIONS))),
            ("sickbay.enabled", Some(Some(ENABLE))),
            ("sickbay.dependants", Some(Some(DEPENDENTS))),
            ("sickbay.stop_timeout", Some(Some(STOP_TIMEOUT))),
            ("sickbay.scale.mx", Some(Some(SCALE_MAX))),
            ("sickbay.scale.minimum", Some(Some(SCALE_MIN))),
            ("sickbay.rollback.enabled", Some(Some(ROLLBACK_ENABLE))),
            ("sickbay.not-before", Some(None)),
            ("sickbay.", Some(None)),
            ("Sickbay.protect", Some(Some(PROTECT))),
            ("SICKBAY.PROTECT", Some(Some(PROTECT))),
            ("sickbay_protect", Some(Some(PROTECT))),
            ("sickbay-actions", Some(Some(ACTIONS))),
            ("sikbay.protect", Some(Some(PROTECT))),
            ("sickbay", None),
            ("sickbay-test", None),
            ("sickbayprotect", None),
            ("sickness.protect", None),
            ("com.example.protect", None),
            ("traefik.enable", None),
            ("com.centurylinklabs.watchtower.enable", None),
            ("tier", None),
        ] {
            let found = strange(&OwnerLabels::from([(name.to_owned(), "true".to_owned())]));
            let meant = found.first().map(|strange| strange.meant);
            assert_eq!(meant, want, "{name}");
        }
        let known = OWNERS.into_iter().chain(OWN_MARKS).map(|name| (name.to_owned(), "true".to_owned()));
        assert_eq!(strange(&known.collect()), []);
    }

    #[test]
    fn it_is_told_in_words() {
        let strange = |meant| Strange { name: "sickbay.x".to_owned(), meant }.to_string();
        assert_eq!(strange(None), "sickbay.x, which is no label of sickbay");
        assert_eq!(strange(Some(SCOPE)), "sickbay.x, which is no label of sickbay (did you mean sickbay.scope?)");
    }
}
