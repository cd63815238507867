//! Whether a condition names only what exists and every operator gets what it can take.
//!
//! CEL itself would find out only when the condition is asked, in the middle of the night. Every name is a path that is
//! written out (`labels.depth`, `labels["depth"]`), never computed, so that what a condition looks at can be told from
//! its text. Read [`check`] first.

use super::closed;
use super::evaluate::{Path, constant, written};
use super::functions::{self, Type};
use super::names::{self, Kind, Nameable};
use super::syntax::{Flaw, Places};
use crate::model::duration::parse_duration;
use crate::playbook::dashed::dashed;
use crate::playbook::raw::{nearest, shorten};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, operators};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// Functions whose arguments, if they are written out, can be tried at once.
const TRIED: [&str; 5] = ["duration", "timestamp", "int", "double", "bool"];

/// Whether it is a written-out zero of whole numbers.
fn is_zero(expr: &IdedExpr) -> bool {
    matches!(&expr.expr, Expr::Literal(LiteralValue::Int(number)) if **number == 0)
}

/// Checks all of it; what it names, or every flaw.
pub(super) fn check(root: &IdedExpr, source: &str, scope: Nameable<'_>) -> Result<BTreeSet<Path>, Vec<Flaw>> {
    let places = OnceCell::new();
    let mut checker = Checker { places, source, scope, mentions: BTreeSet::new(), flaws: Vec::new() };
    if let Some(found) = checker.type_of(root).filter(|found| *found != Type::One(Kind::Bool)) {
        let flaw = Flaw::new(format!("a condition is true or false; this is a {found}"), None);
        checker.flaws.push(flaw.hint("compare it with something, such as `!= \"\"` or `> 0`"));
    }
    if checker.flaws.is_empty() { Ok(checker.mentions) } else { Err(with_dashes(checker.flaws, source)) }
}

/// The flaws, with one in place of those that come of one dash.
fn with_dashes(mut flaws: Vec<Flaw>, source: &str) -> Vec<Flaw> {
    for name in dashed(source) {
        let about = |flaw: &Flaw| flaw.span.is_some_and(|(start, _)| name.holds(start));
        if flaws.iter().any(about) {
            flaws.retain(|flaw| !about(flaw));
            flaws.push(Flaw::new(name.message(), Some(name.span)).hint(name.hint('"')));
        }
    }
    flaws
}

struct Checker<'a> {
    places: OnceCell<Places>,
    source: &'a str,
    scope: Nameable<'a>,
    mentions: BTreeSet<Path>,
    flaws: Vec<Flaw>,
}

/// What a path stands for.
enum Named {
    Value(Kind),
    /// All labels of an alert or container: of these only single ones can be used.
    Labels,
    /// All earlier steps: of these only what a single one left can be used.
    Steps,
    /// A root, or a step, with fields.
    Record(&'static [(&'static str, Kind)]),
}

