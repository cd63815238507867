//! The tables of a test file: which keys each map has, in the order of the documentation, what each holds and what it is
//! for. With `keys_seen`, what is expected, all of the format; reading and `docs/TESTING.md` go by it.

use super::keys_seen::EXPECTATION;
use crate::playbook::keys::Kind::{Any, Bool, Duration, List, Map, Names, Text, Whole, Word};
use crate::playbook::keys::{Key, Shape, key};

pub(super) const fn shape(noun: &'static str, keys: &'static [Key]) -> Shape {
    Shape { noun, keys, ordered: false }
}

/// Labels and annotations.
pub(super) const LABELS: crate::playbook::keys::Kind = Names(&Text);
/// The labels of one alert, or of each of several.
const ALERTS: crate::playbook::keys::Kind = Any(&[LABELS, List(&LABELS)]);
/// Names of rules files.
const GLOBS: crate::playbook::keys::Kind = List(&Text);
/// Words for a container's health.
const HEALTH: crate::playbook::keys::Kind = Word(&["healthy", "unhealthy", "starting"]);

/// The file.
pub(crate) static FILE: Shape = shape(
    "a test file",
    &[
        key("playbook_files", GLOBS, "Globs of the rules files it is about, relative to this file.")
            .default("[*.yaml]"),
        key("settings", Map(&SETTINGS), "What of the settings matters."),
        key("tests", List(&Map(&TEST)), "The tests; at least one.").needed(),
    ],
);

/// `settings`
pub(crate) static SETTINGS: Shape = shape(
    "`settings`",
    &[
        key("dry_run", Bool, "Nothing is changed, by any playbook.").default("false"),
        key("max_alert_age", Duration, "`webhook.max_alert_age`").default("1h"),
        key("require_opt_in", Bool, "`docker.require_opt_in`").default("true"),
        key("protect", List(&Text), "`docker.protect`").default("[]"),
        key("hands_off", Duration, "`docker.hands_off`").default("5m"),
        key("hosts", List(&Text), "The names of the Docker hosts, the first one first: `docker.hosts[].name`")
            .default("[local]"),
        key("approve_on_timeout", Bool, "`approvals.approve_on_timeout`").default("false"),
        key("limits", Map(&LIMITS), "`limits`"),
    ],
);

/// `settings.limits`
pub(crate) static LIMITS: Shape = shape(
    "`limits`",
    &[
        key("global", List(&Map(&WINDOW)), "Windows over all runs.").default("[{runs: 20, per: 1h}]"),
        key("per_target", List(&Map(&WINDOW)), "Windows over all runs on one target.").default("[]"),
        key("max_parallel", Whole(1, u32::MAX), "How many runs may act at once.").default("2"),
        key("breaker", Map(&BREAKER), "When runs on a target do not help."),
        key("storm", Map(&STORM), "When too many alerts come at once."),
        key("relapse_within", Duration, "Who falls ill again this soon had not recovered.").default("10m"),
    ],
);

/// One entry of `limits.global` or `limits.per_target`.
pub(crate) static WINDOW: Shape = shape(
    "a window",
    &[
        key("runs", Whole(1, u32::MAX), "So many runs").needed(),
        key("per", Duration, "in any stretch of this length.").needed(),
    ],
);

/// `limits.breaker`
pub(crate) static BREAKER: Shape = shape(
    "`breaker`",
    &[
        key("failures", Whole(1, u32::MAX), "So many runs in a row that did not help open it.").default("3"),
        key("per", Duration, "All within this time.").default("1d"),
        key("open_for", Duration, "How long nothing is done then.").default("1h"),
    ],
);

/// `limits.storm`
pub(crate) static STORM: Shape = shape(
    "`storm`",
    &[
        key("alerts", Whole(1, 10_000), "More alerts than this make a storm.").default("50"),
        key("per", Duration, "All within this time.").default("1m"),
        key("freeze", Duration, "How long nothing is done then.").default("10m"),
    ],
);

/// One entry of `tests`.
pub(crate) static TEST: Shape = shape(
    "a test",
    &[
        key("name", Text, "Unique within the file.").needed(),
        key("start", Text, "What the wall clock shows at the start.").default("2026-01-05T12:00:00Z"),
        key("docker", Map(&DOCKER), "What Docker has at the start."),
        key("alertmanager", Map(&ALERTMANAGER), "Whether Alertmanager's API is asked."),
        key("input", List(&Map(&INPUT)), "What happens."),
        key("expect", List(&Map(&EXPECTATION)), "What is to be seen, and when."),
        key("expect_docker_calls", List(&Text), "All calls that change something, in order."),
    ],
);

/// `docker` of a test.
pub(crate) static DOCKER: Shape = shape(
    "`docker`",
    &[
        key("containers", List(&Map(&CONTAINER)), "The containers."),
        key("services", List(&Map(&SERVICE)), "The services of Swarm and Compose."),
    ],
);

