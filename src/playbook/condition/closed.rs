//! Names whose values are words of a closed list: a comparison with any other word has always the same answer.
//!
//! The words are those of the types that the engine takes the values from. Read [`misfits`] first.

use super::evaluate::written;
use super::types::text_of;
use crate::model::approval::ApprovalOutcome;
use crate::model::container::{ContainerState, Health, RestartPolicy};
use crate::model::incident::Verdict;
use crate::model::step::StepOutcome;
use crate::playbook::raw::nearest;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

/// So many letters at the beginning that two words share make one worth proposing for the other.
const STEM_LEN: usize = 4;

/// A text that a name is compared with and never has.
pub(super) struct Misfit<'e> {
    /// The text.
    pub(super) text: &'e str,
    /// Where it stands.
    pub(super) expr: &'e IdedExpr,
    /// The name, or names.
    of: String,
    /// What it can be.
    words: Vec<&'e str>,
}

impl Misfit<'_> {
    pub(super) fn message(&self, text: &str) -> String {
        format!("{} is never {text:?}", self.of)
    }

    pub(super) fn hint(&self) -> String {
        let listed = self.words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match self.near() {
            Some(near) => format!("did you mean `{near}`? it is one of {listed}"),
            None => format!("it is one of {listed}"),
        }
    }

    /// The word that is probably meant: `failure` for `failed`.
    fn near(&self) -> Option<&str> {
        let stem = |word: &str| word.chars().take(STEM_LEN).collect::<String>().to_lowercase();
        let alike = || self.words.iter().copied().find(|word| stem(word) == stem(self.text));
        nearest(self.text, self.words.iter().copied()).or_else(alike)
    }
}

/// The texts in a comparison that the other side never has.
pub(super) fn misfits(call: &CallExpr) -> Vec<Misfit<'_>> {
    let compares = [operators::EQUALS, operators::NOT_EQUALS, operators::IN].contains(&call.func_name.as_str());
    let ([one, other], true) = (call.args.as_slice(), compares) else { return Vec::new() };
    let within = |texts, side| {
        let domain = domain(side).filter(|domain| !domain.names.is_empty());
        domain.map_or_else(Vec::new, |domain| outside(texts, &domain))
    };
    within(one, other).into_iter().chain(within(other, one)).collect()
}

/// What an expression can be, if that is known.
struct Domain<'e> {
    /// The names in it whose words these are; none if all are written out.
    names: Vec<String>,
    words: Vec<&'e str>,
}

fn domain(expr: &IdedExpr) -> Option<Domain<'_>> {
    if let Some(text) = text_of(expr) {
        return Some(Domain { names: Vec::new(), words: vec![text] });
    }
    if let Some(parts) = choices(expr) {
        let all = parts.into_iter().map(domain).collect::<Option<Vec<Domain<'_>>>>()?;
        let (names, words): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.names, one.words)).unzip();
        return Some(Domain { names: names.concat(), words: words.concat() });
    }
    let path = path_of(expr)?;
    let words = words_of(&path)?;
    let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
    Some(Domain { names: vec![format!("`{}`", written(&path))], words })
}

/// The texts that are written out in an expression and not among these words.
fn outside<'e>(expr: &'e IdedExpr, domain: &Domain<'e>) -> Vec<Misfit<'e>> {
    if let Some(parts) = choices(expr) {
        return parts.into_iter().flat_map(|part| outside(part, domain)).collect();
    }
    let wrong = text_of(expr).filter(|text| !domain.words.contains(text));
    let of = domain.names.join(" or ");
    wrong.map(|text| Misfit { text, expr, of, words: domain.words.clone() }).into_iter().collect()
}

/// What an expression is one of: the items of a list, the two ends of `? :`.
fn choices(expr: &IdedExpr) -> Option<Vec<&IdedExpr>> {
    match &expr.expr {
        Expr::List(list) => Some(list.elements.iter().collect()),
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => Some(call.args.iter().skip(1).collect()),
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => None,
    }
}

/// The parts of a name.
fn path_of(expr: &IdedExpr) -> Option<Vec<&str>> {
    let (of, part) = match &expr.expr {
        Expr::Ident(root) => return Some(vec![root]),
        Expr::Select(select) if !select.test => (&*select.operand, select.field.as_str()),
        Expr::Call(CallExpr { func_name, target: None, args }) if func_name == operators::INDEX => {
            let [of, key] = args.as_slice() else { return None };
            (of, text_of(key)?)
        }
        Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => return None,
    };
    let mut path = path_of(of)?;
    path.push(part);
    Some(path)
}

/// The words that a name can have, if they are a closed list.
fn words_of(path: &[&str]) -> Option<Vec<&'static str>> {
    Some(match path {
        ["target", "state"] => ContainerState::KNOWN.iter().map(ContainerState::as_str).collect(),
        ["target", "health"] => Health::KNOWN.iter().map(Health::as_str).chain([Health::NONE]).collect(),
        ["target", "restart_policy"] => RestartPolicy::ALL.iter().map(|policy| policy.as_str()).collect(),
        ["steps", _, "outcome"] => StepOutcome::ALL.iter().map(|outcome| outcome.as_str()).collect(),
        ["failed", "verdict"] => Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect(),
        ["approval", "outcome"] => {
            ApprovalOutcome::ALL.iter().filter(|outcome| outcome.is_no()).map(|outcome| outcome.as_str()).collect()
        }
        _ => return None,
    })
}
