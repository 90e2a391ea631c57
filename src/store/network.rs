//! Since when this machine has had no network, as its polls showed it.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write};
use crate::{
    evidence::event::Event,
    model::time::{Time, from_millis, millis},
};

impl Read<'_> {
    /// Since when this machine has had no network; `None`: it has one, as far as its polls show.
    pub fn network_lost_at(&self) -> Result<Option<Time>, StoreError> {
        let lost_at: Option<i64> = self
            .tx
            .prepare_cached("SELECT lost_at FROM network_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(lost_at.map(from_millis))
    }
}

impl Write<'_> {
    /// Notes that so many feeds on so many hosts could not be connected to, and gives the moment since which that is so,
    /// and whether it begins now: one record is written for the whole time.
    pub fn network_lost(&mut self, feeds: usize, hosts: usize, now: Time) -> Result<(Time, bool), StoreError> {
        // A moment that lies ahead was noted by a clock that was ahead.
        if let Some(lost_at) = self.read().network_lost_at()?.filter(|lost_at| *lost_at <= now) {
            return Ok((lost_at, false));
        }
        self.record(Event::NoNetwork { feeds, hosts }, now)?;
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO network_state (one, lost_at) VALUES (1, ?1)")?
            .execute(params![millis(now)])?;
        Ok((now, true))
    }

    /// Notes that a feed was reached again.
    pub fn network_is_there(&mut self) -> Result<(), StoreError> {
        self.tx.prepare_cached("DELETE FROM network_state")?.execute([])?;
        Ok(())
    }
}
