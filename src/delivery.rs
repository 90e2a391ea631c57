//! What follows from an attempt to deliver a digest: done, or when the next attempt is due. Pure arithmetic; the
//! attempt itself is made by `mail`, and the rows are written by the verb.

use crate::model::{
    delivery::{Attempted, DeliveryState, RelayFault, SendOutcome},
    id::DeliveryNo,
    time::{Time, from_millis, millis},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The waits after the first failed attempts; after them the wait is an hour, give or take a tenth.
const FIRST_WAITS: [i64; 5] = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];

/// For how long a recipient's server may fail a digest (RFC 5321 section 4.5.4.1).
const LIFETIME: i64 = 5 * 24 * HOUR;

/// After how long of it whoever stands in gets the stories: urgent ones, and all others.
const STAND_IN: (i64, i64) = (4 * HOUR, 24 * HOUR);

/// The shortest wait after a lost reply: a server that took the message has time to show it.
const AFTER_UNCERTAIN: i64 = 15 * MINUTE;

/// Attempts after an unreachable server fall on the multiples of this, whichever digest they are for. So a server
/// that refuses the login sees at most six bursts of retries an hour, and one that comes back sees one.
const UNREACHABLE_GRID: i64 = 10 * MINUTE;

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more: the delivery stays in this state.
    Done(DeliveryState),
    /// The next attempt, with the same bytes, is due at this moment.
    At(Time),
}

/// An attempt that ended, with what is known of the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// The delivery.
    pub delivery: DeliveryNo,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Whether its stories did not wait for the owner's hour.
    pub is_urgent: bool,
    /// Since when this message or its recipient is what fails; `None`: only the mail server itself ever did.
    pub failing_since: Option<Time>,
    /// When the attempt ended.
    pub now: Time,
}

impl Tried {
    /// When whoever stands in gets the stories; `None`: not as long as only the mail server itself fails, because it
    /// would fail them as well.
    pub fn stand_in_at(&self) -> Option<Time> {
        let after = if self.is_urgent { STAND_IN.0 } else { STAND_IN.1 };
        self.failing_since.map(|since| from_millis(millis(since).saturating_add(after)))
    }

    /// Whether that moment has come.
    pub fn is_overdue(&self) -> bool {
        self.stand_in_at().is_some_and(|at| at <= self.now)
    }
}

/// What follows from an attempt that ended with `outcome`.
///
/// Accepted, written and refused for good are final. Otherwise the waits are 1, 5, 15, 30 and 60 minutes, then an
/// hour give or take a tenth that the delivery's number decides. There is an attempt at the moment when whoever stands
/// in would get the stories, and a last one five days after the recipient's server failed first; a mail server that
/// cannot be reached ends nothing. After a lost reply the wait is at least 15 minutes; after an unreachable server the
/// attempt falls on a multiple of ten minutes.
pub fn next(outcome: &SendOutcome, tried: &Tried) -> Next {
    let least = match outcome {
        SendOutcome::Accepted { .. } => return Next::Done(DeliveryState::Accepted),
        SendOutcome::Written { .. } => return Next::Done(DeliveryState::Written),
        SendOutcome::Rejected { .. } => return Next::Done(DeliveryState::Rejected),
        SendOutcome::Uncertain { .. } => AFTER_UNCERTAIN,
        SendOutcome::Deferred { .. }
        | SendOutcome::Unreachable { .. }
        | SendOutcome::TooLarge { .. }
        | SendOutcome::Unfit { .. } => MINUTE,
    };
    let now = millis(tried.now);
    let end = tried.failing_since.map_or(i64::MAX, |since| millis(since).saturating_add(LIFETIME));
    if now >= end {
        return Next::Done(DeliveryState::GivenUp);
    }
    let mut due = now.saturating_add(wait(tried.attempt, tried.delivery).max(least));
    if matches!(outcome, SendOutcome::Unreachable { .. }) {
        due = on_grid(due);
    }
    let stand_in_at = tried.stand_in_at().map(millis).filter(|at| *at > now);
    Next::At(from_millis(due.min(end).min(stand_in_at.unwrap_or(i64::MAX)).max(now.saturating_add(least))))
}

/// After so many messages in a row whose sender it refuses, a mail server is taken to refuse everybody.
pub const REFUSED_SENDERS: usize = 3;

/// Whether the server took the sender of a message, whatever became of the message then.
pub fn is_sender_taken(attempted: &Attempted) -> bool {
    let answers = matches!(
        attempted.outcome,
        SendOutcome::Accepted { .. }
            | SendOutcome::Deferred { .. }
            | SendOutcome::Rejected { .. }
            | SendOutcome::Uncertain { .. }
    );
    answers && attempted.trouble.is_none() && attempted.size_limit.is_some()
}

