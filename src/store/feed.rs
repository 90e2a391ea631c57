//! Feeds and their health: what is due, and how each one stands.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    evidence::event::Event,
    model::{
        days::ActiveDays,
        feed::{FeedState, FeedStatus, Moving, Tlp, Validators},
        id::{DigestNo, FeedId, FeedNo},
        time::{Time, from_millis, millis},
    },
};

/// What a first poll recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineRow {
    /// The feed's number.
    pub feed: FeedNo,
    /// Its identifier.
    pub id: FeedId,
    /// How many entries were recorded and not mailed.
    pub recorded: usize,
    /// How many of them matched, by component.
    pub matched: Vec<(String, usize)>,
}

const COLUMNS: &str = "feed.no, feed.id, enabled, next_poll_at, attempt, etag, last_modified, state, since, cause,
    failures, last_poll_at, last_entry_at, full_fetch_at, baseline_at, partial, next_poll_why, wishes, gone_at, empties,
    moving_to, moving_since, moving_times, moved_to, moving_asked, moved_at, move_told, alarm_at, active, cuts,
    failures_alike, unseen_since";

fn feed_status(row: &Row<'_>) -> rusqlite::Result<FeedStatus> {
    let time = |i: usize| -> rusqlite::Result<Option<Time>> { Ok(row.get::<_, Option<i64>>(i)?.map(from_millis)) };
    Ok(FeedStatus {
        no: FeedNo(row.get(0)?),
        id: FeedId::new(row.get::<_, String>(1)?),
        enabled: row.get(2)?,
        next_poll_at: from_millis(row.get(3)?),
        attempt: row.get(4)?,
        validators: Validators { etag: row.get(5)?, last_modified: row.get(6)? },
        state: FeedState::parse(&row.get::<_, String>(7)?).unwrap_or(FeedState::New),
        since: from_millis(row.get(8)?),
        cause: row.get(9)?,
        failures: row.get(10)?,
        last_poll_at: time(11)?,
        last_entry_at: time(12)?,
        full_fetch_at: time(13)?,
        baseline_at: time(14)?,
        partial: row.get(15)?,
        next_poll_why: row.get(16)?,
        wishes: serde_json::from_str(&row.get::<_, String>(17)?).unwrap_or_default(),
        gone_at: time(18)?,
        empties: row.get(19)?,
        moving: moving(row)?,
        moved_to: row.get(23)?,
        moved_at: time(25)?,
        move_told: row.get::<_, Option<i64>>(26)?.map(DigestNo),
        alarm_at: time(27)?,
        active: row
            .get::<_, Option<Vec<u8>>>(28)?
            .map_or_else(ActiveDays::default, |bytes| ActiveDays::from_bytes(&bytes)),
        cuts: row.get(29)?,
        failures_alike: row.get(30)?,
        unseen_since: time(31)?,
    })
}

fn moving(row: &Row<'_>) -> rusqlite::Result<Option<Moving>> {
    let (to, since): (Option<String>, Option<i64>) = (row.get(20)?, row.get(21)?);
    let (times, asked): (u32, Option<i64>) = (row.get(22)?, row.get(24)?);
    let asked_at = asked.map(from_millis);
    Ok(to.zip(since).map(|(to, since)| Moving { to, since: from_millis(since), times, asked_at }))
}

