//! ISO 8601 and RFC 3339: dates that begin with the year and are written in numbers.

use jiff::{SignedDuration, civil::Date};

use super::{Wall, moment, nanos, numeric_zone, small, wall, zone};
use crate::model::time::Time;

/// The moment of a date that begins with its year, in any of ISO's spellings and their common variations.
pub(super) fn parse(text: &str) -> Option<Time> {
    let split = text.find(|one: char| one == 'T' || one == 't' || one.is_whitespace()).unwrap_or(text.len());
    let (day, rest) = text.split_at_checked(split)?;
    let (day, trailing_zone) = day.strip_suffix('Z').map_or((day, false), |day| (day, true));
    let day = date(day)?;
    let rest = rest.trim_start_matches(|one: char| one == 'T' || one == 't' || one.is_whitespace());
    if rest.is_empty() || trailing_zone {
        return moment(day, Wall::default(), 0);
    }
    let (clock, ahead) = clock_and_zone(rest)?;
    moment(day, clock, ahead)
}

fn clock_and_zone(text: &str) -> Option<(Wall, i32)> {
    let end = text.find(|one: char| !(one.is_ascii_digit() || matches!(one, ':' | '.' | ','))).unwrap_or(text.len());
    let (clock, name) = text.split_at_checked(end)?;
    let clock = if clock.contains(':') { wall(clock)? } else { packed(clock)? };
    let name = name.trim();
    // A space before the number lost its plus sign on the way: `2026-11-10T10:00:00 01:00`.
    let ahead = match name {
        "" => 0,
        _ if name.starts_with(['+', '-']) => numeric_zone(name)?,
        _ if name.starts_with('[') => 0,
        _ => zone(name)?,
    };
    Some((clock, ahead))
}

/// `HHMMSS`, `HHMM` or `HH`.
fn packed(text: &str) -> Option<Wall> {
    let (digits, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(0), small);
    matches!(digits.len(), 2 | 4 | 6).then_some(())?;
    Some(Wall { hour: two(0)?, minute: two(2)?, second: two(4)?, nano: nanos(fraction)? })
}

fn date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    match parts.as_slice() {
        [year] if year.len() == 4 => Date::new(number(year)?, 1, 1).ok(),
        [packed] if packed.len() == 8 => {
            Date::new(number(packed.get(..4)?)?, small(packed.get(4..6)?)?, small(packed.get(6..)?)?).ok()
        }
        [packed] if packed.len() == 7 && !packed.contains('W') => ordinal(packed.get(..4)?, packed.get(4..)?),
        [packed] if packed.len() >= 7 => {
            week(packed.get(..4)?, packed.get(4..7)?, packed.get(7..).filter(|day| !day.is_empty()))
        }
        [year, week_no] if week_no.starts_with('W') => week(year, week_no, None),
        [year, week_no, day] if week_no.starts_with('W') => week(year, week_no, Some(day)),
        [year, day] if year.len() == 4 && day.len() == 3 => ordinal(year, day),
        [year, month] if year.len() == 4 => Date::new(number(year)?, small(month)?, 1).ok(),
        [year, month, day] if year.len() == 4 => Date::new(number(year)?, small(month)?, small(day)?).ok(),
        _ => None,
    }
}

fn number(digits: &str) -> Option<i16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn ordinal(year: &str, day: &str) -> Option<Date> {
    let (first, day) = (Date::new(number(year)?, 1, 1).ok()?, number(day)?);
    (1..=first.days_in_year()).contains(&day).then_some(())?;
    first.checked_add(SignedDuration::from_hours(24 * i64::from(day - 1))).ok()
}

fn week(year: &str, week_no: &str, day: Option<&str>) -> Option<Date> {
    let weekday = jiff::civil::Weekday::from_monday_one_offset(day.map_or(Some(1), small)?).ok()?;
    let number_of_week = small(week_no.strip_prefix('W')?)?;
    jiff::civil::ISOWeekDate::new(number(year)?, number_of_week, weekday).ok().map(jiff::civil::ISOWeekDate::date)
}
