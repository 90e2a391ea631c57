//! The four files on disk: their names, reading them whole, and the hash over them. What they say is not judged here.

use std::{fmt::Write as _, fs::File, io::Read, path::Path};

use sha2::{Digest as _, Sha256};

use crate::model::settings::SourceFile;

/// The names of the four files below the root, in their order.
pub(super) const NAMES: [&str; 4] = [FEEDS, "config/owners.toml", "config/stack.toml", SETTINGS];

/// The name of the register below the root.
pub(super) const FEEDS: &str = "feeds.toml";
/// The name of the file that says where the state is.
pub(super) const SETTINGS: &str = "config/sigtrail.toml";

/// The most bytes that one of the files may have.
const LARGEST: u64 = 4 << 20;

/// Reads a file whole; an error says in words why its text is not there, and what to do.
pub(super) fn read(path: &Path) -> Result<String, (String, String)> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(match error.kind() {
            std::io::ErrorKind::NotFound => (
                format!("no file {shown}"),
                "`sigtrail init` writes a commented example of each file; --root names their folder".to_owned(),
            ),
            _ => (format!("cannot read {shown}: {error}"), "make it a file that sigtrail may read".to_owned()),
        });
    }
    if bytes.len() as u64 > LARGEST {
        return Err(too_large(path));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        (format!("{shown} is not UTF-8 text: line {line} is not"), "save the file as UTF-8".to_owned())
    })
}

/// A text that is to become a file, as it would be read.
pub(super) fn sized(path: &Path, text: &str) -> Result<String, (String, String)> {
    if text.len() as u64 > LARGEST { Err(too_large(path)) } else { Ok(text.to_owned()) }
}

fn too_large(path: &Path) -> (String, String) {
    (format!("{} is larger than {} MiB", path.display(), LARGEST >> 20), "make it smaller".to_owned())
}

/// Lower-case hex SHA-256 over the files: for each, its name, a zero byte, the length of its text in bytes as eight
/// bytes (big endian) and its text.
pub(super) fn hash(files: &[SourceFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.name.as_bytes());
        hasher.update([0]);
        hasher.update((file.text.len() as u64).to_be_bytes());
        hasher.update(file.text.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_changes_with_any_byte_and_with_where_it_stands() {
        let file = |name: &str, text: &str| SourceFile { name: name.into(), text: text.into() };
        let one = hash(&[file("a", "xy"), file("b", "")]);
        assert_eq!(one.len(), 64);
        assert_ne!(one, hash(&[file("a", "x"), file("b", "y")]));
        assert_ne!(one, hash(&[file("a", "xy"), file("c", "")]));
        assert_eq!(one, hash(&[file("a", "xy"), file("b", "")]));
    }
}
