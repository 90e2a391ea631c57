//! Feeds and their health: what is due, what is claimed, and how each one stands.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write};
use crate::{
    evidence::event::Event,
    model::{
        feed::{FeedState, FeedStatus, Validators},
        id::{ConfigVersion, FeedId, FeedNo},
        settings::Config,
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
    failures, last_poll_at, last_entry_at, full_fetch_at, baseline_at, partial";

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
    })
}

impl Read<'_> {
    /// Every feed that the store knows, by identifier.
    pub fn feeds(&self) -> Result<Vec<FeedStatus>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feed JOIN feed_state ON feed_state.feed = feed.no ORDER BY feed.id");
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows = query.query_map([], feed_status)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Where one feed stands.
    pub fn feed_status(&self, feed: FeedNo) -> Result<Option<FeedStatus>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feed JOIN feed_state ON feed_state.feed = feed.no WHERE feed.no = ?1");
        Ok(self.tx.prepare_cached(&sql)?.query_row([feed.0], feed_status).optional()?)
    }

    /// How many entries each feed has brought, by its number.
    pub fn entries_by_feed(&self) -> Result<Vec<(FeedNo, usize)>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT feed, count(*) FROM entry GROUP BY feed")?;
        let rows = query.query_map([], |row| Ok((FeedNo(row.get(0)?), row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
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
                  WHERE digest_baseline.feed = baseline.feed AND owner = ?1)
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
    /// Claims feeds for a poll before any request leaves: moves their next poll on, so that a kill in between
    /// causes no early one. `only`: these feeds, due or not; else every enabled feed that is due.
    pub fn claim_polls(
        &mut self,
        only: Option<&[FeedId]>,
        config: &Config,
        now: Time,
    ) -> Result<Vec<FeedStatus>, StoreError> {
        let rows = self.read().feeds()?;
        let mut claimed = Vec::new();
        for row in rows {
            let wanted = match only {
                Some(ids) => ids.contains(&row.id),
                None => row.next_poll_at <= now,
            };
            let Some(feed) = config.feed(&row.id).filter(|_| wanted && row.enabled) else { continue };
            self.tx
                .prepare_cached("UPDATE feed_state SET next_poll_at = ?2, attempt = attempt + 1 WHERE feed = ?1")?
                .execute(params![row.no.0, millis(now.saturating_add(feed.every).unwrap_or(now))])?;
            claimed.push(row);
        }
        claimed.sort_by_key(|row| row.next_poll_at);
        Ok(claimed)
    }

    /// Takes back the mark of an unfinished claim from feeds that a stop in order left unasked or unheard. Their next
    /// poll stays where the claim put it, because a request may have left.
    pub fn release_claims(&mut self, feeds: &[FeedNo]) -> Result<(), StoreError> {
        for feed in feeds {
            self.tx
                .prepare_cached("UPDATE feed_state SET attempt = attempt - 1 WHERE feed = ?1 AND attempt > 0")?
                .execute([feed.0])?;
        }
        Ok(())
    }

    /// Makes feeds due now; the daemon polls them.
    pub fn make_due(&mut self, ids: &[FeedId], now: Time) -> Result<usize, StoreError> {
        let mut changed = 0;
        for id in ids {
            changed += self.tx.execute(
                "UPDATE feed_state SET next_poll_at = ?2 WHERE enabled = 1 AND feed = (SELECT no FROM feed WHERE id = ?1)",
                params![id.as_str(), millis(now)],
            )?;
        }
        Ok(changed)
    }

    pub(super) fn align_feeds(&mut self, config: &Config, version: ConfigVersion, now: Time) -> Result<(), StoreError> {
        self.rename_feeds(config, version, now)?;
        self.tx.execute("UPDATE feed_state SET enabled = 0 WHERE enabled = 1", [])?;
        for feed in &config.feeds {
            let url = feed.url.as_str();
            let known: Option<(i64, String)> = self
                .tx
                .prepare_cached("SELECT no, url FROM feed WHERE id = ?1")?
                .query_row([feed.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let no = if let Some((no, before)) = known {
                if before != url {
                    // Validators belong to an address; what the old one said is not asked of the new one.
                    self.tx.execute("UPDATE feed SET url = ?2 WHERE no = ?1", params![no, url])?;
                    self.tx.execute(
                        "UPDATE feed_state SET etag = NULL, last_modified = NULL, next_poll_at = ?2 WHERE feed = ?1",
                        params![no, millis(now)],
                    )?;
                }
                no
            } else {
                self.tx
                    .prepare_cached("INSERT INTO feed (id, url) VALUES (?1, ?2)")?
                    .execute(params![feed.id.as_str(), url])?;
                let no = self.tx.last_insert_rowid();
                self.tx
                    .prepare_cached(
                        "INSERT INTO feed_state (feed, enabled, next_poll_at, since) VALUES (?1, 0, ?2, ?2)",
                    )?
                    .execute(params![no, millis(now)])?;
                no
            };
            if feed.enabled {
                self.tx.prepare_cached("UPDATE feed_state SET enabled = 1 WHERE feed = ?1")?.execute([no])?;
            }
        }
        Ok(())
    }

    fn rename_feeds(&mut self, config: &Config, version: ConfigVersion, now: Time) -> Result<(), StoreError> {
        let stored: Vec<(i64, FeedId, String)> = {
            let mut query = self.tx.prepare_cached("SELECT no, id, url FROM feed")?;
            query
                .query_map([], |row| Ok((row.get(0)?, FeedId::new(row.get::<_, String>(1)?), row.get(2)?)))?
                .collect::<Result<_, _>>()?
        };
        for feed in &config.feeds {
            if stored.iter().any(|(_, id, _)| *id == feed.id) {
                continue;
            }
            let renamed = stored.iter().find(|(_, id, url)| url == feed.url.as_str() && config.feed(id).is_none());
            if let Some((no, from, _)) = renamed {
                self.tx.execute("UPDATE feed SET id = ?2 WHERE no = ?1", params![no, feed.id.as_str()])?;
                let event = Event::FeedRenamed { from: from.clone(), to: feed.id.clone(), config: version };
                self.record(event, now)?;
            }
        }
        Ok(())
    }

    /// Turns the quiet polls of the days before today (UTC) into one record a day.
    pub fn summarise_quiet_polls(&mut self, now: Time) -> Result<usize, StoreError> {
        let today = day(now);
        let days: Vec<String> = {
            let mut query =
                self.tx.prepare_cached("SELECT DISTINCT day FROM quiet_poll_state WHERE day < ?1 ORDER BY day")?;
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

fn day(now: Time) -> String {
    now.strftime("%Y-%m-%d").to_string()
}
