//! What one owner is told of a story that waits for them, in which order, and who is asked when they do not answer.

use std::{cmp::Reverse, collections::HashMap};

use super::WaitingStory;
use crate::{
    answer, change,
    jobs::{occasion::waited_in_words, story::SeenStory},
    model::{
        digest::{DigestStory, EarlierNote, HandOver, StandIn},
        id::{FeedNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        stack::{Severity, TagKind},
        time::Time,
    },
    reminder::{self, Asked},
    store::{AnswerRow, PendingRow, Read, StoreError},
};

/// How many lines say what changed in a story.
const MAX_CHANGES: usize = 6;
/// How many earlier answers to a story are told.
const MAX_EARLIER: usize = 3;

/// Who is asked when this owner does not answer these stories, and when; `None`: nobody is, or not the same for all of
/// them.
pub(super) fn stand_in(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    stories: &[WaitingStory],
    now: Time,
) -> Result<Option<StandIn>, StoreError> {
    let mut asked: Option<OwnerId> = None;
    for one in stories {
        let before = read.passed_by(one.pending.no)?;
        let next = reminder::next(config, (&owner.id, &before), (HandOver::NoAnswer, one.label), now);
        if next.is_none() || asked.is_some() && asked != next {
            return Ok(None);
        }
        asked = next;
    }
    let at = |urgent| {
        let told = Asked { urgent, delivered_at: now, reminded_at: None, is_reminding: false };
        reminder::asks_next_at(&config.remind, owner, told, now)
    };
    Ok(asked.and_then(|id| config.owner(&id)).map(|next| StandIn {
        name: next.name.clone(),
        urgent_at: at(true),
        calm_at: at(false),
    }))
}

/// How much a story matters beside others: what is exploited first, then the surest match, then the worst.
type Weight = (bool, u8, Reverse<Option<Severity>>);

fn weight(story: &DigestStory) -> Weight {
    let confidence = 100 - story.tags.first().map_or(0, |(_, tag)| tag.confidence.min(100));
    (!story.marks.exploited, confidence, Reverse(story.marks.severity))
}

/// The order in a digest: urgent ones, then those about components, then topics, then the rest. Stories of one component
/// or topic stand together, where the one that matters most puts them.
pub(super) fn ordered(mut stories: Vec<WaitingStory>) -> Vec<WaitingStory> {
    let section = |story: &DigestStory| match story.tags.first().map(|(_, tag)| tag.kind) {
        _ if story.urgent => 0,
        Some(TagKind::Component) => 1,
        Some(TagKind::Topic) => 2,
        None => 3,
    };
    let name = |story: &DigestStory| {
        let tag = story.tags.first().filter(|_| !story.urgent);
        tag.map_or_else(String::new, |(name, _)| name.to_lowercase())
    };
    let mut groups: HashMap<(u8, String), Weight> = HashMap::new();
    for one in &stories {
        let best = groups.entry((section(&one.told), name(&one.told))).or_insert_with(|| weight(&one.told));
        *best = (*best).min(weight(&one.told));
    }
    stories.sort_by_cached_key(|one| {
        let group = (section(&one.told), name(&one.told));
        let best = groups.get(&group).copied();
        (group.0, best, group.1, weight(&one.told), one.pending.no)
    });
    stories
}

/// A story as this owner is told of it, with the feeds whose words it has.
pub(super) fn story_of(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    pending: &PendingRow,
    first_seen: Time,
) -> Result<(DigestStory, Vec<FeedNo>), StoreError> {
    let seen = SeenStory::of(config, read, owner, pending.story, (pending.entry, &pending.reason))?;
    let waited = read.urgent_wait(pending.no)?.map(|why| waited_in_words(config, why));
    let changes = changes(read, pending)?;
    let told_before = if changes.is_empty() { None } else { read.told_at(pending.story, &owner.id)? };
    let (earlier, more_earlier) = earlier(config, read, owner, pending.story, seen.is_whole)?;
    let story = DigestStory {
        story: pending.story,
        title: seen.title,
        link: seen.link,
        summary: seen.summary,
        cves: seen.cves,
        marks: seen.marks,
        exploited_by: seen.exploited_by,
        fix: seen.fix,
        reason: seen.reason,
        waited,
        changes,
        told_before,
        earlier,
        more_earlier,
        tags: seen.tags,
        sources: seen.sources,
        more_sources: seen.more_sources,
        urgent: pending.urgent,
        published: seen.published,
        first_seen,
    };
    Ok((story, seen.feeds))
}

/// What was said of a story before and stands, newest first. What others said is told to those who may see all that they
/// saw.
fn earlier(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    story: StoryNo,
    is_whole: bool,
) -> Result<(Vec<EarlierNote>, usize), StoreError> {
    let answers = read.answers(story)?;
    let mut told: Vec<&AnswerRow> = answer::standing(&answers).iter().map(|one| one.answer).collect();
    told.retain(|answer| is_whole || answer.owner == owner.id);
    let more = told.len().saturating_sub(MAX_EARLIER);
    let newest = told.into_iter().rev().take(MAX_EARLIER).map(|answer| EarlierNote {
        who: config.owner(&answer.owner).map_or_else(|| answer.owner.to_string(), |owner| owner.name.clone()),
        at: answer.at,
        disposition: answer.disposition,
        note: answer.note.clone(),
    });
    Ok((newest.collect(), more))
}

/// What changed in a story that is told again, since the revision that is told.
fn changes(read: &Read<'_>, pending: &PendingRow) -> Result<Vec<String>, StoreError> {
    if pending.revision == 1 || !pending.reason.contains(change::UPDATED) {
        return Ok(Vec::new());
    }
    let changes = read.changes_since(pending.entry, pending.revision)?;
    Ok(changes.iter().flat_map(change::Change::lines).take(MAX_CHANGES).collect())
}
