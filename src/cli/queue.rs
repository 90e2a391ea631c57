//! `sigtrail digest --queue`: the mails that have not left yet, and why. Writes nothing.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::json;

use super::{
    failure::Failure,
    place::Place,
    table::{moment, rendered, table, width},
};
use crate::{
    clock::Clock,
    compose::words::line,
    model::{
        delivery::DeliveryState,
        time::{Time, rfc3339},
    },
    store::{QueuedRow, Store},
};

/// Prints what waits for the mail server, oldest first.
pub fn run(place: &Place, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    // Files with errors hide no mail that waits.
    let config = place.load().ok();
    print(&place.store(config.as_ref())?, (Clock::System.now(), width()), json, out)
}

/// The same for a store, a moment and the width of a terminal.
pub fn print(store: &Store, (now, width): (Time, Option<u16>), json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let queue = store.read(|read| read.queue())?;
    if json {
        for row in &queue {
            writeln!(out, "{}", json_line(row))?;
        }
        return Ok(0);
    }
    if queue.is_empty() {
        writeln!(out, "no mail waits")?;
        return Ok(0);
    }
    let zone = TimeZone::system();
    let mut shown = table(&["OWNER", "DIGEST", "STATE", "SINCE", "ATTEMPTS", "NEXT", "REPLY"], width);
    for row in &queue {
        let next = row.next_attempt_at.map_or_else(String::new, |at| moment(at.max(now), now, &zone));
        let since = moment(row.queued_at, now, &zone);
        let (owner, digest, attempts) = (line(row.owner.as_str()), row.digest.to_string(), row.attempts.to_string());
        shown.add_row([owner, digest, state(row).to_owned(), since, attempts, next, reply(row)]);
    }
    write!(out, "{}", rendered(&shown))?;
    Ok(0)
}

/// What came of the last attempt; before the first one, or within one, where the delivery stands.
fn state(row: &QueuedRow) -> &str {
    match (&row.last, row.state) {
        (Some((outcome, ..)), DeliveryState::Queued) => outcome,
        _ => row.state.as_str(),
    }
}

fn reply(row: &QueuedRow) -> String {
    let Some((_, code, reply)) = &row.last else { return String::new() };
    let code = code.map_or_else(String::new, |code| format!("{code} "));
    line(&format!("{code}{reply}"))
}

fn json_line(row: &QueuedRow) -> serde_json::Value {
    json!({
        "owner": row.owner, "digest": row.digest, "delivery": row.no, "state": state(row),
        "since": rfc3339(row.queued_at), "attempts": row.attempts, "next": row.next_attempt_at.map(rfc3339),
        "reply": row.last.as_ref().map(|_| reply(row)),
    })
}
