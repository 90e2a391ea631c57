//! What was told and waits for an answer, who was reminded of it, and which urgent stories were not told at once.

use rusqlite::params;

use super::{PendingRow, Read, StoreError, Write, assignment::pending_row, signed};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        digest::UrgentWait,
        id::{AssignmentNo, DigestNo, FeedId, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
    reminder::Asked,
};

/// An assignment that was handed to its owner's server and waits for the owner's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// The assignment.
    pub assignment: AssignmentNo,
    /// The story.
    pub story: StoryNo,
    /// Who is asked.
    pub owner: OwnerId,
    /// Whether it is urgent.
    pub urgent: bool,
    /// When the owner's server took the digest, or it was written.
    pub delivered_at: Time,
    /// When a reminder was handed over, or was composed where it never will be.
    pub reminded_at: Option<Time>,
    /// Whether a reminder is on its way.
    pub is_reminding: bool,
    /// The digest that told it.
    pub digest: DigestNo,
    /// The feed that brought it.
    pub feed: FeedId,
}

impl OpenRow {
    /// Since when, how often and how urgently the owner is asked: what deadlines are made of.
    pub fn asked(&self) -> Asked {
        Asked {
            urgent: self.urgent,
            delivered_at: self.delivered_at,
            reminded_at: self.reminded_at,
            is_reminding: self.is_reminding,
        }
    }
}

/// An assignment that is told of again, and where it was told first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAgain {
    /// The assignment.
    pub row: PendingRow,
    /// The digest that told it first and its number there; `None`: none did.
    pub told_in: Option<(DigestNo, usize)>,
}

impl Read<'_> {
    /// Everything that was handed over and waits for an answer, oldest first.
    pub fn open_assignments(&self) -> Result<Vec<OpenRow>, StoreError> {
        self.open(None)
    }

    /// What was handed over to this owner and waits for their answer, oldest first.
    pub fn open_of(&self, owner: &OwnerId) -> Result<Vec<OpenRow>, StoreError> {
        self.open(Some(owner))
    }

    fn open(&self, owner: Option<&OwnerId>) -> Result<Vec<OpenRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT assignment.no, assignment.story, assignment.owner, assignment.urgent,
                 (SELECT max(finished_at) FROM receipt
                  WHERE receipt.delivery = delivery.no AND outcome IN ('accepted', 'written')) AS delivered_at,
                 CASE WHEN sent_state.state NOT IN ('queued', 'started') THEN coalesce(
                     (SELECT max(finished_at) FROM receipt
                      WHERE receipt.delivery = sent.no AND outcome IN ('accepted', 'written')), reminder.at) END,
                 digest_story.digest, feed.id, coalesce(sent_state.state IN ('queued', 'started'), FALSE)
             FROM open_state JOIN assignment ON assignment.no = open_state.assignment
             JOIN entry ON entry.no = assignment.entry JOIN feed ON feed.no = entry.feed
             JOIN digest_story ON digest_story.assignment = assignment.no
             JOIN delivery ON delivery.digest = digest_story.digest
             JOIN delivery_state ON delivery_state.delivery = delivery.no
             LEFT JOIN reminder ON reminder.assignment = assignment.no AND reminder.digest =
                 (SELECT max(newest.digest) FROM reminder AS newest JOIN delivery AS its ON its.digest = newest.digest
                  JOIN delivery_state AS its_state ON its_state.delivery = its.no
                  WHERE newest.assignment = assignment.no AND its_state.state <> 'withdrawn')
             LEFT JOIN delivery AS sent ON sent.digest = reminder.digest
             LEFT JOIN delivery_state AS sent_state ON sent_state.delivery = sent.no
             WHERE (?1 IS NULL OR open_state.owner = ?1) AND delivery_state.state IN ('accepted', 'written') AND delivered_at IS NOT NULL
             ORDER BY assignment.no",
        )?;
        let rows = query
            .query_map([owner.map(OwnerId::as_str)], |row| {
                Ok(OpenRow {
                    assignment: AssignmentNo(row.get(0)?),
                    story: StoryNo(row.get(1)?),
                    owner: OwnerId::new(row.get::<_, String>(2)?),
                    urgent: row.get(3)?,
                    delivered_at: from_millis(row.get(4)?),
                    reminded_at: row.get::<_, Option<i64>>(5)?.map(from_millis),
                    digest: DigestNo(row.get(6)?),
                    feed: FeedId::new(row.get::<_, String>(7)?),
                    is_reminding: row.get(8)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// An assignment and where it was told first.
    pub fn told_first(&self, assignment: AssignmentNo) -> Result<ToldAgain, StoreError> {
        let told = self
            .tx
            .prepare_cached(
                "SELECT assignment.no, assignment.story, assignment.entry, revision, feed.id, reason, assignment.urgent,
                     created_at, digest_story.digest, digest_story.number
                 FROM assignment JOIN entry ON entry.no = assignment.entry JOIN feed ON feed.no = entry.feed
                 LEFT JOIN digest_story ON digest_story.assignment = assignment.no WHERE assignment.no = ?1",
            )?
            .query_row([assignment.0], |row| {
                let digest: Option<i64> = row.get(8)?;
                let told_in = digest.map(|no| Ok::<_, rusqlite::Error>((DigestNo(no), row.get(9)?))).transpose()?;
                Ok(ToldAgain { row: pending_row(row)?, told_in })
            })?;
        Ok(told)
    }

    /// Whether the owner answered the story since this assignment was made, told or not.
    pub(super) fn is_answered(&self, assignment: AssignmentNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM assignment LEFT JOIN digest_story ON digest_story.assignment = assignment.no
                 LEFT JOIN digest ON digest.no = digest_story.digest
                 JOIN acknowledgement_story ON acknowledgement_story.story = assignment.story
                 JOIN acknowledgement ON acknowledgement.no = acknowledgement_story.acknowledgement
                     AND acknowledgement.owner = assignment.owner
                     AND coalesce(first_record, acknowledgement.record) >= coalesce(log_size, digest.record)
                 WHERE assignment.no = ?1)",
        )?;
        Ok(query.query_row([assignment.0], |row| row.get(0))?)
    }

    /// The Message-ID of a digest, without angle brackets.
    pub fn message_id(&self, digest: DigestNo) -> Result<String, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT message_id FROM digest WHERE no = ?1")?;
        Ok(query.query_row([digest.0], |row| row.get(0))?)
    }

    /// How many urgent digests were composed for this owner since a moment and not after now.
    pub fn urgent_digests_between(&self, owner: &OwnerId, since: Time, now: Time) -> Result<u32, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT count(*) FROM digest WHERE owner = ?1 AND kind = 'urgent' AND composed_at BETWEEN ?2 AND ?3
                 AND EXISTS (SELECT 1 FROM standing_digest WHERE standing_digest.digest = digest.no)",
        )?;
        Ok(query.query_row(params![owner.as_str(), millis(since), millis(now)], |row| row.get(0))?)
    }

    /// Why this assignment, which is urgent, was not told at once: the newest reason.
    pub fn urgent_wait(&self, assignment: AssignmentNo) -> Result<Option<UrgentWait>, StoreError> {
        use rusqlite::OptionalExtension as _;
        let word: Option<String> = self
            .tx
            .prepare_cached("SELECT why FROM urgent_waits WHERE assignment = ?1 ORDER BY record DESC LIMIT 1")?
            .query_row([assignment.0], |row| row.get(0))
            .optional()?;
        Ok(word.and_then(|word| UrgentWait::parse(&word)))
    }
}