/// `alertmanager` of a test.
pub(crate) static ALERTMANAGER: Shape =
    shape("`alertmanager`", &[key("asked", Bool, "Whether it is asked before an act.").default("true")]);

/// One entry of `docker.containers`.
pub(crate) static CONTAINER: Shape = shape(
    "a container",
    &[
        key("name", Text, "Its name.").needed(),
        key("image", Text, "Its image.").default("app:1"),
        key("labels", LABELS, "Its labels; without `sickbay.enable: \"true\"` it is left alone."),
        key("compose", Map(&COMPOSE), "The Compose service it is a replica of."),
        key("state", Word(&["running", "exited", "paused", "created", "restarting"]), "How it is found.")
            .default("running"),
        key("exit_code", Whole(0, 255), "Of one that is `exited`.").default("1"),
        key("stopped_by", Word(&["person"]), "Who stopped one that is `exited`."),
        key("for", Duration, "How long it has been in that state.").default("1h"),
        key("health", HEALTH, "What its health check says; gives it one."),
        key("health_check", Map(&HEALTH_CHECK), "The timing of its health check; gives it one."),
        key(
            "restart_policy",
            Word(&["no", "on-failure", "always", "unless-stopped"]),
            "What Docker does when it ends.",
        )
        .default("no"),
        key("auto_remove", Bool, "Whether it was started with --rm.").default("false"),
        key("stop_timeout", Duration, "Its own grace before Docker kills it.").default("10s"),
        key("lives_with", Text, "A container before it whose network it shares."),
        key("stop_takes", Duration, "How long it takes to stop.").default("200ms"),
        key("start_takes", Duration, "How long it takes to start.").default("300ms"),
        key("memory", Text, "How much memory it may use: 256MiB. Left out: as much as there is."),
        key("cpus", Text, "How many CPUs it may use: 1.5. Left out: as many as there are."),
        key("memory_in_use", Text, "How much memory it uses after a start: 200MiB. Left out: next to none."),
        key("after_restart", LIVES, "What becomes of it after each later start."),
    ],
);

/// One entry of `docker.services`.
pub(crate) static SERVICE: Shape = shape(
    "a service",
    &[
        key("name", Text, "The name of a Swarm service."),
        key("compose", Map(&COMPOSE), "A Compose service with all of its replicas."),
        key("image", Text, "Its image.").default("app:1"),
        key("labels", LABELS, "Its labels; without `sickbay.enable: \"true\"` it is left alone."),
        key("replicas", Whole(0, 100), "How many replicas there are.").default("1"),
        key("mode", Word(&["replicated", "global"]), "Swarm: whether it can be scaled.").default("replicated"),
        key("max_replicas", Whole(1, u32::MAX), "Swarm: the most replicas that its placement allows."),
        key("previous_image", Text, "What it ran before the last deployment; of Compose, as sickbay has seen it."),
        key("for", Duration, "How long ago that was.").default("1h"),
        key("update_config", Map(&UPDATE_CONFIG), "Swarm: how its updates go."),
        key("health", HEALTH, "Compose: what the replicas' health check says; gives them one."),
        key("health_check", Map(&HEALTH_CHECK), "Compose: the timing of their health check; gives them one."),
        key("stop_takes", Duration, "Compose: how long a replica takes to stop.").default("200ms"),
        key("start_takes", Duration, "How long a replica takes to start.").default("1s; Compose: 300ms"),
        key("after_restart", LIVES, "Compose: what becomes of a replica after each later start."),
        key("new_replicas", LIVES, "What becomes of each replica that is made later."),
    ],
);

/// What of a service is for Swarm only.
pub(super) const OF_SWARM: [&str; 3] = ["mode", "max_replicas", "update_config"];

/// What of a service is for Compose only.
pub(super) const OF_COMPOSE: [&str; 4] = ["health", "health_check", "stop_takes", "after_restart"];

/// `update_config` of a service.
pub(crate) static UPDATE_CONFIG: Shape = shape(
    "`update_config`",
    &[
        key("parallelism", Whole(1, u32::MAX), "How many tasks at once.").default("1"),
        key("order", Word(&["stop-first", "start-first"]), "What comes first.").default("stop-first"),
        key("monitor", Duration, "How long a task is watched.").default("5s"),
        key("failure_action", Word(&["pause", "continue", "rollback"]), "What follows if new tasks fail.")
            .default("pause"),
    ],
);

/// `after_restart`
const LIVES: crate::playbook::keys::Kind = Any(&[Map(&LIFE), List(&Map(&LIFE))]);

