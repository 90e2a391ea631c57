//! The inbound door: reads the mailbox that returned mails come to, message after message, and marks what was read. It
//! deletes nothing, judges nothing and stores nothing; what a message says is `bounce`'s business.

mod dialogue;
mod imap;
mod line;
mod maildir;
mod response;

use std::{sync::Arc, time::Duration};

use self::{imap::Imap, maildir::Maildir};
use crate::{
    model::settings::{InboundSettings, InboundSource},
    text,
};

/// How many messages one look takes; what is left is for the next one.
const MOST_MESSAGES: usize = 200;
/// The most bytes of a reason.
const LONGEST_CAUSE: usize = 400;

/// The longest that a look at a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Looking up the server's name, and connecting to each of its addresses.
    pub connect: Duration,
    /// The TLS handshake, and each command with its whole answer.
    pub command: Duration,
    /// All of it.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), command: Duration::from_secs(15), whole: Duration::from_mins(1) }
    }
}

/// What was read of a mailbox before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The UIDVALIDITY that the UID counts under (RFC 3501 section 2.3.1.1); 0: nothing was read.
    pub uid_validity: u32,
    /// The UID of the last message that was read.
    pub last_uid: u32,
}

/// A message as it lies in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its bytes, at most as many as were asked for.
    pub bytes: Vec<u8>,
    /// What will have been read of the mailbox once this one was; `None`: the mailbox keeps that itself.
    pub seen: Option<Seen>,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(maildir::Unread),
    Uid(u32),
}

/// Why a mailbox cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, in words.
    pub cause: String,
    /// Whether the server refused the login.
    pub login: bool,
}

impl Trouble {
    fn new(cause: impl AsRef<str>) -> Trouble {
        Trouble { cause: text::clean(cause.as_ref(), LONGEST_CAUSE), login: false }
    }
}

/// Says whether the wait shall end because the service stops.
pub type Ended = Arc<dyn Fn() -> bool + Send + Sync>;

/// A look at a mailbox.
pub struct Look {
    mailbox: Mailbox,
    taken: usize,
    left: usize,
}

enum Mailbox {
    Maildir(Maildir),
    Imap(Box<Imap>),
}

impl Look {
    /// Opens the mailbox and finds what is unread, oldest first. `most`: how many bytes of a message are read.
    pub fn begin(
        settings: &InboundSettings,
        seen: Seen,
        most: usize,
        limits: Limits,
        ended: Ended,
    ) -> Result<Look, Trouble> {
        let mailbox = match &settings.source {
            InboundSource::Maildir(path) => Mailbox::Maildir(Maildir::open(path, most)?),
            source @ InboundSource::Imap { .. } => {
                Mailbox::Imap(Box::new(Imap::open(source, seen, most, line::Patience::new(limits, ended))?))
            }
        };
        let left = match &mailbox {
            Mailbox::Maildir(maildir) => maildir.left(),
            Mailbox::Imap(imap) => imap.left(),
        };
        Ok(Look { mailbox, taken: 0, left: left.saturating_sub(MOST_MESSAGES) })
    }

    /// The next unread message; `None`: this look is over.
    #[expect(clippy::should_implement_trait, reason = "a look is no iterator: every step may fail and end it")]
    pub fn next(&mut self) -> Result<Option<Letter>, Trouble> {
        if self.taken == MOST_MESSAGES {
            return Ok(None);
        }
        self.taken += 1;
        match &mut self.mailbox {
            Mailbox::Maildir(maildir) => maildir.next(),
            Mailbox::Imap(imap) => imap.next(),
        }
    }

    /// Marks a message as read. What is not marked comes again, or is known by what [`Letter::seen`] said.
    pub fn mark(&mut self, letter: &Letter) -> Result<(), Trouble> {
        match (&mut self.mailbox, &letter.place) {
            (Mailbox::Maildir(maildir), Place::File(unread)) => maildir.mark(unread),
            (Mailbox::Imap(imap), Place::Uid(uid)) => imap.mark(*uid),
            _ => Ok(()),
        }
    }

    /// Whether there is more than one look takes.
    pub fn has_more(&self) -> bool {
        self.left > 0
    }
}
