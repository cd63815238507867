//! `notifiers[].email` of the settings: keys and meaning as in Alertmanager's `email_configs`, where it has them.
//!
//! A password never goes over the wire unencrypted, and no text becomes a second line of a header or a command.
//! Read [`Checks::email`].

use super::raw::{OneOrMany, RawEmail};
use super::resolve::Checks;
use crate::model::mail::{MailConfig, MailTls};
use lettre::message::{Mailbox, Mailboxes};
use secrecy::SecretString;

/// Where servers speak TLS from the first byte.
const IMPLICIT_TLS_PORT: u16 = 465;

/// More belong in a mailing list.
const ADDRESSES_MAX: usize = 50;

impl Checks<'_> {
    /// All of it must be right.
    pub(super) fn email(&mut self, key: &str, raw: RawEmail) -> Option<MailConfig> {
        let at = |name: &str| format!("{key}.{name}");
        let to = self.keep(&at("to"), addressees(raw.to));
        let from = self.keep(&at("from"), sender(&raw.from));
        let smarthost = self.keep(&at("smarthost"), smarthost(&raw.smarthost));
        let hello = self.keep(&at("hello"), hello(raw.hello.unwrap_or_else(|| "localhost".to_owned())));
        let port = smarthost.as_ref().map_or(0, |(_, port)| *port);
        let tls = match (raw.force_implicit_tls, raw.require_tls) {
            (Some(true), _) => MailTls::Implicit,
            (None, _) if port == IMPLICIT_TLS_PORT => MailTls::Implicit,
            (Some(false) | None, Some(false)) => MailTls::Never,
            (Some(false) | None, Some(true) | None) => MailTls::StartTls,
        };
        let password_key = if raw.auth_password_file.is_some() { "auth_password_file" } else { "auth_password" };
        let gives_password = raw.auth_password.is_some() || raw.auth_password_file.is_some();
        let password = self.secret(&at("auth_password"), raw.auth_password, raw.auth_password_file);
        let login = self.mail_login(key, (raw.auth_username, password), (password_key, gives_password));
        if tls == MailTls::Never && gives_password {
            let message = "is false, and so the password would go over the wire for anybody to read; remove this, or \
                           `auth_username` and its password";
            self.fail(&at("require_tls"), message);
        }
        let ca = match (raw.ca_file, tls) {
            (None, _) => Some(None),
            (Some(_), MailTls::Never) => {
                self.fail_key(
                    &at("ca_file"),
                    "says whom to trust where nothing is encrypted; remove it, or `require_tls`",
                );
                None
            }
            (Some(file), MailTls::Implicit | MailTls::StartTls) => {
                let path = self.path(&at("ca_file"), &file);
                self.pem(&at("ca_file"), &path).map(Some)
            }
        };
        let (host, port) = smarthost?;
        Some(MailConfig { to: to?, from: from?, host, port, hello: hello?, login: login?, tls, ca: ca? })
    }

    /// Both or neither. The outer `None` if something is wrong.
    fn mail_login(
        &mut self,
        key: &str,
        (username, password): (Option<String>, Option<SecretString>),
        (password_key, gives_password): (&str, bool),
    ) -> Option<Option<(String, SecretString)>> {
        let username_key = format!("{key}.auth_username");
        match (username, gives_password) {
            (None, false) => Some(None),
            (None, true) => {
                self.fail(&format!("{key}.{password_key}"), "needs `auth_username` beside it: whose password is it?");
                None
            }
            (Some(_), false) => {
                self.fail(&username_key, "needs `auth_password_file` beside it: the file that holds the password");
                None
            }
            (Some(user), true) if user.is_empty() || user.chars().any(char::is_control) => {
                self.fail(&username_key, "is empty or holds control characters; write the name of the account");
                None
            }
            (Some(user), true) => password.map(|password| Some((user, password))),
        }
    }
}

/// All addresses of one text, or of several.
fn addressees(OneOrMany(texts): OneOrMany) -> Result<Vec<Mailbox>, String> {
    let mut found: Vec<Mailbox> = Vec::new();
    for text in texts {
        for mailbox in mailboxes(&text)? {
            if found.iter().any(|other| same_mailbox(other, &mailbox)) {
                return Err(format!("{} stands twice; remove one", mailbox.email));
            }
            found.push(mailbox);
        }
    }
    match found.len() {
        0 => Err("is empty; write whom the mail is for, such as joe@example.com".to_owned()),
        1..=ADDRESSES_MAX => Ok(found),
        more => Err(format!("names {more} addresses; at most {ADDRESSES_MAX}: write to a mailing list instead")),
    }
}

fn sender(text: &str) -> Result<Mailbox, String> {
    match <[Mailbox; 1]>::try_from(mailboxes(text)?) {
        Ok([mailbox]) => Ok(mailbox),
        Err(_several) => Err("must be one address, such as sickbay@example.com".to_owned()),
    }
}

