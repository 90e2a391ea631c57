//! The fetch door: the one place that talks to publishers. It asks politely, follows redirects by hand, dials
//! only what may be dialled, and turns whatever happens into a `FetchOutcome`. It reads no feed and knows no
//! store; when a feed is asked is decided elsewhere (`cadence`).

mod body;
mod cause;
mod client;
mod decode;
mod dial;
mod door;
mod fetcher;
mod gate;
mod head;
mod heard;

pub use dial::{Lookup, Resolver};
pub use fetcher::{FetchError, FetchRequest, Fetcher};
pub use gate::publisher;
pub use heard::{Heard, heard};
