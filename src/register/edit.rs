//! Puts blocks into the text of a `feeds.toml` and takes them out; every other byte stays as it was. Whether the result
//! is right is not judged here.

use std::{collections::BTreeMap, fmt::Write as _};

use super::blocks::{Block, Kind, Unreadable, blocks, written_as_value};
use crate::{catalogue::Listed, model::id::slug};

/// A feed that is to be written; keys without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewFeed {
    /// Its identifier; written only where it is not the slug of the name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is fetched.
    pub url: String,
    /// Who answers for it.
    pub owner: String,
    /// The group that it belongs to.
    pub group: Option<String>,
    /// The interval between two polls: `4h`.
    pub every: Option<String>,
    /// What becomes of an entry that matches nothing: `list`, `owner` or `none`.
    pub unmatched: Option<String>,
    /// How many entries of the first poll count as new.
    pub baseline: Option<u32>,
    /// The label of everything that it publishes.
    pub tlp: Option<String>,
    /// Topics that every entry of it has.
    pub topics: Vec<String>,
    /// A line of plain text above it.
    pub comment: Option<String>,
    /// The title of the stretch that it begins or goes on with.
    pub heading: Option<String>,
}

impl From<&Listed> for NewGroup {
    /// The group of a source of the catalogue, without an owner.
    fn from(listed: &Listed) -> Self {
        Self {
            id: listed.group_id.clone(),
            name: listed.group_name.clone(),
            url: listed.group_url.clone(),
            kind: Some(listed.kind.clone()),
            reason: Some(listed.reason.clone()),
            ..Self::default()
        }
    }
}

/// A group that is to be written; keys without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewGroup {
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its home page.
    pub url: Option<String>,
    /// The word of its kind: `government`.
    pub kind: Option<String>,
    /// Why the company follows it.
    pub reason: Option<String>,
    /// Who answers for the contact.
    pub owner: String,
}

/// Why a text was not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// There is no block of this identifier.
    #[error("{word} `{id}` has no [[{word}]] of its own in feeds.toml; take it out by hand")]
    NoBlock {
        /// `feed` or `group`.
        word: &'static str,
        /// What was looked for.
        id: String,
    },
    /// All of a kind are written as one value, which no block can follow.
    #[error(
        "feeds.toml has its {word}s in a list, `{word} = [...]` (line {line}), which no [[{word}]] can follow; \
             write it there by hand"
    )]
    Listed {
        /// `feed` or `group`.
        word: &'static str,
        /// The line of the list, from 1.
        line: usize,
    },
    /// The lines of a block lie around those of another.
    #[error("{word} `{id}` is written around another table of feeds.toml (line {line}); take it out by hand")]
    Entangled {
        /// `feed` or `group`.
        word: &'static str,
        /// The block.
        id: String,
        /// The line of the other one's header, from 1.
        line: usize,
    },
}

impl EditError {
    /// Whether a group stands in the way, and not a feed.
    pub fn is_about_group(&self) -> bool {
        match self {
            EditError::NoBlock { word, .. } | EditError::Listed { word, .. } | EditError::Entangled { word, .. } => {
                *word == "group"
            }
            EditError::Unreadable(_) => false,
        }
    }
}

