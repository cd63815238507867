//! Where the application says that it listens, and where its published ports lead. Docker itself does not know on which
//! address a process listens; only its log tells, if it does.

use super::findings::{Class, Findings};
use super::log_line::has_any;
use super::look::Look;
use super::words::quote;
use crate::model::diagnosis::DiagnosisCode as Code;
use core::net::IpAddr;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// `listening on http://127.0.0.1:8080`, `Running on 0.0.0.0:80`, `started server on [::]:3000`, `listening at port 80`: a
/// verb, what stands between, the host before the port, the port.
static LISTENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(?:listen(?:ing|s|er)?|running|serving|started|bound|binding|ready|accepting)\b(.{0,120}?)",
        r#"(?:([\w.\-+*%:\[\]]*):(\d{2,5})|\bport["' =:]{0,4}(\d{2,5}))\b"#
    ))
    .ok()
});

/// An address of the container itself, in words.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b\d+\.\d+\.\d+\.\d+\b|\blocalhost\b|\[[0-9a-f:]*\]").ok());

/// What a program does with a port that is not its own.
const ELSEWHERE: [&str; 16] = [
    "connected",
    "connecting",
    "connection to",
    "connects",
    "push",
    "forward",
    "prox",
    "upstream",
    "backend",
    "from ",
    "scrap",
    "sending",
    "reporting",
    "joined",
    "using ",
    "against ",
];

/// Side doors, for those who look after the application: nobody publishes them by default.
const ASIDE: [&str; 12] = [
    "debug",
    "inspector",
    "dt_socket",
    "jdwp",
    "pprof",
    "admin",
    "management",
    "metrics",
    "telemetry",
    "prometheus",
    "health",
    "actuator",
];

/// What a line of the log says of an open port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listening<'a> {
    pub(super) address: &'a str,
    pub(super) port: u16,
    pub(super) line: &'a str,
    /// It is not where the application's own users come in.
    pub(super) aside: bool,
}

impl Listening<'_> {
    fn on_loopback(&self) -> bool {
        self.address.starts_with("127.") || ["localhost", "[::1]", "::1"].contains(&self.address)
    }
}

/// Reads a line of the log. Without an address, all are taken to be meant. The port behind somebody else's name is not its
/// own, and neither is one that it connects to.
pub(super) fn listening(line: &str) -> Option<Listening<'_>> {
    let mut found = LISTENS.as_ref()?.captures_iter(line);
    found.find_map(|found| {
        let between = found.get(1).map_or("", |between| between.as_str());
        if has_any(&between.to_lowercase(), &ELSEWHERE) {
            return None;
        }
        let address = match found.get(2).map(|host| host.as_str()) {
            Some(host) => own(host)?,
            None => ADDRESS.as_ref()?.find_iter(between).last().map_or("*", |address| address.as_str()),
        };
        let port = found.get(3).or_else(|| found.get(4))?.as_str().parse().ok()?;
        Some(Listening { address, port, line, aside: has_any(&line.to_lowercase(), &ASIDE) })
    })
}

/// What stands before a port, if it is an address that a program can listen on: a number or a sign for all, and no name but
/// `localhost`.
fn own(host: &str) -> Option<&str> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare {
        "" | "*" | "+" => Some("*"),
        _ if bare.eq_ignore_ascii_case("localhost") => Some("localhost"),
        _ => bare.parse::<IpAddr>().is_ok().then_some(host),
    }
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
            && let Some(only) = only_port(&heard)
            && published.iter().all(|other| other.inside != format!("{}/tcp", only.port))
        {
            // To publish what listens on loopback helps nothing, and is not meant.
            let next = if only.on_loopback() {
                format!("Let the application listen on 0.0.0.0:{number}.")
            } else {
                format!("Publish port {} of the container, or let the application listen on {number}.", only.port)
            };
            findings.risk(
                Class::Hint,
                Code::PortMismatch,
                (
                    format!(
                        "By its log its application listens on port {} and nowhere else, and the published port leads to {number}.",
                        only.port
                    ),
                    format!("its log says {}; {shown}", quote(only.line)),
                    next,
                ),
            );
        }
    }
    loopback_only(&published, findings);
}

/// The one port of the application itself that the log tells of, if it is one.
fn only_port<'h, 'a>(heard: &'h [Listening<'a>]) -> Option<&'h Listening<'a>> {
    let mut own = heard.iter().filter(|heard| !heard.aside);
    let first = own.next()?;
    own.all(|other| other.port == first.port).then_some(first)
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
            ("Now listening on: http://+:80", Some(("*", 80))),
            ("Server running at http://localhost:3000/", Some(("localhost", 3000))),
            ("Listening on :::3000", Some(("::", 3000))),
            (" * Running on http://172.17.0.2:5000", Some(("172.17.0.2", 5000))),
            ("{\"level\":30,\"msg\":\"listening\",\"port\":3000}", Some(("*", 3000))),
            ("LOG:  listening on IPv4 address \"0.0.0.0\", port 5432", Some(("0.0.0.0", 5432))),
            ("LOG:  listening on IPv4 address \"127.0.0.1\", port 5432", Some(("127.0.0.1", 5432))),
            (
                "mysqld: ready for connections. Version: '8.0.30'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL",
                Some(("*", 3306)),
            ),
            ("Ready to accept connections on port 6379", Some(("*", 6379))),
            ("Started; connected to database db:5432", None),
            ("Started; connected to 10.0.0.7:5432", None),
            ("started, connection to database on port 5432 is fine", None),
            ("worker ready, using redis://redis:6379/0", None),
            ("celery@1f is running; broker amqp://guest@rabbitmq:5672", None),
            ("metrics exporter running, pushing to http://pushgateway:9091", None),
            ("serving as proxy to http://10.0.0.5:3000", None),
            ("accepting requests from 10.0.0.3:51234", None),
            ("job started at 2026-01-01 12:30:45", None),
            ("started in 00:12", None),
            ("Started (database db:5432), listening on :8080", Some(("*", 8080))),
        ] {
            assert_eq!(listening(line).map(|heard| (heard.address, heard.port)), want, "{line}");
        }
    }

    #[test]
    fn side_doors_are_told_from_the_application() {
        for (line, aside) in [
            ("Debugger listening on ws://127.0.0.1:9229/abc", true),
            ("Debugger listening on ws://0.0.0.0:9229/abc", true),
            ("admin interface running on 127.0.0.1:9901", true),
            ("Serving metrics on :9090", true),
            ("pprof listening on localhost:6060", true),
            ("listening on :8080", false),
        ] {
            assert_eq!(listening(line).map(|heard| heard.aside), Some(aside), "{line}");
        }
    }
}
