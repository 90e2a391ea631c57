//! How a feed stands though it answers: whether its silence is usual, explained or too long, and whether what it
//! answers is to be believed; and which change of that a person is told. Pure: `now` is an argument.
//!
//! The rule: a feed is *stale* when it was silent for longer than twice the 99th percentile of its own gaps, or than
//! `expect` where the configuration has one. Days of rest (`skipDays`, arXiv's calendar, weekdays without entries)
//! explain a silence: it is *quiet*. From `ok` a silent feed becomes quiet, then stale, and never goes back but by a
//! new entry, so that nobody is told twice.

mod calendar;
mod impostor;
mod notice;

use jiff::SignedDuration;

use self::calendar::{Calendar, Rest};
pub use self::{
    impostor::{PAGE_HEAD, page, take_converter_errors},
    notice::{advice, notice},
};
use crate::model::{
    days::{ActiveDays, DayNo, day_no},
    feed::{Feed, FeedState, FeedStatus},
    time::Time,
};

/// How many entries a feed must have brought before an empty document of it is doubted.
pub const KNOWN_WELL: usize = 10;
/// After how long an empty document is fetched again for the first time.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// How many gaps, and over how many days, make a rhythm. Two weeks hold two weekends.
const FEWEST_GAPS: usize = 10;
const FEWEST_DAYS: DayNo = 14;
/// A feed whose rhythm is not known is stale after this silence ...
const LONGEST_UNKNOWN: SignedDuration = SignedDuration::from_hours(24 * 180);
/// ... and one that never brought an entry after this one.
const LONGEST_EMPTY: SignedDuration = SignedDuration::from_hours(24 * 14);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a document brought, seen against what is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Whether it brought a new entry.
    pub brings_new: bool,
    /// Whether it has no entry though the feed has brought [`KNOWN_WELL`] of them.
    pub is_hollow: bool,
    /// The error of a converter that stood in it as an entry.
    pub converter_error: Option<String>,
    /// What cut it, where it could be read only in part.
    pub cut: Option<String>,
}

/// How a feed that answered stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `Ok`, `Quiet`, `Stale` or `Suspicious`.
    pub state: FeedState,
    /// Why, in words; empty where there is nothing to say.
    pub cause: String,
    /// Empty documents in a row though there had been entries, this one included.
    pub empties: u32,
    /// Documents in a row that could be read only in part, this one included.
    pub cuts: u32,
    /// Whether the feed is asked again after [`LOOK_AGAIN`] rather than after its own interval: a first empty
    /// document may be a mistake of a minute.
    pub in_doubt: bool,
}

/// How a feed stands after an answer that could be read. `status` is how it stood before, with what this answer
/// says of its own rhythm; `sight`: what the document brought, `None` where the server had nothing new.
pub fn standing(feed: &Feed, status: &FeedStatus, sight: Option<&Sight>, now: Time) -> Standing {
    let calendar = Calendar::of(feed, &status.wishes, &status.active);
    let cut = sight.and_then(|sight| sight.cut.as_ref());
    // A 304 says nothing of what was missing from the document before.
    let cuts = match sight {
        Some(_) if cut.is_none() => 0,
        _ => status.cuts.saturating_add(u32::from(cut.is_some())),
    };
    if let Some(error) = sight.and_then(|sight| sight.converter_error.as_ref()) {
        return Standing { state: FeedState::Suspicious, cause: error.clone(), empties: 0, cuts, in_doubt: false };
    }
    // A 304 after an empty document says that it is empty still.
    let is_empty = sight.map_or(status.empties > 0, |sight| sight.is_hollow);
    // On a day of rest an empty document is what is to be expected (arXiv).
    let is_doubted = is_empty && calendar.rest(day_no(now)).is_none();
    let empties = if is_empty { status.empties.saturating_add(u32::from(is_doubted)) } else { 0 };
    let (state, cause) = if cuts >= 2 {
        let cut = cut.map_or("as the last ones were", String::as_str);
        (FeedState::Suspicious, format!("read only in part: {cut}; entries may be missing"))
    } else if empties >= 2 {
        let cause = "its document is empty, though it has brought entries before; nothing is taken to be deleted";
        (FeedState::Suspicious, cause.to_owned())
    } else if sight.is_some_and(|sight| sight.brings_new) {
        (FeedState::Ok, String::new())
    } else {
        silence(feed, status, &calendar, now)
    };
    Standing { state, cause, empties, cuts, in_doubt: is_doubted && empties == 1 }
}

