//! Docker's log stream to lines of text: framed or raw, bounded in bytes, the newest kept.
//!
//! Whether there are frames is decided by `Config.Tty`, never guessed from the bytes: a container with a terminal can
//! print anything, a frame header too. Lines are cleaned by `redact`; a private key in PEM form is hidden as a whole.

use crate::model::redact;

/// All lines together, in bytes.
const TEXT_LEN_MAX: usize = 16 * 1024;

/// One line, in bytes.
const LINE_LEN_MAX: usize = 4 * 1024;

/// How the log stream is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No terminal: frames of stdout and stderr.
    Multiplexed,
    /// A terminal, or nobody knows: plain bytes.
    Raw,
}

/// The newest lines that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Oldest first.
    pub(super) lines: Vec<String>,
    /// Whether older lines were left out or a line was cut.
    pub(super) truncated: bool,
}

/// Reads a log stream and keeps the newest lines.
pub(super) fn tail(bytes: &[u8], framing: Framing) -> Tail {
    let text = match framing {
        Framing::Raw => String::from_utf8_lossy(bytes).into_owned(),
        Framing::Multiplexed => unframe(bytes),
    };
    newest(text.lines().filter(|line| !line.trim().is_empty()))
}

/// Puts the frames' payloads one after the other, each ending its line. A torn last frame gives what it has.
fn unframe(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let [_stream, _, _, _, a, b, c, d] = *header;
        let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX).min(rest.len());
        let (payload, after) = rest.split_at(len);
        text.push_str(&String::from_utf8_lossy(payload));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        bytes = after;
    }
    text
}

fn newest<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> Tail {
    let mut kept = Vec::new();
    let mut room = TEXT_LEN_MAX;
    let mut truncated = false;
    let mut in_key = false;
    for line in lines.rev() {
        // Reading backwards, a private key begins with its end.
        in_key |= line.contains("-----END") && line.contains("PRIVATE KEY");
        let cleaned = if in_key {
            in_key = !(line.contains("-----BEGIN") && line.contains("PRIVATE KEY"));
            "[redacted]".to_owned()
        } else {
            // A cut well above what is kept bounds the work on one huge line.
            let head = line.char_indices().nth(2 * LINE_LEN_MAX).and_then(|(end, _)| line.get(..end));
            truncated |= head.is_some();
            redact::clean(head.unwrap_or(line), LINE_LEN_MAX)
        };
        if room < cleaned.len() {
            truncated = true;
            break;
        }
        room -= cleaned.len();
        kept.push(cleaned);
    }
    kept.reverse();
    Tail { lines: kept, truncated }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend(text.as_bytes());
        frame
    }

    #[test]
    fn frames_become_lines() {
        let bytes = [frame(1, "one\n"), frame(2, "two\n"), frame(1, "no end"), frame(1, "three\n")].concat();
        let tail = tail(&bytes, Framing::Multiplexed);
        assert_eq!(
            tail,
            Tail { lines: ["one", "two", "no end", "three"].map(str::to_owned).to_vec(), truncated: false }
        );
    }

    #[test]
    fn a_torn_or_lying_frame_gives_what_it_has() {
        let mut bytes = frame(1, "whole\n");
        bytes.extend([1, 0, 0, 0, 255, 255, 255, 255, b'x']);
        assert_eq!(tail(&bytes, Framing::Multiplexed).lines, ["whole", "x"]);
        assert!(tail(b"short", Framing::Multiplexed).lines.is_empty());
    }

    #[test]
    fn raw_bytes_that_look_like_a_frame_stay_text() {
        let bytes = [&frame(1, "evil")[..], b"\r\nnext\r\n\xff\r\n"].concat();
        let lines = tail(&bytes, Framing::Raw).lines;
        assert!(lines[0].ends_with("evil"), "{lines:?}");
        assert_eq!(lines[1..], ["next", "\u{fffd}"]);
    }

    #[test]
    fn the_newest_lines_that_fit_are_kept() {
        let lines: Vec<String> = (0..1000).map(|number| format!("{number:0>100}")).collect();
        let tail = tail(lines.join("\n").as_bytes(), Framing::Raw);
        assert!(tail.truncated);
        assert_eq!(tail.lines.len(), TEXT_LEN_MAX / 100);
        assert_eq!(tail.lines.last(), lines.last());
    }

    #[test]
    fn one_huge_line_does_not_push_out_the_others() {
        let text = format!("before\n{}\nafter\n", "x".repeat(3_000_000));
        let tail = tail(text.as_bytes(), Framing::Raw);
        assert_eq!((tail.lines.len(), tail.truncated), (3, true));
        assert!(tail.lines[1].len() <= LINE_LEN_MAX);
    }

    #[test]
    fn a_private_key_is_hidden_whole() {
        let text = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nb\n";
        let lines = tail(text.as_bytes(), Framing::Raw).lines;
        assert_eq!(lines, ["a", "[redacted]", "[redacted]", "[redacted]", "[redacted]", "b"]);
    }
}