/// The addresses in a text, which headers and commands can hold as they are.
fn mailboxes(text: &str) -> Result<Vec<Mailbox>, String> {
    let hint = "write joe@example.com or Joe <joe@example.com>";
    if text.chars().any(char::is_control) {
        return Err(format!("holds a line break or another control character; {hint}"));
    }
    let parsed: Mailboxes = text.parse().map_err(|_error| format!("{text:?} is no address; {hint}"))?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>(),:;\\[]".contains(&byte);
    let parsed: Vec<Mailbox> = parsed.into();
    match parsed.iter().find(|mailbox| !AsRef::<str>::as_ref(&mailbox.email).bytes().all(plain)) {
        Some(mailbox) => Err(format!(
            "{:?} is no address that every server takes: letters, digits and signs of ASCII, without quotes; {hint}",
            mailbox.email.to_string()
        )),
        None => Ok(parsed),
    }
}

/// Whether two addresses lead to one mailbox, as far as they can tell.
pub(super) fn same_mailbox(one: &Mailbox, other: &Mailbox) -> bool {
    let address = |mailbox: &Mailbox| mailbox.email.to_string().to_ascii_lowercase();
    address(one) == address(other)
}

/// `HOST:PORT`; an IPv6 address has brackets. What is wrong is not shown: it may hold a password.
fn smarthost(text: &str) -> Result<(String, u16), String> {
    let wrong = || "must be HOST:PORT, such as mail.example.com:587, and nothing else".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    if is_host { Ok((bare.unwrap_or(host).to_owned(), port)) } else { Err(wrong()) }
}

fn hello(text: String) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    if (1..=255).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text);
    }
    Err("is no name of a machine; write it as sickbay.example.com, or an address in brackets".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(texts: &[&str]) -> Result<Vec<String>, String> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        addressees(OneOrMany(texts)).map(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_are_read_as_people_write_them_and_nothing_else_is_one() {
        for (texts, want) in [
            (&["joe@example.com"][..], &["joe@example.com"][..]),
            (&["Joe Doe <joe@example.com>"], &["Joe Doe <joe@example.com>"]),
            (&["joe@example.com, Ann <ann+oncall@example.com>"], &["joe@example.com", "Ann <ann+oncall@example.com>"]),
            (&["joe@example.com", "ann@example.com"], &["joe@example.com", "ann@example.com"]),
            (&["root@localhost"], &["root@localhost"]),
        ] {
            assert_eq!(many(texts).unwrap(), want, "{texts:?}");
        }
        for (texts, want) in [
            (&[""][..], "is empty"),
            (&[], "is empty"),
            (&["joe"], "\"joe\" is no address; write joe@example.com"),
            (&["joe@"], "no address"),
            (&["joe@example.com\nBcc: eve@example.com"], "a line break"),
            (&["joe@example.com\r\nRCPT TO:<eve@example.com>"], "a line break"),
            (&["Joe\r\n Doe <joe@example.com>"], "a line break"),
            (&["joe@example.com> SIZE=1 <x"], "no address"),
            (&["\"joe doe\"@example.com"], "no address"),
            (&["j\u{f6}e@example.com"], "no address that every server takes"),
            (&["joe@example.com", "JOE@example.com"], "stands twice"),
            (&["joe@example.com ann@example.com"], "no address"),
        ] {
            let said = many(texts).unwrap_err();
            assert!(said.contains(want), "{texts:?}: {said}");
        }
        let crowd: Vec<String> = (0..51).map(|number| format!("p{number}@example.com")).collect();
        assert!(addressees(OneOrMany(crowd)).unwrap_err().contains("51 addresses; at most 50"));
        assert!(sender("a@example.com, b@example.com").unwrap_err().contains("one address"));
    }

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (text, want) in [
            ("mail.example.com:587", Some(("mail.example.com", 587))),
            ("127.0.0.1:25", Some(("127.0.0.1", 25))),
            ("[::1]:2525", Some(("::1", 2525))),
            ("mail.example.com", None),
            ("mail.example.com:", None),
            ("mail.example.com:0", None),
            ("mail.example.com:70000", None),
            (":25", None),
            ("::1:25", None),
            ("[mail]:25", None),
            ("smtp://mail.example.com:25", None),
            ("me:s3cret@mail.example.com:25", None),
            ("mail.example.com\r\nQUIT:25", None),
        ] {
            match (smarthost(text), want) {
                (Ok((host, port)), Some(want)) => assert_eq!((&*host, port), want),
                (Err(said), None) => assert!(said.contains("HOST:PORT") && !said.contains("s3cret"), "{said}"),
                (got, want) => panic!("{text}: {got:?} {want:?}"),
            }
        }
        for (text, want) in [
            ("localhost", true),
            ("[127.0.0.1]", true),
            ("[IPv6:::1]", true),
            ("", false),
            ("a b", false),
            ("x\r\nMAIL FROM:<a@b>", false),
        ] {
            assert_eq!(hello(text.to_owned()).is_ok(), want, "{text}");
        }
    }
}
