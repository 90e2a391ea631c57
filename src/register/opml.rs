//! Lists of feeds as readers exchange them: OPML 1.0 and 2.0 (opml.org/spec2.opml), read from anybody and written from
//! the register. A list is hostile like a feed: only names and addresses are taken, nothing in it is followed or run,
//! and what a document type declares is never expanded. Whether an address may be asked is not judged here.

use std::fmt::Write as _;

use crate::{
    model::{
        feed::{Feed, Group},
        settings::Config,
    },
    repair::{self, Notes, Tag, Token, Tokens},
    text::{self, reference},
};

/// The most bytes of a list.
pub const MAX_BYTES: usize = 10 << 20;
/// The most outlines of a list, those without a feed included.
pub const MAX_OUTLINES: usize = 20_000;
/// How deep outlines may lie in each other.
pub const MAX_DEPTH: usize = 128;
/// The most bytes of a name.
const MAX_NAME: usize = 500;
/// The most bytes of an address.
pub const MAX_URL: usize = 2_000;
/// The most bytes of a folder's name.
const MAX_FOLDER: usize = 100;
/// The names that sigtrail itself adds to a list (OPML 2.0 section "Extending OPML").
const NAMESPACE: &str = "urn:sigtrail:register";

/// A feed of a list. Texts are cleaned, the address is as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// What people call it; may be empty.
    pub name: String,
    /// Its address, not yet judged.
    pub url: String,
    /// The folders that it lies in, `Security / Vendors`; empty where there is none.
    pub folder: String,
    /// The identifier that a register gave it.
    pub id: Option<String>,
    /// The owner that a register gave it.
    pub owner: Option<String>,
    /// The group that a register gave it.
    pub group: Option<String>,
}

/// An outline that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its name or address, cleaned.
    pub what: String,
    /// Why, in words.
    pub why: String,
}

/// What a list says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its feeds, in their order.
    pub outlines: Vec<Outline>,
    /// What was left out, in its order.
    pub skipped: Vec<Skipped>,
    /// Whether the list ends in the middle of something.
    pub is_cut: bool,
}

/// Why a list was not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More bytes than a list may have.
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// More outlines than a list may have.
    #[error("it has more than {MAX_OUTLINES} outlines; nobody follows so many")]
    TooMany,
    /// Something else.
    #[error("it is no OPML: there is no outline in it")]
    NoList,
}

/// Reads a list, whatever its encoding and however broken.
pub fn read(bytes: &[u8]) -> Result<List, Refused> {
    if bytes.len() > MAX_BYTES {
        return Err(Refused::TooLarge);
    }
    let decoded = repair::decode(bytes, None);
    let mut reader = Reader { text: &decoded.text, ..Reader::default() };
    let (mut tokens, mut notes) = (Tokens::new(&decoded.text), Notes::default());
    while let Some(token) = tokens.next(&mut notes) {
        match token {
            Token::Open(tag) if tag.local().eq_ignore_ascii_case("outline") => {
                reader.open(&tag, tokens.at() - tag.whole.len())?;
            }
            Token::Close(tag) if tag.local().eq_ignore_ascii_case("outline") => reader.close(),
            _ => {}
        }
    }
    if reader.count == 0 {
        return Err(Refused::NoList);
    }
    Ok(List { is_cut: tokens.broke_off || reader.depth > 0, ..reader.list })
}

#[derive(Default)]
struct Reader<'t> {
    text: &'t str,
    list: List,
    count: usize,
    depth: usize,
    folders: Vec<String>,
    /// A place in the text and the line that it is on.
    known: (usize, usize),
}

