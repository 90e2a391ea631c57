//! `sigtrail status`: what wants a person's attention, for monitoring and for people.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::json;

use super::{
    failure::Failure,
    place::Place,
    table::{count, moment, rendered, table, width},
};
use crate::{
    clock::Clock,
    compose::words::line,
    jobs::status::{Attention, Status, status},
    model::{settings::Config, time::Time},
    store::Store,
};

/// The exit status where something wants attention.
const ATTENTION: u8 = 4;

/// Prints what wants attention: exit 0 where nothing does, 4 where something does. Writes nothing.
pub fn run(place: &Place, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let store = place.store(Some(&config))?;
    print(&store, &config, (Clock::System.now(), width()), json, out)
}

/// The same for a store, a moment and the width of a terminal.
pub fn print(
    store: &Store,
    config: &Config,
    (now, width): (Time, Option<u16>),
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let found = store.read(|read| status(read, config, now))?;
    if json {
        for one in &found.attention {
            writeln!(out, "{}", json_line(one))?;
        }
    } else {
        if !found.attention.is_empty() {
            let mut shown = table(&["REASON", "SUBJECT", "SINCE", "WHAT TO DO"], width);
            for one in &found.attention {
                let since = moment(one.since, now, &TimeZone::system());
                shown.add_row([one.reason.as_str().to_owned(), line(&one.subject), since, line(&one.text)]);
            }
            write!(out, "{}", rendered(&shown))?;
        }
        writeln!(out, "{}", summary(&found, now))?;
    }
    Ok(if found.attention.is_empty() { 0 } else { ATTENTION })
}

fn json_line(one: &Attention) -> serde_json::Value {
    json!({
        "reason": one.reason.as_str(), "subject": line(&one.subject), "since": format!("{:.0}", one.since),
        "text": line(&one.text),
    })
}

fn summary(found: &Status, now: Time) -> String {
    let opening = match found.attention.len() {
        0 => "All is well".to_owned(),
        1 => "1 thing wants attention".to_owned(),
        n => format!("{n} things want attention"),
    };
    let polled = found.last_poll_at.map_or_else(
        || "nothing polled yet".to_owned(),
        |at| format!("newest poll {}", moment(at, now, &TimeZone::system())),
    );
    format!("{opening}: {} of {} seen, {polled}.", found.seen, count(found.feeds, "feed", "feeds"))
}
