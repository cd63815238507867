//! How much text a template may make on its way: what multiplies it is refused or bounded.
//!
//! minijinja counts steps and not bytes, and `{% set b = a ~ a %}`, again and again, makes gigabytes in a few steps.
//! [`refuse_growth`] reads the template and refuses what could grow so; [`bound_filters`] lets the filters that multiply
//! make so many bytes per rendering. Here is nothing about names or values.

use super::template::TemplateError;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, ForLoop, Stmt};
use minijinja::machinery::{Span, Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the filters of one rendering may make.
const FILTERED_MAX: usize = 1 << 20;

/// What is said then.
const TOO_MUCH_FILTERED: &str =
    "the filters make more than 1 MiB of text; shorten the values, for example with `[:200]`";

/// Values of the alert that one expression may put together, and that all names of a template may hold.
const COPIES_MAX: usize = 64;

/// Words and signs in one tag. Whoever reads a tag goes as deep as it has operators.
const TOKENS_MAX: usize = 400;

/// Refuses a template that could make much text out of little. What does not parse is left to minijinja to tell.
///
/// # Errors
/// [`TemplateError`] with the place.
pub(super) fn refuse_growth(source: &str) -> Result<(), TemplateError> {
    refuse_long_tags(source)?;
    let Ok(Stmt::Template(template)) = parse(source, "<template>", SyntaxConfig::default()) else { return Ok(()) };
    Growth::default().statements(&template.children)
}

fn refuse_long_tags(source: &str) -> Result<(), TemplateError> {
    let mut tokens = 0;
    for (token, span) in tokenize(source, false, SyntaxConfig::default()).map_while(Result::ok) {
        tokens = if matches!(token, Token::VariableStart | Token::BlockStart) { 0 } else { tokens + 1 };
        if TOKENS_MAX < tokens && !matches!(token, Token::TemplateData(_)) {
            return Err(refusal(span, format!("more than {TOKENS_MAX} words and signs in one tag; make it several")));
        }
    }
    Ok(())
}

fn refusal(at: Span, message: String) -> TemplateError {
    let place = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    TemplateError { message, span: Some((place(at.start_offset), place(at.end_offset))) }
}

/// What is known so far of the names that a template gives itself.
#[derive(Default)]
struct Growth {
    /// How many values each may hold, at most.
    names: BTreeMap<String, usize>,
    /// The sum over all namings.
    named: usize,
    in_loop: bool,
}

impl Growth {
    fn statements(&mut self, statements: &[Stmt<'_>]) -> Result<(), TemplateError> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt<'_>) -> Result<(), TemplateError> {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitRaw(_) => Ok(()),
            Stmt::EmitExpr(emit) => self.copies(&emit.expr).map(drop),
            Stmt::Do(call) => {
                let arguments = self.arguments(&call.call.args)?;
                self.bounded(arguments, call.span()).map(drop)
            }
            Stmt::ForLoop(again) => self.for_loop(again),
            Stmt::IfCond(condition) => {
                self.copies(&condition.expr)?;
                self.statements(&condition.true_body)?;
                self.statements(&condition.false_body)
            }
            Stmt::WithBlock(with) => {
                for (target, value) in &with.assignments {
                    self.name(target, value)?;
                }
                self.statements(&with.body)
            }
            Stmt::Set(set) => self.name(&set.target, &set.expr),
            Stmt::SetBlock(block) => Err(refusal(block.span(), not_known("a block of `set`; write `{% set x = … %}`"))),
            Stmt::AutoEscape(block) => Err(refusal(block.span(), not_known("`autoescape`; nothing is escaped"))),
            Stmt::FilterBlock(block) => {
                Err(refusal(block.span(), not_known("a block of `filter`; write `{{ value|filter }}`")))
            }
        }
    }

    fn for_loop(&mut self, again: &ForLoop<'_>) -> Result<(), TemplateError> {
        if again.recursive {
            return Err(refusal(again.iter.span(), not_known("`recursive`")));
        }
        let copies = self.copies(&again.iter)?;
        self.give_name(&again.target, copies)?;
        if let Some(filter) = &again.filter_expr {
            self.copies(filter)?;
        }
        let outer = std::mem::replace(&mut self.in_loop, true);
        self.statements(&again.body)?;
        self.in_loop = outer;
        self.statements(&again.else_body)
    }

    /// What a name gets by `set` or `with`. In a loop it may stand for itself of the turn before, so there it must not
    /// become more than one value.
    fn name(&mut self, target: &Expr<'_>, value: &Expr<'_>) -> Result<(), TemplateError> {
        let copies = self.copies(value)?;
        if self.in_loop && (1 < copies || puts_together(value)) {
            let message = "in a loop, a name must not be given several values put together; it could grow with each turn; \
                           write them out where they are used";
            return Err(refusal(value.span(), message.to_owned()));
        }
        self.give_name(target, copies)
    }

    fn give_name(&mut self, target: &Expr<'_>, copies: usize) -> Result<(), TemplateError> {
        let copies = copies.max(1);
        self.named = self.bounded(self.named + copies, target.span())?;
        match target {
            Expr::Var(name) => {
                let known = self.names.entry(name.id.to_owned()).or_default();
                *known = copies.max(*known);
            }
            Expr::List(parts) => parts.items.iter().try_for_each(|part| self.give_name(part, copies))?,
            Expr::Tuple(parts) => parts.items.iter().try_for_each(|part| self.give_name(part, copies))?,
            Expr::Const(_)
            | Expr::Slice(_)
            | Expr::UnaryOp(_)
            | Expr::BinOp(_)
            | Expr::Compare(_)
            | Expr::IfExpr(_)
            | Expr::Filter(_)
            | Expr::Test(_)
            | Expr::GetAttr(_)
            | Expr::GetItem(_)
            | Expr::Call(_)
            | Expr::Map(_) => return Err(refusal(target.span(), not_known("a name like this; use a plain word"))),
        }
        Ok(())
    }

    /// How many values may go into what an expression gives.
    fn copies(&self, expr: &Expr<'_>) -> Result<usize, TemplateError> {
        let copies = match expr {
            Expr::Const(_) => 0,
            Expr::Var(name) => self.names.get(name.id).copied().unwrap_or(1),
            Expr::UnaryOp(of) => self.copies(&of.expr)?,
            Expr::GetAttr(of) => self.copies(&of.expr)?,
            Expr::GetItem(of) => self.copies(&of.expr)? + self.copies(&of.subscript_expr)?,
            Expr::Slice(of) => {
                let bounds = [&of.start, &of.stop, &of.step].into_iter().flatten();
                self.copies(&of.expr)? + self.sum(bounds)?
            }
            Expr::BinOp(of) => {
                let numbers = is_number(&of.left) && is_number(&of.right);
                if matches!(of.op, BinOpKind::Mul) && !numbers {
                    let message =
                        "`*` is for numbers, and these may be text; make them numbers with `|int` or `|float`";
                    return Err(refusal(expr.span(), message.to_owned()));
                }
                self.copies(&of.left)? + self.copies(&of.right)?
            }
            Expr::Compare(of) => self.copies(&of.expr)? + self.sum(of.ops.iter().map(|op| &op.expr))?,
            Expr::IfExpr(of) => {
                self.copies(&of.test_expr)? + self.copies(&of.true_expr)? + self.sum(of.false_expr.iter())?
            }
            Expr::Filter(of) => self.sum(of.expr.iter())? + self.arguments(&of.args)?,
            Expr::Test(of) => self.copies(&of.expr)? + self.arguments(&of.args)?,
            Expr::Call(of) => self.copies(&of.expr)? + self.arguments(&of.args)?,
            Expr::List(of) => self.sum(of.items.iter())?,
            Expr::Tuple(of) => self.sum(of.items.iter())?,
            Expr::Map(of) => self.sum(of.keys.iter().chain(&of.values))?,
        };
        self.bounded(copies, expr.span())
    }

    fn sum<'e, 's: 'e>(&self, parts: impl Iterator<Item = &'e Expr<'s>>) -> Result<usize, TemplateError> {
        parts.map(|part| self.copies(part)).sum()
    }

    fn arguments(&self, arguments: &[CallArg<'_>]) -> Result<usize, TemplateError> {
        self.sum(arguments.iter().map(value_of))
    }

    fn bounded(&self, copies: usize, at: Span) -> Result<usize, TemplateError> {
        if COPIES_MAX < copies {
            let message = format!(
                "this may put together more than {COPIES_MAX} values; write them one after another: `{{{{ a }}}}{{{{ b }}}}`"
            );
            return Err(refusal(at, message));
        }
        Ok(copies)
    }
}

fn not_known(what: &str) -> String {
    format!("templates here do not know {what}")
}

fn value_of<'e, 's>(argument: &'e CallArg<'s>) -> &'e Expr<'s> {
    match argument {
        CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => value,
    }
}

/// Whether an expression may be longer than what goes into it, constants included.
fn puts_together(expr: &Expr<'_>) -> bool {
    let any = |arguments: &[CallArg<'_>]| arguments.iter().map(value_of).any(puts_together);
    match expr {
        Expr::Const(_) | Expr::Var(_) | Expr::Compare(_) | Expr::Test(_) => false,
        Expr::BinOp(of) => {
            (matches!(of.op, BinOpKind::Concat | BinOpKind::Add) && !(is_number(&of.left) && is_number(&of.right)))
                || puts_together(&of.left)
                || puts_together(&of.right)
        }
        Expr::List(of) => !of.items.iter().all(|item| matches!(item, Expr::Const(_))),
        Expr::Tuple(of) => !of.items.iter().all(|item| matches!(item, Expr::Const(_))),
        Expr::Map(of) => !of.keys.iter().chain(&of.values).all(|item| matches!(item, Expr::Const(_))),
        Expr::UnaryOp(of) => puts_together(&of.expr),
        Expr::GetAttr(of) => puts_together(&of.expr),
        Expr::GetItem(of) => puts_together(&of.expr) || puts_together(&of.subscript_expr),
        Expr::Slice(of) => puts_together(&of.expr),
        Expr::IfExpr(of) => puts_together(&of.true_expr) || of.false_expr.as_ref().is_some_and(puts_together),
        Expr::Filter(of) => of.expr.as_ref().is_some_and(puts_together) || any(&of.args),
        Expr::Call(of) => puts_together(&of.expr) || any(&of.args),
    }
}

/// Whether an expression gives a number, whatever the alert says.
fn is_number(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(of) => of.value.is_number(),
        Expr::UnaryOp(of) => is_number(&of.expr),
        Expr::BinOp(of) => match of.op {
            BinOpKind::Sub | BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Rem | BinOpKind::Pow => true,
            BinOpKind::Add | BinOpKind::Mul => is_number(&of.left) && is_number(&of.right),
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::ScAnd
            | BinOpKind::ScOr
            | BinOpKind::Concat
            | BinOpKind::In => false,
        },
        Expr::Filter(of) => {
            matches!(of.name, "int" | "float" | "round" | "abs" | "length" | "count")
                && of.args.iter().map(value_of).all(is_number)
        }
        Expr::IfExpr(of) => is_number(&of.true_expr) && of.false_expr.as_ref().is_some_and(is_number),
        Expr::Var(_)
        | Expr::Slice(_)
        | Expr::Compare(_)
        | Expr::Test(_)
        | Expr::GetAttr(_)
        | Expr::GetItem(_)
        | Expr::Call(_)
        | Expr::List(_)
        | Expr::Tuple(_)
        | Expr::Map(_) => false,
    }
}

/// Replaces the filters that may give much more than they are given by ones that draw on what a rendering may make.
pub(super) fn bound_filters(env: &mut Environment<'_>) {
    let left = Arc::new(AtomicUsize::new(FILTERED_MAX));
    let mut bound = |name: &'static str, filter: Value, beforehand: fn(&[Value]) -> usize| {
        let left = Arc::clone(&left);
        env.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            let arguments = arguments.into_values();
            draw(&left, beforehand(&arguments))?;
            let given = filter.call(state, &arguments)?;
            draw(&left, length(&given))?;
            Ok::<Value, Error>(given)
        });
    };
    bound("replace", Value::from_function(filters::replace), |of| replaced(of).unwrap_or_default());
    bound("join", Value::from_function(filters::join), joined);
    bound("indent", Value::from_function(filters::indent), indented);
    bound("format", Value::from_function(filters::format), formatted);
    bound("tojson", Value::from_function(filters::tojson), |of| match argument(of, 1, "indent").as_usize() {
        Some(width) if 16 < width => usize::MAX,
        _ => 0,
    });
    bound("batch", Value::from_function(filters::batch), |of| wide(&argument(of, 1, "count")));
    bound("slice", Value::from_function(filters::slice), |of| wide(&argument(of, 1, "count")));
    bound("pprint", Value::from_function(filters::pprint), |_| 0);
    bound("sum", Value::from_function(filters::sum), |_| 0);
    bound("escape", Value::from_function(filters::escape), |_| 0);
    bound("e", Value::from_function(filters::escape), |_| 0);
}

