//! When a feed is asked next and why then, and how a publisher's wishes about that are read. Pure: `now` is an argument.

mod hints;
mod skip;

use jiff::SignedDuration;

pub use self::hints::{expires, max_age, retry_after};
use crate::model::{
    feed::{FeedState, Wishes},
    outcome::CacheHints,
    time::Time,
};

/// The longest wait that `max-age` or a feed's own `ttl` can ask for, and the longest for one that leaves no hour free.
const LONGEST_FRESHNESS: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait that `Retry-After` can ask for where there is no other answer.
const LONGEST_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest wait between two polls of a feed that cannot be seen.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_hours(24);
/// A feed whose every poll costs its publisher the whole document is asked no more often.
const WITHOUT_VALIDATORS: SignedDuration = SignedDuration::from_hours(24);
/// A feed that is gone for good is looked at this often.
const GONE_FOR_GOOD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Skipped hours and days put a poll off by at most this: a weekend and a holiday.
const LONGEST_SKIP: SignedDuration = SignedDuration::from_hours(72);
/// The waits after the first, second, ... answer that asks for fewer requests and does not say how many.
const THROTTLED: [SignedDuration; 5] = [
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(8),
    SignedDuration::from_hours(16),
    SignedDuration::from_hours(24),
];
/// The longest wait for another try while this machine has no network: no publisher is burdened by it.
const WITHOUT_NETWORK: SignedDuration = SignedDuration::from_mins(15);
/// The spread is at most this much ...
const WIDEST_SPREAD: SignedDuration = SignedDuration::from_mins(15);
/// ... and at most one part in this many of the wait.
const SPREAD_PART: i32 = 10;

/// What decides when a feed is asked again.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Rhythm<'a> {
    /// When the answer came.
    pub now: Time,
    /// The feed's own interval.
    pub every: SignedDuration,
    /// Whether the editor stated it for this feed.
    pub every_stated: bool,
    /// No feed is polled more often than this.
    pub min_interval: SignedDuration,
    /// What the response said.
    pub hints: &'a CacheHints,
    /// What the feed's last document says.
    pub wishes: &'a Wishes,
    /// Whether the server gives something to ask by, an `ETag` or a `Last-Modified`.
    pub has_validators: bool,
    /// The state that the answer put the feed in.
    pub state: FeedState,
    /// How many failures in a row put it in that state, this one included.
    pub failures: u32,
    /// Whether its publisher said twice that it is gone for good.
    pub gone_for_good: bool,
    /// Whether no answer came because this machine reached nobody at all.
    pub no_network: bool,
    /// The feed's number in the store; spreads the feeds over time, the same way after every restart.
    pub feed_no: i64,
}

/// When a feed is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPoll {
    /// When.
    pub at: Time,
    /// Why then, in words: "its own interval of 1h", "the publisher asks for 12h (max-age)".
    pub why: String,
}

/// A wait with its reason.
struct Wait {
    length: SignedDuration,
    why: String,
}

impl Wait {
    fn new(length: SignedDuration, why: impl Into<String>) -> Wait {
        Wait { length, why: why.into() }
    }

    /// The longer of two waits, of equal ones the first.
    fn or_longer(self, other: Option<Wait>) -> Wait {
        match other {
            Some(other) if other.length > self.length => other,
            _ => self,
        }
    }
}

/// When the feed is asked next: never earlier than its own interval, and never earlier than its publisher asked
/// for, up to 7 days for `Retry-After` without a document and 24 hours for the rest. A little later than that, by a share
/// that belongs to the feed, so that feeds which fell due together drift apart. Out of the hours and days that its
/// publisher skips, by up to 3 days.
pub fn next_poll(input: &Rhythm<'_>) -> NextPoll {
    let Wait { length, why } = wait(input);
    let at = later(input.now, length.saturating_add(spread(input.feed_no, length)));
    out_of_skipped_hours(input, at, why)
}

