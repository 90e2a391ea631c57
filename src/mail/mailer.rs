//! The mailer: the door's handle, and its sessions, each one burst of messages over one connection. Callers are
//! synchronous; the runtime that the waiting needs lives and ends here.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use lettre::Address;
use rustls::pki_types::ServerName;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::watch,
};

use super::{
    dialogue::{Connection, Letter},
    line::{Limits, Patience},
    message,
    outbox::Outbox,
    relay::{Relay, connector, envelope_address},
    reply::clean,
    trouble::Trouble,
};
use crate::model::{
    delivery::{Attempted, RelayTrouble, SendOutcome},
    settings::{MailSettings, MailTransport},
};

/// Why mail cannot be sent with these settings at all.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender's address cannot stand in an envelope.
    #[error("mail: the sender {0:?} is no mail address")]
    From(String),
    /// The server's name can stand in no certificate.
    #[error("mail: {0:?} is no host name or address")]
    Host(String),
    /// The file with certificates cannot be used.
    #[error("mail: the certificates in {path}: {error}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The outbox folder cannot be used.
    #[error("mail: the outbox folder {path}: {error}")]
    Outbox {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// TLS cannot be set up.
    #[error("mail: TLS: {0}")]
    Tls(rustls::Error),
    /// The system gives us no way to wait for a connection.
    #[error("mail: {0}")]
    Runtime(io::Error),
}

/// Sends mail as the settings say. May be shared between threads.
pub struct Mailer {
    from: Address,
    way: Way,
    over: watch::Sender<bool>,
    grace: Duration,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

enum Way {
    Directory(Outbox),
    Smtp(Box<Smtp>),
}

struct Smtp {
    relay: Relay,
    waiting: Waiting,
}

impl Mailer {
    /// A mailer with the limits of RFC 5321. `outbox` is used, and made, only by the directory transport. Connects to
    /// nothing yet.
    pub fn open(settings: &MailSettings, outbox: &Path) -> Result<Mailer, MailError> {
        Self::with_limits(settings, outbox, Limits::default())
    }

    /// A mailer that waits as long as these limits say.
    pub fn with_limits(settings: &MailSettings, outbox: &Path, limits: Limits) -> Result<Mailer, MailError> {
        let sender = settings.envelope_sender();
        let from = envelope_address(sender).ok_or_else(|| MailError::From(sender.to_owned()))?;
        let (over, waits) = watch::channel(false);
        let way = match &settings.transport {
            MailTransport::Directory => {
                let open = Outbox::open(outbox);
                Way::Directory(open.map_err(|error| MailError::Outbox { path: outbox.to_owned(), error })?)
            }
            MailTransport::Smtp { host, port, tls, login, ca_file } => {
                let relay = Relay {
                    host: host.clone(),
                    port: *port,
                    tls: *tls,
                    login: login.clone(),
                    name: ServerName::try_from(host.clone()).map_err(|_| MailError::Host(host.clone()))?,
                    connector: connector(*tls, ca_file.as_deref())?,
                    patience: Patience { limits, over: waits },
                };
                Way::Smtp(Box::new(Smtp { relay, waiting: Waiting::new().map_err(MailError::Runtime)? }))
            }
        };
        Ok(Mailer { from, way, over, grace: limits.hurry })
    }

    /// Begins a burst; the connection is made by the first message.
    pub fn session(&self) -> Session<'_> {
        Session { mailer: self, connection: None, barred: None }
    }

    /// The service stops: [`Limits::hurry`] from now on every wait ends. A message whose final dot is out by then is
    /// uncertain, every other one unreachable. Returns at once.
    pub fn hurry(&self) {
        let (over, grace) = (self.over.clone(), self.grace);
        let end = move || {
            thread::sleep(grace);
            over.send_replace(true);
        };
        if thread::Builder::new().name("mail-grace".to_owned()).spawn(end).is_err() {
            // Without a thread that could wait there is no grace.
            self.over.send_replace(true);
        }
    }
}

/// One message on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'m> {
    /// The recipient's address.
    pub to: &'m str,
    /// The Message-ID without angle brackets; what stands before its `@` names the message in a server's reports.
    pub message_id: &'m str,
    /// The message: CR LF only, lines of at most 998 bytes, no NUL. Another one never leaves.
    pub bytes: &'m [u8],
    /// The file that it is written to where mails go to a folder.
    pub file: &'m str,
}

/// One burst of messages. Its connection is used for one message after the other and made anew when it died between
/// two. Dropping the session says goodbye to the server.
pub struct Session<'a> {
    mailer: &'a Mailer,
    connection: Option<Connection>,
    /// Why no connection can be had for now. It is not tried again in this burst, so that a server that is down or
    /// refuses the login is bothered once.
    barred: Option<RelayTrouble>,
}

