//! What a plan compares a document with: the known entries of a feed under their keys and aliases, their newest
//! revisions, and what changed from one to the next. Writing them is `entry`'s business.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, entry::EntryRow};
use crate::{
    change::{Change, Version},
    identity::{Key, Known, Traces},
    model::id::{EntryNo, FeedNo},
    plan::{Fate, Stored},
};

fn known_row(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        entry: EntryNo(row.get(0)?),
        revision: row.get(1)?,
        content: row.get(2)?,
        guid: row.get(3)?,
        title: row.get(4)?,
        link: row.get(5)?,
        traces: traces_of(row.get(6)?, row.get(7)?),
        is_alias: false,
    })
}

fn traces_of(title: Option<[u8; 16]>, link: Option<[u8; 16]>) -> Option<Traces> {
    (title.is_some() || link.is_some()).then(|| Traces { title: title.map(Key), link: link.map(Key) })
}

impl Read<'_> {
    /// The stored entry of this feed with this key.
    pub fn known(&self, feed: FeedNo, key: &Key) -> Result<Option<Known>, StoreError> {
        let known = self
            .tx
            .prepare_cached(
                "SELECT entry.no, n, content, guid, title, link, title_trace, link_trace
                 FROM entry JOIN revision ON revision.entry = entry.no
                 WHERE feed = ?1 AND key = ?2 ORDER BY n DESC LIMIT 1",
            )?
            .query_row(params![feed.0, key.0], known_row)
            .optional()?;
        Ok(known)
    }

    /// The stored entry of this feed that came under this key the last time, though its own is another.
    pub fn known_by_alias(&self, feed: FeedNo, key: &Key) -> Result<Option<Known>, StoreError> {
        let known = self
            .tx
            .prepare_cached(
                "SELECT entry, n, content, guid, title, link, title_trace, link_trace
                 FROM entry_alias_state JOIN revision USING (entry)
                 WHERE feed = ?1 AND key = ?2 ORDER BY n DESC LIMIT 1",
            )?
            .query_row(params![feed.0, key.0], known_row)
            .optional()?;
        Ok(known.map(|known| Known { is_alias: true, ..known }))
    }

    /// Whether any entry of this feed came under another key than its own.
    pub fn has_aliases(&self, feed: FeedNo) -> Result<bool, StoreError> {
        let has = self
            .tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry_alias_state WHERE feed = ?1)")?
            .query_row([feed.0], |row| row.get(0))?;
        Ok(has)
    }

    /// The newest entries of a feed, at most `limit`.
    pub fn recent_entries(&self, feed: FeedNo, limit: usize) -> Result<Vec<Known>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT newest.no, n, content, guid, title, link, title_trace, link_trace FROM
                 (SELECT no FROM entry WHERE feed = ?1 ORDER BY no DESC LIMIT ?2) AS newest
             JOIN revision ON revision.entry = newest.no
                 AND n = (SELECT max(n) FROM revision AS last WHERE last.entry = newest.no)",
        )?;
        let rows = query.query_map(params![feed.0, limit], known_row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The newest revision of an entry, to be compared with the next one.
    pub fn stored_version(&self, entry: EntryNo) -> Result<Option<Stored>, StoreError> {
        let Some(row) = self.entry(entry)? else { return Ok(None) };
        let is_baseline = row.fate == Fate::Baseline.as_str();
        Ok(Some(Stored { story: row.story, version: self.version(row)?, is_baseline }))
    }

    pub(super) fn version(&self, row: EntryRow) -> Result<Version, StoreError> {
        let tags = self.tags(row.no, row.revision)?;
        Ok(Version { entry: row.entry, marks: row.marks, tags })
    }

    /// What changed with this revision of an entry and with every one after it, oldest first.
    pub fn changes_since(&self, entry: EntryNo, revision: u32) -> Result<Vec<Change>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT change FROM revision WHERE entry = ?1 AND n >= ?2 AND change IS NOT NULL ORDER BY n",
        )?;
        let texts: Vec<String> =
            query.query_map(params![entry.0, revision], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }
}
