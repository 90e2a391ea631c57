//! Walks a document of any dialect and writes what it says as plain Atom. Broken nesting is mended on the way: an element that is not
//! closed ends with its parent, a closing tag without an opening one is ignored, an entry that is not complete is left out.

use url::Url;

use super::{
    dialect::{Field, Space, field},
    notes::{Notes, Repair},
    token::{Tag, Token, Tokens},
    write::{Writer, is_forbidden},
};
use crate::model::{
    entry::{Format, MAX_ENTRIES},
    feed::Wishes,
};
use open_field::OpenField;
use say::Said;
use spaces::Spaces;
use wished::{Wished, wish};

mod open_field;
mod say;
mod spaces;
mod wished;

/// The most elements inside one another that pass without a note.
const MAX_DEPTH: usize = 128;
/// The most `channel` elements inside one another that are looked at.
const MAX_CHANNELS: usize = 8;

/// An XML feed brought to plain Atom.
pub struct Rewritten {
    /// The document, well-formed Atom 1.0 without anything but what entries are made of; a large one in parts, each a
    /// feed with some of its entries.
    pub atom: Vec<String>,
    /// The dialect it came in.
    pub format: Format,
    /// When its publisher wants to be asked again.
    pub wishes: Wishes,
    /// How many entries were left out because there are too many.
    pub left_out: usize,
    /// Whether entries may be missing.
    pub partial: bool,
    /// The address that the feed's own relative links are resolved against, where it says.
    pub home: Option<Url>,
}

/// Why a document is no XML feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It holds no element at all.
    NoMarkup,
    /// It is a web page.
    WebPage,
    /// Its first element, in lower case, starts no feed.
    Root(String),
}

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `rss`, `rdf:RDF`, `channel`, `feed`.
    Feed,
    /// `item`, `entry`.
    Entry,
    /// A container inside an entry whose children count as the entry's own.
    Group,
    /// An element that says something.
    Field,
    /// An element that says nothing here.
    Skip,
}

struct Frame<'a> {
    name: &'a str,
    place: Place,
    base: Option<Url>,
    bindings: usize,
    /// Elements inside a field or a skipped element, and those among them with its own name.
    nested: usize,
    same: usize,
    /// Those among them that could be a feed's: a feed may stand inside an entry of another.
    inner: Vec<&'a str>,
}

impl<'a> Frame<'a> {
    fn new(name: &'a str, place: Place, base: Option<Url>, bindings: usize) -> Self {
        Self { name, place, base, bindings, nested: 0, same: 0, inner: Vec::new() }
    }
}

struct Walk<'a> {
    frames: Vec<Frame<'a>>,
    spaces: Spaces<'a>,
    open_field: Option<OpenField<'a>>,
    writer: Writer,
    format: Option<Format>,
    base: Option<Url>,
    home: Option<Url>,
    entry_mark: usize,
    entries: usize,
    left_out: usize,
    said: Said,
    feed_rank: u8,
    feed_authors: Vec<String>,
    wished: Wished,
    first: Option<String>,
    has_whole_channel: bool,
    is_over: bool,
}

