//! The register as text: where the blocks of `feeds.toml` stand, how one is put in or taken out with every other byte
//! as it was, what to write for a source, and lists of feeds as other programs write and read them. No file is opened here, and nothing is judged:
//! what may stand in the register is `config`'s business.

mod blocks;
pub mod csv;
mod edit;
pub mod opml;
mod proposal;

pub use blocks::{Block, Kind, Unreadable, blocks, written_as_value};
pub use edit::{EditError, NewFeed, NewGroup, insert, remove};
pub use proposal::{Proposal, Source, default_owner, propose, short_id};
