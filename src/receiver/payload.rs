//! A webhook body becomes a [`Notification`]: Alertmanager's version 4 payload, Grafana's, and what people send by hand.
//!
//! Lenient where a mistake costs nothing, strict where it could name another target: labels that stand twice, nested
//! values and unreadable times refuse their alert, and only theirs. The group's status and common labels decide nothing.
//! Read [`decode`] first; the JSON itself is read in `shape`.

use super::instant;
use super::shape::{self, AlertsField, Body, Raw, RawAlert, Scalar, Telltale};
use crate::model::alert::{Alert, AlertStatus, Notification, RejectedAlert};
use crate::model::label::Fingerprint;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// The most alerts read from one body.
pub const ALERTS_MAX: usize = 20_000;
/// The most labels, and the most annotations, of one alert.
pub const LABELS_MAX: usize = 512;
/// The longest name of a label or annotation, in bytes.
pub const NAME_LEN_MAX: usize = 1024;
/// The longest value of a label or annotation, in bytes.
pub const VALUE_LEN_MAX: usize = 64 * 1024;

/// Why a whole body was refused. The text is for the person who set up the sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON, or not text.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A JSON array: the alert push of Prometheus.
    #[error(
        "this is Prometheus' own alert push (a JSON array), not an Alertmanager notification; \
         name sickbay under `webhook_configs` in alertmanager.yml, not under `alerting` in prometheus.yml"
    )]
    PrometheusPush,
    /// Grafana's alerts before version 9.
    #[error(
        "this is Grafana's legacy alerting (`evalMatches`); use unified alerting (Grafana 9 or later) or Alertmanager"
    )]
    LegacyGrafana,
    /// Alertmanager's event recorder.
    #[error(
        "this is a line of Alertmanager's event recorder, not a notification; \
         name sickbay under `webhook_configs`, not under `event_recorder`"
    )]
    EventRecorder,
    /// Anything else without `alerts`.
    #[error(
        "the body has no `alerts` list, so it is not an Alertmanager version 4 payload; \
         remove a custom `payload` from the webhook's configuration"
    )]
    NoAlerts,
    /// `alerts` is no list.
    #[error("`alerts` is {0}, where a list of alerts belongs")]
    AlertsOdd(&'static str),
    /// An empty list.
    #[error("`alerts` is empty: there is nothing to decide")]
    Empty,
    /// More alerts than we read.
    #[error(
        "{0} alerts in one body, and at most {ALERTS_MAX} are read; set `max_alerts` in the webhook's configuration"
    )]
    TooMany(usize),
    /// Not one alert could be read.
    #[error("none of the {count} alerts can be read; alert {index}: {problem}")]
    NoneUsable {
        /// How many there are.
        count: usize,
        /// The first one's place, from 0.
        index: usize,
        /// What is wrong with the first one.
        problem: String,
    },
}

/// Decodes a body.
///
/// # Errors
/// [`PayloadError`] if it is not a webhook body, or if not one of its alerts can be read.
pub fn decode(body: &[u8], sender: &str, now: DateTime<Utc>) -> Result<Notification, PayloadError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| PayloadError::NotJson(format!("byte {} is not UTF-8", error.valid_up_to())))?;
    match text.bytes().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => return Err(PayloadError::PrometheusPush),
        Some(b'{') => {}
        Some(_) => return Err(PayloadError::NotJson("it does not begin with `{`".to_owned())),
        None => return Err(PayloadError::NotJson("it is empty".to_owned())),
    }
    let mut read = shape::read(text).map_err(|error| PayloadError::NotJson(error.to_string()))?;
    let alerts = match std::mem::take(&mut read.alerts) {
        AlertsField::List(alerts) => alerts,
        AlertsField::TooMany(count) => return Err(PayloadError::TooMany(count)),
        AlertsField::Missing | AlertsField::Odd("null") => return Err(what_it_is_instead(&read)),
        AlertsField::Odd(kind) => return Err(PayloadError::AlertsOdd(kind)),
    };
    notification(&read, alerts, sender, now)
}

fn what_it_is_instead(body: &Body<'_>) -> PayloadError {
    match body.telltale {
        Some(Telltale::EvalMatches) => PayloadError::LegacyGrafana,
        Some(Telltale::Timestamp) => PayloadError::EventRecorder,
        None => PayloadError::NoAlerts,
    }
}

fn notification(
    body: &Body<'_>,
    raw_alerts: Vec<Result<RawAlert<'_>, String>>,
    sender: &str,
    now: DateTime<Utc>,
) -> Result<Notification, PayloadError> {
    let count = raw_alerts.len();
    let context = Context {
        now,
        group_status: text_of(body.status).and_then(|status| status_word(&status)),
        trusts_fingerprint: text_of(body.version).as_deref() == Some("1"),
    };
    let mut alerts = Vec::with_capacity(count);
    let mut rejected = Vec::new();
    for (index, raw) in raw_alerts.into_iter().enumerate() {
        match raw.and_then(|raw| context.alert(raw)) {
            Ok(alert) => alerts.push(alert),
            Err(problem) => rejected.push(RejectedAlert { index, problem }),
        }
    }
    if alerts.is_empty() {
        return Err(match rejected.into_iter().next() {
            Some(RejectedAlert { index, problem }) => PayloadError::NoneUsable { count, index, problem },
            None => PayloadError::Empty,
        });
    }
    Ok(Notification {
        sender: sender.into(),
        receiver_name: unescape(&text_of(body.receiver).unwrap_or_default()),
        group_key: clip(&text_of(body.group_key).unwrap_or_default(), 4096).into(),
        truncated_alerts: text_of(body.truncated_alerts).and_then(|text| text.parse().ok()).unwrap_or(0),
        alerts,
        rejected,
    })
}

