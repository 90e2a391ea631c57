//! `sigtrail feeds release`: decide from the shell what becomes of the entries that a feed poured out.

use std::io::Write;

use serde_json::json;

use crate::{
    cli::{args::ReleaseArgs, failure::Failure, named, place::Place, table::count},
    clock::Clock,
    jobs::flood,
    model::{
        acknowledgement::Via,
        flood::{Decided, Decision, GivenDecision, NewDecision},
        id::FeedId,
    },
};

/// Records the decision; the daemon or the next tick carries it out.
pub fn run(place: &Place, args: &ReleaseArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let feed = FeedId::new(args.feed.clone());
    let now = Clock::System.now();
    let owner = named::owner(&config, &args.owner)?;
    if !owner.is_living(now) {
        let living = config.owners.iter().filter(|owner| owner.is_living(now)).map(|owner| owner.id.as_str());
        let what = format!("`{}` has left, as config/owners.toml says; there is {}", owner.id, named::some_of(living));
        return Err(Failure::Mistake(what));
    }
    let owner = owner.id.clone();
    let Some(decision) = Decision::parse(&args.decision) else {
        let words: Vec<&str> = Decision::ALL.iter().map(|(word, _)| *word).collect();
        return Err(Failure::Mistake(format!("no decision `{}`; there is {}", args.decision, words.join(", "))));
    };
    let store = place.store(Some(&config))?;
    let Some(row) = store.read(|read| read.newest_flood(&feed))? else {
        if config.feed(&feed).is_none() {
            let what = format!("no feed `{feed}` in feeds.toml; `{}` lists them", place.command("feeds"));
            return Err(Failure::Mistake(what));
        }
        return Err(Failure::Mistake(format!("nothing of {feed} is held")));
    };
    let new = NewDecision { flood: row.no, decision, owner, digest: None, seen: None, via: Via::Shell };
    match flood::decide(&store, &new, now)? {
        Some(Decided::New(given)) => told(place, (&feed, &given), false, json, out),
        Some(Decided::Already(given)) => told(place, (&feed, &given), true, json, out),
        Some(Decided::Grown { .. }) | None => Err(Failure::Mistake(format!("nothing of {feed} is held"))),
    }
}

fn told(
    place: &Place,
    (feed, given): (&FeedId, &GivenDecision),
    is_earlier: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    if json {
        let line = json!({
            "feed": feed, "decision": given.decision.as_str(), "entries": given.entries, "owner": given.owner,
            "at": format!("{:.0}", given.at), "record": given.record, "new": !is_earlier,
        });
        writeln!(out, "{line}")?;
        return Ok(0);
    }
    let (word, entries) = (given.decision.as_str(), count(given.entries, "entry", "entries"));
    if is_earlier {
        writeln!(
            out,
            "Decided already by {} on {:.0} as record {}: {word} of {entries} of {feed}. Nothing was added.",
            given.owner, given.at, given.record
        )?;
    } else {
        writeln!(
            out,
            "Recorded as record {}: {word} of {entries} of {feed}. The daemon, or the next `{}`, carries it out.",
            given.record,
            place.command("tick")
        )?;
    }
    Ok(0)
}
