//! Digest: whose turn it is, what goes in, and freezing the bytes.

use jiff::SignedDuration;

use super::{
    Context, Fault, flood,
    notice::{MoveNotices, notices, unasked},
    story::{SeenStory, feed_label, feed_name, moved},
};
use crate::{
    change, compose,
    model::{
        digest::{AlsoPublished, BaselineNote, Composed, DigestContent, DigestKind, DigestStory, Restricted},
        id::{AssignmentNo, DigestNo, EntryNo, FeedNo, FloodNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        stack::TagKind,
        time::Time,
    },
    route,
    schedule::Schedule,
    store::{ListedRow, NewDigest, NoticeRow, PendingRow, Read, StoreError, WithheldRow, Write},
    token::{self, LinkKey, Scope},
};

/// For how long the links of a digest can be answered.
const LINK_DAYS: i64 = 30;
/// How many lines say what changed in a story.
const MAX_CHANGES: usize = 6;
/// How many lines of one feed stand under "also published".
const LISTED_LINES: usize = 20;
/// The most stories of one digest; the rest follows in the next one at once.
const MAX_STORIES: usize = 5_000;

/// A digest that was composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposedDigest {
    /// Its number.
    pub no: DigestNo,
    /// Whose.
    pub owner: OwnerId,
    /// Its subject.
    pub subject: String,
    /// How many stories it has.
    pub stories: usize,
    /// The name of the owner.
    pub owner_name: String,
    /// The link that answers the whole of it.
    pub answer_all_url: String,
    /// The links that answer its stories, in their order.
    pub answer_urls: Vec<String>,
}

/// What composing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestReport {
    /// The digests, in the order in which they were composed.
    pub digests: Vec<ComposedDigest>,
    /// Owners whose digest could not be composed, and why; what waits for them goes on waiting.
    pub failed: Vec<(OwnerId, String)>,
}

/// For how long a feed must have been blind before it alone is the first thing that an owner hears of sigtrail: a
/// first poll that failed by chance is no reason for a mail.
const FIRST_TROUBLE: SignedDuration = SignedDuration::from_hours(24);

/// After how long a flood that nobody decides about is a reason for a digest again: a week, less what two digests of the same
/// hour may lie apart by a change of the clocks.
const FLOOD_AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24 - 2);

/// What goes into a digest, with what has to be marked as told.
struct Gathered {
    content: DigestContent,
    stories: Vec<(StoryNo, AssignmentNo)>,
    listed: Vec<EntryNo>,
    feeds: Vec<FeedNo>,
    withheld: Vec<StoryNo>,
    baselines: Vec<FeedNo>,
    moves: MoveNotices,
    notices: Vec<(NoticeRow, Time)>,
    floods: Vec<FloodNo>,
    /// Whether more waits than one digest holds.
    is_full: bool,
    checkpoint: Option<u64>,
}

