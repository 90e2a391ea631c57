//! Puts a new text in the place of a file of the configuration, whole or not at all. What it says is not judged here.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
};

use crate::hex::hex;

/// How the name of a new text ends that has not taken the old one's place yet.
const SUFFIX: &str = ".new";

/// Why a file was not replaced; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Somebody changed it since it was read.
    #[error("{} has changed in the meantime; nothing was written, try again", .0.display())]
    Changed(PathBuf),
    /// Nobody may write it, so whoever made it so does not want it edited.
    #[error("{} is read-only; where it is yours to edit, allow it with `chmod u+w`; nothing was written", .0.display())]
    ReadOnly(PathBuf),
    /// The disk or its rights refuse.
    #[error("cannot write {}: {error}; nothing was written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Replaces the text of a file, which must still be `before`.
///
/// The new text is on the disk before it takes the old one's place. The file keeps its mode, owner and group; a symbolic
/// link stays one, and what it leads to is replaced. What an edit left beside it that was killed is removed.
pub fn replace(path: &Path, before: &str, after: &str) -> Result<(), ReplaceError> {
    let failed = |error| ReplaceError::File { path: path.to_owned(), error };
    let target = fs::canonicalize(path).map_err(failed)?;
    let old = File::open(&target).map_err(failed)?;
    // Two editors at once: the second finds the lock, or the text of the first.
    match old.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ReplaceError::Changed(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    if fs::read(&target).map_err(failed)? != before.as_bytes() {
        return Err(ReplaceError::Changed(path.to_owned()));
    }
    if old.metadata().map_err(failed)?.permissions().readonly() {
        return Err(ReplaceError::ReadOnly(path.to_owned()));
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    let prefix = format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy());
    remove_left(folder, &prefix);
    let new = folder.join(format!("{prefix}{}{SUFFIX}", hex(&random().map_err(failed)?)));
    let written = write_beside(&new, &old, after).and_then(|()| fs::rename(&new, &target));
    if let Err(error) = written {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
        return Err(failed(error));
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Removes what killed edits of this file left. The lock is ours, so nobody else is at it.
fn remove_left(folder: &Path, prefix: &str) {
    let is_left = |name: &str| {
        let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        middle.is_some_and(|middle| middle.len() == 16 && middle.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_left) {
            // It does no harm where it stays.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write_beside(new: &Path, old: &File, text: &str) -> io::Result<()> {
    let meta = old.metadata()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
        fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
    }
    file.write_all(text.as_bytes())?;
    file.set_permissions(meta.permissions())?;
    file.sync_all()
}

fn random() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("feeds.toml"));
        fs::write(&real, "a").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real.toml", &link).unwrap();
        replace(&link, "a", "b").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&real).unwrap().as_str(), mode(&real)), ("b", 0o640));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_root_edits_for_somebody_stays_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feeds.toml");
        fs::write(&path, "a").unwrap();
        if std::os::unix::fs::chown(&path, Some(65_534), Some(65_533)).is_err() {
            return;
        }
        replace(&path, "a", "b").unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid(), fs::read_to_string(&path).unwrap().as_str()), (65_534, 65_533, "b"));
    }

    #[test]
    fn what_somebody_else_wrote_in_the_meantime_is_never_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feeds.toml");
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(replace(&path, "read before", "mine"), Err(ReplaceError::Changed(_))));
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        assert!(matches!(replace(&path, "theirs", "mine"), Err(ReplaceError::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_nobody_may_write_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feeds.toml");
        fs::write(&path, "a").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let refused = replace(&path, "a", "b").unwrap_err().to_string();
        assert!(refused.contains("is read-only") && refused.contains("chmod u+w"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
    }

    #[test]
    fn what_a_killed_edit_left_is_removed_by_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feeds.toml");
        for name in ["feeds.toml", ".feeds.toml.0123456789abcdef.new", ".feeds.toml.mine.new", ".other.new"] {
            fs::write(folder.path().join(name), "a").unwrap();
        }
        replace(&path, "a", "b").unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".feeds.toml.mine.new", ".other.new", "feeds.toml"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feeds.toml");
        assert!(matches!(replace(&path, "", "mine"), Err(ReplaceError::File { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
