//! The one normalisation of terms and texts, with a way back: NFKC, small letters, one kind of space and one kind of
//! hyphen. What a token is does not belong here.

use unicode_normalization::{IsNormalized, UnicodeNormalization, char::is_combining_mark, is_nfkc_quick};

/// Where the folded and the original text drift apart. From `folded` on, the original goes on at `original`: byte by byte when
/// `is_even`, else as one piece that has another length.
#[derive(Debug, Clone, Copy)]
struct Drift {
    folded: usize,
    original: usize,
    is_even: bool,
}

/// A folded text and its way back. Keeps its memory from text to text.
#[derive(Debug, Default)]
pub(super) struct Folded {
    text: String,
    drifts: Vec<Drift>,
}

/// A phrase as it is searched in folded text.
pub(super) fn folded_phrase(phrase: &str) -> String {
    let mut folded = Folded::default();
    folded.take(phrase, true);
    folded.text.trim().to_owned()
}

/// A phrase folded in everything but its case.
pub(super) fn cased_phrase(phrase: &str) -> String {
    let mut folded = Folded::default();
    folded.take(phrase, false);
    folded.text.trim().to_owned()
}

impl Folded {
    /// Folds a text; what was folded before is forgotten.
    pub(super) fn fold(&mut self, original: &str) {
        self.take(original, true);
    }

    /// The folded text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a match that begins here begins in the original.
    pub(super) fn start(&self, folded: usize) -> usize {
        let next = self.drifts.partition_point(|drift| drift.folded <= folded);
        match next.checked_sub(1).and_then(|last| self.drifts.get(last)) {
            None => folded,
            Some(drift) if drift.is_even => drift.original + (folded - drift.folded),
            Some(drift) => drift.original,
        }
    }

    /// Where a match that ends before this place ends in the original.
    pub(super) fn end(&self, folded: usize) -> usize {
        let next = self.drifts.partition_point(|drift| drift.folded < folded);
        match next.checked_sub(1).and_then(|last| self.drifts.get(last)) {
            None => folded,
            Some(drift) if drift.is_even => drift.original + (folded - drift.folded),
            Some(drift) => self.drifts.get(next).map_or(drift.original, |after| after.original),
        }
    }

    fn take(&mut self, original: &str, is_lowered: bool) {
        self.text.clear();
        self.drifts.clear();
        self.text.reserve(original.len());
        let mut at = 0;
        while let Some(rest) = original.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = plain_run(rest);
            if plain > 0 {
                self.push_plain(rest.get(..plain).unwrap_or_default(), is_lowered);
                at += plain;
                continue;
            }
            at += self.push_piece(at, rest, is_lowered);
        }
    }

    /// Plain ASCII: as long as before, so it needs no way back.
    fn push_plain(&mut self, run: &str, is_lowered: bool) {
        let from = self.text.len();
        self.text.push_str(run);
        if is_lowered && let Some(added) = self.text.get_mut(from..) {
            added.make_ascii_lowercase();
        }
    }

    /// White space, or one character with what is attached to it. Gives its length in the original.
    fn push_piece(&mut self, at: usize, rest: &str, is_lowered: bool) -> usize {
        let from = self.text.len();
        let white = rest.len() - rest.trim_start_matches(is_white).len();
        if white > 0 {
            if !rest.get(..white).unwrap_or_default().chars().all(is_invisible) {
                self.text.push(' ');
            }
            self.drift(from, at, white);
            return white;
        }
        let length = piece(rest);
        let text = rest.get(..length).unwrap_or_default();
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) if is_nfkc_quick(std::iter::once(only)) == IsNormalized::Yes => {
                self.push_char(only, is_lowered);
            }
            // Small letters compose with marks that capitals do not, so they come first.
            _ if is_lowered => {
                text.chars().flat_map(char::to_lowercase).nfkc().for_each(|c| self.push_char(c, is_lowered));
            }
            _ => text.nfkc().for_each(|c| self.push_char(c, is_lowered)),
        }
        self.drift(from, at, length);
        length
    }

    fn push_char(&mut self, c: char, is_lowered: bool) {
        match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => self.text.push('-'),
            '\u{2018}' | '\u{2019}' => self.text.push('\''),
            'ς' | 'Σ' if is_lowered => self.text.push('σ'),
            _ if is_lowered => self.text.extend(c.to_lowercase()),
            _ => self.text.push(c),
        }
    }

    /// Notes a piece that is not one character of the same length.
    fn drift(&mut self, folded: usize, original: usize, length: usize) {
        let became = self.text.get(folded..).unwrap_or_default();
        if became.len() == length && became.chars().nth(1).is_none() {
            return;
        }
        self.drifts.pop_if(|last| last.folded == folded && last.is_even);
        self.drifts.push(Drift { folded, original, is_even: false });
        self.drifts.push(Drift { folded: self.text.len(), original: original + length, is_even: true });
    }
}

