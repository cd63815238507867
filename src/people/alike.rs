//! Names that look like another one: by case, by spaces, by letters of another alphabet, by what nobody sees.
//!
//! Names in the settings are of ASCII letters, digits, `.`, `_` and `-`. Whatever else a claimed name holds may stand for
//! any of them, so no table of look-alikes has to be complete: in doubt, it looks like it.

/// So many letters one sign may look like: there is one for `ffi`.
const LETTERS_MAX: usize = 3;

/// Whether somebody could take `claimed` for `name`.
pub(super) fn may_be_taken_for(claimed: &str, name: &str) -> bool {
    let name = signs(name);
    // Which lengths of the name's beginning the signs so far may stand for.
    let mut reached = vec![false; name.len() + 1];
    reached.iter_mut().take(1).for_each(|nothing| *nothing = true);
    for sign in signs(claimed) {
        let mut next = vec![false; name.len() + 1];
        for (at, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
            let (least, most) = match sign {
                Some(_) if name.get(at) == Some(&sign) => (1, 1),
                Some(_) => continue,
                None => (0, LETTERS_MAX),
            };
            next.iter_mut().skip(at + least).take(most - least + 1).for_each(|reached| *reached = true);
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// What is seen of a name, sign by sign; `None` may look like anything.
fn signs(name: &str) -> Vec<Option<char>> {
    let seen = name.chars().filter(|sign| is_seen(*sign)).map(plain);
    let text = seen.collect::<String>().replace("rn", "m").replace("vv", "w");
    text.chars().map(|sign| sign.is_ascii().then_some(sign)).collect()
}

/// What separates, and what nobody sees, tells no names apart.
fn is_seen(sign: char) -> bool {
    !sign.is_whitespace() && !sign.is_control() && !sign.is_ascii_punctuation()
}

/// One of those that are hard to tell apart in some typeface.
fn plain(sign: char) -> char {
    match sign.to_ascii_lowercase() {
        '0' => 'o',
        '1' | 'i' => 'l',
        '5' => 's',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_could_take_for_a_name_is_taken_for_it() {
        for (claimed, name, want) in [
            ("ada", "ada", true),
            ("Ada", "ada", true),
            (" a d a ", "ada", true),
            ("a-da.", "ada", true),
            ("\u{430}da", "ada", true),
            ("a\u{200b}da", "ada", true),
            ("ad\u{e4}", "ada", true),
            ("ada\u{301}", "ada", true),
            ("\u{ff41}\u{ff44}\u{ff41}", "ada", true),
            ("gri\u{fb03}n", "griffin", true),
            ("b0b", "bob", true),
            ("aIice", "alice", true),
            ("rnax", "max", true),
            ("sre-1", "sre_l", true),
            ("adam", "ada", false),
            ("ad", "ada", false),
            ("eve", "ada", false),
            ("", "ada", false),
            ("\u{430}d\u{430}m", "bda", false),
        ] {
            assert_eq!(may_be_taken_for(claimed, name), want, "{claimed:?} for {name:?}");
        }
    }
}
