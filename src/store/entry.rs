//! Entries and their revisions as they are stored.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError};
use crate::model::{
    entry::Entry,
    id::{EntryNo, FeedNo, StoryNo},
    stack::{Field, Marks, Method, Severity, Tag, TagKind},
    time::{Time, from_millis},
};

/// The newest revision of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The entry.
    pub no: EntryNo,
    /// Its feed.
    pub feed: FeedNo,
    /// Its story.
    pub story: StoryNo,
    /// When it was first seen.
    pub first_seen: Time,
    /// The number of its newest revision.
    pub revision: u32,
    /// What the newest revision says; texts are gone after retention.
    pub entry: Entry,
    /// How bad it says it is.
    pub marks: Marks,
    /// What became of it.
    pub fate: String,
}

pub(super) const ENTRY_COLUMNS: &str = "entry.no, entry.feed, entry.story, entry.first_seen_at, revision.n, guid, link,
    title, summary, body, published, updated, authors, categories, exploited, cvss, severity, fate";

pub(super) fn entry_row(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    let list = |i: usize| -> rusqlite::Result<Vec<String>> {
        let text: Option<String> = row.get(i)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    };
    let time = |i: usize| -> rusqlite::Result<Option<Time>> { Ok(row.get::<_, Option<i64>>(i)?.map(from_millis)) };
    let exploited: bool = row.get(14)?;
    let severity: Option<String> = row.get(16)?;
    Ok(EntryRow {
        no: EntryNo(row.get(0)?),
        feed: FeedNo(row.get(1)?),
        story: StoryNo(row.get(2)?),
        first_seen: from_millis(row.get(3)?),
        revision: row.get(4)?,
        entry: Entry {
            guid: row.get(5)?,
            link: row.get(6)?,
            title: row.get(7)?,
            summary: row.get(8)?,
            body: row.get(9)?,
            published: time(10)?,
            updated: time(11)?,
            authors: list(12)?,
            categories: list(13)?,
            exploited,
        },
        marks: Marks {
            cvss_tenths: row.get(15)?,
            severity: severity.and_then(|word| Severity::parse(&word)),
            exploited,
        },
        fate: row.get(17)?,
    })
}

impl Read<'_> {
    /// The newest revision of this entry.
    pub fn entry(&self, entry: EntryNo) -> Result<Option<EntryRow>, StoreError> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM entry JOIN revision ON revision.entry = entry.no
             WHERE entry.no = ?1 ORDER BY revision.n DESC LIMIT 1"
        );
        Ok(self.tx.prepare_cached(&sql)?.query_row([entry.0], entry_row).optional()?)
    }

    /// The tags of this revision of an entry, best first.
    pub fn tags(&self, entry: EntryNo, revision: u32) -> Result<Vec<Tag>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT kind, id, term, field, start, stop, snippet, method, confidence FROM tag
             WHERE entry = ?1 AND revision = ?2 ORDER BY confidence DESC, kind, id",
        )?;
        let rows = query
            .query_map(params![entry.0, revision], |row| {
                let (kind, field): (String, String) = (row.get(0)?, row.get(3)?);
                let method: String = row.get(7)?;
                Ok(Tag {
                    kind: if kind == "component" { TagKind::Component } else { TagKind::Topic },
                    id: row.get(1)?,
                    term: row.get(2)?,
                    field: Field::parse(&field).unwrap_or(Field::Body),
                    start: row.get(4)?,
                    end: row.get(5)?,
                    snippet: row.get(6)?,
                    method: Method::parse(&method).unwrap_or(Method::Term),
                    confidence: row.get(8)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}
