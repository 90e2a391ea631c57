//! Floor 0, the words: plain data that every other floor speaks of. No I/O and no decisions.

pub mod acknowledgement;
pub mod days;
pub mod delivery;
pub mod digest;
pub mod disowned;
pub mod entry;
pub mod feed;
pub mod flood;
pub mod id;
pub mod outcome;
pub mod owner;
pub mod settings;
pub mod stack;
pub mod time;
