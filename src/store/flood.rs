//! Floods: entries that are held, what a feed usually brings, the decision and what became of each entry after it.

use rusqlite::{OptionalExtension, Row, params};

use super::{
    EntryRow, Read, StoreError, Write,
    assignment::Told,
    entry::{ENTRY_COLUMNS, entry_row},
    fate::Fates,
    signed, unsigned,
};
use crate::{
    evidence::event::{Event, Personal},
    flood::{History, POLLS},
    model::{
        acknowledgement::Via,
        entry::heading,
        feed::Feed,
        flood::{Decided, Decision, GivenDecision, NewDecision},
        id::{ConfigVersion, DigestNo, EntryNo, FeedId, FeedNo, FloodNo, OwnerId},
        stack::Tag,
        time::{Time, from_millis, millis},
    },
    plan::{Fate, HeldBack},
    route::Judgement,
};

/// A flood with its decision, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloodRow {
    /// The flood.
    pub no: FloodNo,
    /// The number of its feed.
    pub feed_no: FeedNo,
    /// Its feed.
    pub feed: FeedId,
    /// The most that one poll brought before.
    pub usual: usize,
    /// When its first entries came.
    pub at: Time,
    /// How many entries were held.
    pub entries: usize,
    /// How many were not held.
    pub sent: usize,
    /// Whether some of them were known before it, and changed.
    pub has_changed: bool,
    /// What was decided.
    pub decided: Option<GivenDecision>,
}

/// An entry that is held, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEntry {
    /// Its newest revision.
    pub row: EntryRow,
    /// The tags of that revision.
    pub tags: Vec<Tag>,
}

const FLOODS: &str = "SELECT flood.no, flood.feed, feed.id, flood.usual,
        (SELECT min(at) FROM held_poll WHERE held_poll.flood = flood.no),
        (SELECT sum(entries) FROM held_poll WHERE held_poll.flood = flood.no),
        (SELECT sum(sent) FROM held_poll WHERE held_poll.flood = flood.no),
        decision, flood_decision.at, flood_decision.owner, flood_decision.entries, flood_decision.record,
        EXISTS (SELECT 1 FROM held_state JOIN entry ON entry.no = held_state.entry WHERE held_state.flood = flood.no
            AND first_seen_at < (SELECT min(at) FROM held_poll WHERE held_poll.flood = flood.no))
    FROM flood JOIN feed ON feed.no = flood.feed LEFT JOIN flood_decision ON flood_decision.flood = flood.no";

fn flood_row(row: &Row<'_>) -> rusqlite::Result<FloodRow> {
    let word: Option<String> = row.get(7)?;
    let decided = match word.and_then(|word| Decision::parse(&word)) {
        None => None,
        Some(decision) => Some(GivenDecision {
            decision,
            at: from_millis(row.get(8)?),
            owner: OwnerId::new(row.get::<_, String>(9)?),
            entries: row.get(10)?,
            record: unsigned(row.get(11)?),
        }),
    };
    Ok(FloodRow {
        no: FloodNo(row.get(0)?),
        feed_no: FeedNo(row.get(1)?),
        feed: FeedId::new(row.get::<_, String>(2)?),
        usual: row.get(3)?,
        at: from_millis(row.get(4)?),
        entries: row.get(5)?,
        sent: row.get(6)?,
        has_changed: row.get(12)?,
        decided,
    })
}

