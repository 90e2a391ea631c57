//! When digests go: five-field cron with weekday names, read in an owner's time zone (croner, Vixie rules).
//! No clock here: the moment to look from is an argument.

use std::{fmt, ops::Range};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

use crate::model::time::Time;

/// A schedule such as `0 8 * * MON-FRI`: minute, hour, day of month, month, weekday.
///
/// A day matches when either of day of month and weekday does, where both are named (as in Vixie cron). A run
/// in an hour that a zone skips takes place right after the gap; one in an hour that comes twice takes place
/// once, unless minute or hour is a wildcard or step.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
}

/// What is wrong with a schedule's text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    /// What is to be said beside that place.
    pub label: String,
    /// What to write.
    pub hint: String,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.message, self.label, self.hint)
    }
}

impl std::error::Error for ScheduleError {}

impl Schedule {
    /// Reads a schedule; every refusal names the place and what to write there.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let words = words(text);
        let [minute, hour, day, month, weekday] = words.as_slice() else {
            return Err(wrong_count(text, &words));
        };
        for (kind, word) in
            [Kind::Minute, Kind::Hour, Kind::Day, Kind::Month].into_iter().zip([minute, hour, day, month])
        {
            judge_field(kind, word)?;
        }
        judge_weekday(weekday)?;
        let whole = || Word { text, start: 0 };
        let cron = parser().parse(text).map_err(|error| {
            whole().wrong("invalid schedule", error.to_string(), "write five fields, such as \"0 8 * * MON-FRI\"")
        })?;
        let schedule = Schedule { cron };
        if schedule.next_after(&TimeZone::UTC, Timestamp::UNIX_EPOCH).is_none() {
            let place = Word { text: text.get(day.start..month.end()).unwrap_or_default(), start: day.start };
            return Err(place.wrong(
                "a schedule that never runs",
                "no year has such a day".to_owned(),
                "name a day that the month has; `L` is its last day",
            ));
        }
        Ok(schedule)
    }

    /// The first run strictly after a moment, on the clocks of a zone; `None` where none is left.
    pub fn next_after(&self, zone: &TimeZone, after: Time) -> Option<Time> {
        let next = self.cron.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?.timestamp();
        (next > after).then_some(next)
    }
}

const WEEKDAYS: [(&str, &str); 7] = [
    ("SUN", "Sunday"),
    ("MON", "Monday"),
    ("TUE", "Tuesday"),
    ("WED", "Wednesday"),
    ("THU", "Thursday"),
    ("FRI", "Friday"),
    ("SAT", "Saturday"),
];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

#[derive(Debug, Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    start: usize,
}

impl Word<'_> {
    fn end(self) -> usize {
        self.start + self.text.len()
    }

    fn wrong(self, message: &str, label: String, hint: &str) -> ScheduleError {
        ScheduleError { message: message.to_owned(), span: self.start..self.end(), label, hint: hint.to_owned() }
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut from = 0;
    for word in text.split_whitespace() {
        let start = text.get(from..).and_then(|rest| rest.find(word)).map_or(from, |at| from + at);
        from = start + word.len();
        words.push(Word { text: word, start });
    }
    words
}

fn wrong_count(text: &str, words: &[Word<'_>]) -> ScheduleError {
    let whole = Word { text, start: 0 };
    if let Some(nickname) = words.first().filter(|word| word.text.starts_with('@')) {
        let meant = match nickname.text.to_ascii_lowercase().as_str() {
            "@hourly" => "0 * * * *",
            "@weekly" => "0 8 * * MON",
            "@monthly" => "0 8 1 * *",
            "@yearly" | "@annually" => "0 8 1 JAN *",
            _ => "0 8 * * *",
        };
        return nickname.wrong("a nickname in a schedule", "no five fields".into(), &format!("write \"{meant}\""));
    }
    let hint = if words.len() == 6 {
        "leave out the seconds: minute, hour, day of month, month, weekday"
    } else {
        "write minute, hour, day of month, month and weekday, such as \"0 8 * * MON-FRI\""
    };
    let label = match words.len() {
        0 => "no field at all".to_owned(),
        1 => "1 field".to_owned(),
        count => format!("{count} fields"),
    };
    whole.wrong("a schedule needs five fields", label, hint)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Minute,
    Hour,
    Day,
    Month,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Minute => "minute",
            Kind::Hour => "hour",
            Kind::Day => "day of month",
            Kind::Month => "month",
        }
    }

    fn range(self) -> &'static str {
        match self {
            Kind::Minute => "0 to 59",
            Kind::Hour => "0 to 23",
            Kind::Day => "1 to 31, or L",
            Kind::Month => "1 to 12, or JAN to DEC",
        }
    }

    /// A schedule in which only this field says anything.
    fn probe(self, field: &str) -> String {
        match self {
            Kind::Minute => format!("{field} * * * *"),
            Kind::Hour => format!("* {field} * * *"),
            Kind::Day => format!("* * {field} * *"),
            Kind::Month => format!("* * * {field} *"),
        }
    }

    /// Whether a run of letters may stand in this field: croner would read names in any of them.
    fn knows(self, letters: &str) -> bool {
        match self {
            Kind::Minute | Kind::Hour => false,
            Kind::Day => matches!(letters, "L" | "W" | "LW"),
            Kind::Month => MONTHS.contains(&letters),
        }
    }
}

