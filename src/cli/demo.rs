//! `sigtrail demo`.
use std::io::Write;
use super::{args::DemoArgs, failure::Failure};
pub fn run(_args: &DemoArgs, _out: &mut dyn Write) -> Result<u8, Failure> { Ok(1) }
