//! The hours and days on which a publisher does not want to be asked (RSS `skipHours` and `skipDays`, both in GMT).

use jiff::{SignedDuration, civil::Weekday, tz::TimeZone};

use crate::model::{feed::Wishes, time::Time};

/// A free hour is looked for in a week; after that all hours come again.
const HOURS_OF_A_WEEK: i64 = 7 * 24;

/// The first moment from `at` on that lies in no skipped hour and on no skipped day; `None`: there is none.
pub(super) fn first_free(at: Time, wishes: &Wishes) -> Option<Time> {
    if is_free(at, wishes) {
        return Some(at);
    }
    let begun = at.as_second().div_euclid(3_600).checked_mul(3_600)?;
    let hour = Time::from_second(begun).ok()?;
    (1..=HOURS_OF_A_WEEK)
        .filter_map(|hours| hour.checked_add(SignedDuration::from_hours(hours)).ok())
        .find(|hour| is_free(*hour, wishes))
}

fn is_free(at: Time, wishes: &Wishes) -> bool {
    let there = at.to_zoned(TimeZone::UTC);
    let hour = u8::try_from(there.hour()).unwrap_or_default();
    let day = u8::try_from(Weekday::to_monday_one_offset(there.weekday())).unwrap_or_default();
    !wishes.skip_hours.contains(&hour) && !wishes.skip_days.contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_hour_is_found_over_midnight_and_weekends() {
        // 20 November 2026 is a Friday.
        let at: Time = "2026-11-20T08:30:00Z".parse().unwrap();
        let cases: [(&[u8], &[u8], Option<&str>); 6] = [
            (&[], &[], Some("2026-11-20T08:30:00Z")),
            (&[7, 9], &[6, 7], Some("2026-11-20T08:30:00Z")),
            (&[8], &[], Some("2026-11-20T09:00:00Z")),
            (&[8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23], &[], Some("2026-11-21T00:00:00Z")),
            (&[], &[5, 6, 7], Some("2026-11-23T00:00:00Z")),
            (&[], &[1, 2, 3, 4, 5, 6, 7], None),
        ];
        for (hours, days, expected) in cases {
            let wishes = Wishes { ttl_seconds: None, skip_hours: hours.to_vec(), skip_days: days.to_vec() };
            let expected: Option<Time> = expected.map(|text| text.parse().unwrap());
            assert_eq!(first_free(at, &wishes), expected, "{hours:?} {days:?}");
        }
    }
}
