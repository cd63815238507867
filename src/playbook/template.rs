//! Text with alert values in it: minijinja, strict. An unknown name is an error, never an empty string.
//!
//! A template is checked once, when its playbook is loaded, and rendered with a bound on work and length. There are no
//! functions, includes or macros; filters, conditions and loops are there. Nothing is escaped here: whoever uses the
//! text knows what it must not become. Read [`Template::parse`] first.

use super::condition::names::known_elsewhere;
use super::dashed::{Dashed, dashed};
use super::go_template;
use super::template_growth::{bound_filters, is_growth, refuse_growth};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

/// Instructions one rendering may take.
const FUEL: u64 = 50_000;

/// The longest text a rendering may give, in bytes.
const OUTPUT_MAX: usize = 16 << 10;

/// The longest template, in bytes.
const SOURCE_MAX: usize = 64 << 10;

/// A template that parsed and names only what exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
}

/// Why a template does not parse or cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Byte range within the source, if known.
    pub span: Option<(usize, usize)>,
}

impl Template {
    /// Checks the syntax and that every top-level name is one of `roots`.
    ///
    /// # Errors
    /// [`TemplateError`] with the place.
    pub fn parse(source: &str, roots: &[&str]) -> Result<Self, TemplateError> {
        if SOURCE_MAX < source.len() {
            let message = format!("the template is longer than {SOURCE_MAX} bytes");
            return Err(TemplateError { message, span: None });
        }
        // Before anything else reads it: minijinja works out what is constant as it compiles.
        refuse_growth(source)?;
        let env = environment(UndefinedBehavior::Strict);
        let parsed = env.template_from_str(source).map_err(|error| unreadable(&error, source))?;
        let names = parsed.undeclared_variables(false);
        let mut unknown: Vec<UnknownName<'_>> = names
            .iter()
            .filter(|name| !roots.contains(&name.as_str()))
            .map(|name| UnknownName { span: place_of(name, source), name })
            .collect();
        // The names come in no order; people want the first one in the text.
        unknown.sort_unstable();
        if let Some(first) = unknown.first() {
            let refusal = subtraction(source).filter(|refusal| refusal.span < first.span || refusal.covers(first.span));
            return Err(refusal.unwrap_or_else(|| first.refusal(roots)));
        }
        if let Some(refusal) = subtraction(source) {
            return Err(refusal);
        }
        rehearse(source)?;
        Ok(Self { source: source.to_owned() })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text, if it is the same whatever the alert says.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        let rendered = ["{{", "{%", "{#"].iter().any(|opening| self.source.contains(opening));
        (!rendered).then_some(&*self.source)
    }

    /// The names it reads, with their plain attributes: `labels.instance`, `steps.restart.outcome`.
    #[must_use]
    pub fn references(&self) -> BTreeSet<String> {
        let env = environment(UndefinedBehavior::Strict);
        let parsed = env.template_from_str(&self.source);
        parsed.map(|parsed| parsed.undeclared_variables(true).into_iter().collect()).unwrap_or_default()
    }

    /// Fills in the values.
    ///
    /// # Errors
    /// [`TemplateError`] if a value is missing or the template does too much work.
    pub fn render(&self, values: &Value) -> Result<String, TemplateError> {
        self.render_in(&environment(UndefinedBehavior::Strict), values)
    }

    /// Fills in the values, each percent-encoded but for letters, digits, `-`, `.`, `_` and `~` (RFC 3986, 2.3).
    ///
    /// # Errors
    /// [`TemplateError`] as for [`Self::render`].
    pub(super) fn render_percent_encoded(&self, values: &Value) -> Result<String, TemplateError> {
        let mut env = environment(UndefinedBehavior::Strict);
        env.set_formatter(|output, state, value| {
            if value.is_undefined() {
                // The engine's own way says what is missing.
                return minijinja::escape_formatter(output, state, value);
            }
            for byte in value.to_string().bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    output.write_char(char::from(byte))?;
                } else {
                    write!(output, "%{byte:02X}")?;
                }
            }
            Ok(())
        });
        self.render_in(&env, values)
    }

    fn render_in(&self, env: &Environment<'_>, values: &Value) -> Result<String, TemplateError> {
        let mut output = CappedText::default();
        let rendered = env
            .template_from_str(&self.source)
            .and_then(|template| template.render_captured_to(values.clone(), &mut output).map(drop));
        if output.overflowed {
            let message =
                format!("the text is longer than {OUTPUT_MAX} bytes; shorten the values, for example with `[:200]`");
            return Err(TemplateError { message, span: None });
        }
        rendered.map_err(|error| TemplateError::new(&error))?;
        // Values are text and minijinja writes whole pieces of it, so nothing is lost here.
        Ok(String::from_utf8_lossy(&output.bytes).into_owned())
    }
}

impl TemplateError {
    fn covers(&self, span: Option<(usize, usize)>) -> bool {
        matches!((self.span, span), (Some(own), Some(other)) if own.0 <= other.0 && other.1 <= own.1)
    }

