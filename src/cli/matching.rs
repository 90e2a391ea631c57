//! stand-in
use super::{args::MatchArgs, failure::Failure, place::Place};
pub fn run(_p: &Place, _f: &MatchArgs, _j: bool, _o: &mut dyn std::io::Write) -> Result<u8, Failure> {
    Ok(1)
}
