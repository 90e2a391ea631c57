//! Reports of mail servers about digests that one of them took: which digest a name stands for, what is recorded, and
//! whose address returns everything.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write, signed};
use crate::{
    bounce::{Action, Recipient},
    evidence::event::{Event, Personal, Reported},
    hex::hex,
    model::{
        delivery::DeliveryState,
        id::{DeliveryNo, DigestNo, OwnerId},
        time::{Time, from_millis, millis},
    },
};

/// For how long a server that took a mail may return it before it counts as one that reaches its owner, in milliseconds.
const RETURNS_WITHIN: i64 = 60 * 60 * 1_000;

/// A digest that a server may have taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentDigest {
    /// The digest.
    pub digest: DigestNo,
    /// Its delivery.
    pub delivery: DeliveryNo,
    /// Whose.
    pub owner: OwnerId,
    /// Where it went.
    pub address: String,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// Whether somebody answered with a link of it.
    pub is_answered: bool,
}

/// What a message reports of a digest.
#[derive(Debug, Clone, Copy)]
pub struct NewReport<'r> {
    /// What it says.
    pub said: &'r Recipient,
    /// Hash of the message.
    pub sha256: [u8; 32],
    /// How many of its bytes that is.
    pub bytes: usize,
}

impl Read<'_> {
    /// The digest whose Message-ID begins with this and an `@`, where a server may have taken it.
    pub fn sent_digest(&self, local: &str) -> Result<Option<SentDigest>, StoreError> {
        let row = self
            .tx
            .prepare_cached(
                "SELECT digest.no, delivery.no, owner, address, message_id, state,
                     EXISTS (SELECT 1 FROM acknowledgement WHERE acknowledgement.digest = digest.no)
                 FROM digest JOIN delivery ON delivery.digest = digest.no
                 JOIN delivery_state ON delivery_state.delivery = delivery.no
                 WHERE message_id >= ?1 || '@' AND message_id < ?1 || 'A'
                     AND (state = 'started' OR EXISTS (SELECT 1 FROM receipt
                         WHERE receipt.delivery = delivery.no AND outcome IN ('accepted', 'uncertain')))",
            )?
            .query_row([local], |row| {
                Ok(SentDigest {
                    digest: DigestNo(row.get(0)?),
                    delivery: DeliveryNo(row.get(1)?),
                    owner: OwnerId::new(row.get::<_, String>(2)?),
                    address: row.get(3)?,
                    message_id: row.get(4)?,
                    state: DeliveryState::parse(&row.get::<_, String>(5)?).unwrap_or(DeliveryState::Withdrawn),
                    is_answered: row.get(6)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// The owners whose newest mail came back: when it was reported, and what the server said. A mail that was taken
    /// within the last hour may come back yet, and counts for nothing.
    pub fn owners_who_bounce(&self, now: Time) -> Result<Vec<(OwnerId, Time, String)>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT digest.owner, delivery_report.at, coalesce(status || ': ', '') || diagnostic FROM digest
             JOIN delivery ON delivery.digest = digest.no
             JOIN delivery_state ON delivery_state.delivery = delivery.no AND state = 'bounced'
             JOIN delivery_report ON delivery_report.delivery = delivery.no AND action = 'failed'
             WHERE digest.no = (SELECT max(newest.no) FROM digest AS newest
                 JOIN delivery AS last ON last.digest = newest.no
                 JOIN delivery_state AS stands ON stands.delivery = last.no
                 WHERE newest.owner = digest.owner AND (stands.state = 'bounced'
                     OR EXISTS (SELECT 1 FROM receipt WHERE receipt.delivery = last.no AND outcome = 'accepted'
                         AND finished_at <= ?1)))
             ORDER BY digest.owner",
        )?;
        let settled = millis(now).saturating_sub(RETURNS_WITHIN);
        let rows = query
            .query_map([settled], |row| {
                Ok((OwnerId::new(row.get::<_, String>(0)?), from_millis(row.get(1)?), row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

impl Write<'_> {
    /// Records what a server reports of a digest; whether its delivery has moved to `bounced` by it. The first report
    /// of a kind about a delivery counts, and those after it change nothing.
    pub fn report_delivery(
        &mut self,
        sent: &SentDigest,
        report: &NewReport<'_>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let action = report.said.action;
        let is_known: bool = self
            .tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM delivery_report WHERE delivery = ?1 AND action = ?2)")?
            .query_row(params![sent.delivery.0, action.as_str()], |row| row.get(0))?;
        if is_known {
            return Ok(false);
        }
        let was_open = matches!(sent.state, DeliveryState::Accepted | DeliveryState::Queued | DeliveryState::Started);
        let failed = action == Action::Failed && was_open;
        let record = self.record(event(sent, report, failed), now)?;
        self.tx.execute(
            "INSERT INTO delivery_report (delivery, action, status, diagnostic, sha256, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                sent.delivery.0,
                action.as_str(),
                report.said.status,
                report.said.diagnostic,
                report.sha256.as_slice(),
                millis(now),
                signed(record),
            ],
        )?;
        let has_moved = failed && !sent.is_answered;
        if has_moved {
            self.set_delivery_state(sent.delivery, DeliveryState::Bounced, None)?;
        }
        Ok(has_moved)
    }
}

fn event(sent: &SentDigest, report: &NewReport<'_>, failed: bool) -> Event {
    let (delivery, digest) = (sent.delivery, sent.digest);
    let reported = Reported {
        message: hex(&report.sha256),
        bytes: report.bytes,
        status: report.said.status.clone(),
        diagnostic: Personal::of(&sent.owner, report.said.diagnostic.clone()),
    };
    if failed {
        Event::Bounced { delivery, digest, report: reported, answered: sent.is_answered }
    } else {
        Event::DeliveryReported { delivery, digest, action: report.said.action.as_str(), report: reported }
    }
}
