//! Dates as feeds write them, by a table of our own: ISO 8601 and RFC 3339, RFC 822 and its relatives, the American long form, the
//! C library's, and seconds since 1970. What could mean two days (`11/10/2026`) is refused, never guessed.

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time as Clock},
    tz::Offset,
};

use crate::model::time::Time;

mod iso;
mod words;

/// The longest date that is looked at, in bytes.
const LONGEST: usize = 120;

/// The moment that a date names; without a zone it is taken as UTC, without a time as midnight.
///
/// Follows RFC 3339, ISO 8601 (calendar, ordinal and week dates, whole and in part), RFC 822 with the corrections of RFC 1123, RFC 2822
/// (sections 3.3 and 4.3) and RFC 850, C `asctime`. A leap second is read as the second before it.
pub fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    seconds(text).or_else(|| iso::parse(text)).or_else(|| words::parse(text))
}

/// Seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970.
fn seconds(text: &str) -> Option<Time> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    match text.len() {
        9 | 10 => Time::from_second(number).ok(),
        12 | 13 => Time::from_millisecond(number).ok(),
        _ => None,
    }
}

/// A wall clock: hour, minute, second, nanosecond. Hour 24 is midnight at the end of the day, second 60 a leap second.
#[derive(Debug, Clone, Copy, Default)]
struct Wall {
    hour: i8,
    minute: i8,
    second: i8,
    nano: i32,
}

/// The moment of a day, a wall clock and the seconds that its zone is ahead of UTC.
fn moment(day: Date, wall: Wall, ahead: i32) -> Option<Time> {
    let ends_day = wall.hour == 24 && wall.minute == 0 && wall.second == 0;
    let hour = if ends_day { 0 } else { wall.hour };
    let second = if wall.second == 60 { 59 } else { wall.second };
    let clock = Clock::new(hour, wall.minute, second, wall.nano).ok()?;
    let time = Offset::UTC.to_timestamp(DateTime::from_parts(day, clock)).ok()?;
    let shift = i64::from(ends_day) * 86_400 - i64::from(ahead);
    time.checked_add(SignedDuration::from_secs(shift)).ok()
}

/// A clock as `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`; the comma stands for the point in places.
fn wall(text: &str) -> Option<Wall> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut wall = Wall { hour: small(parts.next()?)?, minute: small(parts.next()?)?, ..Wall::default() };
    if let Some(second) = parts.next() {
        wall.second = small(second)?;
    }
    wall.nano = nanos(fraction)?;
    (parts.next().is_none()).then_some(wall)
}

/// A number of one or two digits.
fn small(digits: &str) -> Option<i8> {
    let fits = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

fn nanos(fraction: &str) -> Option<i32> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.get(..fraction.len().min(9))?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10_i32.pow(9 - u32::try_from(digits.len()).ok()?);
    Some(digits.parse::<i32>().ok()? * scale)
}

