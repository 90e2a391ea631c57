//! The instance lock: one `run` or `tick` on a state at a time. The system lets go of it when the process ends,
//! however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// The lock's file in the state folder.
const FILE: &str = "lock";
/// How often a lock that somebody has is tried again: whoever only asks for it, or is about to end, lets go soon.
const TRIES: u32 = 30;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(10);

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
    /// Takes the lock of this state folder, or says within a third of a second that somebody else has it.
    pub fn take(state: &Path) -> Result<InstanceLock, LockError> {
        let path = state.join(FILE);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) => return Err(LockError::File { path, error }),
        };
        for left in (0..TRIES).rev() {
            match file.try_lock() {
                Ok(()) => return Ok(InstanceLock(file)),
                Err(TryLockError::WouldBlock) if left > 0 => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(LockError::File { path, error }),
            }
        }
        Err(LockError::Taken)
    }

    /// Whether somebody has the lock right now. To ask is no hindrance: the lock is shared among those who ask, for a
    /// moment, and whoever takes it waits that long. Makes no file.
    pub fn is_taken(state: &Path) -> bool {
        let file = File::open(state.join(FILE));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn d_13_to_ask_whether_a_service_runs_stops_none_from_starting() {
        let state = tempfile::tempdir().unwrap();
        assert!(!InstanceLock::is_taken(state.path()) && !state.path().join(FILE).exists());
        drop(InstanceLock::take(state.path()).unwrap());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        InstanceLock::is_taken(state.path());
                    }
                });
            }
            let taken: Vec<bool> = (0..500).map(|_| InstanceLock::take(state.path()).is_ok()).collect();
            is_over.store(true, Ordering::Relaxed);
            assert!(taken.iter().all(|taken| *taken));
        });
    }

    #[test]
    fn two_who_ask_do_not_take_each_other_for_a_service() {
        let state = tempfile::tempdir().unwrap();
        let lock = InstanceLock::take(state.path()).unwrap();
        assert!(InstanceLock::is_taken(state.path()));
        assert!(matches!(InstanceLock::take(state.path()), Err(LockError::Taken)));
        drop(lock);
        let asking = File::open(state.path().join(FILE)).unwrap();
        asking.try_lock_shared().unwrap();
        assert!(!InstanceLock::is_taken(state.path()));
    }
}
