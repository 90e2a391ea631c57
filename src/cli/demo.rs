//! `sigtrail demo`.
use super::{args::DemoArgs, failure::Failure};
use std::io::Write;
pub fn run(_args: &DemoArgs, _out: &mut dyn Write) -> Result<u8, Failure> {
    Ok(1)
}
