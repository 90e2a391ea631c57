//! Lines under "also published", and stories that are withheld: what a digest tells of besides its stories.

use rusqlite::params;

use super::{Read, StoreError, Write};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        entry::heading,
        id::{ConfigVersion, EntryNo, FeedId, FeedNo, OwnerId, StoryNo},
        time::{Time, millis},
    },
    route::Withheld,
};

/// A line under "also published" that no digest has carried yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRow {
    /// The entry.
    pub entry: EntryNo,
    /// Its feed.
    pub feed: FeedId,
    /// The number of its feed.
    pub feed_no: FeedNo,
    /// Its title; where it has none, the beginning of its text.
    pub title: Option<String>,
    /// Its link.
    pub link: Option<String>,
    /// Whether a digest carried it before: it is told again because it changed.
    pub is_update: bool,
}

/// A story that was withheld and that the owner has not been told of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldRow {
    /// The story.
    pub story: StoryNo,
    /// The feed.
    pub feed: FeedId,
    /// Who has it.
    pub ask: OwnerId,
}

impl Read<'_> {
    /// The lines that wait for this owner, oldest first.
    pub fn listed(&self, owner: &OwnerId) -> Result<Vec<ListedRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT listing.entry, feed.id, feed.no, revision.title, revision.link,
                 substr(coalesce(revision.summary, revision.body), 1, 1000),
                 EXISTS (SELECT 1 FROM digest_listing JOIN standing_digest USING (digest)
                     WHERE digest_listing.entry = listing.entry)
             FROM listing_state
             JOIN listing ON listing.entry = listing_state.entry
             JOIN feed ON feed.no = listing.feed
             JOIN revision ON revision.entry = listing.entry
                 AND revision.n = (SELECT max(n) FROM revision AS newest WHERE newest.entry = listing.entry)
             WHERE listing_state.owner = ?1 ORDER BY feed.id, listing.entry",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(ListedRow {
                    entry: EntryNo(row.get(0)?),
                    feed: FeedId::new(row.get::<_, String>(1)?),
                    feed_no: FeedNo(row.get(2)?),
                    title: heading(
                        row.get::<_, Option<String>>(3)?.as_deref(),
                        row.get::<_, Option<String>>(5)?.as_deref(),
                    ),
                    link: row.get(4)?,
                    is_update: row.get(6)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The stories that were withheld from this owner and not yet told of.
    pub fn withheld(&self, owner: &OwnerId) -> Result<Vec<WithheldRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT story, feed.id, ask FROM withheld JOIN feed ON feed.no = withheld.feed
             WHERE owner = ?1 AND NOT EXISTS (SELECT 1 FROM digest_withheld JOIN standing_digest USING (digest)
                 WHERE digest_withheld.story = withheld.story AND digest_withheld.owner = withheld.owner)
             ORDER BY story",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| {
                Ok(WithheldRow {
                    story: StoryNo(row.get(0)?),
                    feed: FeedId::new(row.get::<_, String>(1)?),
                    ask: OwnerId::new(row.get::<_, String>(2)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Lists an entry under "also published" for an owner.
    pub(super) fn list(&mut self, entry: EntryNo, feed: FeedNo, owner: &OwnerId, now: Time) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO listing (entry, feed, owner, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![entry.0, feed.0, owner.as_str(), millis(now)])?;
        Ok(())
    }

    pub(super) fn withhold(
        &mut self,
        story: StoryNo,
        feed: FeedNo,
        withheld: &Withheld,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let written = self
            .tx
            .prepare_cached(
                "INSERT INTO withheld (story, owner, feed, ask, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![story.0, withheld.owner.as_str(), feed.0, withheld.ask.as_str(), millis(now)])?;
        if written > 0 {
            let owner = Personal::owner(&withheld.owner);
            self.record(Event::Withheld { story, owner, ask: Personal::owner(&withheld.ask), config }, now)?;
        }
        Ok(())
    }
}
