//! Retention: the texts of old entries go, their keys and records stay, and so does a trace of title and link by which
//! an entry that is still listed is known again.

use rusqlite::params;

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    identity::Traces,
    model::time::{Time, millis},
};

/// How many revisions one transaction empties.
const BATCH: i64 = 1_000;

/// A revision by its row, with title and link.
type Texts = (i64, Option<String>, Option<String>);

impl Write<'_> {
    /// Empties the texts of revisions that were seen before this moment, at most a thousand at a time and never
    /// what still waits for a digest or a decision; how many there were.
    pub fn purge_entries(&mut self, before: Time, now: Time) -> Result<usize, StoreError> {
        let old = self.old_texts(before)?;
        let mut empty = self.tx.prepare_cached(
            "UPDATE revision SET guid = NULL, link = NULL, title = NULL, summary = NULL, body = NULL, authors = NULL,
                 categories = NULL, change = NULL, title_trace = ?2, link_trace = ?3
             WHERE rowid = ?1",
        )?;
        for (row, title, link) in &old {
            let traces = Traces::of(title.as_deref(), link.as_deref());
            empty.execute(params![row, traces.title.map(|key| key.0), traces.link.map(|key| key.0)])?;
        }
        if !old.is_empty() {
            self.record(Event::EntriesPurged { before, count: old.len() }, now)?;
        }
        Ok(old.len())
    }

    fn old_texts(&self, before: Time) -> Result<Vec<Texts>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT revision.rowid, title, link FROM revision JOIN entry ON entry.no = revision.entry
             WHERE seen_at < ?1 AND (title IS NOT NULL OR summary IS NOT NULL OR body IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM assignment
                     JOIN waiting_state ON waiting_state.assignment = assignment.no
                     WHERE assignment.story = entry.story)
                 AND NOT EXISTS (SELECT 1 FROM listing_state WHERE listing_state.entry = entry.no)
                 AND NOT EXISTS (SELECT 1 FROM held_state
                     WHERE held_state.entry = entry.no AND held_state.ended IS NULL)
             LIMIT ?2",
        )?;
        let rows = query
            .query_map(params![millis(before), BATCH], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}
