//! Digests: whose turn it is, and committing the frozen bytes.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};
use sha2::{Digest as _, Sha256};

use super::{Read, StoreError, Write, log, signed};
use crate::{
    evidence::event::{Event, Personal},
    hex::hex,
    model::{
        digest::{Composed, DigestKind, Notice},
        feed::FeedState,
        id::{AssignmentNo, DeliveryNo, DigestNo, EntryNo, FeedId, FeedNo, FloodNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

/// A digest that is about to be committed.
#[derive(Debug)]
pub struct NewDigest<'d> {
    /// Its number, from [`Write::next_digest`].
    pub no: DigestNo,
    /// Whose.
    pub owner: &'d OwnerId,
    /// Where it goes.
    pub address: &'d str,
    /// Why now.
    pub kind: DigestKind,
    /// The run of the schedule that it is for.
    pub scheduled_for: Time,
    /// Its Message-ID, without angle brackets.
    pub message_id: &'d str,
    /// Its bytes.
    pub composed: &'d Composed,
    /// The stories by their number in the digest, from 1, with their assignments; a reminder and the word that something
    /// was passed on tell of what was told before.
    pub stories: &'d [(StoryNo, AssignmentNo)],
    /// The entries that it lists or counts under "also published".
    pub listed: &'d [EntryNo],
    /// The feeds whose words are in it.
    pub feeds: &'d [FeedNo],
    /// The stories that it says are withheld.
    pub withheld: &'d [StoryNo],
    /// The feeds whose moves it tells of.
    pub moves: &'d [FeedNo],
    /// The first polls that it tells of.
    pub baselines: &'d [FeedNo],
    /// What it tells for the first time of the health of feeds.
    pub notices: &'d [NoticeRow],
    /// The floods that it tells of.
    pub floods: &'d [FloodNo],
    /// The size of the checkpoint that it carries.
    pub checkpoint: Option<u64>,
}

/// What a digest told of the health of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeRow {
    /// The feed.
    pub feed: FeedNo,
    /// What was told.
    pub notice: Notice,
    /// The state that it told of.
    pub state: FeedState,
}

/// A digest as it was committed, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRow {
    /// Its number.
    pub no: DigestNo,
    /// Whose.
    pub owner: OwnerId,
    /// Where it goes.
    pub address: String,
    /// Why it was composed.
    pub kind: DigestKind,
    /// When.
    pub composed_at: Time,
    /// Its stories with their assignments, by number from 1.
    pub stories: Vec<(StoryNo, AssignmentNo)>,
}

