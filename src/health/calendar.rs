//! The days on which nothing is to be expected of a feed: what its publisher states, what is known of arXiv, and what
//! its own history shows.

use jiff::civil::{Date, Weekday, date};

use crate::model::{
    days::{ActiveDays, DayNo},
    feed::{Feed, Wishes},
};

/// How often a weekday must have passed without an entry before it is held to be a day of rest.
const ENOUGH_WEEKS: i32 = 4;

/// Why nothing is to be expected on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// The feed's `skipDays` name it.
    Stated,
    /// arXiv announces from Sunday to Thursday in the evening, New York time.
    ArxivWeekend,
    /// arXiv announces nothing on American holidays.
    ArxivHoliday,
    /// The feed never brought anything on this weekday.
    Learned,
}

impl Rest {
    /// The cause in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Rest::Stated => "it says itself that it publishes nothing on this day (skipDays)",
            Rest::ArxivWeekend => "arXiv announces nothing on Friday and Saturday evenings",
            Rest::ArxivHoliday => "arXiv announces nothing on holidays",
            Rest::Learned => "it never published on this day of the week",
        }
    }
}

/// The days of rest of one feed.
#[derive(Debug)]
pub(super) struct Calendar<'c> {
    skip_days: &'c [u8],
    is_arxiv: bool,
    /// Monday first.
    learned: [bool; 7],
}

impl<'c> Calendar<'c> {
    pub(super) fn of(feed: &Feed, wishes: &'c Wishes, active: &ActiveDays) -> Self {
        let host = feed.url.host_str().unwrap_or("");
        Self {
            skip_days: &wishes.skip_days,
            is_arxiv: host == "arxiv.org" || host.ends_with(".arxiv.org"),
            learned: weekdays_of_rest(active),
        }
    }

    /// Why nothing is to be expected on this day; `None`: something may be.
    pub(super) fn rest(&self, day: DayNo) -> Option<Rest> {
        self.known_rest(day).or_else(|| {
            let weekday = usize::try_from(weekday(day)).unwrap_or(0);
            self.learned.get(weekday).copied().unwrap_or(false).then_some(Rest::Learned)
        })
    }

    /// The same without what its history shows.
    pub(super) fn known_rest(&self, day: DayNo) -> Option<Rest> {
        if self.skip_days.iter().any(|skipped| i32::from(*skipped) == weekday(day) + 1) {
            return Some(Rest::Stated);
        }
        if !self.is_arxiv {
            return None;
        }
        if weekday(day) >= 5 {
            return Some(Rest::ArxivWeekend);
        }
        // What is announced in the evening of a day in New York is in the feed on the next day.
        [day, day - 1].into_iter().filter_map(civil).any(is_arxiv_holiday).then_some(Rest::ArxivHoliday)
    }
}

/// The weekday of a day, 0 for Monday.
fn weekday(day: DayNo) -> i32 {
    (day.rem_euclid(7) + 3) % 7
}

fn civil(day: DayNo) -> Option<Date> {
    date(1970, 1, 1).checked_add(jiff::SignedDuration::from_hours(24 * i64::from(day))).ok()
}

/// The weekdays on which a feed never brought anything, where its history is long enough to tell and it is active on
/// most of the others: what publishes once a week has no days of rest, it is merely slow.
fn weekdays_of_rest(active: &ActiveDays) -> [bool; 7] {
    let (mut counts, mut first, mut last) = ([0_i32; 7], None, None);
    for day in active.days() {
        last = last.or(Some(day));
        first = Some(day);
        if let Some(count) = usize::try_from(weekday(day)).ok().and_then(|place| counts.get_mut(place)) {
            *count += 1;
        }
    }
    let weeks = last.zip(first).map_or(0, |(last, first): (DayNo, DayNo)| (last - first + 1) / 7);
    let busy = counts.iter().filter(|count| **count * 2 >= weeks).count();
    if weeks < ENOUGH_WEEKS || busy < 4 {
        return [false; 7];
    }
    counts.map(|count| count == 0)
}

