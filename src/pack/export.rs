//! Writing a pack: a plain copy of the log up to its newest checkpoint. The same log gives the same bytes.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Row, params};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    CHECKPOINTS, LEAVES, MANIFEST, PERSONAL, PUBLIC_KEY, PackError, README, RECORDS, RECORDS_A_FILE, record_file,
};
use crate::{
    evidence::{canonical, merkle::Hash, note::VerifierKey},
    hex::hex,
};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// How many texts about people.
    pub personal: u64,
    /// How many records came after the newest checkpoint and were left out.
    pub unsigned: u64,
}

/// Writes the pack into the folder, which is made or must be empty: all records up to the newest checkpoint, in one
/// snapshot of the database. The manifest is written last: a folder without it is a pack that was not finished.
pub fn export(conn: &Connection, key: &VerifierKey, dir: &Path) -> Result<Exported, PackError> {
    let snapshot = conn.unchecked_transaction()?;
    let signed: Option<i64> = snapshot.query_row("SELECT max(size) FROM checkpoint", [], |row| row.get(0))?;
    let size = signed.ok_or(PackError::Unsigned)?;
    let all: i64 = snapshot.query_row("SELECT size FROM log_head", [], |row| row.get(0))?;
    empty_folder(dir)?;
    let mut pack = Pack { dir: dir.to_owned(), sums: BTreeMap::new() };
    let records = pack.records(&snapshot, size)?;
    let checkpoints = pack.checkpoints(&snapshot)?;
    let personal = pack.personal(&snapshot, size)?;
    pack.whole(PUBLIC_KEY, format!("{key}\n").as_bytes())?;
    pack.whole(README, readme(key, records).as_bytes())?;
    pack.manifest()?;
    Ok(Exported { records, checkpoints, personal, unsigned: u64::try_from(all - size).unwrap_or(0) })
}

fn empty_folder(dir: &Path) -> Result<(), PackError> {
    fs::create_dir_all(dir).map_err(PackError::file(dir))?;
    if fs::read_dir(dir).map_err(PackError::file(dir))?.next().is_some() {
        return Err(PackError::NotEmpty(dir.to_owned()));
    }
    let records = dir.join(RECORDS);
    fs::create_dir(&records).map_err(PackError::file(records))
}

struct Pack {
    dir: PathBuf,
    sums: BTreeMap<String, Hash>,
}

struct Draft {
    name: String,
    path: PathBuf,
    writer: BufWriter<File>,
    sha256: Sha256,
}

impl Draft {
    fn line(&mut self, line: &[u8]) -> Result<(), PackError> {
        for part in [line, b"\n"] {
            self.sha256.update(part);
            self.writer.write_all(part).map_err(PackError::file(&self.path))?;
        }
        Ok(())
    }
}

impl Pack {
    fn start(&self, name: impl Into<String>) -> Result<Draft, PackError> {
        let name = name.into();
        let path = self.dir.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(PackError::file(&path))?;
        Ok(Draft { name, path, writer: BufWriter::with_capacity(1 << 16, file), sha256: Sha256::new() })
    }

    fn end(&mut self, mut draft: Draft) -> Result<(), PackError> {
        draft.writer.flush().map_err(PackError::file(&draft.path))?;
        self.sums.insert(draft.name, draft.sha256.finalize().into());
        Ok(())
    }

    fn whole(&mut self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        let mut draft = self.start(name)?;
        draft.sha256.update(bytes);
        draft.writer.write_all(bytes).map_err(PackError::file(&draft.path))?;
        self.end(draft)
    }

    fn records(&mut self, snapshot: &Connection, size: i64) -> Result<u64, PackError> {
        let mut leaves = self.start(LEAVES)?;
        let mut file: Option<Draft> = None;
        let mut select = snapshot.prepare("SELECT bytes, leaf_hash FROM record WHERE idx < ?1 ORDER BY idx")?;
        let mut rows = select.query([size])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            if count % RECORDS_A_FILE == 0 {
                let next = self.start(record_file(count))?;
                if let Some(full) = file.replace(next) {
                    self.end(full)?;
                }
            }
            if let Some(file) = &mut file {
                file.line(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
            }
            leaves.line(hex(&row.get::<_, Hash>(1)?).as_bytes())?;
            count += 1;
        }
        if let Some(last) = file {
            self.end(last)?;
        }
        self.end(leaves)?;
        Ok(count)
    }

    fn checkpoints(&mut self, snapshot: &Connection) -> Result<u64, PackError> {
        let mut notes = String::new();
        let mut select = snapshot.prepare("SELECT note FROM checkpoint ORDER BY size")?;
        let mut rows = select.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            if count > 0 {
                notes.push('\n');
            }
            notes.push_str(&row.get::<_, String>(0)?);
            count += 1;
        }
        self.whole(CHECKPOINTS, notes.as_bytes())?;
        Ok(count)
    }

    fn personal(&mut self, snapshot: &Connection, size: i64) -> Result<u64, PackError> {
        let mut draft = self.start(PERSONAL)?;
        let mut select = snapshot
            .prepare("SELECT idx, field, person, salt, text FROM personal WHERE idx < ?1 ORDER BY idx, field")?;
        let mut rows = select.query(params![size])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            draft.line(&personal_line(row)?)?;
            count += 1;
        }
        self.end(draft)?;
        Ok(count)
    }

    fn manifest(mut self) -> Result<(), PackError> {
        let mut lines: Vec<String> = self.sums.iter().map(|(name, sum)| format!("{}  {name}", hex(sum))).collect();
        lines.push(String::new());
        self.whole(MANIFEST, lines.join("\n").as_bytes())
    }
}

fn personal_line(row: &Row<'_>) -> Result<Vec<u8>, PackError> {
    let mut value = json!({
        "record": row.get::<_, i64>(0)?,
        "field": row.get::<_, String>(1)?,
        "salt": hex(&row.get::<_, Hash>(3)?),
        "text": row.get::<_, String>(4)?,
    });
    if let (Some(person), Some(members)) = (row.get::<_, Option<String>>(2)?, value.as_object_mut()) {
        members.insert("person".to_owned(), person.into());
    }
    let mut line = Vec::new();
    canonical::write(&value, &mut line);
    Ok(line)
}

fn readme(key: &VerifierKey, records: u64) -> String {
    format!(include_str!("readme.txt"), origin = key.name(), fingerprint = key.fingerprint(), records = records,)
}
