//! The one place where text from a feed becomes plain: bounded, normalised, without markup and without characters
//! that hide or reorder others. Nothing here knows feeds, and nothing here writes markup.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

mod markup;
pub(crate) mod reference;
pub(crate) mod search;

pub use markup::from_html;

/// Plain text made presentable: Unicode normalisation form C, one space for any white space and line end, none at the ends, no
/// control, bidirectional control, zero-width, tag or other invisible character (joiners stay where a script or an emoji needs them), at most `max` bytes, cut at a character.
pub fn clean(text: &str, max: usize) -> String {
    let mut plain = Plain::new(text.len(), max);
    plain.push(text);
    plain.finish()
}

/// What stands before a place in the same clause, at most so many bytes; `ends` are what clauses end with.
pub(crate) fn clause_before<'t>(text: &'t str, at: usize, most: usize, ends: &[&str]) -> &'t str {
    let before = text.get(text.ceil_char_boundary(at.saturating_sub(most))..at).unwrap_or_default();
    let start = ends.iter().filter_map(|end| before.rfind(end).map(|found| found + end.len())).max().unwrap_or(0);
    before.get(start..).unwrap_or_default()
}

/// Plain text under construction.
struct Plain {
    out: String,
    max: usize,
    gap: bool,
    ascii: bool,
    /// A joiner that waits for the character after it.
    joiner: Option<char>,
}

impl Plain {
    fn new(expected: usize, max: usize) -> Self {
        Self { out: String::with_capacity(expected.min(max)), max, gap: false, ascii: true, joiner: None }
    }

    fn is_full(&self) -> bool {
        self.out.len() >= self.max
    }

    /// White space, or what separates as white space does.
    fn gap(&mut self) {
        self.gap = true;
        self.joiner = None;
    }

    fn close_gap(&mut self) {
        if self.gap && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.gap = false;
    }

    fn push_char(&mut self, one: char) {
        match fate(one) {
            Fate::Keep => {
                self.close_gap();
                self.ascii &= one.is_ascii();
                if let Some(joiner) = self.joiner.take().filter(|_| joins(one)) {
                    self.out.push(joiner);
                }
                self.out.push(one);
            }
            Fate::Gap => self.gap(),
            Fate::Join => {
                self.joiner = Some(one).filter(|_| !self.gap && self.out.chars().next_back().is_some_and(joins));
            }
            Fate::Drop => {}
        }
    }

    fn push(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() && !self.is_full() {
            let reach = rest.as_bytes().get(..self.max).unwrap_or(rest.as_bytes());
            let run = plain_run(reach);
            if let Some((words, after)) = rest.split_at_checked(run).filter(|_| run > 0) {
                self.close_gap();
                self.joiner = None;
                self.out.push_str(words);
                rest = after;
            }
            let mut chars = rest.chars();
            if let Some(one) = chars.next() {
                self.push_char(one);
                rest = chars.as_str();
            }
        }
    }

    fn finish(self) -> String {
        let mut out = self.out;
        if !self.ascii && is_nfc_quick(out.chars()) != IsNormalized::Yes {
            out = out.nfc().collect();
        }
        out.truncate(out.floor_char_boundary(self.max));
        out.truncate(out.trim_end_matches([' ', '\u{200c}', '\u{200d}']).len());
        if out.capacity() > 2 * out.len() {
            out.shrink_to_fit();
        }
        out
    }
}

/// How many bytes from the start are words of printable ASCII with single spaces between them.
fn plain_run(bytes: &[u8]) -> usize {
    let mut spaced = true;
    let run = bytes
        .iter()
        .take_while(|&&byte| {
            let goes_on = byte.is_ascii_graphic() || (byte == b' ' && !spaced);
            spaced = byte == b' ';
            goes_on
        })
        .count();
    let ends_in_space = run > 0 && bytes.get(run - 1) == Some(&b' ');
    run - usize::from(ends_in_space)
}

/// What becomes of a character.
enum Fate {
    Keep,
    Gap,
    Join,
    Drop,
}

fn fate(one: char) -> Fate {
    match one {
        '!'..='~' => Fate::Keep,
        '\t'..='\r' | ' ' | '\u{85}' => Fate::Gap,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => Fate::Drop,
        '\u{200c}' | '\u{200d}' => Fate::Join,
        _ if one.is_whitespace() => Fate::Gap,
        _ if is_hidden(one) => Fate::Drop,
        _ => Fate::Keep,
    }
}

/// Whether a joiner (U+200C, U+200D) beside this character has a meaning: Arabic to Khmer, Mongolian, and what emoji are made of.
fn joins(one: char) -> bool {
    matches!(one, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{2190}'..='\u{2bff}' | '\u{fe0f}'
        | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{1f000}'..='\u{1faff}')
}

/// Characters that show nothing, reorder what stands around them, or are none: bidirectional controls (UAX 9), default
/// ignorables (Unicode `Default_Ignorable_Code_Point`), tags, annotation marks and noncharacters. The emoji selector U+FE0F stays.
fn is_hidden(one: char) -> bool {
    matches!(one,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || (u32::from(one) & 0xfffe) == 0xfffe
}
