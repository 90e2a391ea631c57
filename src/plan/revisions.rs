//! What a changed entry means for those who know it: whether it leaves the baseline, and who is told again in which
//! words. Which changes are material is `change`'s to say.

use std::collections::{BTreeMap, btree_map};

use super::{EntryPlan, Fate, Judged};
use crate::{
    change::{self, Change, Heard, Kind, Version},
    identity,
    model::{
        entry::Entry,
        id::{EntryNo, OwnerId, StoryNo},
        settings::Config,
    },
    story,
};

/// Where more entries of one document than this changed in one kind, and they are most of it, the publisher has changed
/// how entries are written, not what they say.
const MASS_EDIT: usize = 20;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its newest revision.
    pub version: Version,
    /// Its story.
    pub story: StoryNo,
    /// Whether that revision is of the baseline.
    pub is_baseline: bool,
}

/// A changed entry, compared with what is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revised {
    /// What changed.
    pub change: Change,
    /// What of it may be told again.
    pub news: Option<News>,
    /// Whether it stays in the baseline.
    pub stays_baseline: bool,
    /// Whether it is about what it was about before.
    pub is_same_subject: bool,
    /// Whether it was of the baseline and is not any more.
    pub leaves_baseline: bool,
}

/// A change that is told again to whom it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    entry: EntryNo,
    story: StoryNo,
    change: Change,
}

/// What an owner was told of a story, as it is asked of the store.
pub type Hearing<'h, E> = &'h dyn Fn(StoryNo, &OwnerId) -> Result<Heard, E>;

/// The same, asked once for each story and owner: a document may change hundreds of entries of one story.
struct Ear<'h, E> {
    ask: Hearing<'h, E>,
    heard: BTreeMap<(StoryNo, OwnerId), Heard>,
}

impl<E> Ear<'_, E> {
    /// The part of this change that this owner was not told.
    fn new_to(&mut self, owner: &OwnerId, news: &News) -> Result<Change, E> {
        let heard = match self.heard.entry((news.story, owner.clone())) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(unknown) => unknown.insert((self.ask)(news.story, owner)?),
        };
        Ok(news.change.clone().beyond(news.entry, heard))
    }
}

/// Compares a changed entry with its stored version. `None`: nothing is stored of it.
pub(super) fn revised<E>(
    (now, judged): (&Version, &Judged),
    entry: EntryNo,
    stored: &dyn Fn(EntryNo) -> Result<Option<Stored>, E>,
) -> Result<Option<Revised>, E> {
    let Some(before) = stored(entry)? else { return Ok(None) };
    let change = change::between(&before.version, now);
    let said = &before.version.entry;
    let is_same_subject = story::is_same_subject(&story::keys(said, &identity::fingerprint(said)), &judged.story);
    let stays_baseline = before.is_baseline && !change.is_worse();
    let is_news = change.is_material() && !stays_baseline;
    let news = is_news.then(|| News { entry, story: before.story, change: change.clone() });
    let leaves_baseline = before.is_baseline && !stays_baseline;
    Ok(Some(Revised { change, news, stays_baseline, is_same_subject, leaves_baseline }))
}

/// The version that an entry is with these findings.
pub(super) fn version(entry: &Entry, judged: &Judged) -> Version {
    Version { entry: entry.clone(), marks: judged.marks, tags: judged.tags.clone() }
}

/// Puts into every plan whom the change is told to, and how. What nearly everything has at once is no news, and takes
/// nothing out of the baseline.
pub(super) fn tell<E>(config: &Config, plans: &mut [EntryPlan], total: usize, heard: Hearing<'_, E>) -> Result<(), E> {
    let edits = mass_edits(plans, total);
    let mut ear = Ear { ask: heard, heard: BTreeMap::new() };
    for plan in plans {
        if plan.left_baseline && plan.change.as_ref().is_some_and(|change| !change.clone().without(&edits).is_worse()) {
            plan.stay_in_baseline();
            continue;
        }
        let Some(mut news) = plan.news.take() else { continue };
        news.change = news.change.without(&edits);
        if !news.change.is_material() {
            continue;
        }
        for assigned in &plan.assigned {
            let named = |id: &str| {
                let name = config.components.iter().find(|one| one.id.as_str() == id)?.name.clone();
                assigned.reason.contains(&name).then_some(name)
            };
            if let Some(sentence) = ear.new_to(&assigned.owner, &news)?.sentence(&named) {
                plan.updates.push((assigned.owner.clone(), sentence));
            }
        }
        if let Fate::Listed(owner) = &plan.fate {
            plan.is_listed_again = ear.new_to(owner, &news)?.sentence(&|_| None).is_some();
        }
    }
    Ok(())
}

