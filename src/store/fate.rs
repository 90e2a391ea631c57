//! What became of the entries of a document: recorded for each kind of end, once a document.

use rusqlite::{OptionalExtension, params};

use super::{StoreError, Write};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        feed::Feed,
        id::{ConfigVersion, EntryNo, FeedNo, OwnerId},
        time::{Time, millis},
    },
    plan::Fate,
};

/// The fates of a document's entries, as they were really written.
#[derive(Debug, Default)]
pub(super) struct Fates {
    pub(super) assigned: usize,
    pub(super) listed: Vec<(EntryNo, u32)>,
    listed_to: Option<OwnerId>,
    pub(super) not_for_us: Vec<(EntryNo, u32)>,
    pub(super) baseline: Vec<EntryNo>,
    pub(super) held: usize,
}

impl Fates {
    pub(super) fn add(&mut self, fate: Fate, entry: EntryNo, revision: u32) {
        match fate {
            Fate::Assigned => self.assigned += 1,
            Fate::Listed(owner) => {
                self.listed.push((entry, revision));
                self.listed_to = Some(owner);
            }
            Fate::NotForUs => self.not_for_us.push((entry, revision)),
            Fate::Baseline => self.baseline.push(entry),
            Fate::Held => self.held += 1,
        }
    }
}

impl Write<'_> {
    #[expect(clippy::too_many_arguments, reason = "one call from one place; a struct would only rename them")]
    pub(super) fn record_fates(
        &mut self,
        feed: &Feed,
        no: FeedNo,
        mut fates: Fates,
        matched: Vec<(String, usize)>,
        is_baseline: bool,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let baseline = std::mem::take(&mut fates.baseline);
        self.record_ends(feed, fates, config, now)?;
        if is_baseline {
            self.add_to_baseline(no, baseline.len(), &matched, now)?;
        }
        if is_baseline || !baseline.is_empty() {
            let event = Event::Baseline { feed: feed.id.clone(), entries: baseline, matched, config };
            self.record(event, now)?;
        }
        Ok(())
    }

    /// Records the entries that are listed and those that are not for us.
    pub(super) fn record_ends(
        &mut self,
        feed: &Feed,
        fates: Fates,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        if let Some(owner) = fates.listed_to {
            let owner = Personal::owner(&owner);
            self.record(Event::EntriesListed { feed: feed.id.clone(), entries: fates.listed, owner, config }, now)?;
        }
        if !fates.not_for_us.is_empty() {
            self.record(Event::NotForUs { feed: feed.id.clone(), entries: fates.not_for_us, config }, now)?;
        }
        Ok(())
    }

    /// A first document that was cut and the one after it make one baseline.
    fn add_to_baseline(
        &mut self,
        no: FeedNo,
        recorded: usize,
        matched: &[(String, usize)],
        now: Time,
    ) -> Result<(), StoreError> {
        let before: Option<(usize, String)> = self
            .tx
            .query_row("SELECT recorded, matched FROM baseline WHERE feed = ?1", [no.0], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let (earlier, text) = before.unwrap_or_default();
        let mut all: Vec<(String, usize)> = serde_json::from_str(&text).unwrap_or_default();
        for (id, count) in matched {
            match all.iter_mut().find(|(known, _)| known == id) {
                Some((_, sum)) => *sum += count,
                None => all.push((id.clone(), *count)),
            }
        }
        self.tx.execute(
            "INSERT INTO baseline (feed, at, recorded, matched, after_digest)
             VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(no), 0) FROM digest))
             ON CONFLICT (feed) DO UPDATE SET recorded = excluded.recorded, matched = excluded.matched",
            params![no.0, millis(now), earlier + recorded, serde_json::to_string(&all).unwrap_or_default()],
        )?;
        Ok(())
    }
}
