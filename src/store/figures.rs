//! What monitoring asks for: what waits for whom, for how long, and whether the log holds. Each answer comes from an index
//! or from a table that stays small.

use rusqlite::{OptionalExtension as _, params};

use super::{Read, StoreError, Write, log};
use crate::model::{
    id::OwnerId,
    settings::RemindSettings,
    time::{Time, from_millis, millis},
};

/// What one owner was handed and has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Who.
    pub owner: OwnerId,
    /// How many stories.
    pub open: usize,
    /// How many of them whoever stands in should have by now.
    pub overdue: usize,
    /// When the oldest of those was handed over.
    pub overdue_since: Option<Time>,
}

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

/// The moments before which what was handed over is overdue: ordinary stories, then urgent ones.
pub(super) fn deadlines(remind: &RemindSettings, now: Time) -> [i64; 2] {
    [remind.deputy_after, remind.urgent_deputy_after].map(|after| millis(now.saturating_sub(after).unwrap_or(now)))
}

impl Read<'_> {
    /// The owners who were handed stories that they have not answered since, by their identifiers. A story counts while
    /// its assignment stands and the digest that told it was accepted or written.
    pub fn unanswered(&self, remind: &RemindSettings, now: Time) -> Result<Vec<Unanswered>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, count(*), sum(late), min(CASE WHEN late THEN delivered_at END)
             FROM (SELECT owner, delivered_at, delivered_at <= CASE WHEN urgent THEN ?2 ELSE ?1 END AS late
                 FROM (SELECT assignment.owner, assignment.urgent,
                     (SELECT max(finished_at) FROM receipt
                      WHERE receipt.delivery = delivery.no AND outcome IN ('accepted', 'written')) AS delivered_at
                 FROM open_state JOIN assignment ON assignment.no = open_state.assignment
                 JOIN digest_story ON digest_story.assignment = assignment.no
                 JOIN delivery ON delivery.digest = digest_story.digest
                 JOIN delivery_state ON delivery_state.delivery = delivery.no
                 WHERE state IN ('accepted', 'written'))
             WHERE delivered_at IS NOT NULL) GROUP BY owner ORDER BY owner",
        )?;
        let rows = query
            .query_map(deadlines(remind, now), |row| {
                Ok(Unanswered {
                    owner: OwnerId::new(row.get::<_, String>(0)?),
                    open: row.get(1)?,
                    overdue: row.get(2)?,
                    overdue_since: row.get::<_, Option<i64>>(3)?.map(from_millis),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

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
