//! Deliveries: what is due, attempts before and after, and taking back what has not left.

use rusqlite::params;

use super::{Read, Reassigned, StoreError, Write, signed};
use crate::{
    delivery::{Next, Tried},
    evidence::event::{Event, Personal},
    model::{
        delivery::{DeliveryState, SendOutcome},
        digest::DigestKind,
        id::{AssignmentNo, ConfigVersion, DeliveryNo, DigestNo, EntryNo, FeedId, OwnerId, StoryNo},
        time::{Time, from_millis, millis},
    },
};

/// Longer than any wait between two attempts, in milliseconds.
const LONGEST_WAIT: i64 = 2 * 60 * 60 * 1_000;

/// What a digest can hold several of: the table, and the column that says of what.
const ITEMS: [(&str, &str); 9] = [
    ("digest_story", "story"),
    ("reminder", "assignment"),
    ("digest_passed", "assignment"),
    ("digest_anew", "assignment"),
    ("digest_listing", "entry"),
    ("digest_withheld", "story"),
    ("digest_baseline", "feed"),
    ("digest_flood", "flood"),
    ("digest_notice", "feed"),
];

/// A delivery whose next attempt is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// The delivery.
    pub no: DeliveryNo,
    /// Its digest.
    pub digest: DigestNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// Why the digest was composed.
    pub kind: DigestKind,
    /// Whether a story in it did not wait for the owner's hour.
    pub is_urgent: bool,
    /// Where it goes.
    pub address: String,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// The frozen message.
    pub bytes: Vec<u8>,
    /// How many attempts there were.
    pub attempts: u32,
    /// Since when it fails for a reason of its own, not the mail server's.
    pub failing_since: Option<Time>,
}

/// A delivery that waits, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRow {
    /// The delivery.
    pub no: DeliveryNo,
    /// Its digest.
    pub digest: DigestNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it was queued.
    pub queued_at: Time,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the next one is due; `None`: one is under way.
    pub next_attempt_at: Option<Time>,
    /// What came of the last one: the outcome's word, the reply code, and what was said.
    pub last: Option<(String, Option<u16>, String)>,
}

/// Where a delivery stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Where it stands.
    pub state: DeliveryState,
    /// When the owner's server took it and did not return it, or it was written.
    pub delivered_at: Option<Time>,
}

