//! `labels`: under which names owners' labels are read, and which of them are about this sickbay.

use super::raw::RawLabels;
use super::resolve::Checks;
use super::types::LabelSettings;

/// The longest prefix and the longest scope.
const LEN_MAX: usize = 100;

/// Prefixes that are Docker's own.
const RESERVED: [&str; 3] = ["com.docker", "io.docker", "org.dockerproject"];

impl Checks<'_> {
    pub(super) fn labels(&mut self, raw: RawLabels) -> LabelSettings {
        let prefix = raw.prefix.and_then(|prefix| self.keep("labels.prefix", checked_prefix(prefix)));
        let scope = raw.scope.and_then(|scope| self.keep("labels.scope", checked_scope(scope)));
        LabelSettings { prefix, scope }
    }
}

fn checked_prefix(prefix: String) -> Result<String, String> {
    let is_under =
        |reserved: &&str| prefix.strip_prefix(*reserved).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if let Some(reserved) = RESERVED.into_iter().find(is_under) {
        return Err(format!("{reserved} is Docker's own; take a domain of yours, turned around: com.example.sickbay"));
    }
    let sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    let whole = prefix.split('.').all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'));
    if prefix.len() <= LEN_MAX && whole && prefix.bytes().all(sign) {
        return Ok(prefix);
    }
    Err("must be lower-case letters, digits, `.` and `-`, without a dot at its end: com.example.sickbay".to_owned())
}

fn checked_scope(scope: String) -> Result<String, String> {
    let plain = !scope.is_empty() && !scope.chars().any(|sign| sign.is_whitespace() || sign.is_control());
    if plain && scope.len() <= LEN_MAX { Ok(scope) } else { Err("must be one word of at most 100 bytes".to_owned()) }
}
