//! Known entries that come back under other ids: a publisher who makes ids anew at every build, a site that moved, an id
//! that holds the date of the last edit. Only what would be new is looked at, and only entries of the same feed count
//! that are not in the document under an id of their own; so siblings are never merged, and a page that still lists the old
//! entry says that the new one is another.
//!
//! An item is a known entry when
//!
//! 1. everything that it says is the same, and its link is its own or its text is more than a phrase; or
//! 2. its link is its own and its title is the same.
//!
//! *Its own* link leads to no front page and belongs to one item of the document and one known entry. What a link and a
//! title share may still be news: a weekly summary at one address. It becomes a revision, and a text that was rewritten is
//! told like a new one (`change`).
//!
//! Only where the ids of the *whole* document moved (none of them is known, and at least three items and half of all
//! are known entries by what they say or lead to) more is believed: the same content whatever it is, the same but for
//! the link, and the same link of its own under another title.

use std::collections::{HashMap, HashSet};

use super::{Found, Identified, Known, arxiv, content, link_identity};
use crate::model::{entry::Entry, id::EntryNo};

/// The shortest text that tells one entry from another, in bytes.
const TELLING: usize = 80;
/// The fewest items that show that the ids of a document moved.
const MIN_MOVED: usize = 3;
/// How many known entries of one title or content are tried for an item.
const TRIES: usize = 8;
/// From this revision on a link that alone changes is not worth another one: such links change at every poll.
const UNSTABLE: u32 = 3;

/// How many of the newest known entries are looked at for a document of so many items.
pub(super) fn reach(items: usize) -> usize {
    items.saturating_mul(2).saturating_add(1_000)
}

/// Whether nothing changed since this was known: it is the same, or an older version, or nothing changed but a link that
/// changes all the time.
pub(super) fn is_unchanged(entry: &Entry, now: &[u8; 32], known: &Known) -> bool {
    let is_version = || entry.link.as_deref().is_some_and(|link| arxiv::paper(link).is_some());
    *now == known.content
        || is_older_version(entry, known)
        || (known.revision >= UNSTABLE && !is_version() && is_same_but_for_link(entry, known))
}

fn is_older_version(entry: &Entry, known: &Known) -> bool {
    let stated = |texts: [&Option<String>; 2]| {
        let papers = texts.into_iter().flatten().filter_map(|text| arxiv::paper(text));
        papers.map(|paper| paper.version).max().filter(|version| *version > 0)
    };
    let Some(version) = stated([&entry.guid, &entry.link]) else { return false };
    stated([&known.guid, &known.link]).is_some_and(|newest| version < newest)
}

fn is_same_but_for_link(entry: &Entry, known: &Known) -> bool {
    content(entry, entry.title.as_deref(), known.link.as_deref()) == known.content
}

/// What makes an item a known entry.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Telling,
    OwnLinkAndTitle,
    SameContent,
    SameButForLink,
    OwnLink,
}

impl Rule {
    /// Believed of a single item.
    const ALWAYS: [Rule; 2] = [Rule::Telling, Rule::OwnLinkAndTitle];
    /// Believed where the ids of the whole document moved, the safest first.
    const ALL: [Rule; 5] =
        [Rule::Telling, Rule::OwnLinkAndTitle, Rule::SameContent, Rule::SameButForLink, Rule::OwnLink];
}

/// An item that would be new.
struct Unknown<'e> {
    index: usize,
    entry: &'e Entry,
    title: Option<&'e str>,
    link: Option<String>,
    content: [u8; 32],
}

/// The known entries that nobody in the document claims, by what they can be found by.
struct Shelf<'k> {
    known: Vec<&'k Known>,
    taken: HashSet<usize>,
    by_content: HashMap<[u8; 32], Vec<usize>>,
    by_link: HashMap<String, Vec<usize>>,
    by_title: HashMap<&'k str, Vec<usize>>,
    /// How often each link stands in the document and among all known entries.
    in_document: HashMap<String, usize>,
    in_store: HashMap<String, usize>,
}

/// Finds known entries among the items that would be new and says so in their fates. `recent` are the newest known
/// entries of the feed.
pub(super) fn recognise(
    entries: &[&Entry],
    links: &[Option<&str>],
    fates: &mut [Option<Identified>],
    recent: &[Known],
) {
    let mut claimed: HashSet<EntryNo> = HashSet::new();
    let mut unknown = Vec::new();
    for (index, fate) in fates.iter().enumerate() {
        let (Some(fate), Some(entry)) = (fate, entries.get(index)) else { continue };
        match fate.found {
            Found::New => unknown.push(Unknown {
                index,
                entry,
                title: title_of(entry.title.as_deref()),
                link: links.get(index).copied().flatten().map(str::to_owned),
                content: content(entry, entry.title.as_deref(), entry.link.as_deref()),
            }),
            Found::Unchanged(no) | Found::Changed { entry: no, .. } => {
                claimed.insert(no);
            }
        }
    }
    let listed = fates.iter().zip(links).filter_map(|(fate, link)| fate.as_ref().and(*link));
    let mut shelf = Shelf::new(recent, &claimed, listed);
    let all_moved = claimed.is_empty() && shelf.shows_moved_ids(&unknown);
    let believed: &[Rule] = if all_moved { &Rule::ALL } else { &Rule::ALWAYS };
    for rule in believed {
        unknown.retain(|item| {
            let Some(place) = shelf.find(*rule, item) else { return true };
            let (Some(known), Some(Some(fate))) = (shelf.known.get(place).copied(), fates.get_mut(item.index)) else {
                return true;
            };
            fate.is_alias = true;
            fate.found = if is_unchanged(item.entry, &item.content, known) {
                Found::Unchanged(known.entry)
            } else {
                Found::Changed { entry: known.entry, revision: known.revision.saturating_add(1) }
            };
            shelf.take(place, known);
            false
        });
    }
}

