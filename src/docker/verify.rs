//! Watching containers recover: looks at each about once a second until all are well, one is not, or time is up.
//!
//! What a look means is decided in `model::recovery`, without a clock or a socket; here is only the loop around it.

use super::client::{READ_WITHIN, Reader};
use super::convert::text;
use super::error::DockerError;
use crate::model::fact::StepResult;
use crate::model::recovery::{Sight, Vigil};
use crate::model::step::{VerifySpec, Watched};
use chrono::DateTime;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Watches until every container is well and stayed so, or one will not be. `already` is how long ago the step began.
///
/// Answers [`StepResult::Verified`] or [`StepResult::NotVerified`], with what was seen.
///
/// A URL that must answer as well is asked by `probe`, which knows how.
pub async fn verify<F: Future<Output = Result<String, String>>>(
    reader: &Reader,
    (watched, spec, http): (&[Watched], &VerifySpec, Option<String>),
    already: Duration,
    probe: impl Fn(String) -> F,
) -> StepResult {
    let begun = Instant::now();
    let mut vigil = match Vigil::new(watched, spec, http) {
        Ok(vigil) => vigil,
        Err(end) => return end,
    };
    loop {
        for id in vigil.ids() {
            let seen = reader.inspect_fully(&id, READ_WITHIN).await;
            let now = already + begun.elapsed();
            let failed = match &seen {
                Ok(seen) => vigil.look(&id, Sight::Seen(&seen.container, healthy_after(&seen.json)), now),
                Err(DockerError::NotFound(_)) => vigil.look(&id, Sight::Gone, now),
                Err(error) if error.may_pass() => vigil.look(&id, Sight::Unseen(&error.to_string()), now),
                Err(error) => vigil.look(&id, Sight::Hidden(&error.to_string()), now),
            };
            if let Some(end) = failed {
                return end;
            }
        }
        if let Some(url) = vigil.url().map(str::to_owned) {
            let answer = probe(url).await;
            vigil.hear(answer.as_deref().map_err(String::as_str), already + begun.elapsed());
        }
        match vigil.end_round(already + begun.elapsed()) {
            Ok(end) => return end,
            Err(pause) => tokio::time::sleep(pause).await,
        }
    }
}

/// From the start to the end of the first check that passed since, by the engine's clock. The log also holds checks
/// from before the start; those say nothing.
fn healthy_after(json: &Value) -> Option<Duration> {
    let time = |json: &Value, pointer: &str| DateTime::parse_from_rfc3339(text(json, pointer)).ok();
    let started = time(json, "/State/StartedAt")?;
    let checks = json.pointer("/State/Health/Log")?.as_array()?;
    let passed = checks.iter().filter(|check| check.pointer("/ExitCode").and_then(Value::as_i64) == Some(0));
    let since = passed.filter(|check| time(check, "/Start").is_some_and(|began| started < began));
    let ended = since.filter_map(|check| time(check, "/End")).min()?;
    (ended - started).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_checks_since_the_start_count() {
        let check = |start: &str, end: &str, code: i64| json!({"Start": format!("2026-08-20T{start}"), "End": format!("2026-08-20T{end}"), "ExitCode": code});
        let inspect = |log: Vec<Value>| json!({"State": {"StartedAt": "2026-08-20T10:00:00Z", "Health": {"Log": log}}});
        for (name, log, want_ms) in [
            ("none", vec![], None),
            ("before the start", vec![check("09:59:59Z", "10:00:01Z", 0)], None),
            ("failed", vec![check("10:00:01Z", "10:00:02Z", 1)], None),
            (
                "in another time zone",
                vec![check("10:00:01Z", "10:00:02Z", 1), check("12:00:03+02:00", "12:00:04.25+02:00", 0)],
                Some(4250),
            ),
        ] {
            assert_eq!(healthy_after(&inspect(log)), want_ms.map(Duration::from_millis), "{name}");
        }
    }
}