    fn new(error: &Error) -> Self {
        let kind = error.kind();
        let what = if kind == ErrorKind::UndefinedError { "a value is missing".to_owned() } else { kind.to_string() };
        let message = match error.detail() {
            _ if kind == ErrorKind::OutOfFuel => {
                format!("the template does too much work, more than {FUEL} instructions")
            }
            Some(detail) => format!("{what}: {detail}"),
            None if kind == ErrorKind::UndefinedError => format!("{what}; use `default(…)` where it may be"),
            None => what,
        };
        let span = error.range().map(|range| (range.start, range.end));
        Self { message, span }
    }
}

/// What cannot be parsed. Where the end is missing, the beginning is what to look at.
fn unreadable(error: &Error, source: &str) -> TemplateError {
    let plain = TemplateError::new(error);
    let opening = ["{{", "{%", "{#"].iter().filter_map(|opening| source.rfind(opening)).max();
    let unclosed = plain.message.contains("unexpected end of input");
    let span = opening.filter(|_| unclosed).map(|at| (at, at + 2)).or(plain.span);
    go_template::refusal(source).unwrap_or(TemplateError { span, ..plain })
}

/// An engine without functions and without escaping, bounded, that knows where errors are.
fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut env = Environment::new();
    bound_filters(&mut env);
    // `debug` would print every value there is, the others are not needed to write a sentence.
    for function in ["range", "dict", "namespace", "debug"] {
        env.remove_global(function);
    }
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_undefined_behavior(undefined);
    env.set_fuel(Some(FUEL));
    // Without this, a release build does not tell where an error is.
    env.set_debug(true);
    env
}

/// Renders once with no values, to find filters and tests that do not exist: minijinja looks them up only when it
/// comes to them. Any other error here says nothing, since the values are missing.
fn rehearse(source: &str) -> Result<(), TemplateError> {
    let env = environment(UndefinedBehavior::Chainable);
    let rendered = env
        .template_from_str(source)
        .and_then(|template| template.render_captured_to((), CappedText::default()).map(drop));
    match rendered {
        Err(error) if matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest) => {
            Err(go_template::refusal(source).unwrap_or_else(|| TemplateError::new(&error)))
        }
        Err(error) if is_growth(&error) => Err(TemplateError::new(&error)),
        _ => Ok(()),
    }
}

/// A name that is no root, ordered by its place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UnknownName<'a> {
    span: Option<(usize, usize)>,
    name: &'a str,
}

impl UnknownName<'_> {
    fn refusal(&self, roots: &[&str]) -> TemplateError {
        let name = self.name;
        let distance = |root: &&&str| strsim::damerau_levenshtein(name, root);
        let near = roots.iter().min_by_key(distance).filter(|root| distance(root) <= 1 + name.len() / 4);
        let hint = match (known_elsewhere(name), near) {
            (Some(where_known), _) => where_known.to_owned(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) if ["target", "diagnosis"].contains(&name) => {
                "the playbook has no `target`: say which container is meant, or leave this out".to_owned()
            }
            (None, None) => format!("known here: {}", roots.join(", ")),
        };
        TemplateError { message: format!("unknown name `{name}`; {hint}"), span: self.span }
    }
}

/// Where a name first stands as a word of its own within a tag. The engine's list of names has no places.
fn place_of(name: &str, source: &str) -> Option<(usize, usize)> {
    let at = tags(source).find_map(|(start, tag)| Some(start + word_in(name, tag)?))?;
    Some((at, at + name.len()))
}

/// A label with a dash in its name, behind a dot. What is no tag, though it looks like one, could say that too.
fn subtraction(source: &str) -> Option<TemplateError> {
    let is_plain = !source.contains("{#") && !source.contains("raw");
    let mut names = tags(source).filter(|_| is_plain).flat_map(|(start, tag)| {
        let moved = move |name: Dashed<'_>| TemplateError {
            message: format!("{}; {}", name.message(), name.hint('\'')),
            span: Some((start + name.span.0, start + name.span.1)),
        };
        dashed(tag).into_iter().map(moved)
    });
    names.next()
}

/// The tags `{{ … }}` and `{% … %}`, each with where it begins.
fn tags(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut search_from = 0;
    std::iter::from_fn(move || {
        let start = search_from + first_of(["{{", "{%"], source.get(search_from..)?)?;
        let rest = source.get(start..)?;
        let length = first_of(["}}", "%}"], rest).map_or(rest.len(), |end| end + 2);
        search_from = start + length;
        Some((start, rest.get(..length)?))
    })
}

/// Where the first of two marks stands.
fn first_of(marks: [&str; 2], text: &str) -> Option<usize> {
    marks.iter().filter_map(|mark| text.find(mark)).min()
}

/// Where the name stands in the tag, but for attributes (`labels.name`) and longer words.
fn word_in(name: &str, tag: &str) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    tag.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = tag.get(..*at).and_then(|before| before.chars().next_back());
        let after = tag.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(|c| word(c) || matches!(c, '.' | '"' | '\'')) && !after.is_some_and(word)
    })
}

/// A text that stops taking more when it is full.
#[derive(Default)]
struct CappedText {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl io::Write for CappedText {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if OUTPUT_MAX - self.bytes.len() < piece.len() {
            self.overflowed = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    const ROOTS: [&str; 4] = ["labels", "annotations", "alert", "steps"];

