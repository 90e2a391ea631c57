//! What waits for an answer: with whom, and for how long. What is open is `store`'s business, when somebody else is asked
//! `reminder`'s; reads only.

use std::collections::BTreeMap;

use crate::{
    model::{id::OwnerId, settings::Config, time::Time},
    reminder,
    store::{OpenRow, Read, StoreError},
};

/// What one owner was handed and has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Who.
    pub owner: OwnerId,
    /// How many stories.
    pub open: usize,
    /// How many of them whoever stands in should have by now.
    pub overdue: usize,
    /// When the oldest of those was handed over.
    pub overdue_since: Option<Time>,
}

/// The owners who were handed stories that they have not answered since, by their identifiers.
pub fn unanswered(read: &Read<'_>, config: &Config, now: Time) -> Result<Vec<Unanswered>, StoreError> {
    let mut found: BTreeMap<OwnerId, Unanswered> = BTreeMap::new();
    for row in read.open_assignments()? {
        let late = is_overdue(config, &row, now);
        let none = || Unanswered { owner: row.owner.clone(), open: 0, overdue: 0, overdue_since: None };
        let one = found.entry(row.owner.clone()).or_insert_with(none);
        one.open += 1;
        if late {
            one.overdue += 1;
            one.overdue_since = Some(one.overdue_since.map_or(row.delivered_at, |since| since.min(row.delivered_at)));
        }
    }
    Ok(found.into_values().collect())
}

/// What is overdue, oldest first.
pub fn overdue(read: &Read<'_>, config: &Config, now: Time) -> Result<Vec<OpenRow>, StoreError> {
    let mut rows = read.open_assignments()?;
    rows.retain(|row| is_overdue(config, row, now));
    Ok(rows)
}

/// Whether somebody else should have been asked by now. What is with somebody who has left should be with somebody else
/// from the beginning.
fn is_overdue(config: &Config, row: &OpenRow, now: Time) -> bool {
    let owner = config.owner(&row.owner);
    owner.is_none_or(|owner| reminder::is_overdue(&config.remind, owner, row.asked(), now))
}
