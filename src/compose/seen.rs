//! How much of the feeds was seen, in words. Which feed could not be seen and why is said in `said`.

use super::{
    story::since,
    words::{count, grouped},
};
use crate::model::{
    digest::{DigestContent, DigestKind, Unasked},
    feed::FeedState,
};

/// Whether a mail tells of feeds at all: one about who has which stories does not.
fn tells_of_feeds(content: &DigestContent) -> bool {
    matches!(content.kind, DigestKind::Scheduled | DigestKind::Urgent | DigestKind::Heartbeat)
}

/// How many feeds are silent for too long.
pub(super) fn silent(content: &DigestContent) -> usize {
    content.not_seen.iter().filter(|feed| feed.state == FeedState::Stale.as_str()).count()
}

/// What could not be seen, in one sentence without its end; `None`: there is nothing to say.
pub(super) fn blindness(content: &DigestContent) -> Option<String> {
    if !tells_of_feeds(content) {
        return None;
    }
    let is = |n: usize| if n == 1 { "is" } else { "are" };
    let cut_off = content.unasked.cut_off;
    let cut_off = (cut_off > 0).then(|| format!("{} could not be asked", count(cut_off, "feed", "feeds")));
    let silent = silent(content);
    let told = match (content.not_seen.len() - silent, silent) {
        (0, 0) => None,
        (blind, 0) => Some(format!("{} could not be seen", count(blind, "feed", "feeds"))),
        (0, silent) => Some(format!("{} {} silent for too long", count(silent, "feed", "feeds"), is(silent))),
        (blind, silent) => Some(format!(
            "{} could not be seen, and {} {} silent for too long",
            count(blind, "feed", "feeds"),
            grouped(silent as u64),
            is(silent)
        )),
    };
    let told: Vec<String> = told.into_iter().chain(cut_off).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// How many feeds the last try of each saw, those that are silent for too long not among them.
pub(super) fn seen(content: &DigestContent) -> usize {
    content.feeds_total.saturating_sub(content.not_seen.len() + content.unasked.cut_off + content.unasked.new)
}

/// The same in sentences, with what nothing is known of.
pub(super) fn feeds_seen(content: &DigestContent) -> Option<String> {
    let (total, seen) = (content.feeds_total, seen(content));
    let were = |n: usize| if n == 1 { "was" } else { "were" };
    let mut said = vec![format!("{} of {} {} seen.", grouped(seen as u64), count(total, "feed", "feeds"), were(seen))];
    let Unasked { cut_off, no_network_since, new } = content.unasked;
    if cut_off > 0 {
        let feeds = count(cut_off, "feed", "feeds");
        said.push(match no_network_since {
            Some(at) => format!("No network since {}: {feeds} could not be asked.", since(at, content)),
            None => format!("{feeds} could not be asked at the last try: this machine had no network."),
        });
    }
    if new > 0 {
        said.push(format!("{} {} not asked yet.", count(new, "feed", "feeds"), were(new)));
    }
    (total > 0 && tells_of_feeds(content)).then(|| said.join(" "))
}