fn draw(left: &AtomicUsize, bytes: usize) -> Result<(), Error> {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
    taken.map(drop).map_err(|_left| Error::new(ErrorKind::InvalidOperation, TOO_MUCH_FILTERED))
}

/// Whether a rendering ended because its filters made too much.
pub(super) fn is_growth(error: &Error) -> bool {
    error.detail() == Some(TOO_MUCH_FILTERED)
}

/// Bytes of a text; of anything else, of how it would be written.
fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| if value.is_undefined() { 0 } else { value.to_string().len() }, str::len)
}

/// An argument by its place or its name.
fn argument(arguments: &[Value], place: usize, name: &str) -> Value {
    let by_name = arguments.iter().skip(1).find(|value| value.is_kwargs()).and_then(|of| of.get_attr(name).ok());
    let by_place = arguments.get(place).filter(|value| !value.is_kwargs()).cloned();
    by_place.or(by_name).unwrap_or_default()
}

fn wide(count: &Value) -> usize {
    count.as_usize().unwrap_or_default().saturating_mul(size_of::<Value>())
}

fn replaced(arguments: &[Value]) -> Option<usize> {
    let [text, from, to] = [arguments.first()?, arguments.get(1)?, arguments.get(2)?].map(ToString::to_string);
    Some(text.len().saturating_add(text.matches(&*from).count().saturating_mul(to.len())))
}

