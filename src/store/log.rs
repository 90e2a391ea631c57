//! The evidence log in the store: records, the complete subtrees over them, signed heads, and the texts about
//! people beside it. How a record or a note is spelled is `evidence`'s business; nothing here is kept in memory
//! from one transaction to the next.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use ed25519_dalek::SigningKey;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, TransactionBehavior, params};

use super::StoreError;
use crate::{
    evidence::{
        draft::Draft,
        event::Event,
        merkle::{Edge, Hash, consistency, inclusion, leaf_hash, node_hash},
        note::{self, Checkpoint, VerifierKey},
        record,
    },
    model::{id::OwnerId, time::Time},
};

/// The log's tables, with the triggers that keep records, nodes and checkpoints as they were written.
///
/// Level 0 of the tree is `record.leaf_hash`; `log_node` has the complete subtrees of every fourth level from there on.
pub const TABLES: &str = include_str!("migrations/0001_log.sql");

/// Every level of the tree that is a multiple of this is kept; a node of another one is a few hashes away.
const KEPT_LEVELS: u8 = 4;

/// Why the log cannot be written, read or signed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// SQLite said no.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The log does not hold together; nothing may be written or signed any more.
    #[error("the evidence log is broken: {0}")]
    Broken(String),
    /// The system gave no random bytes for a salt.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<LogError> for StoreError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Sqlite(error) => Self::Sqlite(error),
            LogError::Broken(what) => Self::BrokenLog(what),
            LogError::Random(error) => {
                Self::File { path: "the system's random bytes".into(), error: io::Error::other(error) }
            }
        }
    }
}

/// Appends records within one transaction. The head of the log and its right edge are held here, and the inner
/// nodes and the new head are written by [`Appender::finish`], without which the transaction must not be committed.
pub struct Appender<'t> {
    tx: &'t Connection,
    edge: Edge,
    nodes: Vec<(u8, u64, Hash)>,
    salts: Vec<[u8; 32]>,
    insert_record: CachedStatement<'t>,
    insert_personal: CachedStatement<'t>,
}

impl<'t> Appender<'t> {
    /// Starts to append. The transaction must have the write lock already (`BEGIN IMMEDIATE`).
    pub fn open(tx: &'t Connection) -> Result<Self, LogError> {
        let edge = Edge::read(checked_size(tx)?, &mut |level, index| node(tx, level, index))?;
        Ok(Self {
            tx,
            edge,
            nodes: Vec::new(),
            salts: Vec::new(),
            insert_record: tx.prepare_cached("INSERT INTO record (idx, bytes, leaf_hash) VALUES (?1, ?2, ?3)")?,
            insert_personal: tx
                .prepare_cached("INSERT INTO personal (idx, field, person, salt, text) VALUES (?1, ?2, ?3, ?4, ?5)")?,
        })
    }

    /// Appends what happened at `time` and is written down at `recorded`; gives the record's index.
    pub fn append(&mut self, event: Event, time: Time, recorded: Time) -> Result<u64, LogError> {
        self.append_draft(event.into_draft(), time, recorded)
    }

    /// As [`Appender::append`], for an event whose names and values are known already.
    pub fn append_draft(&mut self, draft: Draft, time: Time, recorded: Time) -> Result<u64, LogError> {
        let index = self.edge.size();
        let row = sql_integer(index)?;
        let salts = &mut self.salts;
        let made = record::encode(draft, index, time, recorded, &mut || fresh_salt(salts))?;
        self.insert_record.execute(params![row, made.bytes, made.leaf_hash])?;
        for personal in made.personal {
            let person = personal.person.as_ref().map(OwnerId::as_str);
            self.insert_personal.execute(params![row, personal.field, person, personal.salt, personal.text])?;
        }
        let nodes = &mut self.nodes;
        self.edge.push(made.leaf_hash, &mut |level, index, hash| {
            if level.is_multiple_of(KEPT_LEVELS) {
                nodes.push((level, index, hash));
            }
        });
        Ok(index)
    }

