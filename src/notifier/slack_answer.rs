//! Answers to clicks in Slack: to the URL that came with the click, if it is one of Slack's, and nowhere else.
//!
//! The URL is data from outside, even if Slack has signed it: its origin must be the one that the settings name, as the
//! client that sends reads it. Redirects are not followed, and no error names the URL: whoever knows it may post. Read
//! [`SlackAnswers::send`].

use crate::http_client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use std::time::Duration;

/// How long Slack may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Sends them.
#[derive(Clone, Debug)]
pub struct SlackAnswers {
    client: Client,
}

impl SlackAnswers {
    /// Makes the client.
    ///
    /// # Errors
    /// Why TLS could not be set up.
    pub fn new() -> Result<Self, String> {
        Ok(Self { client: http_client::guarded(DEADLINE)? })
    }

    /// Posts a body, once, if the URL is of this origin.
    ///
    /// # Errors
    /// Why it was not sent or not taken, without the URL.
    pub async fn send(&self, url: &str, origin: &str, body: String) -> Result<(), String> {
        let url = allowed(url, origin)?;
        let kind = HeaderValue::from_static("application/json");
        let response = self.client.post(url).header(CONTENT_TYPE, kind).body(body).send().await;
        let status = response.map_err(|error| error.without_url().to_string())?.status();
        if status.is_success() { Ok(()) } else { Err(format!("answered {}", status.as_u16())) }
    }
}

/// The URL, if it is of this origin and carries no user.
fn allowed(url: &str, origin: &str) -> Result<Url, String> {
    let url: Url = url.parse().map_err(|_not_one| "is no URL".to_owned())?;
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && url.origin().is_tuple() && url.origin().ascii_serialization() == origin {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or("nowhere");
    Err(format!("leads to {host}, and answers go to {origin} alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_the_one_origin_and_nowhere_else() {
        let (slack, here) = ("https://hooks.slack.com", "http://127.0.0.1:8065");
        for (url, origin, want) in [
            ("https://hooks.slack.com/actions/T0/1/abc", slack, true),
            ("https://HOOKS.slack.com:443/actions/T0/1/abc", slack, true),
            ("http://hooks.slack.com/actions", slack, false),
            ("https://hooks.slack.com:8443/actions", slack, false),
            ("https://hooks.slack.com.evil.example/", slack, false),
            ("https://evil.example/hooks.slack.com", slack, false),
            ("https://hooks.slack.com@evil.example/", slack, false),
            ("https://evil.example#@hooks.slack.com/", slack, false),
            ("https://evil.example\\@hooks.slack.com/", slack, false),
            ("https://a:b@hooks.slack.com/", slack, false),
            ("https://hooks.slack.com\u{3002}evil.example/", slack, false),
            ("http://169.254.169.254/latest/meta-data", slack, false),
            ("http://127.0.0.1:10112/-/reload", slack, false),
            ("file:///etc/passwd", slack, false),
            ("data:text/plain,x", "null", false),
            ("", slack, false),
            ("http://127.0.0.1:8065/answer", here, true),
            ("http://127.0.0.1:8066/answer", here, false),
            ("https://hooks.slack.com/actions", here, false),
        ] {
            assert_eq!(allowed(url, origin).is_ok(), want, "{url} for {origin}");
        }
        let told = allowed("https://evil.example/s3cret?x=s3cret", slack).unwrap_err();
        assert_eq!(told, "leads to evil.example, and answers go to https://hooks.slack.com alone");
    }
}
