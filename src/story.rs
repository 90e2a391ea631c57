//! Which entries, from whichever feeds, report the same thing: the keys by which an entry joins a story. Pure; which
//! story holds a key is the store's to know.
//!
//! **Rules.** An entry's *own* identifiers are those of its title, of its publisher's id and of its link. With one to three
//! of them it joins by each; when it names at most three identifiers in all, it joins by those of its text too, unless it has
//! one of its own of the same family: an advisory on one CVE that names another (a cause, a twin) is not about the other.
//! Having one of its own, it also joins by the one that it calls itself a "duplicate of".
//! An entry that has none of its own joins by those of its text when they are at most three. More than three, in the title or in
//! the text of an entry without one of its own, make a *round-up*: it joins by no identifier, so it never glues. Every
//! entry joins by its canonical link, unless that is the front page of a site.
//!
//! **Joining.** The keys are in order: own identifiers, identifiers of the text, link. The first key that a story already holds
//! decides ([`first_held`]); the keys that no story holds become that story's, and keys that another story holds stay there:
//! two stories never merge, and a round-up, which brings no identifiers, carries nothing from one story to another. An entry
//! that is changed stays in its story and brings it the keys that are free, as long as it is about the same
//! ([`is_same_subject`]): a page that names another CVE every week would gather them all.

use std::{collections::HashSet, fmt};

use crate::{
    advisory::{AdvisoryId, ids},
    identity::Fingerprint,
    model::entry::Entry,
};

/// The most identifiers by which an entry may join stories.
pub const MAX_JOINING_IDS: usize = 3;

/// The most identifiers of one entry that are kept; only hostile text has more.
pub const MAX_MENTIONS: usize = 1_000;

/// Something that two entries of one story have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoryKey {
    /// An advisory identifier.
    Advisory(AdvisoryId),
    /// A canonical link.
    Link(String),
}

impl fmt::Display for StoryKey {
    /// The text form that the store keeps: `cve:CVE-2099-0001`, `id:GHSA-jfh8-c2jp-5v3q`, `link:https://...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoryKey::Advisory(id) if id.is_cve() => write!(f, "cve:{id}"),
            StoryKey::Advisory(id) => write!(f, "id:{id}"),
            StoryKey::Link(link) => write!(f, "link:{link}"),
        }
    }
}

/// What an entry joins by and what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoryKeys {
    /// The keys by which it may join a story and be joined, the deciding ones first.
    pub joins: Vec<StoryKey>,
    /// Every identifier that it names, in order of appearance, for showing; at most [`MAX_MENTIONS`].
    pub mentions: Vec<AdvisoryId>,
}

/// The keys of an entry.
pub fn keys(entry: &Entry, fingerprint: &Fingerprint) -> StoryKeys {
    let mut title = Vec::new();
    append(&mut title, entry.title.as_deref());
    let mut own = title.clone();
    append(&mut own, entry.guid.as_deref());
    append(&mut own, entry.link.as_deref());
    let mut mentions = own.clone();
    append(&mut mentions, entry.summary.as_deref());
    append(&mut mentions, entry.body.as_deref());

    let is_round_up = title.len() > MAX_JOINING_IDS || own.len() > MAX_JOINING_IDS;
    let mut joining: Vec<AdvisoryId> = if is_round_up { Vec::new() } else { own.clone() };
    if mentions.len() <= MAX_JOINING_IDS {
        let is_twin = |id: &AdvisoryId| own.iter().any(|own| own.family() == id.family());
        joining.extend(mentions.iter().filter(|id| !own.contains(id) && !is_twin(id)).cloned());
    }
    if !is_round_up && !own.is_empty() {
        for twin in [&entry.summary, &entry.body].into_iter().flatten().filter_map(|text| declared_twin(text)) {
            if !own.contains(&twin) && !joining.contains(&twin) {
                joining.push(twin);
            }
        }
    }
    let mut joins: Vec<StoryKey> = joining.into_iter().map(StoryKey::Advisory).collect();
    joins.extend(fingerprint.link.as_deref().and_then(link_key));
    for category in &entry.categories {
        append(&mut mentions, Some(category));
    }
    StoryKeys { joins, mentions }
}

