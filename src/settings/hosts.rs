//! `docker.hosts`: the Dockers, each with its address and what it takes to speak to it safely.
//!
//! Left out, there is one: what Docker's own variables say, or the local socket. Read [`Checks::docker_hosts`].

use super::layers::Inputs;
use super::raw::{RawHost, RawTls};
use super::resolve::Checks;
use super::types::{DockerHost, DockerTls, DockerUrl};
use crate::model::host::HostName;
use crate::model::ssh::SshAddress;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A PEM file longer than this is the wrong file.
const PEM_BYTES_MAX: usize = 64 << 10;

/// Endings of names that lead nowhere outside.
const PRIVATE_ENDINGS: [&str; 5] = ["internal", "local", "lan", "localhost", "home.arpa"];

impl Checks<'_> {
    /// All of them, if each can be used.
    pub(super) fn docker_hosts(&mut self, raw: Option<Vec<RawHost>>, inputs: &Inputs) -> Option<Vec<DockerHost>> {
        let Some(raw) = raw else { return Some(vec![self.docker_of_environment(inputs)?]) };
        if raw.is_empty() {
            self.fail("docker.hosts", "is empty; name at least one Docker, or leave it out");
        }
        let count = raw.len();
        let mut names = BTreeSet::new();
        let mut hosts = Vec::new();
        for (index, host) in raw.into_iter().enumerate() {
            let key = format!("docker.hosts[{index}]");
            self.unique_name(&format!("{key}.name"), &host.name, &mut names);
            if HostName::parse(&host.name).is_none() {
                let message = "must be letters, digits, `.`, `_` and `-`, beginning with a letter or digit: it stands before \
                               the names of its targets";
                self.fail(&format!("{key}.name"), message);
            }
            if 0 < index && host.renamed_from.is_some() {
                let message = "is for the first host, which records do not name; remove it: what is recorded of another one \
                               is recorded under its old name";
                self.fail(&format!("{key}.renamed_from"), message);
            }
            hosts.extend(self.docker_host(&key, host));
        }
        (0 < count && hosts.len() == count).then_some(hosts)
    }

    fn docker_host(&mut self, key: &str, raw: RawHost) -> Option<DockerHost> {
        let secured = raw.tls.is_some();
        let url = self.keep(&format!("{key}.url"), docker_url(&raw.url, secured));
        let tls = raw.tls.map(|tls| self.tls(&format!("{key}.tls"), &tls));
        let ssh_config = raw.ssh_config.map(|config| self.path(&format!("{key}.ssh_config"), &config));
        let url = url?;
        match &url {
            DockerUrl::Unix(_) | DockerUrl::Ssh(_) if secured => {
                self.fail_key(&format!("{key}.tls"), "goes with a tcp:// address; remove it");
            }
            DockerUrl::Unix(_) | DockerUrl::Ssh(_) => {}
            DockerUrl::Tcp(authority) => {
                let allowed = secured || raw.allow_insecure_tcp == Some(true);
                self.refuse_open_tcp(&format!("{key}.url"), authority, allowed);
            }
        }
        let write_url = raw.write_url.as_deref().map(|url| docker_url(url, secured));
        let write_url = write_url.and_then(|url| self.keep(&format!("{key}.write_url"), url));
        if let Some(DockerUrl::Tcp(authority)) = &write_url {
            let allowed = secured || raw.allow_insecure_tcp == Some(true);
            self.refuse_open_tcp(&format!("{key}.write_url"), authority, allowed);
        }
        if ssh_config.is_some() && !matches!(url, DockerUrl::Ssh(_)) {
            self.fail_key(&format!("{key}.ssh_config"), "goes with an ssh:// address; remove it");
        }
        // What could not be read was reported.
        let tls = if secured { Some(tls??) } else { None };
        let renamed_from = raw.renamed_from;
        Some(DockerHost { name: raw.name, url, write_url, tls, ssh_config, renamed_from })
    }

    /// Whoever listens on the way could do anything there.
    fn refuse_open_tcp(&mut self, key: &str, authority: &str, allowed: bool) {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host);
        if !allowed && !is_private(host) {
            let message = format!(
                "{host} is not a private address, and plain tcp gives whoever listens on the way all of that machine: use \
                 `tls` or ssh://, or set `allow_insecure_tcp: true`"
            );
            self.fail(key, message);
        }
    }

    /// What Docker's own command line goes by.
    fn docker_of_environment(&mut self, inputs: &Inputs) -> Option<DockerHost> {
        let set = |name: &str| inputs.env.get(name).filter(|value| !value.is_empty());
        let key = "DOCKER_HOST";
        let local = "unix:///var/run/docker.sock".to_owned();
        let text = set(key).cloned().unwrap_or(local);
        let is_tcp = text.starts_with("tcp://");
        let secured = set("DOCKER_TLS_VERIFY").is_some() && is_tcp;
        let url = self.keep(key, docker_url(&text, secured))?;
        if let DockerUrl::Tcp(authority) = &url {
            self.refuse_open_tcp(key, authority, secured);
        }
        let tls = if secured { Some(self.tls_of_environment(set("DOCKER_CERT_PATH"))?) } else { None };
        let (name, write_url, ssh_config, renamed_from) = ("local".to_owned(), None, None, None);
        Some(DockerHost { name, url, write_url, tls, ssh_config, renamed_from })
    }

    fn tls_of_environment(&mut self, path: Option<&String>) -> Option<DockerTls> {
        let key = "DOCKER_CERT_PATH";
        let Some(path) = path else {
            self.fail(key, "is not set, and DOCKER_TLS_VERIFY is: name the directory of ca.pem, cert.pem and key.pem");
            return None;
        };
        let [ca, cert, key_file] = ["ca.pem", "cert.pem", "key.pem"].map(|name| Path::new(path).join(name));
        self.read_tls([key; 3], &ca, Some((cert, key_file)))
    }

    fn tls(&mut self, key: &str, raw: &RawTls) -> Option<DockerTls> {
        let keys = ["ca_file", "cert_file", "key_file"].map(|name| format!("{key}.{name}"));
        let [ca_key, cert_key, key_key] = keys.each_ref().map(String::as_str);
        let ca = self.path(ca_key, &raw.ca_file);
        let identity = match (&raw.cert_file, &raw.key_file) {
            (Some(cert), Some(secret)) => Some((self.path(cert_key, cert), self.path(key_key, secret))),
            (None, None) => None,
            (Some(_), None) => {
                self.fail(key, "has `cert_file` without `key_file`; the two go together");
                return None;
            }
            (None, Some(_)) => {
                self.fail(key, "has `key_file` without `cert_file`; the two go together");
                return None;
            }
        };
        self.read_tls([ca_key, cert_key, key_key], &ca, identity)
    }

    fn read_tls(&mut self, keys: [&str; 3], ca: &Path, identity: Option<(PathBuf, PathBuf)>) -> Option<DockerTls> {
        let [ca_key, cert_key, key_key] = keys;
        let mut files = vec![ca.display().to_string()];
        let authority = self.pem(ca_key, ca);
        let identity = identity.map(|(cert, key)| {
            files.extend([cert.display().to_string(), key.display().to_string()]);
            let (cert, key) = (self.pem(cert_key, &cert), self.pem(key_key, &key));
            Some((cert?, SecretString::from(key?)))
        });
        let identity = match identity {
            Some(read) => Some(read?),
            None => None,
        };
        Some(DockerTls { ca: authority?, identity, files: files.join(", ") })
    }

    pub(super) fn pem(&mut self, key: &str, path: &Path) -> Option<String> {
        let read = (self.read)(path);
        let path = path.display();
        let read = read.map_err(|cause| {
            format!("cannot read {path}: {cause}; create it, or let the user sickbay runs as read it")
        });
        let read = read.and_then(|text| match text.contains("-----BEGIN ") && text.len() <= PEM_BYTES_MAX {
            true => Ok(text),
            false => Err(format!("{path} is not in PEM: it has no line that begins with -----BEGIN")),
        });
        self.keep(key, read)
    }
}

