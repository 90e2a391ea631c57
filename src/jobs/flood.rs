//! Floods: hold what a feed pours out, tell its owner, record the decision, and release what was held in small steps.

use url::Url;

use super::{
    Context, Fault,
    story::{feed_label, feed_name},
};
use crate::{
    model::{
        feed::{Feed, FeedStatus, Tlp, Unmatched},
        flood::{Decided, Decision, FloodPage, HeldFlood, NewDecision},
        id::{DigestNo, FeedId, FloodNo, OwnerId},
        owner::Owner,
        settings::Config,
        stack::{Marks, Tag},
        time::Time,
    },
    plan::{self, EntryPlans, Floods},
    route::{self, Fate, Judgement},
    store::{FloodRow, HeldEntry, Read, Store, StoreError, Write},
};

/// How many entries one transaction releases, so that people who want to answer do not wait.
const BATCH: usize = 250;
/// How many titles the page shows.
const TITLES: usize = 12;

/// Holds the new entries of a flood and keeps back what is changed of entries that are held.
pub(super) fn hold(
    read: &Read<'_>,
    (config, feed): (&Config, &Feed),
    before: &FeedStatus,
    plans: &mut EntryPlans,
    now: Time,
) -> Result<(), StoreError> {
    let changes = plans.entries.iter().any(|plan| plan.revises.is_some());
    if changes && read.was_flooded(before.no)? {
        let floods = Floods {
            held_back: &|entry| read.held_back(entry),
            sent: &|flood| read.flood_sent(flood),
            if_matching: &|judged| if_matching(config, feed, (&judged.tags, judged.marks), now),
        };
        plan::keep_back(plans, &floods)?;
    }
    if plan::may_be_flood(plans) {
        plan::hold_flood(plans, &read.feed_history(before.no, before.baseline_at)?);
    }
    Ok(())
}

/// The floods that this owner has to decide about: those of their own feeds, and of owners for whom they stand in.
pub(super) fn to_decide(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    now: Time,
) -> Result<Vec<FloodRow>, StoreError> {
    let mut floods = Vec::new();
    for flood in read.open_floods()? {
        let meant = config.feed(&flood.feed).map_or(&config.fallback, |feed| &feed.owner);
        if route::stand_in(config, meant, feed_label(config, read, &flood.feed)?, now).as_ref() == Some(&owner.id) {
            floods.push(flood);
        }
    }
    Ok(floods)
}

/// How many entries of a feed wait for a decision and who decides once nobody has the feed any more; `None`: none wait.
pub fn left_by(
    store: &Store,
    config: &Config,
    feed: &FeedId,
    now: Time,
) -> Result<Option<(usize, Option<OwnerId>)>, StoreError> {
    store.read(|read| {
        let Some(flood) = read.newest_flood(feed)?.filter(|flood| flood.decided.is_none()) else { return Ok(None) };
        Ok(Some((flood.entries, route::stand_in(config, &config.fallback, read.feed_label(feed)?, now))))
    })
}

/// A flood as the digest tells of it.
pub(super) fn told(config: &Config, read: &Read<'_>, flood: &FloodRow) -> Result<HeldFlood, StoreError> {
    Ok(HeldFlood {
        feed: feed_name(config, &flood.feed),
        entries: flood.entries,
        usual: flood.usual,
        sent: flood.sent,
        has_changed: flood.has_changed,
        matched: named_matches(config, read, flood.no)?,
        flood: flood.no,
    })
}

fn named_matches(config: &Config, read: &Read<'_>, flood: FloodNo) -> Result<Vec<(String, usize)>, StoreError> {
    let matches = read.flood_matches(flood)?;
    let name = |id: &str| config.components.iter().find(|one| one.id.as_str() == id).map(|one| one.name.clone());
    Ok(matches.into_iter().map(|(id, count)| (name(&id).unwrap_or(id), count)).collect())
}

