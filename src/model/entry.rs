//! A feed document as it was understood, and its entries. Reading one is `parse`'s business.

use std::fmt;

use serde::Serialize;

use super::{feed::Wishes, time::Time};

/// The longest text of one field, in bytes; what is longer is cut at a character.
pub const MAX_FIELD: usize = 64 * 1024;
/// The most entries of one document that are looked at.
pub const MAX_ENTRIES: usize = 20_000;
/// The most categories (and the most authors) kept of one entry.
pub const MAX_LIST: usize = 64;

/// The family of formats that a document belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RSS 0.91 to 2.0.
    Rss,
    /// RSS 0.90 and 1.0 (RDF).
    Rdf,
    /// Atom 0.3 and 1.0 (RFC 4287).
    Atom,
    /// JSON Feed 1.0 and 1.1.
    Json,
    /// CISA's catalogue of known exploited vulnerabilities, or the European list in its words.
    Kev,
    /// A CSAF 2.0 ROLIE feed (RFC 8322 in JSON).
    Csaf,
    /// A bare JSON list of advisories: GitHub's, OSV, the European vulnerability database.
    Advisories,
}

impl Format {
    /// The format's word in `parse --json` and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Rss => "rss",
            Format::Rdf => "rdf",
            Format::Atom => "atom",
            Format::Json => "json",
            Format::Kev => "kev",
            Format::Csaf => "csaf",
            Format::Advisories => "advisories",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One item of a feed document, all its texts cleaned to bounded plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The publisher's own identifier, as stated.
    pub guid: Option<String>,
    /// Where it leads: an absolute http or https address where the document allows one.
    pub link: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// When the publisher says it was published.
    pub published: Option<Time>,
    /// When the publisher says it was changed.
    pub updated: Option<Time>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// What the publisher files it under.
    pub categories: Vec<String>,
    /// What it says in short, or in full where the document has only one text.
    pub summary: Option<String>,
    /// What it says in full, where that is another text than the summary.
    pub body: Option<String>,
    /// Whether the publisher states as a field of its own that it is exploited (CISA KEV).
    pub exploited: bool,
}

/// The longest heading that is made of a text, in characters.
const MAX_HEADING: usize = 100;

impl Entry {
    /// What stands where a title is needed.
    pub fn heading(&self) -> Option<String> {
        heading(self.title.as_deref(), self.summary.as_deref().or(self.body.as_deref()))
    }
}

/// What stands where a title is needed: the title, else the beginning of the text. It is shown, and never stored as the
/// title.
pub fn heading(title: Option<&str>, text: Option<&str>) -> Option<String> {
    if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
        return Some(title.to_owned());
    }
    let mut short = String::new();
    let mut length = 0;
    for word in text?.split_whitespace() {
        let longer = length + word.chars().count() + usize::from(length > 0);
        if longer > MAX_HEADING && length > 0 {
            short.push_str(" ...");
            break;
        }
        if length > 0 {
            short.push(' ');
        }
        short.extend(word.chars().take(MAX_HEADING));
        length = longer;
    }
    (!short.is_empty()).then_some(short)
}

/// What a feed says of itself that touches how often to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentHints {
    /// When to come back, and when not.
    pub wishes: Wishes,
}

/// A feed document, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its family of formats.
    pub format: Format,
    /// The feed's title.
    pub title: Option<String>,
    /// Its entries in document order.
    pub entries: Vec<Entry>,
    /// What had to be repaired, one sentence each.
    pub warnings: Vec<String>,
    /// Whether something of it could not be read, so that entries may be missing.
    pub partial: bool,
    /// What it says of its own rhythm.
    pub hints: DocumentHints,
}

#[cfg(test)]
mod tests {
    use super::{MAX_HEADING, heading};

    #[test]
    fn a_heading_is_the_title_or_the_beginning_of_the_text() {
        assert_eq!(heading(Some("Flaw"), Some("Text")).as_deref(), Some("Flaw"));
        assert_eq!(heading(Some(" "), Some("A  flaw\nin libmarrow.")).as_deref(), Some("A flaw in libmarrow."));
        assert_eq!((heading(None, None), heading(None, Some("\n"))), (None, None));
        let long = heading(None, Some(&"flaw ".repeat(50))).unwrap();
        assert!(long.ends_with("flaw ...") && long.len() <= MAX_HEADING + 4, "{long}");
        assert_eq!(heading(None, Some(&"x".repeat(500))).unwrap().len(), MAX_HEADING);
    }
}
