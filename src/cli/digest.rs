//! `sigtrail digest`: the mail that would go out now, without sending or recording anything.

use std::{fs, io::Write};

use super::{failure::Failure, place::Place};
use crate::{
    jobs::{self, start::Surroundings},
    model::id::OwnerId,
};

/// Prints the mail that would go out to this owner now; `preview` writes its HTML to a file and prints the path.
pub fn run(place: &Place, owner: &str, preview: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let id = OwnerId::new(owner);
    let Some(owner) = config.owner(&id).cloned() else {
        let known: Vec<&str> = config.owners.iter().map(|owner| owner.id.as_str()).collect();
        return Err(Failure::Mistake(format!("no owner `{id}` in config/owners.toml; there is {}", known.join(", "))));
    };
    place.store(Some(&config))?;
    let state = place.state(Some(&config));
    let context = jobs::start::look(config, &state, Surroundings::default())?;
    let Some(composed) = jobs::digest::preview(&context, &owner)? else {
        writeln!(out, "nothing waits for {}", owner.name)?;
        return Ok(0);
    };
    if !preview {
        out.write_all(&composed.bytes)?;
        return Ok(0);
    }
    let message = mail_parser::MessageParser::default().parse(&composed.bytes);
    let html = message.as_ref().and_then(|message| message.body_html(0)).unwrap_or_default();
    let path = state.join(format!("preview-{}.html", owner.id));
    fs::write(&path, html.as_bytes()).map_err(|error| Failure::File { path: path.clone(), error })?;
    writeln!(out, "{}", path.display())?;
    Ok(0)
}
