//! What an owner was told of a story: by the newest digest that carried it to them, else by lines under "also
//! published". What arrived later, and what stood in no mail of theirs, they were not told.

use rusqlite::{OptionalExtension, params};

use super::{
    Read, StoreError,
    entry::{ENTRY_COLUMNS, entry_row},
};
use crate::{
    change::{Heard, Version},
    model::{
        entry::Entry,
        id::{DigestNo, EntryNo, OwnerId, StoryNo},
        time::{Time, from_millis},
    },
};

/// How many entries of a story are read to the letter; of the others only marks and tags count.
const MAX_READ: usize = 50;
/// How much of each text of an entry is read, in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// The digest that told an owner of a story last.
#[derive(Debug, Clone, Copy)]
struct Telling {
    digest: DigestNo,
    /// Its record: what was committed before it stood in it.
    record: i64,
}

/// That an entry stood in the digest ?2 with the record ?3: its feed's words are in it, and by then it had gone to
/// somebody or was released from a flood.
const STOOD_IN_IT: &str = "entry.feed IN (SELECT feed FROM digest_feed WHERE digest = ?2)
    AND (EXISTS (SELECT 1 FROM revision AS early
             WHERE early.entry = entry.no AND early.record < ?3 AND early.fate IN ('assigned', 'listed'))
         OR EXISTS (SELECT 1 FROM held_state JOIN flood_decision USING (flood)
             WHERE held_state.entry = entry.no AND ended IN ('assigned', 'listed') AND flood_decision.record < ?3))";

impl Read<'_> {
    /// What this owner was told of this story.
    pub fn heard(&self, story: StoryNo, owner: &OwnerId) -> Result<Heard, StoreError> {
        let mut heard = Heard::default();
        for (place, (entry, revision)) in self.told_revisions(story, owner)?.into_iter().enumerate() {
            heard.add(entry, &self.told_version(entry, revision, place < MAX_READ)?);
        }
        Ok(heard)
    }

    /// Whether it is new to this owner that the story is exploited: they were told of it, and not that.
    pub(super) fn is_told_without_exploitation(&self, story: StoryNo, owner: &OwnerId) -> Result<bool, StoreError> {
        let Some(Telling { digest, record }) = self.last_telling(story, owner)? else { return Ok(false) };
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM entry JOIN revision ON revision.entry = entry.no
                 AND n = (SELECT max(n) FROM revision AS told WHERE told.entry = entry.no AND told.record < ?3)
             WHERE entry.story = ?1 AND exploited AND {STOOD_IN_IT})"
        );
        let is_known: bool =
            self.tx.prepare_cached(&sql)?.query_row(params![story.0, digest.0, record], |row| row.get(0))?;
        Ok(!is_known)
    }

    /// Whether any digest that left or may leave told this owner of this story.
    pub(super) fn is_told(&self, story: StoryNo, owner: &OwnerId) -> Result<bool, StoreError> {
        Ok(self.last_telling(story, owner)?.is_some())
    }

    /// When a digest that left or may leave told this owner of this story last; `None`: never.
    pub fn told_at(&self, story: StoryNo, owner: &OwnerId) -> Result<Option<Time>, StoreError> {
        let Some(telling) = self.last_telling(story, owner)? else { return Ok(None) };
        Ok(self.digest(telling.digest)?.map(|row| row.composed_at))
    }

    /// When an entry was first seen to state exploitation; `None`: it never was.
    pub fn exploited_since(&self, entry: EntryNo) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached("SELECT min(seen_at) FROM revision WHERE entry = ?1 AND exploited")?
            .query_row([entry.0], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }

    fn last_telling(&self, story: StoryNo, owner: &OwnerId) -> Result<Option<Telling>, StoreError> {
        let telling = self
            .tx
            .prepare_cached(
                "SELECT no, record FROM digest_story JOIN digest ON digest.no = digest_story.digest
                 WHERE story = ?1 AND owner = ?2
                     AND EXISTS (SELECT 1 FROM standing_digest WHERE standing_digest.digest = no)
                 ORDER BY no DESC LIMIT 1",
            )?
            .query_row(params![story.0, owner.as_str()], |row| {
                Ok(Telling { digest: DigestNo(row.get(0)?), record: row.get(1)? })
            })
            .optional()?;
        Ok(telling)
    }

    /// The entries that told this owner of this story, each with the revision that they were told, oldest first.
    fn told_revisions(&self, story: StoryNo, owner: &OwnerId) -> Result<Vec<(EntryNo, u32)>, StoreError> {
        let found = |row: &rusqlite::Row<'_>| Ok((EntryNo(row.get(0)?), row.get(1)?));
        let told = if let Some(Telling { digest, record }) = self.last_telling(story, owner)? {
            let sql = format!(
                "SELECT entry.no, (SELECT max(n) FROM revision AS told WHERE told.entry = entry.no AND told.record < ?3)
                 FROM entry WHERE entry.story = ?1 AND {STOOD_IN_IT} ORDER BY entry.no"
            );
            let mut query = self.tx.prepare_cached(&sql)?;
            query.query_map(params![story.0, digest.0, record], found)?.collect::<Result<_, _>>()?
        } else {
            let mut query = self.tx.prepare_cached(
                "SELECT entry.no, max(n) FROM entry
                 JOIN digest_listing ON digest_listing.entry = entry.no
                 JOIN digest ON digest.no = digest_listing.digest AND digest.owner = ?2
                 JOIN standing_digest ON standing_digest.digest = digest.no
                 JOIN revision ON revision.entry = entry.no AND revision.record < digest.record
                 WHERE entry.story = ?1 GROUP BY entry.no ORDER BY entry.no",
            )?;
            query.query_map(params![story.0, owner.as_str()], found)?.collect::<Result<_, _>>()?
        };
        Ok(told)
    }

    fn told_version(&self, entry: EntryNo, revision: u32, with_texts: bool) -> Result<Version, StoreError> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM entry JOIN revision ON revision.entry = entry.no
             WHERE entry.no = ?1 AND revision.n = ?2"
        );
        let row = self.tx.prepare_cached(&sql)?.query_row(params![entry.0, revision], entry_row)?;
        let mut version = self.version(row)?;
        let most = if with_texts { MAX_TEXT } else { 0 };
        let Entry { title, summary, body, .. } = &mut version.entry;
        for text in [title, summary, body].into_iter().flatten() {
            text.truncate(text.floor_char_boundary(most));
        }
        Ok(version)
    }
}
