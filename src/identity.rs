//! Which stored entry an item of a document is: keys that survive reordering, repeated ids and edits, and what counts
//! as a revision. The store adds the feed to every key, so nothing here is ever the same across two feeds; stories
//! (`story`) are what joins feeds.
//!
//! The plain key is made of the publisher's id, else of the canonical link, else of title and day. Never of chance, never
//! of a date alone. Some publishers repeat an id within one document (one item per affected package); such
//! items are told apart by *extended* keys (id and link, id and title, id and content) and by comparing them with what the
//! store knows under each key, so that none is swallowed and none changes its identity when the order changes or a
//! sibling comes or goes:
//!
//! 1. An item whose key is known with the same content is that entry.
//! 2. Else one whose key is known with the same title and link is that entry, revised.
//! 3. Else one whose link (or title) is its own among the items of that id, and known with a changed title (or link), is
//!    that entry, revised.
//! 4. An item that stands alone under its id and has no extended key in the store is the entry of that id if its title,
//!    its link or all the rest stayed. Where nothing did, the id was given to something else: an id may be no more
//!    than the place in a list.
//! 5. Everything else is new: under the plain key where that is free, else under the first extended key that sets it apart.
//!
//! What would be new is then compared with the known entries that the document does not list: ids change, too
//! (`renamed`). The new id is kept as another name of the entry, its *alias*; a known id always comes before an alias. The
//! versions of a paper of arXiv are one entry (`arxiv`), and the newest of them stands for it: one that is older than what is
//! known changes nothing.

mod arxiv;
mod group;
mod renamed;

use std::{
    cell::OnceCell,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use sha2::{Digest, Sha256};

use self::group::Group;
use crate::{
    link,
    model::{entry::Entry, id::EntryNo},
};

/// What an entry is known by within its feed: the first half of a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// What the store knows under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The entry.
    pub entry: EntryNo,
    /// Its newest revision.
    pub revision: u32,
    /// The content of that revision's [`Fingerprint`].
    pub content: [u8; 32],
    /// The publisher's id of it, as that revision has it.
    pub guid: Option<String>,
    /// Its title, as that revision has it.
    pub title: Option<String>,
    /// Its link, as that revision has it.
    pub link: Option<String>,
    /// What is left of both where retention removed them.
    pub traces: Option<Traces>,
    /// Whether it was found under another name than its own key.
    pub is_alias: bool,
}

/// What is left of a title and a link whose texts retention removed: enough to know them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Of the title.
    pub title: Option<Key>,
    /// Of what the link is known by.
    pub link: Option<Key>,
}

impl Traces {
    /// The traces of this title and this link, as an entry states them.
    pub fn of(title: Option<&str>, link: Option<&str>) -> Traces {
        let title = title.map(str::trim).filter(|title| !title.is_empty());
        let link = link.map(link_identity).filter(|link| !link.is_empty());
        Traces {
            title: title.map(|title| keyed("title-trace", &[title])),
            link: link.map(|link| keyed("link-trace", &[&link])),
        }
    }
}

/// How an item is looked up among the known entries of its feed.
pub struct Shelves<'s, E> {
    /// The entry under a key, its own or an alias.
    pub known: &'s dyn Fn(&Key) -> Result<Option<Known>, E>,
    /// So many of the newest entries; asked at most once, and only where something would be new. `None`: there are
    /// no entries yet.
    pub recent: Option<&'s dyn Fn(usize) -> Result<Vec<Known>, E>>,
}

/// What an item is to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Never seen.
    New,
    /// Seen, and the same.
    Unchanged(EntryNo),
    /// Seen, and changed.
    Changed {
        /// The entry.
        entry: EntryNo,
        /// The revision that this is: one more than the newest known.
        revision: u32,
    },
}

/// An item with its key and what it is to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The key to store it under.
    pub key: Key,
    /// What it is to the store.
    pub found: Found,
    /// Whether the key is another name of an entry with a key of its own, to be kept as its alias.
    pub is_alias: bool,
}