    /// Writes the inner nodes and the new head; gives the new size.
    pub fn finish(self) -> Result<u64, LogError> {
        let mut insert = self.tx.prepare_cached("INSERT INTO log_node (level, idx, hash) VALUES (?1, ?2, ?3)")?;
        let mut nodes = self.nodes;
        nodes.sort_unstable_by_key(|(level, index, _)| (*level, *index));
        for (level, index, hash) in nodes {
            insert.execute(params![level, sql_integer(index)?, hash])?;
        }
        let size = self.edge.size();
        self.tx.prepare_cached("UPDATE log_head SET size = ?1 WHERE size <> ?1")?.execute([sql_integer(size)?])?;
        Ok(size)
    }
}

/// Appends one record; [`Appender`] is cheaper for many.
pub fn append(tx: &Connection, event: Event, time: Time, recorded: Time) -> Result<u64, LogError> {
    let mut appender = Appender::open(tx)?;
    let index = appender.append(event, time, recorded)?;
    appender.finish()?;
    Ok(index)
}

fn fresh_salt(salts: &mut Vec<[u8; 32]>) -> Result<[u8; 32], LogError> {
    if let Some(salt) = salts.pop() {
        return Ok(salt);
    }
    let mut random = [0; 32 * 64];
    getrandom::fill(&mut random)?;
    let (chunks, _) = random.as_chunks::<32>();
    salts.extend_from_slice(chunks);
    salts.pop().ok_or_else(|| LogError::Broken("no salt".to_owned()))
}

fn sql_integer(number: u64) -> Result<i64, LogError> {
    i64::try_from(number).map_err(|_| LogError::Broken(format!("{number} is beyond what the database can count")))
}

fn from_sql_integer(number: i64) -> Result<u64, LogError> {
    u64::try_from(number).map_err(|_| LogError::Broken(format!("a size of {number}")))
}

/// How many records the log has.
pub fn size(conn: &Connection) -> Result<u64, LogError> {
    let size = conn.prepare_cached("SELECT size FROM log_head")?.query_row([], |row| row.get(0)).optional()?;
    from_sql_integer(size.ok_or_else(|| LogError::Broken("it has no head".to_owned()))?)
}

/// How many records the log has, where the head and the records agree on it.
fn checked_size(conn: &Connection) -> Result<u64, LogError> {
    let head = size(conn)?;
    let next: i64 =
        conn.prepare_cached("SELECT coalesce(max(idx) + 1, 0) FROM record")?.query_row([], |row| row.get(0))?;
    let records = from_sql_integer(next)?;
    if head == records {
        Ok(head)
    } else {
        Err(LogError::Broken(format!("its head says {head} records, and there are {records}")))
    }
}

/// The hash of the complete subtree `index` of `level`; level 0 is the leaves. Where the level is not kept, it is
/// computed from the next lower one that is: at most eight rows.
pub fn node(conn: &Connection, level: u8, index: u64) -> Result<Hash, LogError> {
    if !level.is_multiple_of(KEPT_LEVELS) {
        let (left, right) = (node(conn, level - 1, 2 * index)?, node(conn, level - 1, 2 * index + 1)?);
        return Ok(node_hash(&left, &right));
    }
    let row = sql_integer(index)?;
    let hash = if level == 0 {
        let mut select = conn.prepare_cached("SELECT leaf_hash FROM record WHERE idx = ?1")?;
        select.query_row([row], |row| row.get(0)).optional()?
    } else {
        let mut select = conn.prepare_cached("SELECT hash FROM log_node WHERE level = ?1 AND idx = ?2")?;
        select.query_row(params![level, row], |row| row.get(0)).optional()?
    };
    hash.ok_or_else(|| LogError::Broken(format!("node {index} of level {level} is missing")))
}

