//! The tables of what a test expects: the lists of `expect`, and which keys the items of each have.
//!
//! Whatever else stands in a test file is in [`super::keys`].

use super::keys::{LABELS, shape};
use crate::playbook::keys::Kind::{Any, Bool, Duration, List, Map, Text, Whole, Word};
use crate::playbook::keys::{Shape, key};

/// One entry of `expect`.
pub(crate) static EXPECTATION: Shape = shape(
    "an expectation",
    &[
        key("at", Duration, "When, after the start.").needed(),
        key("matched", List(&Any(&[Text, Map(&MATCHED)])), "Alerts that a playbook took."),
        key("no_match", List(&LABELS), "Alerts that nobody took."),
        key("runs", List(&Map(&RUN)), "Tries of playbooks that were under way."),
        key("suppressed", List(&Map(&SUPPRESSED)), "Noes of the gates."),
        key("notices", List(&Map(&NOTICE)), "Messages."),
        key("open", List(&Any(&[Text, Map(&OPEN)])), "Incidents that are open now."),
        key("paused", List(&Text), "Scopes that are paused now."),
        key("breakers", List(&Text), "Targets whose breaker is open now."),
        key("frozen", Bool, "Whether a storm has frozen everything now."),
        key("containers", List(&Map(&CONTAINER_SEEN)), "Containers as they are now."),
        key("services", List(&Map(&SERVICE_SEEN)), "Services as they are now."),
        key("approvals", List(&Map(&APPROVAL_SEEN)), "What people were asked."),
        key("votes", List(&Map(&VOTE_SEEN)), "What people answered."),
        key("requests", List(&Map(&REQUEST_SEEN)), "Requests to other systems."),
    ],
);

/// One entry of `runs`.
pub(crate) static RUN: Shape = shape(
    "a run",
    &[
        key("playbook", Text, "Which playbook."),
        key("target", Text, "On which target."),
        key("outcome", Text, "A verdict, `running` or `refused`."),
        key("steps", List(&Text), "The verbs of its steps that were begun."),
        key("on_failure", List(&Text), "The verbs of `on_failure` that were begun."),
        key("notified", List(&Text), "The notifiers it wrote to."),
        key("attempt", Whole(1, u32::MAX), "Which try."),
        key("dry_run", Bool, "Whether nothing was changed."),
    ],
);

/// One entry of `suppressed`.
pub(crate) static SUPPRESSED: Shape = shape(
    "what was suppressed",
    &[
        key("playbook", Text, "Which playbook."),
        key("reason", Text, "A reason of docs/REASONS.md."),
        key("target", Text, "Which container."),
        key("gate", Text, "A gate of docs/REASONS.md."),
        key("labels", LABELS, "The alert has at least these labels."),
        key("saw", LABELS, "The gate saw at least these values."),
    ],
);

/// One entry of `notices`.
pub(crate) static NOTICE: Shape = shape(
    "a notice",
    &[
        key("to", Text, "Which notifier."),
        key("severity", Word(&["info", "warning", "critical"]), "How grave."),
        key("title", Text, "The title, exactly."),
        key("title_contains", Text, "A part of the title."),
        key("message", Text, "The text, exactly."),
        key("message_contains", Text, "A part of the text."),
        key("playbook", Text, "Which playbook sends it."),
        key("target", Text, "About which container."),
        key("delivered", Bool, "Whether the notifier took it by now."),
    ],
);

/// One entry of `matched`.
pub(crate) static MATCHED: Shape = shape(
    "what matched",
    &[key("playbook", Text, "Which playbook."), key("labels", LABELS, "The alert has at least these labels.")],
);

/// One entry of `open`.
pub(crate) static OPEN: Shape = shape(
    "an open incident",
    &[
        key("playbook", Text, "Which playbook."),
        key("target", Text, "On which container, if that is known."),
        key("doing", Word(&DOINGS), "What it is doing."),
        key("reason", Text, "Why a gate refuses or holds it."),
    ],
);

/// What an open incident may be doing.
pub(super) const DOINGS: [&str; 6] =
    ["awaiting_target", "awaiting_approval", "refused", "between_tries", "running", "held"];

/// One entry of the expected `containers`.
pub(crate) static CONTAINER_SEEN: Shape = shape(
    "a container",
    &[
        key("name", Text, "Which.").needed(),
        key("state", Word(&["created", "running", "paused", "restarting", "exited", "missing"]), "Its state."),
        key("health", Word(&["none", "starting", "healthy", "unhealthy"]), "What its health check says."),
    ],
);

/// One entry of the expected `services`.
pub(crate) static SERVICE_SEEN: Shape = shape(
    "a service",
    &[
        key("name", Text, "Which.").needed(),
        key("state", Word(&["present", "missing"]), "Whether it is there."),
        key("replicas", Whole(0, 100), "How many replicas there are to be."),
        key("running", Whole(0, 100), "How many run."),
        key("healthy", Whole(0, 100), "How many of those are healthy."),
        key("image", Text, "Its image."),
        key("update", Word(&UPDATES), "How far its last change is."),
    ],
);

/// How far the last change of a service may be.
pub(super) const UPDATES: [&str; 7] =
    ["none", "updating", "paused", "completed", "rollback_started", "rollback_paused", "rollback_completed"];

/// One entry of `approvals`.
pub(crate) static APPROVAL_SEEN: Shape = shape(
    "an approval",
    &[
        key("playbook", Text, "Which playbook asks."),
        key("target", Text, "About which target."),
        key("outcome", Text, "`pending`, or how it ended."),
        key("by", List(&Text), "Who agreed so far, or who decided it."),
        key("comment", Text, "What they said."),
        key("required", Whole(1, u32::MAX), "How many must agree."),
        key("from", List(&Text), "Who may decide."),
        key("plan_contains", Text, "A part of the plan in words."),
    ],
);

/// One entry of `votes`.
pub(crate) static VOTE_SEEN: Shape = shape(
    "a vote",
    &[
        key("playbook", Text, "About which playbook's question."),
        key("by", Text, "Whose."),
        key("answer", Text, "What became of it."),
    ],
);

/// One entry of `requests`.
pub(crate) static REQUEST_SEEN: Shape = shape(
    "a request",
    &[
        key("playbook", Text, "Which playbook sends it."),
        key("method", Text, "How."),
        key("url", Text, "Where, exactly."),
        key("url_contains", Text, "A part of that."),
        key("body", Text, "What is sent, exactly."),
        key("body_contains", Text, "A part of that."),
    ],
);
