//! The `directory` transport: each message becomes a file in the outbox folder, whole or not at all, and never in the
//! place of another one. One process writes there at a time; the instance lock sees to it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::reply::clean;
use crate::model::delivery::SendOutcome;

/// How many names are tried for a message whose name is taken by another one.
const MAX_NAMES: u32 = 1000;

/// The outbox folder.
pub(super) struct Outbox(PathBuf);

impl Outbox {
    /// Makes the folder where there is none; only its owner may look into it, because the links in the messages act.
    pub(super) fn open(folder: &Path) -> io::Result<Outbox> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Outbox(folder.to_owned()))
    }

    /// Writes a message. The same message under the same name again changes nothing.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> SendOutcome {
        if !is_file_name(name) {
            return SendOutcome::Unreachable { cause: clean(&format!("{name:?} cannot be the name of a file")) };
        }
        match self.keep(name, bytes) {
            Ok(file) => SendOutcome::Written { file },
            Err(error) => {
                let path = self.0.join(name);
                SendOutcome::Unreachable { cause: clean(&format!("{} cannot be written: {error}", path.display())) }
            }
        }
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        for number in 1..=MAX_NAMES {
            let file = numbered(name, number);
            let path = self.0.join(&file);
            match fs::read(&path) {
                // It may have been written just before a crash: only now is it known to be on the disk.
                Ok(kept) if kept == bytes => File::open(&path)?.sync_all()?,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.place(&file, bytes)?,
                Err(error) => return Err(error),
            }
            File::open(&self.0)?.sync_all()?;
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{MAX_NAMES} other messages have this name")))
    }

    /// Whole under a temporary name first, so that nobody ever reads half a message.
    fn place(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.0.join(format!(".{file}.part"));
        let mut open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        open.write_all(bytes)?;
        open.sync_all()?;
        fs::rename(&temporary, self.0.join(file))
    }
}

/// `a.eml`, `a-2.eml`, `a-3.eml`, ...
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem}-{number}.{ending}"),
        _ => format!("{name}-{number}"),
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(outcome: &SendOutcome) -> &str {
        match outcome {
            SendOutcome::Written { file } => file,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_written_whole_and_its_repetition_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("state/outbox")).unwrap();
        for _ in 0..3 {
            assert_eq!(written(&outbox.write("1.eml", b"one\r\n")), "1.eml");
        }
        let names: Vec<_> = fs::read_dir(&outbox.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["1.eml"]);
        assert_eq!(fs::read(outbox.0.join("1.eml")).unwrap(), b"one\r\n");
    }

    #[test]
    fn another_message_of_the_same_name_never_replaces_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(written(&outbox.write("1.eml", b"one")), "1.eml");
        assert_eq!(written(&outbox.write("1.eml", b"two")), "1-2.eml");
        assert_eq!(written(&outbox.write("1.eml", b"three")), "1-3.eml");
        assert_eq!(written(&outbox.write("1.eml", b"two")), "1-2.eml");
        assert_eq!(fs::read(folder.path().join("1.eml")).unwrap(), b"one");
    }

    #[test]
    fn what_a_crash_left_half_written_is_replaced_and_never_taken_for_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        fs::write(folder.path().join(".1.eml.part"), b"o").unwrap();
        assert_eq!(written(&outbox.write("1.eml", b"one")), "1.eml");
        assert_eq!(fs::read(folder.path().join("1.eml")).unwrap(), b"one");
        assert!(!folder.path().join(".1.eml.part").exists());
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox")).unwrap();
        for name in ["", "../1.eml", "a/b.eml", ".hidden", "..", "a\0b", "a\nb"] {
            assert!(matches!(outbox.write(name, b"one"), SendOutcome::Unreachable { .. }), "{name:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_gone_is_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&folder.path().join("outbox")).unwrap();
        fs::remove_dir(&outbox.0).unwrap();
        let SendOutcome::Unreachable { cause } = outbox.write("1.eml", b"one") else { panic!("nothing was written") };
        assert!(cause.contains("1.eml cannot be written"), "{cause}");
    }
}
