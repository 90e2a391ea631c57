//! When feeds are asked next: claimed before a request leaves, brought back and spread after a pause, made due.

use jiff::SignedDuration;
use rusqlite::params;

use super::{StoreError, Write};
use crate::{
    cadence,
    evidence::event::Event,
    model::{
        feed::{Feed, FeedState, FeedStatus},
        id::{FeedId, FeedNo},
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

impl Write<'_> {
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
}
