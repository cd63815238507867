//! Templates as Prometheus' alerting rules and Alertmanager's messages have them, recognised so that they can be refused in
//! words that help: here templates are Jinja's.
//!
//! Asked only about what does not parse. Read [`refusal`] first.

use super::template::TemplateError;

/// Functions of Go's templates, and the filters that do the same; an empty one where there is none.
const FILTERS: [(&str, &str); 10] = [
    ("toUpper", "upper"),
    ("toLower", "lower"),
    ("trimSpace", "trim"),
    ("urlquery", "urlencode"),
    ("toJson", "tojson"),
    ("len", "length"),
    ("reReplaceAll", "replace"),
    ("humanize", ""),
    ("humanizeDuration", ""),
    ("humanizePercentage", ""),
];

/// What to say of a template that is Go's, and of which part of it.
pub(super) fn refusal(source: &str) -> Option<TemplateError> {
    let mut from = 0;
    while let Some(opening) = source.get(from..)?.find("{{") {
        let start = from + opening + 2;
        let tag = source.get(start..)?;
        let tag = tag.find("}}").map_or(tag, |end| tag.get(..end).unwrap_or(tag));
        if let Some((at, length, hint)) = in_tag(tag) {
            let message = format!("this is Go's template language; {hint}");
            return Some(TemplateError { message, span: Some((start + at, start + at + length)) });
        }
        from = start + tag.len();
    }
    None
}

/// What is the Go of it, and what stands there instead.
fn in_tag(tag: &str) -> Option<(usize, usize, String)> {
    words(tag).find_map(|(at, word)| {
        let path = word.strip_prefix(['$', '.']);
        let hint = path.map(of_path).or_else(|| of_word(word))?;
        Some((at, word.len(), hint))
    })
}

/// A variable or a field.
fn of_path(path: &str) -> String {
    let (root, name) = path.split_once('.').unwrap_or((path, ""));
    let name = if name.is_empty() { "NAME" } else { name };
    match root.to_ascii_lowercase().as_str() {
        "labels" | "commonlabels" | "grouplabels" => format!("write `{{{{ labels.{name} }}}}`"),
        "annotations" | "commonannotations" => format!("write `{{{{ annotations.{name} }}}}`"),
        "value" => "Alertmanager sends no value: write it into an annotation of the alerting rule, and here \
                    `{{ annotations.NAME }}`"
            .to_owned(),
        _ => "write `{{ labels.NAME }}`, `{{ annotations.NAME }}` or `{{ alert.name }}`: a run is about one alert"
            .to_owned(),
    }
}

/// A word of the language, if it begins a tag; a function.
fn of_word(word: &str) -> Option<String> {
    let hint = match word {
        "if" | "else" | "with" => "write `{% if … %}…{% else %}…{% endif %}`",
        "end" => "write `{% endif %}` or `{% endfor %}`",
        "range" => "write `{% for … in … %}…{% endfor %}`",
        "define" | "template" | "block" => "there are no templates within templates: write the text out",
        _ => {
            let (name, filter) = FILTERS.iter().find(|(name, _)| *name == word)?;
            return Some(match *filter {
                "" => format!("there is no `{name}`: let Prometheus do it, in an annotation of the alerting rule"),
                filter => format!("a function is a filter here: `{{{{ labels.NAME | {filter} }}}}`"),
            });
        }
    };
    Some(hint.to_owned())
}

/// What may be Go's in a tag: its first word, and every variable and function outside of quotes.
fn words(tag: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut found = Vec::new();
    let mut quoted = None;
    let mut start = None;
    let belongs = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '$');
    for (at, letter) in tag.char_indices().chain([(tag.len(), ' ')]) {
        let was = start;
        match quoted {
            Some(quote) if quote == letter => quoted = None,
            Some(_) => {}
            None if matches!(letter, '"' | '\'' | '`') => quoted = Some(letter),
            None if belongs(letter) => start = start.or(Some(at)),
            None => {}
        }
        if let Some(first) = was.filter(|_| !belongs(letter) || quoted.is_some()) {
            found.push((first, tag.get(first..at).unwrap_or_default()));
            start = None;
        }
    }
    let first = found.first().map(|(at, _)| *at);
    let may_be = move |(at, word): &(usize, &str)| {
        let named = FILTERS.iter().any(|(name, _)| name == word);
        let begins = tag.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '(', '-']));
        let path = begins && word.strip_prefix(['$', '.']).is_some_and(|path| path.starts_with(char::is_alphabetic));
        path || named || Some(*at) == first
    };
    found.into_iter().filter(may_be)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gos_is_told_with_what_to_write() {
        for (source, blamed, hint) in [
            ("{{ $labels.instance }}", "$labels.instance", "write `{{ labels.instance }}`"),
            ("a {{.Labels.job}}", ".Labels.job", "write `{{ labels.job }}`"),
            ("{{ .CommonAnnotations.summary }}", ".CommonAnnotations.summary", "`{{ annotations.summary }}`"),
            ("{{ humanize $value }}", "humanize", "there is no `humanize`"),
            ("at {{ $value }}", "$value", "write it into an annotation"),
            ("{{ if eq $labels.a \"b\" }}", "if", "{% if … %}"),
            ("{{ labels.a }}{{ end }}", "end", "{% endif %}"),
            ("{{ range .Alerts }}", "range", "{% for"),
            ("{{ labels.x | toUpper }}", "toUpper", "`{{ labels.NAME | upper }}`"),
            ("{{ .Status }}", ".Status", "one alert"),
        ] {
            let error = refusal(source).unwrap_or_else(|| panic!("{source}"));
            let (start, end) = error.span.unwrap();
            assert_eq!(source.get(start..end), Some(blamed), "{source}");
            assert!(error.message.contains(hint), "{source}: {error}");
        }
        for source in [
            "{{ labels.",
            "{{ labels.a + }}",
            "{{ '$value' + }}",
            "{{ \"end\" ~ }}",
            "$value {{",
            "{{ labels[\"a\"].b + }}",
        ] {
            assert_eq!(refusal(source), None, "{source}");
        }
    }
}