impl Session<'_> {
    /// Hands one message to one recipient's server, or writes it to a file of the outbox. The envelope's sender is the
    /// configured one.
    pub fn hand_over(&mut self, message: &Outgoing<'_>) -> Attempted {
        let here = |outcome| Attempted { outcome, trouble: None, size_limit: None };
        if let Some(flaw) = message::flaw(message.bytes) {
            return here(SendOutcome::Unfit { cause: format!("not sent: the message is not canonical: {flaw}") });
        }
        let smtp = match &self.mailer.way {
            Way::Directory(outbox) => return here(outbox.write(message.file, message.bytes)),
            Way::Smtp(smtp) => smtp,
        };
        let to = message.to;
        let Some(to) = envelope_address(to) else {
            let reply = clean(&format!("not sent: {to:?} is no mail address"));
            return here(SendOutcome::Rejected { code: 553, reply });
        };
        let id = message.message_id.split('@').next().filter(|id| !id.is_empty());
        let letter = Letter { from: &self.mailer.from, to: &to, id, bytes: message.bytes };
        smtp.waiting
            .run(self.transact(&smtp.relay, letter))
            .unwrap_or_else(|error| here(SendOutcome::Unreachable { cause: clean(&format!("not sent: {error}")) }))
    }

    /// The same for a message without a Message-ID, and only what came of it.
    pub fn send(&mut self, to: &str, bytes: &[u8], file: &str) -> SendOutcome {
        self.hand_over(&Outgoing { to, message_id: "", bytes, file }).outcome
    }

    /// Whether no connection can be had in this burst any more.
    pub fn is_barred(&self) -> bool {
        self.barred.is_some()
    }

    async fn transact(&mut self, relay: &Relay, letter: Letter<'_>) -> Attempted {
        let mut used = self.connection.is_some();
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match self.connect(relay).await {
                    Ok(connection) => connection,
                    Err(trouble) => {
                        let of_server = trouble.bars().or_else(|| trouble.of_server());
                        return Attempted { outcome: trouble.outcome(None), trouble: of_server, size_limit: None };
                    }
                },
            };
            if let Some(outcome) = connection.unfit(letter) {
                let size_limit = Some(connection.size_limit());
                self.connection = Some(connection);
                return Attempted { outcome, trouble: None, size_limit };
            }
            let begun = connection.begin(letter).await;
            if used && begun.as_ref().is_err_and(Trouble::ends_connection) {
                // It died of old age between two messages; this one has not begun.
                used = false;
                continue;
            }
            let ended = match begun {
                Ok(()) => connection.deliver(letter, relay.patience.limits.dot).await,
                Err(trouble) => Err(trouble),
            };
            return self.conclude(connection, ended).await;
        }
    }

    async fn connect(&mut self, relay: &Relay) -> Result<Connection, Trouble> {
        if let Some(trouble) = &self.barred {
            return Err(Trouble::lost(trouble.fault, format!("not tried again in this burst: {}", trouble.cause)));
        }
        let opened = Connection::open(relay).await;
        self.barred = opened.as_ref().err().and_then(Trouble::bars);
        opened
    }

    /// Keeps the connection for the next message where it can still be used.
    async fn conclude(&mut self, mut connection: Connection, ended: Result<SendOutcome, Trouble>) -> Attempted {
        let told = connection.size_limit();
        let (outcome, trouble) = match ended {
            Ok(outcome) => {
                let is_taken = matches!(outcome, SendOutcome::Accepted { .. });
                self.connection = is_taken.then_some(connection);
                (outcome, None)
            }
            Err(trouble) => {
                if !trouble.ends_connection() && connection.reset().await {
                    self.connection = Some(connection);
                }
                let of_server = trouble.of_server();
                (trouble.outcome(told), of_server)
            }
        };
        Attempted { outcome, trouble, size_limit: Some(told) }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let (Some(connection), Way::Smtp(smtp)) = (self.connection.take(), &self.mailer.way) {
            // The messages are decided already; a goodbye that fails changes nothing.
            let _ = smtp.waiting.run(connection.quit());
        }
    }
}

/// A runtime of our own for the waits of synchronous callers.
pub(crate) struct Waiting(Option<Runtime>);

impl Waiting {
    pub(crate) fn new() -> io::Result<Waiting> {
        Ok(Waiting(Some(Builder::new_current_thread().enable_io().enable_time().build()?)))
    }

    /// Runs `work` to its end, whatever thread the caller is on. An error means that it was not begun.
    pub(crate) fn run<T: Send>(&self, work: impl Future<Output = T> + Send) -> io::Result<T> {
        let Some(runtime) = &self.0 else { return Err(io::Error::other("the mailer is closed")) };
        if Handle::try_current().is_err() {
            return Ok(runtime.block_on(work));
        }
        // On a thread of another runtime, waiting inside it would panic.
        thread::scope(|scope| {
            let waiting = thread::Builder::new().name("mail".to_owned());
            match waiting.spawn_scoped(scope, || runtime.block_on(work))?.join() {
                Ok(done) => Ok(done),
                // A message may be out: as on the caller's own thread, nobody may take this for a failed attempt.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The ordinary end would wait for name lookups, and panics inside another runtime.
            runtime.shutdown_background();
        }
    }
}
