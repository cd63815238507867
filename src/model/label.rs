//! Label sets: sorted name/value pairs, as Prometheus and Alertmanager define them.
//!
//! A label that is absent and a label with an empty value mean the same, so empty values are dropped on construction.
//! Annotations have the same shape and use the same type. Read [`Labels`] first.

use std::fmt;

/// A set of labels (or annotations), sorted by name, each name once, no empty value; at most 4 GiB of text.
///
/// Names and values stand one after another in one text: thousands of alerts may be open, and each holds two sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    text: Box<str>,
    /// Where each name ends, and each value after it.
    ends: Box<[[u32; 2]]>,
}

/// A label name that stands twice in one set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the label {0:?} stands twice")]
pub struct DuplicateLabel(pub Box<str>);

impl Labels {
    /// Builds a set from pairs in any order; pairs with an empty value are dropped.
    ///
    /// # Errors
    /// [`DuplicateLabel`] if a name stands twice, whatever the values.
    pub fn from_pairs<S: AsRef<str>>(mut pairs: Vec<(S, S)>) -> Result<Self, DuplicateLabel> {
        if !pairs.is_sorted_by(|a, b| a.0.as_ref() < b.0.as_ref()) {
            pairs.sort_unstable_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
            let twice = pairs.windows(2).find_map(|pair| match pair {
                [(a, _), (b, _)] if a.as_ref() == b.as_ref() => Some(a.as_ref().into()),
                _ => None,
            });
            if let Some(twice) = twice {
                return Err(DuplicateLabel(twice));
            }
        }
        let pairs = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        Ok(Self::from_sorted(pairs.filter(|(_, value)| !value.is_empty())))
    }

    fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let len = pairs.clone().map(|(name, value)| name.len() + value.len()).sum();
        let mut text = String::with_capacity(len);
        let mut end = |part: &str| {
            text.push_str(part);
            u32::try_from(text.len()).unwrap_or(u32::MAX)
        };
        let ends = pairs.map(|(name, value)| [end(name), end(value)]).collect();
        Self { text: text.into_boxed_str(), ends }
    }

    /// The pair at this place in the order of names.
    fn pair(&self, index: usize) -> Option<(&str, &str)> {
        let [name_end, value_end] = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |[_, end]| *end);
        let part = |from: u32, to: u32| self.text.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?);
        Some((part(start, name_end)?, part(name_end, value_end)?))
    }

    /// The value of a label, or `None` if the set lacks it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        // Sets are small: a walk that stops early costs less than a search with its jumps.
        self.iter().take_while(|(known, _)| *known <= name).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value of a label, or `""` if the set lacks it: how matchers read it.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|index| self.pair(index).unwrap_or_default())
    }

    /// How many labels the set holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the set holds no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The fingerprint of the set: FNV-1a 64 over `name 0xFF value 0xFF …` in name order
    /// (prometheus/common v0.70.1, `model/signature.go`).
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        let part = |hash: u64, text: &str| step(text.bytes().fold(hash, step), 0xff);
        Fingerprint(self.iter().fold(OFFSET_BASIS, |hash, (name, value)| part(part(hash, name), value)))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    /// Collects pairs; of a name that stands twice the last one wins.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let sorted: std::collections::BTreeMap<&str, &str> =
            pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        Self::from_sorted(sorted.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>().into_iter())
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

/// The identity of an alert: the hash of its labels, printed as 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Reads 16 hex digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_the_one_alertmanager_computes() {
        let labels: Labels = [("alertname", "X"), ("i", "1")].into_iter().collect();
        assert_eq!(labels.fingerprint().to_string(), "b915815a9d04c3be");
        let labels: Labels =
            [("alertname", "M"), ("instance", "h:1"), ("name", "svc-1"), ("t", "mixed")].into_iter().collect();
        assert_eq!(labels.fingerprint().to_string(), "104971988ee40cb9");
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        let labels: Labels = [("a", ""), ("b", "x")].into_iter().collect();
        assert_eq!(labels.len(), 1);
        assert_eq!(labels.value("a"), "");
        assert_eq!(labels.get("a"), None);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let pair = |name: &'static str, value: &'static str| (name, value);
        let twice = Labels::from_pairs(vec![pair("b", "1"), pair("a", "1"), pair("b", "")]);
        assert_eq!(twice, Err(DuplicateLabel("b".into())));
        let sorted_twice = Labels::from_pairs(vec![pair("a", "1"), pair("a", "2")]);
        assert_eq!(sorted_twice, Err(DuplicateLabel("a".into())));
    }
}
