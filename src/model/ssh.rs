//! The address of a Docker engine behind SSH: `ssh://user@host:port/path/to/docker.sock`, all but the host optional.
//!
//! Its parts become arguments of `ssh` and, the socket's path, of a shell at the other end; so they are narrow, and none
//! can be taken for an option.

use std::fmt;

/// Where an engine is behind SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAddress {
    /// As whom; `None` leaves it to ssh's own configuration.
    pub user: Option<String>,
    /// A name, an address, or an alias of ssh's configuration. An IPv6 address has no brackets.
    pub host: String,
    /// The port; `None` leaves it to ssh's own configuration.
    pub port: Option<u16>,
    /// The socket there; `None` is the one that `docker` itself takes.
    pub socket: Option<String>,
}

impl SshAddress {
    /// Reads what stands after `ssh://`.
    ///
    /// # Errors
    /// What is wrong, and how it is written.
    pub fn parse(rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let (host, port) = match (place.strip_prefix('['), place.rsplit_once(':')) {
            (Some(bracketed), _) => {
                let (address, after) = bracketed.split_once(']').ok_or("the bracket is not closed: ssh://[::1]:22")?;
                if !is_ipv6(address) {
                    return Err("between brackets stands an IPv6 address");
                }
                (address, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) })
            }
            (None, Some((host, port))) => (host, Some(port)),
            (None, None) => (place, None),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password in the address is not supported: ssh takes a key");
        }
        if !user.is_none_or(is_word) || !(is_word(host) || place.starts_with('[')) {
            return Err("write ssh://USER@HOST, in letters, digits, `.`, `_` and `-`");
        }
        let port = port
            .map(|port| port.parse().ok().filter(|port| 0 < *port).ok_or("the port is not a number from 1 to 65535"));
        let socket = Some(path).filter(|path| !matches!(*path, "" | "/"));
        if !socket.is_none_or(|path| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))) {
            return Err("the socket's path has letters, digits, `/`, `.`, `_` and `-` only");
        }
        let (user, socket) = (user.map(str::to_owned), socket.map(str::to_owned));
        Ok(Self { user, host: host.to_owned(), port: port.transpose()?, socket })
    }
}

/// Letters, digits, `.`, `_` and `-`, and no `-` before anything else: that would be an option.
fn is_word(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    starts_well && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether it looks like an IPv6 address; whether it is one, whoever connects finds out.
fn is_ipv6(text: &str) -> bool {
    text.contains(':') && text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        self.user.iter().try_for_each(|user| write!(f, "{user}@"))?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))?;
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_again() {
        for (rest, user, host, port, socket) in [
            ("web-2", None, "web-2", None, None),
            ("deploy@web-2", Some("deploy"), "web-2", None, None),
            ("deploy@10.0.0.2:2222/run/docker.sock", Some("deploy"), "10.0.0.2", Some(2222), Some("/run/docker.sock")),
            ("web-2/run/user/1000/docker.sock", None, "web-2", None, Some("/run/user/1000/docker.sock")),
            ("[::1]:22", None, "::1", Some(22), None),
            ("_x@[fe80::1]", Some("_x"), "fe80::1", None, None),
        ] {
            let address = SshAddress::parse(rest).unwrap();
            let read = (address.user.as_deref(), &*address.host, address.port, address.socket.as_deref());
            assert_eq!(read, (user, host, port, socket), "{rest}");
            assert_eq!(address.to_string(), format!("ssh://{rest}"));
        }
        assert_eq!(SshAddress::parse("a/").unwrap().socket, None);
    }

    #[test]
    fn nothing_can_be_taken_for_an_option_or_by_a_shell() {
        for rest in [
            "",
            "@a",
            "-oProxyCommand=x",
            "-a@b",
            "a@-b",
            "a b@c",
            "a;b",
            "a@b:0",
            "a@b:x",
            "a@b:",
            "u:secret@b",
            "a/x y",
            "a/$(id)",
            "a/x;id",
            "a/x'y",
            "[::1",
            "[a]",
            "[::1]x",
            "a:1:2",
            "a\n",
        ] {
            assert!(SshAddress::parse(rest).is_err(), "{rest:?}");
        }
    }
}
