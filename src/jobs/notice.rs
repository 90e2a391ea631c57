//! What a digest says of the health of feeds: what could not be seen, what is seen again, and what of it its owner is
//! told for the first time; and of feeds that moved. When something is to be told is `health`'s business, how it is said
//! `compose`'s.

mod moved;

use std::collections::HashMap;

pub(super) use self::moved::MoveNotices;
use super::story::feed_name;
use crate::{
    health,
    model::{
        digest::{DigestKind, NotSeen, Notice, SeenAgain, Unasked},
        feed::{Feed, FeedState, FeedStatus, Tlp},
        id::{FeedNo, OwnerId},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    route,
    store::{NoticeRow, Read, StoreError},
};

/// The health of the feeds as one digest tells it.
#[derive(Default)]
pub(super) struct Notices {
    /// Every feed that could not be seen or is silent; what is new to the owner first.
    pub not_seen: Vec<NotSeen>,
    /// The feeds of the owner that are seen again.
    pub seen_again: Vec<SeenAgain>,
    /// What the first lines of `not_seen` tell for the first time, a row each, with the moment since when it is so.
    pub troubles: Vec<(NoticeRow, Time)>,
    /// The same for each line of `seen_again`.
    pub recoveries: Vec<(NoticeRow, Time)>,
}

/// What an owner's digest says of the health of these feeds. Everybody reads what could not be seen; a change is
/// news only for who answers for the feed. An urgent digest tells of no recovery: that can wait; one about who has
/// stories tells of no feed.
pub(super) fn notices(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    feeds: &[FeedStatus],
    kind: DigestKind,
    now: Time,
) -> Result<Notices, StoreError> {
    if !matches!(kind, DigestKind::Scheduled | DigestKind::Urgent | DigestKind::Heartbeat) {
        return Ok(Notices::default());
    }
    let mut before: HashMap<FeedNo, Vec<(Notice, FeedState)>> = HashMap::new();
    for row in read.told_notices(&owner.id)? {
        before.entry(row.feed).or_default().push((row.notice, row.state));
    }
    let mut notices = Notices::default();
    for status in feeds.iter().filter(|status| status.enabled) {
        let theirs = config
            .feed(&status.id)
            .filter(|feed| answers_for(config, feed, Tlp::Clear, now).is_some_and(|id| id == owner.id));
        let told = before.get(&status.no).map_or(&[][..], Vec::as_slice);
        let notice = theirs
            .and_then(|_| health::notice(status, told, now))
            .filter(|notice| kind == DigestKind::Scheduled || *notice != Notice::Recovery);
        let row = notice.map(|notice| NoticeRow { feed: status.no, notice, state: status.state });
        let row = row.map(|row| (row, status.in_trouble_since()));
        if notice == Some(Notice::Recovery) {
            notices.recoveries.extend(row);
            let was = told.last().map_or(FeedState::Broken, |(_, state)| *state);
            notices.seen_again.push(SeenAgain {
                feed: feed_name(config, &status.id),
                was: was.as_str().to_owned(),
                since: status.since,
            });
        }
        if !status.state.is_seen() {
            notices.troubles.extend(row);
            notices.not_seen.push(NotSeen {
                feed: feed_name(config, &status.id),
                state: status.state.as_str().to_owned(),
                cause: status.cause.clone(),
                since: status.since,
                unseen_since: status.unseen_since.filter(|since| *since < status.since),
                tries: status.failures_alike,
                notice,
                advice: theirs.and_then(|feed| health::advice(feed, status)),
            });
        }
    }
    notices.not_seen.sort_by_key(|feed| feed.notice.is_none());
    Ok(notices)
}

/// The feeds that are not told of as blind and were not seen either.
pub(super) fn unasked(read: &Read<'_>, feeds: &[FeedStatus]) -> Result<Unasked, StoreError> {
    let is_told = |feed: &FeedStatus| !feed.state.is_seen();
    let feeds = || feeds.iter().filter(|feed| feed.enabled && !is_told(feed));
    let cut_off = feeds().filter(|feed| feed.is_unasked()).count();
    let new = feeds().filter(|feed| feed.state == FeedState::New && !feed.is_unasked()).count();
    Ok(Unasked { cut_off, no_network_since: read.network_lost_at()?, new })
}

/// Who answers for a feed: the owner of its group, or its own owner where it has none, or whoever stands in and may see
/// what has this label. That a feed is not seen, or moved, is no secret, whatever the label of its entries.
fn answers_for(config: &Config, feed: &Feed, label: Tlp, now: Time) -> Option<OwnerId> {
    let group = feed.group.as_ref().and_then(|id| config.group(id));
    route::stand_in(config, group.map_or(&feed.owner, |group| &group.owner), label, now)
}
