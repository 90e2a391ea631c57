//! How the mailbox stands that reports come to: what was read of it, when it is looked into next, and since when it
//! cannot be read. Status only: it could be read again from its beginning, and nothing would happen twice.

use jiff::SignedDuration;
use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write};
use crate::model::time::{Time, from_millis, millis};

/// The longest wait between two looks at a mailbox that cannot be read, but for a longer one that is configured.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// The shortest wait after a refused login, so that nobody is locked out.
const AFTER_REFUSAL: SignedDuration = SignedDuration::from_mins(10);

/// How the mailbox stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundRow {
    /// Which one, as the configuration names it.
    pub mailbox: String,
    /// The UIDVALIDITY that `last_uid` counts under (RFC 3501 section 2.3.1.1).
    pub uid_validity: u32,
    /// The UID of the last message that was read.
    pub last_uid: u32,
    /// When it is looked into next.
    pub next_look_at: Time,
    /// Since when it cannot be read; `None`: it can.
    pub failing_since: Option<Time>,
    /// Why not.
    pub trouble: String,
    /// How many messages were read.
    pub messages: u64,
    /// Reports among them that are about nothing of ours.
    pub strange: u64,
    /// What programs answered: nobody's word.
    pub automatic: u64,
    /// What is neither.
    pub others: u64,
}

/// What came of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Everything was read.
    Done,
    /// There is more, which is read at once.
    More,
    /// It could not be read.
    Failed {
        /// Why.
        trouble: String,
        /// Whether a login was refused.
        login: bool,
    },
}

/// What a message was, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorted {
    /// A report about one of our digests.
    Report,
    /// A report about nothing of ours.
    Strange,
    /// The answer of a program.
    Automatic,
    /// Anything else.
    Other,
}

impl Read<'_> {
    /// How this mailbox stands; `None`: it was never looked into, or another one was since.
    pub fn inbound(&self, mailbox: &str) -> Result<Option<InboundRow>, StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT mailbox, uid_validity, last_uid, next_look_at, failing_since, trouble, messages, strange,
                     automatic, others
                 FROM inbound_state WHERE one = 1 AND mailbox = ?1",
            )?
            .query_row([mailbox], |row| {
                let failing_since: Option<i64> = row.get(4)?;
                Ok(InboundRow {
                    mailbox: row.get(0)?,
                    uid_validity: row.get(1)?,
                    last_uid: row.get(2)?,
                    next_look_at: from_millis(row.get(3)?),
                    failing_since: failing_since.map(from_millis),
                    trouble: row.get(5)?,
                    messages: row.get(6)?,
                    strange: row.get(7)?,
                    automatic: row.get(8)?,
                    others: row.get(9)?,
                })
            })
            .optional()?;
        Ok(row)
    }
}

impl Write<'_> {
    /// Claims a look at this mailbox: the next one is planned before the first byte is read, so that a look that kills
    /// the process is not the first thing that the next process does.
    pub fn claim_look(&mut self, mailbox: &str, next: Time) -> Result<(), StoreError> {
        self.tx.execute("DELETE FROM inbound_state WHERE mailbox <> ?1", [mailbox])?;
        self.tx.execute(
            "INSERT INTO inbound_state (one, mailbox, next_look_at) VALUES (1, ?1, ?2)
             ON CONFLICT DO UPDATE SET next_look_at = excluded.next_look_at",
            params![mailbox, millis(next)],
        )?;
        Ok(())
    }

    /// Notes that a message was read and what it was; `seen`: its UIDVALIDITY and UID, where it has them.
    pub fn note_message(&mut self, sorted: Sorted, seen: Option<(u32, u32)>) -> Result<(), StoreError> {
        let is = |wanted: Sorted| i64::from(sorted == wanted);
        self.tx.execute(
            "UPDATE inbound_state SET messages = messages + 1, strange = strange + ?1, automatic = automatic + ?2,
                 others = others + ?3 WHERE one = 1",
            params![is(Sorted::Strange), is(Sorted::Automatic), is(Sorted::Other)],
        )?;
        if let Some((validity, uid)) = seen {
            self.tx.execute(
                "UPDATE inbound_state SET uid_validity = ?1, last_uid = ?2 WHERE one = 1",
                params![validity, uid],
            )?;
        }
        Ok(())
    }

    /// Notes how a look ended, and plans the next one.
    pub fn finish_look(&mut self, looked: &Looked, every: SignedDuration, now: Time) -> Result<(), StoreError> {
        let Looked::Failed { trouble, login } = looked else {
            let pause = if *looked == Looked::More { SignedDuration::ZERO } else { every };
            self.tx.execute(
                "UPDATE inbound_state SET next_look_at = ?1, failing_since = NULL, failures = 0, trouble = ''
                 WHERE one = 1",
                [millis(now.saturating_add(pause).unwrap_or(now))],
            )?;
            return Ok(());
        };
        let failures: u32 =
            self.tx.query_row("SELECT failures FROM inbound_state WHERE one = 1", [], |row| row.get(0))?;
        let doubled = every.saturating_mul(1_i32 << failures.min(12)).min(LONGEST_WAIT.max(every));
        let pause = if *login { doubled.max(AFTER_REFUSAL) } else { doubled };
        self.tx.execute(
            "UPDATE inbound_state SET next_look_at = ?1, failures = failures + 1, trouble = ?2,
                 failing_since = coalesce(failing_since, ?3) WHERE one = 1",
            params![millis(now.saturating_add(pause).unwrap_or(now)), trouble, millis(now)],
        )?;
        Ok(())
    }
}
