//! A condition, valid by construction, and its answer for given values.

use super::names::{Looks, Nameable, OF_SERVICES};
use super::syntax::{self, Flaw};
use super::types;
use super::value::{Given, Value};
use cel::common::ast::{Expr, operators};
use cel::{Context, Env, ExecutionError, IdedExpr};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// The longest text a condition may look at, in bytes. Alerts come from outside.
const TEXT_LEN_MAX: usize = 4096;

/// Values shown in one record.
const SEEN_MAX: usize = 16;

/// The longest value shown, in characters.
const SEEN_LEN_MAX: usize = 120;

/// CEL's functions. Which of them may be called is decided in `functions`.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// What a condition names: `[labels, depth]`, `[target, labels, tier]`.
pub(super) type Path = Vec<String>;

/// A condition that compiled, names only what exists and gives true or false.
#[derive(Clone, Debug)]
pub struct Condition {
    source: Arc<str>,
    expr: Arc<IdedExpr>,
    mentions: Arc<BTreeSet<Path>>,
}

/// Why a condition has no answer for these values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConditionError(String);

impl Condition {
    /// Compiles and checks a condition, which can name what its place offers.
    ///
    /// # Errors
    /// Every [`Flaw`] that was found.
    pub fn parse(source: &str, scope: Nameable<'_>) -> Result<Self, Vec<Flaw>> {
        let expr = syntax::compile(source).map_err(|flaw| vec![flaw])?;
        let mentions = types::check(&expr, source, scope)?;
        Ok(Self { source: source.into(), expr: Arc::new(expr), mentions: Arc::new(mentions) })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it names anything: if not, its answer is always the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.mentions.is_empty()
    }

    /// The conditions that must all be true for this one to be: what stands between its outermost `&&`.
    #[must_use]
    pub fn parts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        conjuncts(&self.expr, &mut parts);
        let steps: Vec<&str> = self.mentions.iter().filter_map(|path| step_named(path)).collect();
        let service = self.mentions.iter().any(names_service_field);
        let target = Some(if service { Looks::Service } else { Looks::Container });
        let scope = Nameable { target, steps: &steps, failed: true, approval: true };
        let part = |expr: &IdedExpr| {
            // What was checked as a whole is right in its parts, too.
            let mentions =
                types::check(expr, &self.source, scope).ok().map_or_else(|| Arc::clone(&self.mentions), Arc::new);
            Self { source: Arc::clone(&self.source), expr: Arc::new(expr.clone()), mentions }
        };
        parts.into_iter().map(part).collect()
    }

    /// The names it looks at that are not among what is known, which is asked by root and field.
    #[must_use]
    pub fn needs(&self, known: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
        let is_known = |path: &Path| matches!(path.as_slice(), [root, field, ..] if known(root, field));
        self.mentions.iter().filter(|path| !is_known(path)).map(|path| written(path)).collect()
    }

    /// Whether it looks at the target as Docker shows it, beside what never changes.
    #[must_use]
    pub fn looks_at_target(&self) -> bool {
        self.mentions.iter().any(|path| path.first().is_some_and(|root| root == "target"))
    }

    /// The answer for these values.
    ///
    /// # Errors
    /// [`ConditionError`] if a value is missing, too long, or not what an operator or function can take.
    pub fn evaluate(&self, given: &Given) -> Result<bool, ConditionError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for (root, value) in self.variables(given)? {
            context.add_variable_from_value(root, value);
        }
        let answer = catch_unwind(AssertUnwindSafe(|| context.resolve(&self.expr)));
        match answer {
            Ok(Ok(cel::Value::Bool(answer))) => Ok(answer),
            Ok(Ok(other)) => Err(ConditionError(format!("the answer is a {}, not true or false", other.type_of()))),
            Ok(Err(error)) => Err(ConditionError(self.explain(&error, given))),
            Err(_panic) => Err(ConditionError("the evaluation broke off".to_owned())),
        }
    }

    /// The values it looks at, by name, for the record. What is absent says so.
    #[must_use]
    pub fn seen(&self, given: &Given) -> Vec<(String, String)> {
        let words = |path: &Path| {
            let text = given.get(path).map_or_else(|| "(absent)".to_owned(), |value| value.words());
            (written(path), shorten(&text))
        };
        self.mentions.iter().take(SEEN_MAX).map(words).collect()
    }

    /// Only what is named is given, so that the work is bounded by the condition.
    fn variables(&self, given: &Given) -> Result<HashMap<String, cel::Value>, ConditionError> {
        let mut roots: HashMap<String, HashMap<String, cel::Value>> = HashMap::new();
        let mut nested: HashMap<(String, String), HashMap<String, cel::Value>> = HashMap::new();
        for path in self.mentions.iter() {
            let [root, field, key @ ..] = path.as_slice() else { continue };
            let fields = roots.entry(root.clone()).or_default();
            let value = given.get(path);
            if let Some(Value::Text(text)) = &value
                && TEXT_LEN_MAX < text.len()
            {
                let message = format!("`{}` is longer than {TEXT_LEN_MAX} bytes", written(path));
                return Err(ConditionError(message));
            }
            match (key, value) {
                ([], Some(value)) => _ = fields.insert(field.clone(), value.into_cel()),
                ([key, ..], value) => {
                    let inner = nested.entry((root.clone(), field.clone())).or_default();
                    if let Some(value) = value {
                        inner.insert(key.clone(), value.into_cel());
                    }
                    fields.insert(field.clone(), inner.clone().into());
                }
                ([], None) => {}
            }
        }
        Ok(roots.into_iter().map(|(root, fields)| (root, fields.into())).collect())
    }

    fn explain(&self, error: &ExecutionError, given: &Given) -> String {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum, which grows; its own words will do")]
        match error {
            ExecutionError::NoSuchKey(key) => {
                let absent = |path: &&Path| path.last().is_some_and(|last| *last == **key) && given.get(path).is_none();
                match self.mentions.iter().find(absent) {
                    Some(path) => format!("`{}` is absent; ask `has(…)` first", written(path)),
                    None => format!("`{}` is absent", shorten(key)),
                }
            }
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
            ExecutionError::Overflow(..) => "a number, duration or time became too large".to_owned(),
            ExecutionError::FunctionError { function, message } => {
                format!("`{function}` cannot read its value: {}", shorten(message))
            }
            other => shorten(&other.to_string()),
        }
    }
}

