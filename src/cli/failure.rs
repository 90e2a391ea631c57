//! How a command ends when it does not end well: a message and an exit status.

use std::{io, path::PathBuf};

use super::place::color_on;
use crate::{
    config::{self, Problems, ReplaceError},
    jobs::Fault,
    key::KeyError,
    lock::LockError,
    store::{StoreError, log::LogError},
};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The user asked for what cannot be done.
    #[error("{0}")]
    Mistake(String),
    /// The configuration has errors; the text is rendered and complete.
    #[error("{0}")]
    Configuration(String),
    /// We or the disk failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The evidence is broken; the text says where.
    #[error("{0}")]
    Broken(String),
    /// Somebody else is at work on this state.
    #[error("{0}")]
    Running(String),
    /// A file could not be read or written.
    #[error("{path}: {error}{hint}", hint = hint(error))]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file of the configuration was not replaced.
    #[error("{0}{hint}", hint = replace_hint(.0))]
    Replace(#[from] ReplaceError),
    /// The service cannot begin or go on.
    #[error("{0}")]
    Service(String),
    /// Nobody reads our output.
    #[error("the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit status: 1 fault, 2 mistake, 3 evidence broken, 74 disk, 75 already running.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Mistake(_)
            | Failure::Configuration(_)
            | Failure::Replace(ReplaceError::Changed(_) | ReplaceError::ReadOnly(_)) => 2,
            Failure::Broken(_) => 3,
            Failure::Running(_) => 75,
            Failure::File { error, .. } | Failure::Replace(ReplaceError::File { error, .. }) if is_mistake(error) => 2,
            Failure::File { .. } | Failure::Replace(_) => 74,
            Failure::Fault(fault) => fault_code(fault),
            Failure::Service(_) | Failure::Output(_) => 1,
        }
    }
}

/// Whether the disk is well, and only the path or the user is wrong.
fn is_mistake(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
    )
}

/// What to do about it, where that is known.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as the user whom it belongs to, or name another folder",
        _ => "",
    }
}

fn replace_hint(error: &ReplaceError) -> &'static str {
    match error {
        ReplaceError::File { error, .. } => hint(error),
        ReplaceError::Changed(_) | ReplaceError::ReadOnly(_) => "",
    }
}

fn fault_code(fault: &Fault) -> u8 {
    match fault {
        // A key that is missing, open to others or not this log's is for a person to put right; starting again is no cure.
        Fault::Store(StoreError::NoState(_) | StoreError::Foreign { .. })
        | Fault::Key(KeyError::Missing(_) | KeyError::Open { .. } | KeyError::Form { .. } | KeyError::Name { .. }) => 2,
        Fault::Store(StoreError::BrokenLog(_)) | Fault::Log(LogError::Broken(_)) => 3,
        Fault::Store(error) if error.is_disk() => 74,
        Fault::File { .. } | Fault::Key(KeyError::File { .. }) => 74,
        _ => 1,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Fault(Fault::Store(error))
    }
}

impl From<Problems> for Failure {
    fn from(Problems { problems, files }: Problems) -> Self {
        Failure::Configuration(config::render(&problems, &files, color_on(&io::stderr())))
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Taken => Failure::Running(error.to_string()),
            LockError::File { path, error } => Failure::File { path, error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_on_a_disk_that_is_read_only_is_the_disks_fault() {
        let lock = |kind: io::ErrorKind| {
            let failure = Failure::from(LockError::File { path: "var/lock".into(), error: kind.into() });
            (failure.exit_code(), failure.to_string().starts_with("var/lock: "))
        };
        assert_eq!(lock(io::ErrorKind::ReadOnlyFilesystem), (74, true));
        assert_eq!(lock(io::ErrorKind::PermissionDenied), (2, true));
    }
}
