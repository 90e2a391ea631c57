//! JSON documents: told apart by their keys, read one item at a time. JSON Feed 1.0 and 1.1 itself is here, leniently; what only
//! CISA's catalogue, a CSAF feed or a bare list of advisories has is in `kev`, `csaf` and `listed`.

use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;
use url::Url;

use super::{
    Hint, ParseError,
    csaf::RolieEntry,
    kev::Vulnerability,
    listed::{EUROPEAN, Listed},
    loose::{Each, FromText, LooseList, LooseText, Maybe},
    note_long_fields, short_and_full,
    xml::list,
};
use crate::{
    date,
    link::http_link,
    model::entry::{Document, DocumentHints, Entry, Format, MAX_ENTRIES, MAX_FIELD},
    repair::{Notes, Repair, mend},
    text::{clean, from_html},
};

/// What has been read so far; it outlives an error.
#[derive(Default)]
struct Found {
    format: Option<Format>,
    title: Option<String>,
    home: Option<Url>,
    base: Option<Url>,
    authors: Vec<String>,
    entries: Vec<Entry>,
    left_out: usize,
    odd: usize,
    /// Whether `items` are advisories in the words of one of the lists, and not a feed's.
    lists_advisories: bool,
    /// Whether it is a JSON Feed by its own word.
    is_declared: bool,
    /// Whether it is CISA's catalogue by its own word.
    is_catalogue: bool,
}

/// Reads a JSON document of a known kind; one that breaks is mended and read once more.
pub(super) fn parse(text: &str, mut notes: Notes, hint: &Hint<'_>) -> Result<Document, ParseError> {
    let (mut found, mut outcome) = read(text, hint);
    if let Some(mended) = outcome.is_err().then(|| mend(text)).flatten() {
        let (again, second) = read(&mended, hint);
        if second.is_ok() || again.entries.len() > found.entries.len() {
            notes.add(Repair::LooseJson, None);
            (found, outcome) = (again, second);
        }
    }
    let Some(format) = found.format else {
        return Err(match outcome {
            Ok(()) => ParseError::UnknownJson,
            Err(error) => ParseError::BrokenJson(clean(&error.to_string(), 200)),
        });
    };
    for _ in 0..found.odd {
        notes.add(Repair::WrongType, None);
    }
    note_long_fields(&found.entries, &mut notes);
    let mut warnings = notes.sentences(text);
    if let Err(error) = &outcome {
        warnings.push(format!(
            "the JSON breaks: {}; the entries before that place are kept",
            clean(&error.to_string(), 200)
        ));
    }
    if found.left_out > 0 {
        warnings.push(format!("more than {MAX_ENTRIES} entries; {} left out", found.left_out));
    }
    if !found.authors.is_empty() {
        for entry in found.entries.iter_mut().filter(|entry| entry.authors.is_empty()) {
            entry.authors.clone_from(&found.authors);
        }
    }
    Ok(Document {
        format,
        title: found.title.filter(|title| !title.is_empty()),
        partial: outcome.is_err() || found.left_out > 0,
        entries: found.entries,
        warnings,
        hints: DocumentHints::default(),
    })
}

fn read(text: &str, hint: &Hint<'_>) -> (Found, Result<(), serde_json::Error>) {
    let read = |lists_advisories| {
        let mut found = Found { base: hint.base.cloned(), ..Found::default() };
        let mut reader = serde_json::Deserializer::from_str(text);
        let outcome = Top { found: &mut found, lists_advisories }.deserialize(&mut reader);
        (found, outcome)
    };
    let (mut found, mut outcome) = read(false);
    if found.lists_advisories {
        (found, outcome) = read(true);
    }
    found.settle();
    (found, outcome)
}

impl Found {
    fn push(&mut self, entry: Option<Entry>) {
        match entry {
            Some(_) if self.entries.len() >= MAX_ENTRIES => self.left_out += 1,
            Some(entry) => self.entries.push(entry),
            None => self.odd += 1,
        }
    }

    /// Takes one object of a bare list; the first that is known says what the list is.
    fn listed(&mut self, one: Option<Listed>) {
        let base = self.base();
        let read = one.and_then(|one| one.entry(base.as_ref()));
        if let Some((format, _)) = &read {
            self.format.get_or_insert(*format);
        }
        self.push(read.map(|(_, entry)| entry));
    }

    /// Decides what only the whole document shows.
    fn settle(&mut self) {
        if self.format == Some(Format::Kev) {
            for entry in self.entries.iter_mut().filter(|_| self.is_catalogue) {
                entry.exploited = true;
            }
            if !self.entries.is_empty() && !self.entries.iter().any(|entry| entry.exploited) {
                self.format = Some(Format::Advisories);
            }
        }
        let says_nothing = |entry: &Entry| {
            entry.title.is_none() && entry.link.is_none() && entry.summary.is_none() && entry.body.is_none()
        };
        let is_guessed = self.format == Some(Format::Json) && !self.is_declared;
        if is_guessed && !self.entries.is_empty() && self.entries.iter().all(says_nothing) {
            self.format = None;
        }
    }

    fn title(&mut self, text: &LooseText) {
        self.title = text.as_deref().map(|text| clean(text, MAX_FIELD));
    }

