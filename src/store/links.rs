//! New links that were asked for: the request, and the assignments that tell its stories again.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write, signed};
use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{AssignmentNo, ConfigVersion, DigestNo, EntryNo, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
    route::Assigned,
};

/// An assignment that stands and was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAssignment {
    story: StoryNo,
    assignment: AssignmentNo,
    source: (EntryNo, u32),
    reason: String,
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

    /// The assignments of these stories to this owner that stand and wait for no digest.
    pub fn told_to(&self, stories: &[StoryNo], owner: &OwnerId) -> Result<Vec<ToldAssignment>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT no, entry, revision, reason FROM assignment WHERE story = ?1 AND owner = ?2
                 AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no)
                 AND NOT EXISTS (SELECT 1 FROM waiting_state WHERE waiting_state.assignment = assignment.no)
             ORDER BY round DESC LIMIT 1",
        )?;
        let mut told = Vec::new();
        for story in stories {
            let row = query.query_row(params![story.0, owner.as_str()], |row| {
                Ok(ToldAssignment {
                    story: *story,
                    assignment: AssignmentNo(row.get(0)?),
                    source: (EntryNo(row.get(1)?), row.get(2)?),
                    reason: row.get(3)?,
                })
            });
            told.extend(row.optional()?);
        }
        Ok(told)
    }

    /// The digests whose links this owner asked for anew, each with the assignments that wait to be mailed for it.
    pub fn anew(&self, owner: &OwnerId) -> Result<Vec<(DigestNo, AssignmentNo)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT anew.digest, anew.assignment FROM waiting_state JOIN anew USING (assignment)
             WHERE waiting_state.owner = ?1 ORDER BY anew.digest, anew.assignment",
        )?;
        let rows = query
            .query_map([owner.as_str()], |row| Ok((DigestNo(row.get(0)?), AssignmentNo(row.get(1)?))))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The Message-ID of a digest, without angle brackets.
    pub fn message_id(&self, digest: DigestNo) -> Result<String, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT message_id FROM digest WHERE no = ?1")?;
        Ok(query.query_row([digest.0], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// Records that new links were asked for, and lets these stories wait to be told once more.
    pub fn ask_links(
        &mut self,
        digest: DigestNo,
        owner: &OwnerId,
        told: &[ToldAssignment],
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        let open = told.iter().map(|one| one.story).collect();
        let record = self.record(Event::LinksAsked { digest, open, owner: Personal::owner(owner) }, now)?;
        self.tx.execute(
            "INSERT INTO links_asked (digest, at, record) VALUES (?1, ?2, ?3)",
            params![digest.0, millis(now), signed(record)],
        )?;
        for one in told {
            self.supersede(one.assignment, now)?;
            // What was urgent a month ago waits for no hour now, and is told at once anyway.
            let again = Assigned { owner: owner.clone(), reason: one.reason.clone(), urgent: false };
            self.assign_again(one.story, one.source, &again, config, now)?;
            self.tx.execute(
                "INSERT INTO anew (assignment, digest)
                 SELECT max(no), ?3 FROM assignment WHERE story = ?1 AND owner = ?2",
                params![one.story.0, owner.as_str(), digest.0],
            )?;
        }
        Ok(())
    }
}
