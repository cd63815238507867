//! What can go wrong between us and Docker, sorted by what it means for the next move.
//!
//! The one question that matters for a write is: was it sent, and do we know what came of it? Read [`DockerError`]
//! first. Texts are cleaned of secrets, because Docker quotes commands and environments in its errors.

use super::endpoint::DockerEndpoint;
use super::transport::{AnswerTooLarge, NotAccepted, ReadOnly};
use crate::model::redact;
use serde_json::Value;
use std::error::Error;
use std::io;

/// Docker's words, cut to this many bytes.
const WORDS_LEN_MAX: usize = 500;

/// A call that did not bring what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// The request never reached Docker: nothing happened.
    #[error("{0}")]
    NotSent(String),
    /// A socket proxy or an authorization plugin said no: nothing happened.
    #[error(
        "{method} {path} was denied by the socket proxy or authorization plugin before docker (http {status}): \
         `sickbay permissions` prints what to allow there"
    )]
    Denied {
        /// Which method.
        method: &'static str,
        /// Which path, without the query.
        path: String,
        /// 401, 403 or 405; 404 where the words are not Docker's.
        status: u16,
    },
    /// Docker knows no such thing.
    #[error("docker does not know it: {0}")]
    NotFound(String),
    /// Its state does not allow it.
    #[error("docker sees a conflict: {0}")]
    Conflict(String),
    /// Docker refused the request as it stands, or cannot do it.
    #[error("docker refused the request (http {status}): {message}")]
    Rejected {
        /// The status, most often 400 or 501.
        status: u16,
        /// Docker's words.
        message: String,
    },
    /// Docker failed at it. What it did before is open: look.
    #[error("docker failed (http {status}): {message}")]
    Server {
        /// The status, most often 500.
        status: u16,
        /// Docker's words.
        message: String,
    },
    /// The request was sent and no answer came: only looking can tell.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The answer cannot be read.
    #[error("docker's answer cannot be read: {0}")]
    Invalid(String),
    /// The engine speaks no API version that we speak.
    #[error(
        "the docker engine offers API versions {engine_min} to {engine_max} and sickbay speaks {ours_min} to {ours_max}: \
         use another engine or another sickbay"
    )]
    UnsupportedVersion {
        /// The engine's lowest.
        engine_min: String,
        /// The engine's highest.
        engine_max: String,
        /// Our lowest.
        ours_min: String,
        /// Our highest.
        ours_max: String,
    },
}

impl DockerError {
    /// Whether the same question may have an answer a little later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Server { .. } | Self::OutcomeUnknown(_) | Self::Invalid(_) => true,
            Self::Denied { .. }
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Rejected { .. }
            | Self::UnsupportedVersion { .. } => false,
        }
    }

    /// Whether it may concern what was asked for alone, while Docker answers otherwise.
    pub(super) fn may_be_of_one(&self) -> bool {
        match self {
            Self::Server { .. } | Self::OutcomeUnknown(_) | Self::Invalid(_) => true,
            Self::NotSent(_)
            | Self::Denied { .. }
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Rejected { .. }
            | Self::UnsupportedVersion { .. } => false,
        }
    }

    /// Whether the engine behind the address may have been exchanged: its version must be asked again.
    pub(super) fn doubts_version(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::OutcomeUnknown(_) | Self::UnsupportedVersion { .. } => true,
            Self::Rejected { status, message } => *status == 400 && message.contains("client version"),
            Self::Denied { .. } | Self::NotFound(_) | Self::Conflict(_) | Self::Server { .. } | Self::Invalid(_) => {
                false
            }
        }
    }

    /// Docker's words if it was asked about Swarm and manages none: no swarm, a worker, or a locked manager.
    #[must_use]
    pub fn no_manager(&self) -> Option<&str> {
        const SIGNS: [&str; 4] = ["not a swarm manager", "not part of a swarm", "encrypted", "unlock"];
        match self {
            Self::Server { status: 503, message } => {
                let words = message.to_ascii_lowercase();
                SIGNS.iter().any(|sign| words.contains(sign)).then_some(message.as_str())
            }
            Self::Server { .. }
            | Self::NotSent(_)
            | Self::Denied { .. }
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Rejected { .. }
            | Self::OutcomeUnknown(_)
            | Self::Invalid(_)
            | Self::UnsupportedVersion { .. } => None,
        }
    }

    /// A short code for metrics: the HTTP status where there was one.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Denied { status, .. } | Self::Rejected { status, .. } | Self::Server { status, .. } => {
                status.to_string()
            }
            Self::NotFound(_) => "404".to_owned(),
            Self::Conflict(_) => "409".to_owned(),
            Self::NotSent(_) => "not_sent".to_owned(),
            Self::OutcomeUnknown(_) => "no_answer".to_owned(),
            Self::Invalid(_) => "invalid".to_owned(),
            Self::UnsupportedVersion { .. } => "unsupported_version".to_owned(),
        }
    }
}

