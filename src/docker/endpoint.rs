//! Where a Docker engine is reached: a Unix socket, TCP with or without TLS, or SSH.
//!
//! An address says nothing of certificates: they are added to it. What is no address is refused with words that say so,
//! never silently tried as something else.

use super::tls::Tls;
use crate::model::ssh::SshAddress;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of plain TCP where the address names none.
const TCP_PORT: u16 = 2375;

/// The address of one Docker engine, or of the socket proxy before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerEndpoint {
    /// `unix:///var/run/docker.sock`
    Unix(PathBuf),
    /// `tcp://socket-proxy:2375`
    Tcp {
        /// Name or address; an IPv6 address keeps its brackets.
        host: String,
        /// Port.
        port: u16,
        /// How it is spoken to over TLS; `None` for plain HTTP.
        tls: Option<Tls>,
    },
    /// `ssh://user@web-2`
    Ssh {
        /// Where.
        address: SshAddress,
        /// A configuration of ssh in place of the user's own.
        config: Option<PathBuf>,
    },
}

impl DockerEndpoint {
    /// The same over TLS, where it is TCP.
    #[must_use]
    pub fn with_tls(mut self, with: Option<Tls>) -> Self {
        match &mut self {
            Self::Tcp { tls, .. } => *tls = with,
            Self::Unix(_) | Self::Ssh { .. } => {}
        }
        self
    }

    /// The same with a configuration of ssh, where it is SSH.
    #[must_use]
    pub fn with_ssh_config(mut self, with: Option<PathBuf>) -> Self {
        match &mut self {
            Self::Ssh { config, .. } => *config = with,
            Self::Unix(_) | Self::Tcp { .. } => {}
        }
        self
    }
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the docker address {url:?} cannot be used: {why}")]
pub struct BadEndpoint {
    /// The address as given, without credentials.
    pub url: String,
    /// What is wrong and what would be right.
    pub why: &'static str,
}

impl Default for DockerEndpoint {
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/docker.sock"))
    }
}

impl FromStr for DockerEndpoint {
    type Err = BadEndpoint;

    fn from_str(url: &str) -> Result<Self, BadEndpoint> {
        let shown = if url.contains('@') { "…" } else { url };
        let bad = |why| BadEndpoint { url: shown.to_owned(), why };
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| bad("write unix:///path, tcp://host:port or ssh://user@host"))?;
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(bad("the path of a unix socket starts with a slash: unix:///var/run/docker.sock")),
            "tcp" | "http" => tcp(rest).map_err(bad),
            "https" => Err(bad("write tcp://host:port, and the certificates beside it")),
            "ssh" => Ok(Self::Ssh { address: SshAddress::parse(rest).map_err(bad)?, config: None }),
            "npipe" | "fd" => Err(bad("this scheme is not supported; use unix:///path or tcp://host:port")),
            _ => Err(bad("unknown scheme; write unix:///path or tcp://host:port")),
        }
    }
}

/// Reads what stands after `tcp://`.
fn tcp(rest: &str) -> Result<DockerEndpoint, &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err("credentials in a docker address are not supported");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("a path in a docker address is not supported; write tcp://host:port");
    }
    let after_brackets = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if after_brackets <= host.len() => (host, port.parse().ok()),
        Some(_) | None => (authority, Some(TCP_PORT)),
    };
    let port = port.filter(|port| 0 < *port).ok_or("the port is not a number from 1 to 65535")?;
    if host.is_empty() {
        return Err("the host is missing; write tcp://host:port");
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err("write an IPv6 address in brackets: tcp://[::1]:2375");
    }
    Ok(DockerEndpoint::Tcp { host: host.to_owned(), port, tls: None })
}

impl fmt::Display for DockerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, tls: _ } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh { address, config: _ } => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_docker_reads_them() {
        for (url, want) in [
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("tcp://proxy:2375", "tcp://proxy:2375"),
            ("http://proxy:2375/", "tcp://proxy:2375"),
            ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
            ("tcp://[::1]:2376", "tcp://[::1]:2376"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
            ("ssh://root@a:2222", "ssh://root@a:2222"),
        ] {
            assert_eq!(url.parse::<DockerEndpoint>().unwrap().to_string(), want, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_a_reason() {
        for (url, why) in [
            ("/var/run/docker.sock", "unix:///path"),
            ("unix://docker.sock", "slash"),
            ("https://a:2376", "tcp://host:port, and the certificates"),
            ("ssh://root:secret@a", "password"),
            ("npipe:////./pipe/docker", "not supported"),
            ("tcp://u:secret@a:1", "credentials"),
            ("tcp://a:1/docker", "path"),
            ("tcp://a:x", "port"),
            ("tcp://a:0", "port"),
            ("tcp://:1", "host"),
            ("tcp://::1:2375", "brackets"),
            ("gopher://a", "unknown scheme"),
        ] {
            let error = url.parse::<DockerEndpoint>().unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
