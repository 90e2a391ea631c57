//! `sigtrail feeds export`: the register for other programs, on standard output: a list for readers (OPML) or a table of
//! everything (CSV, JSON Lines). How either is written is `register`'s business.

use std::{collections::HashMap, io::Write};

use serde_json::{Map, Value};

use super::list;
use crate::{
    cli::{args::ExportFormat, failure::Failure, place::Place},
    jobs::Fault,
    model::{
        feed::{Feed, FeedStatus, Group, GroupKind, Membership, Unmatched},
        settings::Config,
        time::Time,
    },
    register::{csv, opml},
    store::StoreError,
};

/// Writes the register in a format; `json` asks for JSON Lines and goes with no other one.
pub(super) fn run(place: &Place, format: Option<ExportFormat>, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    if json && format.is_some() {
        return Err(Failure::Mistake("--json is a format of its own; leave --format away".to_owned()));
    }
    let config = place.config()?;
    if !json && format.unwrap_or(ExportFormat::Opml) == ExportFormat::Opml {
        out.write_all(opml::write(&config).as_bytes())?;
        return Ok(0);
    }
    let rows = rows(&config, &Standing::of(place, &config)?);
    if json {
        for row in rows {
            let line: Map<String, Value> = row.into_iter().map(|(key, cell)| (key.to_owned(), cell.into())).collect();
            writeln!(out, "{}", Value::Object(line))?;
        }
        return Ok(0);
    }
    for (i, row) in rows.iter().enumerate() {
        if i == 0 {
            out.write_all(csv::row(row.iter().map(|(key, _)| *key)).as_bytes())?;
        }
        out.write_all(csv::row(row.iter().map(|(_, cell)| cell.as_str())).as_bytes())?;
    }
    Ok(0)
}

/// How the feeds stand; empty where there is no state.
#[derive(Default)]
struct Standing {
    rows: HashMap<String, (FeedStatus, usize)>,
}

impl Standing {
    fn of(place: &Place, config: &Config) -> Result<Self, Failure> {
        let store = match place.store(Some(config)) {
            Ok(store) => store,
            Err(Failure::Fault(Fault::Store(StoreError::NoState(_)))) => return Ok(Self::default()),
            Err(failure) => return Err(failure),
        };
        let (rows, counts) = store.read(|read| Ok((read.feeds()?, read.entries_by_feed()?)))?;
        let counts: HashMap<_, usize> = counts.into_iter().collect();
        let counted = |row: FeedStatus| {
            let entries = counts.get(&row.no).copied().unwrap_or(0);
            (row.id.to_string(), (row, entries))
        };
        Ok(Self { rows: rows.into_iter().map(counted).collect() })
    }
}

/// One row of the table: every column with its cell.
type Row = Vec<(&'static str, String)>;

/// The feeds in the order of the file, then the groups that have none.
fn rows(config: &Config, standing: &Standing) -> Vec<Row> {
    let of_feed = config.feeds.iter().map(|feed| {
        let group = feed.group.as_ref().and_then(|id| config.group(id));
        row(group, Some(feed), standing.rows.get(feed.id.as_str()))
    });
    let has_none = |group: &&Group| config.feeds.iter().all(|feed| feed.group.as_ref() != Some(&group.id));
    of_feed.chain(config.groups.iter().filter(has_none).map(|group| row(Some(group), None, None))).collect()
}

fn row(group: Option<&Group>, feed: Option<&Feed>, stand: Option<&(FeedStatus, usize)>) -> Row {
    let of_feed = |read: &dyn Fn(&Feed) -> String| feed.map_or_else(String::new, read);
    let of_group = |read: &dyn Fn(&Group) -> String| group.map_or_else(String::new, read);
    let status = stand.map(|(status, _)| status);
    let at = |time: Option<Time>| time.map_or_else(String::new, |time| format!("{time:.0}"));
    vec![
        ("feed", of_feed(&|feed| feed.id.to_string())),
        ("name", of_feed(&|feed| feed.name.clone())),
        ("url", of_feed(&|feed| feed.url.to_string())),
        ("owner", of_feed(&|feed| feed.owner.to_string())),
        ("enabled", of_feed(&|feed| if feed.enabled { "yes" } else { "no" }.to_owned())),
        ("every", of_feed(&|feed| format!("{:#}", feed.every))),
        ("unmatched", of_feed(&|feed| unmatched(feed.unmatched).to_owned())),
        ("tlp", of_feed(&|feed| feed.tlp.to_string())),
        ("group", of_group(&|group| group.id.to_string())),
        ("group_name", of_group(&|group| group.name.clone())),
        ("kind", of_group(&|group| word(&GroupKind::ALL, group.kind.as_ref()))),
        ("membership", of_group(&|group| word(&Membership::ALL, group.membership.as_ref()))),
        ("reason", of_group(&|group| group.reason.clone().unwrap_or_default())),
        ("group_owner", of_group(&|group| group.owner.to_string())),
        ("deputy", of_group(&|group| group.deputy.as_ref().map(ToString::to_string).unwrap_or_default())),
        ("controls", of_group(&|group| group.controls.join(", "))),
        ("joined", of_group(&|group| group.joined.map(|day| day.to_string()).unwrap_or_default())),
        ("review_by", of_group(&|group| group.review_by.map(|day| day.to_string()).unwrap_or_default())),
        ("state", of_feed(&|feed| list::state(feed, status).to_owned())),
        ("since", at(status.map(|status| status.since))),
        ("last_poll_at", at(status.and_then(|status| status.last_poll_at))),
        ("last_entry_at", at(status.and_then(|status| status.last_entry_at))),
        ("entries", stand.map_or_else(String::new, |(_, entries)| entries.to_string())),
        ("cause", status.map_or_else(String::new, |status| status.cause.clone())),
    ]
}

fn unmatched(word: Unmatched) -> &'static str {
    match word {
        Unmatched::List => "list",
        Unmatched::Owner => "owner",
        Unmatched::None => "none",
    }
}

/// The word that stands for one of a list; empty where there is none.
fn word<T: PartialEq>(all: &[(&'static str, T)], value: Option<&T>) -> String {
    all.iter().find(|(_, one)| Some(one) == value).map_or_else(String::new, |(word, _)| (*word).to_owned())
}
