//! One pass over the pattern: groups, alternatives, repetitions, and what is between them.
//!
//! The pass keeps its own list of open groups instead of recursing, so that no pattern can exhaust the stack.

use super::class::class;
use super::cursor::{BadRegex, Cursor};
use super::escape::{perl_class, push_literal, single, unicode_class};

/// Go's limit on one count, and on the product of nested counts.
const COPIES_MAX: u32 = 1000;

/// How deep groups, repetitions and alternatives may stand in each other, counted together.
///
/// Go stops at 1000. Rust's compiler recurses, and with twice this depth a debug build uses up a thread's 2 MiB.
pub(in crate::model) const NESTING_MAX: u32 = 100;

/// Translates a Go RE2 pattern into one that Rust's `regex` reads with the same meaning.
///
/// Two kinds that Go accepts are refused: patterns that nest deeper than `NESTING_MAX`, and those that close a group
/// they did not open. Alertmanager reads `a)|(b` as an alternative to its own anchors, which nobody means. Of the
/// reverse kind is `\Qa` without `\E`: it swallows Alertmanager's closing anchor, so it is refused there and here.
///
/// # Errors
/// [`BadRegex`] if Go would reject the pattern.
pub fn translate(pattern: &str) -> Result<String, BadRegex> {
    let mut translator = Translator::new(pattern);
    while let Some(next) = translator.cursor.peek() {
        translator.item(next)?;
    }
    if !translator.open.is_empty() {
        return Err(BadRegex::new("missing closing )", pattern));
    }
    Ok(translator.out)
}

struct Translator<'p> {
    pattern: &'p str,
    cursor: Cursor<'p>,
    out: String,
    /// The groups around the cursor, outermost first.
    open: Vec<OpenGroup>,
    /// The largest product of nested counts within the innermost group so far.
    copies: u32,
    /// What a repetition operator would repeat.
    last: Option<Piece>,
    /// Where the repetition operator stands that was just read: a second one may not follow.
    repeated_at: Option<Cursor<'p>>,
}

/// A group whose closing parenthesis is still to come.
struct OpenGroup {
    /// Where it begins in the translation.
    start: usize,
    /// [`Translator::copies`] of the group around it.
    copies_outside: u32,
}

