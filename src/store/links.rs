//! New links that were asked for: the request, and the digests that tell them.

use rusqlite::params;

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{AssignmentNo, DigestNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

/// A request for new links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinksAsked {
    /// The digest whose links had ended.
    pub digest: DigestNo,
    /// When.
    pub at: Time,
    /// Its record.
    pub record: u64,
}

impl Read<'_> {
    /// When new links to the stories of a digest were asked for last.
    pub fn links_asked_at(&self, digest: DigestNo) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached("SELECT max(at) FROM links_asked WHERE digest = ?1")?
            .query_row([digest.0], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }

    /// The requests of an owner for new links since a moment, oldest first.
    pub fn links_asked(&self, owner: &OwnerId, since: Time) -> Result<Vec<LinksAsked>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT asked.digest, asked.at, asked.record FROM links_asked AS asked
             JOIN digest ON digest.no = asked.digest WHERE asked.at >= ?2 AND digest.owner = ?1 ORDER BY asked.record",
        )?;
        let rows = query
            .query_map(params![owner.as_str(), millis(since)], |row| {
                Ok(LinksAsked {
                    digest: DigestNo(row.get(0)?),
                    at: from_millis(row.get(1)?),
                    record: unsigned(row.get(2)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Whether a mail with new links has told this assignment since a record, and left or still may; `None`: none has told
    /// it.
    pub fn links_told(&self, assignment: AssignmentNo, since: u64) -> Result<Option<bool>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT max(state <> 'withdrawn') FROM digest_anew JOIN digest ON digest.no = digest_anew.digest
             JOIN delivery ON delivery.digest = digest.no JOIN delivery_state ON delivery_state.delivery = delivery.no
             WHERE digest_anew.assignment = ?1 AND digest.record > ?2",
        )?;
        Ok(query.query_row(params![assignment.0, signed(since)], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// Records that new links to these stories of a digest were asked for.
    pub fn ask_links(
        &mut self,
        digest: DigestNo,
        owner: &OwnerId,
        open: Vec<StoryNo>,
        now: Time,
    ) -> Result<(), StoreError> {
        let record = self.record(Event::LinksAsked { digest, open, owner: Personal::owner(owner) }, now)?;
        self.tx.execute(
            "INSERT INTO links_asked (digest, at, record) VALUES (?1, ?2, ?3)",
            params![digest.0, millis(now), signed(record)],
        )?;
        Ok(())
    }
}
