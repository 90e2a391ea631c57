//! Mails that come back: samples of real shapes about a digest, and a maildir that they are delivered into.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

/// A sample of `fixtures/bounce` about the digest with this Message-ID that went to this address.
pub fn sample(name: &str, message_id: &str, address: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/suite/fixtures/bounce/{name}.eml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let local = message_id.split('@').next().unwrap();
    text.replace("MESSAGE_ID", message_id).replace("ENVELOPE_ID", local).replace("ADDRESS", address)
}

/// A report with ten megabytes: of recipients, or behind what it has to say.
pub fn bomb(message_id: &str, address: &str) -> [String; 2] {
    let report = sample("postfix", message_id, address);
    let group = "\nFinal-Recipient: rfc822; somebody@example.com\nAction: failed\nStatus: 5.1.1\n";
    let recipients = report.replace("\nFinal-Recipient:", &(group.repeat(140_000) + "\nFinal-Recipient:"));
    let behind = report + &"x".repeat(72).repeat(145_000);
    [recipients, behind]
}

/// A maildir of its own.
pub struct Maildir {
    folder: TempDir,
    next: AtomicU64,
}

impl Maildir {
    /// An empty one.
    pub fn make() -> Maildir {
        let folder = tempfile::tempdir().unwrap();
        for part in ["new", "cur", "tmp"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        Maildir { folder, next: AtomicU64::new(1) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Delivers a message; its name.
    pub fn deliver(&self, message: impl AsRef<[u8]>) -> String {
        let name = format!("1795165207.V{}.mx", self.next.fetch_add(1, Ordering::Relaxed));
        fs::write(self.path().join("tmp").join(&name), message).unwrap();
        fs::rename(self.path().join("tmp").join(&name), self.path().join("new").join(&name)).unwrap();
        name
    }

    /// The names in one of its folders, in order.
    pub fn names(&self, part: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(part)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// A file in it.
    pub fn file(&self, part: &str, name: &str) -> PathBuf {
        self.path().join(part).join(name)
    }
}
