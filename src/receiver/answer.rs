//! What the sender is told. Alertmanager reads the status and puts the text of an error into its own log; people and
//! tests read the rest.
//!
//! Never 429 (Alertmanager would drop the notification for good) and never a redirect (it would follow with an empty GET
//! and take that for success). [`Refusal`] is the closed list of everything that is not a 200.

use super::auth::Unauthorized;
use super::payload::{PayloadError, clip};
use crate::engine::receipt::{AlertAnswer, AlertReceipt};
use crate::inbox::Unavailable;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use std::io::Write;
use std::time::Duration;

/// Error texts stay below this many bytes: with JSON around them they must fit into a kilobyte.
const ERROR_LEN_MAX: usize = 480;

/// Why a delivery was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0} is not how alerts are sent; use POST or PUT")]
    Method(String),
    #[error("{0}")]
    Unauthorized(Unauthorized),
    #[error("a page in a browser sends it (`Origin`, `Sec-Fetch-Site`), and no page sends alerts")]
    Page,
    #[error("Content-Encoding {0:?} is not understood; send the body as it is")]
    Encoding(String),
    #[error(
        "the body is larger than {0} bytes; set `max_alerts` in the webhook's configuration or raise `webhook.max_body`"
    )]
    TooLarge(usize),
    #[error("the body did not arrive within {} seconds", .0.as_secs_f32())]
    SlowBody(Duration),
    #[error("the body ended early: {0}")]
    BrokenBody(String),
    #[error("{0}")]
    Payload(PayloadError),
    #[error("{0}; send again later")]
    Unavailable(Unavailable),
    #[error("the alerts were not durable within {} seconds; send again later", .0.as_secs_f32())]
    SlowLog(Duration),
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Page => StatusCode::FORBIDDEN,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) | Self::Payload(PayloadError::TooMany(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenBody(_) | Self::Payload(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) | Self::SlowLog(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the rest of the body may still be on its way, so that the connection cannot be used again.
    fn leaves_body_unread(&self) -> bool {
        match self {
            Self::Method(_) | Self::Unauthorized(_) | Self::Page | Self::Encoding(_) | Self::TooLarge(_) => true,
            Self::SlowBody(_) | Self::BrokenBody(_) => true,
            Self::Payload(_) | Self::Unavailable(_) | Self::SlowLog(_) => false,
        }
    }

    /// The response. `challenge` is what a 401 asks for.
    pub(super) fn response(&self, challenge: impl FnOnce() -> HeaderValue) -> Response {
        let mut response = json(self.status(), error_body(&self.to_string()));
        let headers = response.headers_mut();
        if let Self::Unauthorized(_) = self {
            headers.insert(header::WWW_AUTHENTICATE, challenge());
        }
        if let Self::Method(_) = self {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST, PUT"));
        }
        if self.leaves_body_unread() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// `{"error":"…"}`, below a kilobyte.
fn error_body(text: &str) -> Vec<u8> {
    serde_json::json!({ "error": clip(text, ERROR_LEN_MAX) }).to_string().into_bytes()
}

/// The answer to a delivery that was taken.
pub(super) fn accepted(delivery: &str, receipts: &[AlertReceipt], rejected: usize) -> Response {
    json(StatusCode::OK, accepted_body(delivery, receipts, rejected))
}

fn accepted_body(delivery: &str, receipts: &[AlertReceipt], rejected: usize) -> Vec<u8> {
    let count = |answer| receipts.iter().filter(|receipt| receipt.answer == answer).count();
    let mut body = Vec::with_capacity(160 + receipts.len() * 112);
    let head = write!(
        body,
        "{{\"delivery\":\"{delivery}\",\"accepted\":{},\"duplicates\":{},\"no_match\":{},\"refused\":{},\
         \"resolved\":{},\"rejected\":{rejected},\"alerts\":[",
        count(AlertAnswer::Accepted),
        count(AlertAnswer::Duplicate),
        count(AlertAnswer::NoMatch),
        count(AlertAnswer::Refused),
        count(AlertAnswer::Resolved),
    );
    head.expect("a Vec takes every write");
    for (index, receipt) in receipts.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        one_alert(&mut body, receipt);
    }
    body.extend_from_slice(b"]}\n");
    body
}

/// Appended piece by piece: a storm's bulk passes here, and formatting would cost more than deciding.
fn one_alert(body: &mut Vec<u8>, receipt: &AlertReceipt) {
    body.extend_from_slice(b"{\"fingerprint\":\"");
    body.extend(receipt.fingerprint.0.to_be_bytes().iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]));
    body.extend_from_slice(b"\",\"status\":\"");
    body.extend_from_slice(receipt.answer.as_str().as_bytes());
    body.push(b'"');
    if let Some(playbook) = &receipt.playbook {
        body.extend_from_slice(b",\"playbook\":");
        serde_json::to_writer(&mut *body, &**playbook).expect("a Vec takes every write");
    }
    if let Some(incident) = receipt.incident {
        write!(body, ",\"incident\":\"{incident}\"").expect("a Vec takes every write");
    }
    if let Some(reason) = receipt.reason {
        body.extend_from_slice(b",\"reason\":\"");
        body.extend_from_slice(reason.as_str().as_bytes());
        body.push(b'"');
    }
    body.push(b'}');
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{IncidentId, Seq};
    use crate::model::label::Fingerprint;
    use crate::model::reason::Reason;

    #[test]
    fn the_answer_tells_what_became_of_each_alert() {
        let receipt = |fingerprint, answer| AlertReceipt {
            fingerprint: Fingerprint(fingerprint),
            answer,
            incident: None,
            playbook: None,
            reason: None,
        };
        let accepted = AlertReceipt {
            incident: Some(IncidentId(Seq(12))),
            playbook: Some("say \"hi\"".into()),
            ..receipt(0x0104_9719_88ee_40cb, AlertAnswer::Accepted)
        };
        let unmatched = AlertReceipt { reason: Some(Reason::NoMatch), ..receipt(1, AlertAnswer::NoMatch) };
        let body = String::from_utf8(accepted_body("d-1", &[accepted, unmatched], 3)).unwrap();
        let want = concat!(
            r#"{"delivery":"d-1","accepted":1,"duplicates":0,"no_match":1,"refused":0,"resolved":0,"rejected":3,"alerts":["#,
            r#"{"fingerprint":"0104971988ee40cb","status":"accepted","playbook":"say \"hi\"","incident":"i12"},"#,
            r#"{"fingerprint":"0000000000000001","status":"no_match","reason":"no_match"}]}"#,
            "\n"
        );
        assert_eq!(body, want);
    }

    #[test]
    fn error_bodies_stay_below_a_kilobyte() {
        let body = error_body(&"\"é".repeat(4000));
        assert!(body.len() < 1024, "{}", body.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    }
}
