//! Where each `[[feed]]` and `[[group]]` of a `feeds.toml` stands, with the comments that belong to it. What their keys
//! mean is not judged here, and nothing is changed.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::model::id::slug;

/// The text is not TOML, so nothing in it has a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("feeds.toml cannot be read: {0}")]
pub struct Unreadable(String);

/// What a block declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `[[feed]]`.
    Feed,
    /// A `[[group]]`.
    Group,
}

/// One `[[feed]]` or `[[group]]` with the comments that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it declares.
    pub kind: Kind,
    /// Its identifier: the key `id`, else the slug of its name.
    pub id: String,
    /// The group that a feed names.
    pub group: Option<String>,
    /// The line of its header, from 1.
    pub line: usize,
    /// Whole lines of the text, from its first own comment to its last one.
    pub bytes: Range<usize>,
}

/// The blocks of a text in their order. A feed that is written inside a list, `feed = [{...}]`, is no block.
pub fn blocks(text: &str) -> Result<Vec<Block>, Unreadable> {
    let tree = DeTable::parse(text).map_err(|error| Unreadable(error.message().to_owned()))?;
    let lines = Lines::of(text);
    let mut blocks = Vec::new();
    for (key, kind) in [("feed", Kind::Feed), ("group", Kind::Group)] {
        let tables = tree.get_ref().get(key).and_then(|value| value.get_ref().as_array());
        for item in tables.into_iter().flat_map(|tables| tables.iter()) {
            let header = item.span();
            let is_header = text.get(header.clone()).is_some_and(|typed| typed.starts_with("[["));
            let Some(table) = item.get_ref().as_table().filter(|_| is_header) else { continue };
            let text_of = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
            let id = text_of("id").or_else(|| text_of("name").map(|name| slug(&name))).unwrap_or_default();
            let first = lines.number(header.start);
            let last = lines.number(end_of(table).max(header.end).saturating_sub(1));
            let bytes = lines.bytes(lines.own_start(first)..lines.own_end(last));
            blocks.push(Block { kind, id, group: text_of("group"), line: first + 1, bytes });
        }
    }
    blocks.sort_by_key(|block| block.line);
    Ok(blocks)
}

/// The line, from 1, of feeds or groups that are written as one value, `feed = [{...}]`: no `[[feed]]` can follow it.
pub fn written_as_value(text: &str, kind: Kind) -> Result<Option<usize>, Unreadable> {
    let tree = DeTable::parse(text).map_err(|error| Unreadable(error.message().to_owned()))?;
    let key = if kind == Kind::Feed { "feed" } else { "group" };
    let Some((key, value)) = tree.get_ref().get_key_value(key) else { return Ok(None) };
    let is_header = |at: Range<usize>| text.get(at).is_some_and(|typed| typed.starts_with("[["));
    let tables = value.get_ref().as_array();
    let is_value = tables.is_none_or(|tables| tables.iter().next().is_none_or(|first| !is_header(first.span())));
    Ok(is_value.then(|| Lines::of(text).number(key.span().start) + 1))
}

/// Where the last value of a table ends, tables below it included.
fn end_of(table: &DeTable<'_>) -> usize {
    let ends = table.iter().map(|(key, value)| {
        let inside = match value.get_ref() {
            DeValue::Table(table) => end_of(table),
            _ => 0,
        };
        key.span().end.max(value.span().end).max(inside)
    });
    ends.max().unwrap_or(0)
}

/// The lines of a text, numbered from 0.
struct Lines<'t> {
    text: &'t str,
    /// Where each begins, and where the text ends.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.split_inclusive('\n').scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        }));
        Self { text, starts }
    }

    fn number(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    fn line(&self, number: usize) -> Option<&'t str> {
        let (start, end) = (self.starts.get(number)?, self.starts.get(number + 1)?);
        self.text.get(*start..*end).map(str::trim)
    }

    fn bytes(&self, lines: Range<usize>) -> Range<usize> {
        let at = |number: usize| self.starts.get(number).copied().unwrap_or(self.text.len());
        at(lines.start)..at(lines.end)
    }

    fn is_own_comment(&self, number: usize) -> bool {
        self.line(number).is_some_and(|line| line.starts_with('#') && !is_heading(line))
    }

    /// The first of the comment lines right above a header. What begins with the file is about the file, and what begins
    /// with another header is that table, switched off.
    fn own_start(&self, header: usize) -> usize {
        let mut start = header;
        while start > 0 && self.is_own_comment(start - 1) {
            start -= 1;
            if self.line(start).is_some_and(is_switched_off) {
                return header;
            }
        }
        if start == 0 { header } else { start }
    }

    /// The line after the comments that follow a block's last value; those right above the next header are the next one's.
    fn own_end(&self, last: usize) -> usize {
        let mut end = last + 1;
        while self.is_own_comment(end) && !self.line(end).is_some_and(is_switched_off) {
            end += 1;
        }
        match self.line(end) {
            Some(line) if line.starts_with('[') => last + 1,
            _ => end,
        }
    }
}

