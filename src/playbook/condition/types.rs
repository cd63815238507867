//! Whether a condition names only what exists and every operator gets what it can take.
//!
//! CEL itself would find out only when the condition is asked, in the middle of the night. Every name is a path that is
//! written out (`labels.depth`, `labels["depth"]`), never computed, so that what a condition looks at can be told from
//! its text. Read [`check`] first.

use super::evaluate::{Path, constant, written};
use super::functions::{self, Type};
use super::names::{self, Kind};
use super::syntax::{Flaw, Places};
use crate::playbook::raw::{nearest, shorten};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, operators};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Functions whose arguments, if they are written out, can be tried at once.
const TRIED: [&str; 5] = ["duration", "timestamp", "int", "double", "bool"];

/// Checks all of it; what it names, or every flaw.
pub(super) fn check(root: &IdedExpr, source: &str, has_target: bool) -> Result<BTreeSet<Path>, Vec<Flaw>> {
    let places = OnceCell::new();
    let mut checker = Checker { places, source, has_target, mentions: BTreeSet::new(), flaws: Vec::new() };
    if let Some(found) = checker.type_of(root).filter(|found| *found != Type::One(Kind::Bool)) {
        let flaw = Flaw::new(format!("a condition is true or false; this is a {found}"), None);
        checker.flaws.push(flaw.hint("compare it with something, such as `!= \"\"` or `> 0`"));
    }
    if checker.flaws.is_empty() { Ok(checker.mentions) } else { Err(checker.flaws) }
}

struct Checker<'a> {
    places: OnceCell<Places>,
    source: &'a str,
    has_target: bool,
    mentions: BTreeSet<Path>,
    flaws: Vec<Flaw>,
}

/// What a path stands for.
enum Named {
    Value(Kind),
    /// All labels of an alert or container: of these only single ones can be used.
    Labels,
    /// A root with fields.
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
        let written_out = |part: &IdedExpr| matches!(part.expr, Expr::Literal(_));
        if TRIED.contains(&name) && call.args.iter().all(written_out) {
            let tried = constant(expr);
            if let Err(error) = tried {
                let flaw = Flaw::new(format!("`{name}` cannot read this: {error}"), self.span(expr));
                return self.fail(match name {
                    "duration" => flaw.hint("CEL's units are h, m, s and ms: a day is duration(\"24h\")"),
                    _ => flaw,
                });
            }
        }
        Some(result)
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
        if name == "target" && !self.has_target {
            let flaw = Flaw::new("the playbook has no `target` to look at", self.span(expr));
            self.flaws.push(flaw.hint("say which container is meant: target: {container: \"{{ labels.container }}\"}"));
            return false;
        }
        if names::roots().any(|root| root == name) {
            return true;
        }
        let flaw = Flaw::new(format!("unknown name `{}`", shorten(name)), self.span(expr));
        let known: Vec<&str> = names::roots().collect();
        self.flaws.push(match nearest(name, names::roots()) {
            Some(near) => flaw.hint(format!("did you mean `{near}`?")),
            None => flaw.hint(format!("known here: {}; a text stands in quotes", known.join(", "))),
        });
        false
    }

    /// The type of what a path names; remembers that it is named.
    fn value(&mut self, expr: &IdedExpr, path: Path) -> Option<Kind> {
        let wrong = (2..=path.len()).find_map(|length| Some((length, named(path.get(..length)?).err()?)));
        if let Some((length, flaw)) = wrong {
            let span = self.span(of_length(expr, path.len() - length));
            return self.fail(Flaw { span, ..flaw });
        }
        match named(&path) {
            Ok(Named::Value(kind)) => {
                self.mentions.insert(path);
                Some(kind)
            }
            Ok(Named::Labels) => {
                let all = written(&path);
                let flaw = Flaw::new(format!("`{all}` is not a value by itself"), self.span(expr));
                self.fail(flaw.hint(format!("name one of them: {all}.team or {all}[\"com.example.team\"]")))
            }
            Ok(Named::Record(fields)) => {
                let all = written(&path);
                let flaw = Flaw::new(format!("`{all}` is not a value by itself"), self.span(expr));
                self.fail(flaw.hint(format!("`{all}` has {}", listed(fields))))
            }
            Err(flaw) => self.fail(flaw),
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

/// A text that is written out.
fn text_of(expr: &IdedExpr) -> Option<&str> {
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
        [root, field] => {
            let fields = fields_of(root);
            if let Some((_, kind)) = fields.iter().find(|(name, _)| name == field) {
                return Ok(Named::Value(*kind));
            }
            let flaw = Flaw::new(format!("there is no `{}`", shorten(&written(path))), None);
            if names::LATER.contains(&(*root, *field)) {
                return Err(Flaw { later: Some(written(path)), ..flaw });
            }
            let known = fields.iter().map(|(name, _)| *name).chain((*root == "target").then_some(names::TARGET_LABELS));
            Err(match nearest(field, known) {
                Some(near) => flaw.hint(format!("did you mean `{root}.{near}`?")),
                None => flaw.hint(format!("`{root}` has {}", listed(fields))),
            })
        }
        [.., field] => {
            let of = written(path.get(..path.len() - 1).unwrap_or_default());
            Err(Flaw::new(format!("`{}` has no field `{}`", shorten(&of), shorten(field)), None))
        }
        [] => Err(Flaw::new("a name is missing", None)),
    }
}

fn fields_of(root: &str) -> &'static [(&'static str, Kind)] {
    names::FIXED.iter().find(|(name, _)| *name == root).map_or(&[], |(_, fields)| fields)
}

fn listed(fields: &[(&str, Kind)]) -> String {
    fields.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
