//! New links that were asked for: the request, and the digests that tell them.

use rusqlite::params;

use super::{Read, StoreError, Write, signed};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{DigestNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

impl Read<'_> {
    /// When new links to the stories of a digest were asked for last.
    pub fn links_asked_at(&self, digest: DigestNo) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self
            .tx
            .prepare_cached("SELECT max(at) FROM links_asked WHERE digest = ?1")?
            .query_row([digest.0], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }

    /// The digests of an owner for which new links were asked since a moment, and no mail has told any since, oldest first;
    /// since an earlier moment where a mail that told them was taken back.
    pub fn links_wanted(&self, owner: &OwnerId, (since, earliest): (Time, Time)) -> Result<Vec<DigestNo>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT digest FROM
                 (SELECT asked.digest, asked.at, asked.record,
                      (SELECT max(state <> 'withdrawn') FROM digest AS later JOIN delivery ON delivery.digest = later.no
                       JOIN delivery_state ON delivery_state.delivery = delivery.no
                       WHERE later.owner = ?1 AND later.kind = 'links' AND later.record > asked.record) AS is_told
                  FROM links_asked AS asked JOIN digest ON digest.no = asked.digest
                  WHERE asked.at >= ?3 AND digest.owner = ?1)
             WHERE is_told = 0 OR is_told IS NULL AND at >= ?2 ORDER BY record",
        )?;
        let rows = query
            .query_map(params![owner.as_str(), millis(since), millis(earliest)], |row| Ok(DigestNo(row.get(0)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
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