/// The root of the tree over the first `size` records.
pub fn root_at(conn: &Connection, size: u64) -> Result<Hash, LogError> {
    Ok(Edge::read(size, &mut |level, index| node(conn, level, index))?.root())
}

/// The proof that the record `index` is in the tree of this size; `None` when it is not.
pub fn prove_inclusion(conn: &Connection, index: u64, size: u64) -> Result<Option<Vec<Hash>>, LogError> {
    inclusion(index, size, &mut |level, index| node(conn, level, index))
}

/// The proof that the tree of size `new` only adds to the tree of size `old`; `None` when `old` is larger.
pub fn prove_consistency(conn: &Connection, old: u64, new: u64) -> Result<Option<Vec<Hash>>, LogError> {
    consistency(old, new, &mut |level, index| node(conn, level, index))
}

/// The log's name as its first record has it; `None` for an empty log.
pub fn origin(conn: &Connection) -> Result<Option<String>, LogError> {
    let mut select = conn.prepare_cached("SELECT bytes FROM record WHERE idx = 0")?;
    let Some(bytes) = select.query_row([], |row| row.get::<_, Vec<u8>>(0)).optional()? else { return Ok(None) };
    let first = record::read(&bytes).map_err(|error| LogError::Broken(format!("record 0 {error}")))?;
    let origin = first.fields.get("origin").and_then(|value| value.as_str()).filter(|_| first.kind == "log-begun");
    origin.map(|origin| Some(origin.to_owned())).ok_or_else(|| LogError::Broken("record 0 has no origin".to_owned()))
}

/// A checkpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The size that it is for.
    pub size: u64,
    /// The root at that size.
    pub root: Hash,
    /// The signed note.
    pub note: String,
}

/// The newest checkpoint.
pub fn newest_checkpoint(conn: &Connection) -> Result<Option<StoredCheckpoint>, LogError> {
    checkpoint_where(conn, i64::MAX)
}

/// When the oldest record was written that no checkpoint covers; `None`: every record is covered.
pub fn unsigned_since(conn: &Connection) -> Result<Option<Time>, LogError> {
    recorded_at(conn, newest_checkpoint(conn)?.map_or(0, |newest| newest.size))
}

/// When a record was written; `None`: there is no such record.
pub fn recorded_at(conn: &Connection, index: u64) -> Result<Option<Time>, LogError> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT bytes FROM record WHERE idx = ?1")?
        .query_row([sql_integer(index)?], |row| row.get(0))
        .optional()?;
    let Some(bytes) = bytes else { return Ok(None) };
    let record = record::read(&bytes).map_err(|error| LogError::Broken(format!("record {index} {error}")))?;
    Ok(Some(record.recorded))
}

/// What a look without the key tells: that head and records agree, and that the newest checkpoint has the root that
/// the log has at its size.
pub fn glance(conn: &Connection) -> Result<(), LogError> {
    let size = checked_size(conn)?;
    let Some(newest) = newest_checkpoint(conn)? else { return Ok(()) };
    if newest.size <= size && root_at(conn, newest.size)? == newest.root {
        Ok(())
    } else {
        Err(LogError::Broken(format!("it has not the root that its checkpoint of size {} states", newest.size)))
    }
}