/// The text with a group and feeds more.
///
/// A feed stands behind the last feed of its group, else behind the group itself; everything else comes to the end, first
/// what has no heading, which would seem to stand under the heading before it.
pub fn insert(text: &str, group: Option<&NewGroup>, feeds: &[NewFeed]) -> Result<String, EditError> {
    let wanted = [(Kind::Group, "group", group.is_some()), (Kind::Feed, "feed", !feeds.is_empty())];
    for (kind, word, _) in wanted.into_iter().filter(|(_, _, is_wanted)| *is_wanted) {
        if let Some(line) = written_as_value(text, kind)? {
            return Err(EditError::Listed { word, line });
        }
    }
    let known = blocks(text)?;
    let style = Style::of(text, &known);
    let mut pieces: BTreeMap<usize, String> = BTreeMap::new();
    if let Some(group) = group {
        style.push(pieces.entry(text.len()).or_default(), &style.group(group));
    }
    let mut heading: Option<&str> = None;
    let ends = ends_of_groups(&known);
    let (without, under): (Vec<&NewFeed>, Vec<&NewFeed>) = feeds.iter().partition(|feed| feed.heading.is_none());
    for feed in without.into_iter().chain(under) {
        let end = feed.group.as_deref().and_then(|group| ends.get(group)).copied().unwrap_or(text.len());
        let piece = pieces.entry(end).or_default();
        if end == text.len() && feed.heading.is_some() && feed.heading.as_deref() != heading {
            heading = feed.heading.as_deref();
            style.push(piece, &format!("# ---- {}{}", heading.unwrap_or_default(), style.newline));
        }
        style.push(piece, &style.feed(feed));
    }
    let mut edited = String::with_capacity(text.len() + pieces.values().map(String::len).sum::<usize>() + 2);
    let mut at = 0;
    for (end, piece) in pieces {
        edited.push_str(text.get(at..end).unwrap_or_default());
        if !edited.is_empty() && !edited.ends_with('\n') {
            edited.push_str(style.newline);
        }
        // At the top of a file, and behind a blank line at its end, there is room already.
        let has_room =
            edited.trim_start_matches('\u{feff}').is_empty() || edited.ends_with("\n\n") || edited.ends_with("\n\r\n");
        edited.push_str(if has_room { piece.strip_prefix(style.newline).unwrap_or(&piece) } else { &piece });
        at = end;
    }
    edited.push_str(text.get(at..).unwrap_or_default());
    Ok(edited)
}

/// Where the last block of each group ends: its own, or that of a feed of it.
fn ends_of_groups(known: &[Block]) -> BTreeMap<&str, usize> {
    let mut ends = BTreeMap::new();
    for kind in [Kind::Group, Kind::Feed] {
        for block in known.iter().filter(|block| block.kind == kind) {
            let group = if kind == Kind::Group { Some(block.id.as_str()) } else { block.group.as_deref() };
            if let Some(group) = group {
                ends.insert(group, block.bytes.end);
            }
        }
    }
    ends
}

/// The text without a feed, and without its group where that is named: their blocks with their own comments and the
/// blank lines above them.
pub fn remove(text: &str, feed: &str, group: Option<&str>) -> Result<String, EditError> {
    let mut edited = without(text, Kind::Feed, feed)?;
    if let Some(group) = group {
        edited = without(&edited, Kind::Group, group)?;
    }
    Ok(edited)
}

fn without(text: &str, kind: Kind, id: &str) -> Result<String, EditError> {
    let word = if kind == Kind::Feed { "feed" } else { "group" };
    let known = blocks(text)?;
    let Some(block) = known.iter().find(|block| block.kind == kind && block.id == id) else {
        return Err(EditError::NoBlock { word, id: id.to_owned() });
    };
    let inside = |other: &&Block| other.line != block.line && block.bytes.contains(&other.bytes.start);
    if let Some(other) = known.iter().find(inside) {
        return Err(EditError::Entangled { word, id: id.to_owned(), line: other.line });
    }
    let before = text.get(..block.bytes.start).unwrap_or_default();
    let after = text.get(block.bytes.end..).unwrap_or_default();
    let kept = before.trim_end_matches(['\n', '\r', ' ', '\t']);
    // The end of the last line that stays belongs to that line.
    let line_end =
        before.get(kept.len()..).and_then(|rest| rest.find('\n')).map_or(before.len(), |at| kept.len() + at + 1);
    let kept = if kept.is_empty() { "" } else { before.get(..line_end).unwrap_or_default() };
    let after = if kept.is_empty() { after.trim_start_matches(['\n', '\r']) } else { after };
    Ok(format!("{kept}{after}"))
}

/// How the file is written.
struct Style {
    newline: &'static str,
    /// Whether the signs of equality stand below each other.
    is_aligned: bool,
}

