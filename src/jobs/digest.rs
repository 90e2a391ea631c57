//! Digest: whose turn it is, what goes in, and freezing the bytes.

mod beside;
mod mails;
mod telling;

use jiff::SignedDuration;

use self::{
    beside::{ListedLines, also_published, baseline_notes, owned, owned_groups, restricted},
    mails::{Sender, commit, composed_parts},
    telling::{ordered, stand_in, story_of},
};
use super::{
    Context, Fault, flood,
    hand_over::hand_over_due,
    notice::{MoveNotices, notices, unasked},
    occasion::{Occasion, occasions, own, urgent_wait},
    story::feed_label,
};
use crate::{
    compose::ComposeError,
    model::{
        digest::{Composed, DigestContent, DigestStory, UrgentWait},
        feed::Tlp,
        id::{AssignmentNo, DigestNo, FeedNo, FloodNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    schedule::Schedule,
    store::{NoticeRow, PendingRow, Read, StoreError, ToldAgain},
};

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

/// After how long without a mail an owner is told that there was nothing: a week, less what two digests of the same hour
/// may lie apart by a change of the clocks.
const HEARTBEAT: SignedDuration = SignedDuration::from_hours(7 * 24 - 2);

/// After how long a flood that nobody decides about is a reason for a digest again: a week, less what two digests of the same
/// hour may lie apart by a change of the clocks.
const FLOOD_AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24 - 2);

/// What goes into a digest, with what has to be marked as told.
struct Gathered {
    content: DigestContent,
    stories: Vec<(StoryNo, AssignmentNo)>,
    /// The feeds whose words each story has.
    story_feeds: Vec<Vec<FeedNo>>,
    /// The entries that each line under "also published" lists or counts, with the feed of each.
    listed: ListedLines,
    /// The feed of each flood.
    flood_feeds: Vec<FeedNo>,
    withheld: Vec<StoryNo>,
    baselines: Vec<FeedNo>,
    moves: MoveNotices,
    /// What the first lines about what could not be seen tell for the first time, and since when it is so.
    troubles: Vec<(NoticeRow, Time)>,
    /// The same for each line about what is seen again.
    recoveries: Vec<(NoticeRow, Time)>,
    floods: Vec<FloodNo>,
    /// Whether more waits than one digest holds.
    is_full: bool,
    checkpoint: Option<u64>,
}

/// Composes every digest that is due: at its owner's hour, or at once where there is an occasion. One that cannot be
/// composed is in the report and stops no other.
pub fn digest_due(context: &Context) -> Result<DigestReport, Fault> {
    let now = context.now();
    hand_over_due(context, now)?;
    let mut report = DigestReport::default();
    for owner in context.config.owners.iter().filter(|owner| owner.is_living(now)) {
        let mut occasions = occasions(context, owner, now)?;
        // The hour comes last: it alone passes when its digest is composed.
        occasions.extend([Occasion::Scheduled, Occasion::Urgent]);
        for occasion in occasions {
            let Some(planned) = due(context, owner, &occasion, now)? else { continue };
            match freeze(context, owner, &occasion, planned, now) {
                Ok(composed) => report.digests.extend(composed),
                Err(Fault::Compose(reason)) => report.failed.push((owner.id.clone(), reason)),
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(report)
}

/// The run of the schedule that a digest is due for, if one is due.
fn due(context: &Context, owner: &Owner, occasion: &Occasion, now: Time) -> Result<Option<Time>, Fault> {
    match occasion {
        Occasion::Scheduled => hour(context, owner, now),
        Occasion::Urgent => Ok(urgent_is_due(context, owner, now)?.then_some(now)),
        Occasion::Takeover { .. } | Occasion::Passed { .. } | Occasion::Reminder | Occasion::Links => Ok(Some(now)),
        // It takes the place of a digest at the owner's hour.
        Occasion::Heartbeat => Ok(None),
    }
}

/// Whether something is urgent and goes now; that it does not is noted.
fn urgent_is_due(context: &Context, owner: &Owner, now: Time) -> Result<bool, Fault> {
    let is_quiet = owner.quiet_until(now).is_some();
    let (mut waiting, so_far) = context.store.read(|read| {
        let mut waiting = Vec::new();
        // What came from somebody else waits for the end of quiet hours as well, and is bound by nothing else.
        for row in if is_quiet { read.pending(&owner.id, true)? } else { own(read, owner, true)? } {
            let before = read.urgent_wait(row.no)?;
            waiting.push((row, before));
        }
        // What is one too many for a day joins the next digest, and is no reason for one.
        waiting.retain(|(_, before)| *before != Some(UrgentWait::Capped));
        if waiting.is_empty() {
            return Ok((waiting, 0));
        }
        Ok((waiting, read.urgent_digests_between(&owner.id, owner.day_began(now), now)?))
    })?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let Some(why) = urgent_wait(&context.config, owner, so_far, now) else { return Ok(true) };
    waiting.retain(|(_, before)| *before != Some(why));
    let rows: Vec<PendingRow> = waiting.into_iter().map(|(row, _)| row).collect();
    if !rows.is_empty() {
        context.store.write(|write| write.urgent_waits(&owner.id, &rows, why, now))?;
    }
    Ok(false)
}

/// The run of the owner's schedule that has come, if one has.
fn hour(context: &Context, owner: &Owner, now: Time) -> Result<Option<Time>, Fault> {
    if owner.away_until(now).is_some() && context.store.read(|read| Ok(own(read, owner, false)?.is_empty()))? {
        // Only what can go to nobody else is sent to who is away; the rest waits for the first hour after the return.
        return plan_return(context, owner, now).map(|()| None);
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

/// Plans the first digest after an absence.
fn plan_return(context: &Context, owner: &Owner, now: Time) -> Result<(), Fault> {
    let back = owner.back_at(now).unwrap_or(now);
    let next = next_run(owner, back.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(back));
    if context.store.read(|read| read.next_digest_at(&owner.id))? != next {
        context.store.write(|write| write.plan_digest(&owner.id, next))?;
    }
    Ok(())
}

fn next_run(owner: &Owner, now: Time) -> Option<Time> {
    Schedule::parse(&owner.digest).ok().and_then(|schedule| schedule.next_after(&owner.timezone, now))
}

/// Composes and commits one digest in as many mails as it takes, if there is anything to say. Missed hours collapse into
/// one: the next run is planned from now on.
fn freeze(
    context: &Context,
    owner: &Owner,
    occasion: &Occasion,
    planned: Time,
    now: Time,
) -> Result<Vec<ComposedDigest>, Fault> {
    let mut refused = None;
    let composed = context.store.write(|write| {
        let is_their_hour = write.read().next_digest_at(&owner.id)?.is_some_and(|at| at <= now);
        if *occasion == Occasion::Scheduled {
            write.plan_digest(&owner.id, next_run(owner, now))?;
        }
        let no = write.next_digest()?;
        let mut gathered = gather(context, &write.read(), owner, occasion, no, now)?;
        if gathered.is_full && *occasion == Occasion::Scheduled {
            write.plan_digest(&owner.id, Some(now))?;
        }
        if !gathered.has_news(owner, &write.read(), now)? {
            let is_quiet = *occasion == Occasion::Scheduled && is_their_hour;
            if !(is_quiet && is_heartbeat_due(&write.read(), owner, now)?) {
                return Ok(Vec::new());
            }
            gathered = gather(context, &write.read(), owner, &Occasion::Heartbeat, no, now)?;
        }
        let sender = Sender { context, owner, first: no, now };
        match composed_parts(&sender, &write.read(), &gathered.content)? {
            Ok(parts) => commit(write, &sender, &gathered, &parts, planned),
            Err(error) => {
                refused = Some(error.to_string());
                Ok(Vec::new())
            }
        }
    })?;
    refused.map_or(Ok(composed), |reason| Err(Fault::Compose(reason)))
}

/// Whether this owner has had no mail for a week; who never had one counts from the first start on.
fn is_heartbeat_due(read: &Read<'_>, owner: &Owner, now: Time) -> Result<bool, StoreError> {
    let last = match read.last_mail_at(&owner.id, now)? {
        Some(at) => Some(at),
        None => read.first_loaded_at()?,
    };
    // What lies ahead was noted by a clock that was wrong.
    Ok(last.is_some_and(|at| at > now || now.duration_since(at) >= HEARTBEAT))
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
        let mut notices = self.troubles.iter().chain(&self.recoveries);
        if read.last_digest_at(&owner.id)?.is_some() {
            return Ok(notices.next().is_some());
        }
        let settled = now.saturating_sub(FIRST_TROUBLE).unwrap_or(now);
        Ok(notices.any(|(_, since)| *since <= settled))
    }
}

/// The mails that would go out now, without committing anything, as they would be: with the numbers, Message-IDs and links
/// that they would get. None: there is nothing to say.
pub fn preview(context: &Context, owner: &Owner) -> Result<Vec<Composed>, Fault> {
    let now = context.now();
    let parts: Result<_, ComposeError> = context.store.read(|read| {
        let no = read.next_digest()?;
        let gathered = gather(context, read, owner, &Occasion::Scheduled, no, now)?;
        if !gathered.has_news(owner, read, now)? {
            return Ok(Ok(Vec::new()));
        }
        composed_parts(&Sender { context, owner, first: no, now }, read, &gathered.content)
    })?;
    let parts = parts.map_err(|error| Fault::Compose(error.to_string()))?;
    Ok(parts.into_iter().map(|part| part.composed).collect())
}

fn gather(
    context: &Context,
    read: &Read<'_>,
    owner: &Owner,
    occasion: &Occasion,
    no: DigestNo,
    now: Time,
) -> Result<Gathered, StoreError> {
    let config = &context.config;
    let is_of_stories = *occasion != Occasion::Scheduled;
    let matter = occasion.matter(config, read, owner, now)?;
    let Waiting { stories: numbered, is_full } = waiting_stories(config, read, owner, matter.stories)?;
    let (listed, lines) =
        if is_of_stories { (Vec::new(), Vec::new()) } else { also_published(config, read, owner, now)? };
    let withheld = if is_of_stories { Vec::new() } else { read.withheld(&owner.id)? };
    let (baselines, notes) =
        if is_of_stories { (Vec::new(), Vec::new()) } else { baseline_notes(config, read, owner)? };
    let floods = if is_of_stories { Vec::new() } else { flood::to_decide(config, read, owner, now)? };
    let feeds = read.feeds()?;
    let moves = if is_of_stories { MoveNotices::default() } else { MoveNotices::of(config, read, owner, &feeds, now)? };
    let notices = notices(config, read, owner, &feeds, occasion.kind(), now)?;
    let checkpoint = read.newest_checkpoint()?;
    let sender = Sender { context, owner, first: no, now };
    let identity = sender.identity(0);
    let content = DigestContent {
        kind: occasion.kind(),
        about: matter.about,
        owner: owner.id.clone(),
        owner_name: owner.name.clone(),
        owner_address: owner.address.clone(),
        stand_in: stand_in(config, read, owner, &numbered, now)?,
        timezone: owner.timezone.clone(),
        now,
        still_open: if *occasion == Occasion::Urgent { 0 } else { read.open_of(&owner.id)?.len() },
        also_published: lines,
        not_seen: notices.not_seen,
        notices: moves.lines.clone(),
        seen_again: notices.seen_again,
        unasked: unasked(read, &feeds)?,
        feeds_total: feeds.iter().filter(|feed| feed.enabled).count(),
        baselines: notes,
        held: floods.iter().map(|row| flood::told(config, read, row)).collect::<Result<_, _>>()?,
        restricted: withheld.iter().map(|row| restricted(config, row)).collect(),
        owns: owned(config, owner),
        groups: owned_groups(config, owner, &feeds),
        answer_all_url: identity.answer_all_url,
        checkpoint: checkpoint.as_ref().map(|stored| stored.note.clone()),
        message_id: identity.message_id,
        thread_root: sender.thread_root(),
        from_name: config.mail.from_name.clone(),
        from_address: config.mail.from_address.clone(),
        stories: numbered.iter().map(|one| one.told.clone()).collect(),
    };
    Ok(Gathered {
        content,
        stories: numbered.iter().map(|one| (one.told.story, one.pending.no)).collect(),
        story_feeds: numbered.into_iter().map(|one| one.feeds).collect(),
        listed,
        flood_feeds: floods.iter().map(|row| row.feed_no).collect(),
        withheld: withheld.into_iter().map(|row| row.story).collect(),
        baselines,
        moves,
        troubles: notices.troubles,
        recoveries: notices.recoveries,
        floods: floods.into_iter().map(|row| row.no).collect(),
        is_full,
        checkpoint: checkpoint.map(|stored| stored.size),
    })
}

/// The stories that wait for an owner, in their order.
struct Waiting {
    stories: Vec<WaitingStory>,
    is_full: bool,
}

/// A story that waits.
struct WaitingStory {
    told: DigestStory,
    pending: PendingRow,
    /// The feeds whose words it has.
    feeds: Vec<FeedNo>,
    /// The label of the feed that brought it.
    label: Tlp,
}

fn waiting_stories(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    waiting: Vec<ToldAgain>,
) -> Result<Waiting, StoreError> {
    let mut stories = Vec::new();
    let is_full = waiting.len() > MAX_STORIES;
    for ToldAgain { row: pending, .. } in waiting.into_iter().take(MAX_STORIES) {
        let label = feed_label(config, read, &pending.feed)?;
        // A preview may come before what is above the ceiling was handed over.
        if label > owner.tlp {
            continue;
        }
        if let Some(first_seen) = read.story_first_seen(pending.story)? {
            let (told, feeds) = story_of(config, read, owner, &pending, first_seen)?;
            stories.push(WaitingStory { told, pending, feeds, label });
        }
    }
    Ok(Waiting { stories: ordered(stories), is_full })
}
