//! Deliveries: what is due, attempts before and after, and taking back what has not left.

use rusqlite::params;

use super::{Read, Reassigned, StoreError, Write, signed};
use crate::{
    delivery::Next,
    evidence::event::{Event, Personal},
    model::{
        delivery::{DeliveryState, SendOutcome},
        digest::DigestKind,
        id::{AssignmentNo, ConfigVersion, DeliveryNo, DigestNo, EntryNo, FeedId, OwnerId},
        time::{Time, from_millis, millis},
    },
};

/// Longer than any wait between two attempts, in milliseconds.
const LONGEST_WAIT: i64 = 2 * 60 * 60 * 1_000;

/// A delivery whose next attempt is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// The delivery.
    pub no: DeliveryNo,
    /// Its digest.
    pub digest: DigestNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// Where it goes.
    pub address: String,
    /// The frozen message.
    pub bytes: Vec<u8>,
    /// How many attempts there were.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Time,
}

/// An attempt whose end is not known: the process died in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedAttempt {
    /// The delivery.
    pub delivery: DeliveryNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// Which attempt.
    pub attempt: u32,
    /// When the delivery was queued.
    pub queued_at: Time,
}

/// Where a delivery stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Where it stands.
    pub state: DeliveryState,
    /// When the owner's server took it, or it was written.
    pub delivered_at: Option<Time>,
}