impl Read<'_> {
    /// What a feed brought in its last polls with news, and before its baseline stood. Reads every entry of the feed:
    /// for a poll that may be a flood, not for each.
    pub fn feed_history(&self, feed: FeedNo, baseline_at: Option<Time>) -> Result<History, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT first_seen_at, count(*) FROM entry
             LEFT JOIN held_state ON held_state.entry = entry.no
             LEFT JOIN flood_decision ON flood_decision.flood = held_state.flood
             WHERE feed = ?1 AND (held_state.entry IS NULL OR decision = 'all' OR first_seen_at <= ?3)
             GROUP BY first_seen_at ORDER BY first_seen_at DESC LIMIT ?2",
        )?;
        let baseline = baseline_at.map_or(i64::MIN, millis);
        let mut history = History::default();
        let mut rows = query.query(params![feed.0, POLLS, baseline])?;
        while let Some(row) = rows.next()? {
            let (at, entries): (i64, usize) = (row.get(0)?, row.get(1)?);
            if at > baseline {
                history.polls.push(entries);
            } else {
                history.first_document += entries;
            }
        }
        Ok(history)
    }

    /// Whether there ever was a flood of this feed.
    pub fn was_flooded(&self, feed: FeedNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM flood WHERE feed = ?1)")?;
        Ok(query.query_row([feed.0], |row| row.get(0))?)
    }

    /// Whether an entry is held, or was and is not for us by a decision that asked for that.
    pub fn held_back(&self, entry: EntryNo) -> Result<Option<HeldBack>, StoreError> {
        let row: Option<(i64, Option<String>, Option<String>)> = self
            .tx
            .prepare_cached(
                "SELECT held_state.flood, ended, decision FROM held_state
                 LEFT JOIN flood_decision ON flood_decision.flood = held_state.flood WHERE entry = ?1",
            )?
            .query_row([entry.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((flood, ended, decision)) = row else { return Ok(None) };
        let flood = FloodNo(flood);
        Ok(match (ended.as_deref(), decision.as_deref().and_then(Decision::parse)) {
            (None, _) => Some(HeldBack::Waits(flood)),
            (Some(word), Some(decision)) if word == Fate::NotForUs.as_str() => match decision {
                Decision::None => Some(HeldBack::Unwanted(flood)),
                Decision::Matching => Some(HeldBack::Unmatched(flood)),
                Decision::All => None,
            },
            _ => None,
        })
    }

    /// How many entries of a flood were not held, or went out before the others.
    pub fn flood_sent(&self, flood: FloodNo) -> Result<usize, StoreError> {
        let sql = "SELECT coalesce(sum(sent), 0) FROM held_poll WHERE flood = ?1";
        Ok(self.tx.prepare_cached(sql)?.query_row([flood.0], |row| row.get(0))?)
    }

    /// The floods that wait for a decision, oldest first.
    pub fn open_floods(&self) -> Result<Vec<FloodRow>, StoreError> {
        let sql = format!("{FLOODS} WHERE decision IS NULL ORDER BY flood.no");
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows = query.query_map([], flood_row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The floods that were decided and of which entries wait still, oldest first.
    pub fn floods_to_release(&self) -> Result<Vec<FloodRow>, StoreError> {
        let sql = format!(
            "{FLOODS} WHERE decision IS NOT NULL AND flood.no IN (SELECT flood FROM held_state WHERE ended IS NULL)
             ORDER BY flood.no"
        );
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows = query.query_map([], flood_row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// One flood.
    pub fn flood(&self, flood: FloodNo) -> Result<Option<FloodRow>, StoreError> {
        let sql = format!("{FLOODS} WHERE flood.no = ?1");
        Ok(self.tx.prepare_cached(&sql)?.query_row([flood.0], flood_row).optional()?)
    }

    /// The newest flood of a feed, decided or not.
    pub fn newest_flood(&self, feed: &FeedId) -> Result<Option<FloodRow>, StoreError> {
        let sql = format!("{FLOODS} WHERE feed.id = ?1 ORDER BY flood.no DESC LIMIT 1");
        Ok(self.tx.prepare_cached(&sql)?.query_row([feed.as_str()], flood_row).optional()?)
    }

    /// How many entries of a flood are about each component, most first.
    pub fn flood_matches(&self, flood: FloodNo) -> Result<Vec<(String, usize)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT tag.id, count(DISTINCT tag.entry) AS entries FROM held_state JOIN tag ON tag.entry = held_state.entry
             WHERE flood = ?1 AND tag.kind = 'component' GROUP BY tag.id ORDER BY entries DESC, tag.id",
        )?;
        let rows = query.query_map([flood.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The titles of the first entries of a flood, or what stands for them.
    pub fn flood_titles(&self, flood: FloodNo, most: usize) -> Result<Vec<String>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT title, substr(coalesce(summary, body), 1, 1000) FROM held_state
             JOIN revision ON revision.entry = held_state.entry AND revision.n = 1
             WHERE flood = ?1 ORDER BY held_state.entry LIMIT ?2",
        )?;
        let rows = query
            .query_map(params![flood.0, most], |row| {
                let (title, text): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
                Ok(heading(title.as_deref(), text.as_deref()))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// How many entries each feed has that are held.
    pub fn held_by_feed(&self) -> Result<Vec<(FeedNo, usize)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT feed, count(*) FROM held_state JOIN flood ON flood.no = held_state.flood
             WHERE ended IS NULL GROUP BY feed",
        )?;
        let rows = query.query_map([], |row| Ok((FeedNo(row.get(0)?), row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The floods that a digest which left or may leave told this owner of, each with the last time.
    pub fn floods_told(&self, owner: &OwnerId) -> Result<Vec<(FloodNo, Time)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT flood, max(composed_at) FROM digest_flood JOIN standing_digest USING (digest)
             JOIN digest ON digest.no = digest_flood.digest WHERE owner = ?1 GROUP BY flood",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| Ok((FloodNo(row.get(0)?), from_millis(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Whether this digest tells of this flood.
    pub fn tells_of_flood(&self, digest: DigestNo, flood: FloodNo) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM digest_flood WHERE digest = ?1 AND flood = ?2)";
        Ok(self.tx.prepare_cached(sql)?.query_row([digest.0, flood.0], |row| row.get(0))?)
    }

    /// The first entries of a flood that wait, at most so many, as they are now.
    pub fn held_entries(&self, flood: FloodNo, most: usize) -> Result<Vec<HeldEntry>, StoreError> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM held_state JOIN entry ON entry.no = held_state.entry
             JOIN revision ON revision.entry = entry.no
                 AND revision.n = (SELECT max(n) FROM revision AS newest WHERE newest.entry = entry.no)
             WHERE held_state.flood = ?1 AND held_state.ended IS NULL ORDER BY held_state.entry LIMIT ?2"
        );
        let mut query = self.tx.prepare_cached(&sql)?;
        let rows: Vec<EntryRow> =
            query.query_map(params![flood.0, most], entry_row)?.collect::<Result<_, rusqlite::Error>>()?;
        rows.into_iter()
            .map(|row| Ok(HeldEntry { tags: self.tags(row.no, row.revision)?, row }))
            .collect::<Result<_, StoreError>>()
    }
}

impl Write<'_> {
    /// Records what becomes of a flood, or finds what was decided before. `None`: there is no such flood.
    pub fn decide_flood(&mut self, new: &NewDecision, now: Time) -> Result<Option<Decided>, StoreError> {
        let Some(row) = self.read().flood(new.flood)? else { return Ok(None) };
        if let Some(given) = row.decided {
            return Ok(Some(Decided::Already(given)));
        }
        if new.seen.is_some_and(|seen| seen < row.entries) {
            return Ok(Some(Decided::Grown { entries: row.entries }));
        }
        let event = Event::FloodDecided {
            feed: row.feed,
            flood: new.flood,
            decision: new.decision,
            entries: row.entries,
            digest: new.digest,
            via: new.via,
            owner: Personal::owner(&new.owner),
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO flood_decision (flood, decision, entries, owner, digest, via, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                new.flood.0,
                new.decision.as_str(),
                row.entries,
                new.owner.as_str(),
                new.digest.map(|digest| digest.0),
                Via::as_str(new.via),
                millis(now),
                signed(record),
            ],
        )?;
        Ok(Some(Decided::New(GivenDecision {
            decision: new.decision,
            at: now,
            owner: new.owner.clone(),
            entries: row.entries,
            record,
        })))
    }

    /// Gives held entries to whom they go. `None` for an entry that did not wait for the decision: it keeps
    /// what it has.
    pub fn release(
        &mut self,
        (feed, no): (&Feed, FeedNo),
        entries: Vec<(HeldEntry, Option<Judgement>)>,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let mut fates = Fates::default();
        for (held, judgement) in entries {
            let source = (held.row.no, held.row.revision);
            let Some(judgement) = judgement else {
                self.end_hold(source.0, &held.row.fate)?;
                continue;
            };
            self.ask_for_others(held.row.story, &judgement.away, now)?;
            for assigned in &judgement.assignments {
                let update = self.news_of_joining(held.row.marks, held.row.story, &assigned.owner)?;
                let told = Told { assigned, update: update.as_deref() };
                self.assign(held.row.story, source, told, config, now)?;
            }
            for stood_in in &judgement.away {
                self.stood_in(held.row.story, source, stood_in, config, now)?;
            }
            for withheld in &judgement.restricted {
                self.withhold(held.row.story, no, withheld, config, now)?;
            }
            let fate = Fate::from(judgement.fate);
            if let Fate::Listed(owner) = &fate {
                self.list(source.0, no, owner, now)?;
            }
            self.end_hold(source.0, fate.as_str())?;
            fates.add(fate, source.0, source.1);
        }
        self.record_ends(feed, fates, config, now)
    }

    pub(super) fn end_hold(&mut self, entry: EntryNo, fate: &str) -> Result<(), StoreError> {
        self.tx.prepare_cached("UPDATE held_state SET ended = ?2 WHERE entry = ?1")?.execute(params![entry.0, fate])?;
        Ok(())
    }
}