/// The seconds that a numeric zone (`+0100`, `-05:30`, `+01`) is ahead of UTC.
fn numeric_zone(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.chars().filter(|&one| one != ':').collect();
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Names of zones with the minutes that they are ahead of UTC. A name that several zones share has the meaning of RFC 822 or, failing
/// that, the one that feeds use.
const ZONES: &[(&str, i32)] = &[
    ("Z", 0),
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("MEZ", 60),
    ("CEST", 120),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("SAST", 120),
    ("MSK", 180),
    ("MSD", 240),
    ("GST", 240),
    ("PKT", 300),
    ("IST", 330),
    ("SGT", 480),
    ("HKT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("ACDT", 630),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("NST", -210),
    ("NDT", -150),
    ("AST", -240),
    ("ADT", -180),
    ("EST", -300),
    ("EDT", -240),
    ("ET", -300),
    ("CST", -360),
    ("CDT", -300),
    ("CT", -360),
    ("MST", -420),
    ("MDT", -360),
    ("MT", -420),
    ("PST", -480),
    ("PDT", -420),
    ("PT", -480),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("BRT", -180),
    ("ART", -180),
];

/// The seconds that a zone, by name or number, is ahead of UTC. `GMT+2` and `UTC+02:00` are read as they are meant.
fn zone(text: &str) -> Option<i32> {
    if let Some(ahead) = numeric_zone(text) {
        return Some(ahead);
    }
    let named =
        |name: &str| ZONES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, minutes)| minutes * 60);
    let split = text.find(['+', '-']).unwrap_or(text.len());
    let (name, number) = text.split_at_checked(split)?;
    let base = named(name)?;
    if number.is_empty() { Some(base) } else { Some(base + numeric_zone(number)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        parse(text).map(|time| time.to_string())
    }

    #[test]
    fn every_spelling_of_the_table_is_read() {
        for (text, time) in [
            ("2026-11-10T10:00:00Z", "2026-11-10T10:00:00Z"),
            ("2026-11-10T10:00:00.25+01:00", "2026-11-10T09:00:00.25Z"),
            ("2026-11-10t10:00:00z", "2026-11-10T10:00:00Z"),
            ("2026-11-10T10:00Z", "2026-11-10T10:00:00Z"),
            ("2026-11-10T10:00:00", "2026-11-10T10:00:00Z"),
            ("2026-11-10T10:00:00+0100", "2026-11-10T09:00:00Z"),
            ("2026-11-10T10+01", "2026-11-10T09:00:00Z"),
            ("2026-11-10 10:00:00", "2026-11-10T10:00:00Z"),
            ("2026-11-10 10:00:00 +0100", "2026-11-10T09:00:00Z"),
            ("2026-11-10 10:00:00 UTC", "2026-11-10T10:00:00Z"),
            ("2026-11-10 10:00:00 CET", "2026-11-10T09:00:00Z"),
            ("2026-11-10T24:00:00Z", "2026-11-11T00:00:00Z"),
            ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59Z"),
            ("2026-11-10", "2026-11-10T00:00:00Z"),
            ("2026/11/10", "2026-11-10T00:00:00Z"),
            ("2026-11-10Z", "2026-11-10T00:00:00Z"),
            ("2026-11", "2026-11-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
            ("20261110", "2026-11-10T00:00:00Z"),
            ("20261110T100000Z", "2026-11-10T10:00:00Z"),
            ("2026-314", "2026-11-10T00:00:00Z"),
            ("2026-W46-2", "2026-11-10T00:00:00Z"),
            ("Tue, 10 Nov 2026 10:00:00 GMT", "2026-11-10T10:00:00Z"),
            ("Tue, 10 Nov 2026 10:00:00 +0100", "2026-11-10T09:00:00Z"),
            ("Tue, 10 Nov 2026 10:00 EST", "2026-11-10T15:00:00Z"),
            ("10 Nov 26 10:00:00 PDT", "2026-11-10T17:00:00Z"),
            ("Tue, 10 Nov 2026 10:00:00 GMT+2", "2026-11-10T08:00:00Z"),
            ("Tue, 10 Nov 2026 10:00:00 +0000 (UTC)", "2026-11-10T10:00:00Z"),
            ("Tuesday, 10-Nov-26 10:00:00 GMT", "2026-11-10T10:00:00Z"),
            ("Tue Nov 10 10:00:00 2026", "2026-11-10T10:00:00Z"),
            ("Tue Nov 10 10:00:00 UTC 2026", "2026-11-10T10:00:00Z"),
            ("Tue Nov 10 10:00:00 +0100 2026", "2026-11-10T09:00:00Z"),
            ("November 10, 2026", "2026-11-10T00:00:00Z"),
            ("Nov. 10th, 2026 at 10:30 p.m. EST", "2026-11-11T03:30:00Z"),
            ("10-Nov-2026", "2026-11-10T00:00:00Z"),
            ("Di, 10 Nov 2026 10:00:00 +0100", "2026-11-10T09:00:00Z"),
            ("Dienstag, 10. März 2026", "2026-03-10T00:00:00Z"),
            ("mar., 10 nov. 2026 10:00:00 +0100", "2026-11-10T09:00:00Z"),
            ("mar, 10 mar 2026 10:00:00 +0100", "2026-03-10T09:00:00Z"),
            ("mardi 10 février 2026 10:00", "2026-02-10T10:00:00Z"),
            ("10 de enero de 2026", "2026-01-10T00:00:00Z"),
            ("martedì 10 luglio 2026", "2026-07-10T00:00:00Z"),
            ("вторник, 10 ноября 2026", "2026-11-10T00:00:00Z"),
            ("1794304800", "2026-11-10T10:00:00Z"),
            ("1794304800123", "2026-11-10T10:00:00.123Z"),
            ("Sat, 01 Jan 69 00:00:00 GMT", "1969-01-01T00:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_or_could_be_two_is_refused() {
        for text in [
            "",
            " ",
            "yesterday",
            "11/10/2026",
            "11/10/2026 10:00:00 AM",
            "10.11.26",
            "2026-13-01",
            "2026-00-10",
            "2026-02-30",
            "Tue, 31 Feb 2026 10:00:00 GMT",
            "2026-11-10T24:30:00Z",
            "2026-11-10T10:61:00Z",
            "2026-11-10T10:00:61Z",
            "2026-11-10T10:00:00+99:00",
            "2026-366",
            "2026-W54",
            "Tue, 10 Nov 2026 13:00 PM",
            "Tue, 10 Nov 2026 10:00:00 XYZT",
            "10 2026",
            "Nov",
            "1",
            "-2026-11-10",
            "0000000000000000",
            "99999999999999999999",
            "T10:00:00Z",
            "Nov Nov Nov",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn h_13_a_long_date_is_not_looked_at() {
        assert_eq!(at(&format!("Tue, 10 Nov 2026 10:00:00 GMT {}", "(".repeat(200_000))), None);
        assert_eq!(at(&"9".repeat(200_000)), None);
    }
}
