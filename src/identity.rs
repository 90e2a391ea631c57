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
//! 4. An item that stands alone under its id and has no extended key in the store is the entry of that id, whatever
//!    changed.
//! 5. Everything else is new: under the plain key where that is free, else under the first extended key that sets it apart.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};

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
    /// Its title, as that revision has it.
    pub title: Option<String>,
    /// Its link, as that revision has it.
    pub link: Option<String>,
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
    let link = entry.link.as_deref().map(link_identity);
    let mut hash = Fields::new("content");
    hash.words(entry.title.as_deref());
    hash.field(link.as_deref());
    hash.words(entry.summary.as_deref());
    hash.words(entry.body.as_deref());
    let categories: BTreeSet<&str> = entry.categories.iter().map(|category| category.trim()).collect();
    for category in categories {
        hash.words(Some(category));
    }
    hash.field(entry.exploited.then_some("exploited"));
    Fingerprint { content: hash.finish(), link }
}

/// The keys and fates of a document's items, in the order of the items; `None` for a copy of an earlier item.
///
/// The entries come with their fingerprints. `known` answers what the feed's entry under a key is; its errors end the
/// work.
pub fn identify<'e, E>(
    entries: impl ExactSizeIterator<Item = (&'e Entry, &'e Fingerprint)>,
    known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
) -> Result<Vec<Option<Identified>>, E> {
    let mut groups: BTreeMap<Key, Vec<Item>> = BTreeMap::new();
    let mut copies: HashSet<(Key, [u8; 32])> = HashSet::new();
    let mut fates: Vec<Option<Identified>> = vec![None; entries.len()];
    for (index, (entry, fingerprint)) in entries.enumerate() {
        let item = Item::of(index, entry, fingerprint);
        if copies.insert((item.plain, item.content)) {
            groups.entry(item.plain).or_default().push(item);
        }
    }
    for (_, items) in groups {
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

fn link_identity(text: &str) -> String {
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

    /// A field whose white space does not matter. Words cannot hold the separator, so no length is needed.
    fn words(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.0.update([0]) };
        let mut line = Vec::with_capacity(text.len() + 3);
        line.push(2);
        let mut append = |word: &[u8]| {
            line.extend_from_slice(word);
            line.push(b' ');
        };
        if text.is_ascii() {
            // The same words, found in a fraction of the time.
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
            text.as_bytes().split(is_space).filter(|word| !word.is_empty()).for_each(append);
        } else {
            text.split_whitespace().for_each(|word| append(word.as_bytes()));
        }
        line.push(b'\n');
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

/// An item of the document with every key that it may have.
#[derive(Debug, Clone)]
struct Item {
    index: usize,
    title: Option<String>,
    link: Option<String>,
    content: [u8; 32],
    plain: Key,
    by_link: Option<Key>,
    by_title: Option<Key>,
    by_content: Key,
}

impl Item {
    fn of(index: usize, entry: &Entry, fingerprint: &Fingerprint) -> Item {
        let content = fingerprint.content;
        let guid = entry.guid.as_deref().map(str::trim).filter(|guid| !guid.is_empty());
        let link = fingerprint.link.clone().filter(|link| !link.is_empty());
        let title = entry.title.as_deref().map(str::trim).filter(|title| !title.is_empty()).map(str::to_owned);
        let mut base = match (guid, link.as_deref()) {
            (Some(guid), _) => keyed("guid", &[guid]),
            (None, Some(link)) => keyed("link", &[link]),
            (None, None) => dated(entry, title.as_deref()),
        };
        let extend = |by: &str, with: &str| {
            let mut fields = Fields::new(by);
            fields.0.update(base.0);
            fields.field(Some(with));
            fields.key()
        };
        let by_link = guid.and(link.as_deref()).map(|link| extend("and-link", link));
        let by_title = title.as_deref().map(|title| extend("and-title", title));
        let mut fields = Fields::new("and-content");
        fields.0.update(base.0);
        fields.0.update(content);
        let by_content = fields.key();
        if guid.is_none() && link.is_none() && title.is_none() {
            // Nothing names it but what it says.
            base = by_content;
        }
        Item { index, title, link, content, plain: base, by_link, by_title, by_content }
    }

    /// Its extended keys, the one that survives most edits first.
    fn extended(&self) -> impl Iterator<Item = Key> + '_ {
        [self.by_link, self.by_title, Some(self.by_content)].into_iter().flatten()
    }

    /// The everyday case, which needs no table: an item that is alone under its id and new, or known and the same.
    fn at_once<E>(
        &self,
        known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
    ) -> Result<Option<(usize, Identified)>, E> {
        let found = match known(&self.plain)? {
            None => Found::New,
            Some(known) if known.content == self.content => Found::Unchanged(known.entry),
            Some(_) => return Ok(None),
        };
        Ok(Some((self.index, Identified { key: self.plain, found })))
    }

    fn has_title_of(&self, known: &Known) -> bool {
        self.title.as_deref() == known.title.as_deref().map(str::trim).filter(|title| !title.is_empty())
    }

    fn has_link_of(&self, known: &Known) -> bool {
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

/// The items of a document that share one plain key.
struct Group {
    items: Vec<Item>,
    is_alone: bool,
    links: HashMap<Option<String>, usize>,
    titles: HashMap<Option<String>, usize>,
    known: HashMap<Key, Known>,
    claimed: HashSet<Key>,
    done: Vec<(usize, Identified)>,
}

impl Group {
    fn new(mut items: Vec<Item>) -> Group {
        // An order of their own, so that the document's order decides nothing.
        items.sort_by_key(|item| item.by_content);
        let mut links = HashMap::new();
        let mut titles = HashMap::new();
        for item in &items {
            *links.entry(item.link.clone()).or_default() += 1;
            *titles.entry(item.title.clone()).or_default() += 1;
        }
        let is_alone = items.len() == 1;
        Group { items, is_alone, links, titles, known: HashMap::new(), claimed: HashSet::new(), done: Vec::new() }
    }

    fn identify<E>(
        mut self,
        known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>,
    ) -> Result<Vec<(usize, Identified)>, E> {
        self.look_up(known)?;
        self.claim(|_, item, known| item.content == known.content);
        self.claim(|_, item, known| item.has_title_of(known) && item.has_link_of(known));
        self.claim(|group, item, known| {
            (item.has_link_of(known) && group.has_own_link(item))
                || (item.has_title_of(known) && group.has_own_title(item))
        });
        if self.is_alone {
            self.claim(|_, _, _| true);
        }
        self.name_the_new();
        Ok(self.done)
    }

    /// Asks for every key that may decide. An extended key is given only where the plain one is taken, so an unknown
    /// plain key, and an item that is alone under its id and plainly the same, need one question.
    fn look_up<E>(&mut self, known: &mut dyn FnMut(&Key) -> Result<Option<Known>, E>) -> Result<(), E> {
        let Some(plain) = self.items.first().map(|item| item.plain) else { return Ok(()) };
        let Some(found) = known(&plain)? else { return Ok(()) };
        let is_settled = matches!(self.items.as_slice(), [only] if only.content == found.content
            || (only.has_title_of(&found) && only.has_link_of(&found)));
        self.known.insert(plain, found);
        if is_settled {
            return Ok(());
        }
        for key in self.items.iter().flat_map(Item::extended).collect::<BTreeSet<Key>>() {
            if let Some(found) = known(&key)? {
                self.known.insert(key, found);
            }
        }
        Ok(())
    }

    fn has_own_link(&self, item: &Item) -> bool {
        item.link.is_some() && self.links.get(&item.link) == Some(&1)
    }

    fn has_own_title(&self, item: &Item) -> bool {
        item.title.is_some() && self.titles.get(&item.title) == Some(&1)
    }

    /// Gives every item the first of its free known keys for which `is_same` holds.
    fn claim(&mut self, is_same: impl Fn(&Group, &Item, &Known) -> bool) {
        for item in std::mem::take(&mut self.items) {
            let claim = item.extended().chain([item.plain]).find_map(|key| {
                let known = self.known.get(&key).filter(|_| !self.claimed.contains(&key))?;
                is_same(self, &item, known).then(|| (key, known.clone()))
            });
            match claim {
                Some((key, known)) => self.settle(&item, key, Some(&known)),
                None => self.items.push(item),
            }
        }
    }

    /// Gives the items that are left keys of their own.
    fn name_the_new(&mut self) {
        for item in std::mem::take(&mut self.items) {
            let by_link = item.by_link.filter(|_| self.has_own_link(&item));
            let by_title = item.by_title.filter(|_| self.has_own_title(&item));
            let key = [Some(item.plain), by_link, by_title]
                .into_iter()
                .flatten()
                .find(|key| !self.claimed.contains(key) && !self.known.contains_key(key))
                .unwrap_or(item.by_content);
            self.settle(&item, key, None);
        }
    }

    /// Decides what an item is, under this key.
    fn settle(&mut self, item: &Item, key: Key, known: Option<&Known>) {
        let found = match known {
            None => Found::New,
            Some(known) if known.content == item.content => Found::Unchanged(known.entry),
            Some(known) => Found::Changed { entry: known.entry, revision: known.revision.saturating_add(1) },
        };
        self.claimed.insert(key);
        self.done.push((item.index, Identified { key, found }));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A store of one feed: what an integration would commit after every poll.
    #[derive(Default)]
    struct Shelf {
        rows: HashMap<Key, Known>,
        asked: usize,
    }

    impl Shelf {
        fn poll(&mut self, entries: &[Entry]) -> Vec<Option<Identified>> {
            let (rows, asked) = (&self.rows, &mut self.asked);
            let fingerprints: Vec<_> = entries.iter().map(fingerprint).collect();
            let fates = identify::<Infallible>(entries.iter().zip(&fingerprints), &mut |key| {
                *asked += 1;
                Ok(rows.get(key).cloned())
            })
            .unwrap();
            for (entry, fate) in entries.iter().zip(&fates) {
                let Some(fate) = fate else { continue };
                let (no, revision) = match fate.found {
                    Found::New => (EntryNo(i64::try_from(self.rows.len()).unwrap() + 1), 1),
                    Found::Unchanged(_) => continue,
                    Found::Changed { entry, revision } => (entry, revision),
                };
                let (title, link, content) = (entry.title.clone(), entry.link.clone(), fingerprint(entry).content);
                self.rows.insert(fate.key, Known { entry: no, revision, content, title, link });
            }
            fates
        }

        /// The entry numbers, revisions and newness of a poll, short enough to compare.
        fn words(&mut self, entries: &[Entry]) -> Vec<String> {
            let fates = self.poll(entries);
            fates
                .into_iter()
                .map(|fate| match fate {
                    None => "copy".to_owned(),
                    Some(Identified { key, found: Found::New }) => format!("new {}", self.rows[&key].entry),
                    Some(Identified { found: Found::Unchanged(no), .. }) => format!("same {no}"),
                    Some(Identified { found: Found::Changed { entry, revision }, .. }) => {
                        format!("{entry} r{revision}")
                    }
                })
                .collect()
        }
    }

    fn entry(guid: &str, link: &str, title: &str, summary: &str) -> Entry {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Entry { guid: some(guid), link: some(link), title: some(title), summary: some(summary), ..Entry::default() }
    }

    const PAGE: &str = "https://example.com/advisories/1";

    #[test]
    fn seen_and_the_same_is_nothing_and_changed_is_a_revision() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.words(&[entry("1", PAGE, "t", "s")]), ["new 1"]);
        assert_eq!(shelf.words(&[entry("1", PAGE, "t", "s")]), ["same 1"]);
        assert_eq!(shelf.words(&[entry("1", PAGE, "t", "changed")]), ["1 r2"]);
        assert_eq!(shelf.words(&[entry("1", "https://example.com/moved", "other title", "changed")]), ["1 r3"]);
        assert_eq!(shelf.words(&[entry("1", "https://example.com/moved", "other title", "changed")]), ["same 1"]);
    }

    #[test]
    fn words_are_the_same_however_they_are_found() {
        let hash = |text: &str| fingerprint(&Entry { summary: Some(text.into()), ..Entry::default() });
        for space in ["  ", "\t", "\n", "\u{b}", "\u{c}", "\r\n", "\u{85}", "\u{a0}", "\u{2003}"] {
            assert_eq!(hash(&format!("{space}two{space}words")), hash("two words"), "{space:?}");
            assert_eq!(hash(&format!("zwei{space}Wörter{space}")), hash("zwei Wörter"), "{space:?}");
        }
        assert_ne!(hash("two\u{1c}words"), hash("two words"));
    }

    #[test]
    fn a_moved_date_white_space_authors_and_tracking_are_no_change() {
        let mut shelf = Shelf::default();
        let mut one = entry("1", PAGE, "Two words", "a  text");
        one.categories = vec!["b".into(), "a".into()];
        assert_eq!(shelf.words(&[one.clone()]), ["new 1"]);
        one.published = "2099-01-01T00:00:00Z".parse().ok();
        one.updated = one.published;
        one.authors = vec!["somebody".into()];
        one.title = Some("Two\n words ".into());
        one.categories.reverse();
        one.link = Some(format!("{PAGE}?utm_source=feed"));
        assert_eq!(shelf.words(&[one.clone()]), ["same 1"]);
        one.exploited = true;
        assert_eq!(shelf.words(&[one]), ["1 r2"]);
    }

    #[test]
    fn without_an_id_the_link_decides_and_without_a_link_title_and_day() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.words(&[entry("", PAGE, "t", "s"), entry(" ", "", "t", "s")]), ["new 1", "new 2"]);
        assert_eq!(shelf.words(&[entry("", "", "t", "more"), entry("", PAGE, "t2", "s")]), ["2 r2", "1 r2"]);
        let mut dated = entry("", "", "t", "s");
        dated.published = "2099-01-01T23:59:59Z".parse().ok();
        assert_eq!(shelf.words(&[dated.clone()]), ["new 3"]);
        dated.published = "2099-01-01T01:00:00Z".parse().ok();
        assert_eq!(shelf.words(&[dated]), ["same 3"]);
        assert_eq!(shelf.words(&[entry("", "", "", "only text"), Entry::default()]), ["new 4", "new 5"]);
        assert_eq!(shelf.words(&[Entry::default(), entry("", "", "", "only text")]), ["same 5", "same 4"]);
    }

    #[test]
    fn two_identical_items_in_one_document_are_one() {
        let mut shelf = Shelf::default();
        let twice = [entry("1", PAGE, "t", "s"), entry("1", PAGE, "t", "s")];
        assert_eq!(shelf.words(&twice), ["new 1", "copy"]);
        assert_eq!(shelf.words(&twice), ["same 1", "copy"]);
    }

    #[test]
    fn repeated_ids_swallow_nothing_and_keep_their_identity_in_any_order() {
        let package = |name: &str| entry("GHSA-jfh8-c2jp-5v3q", PAGE, &format!("[{name}] flaw"), "text");
        let mut shelf = Shelf::default();
        let mut items = vec![package("a"), package("b"), package("c")];
        let first = shelf.words(&items);
        assert!(first.iter().all(|word| word.starts_with("new")), "{first:?}");
        items.reverse();
        let second = shelf.words(&items);
        assert!(second.iter().all(|word| word.starts_with("same")), "{second:?}");
        items.swap(0, 1);
        items.push(package("d"));
        let third = shelf.words(&items);
        assert_eq!(third.iter().filter(|word| word.starts_with("same")).count(), 3, "{third:?}");
        assert_eq!(third.last().unwrap(), "new 4");
        for item in &items {
            let alone = shelf.words(std::slice::from_ref(item));
            assert!(alone[0].starts_with("same"), "{alone:?}");
        }
    }

    #[test]
    fn an_entry_that_gets_a_sibling_stays_itself() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.words(&[entry("1", PAGE, "[b] flaw", "s")]), ["new 1"]);
        let siblings = [entry("1", PAGE, "[a] flaw", "s"), entry("1", PAGE, "[b] flaw", "s")];
        assert_eq!(shelf.words(&siblings), ["new 2", "same 1"]);
        let edited = [entry("1", PAGE, "[b] flaw", "fixed"), entry("1", PAGE, "[a] flaw", "s")];
        assert_eq!(shelf.words(&edited), ["1 r2", "same 2"]);
        assert_eq!(shelf.words(&siblings[..1]), ["same 2"]);
    }

    #[test]
    fn siblings_that_differ_in_their_text_only_are_two_entries() {
        let mut shelf = Shelf::default();
        let ranges = [entry("1", PAGE, "flaw", "before 2.1"), entry("1", PAGE, "flaw", "before 3.4")];
        let first = shelf.words(&ranges);
        assert!(first.contains(&"new 1".to_owned()) && first.contains(&"new 2".to_owned()), "{first:?}");
        assert!(shelf.words(&ranges).iter().all(|word| word.starts_with("same")));
    }

    #[test]
    fn one_id_for_all_items_is_survived() {
        let mut shelf = Shelf::default();
        let items: Vec<Entry> =
            (0..50).map(|n| entry("feed", &format!("{PAGE}/{n}"), &format!("title {n}"), "s")).collect();
        assert!(shelf.words(&items).iter().all(|word| word.starts_with("new")));
        assert_eq!(shelf.rows.len(), 50);
        assert!(shelf.words(&items).iter().all(|word| word.starts_with("same")));
        let edited: Vec<Entry> = items.iter().cloned().map(|one| Entry { title: Some("t".into()), ..one }).collect();
        assert!(shelf.words(&edited).iter().all(|word| word.ends_with("r2")));
    }

    #[test]
    fn links_that_differ_in_their_fragment_are_two() {
        let mut shelf = Shelf::default();
        let page = [entry("", &format!("{PAGE}#one"), "one", "s"), entry("", &format!("{PAGE}#two"), "two", "s")];
        assert_eq!(shelf.words(&page), ["new 1", "new 2"]);
    }

    #[test]
    fn an_unseen_or_unchanged_item_costs_one_question() {
        let mut shelf = Shelf::default();
        let items: Vec<Entry> = (0..10).map(|n| entry(&n.to_string(), PAGE, "t", "s")).collect();
        shelf.poll(&items);
        shelf.poll(&items);
        assert_eq!(shelf.asked, 20);
    }

    #[test]
    fn twenty_thousand_items_under_one_id_are_told_apart_in_time() {
        let mut shelf = Shelf::default();
        let items: Vec<Entry> = (0..20_000).map(|n| entry("1", PAGE, &format!("title {n}"), "s")).collect();
        shelf.poll(&items);
        let again = shelf.words(&items);
        assert!(again.iter().all(|word| word.starts_with("same")));
    }
}