/// Until when a mail server in trouble is left alone after attempt number `attempt` of the oldest digest, whatever is due
/// meanwhile: so all digests together are no burden to it, and lock no login out. It is never long, for what is urgent
/// waits as well.
pub fn hold_until(fault: RelayFault, attempt: u32, now: Time) -> Time {
    let wait = wait(attempt, DeliveryNo(0)).min(UNREACHABLE_GRID);
    let until = millis(now).saturating_add(if fault == RelayFault::Busy { wait } else { MINUTE });
    from_millis(if fault == RelayFault::Busy { until } else { on_grid(until) })
}

/// Whether it is left alone now. A moment further away than any such pause was noted by a clock that was ahead.
pub fn is_held(until: Time, now: Time) -> bool {
    let left = millis(until).saturating_sub(millis(now));
    (1..=UNREACHABLE_GRID + MINUTE).contains(&left)
}

/// The wait after this attempt, in milliseconds.
fn wait(attempt: u32, delivery: DeliveryNo) -> i64 {
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    FIRST_WAITS.get(place).copied().unwrap_or_else(|| HOUR.saturating_add(jitter(attempt, delivery)))
}

/// A tenth of an hour either way: the same for one delivery and attempt, spread over different ones.
fn jitter(attempt: u32, delivery: DeliveryNo) -> i64 {
    let seed = delivery.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(attempt));
    // The finishing steps of SplitMix64: neighbouring numbers get unrelated results.
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let spread = HOUR / 5;
    i64::try_from((mixed ^ (mixed >> 31)) % spread.unsigned_abs()).unwrap_or(0) - spread / 2
}

