//! `sigtrail digest`: the mails that would go out now, without sending or recording anything.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{failure::Failure, named, place::Place};
use crate::jobs::{self, start::Surroundings};

/// Prints the mails that would go out to this owner now; `preview` writes each to a file, and its HTML to another, and
/// prints the paths.
pub fn run(place: &Place, owner: &str, preview: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let owner = named::owner(&config, owner)?.clone();
    place.store(Some(&config))?;
    let state = place.state(Some(&config));
    let context = jobs::start::look(config, &state, Surroundings::default())?;
    let composed = jobs::digest::preview(&context, &owner)?;
    if composed.is_empty() {
        writeln!(out, "nothing waits for {}", owner.name)?;
        return Ok(0);
    }
    for (i, mail) in composed.iter().enumerate() {
        if !preview {
            out.write_all(&mail.bytes)?;
            continue;
        }
        let part = if composed.len() > 1 { format!(".{}", i + 1) } else { String::new() };
        let message = mail_parser::MessageParser::default().parse(&mail.bytes);
        let html = message.as_ref().and_then(|message| message.body_html(0)).unwrap_or_default();
        for (ending, bytes) in [("eml", mail.bytes.as_slice()), ("html", html.as_bytes())] {
            let path = state.join(format!("preview-{}{part}.{ending}", owner.id));
            write_private(&path, bytes).map_err(|error| Failure::File { path: path.clone(), error })?;
            writeln!(out, "{}", path.display())?;
        }
    }
    Ok(0)
}

/// Writes a file that nobody else can read: the links in it will answer.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}
