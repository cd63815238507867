//! What the owner of a container or a service says by labels. Labels may only narrow what a playbook may do.
//!
//! A Swarm service carries labels twice, on itself and on its containers, and a Compose service on each replica: where they
//! do not agree, the narrower word holds. Read [`narrowest`]. Under a prefix of the settings the same labels are read as
//! well: [`read_under`].

use super::duration::{format_duration, parse_duration};
use super::owner_names::strange;
use std::collections::BTreeMap;
use std::time::Duration;

/// The labels of one thing.
pub type OwnerLabels = BTreeMap<String, String>;

/// Never treated.
pub const PROTECT: &str = "sickbay.protect";
/// The owner's consent.
pub const ENABLE: &str = "sickbay.enable";
/// What is allowed, separated by commas.
pub const ACTIONS: &str = "sickbay.actions";
/// Whether replicas may be copied.
pub const SCALE_ENABLE: &str = "sickbay.scale.enable";
/// Whether replicas may be taken back to the image before.
pub const ROLLBACK_ENABLE: &str = "sickbay.rollback.enable";
/// The fewest replicas.
pub const SCALE_MIN: &str = "sickbay.scale.min";
/// The most replicas.
pub const SCALE_MAX: &str = "sickbay.scale.max";

/// How long Docker waits before it kills, where the playbook does not say.
pub const STOP_TIMEOUT: &str = "sickbay.stop-timeout";
/// How long it must stay well at least.
pub const STABLE_FOR: &str = "sickbay.stable-for";
/// What is done about containers that share its namespaces.
pub const DEPENDENTS: &str = "sickbay.dependents";
/// Which sickbay it belongs to, where there are several.
pub const SCOPE: &str = "sickbay.scope";

/// What all of these labels begin with.
const PREFIX: &str = "sickbay.";

/// The longest time to stop, as in a playbook.
pub const STOP_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// The longest time that a label can make verification longer by: a run holds others back meanwhile.
const STABLE_FOR_MAX: Duration = Duration::from_secs(3600);

/// What an owner wants done about the containers that share namespaces with the one that is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// They are restarted after it, as without a label.
    Restart,
    /// They are left as they are, and that is told.
    Warn,
    /// If there are any, nothing is done.
    Refuse,
}

/// What the label says about dependents. What cannot be read refuses.
#[must_use]
pub fn dependents(labels: &OwnerLabels) -> Dependents {
    labels.get(DEPENDENTS).map_or(Dependents::Restart, |value| dependents_word(value).unwrap_or(Dependents::Refuse))
}

fn dependents_word(value: &str) -> Option<Dependents> {
    let is = |word: &str| value.trim().eq_ignore_ascii_case(word);
    [("restart", Dependents::Restart), ("warn", Dependents::Warn), ("refuse", Dependents::Refuse)]
        .into_iter()
        .find_map(|(word, meant)| is(word).then_some(meant))
}

/// How long Docker is to wait before it kills, where the playbook does not say; `None` if the label does not say so in whole
/// seconds of at most ten minutes.
#[must_use]
pub fn stop_timeout(labels: &OwnerLabels) -> Option<Duration> {
    labels.get(STOP_TIMEOUT).and_then(|value| stop_timeout_of(value))
}

fn stop_timeout_of(value: &str) -> Option<Duration> {
    span(value).filter(|timeout| timeout.subsec_nanos() == 0 && *timeout <= STOP_TIMEOUT_MAX)
}

/// How long it must stay well: what is asked for, or what the label says if that is longer.
#[must_use]
pub fn stable_for(labels: &OwnerLabels, asked: Duration) -> Duration {
    let said = labels.get(STABLE_FOR).and_then(|value| span(value));
    said.map_or(asked, |said| asked.max(said.min(STABLE_FOR_MAX)))
}

/// A number of seconds, or a duration such as `1m30s`.
fn span(value: &str) -> Option<Duration> {
    let value = value.trim();
    let seconds = || value.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    parse_duration(value).ok().or_else(seconds)
}

/// The words that [`ACTIONS`] may list.
const ACTION_WORDS: [&str; 6] = ["restart", "start", "stop", "update_limits", "scale", "rollback"];