/// How many bytes at the front are ASCII that folds to the same length: no white space but single spaces, and nothing that a
/// combining mark follows.
fn plain_run(rest: &str) -> usize {
    let mut was_space = false;
    let mut length = 0;
    for byte in rest.bytes() {
        let is_space = byte == b' ';
        if !(0x20..0x7F).contains(&byte) || (is_space && was_space) {
            break;
        }
        was_space = is_space;
        length += 1;
    }
    let goes_on = rest.get(length..).and_then(|after| after.chars().next());
    let is_drawn_in = goes_on.is_some_and(|c| if was_space { is_white(c) } else { is_attached(c) });
    if length > 0 && is_drawn_in { length - 1 } else { length }
}

/// The length of the first character and of everything that may combine with it.
fn piece(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    chars.next();
    chars.find(|(_, c)| !is_attached(*c)).map_or(rest.len(), |(at, _)| at)
}

/// Whether the character may combine with the one before it under NFKC.
fn is_attached(c: char) -> bool {
    !c.is_ascii() && (is_combining_mark(c) || matches!(c, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}'))
}

/// White space, and what takes no space at all.
fn is_white(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Characters that are not seen and part nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> Folded {
        let mut folded = Folded::default();
        folded.fold(text);
        folded
    }

    /// Where the first occurrence of a needle in the folded text lies in the original.
    fn place<'a>(original: &'a str, needle: &str) -> Option<&'a str> {
        let folded = folded(original);
        let at = folded.text().find(needle)?;
        original.get(folded.start(at)..folded.end(at + needle.len()))
    }

    #[test]
    fn case_width_ligatures_spaces_and_dashes_fold_and_lead_back() {
        assert_eq!(place("Das OpenSSL-Leck", "openssl-leck"), Some("OpenSSL-Leck"));
        assert_eq!(place("ＯｐｅｎＳＳＬ の", "openssl"), Some("ＯｐｅｎＳＳＬ"));
        assert_eq!(place("the oﬃce suite", "office"), Some("oﬃce"));
        assert_eq!(place("a  prompt\n\t injection b", "prompt injection"), Some("prompt\n\t injection"));
        assert_eq!(place("a prompt\u{a0}injection", "prompt injection"), Some("prompt\u{a0}injection"));
        assert_eq!(place("node\u{2011}js x", "node-js"), Some("node\u{2011}js"));
        assert_eq!(place("cafe\u{301} x", "café"), Some("cafe\u{301}"));
        assert_eq!(place("Open\u{ad}SSL x", "openssl"), Some("Open\u{ad}SSL"));
        assert_eq!(place("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"), Some("ΟΔΥΣΣΕΥΣ"));
        assert_eq!(place("ｶﾞ x", "ガ"), Some("ｶﾞ"));
    }

    #[test]
    fn plain_text_needs_no_way_back() {
        let text = "The OpenSSL project has released 3.0.17, a security fix.";
        let folded = folded(text);
        assert!(folded.drifts.is_empty());
        assert_eq!(folded.text(), text.to_lowercase());
    }

    proptest! {
        #[test]
        fn every_place_leads_back_to_whole_characters_in_order(text in "\\PC{0,60}|[a-cA-C \\n\u{301}ﬁİßé語\u{ad}\u{a0}]{0,60}") {
            let folded = folded(&text);
            let mut last = 0;
            for (at, c) in folded.text().char_indices() {
                let start = folded.start(at);
                let end = folded.end(at + c.len_utf8());
                prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
                prop_assert!(last <= start && start <= end && end <= text.len());
                last = start;
            }
        }

        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = folded_phrase(&text);
            prop_assert_eq!(folded_phrase(&once), once);
        }
    }
}
