//! What a digest says of feeds that are seen and moved, or ask to: once to whoever answers for the feed. Feeds that could
//! not be seen are not told of here.

use super::story::feed_name;
use crate::{
    model::{
        feed::{Feed, FeedStatus},
        id::FeedNo,
        owner::Owner,
        settings::Config,
        time::Time,
    },
    moves, route,
    store::{Read, StoreError},
};

/// The moves that one digest tells of.
#[derive(Debug, Clone, Default)]
pub(super) struct MoveNotices {
    /// One sentence or two for each.
    pub lines: Vec<String>,
    /// The feeds that they are about.
    pub told: Vec<FeedNo>,
    /// Whether one of them is a question, which does not wait for other news.
    pub is_question: bool,
}

impl MoveNotices {
    /// What no digest that left has told this owner yet.
    pub(super) fn of(
        config: &Config,
        read: &Read<'_>,
        owner: &Owner,
        feeds: &[FeedStatus],
        now: Time,
    ) -> Result<MoveNotices, StoreError> {
        let mut notices = MoveNotices::default();
        for status in feeds.iter().filter(|status| status.enabled) {
            let Some(feed) = config.feed(&status.id) else { continue };
            let Some((line, is_question)) = line(config, feed, status) else { continue };
            let is_told = status.move_told.map_or(Ok(false), |digest| read.stands(digest))?;
            if is_told || route::stand_in(config, &feed.owner, feed.tlp, now).is_none_or(|to| to != owner.id) {
                continue;
            }
            notices.lines.push(line);
            notices.told.push(status.no);
            notices.is_question |= is_question;
        }
        Ok(notices)
    }
}

/// What there is to say of a feed's address, and whether it is a question.
fn line(config: &Config, feed: &Feed, status: &FeedStatus) -> Option<(String, bool)> {
    let name = feed_name(config, &feed.id);
    if let Some(moving) = status.moving.as_ref().filter(|moving| moving.asked_at.is_some()) {
        let to = moving.to.parse().ok()?;
        let why = moves::objection(&feed.url, &to).map(|why| format!(" ({why})")).unwrap_or_default();
        let question = "It is read there for now; if that is right, write the new address in feeds.toml.";
        return Some((format!("{name}: its publisher redirects it for good to {to}{why}. {question}"), true));
    }
    let moved_to = status.moved_to.as_ref()?;
    let what_to_do = "It is asked there now; write the new address in feeds.toml when you can.";
    Some((format!("{name}: moved to {moved_to}. {what_to_do}"), false))
}
