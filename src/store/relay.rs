//! The mail server as its answers show it: how large a message it takes, and since when it is in trouble.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write};
use crate::{
    delivery::hold_until,
    model::{
        delivery::{Attempted, RelayFault, RelayTrouble, SendOutcome},
        id::DeliveryNo,
        time::{Time, from_millis, millis},
    },
};

/// What a server adds to a message counts as well where it compares sizes, as Postfix does: bytes that are left free.
const SERVERS_OWN: u64 = 2_048;

/// For how long a refused size is remembered, in milliseconds: a week.
const REFUSED: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A mail server that does not serve us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRow {
    /// What is wrong.
    pub trouble: RelayTrouble,
    /// Since when it did not let us in.
    pub since: Time,
    /// Until when it is left alone.
    pub hold_until: Time,
}

impl Read<'_> {
    /// The most bytes that a message for the mail server should have; `None`: nothing is known of a limit.
    pub fn relay_size_limit(&self) -> Result<Option<u64>, StoreError> {
        let limit: Option<Option<u64>> = self
            .tx
            .prepare_cached("SELECT size_limit FROM relay_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(limit.flatten())
    }

    /// The trouble that the mail server is in; `None`: it let us in the last time.
    pub fn relay_trouble(&self) -> Result<Option<RelayRow>, StoreError> {
        let row = self
            .tx
            .prepare_cached("SELECT fault, cause, since, hold_until FROM relay_trouble_state WHERE one = 1")?
            .query_row([], |row| {
                Ok(RelayRow {
                    trouble: RelayTrouble {
                        fault: RelayFault::parse(&row.get::<_, String>(0)?).unwrap_or(RelayFault::Down),
                        cause: row.get(1)?,
                    },
                    since: from_millis(row.get(2)?),
                    hold_until: from_millis(row.get(3)?),
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Half of the smallest message that was refused for its size lately: a server that does not say how much it takes
    /// is given less until it takes it.
    fn refused_size(&self, now: Time) -> Result<Option<u64>, StoreError> {
        let smallest: Option<u64> = self
            .tx
            .prepare_cached(
                "SELECT min(length(bytes)) FROM receipt JOIN delivery ON delivery.no = receipt.delivery
                 JOIN digest ON digest.no = delivery.digest
                 WHERE outcome = 'too-large' AND code IS NOT NULL AND finished_at > ?1",
            )?
            .query_row([millis(now).saturating_sub(REFUSED)], |row| row.get(0))?;
        Ok(smallest.map(|bytes| bytes / 2))
    }
}

impl Read<'_> {
    /// Whether the mail server took another message since this delivery was tried last.
    pub fn others_pass_since(&self, delivery: DeliveryNo) -> Result<bool, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM receipt WHERE outcome = 'accepted'
                 AND record > (SELECT max(record) FROM receipt AS mine WHERE mine.delivery = ?1))",
        )?;
        Ok(query.query_row([delivery.0], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// Notes what an attempt showed of the mail server. `held_until`: it lets nobody in, and is left alone until then.
    pub fn see_relay(&mut self, attempted: &Attempted, held_until: Option<Time>, now: Time) -> Result<(), StoreError> {
        if let Some(told) = attempted.size_limit {
            let told = told.map(|told| told.saturating_sub(SERVERS_OWN).max(told / 2));
            let limit = [told, self.read().refused_size(now)?].into_iter().flatten().min();
            self.tx.execute(
                "INSERT INTO relay_state (one, size_limit, seen_at) VALUES (1, ?1, ?2)
                 ON CONFLICT DO UPDATE SET size_limit = ?1, seen_at = ?2",
                params![limit, millis(now)],
            )?;
        }
        let is_local = matches!(attempted.outcome, SendOutcome::Written { .. });
        if is_local {
            self.tx.execute("DELETE FROM relay_state", [])?;
        }
        match attempted.trouble.as_ref().zip(held_until) {
            Some((trouble, until)) => self.hold_relay(trouble, until, now)?,
            None if attempted.size_limit.is_some() || is_local => {
                self.tx.execute("DELETE FROM relay_trouble_state", [])?;
            }
            None => {}
        }
        Ok(())
    }

    /// Notes that the mail server lets nobody in, and is left alone until then.
    pub fn hold_relay(&mut self, trouble: &RelayTrouble, until: Time, now: Time) -> Result<(), StoreError> {
        self.tx.execute(
            "INSERT INTO relay_trouble_state (one, fault, cause, since, hold_until) VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET fault = ?1, cause = ?2, hold_until = ?4",
            params![trouble.fault.as_str(), trouble.cause, millis(now), millis(until)],
        )?;
        Ok(())
    }

    /// Notes that a delivery fails for a reason of its own, since now where it did not before: what looked like the mail
    /// server's failure was this message's.
    pub fn fails_itself(&mut self, delivery: DeliveryNo, now: Time) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE delivery_state SET failing_since = coalesce(failing_since, ?2) WHERE delivery = ?1",
            params![delivery.0, millis(now)],
        )?;
        Ok(())
    }

    /// Plans the next attempt of a delivery that waits.
    pub fn plan_attempt(&mut self, delivery: DeliveryNo, at: Time) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE delivery_state SET next_attempt_at = ?2 WHERE delivery = ?1 AND state = 'queued'",
            params![delivery.0, millis(at)],
        )?;
        Ok(())
    }

    /// Claims the next try of a mail server in trouble, before it is made: a death in it makes no second one.
    pub fn claim_relay(&mut self, now: Time) -> Result<(), StoreError> {
        if let Some(row) = self.read().relay_trouble()? {
            let until = millis(hold_until(row.trouble.fault, 1, now));
            self.tx.execute("UPDATE relay_trouble_state SET hold_until = ?1", [until])?;
        }
        Ok(())
    }
}
