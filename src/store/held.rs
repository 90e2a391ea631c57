//! What a poll brought of floods: entries that are held from now on, and changed ones that are held or go out. What is
//! decided about them is in `flood`.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::{StoreError, Write, signed};
use crate::{
    evidence::event::Event,
    model::{
        feed::Feed,
        id::{ConfigVersion, EntryNo, FeedNo, FloodNo},
        time::{Time, millis},
    },
    plan::{EntryPlan, Fate, Flood, HeldBack},
};

/// What a poll brought of floods, as it was really written.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Entries that are held from now on.
    new: Vec<(EntryNo, u32)>,
    again: BTreeMap<FloodNo, Again>,
    /// Entries that are held or not for us no longer, and what became of them.
    ended: Vec<(EntryNo, &'static str)>,
}

/// What changed of the entries of one flood.
#[derive(Debug, Default)]
struct Again {
    /// Those that are held as before.
    entries: Vec<(EntryNo, u32)>,
    /// How many of those that were held went out.
    gone: i64,
    /// How many went out, held before or not for us.
    sent: usize,
}

impl Holds {
    /// Takes in one entry of the poll.
    pub(super) fn add(&mut self, plan: &EntryPlan, entry: EntryNo, revision: u32) {
        match (plan.held_back, &plan.fate) {
            (Some(HeldBack::Waits(flood)), Fate::Held) => {
                self.again.entry(flood).or_default().entries.push((entry, revision));
            }
            (_, Fate::Held) => self.new.push((entry, revision)),
            (None, _) | (_, Fate::NotForUs) => {}
            (Some(held_back), fate) => {
                self.ended.push((entry, fate.as_str()));
                if let HeldBack::Waits(flood) | HeldBack::Unwanted(flood) = held_back {
                    let again = self.again.entry(flood).or_default();
                    again.gone += i64::from(matches!(held_back, HeldBack::Waits(_)));
                    again.sent += 1;
                }
            }
        }
    }
}

impl Write<'_> {
    /// Holds what a poll brought of floods: new entries with the feed's open flood or a new one, changed ones with
    /// the flood that they are of.
    pub(super) fn hold(
        &mut self,
        (feed, no): (&Feed, FeedNo),
        holds: Holds,
        flood: Option<Flood>,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        if let Some(flood) = flood.filter(|_| !holds.new.is_empty()) {
            let into = self.open_flood(no, flood.usual)?;
            for (entry, _) in &holds.new {
                self.tx
                    .prepare_cached(
                        "INSERT INTO held_state (entry, flood) VALUES (?1, ?2)
                         ON CONFLICT (entry) DO UPDATE SET flood = excluded.flood, ended = NULL",
                    )?
                    .execute(params![entry.0, into.0])?;
            }
            let added = i64::try_from(holds.new.len()).unwrap_or(i64::MAX);
            self.record_held(feed, into, (holds.new, added, flood.sent), config, now)?;
        }
        for (flood, Again { entries, gone, sent }) in holds.again {
            self.record_held(feed, flood, (entries, -gone, sent), config, now)?;
        }
        for (entry, fate) in holds.ended {
            self.end_hold(entry, fate)?;
        }
        Ok(())
    }

    /// The flood of this feed that waits for a decision; a new one where there is none.
    fn open_flood(&mut self, feed: FeedNo, usual: usize) -> Result<FloodNo, StoreError> {
        let open = self
            .tx
            .prepare_cached(
                "SELECT no FROM flood WHERE feed = ?1
                     AND NOT EXISTS (SELECT 1 FROM flood_decision WHERE flood = flood.no) ORDER BY no DESC LIMIT 1",
            )?
            .query_row([feed.0], |row| row.get(0))
            .optional()?;
        if let Some(open) = open {
            return Ok(FloodNo(open));
        }
        self.tx.execute("INSERT INTO flood (feed, usual) VALUES (?1, ?2)", params![feed.0, usual])?;
        Ok(FloodNo(self.tx.last_insert_rowid()))
    }

    fn record_held(
        &mut self,
        feed: &Feed,
        flood: FloodNo,
        (entries, added, sent): (Vec<(EntryNo, u32)>, i64, usize),
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "SELECT usual FROM flood WHERE no = ?1";
        let usual = self.tx.prepare_cached(sql)?.query_row([flood.0], |row| row.get(0))?;
        let record =
            self.record(Event::FloodHeld { feed: feed.id.clone(), flood, entries, usual, sent, config }, now)?;
        self.tx.execute(
            "INSERT INTO held_poll (flood, at, entries, sent, record) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![flood.0, millis(now), added, sent, signed(record)],
        )?;
        Ok(())
    }
}