    fn home(&mut self, text: &LooseText) {
        if self.home.is_none() {
            self.home = text.as_deref().and_then(|text| Url::parse(text).ok());
        }
    }

    /// The address that relative links are resolved against.
    fn base(&self) -> Option<Url> {
        self.base.clone().or_else(|| self.home.clone())
    }
}

/// The outermost object.
struct Top<'f> {
    found: &'f mut Found,
    /// Whether `items` are read as advisories.
    lists_advisories: bool,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(Maybe(one)) = seq.next_element::<Maybe<Listed>>()? {
            self.found.listed(one);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.found;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => {
                    let version: LooseText = map.next_value()?;
                    if version.as_deref().is_some_and(|version| version.contains("jsonfeed.org")) {
                        found.format = Some(Format::Json);
                        found.is_declared = true;
                    }
                }
                "title" => found.title(&map.next_value()?),
                "home_page_url" | "feed_url" => found.home(&map.next_value()?),
                "author" | "authors" => {
                    let authors: LooseList<Author> = map.next_value()?;
                    found.authors.extend(names(&authors));
                }
                "catalogVersion" => {
                    let version: LooseText = map.next_value()?;
                    found.is_catalogue = version.as_deref().is_some();
                }
                "items" if self.lists_advisories => {
                    let sink = &mut |one: Option<Listed>| found.listed(one);
                    map.next_value_seed(Each { sink })?;
                }
                "items" => {
                    found.format = Some(Format::Json);
                    let base = found.base();
                    map.next_value_seed(Each {
                        sink: &mut |item: Option<Item>| {
                            found.lists_advisories |= item.as_ref().is_some_and(Item::is_advisory);
                            found.push(item.map(|item| item.entry(base.as_ref())));
                        },
                    })?;
                }
                "vulnerabilities" => {
                    // Others have a list of this name too; an empty one is taken for the catalogue's.
                    let sink = &mut |one: Option<Vulnerability>| found.push(one.and_then(Vulnerability::entry));
                    map.next_value_seed(Each { sink })?;
                    if found.odd == 0 || !found.entries.is_empty() {
                        found.format = Some(Format::Kev);
                    }
                }
                "vulns" => {
                    let sink = &mut |one: Option<Listed>| found.listed(one);
                    map.next_value_seed(Each { sink })?;
                }
                "feed" => map.next_value_seed(RolieFeed { found: &mut *found })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The object under `feed` in a ROLIE document (RFC 8322 in the JSON of CSAF 2.0 section 7.1.15).
struct RolieFeed<'f> {
    found: &'f mut Found,
}

impl<'de> DeserializeSeed<'de> for RolieFeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RolieFeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ROLIE feed")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.found;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "title" => found.title(&map.next_value()?),
                "entry" => {
                    found.format = Some(Format::Csaf);
                    let base = found.base();
                    let sink = &mut |one: Option<RolieEntry>| found.push(one.map(|one| one.entry(base.as_ref())));
                    map.next_value_seed(Each { sink })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// An author: an object with a name, or a bare name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Author {
    name: LooseText,
}

impl FromText for Author {
    fn from_text(text: &str) -> Self {
        Self { name: LooseText(Some(text.to_owned())) }
    }
}

fn names(authors: &LooseList<Author>) -> Vec<String> {
    list(authors.0.iter().filter_map(|author| author.name.as_deref()))
}

/// An item (JSON Feed 1.1, Items).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    id: LooseText,
    url: LooseText,
    external_url: LooseText,
    title: LooseText,
    content_html: LooseText,
    content_text: LooseText,
    summary: LooseText,
    date_published: LooseText,
    date_modified: LooseText,
    author: LooseList<Author>,
    authors: LooseList<Author>,
    tags: LooseList<LooseText>,
    ghsa_id: LooseText,
}

impl Item {
    /// Whether it is an object of a list of advisories, by the keys of one.
    fn is_advisory(&self) -> bool {
        self.ghsa_id.as_deref().is_some() || self.id.as_deref().is_some_and(|id| id.starts_with(EUROPEAN))
    }

    fn entry(self, base: Option<&Url>) -> Entry {
        let html = self.content_html.as_deref().map(|html| from_html(html, MAX_FIELD)).filter(|text| !text.is_empty());
        let body = html.or_else(|| plain(&self.content_text));
        let (summary, body) = short_and_full(plain(&self.summary), body);
        let id = self.id.as_deref().filter(|id| id.starts_with("http"));
        let links = [self.url.as_deref(), self.external_url.as_deref(), id];
        let mut authors = names(&self.authors);
        if authors.is_empty() {
            authors = names(&self.author);
        }
        Entry {
            guid: plain(&self.id),
            link: links.into_iter().flatten().find_map(|link| http_link(link, base)),
            title: plain(&self.title),
            published: self.date_published.as_deref().and_then(date::parse),
            updated: self.date_modified.as_deref().and_then(date::parse),
            authors,
            categories: list(self.tags.0.iter().filter_map(LooseText::as_deref)),
            summary,
            body,
            exploited: false,
        }
    }
}

/// A plain text, cleaned; nothing where nothing is left.
pub(super) fn plain(text: &LooseText) -> Option<String> {
    text.as_deref().map(|text| clean(text, MAX_FIELD)).filter(|text| !text.is_empty())
}