/// A piece of the translation that can be repeated.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    /// How often its innermost part stands in it, when all counts are written out.
    copies: u32,
    /// Whether it ends in a repetition operator already.
    repeated: bool,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Self {
        let cursor = Cursor::new(pattern);
        let out = String::with_capacity(pattern.len() + 8);
        Self { pattern, cursor, out, open: Vec::new(), copies: 1, last: None, repeated_at: None }
    }

    /// Reads one item of the pattern, which begins with `next`.
    fn item(&mut self, next: char) -> Result<(), BadRegex> {
        let repeated_at = self.repeated_at.take();
        let start = self.cursor;
        match next {
            '(' => self.open_group(),
            ')' => self.close_group(),
            '|' => {
                self.cursor.take();
                self.out.push('|');
                self.last = None;
                Ok(())
            }
            '^' | '$' | '.' => {
                self.cursor.take();
                self.piece(next.encode_utf8(&mut [0; 4]));
                Ok(())
            }
            '[' => {
                let class = class(&mut self.cursor)?;
                self.piece(&class);
                Ok(())
            }
            '*' | '+' | '?' => {
                self.cursor.take();
                self.repeat(start, repeated_at, next.encode_utf8(&mut [0; 4]), None)
            }
            '{' => match self.counts() {
                Some(counts) => self.repeat(start, repeated_at, &counts.text(), Some(counts)),
                // Without counts the brace is a character.
                None => self.character(),
            },
            '\\' => self.backslash(),
            _ => self.character(),
        }
    }

    /// Writes a piece that can be repeated.
    fn piece(&mut self, text: &str) {
        let start = self.out.len();
        self.out.push_str(text);
        self.last = Some(Piece { start, end: self.out.len(), copies: 1, repeated: false });
    }

    fn literal(&mut self, code: u32) {
        let start = self.out.len();
        push_literal(&mut self.out, code);
        self.last = Some(Piece { start, end: self.out.len(), copies: 1, repeated: false });
    }

    fn character(&mut self) -> Result<(), BadRegex> {
        if let Some(plain) = self.cursor.take() {
            self.literal(u32::from(plain));
        }
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), BadRegex> {
        // Words are of ASCII letters in Go, so its boundaries are too.
        for (written, meant) in [(r"\A", r"\A"), (r"\z", r"\z"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")] {
            if self.cursor.eat(written) {
                self.piece(meant);
                return Ok(());
            }
        }
        if self.cursor.eat(r"\Q") {
            return self.quoted();
        }
        if let Some(unicode) = unicode_class(&mut self.cursor)? {
            self.piece(&unicode);
        } else if let Some(perl) = perl_class(&mut self.cursor) {
            self.piece(perl);
        } else {
            let code = single(&mut self.cursor)?;
            self.literal(code);
        }
        Ok(())
    }

    /// `\Q…\E`: every character stands for itself.
    fn quoted(&mut self) -> Result<(), BadRegex> {
        let Some(quoted) = self.cursor.take_until(r"\E") else {
            return Err(BadRegex::new("missing closing )", &format!("^(?:{})$", self.pattern)));
        };
        for plain in quoted.chars() {
            self.literal(u32::from(plain));
        }
        Ok(())
    }

    fn open_group(&mut self) -> Result<(), BadRegex> {
        let start = self.cursor;
        self.cursor.take();
        if !self.cursor.eat("?") {
            return self.push_group("(?:");
        }
        // Names are checked and dropped: Go allows names that Rust does not, even the same one twice.
        if self.cursor.eat("P<") || self.cursor.eat("<") {
            let Some(name) = self.cursor.take_until(">") else {
                return Err(BadRegex::new("invalid named capture", start.rest()));
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(BadRegex::new("invalid named capture", self.cursor.since(start)));
            }
            return self.push_group("(?:");
        }
        let (flags, opens) = self.flags(start)?;
        if opens {
            return self.push_group(&format!("(?{flags}:"));
        }
        // Flags alone are no piece: a repetition operator after them repeats what came before.
        if !flags.is_empty() {
            self.out.push_str(&format!("(?{flags})"));
        }
        Ok(())
    }

    fn push_group(&mut self, opening: &str) -> Result<(), BadRegex> {
        if NESTING_MAX as usize <= self.open.len() {
            return Err(BadRegex::new("expression nests too deeply", self.pattern));
        }
        self.open.push(OpenGroup { start: self.out.len(), copies_outside: self.copies });
        self.out.push_str(opening);
        self.copies = 1;
        self.last = None;
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), BadRegex> {
        self.cursor.take();
        let group = self.open.pop().ok_or_else(|| BadRegex::new("unexpected )", self.pattern))?;
        self.out.push(')');
        self.last = Some(Piece { start: group.start, end: self.out.len(), copies: self.copies, repeated: false });
        self.copies = self.copies.max(group.copies_outside);
        Ok(())
    }

    /// Reads the flags after `(?` with the colon or parenthesis behind them. Gives the flags as Rust wants them, each
    /// once, and whether a group opens.
    fn flags(&mut self, start: Cursor<'p>) -> Result<(String, bool), BadRegex> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut negative = false;
        loop {
            match self.cursor.take() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    let side = if negative { &mut off } else { &mut on };
                    if !side.contains(flag) {
                        side.push(flag);
                    }
                }
                Some('-') if !negative => negative = true,
                Some(end @ (':' | ')')) if !negative || !off.is_empty() => {
                    on.retain(|flag| !off.contains(flag));
                    let hyphen = if off.is_empty() { "" } else { "-" };
                    return Ok((format!("{on}{hyphen}{off}"), end == ':'));
                }
                _ => return Err(BadRegex::new("invalid or unsupported Perl syntax", self.cursor.since(start))),
            }
        }
    }

    /// Reads `{2}`, `{2,}` or `{2,5}`; `None`, and nothing taken, if the brace begins something else.
    fn counts(&mut self) -> Option<Counts> {
        let mut ahead = self.cursor;
        ahead.take();
        let min = number(&mut ahead)?;
        let max = if !ahead.eat(",") {
            Some(min)
        } else if ahead.peek() == Some('}') {
            None
        } else {
            Some(number(&mut ahead)?)
        };
        ahead.eat("}").then(|| {
            self.cursor = ahead;
            Counts { min, max }
        })
    }

    /// Repeats the last piece. `start` is where the operator stands, `stacked_on` the operator right before it.
    fn repeat(
        &mut self,
        start: Cursor<'p>,
        stacked_on: Option<Cursor<'p>>,
        operator: &str,
        counts: Option<Counts>,
    ) -> Result<(), BadRegex> {
        let bad_counts = |at: Cursor<'p>| BadRegex::new("invalid repeat count", at.since(start));
        if counts.is_some_and(|counts| counts.out_of_order_or_range()) {
            return Err(bad_counts(self.cursor));
        }
        let lazy = self.cursor.eat("?");
        if let Some(earlier) = stacked_on {
            return Err(BadRegex::new("invalid nested repetition operator", self.cursor.since(earlier)));
        }
        let Some(piece) = self.last else {
            return Err(BadRegex::new("missing argument to repetition operator", self.cursor.since(start)));
        };
        let copies = counts.map_or(piece.copies, |counts| counts.largest().saturating_mul(piece.copies));
        if COPIES_MAX < copies && counts.is_some_and(|counts| 2 <= counts.largest()) {
            return Err(bad_counts(self.cursor));
        }
        let flags_behind = self.out.split_off(piece.end);
        // In Go `a*(?i)*` repeats `a*`, where Rust would see an operator without a piece, or a lazy one.
        if piece.repeated || !flags_behind.is_empty() {
            self.out.insert_str(piece.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.last = Some(Piece { start: piece.start, end: self.out.len(), copies, repeated: true });
        self.copies = self.copies.max(copies);
        self.out.push_str(&flags_behind);
        self.repeated_at = Some(start);
        Ok(())
    }
}

/// A number within counts: no leading zero, and no number larger than a `u32` matters.
fn number(cursor: &mut Cursor<'_>) -> Option<u32> {
    let digits = cursor.take_digits();
    let well_formed = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    well_formed.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// `{min,max}`; without a `max` the repetition is open.
#[derive(Clone, Copy)]
struct Counts {
    min: u32,
    max: Option<u32>,
}

impl Counts {
    fn out_of_order_or_range(self) -> bool {
        COPIES_MAX < self.min || self.max.is_some_and(|max| COPIES_MAX < max || max < self.min)
    }

    /// How often the piece is written out. An open repetition from 0 still holds the piece once.
    fn largest(self) -> u32 {
        self.max.unwrap_or(self.min.max(1))
    }

    fn text(self) -> String {
        match self {
            Self { min, max: Some(max) } if min == max => format!("{{{min}}}"),
            Self { min, max: Some(max) } => format!("{{{min},{max}}}"),
            Self { min, max: None } => format!("{{{min},}}"),
        }
    }
}
