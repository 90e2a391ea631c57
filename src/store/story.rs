//! Stories: which one an entry joins, and what one consists of.

use rusqlite::{OptionalExtension, params};

use super::{
    Read, StoreError, Write,
    entry::{ENTRY_COLUMNS, EntryRow, entry_row},
    feed::label,
};
use crate::{
    model::{
        feed::Tlp,
        id::{EntryNo, FeedId, FeedNo, StoryNo},
        stack::{Marks, Severity},
        time::{Time, from_millis, millis},
    },
    story::{StoryKey, StoryKeys, first_held},
};

/// The entries of a story that ever went to somebody.
pub(super) const TOLD: &str = "SELECT entry.no, entry.feed, feed.id, tlp, exploited, cvss, severity FROM entry
     JOIN revision ON revision.entry = entry.no
         AND revision.n = (SELECT max(n) FROM revision AS newest WHERE newest.entry = entry.no)
     JOIN feed ON feed.no = entry.feed JOIN feed_state ON feed_state.feed = feed.no
     WHERE entry.story = ?1
         AND (EXISTS (SELECT 1 FROM revision AS early
                  WHERE early.entry = entry.no AND early.fate IN ('assigned', 'listed'))
              OR EXISTS (SELECT 1 FROM held_state
                  WHERE held_state.entry = entry.no AND ended IN ('assigned', 'listed')))
     ORDER BY entry.no";

/// An entry of a story that went to somebody, without its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// The entry.
    pub entry: EntryNo,
    /// Its feed.
    pub feed: FeedNo,
    /// The identifier of the feed.
    pub feed_id: FeedId,
    /// The label that the configuration gave the feed last.
    pub label: Tlp,
    /// How bad it says it is.
    pub marks: Marks,
}

/// One entry of a story with the feed that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorySourceRow {
    /// The feed.
    pub feed: FeedNo,
    /// Its identifier.
    pub feed_id: FeedId,
    /// The entry's newest revision.
    pub entry: EntryRow,
}

/// A story with its entries, first one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryRow {
    /// The story.
    pub no: StoryNo,
    /// When its first entry was first seen.
    pub first_seen: Time,
    /// Its entries, oldest first.
    pub sources: Vec<StorySourceRow>,
}

impl StoryRow {
    /// The title of its first entry that has one.
    pub fn title(&self) -> Option<&str> {
        self.sources.iter().find_map(|source| source.entry.entry.title.as_deref())
    }

    /// What stands where a title is needed.
    pub fn heading(&self) -> Option<String> {
        self.title().map(str::to_owned).or_else(|| self.sources.iter().find_map(|one| one.entry.entry.heading()))
    }
}

impl Read<'_> {
    /// A story with everything in it.
    pub fn story(&self, story: StoryNo) -> Result<Option<StoryRow>, StoreError> {
        let Some(first_seen) = self.story_first_seen(story)? else { return Ok(None) };
        let sql = format!(
            "SELECT {ENTRY_COLUMNS}, feed.id FROM entry
             JOIN revision ON revision.entry = entry.no
                 AND revision.n = (SELECT max(n) FROM revision AS newest WHERE newest.entry = entry.no)
             JOIN feed ON feed.no = entry.feed WHERE entry.story = ?1 ORDER BY entry.no"
        );
        let mut query = self.tx.prepare_cached(&sql)?;
        let sources = query
            .query_map([story.0], |row| {
                let entry = entry_row(row)?;
                let feed_id = FeedId::new(row.get::<_, String>(18)?);
                Ok(StorySourceRow { feed: entry.feed, feed_id, entry })
            })?
            .collect::<Result<_, _>>()?;
        Ok(Some(StoryRow { no: story, first_seen, sources }))
    }

    /// When the first entry of a story was first seen; `None`: there is no such story.
    pub fn story_first_seen(&self, story: StoryNo) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached("SELECT first_seen_at FROM story WHERE no = ?1")?
            .query_row([story.0], |row| row.get(0))
            .optional()?;
        Ok(at.map(from_millis))
    }

    /// The entries of a story that ever went to somebody, oldest first; those that are held, of the baseline or not for
    /// us are not among them.
    pub fn told_entries(&self, story: StoryNo) -> Result<Vec<ToldRow>, StoreError> {
        let mut query = self.tx.prepare_cached(TOLD)?;
        let rows = query
            .query_map([story.0], |row| {
                let severity: Option<String> = row.get(6)?;
                Ok(ToldRow {
                    entry: EntryNo(row.get(0)?),
                    feed: FeedNo(row.get(1)?),
                    feed_id: FeedId::new(row.get::<_, String>(2)?),
                    label: label(&row.get::<_, String>(3)?),
                    marks: Marks {
                        exploited: row.get(4)?,
                        cvss_tenths: row.get(5)?,
                        severity: severity.and_then(|word| Severity::parse(&word)),
                    },
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Stories by number, newest first, from below `before` on, at most `limit`. `text`: only those with an entry
    /// whose title holds it in any case of ASCII.
    pub fn stories(
        &self,
        text: Option<&str>,
        before: Option<StoryNo>,
        limit: usize,
    ) -> Result<Vec<StoryNo>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT no FROM story WHERE no < ?1 AND (?2 IS NULL OR EXISTS
                 (SELECT 1 FROM entry JOIN revision ON revision.entry = entry.no
                  WHERE entry.story = story.no AND instr(lower(title), lower(?2)) > 0))
             ORDER BY no DESC LIMIT ?3",
        )?;
        let rows = query
            .query_map(params![before.map_or(i64::MAX, |no| no.0), text, limit], |row| Ok(StoryNo(row.get(0)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// The story that an entry of this feed with these keys belongs to: the first key that a story has decides, else
    /// it is a new one. Keys that belong to another story stay there, so that two stories never merge. A link joins
    /// no two entries of one feed: a bulletin page that all of them lead to says nothing about what they report.
    pub(super) fn story_for(&mut self, keys: &StoryKeys, feed: FeedNo, now: Time) -> Result<StoryNo, StoreError> {
        let mut by_id = self.tx.prepare_cached("SELECT story FROM story_key WHERE key = ?1")?;
        let mut by_link = self.tx.prepare_cached(
            "SELECT story FROM story_key WHERE key = ?1
                 AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.story = story_key.story AND entry.feed = ?2)",
        )?;
        let found: Option<i64> = first_held(keys, &mut |key| match key {
            StoryKey::Advisory(_) => by_id.query_row([key.to_string()], |row| row.get(0)).optional(),
            StoryKey::Link(_) => by_link.query_row(params![key.to_string(), feed.0], |row| row.get(0)).optional(),
        })?;
        drop((by_id, by_link));
        let story = if let Some(story) = found {
            story
        } else {
            self.tx.prepare_cached("INSERT INTO story (first_seen_at) VALUES (?1)")?.execute([millis(now)])?;
            self.tx.last_insert_rowid()
        };
        let story = StoryNo(story);
        self.keep_keys(keys, story)?;
        Ok(story)
    }

    /// Gives a story those of these keys that no story holds.
    pub(super) fn keep_keys(&mut self, keys: &StoryKeys, story: StoryNo) -> Result<(), StoreError> {
        let mut keep =
            self.tx.prepare_cached("INSERT INTO story_key (key, story) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        for key in &keys.joins {
            keep.execute(params![key.to_string(), story.0])?;
        }
        Ok(())
    }
}
