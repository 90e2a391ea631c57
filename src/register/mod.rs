//! The register as text: where the blocks of `feeds.toml` stand, how one is put in or taken out with every other byte
//! as it was, and lists of feeds as other programs write and read them. No file is opened here, and nothing is judged:
//! what may stand in the register is `config`'s business.

mod blocks;
pub mod csv;
mod edit;
pub mod opml;

pub use blocks::{Block, Kind, Unreadable, blocks};
pub use edit::{EditError, NewFeed, NewGroup, insert, remove};
