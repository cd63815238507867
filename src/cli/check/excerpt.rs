//! The few lines that a problem is drawn in: the one it stands on and its neighbours, cut to what a terminal shows.
//!
//! A file may be one line of a megabyte, and a hundred problems may stand on it.

use super::report::ProblemReport;
use super::shown as visible;
use crate::story::printable;
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Characters of a line that are shown, and how many of them come before the mark.
const SHOWN: usize = 200;
const BEFORE: usize = 100;
/// Stands for what was cut.
const CUT: char = '…';

/// What is drawn.
#[derive(Debug)]
pub(super) struct Excerpt {
    /// `FILE:LINE:COLUMN`
    place: String,
    text: String,
    /// The first line of the text, from 0.
    first_line: usize,
    /// Offset and length of what is underlined, within the text.
    pub(super) marked: (usize, usize),
}

impl Excerpt {
    /// The lines around a problem, which has a place.
    pub(super) fn around((path, text): (&str, &str), problem: &ProblemReport) -> Self {
        let place = format!("{}:{}:{}", printable(path), problem.line, problem.column);
        let index = problem.line.saturating_sub(1);
        let first_line = index.saturating_sub(1);
        let mut excerpt = Self { place, text: String::new(), first_line, marked: (0, 0) };
        for (number, line) in text.split('\n').enumerate().skip(first_line).take(index + 2 - first_line) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if number == index {
                excerpt.push_marked(line, problem);
            } else {
                excerpt.push_head(line);
            }
        }
        // The end of the file is no line of its own.
        if excerpt.text.ends_with('\n') && excerpt.marked.0 + 1 < excerpt.text.len() {
            excerpt.text.pop();
        }
        excerpt
    }

    fn push_head(&mut self, line: &str) {
        let shown: String = line.chars().take(SHOWN).collect();
        self.text.push_str(&visible(&shown, &['\t']));
        if shown.len() < line.len() {
            self.text.push(CUT);
        }
        self.text.push('\n');
    }

    fn push_marked(&mut self, line: &str, problem: &ProblemReport) {
        // Columns count characters, from 1.
        let column = problem.column.saturating_sub(1);
        let (start, _) = line.char_indices().nth(column).unwrap_or((line.len(), ' '));
        let (before, rest) = line.split_at_checked(start).unwrap_or((line, ""));
        let (marked, after) = rest.split_at_checked(problem.length.min(rest.len())).unwrap_or((rest, ""));
        let skipped = if line.chars().take(SHOWN + 1).count() <= SHOWN { 0 } else { column.saturating_sub(BEFORE) };
        if skipped != 0 {
            self.text.push(CUT);
        }
        let before: String = before.chars().skip(skipped).collect();
        self.text.push_str(&visible(&before, &['\t']));
        let room = SHOWN.saturating_sub(column - skipped).max(1);
        let shown: String = marked.chars().take(room).collect();
        let visible_mark = visible(&shown, &['\t']);
        self.marked = (self.text.len(), visible_mark.len());
        self.text.push_str(&visible_mark);
        let left = room.saturating_sub(shown.chars().count());
        let tail: String = after.chars().take(left).collect();
        let cut = shown.len() < marked.len() || tail.len() < after.len();
        self.text.push_str(&visible(&tail, &['\t']));
        self.text.extend(cut.then_some(CUT));
        self.text.push('\n');
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = SourceSpan::from((0, self.text.len()));
        let lines = self.text.lines().count();
        let contents =
            MietteSpanContents::new_named(self.place.clone(), self.text.as_bytes(), whole, self.first_line, 0, lines);
        Ok(Box::new(contents))
    }
}
