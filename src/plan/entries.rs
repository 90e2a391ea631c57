//! Which entries of a document are new or changed, and what becomes of each.

use super::{
    Judged,
    flood::{Flood, HeldBack},
    revisions::{self, Hearing, News, Revised, Stored},
};
use crate::{
    change::Change,
    identity::{self, Found, Identified, Key, Known, Shelves},
    model::{
        entry::Entry,
        feed::Feed,
        id::{EntryNo, OwnerId},
        settings::Config,
        stack::TagKind,
        time::Time,
    },
    route::{self, Assigned, Judgement, StoodIn, Withheld},
};

/// What becomes of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes to owners.
    Assigned,
    /// One line for this owner.
    Listed(OwnerId),
    /// Recorded as not for us.
    NotForUs,
    /// Older than our interest in the feed.
    Baseline,
    /// Part of a flood: it waits until a person has decided.
    Held,
}

impl Fate {
    /// The fate's word in the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fate::Assigned => "assigned",
            Fate::Listed(_) => "listed",
            Fate::NotForUs => "not-for-us",
            Fate::Baseline => "baseline",
            Fate::Held => "held",
        }
    }
}

impl From<route::Fate> for Fate {
    fn from(fate: route::Fate) -> Fate {
        match fate {
            route::Fate::Assigned => Fate::Assigned,
            route::Fate::Listed(owner) => Fate::Listed(owner),
            route::Fate::NotForUs => Fate::NotForUs,
        }
    }
}

/// A new or changed entry and what becomes of it.
#[derive(Debug, Clone)]
pub struct EntryPlan {
    /// Its identity in its feed.
    pub key: Key,
    /// The stored entry that this is a revision of, with the number that this one gets.
    pub revises: Option<(EntryNo, u32)>,
    /// The entry.
    pub entry: Entry,
    /// What was found out about it.
    pub judged: Judged,
    /// What becomes of it.
    pub fate: Fate,
    /// Who gets it.
    pub assigned: Vec<Assigned>,
    /// Who may not see it.
    pub withheld: Vec<Withheld>,
    /// In whose place who gets it.
    pub stood_in: Vec<StoodIn>,
    /// Whether it was of the baseline until now: then it is treated like a new one.
    pub left_baseline: bool,
    /// Where it is, if a flood brought it.
    pub held_back: Option<HeldBack>,
    /// What changed, where it is a revision.
    pub change: Option<Change>,
    /// What of the change may be told again; taken when it is decided who is told.
    pub(super) news: Option<News>,
    /// Who is told again if they were told before, and in which sentence.
    pub updates: Vec<(OwnerId, String)>,
    /// Whether its line under "also published" is told again.
    pub is_listed_again: bool,
}

/// The entries of a document, decided.
#[derive(Debug, Clone, Default)]
pub struct EntryPlans {
    /// New and changed ones, in document order.
    pub entries: Vec<EntryPlan>,
    /// How many entries the document has, copies within it not counted.
    pub total: usize,
    /// Whether this is the feed's first document.
    pub baseline: bool,
    /// Keys under which known entries came that have another key of their own.
    pub aliases: Vec<(Key, EntryNo)>,
    /// Whether it brought many more new entries than usual, which are held.
    pub flood: Option<Flood>,
}

/// How a plan looks at what is stored of this feed.
pub struct Lookup<'l, E> {
    /// An entry by its key or alias.
    pub known: &'l dyn Fn(&Key) -> Result<Option<Known>, E>,
    /// So many of the newest entries.
    pub recent: &'l dyn Fn(usize) -> Result<Vec<Known>, E>,
    /// The newest revision of an entry.
    pub stored: &'l dyn Fn(EntryNo) -> Result<Option<Stored>, E>,
    /// What an owner was told of a story.
    pub heard: Hearing<'l, E>,
}

