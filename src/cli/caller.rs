//! Who asks a running daemon to change something, and how the answer is told: the same for every such command.

use super::ask::{Question, ask, understood};
use super::check::Output;
use super::reach::Reach;
use super::{complain, print_json};
use crate::settings;
use clap::Args;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Write};

/// Who asks which daemon.
#[derive(Args, Clone, Debug)]
pub(super) struct Caller {
    /// Who you are [default: your login name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a change is answered with.
pub(super) trait Changed: Serialize + DeserializeOwned {
    /// What may be wrong with it although it was done.
    fn warning(&self) -> Option<&str>;

    /// For people.
    fn print(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Caller {
    /// Who asks.
    pub(super) fn name(&self) -> String {
        self.by.clone().or_else(settings::login_name).unwrap_or_else(|| "unknown".to_owned())
    }

    /// Asks for a change and tells what became of it; the exit code.
    pub(super) fn change<C: Changed>(
        &self,
        (method, path): (Method, &str),
        request: &impl Serialize,
        out: &mut dyn Write,
    ) -> io::Result<u8> {
        let way = match self.reach.way() {
            Ok(way) => way,
            Err(code) => return Ok(code),
        };
        let body = serde_json::to_vec(request)?;
        let changed: C = match understood(&way.url, ask(Question { way: &way, method, path, body })) {
            Ok(changed) => changed,
            Err(code) => return Ok(code),
        };
        if let Some(warning) = changed.warning() {
            complain(&format!("warning: {warning}"));
        }
        match self.output {
            Output::Json => print_json(&changed, out)?,
            Output::Text => changed.print(out)?,
        }
        Ok(0)
    }
}

/// Everything that has a meaning of its own in a path, as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_its_place_in_the_path() {
        assert_eq!(encoded("target:web-1"), "target:web-1");
        assert_eq!(encoded("playbook:a/../b?c#d%é"), "playbook:a%2F..%2Fb%3Fc%23d%25%C3%A9");
    }
}
