//! The value of one field while it is read: its text, with markup in it kept as HTML.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use crate::repair::{
    dialect::Field,
    notes::{Notes, Repair},
    token::Tag,
    write::TextKind,
};
use crate::text::reference::{Reference, reference};

/// The most bytes of one value that are kept before its markup is removed.
const MAX_RAW: usize = 1024 * 1024;

/// Fields that stand beside one another in an entry and never inside a title, link, identifier or date.
const SIBLINGS: [&str; 16] = [
    "title",
    "link",
    "guid",
    "pubDate",
    "description",
    "category",
    "author",
    "id",
    "updated",
    "published",
    "summary",
    "content",
    "content:encoded",
    "dc:date",
    "dc:creator",
    "enclosure",
];

/// How the text of a field is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As it is to be read.
    Plain,
    /// Escaped HTML.
    Html,
    /// Elements; text beside them is text.
    Xhtml,
    /// HTML in base64.
    Base64,
    /// Something that is no text.
    Binary,
}

/// A field that is being read.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the field")]
pub struct OpenField<'a> {
    /// What it says.
    pub field: Field,
    /// How much it counts.
    pub rank: u8,
    /// Whether it is a `guid` that may serve as a link.
    pub is_permalink: bool,
    /// What a link says of its target.
    pub relation: Option<&'a str>,
    name: &'a str,
    value: String,
    mode: Mode,
    has_markup: bool,
    /// In a person: whether a part is being read that does not count.
    is_passed: bool,
    has_name: bool,
    /// Whether there was more of it than is kept.
    pub is_cut: bool,
}

impl<'a> OpenField<'a> {
    /// A field that this tag opens.
    pub fn new(tag: &Tag<'a>, field: Field, rank: u8, is_atom: bool) -> Self {
        let is_guid = tag.local().eq_ignore_ascii_case("guid");
        let is_permalink =
            is_guid && tag.attribute("isPermaLink").is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
        Self {
            field,
            rank,
            is_permalink,
            relation: tag.relation(),
            name: tag.name,
            value: String::new(),
            mode: mode(tag, field, is_atom),
            has_markup: false,
            is_passed: false,
            has_name: false,
            is_cut: false,
        }
    }

    /// Whether this opening tag shows that the field's own end is missing: a date cannot hold a title.
    pub fn is_ended_by(&self, name: &str) -> bool {
        let is_long = matches!(self.field, Field::Summary | Field::Content | Field::Author) || self.mode == Mode::Xhtml;
        !is_long && self.name != name && SIBLINGS.iter().any(|sibling| sibling.eq_ignore_ascii_case(name))
    }

    /// As much of a text as is still kept.
    fn kept<'t>(&mut self, text: &'t str) -> &'t str {
        if self.is_passed || self.mode == Mode::Binary {
            return "";
        }
        let room = text.floor_char_boundary(MAX_RAW.saturating_sub(self.value.len()));
        self.is_cut |= room < text.len();
        text.get(..room).unwrap_or_default()
    }

    fn push(&mut self, text: &str) {
        if self.mode == Mode::Xhtml { push_escaped(&mut self.value, text) } else { self.value.push_str(text) }
    }

    /// Text with its references as written.
    pub fn text(&mut self, text: &str, at: usize, notes: &mut Notes) {
        let text = self.kept(text);
        self.push(&decode(text, Some((at, notes))));
    }

    /// The inside of a CDATA section.
    pub fn cdata(&mut self, text: &str) {
        let text = self.kept(text);
        self.push(text);
    }

    /// A tag that opens inside the field.
    pub fn open(&mut self, tag: &Tag<'a>) {
        if self.field == Field::Author {
            match tag.local().to_ascii_lowercase().as_str() {
                "name" => self.has_name = true,
                "email" if !self.has_name => {}
                _ => return self.is_passed = true,
            }
            self.value.clear();
            self.is_passed = false;
            return;
        }
        self.markup(tag);
    }

    /// A tag that closes inside the field.
    pub fn close(&mut self, tag: &Tag<'a>) {
        if self.field == Field::Author {
            self.is_passed = self.has_name;
        } else {
            self.markup(tag);
        }
    }

    fn markup(&mut self, tag: &Tag<'a>) {
        let is_text = matches!(self.field, Field::Title | Field::Summary | Field::Content | Field::Category);
        self.has_markup |= is_text;
        if is_text && !self.kept(tag.whole).is_empty() {
            // Without its prefix: `<xhtml:p>` is a paragraph.
            let closing = if tag.whole.starts_with("</") { "</" } else { "<" };
            self.value.push_str(closing);
            self.value.push_str(tag.local());
            self.value.push('>');
        }
    }

    /// The value, or nothing where it is empty.
    pub fn finish(self) -> Option<(TextKind, String)> {
        let unpacked = if self.mode == Mode::Base64 { from_base64(&self.value) } else { None };
        let value = unpacked.unwrap_or(self.value);
        if value.trim().is_empty() {
            return None;
        }
        let kind = if self.mode == Mode::Plain && !self.has_markup { TextKind::Plain } else { TextKind::Html };
        Some((kind, value))
    }
}

