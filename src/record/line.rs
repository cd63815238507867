//! A whole line: header, body, seal. [`encode`] writes one, [`decode`] reads one.
//!
//! A kind or member this version does not know is kept, hashed and ignored; a schema version it does not know is an
//! error, and so is a code it does not know in a record that decides something.

use super::chain::{Hash, Seal};
use super::header::{self, LogId};
use super::text::Cap;
use super::wire;
use crate::model::fact::{Fact, Record};
use crate::model::id::Seq;
use crate::model::stamp::Stamp;

/// The schema version this program writes, and the only one it reads.
pub const SCHEMA_VERSION: u64 = 1;

/// The longest line [`encode`] writes, in bytes, its newline included; `state.saved` alone may be longer.
pub const RECORD_LEN_MAX: usize = 64 * 1024;

/// One line, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Its number.
    pub seq: Seq,
    /// When.
    pub at: Stamp,
    /// Which log.
    pub log: LogId,
    /// What it names as the hash of the line before it.
    pub prev: Hash,
    /// What it says its own hash is.
    pub hash: Hash,
    /// What it tells.
    pub content: Content,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every line is a fact, and a box would cost each of them")]
pub enum Content {
    /// Something this version knows.
    Fact(Fact),
    /// A record of a newer version's kind: to be counted and otherwise ignored.
    Unknown {
        /// Its kind.
        kind: String,
    },
}

impl Decoded {
    /// The record, unless its kind is unknown.
    #[must_use]
    pub fn into_record(self) -> Option<Record> {
        match self.content {
            Content::Fact(fact) => Some(Record { seq: self.seq, at: self.at, fact }),
            Content::Unknown { .. } => None,
        }
    }
}

/// Why a line is not a record this version can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It does not have the shape of a record.
    #[error("it is not a record: {0}")]
    NotARecord(&'static str),
    /// It was written by a later, incompatible version.
    #[error(
        "it has schema version {0}, and this program reads version {SCHEMA_VERSION}: use the sickbay that wrote it"
    )]
    UnknownVersion(u64),
    /// Its kind is known, but its body cannot be read.
    #[error("its body cannot be read as `{kind}`: {problem}; if a newer sickbay wrote it, use that one")]
    Body {
        /// Its kind.
        kind: String,
        /// What is wrong.
        problem: String,
    },
}

/// Appends a record as one whole line, newline included, and returns its hash: what the next record names as `prev`.
pub fn encode(record: &Record, log: LogId, prev: &Hash, out: &mut Vec<u8>) -> Hash {
    let start = out.len();
    let mut hash = *prev;
    for cap in Cap::STEPS {
        out.truncate(start);
        header::push(record, log, out);
        push_body(record, cap, out);
        hash = Seal::push(out, start, prev);
        // The whole state is never cut: what is missing from it would be forgotten.
        if out.len() - start <= RECORD_LEN_MAX || matches!(record.fact, Fact::StateSaved(_)) {
            break;
        }
    }
    hash
}

/// Appends the body's members: the object `{…}` becomes `,…`, and `{}` nothing.
fn push_body(record: &Record, cap: Cap, out: &mut Vec<u8>) {
    let brace = out.len();
    wire::write_body(&record.fact, record.seq, cap, out);
    out.pop();
    if out.len() == brace + 1 {
        out.pop();
    } else if let Some(byte) = out.get_mut(brace) {
        *byte = b',';
    }
}

/// Reads a line, without its newline. The hash is read, not checked: that is [`super::Chain`]'s part.
///
/// # Errors
/// [`LineError`] if it is not a record of this schema version, or a known kind whose body cannot be read.
pub fn decode(line: &[u8]) -> Result<Decoded, LineError> {
    let (Seal { prev, hash }, _) = Seal::find(line).ok_or(LineError::NotARecord("it does not end in prev and hash"))?;
    let header = header::parse(line)?;
    let content = match wire::read_body(header.kind, line) {
        Some(Ok(fact)) => Content::Fact(fact),
        Some(Err(problem)) => return Err(LineError::Body { kind: header.kind.to_owned(), problem }),
        None => Content::Unknown { kind: header.kind.to_owned() },
    };
    Ok(Decoded { seq: header.seq, at: header.at, log: header.log, prev, hash, content })
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
