//! Labels with a dash in their names that were written after a dot: `labels.my-label` is a subtraction to CEL and to
//! templates alike.
//!
//! Only looks at text; whether there is anything wrong is for its callers to know. Read [`dashed`] first.

use super::raw::shorten;

/// What holds labels.
const HOLDERS: [&str; 3] = ["target.labels.", "labels.", "annotations."];

/// A name such as `labels.my-label`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dashed<'s> {
    /// Byte range within the code.
    pub(super) span: (usize, usize),
    /// `labels`
    holder: &'s str,
    /// `my-label`
    label: &'s str,
}

impl Dashed<'_> {
    /// What is wrong.
    pub(super) fn message(&self) -> String {
        let Self { holder, label, .. } = self;
        let whole = format!("{holder}.{label}");
        format!("`{}` is read as a subtraction", shorten(&whole))
    }

    /// What to write instead, with such quotes.
    pub(super) fn hint(&self, quote: char) -> String {
        let Self { holder, label, .. } = self;
        format!("write {holder}[{quote}{}{quote}]: after a dot a name ends at the dash", shorten(label))
    }

    /// Whether a place lies within it.
    pub(super) fn holds(&self, at: usize) -> bool {
        (self.span.0..self.span.1).contains(&at)
    }
}

/// All such names of an expression, outside of its texts.
pub(super) fn dashed(code: &str) -> Vec<Dashed<'_>> {
    let mut found = Vec::new();
    let (mut quote, mut escaped, mut word_from) = (None, false, None);
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match quote {
            Some(open) => {
                quote = (c != open || escaped).then_some(open);
                escaped = c == '\\' && !escaped;
            }
            None if c.is_alphanumeric() || matches!(c, '_' | '.' | '-') => {
                word_from.get_or_insert(at);
            }
            None => {
                let word = word_from.take().and_then(|from| {
                    let word = code.get(from..at)?;
                    // What a bracket follows is a function.
                    of_word(from, if c == '(' { word.rsplit_once('.')?.0 } else { word })
                });
                found.extend(word);
                quote = matches!(c, '"' | '\'').then_some(c);
            }
        }
    }
    found
}

fn of_word(from: usize, word: &str) -> Option<Dashed<'_>> {
    // A tag may end with a dash of its own: `{{ labels.team-}}`.
    let word = word.trim_end_matches(['-', '.']);
    let (holder, label) = HOLDERS.iter().find_map(|holder| Some((*holder, word.strip_prefix(holder)?)))?;
    let is_dashed = label.contains('-') && !label.starts_with('-');
    is_dashed.then(|| Dashed { span: (from, from + word.len()), holder: holder.trim_end_matches('.'), label })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_in_the_name_of_a_label_is_told_from_all_other_dashes() {
        for (code, names) in [
            ("labels.my-label == 'x'", &["labels.my-label"][..]),
            ("!labels.my-own-label.startsWith('x')", &["labels.my-own-label"]),
            ("a && target.labels.zone-1 != annotations.run-book", &["target.labels.zone-1", "annotations.run-book"]),
            ("{{ labels.a-b}}", &["labels.a-b"]),
            ("{{- labels.team -}}{{ labels.team-}}", &[]),
            ("labels[\"my-label\"] == 'labels.my-label'", &[]),
            (r#""\" labels.a-b" == labels.c"#, &[]),
            ("int(labels.a)-1 < int(labels.b) - 1", &[]),
            ("labels.a - b && alert.age-1 && labels.-a", &[]),
            ("", &[]),
        ] {
            let found = dashed(code);
            let texts: Vec<&str> = found.iter().map(|name| code.get(name.span.0..name.span.1).unwrap()).collect();
            assert_eq!(texts, names, "{code}");
        }
    }

    #[test]
    fn it_is_said_what_to_write() {
        let [name] = dashed("labels.my-label").try_into().unwrap();
        assert_eq!(name.message(), "`labels.my-label` is read as a subtraction");
        assert_eq!(name.hint('"'), "write labels[\"my-label\"]: after a dot a name ends at the dash");
        assert!(name.holds(0) && name.holds(14) && !name.holds(15));
    }
}
