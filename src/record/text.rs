//! Free text and sets of texts within a record, and how they are cut when the record would grow too long.
//!
//! A record is written whole first. Only if that is longer than a record may be is it written again with a smaller
//! [`Cap`], so that ordinary records pay nothing. Read [`Text`] first.

use super::chain::Hash;
use crate::model::label::Labels;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::iter;

/// How much of a record's texts is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap {
    /// Longest text, in bytes, that stays whole.
    text: usize,
    /// Bytes spent on one set of texts before the rest of it is left out.
    set: usize,
}

impl Cap {
    /// Everything stays whole.
    pub(super) const NONE: Self = Self { text: usize::MAX, set: usize::MAX };

    /// What is tried, in this order, until the record is short enough.
    pub(super) const STEPS: [Self; 4] = [
        Self::NONE,
        Self { text: 8 * 1024, set: 32 * 1024 },
        Self { text: 2 * 1024, set: 12 * 1024 },
        Self { text: 512, set: 3 * 1024 },
    ];

    /// For the labels of a container in a look: whatever its owner wrote there, a record stays small.
    pub(super) const LOOK: Self = Self { text: 256, set: 4096 };

    /// Whether nothing smaller is tried after this.
    pub(super) fn is_smallest(self) -> bool {
        let [.., last] = Self::STEPS;
        self.text == last.text
    }

    fn cuts(self, text: &str) -> bool {
        self.text < text.len()
    }
}

/// One free text: whole, or what is left of it.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    /// All of it.
    Whole(Cow<'a, str>),
    /// Its beginning and its end.
    Cut { head: Cow<'a, str>, tail: Cow<'a, str>, sha256: String, len: usize },
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str, cap: Cap) -> Self {
        if !cap.cuts(text) {
            return Self::Whole(Cow::Borrowed(text));
        }
        let half = cap.text / 2;
        let (head, rest) = split_near(text, half);
        let (_, tail) = split_near(rest, rest.len().saturating_sub(half));
        let sha256 = Hash::of(text.as_bytes()).to_string();
        Self::Cut { head: Cow::Borrowed(head), tail: Cow::Borrowed(tail), sha256, len: text.len() }
    }

    /// The text, or what is left of it with a remark where the middle was.
    pub(super) fn into_string(self) -> String {
        match self {
            Self::Whole(text) => text.into_owned(),
            Self::Cut { head, tail, sha256, len } => {
                format!("{head} [… cut: {len} bytes, sha256 {sha256} …] {tail}")
            }
        }
    }

    pub(super) fn into_boxed(self) -> Box<str> {
        match self {
            Self::Whole(text) => text.into(),
            Self::Cut { .. } => self.into_string().into(),
        }
    }
}

/// Splits at the last character boundary that is not behind `at`.
fn split_near(text: &str, at: usize) -> (&str, &str) {
    (0..=at).rev().find_map(|at| text.split_at_checked(at)).unwrap_or(("", text))
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(text) => serializer.serialize_str(text),
            Self::Cut { head, tail, sha256, len } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("_cut", &true)?;
                map.serialize_entry("sha256", sha256)?;
                map.serialize_entry("len", len)?;
                map.serialize_entry("head", head)?;
                map.serialize_entry("tail", tail)?;
                map.end()
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a cut text")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Whole(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Whole(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        let (mut head, mut tail, mut sha256, mut len) = (String::new(), String::new(), String::new(), 0);
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match &*key.0 {
                "sha256" => sha256 = map.next_value()?,
                "len" => len = map.next_value()?,
                "head" => head = map.next_value()?,
                "tail" => tail = map.next_value()?,
                _ => drop(map.next_value::<de::IgnoredAny>()?),
            }
        }
        Ok(Text::Cut { head: head.into(), tail: tail.into(), sha256, len })
    }
}

/// A map's key, borrowed from the line where it stands there unescaped.
#[derive(serde::Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A label set, as an object.
#[derive(Clone, Debug)]
pub(super) struct LabelSet<'a>(pub(super) Cow<'a, Labels>, pub(super) Cap);

impl Serialize for LabelSet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_pairs(self.0.iter(), self.1, serializer)
    }
}

