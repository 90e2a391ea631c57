//! What came of one request for a feed. Bad weather is data here, never an error.

use std::{any::Any, fmt, net::SocketAddr, sync::Arc};

use jiff::SignedDuration;
use url::Url;

use super::feed::{FeedState, Validators};

/// What a response says of how long it stays fresh and when to come back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheHints {
    /// `Cache-Control: max-age` (RFC 9111 section 5.2.2.1).
    pub max_age: Option<SignedDuration>,
    /// `Retry-After` (RFC 9110 section 10.2.3) as a wait from the response on; a date has been turned into one.
    pub retry_after: Option<SignedDuration>,
}

/// The room that a large document takes: while any clone of it lives, no other large document is fetched. Empty for a
/// small one. It says nothing of the document, so all rooms are equal.
#[derive(Clone, Default)]
pub struct Room(Option<Arc<dyn Any + Send + Sync>>);

impl Room {
    /// Keeps this for as long as the document is worked on.
    pub fn taken(keep: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(keep)))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Room(taken)" } else { "Room" })
    }
}

impl PartialEq for Room {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Room {}

/// A document that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The decoded bytes, up to the cap.
    pub bytes: Vec<u8>,
    /// How many bytes came over the wire.
    pub wire_bytes: u64,
    /// Whether a cap, the time limit or a broken connection cut it.
    pub cut: Option<String>,
    /// The character set that the Content-Type names.
    pub charset: Option<String>,
    /// The validators of this response.
    pub validators: Validators,
    /// The address that answered last, after redirects.
    pub final_url: Url,
    /// Whether every redirect on the way was permanent (301, 308), where there was one.
    pub moved_permanently: bool,
    /// The socket address that answered.
    pub remote: Option<SocketAddr>,
    /// The room that it takes; to be kept until its entries are stored.
    pub room: Room,
}

/// What came of one request (with its redirects).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchOutcome {
    /// 200 with a document.
    Fetched {
        /// The document.
        document: Box<Fetched>,
        /// Freshness.
        hints: CacheHints,
    },
    /// 304: nothing new.
    NotModified {
        /// Validators that came with the 304; where one is missing, the stored one stays.
        validators: Validators,
        /// Freshness.
        hints: CacheHints,
    },
    /// Anything else.
    Failed {
        /// The state that it puts the feed in: never `New` or `Ok`.
        state: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The cause in words that an owner understands, without addresses of the internal network.
        cause: String,
        /// When to come back, where the server says so.
        hints: CacheHints,
    },
}
