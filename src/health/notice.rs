//! Which change of a feed's state a person is told, once, and what they can do about it.

use jiff::SignedDuration;

use crate::model::{
    digest::Notice,
    feed::{Feed, FeedState, FeedStatus},
    outcome::{NO_AUTHORITIES, OUR_RULES},
    time::Time,
};

/// A feed that could not be seen for this long is told again, once.
const ALARM_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// Two answers `410` this far apart are no mistake.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What is to be told of a feed, after what was told of it before (oldest first, each with the state that it told
/// of); `None`: nothing that was not told.
///
/// Between a trouble and its end each state is told once, so a feed that goes to and fro between two of them is not
/// told of each time; and a trouble that began and ended between two digests is not told at all.
pub fn notice(status: &FeedStatus, told: &[(Notice, FeedState)], now: Time) -> Option<Notice> {
    let open = told.iter().rposition(|(notice, _)| *notice == Notice::Recovery).map_or(told, |place| {
        // What was told since the last end of a trouble.
        told.get(place + 1..).unwrap_or(&[])
    });
    if status.state.is_seen() {
        return (!open.is_empty() && status.state != FeedState::New).then_some(Notice::Recovery);
    }
    if is_alarming(status, now) {
        return (!open.iter().any(|(notice, _)| *notice == Notice::Alarm)).then_some(Notice::Alarm);
    }
    (!open.iter().any(|(_, state)| *state == status.state)).then_some(Notice::Trouble)
}

/// Whether a trouble lasts for so long that a person has to act.
fn is_alarming(status: &FeedStatus, now: Time) -> bool {
    if status.state.answers() {
        return false;
    }
    let is_gone = status.state == FeedState::Gone
        && status
            .gone_at
            .zip(status.last_poll_at)
            .is_some_and(|(first, last)| last.duration_since(first) >= GONE_AFTER);
    status.alarm_at.is_some() || is_gone || now.duration_since(status.in_trouble_since()) >= ALARM_AFTER
}

/// What a person can do about a feed that stands so; `None`: nothing. Commands can be typed as they stand.
pub fn advice(feed: &Feed, status: &FeedStatus) -> Option<String> {
    let drop = format!("`sigtrail feeds drop {} --reason \"...\"`", feed.id);
    let words = match status.state {
        _ if status.cause.contains(NO_AUTHORITIES) => {
            "Install ca-certificates on this machine; the feed itself may be well.".to_owned()
        }
        FeedState::Refused if status.cause.starts_with(OUR_RULES) => our_rules(&status.cause, &drop),
        FeedState::Suspicious if status.cuts > 1 => {
            "Ask its publisher to mend the document; where it is too large or too slow, raise `max_wire`, `max_decoded` or \
             `timeout` in config/sigtrail.toml."
                .to_owned()
        }
        FeedState::New | FeedState::Ok | FeedState::Quiet => return None,
        FeedState::Stale => format!(
            "Look at the publisher's page: mend `url` if it publishes elsewhere now, set `expect` if this is usual, \
             or {drop}."
        ),
        FeedState::Suspicious => {
            "Open its address in a browser; if it is right, wait, else mend `url` or ask whoever runs it.".to_owned()
        }
        FeedState::Refused => {
            format!("Ask the publisher to let sigtrail in, find another address, or {drop}.")
        }
        FeedState::Throttled => "Ask it less often: set a longer `every`.".to_owned(),
        FeedState::Gone => format!("Look at the publisher's page: mend `url` if it moved, or {drop}."),
        FeedState::Broken => format!("Mostly it mends itself; if not, mend `url` or {drop}."),
        FeedState::NotAFeed => format!("Look for the feed on the publisher's page and mend `url`, or {drop}."),
    };
    Some(words)
}

