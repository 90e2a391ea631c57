//! When a feed is asked next, and how a publisher's wishes about that are read. Pure: `now` is an argument.

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};

use crate::model::{feed::FeedState, outcome::CacheHints, time::Time};

/// The longest wait that `max-age` or a feed's own `ttl` can ask for.
const LONGEST_FRESHNESS: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait that `Retry-After` can ask for.
const LONGEST_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest wait between two polls of a feed that cannot be seen.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_hours(24);
/// The waits after the first, second, ... answer that asks for fewer requests and does not say how many.
const THROTTLED: [SignedDuration; 5] = [
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(8),
    SignedDuration::from_hours(16),
    SignedDuration::from_hours(24),
];
/// The spread is at most this much ...
const WIDEST_SPREAD: SignedDuration = SignedDuration::from_mins(15);
/// ... and at most one part in this many of the wait.
const SPREAD_PART: i32 = 10;

/// What decides when a feed is asked again.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm<'a> {
    /// When the answer came.
    pub now: Time,
    /// The feed's own interval.
    pub every: SignedDuration,
    /// No feed is polled more often than this.
    pub min_interval: SignedDuration,
    /// What the response said.
    pub hints: &'a CacheHints,
    /// What the document itself says: RSS `ttl`.
    pub ttl: Option<SignedDuration>,
    /// The state that the answer put the feed in.
    pub state: FeedState,
    /// How many answers in a row put it in a state other than `Ok`, this one included.
    pub failures: u32,
    /// The feed's number in the store; spreads the feeds over time, the same way after every restart.
    pub feed_no: i64,
}

/// When the feed is asked next: never earlier than its own interval, and never earlier than its publisher asked
/// for, up to 7 days for `Retry-After` and 24 hours for the rest. A little later than that, by a share that
/// belongs to the feed, so that feeds which fell due together drift apart.
pub fn next_poll(input: &Rhythm<'_>) -> Time {
    let own = input.every.max(input.min_interval).max(SignedDuration::ZERO);
    let told = capped(input.hints.retry_after, LONGEST_RETRY_AFTER);
    let wait = match input.state {
        state if state == FeedState::New || state.answers() => {
            own.max(told).max(capped(input.ttl, LONGEST_FRESHNESS)).max(capped(input.hints.max_age, LONGEST_FRESHNESS))
        }
        // The publisher knows best when it has room again; but no wish opens a door that it has shut.
        FeedState::Throttled | FeedState::Broken if !told.is_zero() => own.max(told),
        state => own.max(told).max(back_off(state, own, input.failures)),
    };
    later(input.now, wait.saturating_add(spread(input.feed_no, wait)))
}

fn capped(wish: Option<SignedDuration>, cap: SignedDuration) -> SignedDuration {
    wish.unwrap_or_default().clamp(SignedDuration::ZERO, cap)
}

fn later(now: Time, wait: SignedDuration) -> Time {
    now.checked_add(wait).unwrap_or(Time::MAX)
}

/// The wait after the given number of failures of one class in a row.
fn back_off(state: FeedState, own: SignedDuration, failures: u32) -> SignedDuration {
    let before = failures.max(1) - 1;
    match state {
        FeedState::Throttled => {
            let step = usize::try_from(before).unwrap_or(usize::MAX);
            THROTTLED.get(step).copied().unwrap_or(LONGEST_BACK_OFF)
        }
        FeedState::Refused | FeedState::Gone => LONGEST_BACK_OFF,
        _ => {
            let times = 2_i32.checked_pow(before).unwrap_or(i32::MAX);
            own.checked_mul(times).unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF)
        }
    }
}

/// A feed's own share of the spread. The multiples of the golden ratio, taken modulo 1, lie evenly however many
/// there are; those of a hash do not.
fn spread(feed_no: i64, wait: SignedDuration) -> SignedDuration {
    /// 2^64 divided by the golden ratio.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let share = feed_no.cast_unsigned().wrapping_mul(STEP) >> 32;
    let widest = (wait / SPREAD_PART).min(WIDEST_SPREAD).as_millis().max(0);
    let offset = (widest * i128::from(share)) >> 32;
    SignedDuration::from_millis(i64::try_from(offset).unwrap_or(0))
}

/// `max-age` of the `Cache-Control` fields of a response (RFC 9111 section 5.2.2.1). Where it stands several
/// times, the longest counts; what is no number counts as absent; more than 68 years count as 68 years.
pub fn max_age<'a>(cache_control: impl IntoIterator<Item = &'a [u8]>) -> Option<SignedDuration> {
    cache_control
        .into_iter()
        .flat_map(|field| field.split(|byte| *byte == b','))
        .filter_map(|directive| {
            let (name, value) = std::str::from_utf8(directive).ok()?.split_once('=')?;
            let digits = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("max-age").then(|| seconds(digits)).flatten()
        })
        .max()
}

