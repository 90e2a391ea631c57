//! The trail of a story: which records of the log speak of it, kept with every record that is appended, and read again
//! with the texts that they commit to. What a record means to people is `chain`'s business.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{Read, StoreError, signed, unsigned};
use crate::{
    evidence::{
        draft::Draft,
        record::{self, Record},
    },
    model::id::{EntryNo, OwnerId, StoryNo},
};

/// The most revisions of one entry that are read.
const MAX_REVISIONS: usize = 20;
/// The most records that name the story itself, the newest.
const MAX_RECORDS: usize = 200;
/// The most deliveries of the story, the newest.
const MAX_DELIVERIES: usize = 30;
/// The most records of one delivery, the newest.
const MAX_OF_DELIVERY: usize = 3;

/// The records of an entry's revisions.
pub(super) const REVISIONS: &str = "SELECT record FROM revision WHERE entry = ?1 ORDER BY n LIMIT ?2";
/// The newest records about a story or a delivery.
pub(super) const ABOUT: &str =
    "SELECT record FROM trail_state WHERE about = ?1 AND no = ?2 ORDER BY record DESC LIMIT ?3";
/// The delivery of a digest.
pub(super) const DELIVERY: &str = "SELECT no FROM delivery WHERE digest = ?1";
/// One record.
pub(super) const RECORD: &str = "SELECT bytes FROM record WHERE idx = ?1";
/// The texts about people that a record commits to.
pub(super) const TEXTS: &str = "SELECT field, person, text FROM personal WHERE idx = ?1";

/// A record with the texts that it commits to, by field; a person who was erased is not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct TrailRow {
    /// The record.
    pub record: Record,
    /// The texts, each with whose data it is.
    pub texts: BTreeMap<String, (Option<OwnerId>, String)>,
}

/// What a record is about.
pub(super) fn about(draft: &Draft) -> Vec<(&'static str, i64)> {
    let number = |name: &str| draft.fields.get(name).and_then(Value::as_i64);
    let mut found = Vec::new();
    // A revision knows its own record.
    if draft.kind != "entry-received" {
        found.extend(number("story").map(|no| ("story", no)));
    }
    if let Some(Value::Array(stories)) = draft.fields.get("stories") {
        found.extend(stories.iter().filter_map(Value::as_i64).map(|no| ("story", no)));
    }
    if draft.kind != "delivery-started" {
        found.extend(number("delivery").map(|no| ("delivery", no)));
    }
    found
}

/// Keeps what a record is about.
pub(super) fn keep(tx: &Connection, about: &[(&'static str, i64)], record: u64) -> Result<(), StoreError> {
    if about.is_empty() {
        return Ok(());
    }
    let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO trail_state (about, no, record) VALUES (?1, ?2, ?3)")?;
    for (what, no) in about {
        insert.execute(params![what, no, signed(record)])?;
    }
    Ok(())
}

impl Read<'_> {
    /// The records that speak of a story and of these entries of it, in their order. Each kind is bounded; what is
    /// beyond its bound is not read.
    pub fn trail(&self, story: StoryNo, entries: &[EntryNo]) -> Result<Vec<TrailRow>, StoreError> {
        let mut rows = BTreeMap::new();
        for about in self.numbers(ABOUT, params!["story", story.0, MAX_RECORDS])? {
            rows.extend(self.trail_row(about)?.map(|row| (row.record.index, row)));
        }
        let digests = rows.values().rev().filter(|row: &&TrailRow| row.record.kind == "digest-composed");
        let digests: Vec<i64> = digests.filter_map(|row| row.record.fields.get("digest")?.as_i64()).collect();
        let mut records = Vec::new();
        for digest in digests.into_iter().take(MAX_DELIVERIES) {
            for delivery in self.numbers(DELIVERY, params![digest])? {
                records.extend(self.numbers(ABOUT, params!["delivery", delivery, MAX_OF_DELIVERY])?);
            }
        }
        for entry in entries {
            for received in self.numbers(REVISIONS, params![entry.0, MAX_REVISIONS])? {
                records.push(received);
                // The tags of a revision are recorded right after it.
                let tagged = self.trail_row(received.saturating_add(1))?;
                let of_entry = |row: &TrailRow| {
                    row.record.kind == "entry-tagged" && row.record.fields.get("entry") == Some(&Value::from(entry.0))
                };
                rows.extend(tagged.filter(of_entry).map(|row| (row.record.index, row)));
            }
        }
        for number in records {
            let number = unsigned(number);
            if !rows.contains_key(&number) {
                rows.extend(self.trail_row(signed(number))?.map(|row| (number, row)));
            }
        }
        Ok(rows.into_values().collect())
    }

    fn numbers(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<i64>, StoreError> {
        let mut query = self.tx.prepare_cached(sql)?;
        Ok(query.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    fn trail_row(&self, record: i64) -> Result<Option<TrailRow>, StoreError> {
        let bytes: Option<Vec<u8>> =
            self.tx.prepare_cached(RECORD)?.query_row([record], |row| row.get(0)).optional()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let read = record::read(&bytes).map_err(|error| StoreError::BrokenLog(format!("record {record} {error}")))?;
        let mut query = self.tx.prepare_cached(TEXTS)?;
        let texts = query
            .query_map([record], |row| {
                let person: Option<String> = row.get(1)?;
                Ok((row.get::<_, String>(0)?, (person.map(OwnerId::new), row.get::<_, String>(2)?)))
            })?
            .collect::<Result<_, _>>()?;
        Ok(Some(TrailRow { record: read, texts }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        store::{
            Faults, Store,
            acknowledgement::{ANSWERS, OF_RECORD, REFERENCES},
            place::{PASSED, PLACES, SENT},
            story::TOLD,
        },
    };

    #[test]
    fn no_query_of_the_page_goes_through_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path(), Clock::System, Faults::default()).unwrap();
        store
            .read(|read| {
                let page = [ANSWERS, REFERENCES, OF_RECORD, PLACES, PASSED, SENT, TOLD];
                let trail = [REVISIONS, ABOUT, DELIVERY, RECORD, TEXTS];
                for sql in page.into_iter().chain(trail) {
                    let mut query = read.tx.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let values = vec![1; query.parameter_count()];
                    let lines: Vec<String> = query
                        .query_map(rusqlite::params_from_iter(values), |row| row.get(3))?
                        .collect::<Result<_, _>>()?;
                    assert!(!lines.is_empty());
                    // What the digest told is read from four small tables, each by its index.
                    for line in lines.iter().filter(|line| *line != "SCAN told") {
                        assert!(!line.contains("SCAN") && !line.contains("TEMP B-TREE"), "{line}: {sql}");
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
