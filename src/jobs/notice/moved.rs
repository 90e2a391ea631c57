//! What a digest says of feeds that are seen and moved, or ask to: once to whoever answers for the feed. Feeds that could
//! not be seen are not told of here.

use super::{answers_for, feed_name};
use crate::{
    model::{
        feed::{Feed, FeedStatus, Tlp},
        id::{FeedNo, OwnerId},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    moves,
    store::{Read, StoreError},
};

/// The moves that one digest tells of.
#[derive(Debug, Clone, Default)]
pub(in crate::jobs) struct MoveNotices {
    /// One sentence or two for each.
    pub lines: Vec<String>,
    /// The feed that each line is about.
    pub told: Vec<FeedNo>,
    /// Those of them whose address stands in the digest.
    pub named: Vec<FeedNo>,
    /// Whether one of them is a question, which does not wait for other news.
    pub is_question: bool,
}

impl MoveNotices {
    /// What no digest that left has told this owner yet.
    pub(in crate::jobs) fn of(
        config: &Config,
        read: &Read<'_>,
        owner: &Owner,
        feeds: &[FeedStatus],
        now: Time,
    ) -> Result<MoveNotices, StoreError> {
        let mut notices = MoveNotices::default();
        for status in feeds.iter().filter(|status| status.enabled) {
            let Some(feed) = config.feed(&status.id) else { continue };
            let Some(word) = word(feed, status) else { continue };
            let is_told = status.move_told.map_or(Ok(false), |digest| read.stands(digest))?;
            let (to, may_see) = addressee(config, feed, now);
            if is_told || to.is_none_or(|to| to != owner.id) {
                continue;
            }
            // What to do comes first: an address may be long, and its end may be cut off.
            let Word { words, address, is_question } = word;
            let address = if may_see { address } else { "`sigtrail check` shows it" };
            notices.lines.push(format!("{}: {words}: {address}", feed_name(config, &feed.id)));
            notices.told.push(status.no);
            notices.named.extend(may_see.then_some(status.no));
            notices.is_question |= is_question;
        }
        Ok(notices)
    }
}

/// Who is told, and whether they may see the address, which has the label of the feed: it may hold a key to it. Where
/// nobody may, it is told without.
fn addressee(config: &Config, feed: &Feed, now: Time) -> (Option<OwnerId>, bool) {
    match answers_for(config, feed, feed.tlp, now) {
        Some(owner) => (Some(owner), true),
        None => (answers_for(config, feed, Tlp::Clear, now), false),
    }
}

/// What there is to say of a feed's address.
struct Word<'f> {
    words: String,
    address: &'f str,
    is_question: bool,
}

fn word<'f>(feed: &Feed, status: &'f FeedStatus) -> Option<Word<'f>> {
    if let Some(moving) = status.moving.as_ref().filter(|moving| moving.asked_at.is_some()) {
        let words = format!("its publisher {}", moves::question(&feed.url, &moving.to));
        return Some(Word { words, address: &moving.to, is_question: true });
    }
    let address = status.moved_to.as_deref()?;
    let words = "moved and is asked at its new address now; write this address in feeds.toml when you can".to_owned();
    Some(Word { words, address, is_question: false })
}
