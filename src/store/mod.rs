//! The one SQLite file: how it is opened, and the one way to write. Each noun's SQL is in a file of its own below.
//! Nothing outside this folder speaks SQL, and no fact is written here without its record in the same transaction.

mod acknowledgement;
mod align;
mod assignment;
mod bounce;
mod claim;
pub mod clock;
mod configuration;
mod delivery;
mod digest;
mod disowned;
mod entry;
mod fate;
mod faults;
mod feed;
mod figures;
mod flood;
mod handed_over;
mod heard;
mod held;
mod inbound;
mod links;
mod listing;
pub mod log;
mod migration;
mod network;
mod open;
mod place;
mod poll;
mod purge;
mod reassigned;
mod relay;
mod revision;
mod search;
mod story;
mod trail;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

pub use self::{
    acknowledgement::AnswerRow,
    assignment::{AssignmentRow, PendingRow},
    bounce::{NewReport, SentDigest},
    configuration::LoadedConfiguration,
    delivery::{DueDelivery, QueuedRow},
    digest::{DigestRow, NewDigest, NoticeRow},
    entry::EntryRow,
    faults::Faults,
    feed::BaselineRow,
    figures::LogFigures,
    flood::{FloodRow, HeldEntry},
    handed_over::{Passed, TakenOver},
    inbound::{InboundRow, Looked, Sorted},
    links::LinksAsked,
    listing::{ListedRow, WithheldRow},
    open::{OpenRow, ToldAgain},
    place::PlaceRow,
    poll::{AppliedPoll, PollCommit},
    reassigned::Reassigned,
    relay::RelayRow,
    search::{Found, Search},
    story::{StoryRow, StorySourceRow, ToldRow},
    trail::TrailRow,
};
use crate::{clock::Clock, evidence::event::Event, model::time::Time};

/// The database's file in the state folder.
pub const DATABASE: &str = "sigtrail.db";
/// Marks the file as ours (`PRAGMA application_id`): "sigt" in ASCII.
const APPLICATION_ID: i32 = 0x7369_6774;
/// SQLite before this version could corrupt a file that two connections write (its WAL-reset bug).
const MIN_SQLITE: i32 = 3_051_003;

/// How many connections are kept for the next who need one: as many as the page has threads, so that a crowd of readers
/// does not open one for each page, with all its statements to compile.
const MOST_IDLE: usize = 16;

/// The store refused, or the disk failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The evidence log does not hold together; nothing is written any more.
    #[error("the evidence log is broken: {0}")]
    BrokenLog(String),
    /// There is no state in this folder.
    #[error("no state at {0}: start with `sigtrail tick` or `sigtrail run`, or name the folder with --state")]
    NoState(PathBuf),
    /// The file is a database of something else, or of a newer sigtrail.
    #[error("{path}: {what}")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Why it cannot be used.
        what: String,
    },
    /// The folder or a file in it cannot be used.
    #[error("{path}: {error}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A failure that a test asked for.
    #[error("failed on purpose {0}")]
    OnPurpose(&'static str),
}

impl StoreError {
    /// Whether the disk is full: nothing can be written until somebody makes room.
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether the disk itself failed: full, unreadable, or a sync that did not happen.
    pub fn is_disk(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
        match self {
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(error.code, SystemIoFailure | DiskFull | ReadOnly | CannotOpen)
            }
            StoreError::File { .. } => true,
            _ => false,
        }
    }
}

/// A handle on the store; clones share its idle connections.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    clock: Clock,
    faults: Faults,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the state in this folder, and makes it where there is none. Errors: the folder cannot be made or
    /// used, the file belongs to something else or to a newer sigtrail.
    pub fn create(dir: &Path, clock: Clock, faults: Faults) -> Result<Store, StoreError> {
        let file_error = |error| StoreError::File { path: dir.to_owned(), error };
        if !dir.exists() {
            make_private_folder(dir).map_err(file_error)?;
        }
        let store = Self::with(dir, clock, faults);
        let mut connection =
            store.open_connection(OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        migration::migrate(&mut connection, &dir.join(DATABASE))?;
        store.give_back(connection);
        Ok(store)
    }

    /// Opens the state in this folder; never makes one. Errors: there is none, or as for [`Store::create`].
    pub fn open(dir: &Path, clock: Clock) -> Result<Store, StoreError> {
        if !dir.join(DATABASE).is_file() {
            return Err(StoreError::NoState(dir.to_owned()));
        }
        let store = Self::with(dir, clock, Faults::default());
        let connection = store.open_connection(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        migration::refuse_other(&connection, &dir.join(DATABASE))?;
        store.give_back(connection);
        Ok(store)
    }

    fn with(dir: &Path, clock: Clock, faults: Faults) -> Store {
        let idle = Mutex::new(Vec::new());
        Store { shared: Arc::new(Shared { dir: dir.to_owned(), clock, faults, idle }) }
    }

    /// The state folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// The time, as records are stamped with it.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    fn open_connection(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let path = self.shared.dir.join(DATABASE);
        let connection = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        if rusqlite::version_number() < MIN_SQLITE {
            let what = format!("this SQLite ({}) can corrupt it; 3.51.3 or newer is needed", rusqlite::version());
            return Err(StoreError::Foreign { path, what });
        }
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -8_000)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        // Without it a statement is compiled anew whenever a value is bound that the planner has looked at.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.open_connection(OpenFlags::SQLITE_OPEN_READ_WRITE), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    /// The one way to write: an IMMEDIATE transaction that is committed when `change` succeeds and leaves no
    /// trace when it does not. Never call it on an async worker, and never with a network call inside.
    pub fn write<T>(&self, change: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.take()?;
        let done = {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = {
                let mut write = Write { tx: &tx, log: log::Appender::open(&tx)?, recorded: self.shared.clock.now() };
                let done = change(&mut write)?;
                write.log.finish()?;
                done
            };
            self.shared.faults.point("before a commit")?;
            tx.commit()?;
            self.shared.faults.point("after a commit")?;
            done
        };
        self.give_back(connection);
        Ok(done)
    }

    /// Reads from one snapshot.
    pub fn read<T>(&self, look: impl FnOnce(&Read<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.take()?;
        let found = {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            look(&Read { tx: &tx })?
        };
        self.give_back(connection);
        Ok(found)
    }

    /// Lends a connection for what brings its own transactions: signing, exporting, checking the log.
    pub fn with_connection<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.take()?;
        self.shared.faults.point("before a connection was lent")?;
        let done = work(&mut connection)?;
        self.shared.faults.point("after a connection was lent")?;
        self.give_back(connection);
        Ok(done)
    }
}

/// A transaction that writes. Each of its public methods writes a fact together with its record.
pub struct Write<'t> {
    tx: &'t Transaction<'t>,
    log: log::Appender<'t>,
    recorded: Time,
}

impl Write<'_> {
    /// Appends a record for an event of this moment; its number in the log.
    pub fn record(&mut self, event: Event, at: Time) -> Result<u64, StoreError> {
        let draft = event.into_draft();
        let about = trail::about(&draft);
        let record = self.log.append_draft(draft, at, self.recorded)?;
        trail::keep(self.tx, &about, record)?;
        Ok(record)
    }

    /// What the transaction sees so far.
    pub fn read(&self) -> Read<'_> {
        Read { tx: self.tx }
    }
}

/// One snapshot of the store.
pub struct Read<'c> {
    tx: &'c Connection,
}

/// The number of a record as SQLite holds it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number of a record as the log counts it.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn make_private_folder(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
