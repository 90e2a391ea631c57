//! Verifying evidence: what was given from outside, and which way to go. Nothing is written, locked or fetched.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{PackError, database, folder};
use crate::evidence::{
    mailed::notes_in_mail,
    merkle::Hash,
    note::VerifierKey,
    report::{Problem, Report},
    verify::{Given, Opening, Verifier},
};

/// The largest mail, key, manifest or file of checkpoints that is read, in bytes.
const MAX_WHOLE_FILE: u64 = 256 * 1024 * 1024;

/// Verifies the pack in a folder, or the log in a database file. `key` and `mails` are files from outside it. An
/// `Err` means that it could not be looked at; what is wrong with it stands in the report.
pub fn verify(path: &Path, key: Option<&Path>, mails: &[PathBuf]) -> Result<Report, PackError> {
    let outside = Outside::read(key, mails)?;
    if fs::metadata(path).map_err(PackError::file(path))?.is_dir() {
        folder::verify(path, outside)
    } else {
        database::verify(path, &outside)
    }
}

/// What was given beside the pack.
#[derive(Clone)]
pub(super) struct Outside {
    key: Option<(VerifierKey, String)>,
    notes: Vec<Given>,
    without_checkpoint: Vec<String>,
}

impl Outside {
    fn read(key: Option<&Path>, mails: &[PathBuf]) -> Result<Self, PackError> {
        let key = match key {
            Some(path) => {
                let text = String::from_utf8_lossy(&whole_file(path).map_err(PackError::file(path))?).into_owned();
                let key = VerifierKey::parse(&text).map_err(|error| PackError::Key { path: path.to_owned(), error })?;
                Some((key, path.display().to_string()))
            }
            None => None,
        };
        let mut outside = Self { key, notes: Vec::new(), without_checkpoint: Vec::new() };
        for path in mails {
            let notes = notes_in_mail(&whole_file(path).map_err(PackError::file(path))?);
            let from = path.display().to_string();
            if notes.is_empty() {
                outside.without_checkpoint.push(from);
            } else {
                outside.notes.extend(notes.into_iter().map(|note| Given { note, from: from.clone(), mailed: true }));
            }
        }
        Ok(outside)
    }

    /// Whether the key must come from inside.
    pub(super) fn has_no_key(&self) -> bool {
        self.key.is_none()
    }

    /// Starts the verification with the key from outside, or else the one from inside.
    pub(super) fn start(self, inside: Result<VerifierKey, String>, mut notes: Vec<Given>) -> Verifier {
        notes.extend(self.notes);
        let (key, problem) = match (&self.key, inside) {
            (Some((given, _)), Ok(inside)) if *given == inside => (Some(given.clone()), None),
            (Some((given, from)), Ok(inside)) => {
                let what = format!("its key is {inside}, and the key in {from} is {given}");
                (Some(given.clone()), Some(what))
            }
            (Some((given, _)), Err(_)) => (Some(given.clone()), None),
            (None, Ok(inside)) => (Some(inside), None),
            (None, Err(why)) => (None, Some(format!("{why}; no signature can be checked: give --key FILE"))),
        };
        let mut verifier = Verifier::new(key.as_ref(), notes, self.key.map(|(_, from)| from));
        if let Some(what) = problem {
            verifier.problem(Problem { what, ..Problem::default() });
        }
        for from in self.without_checkpoint {
            verifier.notice(format!("{from} carries no checkpoint"));
        }
        verifier
    }
}

pub(super) fn whole_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path)?.take(MAX_WHOLE_FILE + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_WHOLE_FILE { Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large")) } else { Ok(bytes) }
}

pub(super) fn parse_key(bytes: &[u8], name: &str) -> Result<VerifierKey, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{name} is not text"))?;
    VerifierKey::parse(text).map_err(|error| format!("{name}: {error}"))
}

/// A text about a person, as it was read.
pub(super) struct OwnedOpening {
    pub(super) index: u64,
    pub(super) field: String,
    pub(super) salt: Hash,
    pub(super) text: String,
}

impl OwnedOpening {
    pub(super) fn borrow(&self) -> Opening<'_> {
        Opening { index: self.index, field: &self.field, salt: &self.salt, text: &self.text }
    }
}
