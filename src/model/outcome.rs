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
    /// `Expires` (RFC 9111 section 5.3) as a wait from the response's own `Date` on; counts where there is no `max-age`.
    pub expires: Option<SignedDuration>,
    /// `Retry-After` (RFC 9110 section 10.2.3) as a wait from the response on; a date has been turned into one.
    pub retry_after: Option<SignedDuration>,
}

/// What the cause of a failure begins with where our own rules about addresses and ports forbid the request: another
/// configuration may lift it.
pub const OUR_RULES: &str = "refused by our own rules";

/// What the cause of a failure says where nobody's certificate can be judged: it is no fault of the feed.
pub const NO_AUTHORITIES: &str = "this machine knows no certificate authorities (install ca-certificates)";

/// What stands as the cause of a feed that was not reached because nobody was.
pub const NO_NETWORK: &str = "this machine had no network at the last try";

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
    /// Whether it holds only what is new, as was asked for (226, RFC 3229): what is missing is not deleted.
    pub is_delta: bool,
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
    /// 200 with a document, or 226 with what is new of it where that was asked for.
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
        /// The address that said so, where only permanent redirects (301, 308) led there.
        moved: Option<Url>,
        /// Freshness.
        hints: CacheHints,
    },
    /// Anything else.
    Failed {
        /// The state that it puts the feed in: never `New` or `Ok`.
        state: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// Whether a connection was made, or could have been had our own rules allowed it. A request that got no
        /// further than the lookup of its name or the connection may say more about this machine than about the feed.
        reached: bool,
        /// The cause in words that an owner understands, without addresses of the internal network.
        cause: String,
        /// When to come back, where the server says so.
        hints: CacheHints,
    },
}
