//! Stories that went from one person to another: from whom, to whom, why, and who was told of it.

use rusqlite::{OptionalExtension as _, params};

use super::{PendingRow, Read, Reassigned, StoreError, ToldAgain, Write, assignment::pending_row, signed};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        digest::HandOver,
        id::{AssignmentNo, ConfigVersion, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
    reminder::Link,
    route::Assigned,
};

/// Whether a mail that stands told the owner of a round between the `earlier` and `this`: the earlier one is history then.
const TOLD_BETWEEN: &str = "EXISTS (SELECT 1 FROM assignment AS later
    JOIN digest_story AS told_later ON told_later.assignment = later.no
    JOIN standing_digest ON standing_digest.digest = told_later.digest
    WHERE later.story = this.story AND later.owner = this.owner
        AND later.round > earlier.round AND later.round < this.round)";

/// A story that an owner has in somebody else's place and was not told of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The assignment.
    pub row: PendingRow,
    /// Whose it was.
    pub from: OwnerId,
    /// Why it is theirs no more.
    pub why: HandOver,
}

/// A story that is somebody else's now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The former assignment.
    pub told: ToldAgain,
    /// Who has it now.
    pub to: OwnerId,
    /// Why it is theirs no more.
    pub why: HandOver,
    /// Since when.
    pub at: Time,
    /// When the last mail was composed that told of it and did not arrive, but for one that was too large.
    pub failed_at: Option<Time>,
}

fn why(word: &str) -> HandOver {
    HandOver::parse(word).unwrap_or(HandOver::Left)
}