/// The keys of a document's entries. A link that several entries of it share says only where they all stand, so it
/// joins none of them.
pub fn keys_in_document(entries: &[Entry], fingerprints: &[Fingerprint]) -> Vec<StoryKeys> {
    let mut all: Vec<StoryKeys> =
        entries.iter().zip(fingerprints).map(|(entry, fingerprint)| keys(entry, fingerprint)).collect();
    let mut once: HashSet<StoryKey> = HashSet::new();
    let mut shared: HashSet<StoryKey> = HashSet::new();
    for key in all.iter().flat_map(|keys| &keys.joins).filter(|key| matches!(key, StoryKey::Link(_))) {
        if !once.insert(key.clone()) {
            shared.insert(key.clone());
        }
    }
    for keys in &mut all {
        keys.joins.retain(|key| !shared.contains(key));
    }
    all
}

/// The story that an entry with these keys joins: the one that holds the first key that any story holds.
pub fn first_held<S, E>(
    keys: &StoryKeys,
    holder: &mut dyn FnMut(&StoryKey) -> Result<Option<S>, E>,
) -> Result<Option<S>, E> {
    for key in &keys.joins {
        if let Some(story) = holder(key)? {
            return Ok(Some(story));
        }
    }
    Ok(None)
}

/// Whether an entry is about the same before and after a change: it had no identifier to join by, or keeps one.
pub fn is_same_subject(before: &StoryKeys, now: &StoryKeys) -> bool {
    let mut had = before.joins.iter().filter(|key| matches!(key, StoryKey::Advisory(_))).peekable();
    had.peek().is_none() || had.any(|key| now.joins.contains(key))
}

/// The identifier that a text says it is a duplicate of.
fn declared_twin(text: &str) -> Option<AdvisoryId> {
    let (_, after) = text.split_once("duplicate of ")?;
    let end = after.char_indices().nth(40).map_or(after.len(), |(at, _)| at);
    ids(after.get(..end)?).into_iter().next()
}

fn append(found: &mut Vec<AdvisoryId>, text: Option<&str>) {
    for id in ids(text.unwrap_or_default()) {
        if found.len() >= MAX_MENTIONS {
            break;
        }
        if !found.contains(&id) {
            found.push(id);
        }
    }
}

