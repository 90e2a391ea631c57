//! What the clock showed, and what is done when it was set: over a jump, the plan of polls keeps its real time, and what
//! is known of feeds its age.

use jiff::SignedDuration;
use rusqlite::{OptionalExtension, named_params, params};

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    model::{
        days::ActiveDays,
        time::{Time, from_millis, millis},
    },
};

/// The moments of a feed's state that something is measured from.
const MEASURED_FROM: [&str; 9] = [
    "since",
    "unseen_since",
    "last_poll_at",
    "last_entry_at",
    "full_fetch_at",
    "baseline_at",
    "gone_at",
    "alarm_at",
    "moving_since",
];

/// A difference of less is no jump: clocks are trimmed all the time.
pub const JUMP: SignedDuration = SignedDuration::from_mins(5);

impl Write<'_> {
    /// Notes what the clock shows. One that stands before what it showed the last time was set back, which is recorded;
    /// that it was set forward cannot be told from time that passed. Whether it was set back.
    pub fn see_clock(&mut self, now: Time) -> Result<bool, StoreError> {
        let last: Option<i64> = self
            .tx
            .prepare_cached("SELECT seen_at FROM clock_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let was_set_back = last.map(from_millis).filter(|last| last.duration_since(now) > JUMP);
        if let Some(last) = was_set_back {
            self.record(Event::ClockJumped { from: last, to: now }, now)?;
        }
        self.note_clock(now)?;
        Ok(was_set_back.is_some())
    }

    /// Records that the clock was set while we watched, from the moment `from` to the moment `to`, and moves every
    /// planned poll by as much, so that nobody is asked earlier or later than was meant; and every moment that something
    /// is measured from, so that nobody is silent or unseen for longer than in truth.
    pub fn clock_jumped(&mut self, from: Time, to: Time) -> Result<(), StoreError> {
        self.record(Event::ClockJumped { from, to }, to)?;
        let by = i64::try_from(to.duration_since(from).as_millis()).unwrap_or_default();
        self.tx.prepare_cached("UPDATE feed_state SET next_poll_at = next_poll_at + ?1")?.execute([by])?;
        self.move_moments(millis(from), millis(to))?;
        self.note_clock(to)
    }

    /// Moves what a clock noted that was wrong. What lies ahead of the one that is set forward was noted by a clock that
    /// was right, and so was what does not lie ahead of one that was set back.
    fn move_moments(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let moved = |column: &str| {
            format!(
                "{column} = iif((:to > :from AND {column} <= :from) OR (:to < :from AND {column} > :to),
                     {column} + :to - :from, {column})"
            )
        };
        let moments = named_params! { ":from": from, ":to": to };
        let columns = MEASURED_FROM.map(moved).join(", ");
        self.tx.execute(&format!("UPDATE feed_state SET {columns}"), moments)?;
        self.tx.execute(&format!("UPDATE network_state SET {}", moved("lost_at")), moments)?;
        self.tx.execute(&format!("UPDATE delivery_state SET {}", moved("failing_since")), moments)?;
        self.move_days(from, to)
    }

    fn move_days(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let known: Vec<(i64, Vec<u8>)> = {
            let mut query = self.tx.prepare("SELECT feed, active FROM feed_state WHERE active IS NOT NULL")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?
        };
        for (feed, active) in known {
            let days = ActiveDays::from_bytes(&active).moved(from_millis(from), from_millis(to));
            self.tx
                .prepare_cached("UPDATE feed_state SET active = ?2 WHERE feed = ?1")?
                .execute(params![feed, days.to_bytes()])?;
        }
        Ok(())
    }

    fn note_clock(&mut self, now: Time) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO clock_state (one, seen_at) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET seen_at = excluded.seen_at",
            )?
            .execute(params![millis(now)])?;
        Ok(())
    }
}
