//! The one integration binary: a file per verb or door, and the harness they share.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a skipped test says so aloud")]

mod acknowledge;
mod browser;
mod catalogue;
mod commands;
mod config;
mod corpus;
mod crash;
mod deliver;
mod digest;
mod evidence;
mod fetch;
mod fetch_tls;
mod flood;
mod harness;
mod health;
mod identity;
mod inbound;
mod load;
mod mail;
mod manners;
mod matching;
mod monitor;
mod moves;
mod pages;
mod parse;
mod poll;
mod probe;
mod register;
mod regression;
mod relay;
mod reload;
mod remind;
mod routing;
mod rows;
mod scale;
mod service;
mod text;
mod tidy;
mod unanswered;