/// What entries are compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 over what makes a revision: title, link, summary, body, categories and the publisher's own statement of
    /// exploitation. White space counts as one space and the order of categories not at all. Dates and authors are left
    /// out: publishers move dates of whole feeds at every build, and a moved date alone is no news.
    pub content: [u8; 32],
    /// Where the entry leads: the canonical link with its fragment, because a page of bulletins tells its items apart
    /// by fragments only; the text itself where it is no address.
    pub link: Option<String>,
}

/// The fingerprint of an entry.
pub fn fingerprint(entry: &Entry) -> Fingerprint {
    let link = entry.link.as_deref().map(stated_link);
    let content = content_with(entry, entry.title.as_deref(), link.as_deref());
    Fingerprint { content, link: link.map(|link| arxiv::link_without_version(&link).unwrap_or(link)) }
}

/// The content of an entry as it would be with this title and this link.
fn content(entry: &Entry, title: Option<&str>, link: Option<&str>) -> [u8; 32] {
    content_with(entry, title, link.map(stated_link).as_deref())
}

fn content_with(entry: &Entry, title: Option<&str>, link: Option<&str>) -> [u8; 32] {
    let mut hash = Fields::new("content");
    hash.words(title);
    hash.field(link);
    hash.words(entry.summary.as_deref());
    hash.words(entry.body.as_deref());
    let categories: BTreeSet<&str> = entry.categories.iter().map(|category| category.trim()).collect();
    for category in categories {
        hash.words(Some(category));
    }
    hash.field(entry.exploited.then_some("exploited"));
    hash.finish()
}

/// The keys and fates of a document's items, in the order of the items; `None` for a copy of an earlier item.
///
/// The entries come with their fingerprints. The errors of the shelves end the work.
pub fn identify<'e, E>(
    entries: impl ExactSizeIterator<Item = (&'e Entry, &'e Fingerprint)>,
    shelves: &Shelves<'_, E>,
) -> Result<Vec<Option<Identified>>, E> {
    let entries: Vec<(&Entry, &Fingerprint)> = entries.collect();
    let mut fates = by_id(&entries, &mut |key| (shelves.known)(key))?;
    prefer_own_ids(&mut fates);
    let would_be_new = fates.iter().flatten().any(|fate| fate.found == Found::New);
    if let Some(recent) = shelves.recent.filter(|_| would_be_new) {
        let recent = recent(renamed::reach(entries.len()))?;
        let links: Vec<Option<&str>> = entries.iter().map(|(_, fingerprint)| fingerprint.link.as_deref()).collect();
        let entries: Vec<&Entry> = entries.iter().map(|(entry, _)| *entry).collect();
        renamed::recognise(&entries, &links, &mut fates, &recent);
    }
    Ok(fates)
}

/// An entry that is there under an id of its own is not there under an alias as well: that item is another one.
fn prefer_own_ids(fates: &mut [Option<Identified>]) {
    let entry_of = |found: &Found| match found {
        Found::New => None,
        Found::Unchanged(entry) | Found::Changed { entry, .. } => Some(*entry),
    };
    let own: HashSet<EntryNo> =
        fates.iter().flatten().filter(|fate| !fate.is_alias).filter_map(|fate| entry_of(&fate.found)).collect();
    for fate in fates.iter_mut().flatten().filter(|fate| fate.is_alias) {
        fate.is_alias = false;
        if entry_of(&fate.found).is_some_and(|entry| own.contains(&entry)) {
            fate.found = Found::New;
        }
    }
}

/// What every item is by its id.
fn by_id<E>(
    entries: &[(&Entry, &Fingerprint)],
    known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
) -> Result<Vec<Option<Identified>>, E> {
    let mut groups: BTreeMap<Key, Vec<Item<'_>>> = BTreeMap::new();
    let mut copies: HashSet<(Key, [u8; 32])> = HashSet::new();
    let mut fates: Vec<Option<Identified>> = vec![None; entries.len()];
    for (index, (entry, fingerprint)) in entries.iter().enumerate() {
        let item = Item::of(index, entry, fingerprint);
        if copies.insert((item.plain, item.content)) {
            groups.entry(item.plain).or_default().push(item);
        }
    }
    for (_, mut items) in groups {
        keep_newest_version(&mut items);
        let identified = match items.as_slice() {
            [only] => only.at_once(known)?,
            _ => None,
        };
        let identified = match identified {
            Some(identified) => vec![identified],
            None => Group::new(items).identify(known)?,
        };
        for (index, identified) in identified {
            if let Some(fate) = fates.get_mut(index) {
                *fate = Some(identified);
            }
        }
    }
    Ok(fates)
}