impl<'de> Deserialize<'de> for LabelSet<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = deserializer.deserialize_map(PairsVisitor::<Box<str>>(|text| text.into_boxed()))?;
        let labels = Labels::from_pairs(pairs).map_err(de::Error::custom)?;
        Ok(Self(Cow::Owned(labels), Cap::STEPS[0]))
    }
}

/// Pairs in their own order, as an object.
#[derive(Clone, Debug)]
pub(super) struct PairList<'a>(pub(super) Cow<'a, [(String, String)]>, pub(super) Cap);

impl Serialize for PairList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_pairs(self.0.iter().map(|(name, value)| (&**name, &**value)), self.1, serializer)
    }
}

impl<'de> Deserialize<'de> for PairList<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = deserializer.deserialize_map(PairsVisitor::<String>(|text| text.into_string()))?;
        Ok(Self(Cow::Owned(pairs), Cap::STEPS[0]))
    }
}

/// Writes pairs until the set's cap is spent; what is left out is named by one member with an empty name, which no label
/// can have.
fn write_pairs<'a, S: Serializer>(
    mut pairs: impl Iterator<Item = (&'a str, &'a str)>,
    cap: Cap,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    let mut spent = 0_usize;
    while let Some((name, value)) = pairs.next() {
        spent = spent.saturating_add(name.len()).saturating_add(value.len().min(cap.text));
        if cap.set < spent {
            map.serialize_entry("", &left_out(iter::once((name, value)).chain(pairs)))?;
            break;
        }
        map.serialize_entry(name, &Text::new(value, cap))?;
    }
    map.end()
}

fn left_out<'a>(rest: impl Iterator<Item = (&'a str, &'a str)>) -> Text<'static> {
    let (mut bytes, mut len) = (Vec::new(), 0);
    for (name, value) in rest {
        for part in [name, value] {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0xff);
        }
        len += 1;
    }
    Text::Cut { head: "".into(), tail: "".into(), sha256: Hash::of(&bytes).to_string(), len }
}

struct PairsVisitor<T>(fn(Text<'_>) -> T);

impl<'de, T> Visitor<'de> for PairsVisitor<T> {
    type Value = Vec<(T, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<(T, T)>, A::Error> {
        let mut pairs = Vec::with_capacity(12);
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let value = map.next_value::<Text<'de>>()?;
            if !key.0.is_empty() {
                pairs.push(((self.0)(Text::Whole(key.0)), (self.0)(value)));
            }
        }
        Ok(pairs)
    }
}

/// Evidence, cut where it is too long: long texts keep both ends, long lists their last entries.
pub(super) fn cut_evidence(evidence: &Value, cap: Cap) -> Cow<'_, Value> {
    let [whole, .., last] = Cap::STEPS;
    if cap.text == whole.text {
        return Cow::Borrowed(evidence);
    }
    let cut = cut_value(evidence, cap);
    let text = cut.to_string();
    if cap.text == last.text && 16 * 1024 < text.len() { Cow::Owned(as_value(&text, cap)) } else { Cow::Owned(cut) }
}

fn cut_value(value: &Value, cap: Cap) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => as_value(text, cap),
        Value::Array(items) => Value::Array(cut_list(items, cap)),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), cut_value(member, cap))).collect(),
    }
}

fn cut_list(items: &[Value], cap: Cap) -> Vec<Value> {
    let mut spent = 0;
    let mut kept: Vec<Value> = Vec::new();
    for (at, item) in items.iter().enumerate().rev() {
        let cut = cut_value(item, cap);
        spent += cut.to_string().len();
        if cap.set < spent {
            let text = Value::from(items.get(..=at).unwrap_or_default()).to_string();
            let sha256 = Hash::of(text.as_bytes()).to_string();
            kept.push(serde_json::json!({"_cut": true, "sha256": sha256, "len": at + 1}));
            break;
        }
        kept.push(cut);
    }
    kept.reverse();
    kept
}

fn as_value(text: &str, cap: Cap) -> Value {
    match Text::new(text, cap) {
        Text::Whole(text) => Value::from(text.into_owned()),
        Text::Cut { head, tail, sha256, len } => {
            serde_json::json!({"_cut": true, "sha256": sha256, "len": len, "head": head, "tail": tail})
        }
    }
}