impl Checker<'_> {
    /// The type of an expression; `None` if something in it is wrong, which is then among the flaws.
    fn type_of(&mut self, expr: &IdedExpr) -> Option<Type> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::List(list) => self.list(expr, list),
            Expr::Ident(_) => self.path(expr),
            Expr::Select(select) if select.test => {
                let mut path = self.segments(&select.operand)?;
                path.push(select.field.clone());
                self.value(expr, path).map(|_| Type::One(Kind::Bool))
            }
            Expr::Select(_) => self.path(expr),
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(_) => {
                let flaw = Flaw::new("a condition has no loops", self.span(expr));
                self.fail(flaw.hint("`all`, `exists`, `exists_one`, `map` and `filter` are left out; name each label"))
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                let message = "a condition makes no maps and messages";
                self.fail(Flaw::new(message, self.span(expr)))
            }
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Type> {
        let kind = match literal {
            LiteralValue::Boolean(_) => Kind::Bool,
            LiteralValue::Double(_) => Kind::Double,
            LiteralValue::Int(_) => Kind::Int,
            LiteralValue::String(_) => Kind::Text,
            LiteralValue::Null => {
                let flaw = Flaw::new("nothing is ever `null` here", self.span(expr));
                return self.fail(flaw.hint("ask whether a label is there: has(labels.team)"));
            }
            LiteralValue::Bytes(_) | LiteralValue::UInt(_) => {
                let flaw = Flaw::new("conditions know no bytes and no unsigned numbers", self.span(expr));
                return self.fail(flaw.hint("write \"text\" or 1 without a letter"));
            }
        };
        Some(Type::One(kind))
    }

    fn list(&mut self, expr: &IdedExpr, list: &ListExpr) -> Option<Type> {
        let kinds: Vec<Option<Type>> = list.elements.iter().map(|element| self.type_of(element)).collect();
        match kinds.into_iter().collect::<Option<Vec<Type>>>()?.as_slice() {
            [Type::One(first), rest @ ..] if rest.iter().all(|kind| *kind == Type::One(*first)) => {
                Some(Type::List(*first))
            }
            [] => self.fail(Flaw::new("an empty list holds nothing", self.span(expr))),
            _ => {
                let message = "the values of a list must all be of one type, and none may be a list";
                self.fail(Flaw::new(message, self.span(expr)))
            }
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Type> {
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            (operators::INDEX, None, [of, _]) if self.is_name(of) => return self.path(expr),
            (operators::IN, None, [key, labels]) if self.is_name(labels) => return self.label_in(expr, key, labels),
            _ => {}
        }
        let parts = call.target.iter().map(|target| &**target).chain(&call.args);
        let kinds: Vec<Option<Type>> = parts.map(|part| self.type_of(part)).collect();
        let name = call.func_name.as_str();
        let sign = functions::sign(name);
        if sign.is_none() && !functions::NAMES.contains(&name) {
            return self.unknown_function(expr, name);
        }
        let kinds = kinds.into_iter().collect::<Option<Vec<Type>>>()?;
        let result = match sign {
            Some(_) => functions::operator(name, &kinds),
            None => functions::call(name, call.target.is_some(), &kinds),
        };
        let Some(result) = result else { return self.wrong_types(expr, sign.unwrap_or(name), &kinds) };
        for misfit in closed::misfits(call) {
            let flaw = Flaw::new(misfit.message(&shorten(misfit.text)), self.span(misfit.expr));
            self.flaws.push(flaw.hint(misfit.hint()));
        }
        let written_out = |part: &IdedExpr| matches!(part.expr, Expr::Literal(_));
        if matches!(name, operators::DIVIDE | operators::MODULO) && call.args.get(1).is_some_and(is_zero) {
            return self
                .fail(Flaw::new("nothing can be divided by zero", self.span(expr)).hint("divide by another number"));
        }
        if let [argument] = call.args.as_slice()
            && TRIED.contains(&name)
            && written_out(argument)
            && let Err(error) = constant(expr)
        {
            return self.unreadable((name, argument), &error);
        }
        Some(result)
    }

    /// A text, or number, that a function can make nothing of.
    fn unreadable(&mut self, (name, argument): (&str, &IdedExpr), error: &str) -> Option<Type> {
        let text = text_of(argument);
        // What the library says of a text is its parsers' own notes.
        let words = match (name, text) {
            ("duration", Some(_)) => "a length of time is numbers with their units, such as 90s or 1h30m",
            ("timestamp", Some(_)) => "a point in time is a date and a time of day, such as 2026-01-31T08:00:00Z",
            ("int", Some(_)) => "it is no whole number",
            ("double", Some(_)) => "it is no number",
            ("bool", Some(_)) => "it is neither \"true\" nor \"false\"",
            _ => error,
        };
        let flaw = Flaw::new(format!("`{name}` cannot read this: {words}"), self.span(argument));
        let number = || format!("write a number, or {name}(labels.NAME) for what a label holds");
        self.fail(match (name, text) {
            ("duration", Some(text)) => match parse_duration(text) {
                Ok(span) => {
                    flaw.hint(format!("CEL's units are h, m, s and ms: write duration(\"{}\")", in_hours(span)))
                }
                Err(_) => flaw.hint("CEL's units are h, m, s and ms: a day is duration(\"24h\")"),
            },
            ("timestamp", Some(_)) => {
                flaw.hint("for what began long ago, write alert.age > duration(\"24h\"), which needs no date")
            }
            ("int" | "double", _) => flaw.hint(number()),
            ("bool", _) => flaw.hint("compare the text itself: labels.NAME == \"yes\""),
            _ => flaw,
        })
    }

    /// `"team" in labels`
    fn label_in(&mut self, expr: &IdedExpr, key: &IdedExpr, labels: &IdedExpr) -> Option<Type> {
        let Some(key) = text_of(key) else {
            let flaw = Flaw::new("the name of a label must be written out here", self.span(key));
            return self.fail(flaw.hint("such as: \"team\" in labels"));
        };
        let mut path = self.segments(labels)?;
        path.push(key.to_owned());
        self.value(expr, path).map(|_| Type::One(Kind::Bool))
    }

    /// Whether it is a root with whatever hangs on it, right or wrong.
    fn is_name(&self, expr: &IdedExpr) -> bool {
        match &expr.expr {
            Expr::Ident(_) => true,
            Expr::Select(select) => !select.test && self.is_name(&select.operand),
            Expr::Call(call) if call.func_name == operators::INDEX => {
                call.args.first().is_some_and(|of| self.is_name(of))
            }
            Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => false,
        }
    }

    /// A name used as a value.
    fn path(&mut self, expr: &IdedExpr) -> Option<Type> {
        let path = self.segments(expr)?;
        self.value(expr, path).map(Type::One)
    }

    /// The parts of a name, all of them written out.
    fn segments(&mut self, expr: &IdedExpr) -> Option<Path> {
        match &expr.expr {
            Expr::Ident(name) => self.root(expr, name).then(|| vec![name.clone()]),
            Expr::Select(select) if !select.test => {
                let mut path = self.segments(&select.operand)?;
                path.push(select.field.clone());
                Some(path)
            }
            Expr::Call(CallExpr { func_name, target: None, args }) if func_name == operators::INDEX => {
                let [of, key] = args.as_slice() else { return None };
                let Some(text) = text_of(key) else {
                    let flaw = Flaw::new("the name of a label must be written out here", self.span(key));
                    return self.fail(flaw.hint("such as: labels[\"team\"]"));
                };
                let mut path = self.segments(of)?;
                path.push(text.to_owned());
                Some(path)
            }
            Expr::Select(_)
            | Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => self.fail(Flaw::new("only names have fields", self.span(expr))),
        }
    }

    /// Whether there is such a root.
    fn root(&mut self, expr: &IdedExpr, name: &str) -> bool {
        if name == "target" && self.scope.target.is_none() {
            let flaw = Flaw::new("the playbook has no `target` to look at", self.span(expr));
            self.flaws.push(flaw.hint("say which container is meant: target: {container: \"{{ labels.container }}\"}"));
            return false;
        }
        if self.scope.roots().any(|root| root == name) {
            return true;
        }
        let flaw = Flaw::new(format!("unknown name `{}`", shorten(name)), self.span(expr));
        let known: Vec<&str> = self.scope.roots().collect();
        self.flaws.push(match (names::known_elsewhere(name), nearest(name, self.scope.roots())) {
            (Some(where_known), _) => flaw.hint(where_known),
            (None, Some(near)) => flaw.hint(format!("did you mean `{near}`?")),
            (None, None) => flaw.hint(format!("known here: {}; a text stands in quotes", known.join(", "))),
        });
        false
    }

    /// The type of what a path names; remembers that it is named.
    fn value(&mut self, expr: &IdedExpr, path: Path) -> Option<Kind> {
        let wrong = (2..=path.len()).find_map(|length| Some((length, self.named(path.get(..length)?).err()?)));
        if let Some((length, flaw)) = wrong {
            let span = self.span(of_length(expr, path.len() - length));
            return self.fail(Flaw { span, ..flaw });
        }
        match self.named(&path) {
            Ok(Named::Value(kind)) => {
                self.mentions.insert(path);
                Some(kind)
            }
            Ok(Named::Labels) => {
                let all = written(&path);
                let flaw = Flaw::new(format!("`{all}` is not a value by itself"), self.span(expr));
                self.fail(flaw.hint(format!("name one of them: {all}.team or {all}[\"com.example.team\"]")))
            }
            Ok(Named::Steps) => {
                let flaw = Flaw::new("`steps` is not a value by itself", self.span(expr));
                let known = self.scope.steps.iter().map(|id| format!("`steps.{id}.outcome`")).collect::<Vec<_>>();
                self.fail(flaw.hint(format!("name what a step left: {}", known.join(", "))))
            }
            Ok(Named::Record(fields)) => {
                let all = written(&path);
                let flaw = Flaw::new(format!("`{all}` is not a value by itself"), self.span(expr));
                self.fail(flaw.hint(format!("`{all}` has {}", listed(fields))))
            }
            Err(flaw) => self.fail(flaw),
        }
    }

    /// What a path whose root exists stands for.
    fn named(&self, path: &[String]) -> Result<Named, Flaw> {
        match path {
            [root] if root == "steps" => Ok(Named::Steps),
            [root, id, rest @ ..] if root == "steps" => {
                if !self.scope.steps.contains(&id.as_str()) {
                    let flaw = Flaw::new(format!("no earlier step has the id `{}`", shorten(id)), None);
                    return Err(match nearest(id, self.scope.steps.iter().copied()) {
                        Some(near) => flaw.hint(format!("did you mean `steps.{near}`?")),
                        None => flaw.hint("give the step an `id`; a condition sees only the steps before it"),
                    });
                }
                match rest {
                    [] => Ok(Named::Record(names::OF_A_STEP)),
                    [field] => of_fields(path, names::OF_A_STEP, field),
                    [.., field] => Err(no_field(path, field)),
                }
            }
            [root, field, ..]
                if root == "target"
                    && self.scope.target.is_some_and(|looks| !looks.has(field))
                    && named(path).is_ok() =>
            {
                let (has, is) = match self.scope.target {
                    Some(names::Looks::Service) => ("container", "service"),
                    Some(names::Looks::Container) | None => ("service", "container"),
                };
                let name = shorten(&written(path));
                Err(Flaw::new(format!("only a {has} has `{name}`, and this target is a {is}"), None))
            }
            _ => named(path),
        }
    }

    fn unknown_function(&mut self, expr: &IdedExpr, name: &str) -> Option<Type> {
        let flaw = Flaw::new(format!("conditions have no function `{}`", shorten(name)), self.span(expr));
        self.fail(match nearest(name, functions::NAMES.into_iter()) {
            _ if name == "matches" => flaw.hint("use startsWith, endsWith or contains, or a matcher with =~"),
            Some(near) => flaw.hint(format!("did you mean `{near}`?")),
            None => flaw.hint(format!("there are: {}", functions::NAMES.join(", "))),
        })
    }

    fn wrong_types(&mut self, expr: &IdedExpr, name: &str, kinds: &[Type]) -> Option<Type> {
        let listed: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let flaw = Flaw::new(format!("`{name}` cannot take {}", listed.join(" and ")), self.span(expr));
        let has = |kind: Kind| kinds.contains(&Type::One(kind));
        self.fail(match () {
            () if has(Kind::Text) && (has(Kind::Int) || has(Kind::Double)) => {
                flaw.hint("labels and annotations are text: write int(labels.x) or double(labels.x)")
            }
            () if has(Kind::Text) && has(Kind::Span) => flaw.hint("write duration(\"2m\")"),
            () if has(Kind::Text) && has(Kind::Time) => flaw.hint("write timestamp(\"2026-01-01T00:00:00Z\")"),
            () if has(Kind::Int) && has(Kind::Span) => flaw.hint("a duration has a unit: duration(\"90s\")"),
            () if has(Kind::Int) && has(Kind::Double) => flaw.hint("write both as double, such as 2.0 or double(…)"),
            () => flaw,
        })
    }

    fn span(&self, expr: &IdedExpr) -> Option<(usize, usize)> {
        self.places.get_or_init(|| Places::of(self.source)).span(expr, self.source)
    }

    fn fail<T>(&mut self, flaw: Flaw) -> Option<T> {
        self.flaws.push(flaw);
        None
    }
}

