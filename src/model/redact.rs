//! Takes secrets and control characters out of texts that leave the host: log lines, errors, health-check output.
//!
//! It would rather hide too much than too little, and it cannot know every secret: evidence is still not for the
//! public. [`clean`] is the one to call.

use regex::Regex;
use std::sync::LazyLock;

/// What stands in place of a secret.
const HIDDEN: &str = "[redacted]";

/// Each pattern keeps its groups 1 and 2 and loses what stands between. The order matters: a scheme before a bare value.
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const VALUE: &str = r#"(?:\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s"']\S*)"#;
    const LONG_STEMS: &str = r"passw(?:or)?d|passphrase|passwort|secret|token|credential|cookie|api_?key|dsn";
    const SHORT_STEMS: &str = r"pass|pwd|key|pin|auth|session";
    let name = format!(r"[\w.-]*(?:(?:{LONG_STEMS})[\w.-]*|(?:{SHORT_STEMS})s?(?:[_.-][\w.-]*)?)");
    let patterns = [
        r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)".to_owned(),
        r#"(?i)(authorization["'\\]{0,2}\s*[:=]\s*["'\\]{0,2}).*"#.to_owned(),
        r"(?i)(\bbearer\s+)\S+".to_owned(),
        r"()\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?".to_owned(),
        r"(://)(?:[^\s/@:]*:\S*|[^\s/@]+)(@)".to_owned(),
        r"()\b(?:gh[opsur]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|sk[-_]\w[\w-]{15,})"
            .to_owned(),
        format!(r#"(?i)((?:^|[^\w.-]){name}["'\\]{{0,2}}\s*(?:=>|[=:])\s*){VALUE}"#),
        format!(r"(?i)((?:^|\s)--?{name}\s+){VALUE}"),
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// Terminal control sequences: CSI, OSC, and the two-byte ones.
static ANSI: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x{9b}[0-?]*[ -/]*[@-~]").ok()
});

/// One line, without terminal sequences, control characters and secrets, cut to a number of bytes.
///
/// Secrets are hidden before the cut, so that half a secret never passes for something else.
#[must_use]
pub fn clean(text: &str, len_max: usize) -> String {
    let plain = plain(text);
    let mut hidden = plain;
    for pattern in SECRETS.iter() {
        if pattern.is_match(&hidden) {
            hidden = pattern.replace_all(&hidden, format!("${{1}}{HIDDEN}${{2}}")).into_owned();
        }
    }
    cut(hidden, len_max)
}

/// Without terminal sequences; other control and direction-changing characters become spaces.
fn plain(text: &str) -> String {
    let text = ANSI.as_ref().map_or(std::borrow::Cow::Borrowed(text), |ansi| ansi.replace_all(text, ""));
    let misleads = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let spaced = text.chars().map(|c| if c.is_control() || misleads(c) { ' ' } else { c });
    spaced.collect::<String>().trim_end().to_owned()
}

/// Cuts at a character boundary and says so.
fn cut(mut text: String, len_max: usize) -> String {
    const MARK: &str = "…";
    if len_max < text.len() {
        let room = len_max.saturating_sub(MARK.len());
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(SECRETS.len(), 8);
        assert!(ANSI.is_some());
    }

    #[test]
    fn secrets_are_hidden() {
        for (line, want) in [
            ("password=hunter2", "password=[redacted]"),
            ("DB_PASSWORD: hunter2 port=1", "DB_PASSWORD: [redacted] port=1"),
            (r#"{"password":"hun ter2","user":"bob"}"#, r#"{"password":[redacted],"user":"bob"}"#),
            (r#"{\"api_key\":\"hunter2\",\"n\":1}"#, r#"{\"api_key\":[redacted],\"n\":1}"#),
            ("secret='hun ter2' x", "secret=[redacted] x"),
            ("?token=hunter2", "?token=[redacted]"),
            ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=[redacted]"),
            ("run --password hunter2 --port 1", "run --password [redacted] --port 1"),
            ("run --api-key=hunter2", "run --api-key=[redacted]"),
            ("Authorization: Basic aHVudGVyMg==", "Authorization: [redacted]"),
            ("sent Bearer hunter2hunter2 to x", "sent Bearer [redacted] to x"),
            ("got eyJhbGciOi.eyJzdWIiOiIx.c2ln back", "got [redacted] back"),
            ("postgres://bob:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"),
            ("postgres://bob:hu/nt@er2@db/x", "postgres://[redacted]@db/x"),
            ("https://hunter2hunter2@github.com/", "https://[redacted]@github.com/"),
            ("ghp_hunter2hunter2hunter2 leaked", "[redacted] leaked"),
            ("key: hunter2", "key: [redacted]"),
            ("\"client_secret\" => \"hunter2\"", "\"client_secret\" => [redacted]"),
            ("\u{1b}[31mpass\u{1b}[0mword=hunter2", "password=[redacted]"),
            ("-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\nb", "[redacted] b"),
            ("set-cookie: sid=hunter2; path=/", "set-cookie: [redacted] path=/"),
        ] {
            let got = clean(line, 1000);
            assert_eq!(got, want);
            assert!(!got.contains("hunter2"), "{got}");
        }
    }

    #[test]
    fn what_an_engineer_needs_stays() {
        for line in [
            "GET /healthz 200 12ms",
            "FATAL: password authentication failed for user \"app\"",
            "duplicate key value violates unique constraint \"users_pkey\"",
            "connecting to http://db:5432/x",
            "mail to ops@example.org",
            "passed: 12, failed: 3",
            "author: alice",
        ] {
            assert_eq!(clean(line, 1000), line);
        }
    }

    #[test]
    fn terminal_tricks_do_not_survive() {
        for (line, want) in [
            ("a\u{1b}[2J\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}[38;5;1mred\u{1b}[m\r", "ared"),
            ("a\tb\u{0}c\u{85}d", "a b c d"),
            ("abc\u{202e}fed", "abc fed"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(clean(line, 1000), want, "{line:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters_after_hiding() {
        assert_eq!(clean("ééééé", 8), "éé…");
        assert_eq!(clean("ééééé", 10), "ééééé");
        assert!(!clean("xxxx password=hunter2", 18).contains("hun"));
    }
}