fn joined(arguments: &[Value]) -> usize {
    let Some(list) = arguments.first() else { return 0 };
    let items = list.as_str().map_or_else(|| list.len().unwrap_or_else(|| counted(list)), str::len);
    items.saturating_mul(length(&argument(arguments, 1, "d")))
}

/// How many items there are, by going through them.
fn counted(list: &Value) -> usize {
    list.try_iter().map_or(0, Iterator::count)
}

fn indented(arguments: &[Value]) -> usize {
    let width = argument(arguments, 1, "width").as_usize().unwrap_or(4);
    let lines = arguments.first().map_or(0, |text| text.to_string().matches('\n').count() + 1);
    lines.saturating_mul(width)
}

/// Each place may take each value, and be as wide as a number says that is written there or given.
fn formatted(arguments: &[Value]) -> usize {
    let format = arguments.first().map(ToString::to_string).unwrap_or_default();
    let places = format.matches('%').count();
    let written = format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let widest = written.map(|digits| digits.parse().unwrap_or(usize::MAX)).fold(0, usize::saturating_add);
    let given = arguments.iter().skip(1).map(|value| {
        let width = if format.contains('*') { value.as_usize().unwrap_or_default() } else { 0 };
        length(value).saturating_add(width)
    });
    places.saturating_mul(given.fold(widest, usize::saturating_add))
}

