//! One reason that a text may point to, and how it is found by its words. The tables stand beside this file: what Docker says
//! of a failed start, and what programs say in their logs.

use crate::model::diagnosis::DiagnosisCode;

/// One reason, known by fragments in lower case.
pub(super) struct Cause {
    pub(super) code: DiagnosisCode,
    /// Any of these; between `&`, all in this order.
    pub(super) words: &'static [&'static str],
    /// What it means, in words that the table says the form of.
    pub(super) what: &'static str,
    /// What to do next.
    pub(super) next: &'static str,
}

impl Cause {
    /// The first of a table whose words are in a text of lower case.
    pub(super) fn first_of<'a>(causes: &'a [Self], text: &str) -> Option<&'a Self> {
        causes.iter().find(|cause| cause.is_in(text))
    }

    /// Whether its words are in a text of lower case.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.words.iter().any(|fragments| has_all(text, fragments))
    }
}

/// Whether all fragments, between `&`, are in a text of lower case, in this order.
fn has_all(text: &str, fragments: &str) -> bool {
    let mut rest = Some(text);
    for fragment in fragments.split('&') {
        rest = rest.and_then(|rest| rest.split_once(fragment)).map(|(_, behind)| behind);
    }
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_must_stand_in_their_order() {
        assert!(has_all("a mount: not a directory", "mount&not a directory"));
        assert!(!has_all("not a directory: mount", "mount&not a directory"));
        assert!(has_all("abc", "b") && !has_all("abc", "d"));
    }
}
