//! A playbook's text as people may read it, and as the log keeps it: what its revision was made from, without secrets.
//!
//! A playbook should hold no secret. Whatever looks like one is hidden all the same, and so is every value of a header.
//! Read [`of`] first.

use super::yaml::{Content, Entry, Node, Span};
use crate::model::redact::clean;
use std::fmt::Write;

/// Longer texts are cut: with the alert that it stands beside, it fits into one record.
pub(super) const TEXT_LEN_MAX: usize = 32 * 1024;

/// What stands under these keys holds no secret, and much that looks like one: `key` in limits, any label in matchers.
const PLAIN: [&str; 6] = ["matchers", "target", "if", "limits", "active_time_intervals", "mute_time_intervals"];

/// What is not taken over as it stands.
struct Mark {
    span: Span,
    instead: Option<String>,
}

/// The entry's own text, followed by what it uses from elsewhere: anchors and time intervals.
pub(super) fn of(entry: &Node, text: &str, intervals: &[String]) -> String {
    let mut marks = Vec::new();
    let plain = PLAIN.iter().filter_map(|key| entry.entry(key));
    marks.extend(plain.map(|plain| Mark { span: plain.value.span, instead: None }));
    hide_headers(entry, &mut marks);
    marks.sort_by_key(|mark| mark.span.start);
    let mut spans = entry.source_spans().into_iter();
    let own = spans.next().map(|span| without_secrets(text, span, &marks)).unwrap_or_default();
    let mut whole = dedented(&own);
    for span in spans {
        let anchored = dedented(&without_secrets(text, span, &marks));
        write!(whole, "\n\n# what an anchor elsewhere in the file stands for:\n{anchored}").unwrap_or_default();
    }
    for interval in intervals {
        write!(whole, "\n\n# a time interval that it names:\n{}", dedented(interval)).unwrap_or_default();
    }
    cut(whole)
}

/// Of headers only the names are told.
fn hide_headers(node: &Node, marks: &mut Vec<Mark>) {
    match &node.content {
        Content::Scalar { .. } => {}
        Content::List { items, .. } => items.iter().for_each(|item| hide_headers(item, marks)),
        Content::Map(entries) => {
            for Entry { key, key_span, value } in entries {
                match &value.content {
                    Content::Map(headers) if key == "headers" => {
                        let names: Vec<_> =
                            headers.iter().map(|header| format!("{}: \"[redacted]\"", header.key)).collect();
                        let names = format!("{{{}}}", names.join(", "));
                        // From the key on, so that no comment stays; an alias stands elsewhere.
                        let follows = key_span.end <= value.span.start;
                        let start = if follows { key_span.end } else { value.span.start };
                        let instead = Some(if follows { format!(": {names}") } else { names });
                        marks.push(Mark { span: Span { start, end: value.span.end }, instead });
                        let elsewhere =
                            headers.iter().map(|header| header.value.span).filter(|at| !value.span.covers(*at));
                        marks.extend(elsewhere.map(|span| Mark { span, instead: Some("[redacted]".to_owned()) }));
                    }
                    Content::Scalar { .. } | Content::List { .. } | Content::Map(_) => hide_headers(value, marks),
                }
            }
        }
    }
}

/// One stretch of the file. The marks are in the order of the file.
fn without_secrets(text: &str, span: Span, marks: &[Mark]) -> String {
    let (mut safe, mut at) = (String::new(), span.start);
    let piece = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    for mark in marks.iter().filter(|mark| span.covers(mark.span)) {
        if mark.span.start < at {
            continue;
        }
        safe.push_str(&cleaned(piece(at, mark.span.start)));
        match &mark.instead {
            Some(instead) => safe.push_str(instead),
            None => safe.push_str(piece(mark.span.start, mark.span.end)),
        }
        at = mark.span.end;
    }
    safe.push_str(&cleaned(piece(at, span.end)));
    safe
}

