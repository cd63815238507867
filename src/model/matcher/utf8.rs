//! The UTF-8 grammar of Alertmanager 0.27 and later: any name, quotes with Go's escapes, values never empty unquoted.
//!
//! ```text
//! matchers = [ "{" ] [ matcher { "," matcher } [ "," ] ] [ "}" ]     braces both or none
//! matcher  = token ( "=" | "!=" | "=~" | "!~" ) token
//! token    = unquoted | quoted
//! ```

use super::condition::{BadMatcher, Matcher, Operator};

const NO_OPERATOR: &str = "expected an operator such as '=', '!=', '=~' or '!~'";

/// Reads a list of matchers.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, BadMatcher> {
    let mut parser = Parser { text, at: 0 };
    let matchers = parser.list()?;
    match parser.peek()? {
        None => Ok(matchers),
        Some(token) => Err(unexpected(Some(token), text, "expected end of input")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OpenBrace,
    CloseBrace,
    Comma,
    Operator(Operator),
    Unquoted,
    Quoted,
}

/// One token with its place in bytes.
#[derive(Clone, Copy, Debug)]
struct Token<'t> {
    kind: Kind,
    written: &'t str,
    start: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.written.len()
    }

    fn span(&self) -> Option<(usize, usize)> {
        Some((self.start, self.end()))
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn list(&mut self) -> Result<Vec<Matcher>, BadMatcher> {
        let mut matchers = Vec::new();
        let open = self.next_if(Kind::OpenBrace)?;
        let mut after_comma = false;
        loop {
            let next = self.peek()?;
            match next.map(|token| token.kind) {
                None | Some(Kind::CloseBrace) => break,
                Some(Kind::Unquoted | Kind::Quoted) => matchers.push(self.matcher()?),
                Some(Kind::OpenBrace | Kind::Comma | Kind::Operator(_)) => {
                    let wanted = if after_comma {
                        "expected a matcher or close brace after comma"
                    } else {
                        "expected label name"
                    };
                    return Err(unexpected(next, self.text, wanted));
                }
            }
            let next = self.peek()?;
            after_comma = self.next_if(Kind::Comma)?.is_some();
            if !after_comma && !matches!(next.map(|token| token.kind), None | Some(Kind::CloseBrace)) {
                return Err(unexpected(next, self.text, "expected a comma or close brace"));
            }
        }
        let close = self.next_if(Kind::CloseBrace)?;
        match (open, close) {
            (Some(_), None) => Err(unexpected(None, self.text, "expected close brace")),
            (None, Some(brace)) => Err(unexpected(Some(brace), self.text, "expected opening brace")),
            (Some(_), Some(_)) | (None, None) => Ok(matchers),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, BadMatcher> {
        let name = self.token_of("expected label name", |kind| matches!(kind, Kind::Unquoted | Kind::Quoted))?;
        let label_name = unquote(name)?;
        let operator = self.token_of(NO_OPERATOR, |kind| matches!(kind, Kind::Operator(_)))?;
        let value = self.token_of("expected label value", |kind| matches!(kind, Kind::Unquoted | Kind::Quoted))?;
        let label_value = unquote(value)?;
        let Kind::Operator(operator) = operator.kind else {
            return Err(unexpected(Some(operator), self.text, NO_OPERATOR));
        };
        // Of a matcher whose tokens are right only the name can be empty or the expression be wrong.
        let blamed = if label_name.is_empty() { name } else { value };
        operator.matcher(&label_name, label_value).map_err(|bad| BadMatcher { span: blamed.span(), ..bad })
    }

    /// Takes the next token if it is of the kind.
    fn next_if(&mut self, kind: Kind) -> Result<Option<Token<'t>>, BadMatcher> {
        let token = self.peek()?.filter(|token| token.kind == kind);
        self.at = token.map_or(self.at, |token| token.end());
        Ok(token)
    }

    /// Takes the next token, or says what was wanted.
    fn token_of(&mut self, wanted: &str, fits: impl Fn(Kind) -> bool) -> Result<Token<'t>, BadMatcher> {
        let next = self.peek()?;
        let token = next.filter(|token| fits(token.kind)).ok_or_else(|| unexpected(next, self.text, wanted))?;
        self.at = token.end();
        Ok(token)
    }

    /// The next token, left in place; `None` at the end.
    fn peek(&self) -> Result<Option<Token<'t>>, BadMatcher> {
        let spaced = self.text.get(self.at..).unwrap_or_default();
        let rest = spaced.trim_start();
        let start = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let operator = Operator::ALL.into_iter().find(|operator| rest.starts_with(operator.as_str()));
        let (kind, length) = match (first, operator) {
            ('{', _) => (Kind::OpenBrace, 1),
            ('}', _) => (Kind::CloseBrace, 1),
            (',', _) => (Kind::Comma, 1),
            (_, Some(operator)) => (Kind::Operator(operator), operator.as_str().len()),
            ('"', _) => (Kind::Quoted, quoted_length(rest, start)?),
            (reserved, _) if is_reserved(reserved) => {
                let wanted = if reserved == '!' { "expected one of '=~' after '!'" } else { "invalid input" };
                let span = Some((start, start + reserved.len_utf8()));
                return Err(BadMatcher { message: format!("{reserved}: {wanted}"), span });
            }
            _ => (Kind::Unquoted, rest.find(is_reserved).unwrap_or(rest.len())),
        };
        Ok(Some(Token { kind, written: rest.get(..length).unwrap_or_default(), start }))
    }
}

