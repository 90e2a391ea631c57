//! Walks a document of any dialect and writes what it says as plain Atom. Broken nesting is mended on the way: an element that is not
//! closed ends with its parent, a closing tag without an opening one is ignored, an entry that is not complete is left out.

use jiff::SignedDuration;
use url::Url;

use super::{
    dialect::{Field, Space, field},
    notes::{Notes, Repair},
    token::{Tag, Token, Tokens},
    write::{TextKind, Writer, is_forbidden},
};
use crate::model::entry::{Format, MAX_ENTRIES, MAX_LIST};
use open_field::OpenField;
use spaces::Spaces;

mod open_field;
mod spaces;

/// The most elements inside one another that pass without a note.
const MAX_DEPTH: usize = 128;

/// An XML feed brought to plain Atom.
pub struct Rewritten {
    /// The document, well-formed Atom 1.0 without anything but what entries are made of.
    pub atom: String,
    /// The dialect it came in.
    pub format: Format,
    /// RSS `ttl`.
    pub ttl: Option<SignedDuration>,
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
    ranks: [u8; 16],
    feed_rank: u8,
    ttl: Option<SignedDuration>,
    first: Option<String>,
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
        ranks: [0; 16],
        feed_rank: 0,
        ttl: None,
        first: None,
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
                notes.add(Repair::Junk, Some(at))
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
        self.spaces.bind(tag, notes);
        self.spaces.own(tag);
        if is_bare {
            if local != "entry" {
                notes.add(Repair::OddRoot, Some(at));
            }
            self.frames.push(Frame { name: "", place: Place::Feed, base: None, bindings: 0, nested: 0, same: 0 });
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
        self.frames.push(Frame { name: tag.name, place, base, bindings, nested: 0, same: 0 });
    }

    /// The base that is in force here.
    fn base(&self) -> Option<&Url> {
        self.frames.iter().rev().find_map(|frame| frame.base.as_ref()).or(self.base.as_ref())
    }

