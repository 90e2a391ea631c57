//! `sigtrail feeds`: the register's feeds, one file a command. `list`, `test`, `catalogue` and `export` read; `add`, `drop` and `import` edit
//! `feeds.toml` and nothing else of the configuration.

mod add;
mod catalogue;
mod drop;
mod export;
mod import;
mod list;
mod register;
mod release;
mod test;

use std::io::Write;

use super::{args::FeedsCommand, failure::Failure, place::Place};

/// Does what one of the commands below `feeds` says; without one, lists.
pub fn run(place: &Place, command: Option<&FeedsCommand>, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    match command {
        None | Some(FeedsCommand::List) => list::run(place, json, out),
        Some(FeedsCommand::Test { what }) => test::run(place, what, json, out),
        Some(FeedsCommand::Catalogue { words }) => catalogue::run(&words.join(" "), json, out),
        Some(FeedsCommand::Add(args)) => add::run(place, args, json, out),
        Some(FeedsCommand::Drop(args)) => drop::run(place, args, json, out),
        Some(FeedsCommand::Import(args)) => import::run(place, args, json, out),
        Some(FeedsCommand::Release(args)) => release::run(place, args, json, out),
        Some(FeedsCommand::Export { format }) => export::run(place, *format, json, out),
    }
}
