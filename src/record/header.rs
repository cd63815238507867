//! The members every record begins with: `v seq ts up_ms boot log kind`, always these, always in this order.
//!
//! Because the order is fixed, the header is read by position and without a JSON parser: that is what makes verifying
//! and searching fast. Read [`Header`] first.

use super::line::{LineError, SCHEMA_VERSION};
use super::time;
use crate::model::fact::Record;
use crate::model::id::Seq;
use crate::model::stamp::{BootId, Stamp};
use std::fmt;
use std::io::Write;

/// The random name a log is born with. It stands in every record, so that records of two logs cannot be mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub u32);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What every record begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its number.
    pub seq: Seq,
    /// When.
    pub at: Stamp,
    /// Which log.
    pub log: LogId,
    /// What kind of record.
    pub kind: &'a str,
}

impl<'a> Header<'a> {
    /// Reads the header of a line without looking at the rest of it.
    ///
    /// # Errors
    /// [`LineError`] if the line does not begin as every record does, or is of a version this program does not know.
    pub fn of(line: &'a [u8]) -> Result<Self, LineError> {
        parse(line)
    }
}

/// Appends the header of a record, up to and without the comma after `kind`.
pub(super) fn push(record: &Record, log: LogId, out: &mut Vec<u8>) {
    let Record { seq, at, fact } = record;
    out.extend_from_slice(b"{\"v\":1,\"seq\":");
    push_number(seq.0, out);
    out.extend_from_slice(b",\"ts\":\"");
    time::push_micros(at.wall, out);
    out.extend_from_slice(b"\",\"up_ms\":");
    push_number(at.up_ms, out);
    out.extend_from_slice(b",\"boot\":\"");
    push_hex(at.boot.0, out);
    out.extend_from_slice(b"\",\"log\":\"");
    push_hex(log.0, out);
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(fact.kind().as_bytes());
    out.push(b'"');
}

fn push_number(number: u64, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("writing to memory");
}

fn push_hex(number: u32, out: &mut Vec<u8>) {
    write!(out, "{number:08x}").expect("writing to memory");
}

/// Reads the header of a line.
pub(super) fn parse(line: &[u8]) -> Result<Header<'_>, LineError> {
    let mut rest = Rest(line);
    rest.expect(b"{\"v\":")?;
    let version = rest.number()?;
    if version != SCHEMA_VERSION {
        return Err(LineError::UnknownVersion(version));
    }
    rest.expect(b",\"seq\":")?;
    let seq = Seq(rest.number()?);
    rest.expect(b",\"ts\":\"")?;
    let wall = time::parse(rest.take(27)?).ok_or(LineError::NotARecord("`ts` is not a moment"))?;
    rest.expect(b"\",\"up_ms\":")?;
    let up_ms = rest.number()?;
    rest.expect(b",\"boot\":\"")?;
    let boot = BootId(rest.hex()?);
    rest.expect(b"\",\"log\":\"")?;
    let log = LogId(rest.hex()?);
    rest.expect(b"\",\"kind\":\"")?;
    let kind = rest.word()?;
    Ok(Header { seq, at: Stamp { wall, up_ms, boot }, log, kind })
}

const NOT_A_HEADER: LineError = LineError::NotARecord("it does not begin with v, seq, ts, up_ms, boot, log and kind");

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn expect(&mut self, literal: &[u8]) -> Result<(), LineError> {
        self.0 = self.0.strip_prefix(literal).ok_or(NOT_A_HEADER)?;
        Ok(())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], LineError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(NOT_A_HEADER)?;
        self.0 = rest;
        Ok(taken)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Result<&'a [u8], LineError> {
        let len = self.0.iter().position(|byte| !wanted(*byte)).ok_or(NOT_A_HEADER)?;
        self.take(len)
    }

    fn number(&mut self) -> Result<u64, LineError> {
        let digits = self.take_while(|byte| byte.is_ascii_digit())?;
        let plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
        let sum = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
        plain.then(|| digits.iter().try_fold(0, sum)).flatten().ok_or(NOT_A_HEADER)
    }

    fn hex(&mut self) -> Result<u32, LineError> {
        let digits = str::from_utf8(self.take(8)?).map_err(|_not_utf8| NOT_A_HEADER)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten().ok_or(NOT_A_HEADER)
    }

    fn word(&mut self) -> Result<&'a str, LineError> {
        let word = self.take_while(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_')?;
        self.expect(b"\"")?;
        str::from_utf8(word).map_err(|_not_utf8| NOT_A_HEADER)
    }
}
