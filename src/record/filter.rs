//! Which records are wanted: a time span, and conditions written as matchers over the record's own members.
//!
//! A member of the line is named as in the line, a nested one with dots: `kind`, `inc`, `reason`, `labels.severity`,
//! `target.name`. Two short names are added because people use them most: `target` for `target.name` and `alertname`
//! for `labels.alertname`. A missing member reads as `""`, as everywhere with matchers. Read [`LogFilter`] first.

use super::header::Header;
use super::text::Key;
use crate::model::label::Labels;
use crate::model::matcher::{BadMatcher, MatchOp, Matcher, parse_matchers};
use chrono::{DateTime, Utc};
use memchr::memmem;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A choice of records.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    matchers: Vec<Matcher>,
    needles: Vec<memmem::Finder<'static>>,
    wanted: Vec<Wanted>,
}

/// A member that a matcher asks for.
#[derive(Clone, Debug)]
struct Wanted {
    /// How the matcher calls it.
    name: Box<str>,
    /// Where it stands in the line.
    path: Box<str>,
}

impl LogFilter {
    /// A filter that all of these must let pass; `since` is included, `until` is not.
    #[must_use]
    pub fn new(matchers: Vec<Matcher>, since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Self {
        let needles = matchers.iter().filter_map(needle).collect();
        let wanted = matchers.iter().flat_map(|matcher| wanted(&matcher.name)).collect();
        Self { since, until, matchers, needles, wanted }
    }

    /// Reads matchers such as `kind="decision"` or `playbook=~"web.*"`; one text may hold several.
    ///
    /// # Errors
    /// [`BadMatcher`] for the first text that is not a matcher.
    pub fn parse(
        texts: &[String],
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Self, BadMatcher> {
        let mut matchers = Vec::new();
        for text in texts {
            matchers.extend(parse_matchers(text)?.matchers);
        }
        Ok(Self::new(matchers, since, until))
    }

    /// Whether a line is wanted. A line that is not a record is not.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        let Ok(header) = Header::of(line) else { return false };
        let wall = header.at.wall;
        let in_time = self.since.is_none_or(|since| since <= wall) && self.until.is_none_or(|until| wall < until);
        in_time && self.members_match(line)
    }

    fn members_match(&self, line: &[u8]) -> bool {
        if self.matchers.is_empty() {
            return true;
        }
        // An equal value stands in the line as it is, so most lines are told apart without parsing them.
        if self.needles.iter().any(|needle| needle.find(line).is_none()) {
            return false;
        }
        let mut found = Vec::new();
        let mut parser = serde_json::Deserializer::from_slice(line);
        let pick = Pick { wanted: &self.wanted, path: String::new(), found: &mut found };
        if pick.deserialize(&mut parser).is_err() {
            return false;
        }
        let members: Labels = found.into_iter().collect();
        self.matchers.iter().all(|matcher| matcher.matches(&members))
    }
}

/// What must stand somewhere in every line that satisfies the matcher.
fn needle(matcher: &Matcher) -> Option<memmem::Finder<'static>> {
    let MatchOp::Equal(value) = &matcher.op else { return None };
    let verbatim = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    (verbatim && !value.is_empty()).then(|| memmem::Finder::new(value.as_bytes()).into_owned())
}

fn wanted(name: &str) -> Vec<Wanted> {
    let paths: &[&str] = match name {
        "target" => &["target", "target.name"],
        "alertname" => &["labels.alertname"],
        _ => &[name],
    };
    paths.iter().map(|path| Wanted { name: name.into(), path: (*path).into() }).collect()
}

/// Walks a JSON value and keeps the wanted scalars; everything else is skipped without being built.
struct Pick<'f> {
    wanted: &'f [Wanted],
    path: String,
    found: &'f mut Vec<(Box<str>, Box<str>)>,
}

impl Pick<'_> {
    fn keep(self, value: &dyn fmt::Display) {
        for wanted in self.wanted.iter().filter(|wanted| *wanted.path == self.path) {
            self.found.push((wanted.name.clone(), value.to_string().into()));
        }
    }

    fn leads_on(&self, path: &str) -> bool {
        self.wanted
            .iter()
            .any(|wanted| wanted.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.keep(&text);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.keep(&number);
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.keep(&number);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        self.keep(&number);
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<(), E> {
        self.keep(&flag);
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = members.next_key::<Key<'de>>()? {
            let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path).into() };
            if self.leads_on(&path) {
                let inner = Pick { wanted: self.wanted, path: path.into_owned(), found: &mut *self.found };
                members.next_value_seed(inner)?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"v":1,"seq":3,"ts":"2026-01-05T10:00:07.121900Z","up_ms":86407121,"boot":"5f0c2b1e","log":"a1b2c3d4","#,
        r#""kind":"decision","inc":"i12","playbook":"web-restart","result":"refused","reason":"cooldown","#,
        r#""retry_after_ms":5000,"target":{"name":"web-1","id":"ab"},"labels":{"alertname":"Down","a.b":"c"},"#,
        r#""list":[{"kind":"x"}],"dry_run":true,"prev":"00","hash":"00"}"#
    );

    fn matches(texts: &[(&str, bool, &str)]) -> bool {
        let matchers = texts.iter().map(|(name, equal, value)| {
            let value = (*value).to_owned();
            let op = if *equal { MatchOp::Equal(value) } else { MatchOp::NotEqual(value) };
            Matcher { name: (*name).to_owned(), op }
        });
        LogFilter::new(matchers.collect(), None, None).matches(LINE.as_bytes())
    }

    #[test]
    fn members_are_matched_by_their_names_in_the_line() {
        for (name, value) in [
            ("kind", "decision"),
            ("seq", "3"),
            ("inc", "i12"),
            ("reason", "cooldown"),
            ("retry_after_ms", "5000"),
            ("target", "web-1"),
            ("target.name", "web-1"),
            ("target.id", "ab"),
            ("alertname", "Down"),
            ("labels.alertname", "Down"),
            ("labels.a.b", "c"),
            ("dry_run", "true"),
            ("verdict", ""),
        ] {
            assert!(matches(&[(name, true, value)]), "{name}");
            assert!(!matches(&[(name, false, value)]), "{name}");
            assert!(!matches(&[(name, true, "other")]), "{name}");
        }
        assert!(matches(&[("kind", true, "decision"), ("reason", false, "busy")]));
        assert!(!matches(&[("kind", true, "decision"), ("reason", false, "cooldown")]));
        assert!(!matches(&[("target", true, "decision")]), "a value of another member is not enough");
    }

    #[test]
    fn time_is_a_half_open_span() {
        let moment = |text: &str| Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        for (since, until, want) in [
            (None, None, true),
            (moment("2026-01-05T10:00:07.121900Z"), None, true),
            (moment("2026-01-05T10:00:07.121901Z"), None, false),
            (None, moment("2026-01-05T10:00:07.121900Z"), false),
            (None, moment("2026-01-05T10:00:07.121901Z"), true),
        ] {
            assert_eq!(LogFilter::new(Vec::new(), since, until).matches(LINE.as_bytes()), want);
        }
        assert!(!LogFilter::default().matches(b"{}"));
    }
}
