//! `limits` of the settings: what stands above all playbooks.

use super::raw::{RawBreaker, RawLimits, RawStorm, RawWindow};
use super::resolve::Checks;
use super::types::LimitSettings;
use crate::model::duration::format_duration;
use crate::model::limit::{Breaker, MEMORY, STORM_ALERTS_MAX, Storm, Window};
use crate::model::policy::Policy;
use std::time::Duration;

/// The longest time in which a storm is counted.
const HOUR: Duration = Duration::from_secs(3600);

impl Checks<'_> {
    pub(super) fn limits(&mut self, raw: RawLimits) -> LimitSettings {
        let default = Policy::default();
        let max_parallel = raw.max_parallel.unwrap_or(default.max_parallel);
        if max_parallel == 0 {
            self.fail("limits.max_parallel", "must be at least 1; use `dry_run` or pause to change nothing");
        }
        LimitSettings {
            global: self.windows("limits.global", raw.global, default.global),
            per_target: self.windows("limits.per_target", raw.per_target, default.per_target),
            max_parallel,
            breaker: self.breaker(&raw.breaker),
            storm: self.storm(&raw.storm),
            relapse_within: self.at_most(
                "limits.relapse_within",
                raw.relapse_within.as_deref(),
                default.relapse_within,
                MEMORY,
            ),
        }
    }

    fn breaker(&mut self, raw: &RawBreaker) -> Breaker {
        let default = Breaker::default();
        let failures = raw.failures.unwrap_or(default.failures);
        if failures == 0 {
            self.fail("limits.breaker.failures", "must be at least 1; use `dry_run` or pause to change nothing");
        }
        let per = self.at_most("limits.breaker.per", raw.per.as_deref(), default.per, MEMORY);
        let open_for = self.at_most("limits.breaker.open_for", raw.open_for.as_deref(), default.open_for, MEMORY);
        Breaker { failures, per, open_for }
    }

    fn storm(&mut self, raw: &RawStorm) -> Storm {
        let default = Storm::default();
        let alerts = raw.alerts.unwrap_or(default.alerts);
        if !(1..=STORM_ALERTS_MAX).contains(&alerts) {
            self.fail("limits.storm.alerts", format!("must be 1 to {STORM_ALERTS_MAX}"));
        }
        let per = self.at_most("limits.storm.per", raw.per.as_deref(), default.per, HOUR);
        let freeze = self.at_most("limits.storm.freeze", raw.freeze.as_deref(), default.freeze, MEMORY);
        Storm { alerts, per, freeze }
    }

    /// A duration of more than nothing and at most `max`.
    fn at_most(&mut self, key: &str, text: Option<&str>, default: Duration, max: Duration) -> Duration {
        let span = self.duration(key, text, default);
        if max < span {
            self.fail(key, format!("is at most {}", format_duration(max)));
        }
        span
    }

    fn windows(&mut self, key: &str, raw: Option<Vec<RawWindow>>, default: Vec<Window>) -> Vec<Window> {
        let Some(raw) = raw else { return default };
        let mut windows = Vec::new();
        for (index, window) in raw.into_iter().enumerate() {
            if window.runs == 0 {
                self.fail(&format!("{key}[{index}].runs"), "must be at least 1");
            }
            let per = self.duration(&format!("{key}[{index}].per"), Some(&window.per), Duration::from_secs(3600));
            if MEMORY < per {
                self.fail(&format!("{key}[{index}].per"), "is at most 31d: older attempts are forgotten");
            }
            windows.push(Window { runs: window.runs, per });
        }
        windows
    }
}
