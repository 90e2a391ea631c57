//! How a feed stands after an answer: its health, its validators and its next poll.

use jiff::SignedDuration;

use super::Answer;
use crate::{
    cadence, health,
    model::{
        feed::{Feed, FeedState, FeedStatus, Validators},
        outcome::CacheHints,
        settings::Config,
        time::Time,
    },
    text::clean,
};

/// The longest that a feed goes without a whole document: conditional requests cannot see a publisher's mistake.
const FULL_FETCH_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The longest cause, in bytes.
const MAX_CAUSE: usize = 500;

/// How a feed stands after a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedUpdate {
    /// The status to be stored.
    pub status: FeedStatus,
    /// The state before, where it changed in a way that is evidence.
    pub changed_from: Option<FeedState>,
    /// The HTTP status of a failure.
    pub http_status: Option<u16>,
}

/// The validators for the next request: none once a week, so that a publisher whose validators lie is found out.
pub fn validators_to_send(status: &FeedStatus, now: Time) -> Validators {
    // A fetch that lies ahead was dated by a clock that was ahead.
    let week = SignedDuration::ZERO..FULL_FETCH_AFTER;
    let is_fresh = status.full_fetch_at.is_some_and(|at| week.contains(&now.duration_since(at)));
    if is_fresh { status.validators.clone() } else { Validators::default() }
}

/// How the feed stands after this answer.
pub fn feed_update(
    config: &Config,
    feed: &Feed,
    before: &FeedStatus,
    answer: &Answer,
    hints: &CacheHints,
    now: Time,
) -> FeedUpdate {
    let mut status = FeedStatus { attempt: 0, last_poll_at: Some(now), ..before.clone() };
    let mut in_doubt = false;
    let (state, cause, http_status, ttl) = match answer {
        Answer::Document(arrived) => {
            // A validator of a document that was read in part would hide the rest behind the next 304.
            status.validators = if arrived.partial { Validators::default() } else { arrived.validators.clone() };
            status.partial = arrived.partial;
            status.full_fetch_at = Some(now);
            // What is missing from a first document that was cut is no news when the next one brings it.
            let is_open = arrived.partial && before.full_fetch_at.is_none();
            status.baseline_at = before.baseline_at.or((!is_open).then_some(now));
            if arrived.sight.converter_error.is_some() {
                // The converter may hold its own error to be current.
                status.validators = Validators::default();
            }
            let standing = health::standing(feed, &status, Some(&arrived.sight), now);
            in_doubt = standing.in_doubt;
            status.empties = standing.empties;
            (standing.state, standing.cause, None, arrived.ttl)
        }
        Answer::NotModified(validators) => {
            status.validators.etag = validators.etag.clone().or(status.validators.etag);
            status.validators.last_modified = validators.last_modified.clone().or(status.validators.last_modified);
            let standing = health::standing(feed, &status, None, now);
            status.empties = standing.empties;
            (standing.state, standing.cause, None, None)
        }
        Answer::Failed { state, status, cause } => (*state, cause.clone(), *status, None),
    };
    status.failures = if state.answers() { 0 } else { before.failures.saturating_add(1) };
    let is_change = before.state != state;
    if is_change {
        status.since = now;
    }
    status.state = state;
    // It may quote what a publisher wrote, and it is shown in many places.
    status.cause = clean(&cause, MAX_CAUSE);
    status.next_poll_at = cadence::next_poll(&cadence::Rhythm {
        now,
        every: if in_doubt { feed.every.min(health::LOOK_AGAIN) } else { feed.every },
        min_interval: config.fetch.min_interval,
        hints,
        ttl,
        state,
        failures: status.failures,
        feed_no: before.no.0,
    });
    // A first answer that can be read is no news about the feed's health, and neither is a weekend.
    let is_news = is_change && !(before.state.is_seen() && state.is_seen());
    FeedUpdate { status, changed_from: is_news.then_some(before.state), http_status }
}
