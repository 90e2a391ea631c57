//! stand-in
use super::failure::Failure;
pub fn run(_f: &[std::path::PathBuf], _j: bool, _o: &mut dyn std::io::Write) -> Result<u8, Failure> {
    Ok(1)
}
