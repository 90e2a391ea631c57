//! What a person said about a story, and what fits what was said before.

use std::fmt;

use jiff::tz::TimeZone;

use super::{
    digest::{Fix, StorySource},
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
    /// Nothing is left to do; only after somebody has answered.
    Closed,
}

impl Disposition {
    /// Every disposition with its word, in the order of the form.
    pub const ALL: [(&'static str, Disposition); 6] = [
        ("acted", Disposition::Acted),
        ("covered", Disposition::Covered),
        ("not-relevant", Disposition::NotRelevant),
        ("watching", Disposition::Watching),
        ("discuss", Disposition::Discuss),
        ("closed", Disposition::Closed),
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

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// The minutes of a meeting.
    Minutes,
    /// A ticket.
    Ticket,
    /// A change to code.
    PullRequest,
    /// A line of the risk register.
    Risk,
    /// A conversation.
    Chat,
}

impl ReferenceKind {
    /// Every kind with its word, in the order of the form.
    pub const ALL: [(&'static str, ReferenceKind); 5] = [
        ("minutes", ReferenceKind::Minutes),
        ("ticket", ReferenceKind::Ticket),
        ("pull-request", ReferenceKind::PullRequest),
        ("risk", ReferenceKind::Risk),
        ("chat", ReferenceKind::Chat),
    ];

    /// The kind's word in the store, the log and the form.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, kind)| (kind == self).then_some(word)).unwrap_or("ticket")
    }

    /// The kind that a word stands for.
    pub fn parse(word: &str) -> Option<ReferenceKind> {
        Self::ALL.into_iter().find_map(|(known, kind)| (known == word).then_some(kind))
    }
}

/// Where one can read on: a name, a number or an address, with what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it leads to.
    pub kind: ReferenceKind,
    /// As it was written, one line.
    pub text: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.text)
    }
}

/// How soon after the mail was sent an answer came: within seconds it may be a machine's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Haste {
    /// Not too soon.
    #[default]
    None,
    /// Within seconds, and recorded as it came.
    Fast,
    /// Within seconds, and given a second time on a page that asked for it.
    Confirmed,
}

impl Haste {
    /// The word in the store and the log; `None`: not too soon.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Haste::None => None,
            Haste::Fast => Some("fast"),
            Haste::Confirmed => Some("confirmed"),
        }
    }

    /// What a word stands for.
    pub fn parse(word: &str) -> Haste {
        [Haste::Fast, Haste::Confirmed].into_iter().find(|haste| haste.as_str() == Some(word)).unwrap_or_default()
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
    /// What it refers to.
    pub references: Vec<Reference>,
    /// The record of the owner's earlier answer that this one corrects.
    pub corrects: Option<u64>,
    /// When what it says happened; `None`: now.
    pub happened: Option<Time>,
    /// The form's nonce; the same one again records nothing new. The shell makes a random one.
    pub nonce: String,
    /// The way it came.
    pub via: Via,
    /// Whether it came too soon for a person.
    pub haste: Haste,
}

/// What is wrong with an answer, seen with what was said of its story before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Nobody has answered it, so it cannot be closed.
    NothingToClose,
    /// It is closed without a word or a reference on what was done.
    ClosedWithoutTrace,
    /// It corrects what is not an answer of this owner to these stories, or was corrected before.
    NotTheirs,
}

impl Unfit {
    /// What to do, in words for the person.
    pub fn as_str(self) -> &'static str {
        match self {
            Unfit::NothingToClose => "Say first what was done: nobody has answered this yet",
            Unfit::ClosedWithoutTrace => "Say how this was closed, or give a reference",
            Unfit::NotTheirs => "Choose an answer of yours that was not corrected yet",
        }
    }
}

/// An answer as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// When it was recorded.
    pub at: Time,
    /// When what it says happened.
    pub happened: Time,
    /// Whose link it was.
    pub owner: OwnerId,
    /// That person's name.
    pub owner_name: String,
    /// What was said.
    pub disposition: Disposition,
    /// Why.
    pub note: Option<String>,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// The record that it corrects.
    pub corrects: Option<u64>,
    /// Whether it came too soon for a person.
    pub haste: Haste,
    /// The number of its record in the evidence log.
    pub record: u64,
}

/// Whether a story of a digest is its owner's to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Theirs,
    /// Somebody else has it now.
    With {
        /// That person's name.
        name: String,
        /// Since when.
        since: Time,
    },
    /// It is labelled above what the owner may see now, and nothing of it is shown.
    Restricted {
        /// The name of the person to ask.
        ask: String,
    },
}

/// One step of what became of a story, as a record of the log says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStep {
    /// When it happened.
    pub at: Time,
    /// When it was recorded.
    pub recorded: Time,
    /// What happened, in a word or two.
    pub word: String,
    /// What there is to say of it.
    pub text: String,
    /// Where one can read on.
    pub references: Vec<Reference>,
    /// The record of this step in the evidence log.
    pub record: u64,
    /// The record of the answer that corrects this one.
    pub corrected_by: Option<u64>,
}

/// What became of a story so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The steps in the order of their records.
    pub steps: Vec<ChainStep>,
    /// How many there are between the first and the last of them that are not shown.
    pub left_out: usize,
    /// Whether the last answer closed it and nobody was told of it since.
    pub is_closed: bool,
}

/// A story as the acknowledgement page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageStory {
    /// The story.
    pub story: StoryNo,
    /// Its number in the digest, from 1.
    pub number: usize,
    /// Whether it is the owner's to decide.
    pub standing: Standing,
    /// Its title.
    pub title: String,
    /// What it says, cleaned and uncut.
    pub summary: Option<String>,
    /// Its CVE ids.
    pub cves: Vec<String>,
    /// Stated severity and exploitation.
    pub marks: Marks,
    /// What is stated of a fix; `None`: nothing is.
    pub fix: Option<Fix>,
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
    /// What became of it so far; empty on the page of a whole digest.
    pub chain: Chain,
}

/// A story of a digest by its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The story.
    pub story: StoryNo,
    /// Its number in the digest, from 1.
    pub number: usize,
    /// Whether its owner has still to answer it.
    pub is_open: bool,
}

/// What stands behind a link: the digest's owner, and its stories as far as they are shown.
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
    /// The stories that are shown.
    pub stories: Vec<PageStory>,
    /// All stories of the digest, by their numbers.
    pub places: Vec<Place>,
    /// When the digest was composed: an answer from before it answers nothing that it says.
    pub told_at: Time,
    /// The newest checkpoint of the log, the whole signed note, for whoever prints the page.
    pub checkpoint: Option<String>,
    /// When the mail server was last spoken to about it; `None`: it has not been sent yet.
    pub sent_at: Option<Time>,
}

impl AnswerPage {
    /// How many of the digest's stories their owner has still to answer.
    pub fn open(&self) -> usize {
        self.places.iter().filter(|place| place.is_open).count()
    }

    /// Whether the story of this number has still to be answered.
    pub fn is_open(&self, number: usize) -> bool {
        self.places.iter().any(|place| place.number == number && place.is_open)
    }
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
    /// The same form was recorded before and said something else; nothing was added.
    Otherwise {
        /// The number of that record.
        record: u64,
    },
    /// It does not fit what was said before; nothing was added.
    Unfit(Unfit),
    /// Somebody else has a story of it now; nothing was added.
    Passed,
    /// What the form was about has changed since it was shown, or is answered; nothing was added.
    Changed,
}
