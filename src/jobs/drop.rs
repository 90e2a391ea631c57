//! Drop: say why a feed was taken out of the register. The register is a file and is not changed here; what the feed
//! brought stays in the store.

use crate::{
    evidence::event::{Event, Personal},
    model::{
        id::{FeedId, GroupId},
        time::Time,
    },
    store::{Store, StoreError},
};

/// Records the reason, and the group that was taken out with the feed where it was; the record's number.
pub fn record(
    store: &Store,
    feed: &FeedId,
    group: Option<&GroupId>,
    reason: &str,
    now: Time,
) -> Result<u64, StoreError> {
    let event = Event::FeedDropped { feed: feed.clone(), group: group.cloned(), reason: Personal::shared(reason) };
    store.write(|write| write.record(event, now))
}
