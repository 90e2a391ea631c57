//! Assignments (story x owner), lines under "also published" and what is withheld: what waits for a digest.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        digest::HandOver,
        entry::heading,
        id::{AssignmentNo, ConfigVersion, DigestNo, EntryNo, FeedId, FeedNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
    route::{Assigned, StoodIn, Withheld},
};

/// An assignment that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRow {
    /// Who has the story.
    pub owner: OwnerId,
    /// Why, in one sentence.
    pub reason: String,
    /// The digest that carried it.
    pub digest: Option<DigestNo>,
    /// Whether it did not wait for the hour.
    pub urgent: bool,
    /// Since when.
    pub created_at: Time,
}

/// An owner who gets a story, and what they are told when they have been told of it before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'t> {
    /// Who, why and how soon.
    pub(super) assigned: &'t Assigned,
    /// The sentence that says what changed; `None`: nothing that they would want to hear of again.
    pub(super) update: Option<&'t str>,
}

/// An assignment that no digest has carried yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRow {
    /// The assignment.
    pub no: AssignmentNo,
    /// The story.
    pub story: StoryNo,
    /// The entry that brought it.
    pub entry: EntryNo,
    /// Its revision.
    pub revision: u32,
    /// The feed that it came from.
    pub feed: FeedId,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether it does not wait.
    pub urgent: bool,
    /// Since when.
    pub created_at: Time,
}

/// An assignment that is taken back, and what becomes of its story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassigned {
    /// The assignment.
    pub assignment: AssignmentNo,
    /// Why.
    pub why: HandOver,
    /// Who gets the story now.
    pub to: Option<Assigned>,
    /// Who may not see it any more, and whom to ask.
    pub withheld: Option<Withheld>,
}

/// A line under "also published" that no digest has carried yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRow {
    /// The entry.
    pub entry: EntryNo,
    /// Its feed.
    pub feed: FeedId,
    /// The number of its feed.
    pub feed_no: FeedNo,
    /// Its title; where it has none, the beginning of its text.
    pub title: Option<String>,
    /// Its link.
    pub link: Option<String>,
    /// Whether a digest carried it before: it is told again because it changed.
    pub is_update: bool,
}

/// A story that was withheld and that the owner has not been told of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldRow {
    /// The story.
    pub story: StoryNo,
    /// The feed.
    pub feed: FeedId,
    /// Who has it.
    pub ask: OwnerId,
}

