//! What a flood is: many more new entries in one poll than a feed usually brings. Pure: the feed's own history comes
//! in as numbers. What becomes of held entries is decided by a person, not here.
//!
//! **Rule.** A poll is a flood when it brings more than [`LEAST`] new entries and more than [`TIMES`] times the
//! usual. The usual is the most that one of the feed's last polls with news brought, so that a monthly patch day or a
//! daily announcement of hundreds is usual after it came once. Floods that were held do not count, unless a person let
//! all of their entries pass. While a feed has brought news fewer than [`SETTLED`] times, the size of its first document
//! counts as well, and never less than [`UNSETTLED`]. Entries that leave the baseline count as new. A first poll is a
//! baseline and never a flood.

use crate::model::stack::{Marks, Method, Tag, TagKind};

/// So many new entries in one poll are never a flood.
pub const LEAST: usize = 50;
/// How many times the usual a flood is beyond.
pub const TIMES: usize = 10;
/// How many of the newest polls with news the usual is learned from.
pub const POLLS: usize = 100;
/// From how many polls with news on they alone say what is usual.
pub const SETTLED: usize = 5;
/// What is taken as usual at the least while less is known.
pub const UNSETTLED: usize = 50;
/// The most entries of one flood that are not held, because they concern the stack and are exploited.
pub const MOST_SENT: usize = 20;
/// How sure a tag of a component must be for that: in the title, or elsewhere beside a word of its context.
const SURE: u8 = 40;

/// What a feed brought before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// How many new entries each of its last polls with news brought; floods that were not let pass left out.
    pub polls: Vec<usize>,
    /// How many entries its first document had.
    pub first_document: usize,
}

impl History {
    /// The most entries that one poll brought so far, as people are told: the first document counts while little else
    /// is known.
    pub fn most(&self) -> usize {
        let most = self.polls.iter().copied().max().unwrap_or(0);
        if self.is_settled() { most } else { most.max(self.first_document) }
    }

    /// How many new entries of one poll are taken as usual at the most.
    pub fn usual(&self) -> usize {
        if self.is_settled() { self.most() } else { self.most().max(UNSETTLED) }
    }

    fn is_settled(&self) -> bool {
        self.polls.len() >= SETTLED
    }
}

/// Whether so many new entries in one poll are a flood.
pub fn is_flood(new: usize, usual: usize) -> bool {
    new > LEAST && new > usual.saturating_mul(TIMES)
}

/// Whether an entry of a flood must not wait for a decision: it is exploited, and surely about a component. What a feed
/// is said to be about says nothing of one entry.
pub fn must_go_out(tags: &[Tag], marks: Marks) -> bool {
    let is_sure = |tag: &Tag| tag.kind == TagKind::Component && tag.method != Method::Feed && tag.confidence >= SURE;
    marks.exploited && tags.iter().any(is_sure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stack::Field;

    fn history(polls: &[usize], first_document: usize) -> History {
        History { polls: polls.to_vec(), first_document }
    }

    #[test]
    fn h_43_more_than_fifty_and_more_than_ten_times_the_usual_is_a_flood() {
        for (new, usual, is) in
            [(50, 0, false), (51, 0, true), (51, 5, true), (51, 6, false), (120, 12, false), (121, 12, true)]
        {
            assert_eq!(is_flood(new, usual), is, "{new} new, {usual} usual");
        }
        assert!(!is_flood(20_000, usize::MAX));
    }

    #[test]
    fn h_43_days_of_many_announcements_are_usual_after_the_first() {
        let arxiv = history(&[210, 3, 190, 240, 5, 200], 180);
        assert!(!is_flood(900, arxiv.usual()));
        let patch_days = history(&[1, 2, 1, 140, 1, 2, 1, 3, 1], 4_700);
        assert!(!is_flood(160, patch_days.usual()));
        assert!(is_flood(10_000, patch_days.usual()));
    }

    #[test]
    fn h_43_a_feed_of_little_history_is_measured_by_its_first_document() {
        assert_eq!((history(&[], 12).usual(), history(&[], 12).most()), (UNSETTLED, 12), "nobody is told a guess");
        assert_eq!(history(&[1, 1, 1, 1], 180).usual(), 180);
        assert_eq!(history(&[1, 1, 1, 1, 1], 180).usual(), 1, "five polls with news say what is usual");
        assert!(!is_flood(400, history(&[], 0).usual()), "its first announcement day after a silent weekend");
    }

    #[test]
    fn only_what_is_exploited_and_surely_ours_passes_by() {
        let tag = |kind, method, confidence| Tag {
            kind,
            id: "quillgate".to_owned(),
            term: "quillgate".to_owned(),
            field: Field::Title,
            start: 0,
            end: 9,
            snippet: "Quillgate".to_owned(),
            method,
            confidence,
        };
        let exploited = Marks { exploited: true, ..Marks::default() };
        let sure = [tag(TagKind::Component, Method::Term, 50)];
        assert!(must_go_out(&sure, exploited));
        assert!(!must_go_out(&sure, Marks::default()));
        assert!(!must_go_out(&[tag(TagKind::Component, Method::Term, 30)], exploited));
        assert!(!must_go_out(&[tag(TagKind::Topic, Method::Term, 50)], exploited));
        assert!(!must_go_out(&[tag(TagKind::Component, Method::Feed, 90)], exploited));
        assert!(!must_go_out(&[], exploited));
    }
}
