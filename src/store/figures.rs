//! What monitoring asks for: what has not left, for how long, and whether the log holds. Each answer comes from an index
//! or from a table that stays small.

use rusqlite::{OptionalExtension as _, params};

use super::{Read, StoreError, Write, log};
use crate::model::time::{Time, from_millis, millis};

/// How far the log is and how far it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFigures {
    /// How many records there are.
    pub records: u64,
    /// When the newest record was written that a checkpoint covers; `None`: none does.
    pub covered_at: Option<Time>,
    /// When the oldest record was written that no checkpoint covers; `None`: every record is covered.
    pub unsigned_since: Option<Time>,
}

impl Read<'_> {
    /// How many mails have not left, and when the oldest of them was queued.
    pub fn outbox(&self) -> Result<(usize, Option<Time>), StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT count(*), min(queued_at) FROM delivery_state JOIN delivery ON delivery.no = delivery_state.delivery
             WHERE state IN ('queued', 'started')",
        )?;
        let (mails, oldest): (usize, Option<i64>) = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((mails, oldest.map(from_millis)))
    }

    /// How far the log is and how far it is signed.
    pub fn log_figures(&self) -> Result<LogFigures, StoreError> {
        let covered = log::newest_checkpoint(self.tx)?.map_or(0, |newest| newest.size);
        let covered_at = match covered.checked_sub(1) {
            Some(last) => log::recorded_at(self.tx, last)?,
            None => None,
        };
        let unsigned_since = log::unsigned_since(self.tx)?;
        Ok(LogFigures { records: log::size(self.tx)?, covered_at, unsigned_since })
    }

    /// Whether the log holds together as far as a glance tells: head and records agree, and the newest checkpoint has
    /// the root that the log has there. Errors: it does not.
    pub fn glance_at_log(&self) -> Result<(), StoreError> {
        Ok(log::glance(self.tx)?)
    }

    /// Since when the service runs that holds the lock of this state; nothing is known of whether it holds it.
    pub fn running_since(&self) -> Result<Option<Time>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT started_at FROM service_state")?;
        let at: Option<Option<i64>> = query.query_row([], |row| row.get(0)).optional()?;
        Ok(at.flatten().map(from_millis))
    }
}

impl Write<'_> {
    /// Notes since when the service runs; `None`: it ended in order.
    pub fn set_running_since(&mut self, at: Option<Time>) -> Result<(), StoreError> {
        self.tx.execute(
            "INSERT INTO service_state (one, started_at) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET started_at = excluded.started_at",
            params![at.map(millis)],
        )?;
        Ok(())
    }
}
