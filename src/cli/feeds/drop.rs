//! `sigtrail feeds drop`: takes a feed out of the register and records why. What it brought stays.

use std::io::{BufRead, IsTerminal as _, Write};

use serde_json::json;

use super::register::{Register, place_of, talk};
use crate::{
    cli::{
        args::{DropArgs, GroupFate},
        failure::Failure,
        named,
        place::Place,
        table::count,
    },
    clock::Clock,
    jobs::{
        drop::{self, Recorded},
        flood,
    },
    model::{
        feed::{Feed, Group},
        id::{FeedId, GroupId},
        settings::Config,
    },
    register::{Kind, remove},
    store::{Store, StoreError},
    text,
};

/// The most bytes of a reason.
const MAX_REASON: usize = 4_000;

/// Takes the feed out, records the reason and says what stays.
pub(super) fn run(place: &Place, args: &DropArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let reason = text::clean(&args.reason, MAX_REASON);
    if reason.is_empty() {
        return Err(Failure::Mistake("a drop needs a reason: --reason \"...\"; nothing was written".to_owned()));
    }
    let register = Register::open(place)?;
    let id = FeedId::new(args.feed.clone());
    let Some(feed) = register.config.feed(&id) else {
        return record_only(place, &register, &id, (&reason, args.group), json, out);
    };
    let group = left_alone(&register.config, feed);
    let goes = match (group, args.group) {
        (None, Some(GroupFate::Drop)) => return Err(not_alone(&register.config, feed)),
        (None, _) => None,
        (Some(group), fate) => (fate.map_or_else(|| asked(group), Ok)? == GroupFate::Drop).then_some(&group.id),
    };
    let edited = remove(register.text(), id.as_str(), goes.map(GroupId::as_str)).map_err(|error| {
        let keep = if error.is_about_group() { ", and drop the feed with --group keep" } else { "" };
        Failure::Mistake(format!("{error}{keep}; nothing was written"))
    })?;
    let was_at = place_of(register.text(), Kind::Feed, id.as_str());
    register.write(&edited)?;
    if !json {
        writeln!(out, "dropped  feed {id} ({was_at})")?;
        if let Some(group) = goes {
            writeln!(out, "dropped  group {group}")?;
        }
        // What is done is said before anything else can fail.
        out.flush()?;
    }
    let record = recorded(place, &register, &id, |store| {
        drop::record(store, &id, goes, &reason, Clock::System.now()).map(Recorded::New)
    })?;
    if let Some(words) = left_held(place, &register.config, &id)? {
        talk(&words);
    }
    say(&register, (&id, goes), record, json, out)
}

/// What becomes of the entries of a dropped feed that wait for a decision.
fn left_held(place: &Place, config: &Config, id: &FeedId) -> Result<Option<String>, Failure> {
    let store = match place.store(Some(config)) {
        Err(failure) if is_no_state(&failure) => return Ok(None),
        store => store?,
    };
    let Some((entries, decides)) = flood::left_by(&store, config, id, Clock::System.now())? else { return Ok(None) };
    let held = count(entries, "entry of it is held", "entries of it are held");
    let whose = decides.map_or_else(String::new, |owner| format!(" {owner} is asked in the next digest;"));
    let release = place.command(&format!("feeds release {id} --as all|matching|none --owner ..."));
    Ok(Some(format!("{held} until somebody decides.{whose} {release}")))
}

/// The group of which this is the last feed.
fn left_alone<'c>(config: &'c Config, feed: &Feed) -> Option<&'c Group> {
    let group = config.group(feed.group.as_ref()?)?;
    let has_others = config.feeds.iter().any(|other| other.id != feed.id && other.group.as_ref() == Some(&group.id));
    (!has_others).then_some(group)
}

fn not_alone(config: &Config, feed: &Feed) -> Failure {
    let Some(group) = &feed.group else {
        return Failure::Mistake(format!(
            "feed `{}` belongs to no group; leave --group away; nothing was written",
            feed.id
        ));
    };
    let others = config.feeds.iter().filter(|other| other.id != feed.id && other.group.as_ref() == Some(group));
    let others = named::some_of(others.map(|other| other.id.as_str()));
    Failure::Mistake(format!(
        "group `{group}` has other feeds: {others}; it can go with the last of them; nothing was written"
    ))
}

/// What becomes of a group that loses its last feed: asked on a terminal, else it must have been said.
fn asked(group: &Group) -> Result<GroupFate, Failure> {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    if stdin.is_terminal() && stderr.is_terminal() {
        return answer(group, &mut stdin.lock(), &mut stderr.lock());
    }
    Err(unsaid(group))
}

