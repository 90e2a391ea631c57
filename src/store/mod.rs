//! The one SQLite file. Work in progress: see the migrations.

pub mod log;

/// The store refused or the disk failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The evidence log does not hold together; nothing is written any more.
    #[error("the evidence log is broken: {0}")]
    BrokenLog(String),
    /// There is no state in this folder.
    #[error("no state at {0}")]
    NoState(std::path::PathBuf),
    /// The folder or a file in it cannot be used.
    #[error("{path}: {error}")]
    File {
        /// Which file or folder.
        path: std::path::PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A failure that a test asked for.
    #[error("failed on purpose at {0}")]
    OnPurpose(&'static str),
}

/// A handle on the store; clones share it.
#[derive(Debug, Clone)]
pub struct Store;
