//! The instance lock: one `run` or `tick` on a state at a time. The system lets go of it when the process ends,
//! however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Held as long as this value lives.
#[derive(Debug)]
pub struct InstanceLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another sigtrail is already at work on this state")]
    Taken,
    /// The file cannot be opened or locked.
    #[error("{path}: {error}")]
    File {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl InstanceLock {
    /// Takes the lock of this state folder, or says at once that somebody else has it.
    pub fn take(state: &Path) -> Result<InstanceLock, LockError> {
        let path = state.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) => return Err(LockError::File { path, error }),
        };
        match file.try_lock() {
            Ok(()) => Ok(InstanceLock(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Taken),
            Err(TryLockError::Error(error)) => Err(LockError::File { path, error }),
        }
    }

    /// Whether somebody has the lock right now.
    pub fn is_taken(state: &Path) -> bool {
        matches!(Self::take(state), Err(LockError::Taken))
    }
}
