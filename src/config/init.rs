//! The shipped files inside the program, and how they are written for somebody who begins. Nothing is overwritten.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use super::read::NAMES;

/// The texts of the shipped files, in the order of their names.
const TEXTS: [&str; 4] = [
    include_str!("../../feeds.toml"),
    include_str!("../../config/owners.toml"),
    include_str!("../../config/stack.toml"),
    include_str!("../../config/sigtrail.toml"),
];

/// Why the files were not written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// At least one of them is there already; none was written.
    #[error("{} already there; nothing was written", listed(.0))]
    Exists(Vec<PathBuf>),
    /// The disk refused.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

fn listed(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

/// Writes the four commented files below a folder and names them.
///
/// Refuses, and writes nothing, when any of them is there already.
pub fn init(dir: &Path) -> Result<Vec<PathBuf>, InitError> {
    let paths: Vec<PathBuf> = NAMES.iter().map(|name| super::settings::below(dir, name)).collect();
    let there: Vec<PathBuf> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
    if !there.is_empty() {
        return Err(InitError::Exists(there));
    }
    for (path, text) in paths.iter().zip(TEXTS) {
        write_new(path, text)?;
    }
    Ok(paths)
}

fn write_new(path: &Path, text: &str) -> Result<(), InitError> {
    let wrong = |path: &Path, error| InitError::Write { path: path.to_owned(), error };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    }
    // Made anew or not at all: a file that appeared in the meantime is somebody's work.
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| wrong(path, error))
}
