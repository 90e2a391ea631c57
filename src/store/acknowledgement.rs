//! What people said, and what it refers to: recorded once per form, read by story.

use rusqlite::{OptionalExtension, Row, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    answer::Said,
    evidence::event::{Event, Personal},
    model::{
        acknowledgement::{Answer, Disposition, Haste, Reference, ReferenceKind},
        id::{AcknowledgementNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

/// The most answers to a story that are read, the newest.
const MAX_ANSWERS: usize = 200;
/// The newest answers to a story.
pub(super) const ANSWERS: &str =
    "SELECT no, owner, at, happened_at, disposition, note, corrects, haste, record FROM acknowledgement_story
     JOIN acknowledgement ON no = acknowledgement WHERE story = ?1 ORDER BY acknowledgement DESC LIMIT ?2";
/// The answer of a form.
const OF_FORM: &str =
    "SELECT no, owner, at, happened_at, disposition, note, corrects, haste, record FROM acknowledgement
     WHERE nonce = ?1";
/// What an answer refers to.
pub(super) const REFERENCES: &str =
    "SELECT kind, text FROM acknowledgement_reference WHERE acknowledgement = ?1 ORDER BY n";
/// The answer of an owner with a record.
pub(super) const OF_RECORD: &str = "SELECT no, at FROM acknowledgement WHERE record = ?1 AND owner = ?2";

/// An answer as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// Whose link or name it was.
    pub owner: OwnerId,
    /// When it was recorded.
    pub at: Time,
    /// When what it says happened.
    pub happened: Time,
    /// What was said.
    pub disposition: Disposition,
    /// Why.
    pub note: Option<String>,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// The record that it corrects.
    pub corrects: Option<u64>,
    /// Whether it came too soon for a person.
    pub haste: Haste,
    /// The number of its record.
    pub record: u64,
}

impl Said for AnswerRow {
    fn record(&self) -> u64 {
        self.record
    }

    fn corrects(&self) -> Option<u64> {
        self.corrects
    }
}

impl Read<'_> {
    /// What was said of a story, oldest first; of very many answers the newest.
    pub fn answers(&self, story: StoryNo) -> Result<Vec<AnswerRow>, StoreError> {
        let mut query = self.tx.prepare_cached(ANSWERS)?;
        let mut rows: Vec<(i64, AnswerRow)> = query
            .query_map(params![story.0, MAX_ANSWERS], |row| Ok((row.get(0)?, answer_row(row)?)))?
            .collect::<Result<_, _>>()?;
        rows.reverse();
        for (no, row) in &mut rows {
            row.references = self.references(*no)?;
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn references(&self, no: i64) -> Result<Vec<Reference>, StoreError> {
        let mut query = self.tx.prepare_cached(REFERENCES)?;
        let rows = query.query_map([no], |row| {
            let kind = ReferenceKind::parse(&row.get::<_, String>(0)?).unwrap_or(ReferenceKind::Ticket);
            Ok(Reference { kind, text: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The earlier answer of the form with this nonce.
    pub fn answer_of_form(&self, nonce: &str) -> Result<Option<AnswerRow>, StoreError> {
        let before: Option<(i64, AnswerRow)> = self
            .tx
            .prepare_cached(OF_FORM)?
            .query_row([nonce], |row| Ok((row.get(0)?, answer_row(row)?)))
            .optional()?;
        let Some((no, mut row)) = before else { return Ok(None) };
        row.references = self.references(no)?;
        Ok(Some(row))
    }

    /// The record of the first of the answers that correct each other, of which one has this record.
    fn first_record(&self, record: u64) -> Result<u64, StoreError> {
        let first: Option<i64> = self
            .tx
            .prepare_cached("SELECT coalesce(first_record, record) FROM acknowledgement WHERE record = ?1")?
            .query_row([signed(record)], |row| row.get(0))
            .optional()?;
        Ok(first.map_or(record, unsigned))
    }

    /// The answer of this owner with this record: when it was recorded, and the stories that it is about.
    pub fn answer_of_record(&self, owner: &OwnerId, record: u64) -> Result<Option<(Time, Vec<StoryNo>)>, StoreError> {
        let found: Option<(i64, i64)> = self
            .tx
            .prepare_cached(OF_RECORD)?
            .query_row(params![signed(record), owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((no, at)) = found else { return Ok(None) };
        let mut query = self.tx.prepare_cached("SELECT story FROM acknowledgement_story WHERE acknowledgement = ?1")?;
        let stories = query.query_map([no], |row| Ok(StoryNo(row.get(0)?)))?.collect::<Result<_, _>>()?;
        Ok(Some((from_millis(at), stories)))
    }
}

fn answer_row(row: &Row<'_>) -> rusqlite::Result<AnswerRow> {
    let at: i64 = row.get(2)?;
    Ok(AnswerRow {
        owner: OwnerId::new(row.get::<_, String>(1)?),
        at: from_millis(at),
        happened: from_millis(row.get::<_, Option<i64>>(3)?.unwrap_or(at)),
        disposition: Disposition::parse(&row.get::<_, String>(4)?).unwrap_or(Disposition::Acted),
        note: row.get(5)?,
        references: Vec::new(),
        corrects: row.get::<_, Option<i64>>(6)?.map(unsigned),
        haste: Haste::parse(&row.get::<_, String>(7)?),
        record: unsigned(row.get(8)?),
    })
}

impl Write<'_> {
    /// Records an answer; the number of its record. Whether the same form was recorded before, and whether it fits,
    /// is looked at before, in the same transaction.
    pub fn acknowledge(&mut self, answer: &Answer, now: Time) -> Result<u64, StoreError> {
        let no: i64 =
            self.tx.query_row("SELECT coalesce(max(no), 0) + 1 FROM acknowledgement", [], |row| row.get(0))?;
        let of_owner = |text: &String| Personal::of(&answer.owner, text.clone());
        let event = Event::Acknowledged {
            acknowledgement: AcknowledgementNo(no),
            digest: answer.digest,
            stories: answer.stories.clone(),
            disposition: answer.disposition,
            via: answer.via,
            haste: answer.haste,
            corrects: answer.corrects,
            owner: Personal::owner(&answer.owner),
            note: answer.note.as_ref().map(of_owner),
            references: answer.references.iter().map(|one| (one.kind, of_owner(&one.text))).collect(),
        };
        let record = self.record(event, answer.happened.unwrap_or(now))?;
        let first = match answer.corrects {
            Some(corrected) => self.read().first_record(corrected)?,
            None => record,
        };
        self.tx.execute(
            "INSERT INTO acknowledgement (no, nonce, owner, digest, disposition, note, via, at, record, happened_at,
                 corrects, haste, first_record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                no,
                answer.nonce,
                answer.owner.as_str(),
                answer.digest.map(|digest| digest.0),
                answer.disposition.as_str(),
                answer.note,
                answer.via.as_str(),
                millis(now),
                signed(record),
                answer.happened.map(millis),
                answer.corrects.map(signed),
                answer.haste.as_str().unwrap_or_default(),
                signed(first),
            ],
        )?;
        for story in &answer.stories {
            self.tx.execute(
                "INSERT INTO acknowledgement_story (acknowledgement, story) VALUES (?1, ?2)",
                params![no, story.0],
            )?;
        }
        for (n, reference) in answer.references.iter().enumerate() {
            self.tx.execute(
                "INSERT INTO acknowledgement_reference (acknowledgement, n, kind, text) VALUES (?1, ?2, ?3, ?4)",
                params![no, n, reference.kind.as_str(), reference.text],
            )?;
        }
        Ok(record)
    }
}