impl Reader<'_> {
    fn open(&mut self, tag: &Tag<'_>, at: usize) -> Result<(), Refused> {
        self.count += 1;
        if self.count > MAX_OUTLINES {
            return Err(Refused::TooMany);
        }
        let line = self.line(at);
        let name = name_of(tag);
        match address_of(tag) {
            Ok(Some(_)) if self.depth >= MAX_DEPTH => {
                self.skip(line, name.clone(), format!("nested deeper than {MAX_DEPTH} levels"));
            }
            Ok(Some(url)) => self.list.outlines.push(Outline {
                line,
                name: name.clone(),
                url,
                folder: self.folder(),
                id: word(tag, "sigtrail:id"),
                owner: word(tag, "sigtrail:owner"),
                group: word(tag, "sigtrail:group"),
            }),
            Ok(None) => {}
            Err(why) => self.skip(line, name.clone(), why),
        }
        if !tag.is_empty {
            if self.depth < MAX_DEPTH {
                self.folders.truncate(self.depth);
                self.folders.push(text::clean(&name, MAX_FOLDER));
            }
            self.depth += 1;
        }
        Ok(())
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.folders.truncate(self.depth);
    }

    /// The names of the folders around this place, from the outside.
    fn folder(&self) -> String {
        let named: Vec<&str> = self.folders.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        text::clean(&named.join(" / "), 2 * MAX_FOLDER)
    }

    fn skip(&mut self, line: usize, what: String, why: String) {
        self.list.skipped.push(Skipped { line, what, why });
    }

    fn line(&mut self, at: usize) -> usize {
        let (known, line) = self.known;
        let between = self.text.get(known..at).unwrap_or_default();
        let line = line + between.bytes().filter(|byte| *byte == b'\n').count();
        self.known = (at, line);
        line + 1
    }
}

/// What an outline is called: `text`, else `title`.
fn name_of(tag: &Tag<'_>) -> String {
    let said = |key: &str| tag.attribute(key).map(|raw| line(raw, MAX_NAME)).filter(|name| !name.is_empty());
    said("text").or_else(|| said("title")).unwrap_or_default()
}

/// The address of an outline's feed; nothing where it is a folder or a note, an error where it should have one.
fn address_of(tag: &Tag<'_>) -> Result<Option<String>, String> {
    if let Some(raw) = tag.attribute("xmlUrl").filter(|raw| !raw.trim().is_empty()) {
        // Each byte of a reference stands for one byte or less of the address.
        if raw.len() > 6 * MAX_URL {
            return Err("the address is too long".to_owned());
        }
        let url = unescaped(raw).trim().to_owned();
        return if url.len() > MAX_URL { Err("the address is too long".to_owned()) } else { Ok(Some(url)) };
    }
    let kind = tag.attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "rss" | "atom" | "feed" | "jsonfeed" => Err("no xmlUrl".to_owned()),
        "link" | "include" => Err(format!("a {kind}, not a feed")),
        _ => Ok(None),
    }
}

/// An attribute of ours: an identifier, or nothing.
fn word(tag: &Tag<'_>, name: &str) -> Option<String> {
    let word = line(tag.attribute(name)?, 64);
    let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_plain && !word.is_empty()).then_some(word)
}

/// A raw value as one line of plain text that a register may hold.
fn line(raw: &str, max: usize) -> String {
    let start = raw.get(..raw.floor_char_boundary(8 * max)).unwrap_or_default();
    // Joiners have their place in some scripts, but not in a file that people compare by eye.
    let plain: String = unescaped(start).chars().filter(|c| !matches!(c, '\u{200c}' | '\u{200d}')).collect();
    text::clean(&plain, max)
}

