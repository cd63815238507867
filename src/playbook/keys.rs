//! The language as tables: which keys each map of a rules file has, in reading order, what each holds and what it is for.
//!
//! Reading (`raw`), the JSON Schema and the hints of `check` all go by these tables, so a key stands here or it is not in
//! the language. A key that the daemon does not execute yet is marked [`Key::later`]. Nothing here knows what a playbook
//! means; that is `resolve`. Read [`Shape`] first.

/// What a map may hold.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What to call it: "a playbook".
    pub(crate) noun: &'static str,
    /// Its keys, in reading order.
    pub(crate) keys: &'static [Key],
    /// Whether the lint asks for that order.
    pub(crate) ordered: bool,
}

/// One key of the language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// As it is written.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// What it is for, in a sentence or two.
    pub(crate) about: &'static str,
    /// Whether the map means nothing without it.
    pub(crate) needed: bool,
    /// What holds if it is left out, as one would write it.
    pub(crate) default: Option<&'static str>,
    /// Whether the daemon executes it. If not, it is checked, tested and simulated, and `serve` refuses the playbook.
    pub(crate) executed: bool,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// The number 1: which version of the language it is.
    Version,
    /// Any text, not empty.
    Text,
    /// A name of this pattern (a regex that takes the whole of it) and at most this length.
    Name(&'static str, u32),
    /// Text with values of the alert in it.
    Template,
    /// A condition in CEL.
    Condition,
    /// An Alertmanager matcher.
    Matcher,
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Whole(u32, u32),
    /// A whole number that may be negative, within these bounds.
    Signed(i32, i32),
    /// A number with a fraction, more than the bound.
    MoreThan(u32),
    /// A duration in Prometheus' grammar.
    Duration,
    /// A size such as `512MiB`.
    Bytes,
    /// A number of containers, or a share of them such as `50%`.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One value, or a range of two: `monday:friday`.
    Range,
    /// `HH:MM`
    Minutes,
    /// A list.
    List(&'static Kind),
    /// A map with the keys of a shape.
    Map(&'static Shape),
    /// A map whose keys are anybody's.
    Names(&'static Kind),
    /// One of several.
    Any(&'static [Kind]),
}

impl Key {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, needed: false, default: None, executed: true }
    }

    /// It must be there.
    pub(crate) const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    /// What holds if it is left out.
    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Known, checked and simulated, but not executed by the daemon of this version.
    #[expect(dead_code, reason = "the daemon executes every key by now; one that it does not execute will say so")]
    const fn later(self) -> Self {
        Self { executed: false, ..self }
    }
}

use Kind::{
    Any, Bool, Bytes, Condition, Duration, List, Map, Matcher, Minutes, MoreThan, Name, Names, Range, Share, Signed,
    Template, Text, Version, Whole, Word,
};

/// A key that may be left out and is executed.
pub(crate) const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key::new(name, kind, about)
}

/// The longest name of a playbook and id of a step.
pub(crate) const NAME_LEN_MAX: u32 = 64;
/// The most log lines kept as evidence.
pub(crate) const LOG_LINES_MAX: u32 = 1000;
/// The most containers one playbook may name with a selector.
pub(crate) const TARGETS_MAX: u32 = 100;
/// The most replicas a service may be scaled to.
pub(crate) const REPLICAS_MAX: u32 = 1000;
/// The most people an approval may ask for.
pub(crate) const APPROVERS_MAX: u32 = 20;

/// A rules file.
pub(crate) static FILE: Shape = Shape {
    noun: "a rules file",
    keys: &[
        key("version", Version, "The version of the playbook language: 1.").needed(),
        key(
            "time_intervals",
            List(&Map(&TIME_INTERVAL)),
            "Stretches of time that playbooks name, as in alertmanager.yml.",
        ),
        key("playbooks", List(&Map(&PLAYBOOK)), "The playbooks. The first that matches takes the alert."),
    ],
    ordered: true,
};

/// One entry of the file's `time_intervals`.
pub(crate) static TIME_INTERVAL: Shape = Shape {
    noun: "a time interval",
    keys: &[
        key("name", Text, "Unique over all files.").needed(),
        key("time_intervals", List(&Map(&PERIOD)), "Periods, of which any must hold.").needed(),
    ],
    ordered: false,
};

/// One entry of a time interval's own `time_intervals`.
pub(crate) static PERIOD: Shape = Shape {
    noun: "a period of a time interval",
    keys: &[
        key("times", List(&Map(&TIMES)), "Times of day."),
        key("weekdays", List(&Range), "Days of the week, such as monday:friday."),
        key("days_of_month", List(&Range), "Days of the month, 1 to 31, or from its end: -1 is the last."),
        key("months", List(&Range), "Months by name or number."),
        key("years", List(&Range), "Years."),
        key("location", Text, "Whose clocks count: a name of the IANA time zone database.").default("UTC"),
    ],
    ordered: false,
};

/// One entry of a period's `times`.
pub(crate) static TIMES: Shape = Shape {
    noun: "a time range",
    keys: &[
        key("start_time", Minutes, "The first minute.").needed(),
        key("end_time", Minutes, "The minute after the last; 24:00 is the end of the day.").needed(),
    ],
    ordered: false,
};

/// One entry of `playbooks`: what, when, on which thing, only if, how often, who must agree, do, otherwise, afterwards.
pub(crate) static PLAYBOOK: Shape = Shape {
    noun: "a playbook",
    keys: &[
        key("name", Name("[a-z0-9][a-z0-9-]*", NAME_LEN_MAX), "Unique over all files; limits are counted by it.")
            .needed(),
        key("description", Text, "What it is for, in a sentence."),
        key("enabled", Bool, "Whether it may match at all.").default("true"),
        key("dry_run", Bool, "Decide and record, but change nothing.").default("false"),
        key("matchers", List(&Matcher), "Which alerts it takes, as in an Alertmanager route: all must match.").needed(),
        key("active_time_intervals", List(&Text), "It runs only while one of these holds."),
        key("mute_time_intervals", List(&Text), "It does not run while one of these holds."),
        key("target", Map(&TARGET), "Which container or service is meant. Exactly one must be found."),
        key("if", Condition, "What must be true besides, in CEL."),
        key("limits", Any(&[Map(&LIMIT), List(&Map(&LIMIT))]), "How often it may run.")
            .default("{runs: 3, per: 1h, cooldown: 5m}"),
        key("approval", Map(&APPROVAL), "Who must agree before anything is done."),
        key("steps", List(&Map(&STEP)), "What is done, in order."),
        key("attempts", List(&Map(&ATTEMPT)), "In place of steps: several tries, until one helps."),
        key("on_failure", List(&Map(&STEP)), "What is done when a step failed and no further try follows."),
        key("on_denied", List(&Map(&STEP)), "What is done when nobody approved."),
        key("on_resolved", List(&Map(&STEP)), "What is done when the alert that was treated has resolved."),
    ],
    ordered: true,
};

/// `target`
pub(crate) static TARGET: Shape = Shape {
    noun: "`target`",
    keys: &[
        key("container", Template, "The container of exactly this name."),
        key("compose", Map(&COMPOSE), "A service of a Docker Compose project."),
        key("service", Template, "The Swarm service of exactly this name."),
        key("selector", Names(&Template), "The containers that have all of these labels with exactly these values."),
        key(
            "host",
            Template,
            "The Docker host of the settings on which it is looked for; needed if there are several.",
        ),
        key(
            "max",
            Whole(1, TARGETS_MAX),
            "With `selector`: how many containers may be meant; with more, none is touched.",
        )
        .default("1"),
    ],
    ordered: false,
};

/// `target.compose`
pub(crate) static COMPOSE: Shape = Shape {
    noun: "`compose`",
    keys: &[
        key("project", Template, "The Compose project's name.").needed(),
        key("service", Template, "The service's name within the project.").needed(),
    ],
    ordered: false,
};

/// `limits`, or one entry of it.
pub(crate) static LIMIT: Shape = Shape {
    noun: "`limits`",
    keys: &[
        key("runs", Whole(1, u32::MAX), "At most so many runs within `per`.").default("3"),
        key("per", Duration, "The length of the window, at most 31d.").default("1h"),
        key("cooldown", Duration, "From the end of one run to the start of the next, at least this long; at most 31d.")
            .default("5m"),
        key("scope", Word(&["target", "playbook", "host"]), "What is counted together.").default("target"),
        key("max_parallel", Whole(1, 1000), "How many containers of one service may be treated at once.").default("1"),
        key("min_healthy", Share, "What must be left healthy of the target's service while it is treated."),
        key("key", List(&Text), "Count together what agrees in these labels of the alert, in place of `scope`."),
    ],
    ordered: false,
};

/// `approval`, and what `approve` takes.
pub(crate) static APPROVAL: Shape = Shape {
    noun: "`approval`",
    keys: &[
        key("required", Whole(1, APPROVERS_MAX), "How many different people must agree.").default("1"),
        key("from", List(&Text), "The groups of people, or the people, who may decide.").needed(),
        key("timeout", Duration, "How long they have; at most 7d.").needed(),
        key("on_timeout", Word(&["deny", "approve"]), "What counts when nobody decided in time.").default("deny"),
        key("prevent_self_approval", Bool, "Whether who caused the run may not agree to it.").default("true"),
        key("links", Bool, "Whether a vote by a signed link counts: it proves no more than a mailbox.").default("true"),
        key("reason", Word(&["never", "on_deny", "always"]), "Which votes count only with a reason.").default("never"),
        key("ask", List(&Text), "The notifiers that carry the question."),
        key("message", Template, "The question."),
    ],
    ordered: false,
};

/// One entry of `attempts`.
pub(crate) static ATTEMPT: Shape = Shape {
    noun: "an attempt",
    keys: &[
        key("name", Text, "How people call the try."),
        key("steps", List(&Map(&STEP)), "What is done, in order.").needed(),
    ],
    ordered: true,
};

const NONE: Kind = Word(&["none"]);

/// One entry of a list of steps: exactly one of the verbs, and what goes with any step.
pub(crate) static STEP: Shape = Shape {
    noun: "a step",
    keys: &[
        key("id", Name("[a-z][a-z0-9_]*", NAME_LEN_MAX), "How later steps call it: steps.ID."),
        key("name", Text, "How people call it."),
        key("if", Condition, "Done only if this is true, in CEL. No answer fails the step."),
        key("timeout", Duration, "The step has failed after this time."),
        key("continue_on_error", Bool, "Whether the steps after it are done although it failed.").default("false"),
        key("capture", Any(&[Map(&CAPTURE), NONE]), "Keep evidence in the incident log."),
        key("restart", Map(&RESTART), "Stop and start the target."),
        key("start", Map(&START), "Start the target, if it is not running."),
        key("stop", Map(&STOP), "Stop the target, if it is running."),
        key("scale", Map(&SCALE), "Change the number of a service's replicas."),
        key("rollback", Map(&ROLLBACK), "Take a service back to what it ran before."),
        key("update_limits", Map(&UPDATE_LIMITS), "Raise the target's memory or CPU limit, or take that back."),
        key("verify", Any(&[Map(&VERIFY), NONE]), "Watch the target recover."),
        key("wait", Duration, "Let this much time pass."),
        key("notify", Map(&NOTIFY), "Tell people."),
        key("http", Map(&HTTP), "Send one HTTP request to another system."),
        key("approve", Map(&APPROVAL), "Ask people before the steps after it are done."),
        key("pause_playbook", Map(&PAUSE_PLAYBOOK), "Hold back every further run of this playbook."),
    ],
    ordered: false,
};

/// The keys of [`STEP`] that are not verbs.
pub(crate) const STEP_COMMON: [&str; 5] = ["id", "name", "if", "timeout", "continue_on_error"];

/// `capture`
pub(crate) static CAPTURE: Shape = Shape {
    noun: "`capture`",
    keys: &[
        key("logs", Whole(0, LOG_LINES_MAX), "How many of the last log lines.").default("50"),
        key("inspect", Bool, "Configuration and state, from an allow-list.").default("true"),
        key("stats", Bool, "One sample of memory and process counts.").default("true"),
        key("top", Bool, "The processes that run in it.").default("false"),
        key("changes", Bool, "Which of its files were added, changed or deleted, by path.").default("false"),
        key("events", Bool, "What Docker remembers of its last day.").default("true"),
    ],
    ordered: false,
};

/// `restart`
pub(crate) static RESTART: Shape = Shape {
    noun: "`restart`",
    keys: &[
        key("stop_timeout", Duration, "How long Docker waits before it kills; whole seconds, at most 10m."),
        key("start_if_stopped", Bool, "Whether a container that is not running may be started.").default("false"),
    ],
    ordered: false,
};

/// `start`
pub(crate) static START: Shape = Shape { noun: "`start`", keys: &[], ordered: false };

/// `stop`
pub(crate) static STOP: Shape = Shape {
    noun: "`stop`",
    keys: &[key("stop_timeout", Duration, "How long Docker waits before it kills; whole seconds, at most 10m.")],
    ordered: false,
};

/// `scale`
pub(crate) static SCALE: Shape = Shape {
    noun: "`scale`",
    keys: &[
        key("by", Signed(-1000, 1000), "So many replicas more, or fewer."),
        key(
            "to",
            Any(&[Whole(1, REPLICAS_MAX), Word(&["original"])]),
            "So many replicas; `original`: as before the run.",
        ),
        key("min", Whole(1, REPLICAS_MAX), "Never fewer than this.").default("1"),
        key("max", Whole(1, REPLICAS_MAX), "Never more than this. Needed by whatever may scale up."),
    ],
    ordered: false,
};

/// `rollback`
pub(crate) static ROLLBACK: Shape = Shape {
    noun: "`rollback`",
    keys: &[
        key("within", Duration, "Compose: how long after the change of image the alert may have begun.").default("1h")
    ],
    ordered: false,
};

/// `rollback.within` where a playbook does not say.
pub(crate) const ROLLBACK_WITHIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// `update_limits`
pub(crate) static UPDATE_LIMITS: Shape = Shape {
    noun: "`update_limits`",
    keys: &[
        key("memory", Map(&RAISE_MEMORY), "Raise the memory limit."),
        key("cpus", Map(&RAISE_CPUS), "Raise the CPU limit."),
        key("to", Word(&["original"]), "Alone: back to what the limits were before the run raised them."),
    ],
    ordered: false,
};

/// `update_limits.memory`
pub(crate) static RAISE_MEMORY: Shape = Shape {
    noun: "`memory`",
    keys: &[
        key("factor", MoreThan(1), "Times what it is.").needed(),
        key("max", Bytes, "Never more than this, such as 2GiB.").needed(),
    ],
    ordered: false,
};

/// `update_limits.cpus`
pub(crate) static RAISE_CPUS: Shape = Shape {
    noun: "`cpus`",
    keys: &[
        key("factor", MoreThan(1), "Times what it is.").needed(),
        key("max", MoreThan(0), "Never more CPUs than this, such as 2.5.").needed(),
    ],
    ordered: false,
};

/// `verify`
pub(crate) static VERIFY: Shape = Shape {
    noun: "`verify`",
    keys: &[
        key(
            "health",
            Word(&["healthy", "running"]),
            "What counts as well; left out, by whether there is a health check.",
        ),
        key(
            "replicas_running",
            Any(&[Word(&["all"]), Whole(1, REPLICAS_MAX)]),
            "How many replicas of the service run.",
        ),
        key("http", Template, "This URL must answer a GET with a status of 200 to 299 as well."),
        key("alert_resolved", Bool, "Whether the alert must end as well.").default("false"),
        key("within", Duration, "After this time it did not recover. Longer than `every`."),
        key("every", Duration, "Time between looks, at least 1s.").default("1s"),
        key("stable_for", Duration, "How long it must stay well.").default("10s"),
    ],
    ordered: false,
};

/// `notify`
pub(crate) static NOTIFY: Shape = Shape {
    noun: "`notify`",
    keys: &[
        key("to", List(&Text), "Names of notifiers of the settings; `log` is built in.").needed(),
        key("severity", Word(&["info", "warning", "critical"]), "How urgent it is.").default("info"),
        key("title", Template, "One line."),
        key("message", Template, "The text.").needed(),
    ],
    ordered: false,
};

/// `http`
pub(crate) static HTTP: Shape = Shape {
    noun: "`http`",
    keys: &[
        key("url", Template, "Where. Scheme, host and port are written out; values may stand in path and query.")
            .needed(),
        key("method", Word(&["GET", "POST", "PUT", "PATCH", "DELETE"]), "How.").default("POST"),
        key("headers", Names(&Text), "Further headers, as they are."),
        key("body", Template, "What is sent. Left out, nothing."),
        key("expect", List(&Whole(100, 599)), "Which answers are good.").default("[200, 201, 202, 204]"),
    ],
    ordered: false,
};

/// `pause_playbook`
pub(crate) static PAUSE_PLAYBOOK: Shape = Shape {
    noun: "`pause_playbook`",
    keys: &[
        key("for", Duration, "How long; left out, until somebody resumes it."),
        key("reason", Template, "Why, for whoever finds it paused."),
    ],
    ordered: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_a_key_of_a_step_and_says_what_it_is_for() {
        let verbs = STEP.keys.iter().filter(|key| !STEP_COMMON.contains(&key.name)).count();
        assert_eq!(verbs, 13);
        for shape in [&FILE, &PLAYBOOK, &TARGET, &LIMIT, &APPROVAL, &STEP, &CAPTURE, &VERIFY, &HTTP, &SCALE] {
            for key in shape.keys {
                assert!(key.about.ends_with('.'), "{} {}", shape.noun, key.name);
                assert!(!(key.needed && key.default.is_some()), "{} {}", shape.noun, key.name);
            }
        }
    }
}
