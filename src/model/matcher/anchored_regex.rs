//! A regular expression as Alertmanager uses it: Go's syntax, the whole text, linear time.

use crate::model::go_regex::{BadRegex, NESTING_MAX, translate};
use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Compiled form of one pattern, in bytes. `\pL{1000}` needs more and is refused.
const COMPILED_MAX: usize = 4 << 20;

/// Cache of one pattern while it matches, in bytes; past it the engine is slower, not wrong.
const CACHE_MAX: usize = 1 << 20;

/// A Go regular expression, anchored at both ends.
#[derive(Clone, Debug)]
pub struct AnchoredRegex {
    source: String,
    regex: Regex,
}

impl AnchoredRegex {
    /// Compiles `^(?:source)$`.
    ///
    /// # Errors
    /// [`BadRegex`] if Go would reject it or it grows too large.
    pub fn new(source: &str) -> Result<Self, BadRegex> {
        // Flags within the source end with the group, so the anchors are those of the text, whatever `(?m)` says.
        let regex = RegexBuilder::new(&format!("^(?:{})$", translate(source)?))
            .size_limit(COMPILED_MAX)
            .dfa_size_limit(CACHE_MAX)
            .nest_limit(NESTING_MAX)
            .build()
            .map_err(|error| BadRegex::new(problem(&error), source))?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Whether there is certainly no text that matches, as with `a$b`. Where it cannot tell, it says no.
    #[must_use]
    pub fn matches_nothing(&self) -> bool {
        self.parsed().is_some_and(|parsed| is_impossible(&parsed))
    }

    /// How much larger the compiled form is than the text: ranges of characters, with all their repetitions. What is
    /// written out character by character counts nothing.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.parsed().map_or(0, |parsed| weight_of(&parsed).saturating_sub(4 * self.source.len()))
    }

    /// The parts of the pattern. It was compiled, so it can be parsed again.
    fn parsed(&self) -> Option<Hir> {
        let translated = translate(&self.source).ok()?;
        ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(&translated).ok()
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Ranges and bytes that a part of a pattern becomes.
fn weight_of(part: &Hir) -> usize {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(text) => text.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Repetition(again) => {
            let times = usize::try_from(again.max.unwrap_or(again.min).max(1)).unwrap_or(usize::MAX);
            weight_of(&again.sub).saturating_mul(times)
        }
        HirKind::Capture(group) => weight_of(&group.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(weight_of).fold(1, usize::saturating_add)
        }
    }
}

/// Whether a part of a pattern matches at no place of any text.
fn is_impossible(part: &Hir) -> bool {
    let takes = part.properties().minimum_len();
    match part.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => takes.is_none(),
        HirKind::Repetition(Repetition { min: 0, .. }) => false,
        HirKind::Repetition(again) => {
            let twice = [&*again.sub, &*again.sub];
            is_impossible(&again.sub) || (1 < again.min && beyond_the_ends(twice.into_iter()))
        }
        HirKind::Capture(group) => is_impossible(&group.sub),
        HirKind::Alternation(choices) => choices.iter().all(is_impossible),
        HirKind::Concat(parts) => parts.iter().any(is_impossible) || beyond_the_ends(parts.iter()),
    }
}

/// Whether the beginning of the text is demanded after a character, or its end before one.
fn beyond_the_ends<'h>(parts: impl DoubleEndedIterator<Item = &'h Hir> + Clone) -> bool {
    let taken = |part: &Hir| part.properties().minimum_len().unwrap_or_default();
    let mut before = 0;
    let starts_late = parts.clone().any(|part| {
        let late = 0 < before && part.properties().look_set_prefix().contains(Look::Start);
        before += taken(part);
        late
    });
    let mut after = 0;
    let ends_early = parts.rev().any(|part| {
        let early = 0 < after && part.properties().look_set_suffix().contains(Look::End);
        after += taken(part);
        early
    });
    starts_late || ends_early
}

/// Why a translated pattern does not compile. Its syntax is right, so only a limit can be the reason.
fn problem(error: &regex::Error) -> &'static str {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        "expression too large"
    } else {
        "expression nests too deeply"
    }
}

/// Two expressions are the same if they are written the same.
impl PartialEq for AnchoredRegex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for AnchoredRegex {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_no_text_can_match_is_told_and_only_such_a_one() {
        let says = |source: &str| AnchoredRegex::new(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        for source in [
            "a$b",
            "a^b",
            ".*$x",
            "x^.*",
            "web-$[0-9]+",
            "(a$)b",
            "a(^b|^c)",
            "(a$b)+",
            "(a$){2}",
            "(^a){2,3}",
            "a$b|c^d",
            "x(a$b)y",
            "a\\zb",
            "a\\Ab",
            "(?i)A$b",
            "xa*^b",
            "b$c*d",
        ] {
            assert!(says(source).matches_nothing(), "{source}");
        }
        for (source, matched) in [
            ("^a$", "a"),
            ("a*^b", "b"),
            ("a$b*", "a"),
            ("a$b|c", "c"),
            ("(a$b)*", ""),
            ("(a$b)?c", "c"),
            ("(a|b$)c", "ac"),
            ("a\\$b", "a$b"),
            ("a[$^]b", "a^b"),
            ("^^a$$", "a"),
            ("(a$){1}", "a"),
            ("(?m)a$\\n^b", "a\nb"),
            ("", ""),
            ("a|", ""),
        ] {
            assert!(!says(source).matches_nothing() && says(source).is_match(matched), "{source}");
        }
    }
}