impl Style {
    /// The style of a text: its first line end, and its last feed.
    fn of(text: &str, known: &[Block]) -> Self {
        let is_crlf = text.find('\n').is_some_and(|at| text.get(..at).is_some_and(|line| line.ends_with('\r')));
        let last = known.iter().rev().find(|block| block.kind == Kind::Feed);
        let lines = last.and_then(|block| text.get(block.bytes.clone())).unwrap_or_default().lines();
        let keys: Vec<(usize, usize)> = lines
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once('='))
            .map(|(key, _)| (key.len(), key.trim_end().len()))
            .collect();
        let (signs, names) = (keys.iter().map(|(sign, _)| sign), keys.iter().map(|(_, name)| name));
        let is_aligned = signs.clone().min() == signs.max() && names.clone().min() != names.max();
        Self { newline: if is_crlf { "\r\n" } else { "\n" }, is_aligned }
    }

    /// Appends a block with a blank line above it.
    fn push(&self, piece: &mut String, block: &str) {
        piece.push_str(self.newline);
        piece.push_str(block);
    }

    fn feed(&self, feed: &NewFeed) -> String {
        let text = |value: &Option<String>| value.as_deref().map(quoted);
        let topics: Vec<String> = feed.topics.iter().map(|topic| quoted(topic)).collect();
        let keys = [
            ("id", Some(quoted(&feed.id)).filter(|_| feed.id != slug(&feed.name))),
            ("name", Some(quoted(&feed.name))),
            ("url", Some(quoted(&feed.url))),
            ("owner", Some(quoted(&feed.owner))),
            ("group", text(&feed.group)),
            ("every", text(&feed.every)),
            ("unmatched", text(&feed.unmatched)),
            ("baseline", feed.baseline.map(|number| number.to_string())),
            ("tlp", text(&feed.tlp)),
            ("topics", Some(format!("[{}]", topics.join(", "))).filter(|_| !topics.is_empty())),
        ];
        let comment = feed.comment.as_ref().map(|comment| format!("# {comment}{}", self.newline)).unwrap_or_default();
        comment + &self.table("[[feed]]", keys)
    }

    fn group(&self, group: &NewGroup) -> String {
        let text = |value: &Option<String>| value.as_deref().map(quoted);
        let keys = [
            ("id", Some(quoted(&group.id))),
            ("name", Some(quoted(&group.name))),
            ("url", text(&group.url)),
            ("kind", text(&group.kind)),
            ("reason", text(&group.reason)),
            ("owner", Some(quoted(&group.owner))),
        ];
        self.table("[[group]]", keys)
    }

    fn table<const N: usize>(&self, header: &str, keys: [(&str, Option<String>); N]) -> String {
        let written: Vec<(&str, String)> =
            keys.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
        let longest = written.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let width = if self.is_aligned { longest } else { 0 };
        let lines = written.iter().map(|(key, value)| format!("{key:width$} = {value}{}", self.newline));
        lines.fold(format!("{header}{}", self.newline), |table, line| table + &line)
    }
}

