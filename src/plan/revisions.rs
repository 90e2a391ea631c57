//! What a changed entry means for those who know it: whether it leaves the baseline, and who is told again in which
//! words. Which changes are material is `change`'s to say.

use super::{EntryPlan, Fate};
use crate::{
    change::{self, Change, Version},
    model::{
        entry::Entry,
        id::{EntryNo, OwnerId},
        settings::Config,
    },
};

/// From so many rewritten entries of one document on, if they are most of it, the publisher has changed how entries are
/// written, not what they say.
const MASS_EDIT: usize = 20;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its newest revision.
    pub version: Version,
    /// Whether that revision is of the baseline.
    pub is_baseline: bool,
}

/// A changed entry, compared with what is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revised {
    /// What changed.
    pub change: Change,
    /// The part of it that no other entry of the story said before.
    pub news: Change,
    /// Whether it stays in the baseline.
    pub stays_baseline: bool,
}

/// Compares a changed entry with its stored version; `others` gives the other entries of its story and is asked only
/// where that can decide something. `None`: nothing is stored of it.
pub(super) fn revised<E>(
    now: &Version,
    known: EntryNo,
    stored: &dyn Fn(EntryNo) -> Result<Option<Stored>, E>,
    others: &dyn Fn(EntryNo) -> Result<Vec<Version>, E>,
) -> Result<Option<Revised>, E> {
    let Some(before) = stored(known)? else { return Ok(None) };
    let change = change::between(&before.version, now);
    let stays_baseline = before.is_baseline && !change.is_worse();
    let news = if change.is_material() && !stays_baseline {
        change.clone().beyond(&others(known)?)
    } else {
        Change::default()
    };
    Ok(Some(Revised { change, news, stays_baseline }))
}

/// The version that an entry is with these findings.
pub(super) fn version(entry: &Entry, judged: &super::Judged) -> Version {
    Version { entry: entry.clone(), marks: judged.marks, tags: judged.tags.clone() }
}

/// Puts into every plan whom the change is told to, and how. Where nearly everything was rewritten at once, that alone is no news.
pub(super) fn tell(config: &Config, plans: &mut [EntryPlan], total: usize) {
    let rewritten = plans.iter().filter(|plan| plan.news.as_ref().is_some_and(|news| news.rewritten)).count();
    let is_mass_edit = rewritten > MASS_EDIT && rewritten * 2 > total;
    for plan in plans {
        let Some(mut news) = plan.news.take() else { continue };
        news.rewritten &= !is_mass_edit;
        if !news.is_material() {
            continue;
        }
        plan.updates = plan
            .assigned
            .iter()
            .filter_map(|assigned| {
                let named = |id: &str| {
                    let name = config.components.iter().find(|one| one.id.as_str() == id)?.name.clone();
                    assigned.reason.contains(&name).then_some(name)
                };
                Some((assigned.owner.clone(), news.sentence(&named)?))
            })
            .collect();
        plan.is_listed_again = matches!(plan.fate, Fate::Listed(_)) && news.sentence(&|_| None).is_some();
    }
}

impl EntryPlan {
    /// The sentence that tells this owner of the change once more.
    pub fn update_for(&self, owner: &OwnerId) -> Option<&str> {
        self.updates.iter().find_map(|(told, sentence)| (told == owner).then_some(sentence.as_str()))
    }
}
