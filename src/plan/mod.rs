//! What one answer of a feed means: which entries are new, what becomes of each, and how the feed stands from now
//! on. Pure: what is stored already is looked up through an argument, and the store commits the plan as a whole.

mod entries;
mod feed;
mod flood;
mod reach;
mod revisions;

pub use self::{
    entries::{EntryPlan, EntryPlans, Fate, Lookup, baseline_matches, entries},
    feed::{FeedUpdate, feed_update, validators_to_send},
    flood::{Flood, Floods, HeldBack, hold_flood, keep_back, may_be_flood},
    reach::Reach,
    revisions::{Hearing, Stored},
};
use crate::{
    health::Sight,
    identity::Fingerprint,
    model::{
        entry::{Entry, Format},
        feed::{FeedState, Validators, Wishes},
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
    /// Whether it holds only what is new (226, RFC 3229): entries that are missing from it are not gone.
    pub is_delta: bool,
    /// What it says of when to come back.
    pub wishes: Wishes,
    /// What it brought, seen against what is stored.
    pub sight: Sight,
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
        /// Whether the request got further than the lookup of the name and the connection.
        reached: bool,
        /// The cause in words.
        cause: String,
    },
    /// This machine reached nobody at all: that says nothing of the feed.
    NoNetwork,
}
