//! A maildir: `new` holds what nobody has seen, `cur` what somebody has, with flags behind the name. A message that was
//! read is moved to `cur` with the flag `S` under the name that its deliverer gave it. Nothing of a message becomes a
//! name, links are not followed, and nothing is removed or written over.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::{Letter, Place, Trouble};

/// What stands between a message's name and its flags.
const FLAGS: &[u8] = b":2,";
/// How many names are tried for a message whose name is taken.
const MOST_NAMES: usize = 20;

/// A message that has not been read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unread {
    name: OsString,
    /// Whether somebody has moved it to `cur` without reading it.
    is_old: bool,
}

/// A maildir and what is unread in it.
#[derive(Debug)]
pub(super) struct Maildir {
    folder: PathBuf,
    unread: VecDeque<Unread>,
    most: usize,
}

impl Maildir {
    /// Opens it and finds what is unread.
    pub(super) fn open(folder: &Path, most: usize) -> Result<Maildir, Trouble> {
        let mut unread = Vec::new();
        for (part, is_old) in [("new", false), ("cur", true)] {
            let path = folder.join(part);
            let entries = fs::read_dir(&path).map_err(|error| trouble(&path, &error))?;
            for entry in entries {
                let entry = entry.map_err(|error| trouble(&path, &error))?;
                let name = entry.file_name();
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if is_file && !name.as_bytes().starts_with(b".") && !(is_old && is_seen(&name)) {
                    unread.push(Unread { name, is_old });
                }
            }
        }
        // Names begin with the second of delivery.
        unread.sort();
        Ok(Maildir { folder: folder.to_owned(), unread: unread.into(), most })
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.unread.len()
    }

    /// The next unread message. One that is gone meanwhile was somebody else's.
    pub(super) fn next(&mut self) -> Result<Option<Letter>, Trouble> {
        while let Some(unread) = self.unread.pop_front() {
            let path = self.path(&unread);
            match read(&path, self.most) {
                Ok(bytes) => return Ok(Some(Letter { bytes, seen: None, place: Place::File(unread) })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(trouble(&path, &error)),
            }
        }
        Ok(None)
    }

    /// Moves a message to `cur`, marked as seen.
    pub(super) fn mark(&self, unread: &Unread) -> Result<(), Trouble> {
        let from = self.path(unread);
        for n in 0..MOST_NAMES {
            let to = self.folder.join("cur").join(seen_name(&unread.name, n));
            match move_to(&from, &to) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // Somebody else moved it: it is not in `new` any more.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => return Ok(()),
                Err(error) => return Err(trouble(&from, &error)),
            }
        }
        Err(trouble(&from, &io::ErrorKind::AlreadyExists.into()))
    }

    fn path(&self, unread: &Unread) -> PathBuf {
        self.folder.join(if unread.is_old { "cur" } else { "new" }).join(&unread.name)
    }
}

fn trouble(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(format!("{}: {error}", path.display()))
}

fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Neither a link to somewhere else nor a pipe that never ends is read.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let mut bytes = Vec::new();
    file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Moves a file and never over another one: names in a maildir are given once, so nothing comes there after the look.
fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// The name before the flags, and the flags.
fn split(name: &OsStr) -> (&[u8], &[u8]) {
    let bytes = name.as_bytes();
    let at = bytes.windows(FLAGS.len()).position(|part| part == FLAGS);
    at.and_then(|at| bytes.split_at_checked(at))
        .map_or((bytes, &[]), |(name, flags)| (name, flags.get(FLAGS.len()..).unwrap_or_default()))
}

fn is_seen(name: &OsStr) -> bool {
    split(name).1.contains(&b'S')
}

/// The name of a seen message: with the flag among the others, in the order of the alphabet.
fn seen_name(name: &OsStr, n: usize) -> OsString {
    let (stem, flags) = split(name);
    let mut flags: Vec<u8> = flags.iter().copied().chain([b'S']).collect();
    flags.sort_unstable();
    flags.dedup();
    let number = if n == 0 { String::new() } else { format!(",n={n}") };
    let bytes = [stem, number.as_bytes(), FLAGS, flags.as_slice()].concat();
    OsStr::from_bytes(&bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seen_message_keeps_its_name_and_its_other_flags() {
        let named = |name: &str, n| seen_name(OsStr::new(name), n).into_string().unwrap();
        assert_eq!(named("1795165207.V1I2.mx", 0), "1795165207.V1I2.mx:2,S");
        assert_eq!(named("1795165207.V1I2.mx:2,FT", 0), "1795165207.V1I2.mx:2,FST");
        assert_eq!(named("1795165207.V1I2.mx:2,S", 3), "1795165207.V1I2.mx,n=3:2,S");
        assert!(is_seen(OsStr::new("a:2,RS")) && !is_seen(OsStr::new("aS:2,R")) && !is_seen(OsStr::new("S")));
    }
}
