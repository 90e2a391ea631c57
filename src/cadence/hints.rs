//! What the fields of a response's head say of when to come back, as lengths of time. No field is read here that
//! decides anything else.

use jiff::{SignedDuration, civil::DateTime, tz::TimeZone};

use crate::model::time::Time;

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

/// `Expires` (RFC 9111 section 5.3) as a wait from the response's own `Date` on, or from `now` where there is none: the
/// publisher's clock is measured against itself. A moment that has passed, and anything that is no date, such as `0`,
/// counts as absent.
pub fn expires(value: &[u8], date: Option<&[u8]>, now: Time) -> Option<SignedDuration> {
    let moment = |value: &[u8]| http_date(std::str::from_utf8(value).ok()?.trim());
    let wait = moment(value)?.duration_since(date.and_then(moment).unwrap_or(now));
    wait.is_positive().then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-11-20T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn p_07_retry_after_is_read_as_a_date_in_its_three_forms() {
        for text in ["Fri, 20 Nov 2026 12:30:00 GMT", "Friday, 20-Nov-26 12:30:00 GMT", "Fri Nov 20 12:30:00 2026"] {
            assert_eq!(retry_after(text.as_bytes(), now()), Some(SignedDuration::from_mins(270)), "{text}");
        }
    }

    #[test]
    fn p_25_a_leap_second_is_a_moment_like_any_other() {
        let at = "2016-12-31T23:59:00Z".parse().unwrap();
        let wait = retry_after(b"Sat, 31 Dec 2016 23:59:60 GMT", at).unwrap();
        assert!((59..=60).contains(&wait.as_secs()), "{wait}");
    }

    #[test]
    fn p_04_expires_is_measured_by_the_publishers_own_clock() {
        type Case<'c> = (&'c [u8], Option<&'c [u8]>, Option<i64>);
        let cases: [Case<'_>; 8] = [
            (b"Fri, 20 Nov 2026 20:00:00 GMT", None, Some(12)),
            (b"Fri, 20 Nov 2026 20:00:00 GMT", Some(b"Fri, 20 Nov 2026 18:00:00 GMT"), Some(2)),
            (b"Thu, 19 Nov 2020 09:00:00 GMT", Some(b"Thu, 19 Nov 2020 08:00:00 GMT"), Some(1)),
            (b"Fri, 20 Nov 2026 20:00:00 GMT", Some(b"today"), Some(12)),
            (b"Fri, 20 Nov 2026 08:00:00 GMT", None, None),
            (b"0", None, None),
            (b"-1", None, None),
            (b"\xff", None, None),
        ];
        for (value, date, hours) in cases {
            assert_eq!(expires(value, date, now()), hours.map(SignedDuration::from_hours), "{value:?} {date:?}");
        }
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
