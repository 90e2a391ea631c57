//! The place of a tag with its surroundings, short enough to show beside it.

/// The longest snippet, in characters, dots included.
const MAX: usize = 160;

/// The place `start..end` of a text with what stands around it, in one line, whole words where that is possible, cut with `…`.
pub(super) fn snippet(text: &str, start: usize, end: usize) -> String {
    let place = text.get(start..end).unwrap_or_default();
    let inside = words(place).chars().take(MAX - 2).collect::<String>();
    let room = MAX - 2 - inside.chars().count();
    // Half of the room goes in front, and what the front does not need goes behind.
    let front = tail(text.get(..start).unwrap_or_default(), room / 2);
    let behind = head(text.get(end..).unwrap_or_default(), room - front.chars().count().min(room));
    format!("{front}{inside}{behind}")
}

/// White space as single spaces; a space at an end stays one.
fn words(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

/// The last `room` characters, from a whole word on.
fn tail(text: &str, room: usize) -> String {
    let near = text.char_indices().rev().take(room * 2 + 1).last().map_or(0, |(at, _)| at);
    let words = words(text.get(near..).unwrap_or_default());
    let words = if near == 0 { words.trim_start() } else { &*words };
    let count = words.chars().count();
    if near == 0 && count <= room {
        return words.to_owned();
    }
    let cut: String = words.chars().skip(count.saturating_sub(room)).collect();
    let whole = cut.split_once(' ').map_or(cut.as_str(), |(_, rest)| rest);
    format!("…{whole}")
}

/// The first `room` characters, up to a whole word.
fn head(text: &str, room: usize) -> String {
    let near = text.char_indices().nth(room * 2).map_or(text.len(), |(at, _)| at);
    let words = words(text.get(..near).unwrap_or_default());
    let words = if near == text.len() { words.trim_end() } else { &*words };
    if near == text.len() && words.chars().count() <= room {
        return words.to_owned();
    }
    let cut: String = words.chars().take(room).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(rest, _)| rest);
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_shown_whole_in_one_line() {
        assert_eq!(snippet("A flaw in\n OpenSSL  today\n", 11, 18), "A flaw in OpenSSL today");
    }

    #[test]
    fn a_long_text_is_cut_at_words_around_the_place() {
        let text = format!("{} OpenSSL {}", "before ".repeat(80), "after ".repeat(80));
        let start = text.find("OpenSSL").unwrap();
        let shown = snippet(&text, start, start + 7);
        assert!(shown.starts_with("…before ") && shown.ends_with("after…") && shown.contains(" OpenSSL "), "{shown}");
        assert!(shown.chars().count() <= MAX && shown.chars().count() > MAX - 20);
    }

    #[test]
    fn nothing_makes_a_snippet_too_long() {
        for text in ["語".repeat(5000), "x".repeat(5000), " \n".repeat(5000), format!("{}語", " ".repeat(5000))] {
            for (start, end) in [(0, text.len()), (text.len(), text.len()), (0, 0), (3000, 3003)] {
                assert!(snippet(&text, start, end).chars().count() <= MAX);
            }
        }
    }
}
