//! `sigtrail ack`: record an answer from the shell.

use std::io::Write;

use serde_json::json;

use super::{args::AckArgs, failure::Failure, place::Place};
use crate::{
    clock::Clock,
    hex::hex,
    jobs::acknowledge,
    model::{
        acknowledgement::{Answer, Disposition, MAX_NOTE, Recorded, Via, refusal},
        id::{OwnerId, StoryNo},
    },
    store::Store,
    text,
};

/// Records what an owner says of stories.
pub fn run(place: &Place, args: &AckArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = place.config()?;
    let owner = OwnerId::new(args.owner.clone());
    if config.owner(&owner).is_none() {
        let known: Vec<&str> = config.owners.iter().map(|owner| owner.id.as_str()).collect();
        let known = known.join(", ");
        return Err(Failure::Mistake(format!("no owner `{owner}` in config/owners.toml; there is {known}")));
    }
    let Some(disposition) = Disposition::parse(&args.disposition) else {
        let words: Vec<&str> = Disposition::ALL.iter().map(|(word, _)| *word).collect();
        return Err(Failure::Mistake(format!("no disposition `{}`; there is {}", args.disposition, words.join(", "))));
    };
    if let Some(reason) = refusal(Some(disposition), args.note.as_deref()) {
        return Err(Failure::Mistake(format!("{reason}: add --note \"...\"")));
    }
    let store = place.store(Some(&config))?;
    let stories = known_stories(&store, &owner, &args.stories)?;
    let clean = |text: &Option<String>| {
        text.as_ref().map(|text| text::clean(text, MAX_NOTE * 4)).filter(|text| !text.is_empty())
    };
    let answer = Answer {
        owner,
        digest: None,
        stories,
        disposition,
        note: clean(&args.note),
        reference: clean(&args.reference),
        nonce: format!("shell-{}", hex(&random()?)),
        via: Via::Shell,
    };
    let recorded = acknowledge::record(&store, &answer, Clock::System.now())?;
    let (Recorded::New { record } | Recorded::Already { record, .. }) = recorded;
    if json {
        writeln!(
            out,
            "{}",
            json!({ "record": record, "stories": answer.stories, "disposition": disposition.as_str() })
        )?;
    } else {
        writeln!(out, "Recorded as record {record}: {} for {}.", disposition.as_str(), answer.owner)?;
    }
    Ok(0)
}

/// The stories by their numbers. One that went to others only is refused: nobody answers what they were never given.
fn known_stories(store: &Store, owner: &OwnerId, numbers: &[i64]) -> Result<Vec<StoryNo>, Failure> {
    let mut stories = Vec::new();
    for number in numbers {
        let no = StoryNo(*number);
        if store.read(|read| read.story(no))?.is_none() {
            return Err(Failure::Mistake(format!("no story {no}; `sigtrail stories` lists them")));
        }
        let given = store.read(|read| read.assignments(no))?;
        if !given.is_empty() && !given.iter().any(|one| one.owner == *owner) {
            let mut went: Vec<&str> = given.iter().map(|one| one.owner.as_str()).collect();
            went.dedup();
            return Err(Failure::Mistake(format!("story {no} went to {}, not to {owner}", went.join(", "))));
        }
        if !stories.contains(&no) {
            stories.push(no);
        }
    }
    Ok(stories)
}

fn random() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Mistake(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}
