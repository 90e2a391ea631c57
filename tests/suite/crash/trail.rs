//! What a played story left behind, seen from outside, and what must be true of it whatever happened on the way.
//! Reads the mail server, the state folder and the database; knows nothing of how the story was played.

use std::{collections::BTreeMap, fs, path::PathBuf};

use rusqlite::{Connection, Row};
use sigtrail::{evidence::mailed::notes_in_mail, evidence::report, pack, store::DATABASE};

use crate::harness::{
    smtp_server::Mail,
    world::{World, text_of},
};

/// What the story should come to.
pub struct Promise {
    /// Every entry that the feeds published: feed, guid, how many revisions of it.
    pub entries: &'static [(&'static str, &'static str, i64)],
    /// Who is told what, by a text that stands in the mail: once, by one message.
    pub told: &'static [(&'static str, &'static str)],
    /// The kinds of records that stand for rows, with the table of these rows.
    pub recorded: &'static [(&'static str, &'static str)],
}

/// A digest as the database has it.
#[derive(Debug, Clone)]
pub struct Digest {
    /// Where it goes.
    pub address: String,
    /// Its bytes, frozen.
    pub bytes: Vec<u8>,
    /// Where its delivery stands.
    pub state: String,
}

/// Everything that is left of a story.
#[derive(Debug, Clone)]
pub struct Trail {
    /// What the mail server accepted.
    pub mails: Vec<Mail>,
    /// Feed, guid and number of revisions of every entry.
    pub entries: Vec<(String, String, i64)>,
    /// Every digest.
    pub digests: Vec<Digest>,
    /// Stories that are assigned and stand in no digest.
    pub untold: i64,
    /// The nonces of the acknowledgements.
    pub answers: Vec<String>,
    /// How many rows each table has.
    pub rows: BTreeMap<&'static str, usize>,
    /// How many records of each kind there are.
    pub records: BTreeMap<String, usize>,
    /// Every signed checkpoint that was ever seen outside the database.
    pub notes: Vec<String>,
    /// What verifying the log against the mails came to, when it is not good.
    pub broken: Option<String>,
}