impl Read<'_> {
    /// The numbers of the deliveries whose next attempt is due, oldest first. One that waits for longer than any wait
    /// is was planned by a clock that was ahead, and is due.
    pub fn due_deliveries(&self, now: Time) -> Result<Vec<DeliveryNo>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT delivery FROM delivery_state
             WHERE state = 'queued' AND (next_attempt_at <= ?1 OR next_attempt_at > ?2) ORDER BY delivery",
        )?;
        let far = millis(now).saturating_add(LONGEST_WAIT);
        let rows = query.query_map([millis(now), far], |row| Ok(DeliveryNo(row.get(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// A delivery with its frozen message.
    pub fn delivery(&self, delivery: DeliveryNo) -> Result<DueDelivery, StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT digest.no, owner, address, bytes, attempts, queued_at FROM delivery
                 JOIN delivery_state ON delivery_state.delivery = delivery.no
                 JOIN digest ON digest.no = delivery.digest WHERE delivery.no = ?1",
            )?
            .query_row([delivery.0], |row| {
                Ok(DueDelivery {
                    no: delivery,
                    digest: DigestNo(row.get(0)?),
                    owner: OwnerId::new(row.get::<_, String>(1)?),
                    address: row.get(2)?,
                    bytes: row.get(3)?,
                    attempts: row.get(4)?,
                    queued_at: from_millis(row.get(5)?),
                })
            })?;
        Ok(row)
    }

    /// The next moment at which an attempt is due.
    pub fn next_attempt_at(&self) -> Result<Option<Time>, StoreError> {
        let next: Option<i64> =
            self.tx.query_row("SELECT min(next_attempt_at) FROM delivery_state", [], |row| row.get(0))?;
        Ok(next.map(from_millis))
    }

    /// Attempts that began and never ended.
    pub fn unfinished_attempts(&self) -> Result<Vec<UnfinishedAttempt>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT delivery.no, owner, attempts, queued_at FROM delivery_state
             JOIN delivery ON delivery.no = delivery_state.delivery JOIN digest ON digest.no = delivery.digest
             WHERE state = 'started' ORDER BY delivery.no",
        )?;
        let rows = query
            .query_map([], |row| {
                Ok(UnfinishedAttempt {
                    delivery: DeliveryNo(row.get(0)?),
                    owner: OwnerId::new(row.get::<_, String>(1)?),
                    attempt: row.get(2)?,
                    queued_at: from_millis(row.get(3)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The owners for whom mails wait that were queued before this moment: since when, and how many.
    pub fn deliveries_waiting_since(&self, before: Time) -> Result<Vec<(OwnerId, Time, usize)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, min(queued_at), count(*) FROM delivery_state
             JOIN delivery ON delivery.no = delivery_state.delivery JOIN digest ON digest.no = delivery.digest
             WHERE state IN ('queued', 'started') AND queued_at < ?1 GROUP BY owner ORDER BY owner",
        )?;
        let rows = query
            .query_map([millis(before)], |row| {
                Ok((OwnerId::new(row.get::<_, String>(0)?), from_millis(row.get(1)?), row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The owners whose newest mail was refused for good or given up: when, and what the server said.
    pub fn owners_out_of_reach(&self) -> Result<Vec<(OwnerId, Time, String)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, coalesce(finished_at, queued_at), coalesce(reply, '') FROM digest
             JOIN delivery ON delivery.digest = digest.no JOIN delivery_state ON delivery_state.delivery = delivery.no
             LEFT JOIN receipt ON receipt.delivery = delivery.no AND receipt.n = delivery_state.attempts
             WHERE state IN ('rejected', 'given-up')
                 AND digest.no = (SELECT max(no) FROM digest AS newest WHERE newest.owner = digest.owner)
             ORDER BY owner",
        )?;
        let rows = query
            .query_map([], |row| Ok((OwnerId::new(row.get::<_, String>(0)?), from_millis(row.get(1)?), row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Where the delivery of a digest stands.
    pub fn delivery_of(&self, digest: DigestNo) -> Result<DeliveryRow, StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT state, (SELECT max(finished_at) FROM receipt
                     WHERE receipt.delivery = delivery.no AND outcome IN ('accepted', 'written'))
                 FROM delivery JOIN delivery_state ON delivery_state.delivery = delivery.no WHERE digest = ?1",
            )?
            .query_row([digest.0], |row| {
                let at: Option<i64> = row.get(1)?;
                Ok(DeliveryRow {
                    state: DeliveryState::parse(&row.get::<_, String>(0)?).unwrap_or(DeliveryState::Queued),
                    delivered_at: at.map(from_millis),
                })
            })?;
        Ok(row)
    }

    /// The entry, its revision, the feed, the reason and the urgency of an assignment.
    pub fn assignment(&self, no: AssignmentNo) -> Result<((EntryNo, u32), FeedId, String, bool), StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT assignment.entry, revision, feed.id, reason, urgent FROM assignment
                 JOIN entry ON entry.no = assignment.entry JOIN feed ON feed.no = entry.feed WHERE assignment.no = ?1",
            )?
            .query_row([no.0], |row| {
                let source = (EntryNo(row.get(0)?), row.get(1)?);
                Ok((source, FeedId::new(row.get::<_, String>(2)?), row.get(3)?, row.get(4)?))
            })?;
        Ok(row)
    }
}

impl Write<'_> {
    /// Commits that an attempt begins, before the first byte leaves; which attempt it is. `None`: the delivery is
    /// not queued any more.
    pub fn start_attempt(&mut self, due: &DueDelivery, now: Time) -> Result<Option<u32>, StoreError> {
        let attempt = due.attempts + 1;
        let changed = self.tx.execute(
            "UPDATE delivery_state SET state = 'started', attempts = ?2, next_attempt_at = NULL
             WHERE delivery = ?1 AND state = 'queued' AND attempts = ?3",
            params![due.no.0, attempt, due.attempts],
        )?;
        if changed == 0 {
            return Ok(None);
        }
        self.tx.execute(
            "INSERT INTO attempt (delivery, n, started_at) VALUES (?1, ?2, ?3)",
            params![due.no.0, attempt, millis(now)],
        )?;
        let address = Personal::of(&due.owner, due.address.clone());
        self.record(Event::DeliveryStarted { delivery: due.no, digest: due.digest, attempt, address }, now)?;
        Ok(Some(attempt))
    }

    /// Commits what came of an attempt and what follows from it.
    pub fn finish_attempt(
        &mut self,
        (delivery, attempt): (DeliveryNo, u32),
        owner: &OwnerId,
        outcome: &SendOutcome,
        next: &Next,
        now: Time,
    ) -> Result<(), StoreError> {
        let event = Event::DeliveryFinished {
            delivery,
            attempt,
            outcome: outcome.as_str().to_owned(),
            code: outcome.code(),
            reply: Personal::of(owner, outcome.text()),
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO receipt (delivery, n, finished_at, outcome, code, reply, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![delivery.0, attempt, millis(now), outcome.as_str(), outcome.code(), outcome.text(), signed(record)],
        )?;
        let (state, at) = match next {
            Next::At(at) => (DeliveryState::Queued, Some(*at)),
            Next::Done(state) => (*state, None),
        };
        self.set_delivery_state(delivery, state, at)?;
        if matches!(state, DeliveryState::Rejected | DeliveryState::GivenUp) {
            let reason = if state == DeliveryState::Rejected {
                "the server refuses it for good".to_owned()
            } else {
                "no attempt succeeded in five days".to_owned()
            };
            self.record(Event::DeliveryEnded { delivery, state: state.as_str().to_owned(), reason }, now)?;
        }
        Ok(())
    }

    /// Gives the stories of a digest that could not be handed over to those who stand in.
    pub fn escalate(&mut self, anew: &[Reassigned], config: ConfigVersion, now: Time) -> Result<(), StoreError> {
        for moved in anew {
            self.reassign(moved, config, now)?;
        }
        Ok(())
    }

    /// Takes back a delivery that has not left, and gives its stories to whom they belong now.
    pub fn withdraw(
        &mut self,
        due: &DueDelivery,
        reason: &str,
        anew: &[Reassigned],
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        self.set_delivery_state(due.no, DeliveryState::Withdrawn, None)?;
        let state = DeliveryState::Withdrawn.as_str().to_owned();
        self.record(Event::DeliveryEnded { delivery: due.no, state, reason: reason.to_owned() }, now)?;
        for moved in anew {
            self.reassign(moved, config, now)?;
        }
        let was_scheduled = self.read().digest(due.digest)?.is_some_and(|row| row.kind == DigestKind::Scheduled);
        if was_scheduled {
            // What was due is due still, and does not wait for another hour; who gets it from somebody else gets it at once.
            self.plan_digest(&due.owner, Some(now))?;
        }
        Ok(())
    }

    fn set_delivery_state(
        &mut self,
        delivery: DeliveryNo,
        state: DeliveryState,
        next: Option<Time>,
    ) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE delivery_state SET state = ?2, next_attempt_at = ?3 WHERE delivery = ?1",
            params![delivery.0, state.as_str(), next.map(millis)],
        )?;
        Ok(())
    }
}
