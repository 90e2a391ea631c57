//! What a changed entry means for those who know it: whether it leaves the baseline, and who is told again in which
//! words. Which changes are material is `change`'s to say.

use super::{EntryPlan, Fate};
use crate::{
    change::{self, Change, Kind, Version},
    model::{
        entry::Entry,
        id::{EntryNo, OwnerId},
        settings::Config,
    },
};

/// Where more entries of one document than this changed in one kind, and they are most of it, the publisher has changed
/// how entries are written, not what they say.
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
    /// Whether it was of the baseline and is not any more.
    pub leaves_baseline: bool,
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
    let leaves_baseline = before.is_baseline && !stays_baseline;
    Ok(Some(Revised { change, news, stays_baseline, leaves_baseline }))
}

/// The version that an entry is with these findings.
pub(super) fn version(entry: &Entry, judged: &super::Judged) -> Version {
    Version { entry: entry.clone(), marks: judged.marks, tags: judged.tags.clone() }
}

/// Puts into every plan whom the change is told to, and how. What nearly everything has at once is no news, and takes
/// nothing out of the baseline.
pub(super) fn tell(config: &Config, plans: &mut [EntryPlan], total: usize) {
    let edits = mass_edits(plans, total);
    for plan in plans {
        if plan.left_baseline && plan.change.as_ref().is_some_and(|change| !change.clone().without(&edits).is_worse()) {
            plan.stay_in_baseline();
            continue;
        }
        let Some(news) = plan.news.take().map(|news| news.without(&edits)) else { continue };
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