/// Whether a list of actions holds nothing but actions.
fn lists_actions(value: &str) -> bool {
    value.split(',').map(str::trim).all(|word| word.is_empty() || ACTION_WORDS.contains(&word))
}

/// What stands on labels and cannot be read, each with what is made of it; labels that sickbay does not know included.
#[must_use]
pub fn unreadable(labels: &OwnerLabels) -> Vec<String> {
    let yes_or_no = |value: &str| is_true(value) || is_false(value);
    let number = |value: &str| value.trim().parse::<u32>().is_ok();
    let checks = [
        (PROTECT, yes_or_no as fn(&str) -> bool, "it counts as protected"),
        (ENABLE, yes_or_no, "it counts as not enabled"),
        (ACTIONS, lists_actions, "a word that is no action, in small letters, allows nothing"),
        (SCALE_ENABLE, yes_or_no, "it counts as not enabled"),
        (ROLLBACK_ENABLE, yes_or_no, "it counts as not enabled"),
        (SCALE_MIN, number, "nothing is scaled"),
        (SCALE_MAX, number, "nothing is scaled"),
        (STOP_TIMEOUT, |value| stop_timeout_of(value).is_some(), "the container's own time to stop holds"),
        (STABLE_FOR, |value| span(value).is_some(), "the playbook's `stable_for` holds"),
        (DEPENDENTS, |value| dependents_word(value).is_some(), "nothing is done if there are dependents"),
    ];
    let bad = checks.into_iter().filter_map(|(key, readable, made_of_it)| {
        let value = labels.get(key).filter(|value| !readable(value))?;
        Some(format!("{key}={value} cannot be read: {made_of_it}"))
    });
    let unknown = strange(labels).into_iter();
    let unknown = unknown.map(|label| format!("{label}: it counts as protected until that is corrected or removed"));
    bad.chain(unknown).collect()
}

/// The labels, and those under another prefix as if they stood under ours. Where both say something, the narrower holds.
#[must_use]
pub fn read_under(prefix: &str, labels: OwnerLabels) -> OwnerLabels {
    let ours = labels.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix(prefix)?.strip_prefix('.')?;
        Some((format!("{PREFIX}{key}"), value.clone()))
    });
    let ours: OwnerLabels = ours.collect();
    // What stands under a prefix that is a part of ours has been read, and is no label that nobody knows.
    let mut labels = labels;
    labels.retain(|key, _| !prefix.starts_with(PREFIX) || !is_under(prefix, key));
    if ours.is_empty() { labels } else { narrowest(labels, &ours) }
}

