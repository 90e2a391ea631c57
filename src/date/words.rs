//! Dates with the month as a word: RFC 822 and its relatives, `asctime`, the American long form, in the languages of our feeds.

use jiff::civil::Date;

use super::{Wall, moment, numeric_zone, small, wall, zone};
use crate::model::time::Time;

/// How months begin in English, German, French, Spanish, Italian, Portuguese, Dutch and Russian, folded to lower case.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "ene", "gen", "янв"],
    &["feb", "fév", "fev", "фев"],
    &["mar", "mär", "mrz", "maa", "мар"],
    &["apr", "avr", "abr", "апр"],
    &["may", "mai", "mag", "mei", "май", "мая"],
    &["jun", "juin", "giu", "июн"],
    &["jul", "juil", "lug", "июл"],
    &["aug", "aoû", "aou", "ago", "авг"],
    &["sep", "set", "сен"],
    &["oct", "okt", "ott", "out", "окт"],
    &["nov", "ноя"],
    &["dec", "dez", "déc", "dic", "дек"],
];

/// What the words of a date have said so far.
#[derive(Default)]
struct Found {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    clock: Option<Wall>,
    afternoon: Option<bool>,
    ahead: Option<i32>,
}

/// The moment of a date whose month is a word.
pub(super) fn parse(text: &str) -> Option<Time> {
    let text = without_comment(text);
    let mut found = Found::default();
    for word in text.split(|one: char| one.is_whitespace() || one == ',') {
        found.take(word)?;
    }
    let day = Date::new(found.year?, found.month?, found.day?).ok()?;
    moment(day, found.wall()?, found.ahead.unwrap_or(0))
}

/// The text before a comment in parentheses (RFC 822 section 3.4.3).
fn without_comment(text: &str) -> &str {
    text.split_once('(').map_or(text, |(before, _)| before)
}

impl Found {
    fn take(&mut self, word: &str) -> Option<()> {
        let word = word.trim_end_matches(['.', ';']);
        match word.as_bytes().first() {
            None => Some(()),
            Some(b'+' | b'-') => self.take_zone(word),
            Some(first) if first.is_ascii_digit() => self.take_number(word),
            Some(_) => self.take_word(word),
        }
    }

    fn take_zone(&mut self, word: &str) -> Option<()> {
        if self.ahead.is_none_or(|ahead| ahead == 0) && word.len() > 1 {
            self.ahead = Some(numeric_zone(word)?);
        }
        Some(())
    }

    fn take_number(&mut self, word: &str) -> Option<()> {
        if word.contains(':') {
            return self.take_clock(word);
        }
        if word.contains('-') || word.contains('/') {
            return word.split(['-', '/']).try_for_each(|part| self.take(part));
        }
        let digits = word.trim_end_matches(|one: char| one.is_alphabetic());
        match (digits.len(), self.day, self.year) {
            (1 | 2, None, _) => self.day = Some(small(digits)?),
            (2, Some(_), None) => self.year = Some(century(i16::from(small(digits)?), 2)),
            (3, _, None) => self.year = Some(century(digits.parse().ok()?, 3)),
            (4, _, None) => self.year = Some(digits.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// `10:00`, `10:00:00Z`, `10:00:00+0100`, `10:00am`.
    fn take_clock(&mut self, word: &str) -> Option<()> {
        let end = word.find(|one: char| !(one.is_ascii_digit() || matches!(one, ':' | '.'))).unwrap_or(word.len());
        let (clock, rest) = word.split_at_checked(end)?;
        self.clock = Some(wall(clock.trim_end_matches('.'))?);
        self.take(rest)
    }

    fn take_word(&mut self, word: &str) -> Option<()> {
        let lower = word.to_lowercase();
        match lower.as_str() {
            "am" | "a.m" => self.afternoon = Some(false),
            "pm" | "p.m" => self.afternoon = Some(true),
            _ if self.month.is_none() && self.take_month(word, &lower).is_some() => {}
            _ if self.clock.is_some() => self.ahead = Some(zone(word)?),
            // A day of the week, `at`, `de`: nothing that counts.
            _ if lower.chars().all(|one| one.is_alphabetic() || one == '.') => {}
            _ => return None,
        }
        Some(())
    }

    fn take_month(&mut self, word: &str, lower: &str) -> Option<()> {
        // `Mar.` is March, but `mar.` before any number is a Tuesday in French, Spanish and Italian.
        let is_tuesday = matches!(lower, "mar" | "martes" | "mardi" | "martedì" | "maandag" | "ma")
            && self.day.is_none()
            && !word.starts_with('M');
        let (lower, rest) = lower.split_once(['-', '/']).unwrap_or((lower, ""));
        let number = MONTHS.iter().position(|names| names.iter().any(|name| lower.starts_with(name)))?;
        if is_tuesday || matches!(lower, "sett" | "domingo" | "maandag" | "mardi" | "martes" | "martedì") {
            return None;
        }
        self.month = i8::try_from(number + 1).ok();
        if rest.is_empty() { Some(()) } else { self.take_number(rest) }
    }

    fn wall(&self) -> Option<Wall> {
        let mut wall = self.clock.unwrap_or_default();
        match self.afternoon {
            Some(_) if !(1..=12).contains(&wall.hour) => return None,
            Some(false) if wall.hour == 12 => wall.hour = 0,
            Some(true) if wall.hour < 12 => wall.hour += 12,
            _ => {}
        }
        Some(wall)
    }
}

/// A short year made whole as RFC 2822 section 4.3 says.
fn century(year: i16, digits: usize) -> i16 {
    match (digits, year) {
        (2, 0..=49) => year + 2000,
        (4.., _) => year,
        _ => year + 1900,
    }
}
