//! What owners said is not theirs: recorded once per form.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        disowned::{Disowned, Heard},
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

    /// When this owner said what has this record; `None`: nothing of theirs has it.
    pub fn disowned_at(&self, owner: &OwnerId, record: u64) -> Result<Option<Time>, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT at FROM disowned WHERE owner = ?1 AND record = ?2")?;
        let at: Option<i64> = query.query_row(params![owner.as_str(), signed(record)], |row| row.get(0)).optional()?;
        Ok(at.map(from_millis))
    }
}

impl Write<'_> {
    /// Records that something is not this owner's, or finds that the same form was recorded before.
    pub fn disown(&mut self, said: &Disowned, digest: DigestNo, nonce: &str, now: Time) -> Result<Heard, StoreError> {
        let before: Option<Disowned> = self
            .tx
            .prepare_cached("SELECT owner, kind, id, note, at, record FROM disowned WHERE nonce = ?1")?
            .query_row([nonce], disowned)
            .optional()?;
        if let Some(Disowned { kind, id, note, record, .. }) = before {
            let is_same = (kind, &id, &note) == (said.kind, &said.id, &said.note);
            return Ok(if is_same { Heard::Already { record } } else { Heard::Otherwise { record } });
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
        Ok(Heard::New { record })
    }
}