/// Of several versions of one paper, the newest; every other item stays.
fn keep_newest_version(items: &mut Vec<Item<'_>>) {
    let of_papers = items.iter().enumerate().filter_map(|(place, item)| Some((item.version?, Reverse(place))));
    if let Some((_, Reverse(place))) = of_papers.max() {
        items.swap(0, place);
        items.truncate(1);
    }
}

/// What a link is known by: the link as stated, the version of a paper of arXiv left out.
fn link_identity(text: &str) -> String {
    let stated = stated_link(text);
    arxiv::link_without_version(&stated).unwrap_or(stated)
}

fn stated_link(text: &str) -> String {
    let canonical = link::canonical(text).unwrap_or_else(|| text.trim().to_owned());
    match text.split_once('#') {
        Some((_, fragment)) if !fragment.is_empty() && !canonical.contains('#') => format!("{canonical}#{fragment}"),
        _ => canonical,
    }
}

/// A hash over fields that cannot run into each other: each carries its length.
struct Fields(Sha256);

impl Fields {
    fn new(purpose: &str) -> Fields {
        let mut fields = Fields(Sha256::new());
        fields.field(Some(purpose));
        fields
    }

    fn field(&mut self, text: Option<&str>) {
        match text {
            None => self.0.update([0]),
            Some(text) => {
                self.0.update([1]);
                self.0.update((text.len() as u64).to_be_bytes());
                self.0.update(text.as_bytes());
            }
        }
    }

    /// A field whose white space does not matter: its words, each with a space behind it. Words cannot hold the
    /// separator, so no length is needed.
    fn words(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.0.update([0]) };
        let mut line = Vec::with_capacity(text.len() + 2);
        if text.is_ascii() {
            // The same words, found in a fraction of the time.
            line.extend(text.bytes().map(|byte| if matches!(byte, b'\t'..=b'\r') { b' ' } else { byte }));
            one_space_between(&mut line);
        } else {
            for word in text.split_whitespace() {
                line.extend_from_slice(word.as_bytes());
                line.push(b' ');
            }
        }
        line.push(b'\n');
        self.0.update([2]);
        self.0.update(&line);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn key(self) -> Key {
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(self.finish()) {
            *to = from;
        }
        Key(key)
    }
}

/// Leaves one space behind each word and none before the first.
fn one_space_between(line: &mut Vec<u8>) {
    let is_double = |(one, next): (&u8, &u8)| [*one, *next] == *b"  ";
    let has_double = line.iter().zip(line.iter().skip(1)).map(is_double).fold(false, |any, one| any | one);
    if has_double || line.first() == Some(&b' ') {
        line.dedup_by(|next, one| is_double((one, next)));
        if line.first() == Some(&b' ') {
            line.remove(0);
        }
    }
    if line.last().is_some_and(|last| *last != b' ') {
        line.push(b' ');
    }
}

/// The keys of an item that set it apart from others of its id.
#[derive(Debug, Clone)]
struct Extended {
    link: Option<Key>,
    title: Option<Key>,
    content: Key,
}

/// An item of the document with every key that it may have.
#[derive(Debug, Clone)]
struct Item<'e> {
    index: usize,
    entry: &'e Entry,
    /// The version, where it is a paper of arXiv.
    version: Option<u32>,
    title: Option<String>,
    link: Option<String>,
    content: [u8; 32],
    plain: Key,
    /// Made when one of them is asked for: most items need none.
    extended: OnceCell<Extended>,
}

