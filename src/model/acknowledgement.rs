//! What a person said about a story.

use jiff::tz::TimeZone;

use super::{
    digest::StorySource,
    id::{DigestNo, OwnerId, StoryNo},
    stack::{Marks, Tag},
    time::Time,
};

/// The longest note or reference, in characters.
pub const MAX_NOTE: usize = 2_000;

/// What a person says of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Something was done.
    Acted,
    /// Already in place.
    Covered,
    /// Does not concern us; needs a reason.
    NotRelevant,
    /// Kept under observation.
    Watching,
    /// For a meeting.
    Discuss,
}

impl Disposition {
    /// Every disposition with its word, in the order of the form.
    pub const ALL: [(&'static str, Disposition); 5] = [
        ("acted", Disposition::Acted),
        ("covered", Disposition::Covered),
        ("not-relevant", Disposition::NotRelevant),
        ("watching", Disposition::Watching),
        ("discuss", Disposition::Discuss),
    ];

    /// The disposition's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, one)| (one == self).then_some(word)).unwrap_or("acted")
    }

    /// The disposition that a word stands for.
    pub fn parse(word: &str) -> Option<Disposition> {
        Self::ALL.into_iter().find_map(|(known, one)| (known == word).then_some(one))
    }
}

/// The way in which an acknowledgement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// By the form behind a link that was mailed to the owner.
    Link,
    /// By the shell of the machine.
    Shell,
}

impl Via {
    /// The way's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Link => "link",
            Via::Shell => "shell",
        }
    }

    /// The way that a word stands for.
    pub fn parse(word: &str) -> Option<Via> {
        [Via::Link, Via::Shell].into_iter().find(|via| via.as_str() == word)
    }
}

/// An answer that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whose answer.
    pub owner: OwnerId,
    /// The digest that it answers, where there is one.
    pub digest: Option<DigestNo>,
    /// The stories that it is about.
    pub stories: Vec<StoryNo>,
    /// What is said.
    pub disposition: Disposition,
    /// Why, in the person's own words; needed for `not-relevant`.
    pub note: Option<String>,
    /// Minutes, ticket, pull request or risk that it refers to.
    pub reference: Option<String>,
    /// The form's nonce; the same one again records nothing new. The shell makes a random one.
    pub nonce: String,
    /// The way it came.
    pub via: Via,
}

/// Why an answer cannot be recorded, in words for the person who gave it.
pub fn refusal(disposition: Option<Disposition>, note: Option<&str>) -> Option<&'static str> {
    match disposition {
        None => Some("Choose what you say"),
        Some(Disposition::NotRelevant) if note.is_none_or(|note| note.trim().is_empty()) => {
            Some("Say why this is not relevant")
        }
        Some(_) => None,
    }
}

/// An answer that stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// When it was given.
    pub at: Time,
    /// Whose link it was.
    pub owner: OwnerId,
    /// That person's name.
    pub owner_name: String,
    /// What was said.
    pub disposition: Disposition,
    /// Why.
    pub note: Option<String>,
    /// What it refers to.
    pub reference: Option<String>,
    /// The number of its record in the evidence log.
    pub record: u64,
}

/// A story as the acknowledgement page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageStory {
    /// The story.
    pub story: StoryNo,
    /// Its number in the digest, from 1.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// What it says, cleaned and uncut.
    pub summary: Option<String>,
    /// Its CVE ids.
    pub cves: Vec<String>,
    /// Stated severity and exploitation.
    pub marks: Marks,
    /// Why it came to this owner, in one sentence.
    pub reason: String,
    /// The tags that led here, each with the name of its component or topic.
    pub tags: Vec<(String, Tag)>,
    /// The feeds that report it, within bounds.
    pub sources: Vec<StorySource>,
    /// How many entries more report it.
    pub more_sources: usize,
    /// What was said of it so far, by anybody, oldest first.
    pub answers: Vec<GivenAnswer>,
}

/// What stands behind a link: the digest's owner and its stories (one, where the link is for one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerPage {
    /// The digest.
    pub digest: DigestNo,
    /// Whose link it is.
    pub owner: OwnerId,
    /// That person's name.
    pub owner_name: String,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
    /// The stories that the link is for.
    pub stories: Vec<PageStory>,
    /// How many stories the digest has in all.
    pub in_digest: usize,
    /// When the digest was composed: an answer from before it answers nothing that it says.
    pub told_at: Time,
    /// How many of the digest's stories have no answer of this owner yet.
    pub open: usize,
}

/// What came of recording an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is in the log now.
    New {
        /// The number of its record.
        record: u64,
    },
    /// The same form was recorded before; nothing was added.
    Already {
        /// When.
        at: Time,
        /// The number of that record.
        record: u64,
    },
}
