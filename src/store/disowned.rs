//! What owners said is not theirs: recorded once per form.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        acknowledgement::Disowned,
        id::{DigestNo, OwnerId},
        stack::OwnedKind,
        time::{Time, from_millis, millis},
    },
};

fn disowned(row: &Row<'_>) -> rusqlite::Result<Disowned> {
    Ok(Disowned {
        owner: OwnerId::new(row.get::<_, String>(0)?),
        kind: OwnedKind::parse(&row.get::<_, String>(1)?).unwrap_or(OwnedKind::Component),
        id: row.get(2)?,
        note: row.get(3)?,
        at: from_millis(row.get(4)?),
        record: unsigned(row.get(5)?),
    })
}

impl Read<'_> {
    /// What owners said is not theirs, each thing once with the newest word on it.
    pub fn disowned(&self) -> Result<Vec<Disowned>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, kind, id, note, at, record FROM disowned
             WHERE no IN (SELECT max(no) FROM disowned GROUP BY owner, kind, id) ORDER BY no",
        )?;
        let rows = query.query_map([], disowned)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The same for one owner.
    pub fn disowned_by(&self, owner: &OwnerId) -> Result<Vec<Disowned>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, kind, id, note, at, record FROM disowned WHERE no IN
                 (SELECT max(no) FROM disowned WHERE owner = ?1 GROUP BY kind, id) ORDER BY no",
        )?;
        let rows = query.query_map([owner.as_str()], disowned)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Records that something is not this owner's, or finds that the same form was recorded before; the record's number.
    pub fn disown(&mut self, said: &Disowned, digest: DigestNo, nonce: &str, now: Time) -> Result<u64, StoreError> {
        let before: Option<i64> = self
            .tx
            .prepare_cached("SELECT record FROM disowned WHERE nonce = ?1")?
            .query_row([nonce], |row| row.get(0))
            .optional()?;
        if let Some(record) = before {
            return Ok(unsigned(record));
        }
        let event = Event::Disowned {
            kind: said.kind,
            id: said.id.clone(),
            digest,
            owner: Personal::owner(&said.owner),
            note: Personal::of(&said.owner, said.note.clone()),
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO disowned (nonce, owner, kind, id, digest, note, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                nonce,
                said.owner.as_str(),
                said.kind.as_str(),
                said.id,
                digest.0,
                said.note,
                millis(now),
                signed(record)
            ],
        )?;
        Ok(record)
    }
}