impl Read<'_> {
    /// Every feed that the store knows, by identifier.
    pub fn feeds(&self) -> Result<Vec<FeedStatus>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feed JOIN feed_state ON feed_state.feed = feed.no ORDER BY feed.id");
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows = query.query_map([], feed_status)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Every enabled feed that is due, by identifier.
    pub fn feeds_due(&self, now: Time) -> Result<Vec<FeedStatus>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM feed JOIN feed_state ON feed_state.feed = feed.no
             WHERE enabled = 1 AND next_poll_at <= ?1 ORDER BY feed.id"
        );
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows = query.query_map([millis(now)], feed_status)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Where one feed stands.
    pub fn feed_status(&self, feed: FeedNo) -> Result<Option<FeedStatus>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feed JOIN feed_state ON feed_state.feed = feed.no WHERE feed.no = ?1");
        Ok(self.tx.prepare_cached(&sql)?.query_row([feed.0], feed_status).optional()?)
    }

    /// Every feed that the store knows, those that were dropped included, with the address that it had last.
    pub fn known_feeds(&self) -> Result<Vec<(FeedId, String)>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT id, url FROM feed")?;
        let rows = query.query_map([], |row| Ok((FeedId::new(row.get::<_, String>(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The address that a feed is asked at: where it moved to, else the one that it was aligned to last.
    pub fn feed_address(&self, feed: FeedNo) -> Result<Option<String>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT coalesce(moved_to, url) FROM feed JOIN feed_state ON feed_state.feed = feed.no WHERE no = ?1",
        )?;
        Ok(query.query_row([feed.0], |row| row.get(0)).optional()?)
    }

    /// The label that the configuration gave a feed last; the highest for a feed that was never configured.
    pub fn feed_label(&self, feed: &FeedId) -> Result<Tlp, StoreError> {
        let word: Option<String> = self
            .tx
            .prepare_cached("SELECT tlp FROM feed JOIN feed_state ON feed_state.feed = feed.no WHERE id = ?1")?
            .query_row([feed.as_str()], |row| row.get(0))
            .optional()?;
        Ok(word.map_or(Tlp::Red, |word| label(&word)))
    }

    /// The record that says why a feed was dropped; `None` where there is none, or a configuration has it again.
    pub fn drop_record(&self, feed: &FeedId) -> Result<Option<u64>, StoreError> {
        let record: Option<Option<i64>> = self
            .tx
            .prepare_cached("SELECT drop_record FROM feed_state JOIN feed ON feed.no = feed_state.feed WHERE id = ?1")?
            .query_row([feed.as_str()], |row| row.get(0))
            .optional()?;
        Ok(record.flatten().map(unsigned))
    }

    /// How many entries each feed has brought, by its number.
    pub fn entries_by_feed(&self) -> Result<Vec<(FeedNo, usize)>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT feed, count(*) FROM entry GROUP BY feed")?;
        let rows = query.query_map([], |row| Ok((FeedNo(row.get(0)?), row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Whether a feed has brought at least so many entries.
    pub fn has_brought(&self, feed: FeedNo, entries: usize) -> Result<bool, StoreError> {
        let mut query =
            self.tx.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM entry WHERE feed = ?1 LIMIT ?2)")?;
        let found: usize = query.query_row(params![feed.0, entries], |row| row.get(0))?;
        Ok(found >= entries)
    }

    /// Whether an enabled feed is due that was never polled to an end.
    pub fn a_first_poll_is_due(&self, now: Time) -> Result<bool, StoreError> {
        let due: bool = self
            .tx
            .prepare_cached(
                // A first poll that was claimed and has not ended is still to come, unless its process died in it.
                "SELECT EXISTS (SELECT 1 FROM feed_state
                     WHERE enabled = 1 AND last_poll_at IS NULL AND (next_poll_at <= ?1 OR attempt = 1))",
            )?
            .query_row([millis(now)], |row| row.get(0))?;
        Ok(due)
    }

    /// When the next feed is due.
    pub fn next_poll_at(&self) -> Result<Option<Time>, StoreError> {
        let next: Option<i64> =
            self.tx.query_row("SELECT min(next_poll_at) FROM feed_state WHERE enabled = 1", [], |row| row.get(0))?;
        Ok(next.map(from_millis))
    }

    /// First polls whose result this owner has not been told.
    pub fn baselines_for(&self, owner: &str) -> Result<Vec<BaselineRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT baseline.feed, feed.id, recorded, matched FROM baseline JOIN feed ON feed.no = baseline.feed
             WHERE recorded > 0 AND NOT EXISTS
                 (SELECT 1 FROM digest_baseline JOIN standing_digest USING (digest)
                  WHERE digest_baseline.feed = baseline.feed AND owner = ?1 AND digest > after_digest)
             ORDER BY feed.id",
        )?;
        let rows = query
            .query_map([owner], |row| {
                let matched: String = row.get(3)?;
                Ok(BaselineRow {
                    feed: FeedNo(row.get(0)?),
                    id: FeedId::new(row.get::<_, String>(1)?),
                    recorded: row.get(2)?,
                    matched: serde_json::from_str(&matched).unwrap_or_default(),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Notes which record says why a feed was dropped.
    pub fn set_drop_record(&mut self, feed: &FeedId, record: u64) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE feed_state SET drop_record = ?2 WHERE feed = (SELECT no FROM feed WHERE id = ?1)",
            params![feed.as_str(), signed(record)],
        )?;
        Ok(())
    }

    /// Turns the quiet polls of every day but today (UTC) into one record a day.
    pub fn summarise_quiet_polls(&mut self, now: Time) -> Result<usize, StoreError> {
        let today = day(now);
        let days: Vec<String> = {
            let mut query =
                self.tx.prepare_cached("SELECT DISTINCT day FROM quiet_poll_state WHERE day <> ?1 ORDER BY day")?;
            query.query_map([&today], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for day in &days {
            let feeds: Vec<(FeedId, u32)> = {
                let mut query = self.tx.prepare_cached(
                    "SELECT feed.id, polls FROM quiet_poll_state JOIN feed ON feed.no = feed WHERE day = ?1 ORDER BY feed.id",
                )?;
                query
                    .query_map([day], |row| Ok((FeedId::new(row.get::<_, String>(0)?), row.get(1)?)))?
                    .collect::<Result<_, _>>()?
            };
            self.record(Event::QuietPolls { day: day.clone(), feeds }, now)?;
            self.tx.execute("DELETE FROM quiet_poll_state WHERE day = ?1", [day])?;
        }
        Ok(days.len())
    }

    pub(super) fn store_feed_status(&mut self, status: &FeedStatus) -> Result<(), StoreError> {
        let moving = status.moving.as_ref();
        self.tx
            .prepare_cached(
                "UPDATE feed_state SET next_poll_at = ?2, attempt = ?3, etag = ?4, last_modified = ?5, state = ?6,
                     since = ?7, cause = ?8, failures = ?9, last_poll_at = ?10, last_entry_at = ?11,
                     full_fetch_at = ?12, baseline_at = ?13, partial = ?14, next_poll_why = ?15, wishes = ?16,
                     gone_at = ?17, empties = ?18, moving_to = ?19, moving_since = ?20, moving_times = ?21, moved_to = ?22,
                     moving_asked = ?23, moved_at = ?24, move_told = ?25, alarm_at = ?26, active = ?27,
                     cuts = ?28, failures_alike = ?29, unseen_since = ?30
                 WHERE feed = ?1",
            )?
            .execute(params![
                status.no.0,
                millis(status.next_poll_at),
                status.attempt,
                status.validators.etag,
                status.validators.last_modified,
                status.state.as_str(),
                millis(status.since),
                status.cause,
                status.failures,
                status.last_poll_at.map(millis),
                status.last_entry_at.map(millis),
                status.full_fetch_at.map(millis),
                status.baseline_at.map(millis),
                status.partial,
                status.next_poll_why,
                serde_json::to_string(&status.wishes).unwrap_or_else(|_| "{}".to_owned()),
                status.gone_at.map(millis),
                status.empties,
                moving.map(|moving| &moving.to),
                moving.map(|moving| millis(moving.since)),
                moving.map_or(0, |moving| moving.times),
                status.moved_to,
                moving.and_then(|moving| moving.asked_at).map(millis),
                status.moved_at.map(millis),
                status.move_told.map(|digest| digest.0),
                status.alarm_at.map(millis),
                status.active.to_bytes(),
                status.cuts,
                status.failures_alike,
                status.unseen_since.map(millis),
            ])?;
        Ok(())
    }

    pub(super) fn count_quiet_poll(&mut self, feed: FeedNo, now: Time) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO quiet_poll_state (day, feed, polls) VALUES (?1, ?2, 1)
                 ON CONFLICT (day, feed) DO UPDATE SET polls = polls + 1",
            )?
            .execute(params![day(now), feed.0])?;
        Ok(())
    }
}

/// A stored label; what cannot be read is the highest.
pub(super) fn label(word: &str) -> Tlp {
    Tlp::parse(word).unwrap_or(Tlp::Red)
}

fn day(now: Time) -> String {
    now.strftime("%Y-%m-%d").to_string()
}