/// A raw value with the references that XML and HTML know; any other one stays as it stands.
fn unescaped(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((found, length)) = reference::reference(after) else {
            plain.push('&');
            rest = after;
            continue;
        };
        if let reference::Reference::Char(c) = found {
            plain.push(c);
        }
        rest = after.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The enabled feeds of a register as OPML 2.0, by group in the order of the file; what belongs to no group comes last.
///
/// Identifier, owner and group stand in attributes of a namespace of their own, which other readers pass over.
pub fn write(config: &Config) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\" xmlns:sigtrail=\"{NAMESPACE}\">\n  <head>\n    \
         <title>Feeds of sigtrail</title>\n  </head>\n  <body>\n"
    );
    for group in &config.groups {
        let mut feeds = enabled(config, Some(group)).peekable();
        if feeds.peek().is_some() {
            let name = escaped(&group.name);
            let _ = writeln!(out, "    <outline text=\"{name}\" title=\"{name}\">");
            feeds.for_each(|feed| outline(&mut out, feed, Some(group), "      "));
            out.push_str("    </outline>\n");
        }
    }
    enabled(config, None).for_each(|feed| outline(&mut out, feed, None, "    "));
    out.push_str("  </body>\n</opml>\n");
    out
}

/// The enabled feeds of a group, or of none.
fn enabled<'c>(config: &'c Config, group: Option<&'c Group>) -> impl Iterator<Item = &'c Feed> {
    let id = group.map(|group| &group.id);
    config.feeds.iter().filter(move |feed| feed.enabled && feed.group.as_ref() == id)
}

fn outline(out: &mut String, feed: &Feed, group: Option<&Group>, indent: &str) {
    let (name, url) = (escaped(&feed.name), escaped(feed.url.as_str()));
    let _ = write!(out, "{indent}<outline type=\"rss\" text=\"{name}\" title=\"{name}\" xmlUrl=\"{url}\"");
    if let Some(page) = group.and_then(|group| group.url.as_ref()) {
        let _ = write!(out, " htmlUrl=\"{}\"", escaped(page.as_str()));
    }
    let _ = write!(out, " sigtrail:id=\"{}\" sigtrail:owner=\"{}\"", feed.id, feed.owner);
    if let Some(group) = group {
        let _ = write!(out, " sigtrail:group=\"{}\"", group.id);
    }
    out.push_str("/>\n");
}