impl Read<'_> {
    /// When this owner's next digest is planned; `None`: not planned yet.
    pub fn next_digest_at(&self, owner: &OwnerId) -> Result<Option<Time>, StoreError> {
        let at: Option<Option<i64>> = self
            .tx
            .prepare_cached("SELECT next_digest_at FROM owner_state WHERE owner = ?1")?
            .query_row([owner.as_str()], |row| row.get(0))
            .optional()?;
        Ok(at.flatten().map(from_millis))
    }

    /// When this owner's last scheduled digest was composed; `None`: never had one.
    pub fn last_digest_at(&self, owner: &OwnerId) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT composed_at FROM digest
                 WHERE no = (SELECT max(no) FROM digest WHERE owner = ?1 AND kind = 'scheduled')",
            )?
            .query_row([owner.as_str()], |row| row.get(0))
            .optional()?;
        Ok(at.map(from_millis))
    }

    /// The number that the next digest gets.
    pub fn next_digest(&self) -> Result<DigestNo, StoreError> {
        let no: i64 = self.tx.query_row("SELECT coalesce(max(no), 0) + 1 FROM digest", [], |row| row.get(0))?;
        Ok(DigestNo(no))
    }

    /// The subjects of every mail to this owner so far.
    pub fn subjects(&self, owner: &OwnerId) -> Result<HashSet<String>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT subject FROM digest WHERE owner = ?1")?;
        let rows = query.query_map([owner.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// When the last mail of any kind was composed for this owner that arrived or still may, not after now; `None`: there was
    /// none.
    pub fn last_mail_at(&self, owner: &OwnerId, now: Time) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached(
                "SELECT max(composed_at) FROM digest WHERE owner = ?1 AND composed_at <= ?2
                     AND EXISTS (SELECT 1 FROM standing_digest WHERE standing_digest.digest = digest.no)",
            )?
            .query_row(params![owner.as_str(), millis(now)], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }

    /// A digest without its bytes.
    pub fn digest(&self, digest: DigestNo) -> Result<Option<DigestRow>, StoreError> {
        let row = self
            .tx
            .prepare_cached("SELECT owner, address, kind, composed_at FROM digest WHERE no = ?1")?
            .query_row([digest.0], |row| {
                Ok(DigestRow {
                    no: digest,
                    owner: OwnerId::new(row.get::<_, String>(0)?),
                    address: row.get(1)?,
                    kind: DigestKind::parse(&row.get::<_, String>(2)?).unwrap_or(DigestKind::Scheduled),
                    composed_at: from_millis(row.get(3)?),
                    stories: Vec::new(),
                })
            })
            .optional()?;
        let Some(mut row) = row else { return Ok(None) };
        let mut query = self.tx.prepare_cached(
            "SELECT assignment.story, told.assignment FROM
                 (SELECT number, assignment FROM digest_story WHERE digest = ?1
                  UNION ALL SELECT number, assignment FROM reminder WHERE digest = ?1
                  UNION ALL SELECT number, assignment FROM digest_passed WHERE digest = ?1
                  UNION ALL SELECT number, assignment FROM digest_anew WHERE digest = ?1) AS told
             JOIN assignment ON assignment.no = told.assignment ORDER BY told.number",
        )?;
        row.stories = query
            .query_map([digest.0], |row| Ok((StoryNo(row.get(0)?), AssignmentNo(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        Ok(Some(row))
    }

    /// The newest signed checkpoint.
    pub fn newest_checkpoint(&self) -> Result<Option<log::StoredCheckpoint>, StoreError> {
        Ok(log::newest_checkpoint(self.tx)?)
    }

    /// Whether a digest left or still may.
    pub fn stands(&self, digest: DigestNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM standing_digest WHERE digest = ?1)")?;
        Ok(query.query_row([digest.0], |row| row.get(0))?)
    }

    /// When the oldest record was written that no checkpoint covers; `None`: every record is covered.
    pub fn unsigned_since(&self) -> Result<Option<Time>, StoreError> {
        Ok(log::unsigned_since(self.tx)?)
    }

    /// What this owner's digests told of the health of feeds, oldest first.
    pub fn told_notices(&self, owner: &OwnerId) -> Result<Vec<NoticeRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT feed, notice, state FROM digest_notice JOIN digest ON digest.no = digest_notice.digest
             WHERE owner = ?1 AND EXISTS (SELECT 1 FROM standing_digest WHERE standing_digest.digest = digest.no)
             ORDER BY digest.no",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(NoticeRow {
                    feed: FeedNo(row.get(0)?),
                    notice: Notice::parse(&row.get::<_, String>(1)?).unwrap_or(Notice::Trouble),
                    state: FeedState::parse(&row.get::<_, String>(2)?).unwrap_or(FeedState::New),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The feeds whose words are in a digest.
    pub fn digest_feeds(&self, digest: DigestNo) -> Result<Vec<FeedId>, StoreError> {
        let mut query = self
            .tx
            .prepare_cached("SELECT id FROM digest_feed JOIN feed ON feed.no = digest_feed.feed WHERE digest = ?1")?;
        let rows =
            query.query_map([digest.0], |row| Ok(FeedId::new(row.get::<_, String>(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The digests, newest first, at most `limit`.
    pub fn digests(&self, limit: usize) -> Result<Vec<DigestNo>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT no FROM digest ORDER BY no DESC LIMIT ?1")?;
        let rows = query.query_map([limit], |row| Ok(DigestNo(row.get(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// The number that the next digest gets.
    pub fn next_digest(&self) -> Result<DigestNo, StoreError> {
        self.read().next_digest()
    }

    /// Plans this owner's next digest.
    pub fn plan_digest(&mut self, owner: &OwnerId, next: Option<Time>) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE owner_state SET next_digest_at = ?2 WHERE owner = ?1")?
            .execute(params![owner.as_str(), next.map(millis)])?;
        Ok(())
    }

    /// The run that a digest is for: the planned one, or the moment after the last one of its kind when the clock was
    /// set back over it.
    fn run_for(&self, new: &NewDigest<'_>) -> Result<i64, StoreError> {
        let planned = millis(new.scheduled_for);
        let last: Option<i64> = self
            .tx
            .prepare_cached("SELECT max(scheduled_for) FROM digest WHERE owner = ?1 AND kind = ?2")?
            .query_row(params![new.owner.as_str(), new.kind.as_str()], |row| row.get(0))?;
        Ok(last.filter(|last| *last >= planned).map_or(planned, |last| last.saturating_add(1)))
    }

    /// Commits a digest: its bytes, what is in it, and its delivery, which begins queued.
    pub fn insert_digest(&mut self, new: &NewDigest<'_>, now: Time) -> Result<DeliveryNo, StoreError> {
        let run = self.run_for(new)?;
        let sha256 = Sha256::digest(&new.composed.bytes);
        let event = Event::DigestComposed {
            digest: new.no,
            owner: Personal::owner(new.owner),
            kind: new.kind,
            message_id: new.message_id.to_owned(),
            sha256: hex(&sha256),
            bytes: new.composed.bytes.len(),
            stories: new.stories.iter().map(|(story, _)| *story).collect(),
            listed: new.listed.to_vec(),
            floods: new.floods.to_vec(),
            checkpoint: new.checkpoint,
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO digest (no, owner, kind, scheduled_for, composed_at, address, message_id, subject, bytes,
                 sha256, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                new.no.0,
                new.owner.as_str(),
                new.kind.as_str(),
                run,
                millis(now),
                new.address,
                new.message_id,
                new.composed.subject,
                new.composed.bytes,
                sha256.as_slice(),
                signed(record),
            ],
        )?;
        match new.kind {
            DigestKind::Reminder => self.insert_reminders((new.no, new.owner), new.stories, now)?,
            DigestKind::Passed => self.insert_told_again("digest_passed", new)?,
            DigestKind::Links => self.insert_told_again("digest_anew", new)?,
            _ => self.insert_digest_stories(new)?,
        }
        self.insert_digest_content(new)?;
        self.tx.execute("INSERT INTO delivery (digest, queued_at) VALUES (?1, ?2)", params![new.no.0, millis(now)])?;
        let delivery = DeliveryNo(self.tx.last_insert_rowid());
        self.tx.execute(
            "INSERT INTO delivery_state (delivery, state, next_attempt_at) VALUES (?1, 'queued', ?2)",
            params![delivery.0, millis(now)],
        )?;
        Ok(delivery)
    }

    fn insert_digest_stories(&mut self, new: &NewDigest<'_>) -> Result<(), StoreError> {
        for (i, (story, assignment)) in new.stories.iter().enumerate() {
            self.tx
                .prepare_cached("INSERT INTO digest_story (digest, number, story, assignment) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![new.no.0, i + 1, story.0, assignment.0])?;
        }
        Ok(())
    }

    /// Notes which stories, told by another digest, this one tells of as somebody else's or with new links.
    fn insert_told_again(&mut self, table: &'static str, new: &NewDigest<'_>) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO {table} (digest, number, assignment) VALUES (?1, ?2, ?3)");
        for (i, (_, assignment)) in new.stories.iter().enumerate() {
            self.tx.prepare_cached(&sql)?.execute(params![new.no.0, i + 1, assignment.0])?;
        }
        Ok(())
    }

    fn insert_digest_content(&mut self, new: &NewDigest<'_>) -> Result<(), StoreError> {
        let no = new.no.0;
        for entry in new.listed {
            self.tx
                .prepare_cached("INSERT INTO digest_listing (entry, digest) VALUES (?1, ?2)")?
                .execute(params![entry.0, no])?;
        }
        for feed in new.feeds {
            self.tx
                .prepare_cached("INSERT INTO digest_feed (digest, feed) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![no, feed.0])?;
        }
        for story in new.withheld {
            self.tx
                .prepare_cached("INSERT INTO digest_withheld (story, owner, digest) VALUES (?1, ?2, ?3)")?
                .execute(params![story.0, new.owner.as_str(), no])?;
        }
        for feed in new.moves {
            self.tx
                .prepare_cached("UPDATE feed_state SET move_told = ?2 WHERE feed = ?1")?
                .execute(params![feed.0, no])?;
        }
        for feed in new.baselines {
            self.tx
                .prepare_cached("INSERT INTO digest_baseline (feed, owner, digest) VALUES (?1, ?2, ?3)")?
                .execute(params![feed.0, new.owner.as_str(), no])?;
        }
        for row in new.notices {
            self.tx
                .prepare_cached("INSERT INTO digest_notice (digest, feed, notice, state) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![no, row.feed.0, row.notice.as_str(), row.state.as_str()])?;
        }
        for flood in new.floods {
            self.tx
                .prepare_cached("INSERT INTO digest_flood (digest, flood) VALUES (?1, ?2)")?
                .execute(params![no, flood.0])?;
        }
        Ok(())
    }
}