/// What stands behind a link to a flood. `None`: the digest does not tell of it. Changes nothing.
pub fn page(
    store: &Store,
    config: &Config,
    (digest, flood): (DigestNo, FloodNo),
    now: Time,
) -> Result<Option<FloodPage>, StoreError> {
    store.read(|read| {
        let Some(row) = read.digest(digest)? else { return Ok(None) };
        let Some(flood) = read.flood(flood)? else { return Ok(None) };
        if !read.tells_of_flood(digest, flood.no)? {
            return Ok(None);
        }
        let owner = config.owner(&row.owner);
        let may_see = feed_label(config, read, &flood.feed)? <= owner.map_or(Tlp::Clear, |owner| owner.tlp);
        let decided = flood.decided.clone().map(|given| {
            let name = config.owner(&given.owner).map_or_else(|| given.owner.to_string(), |owner| owner.name.clone());
            (given, name)
        });
        Ok(Some(FloodPage {
            flood: flood.no,
            digest,
            owner: row.owner.clone(),
            owner_name: owner.map_or_else(|| row.owner.to_string(), |owner| owner.name.clone()),
            may_decide: owner.is_some_and(|owner| owner.is_living(now)),
            timezone: owner.map_or(jiff::tz::TimeZone::UTC, |owner| owner.timezone.clone()),
            feed: feed_name(config, &flood.feed),
            at: flood.at,
            entries: flood.entries,
            usual: flood.usual,
            sent: flood.sent,
            has_changed: flood.has_changed,
            matched: named_matches(config, read, flood.no)?,
            titles: if may_see { read.flood_titles(flood.no, TITLES)? } else { Vec::new() },
            decided,
        }))
    })
}

/// Records a decision with its evidence, or finds the one that stands. `None`: there is no such flood. The entries
/// are released by [`release_due`].
pub fn decide(store: &Store, new: &NewDecision, now: Time) -> Result<Option<Decided>, StoreError> {
    store.write(|write| write.decide_flood(new, now))
}

/// Releases what was decided about, a few hundred entries at a time; how many.
pub fn release_due(context: &Context) -> Result<usize, Fault> {
    let mut total = 0;
    for flood in context.store.read(|read| read.floods_to_release())? {
        let Some(feed) = context.store.read(|read| feed_of(&context.config, read, &flood))? else { continue };
        let Some(decision) = flood.decided.as_ref().map(|given| given.decision) else { continue };
        while !context.stop.is_asked() {
            let now = context.now();
            let count = context.store.write(|write| release_some(context, write, (&flood, &feed, decision), now))?;
            context.pulse.beat();
            if count == 0 {
                break;
            }
            total += count;
        }
    }
    Ok(total)
}

/// The feed of a flood. What one that was dropped left is the fallback owner's, under the label that it had.
fn feed_of(config: &Config, read: &Read<'_>, flood: &FloodRow) -> Result<Option<Feed>, StoreError> {
    if let Some(feed) = config.feed(&flood.feed) {
        return Ok(Some(feed.clone()));
    }
    let address = read.feed_address(flood.feed_no)?;
    let Some(url) = address.and_then(|address| Url::parse(&address).ok()) else { return Ok(None) };
    Ok(Some(Feed {
        id: flood.feed.clone(),
        name: flood.feed.to_string(),
        url,
        owner: config.fallback.clone(),
        group: None,
        every: config.fetch.every,
        every_stated: false,
        a_im: false,
        expect: None,
        unmatched: Unmatched::List,
        baseline: 0,
        tlp: read.feed_label(&flood.feed)?,
        topics: Vec::new(),
        enabled: false,
    }))
}

fn release_some(
    context: &Context,
    write: &mut Write<'_>,
    (flood, feed, decision): (&FloodRow, &Feed, Decision),
    now: Time,
) -> Result<usize, StoreError> {
    let held = write.read().held_entries(flood.no, BATCH)?;
    let count = held.len();
    if count == 0 {
        return Ok(0);
    }
    let judged: Vec<(HeldEntry, Option<Judgement>)> = held
        .into_iter()
        .map(|one| {
            let waited = one.row.fate == plan::Fate::Held.as_str();
            let judgement = waited.then(|| judgement(&context.config, feed, decision, &one, now));
            (one, judgement)
        })
        .collect();
    write.release((feed, flood.feed_no), judged, context.version, now)?;
    Ok(count)
}

/// Where an entry goes by a decision.
fn judgement(config: &Config, feed: &Feed, decision: Decision, held: &HeldEntry, now: Time) -> Judgement {
    match decision {
        Decision::All => route::route(config, feed, &held.tags, &held.row.marks, now),
        Decision::Matching => if_matching(config, feed, (&held.tags, held.row.marks), now),
        Decision::None => {
            Judgement { assignments: Vec::new(), restricted: Vec::new(), away: Vec::new(), fate: Fate::NotForUs }
        }
    }
}

/// Where an entry goes if it matches something; what the feed says of entries that match nothing is not asked.
fn if_matching(config: &Config, feed: &Feed, (tags, marks): (&[Tag], Marks), now: Time) -> Judgement {
    route::route(config, &Feed { unmatched: Unmatched::None, ..feed.clone() }, tags, &marks, now)
}
