//! `sigtrail init`: writes the commented configuration for somebody who begins. What stands in it is `config`'s business.

use std::{io, io::Write, path::Path};

use serde_json::json;

use crate::config;

/// Writes the four files below a folder and says what was written and what to do next: for people, or as JSON Lines.
///
/// Gives the exit code: 0, or 2 when a file is there already or cannot be written; what is there is never touched.
pub fn run(dir: &Path, json: bool, out: &mut dyn Write, talk: &mut dyn Write) -> io::Result<u8> {
    match config::init(dir) {
        Ok(paths) => {
            for path in &paths {
                let shown = path.display().to_string();
                if json {
                    writeln!(out, "{}", json!({ "written": shown }))?;
                } else {
                    writeln!(out, "written  {shown}")?;
                }
            }
            let owners = dir.join("config").join("owners.toml");
            let root = if dir == Path::new(".") { String::new() } else { format!("--root {} ", dir.display()) };
            let owners = owners.strip_prefix(".").unwrap_or(&owners).display();
            writeln!(talk, "next: put your own people into {owners}, then run `sigtrail {root}check`")?;
            Ok(0)
        }
        Err(refusal) => {
            writeln!(talk, "error: {refusal}")?;
            Ok(2)
        }
    }
}
