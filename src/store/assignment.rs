//! Assignments (story x owner): who gets a story, again when it changed, and what of it waits for a digest.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write, unsigned};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{AssignmentNo, ConfigVersion, DigestNo, EntryNo, FeedId, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
    route::Assigned,
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
    /// What is recorded from this record on answers it.
    pub answered_from: u64,
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

    /// Whether no digest has carried an assignment yet, and it stands.
    pub(super) fn waits(&self, assignment: AssignmentNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM waiting_state WHERE assignment = ?1)")?;
        Ok(query.query_row([assignment.0], |row| row.get(0))?)
    }

    /// The assignments of this story that stand, oldest first.
    pub fn assignments(&self, story: StoryNo) -> Result<Vec<AssignmentRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT assignment.owner, reason, digest_story.digest, urgent, coalesce(log_size, digest.record, 0)
             FROM assignment LEFT JOIN digest_story ON digest_story.assignment = assignment.no
             LEFT JOIN digest ON digest.no = digest_story.digest
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
                    answered_from: unsigned(row.get(4)?),
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
        // What waits and was answered meanwhile answers nothing that comes now.
        let is_answered = match standing {
            Some((before, _, true)) => self.read().is_answered(AssignmentNo(before))?,
            _ => false,
        };
        match (standing, update) {
            (None, _) => self.assign_anew(story, source, Told { assigned, update }, config, now),
            (Some((before, _, waits)), Some(update)) if !waits || is_answered => {
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

    pub(super) fn assign_again(
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
                "INSERT INTO assignment (story, owner, round, entry, revision, reason, urgent, created_at, config, log_size)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT size FROM log_head)) ON CONFLICT DO NOTHING",
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

    pub(super) fn record_routed(
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
