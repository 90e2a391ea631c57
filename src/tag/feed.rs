//! The tags that a feed brings by itself: its `topics`. No text is looked at here.

use crate::model::{
    feed::Feed,
    settings::Config,
    stack::{Field, Method, Tag, TagKind},
};

/// How sure a tag is that only the feed brings.
const CONFIDENCE: u8 = 20;

/// A tag for each of the feed's `topics` that the configuration knows.
pub fn feed_tags(config: &Config, feed: &Feed) -> Vec<Tag> {
    let known = feed.topics.iter().filter_map(|id| config.topic(id));
    known
        .map(|topic| Tag {
            kind: TagKind::Topic,
            id: topic.id.as_str().to_owned(),
            term: feed.name.clone(),
            field: Field::Feed,
            start: 0,
            end: 0,
            snippet: String::new(),
            method: Method::Feed,
            confidence: CONFIDENCE,
        })
        .collect()
}
