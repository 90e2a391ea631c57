//! `sigtrail feeds list`: the feeds and how they stand.

use std::{collections::HashMap, io::Write};

use jiff::tz::TimeZone;
use serde_json::json;

use super::register::talk;
use crate::{
    cli::{
        failure::Failure,
        place::Place,
        standing::Standing,
        table::{count, moment, rendered, table, width},
    },
    clock::Clock,
    compose::words::line,
    model::{
        feed::{Feed, FeedState, FeedStatus},
        settings::Config,
        time::Time,
    },
};

/// Every feed of the configuration with its state and its next poll.
pub(super) fn run(place: &Place, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let store = place.store(Some(&config))?;
    let (rows, counts, held) = store.read(|read| Ok((read.feeds()?, read.entries_by_feed()?, read.held_by_feed()?)))?;
    let held: HashMap<_, usize> = held.into_iter().collect();
    let by_id: HashMap<&str, &FeedStatus> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let counts: HashMap<_, usize> = counts.into_iter().collect();
    let feeds = config.feeds.iter().map(|feed| (feed, by_id.get(feed.id.as_str()).copied()));
    let now = Clock::System.now();
    let pending = store.read(|read| Standing::of(place, &config, read, now))?;
    let pending = pending.filter(Standing::is_pending).map(|standing| standing.words());
    if json {
        for (feed, row) in feeds {
            let entries = row.and_then(|row| counts.get(&row.no)).copied().unwrap_or(0);
            let held = row.and_then(|row| held.get(&row.no)).copied().unwrap_or(0);
            writeln!(out, "{}", json_line(feed, row, (entries, held)))?;
        }
        if let Some(words) = pending {
            talk(&words);
        }
        return Ok(0);
    }
    let mut shown = table(&["FEED", "STATE", "SINCE", "LAST ENTRY", "NEXT", "OWNER", "REASON"], width());
    for (feed, row) in feeds {
        shown.add_row(cells(place, feed, row, now));
    }
    write!(out, "{}", rendered(&shown))?;
    writeln!(out, "{}", summary(&config, &by_id))?;
    for (feed, row) in config.feeds.iter().filter_map(|feed| Some((feed, *by_id.get(feed.id.as_str())?))) {
        if let Some(held) = held.get(&row.no) {
            let held = count(*held, "entry is", "entries are");
            let release = place.command(&format!("feeds release {}", feed.id));
            writeln!(out, "{}: {held} held; {release} --as all|matching|none --owner ...", feed.id)?;
        }
    }
    pending.map_or(Ok(()), |words| writeln!(out, "{words}"))?;
    Ok(0)
}

fn cells(place: &Place, feed: &Feed, row: Option<&FeedStatus>, now: Time) -> Vec<String> {
    let zone = TimeZone::system();
    let at = |time: Option<Time>| time.map_or_else(String::new, |time| moment(time, now, &zone));
    let next = row.filter(|row| row.enabled).map(|row| row.next_poll_at);
    vec![
        feed.id.to_string(),
        state(feed, row).to_owned(),
        at(row.map(|row| row.since)),
        at(row.and_then(|row| row.last_entry_at)),
        at(next),
        feed.owner.to_string(),
        row.map_or_else(String::new, |row| reason(&place.command("check"), row)),
    ]
}

pub(super) fn state(feed: &Feed, row: Option<&FeedStatus>) -> &'static str {
    match row {
        _ if !feed.enabled => "off",
        None => FeedState::New.as_str(),
        Some(row) => row.state.as_str(),
    }
}

fn reason(check: &str, row: &FeedStatus) -> String {
    let trouble = match row.failures_alike {
        _ if row.cause.is_empty() => None,
        0 => Some(line(&row.cause)),
        failures => Some(format!("{}, {}", line(&row.cause), count(failures as usize, "try", "tries"))),
    };
    let move_of_it = match (&row.moved_to, row.moving.as_ref().filter(|moving| moving.asked_at.is_some())) {
        (_, Some(moving)) => Some(format!("moves to {}: you decide, see `{check}`", moving.to)),
        (Some(moved_to), None) => Some(format!("moved to {moved_to}")),
        (None, None) => None,
    };
    let why = Some(row.next_poll_why.as_str()).filter(|why| row.enabled && !why.is_empty());
    // Where nothing is wrong, the reason of the next poll is all there is to say.
    let is_well = trouble.is_none() && move_of_it.is_none();
    let asked = why.map(|why| if is_well { why.to_owned() } else { format!("asked again: {why}") });
    [trouble, move_of_it, asked].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn json_line(feed: &Feed, row: Option<&FeedStatus>, (entries, held): (usize, usize)) -> serde_json::Value {
    let at = |time: Option<Time>| time.map(|time| format!("{time:.0}"));
    json!({
        "feed": feed.id, "group": feed.group, "url": feed.url.as_str(), "owner": feed.owner,
        "state": state(feed, row), "since": at(row.map(|row| row.since)),
        "last_poll_at": at(row.and_then(|row| row.last_poll_at)),
        "last_entry_at": at(row.and_then(|row| row.last_entry_at)),
        "next_poll_at": at(row.filter(|row| row.enabled).map(|row| row.next_poll_at)),
        "next_poll_why": row.filter(|row| row.enabled).map(|row| row.next_poll_why.as_str()).filter(|why| !why.is_empty()),
        "reason": row.map(|row| row.cause.clone()).filter(|cause| !cause.is_empty()),
        "entries": entries, "held": held, "partial": row.is_some_and(|row| row.partial),
        "moved_to": row.and_then(|row| row.moved_to.as_deref()),
        "moving_to": row.and_then(|row| row.moving.as_ref()).map(|moving| moving.to.as_str()),
    })
}

fn summary(config: &Config, rows: &HashMap<&str, &FeedStatus>) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for feed in &config.feeds {
        let state = state(feed, rows.get(feed.id.as_str()).copied());
        match states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, number)) => *number += 1,
            None => states.push((state, 1)),
        }
    }
    let parts: Vec<String> = states.iter().map(|(state, number)| format!("{number} {state}")).collect();
    format!("{}: {}", count(config.feeds.len(), "feed", "feeds"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{FeedId, FeedNo};

    #[test]
    fn each_feed_says_why_it_is_asked_when_it_is_also_in_trouble_quiet_or_moved() {
        let now: Time = "2026-11-20T08:00:00Z".parse().unwrap();
        let why = "its own interval of 1h".to_owned();
        let well = FeedStatus { next_poll_why: why, ..FeedStatus::unpolled(FeedNo(1), FeedId::new("cert"), now) };
        assert_eq!(reason("", &well), "its own interval of 1h");
        let gone = FeedStatus { cause: "not found (404)".to_owned(), failures_alike: 2, ..well.clone() };
        assert_eq!(reason("", &gone), "not found (404), 2 tries; asked again: its own interval of 1h");
        let moved = FeedStatus { moved_to: Some("https://www.tarn.example/".to_owned()), ..well.clone() };
        assert_eq!(reason("", &moved), "moved to https://www.tarn.example/; asked again: its own interval of 1h");
        let dropped = FeedStatus { enabled: false, ..well };
        assert_eq!(reason("", &dropped), "");
    }
}
