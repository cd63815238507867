//! Rules text into a tree in which every node remembers its place.
//!
//! The tree, not serde, is what the reader of playbooks walks: a tree lets it go on after a mistake and report them
//! all, and it keeps each scalar as written, so that `1.10` or `no` never becomes something else. This file knows YAML
//! and nothing about playbooks. It limits size, depth, node count and aliases, refuses tags and duplicate keys, and
//! leaves typing to `raw`. Read [`Node`] first.

use super::problem::{Findings, Note};
use super::raw::shorten;
use super::scalar;
use granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput, StructureStyle};
use std::collections::{BTreeMap, BTreeSet};

/// Longer files are not playbooks.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Collections within collections.
const DEPTH_MAX: usize = 32;
/// Nodes of one file, those that aliases repeat included.
const NODES_MAX: usize = 20_000;
/// Bytes of all texts that aliases repeat.
const REPEATED_BYTES_MAX: usize = 1 << 20;
/// Uses of anchors in one file.
const ALIASES_MAX: usize = 100;

/// A stretch of the file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// First byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

impl Span {
    /// Whether the other stretch lies within this one.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// One value and where it is defined.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) content: Content,
    /// From its first to its last character, without trailing blanks and comments.
    pub(crate) span: Span,
}

/// What a node can be.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Text as written, with YAML's escapes undone. `plain` means unquoted: only then can it be `true` or nothing.
    Scalar { text: String, plain: bool },
    /// `- a` or, in flow style, `[a]`.
    List { items: Vec<Node>, flow: bool },
    /// `k: v` or `{k: v}`, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a map and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// What it holds.
    pub(crate) value: Node,
}

impl Node {
    /// Whether nothing is written here: `key:`, `~` or `null`.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The entry of this key, if it is a map that has one.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().find(|entry| entry.key == key)
    }

    /// The first entry of this key in it, or in what it holds.
    pub(crate) fn anywhere(&self, key: &str) -> Option<&Entry> {
        self.entry(key).or_else(|| match &self.content {
            Content::Scalar { .. } => None,
            Content::List { items, .. } => items.iter().find_map(|item| item.anywhere(key)),
            Content::Map(entries) => entries.iter().find_map(|entry| entry.value.anywhere(key)),
        })
    }

    /// Whether it is this text.
    pub(crate) fn is_text(&self, wanted: &str) -> bool {
        matches!(&self.content, Content::Scalar { text, .. } if text == wanted)
    }

    /// What to call it in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar { .. } if self.is_nothing() => "nothing",
            Content::Scalar { .. } => "text",
            Content::List { .. } => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// The texts that make up this node: its own, and those of the anchors it uses from outside of itself.
    ///
    /// Invariant: an edit of any text the node is made of changes what this gives.
    pub(crate) fn sources<'t>(&self, text: &'t str) -> Vec<&'t str> {
        self.source_spans().into_iter().filter_map(|span| text.get(span.start..span.end)).collect()
    }

    /// Where they stand.
    pub(crate) fn source_spans(&self) -> Vec<Span> {
        let mut spans = vec![self.span];
        self.collect_outside(self.span, &mut spans);
        spans
    }

    fn collect_outside(&self, within: Span, spans: &mut Vec<Span>) {
        let inner = if within.covers(self.span) { within } else { self.span };
        if inner != within {
            spans.push(inner);
        }
        match &self.content {
            Content::Scalar { .. } => {}
            Content::List { items, .. } => items.iter().for_each(|item| item.collect_outside(inner, spans)),
            Content::Map(entries) => entries.iter().for_each(|entry| entry.value.collect_outside(inner, spans)),
        }
    }

    /// Where a byte range of the scalar's text stands in the file; the whole scalar where that is unknowable.
    pub(crate) fn inner_span(&self, text: &str, range: Option<(usize, usize)>) -> Span {
        let Content::Scalar { text: value, .. } = &self.content else { return self.span };
        let raw = text.get(self.span.start..self.span.end).unwrap_or_default();
        // An error at the very end is about what comes before.
        let exact = range.filter(|(start, _)| *start < value.len()).and_then(|(start, end)| {
            let (first, after) = scalar::place(raw, value, (start, end.max(start + 1)))?;
            Some(Span { start: self.span.start + first, end: self.span.start + after })
        });
        exact.unwrap_or(self.span)
    }

    /// How many values it is made of, and how many bytes of text.
    fn size(&self) -> (usize, usize) {
        let both = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
        match &self.content {
            Content::Scalar { text, .. } => (1, text.len()),
            Content::List { items, .. } => items.iter().map(Self::size).fold((1, 0), both),
            Content::Map(entries) => {
                entries.iter().map(|entry| both(entry.value.size(), (1, entry.key.len()))).fold((1, 0), both)
            }
        }
    }
}