/// The name within a name that has so many parts less.
fn of_length(mut expr: &IdedExpr, less: usize) -> &IdedExpr {
    for _ in 0..less {
        expr = match &expr.expr {
            Expr::Select(select) => &select.operand,
            Expr::Call(call) => call.args.first().unwrap_or(expr),
            Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => expr,
        };
    }
    expr
}

/// A length of time in units that CEL has: it knows no days.
fn in_hours(span: Duration) -> String {
    let (secs, millis) = (span.as_secs(), span.subsec_millis());
    let parts = [(secs / 3600, "h"), (secs / 60 % 60, "m"), (secs % 60, "s"), (u64::from(millis), "ms")];
    let written: String = parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if written.is_empty() { "0s".to_owned() } else { written }
}

/// A text that is written out.
pub(super) fn text_of(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        Expr::Literal(_)
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

/// What a path whose root exists stands for.
fn named(path: &[String]) -> Result<Named, Flaw> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [root] | [root, _] if names::OPEN.contains(root) => {
            Ok(if parts.len() == 1 { Named::Labels } else { Named::Value(Kind::Text) })
        }
        ["target", names::TARGET_LABELS] => Ok(Named::Labels),
        ["target", names::TARGET_LABELS, _] => Ok(Named::Value(Kind::Text)),
        [root] => Ok(Named::Record(fields_of(root))),
        [root, field] => of_fields(path, fields_of(root), field),
        [.., field] => Err(no_field(path, field)),
        [] => Err(Flaw::new("a name is missing", None)),
    }
}

