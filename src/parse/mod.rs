//! From the bytes of a feed document to entries in plain text. The format is told by the content, never by what a server says it is.

use url::Url;

use crate::{
    model::entry::{Document, Entry, MAX_FIELD},
    repair::{Decoded, Notes, Repair, Unreadable, decode},
};

mod csaf;
mod json;
mod kev;
mod listed;
mod loose;
mod xml;

/// What is known of a document from outside of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hint<'a> {
    /// The character set that the response names.
    pub charset: Option<&'a str>,
    /// The address that relative links are resolved against.
    pub base: Option<&'a Url>,
}

/// Why nothing at all can be read from a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No byte that means anything.
    #[error("the document is empty")]
    Empty,
    /// HTML.
    #[error("this is a web page, not a feed")]
    WebPage,
    /// OPML, a list of feeds.
    #[error("this is a list of feeds (OPML), not a feed")]
    FeedList,
    /// XML that is no feed.
    #[error("this is XML, but no feed: its first element is `{0}`")]
    Root(String),
    /// Neither XML nor JSON.
    #[error("this is neither XML nor JSON")]
    NoMarkup,
    /// JSON that is no feed.
    #[error("this is JSON, but no feed that is known here")]
    UnknownJson,
    /// JSON that breaks before anything could be read.
    #[error("this is not valid JSON: {0}")]
    BrokenJson(String),
    /// The XML reader refused what the repair stage made.
    #[error("the document could not be read: {0}")]
    Refused(String),
}

/// Reads a document of any of the known formats.
///
/// Everything that can be saved is saved: what had to be repaired is in the warnings, and where entries may be missing the document
/// is `partial`.
pub fn parse(bytes: &[u8], hint: &Hint<'_>) -> Result<Document, ParseError> {
    match first_step(decode(bytes, hint.charset), hint)? {
        Step::Done(document) => Ok(*document),
        Step::Plain(plain) => plain.parse(hint),
    }
}

/// As [`parse`], but gives the bytes back as soon as they are not needed any more.
pub fn parse_whole(bytes: Vec<u8>, hint: &Hint<'_>) -> Result<Document, ParseError> {
    let step = first_step(decode(&bytes, hint.charset), hint)?;
    drop(bytes);
    match step {
        Step::Done(document) => Ok(*document),
        Step::Plain(plain) => plain.parse(hint),
    }
}

/// How far a document is read while its text is there.
enum Step {
    /// To the end.
    Done(Box<Document>),
    /// It is plain Atom now, which holds everything.
    Plain(Box<xml::Plain>),
}

fn first_step(decoded: Decoded<'_>, hint: &Hint<'_>) -> Result<Step, ParseError> {
    let text = decoded.text.trim_start_matches(|one: char| one.is_whitespace() || one == '\0' || one == '\u{feff}');
    match text.as_bytes().first() {
        None => Err(ParseError::Empty),
        Some(b'{' | b'[') => json::parse(text, decoded.notes, hint).map(|document| Step::Done(Box::new(document))),
        Some(_) => xml::plain(&decoded.text, decoded.notes, hint).map(|plain| Step::Plain(Box::new(plain))),
    }
}

/// The two texts of an entry: in short, and in full where that says something else.
fn short_and_full(short: Option<String>, full: Option<String>) -> (Option<String>, Option<String>) {
    match (short, full) {
        (None, only) => (only, None),
        (short, full) if short == full => (short, None),
        both => both,
    }
}

/// Notes the fields that were cut: those that reach the limit but for a character and a space.
fn note_long_fields(entries: &[Entry], notes: &mut Notes) {
    for entry in entries {
        let fields = [&entry.guid, &entry.title, &entry.summary, &entry.body].into_iter().flatten();
        for _ in fields.filter(|field| field.len() > MAX_FIELD - 8) {
            notes.add(Repair::LongField, None);
        }
    }
}

impl From<Unreadable> for ParseError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::NoMarkup => ParseError::NoMarkup,
            Unreadable::WebPage => ParseError::WebPage,
            Unreadable::Root(root) if root == "opml" => ParseError::FeedList,
            Unreadable::Root(root) => ParseError::Root(crate::text::clean(&root, 40)),
        }
    }
}
