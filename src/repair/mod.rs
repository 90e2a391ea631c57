//! Makes whatever arrived readable: picks the encoding, mends what is broken, and brings every dialect of XML feed to one plain
//! Atom document. What the entries mean is `parse`'s business; nothing here judges text, dates or links.

mod dialect;
mod encoding;
mod json;
mod notes;
mod rewrite;
mod token;
mod write;

pub use encoding::{Decoded, decode};
pub use json::mend;
pub use notes::{Notes, Repair};
pub use rewrite::{Rewritten, Unreadable, rewrite};
pub(crate) use token::{Tag, Token, Tokens};
