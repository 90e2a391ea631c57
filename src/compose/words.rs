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
    let line = clean(text, max.saturating_add(1).saturating_mul(4));
    if line.chars().count() <= max {
        return line;
    }
    let kept: String = line.chars().take(max.saturating_sub(1)).collect();
    let whole_words = kept.rsplit_once(' ').map_or("", |(words, _)| words);
    let kept = if whole_words.chars().count() * 3 >= max * 2 { whole_words } else { &kept };
    format!("{}…", kept.trim_end_matches([' ', ',', ';', ':', '.', '-']))
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