fn judge_field(kind: Kind, word: &Word<'_>) -> Result<(), ScheduleError> {
    let upper = word.text.to_ascii_uppercase();
    let letters_known = upper
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|letters| !letters.is_empty())
        .all(|letters| kind.knows(letters));
    let parts_full = upper.split(',').all(|part| !part.is_empty());
    if letters_known && parts_full && parser().parse(&kind.probe(&upper)).is_ok() {
        return Ok(());
    }
    Err(word.wrong(
        &format!("invalid {} `{}` in a schedule", kind.word(), word.text),
        format!("a {} is {}", kind.word(), kind.range()),
        "write a number, `*`, a list `1,3`, a range `1-5` or a step `*/15`",
    ))
}

fn judge_weekday(word: &Word<'_>) -> Result<(), ScheduleError> {
    let upper = word.text.to_ascii_uppercase();
    if matches!(upper.as_str(), "*" | "?") {
        return Ok(());
    }
    let parts = || upper.split(',');
    if parts().all(is_weekday_part) {
        return Ok(());
    }
    if parts().any(|part| part.split(['-', '#', '/']).next().is_some_and(|first| first.parse::<u8>().is_ok())) {
        return Err(weekday_number(word, &upper));
    }
    Err(word.wrong(
        &format!("invalid weekday `{}` in a schedule", word.text),
        "weekdays are MON, TUE, WED, THU, FRI, SAT, SUN".into(),
        &weekday_hint(&upper),
    ))
}

fn is_weekday_part(part: &str) -> bool {
    if let Some((first, last)) = part.split_once('-') {
        // Sunday ends a week that begins before it; croner reads a range that runs backwards as an error.
        return match (weekday_number_of(first), weekday_number_of(last)) {
            (Some(first), Some(last)) => first < if last == 0 { 7 } else { last },
            _ => false,
        };
    }
    let (name, nth) = part.split_once('#').map_or((part, None), |(name, nth)| (name, Some(nth)));
    weekday_number_of(name).is_some() && nth.is_none_or(|nth| matches!(nth, "1" | "2" | "3" | "4" | "5" | "L"))
}

fn weekday_number_of(name: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|(short, _)| *short == name)
}

fn weekday_hint(upper: &str) -> String {
    if let Some((first, last)) = upper.split_once('-')
        && let (Some(first), Some(last)) = (weekday_number_of(first), weekday_number_of(last))
    {
        let run = if last >= first { last - first } else { last + 7 - first };
        let names = WEEKDAYS.iter().cycle().skip(first).take(run + 1).map(|(short, _)| *short);
        return format!("write \"{}\"", names.collect::<Vec<_>>().join(","));
    }
    let mut meant = upper.to_owned();
    for (short, long) in WEEKDAYS {
        meant = meant.replace(&long.to_ascii_uppercase(), short);
    }
    if meant != upper && meant.split(',').all(is_weekday_part) {
        return format!("write \"{meant}\"");
    }
    "write names: MON-FRI, MON,THU or FRI#1 for the first Friday".into()
}

/// Cron counts from Sunday as 0; some schedulers count from Sunday as 1. Both readings are shown.
fn weekday_number(word: &Word<'_>, upper: &str) -> ScheduleError {
    let readings = [0, 1].map(|first| weekday_reading(upper, first));
    let (label, hint) = match readings {
        [Some(cron), Some(other)] => {
            (format!("{}, or {}?", long_names(&cron), long_names(&other)), format!("write {cron} or {other}"))
        }
        [Some(only), None] | [None, Some(only)] => (
            format!("{}? numbers are read differently from place to place", long_names(&only)),
            format!("write {only}"),
        ),
        [None, None] => ("no such weekday".to_owned(), "write names, such as MON-FRI".to_owned()),
    };
    word.wrong("weekday number in a schedule", label, &hint)
}

/// The field with names for its numbers, where `first` is Sunday.
fn weekday_reading(upper: &str, first: usize) -> Option<String> {
    let mut reading = String::new();
    for (index, part) in upper.split(',').enumerate() {
        if index > 0 {
            reading.push(',');
        }
        let (range, nth) = part.find(['#', '/']).map_or((part, ""), |at| part.split_at(at));
        for (index, end) in range.split('-').enumerate() {
            if index > 0 {
                reading.push('-');
            }
            match end.parse::<usize>() {
                Ok(number) => {
                    let number = number.checked_sub(first).filter(|number| *number <= 7 - first)?;
                    reading.push_str(WEEKDAYS.get(number % 7)?.0);
                }
                Err(_) => reading.push_str(end),
            }
        }
        reading.push_str(nth);
    }
    Some(reading)
}