/// The id of the step that a path names.
fn step_named(path: &Path) -> Option<&str> {
    match path.as_slice() {
        [root, id, ..] if root == "steps" => Some(id),
        _ => None,
    }
}

/// Whether a path is one that only services have.
fn names_service_field(path: &Path) -> bool {
    matches!(path.as_slice(), [root, field, ..] if root == "target" && OF_SERVICES.contains(&field.as_str()))
}

fn conjuncts<'e>(expr: &'e IdedExpr, parts: &mut Vec<&'e IdedExpr>) {
    if let Expr::Call(call) = &expr.expr
        && call.func_name == operators::LOGICAL_AND
    {
        call.args.iter().for_each(|part| conjuncts(part, parts));
    } else {
        parts.push(expr);
    }
}

/// What a part of a condition gives that names nothing: the mistakes in it show at once.
pub(super) fn constant(expr: &IdedExpr) -> Result<(), String> {
    let context = Context::with_env(Arc::clone(&ENVIRONMENT));
    match catch_unwind(AssertUnwindSafe(|| context.resolve(expr))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(shorten(&error.to_string())),
        Err(_panic) => Err("the evaluation broke off".to_owned()),
    }
}

/// A path as one writes it: with dots where that is possible.
pub(super) fn written(path: &[String]) -> String {
    let plain = |part: &str| {
        !part.starts_with(|c: char| c.is_ascii_digit()) && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut text = String::new();
    for (index, part) in path.iter().enumerate() {
        text.push_str(&match (index, plain(part)) {
            (0, _) => part.clone(),
            (_, true) => format!(".{part}"),
            (_, false) => format!("[{part:?}]"),
        });
    }
    text
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(SEEN_LEN_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
