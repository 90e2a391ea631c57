//! Feeds and their health: what is due, what is claimed, and how each one stands.

use jiff::SignedDuration;
use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    cadence,
    evidence::event::Event,
    model::{
        days::ActiveDays,
        feed::{Feed, FeedState, FeedStatus, Moving, Tlp, Validators},
        id::{DigestNo, FeedId, FeedNo},
        outcome::OUR_RULES,
        settings::Config,
        time::{Time, from_millis, millis},
    },
};

/// After how many polls in a row that never ended a document is held to be what ends us.
const MOST_UNFINISHED: u32 = 2;
/// How long such a feed is left alone.
const AFTER_CRASHES: SignedDuration = SignedDuration::from_hours(24);

/// Longer than a poll is put off, but by the interval of its feed.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What is late by this much after a pause is spread; less is the spread of every day.
const LATE: SignedDuration = SignedDuration::from_mins(15);
/// Late polls are spread over this at the most ...
const SPREAD_OVER: SignedDuration = SignedDuration::from_hours(1);
/// ... and over this much for each of them.
const SPREAD_STEP: SignedDuration = SignedDuration::from_secs(18);

/// Why a claimed feed is asked again when it is.
const WHY_CLAIMED: &str = "one interval after an unfinished request";

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
                  JOIN digest ON digest.no = digest_baseline.digest
                  WHERE digest_baseline.feed = baseline.feed AND digest_baseline.owner = ?1 AND composed_at >= at)
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

    /// Claims feeds for a poll before any request leaves: moves their next poll on, so that a kill in between
    /// causes no early one. `only`: these feeds, due or not; else every enabled feed that is due and `may_ask`.
    pub fn claim_polls(
        &mut self,
        only: Option<&[FeedId]>,
        config: &Config,
        may_ask: &dyn Fn(&FeedStatus, &Feed) -> bool,
        now: Time,
    ) -> Result<Vec<FeedStatus>, StoreError> {
        self.see_clock(now)?;
        self.bring_polls_back(config, now)?;
        let rows = if only.is_some() { self.read().feeds()? } else { self.read().feeds_due(now)? };
        let mut claimed = Vec::new();
        for row in rows {
            let Some(feed) = config.feed(&row.id).filter(|_| row.enabled) else { continue };
            if !only.map_or_else(|| may_ask(&row, feed), |ids| ids.contains(&row.id)) {
                continue;
            }
            let has_crashed_us = row.attempt >= MOST_UNFINISHED;
            if has_crashed_us {
                self.call_broken(&row, now)?;
            }
            let pause = if has_crashed_us { feed.every.max(AFTER_CRASHES) } else { feed.every };
            self.tx
                .prepare_cached(
                    "UPDATE feed_state SET next_poll_at = ?2, next_poll_why = ?3, attempt = attempt + 1 WHERE feed = ?1",
                )?
                .execute(params![row.no.0, millis(now.saturating_add(pause).unwrap_or(now)), WHY_CLAIMED])?;
            claimed.push(row);
        }
        claimed.sort_by_key(|row| row.next_poll_at);
        Ok(claimed)
    }

    /// Brings back what is planned further ahead than any poll is: a clock that was ahead planned it. Such feeds are
    /// asked within an hour and within their own interval, each at its own moment.
    pub fn bring_polls_back(&mut self, config: &Config, now: Time) -> Result<(), StoreError> {
        let far = now.saturating_add(LONGEST_PAUSE).unwrap_or(now);
        let rows: Vec<(i64, FeedId, i64)> = {
            let mut query = self.tx.prepare_cached(
                "SELECT feed.no, feed.id, next_poll_at FROM feed_state JOIN feed ON feed.no = feed_state.feed
                 WHERE enabled = 1 AND next_poll_at > ?1",
            )?;
            query
                .query_map([millis(far)], |row| Ok((row.get(0)?, FeedId::new(row.get::<_, String>(1)?), row.get(2)?)))?
                .collect::<Result<_, _>>()?
        };
        for (no, id, next) in rows {
            let every = config.feed(&id).map_or(LONGEST_PAUSE, |feed| feed.every);
            let longest = every.saturating_mul(2).max(LONGEST_PAUSE);
            if from_millis(next) > now.saturating_add(longest).unwrap_or(now) {
                let at = now.saturating_add(cadence::share(no, every.min(SPREAD_OVER))).unwrap_or(now);
                self.plan_poll(no, at, "the clock was set back")?;
            }
        }
        Ok(())
    }

    /// Spreads the polls that have been late for long over as much as an hour, the latest first: after the machine was
    /// asleep or the service down, so that it does not ask everybody at once. First polls stay due. How many were moved.
    pub fn spread_overdue(&mut self, now: Time) -> Result<usize, StoreError> {
        let late = now.saturating_sub(LATE).unwrap_or(now);
        let feeds: Vec<i64> = {
            let mut query = self.tx.prepare_cached(
                "SELECT feed FROM feed_state WHERE enabled = 1 AND next_poll_at < ?1 AND last_poll_at IS NOT NULL
                 ORDER BY next_poll_at, feed",
            )?;
            query.query_map([millis(late)], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        let count = i32::try_from(feeds.len()).unwrap_or(i32::MAX);
        let whole = SPREAD_STEP.saturating_mul(count).min(SPREAD_OVER);
        for (place, feed) in (0..).zip(&feeds) {
            let after = whole.saturating_mul(place) / count.max(1);
            let at = now.saturating_add(after).unwrap_or(now);
            self.plan_poll(*feed, at, "late after a pause; spread over an hour")?;
        }
        Ok(feeds.len())
    }

    /// Makes due at once what our own rules about addresses and ports refused: they may have changed.
    pub(super) fn retry_what_our_rules_refused(&mut self, now: Time) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE feed_state SET next_poll_at = min(next_poll_at, ?1), next_poll_why = 'the configuration changed'
                 WHERE state = 'refused' AND substr(cause, 1, length(?2)) = ?2",
            )?
            .execute(params![millis(now), OUR_RULES])?;
        Ok(())
    }

    fn plan_poll(&mut self, feed: i64, at: Time, why: &str) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE feed_state SET next_poll_at = ?2, next_poll_why = ?3 WHERE feed = ?1")?
            .execute(params![feed, millis(at), why])?;
        Ok(())
    }

    /// States that the last polls of a feed never came to an end.
    fn call_broken(&mut self, row: &FeedStatus, now: Time) -> Result<(), StoreError> {
        let cause = "its last polls never ended: sigtrail stopped in the middle of them; it is asked once a day";
        if row.state != FeedState::Broken {
            let event = Event::FeedStateChanged {
                feed: row.id.clone(),
                from: row.state,
                to: FeedState::Broken,
                status: None,
                cause: cause.to_owned(),
            };
            self.record(event, now)?;
        }
        self.tx.execute(
            "UPDATE feed_state SET state = ?2, cause = ?3, since = CASE WHEN state = ?2 THEN since ELSE ?4 END,
                 unseen_since = coalesce(unseen_since, ?4)
             WHERE feed = ?1",
            params![row.no.0, FeedState::Broken.as_str(), cause, millis(now)],
        )?;
        Ok(())
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
                "UPDATE feed_state SET next_poll_at = ?2, next_poll_why = 'somebody asked for it'
                 WHERE enabled = 1 AND feed = (SELECT no FROM feed WHERE id = ?1)",
                params![id.as_str(), millis(now)],
            )?;
        }
        Ok(changed)
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
