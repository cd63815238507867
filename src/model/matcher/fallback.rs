//! Which grammar counts: Alertmanager's default since 0.27.
//!
//! Both grammars read every text. If only one accepts it, that one counts; if both do and disagree, the classic one
//! counts. Whoever wrote a text that is not read as UTF-8 is told what to write instead.

use super::condition::{BadMatcher, Matcher};
use super::{classic, utf8};

/// What reading a list of matchers gave.
#[derive(Clone, Debug)]
pub struct ParsedMatchers {
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// Alertmanager's two warnings about fallback and disagreement.
    pub warnings: Vec<String>,
}

/// Reads one entry of a `matchers:` list, which may hold several matchers: UTF-8 first, then classic, as
/// Alertmanager 0.27+ does by default.
///
/// # Errors
/// [`BadMatcher`] if neither parser accepts it.
pub fn parse_matchers(text: &str) -> Result<ParsedMatchers, BadMatcher> {
    choose(text, utf8::parse(text), classic::parse_list(text))
}

/// What reading exactly one matcher gave.
#[derive(Clone, Debug)]
pub struct ParsedMatcher {
    /// The matcher.
    pub matcher: Matcher,
    /// As in [`ParsedMatchers`].
    pub warnings: Vec<String>,
}

/// Reads exactly one matcher, as a filter on the command line: braces and a second matcher are refused.
///
/// Alertmanager reads `foo=bar,baz=qux` here as one matcher with the value `bar,baz=qux`; nobody means that, so it is
/// refused as two matchers.
///
/// # Errors
/// [`BadMatcher`] if neither parser accepts it, or if it is not one matcher.
pub fn parse_one_matcher(text: &str) -> Result<ParsedMatcher, BadMatcher> {
    let refuse = |message: String| BadMatcher { message, span: None };
    if text.starts_with('{') || text.ends_with('}') {
        return Err(refuse(format!("unexpected open or close brace: {text}")));
    }
    let ParsedMatchers { mut matchers, warnings } = parse_matchers(text)?;
    match (matchers.pop(), matchers.len()) {
        (None, _) => Err(refuse("no matchers, expected one such as alertname=\"X\"".to_owned())),
        (Some(matcher), 0) => Ok(ParsedMatcher { matcher, warnings }),
        (Some(_), others) => {
            let found = others + 1;
            Err(refuse(format!(
                "expected 1 matcher, found {found}: give each one on its own, with its value in quotes"
            )))
        }
    }
}

fn choose(
    text: &str,
    utf8: Result<Vec<Matcher>, BadMatcher>,
    classic: Result<Vec<Matcher>, BadMatcher>,
) -> Result<ParsedMatchers, BadMatcher> {
    match (utf8, classic) {
        (Err(utf8), Err(classic)) => Err(both_refuse(utf8, &classic)),
        (Ok(matchers), Err(_)) => Ok(ParsedMatchers { matchers, warnings: Vec::new() }),
        (Err(refusal), Ok(matchers)) => {
            let warning = format!(
                "`{text}` is not in the UTF-8 matchers syntax ({refusal}) and was read with the classic matchers parser as \
                 a fallback; double-quote all values and regular expressions, suggestion: `{}`",
                written(&matchers)
            );
            Ok(ParsedMatchers { matchers, warnings: vec![warning] })
        }
        (Ok(utf8), Ok(matchers)) if utf8 != matchers => {
            let warning = format!(
                "matchers input has disagreement: `{text}` is `{}` to the classic matchers parser, which counts, and `{}` to \
                 the UTF-8 one; write the one that is meant",
                written(&matchers),
                written(&utf8)
            );
            Ok(ParsedMatchers { matchers, warnings: vec![warning] })
        }
        (Ok(matchers), Ok(_)) => Ok(ParsedMatchers { matchers, warnings: Vec::new() }),
    }
}

/// Joins the two refusals: the classic one says what kind of text it is, the UTF-8 one where it goes wrong.
fn both_refuse(utf8: BadMatcher, classic: &BadMatcher) -> BadMatcher {
    if utf8.message == classic.message {
        return utf8;
    }
    BadMatcher { message: format!("{} ({})", classic.message, utf8.message), span: utf8.span }
}

fn written(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