fn title_of(title: Option<&str>) -> Option<&str> {
    title.map(str::trim).filter(|title| !title.is_empty())
}

fn is_front_page(link: &str) -> bool {
    link.strip_prefix("https://").is_some_and(|place| !place.contains(['/', '?', '#']))
}

impl<'k> Shelf<'k> {
    fn new<'l>(recent: &'k [Known], claimed: &HashSet<EntryNo>, document: impl Iterator<Item = &'l str>) -> Self {
        let mut shelf = Shelf {
            known: Vec::new(),
            taken: HashSet::new(),
            by_content: HashMap::new(),
            by_link: HashMap::new(),
            by_title: HashMap::new(),
            in_document: HashMap::new(),
            in_store: HashMap::new(),
        };
        for link in document {
            *shelf.in_document.entry(link.to_owned()).or_default() += 1;
        }
        for known in recent {
            let link = known.link.as_deref().map(link_identity);
            if let Some(link) = &link {
                *shelf.in_store.entry(link.clone()).or_default() += 1;
            }
            if claimed.contains(&known.entry) {
                continue;
            }
            let place = shelf.known.len();
            shelf.known.push(known);
            shelf.by_content.entry(known.content).or_default().push(place);
            if let Some(link) = link {
                shelf.by_link.entry(link).or_default().push(place);
            }
            if let Some(title) = title_of(known.title.as_deref()) {
                shelf.by_title.entry(title).or_default().push(place);
            }
        }
        shelf
    }

    fn find(&self, rule: Rule, item: &Unknown<'_>) -> Option<usize> {
        match rule {
            Rule::Telling => self.telling(item),
            Rule::OwnLinkAndTitle => self.own_link_and_title(item),
            Rule::SameContent => self.same_content(item),
            Rule::SameButForLink => self.same_but_for_link(item),
            Rule::OwnLink => self.own_link(item),
        }
    }

    fn take(&mut self, place: usize, known: &Known) {
        self.taken.insert(place);
        let alike = self.by_content.entry(known.content).or_default();
        while alike.last().is_some_and(|last| self.taken.contains(last)) {
            alike.pop();
        }
    }

    fn first_free(&self, places: Option<&Vec<usize>>, is_it: impl Fn(&Known) -> bool) -> Option<usize> {
        let free = places?.iter().copied().filter(|place| !self.taken.contains(place));
        free.take(TRIES).find(|place| self.known.get(*place).is_some_and(|known| is_it(known)))
    }

    /// The link of an item, if it belongs to this item and at most one known entry alone.
    fn own<'i>(&self, item: &'i Unknown<'_>) -> Option<&'i str> {
        let link = item.link.as_deref().filter(|link| !link.is_empty() && !is_front_page(link))?;
        let at_most_once = |counts: &HashMap<String, usize>| counts.get(link).is_none_or(|count| *count <= 1);
        (at_most_once(&self.in_document) && at_most_once(&self.in_store)).then_some(link)
    }

    fn same_content(&self, item: &Unknown<'_>) -> Option<usize> {
        // All of one content are the same to a reader: any free one will do.
        let places = self.by_content.get(&item.content)?;
        places.iter().rev().copied().find(|place| !self.taken.contains(place))
    }

    fn telling(&self, item: &Unknown<'_>) -> Option<usize> {
        let text = [&item.entry.summary, &item.entry.body].into_iter().flatten().map(String::len).max();
        (self.own(item).is_some() || text.is_some_and(|length| length >= TELLING)).then(|| self.same_content(item))?
    }

    fn own_link_and_title(&self, item: &Unknown<'_>) -> Option<usize> {
        let title = item.title?;
        self.first_free(self.by_link.get(self.own(item)?), |known| title_of(known.title.as_deref()) == Some(title))
    }

    fn same_but_for_link(&self, item: &Unknown<'_>) -> Option<usize> {
        self.first_free(self.by_title.get(item.title?), |known| is_same_but_for_link(item.entry, known))
    }

    fn own_link(&self, item: &Unknown<'_>) -> Option<usize> {
        self.first_free(self.by_link.get(self.own(item)?), |_| true)
    }

    /// Whether so much of a document without a known id is known that its ids moved. A known entry counts once.
    fn shows_moved_ids(&self, unknown: &[Unknown<'_>]) -> bool {
        let mut seen: HashMap<usize, usize> = HashMap::new();
        for item in unknown {
            let found = self.same_content(item).or_else(|| self.own_link_and_title(item));
            if let Some(place) = found.or_else(|| self.same_but_for_link(item)) {
                *seen.entry(place).or_default() += 1;
            }
        }
        // Entries of one content stand for each other, so the first of them is found for every one.
        let moved: usize = seen
            .iter()
            .map(|(place, items)| {
                let alike = self.known.get(*place).and_then(|known| self.by_content.get(&known.content));
                (*items).min(alike.map_or(1, Vec::len))
            })
            .sum();
        moved >= MIN_MOVED && moved * 2 >= unknown.len()
    }
}
