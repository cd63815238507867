//! How JSON is written in the log, so that a line is safe to print and no reader rounds a number.
//!
//! Beyond what JSON itself demands, characters that move a terminal's cursor, hide text or turn its direction are
//! written as `\uXXXX`; numbers that a double cannot hold exactly are written as strings. Read [`LineFormatter`] first.

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use std::io::{self, Write};

/// The largest integer that every JSON reader holds exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Whether a character beyond JSON's own list is written as `\uXXXX`: DEL, C1, line and paragraph separators, the byte
/// order mark and everything that turns the direction of text.
#[must_use]
pub fn needs_escape(scalar: char) -> bool {
    matches!(
        scalar,
        '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// Writes a value as compact JSON by the log's rules.
pub(super) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::with_formatter(out, LineFormatter);
    value.serialize(&mut serializer).expect("records hold only strings, integers and maps with string keys");
}

/// The writing rules, as `serde_json` wants them.
struct LineFormatter;

impl Formatter for LineFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, scalar)) = rest.char_indices().find(|(_, scalar)| needs_escape(*scalar)) {
            let (plain, from_scalar) = rest.split_at(at);
            write!(out, "{plain}\\u{:04x}", u32::from(scalar))?;
            rest = from_scalar.split_at(scalar.len_utf8()).1;
        }
        out.write_all(rest.as_bytes())
    }

    fn write_u64<W: ?Sized + Write>(&mut self, out: &mut W, value: u64) -> io::Result<()> {
        if value <= EXACT_MAX { CompactFormatter.write_u64(out, value) } else { write!(out, "\"{value}\"") }
    }

    fn write_i64<W: ?Sized + Write>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= EXACT_MAX {
            CompactFormatter.write_i64(out, value)
        } else {
            write!(out, "\"{value}\"")
        }
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        write!(out, "\"{value}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: &serde_json::Value) -> String {
        let mut out = Vec::new();
        write_json(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_that_could_fool_a_terminal_is_escaped() {
        for (text, want) in [
            ("plain ünïcode 🚑 中", "\"plain ünïcode 🚑 中\""),
            ("quote\" back\\", r#""quote\" back\\""#),
            ("a\nb\tc\rd", r#""a\nb\tc\rd""#),
            ("\u{0}\u{1b}[2J\u{1f}", r#""\u0000\u001b[2J\u001f""#),
            ("\u{7f}\u{80}\u{9b}x\u{9f}\u{a0}", "\"\\u007f\\u0080\\u009bx\\u009f\u{a0}\""),
            ("\u{2028}\u{2029}\u{feff}", r#""\u2028\u2029\ufeff""#),
            ("a\u{202e}b\u{2066}c\u{2069}", r#""a\u202eb\u2066c\u2069""#),
        ] {
            assert_eq!(written(&json!(text)), want);
        }
    }

    #[test]
    fn numbers_no_double_holds_become_strings() {
        let value = json!([9_007_199_254_740_991_u64, 9_007_199_254_740_992_u64, -9_223_372_036_854_775_808_i64, 0.5]);
        assert_eq!(written(&value), r#"[9007199254740991,"9007199254740992","-9223372036854775808","0.5"]"#);
    }
}
