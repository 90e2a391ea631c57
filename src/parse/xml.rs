//! XML feeds: `repair` makes one plain Atom document of any dialect, feed-rs reads it, and its model becomes ours.

use feed_rs::{
    model::{self as feed, Text},
    parser,
};
use url::Url;

use super::{Hint, ParseError, note_long_fields, short_and_full};
use crate::{
    date, link,
    model::{
        entry::{Document, DocumentHints, Entry, Format, MAX_ENTRIES, MAX_FIELD, MAX_LIST},
        time::Time,
    },
    repair::{Notes, Rewritten, rewrite},
    text::{clean, from_html},
};

/// Which of an entry's links leads to it, the best first.
const LINK_ORDER: [&str; 7] = ["link", "alternate", "guid", "content", "about", "via", "related"];

/// An XML feed as plain Atom, with what was noted on the way.
pub(super) struct Plain {
    rewritten: Rewritten,
    notes: Notes,
}

/// Brings an XML feed to plain Atom; its text is not needed afterwards.
pub(super) fn plain(text: &str, mut notes: Notes, hint: &Hint<'_>) -> Result<Plain, ParseError> {
    let rewritten = rewrite(text, hint.base, &mut notes)?;
    notes.settle(text);
    Ok(Plain { rewritten, notes })
}

impl Plain {
    /// Reads it.
    pub(super) fn parse(self, hint: &Hint<'_>) -> Result<Document, ParseError> {
        let Plain { rewritten: Rewritten { atom, format, wishes, left_out, partial, home }, mut notes } = self;
        let base = hint.base.or(home.as_ref());
        let (mut title, mut entries) = (None, Vec::new());
        // By value: a part is gone when its entries are made.
        for part in atom {
            let model = read(&part)?;
            entries.extend(model.entries.into_iter().map(|entry| ours(entry, base, format)));
            title = model.title.as_ref().map(words).filter(|title| !title.is_empty()).or(title);
        }
        note_long_fields(&entries, &mut notes);
        let mut warnings = notes.sentences("");
        if left_out > 0 {
            warnings.push(format!("more than {MAX_ENTRIES} entries; {left_out} left out"));
        }
        Ok(Document { format, title, entries, warnings, partial, hints: DocumentHints { wishes } })
    }
}

/// A fresh parser for each document: one that failed once must not be used again. Identity and dates are ours.
fn read(atom: &str) -> Result<feed::Feed, ParseError> {
    let parser = parser::Builder::new()
        .sanitize_content(false)
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(|text| date::parse(text)?.to_string().parse().ok())
        .build();
    parser.parse(atom.as_bytes()).map_err(|error| ParseError::Refused(clean(&error.to_string(), 200)))
}

fn words(text: &Text) -> String {
    readable(text.content_type.subty() == "plain", &text.content)
}

fn readable(is_plain: bool, text: &str) -> String {
    if is_plain { clean(text, MAX_FIELD) } else { from_html(text, MAX_FIELD) }
}

fn ours(entry: feed::Entry, base: Option<&Url>, format: Format) -> Entry {
    let link = best_link(&entry, base, format);
    let content =
        entry.content.and_then(|content| Some(readable(content.content_type.subty() == "plain", &content.body?)));
    let (summary, body) = short_and_full(some(entry.summary.as_ref().map(words)), some(content));
    Entry {
        guid: some(Some(clean(&entry.id, MAX_FIELD))),
        link,
        title: some(entry.title.as_ref().map(words)),
        published: entry.published.and_then(|time| moment(time.timestamp(), time.timestamp_subsec_nanos())),
        updated: entry.updated.and_then(|time| moment(time.timestamp(), time.timestamp_subsec_nanos())),
        authors: list(entry.authors.iter().filter_map(|person| person.name.as_deref())),
        categories: list(entry.categories.iter().map(|category| category.term.as_str())),
        summary,
        body,
        exploited: false,
    }
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn moment(seconds: i64, nanos: u32) -> Option<Time> {
    Time::new(seconds, i32::try_from(nanos).ok()?).ok()
}

/// Distinct texts in their order, cleaned and bounded in number.
pub(super) fn list<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for text in texts.map(|text| from_html(text, MAX_FIELD)) {
        if list.len() < MAX_LIST && !text.is_empty() && !list.contains(&text) {
            list.push(text);
        }
    }
    list
}

/// The address that an entry leads to; without a base, a relative reference stays as it is written.
fn best_link(entry: &feed::Entry, base: Option<&Url>, format: Format) -> Option<String> {
    let by_rank = LINK_ORDER.iter().flat_map(|rel| {
        let exact = entry.links.iter().filter(|link| link.rel.as_deref() == Some(rel));
        let in_any_case =
            entry.links.iter().filter(|link| link.rel.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(rel)));
        exact.chain(in_any_case)
    });
    let mut relative = None;
    for candidate in by_rank {
        // An identifier is a link only where it is a whole address.
        let is_identifier = matches!(candidate.rel.as_deref(), Some("guid" | "about"));
        if let Some(link) = link::http_link(&candidate.href, base.filter(|_| !is_identifier)) {
            return Some(link);
        }
        if base.is_none() && !is_identifier && relative.is_none() {
            relative = link::relative(&candidate.href);
        }
    }
    let from_id = Some(entry.id.as_str()).filter(|id| format == Format::Atom && id.starts_with("http"));
    from_id.and_then(|id| link::http_link(id, None)).or(relative)
}
