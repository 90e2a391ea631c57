//! How the stories of a digest stand with its owner: which are answered, and which somebody else has now.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError};
use crate::model::{
    id::{AssignmentNo, DigestNo, OwnerId, StoryNo},
    time::{Time, from_millis},
};

/// Every story that a digest told, first or again, with how it stands.
pub(super) const PLACES: &str = "SELECT told.number, assignment.story, told.assignment,
         EXISTS (SELECT 1 FROM acknowledgement_story JOIN acknowledgement ON acknowledgement.no = acknowledgement
             WHERE acknowledgement_story.story = assignment.story AND acknowledgement.owner = ?2
                 AND coalesce(first_record, acknowledgement.record)
                     >= coalesce(log_size, (SELECT record FROM digest WHERE digest.no = ?1))),
         NOT EXISTS (SELECT 1 FROM assignment AS mine WHERE mine.story = assignment.story AND mine.owner = ?2
             AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = mine.no))
     FROM (SELECT number, assignment FROM digest_story WHERE digest = ?1
           UNION ALL SELECT number, assignment FROM reminder WHERE digest = ?1
           UNION ALL SELECT number, assignment FROM digest_passed WHERE digest = ?1
           UNION ALL SELECT number, assignment FROM digest_anew WHERE digest = ?1) AS told
     JOIN assignment ON assignment.no = told.assignment";
/// Whether the newest assignment of a story to an owner was taken back, and why.
pub(super) const PASSED: &str =
    "SELECT at, why FROM assignment LEFT JOIN reassigned ON reassigned.assignment = assignment.no
     WHERE story = ?1 AND owner = ?2 ORDER BY round DESC LIMIT 1";
/// The last words with the mail server about a digest.
pub(super) const SENT: &str = "SELECT max(max(started_at), coalesce(max(finished_at), 0)) FROM delivery
     JOIN attempt ON attempt.delivery = delivery.no
     LEFT JOIN receipt ON receipt.delivery = attempt.delivery AND receipt.n = attempt.n
     WHERE delivery.digest = ?1";

/// A story of a digest as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// The story.
    pub story: StoryNo,
    /// Its number in the digest, from 1.
    pub number: usize,
    /// The assignment that the digest told.
    pub assignment: AssignmentNo,
    /// Whether the owner has answered it since it was theirs to answer.
    pub is_answered: bool,
    /// Since when somebody else has it; `None`: it is the owner's.
    pub passed: Option<Time>,
}

impl Read<'_> {
    /// The stories of a digest that was composed for this owner, by number.
    pub fn places(&self, digest: DigestNo, owner: &OwnerId) -> Result<Vec<PlaceRow>, StoreError> {
        let mut query = self.tx.prepare_cached(PLACES)?;
        let mut places: Vec<(PlaceRow, bool)> = query
            .query_map(params![digest.0, owner.as_str()], |row| {
                let place = PlaceRow {
                    number: row.get(0)?,
                    story: StoryNo(row.get(1)?),
                    assignment: AssignmentNo(row.get(2)?),
                    is_answered: row.get(3)?,
                    passed: None,
                };
                Ok((place, row.get(4)?))
            })?
            .collect::<Result<_, _>>()?;
        places.sort_by_key(|(place, _)| place.number);
        for (place, is_nobodys) in &mut places {
            if *is_nobodys {
                place.passed = self.passed_since(place.story, owner)?;
            }
        }
        Ok(places.into_iter().map(|(place, _)| place).collect())
    }

    /// Since when a story is somebody else's that was this owner's; `None`: it is theirs still.
    pub fn passed_since(&self, story: StoryNo, owner: &OwnerId) -> Result<Option<Time>, StoreError> {
        let last: Option<(Option<i64>, Option<String>)> = self
            .tx
            .prepare_cached(PASSED)?
            .query_row(params![story.0, owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // Without a reason the same owner is told again.
        Ok(last.and_then(|(at, why)| at.filter(|_| why.is_some_and(|why| !why.is_empty()))).map(from_millis))
    }

    /// When the mail server was last spoken to about a digest; `None`: never.
    pub fn last_sent_at(&self, digest: DigestNo) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self.tx.prepare_cached(SENT)?.query_row([digest.0], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }
}