#[cfg(test)]
mod tests {
    use crate::playbook::template::Template;
    use minijinja::context;

    const ROOTS: [&str; 1] = ["labels"];

    #[test]
    fn what_could_make_much_text_out_of_little_is_refused_at_check() {
        let doubled = (0..40).fold("{% set a = labels.a %}".to_owned(), |all, _| all + "{% set a = a ~ a %}");
        let nested = (0..8).fold("labels.a".to_owned(), |inner, _| format!("[{inner}, {inner}]"));
        let with = (0..9).fold("{{ a }}".to_owned(), |all, _| format!("{{% with a = [a, a] %}}{all}{{% endwith %}}"));
        let looped = (0..9).fold("{{ a }}".to_owned(), |all, _| format!("{{% for a in [a ~ a] %}}{all}{{% endfor %}}"));
        let long_tag = format!("{{{{ 1 {}}}}}", "+ 1 ".repeat(30_000 / 4));
        for (source, part) in [
            (doubled.as_str(), "more than 64 values"),
            (&format!("{{{{ {nested} }}}}"), ""),
            (&format!("{{% set a = labels.a %}}{with}"), "more than 64 values"),
            (&format!("{{% set a = labels.a %}}{looped}"), "more than 64 values"),
            (&long_tag, "words and signs in one tag"),
            ("{% set a = 'x' %}{% for b in labels.a %}{% set a = a ~ a %}{% endfor %}", "in a loop"),
            ("{% set a = 'x' %}{% for b in labels.a %}{% set a = [a] %}{% endfor %}", "in a loop"),
            ("{{ labels.a * 1000000 }}", "`*` is for numbers"),
            ("{{ 'x' * 90000000 }}", "`*` is for numbers"),
            ("{% set a %}{{ labels.a }}{% endset %}{{ a }}", "do not know a block of `set`"),
            ("{% filter upper %}x{% endfilter %}", "do not know a block of `filter`"),
            ("{% autoescape true %}x{% endautoescape %}", "do not know `autoescape`"),
            ("{% for a in labels.a recursive %}{{ loop(a) }}{% endfor %}", "do not know `recursive`"),
            ("{{ labels.a|indent(2000000000) }}", "more than 1 MiB"),
            ("{{ 'a'|indent(width=2000000000) }}", "more than 1 MiB"),
            ("{{ '%2000000000d'|format(1) }}", "more than 1 MiB"),
            ("{{ '%*d'|format(2000000000, 1) }}", "more than 1 MiB"),
            ("{{ [1]|tojson(indent=2000000000) }}", "more than 1 MiB"),
            ("{{ [1]|batch(2000000000, 'x') }}", "more than 1 MiB"),
            ("{{ [1]|slice(2000000000) }}", "more than 1 MiB"),
            ("{{ ['a']|map('indent', 2000000000)|join }}", "more than 1 MiB"),
        ] {
            let error = Template::parse(source, &ROOTS).expect_err(source);
            assert!(error.message.contains(part), "{source}: {error}");
            assert!(error.span.is_some(), "{source}");
        }
    }

