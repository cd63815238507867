//! The functions and operators of conditions, with the types they take. What is not listed here cannot be used: each of
//! these does work in proportion to its arguments.

use super::names::Kind::{self, Bool, Double, Int, Span, Text, Time};
use cel::common::ast::operators as op;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A single value.
    One(Kind),
    /// A list of such values.
    List(Kind),
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(kind) => write!(f, "{kind}"),
            Self::List(kind) => write!(f, "list of {kind}"),
        }
    }
}

/// Functions and methods, for hints.
pub(super) const NAMES: [&str; 22] = [
    "has",
    "size",
    "int",
    "double",
    "string",
    "bool",
    "duration",
    "timestamp",
    "startsWith",
    "endsWith",
    "contains",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "in",
];

/// What a function gives for these arguments; `None` if it does not take them. A method's first argument is its value.
pub(super) fn call(name: &str, method: bool, args: &[Type]) -> Option<Type> {
    use Type::{List, One};
    let kind = match (name, method, args) {
        ("size", _, [One(Text) | List(_)]) => Int,
        ("int", false, [One(Int | Double | Text | Time)]) => Int,
        ("double", false, [One(Int | Double | Text)]) => Double,
        ("string", false, [One(_)]) => Text,
        ("bool", false, [One(Bool | Text)]) => Bool,
        ("duration", false, [One(Text | Span)]) => Span,
        ("timestamp", false, [One(Text | Time | Int)]) => Time,
        ("startsWith" | "endsWith" | "contains", true, [One(Text), One(Text)]) => Bool,
        ("getHours" | "getMinutes" | "getSeconds" | "getMilliseconds", true, [One(Span)]) => Int,
        (
            "getFullYear" | "getMonth" | "getDayOfYear" | "getDayOfMonth" | "getDate" | "getDayOfWeek" | "getHours"
            | "getMinutes" | "getSeconds" | "getMilliseconds",
            true,
            [One(Time)] | [One(Time), One(Text)],
        ) => Int,
        _ => return None,
    };
    Some(One(kind))
}

/// What an operator gives for these operands; `None` if it does not take them.
pub(super) fn operator(name: &str, operands: &[Type]) -> Option<Type> {
    use Type::{List, One};
    let number = |kind: Kind| matches!(kind, Int | Double);
    let alike = |a: Kind, b: Kind| a == b || (number(a) && number(b));
    let kind = match (name, operands) {
        (op::LOGICAL_AND | op::LOGICAL_OR, [One(Bool), One(Bool)]) | (op::LOGICAL_NOT, [One(Bool)]) => Bool,
        (op::EQUALS | op::NOT_EQUALS, [One(a), One(b)] | [List(a), List(b)]) if alike(*a, *b) => Bool,
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [One(a), One(b)])
            if alike(*a, *b) && *a != Bool =>
        {
            Bool
        }
        (op::IN, [One(a), List(b)]) if a == b => Bool,
        (op::NEGATE, [One(kind @ (Int | Double))]) => *kind,
        (op::ADD, [One(a @ (Int | Double | Text | Span)), One(b)]) if a == b => *a,
        (op::ADD, [One(Time), One(Span)] | [One(Span), One(Time)]) => Time,
        (op::SUBSTRACT, [One(a @ (Int | Double | Span)), One(b)]) if a == b => *a,
        (op::SUBSTRACT, [One(Time), One(Time)]) => Span,
        (op::SUBSTRACT, [One(Time), One(Span)]) => Time,
        (op::MULTIPLY | op::DIVIDE, [One(a @ (Int | Double)), One(b)]) if a == b => *a,
        (op::MODULO, [One(Int), One(Int)]) => Int,
        (op::INDEX, [List(kind), One(Int)]) => *kind,
        (op::CONDITIONAL, [One(Bool), a, b]) if a == b => return Some(*a),
        _ => return None,
    };
    Some(One(kind))
}

/// How an operator is written; `None` for the name of a function.
pub(super) fn sign(name: &str) -> Option<&'static str> {
    Some(match name {
        op::LOGICAL_AND => "&&",
        op::LOGICAL_OR => "||",
        op::LOGICAL_NOT => "!",
        op::EQUALS => "==",
        op::NOT_EQUALS => "!=",
        op::LESS => "<",
        op::LESS_EQUALS => "<=",
        op::GREATER => ">",
        op::GREATER_EQUALS => ">=",
        op::IN => "in",
        op::NEGATE | op::SUBSTRACT => "-",
        op::ADD => "+",
        op::MULTIPLY => "*",
        op::DIVIDE => "/",
        op::MODULO => "%",
        op::INDEX => "[ ]",
        op::CONDITIONAL => "? :",
        _ => return None,
    })
}