/// What an alert needs to know of its body.
struct Context {
    now: DateTime<Utc>,
    group_status: Option<AlertStatus>,
    /// Grafana hides labels before it sends, so its fingerprint cannot be computed here.
    trusts_fingerprint: bool,
}

impl Context {
    fn alert(&self, raw: RawAlert<'_>) -> Result<Alert, String> {
        if let Some(field) = raw.twice {
            return Err(format!("`{field}` stands twice"));
        }
        let labels = raw.labels.unwrap_or_else(|| Ok(Default::default())).map_err(|p| format!("`labels` {p}"))?;
        if labels.is_empty() {
            return Err("`labels` is empty: an alert is known by its labels".to_owned());
        }
        let annotations =
            raw.annotations.unwrap_or_else(|| Ok(Default::default())).map_err(|p| format!("`annotations` {p}"))?;
        let starts_at = moment(raw.starts_at, "startsAt")?.filter(|time| !instant::is_zero(*time));
        let ends_at = moment(raw.ends_at, "endsAt")?;
        let status = self.status(raw.status, ends_at)?;
        let given = text_of(raw.fingerprint).and_then(|text| Fingerprint::parse(&text));
        let computed = labels.fingerprint();
        let fingerprint = match given {
            Some(given) if self.trusts_fingerprint => given,
            Some(given) if given != computed => {
                tracing::debug!(%given, %computed, "the sender's fingerprint does not fit the labels; the computed one counts");
                computed
            }
            Some(_) | None => computed,
        };
        let ends_at = match status {
            AlertStatus::Firing => None,
            AlertStatus::Resolved => Some(ends_at.filter(|time| !instant::is_zero(*time)).unwrap_or(self.now)),
        };
        let generator_url = text_of(raw.generator_url).filter(|url| url.len() <= VALUE_LEN_MAX).unwrap_or_default();
        Ok(Alert { fingerprint, status, labels, annotations, starts_at, ends_at, generator_url: generator_url.into() })
    }

    /// The alert's own word; else its end; else the group's word, which then can only speak of this alert.
    fn status(&self, raw: Raw<'_>, ends_at: Option<DateTime<Utc>>) -> Result<AlertStatus, String> {
        match (text_of(raw).filter(|word| !word.is_empty()), ends_at) {
            (Some(word), _) => status_word(&word)
                .ok_or_else(|| format!("`status` is {:?}, neither firing nor resolved", clip(&word, 80))),
            (None, Some(end)) if instant::is_zero(end) || self.now < end => Ok(AlertStatus::Firing),
            (None, Some(_past)) => Ok(AlertStatus::Resolved),
            (None, None) => Ok(self.group_status.unwrap_or(AlertStatus::Firing)),
        }
    }
}

fn status_word(word: &str) -> Option<AlertStatus> {
    match word {
        "firing" => Some(AlertStatus::Firing),
        "resolved" => Some(AlertStatus::Resolved),
        _ => None,
    }
}

/// A field's text; `None` if it is absent, null or nothing that could be a text.
fn text_of(raw: Raw<'_>) -> Option<std::borrow::Cow<'_, str>> {
    Scalar::of(raw?).into_text()
}

fn moment(raw: Raw<'_>, field: &str) -> Result<Option<DateTime<Utc>>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let wrong = || format!("`{field}` is {}, not an RFC 3339 time", clip(raw.get(), 80));
    match Scalar::of(raw) {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => instant::parse(&text).map(Some).ok_or_else(wrong),
        Scalar::Literal(_) | Scalar::Nested | Scalar::Broken => Err(wrong()),
    }
}

/// Undoes Go's `regexp.QuoteMeta`, through which Alertmanager sends the receiver's name.
fn unescape(quoted: &str) -> Arc<str> {
    let quoted = clip(quoted, 1024);
    if !quoted.contains('\\') {
        return quoted.into();
    }
    let mut name = String::with_capacity(quoted.len());
    let mut letters = quoted.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.peek() {
            Some(next) if letter == '\\' && r"\.+*?()|[]{}^$".contains(*next) => name.extend(letters.next()),
            Some(_) | None => name.push(letter),
        }
    }
    name.into()
}

/// At most `len_max` bytes of a text, cut between characters.
pub(super) fn clip(text: &str, len_max: usize) -> &str {
    if text.len() <= len_max {
        return text;
    }
    (0..=len_max).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}
