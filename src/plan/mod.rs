//! What one answer of a feed means: which entries are new, what becomes of each, and how the feed stands from now
//! on. Pure: what is stored already is looked up through an argument, and the store commits the plan as a whole.

mod entries;
mod feed;
mod flood;

use jiff::SignedDuration;

pub use self::{
    entries::{EntryPlan, EntryPlans, Fate, Lookup, baseline_matches, entries},
    feed::{FeedUpdate, feed_update, validators_to_send},
    flood::{Flood, HeldBack, hold_flood, keep_back, may_be_flood},
};
use crate::{
    identity::Fingerprint,
    model::{
        entry::{Entry, Format},
        feed::{FeedState, Validators},
        outcome::Room,
        stack::{Marks, Tag},
    },
    story::StoryKeys,
};

/// Everything about an entry that needs no store.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it is compared by.
    pub fingerprint: Fingerprint,
    /// What it is about.
    pub tags: Vec<Tag>,
    /// How bad it says it is.
    pub marks: Marks,
    /// The stories it may belong to.
    pub story: StoryKeys,
}

/// A document that was read, with where it came from.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its format.
    pub format: Format,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// What was found out about each of them, in the same order.
    pub judged: Vec<Judged>,
    /// Lower-case hex SHA-256 of the decoded bytes.
    pub sha256: String,
    /// Their number.
    pub bytes: usize,
    /// The address that answered.
    pub url: String,
    /// Whether some of it could not be read.
    pub partial: bool,
    /// The validators that came with it.
    pub validators: Validators,
    /// RSS `ttl`.
    pub ttl: Option<SignedDuration>,
    /// Keeps other large documents waiting until this one is stored.
    pub room: Room,
}

/// What one poll of a feed came to.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A document.
    Document(Box<Arrived>),
    /// Nothing new, said the server.
    NotModified(Validators),
    /// Neither.
    Failed {
        /// The state that it puts the feed in.
        state: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The cause in words.
        cause: String,
    },
}
