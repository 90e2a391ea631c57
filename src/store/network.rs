//! Since when this machine has had no network, and which hosts could be connected to lately, as its polls showed it.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write};
use crate::{
    evidence::event::Event,
    model::time::{Time, from_millis, millis},
    plan::Reach,
};

/// A time in which this machine has no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Time,
    /// Whether it was found only now.
    pub begins: bool,
}

impl Read<'_> {
    /// Since when this machine has had no network; `None`: it has one, as far as its polls show.
    pub fn network_lost_at(&self) -> Result<Option<Time>, StoreError> {
        let lost_at: Option<i64> = self
            .tx
            .prepare_cached("SELECT lost_at FROM network_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(lost_at.map(from_millis))
    }

    fn reach(&self) -> Result<Reach, StoreError> {
        let reach: Option<String> = self
            .tx
            .prepare_cached("SELECT reach FROM network_state WHERE one = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(reach.and_then(|reach| serde_json::from_str(&reach).ok()).unwrap_or_default())
    }
}

impl Write<'_> {
    /// Takes in what a round of polls found: each host with whether it could be connected to, and how many feeds got no
    /// connection. Some: that counts against none of them, because this machine has no network; one record is written
    /// for the whole time.
    pub fn see_network(
        &mut self,
        round: &BTreeMap<String, bool>,
        unreached: usize,
        now: Time,
    ) -> Result<Option<Outage>, StoreError> {
        let mut reach = self.read().reach()?;
        let out_of_reach = reach.after(round, now);
        // A moment that lies ahead was noted by a clock that was ahead.
        let known = self.read().network_lost_at()?.filter(|lost_at| *lost_at <= now);
        let lost_at = match out_of_reach {
            Some(hosts) if unreached > 0 => {
                if known.is_none() {
                    self.record(Event::NoNetwork { feeds: unreached, hosts }, now)?;
                }
                known.or(Some(now))
            }
            // One host that is reached beside many that are not does not end it.
            None if round.values().any(|reached| *reached) => {
                if let Some(since) = known {
                    self.record(Event::NetworkBack { since }, now)?;
                }
                None
            }
            _ => known,
        };
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO network_state (one, lost_at, reach) VALUES (1, ?1, ?2)")?
            .execute(params![lost_at.map(millis), serde_json::to_string(&reach).unwrap_or_default()])?;
        let is_lost = out_of_reach.is_some() && unreached > 0;
        Ok(lost_at.filter(|_| is_lost).map(|since| Outage { since, begins: known.is_none() }))
    }
}
