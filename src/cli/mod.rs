//! The commands of the shell.

pub mod parse;