fn wait(input: &Rhythm<'_>) -> Wait {
    let own = own_interval(input);
    let state = input.state;
    if input.no_network {
        let soon = own.length.min(WITHOUT_NETWORK.max(input.min_interval));
        return Wait::new(soon, "tried again soon");
    }
    if input.gone_for_good && !state.answers() {
        let why = "gone for good; looked at once a week";
        return own.or_longer(Some(Wait::new(GONE_FOR_GOOD, why))).or_longer(told(input.hints));
    }
    match state {
        state if state == FeedState::New || state.answers() => {
            let rare = (!input.has_validators && !input.every_stated).then(|| {
                let why = "once a day: no ETag, no Last-Modified";
                Wait::new(WITHOUT_VALIDATORS, why)
            });
            own.or_longer(rare)
                .or_longer(wished(input.wishes))
                .or_longer(fresh(input.hints))
                .or_longer(told_beside_an_answer(input.hints))
        }
        // The publisher knows best when it has room again; but no wish opens a door that it has shut.
        FeedState::Throttled | FeedState::Broken if told(input.hints).is_some() => own.or_longer(told(input.hints)),
        state => {
            let pause = back_off(state, own.length, input.failures);
            own.or_longer(Some(pause)).or_longer(told(input.hints))
        }
    }
}

fn own_interval(input: &Rhythm<'_>) -> Wait {
    let (every, least) = (input.every.max(SignedDuration::ZERO), input.min_interval.max(SignedDuration::ZERO));
    if every >= least {
        Wait::new(every, format!("its own interval of {}", said(every)))
    } else {
        Wait::new(least, format!("no feed is asked more often than every {} (min_interval)", said(least)))
    }
}

/// What `Retry-After` asks for.
fn told(hints: &CacheHints) -> Option<Wait> {
    asked("the publisher", hints.retry_after?, LONGEST_RETRY_AFTER, "Retry-After")
}

/// What `Retry-After` asks for beside an answer that could be read: it means no more there than `max-age` does.
fn told_beside_an_answer(hints: &CacheHints) -> Option<Wait> {
    asked("the publisher", hints.retry_after?, LONGEST_FRESHNESS, "Retry-After")
}

/// How long the response says that it stays fresh; `max-age` goes before `Expires` (RFC 9111 section 5.3).
fn fresh(hints: &CacheHints) -> Option<Wait> {
    match (hints.max_age, hints.expires) {
        (Some(max_age), _) => asked("the publisher", max_age, LONGEST_FRESHNESS, "max-age"),
        (None, Some(expires)) => asked("the publisher", expires, LONGEST_FRESHNESS, "Expires"),
        (None, None) => None,
    }
}

/// What the document itself asks for.
fn wished(wishes: &Wishes) -> Option<Wait> {
    let length = SignedDuration::from_secs(i64::from(wishes.ttl_seconds?));
    asked("the feed", length, LONGEST_FRESHNESS, "ttl or updatePeriod")
}

fn asked(who: &str, wish: SignedDuration, cap: SignedDuration, how: &str) -> Option<Wait> {
    if wish > cap {
        let why = format!("{who} asks for {} ({how}), of which {} are honoured", said(wish), said(cap));
        return Some(Wait::new(cap, why));
    }
    wish.is_positive().then(|| Wait::new(wish, format!("{who} asks for {} ({how})", said(wish))))
}

/// The wait after the given number of failures of one class in a row.
fn back_off(state: FeedState, own: SignedDuration, failures: u32) -> Wait {
    let before = failures.max(1) - 1;
    match state {
        FeedState::Throttled => {
            let step = usize::try_from(before).unwrap_or(usize::MAX);
            let length = THROTTLED.get(step).copied().unwrap_or(LONGEST_BACK_OFF);
            Wait::new(length, format!("{} after it asked for fewer requests", said(length)))
        }
        FeedState::Refused => Wait::new(LONGEST_BACK_OFF, "we are not let in; tried once a day"),
        FeedState::Gone => Wait::new(LONGEST_BACK_OFF, "it is not there; looked for once a day"),
        _ => {
            let times = 2_i32.checked_pow(before).unwrap_or(i32::MAX);
            let length = own.checked_mul(times).unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF);
            let tries = if before == 0 { "a failure".to_owned() } else { format!("{failures} failures") };
            Wait::new(length, format!("{} after {tries}", said(length)))
        }
    }
}

/// Moves a poll out of the hours and days that its publisher skips. Where they leave no hour, or none within 3 days, they
/// are taken for a mistake, and it is asked once a day.
fn out_of_skipped_hours(input: &Rhythm<'_>, at: Time, why: String) -> NextPoll {
    let free = skip::first_free(at, input.wishes);
    if free == Some(at) {
        return NextPoll { at, why };
    }
    if let Some(free) = free.filter(|free| free.duration_since(at) <= LONGEST_SKIP) {
        let at = later(free, share(input.feed_no, WIDEST_SPREAD));
        return NextPoll { at, why: format!("{why}, and not in the hours or days that it skips") };
    }
    let day = later(input.now, LONGEST_FRESHNESS.saturating_add(spread(input.feed_no, LONGEST_FRESHNESS)));
    NextPoll { at: at.max(day), why: format!("{why}; it skips nearly every hour, so it is asked once a day") }
}