/// A text inside a quoted value of XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(list: &List) -> Vec<&str> {
        list.outlines.iter().map(|outline| outline.url.as_str()).collect()
    }

    #[test]
    fn feeds_are_read_with_their_lines_names_and_folders() {
        let list = read(
            b"<?xml version='1.0'?>\n<opml version=\"1.1\"><head><title>Mine</title></head>\n<body>\n\
              <outline text=\"Security\">\n  <outline title='Vendors'>\n\
              <!-- <outline xmlUrl=\"https://commented.example/\"/> -->\n\
              <outline TEXT=\"Quillgate &amp; Co &#187; all\" xmlurl=\"https://q.example/?a=1&amp;b=2\" type=\"rss\"\n/>\n\
              </outline></outline>\n<outline text=\"\" title=\"Tarnbase\" xmlUrl=\" https://t.example/ \"></outline>\n\
              <outline text=\"A note\"/>\n<outline text=\"Lost\" type=\"rss\"/>\n\
              <outline text=\"Page\" type=\"link\" url=\"https://p.example/\"/></body></opml>",
        )
        .unwrap();
        assert_eq!(urls(&list), ["https://q.example/?a=1&b=2", "https://t.example/"]);
        let first = &list.outlines[0];
        assert_eq!((first.line, first.name.as_str()), (7, "Quillgate & Co \u{bb} all"));
        assert_eq!((first.folder.as_str(), list.outlines[1].folder.as_str()), ("Security / Vendors", ""));
        assert_eq!(list.outlines[1].name, "Tarnbase");
        let skipped: Vec<_> = list.skipped.iter().map(|one| (one.line, one.what.as_str(), one.why.as_str())).collect();
        assert_eq!(skipped, [(12, "Lost", "no xmlUrl"), (13, "Page", "a link, not a feed")]);
        assert!(!list.is_cut);
    }

    #[test]
    fn h_19_a_list_of_a_million_feeds_is_refused_by_its_bytes_and_by_its_outlines() {
        let many = |count: usize, one: &str| format!("<opml><body>{}</body></opml>", one.repeat(count));
        let long = many(1_000_000, "<outline xmlUrl='http://a.example/1'/>");
        assert!(long.len() > MAX_BYTES);
        assert_eq!(read(long.as_bytes()), Err(Refused::TooLarge));
        assert_eq!(read(many(MAX_OUTLINES + 1, "<outline xmlUrl='x'/>").as_bytes()), Err(Refused::TooMany));
        assert_eq!(read(many(1_000_000, "<outline>").as_bytes()), Err(Refused::TooMany));
        assert_eq!(read(many(MAX_OUTLINES, "<outline xmlUrl='x'/>").as_bytes()).unwrap().outlines.len(), MAX_OUTLINES);
    }

    #[test]
    fn h_19_entities_of_a_list_stay_literal_and_nothing_outside_of_it_is_read() {
        let bomb = "<!DOCTYPE opml [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY x SYSTEM \"file:///etc/passwd\"><!ENTITY % p SYSTEM \"http://127.0.0.1/\">%p;]>\
                    <opml><outline text=\"&b;&x;\" xmlUrl=\"https://a.example/&x;\"/></opml>";
        let list = read(bomb.as_bytes()).unwrap();
        assert_eq!(list.outlines[0].name, "&b;&x;");
        assert_eq!(urls(&list), ["https://a.example/&x;"]);
    }

    #[test]
    fn h_19_depth_and_length_of_a_list_have_an_end() {
        let deep = format!("<opml>{}<outline xmlUrl=\"https://a.example/\"/></opml>", "<outline>".repeat(19_000));
        let list = read(deep.as_bytes()).unwrap();
        assert_eq!((list.outlines.len(), list.skipped.len(), list.is_cut), (0, 1, true));
        assert_eq!(list.skipped[0].why, "nested deeper than 128 levels");
        let long =
            format!("<outline text=\"{}\" xmlUrl=\"https://a.example/{}\"/>", "n".repeat(1 << 20), "u".repeat(1 << 20));
        let list = read(long.as_bytes()).unwrap();
        assert_eq!(list.skipped[0].why, "the address is too long");
        assert_eq!(list.skipped[0].what.len(), MAX_NAME);
        let many = format!("<outline {} xmlUrl='https://a.example/'/>", "a='1' ".repeat(100_000));
        assert!(read(many.as_bytes()).unwrap().outlines.is_empty());
        for open in ["<outline a=\"", "<!--", "<!DOCTYPE [", "<![CDATA[", "<"] {
            let _ = read(open.repeat(200_000).as_bytes());
        }
    }

    #[test]
    fn a_name_shows_nothing_that_hides_or_breaks_a_line() {
        let list =
            read("<outline text=\"a&#10;b\u{202e}c\u{200d}&#27;[2J\" xmlUrl=\"https://a.example/\"/>".as_bytes());
        assert_eq!(list.unwrap().outlines[0].name, "a bc[2J");
    }

    #[test]
    fn what_is_no_list_is_refused_and_a_broken_one_gives_what_it_has() {
        for other in ["", "<rss><channel/></rss>", "{}", "<html><body>Sign in</body></html>", "\0\0\0"] {
            assert_eq!(read(other.as_bytes()), Err(Refused::NoList), "{other:?}");
        }
        let list =
            read(b"<opml><body><outline xmlUrl=\"https://a.example/\"/><outline xmlUrl=\"https://b.exa").unwrap();
        assert_eq!((urls(&list), list.is_cut), (vec!["https://a.example/"], true));
    }

    #[test]
    fn only_an_identifier_counts_as_one() {
        let list =
            read(b"<outline xmlUrl='x' sigtrail:id='cisa-kev' sigtrail:owner='Maria Lopez' sigtrail:group='../x'/>")
                .unwrap();
        let outline = &list.outlines[0];
        assert_eq!((outline.id.as_deref(), &outline.owner, &outline.group), (Some("cisa-kev"), &None, &None));
    }
}
