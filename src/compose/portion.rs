//! What stands in one mail of a digest: all of it, or a part. Counting only; how much fits is decided in `parts`.

use std::ops::Range;

use crate::model::digest::{DigestContent, DigestKind, DigestStory};

/// What makes a part a mail of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its Message-ID without angle brackets.
    pub message_id: String,
    /// The link that answers all of its stories.
    pub answer_all_url: String,
}

/// Which items of the lists of a digest stand in a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// Of the stories.
    pub stories: Range<usize>,
    /// Of the floods that wait for a decision.
    pub held: Range<usize>,
    /// Of what could not be seen.
    pub not_seen: Range<usize>,
    /// Of what is seen again.
    pub seen_again: Range<usize>,
    /// Of what is new about feeds.
    pub notices: Range<usize>,
    /// Of the first polls.
    pub baselines: Range<usize>,
    /// Of what is restricted.
    pub restricted: Range<usize>,
    /// Of the lines under "also published", those of one feed after those of the other; how many more a feed published
    /// is a line of its own.
    pub also: Range<usize>,
    /// Whether what stands once at the end of a digest stands in it.
    pub is_last: bool,
}

/// How many lists a digest has.
pub(super) const LISTS: usize = 8;

/// How many items each list of a digest has, in the order in which they are shown.
pub(super) fn lengths(content: &DigestContent) -> [usize; LISTS] {
    [
        content.stories.len(),
        content.held.len(),
        content.not_seen.len(),
        content.seen_again.len(),
        content.notices.len(),
        content.baselines.len(),
        content.restricted.len(),
        content.also_published.iter().map(|feed| feed.lines.len() + usize::from(feed.more > 0)).sum(),
    ]
}

impl Holds {
    /// The items of this range of all items, one list after the other; the one after the last is the end of the digest.
    pub(super) fn of(content: &DigestContent, items: &Range<usize>) -> Holds {
        let mut before = 0;
        let mut ranges = lengths(content).into_iter().map(|length| {
            let (first, end) = (before, before + length);
            before = end;
            items.start.clamp(first, end) - first..items.end.clamp(first, end) - first
        });
        let mut next = || ranges.next().unwrap_or_default();
        Holds {
            stories: next(),
            held: next(),
            not_seen: next(),
            seen_again: next(),
            notices: next(),
            baselines: next(),
            restricted: next(),
            also: next(),
            is_last: items.end > before,
        }
    }
}

/// One mail of a digest, before it is put into words.
#[derive(Debug, Clone)]
pub(super) struct Portion {
    /// Its own.
    pub identity: Identity,
    /// Its place among the parts, from 1.
    pub number: usize,
    /// How many parts there are.
    pub of: usize,
    /// What stands in it.
    pub holds: Holds,
    /// How much its stories are shortened, from 0 (not at all) to [`SHORTEST`].
    pub short: u8,
}

/// As short as a story gets.
pub(super) const SHORTEST: u8 = 3;

impl Portion {
    /// The whole digest in one mail.
    pub(super) fn whole(content: &DigestContent) -> Portion {
        let all = lengths(content).iter().sum::<usize>() + 1;
        Portion {
            identity: Identity {
                message_id: content.message_id.clone(),
                answer_all_url: content.answer_all_url.clone(),
            },
            number: 1,
            of: 1,
            holds: Holds::of(content, &(0..all)),
            short: 0,
        }
    }

    /// The stories in it.
    pub(super) fn stories<'c>(&self, content: &'c DigestContent) -> &'c [DigestStory] {
        slice(&content.stories, &self.holds.stories)
    }

    /// `2 of 3`; `None`: there is but one.
    pub(super) fn place(&self) -> Option<String> {
        (self.of > 1).then(|| format!("{} of {}", self.number, self.of))
    }
}

/// The items of a range, none where there are not so many.
pub(super) fn slice<'c, T>(items: &'c [T], range: &Range<usize>) -> &'c [T] {
    items.get(range.clone()).unwrap_or_default()
}

/// Whether the stories of a digest are the owner's to answer.
pub(super) fn is_answered(content: &DigestContent) -> bool {
    content.kind != DigestKind::Passed
}