    fn values() -> Value {
        context! {
            labels => context! { container => "web-1", instance => "h:9100", html => "<b>&", depth => "5" },
            annotations => context! { summary => "web is down" },
            alert => context! { status => "firing" },
            steps => context! { restart => context! { outcome => "ok" } },
        }
    }

    #[test]
    fn values_are_filled_in_unescaped() {
        for (source, text) in [
            ("plain", "plain"),
            ("", ""),
            ("{{ labels.container }}", "web-1"),
            ("{{ labels['container'] }} is {{ alert.status }}", "web-1 is firing"),
            ("{{ labels.html }}", "<b>&"),
            ("{{ labels.html|tojson }}", "\"\\u003cb\\u003e\\u0026\""),
            ("{{ annotations.summary|upper }}", "WEB IS DOWN"),
            ("{{ labels.missing|default('-') }}", "-"),
            ("{% if labels.missing is defined %}a{% else %}b{% endif %}", "b"),
            ("{% for name in labels %}{{ name }} {% endfor %}", "container instance html depth "),
            ("{% set c = labels.container %}{{ c }}", "web-1"),
            ("{# range debug #}{{ steps.restart.outcome }}", "ok"),
            ("{% raw %}{{ nothing }}{% endraw %}", "{{ nothing }}"),
            ("🙂 {{ labels.container[:3] }}", "🙂 web"),
        ] {
            let template = Template::parse(source, &ROOTS).unwrap_or_else(|error| panic!("{source}: {error}"));
            let rendered = template.render(&values()).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(rendered, text, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_rendered_is_refused_at_check_with_its_place() {
        for (source, part, blamed) in [
            ("{{ lables.container }}", "did you mean `labels`?", "lables"),
            ("🙂 lables {{ labels.lables }}{{ lables }}", "unknown name `lables`", "lables"),
            ("{{ b }}{{ a }}", "unknown name `b`", "b"),
            ("{{ password }}", "known here: labels, annotations, alert, steps", "password"),
            ("{{ range(3) }}", "unknown name `range`", "range"),
            ("{{ debug() }}", "unknown name `debug`", "debug"),
            ("{{ labels.x|nosuch }}", "unknown filter", "nosuch"),
            ("{% if labels is nosuch %}{% endif %}", "unknown test", "nosuch"),
            ("{{ labels.x", "syntax error", ""),
            ("{% if labels %}", "syntax error", ""),
            ("{{ labels. }}", "syntax error", ""),
            ("{% include 'x' %}", "syntax error: unknown statement include", "include"),
            ("{% import 'x' as x %}", "syntax error", "import"),
            ("{% extends 'x' %}", "syntax error", "extends"),
            ("{% block x %}{% endblock %}", "syntax error", "block"),
            ("{% macro x() %}{% endmacro %}", "syntax error", "macro"),
            ("{% call x() %}{% endcall %}", "syntax error", "call"),
        ] {
            let error = Template::parse(source, &ROOTS).expect_err(source);
            assert!(error.message.contains(part), "{source}: {error}");
            let (start, end) = error.span.unwrap_or_else(|| panic!("{source} has no span: {error}"));
            let text = source.get(start..end).unwrap_or_else(|| panic!("{source}: {start}..{end}"));
            assert!(blamed.is_empty() || text == blamed, "{source}: {text:?}, not {blamed:?}");
        }
        let long = "x".repeat(SOURCE_MAX + 1);
        assert!(Template::parse(&long, &ROOTS).is_err());
    }

    #[test]
    fn a_missing_value_is_an_error_and_never_an_empty_text() {
        for source in ["{{ labels.missing }}", "{{ labels.missing.deeper }}", "{{ labels.missing|upper }}"] {
            let error = Template::parse(source, &ROOTS).unwrap().render(&values()).expect_err(source);
            assert!(error.message.starts_with("a value is missing"), "{source}: {error}");
            assert!(error.span.is_some(), "{source}");
        }
    }

    #[test]
    fn work_and_length_are_bounded() {
        let loops =
            "{% for a in labels.long %}{% for b in labels.long %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}";
        let long = context! { labels => context! { long => "x".repeat(20_000), fits => "x".repeat(OUTPUT_MAX) } };
        let error = Template::parse(loops, &ROOTS).unwrap().render(&long).unwrap_err();
        assert!(error.message.contains("too much work"), "{error}");
        let render = |source: &str| Template::parse(source, &ROOTS).unwrap().render(&long);
        assert!(render("{{ labels.long }}").unwrap_err().message.contains("longer than 16384 bytes"));
        assert!(render("{{ labels.fits }}.").is_err());
        assert_eq!(render("{{ labels.fits }}").unwrap().len(), OUTPUT_MAX);
    }

    #[test]
    fn references_name_the_attributes_too() {
        let template = Template::parse("{{ labels.container }} {{ steps.restart.outcome }}", &ROOTS).unwrap();
        assert_eq!(Vec::from_iter(template.references()), ["labels.container", "steps.restart.outcome"]);
    }
}
