//! Every code of a [`Problem`](super::Problem): what it means in general, and what to do about it.
//!
//! A problem's own message and hint say more; these texts are for lists: SARIF's rules and `docs/PROBLEMS.md`. Codes are
//! stable: one that is in use keeps its meaning.

/// One code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// As it stands in a problem.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub means: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

impl Code {
    /// What to do about it, as a hint: for a problem that brings none of its own.
    #[must_use]
    pub fn hint(&self) -> String {
        let help = self.help.trim_end_matches('.');
        let mut letters = help.chars();
        letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
    }
}

const fn code(code: &'static str, means: &'static str, help: &'static str) -> Code {
    Code { code, means, help }
}

/// The code of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.code == name)
}

/// All of them, by their names.
pub static CODES: &[Code] = &[
    code(
        "file.empty",
        "The file holds nothing.",
        "Start it with `version: 1` and a list of `playbooks`, or delete it.",
    ),
    code("file.too-large", "The file is larger than 1 MiB.", "Split it into several files of the same directory."),
    code("file.too-many-problems", "More problems than are shown.", "Mend the first ones and check again."),
    code("file.unreadable", "The file cannot be read.", "Correct its name or permissions, and save it as UTF-8."),
    code("file.version", "The file is of another version.", "Write `version: 1` at its head."),
    code(
        "lint.approve-on-timeout",
        "Nobody's answer counts as a yes.",
        "Leave `on_timeout` out: at night nobody looks.",
    ),
    code(
        "lint.attempts-beyond-limits",
        "The limits hold back later attempts.",
        "Allow as many runs as there are attempts, or make fewer attempts.",
    ),
    code(
        "lint.conditional-start",
        "A `start` after a `stop` that may be left out.",
        "Move the `if` to the `stop`, or leave it out.",
    ),
    code(
        "lint.constant-condition",
        "An `if` that is always true or never.",
        "Compare something of the alert or the target, or remove the `if`; `enabled: false` switches a playbook off.",
    ),
    code(
        "lint.flow-matchers",
        "Matchers between brackets.",
        "Use a block list: YAML reads commas and braces as its own.",
    ),
    code(
        "lint.key-loosens-limits",
        "Limits that alerts about one target have more than once.",
        "Leave `key` out to count by target.",
    ),
    code(
        "lint.key-order",
        "Keys in another order than the usual one.",
        "Write them in the order of docs/PLAYBOOKS.md.",
    ),
    code(
        "lint.matcher-syntax",
        "A matcher that older and newer Alertmanagers read differently.",
        "Quote the value as the message says.",
    ),
    code(
        "lint.monitoring-target",
        "The target looks like a part of the monitoring itself.",
        "Treat it by other means: who restarts what alerts may silence the alert.",
    ),
    code("lint.never-holds", "A time interval that never holds.", "Correct its days, or remove it."),
    code(
        "lint.never-matches",
        "No alert can satisfy all matchers, or no text a regex.",
        "Correct the matchers that contradict each other, or the `^` and `$` within the regex.",
    ),
    code("lint.never-runs", "The playbook is muted whenever it is active.", "Correct its time intervals."),
    code(
        "lint.no-capture",
        "The action destroys the evidence.",
        "Remove `capture: none`, or write `capture: {logs: 50}`.",
    ),
    code(
        "lint.no-cooldown",
        "Runs may follow each other at once.",
        "Give the target time to show whether a run helped.",
    ),
    code("lint.no-on-failure", "Nobody is told if the playbook fails.", "Add `on_failure` with a `notify`."),
    code("lint.no-playbook", "The file holds no playbook.", "Add one, or delete the file."),
    code("lint.no-verify", "Nobody looks whether the action helped.", "Remove `verify: none`."),
    code(
        "lint.not-executed",
        "A key that this version's daemon does not execute.",
        "Test and simulate it; `serve` refuses the playbook unless it says `enabled: false`.",
    ),
    code("lint.only-negative", "The matchers only say what not to treat.", "Name what the playbook is for as well."),
    code(
        "lint.overlap",
        "Some alerts match two playbooks, and the first takes them.",
        "Let their matchers exclude each other, or make the first the narrower one.",
    ),
    code(
        "lint.plain-regex",
        "A regex that matches one text only.",
        "Use `=`, or `.*` around it if the text may be anywhere.",
    ),
    code(
        "lint.redundant-anchor",
        "`^` or `$` in a matcher's regex.",
        "Remove them: a regex always takes the whole value.",
    ),
    code(
        "lint.timeout-too-short",
        "A step fails before Docker would kill.",
        "Make `timeout` longer than `stop_timeout`, or leave it out.",
    ),
    code("lint.too-many-warnings", "More warnings than are shown.", "Mend the first ones and check again."),
    code("lint.toothless-limits", "Limits that limit nothing.", "Allow a few runs an hour: more needs a person."),
    code(
        "lint.unreachable",
        "An earlier playbook takes every alert.",
        "Put the playbook with narrower matchers first.",
    ),
    code("lint.unused-interval", "No playbook names the time interval.", "Name it, or remove it."),
    code("lint.verify-too-short", "`within` leaves no time for `stable_for`.", "Make `within` longer."),
    code("online.ambiguous", "Several containers are meant.", "Name one of them with `container`."),
    code(
        "online.denied",
        "A socket proxy denies what the playbook needs.",
        "Allow it there: `sickbay permissions` prints how.",
    ),
    code(
        "online.label",
        "A label that begins with `sickbay.` cannot be read, or is none of sickbay's.",
        "Correct it, or remove it, where the container or the service is made.",
    ),
    code("online.missing", "Docker knows no such container or service.", "Correct the name, or start it."),
    code(
        "online.no-health-check",
        "`health: healthy` of a container without a health check.",
        "Give it a HEALTHCHECK, or leave `health` out.",
    ),
    code(
        "online.no-swarm-manager",
        "The Docker host does not manage a swarm.",
        "Let sickbay talk to a manager, or start Swarm.",
    ),
    code(
        "online.not-treatable",
        "The container may not be treated.",
        "Change its labels or `docker.protect`, or choose another target.",
    ),
    code(
        "online.unknown",
        "Docker did not say.",
        "Check that Docker answers, and that a socket proxy lets the question pass.",
    ),
    code(
        "playbook.approval",
        "An `approval` that nobody could give.",
        "Say who may decide, and how long they have, at most 7d.",
    ),
    code(
        "playbook.attempts",
        "`attempts` that cannot be done.",
        "Give a list of attempts, each with steps that change something.",
    ),
    code(
        "playbook.condition",
        "An `if` that cannot be decided.",
        "Compare values of the same type, by the names of docs/PLAYBOOKS.md.",
    ),
    code("playbook.contradiction", "Two keys that exclude each other.", "Remove one of them."),
    code("playbook.duplicate-name", "A name that is taken.", "Choose another: incidents and limits are counted by it."),
    code("playbook.duration", "Not a duration.", "Write digits and units as Prometheus does: `90s`, `5m`, `1h30m`."),
    code(
        "playbook.http",
        "A request that cannot be sent.",
        "Write headers out, without secrets, and say which answers are good.",
    ),
    code(
        "playbook.limits",
        "Limits that mean nothing.",
        "Write `{runs: 3, per: 1h, cooldown: 10m}`, or a list of windows.",
    ),
    code("playbook.matcher", "Not a matcher.", "Write it as in an Alertmanager route: `name = \"value\"`."),
    code("playbook.matches-everything", "The playbook acts on every alert.", "Name the alert that it is for."),
    code("playbook.missing-key", "A key that must be there is not.", "Add it."),
    code("playbook.name", "Not a name.", "Use lower-case letters, digits and `-`."),
    code(
        "playbook.no-host",
        "The settings have several Docker hosts, and the target does not say on which one it is.",
        "Write `host` in `target`: a name of `docker.hosts`, or a label that holds one.",
    ),
    code("playbook.no-verb", "A step that does nothing.", "Give it one verb, such as `restart: {}`."),
    code("playbook.notify", "A notice to nobody, or twice to the same.", "Name each notifier once in `to`."),
    code(
        "playbook.on-denied",
        "A step that cannot stand in `on_denied`, or nobody is asked.",
        "Only `capture`, `wait`, `notify` and `http` can; add `approval`.",
    ),
    code(
        "playbook.on-failure",
        "A step that cannot stand in `on_failure`.",
        "Only `capture`, `wait` and `notify` can: a person takes over.",
    ),
    code(
        "playbook.on-resolved",
        "A step that cannot stand in `on_resolved`.",
        "Undo there what the steps did, and tell people.",
    ),
    code(
        "playbook.regex-size",
        "The regular expressions of all rules files together are too large.",
        "Repeat large classes such as `\\pL{100}` less often; `.*` or `[a-z]+` cost next to nothing.",
    ),
    code(
        "playbook.scale",
        "A `scale` that has no end or no aim.",
        "Write `{by: 1, max: 6}`, or `{to: original}` in `on_resolved`.",
    ),
    code(
        "playbook.step-id",
        "Not an id of a step, or one that is taken.",
        "Use lower-case letters, digits and `_`, each id once.",
    ),
    code("playbook.step-timeout", "A `timeout` beside a verb with bounds of its own.", "Remove `timeout`."),
    code("playbook.steps", "Nothing to do.", "List at least one step."),
    code("playbook.stop-timeout", "Not a time that Docker can wait.", "Use whole seconds, at most 10m."),
    code("playbook.target", "A target that means nothing.", "Name a `container`, or `compose: {project, service}`."),
    code(
        "playbook.template",
        "Not a template.",
        "Close each `{{` and `{%`, and use only what docs/PLAYBOOKS.md names.",
    ),
    code("playbook.time-interval", "Not a time interval.", "Write it as in Alertmanager's own file."),
    code("playbook.two-verbs", "A step that does two things.", "Make it two steps."),
    code(
        "playbook.type",
        "A value of another kind.",
        "The message says what belongs here; docs/PLAYBOOKS.md has an example of each key.",
    ),
    code(
        "playbook.unknown-host",
        "The settings have no Docker host of this name.",
        "Name the host of `docker.hosts`, or leave `host` out.",
    ),
    code(
        "playbook.unknown-interval",
        "No time interval has this name.",
        "Define it under `time_intervals`, in any of the files.",
    ),
    code("playbook.unknown-key", "A key that the language does not have.", "Correct or remove it."),
    code("playbook.unknown-name", "A name that templates do not have.", "Use one of those that the message lists."),
    code("playbook.unknown-notifier", "No notifier has this name.", "Add it to the settings, or name another one."),
    code(
        "playbook.unknown-step",
        "No earlier step has this id.",
        "Give that step an `id`; later steps cannot be named.",
    ),
    code(
        "playbook.update-limits",
        "Limits that are neither raised nor taken back.",
        "Write `{memory: {factor: 1.5, max: 2GiB}}`, or `{to: original}` in `on_resolved`.",
    ),
    code(
        "playbook.url",
        "A URL whose scheme, host or port is not written out.",
        "Put values of the alert into path and query only.",
    ),
    code("playbook.verify", "A `verify` that cannot succeed.", "Correct its times or its goal."),
    code(
        "settings",
        "The settings are wrong.",
        "Correct the key or the variable that the message names; README.md lists all keys.",
    ),
    code(
        "test.docker-call",
        "A call that sickbay does not make.",
        "Write it as Docker hears it: `POST /containers/NAME/restart`.",
    ),
    code("test.duration", "Not a duration.", "Write digits and units as Prometheus does: `90s`, `5m`, `1h30m`."),
    code("test.empty", "The test file holds nothing.", "Start it with a list of `tests`, or delete it."),
    code("test.file-name", "Not the name of a test file.", "End it in .test.yaml."),
    code(
        "test.input",
        "An input in which nothing happens, or two things do.",
        "Say in each input one thing that happens.",
    ),
    code("test.missing-key", "A key that must be there is not.", "Add it."),
    code("test.none", "No test file is there.", "Write one whose name ends in .test.yaml."),
    code("test.order", "Expectations that go back in time.", "Write them in the order of their times."),
    code("test.playbooks", "The playbooks of the test cannot be read.", "See what `sickbay check` says about them."),
    code(
        "test.type",
        "A value of another kind.",
        "The message says what belongs here; docs/TESTING.md has an example of each key.",
    ),
    code(
        "test.unknown-container",
        "No container of the test has this name.",
        "List it under `docker.containers`, before whoever names it.",
    ),
    code("test.unknown-key", "A key that test files do not have.", "Correct or remove it."),
    code("test.unknown-word", "A word that is not in the list.", "Use one of those that the message lists."),
    code("test.vacuous", "A test that cannot fail.", "Add what is expected."),
    code("test.value", "A value that cannot be.", "Write what the message says."),
    code("yaml.alias", "An alias of nothing, or within its own anchor.", "Write the value out."),
    code("yaml.document", "More than one document.", "Put what follows `---` into a file of its own."),
    code("yaml.duplicate-key", "A key that stands twice.", "Keep one of the two."),
    code("yaml.key", "A key that is no plain text.", "Quote a value that starts with `{` or `[`."),
    code("yaml.limit", "Too large, too deep or too many aliases.", "Write playbooks out, and split the file."),
    code("yaml.merge-key", "A merge key (`<<`).", "Write the keys out."),
    code("yaml.syntax", "Not YAML.", "Correct indentation, quotes or brackets at the marked place."),
    code("yaml.tag", "A tag (`!…`).", "Remove it; quote the value if it must be text."),
];

#[cfg(test)]
mod tests {
    use super::CODES;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if !path.ends_with("codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let strings = text.split('"').map(str::to_owned);
                let is_code = |text: &String| {
                    let tail = ["file.", "lint.", "online.", "playbook.", "test.", "yaml."]
                        .iter()
                        .find_map(|head| text.strip_prefix(head));
                    tail.is_some_and(|tail| {
                        !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                    })
                };
                found.extend(strings.filter(is_code));
            }
        }
    }

    #[test]
    fn every_code_in_use_is_in_the_list_and_no_other() {
        let mut used = BTreeSet::new();
        for folder in ["src/playbook", "src/unit_test", "src/cli/check", "src/cli/test", "src/daemon"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            if folder.exists() {
                collect(&folder, &mut used);
            }
        }
        // The only one without a point: a word that stands everywhere.
        used.insert("settings".to_owned());
        let listed: Vec<&str> = CODES.iter().map(|code| code.code).collect();
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        assert_eq!(listed, sorted, "by their names");
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), listed);
    }
}
