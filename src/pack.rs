//! The pack that an auditor receives: how it is laid out, written and verified, offline. What a record or a
//! checkpoint is stands in `evidence`; the daemon's own reading and writing of the log is the store's.

mod check;
mod database;
mod export;
mod folder;
mod lines;

use std::{io, path::PathBuf};

pub use check::verify;
pub use export::{Exported, export};

use crate::evidence::note::NoteError;

/// The folder of the records: files of [`RECORDS_A_FILE`] lines, named after the thousands of the first index.
pub const RECORDS: &str = "records";
/// How many records a file has.
pub const RECORDS_A_FILE: u64 = 1_000;
/// The leaf hashes, one a line in hex; line n belongs to record n - 1.
pub const LEAVES: &str = "leaves.txt";
/// The signed checkpoints, oldest first, an empty line between two.
pub const CHECKPOINTS: &str = "checkpoints";
/// The public key: one line, a C2SP verifier key.
pub const PUBLIC_KEY: &str = "key.pub";
/// The texts about people that open commitments: the one file with personal data.
pub const PERSONAL: &str = "personal.jsonl";
/// The SHA-256 sums of all other files, as `sha256sum -c` reads them.
pub const MANIFEST: &str = "MANIFEST.sha256";
/// What the auditor reads first.
pub const README: &str = "README.md";

/// The name of the file that holds the record `index`, below the pack.
fn record_file(index: u64) -> String {
    format!("{RECORDS}/{:04}.jsonl", index / RECORDS_A_FILE)
}

/// Why a pack could not be written, or could not be looked at. A pack that was looked at and is broken is a
/// [`Report`](crate::evidence::report::Report).
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file system said no.
    #[error("{path}: {error}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database said no.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The folder for the pack holds something already.
    #[error("{0} is not empty; a pack is written into a folder of its own")]
    NotEmpty(PathBuf),
    /// Nothing is signed yet.
    #[error("the log has no checkpoint yet: there is nothing signed to export")]
    Unsigned,
    /// Neither a pack nor a database with a log.
    #[error("{path}: {why}")]
    NotEvidence {
        /// What was given.
        path: PathBuf,
        /// Why it is neither.
        why: &'static str,
    },
    /// A database without its public key beside it, and none was given.
    #[error("{path}: no signature can be checked without a key; give --key FILE ({why})")]
    NoKey {
        /// The database.
        path: PathBuf,
        /// Why the key beside it is of no use.
        why: String,
    },
    /// The key that was given is none.
    #[error("{path}: {error}")]
    Key {
        /// The file that was given.
        path: PathBuf,
        /// What is wrong with it.
        error: NoteError,
    },
}

impl PackError {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }
}