/// Brings an XML feed to plain Atom; relative `xml:base` values are resolved against `base`.
pub fn rewrite(text: &str, base: Option<&Url>, notes: &mut Notes) -> Result<Rewritten, Unreadable> {
    let strips =
        text.bytes().fold(false, |found, byte| found | (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')));
    if strips {
        notes.add(Repair::ForbiddenCharacter, text.find(is_forbidden));
    }
    let mut walk = Walk {
        frames: Vec::new(),
        spaces: Spaces::default(),
        open_field: None,
        writer: Writer::new(text.len() + 64, strips || text.contains(['\u{fffe}', '\u{ffff}'])),
        format: None,
        base: base.cloned(),
        home: None,
        entry_mark: 0,
        entries: 0,
        left_out: 0,
        said: Said::default(),
        feed_rank: 0,
        feed_authors: Vec::new(),
        wished: Wished::default(),
        first: None,
        has_whole_channel: false,
        is_over: false,
    };
    let mut tokens = Tokens::new(text);
    while !walk.is_over {
        let at = tokens.at();
        match tokens.next(notes) {
            None => break,
            Some(Token::Text(text)) => walk.text(text, at, notes),
            Some(Token::Cdata(text)) => walk.cdata(text),
            Some(Token::Open(tag)) => walk.open(&tag, at, notes),
            Some(Token::Close(tag)) => walk.close(&tag, at, notes),
            Some(Token::Doctype(_)) => {}
        }
    }
    let broke_off = tokens.broke_off && !walk.is_over;
    walk.finish(broke_off, notes)
}

impl<'a> Walk<'a> {
    fn place(&self) -> Option<Place> {
        self.frames.last().map(|frame| frame.place)
    }

    fn text(&mut self, text: &str, at: usize, notes: &mut Notes) {
        match &mut self.open_field {
            Some(field) => field.text(text, at, notes),
            None if self.frames.is_empty() && self.first.is_none() && !text.trim().is_empty() => {
                notes.add(Repair::Junk, Some(at));
            }
            None => {}
        }
    }

    fn cdata(&mut self, text: &str) {
        if let Some(field) = &mut self.open_field {
            field.cdata(text);
        }
    }

    fn open(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        if tag.has_too_many_attributes() {
            notes.add(Repair::Attributes, Some(at));
        }
        match self.place() {
            None => self.open_root(tag, at, notes),
            Some(Place::Feed) => self.open_in_feed(tag, notes),
            Some(Place::Entry | Place::Group) => self.open_in_entry(tag, at, notes),
            Some(Place::Field) => self.open_in_field(tag, at, notes),
            Some(Place::Skip) => self.open_in_skip(tag, at, notes),
        }
    }

    /// Anything before the root is passed over; a bare `channel`, `item` or `entry` may be the root where nothing stands before it.
    fn open_root(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let local = tag.local().to_ascii_lowercase();
        let (format, is_bare) = match local.as_str() {
            "rss" => (Format::Rss, false),
            "rdf" => (Format::Rdf, false),
            "feed" => (Format::Atom, false),
            "channel" | "item" if self.first.is_none() => (Format::Rss, true),
            "entry" if self.first.is_none() => (Format::Atom, true),
            _ => {
                if self.first.is_none() {
                    notes.add(Repair::Junk, Some(at));
                    self.first = Some(local);
                }
                return;
            }
        };
        self.format = Some(format);
        self.spaces.own(tag, format != Format::Atom);
        if is_bare {
            if local != "entry" {
                notes.add(Repair::OddRoot, Some(at));
            }
            self.frames.push(Frame::new("", Place::Feed, None, 0));
            self.open_in_feed(tag, notes);
        } else {
            self.push(tag, Place::Feed, notes);
        }
    }

    fn push(&mut self, tag: &Tag<'a>, place: Place, notes: &mut Notes) {
        let bindings = self.spaces.bind(tag, notes);
        let base = tag.attribute("xml:base").and_then(|value| {
            let value = open_field::decoded(value);
            let outer = self.base();
            outer.map_or_else(|| Url::parse(value.trim()).ok(), |outer| outer.join(value.trim()).ok())
        });
        if tag.is_empty {
            self.spaces.release(bindings);
            return;
        }
        self.frames.push(Frame::new(tag.name, place, base, bindings));
    }

    /// The base that is in force here.
    fn base(&self) -> Option<&Url> {
        self.frames.iter().rev().find_map(|frame| frame.base.as_ref()).or(self.base.as_ref())
    }

    fn open_in_feed(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        let (space, local) = self.spaces.resolve(tag, notes);
        let is_own = matches!(space, Space::Own | Space::Rss | Space::Atom);
        match local.as_str() {
            "channel" if is_own && self.frames.len() < MAX_CHANNELS => self.push(tag, Place::Feed, notes),
            "item" | "entry" if is_own => self.open_entry(tag, notes),
            "title" => match field(space, "title") {
                Some((field, rank)) if self.entries == 0 || self.feed_rank == 0 => {
                    self.open_field(tag, field, rank, notes);
                }
                _ => self.push(tag, Place::Skip, notes),
            },
            "link" if is_own => self.open_field(tag, Field::Link, 0, notes),
            "skiphours" | "skipdays" if is_own && self.frames.len() < MAX_CHANNELS => {
                self.push(tag, Place::Feed, notes);
            }
            "author" if is_own && self.format == Some(Format::Atom) => self.open_field(tag, Field::Author, 0, notes),
            local => match wish(space, local) {
                Some(wish) => self.open_field(tag, Field::Wish(wish), 0, notes),
                None => self.push(tag, Place::Skip, notes),
            },
        }
    }

    fn open_entry(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        if self.entries >= MAX_ENTRIES {
            self.left_out += 1;
            self.push(tag, Place::Skip, notes);
            return;
        }
        self.entries += 1;
        self.entry_mark = self.writer.mark();
        self.said = Said::default();
        self.writer.open_entry();
        self.push(tag, Place::Entry, notes);
        self.about(tag, notes);
        if tag.is_empty {
            self.close_entry();
        }
    }

    fn open_in_entry(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        if self.is_sibling_of_entry(tag) {
            notes.add(Repair::Unclosed, Some(at));
            self.close_to(Place::Entry, notes);
            return self.open_in_feed(tag, notes);
        }
        let (space, local) = self.spaces.resolve(tag, notes);
        if space == Space::Media && local == "group" && self.place() == Some(Place::Entry) {
            return self.push(tag, Place::Group, notes);
        }
        match field(space, &local) {
            Some((field, rank)) => self.open_field(tag, field, rank, notes),
            None => self.push(tag, Place::Skip, notes),
        }
    }

    /// Whether a tag opens another entry although this one is still open.
    fn is_sibling_of_entry(&self, tag: &Tag<'a>) -> bool {
        let entry = self.frames.iter().rev().find(|frame| frame.place == Place::Entry);
        let is_inside_another = self.frames.last().is_some_and(|frame| !frame.inner.is_empty());
        entry.is_some_and(|entry| entry.name == tag.name) && !is_inside_another
    }

    fn open_in_field(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let ends_field = self.open_field.as_ref().is_some_and(|field| field.is_ended_by(tag.name));
        if ends_field || self.is_sibling_of_entry(tag) {
            notes.add(Repair::Unclosed, Some(at));
            self.close_top(notes);
            return self.open(tag, at, notes);
        }
        if let Some(field) = &mut self.open_field {
            field.open(tag);
        }
        self.count_nested(tag, at, notes);
    }

    fn open_in_skip(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        if self.is_sibling_of_entry(tag) {
            notes.add(Repair::Unclosed, Some(at));
            self.close_top(notes);
            return self.open(tag, at, notes);
        }
        self.count_nested(tag, at, notes);
    }

    fn count_nested(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let Some(frame) = self.frames.last_mut().filter(|_| !tag.is_empty) else { return };
        frame.nested += 1;
        frame.same += usize::from(frame.name == tag.name);
        if frame.nested == MAX_DEPTH {
            notes.add(Repair::Depth, Some(at));
        }
        if is_structure(tag) && frame.inner.len() < MAX_DEPTH {
            frame.inner.push(tag.name);
        }
    }

    fn close(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let Some(top) = self.frames.last() else { return };
        let is_inside = matches!(top.place, Place::Field | Place::Skip);
        if top.name == tag.name && (top.same == 0 || !is_inside) {
            return self.close_top(notes);
        }
        let is_ours = !top.inner.contains(&tag.name) && is_structure(tag);
        if is_inside && top.nested > 0 && !(is_ours && self.is_open(tag.name)) {
            return self.close_nested(tag);
        }
        if !self.is_open(tag.name) {
            notes.add(Repair::CrossedTags, Some(at));
            return;
        }
        notes.add(Repair::Unclosed, Some(at));
        while self.frames.last().is_some_and(|frame| frame.name != tag.name) {
            self.close_top(notes);
        }
        self.close_top(notes);
    }

    fn close_nested(&mut self, tag: &Tag<'a>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.nested -= 1;
            frame.same -= usize::from(frame.name == tag.name);
            if let Some(at) = frame.inner.iter().rposition(|name| *name == tag.name) {
                frame.inner.truncate(at);
            }
        }
        if let Some(field) = &mut self.open_field {
            field.close(tag);
        }
    }

    fn is_open(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.name == name)
    }

    fn close_to(&mut self, place: Place, notes: &mut Notes) {
        while self.place().is_some_and(|top| top != place) {
            self.close_top(notes);
        }
        self.close_top(notes);
    }

    fn close_top(&mut self, notes: &mut Notes) {
        match self.place() {
            Some(Place::Field) => {
                if let Some(open) = self.open_field.take() {
                    self.say(open, notes);
                }
            }
            Some(Place::Entry) => self.close_entry(),
            _ => {}
        }
        if let Some(frame) = self.frames.pop() {
            self.has_whole_channel |= frame.name.eq_ignore_ascii_case("channel");
            self.spaces.release(frame.bindings);
        }
        self.is_over = self.frames.is_empty();
    }

    fn open_field(&mut self, tag: &Tag<'a>, field: Field, rank: u8, notes: &mut Notes) {
        let open = OpenField::new(tag, field, rank, self.format == Some(Format::Atom));
        match field {
            Field::Link if self.link_of_attributes(tag, notes) => return self.push(tag, Place::Skip, notes),
            Field::Category => self.category_of_attributes(tag, notes),
            Field::Content => self.source_of_content(tag, notes),
            _ => {}
        }
        self.push(tag, Place::Field, notes);
        if !tag.is_empty {
            self.open_field = Some(open);
        }
    }

    fn finish(mut self, broke_off: bool, notes: &mut Notes) -> Result<Rewritten, Unreadable> {
        let Some(format) = self.format else {
            return Err(match self.first {
                None => Unreadable::NoMarkup,
                Some(first)
                    if matches!(first.as_str(), "html" | "head" | "body" | "div" | "script" | "p" | "br" | "b") =>
                {
                    Unreadable::WebPage
                }
                Some(first) => Unreadable::Root(first),
            });
        };
        if self.is_in_entry() {
            self.writer.cut(self.entry_mark);
        }
        // The end of `rss` itself may be missing: nothing stands between it and the end of its channel.
        let may_stay_open =
            |name: &str| name.is_empty() || (self.has_whole_channel && name.eq_ignore_ascii_case("rss"));
        let partial = broke_off || !self.frames.iter().all(|frame| may_stay_open(frame.name));
        if partial {
            notes.add(Repair::Truncated, None);
        }
        Ok(Rewritten {
            atom: self.writer.finish(),
            format,
            wishes: self.wished.wishes(),
            left_out: self.left_out,
            partial: partial || self.left_out > 0,
            home: self.home,
        })
    }
}

/// Whether an element of this name makes up a feed, as against what fills one.
fn is_structure(tag: &Tag<'_>) -> bool {
    let local = tag.local();
    ["item", "entry", "channel", "rss", "rdf", "feed"].iter().any(|name| local.eq_ignore_ascii_case(name))
}
