//! The evidence, read leniently: a part that is missing, cut or of another shape is simply not known.

use crate::model::container::ContainerState;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Of a container that has been running for less than this since its last restart, nobody knows yet whether it will last.
const SETTLED_SECS: i64 = 600;

/// What was seen of a container or service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    evidence: &'a Value,
}

/// One event of Docker's history.
#[derive(Clone, Debug)]
pub(super) struct Past<'a> {
    pub(super) action: &'a str,
    pub(super) exit_code: Option<i64>,
    pub(super) signal: &'a str,
}

/// How the last run ended that did end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: i64,
    /// It has been started anew since, and runs.
    pub(super) runs_again: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(evidence: &'a Value) -> Self {
        Self { evidence }
    }

    pub(super) fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.evidence.pointer(pointer)
    }

    /// A text; of one that was cut, its beginning; empty if there is none.
    pub(super) fn text(&self, pointer: &str) -> &'a str {
        self.at(pointer).map_or("", text)
    }

    pub(super) fn number(&self, pointer: &str) -> Option<i64> {
        number(self.at(pointer)?)
    }

    /// A number above zero: zero means "no limit" or "not known" wherever this is asked.
    pub(super) fn positive(&self, pointer: &str) -> Option<u64> {
        self.number(pointer).and_then(|number| u64::try_from(number).ok()).filter(|number| 0 < *number)
    }

    pub(super) fn flag(&self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn list(&self, pointer: &str) -> &'a [Value] {
        self.at(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn time(&self, pointer: &str) -> Option<DateTime<Utc>> {
        time(self.text(pointer))
    }

    pub(super) fn is_a_service(&self) -> bool {
        self.at("/service").is_some()
    }

    /// Whether anything is known of the container itself.
    pub(super) fn knows_the_container(&self) -> bool {
        !self.text("/container/state/status").is_empty()
    }

    pub(super) fn state(&self) -> ContainerState {
        ContainerState::parse(self.text("/container/state/status"))
    }

    pub(super) fn runs(&self) -> bool {
        self.state() == ContainerState::Running
    }

    /// Its name, for commands that a person may type.
    pub(super) fn name(&self) -> &'a str {
        match self.text("/container/name") {
            "" => "CONTAINER",
            name => name,
        }
    }

    /// How long it has been running when it was looked at, by the engine's clock.
    pub(super) fn running_secs(&self) -> Option<i64> {
        if !self.runs() {
            return None;
        }
        let span = self.time("/container/seen_at")? - self.time("/container/state/started_at")?;
        Some(span.num_seconds().max(0))
    }

    pub(super) fn restarts(&self) -> u64 {
        self.positive("/container/restart_count").unwrap_or(0)
    }

    /// Whether Docker restarts it again and again: right now, or a moment ago.
    pub(super) fn loops(&self) -> bool {
        match self.state() {
            ContainerState::Restarting => true,
            ContainerState::Running => {
                0 < self.restarts() && self.running_secs().is_none_or(|secs| secs < SETTLED_SECS)
            }
            ContainerState::Exited => 0 < self.restarts(),
            ContainerState::Created
            | ContainerState::Paused
            | ContainerState::Removing
            | ContainerState::Dead
            | ContainerState::Other(_) => false,
        }
    }

    /// How the last run ended: by its state, or, if it runs again, by Docker's history.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.state() {
            ContainerState::Exited | ContainerState::Restarting | ContainerState::Dead => {
                let code = self.number("/container/state/exit_code")?;
                Some(Ending { code, runs_again: false })
            }
            ContainerState::Running if self.loops() => {
                let died = self.past().into_iter().rev().find(|past| past.action == "die")?;
                Some(Ending { code: died.exit_code?, runs_again: true })
            }
            ContainerState::Running
            | ContainerState::Created
            | ContainerState::Paused
            | ContainerState::Removing
            | ContainerState::Other(_) => None,
        }
    }

    /// What Docker remembers of it, oldest first.
    pub(super) fn past(&self) -> Vec<Past<'a>> {
        let past = |event: &'a Value| Past {
            action: event.get("action").map_or("", text),
            exit_code: event.get("exit_code").and_then(number),
            signal: event.get("signal").map_or("", text),
        };
        self.list("/events/events").iter().map(past).collect()
    }

    /// What happened since it was last started, oldest first.
    pub(super) fn past_of_this_run(&self) -> Vec<Past<'a>> {
        let mut past = self.past();
        let began = past.iter().rposition(|event| event.action == "start").map_or(0, |at| at + 1);
        past.drain(..began);
        past
    }

    /// The last lines of its log without Docker's timestamps, oldest first.
    pub(super) fn lines(&self) -> Vec<&'a str> {
        let lines = self.list("/logs/lines").iter().map(text);
        lines.map(without_time).filter(|line| !line.trim().is_empty()).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().or_else(|| value.get("head")?.as_str()).unwrap_or_default()
}

/// Large numbers are recorded as texts.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A time of the engine's; its zero is none.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let time: DateTime<Utc> = text.parse().ok()?;
    (0 < time.timestamp()).then_some(time)
}

/// Docker puts its own time before each line.
fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((first, rest)) if time(first).is_some() => rest,
        Some(_) | None if time(line).is_some() => "",
        Some(_) | None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ending_of_a_run_is_found_wherever_it_stands() {
        let died = json!({"events": [{"action": "die", "exit_code": "3"}, {"action": "start"}]});
        let state = |status: &str, started: &str| json!({"status": status, "exit_code": 7, "started_at": started});
        for (name, status, restarts, started, want) in [
            ("exited", "exited", 0, "2026-01-01T00:00:00Z", Some((7, false))),
            ("between two starts", "restarting", 4, "2026-01-01T00:00:00Z", Some((7, false))),
            ("just started again", "running", 4, "2026-01-01T11:59:50Z", Some((3, true))),
            ("runs for long again", "running", 4, "2026-01-01T10:00:00Z", None),
            ("never restarted", "running", 0, "2026-01-01T11:59:50Z", None),
            ("paused", "paused", 4, "2026-01-01T11:59:50Z", None),
        ] {
            let container =
                json!({"state": state(status, started), "restart_count": restarts, "seen_at": "2026-01-01T12:00:00Z"});
            let evidence = json!({"container": container, "events": died});
            let ending = Look::new(&evidence).ending().map(|ending| (ending.code, ending.runs_again));
            assert_eq!(ending, want, "{name}");
        }
    }

    #[test]
    fn whatever_is_missing_or_odd_is_not_known() {
        for evidence in [
            json!(null),
            json!({}),
            json!({"container": {"error": "docker did not answer"}, "logs": {"error": "http 501"}, "events": 5}),
            json!({"container": {"state": {"status": 5, "exit_code": "x"}, "seen_at": "then"}, "logs": {"lines": [5]}}),
        ] {
            let look = Look::new(&evidence);
            assert!(!look.knows_the_container() && !look.runs() && !look.loops());
            assert_eq!((look.ending(), look.lines().len(), look.past().len()), (None, 0, 0));
        }
    }

    #[test]
    fn a_line_loses_the_time_that_docker_put_before_it() {
        for (line, want) in [
            ("2026-01-01T00:00:00.123456789Z oops", "oops"),
            ("2026-01-01T00:00:00.123456789Z", ""),
            ("oops at 12", "oops at 12"),
            ("oops", "oops"),
        ] {
            assert_eq!(without_time(line), want);
        }
    }
}