/// Characters that end an unquoted token.
fn is_reserved(c: char) -> bool {
    c.is_whitespace() || matches!(c, '{' | '}' | '!' | '=' | '~' | ',' | '\\' | '"' | '\'' | '`')
}

/// The length in bytes of the quoted token that the text begins with, quotes included.
fn quoted_length(rest: &str, start: usize) -> Result<usize, BadMatcher> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(BadMatcher { message: format!("{rest}: missing end \""), span: Some((start, start + rest.len())) })
}

/// A refusal of the next token, or of the end.
fn unexpected(token: Option<Token<'_>>, text: &str, wanted: &str) -> BadMatcher {
    match token {
        Some(token) => BadMatcher { message: format!("unexpected {}: {wanted}", token.written), span: token.span() },
        None => BadMatcher { message: format!("end of input: {wanted}"), span: Some((text.len(), text.len())) },
    }
}

/// The text that a token stands for.
fn unquote(token: Token<'_>) -> Result<String, BadMatcher> {
    let bad = || BadMatcher { message: format!("{}: invalid input", token.written), span: token.span() };
    match token.kind {
        Kind::Quoted => {
            let inner = token.written.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
            inner.and_then(interpret).ok_or_else(bad)
        }
        Kind::Unquoted | Kind::OpenBrace | Kind::CloseBrace | Kind::Comma | Kind::Operator(_) => {
            Ok(token.written.to_owned())
        }
    }
}

/// Resolves the escapes of a Go interpreted string; `None` if Go would refuse it. `\xHH` and `\OOO` are bytes, which
/// together must be UTF-8.
fn interpret(inner: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\n' {
            return None;
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next()? {
            'a' => bytes.push(0x07),
            'b' => bytes.push(0x08),
            'f' => bytes.push(0x0c),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(0x0b),
            '\\' => bytes.push(b'\\'),
            '"' => bytes.push(b'"'),
            'x' => bytes.push(u8::try_from(digits(&mut chars, 2, 16, 0)?).ok()?),
            'u' => push_code(&mut bytes, digits(&mut chars, 4, 16, 0)?)?,
            'U' => push_code(&mut bytes, digits(&mut chars, 8, 16, 0)?)?,
            octal => {
                let first = octal.to_digit(8)?;
                bytes.push(u8::try_from(digits(&mut chars, 2, 8, first)?).ok()?);
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads exactly so many digits onto a first value.
fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32, first: u32) -> Option<u32> {
    (0..count).try_fold(first, |value, _| value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?))
}

fn push_code(bytes: &mut Vec<u8>, code: u32) -> Option<()> {
    bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}
