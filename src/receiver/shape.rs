//! The JSON shape of a webhook body, read in one pass and without building a tree.
//!
//! A field of the wrong type becomes a problem of its alert and never ends the reading: only broken JSON does that.
//! Values stay the sender's own text ([`RawValue`]) until somebody needs them, so that a number keeps its digits and a
//! text without escapes is not copied. Nothing here recurses, whatever the nesting. [`Body`] is the type to read first.

use super::payload::{ALERTS_MAX, LABELS_MAX, NAME_LEN_MAX, VALUE_LEN_MAX, clip};
use crate::model::label::Labels;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A field as the sender wrote it; `None` if it is absent or null.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// The fields of a body that we look at.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) receiver: Raw<'a>,
    pub(super) status: Raw<'a>,
    pub(super) group_key: Raw<'a>,
    pub(super) version: Raw<'a>,
    pub(super) truncated_alerts: Raw<'a>,
    pub(super) alerts: AlertsField<'a>,
    /// A key that tells whose body it is, if it is not Alertmanager's.
    pub(super) telltale: Option<Telltale>,
}

/// A key at the top level that only another program writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Telltale {
    /// `evalMatches`, as Grafana's alerts had before version 9.
    EvalMatches,
    /// `@timestamp`, as Alertmanager's event recorder writes.
    Timestamp,
}

/// What stands under `alerts`.
#[derive(Default)]
pub(super) enum AlertsField<'a> {
    /// Nothing.
    #[default]
    Missing,
    /// Something that is not a list, or the key twice.
    Odd(&'static str),
    /// More than [`ALERTS_MAX`].
    TooMany(usize),
    /// A list; an element that is no object has its problem.
    List(Vec<Result<RawAlert<'a>, String>>),
}

/// One alert's fields, not yet judged.
#[derive(Default)]
pub(super) struct RawAlert<'a> {
    pub(super) status: Raw<'a>,
    pub(super) labels: Option<Result<Labels, String>>,
    pub(super) annotations: Option<Result<Labels, String>>,
    pub(super) starts_at: Raw<'a>,
    pub(super) ends_at: Raw<'a>,
    pub(super) generator_url: Raw<'a>,
    pub(super) fingerprint: Raw<'a>,
    /// A field that stands twice: which one counts is anybody's guess.
    pub(super) twice: Option<&'static str>,
}

/// A JSON value that should be a text.
pub(super) enum Scalar<'a> {
    /// `null`
    Null,
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A number, `true` or `false`, as written.
    Literal(&'a str),
    /// A list or an object.
    Nested,
    /// A string whose escapes make no text.
    Broken,
}

impl<'a> Scalar<'a> {
    pub(super) fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        if let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            if !inside.contains('\\') {
                return Self::Text(Cow::Borrowed(inside));
            }
            return serde_json::from_str(text).map_or(Self::Broken, |unescaped| Self::Text(Cow::Owned(unescaped)));
        }
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b'{' | b'[') => Self::Nested,
            _ => Self::Literal(text),
        }
    }

    /// The text, a number's digits or a truth value's word; `None` for anything else.
    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Literal(literal) => Some(Cow::Borrowed(literal)),
            Self::Null | Self::Nested | Self::Broken => None,
        }
    }
}

/// Reads a body.
pub(super) fn read(text: &str) -> serde_json::Result<Body<'_>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let body = Seed::<Body<'_>>::new().deserialize(&mut reader)?;
    reader.end()?;
    Ok(body)
}

/// A value that is read from an object or a list, and knows what it is when the JSON is something else.
trait Lenient<'de>: Sized {
    /// The value for JSON of another kind.
    fn odd(kind: &'static str) -> Self;

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::odd("an object"))
    }

    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::odd("a list"))
    }
}

/// Lets serde read any [`Lenient`] value.
struct Seed<T>(PhantomData<T>);

impl<T> Seed<T> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Lenient<'de>> Visitor<'de> for Seed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<T, E> {
        Ok(T::odd("a truth value"))
    }

    fn visit_i64<E: Error>(self, _value: i64) -> Result<T, E> {
        Ok(T::odd("a number"))
    }

    fn visit_u64<E: Error>(self, _value: u64) -> Result<T, E> {
        Ok(T::odd("a number"))
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<T, E> {
        Ok(T::odd("a number"))
    }

    fn visit_str<E: Error>(self, _value: &str) -> Result<T, E> {
        Ok(T::odd("a text"))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::odd("null"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::from_seq(seq)
    }
}

/// An object's key; borrowed where it has no escapes.
fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let Some(raw) = map.next_key::<&'de RawValue>()? else { return Ok(None) };
    Scalar::of(raw).into_text().map(Some).ok_or_else(|| A::Error::custom("a key has an invalid escape"))
}