    fn open_in_feed(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        let (space, local) = self.spaces.resolve(tag, notes);
        let is_own = matches!(space, Space::Own | Space::Rss | Space::Atom);
        match local.as_str() {
            "channel" if is_own => self.push(tag, Place::Feed, notes),
            "item" | "entry" if is_own => self.open_entry(tag, notes),
            "title" => match field(space, "title") {
                Some((field, rank)) if self.entries == 0 || self.feed_rank == 0 => {
                    self.open_field(tag, field, rank, notes)
                }
                _ => self.push(tag, Place::Skip, notes),
            },
            "link" if is_own => self.open_field(tag, Field::Link, 0, notes),
            "ttl" if is_own => self.open_field(tag, Field::Ttl, 0, notes),
            _ => self.push(tag, Place::Skip, notes),
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
        self.ranks = [0; 16];
        self.writer.open_entry();
        self.push(tag, Place::Entry, notes);
        let about = tag
            .attributes()
            .find_map(|(name, value)| (name.eq_ignore_ascii_case("rdf:about") || name == "about").then_some(value));
        if let Some(about) = about {
            let about = open_field::decoded(about);
            self.id(&about, 1);
            self.link("about", None, &about);
        }
        if tag.is_empty {
            self.writer.close_entry();
        }
    }

    fn open_in_entry(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        if self.is_sibling_of_entry(tag) {
            notes.add(Repair::Unclosed, Some(at));
            self.close_to(Place::Entry, notes);
            return self.open_in_feed(tag, notes);
        }
        let (space, local) = self.spaces.resolve(tag, notes);
        if space == Space::Media && local == "group" {
            return self.push(tag, Place::Group, notes);
        }
        match field(space, &local) {
            Some((field, rank)) => self.open_field(tag, field, rank, notes),
            None => self.push(tag, Place::Skip, notes),
        }
    }

    /// Whether a tag opens another entry although this one is still open.
    fn is_sibling_of_entry(&self, tag: &Tag<'a>) -> bool {
        self.frames.iter().rev().find(|frame| frame.place == Place::Entry).is_some_and(|frame| frame.name == tag.name)
    }

    fn open_in_field(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let ends_entry = self.is_sibling_of_entry(tag);
        let is_short = self.open_field.as_ref().is_some_and(|field| field.is_ended_by(tag.name));
        if ends_entry || is_short {
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
        let is_direct = self.frames.last().is_some_and(|frame| frame.nested == 0);
        if is_direct && self.is_sibling_of_entry(tag) {
            notes.add(Repair::Unclosed, Some(at));
            self.close_top(notes);
            return self.open(tag, at, notes);
        }
        self.count_nested(tag, at, notes);
    }

    fn count_nested(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        if let Some(frame) = self.frames.last_mut().filter(|_| !tag.is_empty) {
            frame.nested += 1;
            frame.same += usize::from(frame.name == tag.name);
            if frame.nested == MAX_DEPTH {
                notes.add(Repair::Depth, Some(at));
            }
        }
    }

    fn close(&mut self, tag: &Tag<'a>, at: usize, notes: &mut Notes) {
        let Some(top) = self.frames.last_mut() else { return };
        let is_inside = matches!(top.place, Place::Field | Place::Skip);
        if top.name == tag.name && (top.same == 0 || !is_inside) {
            return self.close_top(notes);
        }
        if is_inside && top.name == tag.name {
            top.same -= 1;
        }
        if is_inside && top.nested > 0 {
            let is_structure = matches!(
                tag.local().to_ascii_lowercase().as_str(),
                "item" | "entry" | "channel" | "rss" | "rdf" | "feed"
            );
            if !is_structure
                || !self.is_open(tag.name)
                || self.frames.last().is_some_and(|frame| frame.place == Place::Skip && frame.nested > 1)
            {
                if let Some(frame) = self.frames.last_mut() {
                    frame.nested -= 1;
                }
                if let Some(field) = &mut self.open_field {
                    field.close(tag);
                }
                return;
            }
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
            Some(Place::Entry) => self.writer.close_entry(),
            _ => {}
        }
        if let Some(frame) = self.frames.pop() {
            self.spaces.release(frame.bindings);
        }
        self.is_over = self.frames.is_empty();
    }

    fn open_field(&mut self, tag: &Tag<'a>, field: Field, rank: u8, notes: &mut Notes) {
        let open = OpenField::new(tag, field, rank, self.format == Some(Format::Atom));
        match field {
            Field::Link if self.link_of_attributes(tag) => return self.push(tag, Place::Skip, notes),
            Field::Category => self.category_of_attributes(tag, notes),
            Field::Content => {
                if let Some(src) = tag.attribute("src") {
                    self.link("content", None, &open_field::decoded(src));
                }
            }
            _ => {}
        }
        self.push(tag, Place::Field, notes);
        if !tag.is_empty {
            self.open_field = Some(open);
        }
    }

    fn is_in_entry(&self) -> bool {
        self.frames.iter().any(|frame| frame.place == Place::Entry)
    }

    /// Writes what a field says that has come to its end.
    fn say(&mut self, open: OpenField<'a>, notes: &mut Notes) {
        let (field, rank) = (open.field, open.rank);
        let (is_permalink, relation) = (open.is_permalink, open.relation);
        let Some((kind, value)) = open.finish() else { return };
        let value = value.as_str();
        if !self.is_in_entry() {
            return self.say_of_feed(field, rank, kind, value);
        }
        match field {
            Field::Link => self.link(relation.unwrap_or("link"), None, value),
            Field::Id => {
                self.id(value, rank);
                if is_permalink {
                    self.link("guid", None, value);
                }
            }
            Field::Author if self.has_room_in_list(6, notes) => self.writer.author(value),
            Field::Category if self.has_room_in_list(7, notes) => self.writer.empty("category", &[("term", value)]),
            Field::Author | Field::Category => {}
            Field::Title => self.ranked(0, rank, "title", Some(kind), value),
            Field::Summary => self.ranked(2, rank, "summary", Some(kind), value),
            Field::Content => self.ranked(3, rank, "content", Some(kind), value),
            Field::Published => self.ranked(4, rank, "published", None, value),
            Field::Updated => self.ranked(5, rank, "updated", None, value),
            Field::Ttl => {}
        }
    }

    /// Whether another author (6), category (7) or link (8) may be written; counts it.
    fn has_room_in_list(&mut self, slot: usize, notes: &mut Notes) -> bool {
        let Some(count) = self.ranks.get_mut(slot) else { return false };
        if usize::from(*count) >= MAX_LIST {
            notes.add(Repair::LongList, None);
            return false;
        }
        *count += 1;
        true
    }

    fn say_of_feed(&mut self, field: Field, rank: u8, kind: TextKind, value: &str) {
        match field {
            Field::Title if rank >= self.feed_rank => {
                self.feed_rank = rank;
                self.writer.text("title", Some(kind), value);
            }
            Field::Link if self.home.is_none() => self.home = Url::parse(value.trim()).ok(),
            Field::Ttl => {
                self.ttl = value
                    .trim()
                    .parse()
                    .ok()
                    .filter(|minutes| (0..=525_600).contains(minutes))
                    .map(SignedDuration::from_mins)
            }
            _ => {}
        }
    }

    /// Writes a field that an entry has once; the last of the highest rank counts, as the last one read does.
    fn ranked(&mut self, slot: usize, rank: u8, name: &str, kind: Option<TextKind>, value: &str) {
        if let Some(best) = self.ranks.get_mut(slot).filter(|best| **best <= rank) {
            *best = rank;
            self.writer.text(name, kind, value);
        }
    }

    fn id(&mut self, value: &str, rank: u8) {
        self.ranked(1, rank, "id", None, value);
    }

    fn link(&mut self, rel: &str, kind: Option<&str>, href: &str) {
        let (href, slot) = (href.trim(), self.ranks.get_mut(8));
        let Some(count) = slot.filter(|count| usize::from(**count) < MAX_LIST) else { return };
        *count += 1;
        let resolved =
            self.frames.iter().rev().find_map(|frame| frame.base.as_ref()).and_then(|base| base.join(href).ok());
        let href = resolved.as_ref().map_or(href, Url::as_str);
        self.writer.empty("link", &[("rel", rel), ("href", href), ("type", kind.unwrap_or_default())]);
    }

    /// Writes the link of a tag that states it in an attribute; false where there is none, so that its text counts.
    fn link_of_attributes(&mut self, tag: &Tag<'a>) -> bool {
        let href = tag.attribute("href").or_else(|| tag.attribute("rdf:resource")).or_else(|| tag.attribute("url"));
        let Some(href) = href.map(open_field::decoded) else { return false };
        let rel = tag.relation().unwrap_or("alternate");
        if self.is_in_entry() {
            let kind = tag.attribute("type").map(open_field::decoded);
            self.link(rel, kind.as_deref(), &href);
        } else if self.home.is_none() && matches!(rel, "self" | "alternate") {
            self.home = Url::parse(href.trim()).ok();
        }
        true
    }

    fn category_of_attributes(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        let term = tag.attribute("label").filter(|label| !label.trim().is_empty()).or_else(|| tag.attribute("term"));
        if let Some(term) = term.map(open_field::decoded).filter(|term| !term.trim().is_empty() && self.is_in_entry()) {
            if self.has_room_in_list(7, notes) {
                self.writer.empty("category", &[("term", &term)]);
            }
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
        let is_open = self.frames.iter().any(|frame| !frame.name.is_empty() && !frame.name.eq_ignore_ascii_case("rss"));
        let partial = broke_off || is_open;
        if partial {
            notes.add(Repair::Truncated, None);
        }
        Ok(Rewritten {
            atom: self.writer.finish(),
            format,
            ttl: self.ttl,
            left_out: self.left_out,
            partial: partial || self.left_out > 0,
            home: self.home,
        })
    }
}
