//! Checkpoint: sign the head of the log as it was committed, and keep the note beside the database.

use super::{Context, Fault};
use crate::store::log;

/// The newest checkpoint's file in the state folder: read again at every start.
pub const FILE: &str = "checkpoint";

/// Signs the log at its committed size, if it has grown since, and keeps the note; the newest signed note. Only a
/// note that was kept leaves the process.
pub fn checkpoint(context: &Context) -> Result<String, Fault> {
    let key = &context.evidence_key;
    let note = context.store.with_connection(|connection| {
        log::checkpoint(connection, &key.signing, key.verifier.name()).map_err(Fault::from)
    })?;
    let path = context.store.dir().join(FILE);
    log::keep_note(&path, &note).map_err(|error| Fault::File { path, error })?;
    Ok(note)
}