/// Reads one document. What is wrong with the YAML goes to the findings; `None` if nothing can be made of the text.
pub(crate) fn parse(text: &str, findings: &mut Findings<'_>) -> Option<Node> {
    if text.len() > FILE_BYTES_MAX {
        let note = Note::error("file.too-large", Span { start: 0, end: 0 }, "the file is larger than 1 MiB");
        findings.push(note.hint("split it into several files of the same directory"));
        return None;
    }
    let options = granit_parser::options! { disallow_directives: true };
    let mut builder = Builder {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        findings,
        anchors: BTreeMap::new(),
        nodes: 0,
        aliases: 0,
        repeated_bytes: 0,
    };
    match builder.document() {
        Ok(node) => node,
        Err(note) => {
            findings.push(note);
            None
        }
    }
}

fn too_deep() -> String {
    format!("nested more than {DEPTH_MAX} levels deep")
}

struct Builder<'t, 'f, 'p> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    findings: &'f mut Findings<'p>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    aliases: usize,
    repeated_bytes: usize,
}

/// One event and where it stands.
type Found<'t> = (Event<'t>, Span);

impl<'t> Builder<'t, '_, '_> {
    /// The file's one document; `None` for a file with nothing in it.
    fn document(&mut self) -> Result<Option<Node>, Note> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            if event == Event::StreamEnd {
                return Ok(root);
            }
            if !matches!(event, Event::DocumentStart(..)) {
                continue;
            }
            if root.is_some() {
                let note = Note::error("yaml.document", span, "a rules file holds one document");
                return Err(note.hint("put what follows `---` into a file of its own"));
            }
            let first = self.next()?;
            root = Some(self.node(first, 0)?);
        }
    }

    fn next(&mut self) -> Result<Found<'t>, Note> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let start = self.offset(&span.start);
                let end = self.offset(&span.end).max(start);
                let written = self.text.get(start..end).unwrap_or_default().trim_end().len();
                Ok((event, Span { start, end: start + written }))
            }
            Some(Err(error)) => Err(self.syntax(self.offset(error.marker()), &error.info())),
            None => {
                let end = self.text.len();
                Err(Note::error("yaml.syntax", Span { start: end, end }, "the file ends in the middle of a value"))
            }
        }
    }

    /// What the parser could not read, pointed at where the mistake is rather than where it was noticed.
    fn syntax(&self, at: usize, words: &str) -> Note {
        let rest = self.text.get(at..).unwrap_or_default();
        let one = |at: usize, rest: &str| {
            let width = rest.chars().next().filter(|first| *first != '\n').map_or(0, char::len_utf8);
            Span { start: at, end: at + width }
        };
        if words.contains("recursion limit") {
            return Note::error("yaml.limit", one(at, rest), too_deep());
        }
        if words.contains("unknown anchor") {
            let name: String =
                rest.chars().take_while(|letter| !letter.is_whitespace() && !",]}".contains(*letter)).collect();
            let span = Span { start: at, end: at + name.len() };
            let note = Note::error("yaml.alias", span, format!("no anchor before it is called `{}`", shorten(&name)));
            return note
                .hint("an alias `*name` stands for what an anchor `&name` marked; quote a text that begins with `*`");
        }
        let message = format!("this is not YAML: {words}");
        let opening = self.text.get(..at).and_then(|before| before.rfind(['"', '\'']));
        if let Some(opening) = opening.filter(|_| words.contains("quoted scalar")) {
            let rest = self.text.get(opening..).unwrap_or_default();
            let note = Note::error("yaml.syntax", one(opening, rest), message);
            return note.hint("the text that begins here is not closed on its line");
        }
        match self.tab_in_indentation(at).filter(|_| words.contains("tab") || rest.starts_with('\t')) {
            Some(tab) => {
                let span = Span { start: tab, end: tab + 1 };
                Note::error("yaml.syntax", span, "this is not YAML: a tab in the indentation")
                    .hint("indent with spaces, not tabs")
            }
            None => Note::error("yaml.syntax", one(at, rest), message),
        }
    }

    /// The first tab before the text of a line, on the line of this place or the next one that has text.
    fn tab_in_indentation(&self, at: usize) -> Option<usize> {
        let line = self.text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        let mut start = line;
        for text in self.text.get(line..)?.split_inclusive('\n').take(3) {
            let indented = text.len() - text.trim_start().len();
            if let Some(tab) = text.get(..indented)?.find('\t') {
                return Some(start + tab);
            }
            start += text.len();
        }
        None
    }

    fn offset(&self, marker: &Marker) -> usize {
        marker.byte_offset().unwrap_or_default().min(self.text.len())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum: events that are no value need no names")]
    fn node(&mut self, (event, span): Found<'t>, depth: usize) -> Result<Node, Note> {
        self.nodes += 1;
        if depth > DEPTH_MAX {
            return Err(Note::error("yaml.limit", span, too_deep()));
        }
        if self.nodes > NODES_MAX {
            return Err(Note::error("yaml.limit", span, format!("the file holds more than {NODES_MAX} values")));
        }
        let (node, anchor, tagged) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                (Node { content, span }, anchor, tag.is_some())
            }
            Event::SequenceStart(style, anchor, tag) => {
                (self.list(span, style == StructureStyle::Flow, depth)?, anchor, tag.is_some())
            }
            Event::MappingStart(style, anchor, tag) => {
                (self.map(span, style == StructureStyle::Flow, depth)?, anchor, tag.is_some())
            }
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(Note::error("yaml.syntax", span, "a value is missing here")),
        };
        if tagged {
            let note = Note::error("yaml.tag", node.span, "tags (`!…`) mean nothing in a rules file");
            self.findings.push(note.hint("remove the tag; quote the value if it must be text"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, start: Span, flow: bool, depth: usize) -> Result<Node, Note> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let end = if flow { span.end } else { items.last().map_or(start.end, |item| item.span.end) };
                let span = Span { start: start.start, end: end.max(start.start) };
                return Ok(Node { content: Content::List { items, flow }, span });
            }
            items.push(self.node((event, span), depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, flow: bool, depth: usize) -> Result<Node, Note> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = BTreeSet::new();
        let (mut first, mut last) = (start.start, start.end);
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let end = if flow { span.end } else { last };
                return Ok(Node { content: Content::Map(entries), span: Span { start: first, end: end.max(first) } });
            }
            let (key, key_span) = self.key((event, span))?;
            if entries.is_empty() && !flow {
                first = key_span.start;
            }
            let value = self.next()?;
            let value = self.node(value, depth + 1)?;
            // An alias stands where it is used, not where its node is defined.
            last = if value.span.start >= key_span.end { value.span.end } else { key_span.end };
            if seen.insert(key.clone()) {
                entries.push(Entry { key, key_span, value });
            } else {
                let note = Note::error("yaml.duplicate-key", key_span, format!("the key `{key}` stands twice"));
                self.findings.push(note.hint("keep one of them: YAML readers disagree about which one counts"));
            }
        }
    }

    fn key(&mut self, (event, span): Found<'t>) -> Result<(String, Span), Note> {
        self.nodes += 1;
        let Event::Scalar(text, style, ..) = event else {
            let note = Note::error("yaml.key", span, "a key is plain text");
            let hint = "quote a value that starts with `{` or `[`, such as a template: \"{{ labels.container }}\"";
            return Err(note.hint(hint));
        };
        if text == "<<" && style == ScalarStyle::Plain {
            let note = Note::error("yaml.merge-key", span, "merge keys (`<<`) are not part of the language");
            return Err(note.hint("write the keys out, so that a playbook can be reviewed where it stands"));
        }
        Ok((text.into_owned(), span))
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, Note> {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            return Err(Note::error("yaml.limit", span, format!("more than {ALIASES_MAX} aliases (`*name`)")));
        }
        let Some(node) = self.anchors.get(&id) else {
            return Err(Note::error("yaml.alias", span, "an alias within its own anchor"));
        };
        let (nodes, bytes) = node.size();
        self.nodes += nodes;
        self.repeated_bytes += bytes;
        if self.nodes > NODES_MAX || self.repeated_bytes > REPEATED_BYTES_MAX {
            let message =
                format!("with its aliases written out, the file holds more than {NODES_MAX} values, or 1 MiB of text");
            return Err(Note::error("yaml.limit", span, message));
        }
        Ok(node.clone())
    }
}
