//! Retention: the texts of old entries go, their keys and records stay.

use rusqlite::params;

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    model::time::{Time, millis},
};

/// How many revisions one transaction empties.
const BATCH: i64 = 1_000;

impl Write<'_> {
    /// Empties the texts of revisions that were seen before this moment, at most a thousand at a time and never
    /// what still waits for a digest; how many there were.
    pub fn purge_entries(&mut self, before: Time, now: Time) -> Result<usize, StoreError> {
        let count = self.tx.execute(
            "UPDATE revision SET guid = NULL, link = NULL, title = NULL, summary = NULL, body = NULL, authors = NULL,
                 categories = NULL, change = NULL
             WHERE rowid IN (
                 SELECT revision.rowid FROM revision JOIN entry ON entry.no = revision.entry
                 WHERE seen_at < ?1 AND (title IS NOT NULL OR summary IS NOT NULL OR body IS NOT NULL)
                     AND NOT EXISTS (SELECT 1 FROM assignment
                         JOIN waiting_state ON waiting_state.assignment = assignment.no
                         WHERE assignment.story = entry.story)
                     AND NOT EXISTS (SELECT 1 FROM listing_state WHERE listing_state.entry = entry.no)
                 LIMIT ?2)",
            params![millis(before), BATCH],
        )?;
        if count > 0 {
            self.record(Event::EntriesPurged { before, count }, now)?;
        }
        Ok(count)
    }
}
