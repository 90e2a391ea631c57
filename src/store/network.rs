//! Since when this machine has had no network, as its polls showed it.

use rusqlite::{OptionalExtension, params};

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    model::time::{Time, from_millis, millis},
};

impl Write<'_> {
    /// Notes that so many feeds on so many hosts could not be connected to, and gives the moment since which that is so.
    /// One record is written for the whole time.
    pub fn network_lost(&mut self, feeds: usize, hosts: usize, now: Time) -> Result<Time, StoreError> {
        let known: Option<i64> = self
            .tx
            .prepare_cached("SELECT lost_at FROM network_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        // A moment that lies ahead was noted by a clock that was ahead.
        if let Some(lost_at) = known.map(from_millis).filter(|lost_at| *lost_at <= now) {
            return Ok(lost_at);
        }
        self.record(Event::NoNetwork { feeds, hosts }, now)?;
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO network_state (one, lost_at) VALUES (1, ?1)")?
            .execute(params![millis(now)])?;
        Ok(now)
    }

    /// Notes that a feed was reached again.
    pub fn network_is_there(&mut self) -> Result<(), StoreError> {
        self.tx.prepare_cached("DELETE FROM network_state")?.execute([])?;
        Ok(())
    }
}