/// The next multiple of the grid that is not earlier.
fn on_grid(due: i64) -> i64 {
    let past = due.rem_euclid(UNREACHABLE_GRID);
    if past == 0 { due } else { due.saturating_add(UNREACHABLE_GRID - past) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_794_304_800_000;

    fn at(offset: i64) -> Time {
        from_millis(START + offset)
    }

    fn deferred() -> SendOutcome {
        SendOutcome::Deferred { code: 451, reply: "try later".into() }
    }

    fn unreachable() -> SendOutcome {
        SendOutcome::Unreachable { cause: "no connection".into() }
    }

    fn uncertain() -> SendOutcome {
        SendOutcome::Uncertain { cause: "no reply".into() }
    }

    fn tried(delivery: i64, attempt: u32, since: Option<i64>, now: i64) -> Tried {
        let delivery = DeliveryNo(delivery);
        Tried { delivery, attempt, is_urgent: false, failing_since: since.map(at), now: at(now) }
    }

    /// Every attempt of a delivery whose outcome never changes, as offsets from its queueing, and how it ends; `None`:
    /// it goes on beyond ten days.
    fn life(outcome: &SendOutcome, delivery: i64, is_recipients: bool) -> (Vec<i64>, Option<DeliveryState>) {
        let mut attempts = vec![0];
        loop {
            let now = *attempts.last().unwrap();
            let attempt = u32::try_from(attempts.len()).unwrap();
            match next(outcome, &tried(delivery, attempt, is_recipients.then_some(0), now)) {
                Next::Done(state) => return (attempts, Some(state)),
                Next::At(due) => {
                    assert!(millis(due) > START + now, "the next attempt lies in the future");
                    attempts.push(millis(due) - START);
                }
            }
            if now > 2 * LIFETIME {
                return (attempts, None);
            }
            assert!(attempts.len() < 1000, "a delivery ends");
        }
    }

    #[test]
    fn what_the_server_took_or_refused_for_good_is_done() {
        let done = |outcome: SendOutcome| next(&outcome, &tried(1, 1, None, 0));
        let reply = String::new();
        assert_eq!(
            done(SendOutcome::Accepted { code: 250, reply: reply.clone() }),
            Next::Done(DeliveryState::Accepted)
        );
        assert_eq!(done(SendOutcome::Written { file: reply.clone() }), Next::Done(DeliveryState::Written));
        assert_eq!(done(SendOutcome::Rejected { code: 550, reply }), Next::Done(DeliveryState::Rejected));
    }

    #[test]
    fn m_15_a_deferred_digest_is_tried_after_1_5_15_30_60_minutes_and_then_hourly() {
        let (attempts, _) = life(&deferred(), 7, true);
        let waits: Vec<i64> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits[..5], [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE]);
        let stand_in_at =
            attempts.iter().position(|attempt| *attempt == STAND_IN.1).expect("one when the deputy gets it");
        for wait in waits[5..stand_in_at - 1].iter().chain(&waits[stand_in_at..waits.len() - 1]) {
            assert!((54 * MINUTE..=66 * MINUTE).contains(wait), "{wait} ms is an hour give or take a tenth");
        }
    }

    #[test]
    fn m_15_the_hourly_attempts_of_different_digests_are_spread_and_stable() {
        let first: Vec<i64> = (0..50).map(|delivery| wait(6, DeliveryNo(delivery))).collect();
        let again: Vec<i64> = (0..50).map(|delivery| wait(6, DeliveryNo(delivery))).collect();
        assert_eq!(first, again);
        assert!(first.iter().min().unwrap() + 9 * MINUTE < *first.iter().max().unwrap(), "{first:?}");
    }

    #[test]
    fn m_15_digests_that_wait_for_a_dead_relay_are_due_in_few_common_bursts() {
        let mut moments: Vec<i64> = (0..40)
            .filter_map(|delivery| match next(&unreachable(), &tried(delivery, 9, None, delivery * 61_003)) {
                Next::At(due) => Some(millis(due)),
                Next::Done(_) => None,
            })
            .collect();
        assert_eq!(moments.len(), 40);
        moments.sort_unstable();
        moments.dedup();
        assert!(moments.iter().all(|moment| moment % UNREACHABLE_GRID == 0));
        assert!(moments.len() <= 7, "40 digests fall into {} bursts", moments.len());
    }

    #[test]
    fn m_16_after_five_days_of_failures_a_digest_is_given_up_with_a_last_attempt_at_the_end() {
        for outcome in [deferred(), unreachable(), uncertain()] {
            let (attempts, state) = life(&outcome, 11, true);
            assert_eq!(state, Some(DeliveryState::GivenUp));
            let last = *attempts.last().unwrap();
            assert!((LIFETIME..=LIFETIME + AFTER_UNCERTAIN).contains(&last), "{outcome:?} ends at {last} ms");
            assert!((100..200).contains(&attempts.len()), "{} attempts", attempts.len());
        }
    }

    #[test]
    fn m_16_a_digest_that_is_refused_for_good_is_not_tried_for_five_days() {
        let refused = SendOutcome::Rejected { code: 550, reply: "no such user".into() };
        assert_eq!(life(&refused, 1, true), (vec![0], Some(DeliveryState::Rejected)));
    }

    #[test]
    fn m_15_a_mail_server_that_cannot_be_reached_ends_nothing_and_hands_nothing_over() {
        for outcome in [deferred(), unreachable()] {
            let (attempts, state) = life(&outcome, 5, false);
            assert_eq!(state, None);
            assert!(attempts.len() > 200, "it is asked on: {} attempts", attempts.len());
        }
        assert!(!tried(1, 500, None, 9 * LIFETIME).is_overdue());
        // A recipient that fails only after a long outage has its whole time from then on.
        let after_an_outage = tried(1, 200, Some(2 * LIFETIME), 2 * LIFETIME);
        assert!(matches!(next(&deferred(), &after_an_outage), Next::At(_)) && !after_an_outage.is_overdue());
    }

    #[test]
    fn the_stand_in_is_due_after_4_hours_for_what_is_urgent_and_after_24_for_the_rest() {
        for (is_urgent, hours) in [(true, 4), (false, 24)] {
            let with = |now: i64| Tried { is_urgent, ..tried(1, 9, Some(0), now) };
            assert!(!with(hours * HOUR - 1).is_overdue() && with(hours * HOUR).is_overdue());
            let before = next(&deferred(), &with(hours * HOUR - 10 * MINUTE));
            assert_eq!(before, Next::At(at(hours * HOUR)), "there is a try at that moment");
        }
    }

    #[test]
    fn m_03_after_a_lost_reply_the_next_attempt_is_at_least_15_minutes_away() {
        for attempt in 1..20 {
            let Next::At(due) = next(&uncertain(), &tried(3, attempt, Some(0), 0)) else {
                panic!("an uncertain delivery is tried again")
            };
            assert!(millis(due) - START >= 15 * MINUTE);
        }
    }

    #[test]
    fn m_23_a_refused_login_is_tried_at_most_six_times_an_hour_by_all_digests_together() {
        let mut bursts: Vec<i64> = (0..30)
            .flat_map(|delivery| life(&unreachable(), delivery, false).0.into_iter().skip(1))
            .map(|offset| START + offset)
            .collect();
        bursts.sort_unstable();
        bursts.dedup();
        for hour in bursts.windows(7) {
            assert!(hour[6] - hour[0] >= HOUR, "seven bursts within an hour: {hour:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_or_an_absurd_moment_does_no_harm() {
        for now in [i64::MIN, -1, 0, i64::MAX] {
            for queued in [i64::MIN, 0, i64::MAX] {
                for attempt in [0, 1, u32::MAX] {
                    let (delivery, failing_since) = (DeliveryNo(i64::MIN), Some(from_millis(queued)));
                    let now = from_millis(now);
                    next(&unreachable(), &Tried { delivery, attempt, is_urgent: true, failing_since, now });
                    is_held(from_millis(queued), hold_until(RelayFault::Login, attempt, now));
                }
            }
        }
    }
}
