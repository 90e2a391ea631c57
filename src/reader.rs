//! Reads a document where it can do no harm: on a thread with a known stack, guarded against panics, given up after a while.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use url::Url;

use crate::{
    model::entry::Document,
    parse::{Hint, ParseError, parse_whole},
};

/// The stack of a reading thread, in bytes.
const STACK: usize = 8 * 1024 * 1024;
/// For how long a document may be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a document gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no feed, or nothing of it can be saved.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Reading took too long; the thread was left behind.
    #[error("the document could not be read within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    /// Reading went wrong in a way that must not be possible.
    #[error("the document made the reader fail; this is a fault of sigtrail, please report it")]
    Panicked,
    /// The system gives no thread.
    #[error("no thread to read the document on: {0}")]
    NoThread(std::io::Error),
}

/// Reads a document: [`parse_whole`] on a thread with 8 MiB of stack, abandoned after 5 seconds.
///
/// # Errors
/// Where it is no feed, takes too long or makes the parser panic.
pub fn read(bytes: Vec<u8>, charset: Option<String>, base: Option<Url>) -> Result<Document, ReadError> {
    let (sender, receiver) = sync_channel(1);
    let reading = move || {
        let hint = Hint { charset: charset.as_deref(), base: base.as_ref() };
        let outcome = catch_unwind(AssertUnwindSafe(|| parse_whole(bytes, &hint)));
        // Nobody listens any more where it took too long.
        let _ = sender.send(outcome);
    };
    let thread = thread::Builder::new().name("read".into()).stack_size(STACK);
    thread.spawn(reading).map_err(ReadError::NoThread)?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(ReadError::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(ReadError::TooSlow),
    }
}