/// `with` of a container that is recreated.
pub(crate) static SUCCESSOR: Shape = shape(
    "`with`",
    &[
        key("image", Text, "Its image."),
        key("labels", LABELS, "Its labels."),
        key("health", HEALTH, "What its health check says."),
        key("health_check", Map(&HEALTH_CHECK), "The timing of its health check."),
        key("after_restart", LIVES, "What becomes of it after each later start."),
    ],
);

/// `compose` of a container.
pub(crate) static COMPOSE: Shape = shape(
    "`compose`",
    &[key("project", Text, "The Compose project.").needed(), key("service", Text, "Its service.").needed()],
);

/// `health_check` of a container.
pub(crate) static HEALTH_CHECK: Shape = shape(
    "`health_check`",
    &[
        key("interval", Duration, "Time between checks.").default("30s"),
        key("timeout", Duration, "Time one check may take.").default("30s"),
        key("retries", Whole(1, 1000), "Failures in a row that make it unhealthy.").default("3"),
        key("start_period", Duration, "Time after the start in which failures do not count.").default("0s"),
    ],
);

/// `after_restart`, or one entry of it.
pub(crate) static LIFE: Shape = shape(
    "`after_restart`",
    &[
        key("health", Word(&["healthy", "unhealthy"]), "What its health check comes to.").default("healthy"),
        key("healthy_after", Duration, "How long after the start it is healthy.").default("2s"),
        key("state", Word(&["running", "exited"]), "`exited`: it ends at once.").default("running"),
        key("dies_after", Duration, "It ends by itself this long after the start."),
        key("exit_code", Whole(0, 255), "With which code it ends.").default("1"),
        key("fails_to_start", Bool, "Docker cannot start it.").default("false"),
    ],
);

/// One entry of `input`.
pub(crate) static INPUT: Shape = shape(
    "an input",
    &[
        key("at", Duration, "When, after the start.").needed(),
        key("firing", ALERTS, "Alerts that fire, by their labels."),
        key("resolved", ALERTS, "Alerts that end, by their labels."),
        key("starts", Text, "When they began, from the start of the test; may be negative."),
        key("annotations", LABELS, "Their annotations."),
        key("truncated", Whole(1, u32::MAX), "How many alerts of the group were left out."),
        key("repeat_every", Duration, "It is sent again every so often."),
        key("until", Duration, "The last time, after the start, at which it is sent again."),
        key("container", Text, "The container to which something happens."),
        key("service", Text, "The service to which something happens: NAME, or PROJECT/SERVICE."),
        key("event", Word(&ALL_EVENTS), "What happens to it."),
        key("exit_code", Whole(0, 255), "With which code it dies.").default("1"),
        key("with", Map(&SUCCESSOR), "How the one that takes its place differs."),
        key("memory", Text, "Which memory limit it is given, or how much it uses."),
        key("cpus", Text, "Which CPU limit it is given."),
        key("to", Whole(0, 100), "To how many replicas it is scaled."),
        key("image", Text, "Which image is deployed."),
        key("docker", Map(&DOCKER_INPUT), "What is wrong with Docker."),
        key("notifiers", Map(&NOTIFIERS_INPUT), "What is wrong with the notifiers."),
        key("http", Map(&HTTP_INPUT), "How other systems answer requests."),
        key("alertmanager", Map(&ALERTMANAGER_INPUT), "What is wrong with Alertmanager's API."),
        key("sickbay", Map(&SICKBAY_INPUT), "What happens to sickbay itself."),
        key("machine", Map(&MACHINE_INPUT), "What happens to the machine."),
        key("clock", Text, "By how much the wall clock is set: +1d or -1h."),
        key("disk", Map(&DISK_INPUT), "What is wrong with the disk."),
        key("pause", Map(&PAUSE_INPUT), "A person holds runs back."),
        key("resume", Text, "A person ends the pause of this scope."),
        key("reset", Text, "A person closes the breaker of this target."),
        key("reload", Map(&RELOAD_INPUT), "The playbooks are read anew."),
        key("approve", Map(&ANSWER_INPUT), "A person agrees."),
        key("deny", Map(&ANSWER_INPUT), "A person refuses."),
    ],
);

/// What may happen to a container.
pub(super) const EVENTS: [&str; 12] = [
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "remove",
    "recreate",
    "die",
    "sicken",
    "recover",
    "update_limits",
    "use_memory",
];

/// What may happen to a service.
pub(super) const SERVICE_EVENTS: [&str; 6] = ["scale", "deploy", "force_update", "remove", "die", "sicken"];

/// What may happen to either.
const ALL_EVENTS: [&str; 15] = [
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "remove",
    "recreate",
    "die",
    "sicken",
    "recover",
    "update_limits",
    "use_memory",
    "scale",
    "deploy",
    "force_update",
];

