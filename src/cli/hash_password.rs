//! `sickbay hash-password`: the hash of a password for `people` in the settings, or a new token with its hash.
//!
//! The password comes from standard input, never from the command line, where others could read it.

use super::{USAGE, complain};
use crate::people::{PASSWORD_BYTES_MAX, PasswordHash, TokenHash};
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};
use std::io::{self, BufRead, Read, Write};

/// Bytes of a new token; printed with twice as many digits.
const TOKEN_BYTES: usize = 24;

/// The exit code of whoever is interrupted.
const INTERRUPTED: u8 = 130;

/// Print the hash of a password for `people` in the settings; the password is read from standard input.
#[derive(Args, Clone, Debug)]
pub struct HashPasswordArgs {
    /// Make a new token instead, and print it with its hash
    #[arg(long)]
    token: bool,
}

/// Why there is no hash, and the exit code.
type Failed = (String, u8);

/// Hashes; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &HashPasswordArgs, input: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<u8> {
    let made = if args.token { token().map_err(|problem| (problem, USAGE)) } else { password(input) };
    match made {
        Ok(text) => writeln!(out, "{text}").map(|()| 0),
        Err((problem, code)) => {
            complain(&problem);
            Ok(code)
        }
    }
}

fn token() -> Result<String, String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let token = hex::encode(bytes);
    let hash = TokenHash::of(&token)?.hex();
    Ok(format!("token: {token}\ntoken_hash: {hash}"))
}

fn password(input: &mut dyn BufRead) -> Result<String, Failed> {
    let unread = |error: io::Error| (format!("the password cannot be read from standard input: {error}"), USAGE);
    let Some(_silent) = Terminal::silent() else {
        return hashed(&line(input).map_err(unread)?);
    };
    let mut ask = |what: &str| {
        _ = write!(io::stderr().lock(), "{what}: ");
        let typed = typed(input).map_err(unread);
        _ = writeln!(io::stderr().lock());
        typed?.ok_or_else(|| ("interrupted".to_owned(), INTERRUPTED))
    };
    let password = ask("password")?;
    if ask("once more")?.expose_secret() != password.expose_secret() {
        return Err(("these are two different passwords".to_owned(), USAGE));
    }
    hashed(&password)
}

fn hashed(password: &SecretString) -> Result<String, Failed> {
    PasswordHash::make(password.expose_secret()).map_err(|problem| (problem, USAGE))
}

/// One line, without its end.
fn line(input: &mut dyn BufRead) -> io::Result<SecretString> {
    let most = u64::try_from(PASSWORD_BYTES_MAX + 2).unwrap_or(u64::MAX);
    let mut line = String::new();
    Read::take(input, most).read_line(&mut line)?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
}

/// What is typed up to the end of the line, key by key; `None` if somebody wants to leave.
fn typed(input: &mut dyn BufRead) -> io::Result<Option<SecretString>> {
    let mut bytes = Vec::new();
    for key in input.bytes() {
        match key? {
            b'\n' | b'\r' | END => break,
            INTERRUPT | SUSPEND | QUIT => return Ok(None),
            BACKSPACE | DELETE => {
                let text = String::from_utf8_lossy(&bytes);
                let mut kept = text.chars();
                kept.next_back();
                bytes = kept.as_str().as_bytes().to_vec();
            }
            ALL => bytes.clear(),
            _ if PASSWORD_BYTES_MAX < bytes.len() => {}
            key => bytes.push(key),
        }
    }
    Ok(Some(SecretString::from(String::from_utf8_lossy(&bytes).into_owned())))
}

/// What Ctrl with C, D, H, U, Z and `\` sends.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const ALL: u8 = 21;
const SUSPEND: u8 = 26;
const QUIT: u8 = 28;
const DELETE: u8 = 127;

/// A terminal that shows nothing of what is typed, for as long as this lives. It sends no signals meanwhile: whoever is
/// killed by one leaves a terminal behind that shows nothing any more.
struct Terminal(Termios);

impl Terminal {
    fn silent() -> Option<Self> {
        let stdin = io::stdin();
        let before = isatty(&stdin).then(|| tcgetattr(&stdin).ok()).flatten()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&stdin, OptionalActions::Now, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_becomes_a_hash_that_the_settings_take_and_a_token_comes_with_its_own() {
        let run = |token: bool, input: &str| {
            let mut out = Vec::new();
            let code = run(&HashPasswordArgs { token }, &mut input.as_bytes(), &mut out).unwrap();
            (code, String::from_utf8(out).unwrap())
        };
        let (code, hash) = run(false, "correct horse\r\nanother line\n");
        assert_eq!(code, 0);
        assert!(PasswordHash::parse(hash.trim()).unwrap().fits("correct horse"), "{hash}");
        assert_eq!(run(false, "\n"), (USAGE, String::new()));
        assert_eq!(run(false, &"x".repeat(5000)).0, USAGE);
        let (_, printed) = run(true, "");
        let line = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!(TokenHash::of(&line("token:")).unwrap().hex(), line("token_hash:"));
    }

    #[test]
    fn what_is_typed_key_by_key_can_be_corrected_and_left() {
        let typed = |keys: &str| typed(&mut keys.as_bytes()).unwrap().map(|text| text.expose_secret().to_owned());
        for (keys, want) in [
            ("sesame\nmore", Some("sesame")),
            ("sesamu\u{7f}e\r", Some("sesame")),
            ("sé\u{8}e\n", Some("se")),
            ("\u{7f}\u{7f}a\n", Some("a")),
            ("wrong\u{15}sesame\n", Some("sesame")),
            ("sesame\u{4}", Some("sesame")),
            ("sesame", Some("sesame")),
            ("ses\u{3}ame\n", None),
            ("ses\u{1a}", None),
            ("\u{1c}", None),
        ] {
            assert_eq!(typed(keys).as_deref(), want, "{keys:?}");
        }
    }
}