fn long_names(reading: &str) -> String {
    let mut long = reading.replace('-', " to ").replace(',', ", ");
    for (short, name) in WEEKDAYS {
        long = long.replace(short, name);
    }
    long
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a known zone")
    }

    fn runs(text: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(text).expect("a good schedule");
        let zone = zone(zone_name);
        let mut at: Time = after.parse().expect("a moment");
        (0..count)
            .map(|_| {
                at = schedule.next_after(&zone, at).expect("a next run");
                at.to_string()
            })
            .collect()
    }

    fn refusal(text: &str) -> ScheduleError {
        Schedule::parse(text).expect_err("a refusal")
    }

    #[test]
    fn the_next_run_is_strictly_later_and_at_the_owners_hour() {
        assert_eq!(
            runs("0 8 * * MON-FRI", "Europe/London", "2026-11-20T08:00:00Z", 2),
            ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"]
        );
        assert_eq!(runs("0 8 * * *", "Europe/Berlin", "2026-07-01T05:59:59.5Z", 1), ["2026-07-01T06:00:00Z"]);
    }

    #[test]
    fn an_hour_that_a_zone_skips_is_made_up_for_right_after_the_gap() {
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2),
            ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
        );
        assert_eq!(runs("0 0 * * *", "America/Santiago", "2026-09-06T00:00:00Z", 1), ["2026-09-06T04:00:00Z"]);
    }

    #[test]
    fn an_hour_that_comes_twice_gives_one_run() {
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn weekday_numbers_are_refused_with_both_readings() {
        let error = refusal("0 8 * * 1-5");
        assert_eq!(error.span, 8..11);
        assert_eq!(error.message, "weekday number in a schedule");
        assert_eq!(error.label, "Monday to Friday, or Sunday to Thursday?");
        assert_eq!(error.hint, "write MON-FRI or SUN-THU");
        assert_eq!(refusal("0 8 * * 1").hint, "write MON or SUN");
        assert_eq!(refusal("0 8 * * 7").hint, "write SUN or SAT");
        assert_eq!(refusal("0 8 * * 0").hint, "write SUN");
        assert_eq!(refusal("0 8 * * 1,3,5").hint, "write MON,WED,FRI or SUN,TUE,THU");
        assert_eq!(refusal("0 8 * * 9").label, "no such weekday");
    }

    #[test]
    fn names_are_read_in_any_case_and_with_their_place_in_the_month() {
        for good in ["0 8 * * mon", "0 8 * * SAT-SUN", "0 8 * * SUN-THU", "0 8 * * FRI#1", "0 8 * * FRI#L", "0 8 L * *"]
        {
            assert!(Schedule::parse(good).is_ok(), "{good}");
        }
        assert_eq!(runs("0 8 * * FRI#L", "UTC", "2026-11-01T00:00:00Z", 1), ["2026-11-27T08:00:00Z"]);
        assert_eq!(runs("0 8 * jan,jul MON", "UTC", "2026-11-01T00:00:00Z", 1), ["2027-01-04T08:00:00Z"]);
    }

    #[test]
    fn every_refusal_names_its_field() {
        for (text, start, message) in [
            ("60 8 * * *", 0, "invalid minute `60` in a schedule"),
            ("0 25 * * *", 2, "invalid hour `25` in a schedule"),
            ("0 MON * * *", 2, "invalid hour `MON` in a schedule"),
            ("0  8 32 * *", 5, "invalid day of month `32` in a schedule"),
            ("0 8 * 13 *", 6, "invalid month `13` in a schedule"),
            ("0 8, * * *", 2, "invalid hour `8,` in a schedule"),
            ("*/0 8 * * *", 0, "invalid minute `*/0` in a schedule"),
            ("0 8 * * FUN", 8, "invalid weekday `FUN` in a schedule"),
            ("0 8 * * MON,", 8, "invalid weekday `MON,` in a schedule"),
            ("0 8 30 2 *", 4, "a schedule that never runs"),
            ("0 8 31 FEB,APR *", 4, "a schedule that never runs"),
        ] {
            let error = refusal(text);
            assert_eq!((error.span.start, error.message.as_str()), (start, message), "{text}");
        }
        assert_eq!(refusal("0 8 * * Monday").hint, "write \"MON\"");
        assert_eq!(refusal("0 8 * * FRI-MON").hint, "write \"FRI,SAT,SUN,MON\"");
    }

    #[test]
    fn five_fields_are_asked_for_in_words() {
        assert_eq!(refusal("").label, "no field at all");
        assert_eq!(refusal("0 8 * *").label, "4 fields");
        assert!(refusal("0 0 8 * * MON").hint.starts_with("leave out the seconds"));
        assert_eq!(refusal("@hourly").hint, "write \"0 * * * *\"");
    }
}