/// What an input may be about: exactly one of these, but for an alert that fires beside one that is resolved.
pub(super) const SUBJECTS: [&str; 18] = [
    "firing",
    "resolved",
    "container",
    "service",
    "docker",
    "notifiers",
    "http",
    "alertmanager",
    "sickbay",
    "machine",
    "clock",
    "disk",
    "pause",
    "resume",
    "reset",
    "reload",
    "approve",
    "deny",
];

/// What goes with alerts.
pub(super) const WITH_ALERTS: [&str; 5] = ["starts", "annotations", "truncated", "repeat_every", "until"];

/// What goes with a container or a service, and with which of them.
pub(super) const WITH: [(&str, &[&str]); 7] = [
    ("event", &["container", "service"]),
    ("exit_code", &["container"]),
    ("with", &["container"]),
    ("memory", &["container"]),
    ("cpus", &["container"]),
    ("to", &["service"]),
    ("image", &["service"]),
];

/// The fates of a call.
const FATES: crate::playbook::keys::Kind = Word(&[
    "prompt",
    "late",
    "not_sent",
    "blocked",
    "lost",
    "stray",
    "answer_lost",
    "hangs",
    "lies",
    "done_and_called_failed",
    "fails",
]);

/// `docker` of an input.
pub(crate) static DOCKER_INPUT: Shape = shape(
    "`docker`",
    &[
        key("away", Duration, "It does not answer for so long."),
        key("blocked", Duration, "A proxy refuses every call for so long."),
        key("slow", Duration, "Each look takes so much longer"),
        key("for", Duration, "for so long."),
        key("next_call", FATES, "What becomes of the next call that changes something."),
        key("by", Duration, "By how much it is late."),
        key("forgets_events", Bool, "Its event history is lost."),
    ],
);

/// `notifiers` of an input.
pub(crate) static NOTIFIERS_INPUT: Shape =
    shape("`notifiers`", &[key("fail_for", Duration, "No message gets through for so long.")]);

/// `http` of an input.
pub(crate) static HTTP_INPUT: Shape = shape(
    "`http`",
    &[
        key("away", Duration, "Nobody is there for so long."),
        key("status", Whole(100, 599), "Every request is answered with this status"),
        key("for", Duration, "for so long."),
    ],
);

/// `alertmanager` of an input.
pub(crate) static ALERTMANAGER_INPUT: Shape = shape(
    "`alertmanager`",
    &[
        key("away", Duration, "It does not answer for so long."),
        key("slow", Duration, "Each answer takes so much longer"),
        key("for", Duration, "for so long."),
        key("restarts", Duration, "It is started anew, and away for so long."),
        key("forgets", ALERTS, "It no longer lists these alerts, and nobody is told."),
    ],
);

/// `sickbay` of an input.
pub(crate) static SICKBAY_INPUT: Shape = shape(
    "`sickbay`",
    &[
        key("killed", Duration, "It dies, and is started again so much later."),
        key("after_records", Whole(1, 10_000), "It dies only after so many more records."),
        key("requests", Word(&["arrive", "lost"]), "What becomes of requests that were under way.").default("arrive"),
        key("stopped", Duration, "It is stopped in good order, and started again so much later."),
    ],
);

/// `machine` of an input.
pub(crate) static MACHINE_INPUT: Shape = shape(
    "`machine`",
    &[
        key("reboots", Duration, "It is down for so long, and boots."),
        key("sleeps", Duration, "It is suspended for so long."),
    ],
);

/// `disk` of an input.
pub(crate) static DISK_INPUT: Shape =
    shape("`disk`", &[key("stalls", Duration, "Nothing becomes durable for so long.")]);

/// `pause` of an input.
pub(crate) static PAUSE_INPUT: Shape = shape(
    "`pause`",
    &[
        key("scope", Text, "`all`, `playbook:NAME`, `target:NAME` or `host:NAME`.").default("all"),
        key("for", Duration, "For how long; left out: until somebody resumes."),
        key("by", Text, "Who.").default("test"),
        key("reason", Text, "Why.").default("test"),
    ],
);

/// `reload` of an input.
pub(crate) static RELOAD_INPUT: Shape = shape(
    "`reload`",
    &[
        key("playbook_files", GLOBS, "What is loaded in place of all."),
        key("fails", Bool, "A mistake is found.").default("false"),
    ],
);

/// `approve` or `deny` of an input.
pub(crate) static ANSWER_INPUT: Shape = shape(
    "an answer",
    &[
        key("playbook", Text, "Which playbook asked."),
        key("by", Text, "Who answers.").needed(),
        key("groups", List(&Text), "The groups that person is in."),
        key("comment", Text, "What that person says."),
        key("by_link", Bool, "Whether they answer by a signed link.").default("false"),
        key("plan", Text, "The digits of the plan they mean, or `outdated`; left out: the one that is asked about."),
    ],
);
