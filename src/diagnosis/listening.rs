//! Where the application says that it listens, and where its published ports lead. Docker itself does not know on which
//! address a process listens; only its log tells, if it does.

use super::findings::{Class, Findings};
use super::look::Look;
use super::words::quote;
use crate::model::diagnosis::DiagnosisCode as Code;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// `listening on http://127.0.0.1:8080`, `Running on 0.0.0.0:80`, `started server on [::]:3000`, `listening at port 80`.
static LISTENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(?:listen(?:ing|s)?|running|serving|started|bound|binding|ready|accepting)\b.{0,60}?",
        r"(?:\b(127\.\d+\.\d+\.\d+|localhost|0\.0\.0\.0)|(\[::1?\]|\*))?",
        r"(?:[:]|\bport[ =:]{0,2})(\d{2,5})\b"
    ))
    .ok()
});

/// What a line of the log says of an open port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listening<'a> {
    pub(super) address: &'a str,
    pub(super) port: u16,
    pub(super) line: &'a str,
}

impl Listening<'_> {
    fn on_loopback(&self) -> bool {
        self.address.starts_with("127.") || ["localhost", "[::1]"].contains(&self.address)
    }
}

/// Reads a line of the log. Without an address, all are taken to be meant.
pub(super) fn listening(line: &str) -> Option<Listening<'_>> {
    let found = LISTENS.as_ref()?.captures(line)?;
    let address = found.get(1).or_else(|| found.get(2)).map_or("*", |address| address.as_str());
    Some(Listening { address, port: found.get(3)?.as_str().parse().ok()?, line })
}

/// One published port.
struct Published<'a> {
    inside: &'a str,
    host_ip: &'a str,
    host_port: &'a str,
}

pub(super) fn find(look: &Look<'_>, findings: &mut Findings) {
    let published: Vec<Published<'_>> = published(look);
    if !look.runs() || published.is_empty() {
        return;
    }
    let heard: Vec<Listening<'_>> = look.lines().into_iter().filter_map(listening).collect();
    for port in published.iter().filter(|port| port.inside.ends_with("/tcp")) {
        let number = port.inside.trim_end_matches("/tcp");
        let of_it = |heard: &&Listening<'_>| heard.port.to_string() == number;
        let open: Vec<&Listening<'_>> = heard.iter().filter(of_it).collect();
        let shown = format!("published port {}:{} leads to {number}", address(port.host_ip), port.host_port);
        if let Some(loopback) = open.iter().find(|_| open.iter().all(|heard| heard.on_loopback())) {
            findings.cause(
                Class::Log,
                Code::ListensOnLoopback,
                (
                    format!("Its application listens on {} only: the published port does not lead there, and other containers do not reach it.", loopback.address),
                    format!("its log says {}; {shown}", quote(loopback.line)),
                    format!("Let it listen on 0.0.0.0:{number}."),
                ),
            );
        } else if open.is_empty()
            && let [only] = heard.as_slice()
            && published.iter().all(|other| other.inside != format!("{}/tcp", only.port))
        {
            findings.cause(
                Class::Hint,
                Code::PortMismatch,
                (
                    format!("Its application listens on port {}, and the published port leads to {number}.", only.port),
                    format!("its log says {}; {shown}", quote(only.line)),
                    format!("Publish port {} of the container, or let the application listen on {number}.", only.port),
                ),
            );
        }
    }
    loopback_only(&published, findings);
}

fn published<'a>(look: &Look<'a>) -> Vec<Published<'a>> {
    let part = |port: &'a Value, key: &str| port.get(key).and_then(Value::as_str).unwrap_or_default();
    let ports = look.list("/container/ports").iter();
    ports
        .map(|port| Published {
            inside: part(port, "container"),
            host_ip: part(port, "host_ip"),
            host_port: part(port, "host_port"),
        })
        .collect()
}

fn address(host_ip: &str) -> &str {
    if host_ip.is_empty() { "0.0.0.0" } else { host_ip }
}

fn loopback_only(published: &[Published<'_>], findings: &mut Findings) {
    let local = |port: &&Published<'_>| port.host_ip.starts_with("127.") || port.host_ip == "::1";
    let ports: Vec<String> =
        published.iter().filter(local).take(5).map(|port| format!("{}:{}", port.host_ip, port.host_port)).collect();
    if !ports.is_empty() {
        findings.note(
            Code::PublishedOnLoopback,
            (
                "It publishes a port on loopback: only this machine reaches it there.".to_owned(),
                ports.join(", "),
                "Publish it on another address if other machines shall reach it.".to_owned(),
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_tell_of_an_open_port_are_read() {
        for (line, want) in [
            ("Listening on 127.0.0.1:8080", Some(("127.0.0.1", 8080))),
            ("INFO: Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", Some(("127.0.0.1", 8000))),
            (" * Running on http://localhost:5000", Some(("localhost", 5000))),
            ("server is listening on [::1]:3000", Some(("[::1]", 3000))),
            ("Starting gunicorn 20.1.0; Listening at: http://0.0.0.0:8000 (7)", Some(("0.0.0.0", 8000))),
            ("ready to serve on [::]:3000", Some(("[::]", 3000))),
            ("app listening on port 3000", Some(("*", 3000))),
            ("Tomcat started on port(s): 8080", None),
            ("level=info msg=\"Listening on\" address=:9090", Some(("*", 9090))),
            ("took 12:30 minutes", None),
            ("connection to 127.0.0.1:5432 refused", None),
        ] {
            assert_eq!(listening(line).map(|heard| (heard.address, heard.port)), want, "{line}");
        }
    }
}