impl Trail {
    /// Reads what is left. `notes` are the checkpoints that were seen on the way.
    pub fn of(world: &mut World, promise: &Promise, notes: &[String]) -> Trail {
        let mails = world.smtp.mails();
        let mut kinds = BTreeMap::new();
        for record in world.records() {
            *kinds.entry(record["kind"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let database = world.state().join(DATABASE);
        let conn = Connection::open(&database).unwrap();
        let count = |table: &str| all(&conn, &format!("SELECT count(*) FROM {table}"), |row| row.get(0)).remove(0);
        let rows = promise.recorded.iter().map(|(_, table)| (*table, count(table))).collect();
        let seen = mails.iter().flat_map(|mail| notes_in_mail(&mail.raw));
        Trail {
            entries: all(
                &conn,
                "SELECT feed.id, revision.guid, count(*) FROM entry JOIN feed ON feed.no = entry.feed
                 JOIN revision ON revision.entry = entry.no GROUP BY entry.no ORDER BY 1, 2",
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            ),
            digests: all(
                &conn,
                "SELECT address, bytes, state FROM digest JOIN delivery ON delivery.digest = digest.no
                 LEFT JOIN delivery_state ON delivery_state.delivery = delivery.no",
                |row| Ok(Digest { address: row.get(0)?, bytes: row.get(1)?, state: row.get(2)? }),
            ),
            untold: all(
                &conn,
                "SELECT count(*) FROM assignment
                 WHERE no NOT IN (SELECT assignment FROM digest_story UNION SELECT assignment FROM reassigned)",
                |row| row.get(0),
            )
            .remove(0),
            answers: all(&conn, "SELECT nonce FROM acknowledgement", |row| row.get(0)),
            rows,
            records: kinds,
            notes: notes.iter().cloned().chain(seen).collect(),
            broken: verified(&database, &mails),
            mails,
        }
    }

    /// Everything that is not as it was promised. `confirmed` are the nonces of the answers that somebody was told
    /// were recorded.
    pub fn problems(&self, promise: &Promise, confirmed: &[&str]) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        let entries: Vec<(&str, &str, i64)> =
            self.entries.iter().map(|(feed, guid, revisions)| (feed.as_str(), guid.as_str(), *revisions)).collect();
        must(entries == promise.entries, &format!("every entry is stored once: {entries:?}"));
        must(self.untold == 0, "every assigned story stands in a digest");
        let mut answers = self.answers.clone();
        answers.sort_unstable();
        must(answers == confirmed, &format!("every confirmed answer is there once: {answers:?}"));
        for (kind, table) in promise.recorded {
            let (records, rows) = (self.records.get(*kind).copied().unwrap_or(0), self.rows[table]);
            must(records == rows, &format!("{rows} rows of {table} have {records} records of kind {kind}"));
        }
        must(self.broken.is_none(), &format!("the log verifies: {:?}", self.broken));
        must(self.notes.len() > 2, "there are checkpoints to compare");
        must(self.has_one_note_a_size(), "there is one signed note for one size");
        problems.extend(self.mail_problems(promise));
        problems
    }

    fn mail_problems(&self, promise: &Promise) -> Vec<String> {
        let mut problems = Vec::new();
        for digest in &self.digests {
            if digest.state != "accepted" {
                problems.push(format!("a digest for {} is {}", digest.address, digest.state));
            }
            if !self.mails.iter().any(|mail| mail.raw == digest.bytes && mail.to == [digest.address.as_str()]) {
                problems.push(format!("a digest for {} was never mailed", digest.address));
            }
        }
        for mail in &self.mails {
            if !self.digests.iter().any(|digest| digest.bytes == mail.raw) {
                problems.push(format!("a mail to {:?} is no digest", mail.to));
            }
        }
        let by_id = self.by_message_id();
        for (id, copies) in &by_id {
            if copies.iter().any(|copy| copy.raw != copies[0].raw || copy.to != copies[0].to) {
                problems.push(format!("the copies of {id} differ"));
            }
        }
        for (owner, text) in promise.told {
            let address = format!("{owner}@example.com");
            let told = by_id.values().filter(|copies| copies[0].to == [address.as_str()]);
            let times = told.filter(|copies| text_of(copies[0]).contains(text)).count();
            if times != 1 {
                problems.push(format!("{owner} was told of {text} by {times} messages"));
            }
        }
        problems
    }

    /// The accepted copies of every message.
    pub fn by_message_id(&self) -> BTreeMap<String, Vec<&Mail>> {
        let mut by_id: BTreeMap<String, Vec<&Mail>> = BTreeMap::new();
        for mail in &self.mails {
            let message = mail_parser::MessageParser::default().parse(&mail.raw).unwrap();
            by_id.entry(message.message_id().unwrap().to_owned()).or_default().push(mail);
        }
        by_id
    }

    fn has_one_note_a_size(&self) -> bool {
        let mut by_size: BTreeMap<&str, &str> = BTreeMap::new();
        self.notes.iter().all(|note| {
            let size = note.lines().nth(1).unwrap();
            *by_size.entry(size).or_insert(note) == note.as_str()
        })
    }
}

fn all<T>(conn: &Connection, sql: &str, row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    conn.prepare(sql).unwrap().query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Verifies the log in the database with every accepted mail as an anchor.
fn verified(database: &std::path::Path, mails: &[Mail]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = mails
        .iter()
        .enumerate()
        .map(|(i, mail)| {
            let file = folder.path().join(format!("{i}.eml"));
            fs::write(&file, &mail.raw).unwrap();
            file
        })
        .collect();
    let verdict = pack::verify(database, None, &files).unwrap();
    (!verdict.is_good() || !verdict.is_anchored()).then(|| report::render(&verdict))
}