/// Which call an error is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallContext<'a> {
    /// Where it went.
    pub(super) endpoint: &'a DockerEndpoint,
    /// How.
    pub(super) method: &'static str,
    /// What was asked, with or without a query.
    pub(super) path: &'a str,
}

impl CallContext<'_> {
    fn bare_path(&self) -> &str {
        self.path.split_once('?').map_or(self.path, |(path, _)| path)
    }

    /// The deadline passed.
    pub(super) fn late(&self) -> DockerError {
        let path = self.bare_path();
        DockerError::OutcomeUnknown(format!("docker did not answer {} {path} in time", self.method))
    }

    /// An answer with a status that is not a success. `body` is Docker's JSON or a proxy's text.
    pub(super) fn refused(&self, status: u16, body: &str) -> DockerError {
        let message = words(body);
        // Docker says in JSON what it does not know; whoever says it otherwise stands before it.
        let foreign = status == 404 && !body.trim().is_empty() && serde_json::from_str::<Value>(body).is_err();
        match status {
            401 | 403 | 404 | 405 if status != 404 || foreign => {
                DockerError::Denied { method: self.method, path: self.bare_path().to_owned(), status }
            }
            404 => DockerError::NotFound(message),
            409 => DockerError::Conflict(message),
            502 | 504 => DockerError::OutcomeUnknown(format!(
                "a proxy before docker got no answer to {} {} (http {status})",
                self.method,
                self.bare_path()
            )),
            500..=599 if status != 501 => DockerError::Server { status, message },
            _ => DockerError::Rejected { status, message },
        }
    }

    /// What a failed exchange means.
    pub(super) fn failed(&self, error: &bollard::errors::Error) -> DockerError {
        use bollard::errors::Error as Bollard;
        if let Bollard::DockerResponseServerError { status_code, message } = error {
            // The client has taken Docker's words out of their JSON already; what it could not read it gives as it came.
            let came_as_it_is = message.trim_start().starts_with('<') || message.trim_start().starts_with("404 ");
            let body =
                if came_as_it_is { message.clone() } else { serde_json::json!({ "message": message }).to_string() };
            return self.refused(*status_code, &body);
        }
        if matches!(error, Bollard::RequestTimeoutError) {
            return self.late();
        }
        if let Bollard::HyperLegacyError { err } = error {
            return if err.is_connect() { self.not_connected(err) } else { self.cut(err) };
        }
        if let Bollard::HyperResponseError { err } = error {
            return self.cut(err);
        }
        if let Bollard::IOError { err } = error {
            let read_only = err.get_ref().is_some_and(|inner| inner.is::<ReadOnly>());
            return if read_only { DockerError::NotSent(err.to_string()) } else { self.cut(err) };
        }
        DockerError::Invalid(redact::clean(&error.to_string(), WORDS_LEN_MAX))
    }

    /// The connection ended before the answer did.
    pub(super) fn cut(&self, error: &(dyn Error + 'static)) -> DockerError {
        let too_large = io_error(error).and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<AnswerTooLarge>());
        let path = self.bare_path();
        if let Some(refused) = self.not_accepted(error) {
            return refused;
        }
        if too_large {
            return DockerError::Invalid(format!("{AnswerTooLarge} ({} {path})", self.method));
        }
        DockerError::OutcomeUnknown(format!(
            "the connection to docker was cut before it answered {} {path}",
            self.method
        ))
    }

    /// Whoever answered there did not let us speak to the engine.
    fn not_accepted(&self, error: &(dyn Error + 'static)) -> Option<DockerError> {
        let NotAccepted(why) = io_error(error)?.get_ref()?.downcast_ref()?;
        Some(DockerError::NotSent(format!("docker cannot be reached at {}: {why}", self.endpoint)))
    }

    fn not_connected(&self, error: &(dyn Error + 'static)) -> DockerError {
        if let Some(refused) = self.not_accepted(error) {
            return refused;
        }
        let endpoint = self.endpoint;
        let io_error = io_error(error);
        let text = match io_error.map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) => format!(
                "no docker socket at {endpoint}: start docker, mount the socket here, or correct the docker address"
            ),
            Some(io::ErrorKind::PermissionDenied) => format!(
                "permission denied on the docker socket {endpoint}: give sickbay the socket's group id \
                 (group_add: [<gid>] in compose, SupplementaryGroups=docker in systemd)"
            ),
            _ => {
                let cause = io_error.map_or_else(|| error.to_string(), ToString::to_string);
                format!(
                    "docker cannot be reached at {endpoint}: {cause}: check that the engine or its proxy is running"
                )
            }
        };
        DockerError::NotSent(text)
    }
}