fn unsaid(group: &Group) -> Failure {
    let what = format!("it is the last feed of the group `{}`", group.id);
    Failure::Mistake(format!("{what}; say --group keep or --group drop; nothing was written"))
}

fn answer(group: &Group, input: &mut dyn BufRead, talk: &mut dyn Write) -> Result<GroupFate, Failure> {
    write!(
        talk,
        "It is the last feed of `{}` ({}). Keep the group in the register? [keep/drop] ",
        group.id, group.name
    )?;
    talk.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    match line.trim().to_ascii_lowercase().as_str() {
        "keep" | "k" | "yes" | "y" => Ok(GroupFate::Keep),
        "drop" | "d" | "no" | "n" => Ok(GroupFate::Drop),
        _ => Err(unsaid(group)),
    }
}

/// The reason for a feed that was taken out by hand: the register has none of this name any more, the state knows it.
fn record_only(
    place: &Place,
    register: &Register<'_>,
    id: &FeedId,
    (reason, fate): (&str, Option<GroupFate>),
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let is_known = match place.store(Some(&register.config)) {
        Ok(store) => store.read(|read| read.feeds())?.iter().any(|row| row.id == *id),
        Err(failure) if is_no_state(&failure) => false,
        Err(failure) => return Err(failure),
    };
    if !is_known {
        let known = register.config.feeds.iter().map(|feed| feed.id.as_str());
        return Err(named::nothing(("feed", id.as_str()), known));
    }
    if fate == Some(GroupFate::Drop) {
        let what = format!("feeds.toml has no feed `{id}` any more, so no group can go with it");
        return Err(Failure::Mistake(format!("{what}; take the group out by hand; nothing was written")));
    }
    let record = recorded(place, register, id, |store| drop::record_late(store, id, reason, Clock::System.now()))?;
    if matches!(record, Some(Recorded::New(_))) {
        talk(&format!("feeds.toml has no feed `{id}` any more; only the reason is recorded"));
    }
    say(register, (id, None), record, json, out)
}

fn is_no_state(failure: &Failure) -> bool {
    matches!(failure, Failure::Fault(crate::jobs::Fault::Store(StoreError::NoState(_))))
}

/// Records the reason where there is a state.
fn recorded(
    place: &Place,
    register: &Register<'_>,
    id: &FeedId,
    record: impl FnOnce(&Store) -> Result<Recorded, StoreError>,
) -> Result<Option<Recorded>, Failure> {
    match place.store(Some(&register.config)).and_then(|store| Ok(record(&store)?)) {
        Ok(record) => Ok(Some(record)),
        Err(failure) if is_no_state(&failure) => Ok(None),
        Err(failure) => {
            talk(&format!(
                "the reason is not in the log yet; once this is put right: {}",
                register.command(&format!("feeds drop {id} --reason ..."))
            ));
            Err(failure)
        }
    }
}

fn say(
    register: &Register<'_>,
    (id, group): (&FeedId, Option<&GroupId>),
    recorded: Option<Recorded>,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let record = recorded.map(|(Recorded::New(record) | Recorded::Already(record))| record);
    let is_new = matches!(recorded, Some(Recorded::New(_)));
    if json {
        let line =
            json!({ "feed": id, "dropped_group": group, "file": register.path(), "record": record, "new": is_new });
        writeln!(out, "{line}")?;
    } else {
        match recorded {
            Some(Recorded::New(record)) => writeln!(out, "recorded as record {record}; what the feed brought stays")?,
            Some(Recorded::Already(record)) => {
                writeln!(out, "recorded already as record {record}; nothing was written")?;
            }
            None => writeln!(out, "there is no state yet, so there is nothing to record the reason in")?,
        }
    }
    out.flush()?;
    if record.is_none() || is_new {
        talk(&format!("next: {}", register.next()));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_with_keep_or_drop_and_nothing_else_counts() {
        let group = Group {
            id: "cisa".into(),
            name: "CISA".into(),
            url: None,
            kind: None,
            membership: None,
            reason: None,
            owner: "maria".into(),
            deputy: None,
            controls: Vec::new(),
            joined: None,
            review_by: None,
        };
        let said = |typed: &str| answer(&group, &mut typed.as_bytes(), &mut Vec::new());
        assert_eq!(said("keep\n").unwrap(), GroupFate::Keep);
        assert_eq!(said(" D\n").unwrap(), GroupFate::Drop);
        for typed in ["", "\n", "maybe\n"] {
            assert_eq!(said(typed).unwrap_err().exit_code(), 2, "{typed:?}");
        }
    }
}
