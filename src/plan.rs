//! What one answer of a feed means: which entries are new, what becomes of each, and how the feed stands from now
//! on. Pure: what is stored already is looked up through an argument, and the store commits the plan as a whole.

use jiff::SignedDuration;

use crate::{
    cadence,
    identity::{self, Fingerprint, Found, Identified, Key, Known},
    model::{
        entry::{Entry, Format},
        feed::{Feed, FeedState, FeedStatus, Validators},
        id::{EntryNo, OwnerId},
        outcome::CacheHints,
        settings::Config,
        stack::{Marks, Tag, TagKind},
        time::Time,
    },
    route::{self, Assigned, Withheld},
    story::StoryKeys,
};

/// The longest that a feed goes without a whole document: conditional requests cannot see a publisher's mistake.
const FULL_FETCH_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything about an entry that needs no store.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it is compared by.
    pub fingerprint: Fingerprint,
    /// What it is about.
    pub tags: Vec<Tag>,
    /// How bad it says it is.
    pub marks: Marks,
    /// The stories it may belong to.
    pub story: StoryKeys,
}

/// A document that was read, with where it came from.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its format.
    pub format: Format,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// What was found out about each of them, in the same order.
    pub judged: Vec<Judged>,
    /// Lower-case hex SHA-256 of the decoded bytes.
    pub sha256: String,
    /// Their number.
    pub bytes: usize,
    /// The address that answered.
    pub url: String,
    /// Whether some of it could not be read.
    pub partial: bool,
    /// The validators that came with it.
    pub validators: Validators,
    /// RSS `ttl`.
    pub ttl: Option<SignedDuration>,
}

/// What one poll of a feed came to.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A document.
    Document(Box<Arrived>),
    /// Nothing new, said the server.
    NotModified(Validators),
    /// Neither.
    Failed {
        /// The state that it puts the feed in.
        state: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The cause in words.
        cause: String,
    },
}

/// How a feed stands after a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedUpdate {
    /// The status to be stored.
    pub status: FeedStatus,
    /// The state before, where it changed in a way that is evidence.
    pub changed_from: Option<FeedState>,
    /// The HTTP status of a failure.
    pub http_status: Option<u16>,
}

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
}

impl Fate {
    /// The fate's word in the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fate::Assigned => "assigned",
            Fate::Listed(_) => "listed",
            Fate::NotForUs => "not-for-us",
            Fate::Baseline => "baseline",
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
}

/// The validators for the next request: none once a week, so that a publisher whose validators lie is found out.
pub fn validators_to_send(status: &FeedStatus, now: Time) -> Validators {
    // A fetch that lies ahead was dated by a clock that was ahead.
    let week = SignedDuration::ZERO..FULL_FETCH_AFTER;
    let is_fresh = status.full_fetch_at.is_some_and(|at| week.contains(&now.duration_since(at)));
    if is_fresh { status.validators.clone() } else { Validators::default() }
}

/// How the feed stands after this answer.
pub fn feed_update(
    config: &Config,
    feed: &Feed,
    before: &FeedStatus,
    answer: &Answer,
    hints: &CacheHints,
    now: Time,
) -> FeedUpdate {
    let mut status = FeedStatus { attempt: 0, last_poll_at: Some(now), ..before.clone() };
    let (state, cause, http_status, ttl) = match answer {
        Answer::Document(arrived) => {
            // A validator of a document that was read in part would hide the rest behind the next 304.
            status.validators = if arrived.partial { Validators::default() } else { arrived.validators.clone() };
            status.partial = arrived.partial;
            status.full_fetch_at = Some(now);
            // What is missing from a first document that was cut is no news when the next one brings it.
            let is_open = arrived.partial && before.full_fetch_at.is_none();
            status.baseline_at = before.baseline_at.or((!is_open).then_some(now));
            (FeedState::Ok, String::new(), None, arrived.ttl)
        }
        Answer::NotModified(validators) => {
            status.validators.etag = validators.etag.clone().or(status.validators.etag);
            status.validators.last_modified = validators.last_modified.clone().or(status.validators.last_modified);
            (FeedState::Ok, String::new(), None, None)
        }
        Answer::Failed { state, status, cause } => (*state, cause.clone(), *status, None),
    };
    status.failures = if state == FeedState::Ok { 0 } else { before.failures.saturating_add(1) };
    let is_change = before.state != state;
    if is_change {
        status.since = now;
    }
    status.state = state;
    status.cause = cause;
    status.next_poll_at = cadence::next_poll(&cadence::Rhythm {
        now,
        every: feed.every,
        min_interval: config.fetch.min_interval,
        hints,
        ttl,
        state,
        failures: status.failures,
        feed_no: before.no.0,
    });
    // A first answer that can be read is no news about the feed's health.
    let is_news = is_change && !(before.state == FeedState::New && state == FeedState::Ok);
    FeedUpdate { status, changed_from: is_news.then_some(before.state), http_status }
}

/// How a plan looks at what is stored.
pub struct Lookup<'l, E> {
    /// A stored entry of this feed by its key.
    pub known: &'l dyn Fn(&Key) -> Result<Option<Known>, E>,
    /// The marks of the newest revision of an entry whose fate is the baseline; `None` for every other entry.
    pub baseline: &'l dyn Fn(EntryNo) -> Result<Option<Marks>, E>,
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
    let identified = identity::identify(entries.iter().zip(fingerprints), &mut |key| (stored.known)(key))?;
    let total = identified.iter().flatten().count();
    let new_ones: Vec<bool> =
        identified.iter().map(|one| matches!(one, Some(Identified { found: Found::New, .. }))).collect();
    let shown = first_document.then(|| newest(&entries, &new_ones, feed.baseline));
    let mut plans = Vec::new();
    for (i, ((entry, judged), identified)) in entries.into_iter().zip(judged).zip(identified).enumerate() {
        let Some(Identified { key, found }) = identified else { continue };
        let revises = match found {
            Found::New => None,
            Found::Unchanged(_) => continue,
            Found::Changed { entry: known, revision } => Some((known, revision)),
        };
        let is_baseline = match revises {
            Some((known, _)) => (stored.baseline)(known)?.is_some_and(|before| !is_worse(before, judged.marks)),
            None => shown.as_ref().is_some_and(|shown| !shown.contains(&i)),
        };
        plans.push(if is_baseline {
            EntryPlan { key, revises, entry, judged, fate: Fate::Baseline, assigned: Vec::new(), withheld: Vec::new() }
        } else {
            let judgement = route::route(config, feed, &judged.tags, &judged.marks, now);
            let fate = match judgement.fate {
                route::Fate::Assigned => Fate::Assigned,
                route::Fate::Listed(owner) => Fate::Listed(owner),
                route::Fate::NotForUs => Fate::NotForUs,
            };
            EntryPlan {
                key,
                revises,
                entry,
                judged,
                fate,
                assigned: judgement.assignments,
                withheld: judgement.restricted,
            }
        });
    }
    Ok(EntryPlans { entries: plans, total, baseline: first_document })
}

/// Whether an entry says something worse than it did: it is exploited now, or of a higher severity.
fn is_worse(before: Marks, now: Marks) -> bool {
    (now.exploited && !before.exploited) || now.severity > before.severity
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
