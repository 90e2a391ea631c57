//! What a feed wishes of those who poll it, read from its own elements: `ttl`, `skipHours`, `skipDays` of RSS and the
//! syndication module of RSS 1.0. What it comes to is decided elsewhere.

use crate::{
    model::feed::Wishes,
    repair::dialect::{Space, Wish},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The wish that an element of a feed states; the local name in lower case. `hour` and `day` mean something only in
/// `skipHours` and `skipDays`, and nothing else in a feed is called so.
pub(super) fn wish(space: Space, local: &str) -> Option<Wish> {
    match (space, local) {
        (Space::Own | Space::Rss | Space::Atom, "ttl") => Some(Wish::Ttl),
        (Space::Own | Space::Rss | Space::Atom, "hour") => Some(Wish::SkipHour),
        (Space::Own | Space::Rss | Space::Atom, "day") => Some(Wish::SkipDay),
        (Space::Syndication, "updateperiod") => Some(Wish::Period),
        (Space::Syndication, "updatefrequency") => Some(Wish::Frequency),
        _ => None,
    }
}

/// The wishes that were heard so far.
#[derive(Debug, Default)]
pub(super) struct Wished {
    ttl: Option<u64>,
    period: Option<u64>,
    frequency: Option<u64>,
    skip_hours: Vec<u8>,
    skip_days: Vec<u8>,
}

impl Wished {
    /// Takes in one element's text. What is no value of its kind is passed over.
    pub(super) fn hear(&mut self, wish: Wish, value: &str) {
        let value = value.trim();
        match wish {
            Wish::Ttl => self.ttl = number(value).map(|minutes| minutes.saturating_mul(MINUTE)).or(self.ttl),
            Wish::Frequency => self.frequency = number(value).filter(|times| *times > 0).or(self.frequency),
            Wish::Period => self.period = period(value).or(self.period),
            Wish::SkipHour => add(&mut self.skip_hours, hour(value)),
            Wish::SkipDay => add(&mut self.skip_days, day(value)),
        }
    }

    /// What they come to: of two intervals the longer one.
    pub(super) fn wishes(mut self) -> Wishes {
        let interval = match (self.period, self.frequency) {
            (None, None) => None,
            // The module's own defaults: daily, once.
            (period, frequency) => Some(period.unwrap_or(DAY) / frequency.unwrap_or(1)),
        };
        let longest = self.ttl.max(interval).filter(|seconds| *seconds > 0);
        self.skip_hours.sort_unstable();
        self.skip_days.sort_unstable();
        Wishes {
            ttl_seconds: longest.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
            skip_hours: self.skip_hours,
            skip_days: self.skip_days,
        }
    }
}

fn add(list: &mut Vec<u8>, value: Option<u8>) {
    list.extend(value.filter(|value| !list.contains(value)));
}

/// A whole number; one that is too large for any clock is the largest there is.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// 0 to 23; RSS 0.91 counts from 1 to 24, where 24 is midnight.
fn hour(text: &str) -> Option<u8> {
    let hour = number(text).filter(|hour| *hour <= 24)?;
    u8::try_from(hour % 24).ok()
}

/// 1 for Monday to 7 for Sunday.
fn day(text: &str) -> Option<u8> {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let at = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text))?;
    u8::try_from(at + 1).ok()
}

/// The length of an `updatePeriod` in seconds.
fn period(text: &str) -> Option<u64> {
    const PERIODS: [(&str, u64); 5] =
        [("hourly", HOUR), ("daily", DAY), ("weekly", 7 * DAY), ("monthly", 30 * DAY), ("yearly", 365 * DAY)];
    PERIODS.iter().find_map(|(word, length)| word.eq_ignore_ascii_case(text).then_some(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: &[(Wish, &str)]) -> Wishes {
        let mut wished = Wished::default();
        for (wish, value) in said {
            wished.hear(*wish, value);
        }
        wished.wishes()
    }

    #[test]
    fn of_two_intervals_the_longer_one_counts() {
        assert_eq!(heard(&[]), Wishes::default());
        assert_eq!(heard(&[(Wish::Ttl, " 60 ")]).ttl_seconds, Some(3_600));
        assert_eq!(heard(&[(Wish::Period, "daily"), (Wish::Frequency, "4")]).ttl_seconds, Some(6 * 3_600));
        assert_eq!(heard(&[(Wish::Frequency, "2")]).ttl_seconds, Some(12 * 3_600));
        assert_eq!(heard(&[(Wish::Ttl, "120"), (Wish::Period, "Hourly")]).ttl_seconds, Some(7_200));
        assert_eq!(heard(&[(Wish::Ttl, "5"), (Wish::Period, "hourly")]).ttl_seconds, Some(3_600));
    }

    #[test]
    fn what_is_no_value_is_passed_over() {
        for junk in ["", "-5", "1.5", "soon", "\u{661}", "0"] {
            assert_eq!(heard(&[(Wish::Ttl, junk)]).ttl_seconds, None, "{junk}");
        }
        assert_eq!(heard(&[(Wish::Ttl, "99999999999999999999999")]).ttl_seconds, Some(u32::MAX));
        assert_eq!(heard(&[(Wish::Frequency, "0")]).ttl_seconds, None);
        let said = [(Wish::SkipHour, "24"), (Wish::SkipHour, "25"), (Wish::SkipHour, "3"), (Wish::SkipHour, "03")];
        assert_eq!(heard(&said).skip_hours, [0, 3]);
        let said = [(Wish::SkipDay, "sunday"), (Wish::SkipDay, "Someday"), (Wish::SkipDay, "Monday")];
        assert_eq!(heard(&said).skip_days, [1, 7]);
    }
}
