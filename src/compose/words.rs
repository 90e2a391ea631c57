//! Small words that mail parts share: cleaned lines, cut texts, counts and moments. No sentences of the digest here.

use jiff::tz::TimeZone;

use crate::{model::time::Time, text::clean};

/// One clean line, whoever wrote it. Feed texts were cleaned when they were read; this makes it true of every text
/// that reaches a header or a page.
pub(crate) fn line(text: &str) -> String {
    clean(text, usize::MAX)
}

/// A clean line of at most `max` characters, cut between words where there are any.
pub(crate) fn cut(text: &str, max: usize) -> String {
    // One character more than is kept tells that there is more, two where the last is a space, which is taken off.
    let enough = if text.is_ascii() { max.saturating_add(2) } else { max.saturating_add(1).saturating_mul(4) };
    let line = clean(text, enough);
    if line.len() <= max || line.chars().count() <= max {
        return line;
    }
    let kept: String = line.chars().take(max.saturating_sub(1)).collect();
    let whole_words = kept.rsplit_once(' ').map_or("", |(words, _)| words);
    let kept = if whole_words.chars().count() * 3 >= max * 2 { whole_words } else { &kept };
    format!("{}…", kept.trim_end_matches([' ', ',', ';', ':', '.', '-']))
}

/// The text of a header in which nothing begins an encoded word (RFC 2047): a mail program would decode it into what was
/// cleaned away here.
pub(crate) fn unencoded(text: String) -> String {
    let mut text = text;
    while text.contains("=?") {
        text = text.replace("=?", "=");
    }
    text
}

/// `1 story`, `2 stories`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n as u64), if n == 1 { one } else { many })
}

/// A number with commas between the thousands: `48,230`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment in a zone, in the words of a pattern of `jiff::fmt::strtime`.
pub(crate) fn moment(time: Time, zone: &TimeZone, pattern: &str) -> String {
    jiff::fmt::strtime::format(pattern, &time.to_zoned(zone.clone())).unwrap_or_else(|_| time.to_string())
}

/// A day beside today: `3 Nov`, with its year where that is another one.
pub(crate) fn day(at: Time, now: Time, zone: &TimeZone) -> String {
    let same_year = at.to_zoned(zone.clone()).year() == now.to_zoned(zone.clone()).year();
    moment(at, zone, if same_year { "%-d %b" } else { "%-d %b %Y" })
}

/// A day of the past as one speaks of it: `Wed` within the last six days, else `Wed 4 Nov`, else with its year.
pub(crate) fn weekday(at: Time, now: Time, zone: &TimeZone) -> String {
    match days_ago(at, now, zone) {
        0 => format!("{} today", moment(at, zone, "%H:%M")),
        1..=6 => moment(at, zone, "%a"),
        _ => format!("{} {}", moment(at, zone, "%a"), day(at, now, zone)),
    }
}

/// How many midnights of a zone lie between a moment and now; negative: it is still to come.
pub(crate) fn days_ago(at: Time, now: Time, zone: &TimeZone) -> i32 {
    let (at, now) = (at.to_zoned(zone.clone()).date(), now.to_zoned(zone.clone()).date());
    (now - at).get_days()
}

/// `one`, `two`, ... as words, above nine in digits.
pub(crate) fn spelled(n: usize) -> String {
    const WORDS: [&str; 10] = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(n).map_or_else(|| grouped(n as u64), |word| (*word).to_owned())
}

/// Names in a row, at most so many, then how many more there are.
pub(crate) fn row(names: &[String], most: usize) -> String {
    let shown = names.get(..most).unwrap_or(names).join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}, and {} more", grouped(more as u64)),
    }
}

/// The zone's name, or its offset where it has none.
pub(crate) fn zone_name(time: Time, zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => moment(time, zone, "UTC%:z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_nothing_that_breaks_or_turns_it() {
        assert_eq!(line(" a\r\nBcc: b\u{0}\u{85}c\u{2028}d\u{202e}e\u{200b}f\u{e0041} "), "a Bcc: b c def");
    }

    #[test]
    fn a_cut_text_ends_between_words_and_within_its_bound() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("one two three, four five", 16), "one two three…");
        assert_eq!(cut(&"x".repeat(50), 10), format!("{}…", "x".repeat(9)));
        assert!(cut("ä, ö ".repeat(100).as_str(), 60).chars().count() <= 60);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(48_230), "48,230");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }
}
