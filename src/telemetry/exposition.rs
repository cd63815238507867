//! How metrics are written: OpenMetrics for whoever asks for it, the classic text format for everybody else.
//!
//! The library writes OpenMetrics, where a counter's family lacks the `_total` that its samples have. The classic format
//! knows no such difference, so its reader would take the samples for untyped ones without help. `plain` puts it right.

/// The content type of the classic format.
pub const PLAIN_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of OpenMetrics.
pub const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether an `Accept` header asks for OpenMetrics.
#[must_use]
pub fn wants_openmetrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        named && parts.all(|part| part.strip_prefix("q=").is_none_or(|q| q.parse().is_ok_and(|q: f64| q > 0.0)))
    })
}

/// Rewrites OpenMetrics text into the classic format.
pub(super) fn plain(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len() + 1024);
    let mut help = None;
    for line in openmetrics.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let words = help.take().and_then(|help| help.splitn(4, ' ').nth(3)).unwrap_or_default();
            for part in ["# HELP ", name, suffix, " ", words, "\n# TYPE ", name, suffix, " ", kind, "\n"] {
                text.push_str(part);
            }
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_get_their_suffix_and_openmetrics_only_lines_go() {
        let openmetrics = "# HELP a_b Some words.\n# TYPE a_b counter\n# UNIT a_b seconds\na_b_total{x=\"y\"} 3\n\
                           # HELP g Now.\n# TYPE g gauge\ng 1\n# EOF\n";
        let want = "# HELP a_b_total Some words.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 3\n\
                    # HELP g Now.\n# TYPE g gauge\ng 1\n";
        assert_eq!(plain(openmetrics), want);
    }

    #[test]
    fn only_who_asks_gets_openmetrics() {
        for (accept, want) in [
            ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;q=0.75,*/*;q=0.1", true),
            ("Application/OpenMetrics-Text", true),
            ("text/plain;version=0.0.4", false),
            ("application/openmetrics-text;q=0", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(wants_openmetrics(accept), want, "{accept}");
        }
    }
}
