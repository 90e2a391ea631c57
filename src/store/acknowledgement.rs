//! What people said: recorded once per form, read by story.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write, signed, unsigned};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        acknowledgement::{Answer, Disposition, Recorded},
        id::{AcknowledgementNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

/// An answer as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// Whose link or name it was.
    pub owner: OwnerId,
    /// When.
    pub at: Time,
    /// What was said.
    pub disposition: Disposition,
    /// Why.
    pub note: Option<String>,
    /// What it refers to.
    pub reference: Option<String>,
    /// The number of its record.
    pub record: u64,
}

impl Read<'_> {
    /// What was said of a story, oldest first.
    pub fn answers(&self, story: StoryNo) -> Result<Vec<AnswerRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, at, disposition, note, reference, record FROM acknowledgement
             JOIN acknowledgement_story ON acknowledgement = no WHERE story = ?1 ORDER BY no",
        )?;
        let rows = query
            .query_map([story.0], |row| {
                Ok(AnswerRow {
                    owner: OwnerId::new(row.get::<_, String>(0)?),
                    at: from_millis(row.get(1)?),
                    disposition: Disposition::parse(&row.get::<_, String>(2)?).unwrap_or(Disposition::Acted),
                    note: row.get(3)?,
                    reference: row.get(4)?,
                    record: unsigned(row.get(5)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Records an answer, or finds the one that the same form recorded before.
    pub fn acknowledge(&mut self, answer: &Answer, now: Time) -> Result<Recorded, StoreError> {
        let before: Option<(i64, i64)> = self
            .tx
            .prepare_cached("SELECT at, record FROM acknowledgement WHERE nonce = ?1")?
            .query_row([&answer.nonce], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((at, record)) = before {
            return Ok(Recorded::Already { at: from_millis(at), record: unsigned(record) });
        }
        let no: i64 =
            self.tx.query_row("SELECT coalesce(max(no), 0) + 1 FROM acknowledgement", [], |row| row.get(0))?;
        let personal = |text: &Option<String>| text.as_ref().map(|text| Personal::of(&answer.owner, text.clone()));
        let event = Event::Acknowledged {
            acknowledgement: AcknowledgementNo(no),
            digest: answer.digest,
            stories: answer.stories.clone(),
            disposition: answer.disposition,
            via: answer.via,
            owner: Personal::owner(&answer.owner),
            note: personal(&answer.note),
            reference: personal(&answer.reference),
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO acknowledgement (no, nonce, owner, digest, disposition, note, reference, via, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                no,
                answer.nonce,
                answer.owner.as_str(),
                answer.digest.map(|digest| digest.0),
                answer.disposition.as_str(),
                answer.note,
                answer.reference,
                answer.via.as_str(),
                millis(now),
                signed(record),
            ],
        )?;
        for story in &answer.stories {
            self.tx.execute(
                "INSERT INTO acknowledgement_story (acknowledgement, story) VALUES (?1, ?2)",
                params![no, story.0],
            )?;
        }
        Ok(Recorded::New { record })
    }
}