impl Read<'_> {
    /// The numbers of the deliveries whose next attempt is due, oldest first; `untried`: what was tried least comes before.
    /// One that waits for longer than any wait is was planned by a clock that was ahead, and is due.
    pub fn due_deliveries(&self, untried: bool, now: Time) -> Result<Vec<DeliveryNo>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT delivery FROM delivery_state
             WHERE state = 'queued' AND (next_attempt_at <= ?1 OR next_attempt_at > ?2)
             ORDER BY iif(?3, attempts, 0), delivery",
        )?;
        let far = millis(now).saturating_add(LONGEST_WAIT);
        let rows = query
            .query_map(params![millis(now), far, untried], |row| Ok(DeliveryNo(row.get(0)?)))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// A delivery with its frozen message.
    pub fn delivery(&self, delivery: DeliveryNo) -> Result<DueDelivery, StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT digest.no, owner, kind, address, message_id, bytes, attempts, failing_since,
                     EXISTS (SELECT 1 FROM digest_story JOIN assignment ON assignment.no = digest_story.assignment
                         WHERE digest_story.digest = digest.no AND urgent)
                 FROM delivery
                 JOIN delivery_state ON delivery_state.delivery = delivery.no
                 JOIN digest ON digest.no = delivery.digest WHERE delivery.no = ?1",
            )?
            .query_row([delivery.0], |row| {
                Ok(DueDelivery {
                    no: delivery,
                    digest: DigestNo(row.get(0)?),
                    owner: OwnerId::new(row.get::<_, String>(1)?),
                    kind: DigestKind::parse(&row.get::<_, String>(2)?).unwrap_or(DigestKind::Scheduled),
                    address: row.get(3)?,
                    message_id: row.get(4)?,
                    bytes: row.get(5)?,
                    attempts: row.get(6)?,
                    failing_since: row.get::<_, Option<i64>>(7)?.map(from_millis),
                    is_urgent: row.get(8)?,
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

    /// The deliveries whose last attempt began and never ended: the process died in it.
    pub fn unfinished_deliveries(&self) -> Result<Vec<DeliveryNo>, StoreError> {
        let mut query =
            self.tx.prepare_cached("SELECT delivery FROM delivery_state WHERE state = 'started' ORDER BY delivery")?;
        let rows = query.query_map([], |row| Ok(DeliveryNo(row.get(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// How many attempts began after this moment and not after now.
    pub fn attempts_between(&self, after: Time, now: Time) -> Result<usize, StoreError> {
        let mut query =
            self.tx.prepare_cached("SELECT count(*) FROM attempt WHERE started_at > ?1 AND started_at <= ?2")?;
        Ok(query.query_row([millis(after), millis(now)], |row| row.get(0))?)
    }

    /// Everything that has not left yet, oldest first.
    pub fn queue(&self) -> Result<Vec<QueuedRow>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT delivery.no, delivery.digest, owner, state, queued_at, attempts, next_attempt_at, outcome, code, reply
             FROM delivery_state JOIN delivery ON delivery.no = delivery_state.delivery
             JOIN digest ON digest.no = delivery.digest
             LEFT JOIN receipt ON receipt.delivery = delivery.no
                 AND receipt.n = (SELECT max(n) FROM receipt AS newest WHERE newest.delivery = delivery.no)
             WHERE state IN ('queued', 'started') ORDER BY delivery.no",
        )?;
        let rows = query
            .query_map([], |row| {
                let outcome: Option<String> = row.get(7)?;
                let (code, reply): (Option<u16>, Option<String>) = (row.get(8)?, row.get(9)?);
                Ok(QueuedRow {
                    no: DeliveryNo(row.get(0)?),
                    digest: DigestNo(row.get(1)?),
                    owner: OwnerId::new(row.get::<_, String>(2)?),
                    state: DeliveryState::parse(&row.get::<_, String>(3)?).unwrap_or(DeliveryState::Queued),
                    queued_at: from_millis(row.get(4)?),
                    attempts: row.get(5)?,
                    next_attempt_at: row.get::<_, Option<i64>>(6)?.map(from_millis),
                    last: outcome.map(|outcome| (outcome, code, reply.unwrap_or_default())),
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// How many stories, lines and other things that are told one by one a digest holds.
    pub fn items(&self, digest: DigestNo) -> Result<usize, StoreError> {
        let counts = ITEMS.map(|(table, _)| format!("(SELECT count(*) FROM {table} WHERE digest = ?1)"));
        let mut query = self.tx.prepare_cached(&format!("SELECT {}", counts.join(" + ")))?;
        Ok(query.query_row([digest.0], |row| row.get(0))?)
    }

    /// Whether a digest with something of this one was found too large before and was hardly larger: composing it anew
    /// makes it no smaller.
    pub fn cannot_shrink(&self, digest: DigestNo) -> Result<bool, StoreError> {
        let shared = ITEMS.map(|(table, item)| {
            format!(
                "EXISTS (SELECT 1 FROM {table} AS this JOIN {table} AS earlier USING ({item})
                     WHERE this.digest = now.no AND earlier.digest = before.no)"
            )
        });
        let mut query = self.tx.prepare_cached(&format!(
            "SELECT EXISTS (
                 SELECT 1 FROM digest AS now JOIN digest AS before ON before.owner = now.owner AND before.no < now.no
                 JOIN delivery ON delivery.digest = before.no
                 JOIN receipt ON receipt.delivery = delivery.no AND outcome = 'too-large'
                 WHERE now.no = ?1 AND length(before.bytes) * 9 <= length(now.bytes) * 10 AND ({}))",
            shared.join(" OR ")
        ))?;
        Ok(query.query_row([digest.0], |row| row.get(0))?)
    }

    /// Those from whom a story went to somebody else because no mail reached them.
    pub fn out_of_reach_for(&self, story: StoryNo) -> Result<Vec<OwnerId>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT DISTINCT owner FROM assignment JOIN reassigned ON reassigned.assignment = assignment.no
             WHERE story = ?1 AND why IN ('undelivered', 'bounced')",
        )?;
        let rows =
            query.query_map([story.0], |row| Ok(OwnerId::new(row.get::<_, String>(0)?)))?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Whether an assignment stands and its owner has not answered the story since they were told: an answer shows that the
    /// mail has arrived, whatever a server said.
    pub fn is_open(&self, assignment: AssignmentNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM open_state WHERE assignment = ?1)")?;
        Ok(query.query_row([assignment.0], |row| row.get(0))?)
    }

    /// The owners whose newest mail was refused for good, given up, or handed over to somebody else because it could not be
    /// delivered: when, and what the server said.
    pub fn owners_out_of_reach(&self) -> Result<Vec<(OwnerId, Time, String)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT owner, coalesce(finished_at, queued_at), coalesce(reply, '') FROM digest
             JOIN delivery ON delivery.digest = digest.no JOIN delivery_state ON delivery_state.delivery = delivery.no
             LEFT JOIN receipt ON receipt.delivery = delivery.no AND receipt.n = delivery_state.attempts
             WHERE (state IN ('rejected', 'given-up')
                 OR state = 'withdrawn' AND EXISTS (SELECT 1 FROM digest_story
                     JOIN reassigned ON reassigned.assignment = digest_story.assignment
                     WHERE digest_story.digest = digest.no AND why = 'undelivered'))
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
                "SELECT state, (SELECT max(finished_at) FROM receipt WHERE receipt.delivery = delivery.no
                     AND outcome IN ('accepted', 'written') AND state <> 'bounced')
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
        due: &DueDelivery,
        outcome: &SendOutcome,
        tried: &Tried,
        next: &Next,
    ) -> Result<(), StoreError> {
        let (delivery, attempt, now) = (due.no, tried.attempt, tried.now);
        let event = Event::DeliveryFinished {
            delivery,
            attempt,
            outcome: outcome.as_str().to_owned(),
            code: outcome.code(),
            reply: Personal::of(&due.owner, outcome.text()),
        };
        let record = self.record(event, now)?;
        self.tx.execute(
            "INSERT INTO receipt (delivery, n, finished_at, outcome, code, reply, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![delivery.0, attempt, millis(now), outcome.as_str(), outcome.code(), outcome.text(), signed(record)],
        )?;
        self.tx.execute(
            "UPDATE delivery_state SET failing_since = ?2 WHERE delivery = ?1",
            params![delivery.0, tried.failing_since.map(millis)],
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

    /// Takes back a delivery that has not left, or not as far as anybody knows, and says why.
    pub fn withdraw(&mut self, due: &DueDelivery, reason: &str, now: Time) -> Result<(), StoreError> {
        self.set_delivery_state(due.no, DeliveryState::Withdrawn, None)?;
        let state = DeliveryState::Withdrawn.as_str().to_owned();
        self.record(Event::DeliveryEnded { delivery: due.no, state, reason: reason.to_owned() }, now)?;
        Ok(())
    }

    /// Gives the stories of a digest that will not arrive to whom they belong now. Somebody else is told at once; the
    /// same owner with the next digest, and at once where `is_due`.
    pub fn give_anew(
        &mut self,
        due: &DueDelivery,
        anew: &[Reassigned],
        is_due: bool,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        for moved in anew {
            self.reassign(moved, config, now)?;
        }
        if is_due {
            self.plan_digest(&due.owner, Some(now))?;
        }
        Ok(())
    }

    pub(super) fn set_delivery_state(
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
