//! Reads a document where it can do no harm: on a thread with a known stack, guarded against panics, given up after a while.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
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

/// What there is to read.
struct Task {
    bytes: Vec<u8>,
    charset: Option<String>,
    base: Option<Url>,
}

/// A reading thread, which ends when this is dropped and what it reads is read.
///
/// Each calling thread keeps its own from document to document: a new one for each would take a stack and, where the
/// last one has not quite ended, a heap of its own, and the C library keeps heaps.
struct Reader {
    tasks: SyncSender<Task>,
    outcomes: Receiver<thread::Result<Result<Document, ParseError>>>,
}

thread_local! {
    static READER: RefCell<Option<Reader>> = const { RefCell::new(None) };
}

impl Reader {
    fn start() -> std::io::Result<Self> {
        let (tasks, given) = sync_channel::<Task>(1);
        let (sender, outcomes) = sync_channel(1);
        let reading = move || {
            for Task { bytes, charset, base } in given {
                let hint = Hint { charset: charset.as_deref(), base: base.as_ref() };
                let outcome = catch_unwind(AssertUnwindSafe(|| parse_whole(bytes, &hint)));
                if sender.send(outcome).is_err() {
                    // Nobody listens any more: it took too long.
                    return;
                }
            }
        };
        thread::Builder::new().name("read".into()).stack_size(STACK).spawn(reading)?;
        Ok(Self { tasks, outcomes })
    }
}

/// Reads a document: [`parse_whole`] on a thread with 8 MiB of stack, abandoned after 5 seconds.
///
/// # Errors
/// Where it is no feed, takes too long or makes the parser panic.
pub fn read(bytes: Vec<u8>, charset: Option<String>, base: Option<Url>) -> Result<Document, ReadError> {
    let reader = match READER.take() {
        Some(reader) => reader,
        None => Reader::start().map_err(ReadError::NoThread)?,
    };
    reader.tasks.send(Task { bytes, charset, base }).map_err(|_| ReadError::Panicked)?;
    match reader.outcomes.recv_timeout(PATIENCE) {
        Ok(Ok(outcome)) => {
            // Only one that ended well reads again.
            READER.set(Some(reader));
            Ok(outcome?)
        }
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(ReadError::Panicked),
        Err(RecvTimeoutError::Timeout) => Err(ReadError::TooSlow),
    }
}