/// Which entries are new or changed and what becomes of them. A changed entry of the baseline stays there, unless it
/// is worse than it was: a publisher who edits a whole page of old entries brings no news.
pub fn entries<E>(
    config: &Config,
    feed: &Feed,
    (entries, judged): (Vec<Entry>, Vec<Judged>),
    first_document: bool,
    now: Time,
    stored: &Lookup<'_, E>,
) -> Result<EntryPlans, E> {
    let fingerprints = judged.iter().map(|judged| &judged.fingerprint);
    let shelves = Shelves { known: stored.known, recent: (!first_document).then_some(stored.recent) };
    let identified = identity::identify(entries.iter().zip(fingerprints), &shelves)?;
    let total = identified.iter().flatten().count();
    let new_ones: Vec<bool> =
        identified.iter().map(|one| matches!(one, Some(Identified { found: Found::New, .. }))).collect();
    let shown = first_document.then(|| newest(&entries, &new_ones, feed.baseline));
    let (mut plans, mut aliases) = (Vec::new(), Vec::new());
    for (i, ((entry, judged), identified)) in entries.into_iter().zip(judged).zip(identified).enumerate() {
        let Some(Identified { key, found, is_alias }) = identified else { continue };
        if let Found::Unchanged(known) | Found::Changed { entry: known, .. } = found
            && is_alias
        {
            aliases.push((key, known));
        }
        let (revises, revised) = match found {
            Found::Unchanged(_) => continue,
            Found::New => (None, None),
            Found::Changed { entry: known, revision } => {
                let version = revisions::version(&entry, &judged);
                (Some((known, revision)), revisions::revised((&version, &judged), known, stored.stored)?)
            }
        };
        let is_baseline = match (&revised, revises) {
            (Some(revised), _) => revised.stays_baseline,
            (None, Some(_)) => false,
            (None, None) => shown.as_ref().is_some_and(|shown| !shown.contains(&i)),
        };
        let plan = EntryPlan::of(key, entry, judged);
        let plan = if is_baseline { plan } else { plan.routed(config, feed, now) };
        plans.push(plan.revising(revises, revised));
    }
    revisions::tell(config, &mut plans, total, stored.heard)?;
    Ok(EntryPlans { entries: plans, total, baseline: first_document, aliases, flood: None })
}

impl EntryPlan {
    /// An entry that goes to nobody.
    fn of(key: Key, entry: Entry, judged: Judged) -> EntryPlan {
        EntryPlan {
            key,
            revises: None,
            entry,
            judged,
            fate: Fate::Baseline,
            assigned: Vec::new(),
            withheld: Vec::new(),
            stood_in: Vec::new(),
            left_baseline: false,
            held_back: None,
            change: None,
            news: None,
            updates: Vec::new(),
            is_listed_again: false,
        }
    }

    fn routed(mut self, config: &Config, feed: &Feed, now: Time) -> EntryPlan {
        let judgement = route::route(config, feed, &self.judged.tags, &self.judged.marks, now);
        self.go(judgement);
        self
    }

    /// Gives it to whom this judgement names.
    pub(super) fn go(&mut self, judgement: Judgement) {
        self.fate = Fate::from(judgement.fate);
        self.assigned = judgement.assignments;
        self.withheld = judgement.restricted;
        self.stood_in = judgement.away;
        self.is_listed_again &= matches!(self.fate, Fate::Listed(_));
    }

    fn revising(mut self, revises: Option<(EntryNo, u32)>, revised: Option<Revised>) -> EntryPlan {
        if revised.as_ref().is_some_and(|revised| !revised.is_same_subject) {
            self.judged.story.joins.clear();
        }
        let left_baseline = revised.as_ref().is_some_and(|revised| revised.leaves_baseline);
        let (change, news) = revised.map(|revised| (revised.change, revised.news)).unzip();
        EntryPlan { revises, left_baseline, change, news: news.flatten(), ..self }
    }
}

/// The newest entries of a first document, as places in it: by stated date, else in document order.
fn newest(entries: &[Entry], wanted: &[bool], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> =
        wanted.iter().enumerate().filter_map(|(i, is_wanted)| is_wanted.then_some(i)).collect();
    let date = |i: &usize| entries.get(*i).and_then(|entry| entry.published.max(entry.updated));
    places.sort_by(|a, b| date(b).cmp(&date(a)).then(a.cmp(b)));
    places.truncate(count);
    places
}

/// How many entries of a first document matched without being mailed, by component.
pub fn baseline_matches(plans: &[EntryPlan]) -> Vec<(String, usize)> {
    let mut matched: Vec<(String, usize)> = Vec::new();
    let tags = plans.iter().filter(|plan| plan.fate == Fate::Baseline).flat_map(|plan| &plan.judged.tags);
    for tag in tags.filter(|tag| tag.kind == TagKind::Component) {
        match matched.iter_mut().find(|(id, _)| *id == tag.id) {
            Some((_, count)) => *count += 1,
            None => matched.push((tag.id.clone(), 1)),
        }
    }
    matched.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    matched
}