/// Whether a comment is the header of a table that somebody keeps for later: `# [[feed]]`.
fn is_switched_off(comment: &str) -> bool {
    comment.trim_start_matches('#').trim_start().starts_with('[')
}

/// Whether a comment is the title of what follows: `# ---- Authorities`.
fn is_heading(comment: &str) -> bool {
    let inside = comment.trim_start_matches('#').trim_start();
    let ruled = |mark: char| inside.chars().take_while(|c| *c == mark).count() >= 3;
    comment.starts_with("###") || ['-', '=', '*', '~', '_', '\u{2500}'].into_iter().any(ruled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# The register.\n\n# ---- Authorities\n\n[[group]]\nid = \"cisa\" # them\nname = \"CISA\"\n\n\
                        # All of it.\n# And more.\n[[feed]]\nname = \"CISA advisories\"\nurl = \"https://a.example/\"\n\
                        topics = [\n  \"[[feed]]\", # no header\n]\n# How often.\n#every = \"1h\"\n\n\
                        # Next.\n[[feed]]\nid = \"two\"\nname = \"\"\"\n[[feed]]\"\"\"\n# ---- Makers\n[[group]]\nid = \"m\"\n\
                        # of the next\n[[feed]]\nname = \"Last\"\ngroup = \"m\"";

    fn found() -> Vec<(String, String)> {
        let blocks = blocks(TEXT).unwrap();
        blocks.into_iter().map(|block| (block.id, TEXT.get(block.bytes).unwrap().to_owned())).collect()
    }

    #[test]
    fn a_block_has_its_own_comments_and_no_others() {
        let found = found();
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["cisa", "cisa-advisories", "two", "m", "last"]);
        assert_eq!(found[0].1, "[[group]]\nid = \"cisa\" # them\nname = \"CISA\"\n");
        assert!(found[1].1.starts_with("# All of it.\n# And more.\n[[feed]]\n"), "{}", found[1].1);
        assert!(found[1].1.ends_with("]\n# How often.\n#every = \"1h\"\n"), "{}", found[1].1);
        assert_eq!(found[2].1, "# Next.\n[[feed]]\nid = \"two\"\nname = \"\"\"\n[[feed]]\"\"\"\n");
        assert_eq!(found[3].1, "[[group]]\nid = \"m\"\n");
        assert_eq!(found[4].1, "# of the next\n[[feed]]\nname = \"Last\"\ngroup = \"m\"");
    }

    #[test]
    fn what_the_file_says_of_itself_belongs_to_no_block() {
        let text = "# Our feeds.\n# Ask Maria.\n[[feed]]\nname = \"A\"\n";
        let blocks = blocks(text).unwrap();
        assert_eq!(text.get(blocks[0].bytes.clone()).unwrap(), "[[feed]]\nname = \"A\"\n");
        assert_eq!(blocks[0].line, 3);
    }

    #[test]
    fn a_table_that_is_switched_off_by_comments_belongs_to_no_other() {
        let text = "# The file.\n\n[[feed]]\nname = \"A\"\n#every = \"1h\"\n# [[feed]]\n# name = \"Kept\"\n\n\
                    #[[feed]]\n#name = \"Kept too\"\n[[feed]]\nname = \"B\"\n";
        let found: Vec<&str> =
            blocks(text).unwrap().iter().map(|block| text.get(block.bytes.clone()).unwrap()).collect();
        assert_eq!(found, ["[[feed]]\nname = \"A\"\n#every = \"1h\"\n", "[[feed]]\nname = \"B\"\n"]);
    }

    #[test]
    fn feeds_in_a_list_are_no_blocks_and_what_is_no_toml_is_an_error() {
        assert_eq!(blocks("feed = [{ name = \"A\" }]\n").unwrap(), []);
        assert!(blocks("[[feed]\n").unwrap_err().to_string().starts_with("feeds.toml cannot be read: "));
    }

    #[test]
    fn line_ends_of_any_kind_are_kept_whole() {
        let text = "[[feed]]\r\nname = \"A\"\r\n\r\n[[feed]]\r\nname = \"B\"\r\n";
        let blocks = blocks(text).unwrap();
        assert_eq!(text.get(blocks[0].bytes.clone()).unwrap(), "[[feed]]\r\nname = \"A\"\r\n");
        assert_eq!(blocks[1].bytes.end, text.len());
    }
}
