//! Sizes, spans and quotes, for people.

/// A number of bytes: `16.0 MiB`.
pub(super) fn size(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut left = bytes / 1024.0;
    let mut unit = UNITS.first().copied().unwrap_or_default();
    for larger in UNITS.iter().skip(1) {
        if left < 1024.0 {
            break;
        }
        left /= 1024.0;
        unit = larger;
    }
    format!("{left:.1} {unit}")
}

/// A whole number of bytes: `16.0 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub fn bytes(count: u64) -> String {
    size(count as f64)
}

/// A span of time, roughly: `5 min`.
#[must_use]
pub fn span(secs: i64) -> String {
    match secs {
        ..=119 => format!("{secs} s"),
        120..=7199 => format!("{} min", secs / 60),
        7200..=172_799 => format!("{} h", secs / 3600),
        172_800.. => format!("{} days", secs / 86_400),
    }
}

/// `once`, `twice`, `5 times`.
pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// A line of somebody else's, in quotes and not too long.
pub(super) fn quote(line: &str) -> String {
    const LEN_MAX: usize = 240;
    let line = line.trim();
    let cut = line.char_indices().nth(LEN_MAX).and_then(|(end, _)| line.get(..end));
    cut.map_or_else(|| format!("“{line}”"), |head| format!("“{head}…”"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_can_read_them() {
        for (bytes, want) in [(0, "0.0 KiB"), (1536, "1.5 KiB"), (16 << 20, "16.0 MiB"), (u64::MAX, "16777216.0 TiB")] {
            assert_eq!(super::bytes(bytes), want);
        }
        for (secs, want) in [(5, "5 s"), (120, "2 min"), (7200, "2 h"), (180_000, "2 days")] {
            assert_eq!(span(secs), want);
        }
        assert_eq!([times(1), times(2), times(9)], ["once", "twice", "9 times"]);
        assert_eq!(quote(" oops "), "“oops”");
        assert_eq!(quote(&"é".repeat(500)), format!("“{}…”", "é".repeat(240)));
    }
}