impl Read<'_> {
    /// The assignment of this story that stands for this owner.
    pub(super) fn standing(&self, story: StoryNo, owner: &OwnerId) -> Result<Option<AssignmentNo>, StoreError> {
        let no: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT no FROM assignment WHERE story = ?1 AND owner = ?2
                     AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
                 ORDER BY round DESC LIMIT 1",
            )?
            .query_row(params![story.0, owner.as_str()], |row| row.get(0))
            .optional()?;
        Ok(no.map(AssignmentNo))
    }

    /// When this owner was given a story, or given it anew; `None`: they do not have it.
    pub fn asked_at(&self, story: StoryNo, owner: &OwnerId) -> Result<Option<Time>, StoreError> {
        let Some(standing) = self.standing(story, owner)? else { return Ok(None) };
        let mut query = self.tx.prepare_cached("SELECT created_at FROM assignment WHERE no = ?1")?;
        Ok(Some(from_millis(query.query_row([standing.0], |row| row.get(0))?)))
    }

    /// What waits for this owner in somebody else's place, oldest first. What a mail told that was taken back before it left
    /// came from whom it came then.
    pub fn taken_over(&self, owner: &OwnerId) -> Result<Vec<TakenOver>, StoreError> {
        let mut query = self.tx.prepare_cached(&format!(
            "WITH RECURSIVE told (waits, no) AS (
                 SELECT assignment, assignment FROM waiting_state WHERE owner = ?1
                 UNION SELECT waits, earlier.no FROM told JOIN assignment AS this ON this.no = told.no
                     JOIN assignment AS earlier ON earlier.story = this.story AND earlier.owner = this.owner
                         AND earlier.round < this.round
                     JOIN reassigned ON reassigned.assignment = earlier.no AND reassigned.why = ''
                     JOIN digest_story ON digest_story.assignment = earlier.no
                     JOIN delivery ON delivery.digest = digest_story.digest
                     JOIN delivery_state ON delivery_state.delivery = delivery.no
                         AND delivery_state.state = 'withdrawn'
                     WHERE NOT {TOLD_BETWEEN})
             SELECT assignment.no, assignment.story, assignment.entry, assignment.revision, feed.id, assignment.reason,
                 assignment.urgent, assignment.created_at, former.owner, handed_over.why
             FROM (SELECT waits, min(handed_over.assignment) AS first FROM told
                   JOIN handed_over ON handed_over.successor = told.no AND NOT handed_over.as_news GROUP BY waits) AS taken
             JOIN assignment ON assignment.no = taken.waits
             JOIN handed_over ON handed_over.assignment = taken.first
             JOIN assignment AS former ON former.no = handed_over.assignment
             JOIN entry ON entry.no = assignment.entry JOIN feed ON feed.no = entry.feed ORDER BY assignment.no",
        ))?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(TakenOver {
                    row: pending_row(row)?,
                    from: OwnerId::new(row.get::<_, String>(8)?),
                    why: why(&row.get::<_, String>(9)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// What this owner was not told yet to be somebody else's now, where they could have answered it themselves. Mails of a
    /// clock that was ahead of `now` count for nothing.
    pub fn passed(&self, owner: &OwnerId, now: Time) -> Result<Vec<Passed>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT handed_over.assignment, handed_over.why, handed_over.at,
                 (SELECT max(composed_at) FROM digest_passed JOIN digest ON digest.no = digest_passed.digest
                  JOIN delivery ON delivery.digest = digest.no
                  WHERE digest_passed.assignment = handed_over.assignment AND composed_at <= ?2 AND NOT EXISTS
                      (SELECT 1 FROM receipt WHERE receipt.delivery = delivery.no AND outcome = 'too-large'))
             FROM passed_state JOIN handed_over ON handed_over.assignment = passed_state.assignment
             WHERE passed_state.owner = ?1 ORDER BY handed_over.assignment",
        )?;
        let found: Vec<(i64, String, i64, Option<i64>)> = query
            .query_map(params![owner.as_str(), millis(now)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut passed = Vec::with_capacity(found.len());
        for (assignment, word, at, failed_at) in found {
            let assignment = AssignmentNo(assignment);
            // It may have gone on from whoever had it first, and back to its owner as well.
            let Some((to, _)) = self.now_with(assignment)?.filter(|(to, _)| to != owner) else { continue };
            let (at, failed_at) = (from_millis(at), failed_at.map(from_millis));
            passed.push(Passed { told: self.told_first(assignment)?, to, why: why(&word), at, failed_at });
        }
        Ok(passed)
    }

    /// The assignment of whoever has a story that this owner passed on.
    pub(super) fn held_instead_of(
        &self,
        story: StoryNo,
        owner: &OwnerId,
    ) -> Result<Option<(AssignmentNo, Assigned)>, StoreError> {
        let held = self
            .tx
            .prepare_cached(
                "WITH RECURSIVE after (no) AS (
                     SELECT successor FROM handed_over WHERE assignment =
                         (SELECT no FROM assignment WHERE story = ?1 AND owner = ?2 ORDER BY round DESC LIMIT 1)
                     UNION SELECT successor FROM handed_over JOIN after ON handed_over.assignment = after.no)
                 SELECT no, owner, reason, urgent FROM assignment
                 WHERE story = ?1 AND owner IN (SELECT owner FROM assignment JOIN after USING (no))
                     AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
                 ORDER BY no DESC LIMIT 1",
            )?
            .query_row(params![story.0, owner.as_str()], |row| {
                let owner = OwnerId::new(row.get::<_, String>(1)?);
                Ok((AssignmentNo(row.get(0)?), Assigned { owner, reason: row.get(2)?, urgent: row.get(3)? }))
            })
            .optional()?;
        Ok(held)
    }

    /// Who has the story of an assignment that went from one person to another, and since when; `None`: it did not, or
    /// nobody has it any more.
    pub fn now_with(&self, assignment: AssignmentNo) -> Result<Option<(OwnerId, Time)>, StoreError> {
        let found = self
            .tx
            .prepare_cached(
                "WITH RECURSIVE after (no, at) AS (
                     SELECT successor, at FROM handed_over WHERE assignment = ?1
                     UNION SELECT successor, handed_over.at FROM handed_over
                         JOIN after ON handed_over.assignment = after.no)
                 SELECT owner, at FROM after JOIN assignment USING (no) ORDER BY at DESC, no DESC LIMIT 1",
            )?
            .query_row([assignment.0], |row| Ok((OwnerId::new(row.get::<_, String>(0)?), from_millis(row.get(1)?))))
            .optional()?;
        Ok(found)
    }

    /// Everybody who had the story of this assignment before, each with the reason why it came to them and why it is
    /// theirs no more, the first of them first. Who is told again because no mail reached them has it from the same people.
    pub fn passed_by(&self, assignment: AssignmentNo) -> Result<Vec<Link>, StoreError> {
        let mut query = self.tx.prepare_cached(&format!(
            "WITH RECURSIVE chain (no) AS (
                 SELECT ?1
                 UNION SELECT handed_over.assignment FROM chain JOIN handed_over ON handed_over.successor = chain.no
                 UNION SELECT earlier.no FROM chain JOIN assignment AS this ON this.no = chain.no
                     JOIN assignment AS earlier ON earlier.story = this.story AND earlier.owner = this.owner
                         AND earlier.round < this.round
                     JOIN reassigned ON reassigned.assignment = earlier.no AND reassigned.why = ''
                     JOIN digest_story ON digest_story.assignment = earlier.no
                 WHERE digest_story.digest NOT IN (SELECT digest FROM standing_digest) AND NOT {TOLD_BETWEEN})
             SELECT owner, reason, handed_over.why FROM chain JOIN handed_over ON handed_over.assignment = chain.no
             JOIN assignment ON assignment.no = chain.no WHERE chain.no <> ?1 ORDER BY assignment.no",
        ))?;
        let rows = query
            .query_map([assignment.0], |row| {
                Ok(Link {
                    owner: OwnerId::new(row.get::<_, String>(0)?),
                    reason: row.get(1)?,
                    why: why(&row.get::<_, String>(2)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Whether this would give a story that `from` has back to somebody who passed it on, but for having been away.
    pub(super) fn goes_in_a_circle(&self, moved: &Reassigned, from: &OwnerId) -> Result<bool, StoreError> {
        // Whoever has it is only told again.
        let passes = |to: &&Assigned| moved.why != HandOver::Left && to.owner != *from;
        let Some(to) = moved.to.as_ref().filter(passes) else { return Ok(false) };
        let before = self.read().passed_by(moved.assignment)?;
        Ok(before.iter().any(|link| link.owner == to.owner && link.why != HandOver::Away))
    }

    /// Notes who has the story of an assignment that was taken back; `as_news`: it never was with its former owner, and
    /// comes to the other like any news.
    pub(super) fn hand_over(
        &mut self,
        moved: &Reassigned,
        (story, from, to): (StoryNo, &OwnerId, &OwnerId),
        (config, as_news): (ConfigVersion, bool),
        now: Time,
    ) -> Result<(), StoreError> {
        let event =
            Event::HandedOver { story, why: moved.why, from: Personal::owner(from), to: Personal::owner(to), config };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO handed_over (assignment, successor, why, as_news, at, record)
             SELECT ?1, no, ?4, ?7, ?5, ?6 FROM assignment WHERE story = ?2 AND owner = ?3
                 AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
             ORDER BY round DESC LIMIT 1",
            params![moved.assignment.0, story.0, to.as_str(), moved.why.as_str(), millis(now), signed(record), as_news],
        )?;
        Ok(())
    }
}