impl<'e> Item<'e> {
    fn of(index: usize, entry: &'e Entry, fingerprint: &Fingerprint) -> Item<'e> {
        let content = fingerprint.content;
        let guid = entry.guid.as_deref().map(str::trim).filter(|guid| !guid.is_empty());
        let link = fingerprint.link.clone().filter(|link| !link.is_empty());
        let title = entry.title.as_deref().map(str::trim).filter(|title| !title.is_empty()).map(str::to_owned);
        let paper = guid.or(entry.link.as_deref()).and_then(arxiv::paper);
        let plain = match (&paper, guid, link.as_deref()) {
            (Some(paper), ..) => keyed("arxiv", &[&paper.number]),
            (None, Some(guid), _) => keyed("guid", &[guid]),
            (None, None, Some(link)) => keyed("link", &[link]),
            (None, None, None) => dated(entry, title.as_deref()),
        };
        let is_named = guid.is_some() || link.is_some() || title.is_some();
        let version = paper.map(|paper| paper.version);
        let mut item = Item { index, entry, version, title, link, content, plain, extended: OnceCell::new() };
        if !is_named {
            // Nothing names it but what it says.
            item.plain = item.by_content();
        }
        item
    }

    fn extended(&self) -> &Extended {
        self.extended.get_or_init(|| {
            let extend = |by: &str, with: &str| {
                let mut fields = Fields::new(by);
                fields.0.update(self.plain.0);
                fields.field(Some(with));
                fields.key()
            };
            let has_guid = self.entry.guid.as_deref().is_some_and(|guid| !guid.trim().is_empty());
            let mut fields = Fields::new("and-content");
            fields.0.update(self.plain.0);
            fields.0.update(self.content);
            Extended {
                link: self.link.as_deref().filter(|_| has_guid).map(|link| extend("and-link", link)),
                title: self.title.as_deref().map(|title| extend("and-title", title)),
                content: fields.key(),
            }
        })
    }

    fn by_link(&self) -> Option<Key> {
        self.extended().link
    }

    fn by_title(&self) -> Option<Key> {
        self.extended().title
    }

    fn by_content(&self) -> Key {
        self.extended().content
    }

    /// Its extended keys, the one that survives most edits first.
    fn extended_keys(&self) -> impl Iterator<Item = Key> + '_ {
        [self.by_link(), self.by_title(), Some(self.by_content())].into_iter().flatten()
    }

    /// The everyday case, which needs no table: an item that is alone under its id and new, or known and the same.
    fn at_once<E>(
        &self,
        known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
    ) -> Result<Option<(usize, Identified)>, E> {
        let (found, is_alias) = match known(&self.plain)? {
            None => (Found::New, false),
            Some(known) if known.content == self.content => (Found::Unchanged(known.entry), known.is_alias),
            Some(_) => return Ok(None),
        };
        Ok(Some((self.index, Identified { key: self.plain, found, is_alias })))
    }

    fn has_title_of(&self, known: &Known) -> bool {
        if let Some(traces) = &known.traces {
            return traces.title == self.traces().title;
        }
        self.title.as_deref() == known.title.as_deref().map(str::trim).filter(|title| !title.is_empty())
    }

    fn traces(&self) -> Traces {
        Traces::of(self.title.as_deref(), self.entry.link.as_deref())
    }

    /// Whether everything but title and link is as it was, and there is something.
    fn has_rest_of(&self, known: &Known) -> bool {
        (self.entry.summary.is_some() || self.entry.body.is_some())
            && content(self.entry, known.title.as_deref(), known.link.as_deref()) == known.content
    }

    fn has_link_of(&self, known: &Known) -> bool {
        if let Some(traces) = &known.traces {
            return traces.link == self.traces().link;
        }
        self.link == known.link.as_deref().map(link_identity).filter(|link| !link.is_empty())
    }
}

fn keyed(purpose: &str, parts: &[&str]) -> Key {
    let mut fields = Fields::new(purpose);
    for part in parts {
        fields.field(Some(part));
    }
    fields.key()
}

/// The key of an item without id and link: its title and the day that it states.
fn dated(entry: &Entry, title: Option<&str>) -> Key {
    let day = entry.published.map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string());
    keyed("title", &[title.unwrap_or_default(), day.as_deref().unwrap_or_default()])
}

#[cfg(test)]
mod tests;
