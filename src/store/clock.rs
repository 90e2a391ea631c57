//! What the clock showed, and what is done when it was set: over a jump, the plan of polls keeps its real time.

use jiff::SignedDuration;
use rusqlite::{OptionalExtension, params};

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    model::time::{Time, from_millis, millis},
};

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
    /// planned poll by as much, so that nobody is asked earlier or later than was meant.
    pub fn clock_jumped(&mut self, from: Time, to: Time) -> Result<(), StoreError> {
        self.record(Event::ClockJumped { from, to }, to)?;
        let by = i64::try_from(to.duration_since(from).as_millis()).unwrap_or_default();
        self.tx.prepare_cached("UPDATE feed_state SET next_poll_at = next_poll_at + ?1")?.execute([by])?;
        self.note_clock(to)
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
