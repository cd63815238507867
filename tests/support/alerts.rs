//! Alerts as Alertmanager sends them.

use serde_json::{Value, json};

/// The end of an alert that has none.
pub(crate) const NO_END: &str = "0001-01-01T00:00:00Z";

/// An alert that has just begun.
pub(crate) fn firing(labels: &Value) -> Value {
    json!({
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": now(), "endsAt": NO_END,
        "generatorURL": "http://prometheus.example/graph",
    })
}

/// The same alert, ended just now.
pub(crate) fn resolved(alert: &Value) -> Value {
    let mut ended = alert.clone();
    ended["status"] = "resolved".into();
    ended["endsAt"] = now().into();
    ended
}

/// One webhook body with these alerts.
pub(crate) fn notification(alerts: &[Value]) -> Value {
    let fires = alerts.iter().any(|alert| alert["status"] == "firing");
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "receiver": "sickbay",
        "status": if fires { "firing" } else { "resolved" }, "alerts": alerts, "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alertmanager.example",
    })
}

/// This moment, as Alertmanager writes it.
#[expect(clippy::disallowed_methods, reason = "an alert begins now")]
pub(crate) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