fn is_under(prefix: &str, key: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether an owner's label says yes.
#[must_use]
pub fn is_true(value: &str) -> bool {
    ["1", "t", "true", "yes"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// Whether an owner's label says no.
#[must_use]
pub fn is_false(value: &str) -> bool {
    ["0", "f", "false", "no"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// The labels of both, the first's before the second's; of what narrows, the narrower of the two. What cannot be read is the
/// narrowest of all.
#[must_use]
pub fn narrowest(first: OwnerLabels, second: &OwnerLabels) -> OwnerLabels {
    let mut narrowed = Vec::new();
    for (key, narrower) in [
        (PROTECT, protects as fn(&str, &str) -> String),
        (ENABLE, consents),
        (SCALE_ENABLE, consents),
        (ROLLBACK_ENABLE, consents),
        (ACTIONS, both_list),
        (SCALE_MIN, |a, b| bound(a, b, u32::max)),
        (SCALE_MAX, |a, b| bound(a, b, u32::min)),
        (STOP_TIMEOUT, longer),
        (STABLE_FOR, longer),
        (DEPENDENTS, more_careful),
        (SCOPE, both_scopes),
    ] {
        if let (Some(a), Some(b)) = (first.get(key), second.get(key)) {
            narrowed.push((key.to_owned(), narrower(a, b)));
        }
    }
    let mut all = second.clone();
    all.extend(first);
    all.extend(narrowed);
    all
}

/// The one that protects.
fn protects(a: &str, b: &str) -> String {
    if is_false(a) { b.to_owned() } else { a.to_owned() }
}

/// The one that does not consent.
fn consents(a: &str, b: &str) -> String {
    if is_true(a) { b.to_owned() } else { a.to_owned() }
}

/// What stands in both lists.
fn both_list(a: &str, b: &str) -> String {
    let others: Vec<&str> = b.split(',').map(str::trim).collect();
    a.split(',').map(str::trim).filter(|word| others.contains(word)).collect::<Vec<_>>().join(",")
}

/// The stricter number; whoever reads one that is none refuses.
fn bound(a: &str, b: &str, stricter: fn(u32, u32) -> u32) -> String {
    match (a.trim().parse(), b.trim().parse()) {
        (Ok(a), Ok(b)) => stricter(a, b).to_string(),
        (Err(_), _) => a.to_owned(),
        (Ok(_), Err(_)) => b.to_owned(),
    }
}

/// The longer time. One that cannot be read says nothing.
fn longer(a: &str, b: &str) -> String {
    match (span(a), span(b)) {
        (Some(a), Some(b)) => format_duration(a.max(b)),
        (Some(_), None) => a.to_owned(),
        (None, _) => b.to_owned(),
    }
}

/// The word that lets less be done. One that cannot be read lets nothing.
fn more_careful(a: &str, b: &str) -> String {
    let rank = |value: &str| match dependents_word(value) {
        Some(Dependents::Restart) => 0,
        Some(Dependents::Warn) => 1,
        Some(Dependents::Refuse) => 2,
        None => 3,
    };
    if rank(a) < rank(b) { b.to_owned() } else { a.to_owned() }
}

/// What is in two scopes is in none that there is: a scope has no space in it.
fn both_scopes(a: &str, b: &str) -> String {
    if a.trim() == b.trim() { a.to_owned() } else { format!("{a} and {b}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means_the_same(a: &str, b: &str) -> bool {
        (is_true(a) && is_true(b)) || (is_false(a) && is_false(b))
    }

    #[test]
    fn where_two_say_something_the_narrower_holds_whichever_says_it() {
        for (key, a, b, want) in [
            (PROTECT, "true", "false", "true"),
            (PROTECT, "no", "f", "f"),
            (PROTECT, "perhaps", "false", "perhaps"),
            (ENABLE, "true", "false", "false"),
            (ENABLE, "TRUE", "yes", "yes"),
            (ENABLE, "true", "perhaps", "perhaps"),
            (SCALE_ENABLE, "true", "0", "0"),
            (ACTIONS, "restart, scale", "scale,rollback", "scale"),
            (ACTIONS, "restart", "scale", ""),
            (SCALE_MIN, "2", "3", "3"),
            (SCALE_MAX, "2", "3", "2"),
            (SCALE_MAX, "2", "many", "many"),
            (STOP_TIMEOUT, "90", "1m", "1m30s"),
            (STOP_TIMEOUT, "soon", "1m", "1m"),
            (STABLE_FOR, "1m", "20s", "1m"),
            (DEPENDENTS, "warn", "restart", "warn"),
            (DEPENDENTS, "warn", "refuse", "refuse"),
            (DEPENDENTS, "refuse", "perhaps", "perhaps"),
            (SCOPE, "prod", "prod", "prod"),
        ] {
            let labels = |value: &str| OwnerLabels::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(narrowest(labels(a), &labels(b))[key], want, "{key}: {a} {b}");
            let swapped = narrowest(labels(b), &labels(a));
            assert!(swapped[key] == want || means_the_same(&swapped[key], want), "{key}: {b} {a}: {}", swapped[key]);
            assert_eq!(narrowest(labels(a), &OwnerLabels::new())[key], a, "one alone holds");
            assert_eq!(narrowest(OwnerLabels::new(), &labels(b))[key], b, "one alone holds");
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> OwnerLabels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn times_are_seconds_or_durations_and_bounded() {
        let secs = Duration::from_secs;
        for (value, stop, stable) in [
            ("30s", Some(secs(30)), secs(30)),
            ("30", Some(secs(30)), secs(30)),
            (" 1m30s ", Some(secs(90)), secs(90)),
            ("0", Some(secs(0)), secs(10)),
            ("10m", Some(secs(600)), secs(600)),
            ("11m", None, secs(660)),
            ("1500ms", None, secs(10)),
            ("2h", None, secs(3600)),
            ("soon", None, secs(10)),
            ("-5", None, secs(10)),
            ("", None, secs(10)),
        ] {
            let labels = labels(&[(STOP_TIMEOUT, value), (STABLE_FOR, value)]);
            assert_eq!(stop_timeout(&labels), stop, "{value:?}");
            assert_eq!(stable_for(&labels, secs(10)), stable, "{value:?}: a label only lengthens");
        }
        assert_eq!(stop_timeout(&OwnerLabels::new()), None);
        assert_eq!(stable_for(&OwnerLabels::new(), secs(7)), secs(7));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_is_made_of_it() {
        let fine = [
            (PROTECT, "no"),
            (ENABLE, "TRUE"),
            (ACTIONS, "restart, update_limits,"),
            (SCALE_ENABLE, "1"),
            (ROLLBACK_ENABLE, "t"),
            (SCALE_MIN, "2"),
            (SCALE_MAX, "9"),
            (STOP_TIMEOUT, "30"),
            (STABLE_FOR, "30s"),
            (DEPENDENTS, "Warn"),
            (SCOPE, "prod"),
        ];
        assert!(unreadable(&labels(&fine)).is_empty());
        for (key, _) in fine.into_iter().filter(|(key, _)| *key != SCOPE) {
            let told = unreadable(&labels(&[(key, "perhaps")]));
            assert!(told.len() == 1 && told[0].starts_with(&format!("{key}=perhaps cannot be read: ")), "{told:?}");
        }
        assert_eq!(unreadable(&labels(&[(ACTIONS, "Restart , start")])).len(), 1, "in small letters");
        let told = unreadable(&labels(&[(ENABLE, "true"), ("sickbay.protected", "true")]));
        assert!(told.len() == 1 && told[0].contains("did you mean sickbay.protect?"), "{told:?}");
        assert_eq!(dependents(&labels(&[(DEPENDENTS, "perhaps")])), Dependents::Refuse);
        assert_eq!(dependents(&labels(&[(DEPENDENTS, "Warn")])), Dependents::Warn);
        assert_eq!(dependents(&OwnerLabels::new()), Dependents::Restart);
    }

    #[test]
    fn labels_under_another_prefix_count_and_the_narrower_holds() {
        let prefix = "com.example.sickbay";
        for (pairs, key, want) in [
            (&[("com.example.sickbay.enable", "true")][..], ENABLE, Some("true")),
            (&[("com.example.sickbay.protect", "true"), (PROTECT, "false")], PROTECT, Some("true")),
            (&[("com.example.sickbay.protect", "false"), (PROTECT, "true")], PROTECT, Some("true")),
            (&[("com.example.sickbay.enable", "true"), (ENABLE, "false")], ENABLE, Some("false")),
            (&[("com.example.sickbayenable", "true")], ENABLE, None),
            (&[("org.example.sickbay.enable", "true")], ENABLE, None),
        ] {
            let read = read_under(prefix, labels(pairs));
            assert_eq!(read.get(key).map(String::as_str), want, "{pairs:?}");
        }
        let nested =
            read_under("sickbay.shop", labels(&[("sickbay.shop.enable", "true"), ("sickbay.shop.protected", "1")]));
        assert_eq!(nested[ENABLE], "true");
        let strange: Vec<String> = strange(&nested).into_iter().map(|label| label.name).collect();
        assert_eq!(strange, ["sickbay.protected"], "what is read under a part of our names is no strange one");
        let both = read_under(prefix, labels(&[("com.example.sickbay.scope", "a"), (SCOPE, "b")]));
        assert_eq!(both[SCOPE], "b and a");
    }

    #[test]
    fn other_labels_are_the_firsts_where_both_have_them() {
        let labels = |value: &str| OwnerLabels::from([("tier".to_owned(), value.to_owned())]);
        assert_eq!(narrowest(labels("a"), &labels("b"))["tier"], "a");
    }
}
