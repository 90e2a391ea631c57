//! How a feed stands after an answer: its health, its validators and its next poll.

use jiff::SignedDuration;

use super::{Answer, Arrived};
use crate::{
    cadence::{self, NextPoll, Rhythm},
    health,
    model::{
        feed::{Feed, FeedState, FeedStatus, Validators, Wishes},
        outcome::{CacheHints, NO_NETWORK},
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

/// For how long a feed must not be seen that is not found before that is an alarm.
const NOT_FOUND_ALARM: SignedDuration = SignedDuration::from_hours(72);
/// How far apart two answers must be that say that a feed is gone, before they are believed.
const GONE_APART: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait between two polls that the next full fetch reckons with.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// The validators for the next request: none once a week, so that a publisher whose validators lie is found out, and
/// none for a feed that is gone for good, whose publisher may not know them any more. A week is over where it would be
/// over at the poll after this one.
pub fn validators_to_send(status: &FeedStatus, now: Time) -> Validators {
    let usual = status.last_poll_at.map_or(SignedDuration::ZERO, |last| status.next_poll_at.duration_since(last));
    let usual = usual.clamp(SignedDuration::ZERO, LONGEST_WAIT);
    // A fetch that lies ahead was dated by a clock that was ahead.
    let week = SignedDuration::ZERO..FULL_FETCH_AFTER.saturating_sub(usual);
    let is_fresh = status.full_fetch_at.is_some_and(|at| week.contains(&now.duration_since(at)));
    if is_fresh && !status.is_gone_for_good() { status.validators.clone() } else { Validators::default() }
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
    let last_poll_at = if matches!(answer, Answer::NoNetwork) { before.last_poll_at } else { Some(now) };
    let mut status = FeedStatus { attempt: 0, last_poll_at, ..before.clone() };
    // One that lies ahead was noted by a clock that was ahead; a feed that died then would stand as `ok` until it comes.
    status.last_entry_at = status.last_entry_at.map(|at| at.min(now));
    let mut in_doubt = false;
    let (state, cause, http_status) = match answer {
        Answer::Document(arrived) => {
            keep_document(&mut status, arrived, now);
            let standing = health::standing(feed, &status, Some(&arrived.sight), now);
            in_doubt = standing.in_doubt;
            (status.empties, status.cuts) = (standing.empties, standing.cuts);
            (standing.state, standing.cause, None)
        }
        Answer::NotModified(validators) => {
            status.validators.etag = validators.etag.clone().or(status.validators.etag);
            status.validators.last_modified = validators.last_modified.clone().or(status.validators.last_modified);
            let standing = health::standing(feed, &status, None, now);
            status.empties = standing.empties;
            (standing.state, standing.cause, None)
        }
        Answer::Failed { state, status, cause, .. } => (*state, cause.clone(), *status),
        Answer::NoNetwork => (before.state, NO_NETWORK.to_owned(), None),
    };
    let is_change = before.state != state;
    count_failures(&mut status, answer, state, now);
    if is_change {
        status.since = now;
    }
    status.state = state;
    // It may quote what a publisher wrote, and it is shown in many places.
    status.cause = clean(&cause, MAX_CAUSE);
    let is_alarm = note_absence(&mut status, answer, now);
    let next = next_poll(config, feed, &status, answer, (hints, in_doubt), now);
    (status.next_poll_at, status.next_poll_why) = (next.at, next.why);
    // A first answer that can be read is no news about the feed's health, and neither is a weekend.
    let is_news = is_alarm || is_change && !(before.state.is_seen() && state.is_seen());
    FeedUpdate { status, changed_from: is_news.then_some(before.state), http_status }
}

/// Counts an answer that could not be read. `status` is how the feed stood before, `state` is how it stands.
fn count_failures(status: &mut FeedStatus, answer: &Answer, state: FeedState, now: Time) {
    if matches!(answer, Answer::NoNetwork) {
        return;
    }
    if state.answers() {
        (status.failures, status.failures_alike, status.unseen_since) = (0, 0, None);
        return;
    }
    status.failures = status.failures.saturating_add(1);
    status.failures_alike = if status.state == state { status.failures_alike.saturating_add(1) } else { 1 };
    // What lies ahead was noted by a clock that was ahead.
    status.unseen_since = Some(status.unseen_since.filter(|since| *since <= now).unwrap_or(now));
}

fn keep_document(status: &mut FeedStatus, arrived: &Arrived, now: Time) {
    status.partial = arrived.partial;
    if arrived.is_delta {
        // What is new against a document that we have: only all of it makes the next request a later one.
        if !arrived.partial && arrived.validators.etag.is_some() {
            status.validators = arrived.validators.clone();
        }
        if arrived.wishes != Wishes::default() {
            status.wishes = arrived.wishes.clone();
        }
        return;
    }
    // A validator of a document that was read in part would hide the rest behind the next 304.
    status.validators = if arrived.partial { Validators::default() } else { arrived.validators.clone() };
    // What is missing from a first document that was cut is no news when the next one brings it.
    let is_open = arrived.partial && status.full_fetch_at.is_none();
    status.baseline_at = status.baseline_at.or((!is_open).then_some(now));
    status.full_fetch_at = Some(now);
    if arrived.sight.converter_error.is_some() {
        // The converter may hold its own error to be current.
        status.validators = Validators::default();
    }
    status.wishes = arrived.wishes.clone();
}

/// Keeps account of a feed that is not there. Whether it became an alarm just now.
fn note_absence(status: &mut FeedStatus, answer: &Answer, now: Time) -> bool {
    let code = match answer {
        Answer::Document(_) | Answer::NotModified(_) => Some(200),
        Answer::Failed { status, .. } => *status,
        Answer::NoNetwork => None,
    };
    let before = status.alarm_at;
    match code {
        // Nobody said anything.
        None => {}
        Some(410) => {
            let first = *status.gone_at.get_or_insert(now);
            if !status.is_gone_for_good() {
                status.alarm_at = (now.duration_since(first) >= GONE_APART).then_some(now).or(before);
            }
            if status.is_gone_for_good() {
                "gone for good, said its publisher twice (410); look for what took its place"
                    .clone_into(&mut status.cause);
            }
        }
        Some(404) => {
            status.gone_at = None;
            let is_long = now.duration_since(status.in_trouble_since()) >= NOT_FOUND_ALARM;
            status.alarm_at = before.or(is_long.then_some(now));
            if status.alarm_at.is_some() {
                "not found (404), and not seen for three days and more; look for its new address"
                    .clone_into(&mut status.cause);
            }
        }
        Some(_) => (status.gone_at, status.alarm_at) = (None, None),
    }
    status.alarm_at.is_some() && status.alarm_at != before
}

fn next_poll(
    config: &Config,
    feed: &Feed,
    status: &FeedStatus,
    answer: &Answer,
    (hints, in_doubt): (&CacheHints, bool),
    now: Time,
) -> NextPoll {
    // A validator that came and was not kept was given all the same.
    let has_validators = match answer {
        Answer::Document(arrived) => !arrived.validators.is_empty() || arrived.is_delta,
        _ => true,
    };
    cadence::next_poll(&Rhythm {
        now,
        every: if in_doubt { feed.every.min(health::LOOK_AGAIN) } else { feed.every },
        every_stated: feed.every_stated || in_doubt,
        min_interval: config.fetch.min_interval,
        hints,
        wishes: &status.wishes,
        has_validators,
        state: status.state,
        failures: status.failures_alike,
        gone_for_good: status.is_gone_for_good(),
        no_network: matches!(answer, Answer::NoNetwork),
        feed_no: status.no.0,
    })
}
