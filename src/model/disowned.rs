//! What owners say is not theirs.

use super::{id::OwnerId, stack::OwnedKind, time::Time};

/// Something that an owner said is not theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disowned {
    /// Who said it.
    pub owner: OwnerId,
    /// What it is.
    pub kind: OwnedKind,
    /// Its identifier.
    pub id: String,
    /// Why, or whose it is.
    pub note: String,
    /// When.
    pub at: Time,
    /// The number of its record; 0 before it has one.
    pub record: u64,
}

/// What came of saying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is in the log now.
    New {
        /// The number of its record.
        record: u64,
    },
    /// The same form had said the same before; nothing was added.
    Already {
        /// The number of that record.
        record: u64,
    },
    /// The same form had said something else before; nothing was added.
    Otherwise {
        /// The number of that record.
        record: u64,
    },
}
