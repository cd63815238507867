//! A text into a CEL expression, or what is wrong with it and where.
//!
//! The size is bounded here: what is nested too deeply would exhaust the stack when it is answered, and that ends the
//! process, not the check. Of the library's two parsers this uses the one that is not generated: the other one exhausts
//! two megabytes of stack at a dozen brackets.

use super::depth::too_deep;
use cel::common::ast::{Expr, SourceInfo};
use cel::parser::PrattParser;
use cel::{IdedExpr, ParseErrors};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The longest condition, in bytes.
pub(super) const LENGTH_MAX: usize = 1024;

/// Brackets within brackets with the signs before them, and expressions within expressions. Chains of `&&` and `||` are
/// one level.
pub(super) const NESTING_MAX: usize = 32;

/// One thing that is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Byte range within the condition, if known.
    pub span: Option<(usize, usize)>,
}

impl Flaw {
    pub(super) fn new(message: impl Into<String>, span: Option<(usize, usize)>) -> Self {
        Self { message: message.into(), hint: None, span }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Compiles, within bounds.
pub(super) fn compile(source: &str) -> Result<IdedExpr, Flaw> {
    let too_large = |message: String, span: Option<(usize, usize)>| {
        Flaw::new(message, span).hint("split the playbook, or let Prometheus decide in the alert's expression")
    };
    if LENGTH_MAX < source.len() {
        return Err(too_large(format!("the condition has {} bytes; it may have {LENGTH_MAX}", source.len()), None));
    }
    let too_deep_words = || format!("the condition is nested more than {NESTING_MAX} levels deep");
    if let Some(deep) = too_deep(source, NESTING_MAX) {
        return Err(too_large(too_deep_words(), Some(deep)));
    }
    match parse(source) {
        Some(Ok(expr)) => match deeper_than(&expr, NESTING_MAX) {
            Some(deep) => Err(too_large(too_deep_words(), Places::of(source).span(deep, source))),
            None => Ok(expr),
        },
        Some(Err(errors)) if errors.errors.iter().any(|error| error.msg.contains("recursion limit")) => {
            Err(too_large(too_deep_words(), None))
        }
        Some(Err(errors)) => Err(explain(&errors, source)),
        None => Err(Flaw::new("this condition cannot be read", None)),
    }
}

/// The parser is young: a panic in it is a refusal here, not the end of the process.
fn parse(source: &str) -> Option<Result<IdedExpr, ParseErrors>> {
    catch_unwind(AssertUnwindSafe(|| PrattParser::default().parse(source))).ok()
}

/// The first expression that lies deeper than this. Goes without recursion: it is asked before anything else may.
fn deeper_than(root: &IdedExpr, limit: usize) -> Option<&IdedExpr> {
    let mut open: Vec<(&IdedExpr, usize)> = vec![(root, 1)];
    while let Some((expr, depth)) = open.pop() {
        if limit < depth {
            return Some(expr);
        }
        match &expr.expr {
            Expr::Call(call) => {
                let parts = call.target.iter().map(|target| &**target).chain(&call.args);
                open.extend(parts.map(|part| (part, depth + 1)));
            }
            Expr::Select(select) => open.push((&select.operand, depth + 1)),
            Expr::List(list) => open.extend(list.elements.iter().map(|element| (element, depth + 1))),
            // These are refused as a whole.
            Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) => {}
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
    None
}

/// The first error, in few words: the others follow from it.
fn explain(errors: &ParseErrors, source: &str) -> Flaw {
    let Some(first) = errors.errors.first() else { return Flaw::new("this is not a condition", None) };
    let message =
        first.msg.trim_start_matches("Syntax error: ").replace("'<EOF>'", "the end").replace("<EOF>", "the end");
    let at = offset_of(first.pos, source);
    let flaw = Flaw::new(format!("this is not a condition: {message}"), Some(word_at(source, at)));
    let rest = source.get(at..).unwrap_or_default();
    if rest.starts_with("=~")
        || source.get(..at).is_some_and(|before| before.ends_with(['=', '!']) && rest.starts_with('~'))
    {
        return flaw.hint("a condition has no regexes: write a matcher, or `labels.NAME.startsWith(\"…\")`");
    }
    if source.get(..at).is_some_and(|before| before.contains('{')) && !source.contains("{{") {
        return flaw
            .hint("this is PromQL: a condition sees `labels`, `annotations`, `alert` and `target`, and no metrics");
    }
    if rest.starts_with('=') {
        return flaw.hint("compare with `==`");
    }
    if rest.starts_with(['\'', '"']) {
        return flaw.hint("a text ends with the quote it began with, and a backslash in it is written twice");
    }
    if first.msg.contains("trailing characters") {
        let word: String = rest.chars().take_while(|c| is_letter(*c)).collect();
        return flaw.hint(format!("a length of time is written duration(\"{word}\")"));
    }
    if rest.starts_with(['“', '”', '„', '‘', '’']) {
        return flaw.hint("these are typographic quotes: write \" or '");
    }
    if ["and", "or", "not"].iter().any(|word| rest.starts_with(word)) {
        return flaw.hint("write `&&` for and, `||` for or, `!` for not");
    }
    flaw.hint("conditions are written in CEL, such as: target.state == \"running\" && alert.age > duration(\"2m\")")
}

/// The byte offset of a line and a column in bytes, both from 1.
fn offset_of((line, column): (isize, isize), source: &str) -> usize {
    let index = |number: isize| usize::try_from(number - 1).unwrap_or_default();
    let start: usize = source.split_inclusive('\n').take(index(line)).map(str::len).sum();
    (start + index(column)).min(source.len())
}

/// Where the parts of a condition stand.
pub(super) struct Places(Option<Arc<SourceInfo>>);

impl Places {
    /// The parser tells places only with an error, so it gets one: a bracket too many, behind everything else. It is
    /// asked only where something is wrong; without its answer the whole condition is marked.
    pub(super) fn of(source: &str) -> Self {
        let failed = parse(&format!("{source}\n)")).and_then(Result::err);
        Self(failed.and_then(|failed| failed.errors.into_iter().find_map(|error| error.source_info)))
    }

    /// The word of an expression that people would point at.
    pub(super) fn span(&self, expr: &IdedExpr, source: &str) -> Option<(usize, usize)> {
        let (start, stop) = self.0.as_ref()?.offset_for(expr.id)?;
        let (start, stop) = (usize::try_from(start).ok()?, usize::try_from(stop).ok()?);
        let (before, rest) = (source.get(..start)?, source.get(start..)?);
        match rest.chars().next()? {
            // A selection is marked by its dot: the field comes after it. A method is marked by its bracket.
            '.' => {
                let field = rest.get(1..)?;
                Some(word_at(source, start + 1 + (field.len() - field.trim_start().len())))
            }
            '(' => {
                let name = before.trim_end();
                let length: usize = name.chars().rev().take_while(|c| is_letter(*c)).map(char::len_utf8).sum();
                Some(if length == 0 { (start, stop) } else { (name.len() - length, name.len()) })
            }
            _ => Some((start, stop)),
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word that begins here, or the one sign.
fn word_at(source: &str, at: usize) -> (usize, usize) {
    let rest = source.get(at..).unwrap_or_default();
    let word: usize = rest.chars().take_while(|c| is_letter(*c)).map(char::len_utf8).sum();
    let length = if word == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { word };
    (at, at + length)
}
