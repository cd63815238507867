//! The hash chain: each line names the hash of the line before it.
//!
//! The hash is taken over the bytes as they stand, never over a re-written form, so that a verifier in any language
//! agrees: SHA-256 of everything before `,"hash":`. Read [`Chain`] first.

use super::header::{self, Header, LogId};
use super::line::LineError;
use crate::model::id::Seq;
use sha2::{Digest, Sha256};
use std::fmt;

const PREV_KEY: &[u8] = b",\"prev\":\"";
const HASH_KEY: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

/// A SHA-256, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record of a log names as the one before it.
    pub const GENESIS: Self = Self([0; 32]);

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }

    /// The first 52 bits: what a gauge, being a double, can show exactly.
    #[must_use]
    pub fn head52(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 12
    }

    fn push_hex(&self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
        out.extend(self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::with_capacity(64);
        self.push_hex(&mut digits);
        f.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a line, `,"prev":"…","hash":"…"}`, taken apart but not yet believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What the line names as the hash of the one before it.
    pub prev: Hash,
    /// What the line says its own hash is.
    pub hash: Hash,
}

impl Seal {
    const PREV_LEN: usize = 9 + 64 + 1;
    const HASH_LEN: usize = 9 + 64 + 2;

    /// Finds the seal of a line (without its newline): the seal and the bytes the hash is taken over.
    #[must_use]
    pub fn find(line: &[u8]) -> Option<(Self, &[u8])> {
        let (hashed, hash_part) = line.split_at_checked(line.len().checked_sub(Self::HASH_LEN)?)?;
        let hash = Hash::parse(hash_part.strip_prefix(HASH_KEY)?.strip_suffix(END)?)?;
        let (_, prev_part) = hashed.split_at_checked(hashed.len().checked_sub(Self::PREV_LEN)?)?;
        let prev = Hash::parse(prev_part.strip_prefix(PREV_KEY)?.strip_suffix(b"\"")?)?;
        Some((Self { prev, hash }, hashed))
    }

    /// Ends the line that begins at `start`: appends `prev`, the hash and a newline.
    pub(super) fn push(out: &mut Vec<u8>, start: usize, prev: &Hash) -> Hash {
        out.extend_from_slice(PREV_KEY);
        prev.push_hex(out);
        out.push(b'"');
        let hash = Hash::of(out.get(start..).unwrap_or_default());
        out.extend_from_slice(HASH_KEY);
        hash.push_hex(out);
        out.extend_from_slice(END);
        out.push(b'\n');
        hash
    }
}

/// The rule a line broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The line is not a record at all.
    #[error("{0}")]
    Line(#[from] LineError),
    /// The line was changed after it was written.
    #[error("the line's bytes hash to {computed}, but it says {stated}")]
    Hash {
        /// What the bytes give.
        computed: Hash,
        /// What the line says.
        stated: Hash,
    },
    /// A record is missing, doubled or out of order.
    #[error("record {found} stands where {expected} belongs")]
    Seq {
        /// The next number.
        expected: Seq,
        /// The line's number.
        found: Seq,
    },
    /// The record before it is another one.
    #[error("it names {stated} as the hash of the record before it, which is {expected}")]
    Prev {
        /// The hash of the record before.
        expected: Hash,
        /// What the line names.
        stated: Hash,
    },
    /// The record comes from another log.
    #[error("it belongs to the log {found}, not to {expected}")]
    Log {
        /// The log so far.
        expected: LogId,
        /// The line's log.
        found: LogId,
    },
}

/// Walks a log and checks that every line follows from the one before it.
#[derive(Clone, Debug)]
pub struct Chain {
    next: Seq,
    head: Option<Hash>,
    log: Option<LogId>,
}

impl Default for Chain {
    fn default() -> Self {
        Self { next: Seq(0), head: Some(Hash::GENESIS), log: None }
    }
}

impl Chain {
    /// Begins somewhere within a log: the first line's own `prev` and number are believed.
    #[must_use]
    pub fn from_anywhere(first: Seq) -> Self {
        Self { next: first, head: None, log: None }
    }

    /// The number the next record must have.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// The hash of the last record, which the next one must name.
    #[must_use]
    pub fn head(&self) -> Hash {
        self.head.unwrap_or(Hash::GENESIS)
    }

    /// Which log it is, once a record was seen.
    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Whether a line, taken by itself, is a whole and unchanged record.
    #[must_use]
    pub fn is_self_consistent(line: &[u8]) -> bool {
        check_alone(line).is_ok()
    }

    /// Takes the next line, without its newline.
    ///
    /// # Errors
    /// The first rule it breaks; the chain then stays where it was.
    pub fn accept<'a>(&mut self, line: &'a [u8]) -> Result<Header<'a>, Break> {
        let (header, seal) = check_alone(line)?;
        if header.seq != self.next {
            return Err(Break::Seq { expected: self.next, found: header.seq });
        }
        if let Some(expected) = self.head.filter(|head| *head != seal.prev) {
            return Err(Break::Prev { expected, stated: seal.prev });
        }
        if let Some(expected) = self.log.filter(|log| *log != header.log) {
            return Err(Break::Log { expected, found: header.log });
        }
        *self = Self { next: header.seq.next(), head: Some(seal.hash), log: Some(header.log) };
        Ok(header)
    }
}

