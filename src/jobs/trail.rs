//! What became of a story so far, as far as one person may see it: the records of the log that speak of it, in words.

use super::story::{SeenStory, feed_name};
use crate::{
    chain::{self, Names},
    evidence::record::Record,
    model::{
        acknowledgement::Chain,
        id::{EntryNo, FeedId, OwnerId, StoryNo},
        settings::Config,
    },
    store::{Read, StoreError},
};

/// The most entries whose arrival is told.
const MAX_ENTRIES: usize = 20;

struct Configured<'c>(&'c Config);

impl Names for Configured<'_> {
    fn owner(&self, id: &str) -> String {
        owner_name(self.0, &OwnerId::new(id))
    }

    fn feed(&self, id: &str) -> String {
        feed_name(self.0, &FeedId::new(id))
    }
}

/// What people call an owner; the identifier when the configuration has them no more.
pub(super) fn owner_name(config: &Config, id: &OwnerId) -> String {
    config.owner(id).map_or_else(|| id.to_string(), |owner| owner.name.clone())
}

/// The chain of a story. What speaks of an entry that this person may not see is not in it.
pub(super) fn chain_of(
    config: &Config,
    read: &Read<'_>,
    story: StoryNo,
    seen: &SeenStory,
) -> Result<Chain, StoreError> {
    let shown: Vec<EntryNo> = seen.entries.iter().copied().take(MAX_ENTRIES).collect();
    let rows = read.trail(story, &shown)?;
    let rows: Vec<_> = rows.iter().filter(|row| may_be_seen(&row.record, seen)).collect();
    let records: Vec<&Record> = rows.iter().map(|row| &row.record).collect();
    let steps = rows.iter().filter_map(|row| chain::step(&row.record, &row.texts, &Configured(config))).collect();
    Ok(chain::chain(steps, &records))
}

fn may_be_seen(record: &Record, seen: &SeenStory) -> bool {
    let entry = record.fields.get("entry").and_then(serde_json::Value::as_i64);
    entry.is_none_or(|entry| seen.entries.contains(&EntryNo(entry)))
}