impl<'de> Lenient<'de> for Body<'de> {
    fn odd(_kind: &'static str) -> Self {
        Self::default()
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut body = Self::default();
        let mut alerts_seen = false;
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "receiver" => body.receiver = map.next_value()?,
                "status" => body.status = map.next_value()?,
                "groupKey" => body.group_key = map.next_value()?,
                "version" => body.version = map.next_value()?,
                "truncatedAlerts" => body.truncated_alerts = map.next_value()?,
                "alerts" => {
                    let alerts = map.next_value_seed(Seed::new())?;
                    body.alerts = if alerts_seen { AlertsField::Odd("there twice") } else { alerts };
                    alerts_seen = true;
                }
                other => {
                    let telltale = match other {
                        "evalMatches" => Some(Telltale::EvalMatches),
                        "@timestamp" => Some(Telltale::Timestamp),
                        _ => None,
                    };
                    body.telltale = body.telltale.or(telltale);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(body)
    }
}

impl<'de> Lenient<'de> for AlertsField<'de> {
    fn odd(kind: &'static str) -> Self {
        Self::Odd(kind)
    }

    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut alerts = Vec::new();
        while alerts.len() < ALERTS_MAX {
            match seq.next_element_seed(Seed::new())? {
                Some(alert) => alerts.push(alert),
                None => return Ok(Self::List(alerts)),
            }
        }
        let mut count = alerts.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(if count > ALERTS_MAX { Self::TooMany(count) } else { Self::List(alerts) })
    }
}

impl<'de> Lenient<'de> for Result<RawAlert<'de>, String> {
    fn odd(kind: &'static str) -> Self {
        Err(format!("the alert is {kind}, not an object"))
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut alert = RawAlert::default();
        let mut seen = [false; 7];
        while let Some(key) = next_key(&mut map)? {
            let (place, name) = match &*key {
                "status" => (0, "status"),
                "labels" => (1, "labels"),
                "annotations" => (2, "annotations"),
                "startsAt" => (3, "startsAt"),
                "endsAt" => (4, "endsAt"),
                "generatorURL" => (5, "generatorURL"),
                "fingerprint" => (6, "fingerprint"),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if seen.get_mut(place).is_some_and(|seen| std::mem::replace(seen, true)) {
                alert.twice = Some(name);
            }
            match name {
                "labels" => alert.labels = map.next_value_seed(Seed::<LabelsField>::new())?.0,
                "annotations" => alert.annotations = map.next_value_seed(Seed::<LabelsField>::new())?.0,
                "status" => alert.status = map.next_value()?,
                "startsAt" => alert.starts_at = map.next_value()?,
                "endsAt" => alert.ends_at = map.next_value()?,
                "generatorURL" => alert.generator_url = map.next_value()?,
                _ => alert.fingerprint = map.next_value()?,
            }
        }
        Ok(Ok(alert))
    }
}

/// A label set, its problem, or `None` for null.
struct LabelsField(Option<Result<Labels, String>>);

impl<'de> Lenient<'de> for LabelsField {
    fn odd(kind: &'static str) -> Self {
        Self((kind != "null").then(|| Err(format!("is {kind}, not an object"))))
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut pairs: Vec<(Cow<'de, str>, Cow<'de, str>)> = Vec::with_capacity(8);
        let mut problem = None;
        while let Some(name) = map.next_key::<&'de RawValue>()? {
            if problem.is_some() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&'de RawValue>()?;
            match pair(name, value) {
                Ok(_) if pairs.len() == LABELS_MAX => problem = Some(format!("holds more than {LABELS_MAX} entries")),
                Ok(pair) => pairs.push(pair),
                Err(wrong) => problem = Some(wrong),
            }
        }
        let labels = match problem {
            Some(problem) => Err(problem),
            None => Labels::from_pairs(pairs).map_err(|twice| format!("names {:?} twice", clip(&twice.0, 80))),
        };
        Ok(Self(Some(labels)))
    }
}

/// One label or annotation.
fn pair<'de>(name: &'de RawValue, value: &'de RawValue) -> Result<(Cow<'de, str>, Cow<'de, str>), String> {
    let name = Scalar::of(name).into_text().ok_or("has a name with an invalid escape")?;
    if name.is_empty() {
        return Err("has an entry without a name".to_owned());
    }
    if name.len() > NAME_LEN_MAX {
        return Err(format!("has a name of {} bytes; at most {NAME_LEN_MAX} are read", name.len()));
    }
    let refuse = |wrong: &str| Err(format!("has {:?}, which {wrong}", clip(&name, 80)));
    let value = match Scalar::of(value) {
        Scalar::Text(text) => text,
        Scalar::Literal(literal) => {
            tracing::debug!(label.name = %clip(&name, 80), "a label's value is not a text; its JSON is taken as the text");
            Cow::Borrowed(literal)
        }
        Scalar::Null => Cow::Borrowed(""),
        Scalar::Nested => return refuse("is not a text"),
        Scalar::Broken => return refuse("has an invalid escape"),
    };
    if value.len() > VALUE_LEN_MAX {
        return refuse(&format!("is {} bytes long; at most {VALUE_LEN_MAX} are read", value.len()));
    }
    Ok((name, value))
}