fn check_alone(line: &[u8]) -> Result<(Header<'_>, Seal), Break> {
    let (seal, hashed) = Seal::find(line).ok_or(LineError::NotARecord("it does not end in prev and hash"))?;
    let header = header::parse(line)?;
    let computed = Hash::of(hashed);
    if computed == seal.hash { Ok((header, seal)) } else { Err(Break::Hash { computed, stated: seal.hash }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    fn walk(log: &[u8]) -> Result<Chain, Break> {
        let mut chain = Chain::default();
        for line in log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n') {
            chain.accept(line)?;
        }
        Ok(chain)
    }

    #[test]
    fn a_log_as_written_is_accepted() {
        let (log, head) = sample::log_of(sample::every_shape("ünï\ncode"));
        let chain = walk(&log).unwrap();
        assert_eq!(chain.head(), head);
        assert_eq!(chain.log(), Some(sample::LOG));
        assert_eq!(chain.next_seq(), Seq(sample::every_shape("").len() as u64));
    }

    #[test]
    fn every_single_bit_flip_is_found() {
        let (log, _) = sample::log_of(sample::story("x"));
        assert!((4_000..20_000).contains(&log.len()), "{} bytes", log.len());
        // The newline at the very end belongs to no line; verify looks at it.
        for bit in 0..(log.len() - 1) * 8 {
            let mut flipped = log.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(walk(&flipped).is_err(), "bit {bit} in {:?}", String::from_utf8_lossy(&log[bit / 8..]));
        }
    }

    #[test]
    fn a_line_that_is_removed_doubled_or_moved_is_found() {
        let (log, _) = sample::log_of(sample::story("x"));
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        for at in 0..lines.len() - 1 {
            let (mut removed, mut doubled, mut moved) = (lines.clone(), lines.clone(), lines.clone());
            removed.remove(at);
            doubled.insert(at, lines[at]);
            moved.swap(at, at + 1);
            for (name, changed) in [("removed", removed), ("doubled", doubled), ("moved", moved)] {
                assert!(matches!(walk(&changed.concat()), Err(Break::Seq { .. })), "line {at} {name}");
            }
        }
        // What a chain alone cannot see: the last line gone. Only a witness outside can.
        assert!(walk(&lines[..lines.len() - 1].concat()).is_ok());
    }

    #[test]
    fn a_line_of_another_history_or_another_log_is_found() {
        let (log, _) = sample::log_of(sample::story("x"));
        let first = log.split_inclusive(|byte| *byte == b'\n').next().unwrap();
        let mut forged = first.to_vec();
        super::super::encode(
            &sample::record(1, crate::model::fact::Fact::LogClosed),
            sample::LOG,
            &Hash::of(b""),
            &mut forged,
        );
        assert!(matches!(walk(&forged), Err(Break::Prev { .. })));

        let Seal { hash, .. } = Seal::find(first.strip_suffix(b"\n").unwrap()).unwrap().0;
        let mut mixed = first.to_vec();
        super::super::encode(&sample::record(1, crate::model::fact::Fact::LogClosed), LogId(1), &hash, &mut mixed);
        assert!(matches!(walk(&mixed), Err(Break::Log { .. })));
    }

    #[test]
    fn the_head_gauge_is_the_first_52_bits() {
        let head = Hash::parse(b"fedcba9876543210000000000000000000000000000000000000000000000000").unwrap();
        assert_eq!(head.head52(), 0xf_edcb_a987_6543);
    }
}
