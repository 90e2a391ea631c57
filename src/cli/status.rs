//! `sigtrail status`: what wants a person's attention, for monitoring and for people.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::json;

use super::{
    failure::Failure,
    place::Place,
    standing::{self, Standing},
    table::{count, moment, rendered, table, width},
};
use crate::{
    clock::Clock,
    compose::words::line,
    config::{self, Problems, Severity, counted},
    jobs::status::{Attention, Reason, Status, status},
    lock::InstanceLock,
    model::{settings::Config, time::Time},
    store::Store,
};

/// The exit status where something wants attention.
const ATTENTION: u8 = 4;

/// Prints what wants attention: exit 0 where nothing does, 4 where something does. Writes nothing. Where the files are
/// not what is in force, that is a reason of its own, and everything else is judged by what is.
pub fn run(place: &Place, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let now = Clock::System.now();
    let found = match place.load() {
        Ok(config) => beside_files(place, &config, now)?,
        Err(problems) => beside_errors(place, problems, now)?,
    };
    let code = write_status(&found, (now, width()), json, out)?;
    if !json {
        writeln!(out, "{}", work(&found, running_since(place)?, now))?;
    }
    Ok(code)
}

/// Since when the service runs; `None`: none does, or not for longer than a command.
fn running_since(place: &Place) -> Result<Option<Time>, Failure> {
    let store = place.store(None)?;
    if !InstanceLock::is_taken(store.dir()) {
        return Ok(None);
    }
    Ok(store.read(|read| read.running_since())?)
}

/// What waits, and whether somebody is at work.
fn work(found: &Status, running_since: Option<Time>, now: Time) -> String {
    let running = running_since
        .map_or_else(String::new, |since| format!("running since {}; ", moment(since, now, &TimeZone::system())));
    let stories = count(found.open, "story", "stories");
    format!("{running}{stories} open, {} overdue; outbox {}", found.overdue, found.outbox)
}

fn beside_files(place: &Place, config: &Config, now: Time) -> Result<Status, Failure> {
    let store = place.store(Some(config))?;
    let found = store.read(|read| {
        let pending = Standing::of(place, config, read, now)?.filter(Standing::is_pending);
        let in_force = pending.as_ref().and_then(|standing| standing.in_force.as_ref());
        let mut found = status(read, in_force.unwrap_or(config), now)?;
        if let Some(standing) = &pending {
            let how = if standing.refused.is_empty() {
                "`systemctl reload sigtrail` puts them in force, or the next `sigtrail tick` where no service runs"
                    .to_owned()
            } else {
                format!("A reload would be refused: {}", standing.why_refused())
            };
            let (number, words) = (standing.loaded.0, standing.difference.words());
            let text = format!("The files differ from configuration {number}, which is in force: {words}. {how}.");
            found.add(not_in_force(place, text, now));
        }
        Ok(found)
    })?;
    Ok(found)
}

/// Files with errors are no reason to be blind: the service goes on with what it has loaded.
fn beside_errors(place: &Place, problems: Problems, now: Time) -> Result<Status, Failure> {
    let Ok(store) = place.store(None) else { return Err(problems.into()) };
    let found = store.read(|read| {
        let Some((loaded, files)) = read.loaded_configuration()? else { return Ok(None) };
        let Some(config) = standing::understood(place, &files, now) else { return Ok(None) };
        let mut found = status(read, &config, now)?;
        let words = format!(
            "{}: configuration {} stays in force, and no start succeeds. `sigtrail check` says what is wrong.",
            errors(&problems),
            loaded.0
        );
        found.add(not_in_force(place, words, now));
        Ok(Some(found))
    })?;
    found.ok_or_else(|| problems.into())
}

/// `3 errors in feeds.toml and config/owners.toml`.
fn errors(problems: &Problems) -> String {
    let errors = problems.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let mut files: Vec<&str> = errors.clone().map(|problem| problem.file.as_str()).collect();
    files.dedup();
    format!("{} in {}", counted(errors.count(), "error"), files.join(" and "))
}

fn not_in_force(place: &Place, text: String, now: Time) -> Attention {
    let since = config::written_at(&place.root).unwrap_or(now);
    Attention { reason: Reason::ConfigurationNotInForce, subject: "sigtrail".to_owned(), since, text }
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
    write_status(&found, (now, width), json, out)
}

fn write_status(
    found: &Status,
    (now, width): (Time, Option<u16>),
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
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
        writeln!(out, "{}", summary(found, now))?;
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
