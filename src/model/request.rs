//! One HTTP request to another system, and how it went.
//!
//! A request is sent at most once: it may change something, and nobody can look afterwards whether it did. So what is not
//! known after sending stays unknown. Read [`Request`] first.

use std::time::Duration;

/// How long a request may take with all of its answer.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// The header that names the act, so that the other system can tell a repeat.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// How much of an answer is kept, in bytes.
pub const ANSWER_LEN_MAX: usize = 1024;

/// What is sent, whole: never recorded as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// What is sent; `None` for nothing.
    pub body: Option<String>,
    /// Which answers are good.
    pub expect: Vec<u16>,
}

impl Request {
    /// Whether it asks for something and changes nothing, as HTTP has it.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        self.method == "GET"
    }
}

/// How a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// An answer came.
    Answered {
        /// Its status.
        status: u16,
        /// Whether the playbook expects it.
        expected: bool,
        /// The start of its body, redacted: untrusted.
        detail: String,
    },
    /// Nothing was sent, or nothing that could have changed anything.
    Failed {
        /// Why.
        error: String,
    },
    /// It was sent, or may have been, and no answer came: nobody knows whether it did anything.
    Unknown {
        /// What went wrong.
        error: String,
    },
    /// Dry run: nothing was sent.
    Rehearsed,
}