/// The kinds of change that most of a document has at once.
fn mass_edits(plans: &[EntryPlan], total: usize) -> Vec<Kind> {
    let has = |plan: &&EntryPlan, kind| plan.change.as_ref().is_some_and(|change| change.has(kind));
    let is_mass = |kind: &Kind| {
        let changed = plans.iter().filter(|plan| has(plan, *kind)).count();
        changed > MASS_EDIT && changed * 2 > total
    };
    Kind::ALL.into_iter().filter(is_mass).collect()
}

impl EntryPlan {
    fn stay_in_baseline(&mut self) {
        self.end_at(Fate::Baseline);
        self.left_baseline = false;
    }

    /// The sentence that tells this owner of the change once more.
    pub fn update_for(&self, owner: &OwnerId) -> Option<&str> {
        self.updates.iter().find_map(|(told, sentence)| (told == owner).then_some(sentence.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use super::*;
    use crate::{
        identity::{self, Key, Known, Shelves, fingerprint},
        marks::marks,
        model::feed::{Feed, Unmatched},
        plan::{self, Lookup},
        route,
        story::StoryKeys,
    };

    fn entries(text: &str) -> Vec<Entry> {
        let entry = |n: usize| Entry {
            guid: Some(n.to_string()),
            title: Some(format!("Flaw {n}")),
            summary: Some(text.to_owned()),
            ..Entry::default()
        };
        (0..40).map(entry).collect()
    }

    fn known(entries: &[Entry]) -> BTreeMap<Key, Known> {
        let fingerprints: Vec<_> = entries.iter().map(fingerprint).collect();
        let shelves = Shelves::<Infallible> { known: &|_| Ok(None), recent: None };
        let keys = identity::identify(entries.iter().zip(&fingerprints), &shelves).unwrap();
        (0..)
            .zip(keys.into_iter().flatten())
            .zip(entries.iter().zip(fingerprints))
            .map(|((no, identified), (entry, fingerprint))| {
                let (title, content) = (entry.title.clone(), fingerprint.content);
                let (guid, entry, link) = (entry.guid.clone(), EntryNo(no), None);
                (
                    identified.key,
                    Known { entry, revision: 1, content, guid, title, link, traces: None, is_alias: false },
                )
            })
            .collect()
    }

    #[test]
    fn what_an_owner_was_told_of_a_story_is_looked_up_once_for_a_document() {
        let config = route::tests::config();
        let feed = Feed { unmatched: Unmatched::Owner, ..config.feeds[0].clone() };
        let (before, now) = (entries("A flaw."), entries("A flaw. It is actively exploited."));
        let known = known(&before);
        let judge = |entry: &Entry| Judged {
            fingerprint: fingerprint(entry),
            tags: Vec::new(),
            marks: marks(entry),
            story: StoryKeys::default(),
        };
        let judged = now.iter().map(judge).collect();
        let asked = Cell::new(0);
        let lookup = Lookup::<Infallible> {
            known: &|key| Ok(known.get(key).cloned()),
            recent: &|_| Ok(Vec::new()),
            stored: &|no| {
                let entry = before[usize::try_from(no.0).unwrap()].clone();
                let version = Version { marks: marks(&entry), entry, tags: Vec::new() };
                Ok(Some(Stored { version, story: StoryNo(i64::from(no.0 >= 20)), is_baseline: false }))
            },
            heard: &|_, _| {
                asked.set(asked.get() + 1);
                Ok(Heard::default())
            },
        };
        let at = "2099-01-02T08:00:00Z".parse().unwrap();
        let plans = plan::entries(&config, &feed, (now, judged), false, at, &lookup).unwrap();
        let told = plans.entries.iter().filter(|plan| plan.update_for(&feed.owner).is_some()).count();
        assert_eq!((told, asked.get()), (40, 2), "two stories of one owner");
    }
}
