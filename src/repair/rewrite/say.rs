//! Writes what fields, attributes and entries say, each at most as often as an entry may say it.

use std::borrow::Cow;

use url::Url;

use super::{
    Place, Walk,
    open_field::{OpenField, decoded},
};
use crate::{
    model::entry::MAX_LIST,
    repair::{
        dialect::Field,
        notes::{Notes, Repair},
        token::Tag,
        write::TextKind,
    },
};

/// What the entry at hand has said so far: the rank of what it says once, and the number of what it says often.
#[derive(Default)]
pub(super) struct Said {
    title: u8,
    id: u8,
    summary: u8,
    content: u8,
    published: u8,
    updated: u8,
    authors: usize,
    categories: usize,
    links: usize,
}

impl Said {
    fn rank(&mut self, field: Field) -> Option<(&mut u8, &'static str)> {
        Some(match field {
            Field::Title => (&mut self.title, "title"),
            Field::Id => (&mut self.id, "id"),
            Field::Summary => (&mut self.summary, "summary"),
            Field::Content => (&mut self.content, "content"),
            Field::Published => (&mut self.published, "published"),
            Field::Updated => (&mut self.updated, "updated"),
            Field::Link | Field::Author | Field::Category | Field::Stated(_) | Field::Wish(_) => return None,
        })
    }
}

/// Counts one more of a list, where there is room for it.
fn has_room(count: &mut usize, notes: &mut Notes) -> bool {
    if *count >= MAX_LIST {
        notes.add(Repair::LongList, None);
        return false;
    }
    *count += 1;
    true
}

impl<'a> Walk<'a> {
    pub(super) fn is_in_entry(&self) -> bool {
        self.frames.iter().any(|frame| frame.place == Place::Entry)
    }

    /// Ends an entry; one without authors has the feed's (RFC 4287 section 4.2.1).
    pub(super) fn close_entry(&mut self) {
        if self.said.authors == 0 {
            for author in &self.feed_authors {
                self.writer.author(author);
            }
        }
        self.writer.close_entry();
    }

    /// Writes what a field says that has come to its end.
    pub(super) fn say(&mut self, open: OpenField<'a>, notes: &mut Notes) {
        let (field, rank, is_permalink, relation) = (open.field, open.rank, open.is_permalink, open.relation);
        if open.is_cut {
            notes.add(Repair::LongField, None);
        }
        let Some((kind, value)) = open.finish() else { return };
        let value = value.as_str();
        if !self.is_in_entry() {
            return self.say_of_feed(field, rank, kind, value);
        }
        match field {
            Field::Link => self.link(relation.unwrap_or("link"), value, notes),
            Field::Author if has_room(&mut self.said.authors, notes) => self.writer.author(value),
            Field::Category => self.category(value, notes),
            Field::Stated(stated) => self.category(&stated.category(value), notes),
            Field::Id => {
                self.say_once(field, rank, None, value);
                if is_permalink {
                    self.link("guid", value, notes);
                }
            }
            Field::Title | Field::Summary | Field::Content => self.say_once(field, rank, Some(kind), value),
            _ => self.say_once(field, rank, None, value),
        }
    }

    fn say_of_feed(&mut self, field: Field, rank: u8, kind: TextKind, value: &str) {
        match field {
            Field::Title if rank >= self.feed_rank => {
                self.feed_rank = rank;
                self.writer.text("title", Some(kind), value);
            }
            Field::Link if self.home.is_none() => self.home = Url::parse(value.trim()).ok(),
            Field::Author if self.feed_authors.len() < MAX_LIST => self.feed_authors.push(value.to_owned()),
            Field::Wish(wish) => self.wished.hear(wish, value),
            _ => {}
        }
    }

    /// Writes a field that an entry has once; the last of the highest rank counts, as the last one read does.
    fn say_once(&mut self, field: Field, rank: u8, kind: Option<TextKind>, value: &str) {
        if let Some((best, name)) = self.said.rank(field).filter(|(best, _)| **best <= rank) {
            *best = rank;
            self.writer.text(name, kind, value);
        }
    }

    /// Writes what `rdf:about` says of an entry: its identity and, where it is an address, its link.
    pub(super) fn about(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        let mut attributes = tag.attributes();
        let about = attributes.find(|(name, _)| name.eq_ignore_ascii_case("rdf:about") || *name == "about");
        if let Some((_, about)) = about {
            let about = decoded(about);
            self.say_once(Field::Id, 1, None, &about);
            self.link("about", &about, notes);
        }
    }

    /// Writes a link with what it is to the entry; resolved where the document states a base.
    fn link(&mut self, relation: &str, href: &str, notes: &mut Notes) {
        if !has_room(&mut self.said.links, notes) {
            return;
        }
        let base = self.frames.iter().rev().find_map(|frame| frame.base.as_ref());
        // Line ends and tabs inside an address are none of it (URL standard, section 4.4), not even in the middle of its scheme.
        let href = href.replace(['\t', '\n', '\r'], "");
        let resolved = base.and_then(|base| base.join(href.trim()).ok());
        let href = resolved.as_ref().map_or(href.trim(), Url::as_str);
        self.writer.empty("link", &[("rel", relation), ("href", href)]);
    }

    /// Writes the link of a tag that states it in an attribute; false where there is none, so that its text counts.
    pub(super) fn link_of_attributes(&mut self, tag: &Tag<'a>, notes: &mut Notes) -> bool {
        let href = tag.attribute("href").or_else(|| tag.attribute("rdf:resource")).or_else(|| tag.attribute("url"));
        let Some(href) = href.map(decoded) else { return false };
        let relation = tag.relation().unwrap_or("alternate");
        if self.is_in_entry() {
            self.link(relation, &href, notes);
        } else if self.home.is_none() && matches!(relation, "self" | "alternate") {
            self.home = Url::parse(href.trim()).ok();
        }
        true
    }

    /// Writes where the content of an entry is kept, where it is not in the document.
    pub(super) fn source_of_content(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        if let Some(source) = tag.attribute("src") {
            self.link("content", &decoded(source), notes);
        }
    }

    fn category(&mut self, term: &str, notes: &mut Notes) {
        if has_room(&mut self.said.categories, notes) {
            self.writer.empty("category", &[("term", term)]);
        }
    }

    /// Writes the category of a tag that states it in attributes; the label is what people call it.
    pub(super) fn category_of_attributes(&mut self, tag: &Tag<'a>, notes: &mut Notes) {
        let stated = |name| tag.attribute(name).map(decoded).filter(|value| !value.trim().is_empty());
        let term: Option<Cow<'_, str>> = stated("label").or_else(|| stated("term"));
        if let Some(term) = term.filter(|_| self.is_in_entry()) {
            self.category(&term, notes);
        }
    }
}