/// Line by line, so that it stays a text of lines; a private key has several.
fn cleaned(piece: &str) -> String {
    let mut within_key = false;
    let line = |line: &str| {
        let begins = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        let within = within_key && !begins;
        within_key = (begins || within_key) && !line.contains("-----END ");
        let written = line.trim_end();
        let (blank, behind) = line.split_at_checked(written.len()).unwrap_or((line, ""));
        let indent = blank.split_at_checked(blank.len() - blank.trim_start().len()).map_or("", |(indent, _)| indent);
        if within { format!("{indent}[redacted]") } else { format!("{}{behind}", clean(blank, usize::MAX)) }
    };
    piece.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The first line begins where the text does; the others stand as deep as the file has it.
fn dedented(text: &str) -> String {
    let mut lines = text.lines();
    let Some(first) = lines.next() else { return String::new() };
    let blank = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let depth = lines.clone().filter(|line| !line.trim().is_empty()).map(blank).min().unwrap_or_default();
    let rest = lines.map(|line| line.split_at_checked(depth).map_or("", |(_, line)| line));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

/// Whole lines, and how long it was.
fn cut(text: String) -> String {
    if text.len() <= TEXT_LEN_MAX {
        return text;
    }
    let end = (0..=TEXT_LEN_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let kept = text.split_at_checked(end).map_or("", |(kept, _)| kept);
    let lines = kept.rsplit_once('\n').map_or(kept, |(lines, _)| lines);
    format!("{lines}\n# … cut here: the whole text has {} bytes", text.len())
}

#[cfg(test)]
mod tests {
    use super::TEXT_LEN_MAX;
    use crate::playbook::{RuleFile, load};

    fn text_of(yaml: &str) -> String {
        let loaded = load(&[RuleFile { path: "rules/a.yaml".to_owned(), text: yaml.to_owned() }]);
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        loaded.playbooks.first().unwrap().text.to_string()
    }

    const PLAIN: &str = r#"version: 1
playbooks:
  - name: restart-web
    # why: the first thing to try
    matchers: [alertname = "Down", token = "a", key =~ "b|c"]
    target: {container: "{{ labels.container }}"}
    limits: {runs: 3, per: 1h, cooldown: 5m, key: [container]}
    steps:
      - restart: {stop_timeout: 20s}
      - notify:
          to: [log]
          message: |
            {{ target.name }}
              stands deeper
"#;

    #[test]
    fn it_is_the_text_as_it_stands_in_the_file() {
        let (_, entry) = PLAIN.split_once("  - ").unwrap();
        let as_written: Vec<&str> =
            entry.trim_end().lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
        assert_eq!(text_of(PLAIN), as_written.join("\n"));
    }

    #[test]
    fn what_it_uses_from_elsewhere_stands_below() {
        let text = text_of(
            r#"version: 1
time_intervals:
  - name: office
    time_intervals:
      - times: [{start_time: "09:00", end_time: "17:00"}]
playbooks:
  - name: first
    matchers: &which [alertname = "Down"]
    active_time_intervals: [office]
    steps: [{notify: {to: [log], message: "hello"}}]
"#,
        );
        assert!(text.starts_with("name: first\nmatchers: &which [alertname = \"Down\"]\n"), "{text}");
        let below = "\n\n# a time interval that it names:\nname: office\ntime_intervals:\n  - times: [";
        assert!(text.contains(below), "{text}");
    }

    #[test]
    fn no_secret_is_in_it() {
        let text = text_of(
            r#"version: 1
playbooks:
  - name: ask
    description: "with password=hunter2"
    matchers: [alertname = "Down"]
    steps:
      - http:
          url: "https://hooks.example/x?token=hunter2"
          method: POST
          headers:
            # hunter2 was the one before
            X-Team: hunter2
            X-Place: "hunter2"
          body: |
            -----BEGIN PRIVATE KEY-----
            hunter2
            hunter2
            -----END PRIVATE KEY-----
            after
      - http: {url: "https://hooks.example/y", headers: {X-One: hunter2}, method: GET}
    on_failure:
      - notify: {to: [log], message: "api_key: hunter2"}
"#,
        );
        assert!(!text.contains("hunter2"), "{text}");
        for kept in [
            "headers: {X-Team: \"[redacted]\", X-Place: \"[redacted]\"}\n",
            "headers: {X-One: \"[redacted]\"}, method: GET}",
            "matchers: [alertname = \"Down\"]\n",
            "\n            after\n",
            "//hooks.example/x?token=",
        ] {
            let kept = kept.replace("\n            after", "\n        after");
            assert!(text.contains(&kept), "{kept:?} in {text}");
        }
    }

    #[test]
    fn a_header_from_elsewhere_is_hidden_there_as_well() {
        let loaded = load(&[RuleFile {
            path: "rules/a.yaml".to_owned(),
            text: r#"version: 1
playbooks:
  - name: zero
    matchers: [alertname = "Other"]
    description: &secret hunter2
    steps: [{notify: {to: [log], message: "x"}}]
  - name: ask
    matchers: [alertname = "Down"]
    steps: [{http: {url: "https://hooks.example/y", headers: {X-One: *secret}, method: GET}}]
"#
            .to_owned(),
        }]);
        let asks = loaded.playbooks.get(1).unwrap();
        assert!(!asks.text.contains("hunter2"), "{}", asks.text);
        assert!(asks.text.contains("# what an anchor elsewhere in the file stands for:\n[redacted]"), "{}", asks.text);
    }

    #[test]
    fn a_very_long_text_is_cut_between_lines_and_says_so() {
        let long = "          word word word\n".repeat(3000);
        let yaml = format!(
            "version: 1\nplaybooks:\n  - name: a\n    matchers: [alertname = \"x\"]\n    steps:\n      - notify:\n          to: [log]\n          message: |\n{}",
            long.replace("          word", "            word")
        );
        let text = text_of(&yaml);
        assert!(text.len() < TEXT_LEN_MAX + 100, "{}", text.len());
        let (_, last) = text.rsplit_once('\n').unwrap();
        assert!(last.starts_with("# … cut here: the whole text has "), "{last}");
    }
}
