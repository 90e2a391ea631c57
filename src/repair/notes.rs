//! What was repaired, in sentences that a feed's publisher could be told.

/// A kind of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// The declared encoding is not the real one.
    WrongEncoding,
    /// No encoding fits; windows-1252 was taken.
    GuessedEncoding,
    /// Some bytes are none in the encoding.
    BadBytes,
    /// Something stood before the root.
    Junk,
    /// An `&` that starts no reference.
    Ampersand,
    /// A character that XML forbids.
    ForbiddenCharacter,
    /// An HTML entity that the document does not declare.
    HtmlEntity,
    /// A `<` that starts no tag.
    StrayBracket,
    /// An element that was not closed where it should have been.
    Unclosed,
    /// A closing tag without an opening one.
    CrossedTags,
    /// The root is not one of a feed's.
    OddRoot,
    /// A namespace prefix that is not declared.
    UndeclaredPrefix,
    /// More attributes in a tag than are looked at.
    Attributes,
    /// More namespaces than are looked at.
    Namespaces,
    /// Elements nested deeper than is looked at.
    Depth,
    /// A field longer than is kept.
    LongField,
    /// More categories or authors than are kept.
    LongList,
    /// A value that is not what its field should hold.
    WrongType,
    /// JSON that is not quite JSON.
    LooseJson,
    /// The document ends before its time.
    Truncated,
}

impl Repair {
    fn sentence(self) -> &'static str {
        match self {
            Repair::WrongEncoding => "the declared encoding is not the real one; the document is UTF-8",
            Repair::GuessedEncoding => "the encoding is not stated truly; read as windows-1252",
            Repair::BadBytes => "some bytes are no characters in the document's encoding",
            Repair::Junk => "skipped what stands before the feed",
            Repair::Ampersand => "`&` that starts no character reference, kept as a character",
            Repair::ForbiddenCharacter => "dropped a character that XML forbids",
            Repair::HtmlEntity => "HTML entity that XML does not know, replaced by its character",
            Repair::StrayBracket => "`<` that starts no tag, kept as a character",
            Repair::Unclosed => "element that is never closed, closed where its parent ends",
            Repair::CrossedTags => "closing tag without an opening one, ignored",
            Repair::OddRoot => "the document does not start as a feed of its format should",
            Repair::UndeclaredPrefix => "namespace prefix that is not declared, taken as it is customary",
            Repair::Attributes => "more than 256 attributes in one tag; the rest was left out",
            Repair::Namespaces => "more than 256 namespaces; the rest was left out",
            Repair::Depth => "elements nested deeper than 128 levels",
            Repair::LongField => "field longer than 64 KiB, cut",
            Repair::LongList => "more than 64 categories, authors or links in one entry; the rest was left out",
            Repair::WrongType => "value of another type than its field should hold",
            Repair::LooseJson => "raw control characters, unknown escapes or stray commas, which JSON forbids",
            Repair::Truncated => "the document breaks off; what was complete is kept",
        }
    }
}

/// The repairs of one document: how often each kind, and the line of the first.
#[derive(Debug, Default)]
pub struct Notes {
    seen: Vec<(Repair, u64, Option<usize>)>,
    /// Repairs of a text that is gone: their places are lines.
    settled: Vec<(Repair, u64, Option<usize>)>,
}

impl Notes {
    /// Notes a repair, with the offset of its place in the text where it is known.
    pub fn add(&mut self, repair: Repair, at: Option<usize>) {
        match self.seen.iter_mut().find(|(known, ..)| *known == repair) {
            Some((_, count, _)) => *count += 1,
            None => self.seen.push((repair, 1, at)),
        }
    }

    /// Counts the lines before the places of what was noted so far, so that the text is not needed any more.
    pub fn settle(&mut self, text: &str) {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
        for (repair, count, at) in self.seen.drain(..) {
            match self.settled.iter_mut().find(|(known, ..)| *known == repair) {
                Some((_, sum, _)) => *sum += count,
                None => self.settled.push((repair, count, at.map(line))),
            }
        }
    }

    /// One sentence for each kind of repair, with its count and the line of the first where the text is given.
    pub fn sentences(mut self, text: &str) -> Vec<String> {
        self.settle(text);
        self.settled.sort_unstable();
        self.settled
            .into_iter()
            .map(|(repair, count, line)| {
                let sentence = repair.sentence();
                match (line, count) {
                    (Some(line), 1) => format!("{sentence} (line {line})"),
                    (Some(line), _) => format!("{sentence} ({count} times, first in line {line})"),
                    (None, 1) => sentence.to_owned(),
                    (None, _) => format!("{sentence} ({count} times)"),
                }
            })
            .collect()
    }
}