fn later(now: Time, wait: SignedDuration) -> Time {
    now.checked_add(wait).unwrap_or(Time::MAX)
}

/// A feed's own share of the spread.
fn spread(feed_no: i64, wait: SignedDuration) -> SignedDuration {
    share(feed_no, (wait / SPREAD_PART).min(WIDEST_SPREAD))
}

/// A feed's own share of a stretch of time, the same after every restart. The multiples of the golden ratio, taken
/// modulo 1, lie evenly however many there are; those of a hash do not.
pub fn share(feed_no: i64, whole: SignedDuration) -> SignedDuration {
    /// 2^64 divided by the golden ratio.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let share = feed_no.cast_unsigned().wrapping_mul(STEP) >> 32;
    let offset = (whole.as_millis().max(0) * i128::from(share)) >> 32;
    SignedDuration::from_millis(i64::try_from(offset).unwrap_or(0))
}

/// A length of time in its two largest units, as the configuration writes it: `1h`, `1h 30m`, `7d`.
pub fn said(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let units = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let from_largest = units.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = from_largest.map(|(count, unit)| format!("{count}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    static NO_WISHES: Wishes = Wishes { ttl_seconds: None, skip_hours: Vec::new(), skip_days: Vec::new() };

    fn now() -> Time {
        "2026-11-20T08:00:00Z".parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn rhythm(hints: &CacheHints) -> Rhythm<'_> {
        Rhythm {
            now: now(),
            every: HOUR,
            min_interval: SignedDuration::from_mins(30),
            hints,
            every_stated: false,
            wishes: &NO_WISHES,
            has_validators: true,
            state: FeedState::Ok,
            failures: 0,
            gone_for_good: false,
            no_network: false,
            feed_no: 0,
        }
    }

    fn wait(input: &Rhythm<'_>) -> SignedDuration {
        next_poll(input).at.duration_since(input.now)
    }

    fn why(input: &Rhythm<'_>) -> String {
        next_poll(input).why
    }

    #[test]
    fn a_feed_that_answers_is_asked_at_its_own_interval() {
        assert_eq!(wait(&rhythm(&CacheHints::default())), HOUR);
        let none = CacheHints::default();
        let eager = Rhythm { every: SignedDuration::from_secs(1), ..rhythm(&none) };
        assert_eq!(wait(&eager), SignedDuration::from_mins(30));
    }

    #[test]
    fn p_04_p_05_max_age_is_honoured_and_capped_at_a_day() {
        let hints = CacheHints { max_age: Some(hours(12)), ..CacheHints::default() };
        assert_eq!(wait(&rhythm(&hints)), hours(12));
        let hints = CacheHints { max_age: Some(hours(9_999)), ..CacheHints::default() };
        assert_eq!(wait(&rhythm(&hints)), hours(24));
        assert_eq!(why(&rhythm(&hints)), "the publisher asks for 416d 15h (max-age), of which 1d are honoured");
        let both = CacheHints { max_age: Some(hours(2)), expires: Some(hours(9)), retry_after: None };
        assert_eq!(wait(&rhythm(&both)), hours(2), "max-age goes before Expires");
        let expires = CacheHints { expires: Some(hours(9)), ..CacheHints::default() };
        assert_eq!(why(&rhythm(&expires)), "the publisher asks for 9h (Expires)");
    }

    #[test]
    fn p_03_a_feed_without_validators_is_asked_once_a_day_unless_its_interval_is_stated() {
        let none = CacheHints::default();
        let costly = Rhythm { has_validators: false, ..rhythm(&none) };
        assert_eq!(wait(&costly), hours(24));
        assert_eq!(why(&costly), "once a day: no ETag, no Last-Modified");
        assert_eq!(wait(&Rhythm { every_stated: true, ..costly }), HOUR);
        assert_eq!(wait(&Rhythm { every: hours(48), ..costly }), hours(48));
    }

    #[test]
    fn p_10_wishes_of_the_document_are_honoured_up_to_a_day() {
        let none = CacheHints::default();
        for (seconds, expected) in [(3 * 3_600, hours(3)), (60, HOUR), (u32::MAX, hours(24))] {
            let wishes = Wishes { ttl_seconds: Some(seconds), ..Wishes::default() };
            assert_eq!(wait(&Rhythm { wishes: &wishes, ..rhythm(&none) }), expected);
        }
    }

    #[test]
    fn p_10_the_next_poll_moves_out_of_skipped_hours_and_stays_apart_from_the_others() {
        let none = CacheHints::default();
        let wishes = Wishes { skip_hours: vec![9, 10], ..Wishes::default() };
        assert_eq!(wait(&Rhythm { wishes: &wishes, ..rhythm(&none) }), hours(3));
        assert!(why(&Rhythm { wishes: &wishes, ..rhythm(&none) }).ends_with("not in the hours or days that it skips"));
        let at: Vec<Time> =
            (1..=50).map(|feed_no| next_poll(&Rhythm { feed_no, wishes: &wishes, ..rhythm(&none) }).at).collect();
        let first: Time = "2026-11-20T11:00:00Z".parse().unwrap();
        assert!(at.iter().all(|at| *at >= first && at.duration_since(first) <= SignedDuration::from_mins(15)));
        let distinct: std::collections::BTreeSet<Time> = at.into_iter().collect();
        assert_eq!(distinct.len(), 50, "no bulge at minute 0");
    }

    #[test]
    fn p_15_a_feed_that_is_gone_for_good_is_looked_at_once_a_week() {
        let none = CacheHints::default();
        for state in [FeedState::Gone, FeedState::Broken, FeedState::Refused] {
            let input = Rhythm { state, failures: 9, gone_for_good: true, ..rhythm(&none) };
            assert_eq!(wait(&input), hours(7 * 24), "{state:?}");
        }
        assert_eq!(wait(&Rhythm { gone_for_good: true, ..rhythm(&none) }), HOUR, "it came back");
    }

    #[test]
    fn without_a_network_of_our_own_it_is_tried_again_within_a_quarter_of_an_hour() {
        let none = CacheHints::default();
        let input =
            Rhythm { state: FeedState::Broken, no_network: true, failures: 12, every: hours(24), ..rhythm(&none) };
        assert_eq!(wait(&input), SignedDuration::from_mins(30), "but not below min_interval");
        assert_eq!(wait(&Rhythm { min_interval: SignedDuration::ZERO, ..input }), SignedDuration::from_mins(15));
    }

    #[test]
    fn a_length_of_time_is_said_in_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (-5, "0s"),
            (45, "45s"),
            (3_600, "1h"),
            (5_400, "1h 30m"),
            (604_800, "7d"),
            (90_000, "1d 1h"),
            (86_460, "1d"),
        ] {
            assert_eq!(said(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn p_06_no_request_goes_out_before_retry_after() {
        for state in [FeedState::Throttled, FeedState::Broken, FeedState::Ok] {
            let hints = CacheHints { retry_after: retry_after(b"7200", now()), ..CacheHints::default() };
            assert_eq!(wait(&Rhythm { state, failures: 1, ..rhythm(&hints) }), hours(2));
        }
    }

    #[test]
    fn p_08_a_retry_after_that_means_nothing_is_absent_and_a_huge_one_is_capped_at_seven_days() {
        let nothing: [&[u8]; 12] = [
            b"",
            b" ",
            b"-5",
            b"0",
            b"soon",
            b"1.5",
            b"1e9",
            b"+60",
            b"Fri, 20 Nov 2026 07:00:00 GMT",
            b"Fri, 31 Feb 2027 07:00:00 GMT",
            b"\xff\xfe",
            b"60, 120",
        ];
        for value in nothing {
            assert_eq!(retry_after(value, now()), None, "{value:?}");
        }
        for value in [&b"315360000"[..], b"99999999999999999999", b"Sun, 20 Nov 2036 08:00:00 GMT"] {
            let hints = CacheHints { retry_after: retry_after(value, now()), ..CacheHints::default() };
            let input = Rhythm { state: FeedState::Throttled, failures: 1, ..rhythm(&hints) };
            assert_eq!(wait(&input), hours(7 * 24), "{value:?}");
            assert!(why(&input).ends_with(" (Retry-After), of which 7d are honoured"), "{}", why(&input));
        }
    }

    #[test]
    fn p_08_a_retry_after_beside_an_answer_that_could_be_read_blinds_nobody_for_more_than_a_day() {
        let hints = CacheHints { retry_after: Some(hours(999)), ..CacheHints::default() };
        for (_, state) in FeedState::ALL {
            let input = Rhythm { state, failures: 1, ..rhythm(&hints) };
            let days = if state == FeedState::New || state.answers() { 1 } else { 7 };
            assert_eq!(wait(&input), hours(24 * days), "{state:?}");
        }
    }

    #[test]
    fn p_09_without_retry_after_the_waits_grow_to_a_day() {
        let none = CacheHints::default();
        let waits: Vec<i64> = (1..=7)
            .map(|failures| wait(&Rhythm { state: FeedState::Throttled, failures, ..rhythm(&none) }).as_hours())
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 24, 24, 24]);
    }

    #[test]
    fn each_class_of_failure_has_its_own_back_off() {
        let none = CacheHints::default();
        for (state, expected) in [
            (FeedState::Broken, [1, 2, 4, 8, 16, 24, 24]),
            (FeedState::NotAFeed, [1, 2, 4, 8, 16, 24, 24]),
            (FeedState::Refused, [24; 7]),
            (FeedState::Gone, [24; 7]),
        ] {
            let waits: Vec<i64> =
                (1..=7).map(|failures| wait(&Rhythm { state, failures, ..rhythm(&none) }).as_hours()).collect();
            assert_eq!(waits, expected, "{state:?}");
        }
    }

    #[test]
    fn a_failing_feed_is_never_asked_more_often_than_a_healthy_one() {
        let none = CacheHints::default();
        for (_, state) in FeedState::ALL {
            for failures in [0, 1, 40, u32::MAX] {
                let weekly = Rhythm { every: hours(168), state, failures, ..rhythm(&none) };
                assert_eq!(wait(&weekly), hours(168), "{state:?}");
            }
        }
    }

    #[test]
    fn p_22_feeds_that_fell_due_together_are_spread_evenly_and_the_same_way_each_time() {
        let none = CacheHints::default();
        let mut per_minute = [0_u32; 6];
        for feed_no in 1..=200 {
            let input = Rhythm { feed_no, ..rhythm(&none) };
            let late = wait(&input) - HOUR;
            assert!(!late.is_negative() && late < SignedDuration::from_mins(6), "{late}");
            assert_eq!(next_poll(&input), next_poll(&input));
            per_minute[usize::try_from(late.as_mins()).unwrap()] += 1;
        }
        assert!(per_minute.iter().all(|count| *count <= 2 * 200 / 6), "{per_minute:?}");
    }

    #[test]
    fn p_22_after_a_day_two_hundred_feeds_lie_over_the_whole_hour() {
        let none = CacheHints::default();
        let mut per_minute = [0_u32; 60];
        for feed_no in 1..=200 {
            let mut at = now();
            while at.duration_since(now()) < hours(24) {
                at = next_poll(&Rhythm { now: at, feed_no, ..rhythm(&none) }).at;
            }
            let minute = at.duration_since(now()).as_mins() - 24 * 60;
            per_minute[usize::try_from(minute.rem_euclid(60)).unwrap()] += 1;
        }
        assert!(per_minute.iter().all(|count| *count <= 10), "{per_minute:?}");
    }

    #[test]
    fn the_spread_is_never_earlier_and_never_more_than_a_tenth_or_a_quarter_of_an_hour() {
        let none = CacheHints::default();
        for feed_no in [i64::MIN, -1, 0, 1, 2, 3, 5, 8, 987, i64::MAX] {
            for every in [SignedDuration::from_mins(30), HOUR, hours(24), hours(720)] {
                let input = Rhythm { every, feed_no, ..rhythm(&none) };
                let late = wait(&input) - every;
                assert!(!late.is_negative(), "{late}");
                assert!(late <= every / 10 && late <= SignedDuration::from_mins(15), "{late}");
            }
        }
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let longest = Some(SignedDuration::MAX);
        let hints = CacheHints { max_age: longest, expires: longest, retry_after: longest };
        let input = Rhythm { now: Time::MAX, every: SignedDuration::MAX, feed_no: i64::MAX, ..rhythm(&hints) };
        assert_eq!(next_poll(&input).at, Time::MAX);
    }
}