/// What can be done where our own rules forbid the request.
fn our_rules(cause: &str, drop: &str) -> String {
    let key = if cause.contains("not public") {
        "name its address in `allow_addresses`"
    } else if cause.contains("allow_ports") {
        "name its port in `allow_ports`"
    } else {
        return format!("Mend `url`, or {drop}.");
    };
    format!("If sigtrail shall ask there, {key} in config/sigtrail.toml; else mend `url`, or {drop}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{FeedId, FeedNo};

    const NOW: &str = "2026-11-20T08:00:00Z";

    fn status(state: FeedState, hours_ago: i64) -> FeedStatus {
        let now: Time = NOW.parse().unwrap();
        let since = now.checked_sub(SignedDuration::from_hours(hours_ago)).unwrap();
        FeedStatus {
            state,
            since,
            last_poll_at: Some(now),
            ..FeedStatus::unpolled(FeedNo(1), FeedId::new("cert"), now)
        }
    }

    fn told(status: &FeedStatus, before: &[(Notice, FeedState)]) -> Option<Notice> {
        notice(status, before, NOW.parse().unwrap())
    }

    #[test]
    fn a_trouble_is_told_once_alarms_once_and_its_end_is_told_once() {
        use FeedState::{Broken, Gone, Ok};
        use Notice::{Alarm, Recovery, Trouble};
        assert_eq!(told(&status(Gone, 1), &[]), Some(Trouble));
        assert_eq!(told(&status(Gone, 71), &[(Trouble, Gone)]), None);
        assert_eq!(told(&status(Gone, 72), &[(Trouble, Gone)]), Some(Alarm));
        assert_eq!(told(&status(Gone, 500), &[(Trouble, Gone), (Alarm, Gone)]), None);
        assert_eq!(told(&status(Ok, 1), &[(Trouble, Gone), (Alarm, Gone)]), Some(Recovery));
        assert_eq!(told(&status(Ok, 1), &[(Trouble, Gone), (Recovery, Ok)]), None);
        assert_eq!(told(&status(Broken, 1), &[(Trouble, Broken), (Recovery, Ok)]), Some(Trouble));
        assert_eq!(told(&status(Ok, 1), &[]), None);
        assert_eq!(told(&status(FeedState::New, 1), &[]), None);
    }

    #[test]
    fn an_alarm_counts_from_when_the_feed_was_seen_last_whatever_came_since() {
        let mut feed = status(FeedState::Broken, 1);
        let told_of = [(Notice::Trouble, FeedState::Gone), (Notice::Trouble, FeedState::Broken)];
        assert_eq!(told(&feed, &told_of), None);
        feed.unseen_since = Some(status(FeedState::Gone, 72).since);
        assert_eq!(told(&feed, &told_of), Some(Notice::Alarm));
    }

    #[test]
    fn a_feed_that_goes_to_and_fro_between_two_troubles_is_told_of_each_once() {
        use FeedState::{Broken, Throttled};
        let both = [(Notice::Trouble, Broken), (Notice::Trouble, Throttled)];
        assert_eq!(told(&status(Throttled, 1), &both[..1]), Some(Notice::Trouble));
        assert_eq!(told(&status(Broken, 1), &both), None);
        assert_eq!(told(&status(Throttled, 1), &both), None);
    }

    #[test]
    fn p_15_a_second_410_a_day_later_alarms_before_three_days_have_passed() {
        let mut gone = status(FeedState::Gone, 25);
        gone.gone_at = Some(gone.since);
        assert_eq!(told(&gone, &[(Notice::Trouble, FeedState::Gone)]), Some(Notice::Alarm));
        gone.last_poll_at = Some(gone.since);
        assert_eq!(told(&gone, &[(Notice::Trouble, FeedState::Gone)]), None);
    }

    #[test]
    fn silence_never_alarms() {
        for state in [FeedState::Stale, FeedState::Suspicious] {
            assert_eq!(told(&status(state, 2_000), &[(Notice::Trouble, state)]), None);
        }
    }
}