/// The I/O error at the root of an error, if there is one.
fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io_error) = error.downcast_ref() {
            return Some(io_error);
        }
        next = error.source();
    }
    None
}

/// Docker's `message`, or whatever text came instead; of a page what it says, without its markup.
fn words(body: &str) -> String {
    let json = serde_json::from_str::<Value>(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str);
    let text = message.unwrap_or(body).trim();
    if message.is_none() && text.starts_with('<') {
        return redact::clean(&without_markup(text), WORDS_LEN_MAX);
    }
    redact::clean(text, WORDS_LEN_MAX)
}

/// The words between the tags.
fn without_markup(page: &str) -> String {
    let said = page.split('<').filter_map(|piece| Some(piece.split_once('>')?.1));
    said.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> DockerError {
        let endpoint = DockerEndpoint::default();
        CallContext { endpoint: &endpoint, method: "POST", path: "/v1.41/containers/a/restart?t=1" }
            .refused(status, body)
    }

    #[test]
    fn a_status_says_what_to_do_next() {
        for (status, code, may_pass) in [
            (400, "400", false),
            (401, "401", false),
            (403, "403", false),
            (404, "404", false),
            (405, "405", false),
            (409, "409", false),
            (500, "500", true),
            (501, "501", false),
            (502, "no_answer", true),
            (503, "503", true),
            (504, "no_answer", true),
        ] {
            let error = refused(status, r#"{"message":"no"}"#);
            assert_eq!((error.code().as_str(), error.may_pass()), (code, may_pass), "{status}: {error}");
        }
    }

    #[test]
    fn a_proxys_no_names_the_call_and_not_the_page() {
        let denied = refused(403, "<html><body><h1>403 Forbidden</h1></body></html>").to_string();
        assert_eq!(
            denied,
            "POST /v1.41/containers/a/restart was denied by the socket proxy or authorization plugin before docker \
             (http 403): `sickbay permissions` prints what to allow there"
        );
    }

    #[test]
    fn a_404_that_is_not_dockers_is_a_no() {
        for (body, denied) in [
            (r#"{"message":"No such container: a"}"#, false),
            ("", false),
            ("<html><body><h1>404 Not Found</h1></body></html>", true),
            ("404 page not found\n", true),
        ] {
            assert_eq!(matches!(refused(404, body), DockerError::Denied { status: 404, .. }), denied, "{body}");
        }
    }

    #[test]
    fn of_a_page_only_its_words_are_told() {
        let page = "<html>\n<head><title>503</title></head><body><h1>Service Unavailable</h1>\nNo server is available.\n</body></html>\n";
        let error = refused(503, page).to_string();
        assert_eq!(error, "docker failed (http 503): 503 Service Unavailable No server is available.");
    }

    #[test]
    fn dockers_words_lose_their_secrets_and_their_length() {
        let error = refused(500, r#"{"message":"exec: \"--password=hunter2\" not found"}"#).to_string();
        assert!(error.contains("exec:") && !error.contains("hunter2"), "{error}");
        assert!(refused(500, &"x".repeat(10_000)).to_string().len() < 600);
    }

    #[test]
    fn a_version_error_is_asked_again() {
        let old =
            refused(400, r#"{"message":"client version 1.41 is too old. Minimum supported API version is 1.44"}"#);
        assert!(old.doubts_version());
        assert!(!refused(400, r#"{"message":"invalid filter"}"#).doubts_version());
    }
}