impl Write<'_> {
    /// Notes that these urgent stories of an owner are not told now, each once for each reason.
    pub fn urgent_waits(
        &mut self,
        owner: &OwnerId,
        rows: &[PendingRow],
        why: UrgentWait,
        now: Time,
    ) -> Result<(), StoreError> {
        for row in rows {
            if self.read().urgent_wait(row.no)? == Some(why) {
                continue;
            }
            let record =
                self.record(Event::UrgentWaits { story: row.story, why, owner: Personal::owner(owner) }, now)?;
            self.tx.execute(
                "INSERT INTO urgent_waits (assignment, why, at, record) VALUES (?1, ?2, ?3, ?4)",
                params![row.no.0, why.as_str(), millis(now), signed(record)],
            )?;
        }
        Ok(())
    }

    /// Notes of which assignments a digest reminds.
    pub(super) fn insert_reminders(
        &mut self,
        (digest, owner): (DigestNo, &OwnerId),
        stories: &[(StoryNo, AssignmentNo)],
        now: Time,
    ) -> Result<(), StoreError> {
        if stories.is_empty() {
            return Ok(());
        }
        let told = stories.iter().map(|(story, _)| *story).collect();
        self.record(Event::Reminded { digest, stories: told, owner: Personal::owner(owner) }, now)?;
        for (i, (_, assignment)) in stories.iter().enumerate() {
            self.tx.execute(
                "INSERT INTO reminder (assignment, digest, number, at) VALUES (?1, ?2, ?3, ?4)",
                params![assignment.0, digest.0, i + 1, millis(now)],
            )?;
        }
        Ok(())
    }
}
