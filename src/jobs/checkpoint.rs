//! Checkpoint: sign the head of the log as it was committed, and keep the note beside the database.

use std::{fs, io::Write as _};

use super::{Context, Fault};
use crate::store::log;

/// The newest checkpoint's file in the state folder: read again at every start.
pub const FILE: &str = "checkpoint";

/// Signs the log at its committed size, if it has grown since; the newest signed note.
pub fn checkpoint(context: &Context) -> Result<String, Fault> {
    let origin = &context.config.evidence.origin;
    let note = context.store.with_connection(|connection| {
        log::checkpoint(connection, &context.evidence_key.signing, origin).map_err(Fault::from)
    })?;
    keep(context, &note)?;
    Ok(note)
}

fn keep(context: &Context, note: &str) -> Result<(), Fault> {
    let path = context.store.dir().join(FILE);
    if fs::read_to_string(&path).is_ok_and(|kept| kept == note) {
        return Ok(());
    }
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&part)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        fs::File::open(context.store.dir())?.sync_all()
    };
    write().map_err(|error| Fault::File { path: path.clone(), error })
}
