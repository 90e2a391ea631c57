//! Not written yet.

pub mod check;
pub mod init;
