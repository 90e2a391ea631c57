//! The spanned document tree of a file, and what is said where a file is not TOML. What its keys mean is not judged here.

use std::ops::Range;

use toml::de::DeTable;

use super::problem::{At, Report};

/// The most tables of a file in which a slip is reported.
const MOST: usize = 100;

/// Reads the tree of a file; what cannot be understood is reported and left out of the tree.
pub(super) fn tree<'t>(file: usize, text: &'t str, report: &mut Report<'_>) -> DeTable<'t> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut past: Vec<Range<usize>> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let span = span.start.min(text.len())..span.end.min(text.len());
        let line_start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        // One slip often upsets the reader more than once; the first word on a table is the one that helps.
        if past.len() >= MOST || past.iter().any(|stretch| stretch.contains(&span.start)) {
            continue;
        }
        let typed = text.get(span.clone()).unwrap_or_default();
        let header = text.get(line_start..).is_some_and(|line| line.trim_start().starts_with('['));
        let (message, hint, stretch) = match error.message() {
            "duplicate key" if header => (
                format!("table `{typed}` stands twice"),
                format!("write [[{typed}]] with two brackets for a list, or join the two tables"),
                // Which of them the reader kept is not worth knowing: nothing else is said of the file.
                0..text.len() + 1,
            ),
            "duplicate key" => {
                (format!("duplicate key `{typed}`"), "a key stands once in its table; remove one of them".into(), 0..0)
            }
            // A list that is not closed swallows everything below it.
            other if header && other.starts_with("missing comma") => {
                ("not TOML: a list is not closed".to_owned(), "close the list above with ]".to_owned(), {
                    let above = text.get(..line_start.saturating_sub(1)).unwrap_or_default().rfind('\n').unwrap_or(0);
                    table_around(text, above).start..text.len() + 1
                })
            }
            other => (format!("not TOML: {other}"), syntax_hint(other).to_owned(), table_around(text, line_start)),
        };
        past.push(stretch.clone());
        report.syntax(&At { file, span }, stretch, message, Some(hint));
    }
    tree.into_inner()
}

fn syntax_hint(message: &str) -> &'static str {
    if message.starts_with("string values must be quoted") {
        "put the text in quotes: key = \"text\""
    } else if message.starts_with("key with no value") {
        "write key = value"
    } else if message.starts_with("missing comma") {
        "put a comma between the values, and ] or } after the last"
    } else if message.starts_with("unclosed") && message.contains("table") {
        "write [name] or [[name]] on a line of its own"
    } else {
        "write key = \"text\", 3, true, 2027-06-30, [\"a\", \"list\"] or { key = \"text\" }, one key on a line"
    }
}

/// The lines from the header above a place to the next header below it.
fn table_around(text: &str, line_start: usize) -> Range<usize> {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let mut start = 0;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if is_header(line) {
            if offset > line_start {
                return start..offset;
            }
            start = offset;
        }
        offset += line.len();
    }
    start..text.len() + 1
}
