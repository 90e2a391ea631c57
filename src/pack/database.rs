//! Verifying the log in a database, as a stranger with the file would: opened for reading only, by SQL of its own.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    PackError,
    check::{Outside, OwnedOpening, parse_key, whole_file},
};
use crate::evidence::{
    note::{PUBLIC_KEY_FILE, VerifierKey},
    report::{Problem, Report},
    verify::{Given, Tail, Verifier},
};

/// Verifies the log in a database. The file is opened for reading only; where no other process has it open, not even
/// SQLite's own side files are made.
pub(super) fn verify(path: &Path, outside: &Outside) -> Result<Report, PackError> {
    let mut start = [0; 16];
    let is_sqlite = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    if !is_sqlite || &start != b"SQLite format 3\0" {
        return Err(PackError::NotEvidence { path: path.to_owned(), why: "neither a pack nor a database" });
    }
    let public = path.parent().unwrap_or(Path::new("")).join(PUBLIC_KEY_FILE);
    let inside = match whole_file(&public) {
        Ok(bytes) => parse_key(&bytes, PUBLIC_KEY_FILE),
        Err(error) => Err(format!("{}: {error}", public.display())),
    };
    let side_file = side_file(path);
    let is_quiet = !side_file.exists();
    let report = verify_open(path, is_quiet, inside.clone(), outside.clone())?;
    if is_quiet && side_file.exists() {
        // A writer came while the file was read as one that nobody changes: that reading says nothing.
        return verify_open(path, false, inside, outside.clone());
    }
    Ok(report)
}

fn verify_open(
    path: &Path,
    is_quiet: bool,
    inside: Result<VerifierKey, String>,
    outside: Outside,
) -> Result<Report, PackError> {
    let conn = open_for_reading(path, is_quiet)?;
    let snapshot = conn.unchecked_transaction()?;
    if !has_log(&snapshot)? {
        return Err(PackError::NotEvidence { path: path.to_owned(), why: "a database without an evidence log" });
    }
    if let Err(why) = &inside
        && outside.has_no_key()
    {
        return Err(PackError::NoKey { path: path.to_owned(), why: why.clone() });
    }
    let mut problems = Vec::new();
    let notes = stored_notes(&snapshot, &mut problems)?;
    let mut verifier = outside.start(inside, notes);
    stored_records(&snapshot, &mut verifier)?;
    let head = snapshot.query_row("SELECT size FROM log_head", [], |row| row.get(0).map(i64::cast_unsigned))?;
    let size = verifier.size();
    if head != size {
        let what = format!("the head says {head} records, and there are {size}");
        problems.push(Problem { records: Some((size, size)), what, ..Problem::default() });
    }
    for problem in problems {
        verifier.problem(problem);
    }
    Ok(verifier.finish(Tail::Open))
}

/// SQLite's write-ahead log, which is there while a process has the database open, or after one was killed.
fn side_file(path: &Path) -> PathBuf {
    let mut side = path.as_os_str().to_owned();
    side.push("-wal");
    PathBuf::from(side)
}

fn open_for_reading(path: &Path, is_quiet: bool) -> Result<Connection, PackError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !is_quiet {
        // What is committed stands in part in the side file.
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    let absolute = fs::canonicalize(path).map_err(PackError::file(path))?;
    let escaped = absolute.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Ok(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

fn has_log(conn: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
                  AND name IN ('record', 'log_head', 'checkpoint', 'personal')";
    conn.query_row(tables, [], |row| Ok(row.get::<_, i64>(0)? == 4))
}

fn stored_notes(conn: &Connection, problems: &mut Vec<Problem>) -> rusqlite::Result<Vec<Given>> {
    let mut select = conn.prepare("SELECT size, note FROM checkpoint ORDER BY size")?;
    let mut rows = select.query([])?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        let (size, note): (i64, String) = (row.get(0)?, row.get(1)?);
        if note.split('\n').nth(1) != Some(size.to_string().as_str()) {
            let what = format!("the checkpoint kept for size {size} is for another size");
            problems.push(Problem { what, ..Problem::default() });
        }
        notes.push(Given { note, from: format!("the checkpoint of size {size}"), mailed: false });
    }
    Ok(notes)
}

fn stored_records(conn: &Connection, verifier: &mut Verifier) -> rusqlite::Result<()> {
    let mut select = conn.prepare("SELECT idx, bytes, leaf_hash FROM record ORDER BY idx")?;
    let mut rows = select.query([])?;
    let mut select_personal = conn.prepare("SELECT idx, field, salt, text FROM personal ORDER BY idx, field")?;
    let mut personal = select_personal.query([])?;
    let mut opening = stored_opening(&mut personal)?;
    while let Some(row) = rows.next()? {
        let index: i64 = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let leaf = row.get(2).ok();
        if leaf.is_none() {
            let what = format!("record {index} has no proper leaf hash beside it");
            verifier.problem(Problem { what, ..Problem::default() });
        }
        verifier.record(bytes, leaf, &|| format!("record.idx = {index}"));
        while let Some(next) = opening.take_if(|next| next.index < verifier.size()) {
            verifier.opening(next.borrow(), &|| format!("personal.idx = {}", next.index));
            opening = stored_opening(&mut personal)?;
        }
    }
    while let Some(next) = opening {
        verifier.opening(next.borrow(), &|| format!("personal.idx = {}", next.index));
        opening = stored_opening(&mut personal)?;
    }
    Ok(())
}

fn stored_opening(rows: &mut rusqlite::Rows<'_>) -> rusqlite::Result<Option<OwnedOpening>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    let index = row.get(0).map(i64::cast_unsigned)?;
    Ok(Some(OwnedOpening { index, field: row.get(1)?, salt: row.get(2)?, text: row.get(3)? }))
}
