//! The occasions for a digest: which stories it is about, and why now. Everything but the digest at its owner's hour
//! is about some stories only.

use jiff::SignedDuration;

use super::{Context, links, story::feed_label};
use crate::{
    model::{
        digest::{About, DigestKind, HandOver, UrgentWait},
        id::OwnerId,
        owner::Owner,
        settings::Config,
        time::Time,
    },
    reminder::{self, Asked, Step},
    store::{OpenRow, PendingRow, Read, StoreError, ToldAgain},
};

/// The shortest while: an hour that has come is not the next one.
const INSTANT: SignedDuration = SignedDuration::from_millis(1);

/// Why a digest is composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The owner's hour has come.
    Scheduled,
    /// Something is urgent.
    Urgent,
    /// Stories came from somebody else.
    Takeover {
        /// From whom.
        from: OwnerId,
        /// Why.
        why: HandOver,
    },
    /// Stories went to somebody else.
    Passed {
        /// To whom.
        to: OwnerId,
        /// Why.
        why: HandOver,
    },
    /// Stories wait for an answer.
    Reminder,
    /// With links that ended, new ones were asked for.
    Links,
    /// There was nothing to say for a week.
    Heartbeat,
}

/// What a digest is about.
#[derive(Debug, Default)]
pub(super) struct Matter {
    /// The stories.
    pub(super) stories: Vec<ToldAgain>,
    /// What it says of them.
    pub(super) about: Option<About>,
}

impl Occasion {
    /// The kind of digest that it makes.
    pub(super) fn kind(&self) -> DigestKind {
        match self {
            Occasion::Scheduled => DigestKind::Scheduled,
            Occasion::Urgent => DigestKind::Urgent,
            Occasion::Takeover { .. } => DigestKind::Takeover,
            Occasion::Passed { .. } => DigestKind::Passed,
            Occasion::Reminder => DigestKind::Reminder,
            Occasion::Links => DigestKind::Links,
            Occasion::Heartbeat => DigestKind::Heartbeat,
        }
    }

    /// What a digest on this occasion is about at this point.
    pub(super) fn matter(
        &self,
        config: &Config,
        read: &Read<'_>,
        owner: &Owner,
        now: Time,
    ) -> Result<Matter, StoreError> {
        let first = |row: PendingRow| ToldAgain { row, told_in: None };
        let (stories, about) = match self {
            Occasion::Scheduled => (own(read, owner, false)?.into_iter().map(first).collect(), None),
            Occasion::Urgent => (own(read, owner, true)?.into_iter().map(first).collect(), None),
            Occasion::Takeover { from, why } => {
                let taken = read.taken_over(&owner.id)?.into_iter();
                let stories = taken.filter(|one| one.from == *from && one.why == *why).map(|one| first(one.row));
                (stories.collect(), Some(About::Takeover { from: name(config, from), why: *why }))
            }
            Occasion::Passed { to, why } => {
                let passed = read.passed(&owner.id, now)?.into_iter();
                let stories: Vec<ToldAgain> =
                    passed.filter(|one| one.to == *to && one.why == *why).map(|one| one.told).collect();
                let told = stories.iter().filter(|story| story.told_in.is_some()).count();
                (stories, Some(About::Passed { to: name(config, to), why: *why, told }))
            }
            Occasion::Reminder => {
                let due = to_remind(config, read, owner, now)?;
                let stories = due.iter().map(|row| read.told_first(row.assignment)).collect::<Result<_, _>>()?;
                (stories, reminder(config, read, owner, &due, now)?)
            }
            Occasion::Links => links::wanted(config, read, owner, now)?,
            Occasion::Heartbeat => (Vec::new(), None),
        };
        Ok(Matter { stories, about })
    }
}