/// The newest checkpoint of at most this size.
fn checkpoint_where(conn: &Connection, at_most: i64) -> Result<Option<StoredCheckpoint>, LogError> {
    let mut select =
        conn.prepare_cached("SELECT size, root, note FROM checkpoint WHERE size <= ?1 ORDER BY size DESC LIMIT 1")?;
    let found = select.query_row([at_most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    found.map(|(size, root, note)| Ok(StoredCheckpoint { size: from_sql_integer(size)?, root, note })).transpose()
}

/// Signs the committed log and gives the note as the database has it. The key's name is `origin`.
///
/// Before anything is signed, the records that came since the last checkpoint are hashed again from the stored
/// bytes; anything that does not fit stops the signing. For a size that has a checkpoint that one is given, so there
/// are never two signed roots for one size.
pub fn checkpoint(conn: &mut Connection, key: &SigningKey, origin: &str) -> Result<String, LogError> {
    let verifier =
        VerifierKey::new(origin, key.verifying_key()).map_err(|error| LogError::Broken(error.to_string()))?;
    let (size, root) = {
        let snapshot = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let size = checked_size(&snapshot)?;
        if let Some(begun) = self::origin(&snapshot)?.filter(|begun| begun != origin) {
            return Err(LogError::Broken(format!("it began as `{begun}` and cannot be signed as `{origin}`")));
        }
        let last = newest_checkpoint(&snapshot)?;
        match last {
            Some(last) if last.size == size => return read_back(&snapshot, &verifier, size, last.root),
            _ => (size, rehashed_root(&snapshot, last, size)?),
        }
    };
    let note = Checkpoint { origin: origin.to_owned(), size, root }.sign(key);
    conn.execute(
        "INSERT INTO checkpoint (size, root, note) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![sql_integer(size)?, root, note],
    )?;
    read_back(conn, &verifier, size, root)
}

/// The stored note for this size, once its signature and root are seen to be right.
fn read_back(conn: &Connection, verifier: &VerifierKey, size: u64, root: Hash) -> Result<String, LogError> {
    let stored = checkpoint_where(conn, sql_integer(size)?)?.filter(|stored| stored.size == size);
    let stored = stored.ok_or_else(|| LogError::Broken(format!("the checkpoint of size {size} was not kept")))?;
    check_note(conn, &stored.note, verifier, "the stored checkpoint")?;
    if stored.root == root {
        Ok(stored.note)
    } else {
        Err(LogError::Broken(format!("the checkpoint of size {size} has another root than the records")))
    }
}

/// The root at `size`, computed from the stored bytes of the records since the last checkpoint and from the nodes
/// that the last checkpoint vouches for.
fn rehashed_root(conn: &Connection, last: Option<StoredCheckpoint>, size: u64) -> Result<Hash, LogError> {
    let start = last.as_ref().map_or(0, |last| last.size);
    let mut edge = Edge::read(start, &mut |level, index| node(conn, level, index))?;
    if last.is_some_and(|last| last.root != edge.root()) {
        return Err(LogError::Broken(format!("its first {start} records have not the root that was signed")));
    }
    let mut select =
        conn.prepare_cached("SELECT idx, bytes, leaf_hash FROM record WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
    let mut rows = select.query(params![sql_integer(start)?, sql_integer(size)?])?;
    while let Some(row) = rows.next()? {
        let index = from_sql_integer(row.get(0)?)?;
        let stored: Hash = row.get(2)?;
        let hash = leaf_hash(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        if index != edge.size() || hash != stored {
            return Err(LogError::Broken(format!("record {index} is not what was appended")));
        }
        edge.push(hash, &mut |_, _, _| {});
    }
    if edge.size() == size && edge.root() == root_at(conn, size)? {
        Ok(edge.root())
    } else {
        Err(LogError::Broken(format!("its records and its tree disagree at size {size}")))
    }
}

/// Checks on start that the log holds together: that head and records agree, that the newest stored checkpoint and
/// `newest_note` (the file that keeps the last note that left the process) are signed by this key, are of this log,
/// and have the roots that the log has at their sizes.
pub fn self_check(conn: &Connection, newest_note: Option<&str>, key: &VerifierKey) -> Result<(), LogError> {
    checked_size(conn)?;
    match origin(conn)? {
        Some(origin) if origin != key.name() => {
            return Err(LogError::Broken(format!("it began as `{origin}`, and its key is named `{}`", key.name())));
        }
        _ => {}
    }
    if let Some(stored) = newest_checkpoint(conn)? {
        let opened = check_note(conn, &stored.note, key, "the stored checkpoint")?;
        if (opened.size, opened.root) != (stored.size, stored.root) {
            return Err(LogError::Broken("the stored checkpoint is not what was signed".to_owned()));
        }
    }
    if let Some(note) = newest_note {
        check_note(conn, note, key, "the newest checkpoint that was given out")?;
    }
    Ok(())
}

/// Opens a note and holds it against the log's root at its size.
fn check_note(conn: &Connection, note: &str, key: &VerifierKey, what: &str) -> Result<Checkpoint, LogError> {
    let opened = note::open(note, key).map_err(|error| LogError::Broken(format!("{what}: {error}")))?;
    let have = size(conn)?;
    if opened.size > have {
        return Err(LogError::Broken(format!(
            "{what} is of {} records, and there are only {have}: the database is older than what was given out",
            opened.size
        )));
    }
    if root_at(conn, opened.size)? == opened.root {
        Ok(opened)
    } else {
        Err(LogError::Broken(format!("{what} of size {} has another root than the records", opened.size)))
    }
}

/// Keeps the newest note that leaves the process in a file of its own, on the disk when this returns. A note of more
/// records that is there already stays.
pub fn keep_note(path: &Path, note: &str) -> io::Result<()> {
    if kept_note(path)?.is_some_and(|kept| stated_size(&kept) > stated_size(note)) {
        return Ok(());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let mut file = File::create(&draft)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

/// The note that [`keep_note`] kept; `None` where there is none yet. [`self_check`] says whether it is to be believed.
pub fn kept_note(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn stated_size(note: &str) -> Option<u64> {
    note.split('\n').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::from_millis;

    const ORIGIN: &str = "example.com/sigtrail";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn verifier() -> VerifierKey {
        VerifierKey::new(ORIGIN, key().verifying_key()).unwrap()
    }

    fn empty_log() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(TABLES).unwrap();
        conn
    }

    fn at() -> Time {
        from_millis(1_794_304_800_000)
    }

    fn grow(conn: &Connection, by: u64) {
        let mut appender = Appender::open(conn).unwrap();
        for _ in 0..by {
            let index = appender.edge.size();
            let event = match index {
                0 => Event::LogBegun { origin: ORIGIN.into() },
                n => Event::Stopped { reason: n.to_string() },
            };
            assert_eq!(appender.append(event, at(), at()).unwrap(), index);
        }
        appender.finish().unwrap();
    }

    fn log_of(size: u64) -> Connection {
        let conn = empty_log();
        grow(&conn, size);
        conn
    }

    fn broken<T: std::fmt::Debug>(result: Result<T, LogError>) -> String {
        match result {
            Err(LogError::Broken(what)) => what,
            other => panic!("not broken: {other:?}"),
        }
    }

    /// Changes the log as somebody with the file in hand would: without the triggers.
    fn tamper(conn: &Connection, sql: &str) {
        let triggers: Vec<String> = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for trigger in triggers {
            conn.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
    }

    #[test]
    fn the_tree_over_the_log_is_the_tree_over_its_records() {
        let conn = log_of(0);
        let mut edge = Edge::default();
        for (size, step) in [(1, 1), (2, 1), (7, 5), (8, 1), (21, 13), (300, 279)] {
            grow(&conn, step);
            let mut select = conn.prepare("SELECT bytes FROM record WHERE idx >= ?1 ORDER BY idx").unwrap();
            let rows = select.query_map([size - i64::try_from(step).unwrap()], |row| row.get::<_, Vec<u8>>(0)).unwrap();
            for bytes in rows {
                edge.push(leaf_hash(&bytes.unwrap()), &mut |_, _, _| {});
            }
            assert_eq!(root_at(&conn, edge.size()).unwrap(), edge.root());
        }
        assert_eq!(size(&conn).unwrap(), 300);
        assert_eq!(origin(&conn).unwrap().as_deref(), Some(ORIGIN));
    }

    #[test]
    fn e_01_records_nodes_and_checkpoints_cannot_be_changed_nor_removed() {
        let mut conn = log_of(21);
        checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        for sql in [
            "UPDATE record SET bytes = x'00' WHERE idx = 3",
            "DELETE FROM record WHERE idx = 4",
            "INSERT INTO record VALUES (22, x'00', zeroblob(32))",
            "INSERT OR REPLACE INTO record VALUES (3, x'00', zeroblob(32))",
            "INSERT INTO record (bytes, leaf_hash) VALUES (x'00', zeroblob(32))",
            "UPDATE log_node SET hash = zeroblob(32)",
            "DELETE FROM log_node",
            "INSERT OR REPLACE INTO log_node VALUES (4, 0, zeroblob(32))",
            "UPDATE log_head SET size = 20",
            "UPDATE log_head SET size = 22",
            "DELETE FROM log_head",
            "INSERT OR REPLACE INTO log_head VALUES (1, 0)",
            "UPDATE checkpoint SET note = ''",
            "DELETE FROM checkpoint",
            "INSERT INTO checkpoint VALUES (22, zeroblob(32), '')",
            "UPDATE personal SET text = ''; INSERT INTO personal VALUES (0, 'x', NULL, x'00', '')",
        ] {
            assert!(conn.execute_batch(sql).is_err(), "{sql}");
        }
        conn.execute_batch("INSERT OR REPLACE INTO checkpoint VALUES (21, zeroblob(32), '')").unwrap();
        self_check(&conn, None, &verifier()).unwrap();
        assert_eq!(checkpoint(&mut conn, &key(), ORIGIN).unwrap(), newest_checkpoint(&conn).unwrap().unwrap().note);
    }

    #[test]
    fn e_19_there_are_never_two_signed_roots_for_one_size() {
        let mut conn = log_of(3);
        let first = checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        assert_eq!(checkpoint(&mut conn, &key(), ORIGIN).unwrap(), first);
        grow(&conn, 4);
        let second = checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        assert_ne!(first, second);
        let opened = note::open(&second, &verifier()).unwrap();
        assert_eq!((opened.size, opened.root), (7, root_at(&conn, 7).unwrap()));
        let count: i64 = conn.query_row("SELECT count(*) FROM checkpoint", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2);
    }

    #[test]
    fn e_19_a_kill_between_append_and_signing_leaves_one_history() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.db");
        let mut conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("PRAGMA journal_mode = WAL; {TABLES}")).unwrap();
        grow(&conn, 3);
        let mut signed = vec![checkpoint(&mut conn, &key(), ORIGIN).unwrap()];
        for round in 0..20 {
            // The transaction that is never committed is what a kill leaves behind.
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut appender = Appender::open(&conn).unwrap();
            appender.append(Event::Stopped { reason: format!("lost {round}") }, at(), at()).unwrap();
            if round % 2 == 0 {
                appender.finish().unwrap();
            } else {
                drop(appender);
            }
            drop(conn);
            conn = Connection::open(&path).unwrap();
            self_check(&conn, signed.last().map(String::as_str), &verifier()).unwrap();
            grow(&conn, 1);
            if round % 3 == 0 {
                signed.push(checkpoint(&mut conn, &key(), ORIGIN).unwrap());
            }
        }
        for note in signed {
            let opened = note::open(&note, &verifier()).unwrap();
            assert_eq!(opened.root, root_at(&conn, opened.size).unwrap());
        }
    }

    #[test]
    fn an_appender_that_was_not_finished_stops_the_next_one() {
        let conn = log_of(2);
        let mut appender = Appender::open(&conn).unwrap();
        appender.append(Event::Stopped { reason: String::new() }, at(), at()).unwrap();
        drop(appender);
        assert_eq!(broken(Appender::open(&conn).map(|_| ())), "its head says 2 records, and there are 3");
    }

    #[test]
    fn e_20_a_record_that_changed_in_the_store_is_not_signed() {
        let mut conn = log_of(4);
        checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        grow(&conn, 4);
        tamper(&conn, "UPDATE record SET bytes = CAST(replace(bytes, '5', '9') AS BLOB) WHERE idx = 5");
        assert_eq!(broken(checkpoint(&mut conn, &key(), ORIGIN)), "record 5 is not what was appended");
        assert_eq!(newest_checkpoint(&conn).unwrap().unwrap().size, 4);
    }

    #[test]
    fn e_20_a_tree_that_changed_in_the_store_is_not_signed() {
        let damage = [
            "UPDATE record SET leaf_hash = zeroblob(32) WHERE idx = 36",
            "UPDATE log_node SET hash = zeroblob(32) WHERE level = 4 AND idx = 1",
            "UPDATE log_node SET hash = zeroblob(32) WHERE level = 4 AND idx = 0",
            "DELETE FROM log_node WHERE level = 4 AND idx = 1",
            "DELETE FROM record WHERE idx = 25",
            "DELETE FROM record WHERE idx = 39",
            "UPDATE log_head SET size = 38",
        ];
        for sql in damage {
            let mut conn = log_of(20);
            checkpoint(&mut conn, &key(), ORIGIN).unwrap();
            grow(&conn, 20);
            tamper(&conn, sql);
            broken(checkpoint(&mut conn, &key(), ORIGIN));
            assert_eq!(newest_checkpoint(&conn).unwrap().unwrap().size, 20, "{sql}");
        }
    }

    #[test]
    fn a_log_is_signed_only_under_the_name_that_it_began_with() {
        let mut conn = log_of(2);
        assert!(broken(checkpoint(&mut conn, &key(), "example.com/other")).contains("began as `example.com/sigtrail`"));
        let other = VerifierKey::new("example.com/other", key().verifying_key()).unwrap();
        assert!(broken(self_check(&conn, None, &other)).contains("example.com/other"));
    }

    #[test]
    fn e_18_a_database_older_than_what_was_given_out_is_noticed_on_start() {
        let mut old = log_of(3);
        checkpoint(&mut old, &key(), ORIGIN).unwrap();
        let mut new = log_of(6);
        let given_out = checkpoint(&mut new, &key(), ORIGIN).unwrap();
        assert!(broken(self_check(&old, Some(&given_out), &verifier())).contains("older than what was given out"));
        self_check(&new, Some(&given_out), &verifier()).unwrap();
    }

    #[test]
    fn the_kept_note_is_the_newest_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        assert_eq!(kept_note(&path).unwrap(), None);
        let mut conn = log_of(9);
        let early = checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        grow(&conn, 1);
        let late = checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        keep_note(&path, &early).unwrap();
        assert_eq!(kept_note(&path).unwrap().as_ref(), Some(&early));
        keep_note(&path, &late).unwrap();
        keep_note(&path, &early).unwrap();
        assert_eq!(kept_note(&path).unwrap(), Some(late));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_start_on_another_history_or_with_another_key_is_refused() {
        let mut conn = log_of(3);
        let note = checkpoint(&mut conn, &key(), ORIGIN).unwrap();
        let stranger = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[8; 32]).verifying_key()).unwrap();
        assert!(broken(self_check(&conn, None, &stranger)).contains("not signed by the key"));
        let other = empty_log();
        append(&other, Event::LogBegun { origin: ORIGIN.into() }, at(), at()).unwrap();
        append(&other, Event::Stopped { reason: "x".into() }, at(), at()).unwrap();
        append(&other, Event::Stopped { reason: "y".into() }, at(), at()).unwrap();
        assert!(broken(self_check(&other, Some(&note), &verifier())).contains("another root"));
        assert!(broken(self_check(&conn, Some("nonsense\n"), &verifier())).contains("not a signed note"));
    }
}