/// What the silence of a feed means.
fn silence(feed: &Feed, status: &FeedStatus, calendar: &Calendar<'_>, now: Time) -> (FeedState, String) {
    let ok = (FeedState::Ok, String::new());
    let Some(since) = status.last_entry_at.or(status.baseline_at) else { return ok };
    let silent = now.duration_since(since);
    let (first, today) = (day_no(since), day_no(now));
    // What a clock planned that was ahead is no silence; and within a day nothing is unusual.
    if silent < DAY && feed.expect.is_none_or(|expect| expect >= DAY) {
        return ok;
    }
    let rhythm = Rhythm::of(&status.active);
    if let Some(cause) = too_long(feed, status, calendar, rhythm, (silent, first, now)) {
        return (FeedState::Stale, cause);
    }
    let last_rest = (first + 1..=today).rev().take(7).find_map(|day| calendar.rest(day));
    let usual = rhythm.map_or(1, |rhythm| rhythm.usual);
    if today - first <= usual {
        return ok;
    }
    match (last_rest, rhythm) {
        (Some(rest), _) if rest != Rest::Learned => quiet(silent, rest.words()),
        (Some(rest), Some(_)) => quiet(silent, rest.words()),
        (_, Some(rhythm)) => quiet(silent, &format!("it has been silent for {} before", days(rhythm.longest))),
        _ => ok,
    }
}

fn quiet(silent: SignedDuration, why: &str) -> (FeedState, String) {
    (FeedState::Quiet, format!("nothing new for {}; {why}", stretch(silent)))
}

/// The cause where the silence is too long.
fn too_long(
    feed: &Feed,
    status: &FeedStatus,
    calendar: &Calendar<'_>,
    rhythm: Option<Rhythm>,
    (silent, first, now): (SignedDuration, DayNo, Time),
) -> Option<String> {
    let today = day_no(now);
    let since_midnight = SignedDuration::from_secs(now.as_second().rem_euclid(DAY.as_secs()));
    let resting = |rests: &dyn Fn(DayNo) -> bool| {
        // A year of days tells as much as ten.
        let days = (first + 1..today).take(366).filter(|day| rests(*day)).count();
        let of_today = if first < today && rests(today) { since_midnight } else { SignedDuration::ZERO };
        DAY.saturating_mul(i32::try_from(days).unwrap_or(0)).saturating_add(of_today)
    };
    let nothing = if status.last_entry_at.is_some() {
        format!("nothing new for {}", stretch(silent))
    } else {
        format!("no entry at all in {}, since it is followed", stretch(silent))
    };
    if let Some(expect) = feed.expect {
        // A week and more has its days of rest in it.
        let rests = |day| expect < WEEK && calendar.rest(day).is_some();
        let awake = silent.saturating_sub(resting(&rests));
        return (awake > expect).then(|| format!("{nothing}; `expect` allows {}", stretch(expect)));
    }
    let awake = silent.saturating_sub(resting(&|day| calendar.known_rest(day) == Some(Rest::ArxivHoliday)));
    match rhythm {
        Some(rhythm) => (awake > rhythm.allowed().saturating_add(feed.every)).then(|| {
            format!("{nothing}; in its own rhythm it is hardly ever silent for more than {}", days(rhythm.longest))
        }),
        None if status.last_entry_at.is_none() => (silent > LONGEST_EMPTY).then_some(nothing),
        None => (silent > LONGEST_UNKNOWN)
            .then(|| format!("{nothing}; its rhythm is not known, `expect` in feeds.toml can state it")),
    }
}

/// The gaps between the days on which a feed brought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rhythm {
    /// The median gap, in days.
    usual: DayNo,
    /// The 99th percentile of the gaps, in days.
    longest: DayNo,
}

