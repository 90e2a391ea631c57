//! The difference of two texts, word by word and within bounds, and whether one is the other rewritten.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The most words that are compared one by one, after those that both texts begin and end with.
const MAX_WORDS: usize = 300;
/// The most words that are counted to find out whether a text was rewritten.
const MAX_COUNTED: usize = 5_000;
/// The words that are shown around a changed passage.
const CONTEXT: usize = 4;
/// The longest side of a passage, in characters.
const MAX_SIDE: usize = 220;
/// The most characters of all passages.
const MAX_SHOWN: usize = 600;
/// The longest word that is shown, in characters: the longest of real ones are addresses.
const MAX_WORD: usize = 80;
/// A text is not rewritten by fewer new words than this.
const MIN_NEW_WORDS: usize = 5;

/// A passage of a text that changed, with a few words around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// What stood there; empty: nothing.
    pub was: String,
    /// What stands there; empty: nothing.
    pub is: String,
}

impl Passage {
    /// The passage in one line for people.
    pub(super) fn line(&self) -> Option<String> {
        match (self.was.as_str(), self.is.as_str()) {
            ("", "") => None,
            ("", is) => Some(format!("New: \"{is}\"")),
            (was, "") => Some(format!("Gone: \"{was}\"")),
            (was, is) => Some(format!("Was \"{was}\", is \"{is}\"")),
        }
    }
}

/// The changed passages that are kept, and how many more there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) passages: Vec<Passage>,
    pub(super) more: usize,
}

/// A stretch of words that was replaced: places in the old text and in the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hunk {
    old: (usize, usize),
    new: (usize, usize),
}

/// The difference of two texts.
pub(super) fn difference(was: &str, is: &str) -> Difference {
    let (old, new): (Vec<&str>, Vec<&str>) = (was.split_whitespace().collect(), is.split_whitespace().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let middle = |words: &[&str]| (head, (words.len() - tail).min(head + MAX_WORDS));
    let (of_old, of_new) = (middle(&old), middle(&new));
    let between =
        hunks(old.get(of_old.0..of_old.1).unwrap_or_default(), new.get(of_new.0..of_new.1).unwrap_or_default());
    let mut found = Difference::default();
    let mut shown = 0;
    for hunk in between {
        let passage = passage(&old, &new, hunk, head);
        shown += passage.was.chars().count() + passage.is.chars().count();
        if shown > MAX_SHOWN && !found.passages.is_empty() {
            found.more += 1;
        } else {
            found.passages.push(passage);
        }
    }
    let is_cut = old.len() - tail > of_old.1 || new.len() - tail > of_new.1;
    found.more += usize::from(is_cut);
    found
}

/// The stretches that differ, close ones joined, by the longest common sequence of words.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let width = new.len() + 1;
    let mut common = vec![0_u16; (old.len() + 1) * width];
    let at = |common: &[u16], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let best = if old.get(i) == new.get(j) {
                at(&common, i + 1, j + 1).saturating_add(1)
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let mut found: Vec<Hunk> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old.get(i) == new.get(j) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let (from_old, from_new) = (i, j);
        if j >= new.len() || (i < old.len() && at(&common, i + 1, j) >= at(&common, i, j + 1)) {
            i += 1;
        } else {
            j += 1;
        }
        match found.last_mut() {
            Some(last) if from_old - last.old.1 <= CONTEXT && from_new - last.new.1 <= CONTEXT => {
                (last.old.1, last.new.1) = (i, j);
            }
            _ => found.push(Hunk { old: (from_old, i), new: (from_new, j) }),
        }
    }
    found
}

/// The words of a stretch with those around it; a side without words of its own is empty.
fn passage(old: &[&str], new: &[&str], hunk: Hunk, head: usize) -> Passage {
    let side = |words: &[&str], (from, to): (usize, usize)| {
        if from == to {
            return String::new();
        }
        let (from, to) = (from + head, to + head);
        let (first, last) = (from.saturating_sub(CONTEXT), (to + CONTEXT).min(words.len()));
        let mut side = if first > 0 { "... ".to_owned() } else { String::new() };
        for word in words.get(first..last).unwrap_or_default() {
            if side.chars().count() > MAX_SIDE {
                break;
            }
            side.extend(word.chars().take(MAX_WORD));
            side.push(' ');
        }
        if side.chars().count() > MAX_SIDE || last < words.len() {
            side.push_str("...");
        }
        side.trim_end().to_owned()
    };
    Passage { was: side(old, hunk.old), is: side(new, hunk.new) }
}

