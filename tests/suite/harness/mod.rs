//! What the tests share: servers on loopback with scripted faults, the world that a story is played in, its page,
//! and a browser.

pub mod browser;
pub mod daemon;
pub mod dovecot;
pub mod feed_server;
pub mod imap_server;
pub mod page;
pub mod postfix;
pub mod returned;
pub mod smtp_server;
pub mod world;

use std::path::PathBuf;

/// The folder with real documents, which stay outside of the project; `None`, said aloud for the test of this name, where
/// `SIGTRAIL_CORPUS` names none.
pub fn corpus(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SIGTRAIL_CORPUS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: {test}: SIGTRAIL_CORPUS names no folder with real documents");
    }
    folder
}
