//! What to do about a reason, in the words of `docs/REASONS.md`: the page is part of the program, so the two cannot differ.

use crate::model::reason::Reason;

const PAGE: &str = include_str!("../../docs/REASONS.md");

/// What a reason means and what to do about it, in lines as on the page.
pub(super) fn advice(reason: Reason) -> Vec<String> {
    let heading = format!("### `{reason}`");
    let below = PAGE.lines().skip_while(|line| *line != "## Reasons").skip_while(|line| *line != heading).skip(1);
    let own = below.take_while(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty());
    let mut lines: Vec<String> = own.map(without_links).collect();
    if let Some(first) = lines.first_mut() {
        // Which gate it is stands beside it already.
        if let Some((gate, rest)) = first.split_once(".* ")
            && gate.starts_with('*')
        {
            *first = rest.to_owned();
        }
    }
    lines
}

/// `[text](target)` is only its text.
fn without_links(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        match link.split_once("](").and_then(|(name, behind)| Some((name, behind.split_once(')')?.1))) {
            Some((name, behind)) => {
                text.push_str(name);
                rest = behind;
            }
            None => {
                text.push('[');
                rest = link;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_advice_without_markup_of_its_page() {
        for reason in Reason::ALL {
            let advice = advice(*reason).join(" ");
            assert!(20 < advice.len(), "{reason}: {advice:?}");
            for mark in ["](", "### ", "*Gate", "*No gate"] {
                assert!(!advice.contains(mark), "{reason}: {advice:?}");
            }
        }
        assert!(advice(Reason::BreakerOpen).join(" ").contains("sickbay reset TARGET"));
    }

    #[test]
    fn links_are_their_text() {
        for (line, want) in [
            ("See [the page](a/b.md#c), and [d](e).", "See the page, and d."),
            ("an [open bracket", "an [open bracket"),
            ("[a] (b)", "[a] (b)"),
        ] {
            assert_eq!(without_links(line), want);
        }
    }
}