/// The last part of a path, which is one of these fields, or a mistake.
fn of_fields(path: &[String], fields: &[(&'static str, Kind)], field: &str) -> Result<Named, Flaw> {
    if let Some((_, kind)) = fields.iter().find(|(name, _)| *name == field) {
        return Ok(Named::Value(*kind));
    }
    let of = written(path.get(..path.len() - 1).unwrap_or_default());
    let flaw = Flaw::new(format!("there is no `{}`", shorten(&written(path))), None);
    let known = fields.iter().map(|(name, _)| *name).chain((of == "target").then_some(names::TARGET_LABELS));
    Err(match nearest(field, known) {
        Some(near) => flaw.hint(format!("did you mean `{of}.{near}`?")),
        None => flaw.hint(format!("`{of}` has {}", listed(fields))),
    })
}

fn no_field(path: &[String], field: &str) -> Flaw {
    let of = written(path.get(..path.len() - 1).unwrap_or_default());
    Flaw::new(format!("`{}` has no field `{}`", shorten(&of), shorten(field)), None)
}

fn fields_of(root: &str) -> &'static [(&'static str, Kind)] {
    names::FIXED.iter().find(|(name, _)| *name == root).map_or(&[], |(_, fields)| fields)
}

fn listed(fields: &[(&str, Kind)]) -> String {
    fields.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
