//! What a condition is asked about: typed values by root and field.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::{BTreeMap, HashMap};

use crate::model::duration::format_duration;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A stretch of time; may be negative.
    Span(TimeDelta),
    /// A point in time.
    Time(DateTime<Utc>),
    /// The container's labels.
    Texts(BTreeMap<String, String>),
    /// What a step left.
    Record(BTreeMap<&'static str, Value>),
}

/// All that is known, by root and field. A field that is absent has no value: to use it is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(BTreeMap<&'static str, BTreeMap<String, Value>>);

impl Given {
    /// Adds a root with those of its fields that have a value.
    pub fn record<N: Into<String>>(
        &mut self,
        root: &'static str,
        fields: impl IntoIterator<Item = (N, Option<Value>)>,
    ) {
        let known = fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
        self.0.entry(root).or_default().extend(known);
    }

    /// The value of `root.field`, of `target.labels.key` or of `steps.id.field`.
    pub(super) fn get(&self, path: &[String]) -> Option<Value> {
        let [root, field, key @ ..] = path else { return None };
        let value = self.0.get(root.as_str())?.get(field)?;
        match (value, key) {
            (Value::Texts(texts), [key]) => texts.get(key).cloned().map(Value::Text),
            (Value::Record(fields), [key]) => fields.get(key.as_str()).cloned(),
            (value, []) => Some(value.clone()),
            (
                Value::Bool(_)
                | Value::Int(_)
                | Value::Text(_)
                | Value::Span(_)
                | Value::Time(_)
                | Value::Texts(_)
                | Value::Record(_),
                _,
            ) => None,
        }
    }
}

impl Value {
    /// In words, for the record: durations in Prometheus' grammar, numbers in decimal digits.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Span(span) => {
                let minus = if *span < TimeDelta::zero() { "-" } else { "" };
                format!("{minus}{}", format_duration(span.abs().to_std().unwrap_or_default()))
            }
            Self::Time(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
            Self::Texts(texts) => format!("{} labels", texts.len()),
            Self::Record(fields) => format!("{} values", fields.len()),
        }
    }

    /// As CEL has it.
    pub(super) fn into_cel(self) -> cel::Value {
        match self {
            Self::Bool(value) => value.into(),
            Self::Int(value) => value.into(),
            Self::Text(text) => text.into(),
            Self::Span(span) => cel::Value::Duration(span),
            Self::Time(time) => cel::Value::Timestamp(time.fixed_offset()),
            Self::Texts(texts) => texts.into_iter().collect::<HashMap<String, String>>().into(),
            Self::Record(fields) => {
                let known = fields.into_iter().map(|(name, value)| (name.to_owned(), value.into_cel()));
                known.collect::<HashMap<String, cel::Value>>().into()
            }
        }
    }
}
