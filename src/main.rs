//! The thin binary.
use std::io::Write as _;

fn main() {
    let mut out = std::io::stdout().lock();
    for file in std::env::args().skip(1).filter(|arg| arg != "parse" && arg != "--json") {
        let result = std::fs::read(&file)
            .map_err(sigtrail::reader::ReadError::NoThread)
            .and_then(|bytes| sigtrail::reader::read(bytes, None, None));
        let _ = writeln!(out, "{}", sigtrail::cli::parse::line(&file, &result));
    }
}