/// A text as a basic string of TOML (TOML 1.0, section String).
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../feeds.toml");

    fn feed(name: &str, group: Option<&str>) -> NewFeed {
        NewFeed {
            id: slug(name),
            name: name.into(),
            url: format!("https://{}.example/feed", slug(name)),
            owner: "maria".into(),
            group: group.map(str::to_owned),
            ..NewFeed::default()
        }
    }

    fn added(text: &str, feeds: &[NewFeed]) -> String {
        insert(text, None, feeds).unwrap()
    }

    #[test]
    fn a_feed_comes_to_the_end_and_one_of_a_group_behind_its_others() {
        let text = added(SHIPPED, &[feed("Tarnbase", None), feed("Quillgate", Some("cisa"))]);
        assert!(text.ends_with(
            "owner = \"maria\"\n\n[[feed]]\nname = \"Tarnbase\"\nurl = \"https://tarnbase.example/feed\"\nowner = \"maria\"\n"
        ));
        let quillgate = text.find("\"Quillgate\"").unwrap();
        assert!(text.find("id = \"cisa-kev\"").unwrap() < quillgate && quillgate < text.find("\"ncsc-uk\"").unwrap());
        for line in SHIPPED.lines() {
            assert!(text.contains(line));
        }
    }

    #[test]
    fn what_was_put_in_comes_out_again_and_leaves_the_text_as_it_was() {
        let crlf = SHIPPED.replace('\n', "\r\n");
        let loose = "[[feed]]\nname = \"A\"\n\n\n\n[[feed]]\nname = \"B\"\n";
        for text in
            [SHIPPED, &crlf, loose, "", "# Only words.\n", "[[group]]\nid = \"cisa\"\nname = \"C\"\n\n\n# end\n"]
        {
            for group in [None, Some("cisa"), Some("isaca")] {
                let more = added(text, &[feed("Tarnbase", group)]);
                assert_ne!(more, text);
                assert_eq!(remove(&more, "tarnbase", None).unwrap(), text, "{group:?}");
            }
        }
    }

    #[test]
    fn each_feed_of_the_shipped_register_can_be_taken_out_alone() {
        for block in blocks(SHIPPED).unwrap().iter().filter(|block| block.kind == Kind::Feed) {
            let less = remove(SHIPPED, &block.id, None).unwrap();
            let left: Vec<String> = blocks(&less).unwrap().into_iter().map(|block| block.id).collect();
            assert_eq!(left.len() + 1, blocks(SHIPPED).unwrap().len(), "{}", block.id);
            let gone = SHIPPED.get(block.bytes.clone()).unwrap().lines().count() + 1;
            assert_eq!(less.lines().count() + gone, SHIPPED.lines().count(), "{}", block.id);
            assert!(!less.contains("\n\n\n"), "{}", block.id);
        }
        let less = remove(SHIPPED, "cisa-advisories", None).unwrap();
        assert!(
            !less.contains("#baseline") && !less.contains("industrial ones too") && less.contains("# ---- Authorities")
        );
    }

    #[test]
    fn a_group_goes_with_its_last_feed_where_that_is_asked() {
        let less = remove(SHIPPED, "rustsec-advisories", Some("rustsec")).unwrap();
        assert!(!less.contains("rustsec") && less.contains("# ---- AI security"));
    }

    #[test]
    fn a_file_is_written_on_in_its_own_hand() {
        let aligned = "[[feed]]\r\nname  = \"A\"\r\nurl   = \"https://a.example/\"\r\nowner = \"jon\"";
        let more = added(aligned, &[feed("Tarnbase", None)]);
        assert!(more.ends_with(
            "owner = \"jon\"\r\n\r\n[[feed]]\r\nname  = \"Tarnbase\"\r\nurl   = \"https://tarnbase.example/feed\"\r\nowner = \"maria\"\r\n"
        ));
        assert!(added("", &[feed("A", None)]).starts_with("[[feed]]\nname = \"A\"\n"));
    }

    #[test]
    fn a_new_group_stands_before_its_feed_and_headings_are_said_once() {
        let group = NewGroup { id: "tarn".into(), name: "Tarn".into(), owner: "jon".into(), ..NewGroup::default() };
        let text = insert("", Some(&group), &[feed("T", Some("tarn"))]).unwrap();
        assert!(text.starts_with("[[group]]\nid = \"tarn\"\nname = \"Tarn\"\nowner = \"jon\"\n\n[[feed]]\n"), "{text}");
        let under = |name| NewFeed { heading: Some("Blogs".into()), ..feed(name, None) };
        let text = added("# Mine.\n", &[under("A"), under("B"), feed("Of no folder", None)]);
        assert!(text.starts_with("# Mine.\n\n[[feed]]\nname = \"Of no folder\"\n"), "{text}");
        let text = added("# Mine.\n", &[under("A"), under("B")]);
        assert!(text.starts_with("# Mine.\n\n# ---- Blogs\n\n[[feed]]\n"), "{text}");
        assert_eq!(text.matches("Blogs").count(), 1);
    }

    #[test]
    fn any_text_is_quoted_so_that_it_reads_back() {
        for name in ["plain", "a \"b\" \\ c", "'", "#", "é \u{1f600}", "\t\u{7f}\u{1b}", "]]"] {
            let text = added("", &[NewFeed { name: name.into(), ..feed("x", None) }]);
            let tree = toml::from_str::<toml::Table>(&text).unwrap();
            assert_eq!(tree["feed"][0]["name"].as_str(), Some(name));
        }
    }

    #[test]
    fn what_cannot_be_taken_out_safely_is_refused() {
        for (text, line) in [("feed = [{ id = \"a\" }]\n", 1), ("# Mine.\nfeed = []\n", 2)] {
            let listed = insert(text, None, &[feed("b", None)]).unwrap_err();
            assert!(matches!(listed, EditError::Listed { line: found, .. } if found == line), "{listed}");
        }
        let listed = remove("feed = [{ id = \"a\" }]\n", "a", None).unwrap_err();
        assert!(listed.to_string().contains("take it out by hand"), "{listed}");
        let around = "[[feed]]\nid = \"a\"\n[[group]]\nid = \"g\"\n[feed.headers]\nx = \"1\"\n";
        assert!(matches!(remove(around, "a", None), Err(EditError::Entangled { line: 3, .. })));
    }
}