impl Rhythm {
    /// The rhythm of a feed; `None`: too little is known.
    fn of(active: &ActiveDays) -> Option<Rhythm> {
        let days: Vec<DayNo> = active.days().collect();
        let (newest, oldest) = days.first().zip(days.last())?;
        let mut gaps: Vec<DayNo> =
            days.iter().zip(days.iter().skip(1)).map(|(later, earlier)| later - earlier).collect();
        if gaps.len() < FEWEST_GAPS || newest - oldest < FEWEST_DAYS {
            return None;
        }
        gaps.sort_unstable();
        let rank = |percent: usize| gaps.get((gaps.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Rhythm { usual: rank(50)?, longest: rank(99)? })
    }

    fn allowed(self) -> SignedDuration {
        DAY.saturating_mul(self.longest.saturating_mul(2))
    }
}

fn days(number: DayNo) -> String {
    if number == 1 { "a day".to_owned() } else { format!("{number} days") }
}

/// A stretch in whole days, or in hours below two of them.
fn stretch(time: SignedDuration) -> String {
    match time.as_hours() {
        1 => "an hour".to_owned(),
        hours @ 0..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        feed::{Tlp, Unmatched},
        id::{FeedId, FeedNo},
    };

    fn feed(expect_hours: Option<i64>, url: &str) -> Feed {
        Feed {
            id: FeedId::new("cert"),
            name: "Cert".to_owned(),
            url: url.parse().unwrap(),
            owner: "maria".into(),
            group: None,
            every: SignedDuration::from_hours(6),
            every_stated: true,
            a_im: false,
            expect: expect_hours.map(SignedDuration::from_hours),
            unmatched: Unmatched::List,
            baseline: 3,
            tlp: Tlp::Clear,
            topics: Vec::new(),
            enabled: true,
        }
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn after(start: Time, hours: i64) -> Time {
        start.checked_add(SignedDuration::from_hours(hours)).unwrap()
    }

    /// A feed whose first document came at `start`, with entries at these hours after it.
    fn status(start: Time, hours: impl IntoIterator<Item = i64>) -> FeedStatus {
        let mut active = ActiveDays::default();
        let mut last = start;
        for hour in hours {
            last = after(start, hour);
            active.mark(last);
        }
        FeedStatus {
            state: FeedState::Ok,
            last_entry_at: Some(last),
            full_fetch_at: Some(start),
            baseline_at: Some(start),
            active,
            ..FeedStatus::unpolled(FeedNo(1), FeedId::new("cert"), start)
        }
    }

    const URL: &str = "https://cert.example/feed";
    /// A Monday.
    const START: &str = "2026-08-03T08:00:00Z";

    fn state(feed: &Feed, status: &FeedStatus, now: Time) -> FeedState {
        standing(feed, status, None, now).state
    }

    #[test]
    fn a_daily_feed_is_stale_after_twice_its_longest_gap_and_an_interval() {
        let daily = status(at(START), (1..=30).map(|day| day * 24));
        let last = daily.last_entry_at.unwrap();
        let on = |hours: i64| standing(&feed(None, URL), &daily, None, after(last, hours));
        assert_eq!(on(20).state, FeedState::Ok);
        assert_eq!(on(54).state, FeedState::Quiet);
        let stale = on(55);
        assert_eq!(stale.state, FeedState::Stale);
        assert_eq!(
            stale.cause,
            "nothing new for 2 days; in its own rhythm it is hardly ever silent for more than a day"
        );
        assert_eq!(on(24 * 90).state, FeedState::Stale);
        assert_eq!(on(-24 * 3650).state, FeedState::Ok, "a clock that was ahead makes nobody stale");
    }

    #[test]
    fn weekends_of_a_feed_that_works_in_the_week_are_quiet() {
        let working = status(at(START), (1..33).filter(|day| day % 7 < 5).map(|day| day * 24));
        let last = working.last_entry_at.unwrap();
        assert_eq!(last, at("2026-09-04T08:00:00Z"), "a Friday");
        let on = |hours: i64| standing(&feed(None, URL), &working, None, after(last, hours));
        assert_eq!(on(24).state, FeedState::Ok);
        let sunday = on(50);
        assert_eq!(sunday.state, FeedState::Quiet);
        assert_eq!(sunday.cause, "nothing new for 2 days; it never published on this day of the week");
        assert_eq!(on(24 * 5).state, FeedState::Quiet);
        assert_eq!(on(24 * 6 + 7).state, FeedState::Stale);
    }

    #[test]
    fn too_little_history_makes_nobody_stale_but_half_a_year_does() {
        for hours in [vec![], vec![24, 30, 48], (1..=12).map(|n| n * 24).collect::<Vec<_>>()] {
            let young = status(at(START), hours);
            let last = young.last_entry_at.unwrap();
            assert_eq!(state(&feed(None, URL), &young, after(last, 24 * 60)), FeedState::Ok);
            assert_eq!(state(&feed(None, URL), &young, after(last, 24 * 181)), FeedState::Stale);
        }
    }

    #[test]
    fn a_feed_that_never_had_an_entry_is_stale_after_two_weeks() {
        let empty = FeedStatus { last_entry_at: None, ..status(at(START), []) };
        let on = |day: i64| standing(&feed(None, URL), &empty, None, after(at(START), day * 24));
        assert_eq!(on(14).state, FeedState::Ok);
        assert_eq!(on(15).state, FeedState::Stale);
        assert_eq!(on(15).cause, "no entry at all in 15 days, since it is followed");
    }

    #[test]
    fn expect_decides_where_it_is_set() {
        let daily = status(at(START), (1..=30).map(|day| day * 24));
        let last = daily.last_entry_at.unwrap();
        let on = |expect: i64, hours: i64| state(&feed(Some(expect), URL), &daily, after(last, hours));
        assert_eq!(on(14 * 24, 14 * 24), FeedState::Quiet);
        assert_eq!(on(14 * 24, 14 * 24 + 1), FeedState::Stale);
        assert_eq!(on(6, 7), FeedState::Stale);
        assert_eq!(on(6, 6), FeedState::Ok);
    }

    #[test]
    fn arxiv_is_quiet_at_weekends_and_on_holidays_even_where_a_day_is_expected() {
        let arxiv = feed(Some(30), "https://rss.arxiv.org/rss/cs.CR");
        let fed = |last: &str| status(at(last), [0]);
        assert_eq!(state(&arxiv, &fed("2026-11-20T05:00:00Z"), at("2026-11-23T04:00:00Z")), FeedState::Quiet);
        assert_eq!(state(&arxiv, &fed("2026-11-20T05:00:00Z"), at("2026-11-24T12:00:00Z")), FeedState::Stale);
        let thanksgiving = standing(&arxiv, &fed("2026-11-25T05:00:00Z"), None, at("2026-11-27T12:00:00Z"));
        assert_eq!(thanksgiving.state, FeedState::Quiet);
        assert!(thanksgiving.cause.ends_with("arXiv announces nothing on holidays"), "{}", thanksgiving.cause);
    }

    #[test]
    fn skip_days_explain_a_silence() {
        let mut stated = status(at("2026-11-20T05:00:00Z"), [0]);
        stated.wishes.skip_days = vec![6, 7];
        assert_eq!(state(&feed(Some(30), URL), &stated, at("2026-11-22T12:00:00Z")), FeedState::Quiet);
        stated.wishes.skip_days.clear();
        assert_eq!(state(&feed(Some(30), URL), &stated, at("2026-11-22T12:00:00Z")), FeedState::Stale);
    }

    #[test]
    fn p_19_an_empty_document_is_looked_at_again_and_flagged_the_second_time() {
        let hollow = Sight { is_hollow: true, ..Sight::default() };
        let mut fed = status(at("2026-11-17T08:00:00Z"), [0]);
        let now = at("2026-11-17T14:00:00Z");
        let first = standing(&feed(None, URL), &fed, Some(&hollow), now);
        assert_eq!((first.state, first.empties, first.in_doubt), (FeedState::Ok, 1, true));
        fed.empties = 1;
        for answer in [Some(&hollow), None] {
            let second = standing(&feed(None, URL), &fed, answer, after(now, 1));
            assert_eq!((second.state, second.empties, second.in_doubt), (FeedState::Suspicious, 2, false));
        }
        let whole = standing(&feed(None, URL), &fed, Some(&Sight::default()), after(now, 1));
        assert_eq!((whole.state, whole.empties), (FeedState::Ok, 0));
    }

    #[test]
    fn an_empty_document_of_arxiv_at_a_weekend_is_no_suspicion() {
        let hollow = Sight { is_hollow: true, ..Sight::default() };
        let arxiv = feed(None, "https://rss.arxiv.org/rss/cs.CR");
        let mut fed = status(at("2026-11-20T05:00:00Z"), [0]);
        for empties in [0, 1] {
            fed.empties = empties;
            let sunday = standing(&arxiv, &fed, Some(&hollow), at("2026-11-22T12:00:00Z"));
            assert_eq!((sunday.state, sunday.empties, sunday.in_doubt), (FeedState::Quiet, empties, false));
        }
        assert_eq!(standing(&arxiv, &fed, Some(&hollow), at("2026-11-24T12:00:00Z")).state, FeedState::Suspicious);
    }

    #[test]
    fn a_document_that_is_cut_again_and_again_is_in_doubt_until_a_whole_one_comes() {
        let cut = Sight { cut: Some("cut at 10 MiB on the wire".to_owned()), brings_new: true, ..Sight::default() };
        let (mut fed, now) = (status(at(START), [0]), after(at(START), 1));
        let first = standing(&feed(None, URL), &fed, Some(&cut), now);
        assert_eq!((first.state, first.cuts), (FeedState::Ok, 1));
        fed.cuts = 1;
        let second = standing(&feed(None, URL), &fed, Some(&cut), now);
        assert_eq!((second.state, second.cuts), (FeedState::Suspicious, 2));
        assert_eq!(second.cause, "read only in part: cut at 10 MiB on the wire; entries may be missing");
        fed.cuts = 2;
        let unchanged = standing(&feed(None, URL), &fed, None, now);
        assert_eq!((unchanged.state, unchanged.cuts), (FeedState::Suspicious, 2), "a 304 makes nothing whole");
        let whole = standing(&feed(None, URL), &fed, Some(&Sight::default()), now);
        assert_eq!((whole.state, whole.cuts), (FeedState::Ok, 0));
    }

    #[test]
    fn the_error_of_a_converter_is_the_cause() {
        let sight = Sight { converter_error: Some("it says no".to_owned()), brings_new: true, ..Sight::default() };
        let found = standing(&feed(None, URL), &status(at(START), []), Some(&sight), at(START));
        assert_eq!((found.state, found.cause.as_str()), (FeedState::Suspicious, "it says no"));
    }
}
