//! Drop: say why a feed was taken out of the register. The register is a file and is not changed here; what the feed
//! brought stays in the store.

use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{FeedId, GroupId},
        time::Time,
    },
    store::{Store, StoreError, Write},
};

/// What became of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is in this record.
    New(u64),
    /// The feed was dropped already, as this record says; nothing was written.
    Already(u64),
}

/// Records the reason for a feed that was taken out by hand. No configuration has had it since a record says why: it was
/// not dropped again.
pub fn record_late(store: &Store, feed: &FeedId, reason: &str, now: Time) -> Result<Recorded, StoreError> {
    store.write(|write| match write.read().drop_record(feed)? {
        Some(record) => Ok(Recorded::Already(record)),
        None => Ok(Recorded::New(write_record(write, feed, None, reason, now)?)),
    })
}

/// Records the reason, and the group that was taken out with the feed where it was; the record's number.
pub fn record(
    store: &Store,
    feed: &FeedId,
    group: Option<&GroupId>,
    reason: &str,
    now: Time,
) -> Result<u64, StoreError> {
    store.write(|write| write_record(write, feed, group, reason, now))
}

fn write_record(
    write: &mut Write<'_>,
    feed: &FeedId,
    group: Option<&GroupId>,
    reason: &str,
    now: Time,
) -> Result<u64, StoreError> {
    let event = Event::FeedDropped { feed: feed.clone(), group: group.cloned(), reason: Personal::shared(reason) };
    let record = write.record(event, now)?;
    write.set_drop_record(feed, record)?;
    Ok(record)
}