/// Whether arXiv announces nothing in the evening of this day: American holidays and the days around Christmas. One
/// day too many here costs that a silence is noticed a day later.
fn is_arxiv_holiday(day: Date) -> bool {
    let fixed = matches!((day.month(), day.day()), (1, 1) | (6, 19) | (7, 4) | (12, 24 | 25 | 31));
    let nth = (day.day() - 1) / 7 + 1;
    let is_last = day.day() + 7 > day.days_in_month();
    let moving = match (day.month(), day.weekday()) {
        (1, Weekday::Monday) => nth == 3,
        (5, Weekday::Monday) => is_last,
        (9, Weekday::Monday) => nth == 1,
        (11, Weekday::Thursday) => nth == 4,
        (11, Weekday::Friday) => (23..=29).contains(&day.day()),
        _ => false,
    };
    fixed || moving
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::days::day_no;

    fn day(text: &str) -> DayNo {
        day_no(format!("{text}T12:00:00Z").parse().unwrap())
    }

    fn calendar(skip_days: &[u8], is_arxiv: bool) -> Calendar<'_> {
        Calendar { skip_days, is_arxiv, learned: [false; 7] }
    }

    #[test]
    fn weekdays_count_from_monday() {
        assert_eq!(weekday(day("2026-11-16")), 0);
        assert_eq!(weekday(day("2026-11-22")), 6);
        assert_eq!(weekday(day("1969-12-31")), 2);
        assert_eq!(civil(day("2026-11-16")), Some(date(2026, 11, 16)));
    }

    #[test]
    fn skip_days_are_days_of_rest() {
        let stated = calendar(&[6, 7], false);
        assert_eq!(stated.rest(day("2026-11-21")), Some(Rest::Stated));
        assert_eq!(stated.rest(day("2026-11-23")), None);
    }

    #[test]
    fn arxiv_rests_at_weekends_and_on_holidays_and_the_days_after_them() {
        let arxiv = calendar(&[], true);
        let rest = |text: &str| arxiv.rest(day(text));
        assert_eq!(rest("2026-11-21"), Some(Rest::ArxivWeekend));
        assert_eq!(rest("2026-11-22"), Some(Rest::ArxivWeekend));
        assert_eq!(rest("2026-11-23"), None);
        for holiday in
            ["2026-11-26", "2026-11-27", "2026-12-24", "2026-12-25", "2026-01-01", "2026-01-19", "2026-05-25"]
        {
            assert_eq!(rest(holiday), Some(Rest::ArxivHoliday), "{holiday}");
        }
        assert_eq!(rest("2026-09-08"), Some(Rest::ArxivHoliday), "the announcement of Labor Day's evening is missing");
        assert_eq!(rest("2026-09-09"), None);
    }

    #[test]
    fn a_weekday_without_entries_is_learned_only_of_busy_feeds_and_after_some_weeks() {
        let (mut working, mut weekly, mut young) =
            (ActiveDays::default(), ActiveDays::default(), ActiveDays::default());
        let start: crate::model::time::Time = "2026-09-07T08:00:00Z".parse().unwrap();
        for n in 0..40 {
            let at = start.checked_add(jiff::SignedDuration::from_hours(24 * n)).unwrap();
            if n % 7 < 5 {
                working.mark(at);
                if n < 14 {
                    young.mark(at);
                }
            }
            if n % 7 == 0 {
                weekly.mark(at);
            }
        }
        assert_eq!(weekdays_of_rest(&working), [false, false, false, false, false, true, true]);
        assert_eq!(weekdays_of_rest(&weekly), [false; 7]);
        assert_eq!(weekdays_of_rest(&young), [false; 7]);
        assert_eq!(weekdays_of_rest(&ActiveDays::default()), [false; 7]);
    }
}