fn mode(tag: &Tag<'_>, field: Field, is_atom: bool) -> Mode {
    if !matches!(field, Field::Title | Field::Summary | Field::Content) {
        return Mode::Plain;
    }
    let kind = tag.attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
    let mode = tag.attribute("mode").unwrap_or_default().trim().to_ascii_lowercase();
    match (kind.as_str(), mode.as_str()) {
        (_, "base64") => Mode::Base64,
        (_, "escaped") if kind != "text/plain" => Mode::Html,
        ("xhtml" | "application/xhtml+xml", _) | ("html" | "text/html", "xml") => Mode::Xhtml,
        ("html" | "text/html", _) => Mode::Html,
        ("" | "text" | "text/plain" | "plain", _) if is_atom => Mode::Plain,
        ("text" | "text/plain", _) => Mode::Plain,
        (kind, _) if is_binary(kind) => {
            if field == Field::Content {
                Mode::Binary
            } else {
                Mode::Base64
            }
        }
        _ => Mode::Html,
    }
}

fn is_binary(kind: &str) -> bool {
    let family = kind.split('/').next().unwrap_or_default();
    matches!(family, "image" | "audio" | "video" | "application") && !kind.ends_with("xml")
}

fn from_base64(value: &str) -> Option<String> {
    let packed: String = value.chars().filter(|one| !one.is_whitespace() && *one != '=').collect();
    let bytes = STANDARD_NO_PAD.decode(packed).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(if after.starts_with('&') { "&amp;" } else { "&lt;" });
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// An attribute's value with its references decoded.
pub fn decoded(value: &str) -> Cow<'_, str> {
    decode(value, None)
}

/// Text with its references decoded once, those of HTML too; what starts no reference stays.
fn decode<'t>(text: &'t str, mut notes: Option<(usize, &mut Notes)>) -> Cow<'t, str> {
    let Some(first) = text.find('&') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut next) = (text, Some(first));
    while let Some(at) = next {
        out.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let found = reference(after);
        if let Some((start, notes)) = &mut notes {
            note(*start, found.map(|(found, _)| found), after, notes);
        }
        rest = after;
        match found {
            Some((Reference::Char(one), length)) => {
                out.push(one);
                rest = after.get(length..).unwrap_or_default();
            }
            Some((Reference::Nothing, length)) => rest = after.get(length..).unwrap_or_default(),
            None => out.push('&'),
        }
        next = rest.find('&');
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn note(at: usize, found: Option<Reference>, after: &str, notes: &mut Notes) {
    match found {
        None => notes.add(Repair::Ampersand, Some(at)),
        Some(Reference::Nothing) => notes.add(Repair::ForbiddenCharacter, Some(at)),
        Some(Reference::Char(_)) => {
            let is_of_xml = after.starts_with('#')
                || ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|name| after.starts_with(name));
            if !is_of_xml {
                notes.add(Repair::HtmlEntity, Some(at));
            }
        }
    }
}