/// Whether most of the old text is gone and most of the new one is new, wherever the words stand.
pub(super) fn is_rewritten(was: &str, is: &str) -> bool {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut old = 0;
    for word in spoken(was) {
        *counts.entry(word).or_default() += 1;
        old += 1;
    }
    let (mut new, mut kept) = (0, 0);
    for word in spoken(is) {
        new += 1;
        if let Some(left) = counts.get_mut(&word).filter(|left| **left > 0) {
            *left -= 1;
            kept += 1;
        }
    }
    old > 0 && new - kept >= MIN_NEW_WORDS && kept * 2 < old && kept * 2 < new
}

/// The words of a text in lower case, without what stands around them.
fn spoken(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(MAX_COUNTED).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(was: &str, is: &str) -> Vec<String> {
        difference(was, is).passages.iter().filter_map(Passage::line).collect()
    }

    #[test]
    fn a_changed_word_is_shown_with_what_stands_around_it() {
        assert_eq!(
            lines("All versions before 9.1.3 of it are affected.", "All versions before 9.1.4 of it are affected."),
            [
                "Was \"All versions before 9.1.3 of it are affected.\", is \"All versions before 9.1.4 of it are affected.\""
            ]
        );
        assert_eq!(
            lines("a b c d e f g h i j k l m", "a b c d e f X h i j k l m"),
            ["Was \"... c d e f g h i j k ...\", is \"... c d e f X h i j k ...\""]
        );
    }

    #[test]
    fn what_came_and_what_went_are_told_apart() {
        assert_eq!(lines("one two", "one two three"), ["New: \"one two three\""]);
        assert_eq!(lines("one two three", "one two"), ["Gone: \"one two three\""]);
        assert_eq!(lines("", "text"), ["New: \"text\""]);
        assert_eq!(lines("same \n text", "same text"), Vec::<String>::new());
    }

    #[test]
    fn passages_far_from_each_other_are_two_and_close_ones_are_one() {
        let was = "a b c d e f g h i j k l m n";
        assert_eq!(lines(was, "a X c d e f g h i j k l Y n").len(), 2);
        assert_eq!(lines(was, "a X c d Y f g h i j k l m n").len(), 1);
    }

    #[test]
    fn a_difference_stays_within_its_bounds() {
        let long = |word: &str| format!("{word} ").repeat(50_000);
        let found = difference(&long("old"), &long("new"));
        let shown: usize = found.passages.iter().map(|one| one.was.len() + one.is.len()).sum();
        assert!(shown <= 700, "{shown}");
        assert_eq!(found.more, 1);
        let many =
            |mark: &str| (0..200).map(|n| format!("{n} {n} {n} {n} {n} {n} {mark}{n}")).collect::<Vec<_>>().join(" ");
        let found = difference(&many("a"), &many("b"));
        assert!(found.passages.len() < 20 && found.more > 10, "{found:?}");
        let endless = "x".repeat(60_000);
        assert!(lines("", &endless)[0].len() < 300);
    }

    #[test]
    fn a_text_is_rewritten_when_most_of_it_is_gone_and_most_of_it_is_new() {
        let first = "A flaw in the parser lets anybody in. Update to 9.1.4 soon.";
        assert!(is_rewritten(
            first,
            "Disregard the previous notice: the product ends its life and gets no more patches."
        ));
        assert!(is_rewritten("Text.", "All supported versions are affected after all."));
        assert!(!is_rewritten(
            first,
            "A flaw in the parser lets anybody in. Update to 9.1.5 at once, please, everybody."
        ));
        assert!(!is_rewritten(
            first,
            &format!("{first} Much more was found out since then. {}", "And more. ".repeat(50))
        ));
        assert!(!is_rewritten("Text.", "Another one."), "a few words are no rewriting");
        assert!(!is_rewritten("", "a text where there was none at all"));
        assert!(!is_rewritten(first, &first.to_uppercase()));
    }
}