/// The occasions that there are beside the owner's hour and what is urgent, in the order in which their digests go.
pub(super) fn occasions(context: &Context, owner: &Owner, now: Time) -> Result<Vec<Occasion>, StoreError> {
    let config = &context.config;
    let is_quiet = owner.quiet_until(now).is_some();
    let is_here = owner.away_until(now).is_none();
    context.store.read(|read| {
        let mut occasions: Vec<Occasion> = Vec::new();
        // What is left with somebody who is away can go to nobody else.
        for taken in read.taken_over(&owner.id)?.into_iter().filter(|_| !is_quiet) {
            occasions.push(Occasion::Takeover { from: taken.from, why: taken.why });
        }
        for passed in read.passed(&owner.id, now)?.into_iter().filter(|_| is_here) {
            let is_due = match (passed.failed_at, passed.why) {
                // An address that takes nothing is tried once a day.
                (Some(at), _) if at == now => false,
                (Some(at), _) => reminder::hour_has_come(owner, at.saturating_add(INSTANT).unwrap_or(at), now),
                (None, HandOver::Away) => reminder::hour_has_come(owner, passed.at, now),
                (None, _) => !is_quiet,
            };
            if is_due {
                occasions.push(Occasion::Passed { to: passed.to, why: passed.why });
            }
        }
        if is_here && !to_remind(config, read, owner, now)?.is_empty() {
            occasions.push(Occasion::Reminder);
        }
        if !links::wanted(config, read, owner, now)?.0.is_empty() {
            occasions.push(Occasion::Links);
        }
        let mut once = Vec::new();
        for occasion in occasions {
            if !once.contains(&occasion) {
                once.push(occasion);
            }
        }
        Ok(once)
    })
}

/// What waits for an owner as their own; `urgent`: only what does not wait for the hour.
pub(super) fn own(read: &Read<'_>, owner: &Owner, urgent: bool) -> Result<Vec<PendingRow>, StoreError> {
    let taken = read.taken_over(&owner.id)?;
    let mut rows = read.pending(&owner.id, urgent)?;
    rows.retain(|row| taken.iter().all(|one| one.row.no != row.no));
    Ok(rows)
}

/// Why an urgent digest does not go now, if it does not. `so_far`: how many went since the owner's day began.
pub(super) fn urgent_wait(config: &Config, owner: &Owner, so_far: u32, now: Time) -> Option<UrgentWait> {
    if owner.quiet_until(now).is_some() {
        Some(UrgentWait::QuietHours)
    } else {
        (so_far >= config.urgent.per_day).then_some(UrgentWait::Capped)
    }
}

/// What an owner reads of a wait.
pub(super) fn waited_in_words(config: &Config, why: UrgentWait) -> String {
    match why {
        UrgentWait::QuietHours => "It is urgent and waited for the end of your quiet hours.".to_owned(),
        UrgentWait::Capped => {
            format!(
                "It is urgent and waited: the most urgent mails that you get on a day are {}.",
                config.urgent.per_day
            )
        }
    }
}

/// The stories of which an owner is to be reminded now.
fn to_remind(config: &Config, read: &Read<'_>, owner: &Owner, now: Time) -> Result<Vec<OpenRow>, StoreError> {
    let mut open = read.open_of(&owner.id)?;
    open.retain(|row| reminder::step(&config.remind, owner, row.asked(), now) == Step::Remind);
    Ok(open)
}

/// What a reminder says: since when, of which digest, and who is asked next.
fn reminder(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    due: &[OpenRow],
    now: Time,
) -> Result<Option<About>, StoreError> {
    let Some(oldest) = due.iter().min_by_key(|row| row.delivered_at) else { return Ok(None) };
    let mut then: Option<(Time, String)> = None;
    for row in due {
        let asked = Asked { reminded_at: Some(now), ..row.asked() };
        let at = reminder::asks_next_at(&config.remind, owner, asked, now);
        if then.as_ref().is_some_and(|(first, _)| *first <= at) {
            continue;
        }
        let (before, told) = (read.passed_by(row.assignment)?, read.told_first(row.assignment)?.row);
        let label = feed_label(config, read, &told.feed)?;
        let next = reminder::next(config, (&row.owner, &before), (HandOver::NoAnswer, label), now);
        then = next.map(|id| (at, name(config, &id))).or(then);
    }
    let in_reply_to = read.message_id(oldest.digest)?;
    Ok(Some(About::Reminder { since: oldest.delivered_at, in_reply_to, then }))
}

fn name(config: &Config, id: &OwnerId) -> String {
    config.owner(id).map_or_else(|| id.to_string(), |owner| owner.name.clone())
}