/// The key of a canonical link, unless it leads to the front page of a site, which many unrelated entries do.
fn link_key(link: &str) -> Option<StoryKey> {
    let place = link.strip_prefix("https://")?;
    place.contains(['/', '?', '#']).then(|| StoryKey::Link(link.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::fingerprint;

    fn joins(title: &str, summary: &str, link: &str) -> Vec<String> {
        let entry = Entry {
            title: Some(title.into()),
            summary: Some(summary.into()),
            link: (!link.is_empty()).then(|| link.into()),
            ..Entry::default()
        };
        keys(&entry, &fingerprint(&entry)).joins.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_id_in_the_title_joins_before_those_of_the_text_and_the_link() {
        assert_eq!(
            joins("Flaw CVE-2099-0002", "GHSA-jfh8-c2jp-5v3q, RHSA-2099:0001", "https://cert.example/a"),
            ["cve:CVE-2099-0002", "id:GHSA-jfh8-c2jp-5v3q", "id:RHSA-2099:0001", "link:https://cert.example/a"]
        );
        assert_eq!(joins("Flaw", "CVE-2099-0002 CVE-2099-0001", ""), ["cve:CVE-2099-0002", "cve:CVE-2099-0001"]);
    }

    #[test]
    fn an_advisory_that_names_another_of_its_kind_is_not_about_the_other() {
        assert_eq!(
            joins("Flaw CVE-2099-0002", "unlike CVE-2099-0001; RHSA-2099:0001", ""),
            ["cve:CVE-2099-0002", "id:RHSA-2099:0001"]
        );
    }

    #[test]
    fn a_declared_duplicate_joins_what_it_duplicates() {
        let text = "This advisory has been withdrawn because it is a duplicate of GHSA-jfh8-c2jp-5v3q. CVE-2099-0001";
        let joined = joins("Duplicate: flaw GHSA-2222-3333-4444", text, "");
        assert_eq!(joined, ["id:GHSA-2222-3333-4444", "cve:CVE-2099-0001", "id:GHSA-jfh8-c2jp-5v3q"]);
    }

    #[test]
    fn the_text_of_an_entry_that_names_more_than_three_joins_nothing() {
        let four = "CVE-2099-0001 CVE-2099-0002 CVE-2099-0003 CVE-2099-0004";
        assert_eq!(joins("Patch day", four, ""), Vec::<String>::new());
        assert_eq!(joins("Patch day", four, "https://cert.example/b"), ["link:https://cert.example/b"]);
        assert_eq!(joins("Flaw CVE-2099-0009", four, ""), ["cve:CVE-2099-0009"]);
        assert_eq!(joins(four, "CVE-2099-0001", ""), Vec::<String>::new());
    }

    #[test]
    fn the_publishers_own_id_and_link_are_the_entrys_own() {
        let entry = Entry {
            guid: Some("https://advisories.example/ghsa-jfh8-c2jp-5v3q".into()),
            title: Some("[libmarrow] flaw".into()),
            summary: Some("CVE-2099-0001 CVE-2099-0002 CVE-2099-0003 CVE-2099-0004".into()),
            ..Entry::default()
        };
        let keys = keys(&entry, &fingerprint(&entry));
        assert_eq!(keys.joins.iter().map(ToString::to_string).collect::<Vec<_>>(), ["id:GHSA-jfh8-c2jp-5v3q"]);
        assert_eq!(keys.mentions.len(), 5);
    }

    #[test]
    fn an_entry_of_nothing_but_ids_is_read_in_time() {
        let many = |from: u32| (from..from + 4_500).map(|n| format!("CVE-2099-{n:05}")).collect::<Vec<_>>().join(" ");
        let entry = Entry { summary: Some(many(10_000)), body: Some(many(20_000)), ..Entry::default() };
        let keys = keys(&entry, &fingerprint(&entry));
        assert_eq!((keys.joins.len(), keys.mentions.len()), (0, MAX_MENTIONS));
    }

    #[test]
    fn a_front_page_or_a_link_shared_within_a_document_joins_nothing() {
        for link in ["https://vendor.example", "https://vendor.example/", "http://vendor.example/?utm_source=rss"] {
            assert_eq!(joins("t", "s", link), Vec::<String>::new(), "{link}");
        }
        let at =
            |title: &str, link: &str| Entry { title: Some(title.into()), link: Some(link.into()), ..Entry::default() };
        let list = "https://vendor.example/bulletins";
        let entries = [at("a", list), at("b", list), at("c", "https://vendor.example/bulletins/3")];
        let all = keys_in_document(&entries, &entries.each_ref().map(fingerprint));
        assert_eq!(all.iter().map(|keys| keys.joins.len()).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn an_entry_that_keeps_none_of_its_identifiers_is_about_something_else() {
        let of = |title: &str| {
            let entry = Entry {
                title: Some(title.into()),
                link: Some("https://cert.example/weekly".into()),
                ..Entry::default()
            };
            keys(&entry, &fingerprint(&entry))
        };
        let is_same = |before: &str, now: &str| is_same_subject(&of(before), &of(now));
        assert!(is_same("Flaw", "Flaw CVE-2099-0001"));
        assert!(is_same("Flaw CVE-2099-0001", "Flaw CVE-2099-0002 CVE-2099-0001"));
        assert!(!is_same("Flaw CVE-2099-0001", "Flaw CVE-2099-0002"));
    }

    /// A store's story keys: joins entries in order and says which story each ended in.
    fn told(entries: &[(&str, &str)]) -> Vec<usize> {
        let mut held: std::collections::HashMap<StoryKey, usize> = std::collections::HashMap::new();
        let mut stories = 0;
        let mut placed = Vec::new();
        for (title, summary) in entries {
            let entry = Entry { title: Some((*title).into()), summary: Some((*summary).into()), ..Entry::default() };
            let keys = keys(&entry, &fingerprint(&entry));
            let joined = first_held::<usize, std::convert::Infallible>(&keys, &mut |key| Ok(held.get(key).copied()));
            let story = joined.unwrap().unwrap_or_else(|| {
                stories += 1;
                stories
            });
            for key in keys.joins {
                held.entry(key).or_insert(story);
            }
            placed.push(story);
        }
        placed
    }

    #[test]
    fn two_stories_never_merge_and_a_round_up_carries_nothing() {
        let round_up = "CVE-2099-0001 CVE-2099-0002 CVE-2099-0003 CVE-2099-0004 CVE-2099-0005";
        assert_eq!(
            told(&[
                ("Flaw CVE-2099-0001", ""),
                ("Flaw CVE-2099-0002", ""),
                ("Weekly", round_up),
                ("Again CVE-2099-0003", ""),
                ("Both CVE-2099-0002 and CVE-2099-0001", ""),
                ("Again CVE-2099-0001", ""),
                ("Again CVE-2099-0002", ""),
                ("Monthly", round_up),
            ]),
            [1, 2, 3, 4, 2, 1, 2, 5]
        );
    }
}