/// Reads an address. Over TLS it has another port where none is named.
fn docker_url(text: &str, secured: bool) -> Result<DockerUrl, String> {
    if let Some(path) = text.strip_prefix("unix://") {
        let absolute = path.starts_with('/');
        let hint = "the path of the socket is absolute: unix:///var/run/docker.sock";
        return if absolute { Ok(DockerUrl::Unix(PathBuf::from(path))) } else { Err(hint.to_owned()) };
    }
    if let Some(rest) = text.strip_prefix("ssh://") {
        return SshAddress::parse(rest).map(DockerUrl::Ssh).map_err(str::to_owned);
    }
    let Some(rest) = text.strip_prefix("tcp://") else {
        return Err("write unix:///path/to/docker.sock, tcp://HOST:PORT or ssh://USER@HOST".to_owned());
    };
    let authority: http::uri::Authority =
        rest.trim_end_matches('/').parse().map_err(|cause| format!("not tcp://HOST:PORT: {cause}"))?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err("write tcp://HOST:PORT, without a user".to_owned());
    }
    let port = authority.port_u16().unwrap_or(if secured { 2376 } else { 2375 });
    Ok(DockerUrl::Tcp(format!("{}:{port}", authority.host())))
}

/// Whether a host is on this machine, on a network of Docker's or on a private one, as far as its name tells.
fn is_private(host: &str) -> bool {
    let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let ends_so = |ending: &&str| name.strip_suffix(*ending).is_some_and(|rest| rest.ends_with('.'));
        return !name.contains('.') || PRIVATE_ENDINGS.iter().any(ends_so);
    };
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            // What carriers translate from is nobody's own, and what overlay networks such as Tailscale use.
            let shared = u32::from(v4) & 0xffc0_0000 == u32::from(Ipv4Addr::new(100, 64, 0, 0));
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_told_by_address_or_name() {
        for (host, want) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.127.255.254", true),
            ("[::1]", true),
            ("[fd00::1]", true),
            ("socket-proxy", true),
            ("localhost", true),
            ("docker.lan", true),
            ("a.home.arpa", true),
            ("Host.Docker.Internal.", true),
            ("172.32.0.1", false),
            ("100.128.0.1", false),
            ("8.8.8.8", false),
            ("0.0.0.0", false),
            ("[2001:db8::1]", false),
            ("[::ffff:8.8.8.8]", false),
            ("docker.example.com", false),
            ("notlan", true),
            ("x.notlan", false),
        ] {
            assert_eq!(is_private(host), want, "{host}");
        }
    }
}
