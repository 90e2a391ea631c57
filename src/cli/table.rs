//! Aligned tables without lines, moments and durations as people read them.

use std::io::IsTerminal as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::{SignedDuration, tz::TimeZone};

use crate::model::time::Time;

/// A table with these headings; on a terminal no wider than it, elsewhere uncut.
pub fn table(headings: &[&str], width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The width of the terminal that standard output is, in columns; `None`: it is none, and nothing is cut or wrapped.
pub fn width() -> Option<u16> {
    let stdout = std::io::stdout();
    stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout).map_or(80, |(width, _)| width.0))
}

/// The table as text: no blanks at line ends, one line end at the last.
pub fn rendered(table: &Table) -> String {
    let mut text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    if text.is_empty() {
        text.push('\n');
    }
    text
}

/// A moment near now: the hour when it is today, else the day, else the day and year.
pub fn moment(time: Time, now: Time, zone: &TimeZone) -> String {
    let (at, today) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if at.date() == today.date() {
        at.strftime("%H:%M").to_string()
    } else if at.year() == today.year() {
        at.strftime("%-d %b").to_string()
    } else {
        at.strftime("%-d %b %Y").to_string()
    }
}

/// A stretch of time in its two largest units: `2 d 3 h`, `26 min`, `6.1 s`.
pub fn stretch(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{:.1} s", duration.as_secs_f64()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `1 entry`, `2 entries`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_wider_than_its_terminal_and_loses_no_word() {
        let words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
        for width in [40, 60, 80] {
            let mut shown = table(&["STORY", "TITLE", "OWNERS"], Some(width));
            shown.add_row(["1", words, "maria, head-of-engineering"]);
            let text = rendered(&shown);
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}:\n{text}");
            assert!(words.split(' ').all(|word| text.contains(word)), "{width}:\n{text}");
        }
        let mut uncut = table(&["STORY", "TITLE"], None);
        uncut.add_row(["1", words]);
        assert_eq!(rendered(&uncut).lines().nth(1), Some(format!("1      {words}").as_str()));
    }
}