/// Composes every digest that is due: urgent ones at once, the others at their owner's hour. One that cannot be
/// composed is in the report and stops no other.
pub fn digest_due(context: &Context) -> Result<DigestReport, Fault> {
    let now = context.now();
    hand_over(context, now)?;
    let mut report = DigestReport::default();
    for owner in context.config.owners.iter().filter(|owner| owner.is_living(now)) {
        for kind in [DigestKind::Scheduled, DigestKind::Urgent] {
            let Some(planned) = due(context, owner, kind, now)? else { continue };
            match freeze(context, owner, kind, planned, now) {
                Ok(composed) => report.digests.extend(composed),
                Err(Fault::Compose(reason)) => report.failed.push((owner.id.clone(), reason)),
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(report)
}

/// The run of the schedule that a digest is due for, if one is due.
fn due(context: &Context, owner: &Owner, kind: DigestKind, now: Time) -> Result<Option<Time>, Fault> {
    if kind == DigestKind::Urgent {
        let waiting = context.store.read(|read| read.pending(&owner.id, true))?;
        return Ok((!waiting.is_empty()).then_some(now));
    }
    let (last, planned, first_poll_is_due) = context.store.read(|read| {
        Ok((read.last_digest_at(&owner.id)?, read.next_digest_at(&owner.id)?, read.a_first_poll_is_due(now)?))
    })?;
    if last.is_none() {
        return Ok((!first_poll_is_due).then_some(now));
    }
    if let Some(planned) = planned.filter(|planned| *planned <= now) {
        return Ok(Some(planned));
    }
    // Planned later than the next run is what a clock planned that was ahead.
    let next = next_run(owner, now);
    if next.is_some_and(|next| planned.is_none_or(|planned| next < planned)) {
        context.store.write(|write| write.plan_digest(&owner.id, next))?;
    }
    Ok(None)
}

fn next_run(owner: &Owner, now: Time) -> Option<Time> {
    Schedule::parse(&owner.digest).ok().and_then(|schedule| schedule.next_after(&owner.timezone, now))
}

/// Composes and commits one digest, if there is anything to say. Missed hours collapse into one: the next run is
/// planned from now on.
fn freeze(
    context: &Context,
    owner: &Owner,
    kind: DigestKind,
    planned: Time,
    now: Time,
) -> Result<Option<ComposedDigest>, Fault> {
    let mut refused = None;
    let composed = context.store.write(|write| {
        if kind == DigestKind::Scheduled {
            write.plan_digest(&owner.id, next_run(owner, now))?;
        }
        let no = write.next_digest()?;
        let size_limit = write.read().size_limit()?;
        let mut most = MAX_STORIES;
        loop {
            let gathered = gather(context, &write.read(), owner, (kind, no, most), now)?;
            if !gathered.has_news(owner, &write.read(), now)? {
                return Ok(None);
            }
            let composed = match compose::compose(&gathered.content) {
                Ok(composed) => composed,
                Err(error) => {
                    refused = Some(error.to_string());
                    return Ok(None);
                }
            };
            let stories = gathered.stories.len();
            if stories > 1 && size_limit.is_some_and(|limit| limit < composed.bytes.len() as u64) {
                // The mail server takes no message of this size; the rest follows.
                most = stories / 2;
                continue;
            }
            if gathered.is_full && kind == DigestKind::Scheduled {
                write.plan_digest(&owner.id, Some(now))?;
            }
            return commit(write, owner, &gathered, &composed, (no, planned), now).map(Some);
        }
    })?;
    refused.map_or(Ok(composed), |reason| Err(Fault::Compose(reason)))
}

fn commit(
    write: &mut Write<'_>,
    owner: &Owner,
    gathered: &Gathered,
    composed: &Composed,
    (no, planned): (DigestNo, Time),
    now: Time,
) -> Result<ComposedDigest, StoreError> {
    let notices: Vec<NoticeRow> = gathered.notices.iter().map(|(row, _)| *row).collect();
    let new = NewDigest {
        no,
        owner: &owner.id,
        address: &owner.address,
        kind: gathered.content.kind,
        scheduled_for: planned,
        message_id: &gathered.content.message_id,
        composed,
        stories: &gathered.stories,
        listed: &gathered.listed,
        feeds: &gathered.feeds,
        withheld: &gathered.withheld,
        baselines: &gathered.baselines,
        moves: &gathered.moves.told,
        notices: &notices,
        floods: &gathered.floods,
        checkpoint: gathered.checkpoint,
    };
    write.insert_digest(&new, now)?;
    Ok(ComposedDigest {
        no,
        owner: owner.id.clone(),
        subject: composed.subject.clone(),
        stories: gathered.stories.len(),
        owner_name: owner.name.clone(),
        answer_all_url: gathered.content.answer_all_url.clone(),
        answer_urls: gathered.content.stories.iter().map(|story| story.answer_url.clone()).collect(),
    })
}

impl Gathered {
    /// Whether a person would want to be told: a story, a line, a withheld story, a new flood, or a change of a feed's health.
    fn has_news(&self, owner: &Owner, read: &Read<'_>, now: Time) -> Result<bool, StoreError> {
        if !(self.stories.is_empty() && self.listed.is_empty() && self.withheld.is_empty()) {
            return Ok(true);
        }
        if !self.floods.is_empty() {
            // A digest that goes out for another reason tells of it again; for its own sake it is told of once a week.
            let told = read.floods_told(&owner.id)?;
            let last_told = |flood| told.iter().find_map(|(no, at)| (no == flood).then_some(*at));
            if self.floods.iter().any(|flood| last_told(flood).is_none_or(|at| now.duration_since(at) >= FLOOD_AGAIN)) {
                return Ok(true);
            }
        }
        if self.moves.is_question {
            return Ok(true);
        }
        if read.last_digest_at(&owner.id)?.is_some() {
            return Ok(!self.notices.is_empty());
        }
        let settled = now.saturating_sub(FIRST_TROUBLE).unwrap_or(now);
        Ok(self.notices.iter().any(|(_, since)| *since <= settled))
    }
}

/// The mail that would go out now, without committing anything; `None`: there is nothing to say.
pub fn preview(context: &Context, owner: &Owner) -> Result<Option<Composed>, Fault> {
    let now = context.now();
    let gathered = context.store.read(|read| {
        let gathered = gather(context, read, owner, (DigestKind::Scheduled, DigestNo(0), MAX_STORIES), now)?;
        Ok(gathered.has_news(owner, read, now)?.then_some(gathered))
    })?;
    let Some(gathered) = gathered else { return Ok(None) };
    compose::compose(&gathered.content).map(Some).map_err(|error| Fault::Compose(error.to_string()))
}

fn gather(
    context: &Context,
    read: &Read<'_>,
    owner: &Owner,
    (kind, no, most): (DigestKind, DigestNo, usize),
    now: Time,
) -> Result<Gathered, StoreError> {
    let config = &context.config;
    let urgent_only = kind == DigestKind::Urgent;
    let links = Links { key: &context.link_key, base: config.web.base_url.as_str().trim_end_matches('/'), no, now };
    let Waiting { stories: numbered, feeds: mut feeds_in_it, is_full } =
        waiting_stories(config, read, owner, (urgent_only, most), &links)?;
    let (listed, lines) =
        if urgent_only { (Vec::new(), Vec::new()) } else { also_published(config, read, owner, now)? };
    let withheld = if urgent_only { Vec::new() } else { read.withheld(&owner.id)? };
    let (baselines, notes) = if urgent_only { (Vec::new(), Vec::new()) } else { baseline_notes(config, read, owner)? };
    let floods = if urgent_only { Vec::new() } else { flood::to_decide(config, read, owner, now)? };
    let answer_all_url = links.all();
    let held = floods.iter().map(|row| flood::told(config, read, row, &answer_all_url)).collect::<Result<_, _>>()?;
    let feeds = read.feeds()?;
    let moves = if urgent_only { MoveNotices::default() } else { MoveNotices::of(config, read, owner, &feeds, now)? };
    let notices = notices(config, read, owner, &feeds, kind, now)?;
    let checkpoint = read.newest_checkpoint()?;
    let content = DigestContent {
        kind,
        about: None,
        owner: owner.id.clone(),
        owner_name: owner.name.clone(),
        owner_address: owner.address.clone(),
        deputy_name: owner.deputy.as_ref().and_then(|id| config.owner(id)).map(|deputy| deputy.name.clone()),
        timezone: owner.timezone.clone(),
        now,
        also_published: lines,
        not_seen: notices.not_seen,
        notices: moves.lines.clone(),
        seen_again: notices.seen_again,
        unasked: unasked(read, &feeds)?,
        feeds_total: feeds.iter().filter(|feed| feed.enabled).count(),
        baselines: notes,
        held,
        restricted: withheld.iter().map(|row| restricted(config, row)).collect(),
        owns: owned(config, owner),
        answer_all_url,
        checkpoint: checkpoint.as_ref().map(|stored| stored.note.clone()),
        message_id: token::message_id(&context.link_key, no, &owner.address, domain(&config.mail.from_address)),
        from_name: config.mail.from_name.clone(),
        from_address: config.mail.from_address.clone(),
        stories: Vec::new(),
    };
    feeds_in_it.extend(listed.iter().map(|row| row.feed_no).chain(floods.iter().map(|row| row.feed_no)));
    feeds_in_it.extend(&moves.named);
    feeds_in_it.sort_unstable();
    feeds_in_it.dedup();
    let assigned = numbered.iter().map(|(story, pending)| (story.story, pending.no)).collect();
    Ok(Gathered {
        content: DigestContent { stories: numbered.into_iter().map(|(story, _)| story).collect(), ..content },
        stories: assigned,
        listed: listed.into_iter().map(|row| row.entry).collect(),
        feeds: feeds_in_it,
        withheld: withheld.into_iter().map(|row| row.story).collect(),
        baselines,
        moves,
        notices: notices.told,
        floods: floods.into_iter().map(|row| row.no).collect(),
        is_full,
        checkpoint: checkpoint.map(|stored| stored.size),
    })
}

fn restricted(config: &Config, row: &WithheldRow) -> Restricted {
    Restricted {
        feed: feed_name(config, &row.feed),
        tlp: config.feed(&row.feed).map_or_else(String::new, |feed| feed.tlp.to_string()),
        ask: config.owner(&row.ask).map_or_else(|| row.ask.to_string(), |owner| owner.name.clone()),
    }
}

/// The stories that wait for an owner, in their order.
struct Waiting {
    stories: Vec<(DigestStory, PendingRow)>,
    feeds: Vec<FeedNo>,
    is_full: bool,
}

fn waiting_stories(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    (urgent_only, most): (bool, usize),
    links: &Links<'_>,
) -> Result<Waiting, StoreError> {
    let (mut stories, mut feeds) = (Vec::new(), Vec::new());
    let waiting = read.pending(&owner.id, urgent_only)?;
    let is_full = waiting.len() > most;
    for pending in waiting.into_iter().take(most) {
        // A preview may come before what is above the ceiling was handed over.
        if feed_label(config, read, &pending.feed)? > owner.tlp {
            continue;
        }
        if let Some(first_seen) = read.story_first_seen(pending.story)? {
            let (story, of) = story_of(config, read, owner, &pending, first_seen)?;
            feeds.extend(of);
            stories.push((story, pending));
        }
    }
    stories.sort_by_cached_key(|(story, pending)| shown_order(story, pending));
    for (i, (story, _)) in stories.iter_mut().enumerate() {
        story.number = i + 1;
        story.answer_url = links.story(i + 1);
    }
    Ok(Waiting { stories, feeds, is_full })
}

/// Makes the links of one digest.
struct Links<'l> {
    key: &'l LinkKey,
    base: &'l str,
    no: DigestNo,
    now: Time,
}

impl Links<'_> {
    /// One link for the whole digest; a story's link adds its number, so that the page can lead on to the next one.
    fn all(&self) -> String {
        let expires = self.now.saturating_add(SignedDuration::from_hours(24 * LINK_DAYS)).unwrap_or(self.now);
        let scope = Scope { digest: self.no, story: None, expires };
        format!("{}/a/{}", self.base, token::mint(self.key, &scope))
    }

    fn story(&self, number: usize) -> String {
        format!("{}/{number}", self.all())
    }
}

/// The order in a digest: urgent, then components by name and confidence, then topics, then the rest.
fn shown_order(story: &DigestStory, pending: &PendingRow) -> (bool, u8, String, bool, u8, i64) {
    let best = story.tags.first();
    let section = match best.map(|(_, tag)| tag.kind) {
        Some(TagKind::Component) => 0,
        Some(TagKind::Topic) => 1,
        None => 2,
    };
    let name = best.map_or_else(String::new, |(name, _)| name.to_lowercase());
    let confidence = 100 - best.map_or(0, |(_, tag)| tag.confidence.min(100));
    (!story.urgent, section, name, !story.marks.exploited, confidence, pending.no.0)
}

fn story_of(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    pending: &PendingRow,
    first_seen: Time,
) -> Result<(DigestStory, Vec<FeedNo>), StoreError> {
    let seen = SeenStory::of(config, read, owner, pending.story, (pending.entry, &pending.reason))?;
    let story = DigestStory {
        story: pending.story,
        number: 0,
        title: seen.title,
        link: seen.link,
        summary: seen.summary,
        cves: seen.cves,
        marks: seen.marks,
        reason: seen.reason,
        changes: changes(read, pending)?,
        tags: seen.tags,
        sources: seen.sources,
        more_sources: seen.more_sources,
        urgent: pending.urgent,
        published: seen.published,
        first_seen,
        answer_url: String::new(),
    };
    Ok((story, seen.feeds))
}

/// What changed in a story that is told again, since the revision that is told.
fn changes(read: &Read<'_>, pending: &PendingRow) -> Result<Vec<String>, StoreError> {
    if pending.revision == 1 || !pending.reason.contains(change::UPDATED) {
        return Ok(Vec::new());
    }
    let changes = read.changes_since(pending.entry, pending.revision)?;
    Ok(changes.iter().flat_map(change::Change::lines).take(MAX_CHANGES).collect())
}

/// The lines that wait for this owner, and those of people who left or may not see them and for whom this owner
/// stands in; and how they are shown.
fn also_published(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    now: Time,
) -> Result<(Vec<ListedRow>, Vec<AlsoPublished>), StoreError> {
    let mut rows = Vec::new();
    for id in read.owners_with_post()? {
        for row in read.listed(&id)? {
            let label = feed_label(config, read, &row.feed)?;
            if route::stand_in(config, &id, label, now).is_some_and(|to| to == owner.id) {
                rows.push(row);
            }
        }
    }
    rows.sort_by(|a, b| a.feed.cmp(&b.feed).then(a.entry.cmp(&b.entry)));
    let mut shown: Vec<AlsoPublished> = Vec::new();
    for row in &rows {
        let name = feed_name(config, &row.feed);
        if shown.last().is_none_or(|last| last.feed != name) {
            shown.push(AlsoPublished { feed: name, lines: Vec::new(), more: 0 });
        }
        let Some(last) = shown.last_mut() else { continue };
        if last.lines.len() < LISTED_LINES {
            let title = row.title.as_deref().unwrap_or("(no title)");
            let title = if row.is_update { format!("{} {title}", change::UPDATED) } else { title.to_owned() };
            last.lines.push((title, row.link.clone()));
        } else {
            last.more += 1;
        }
    }
    Ok((rows, shown))
}

fn baseline_notes(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
) -> Result<(Vec<FeedNo>, Vec<BaselineNote>), StoreError> {
    let (mut told, mut notes) = (Vec::new(), Vec::new());
    for row in read.baselines_for(owner.id.as_str())? {
        let is_feed_owner = config.feed(&row.id).is_some_and(|feed| feed.owner == owner.id);
        let matched: Vec<(String, usize)> = row
            .matched
            .iter()
            .filter_map(|(id, count)| {
                let component = config.components.iter().find(|one| one.id.as_str() == id)?;
                (is_feed_owner || component.owner == owner.id).then(|| (component.name.clone(), *count))
            })
            .collect();
        if is_feed_owner || !matched.is_empty() {
            told.push(row.feed);
            notes.push(BaselineNote { feed: feed_name(config, &row.id), recorded: row.recorded, matched });
        }
    }
    Ok((told, notes))
}

fn owned(config: &Config, owner: &Owner) -> Vec<String> {
    let components = config.components.iter().filter(|one| one.owner == owner.id).map(|one| one.name.clone());
    let topics = config.topics.iter().filter(|one| one.owner == owner.id).map(|one| one.name.clone());
    components.chain(topics).collect()
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

/// Gives what waits for people who are not living owners any more, or may not see it any more, to those who stand in
/// for them.
fn hand_over(context: &Context, now: Time) -> Result<(), Fault> {
    let config = &context.config;
    let moves = context.store.read(|read| {
        let mut moves = Vec::new();
        for id in read.owners_with_post()? {
            for pending in read.pending(&id, false)? {
                let label = feed_label(config, read, &pending.feed)?;
                let moved = moved(config, (pending.no, &pending.reason, pending.urgent), &id, label, now);
                // What nobody can get waits until somebody can.
                moves.extend(moved.filter(|moved| moved.to.is_some() || moved.withheld.is_some()));
            }
        }
        Ok(moves)
    })?;
    if moves.is_empty() {
        return Ok(());
    }
    context.store.write(|write| {
        for moved in &moves {
            write.reassign(moved, context.version, now)?;
        }
        Ok(())
    })?;
    Ok(())
}