    #[test]
    fn filters_make_so_much_text_in_a_rendering_and_no_more() {
        let values = context! { labels => context! { a => "x".repeat(20_000), quotes => "\"\\".repeat(2_000) } };
        let quoted = format!("{{{{ labels.quotes{} }}}}", "|tojson".repeat(30));
        for source in [
            "{{ labels.a|replace('', labels.a) }}",
            "{{ labels.a|replace('x', 'xxxxxxxx')|replace('x', 'xxxxxxxx') }}",
            "{{ labels.a|join(labels.a) }}",
            "{{ (labels.a|replace('x', '\n'))|indent(1000) }}",
            "{{ '%s%s%s%s'|format(labels.a|list, labels.a, labels.a, labels.a)|list|join(labels.a) }}",
            "{% for b in labels.a %}{% if labels.a|replace('x', 'y') == '' %}{% endif %}{% endfor %}",
            &quoted,
        ] {
            let error =
                Template::parse(source, &ROOTS).and_then(|template| template.render(&values)).expect_err(source);
            assert!(error.message.contains("more than 1 MiB"), "{source}: {error}");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_was() {
        let values = context! { labels => context! { a => "b-1", n => "3", list => ["x", "y"] } };
        for (source, text) in [
            ("{{ labels.a ~ '/' ~ labels.n }}", "b-1/3"),
            ("{{ labels.a + '/' + labels.n }}", "b-1/3"),
            ("{{ (labels.n|float * 100)|round(1) }} {{ labels.n|int * 2 + 1 }}", "300.0 7"),
            ("{% set who = labels.a ~ labels.n %}{{ who|upper }}", "B-13"),
            ("{% for x in labels.list %}{% set y = x %}{{ y|replace('x', 'z') }},{% endfor %}", "z,y,"),
            ("{% for x in ['b', 'c'] %}{% if x in labels.a %}{{ x }}{% endif %}{% endfor %}", "b"),
            ("{{ labels.list|join(', ') }} {{ labels.list|join(d='-') }}", "x, y x-y"),
            ("{{ '%05.1f|%s'|format(2.5, labels.a) }}", "002.5|b-1"),
            ("{{ 'a\nb'|indent(2) }} {{ 'a\nb'|indent(width=1, first=true) }}", "a\n  b  a\n b"),
            ("{{ labels.list|tojson }} {{ labels.a|e }}", "[\"x\", \"y\"] b-1"),
            ("{{ [1, 2]|sum }} {{ 2 ** 3 }}", "3 8"),
        ] {
            let rendered = Template::parse(source, &ROOTS).and_then(|template| template.render(&values));
            assert_eq!(rendered.as_deref(), Ok(text), "{source}");
        }
    }
}