impl Read<'_> {
    /// What waits for this owner's next digest; `urgent`: only what does not wait for the hour.
    pub fn pending(&self, owner: &OwnerId, urgent: bool) -> Result<Vec<PendingRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT assignment.no, assignment.story, assignment.entry, revision, feed.id, reason, assignment.urgent, created_at
             FROM waiting_state JOIN assignment ON assignment.no = waiting_state.assignment
             JOIN entry ON entry.no = assignment.entry JOIN feed ON feed.no = entry.feed
             WHERE waiting_state.owner = ?1 AND waiting_state.urgent >= ?2 ORDER BY assignment.no",
        )?;
        let rows = query.query_map(params![owner.as_str(), urgent], pending_row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Everybody for whom something waits, living owner or not.
    pub fn owners_with_post(&self) -> Result<Vec<OwnerId>, StoreError> {
        let mut query = self
            .tx
            .prepare_cached("SELECT owner FROM waiting_state UNION SELECT owner FROM listing_state ORDER BY 1")?;
        let rows = query.query_map([], |row| Ok(OwnerId::new(row.get::<_, String>(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The lines that wait for this owner, oldest first.
    pub fn listed(&self, owner: &OwnerId) -> Result<Vec<ListedRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT listing.entry, feed.id, feed.no, revision.title, revision.link,
                 substr(coalesce(revision.summary, revision.body), 1, 1000),
                 EXISTS (SELECT 1 FROM digest_listing JOIN standing_digest USING (digest)
                     WHERE digest_listing.entry = listing.entry)
             FROM listing_state
             JOIN listing ON listing.entry = listing_state.entry
             JOIN feed ON feed.no = listing.feed
             JOIN revision ON revision.entry = listing.entry
                 AND revision.n = (SELECT max(n) FROM revision AS newest WHERE newest.entry = listing.entry)
             WHERE listing_state.owner = ?1 ORDER BY feed.id, listing.entry",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(ListedRow {
                    entry: EntryNo(row.get(0)?),
                    feed: FeedId::new(row.get::<_, String>(1)?),
                    feed_no: FeedNo(row.get(2)?),
                    title: heading(
                        row.get::<_, Option<String>>(3)?.as_deref(),
                        row.get::<_, Option<String>>(5)?.as_deref(),
                    ),
                    link: row.get(4)?,
                    is_update: row.get(6)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The stories that were withheld from this owner and not yet told of.
    pub fn withheld(&self, owner: &OwnerId) -> Result<Vec<WithheldRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT story, feed.id, ask FROM withheld JOIN feed ON feed.no = withheld.feed
             WHERE owner = ?1 AND NOT EXISTS (SELECT 1 FROM digest_withheld JOIN standing_digest USING (digest)
                 WHERE digest_withheld.story = withheld.story AND digest_withheld.owner = withheld.owner)
             ORDER BY story",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(WithheldRow {
                    story: StoryNo(row.get(0)?),
                    feed: FeedId::new(row.get::<_, String>(1)?),
                    ask: OwnerId::new(row.get::<_, String>(2)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The assignments of this story that stand, oldest first.
    pub fn assignments(&self, story: StoryNo) -> Result<Vec<AssignmentRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, reason, digest_story.digest, urgent, created_at FROM assignment
             LEFT JOIN digest_story ON digest_story.assignment = assignment.no
             WHERE assignment.story = ?1
                 AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
             ORDER BY assignment.no",
        )?;
        let rows = query
            .query_map([story.0], |row| {
                let digest: Option<i64> = row.get(2)?;
                Ok(AssignmentRow {
                    owner: OwnerId::new(row.get::<_, String>(0)?),
                    reason: row.get(1)?,
                    digest: digest.map(DigestNo),
                    urgent: row.get(3)?,
                    created_at: from_millis(row.get(4)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Assigns a story to an owner who does not have it yet, has it without its urgency, or was told of it before
    /// something changed that is worth telling; whether that was new. Who has not been told yet just reads the newest
    /// revision.
    pub(super) fn assign(
        &mut self,
        story: StoryNo,
        source: (EntryNo, u32),
        Told { assigned, update }: Told<'_>,
        config: ConfigVersion,
        now: Time,
    ) -> Result<bool, StoreError> {
        let standing: Option<(i64, bool, bool)> = self
            .tx
            .prepare_cached(
                "SELECT no, urgent, EXISTS (SELECT 1 FROM waiting_state WHERE waiting_state.assignment = no)
                 FROM assignment WHERE story = ?1 AND owner = ?2
                     AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
                 ORDER BY round DESC LIMIT 1",
            )?
            .query_row(params![story.0, assigned.owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        match (standing, update) {
            (None, _) => self.assign_anew(story, source, Told { assigned, update }, config, now),
            (Some((before, _, false)), Some(update)) => {
                self.supersede(AssignmentNo(before), now)?;
                self.assign_again(story, source, &updated(assigned, update), config, now)
            }
            (Some((before, false, _)), _) if assigned.urgent => {
                // What waits for the hour is told at once; what was told without urgency is told once more.
                self.supersede(AssignmentNo(before), now)?;
                let was_told = self.read().is_told(story, &assigned.owner)?;
                let told = match update.filter(|_| was_told) {
                    Some(update) => updated(assigned, update),
                    None => assigned.clone(),
                };
                self.assign_again(story, source, &told, config, now)
            }
            (Some(_), _) => Ok(false),
        }
    }

    /// Assigns a story to an owner who does not have it, or not any more: what was passed on stays with whoever has it in
    /// their place, until something is worth telling; then both are told.
    fn assign_anew(
        &mut self,
        story: StoryNo,
        source: (EntryNo, u32),
        Told { assigned, update }: Told<'_>,
        config: ConfigVersion,
        now: Time,
    ) -> Result<bool, StoreError> {
        let Some((holder, held)) = self.read().held_instead_of(story, &assigned.owner)? else {
            return self.assign_again(story, source, assigned, config, now);
        };
        let Some(update) = update else {
            let is_worse = assigned.urgent && !held.urgent;
            return if is_worse { self.assign_again(story, source, assigned, config, now) } else { Ok(false) };
        };
        self.supersede(holder, now)?;
        let held = Assigned { urgent: held.urgent || assigned.urgent, ..held };
        self.assign_again(story, source, &updated(&held, update), config, now)?;
        self.assign_again(story, source, &updated(assigned, update), config, now)
    }

    pub(super) fn supersede(&mut self, assignment: AssignmentNo, now: Time) -> Result<(), StoreError> {
        self.tx.execute(
            "INSERT INTO reassigned (assignment, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![assignment.0, millis(now)],
        )?;
        Ok(())
    }

    /// Takes an assignment of this owner back; whether it still stood. Whoever gets it back is simply told again.
    fn take_back(&mut self, moved: &Reassigned, from: &OwnerId, now: Time) -> Result<bool, StoreError> {
        let is_told_again = moved.to.as_ref().is_some_and(|to| to.owner == *from);
        let why = if is_told_again { "" } else { moved.why.as_str() };
        let taken = self.tx.execute(
            "INSERT INTO reassigned (assignment, at, why) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![moved.assignment.0, millis(now), why],
        )?;
        Ok(taken > 0)
    }

    fn assign_again(
        &mut self,
        story: StoryNo,
        source: (EntryNo, u32),
        assigned: &Assigned,
        config: ConfigVersion,
        now: Time,
    ) -> Result<bool, StoreError> {
        let round: i64 = self
            .tx
            .prepare_cached("SELECT coalesce(max(round), 0) + 1 FROM assignment WHERE story = ?1 AND owner = ?2")?
            .query_row(params![story.0, assigned.owner.as_str()], |row| row.get(0))?;
        self.assign_round((story, round), source, assigned, config, now)
    }

    fn assign_round(
        &mut self,
        (story, round): (StoryNo, i64),
        (entry, revision): (EntryNo, u32),
        assigned: &Assigned,
        config: ConfigVersion,
        now: Time,
    ) -> Result<bool, StoreError> {
        let written = self
            .tx
            .prepare_cached(
                "INSERT INTO assignment (story, owner, round, entry, revision, reason, urgent, created_at, config)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                story.0,
                assigned.owner.as_str(),
                round,
                entry.0,
                revision,
                assigned.reason,
                assigned.urgent,
                millis(now),
                config.0,
            ])?;
        if written == 0 {
            return Ok(false);
        }
        self.record_routed(story, (entry, revision), assigned, config, now)?;
        Ok(true)
    }

    fn record_routed(
        &mut self,
        story: StoryNo,
        (entry, revision): (EntryNo, u32),
        assigned: &Assigned,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let event = Event::EntryRouted {
            entry,
            revision,
            story,
            owner: Personal::owner(&assigned.owner),
            reason: Personal::of(&assigned.owner, assigned.reason.clone()),
            urgent: assigned.urgent,
            config,
        };
        self.record(event, now)?;
        Ok(())
    }

    /// Takes an assignment back and gives its story to whom it belongs now; whoever has it already is not told of it
    /// twice. What was answered or taken back meanwhile stays as it is, and so does what would go back to somebody
    /// from whom it came.
    pub fn reassign(&mut self, moved: &Reassigned, config: ConfigVersion, now: Time) -> Result<(), StoreError> {
        let (story, source, feed, from): (i64, (i64, u32), i64, String) = self
            .tx
            .prepare_cached(
                "SELECT assignment.story, assignment.entry, revision, feed, owner FROM assignment
                 JOIN entry ON entry.no = assignment.entry WHERE assignment.no = ?1",
            )?
            .query_row([moved.assignment.0], |row| {
                Ok((row.get(0)?, (row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?))
            })?;
        let (story, source, from) = (StoryNo(story), (EntryNo(source.0), source.1), OwnerId::new(from));
        if self.read().is_answered(moved.assignment)?
            || self.goes_in_a_circle(moved)?
            || !self.take_back(moved, &from, now)?
        {
            return Ok(());
        }
        if let Some(assigned) = &moved.to {
            // Who passed this story on themselves is not asked for it: it is with whoever has it in their place.
            let holder = self.read().held_instead_of(story, &assigned.owner)?.map(|(_, held)| held.owner);
            let assigned = &Assigned { owner: holder.unwrap_or(assigned.owner.clone()), ..assigned.clone() };
            if assigned.owner != from && self.ask_again(story, &assigned.owner, now)? {
                self.assign_again(story, source, assigned, config, now)?;
            } else if !self.assign(story, source, Told { assigned, update: None }, config, now)? {
                // The story is with them already: the log still says that this share of it came to them.
                self.record_routed(story, source, assigned, config, now)?;
            }
            if assigned.owner != from {
                self.hand_over(moved, (story, &from, &assigned.owner), (config, false), now)?;
            }
        }
        if let Some(withheld) = &moved.withheld {
            self.withhold(story, FeedNo(feed), withheld, config, now)?;
        }
        Ok(())
    }

    /// Takes back what somebody was told of a story and has answered for themselves, so that they can be asked for somebody
    /// else's share of it; whether there was such a thing.
    fn ask_again(&mut self, story: StoryNo, owner: &OwnerId, now: Time) -> Result<bool, StoreError> {
        let Some(standing) = self.read().standing(story, owner)? else { return Ok(false) };
        let is_answered = self.read().is_answered(standing)?;
        if is_answered {
            self.supersede(standing, now)?;
        }
        Ok(is_answered)
    }

    /// Notes that somebody gets a story in the place of an owner who is away and does not have it: so that the owner can
    /// be told of it, and it is not asked of them when a second source brings it.
    pub(super) fn stood_in(
        &mut self,
        story: StoryNo,
        source: (EntryNo, u32),
        StoodIn { meant, by }: &StoodIn,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let has_it = self.read().standing(story, &meant.owner)?.is_some();
        if has_it || self.read().held_instead_of(story, &meant.owner)?.is_some() {
            return Ok(());
        }
        self.assign_again(story, source, meant, config, now)?;
        let Some(assignment) = self.read().standing(story, &meant.owner)? else { return Ok(()) };
        let moved = Reassigned { assignment, why: HandOver::Away, to: None, withheld: None };
        self.take_back(&moved, &meant.owner, now)?;
        self.hand_over(&moved, (story, &meant.owner, by), (config, true), now)
    }

    /// Lists an entry under "also published" for an owner.
    pub(super) fn list(&mut self, entry: EntryNo, feed: FeedNo, owner: &OwnerId, now: Time) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO listing (entry, feed, owner, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![entry.0, feed.0, owner.as_str(), millis(now)])?;
        Ok(())
    }

    pub(super) fn withhold(
        &mut self,
        story: StoryNo,
        feed: FeedNo,
        withheld: &Withheld,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let written = self
            .tx
            .prepare_cached(
                "INSERT INTO withheld (story, owner, feed, ask, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![story.0, withheld.owner.as_str(), feed.0, withheld.ask.as_str(), millis(now)])?;
        if written > 0 {
            let owner = Personal::owner(&withheld.owner);
            self.record(Event::Withheld { story, owner, ask: Personal::owner(&withheld.ask), config }, now)?;
        }
        Ok(())
    }
}

/// The first columns: number, story, entry, revision, feed, reason, urgency and moment of an assignment.
pub(super) fn pending_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<PendingRow> {
    Ok(PendingRow {
        no: AssignmentNo(row.get(0)?),
        story: StoryNo(row.get(1)?),
        entry: EntryNo(row.get(2)?),
        revision: row.get(3)?,
        feed: FeedId::new(row.get::<_, String>(4)?),
        reason: row.get(5)?,
        urgent: row.get(6)?,
        created_at: from_millis(row.get(7)?),
    })
}

/// Tells what changed before it tells why.
fn updated(assigned: &Assigned, update: &str) -> Assigned {
    Assigned { reason: format!("{update} {}", assigned.reason), ..assigned.clone() }
}
