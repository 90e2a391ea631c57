//! The commands of the shell.

pub mod matching;