/// `Retry-After` (RFC 9110 section 10.2.3) as a wait from `now`: seconds, or a date. A date in the past, a
/// negative number and anything else that it may not be count as absent.
pub fn retry_after(value: &[u8], now: Time) -> Option<SignedDuration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let wait = seconds(text).or_else(|| http_date(text).map(|date| date.duration_since(now)))?;
    wait.is_positive().then_some(wait)
}

/// A count of seconds, capped at what 32 bits hold.
fn seconds(digits: &str) -> Option<SignedDuration> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(SignedDuration::from_secs(digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::from(i32::MAX))))
}

/// An HTTP date in one of its three forms (RFC 9110 section 5.6.7). The name of the day, which says nothing
/// that the date does not, is not looked at.
fn http_date(text: &str) -> Option<Time> {
    const FORMS: [&str; 3] = ["%d %b %Y %H:%M:%S GMT", "%d-%b-%y %H:%M:%S GMT", "%b %e %H:%M:%S %Y"];
    let (_, date) = text.split_once(' ')?;
    let civil = FORMS.iter().find_map(|form| DateTime::strptime(form, date.trim_start()).ok())?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

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
            ttl: None,
            state: FeedState::Ok,
            failures: 0,
            feed_no: 0,
        }
    }

    fn wait(input: &Rhythm<'_>) -> SignedDuration {
        next_poll(input).duration_since(input.now)
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
        let hints = CacheHints { max_age: Some(hours(12)), retry_after: None };
        assert_eq!(wait(&rhythm(&hints)), hours(12));
        let hints = CacheHints { max_age: Some(hours(9_999)), retry_after: None };
        assert_eq!(wait(&rhythm(&hints)), hours(24));
    }

    #[test]
    fn p_10_a_ttl_is_honoured_and_capped_at_a_day() {
        let none = CacheHints::default();
        assert_eq!(wait(&Rhythm { ttl: Some(hours(3)), ..rhythm(&none) }), hours(3));
        assert_eq!(wait(&Rhythm { ttl: Some(SignedDuration::from_mins(1_000_000_000)), ..rhythm(&none) }), hours(24));
        assert_eq!(wait(&Rhythm { ttl: Some(SignedDuration::MIN), ..rhythm(&none) }), HOUR);
    }

    #[test]
    fn p_06_no_request_goes_out_before_retry_after() {
        for state in [FeedState::Throttled, FeedState::Broken, FeedState::Ok] {
            let hints = CacheHints { max_age: None, retry_after: retry_after(b"7200", now()) };
            assert_eq!(wait(&Rhythm { state, failures: 1, ..rhythm(&hints) }), hours(2));
        }
    }

    #[test]
    fn p_07_retry_after_is_read_as_a_date_in_its_three_forms() {
        for text in ["Fri, 20 Nov 2026 12:30:00 GMT", "Friday, 20-Nov-26 12:30:00 GMT", "Fri Nov 20 12:30:00 2026"] {
            assert_eq!(retry_after(text.as_bytes(), now()), Some(SignedDuration::from_mins(270)), "{text}");
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
            let hints = CacheHints { max_age: None, retry_after: retry_after(value, now()) };
            let input = Rhythm { state: FeedState::Throttled, failures: 1, ..rhythm(&hints) };
            assert_eq!(wait(&input), hours(7 * 24), "{value:?}");
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
                at = next_poll(&Rhythm { now: at, feed_no, ..rhythm(&none) });
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
        let hints = CacheHints { max_age: Some(SignedDuration::MAX), retry_after: Some(SignedDuration::MAX) };
        let input = Rhythm { now: Time::MAX, every: SignedDuration::MAX, feed_no: i64::MAX, ..rhythm(&hints) };
        assert_eq!(next_poll(&input), Time::MAX);
    }

    #[test]
    fn max_age_is_read_from_whatever_stands_around_it() {
        let cases: [(&[&[u8]], Option<i64>); 12] = [
            (&[b"max-age=3600"], Some(3_600)),
            (&[b"public, Max-Age=60, must-revalidate"], Some(60)),
            (&[b"max-age=\"60\""], Some(60)),
            (&[b"no-cache", b"max-age=10"], Some(10)),
            (&[b"max-age=10, max-age=20"], Some(20)),
            (&[b"max-age=0"], Some(0)),
            (&[b"s-maxage=100"], None),
            (&[b"max-age=-1"], None),
            (&[b"max-age=abc"], None),
            (&[b"max-age"], None),
            (&[b"\xff=1, max-age=5"], Some(5)),
            (&[b"max-age=99999999999999999999999"], Some(i64::from(i32::MAX))),
        ];
        for (fields, expected) in cases {
            assert_eq!(max_age(fields.iter().copied()).map(|age| age.as_secs()), expected, "{fields:?}");
        }
    }
}
