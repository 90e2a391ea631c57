//! `sigtrail ack` and `sigtrail act`: record at the shell what an owner says, and the next steps after it.

use std::io::Write;

use jiff::{civil, tz::TimeZone};
use serde_json::json;

use super::{
    args::{AckArgs, ActArgs, SaidArgs},
    failure::Failure,
    place::Place,
};
use crate::{
    clock::Clock,
    hex::hex,
    jobs::acknowledge,
    model::{
        acknowledgement::{
            Answer, Disposition, Haste, MAX_NOTE, Recorded, Reference, ReferenceKind, Unfit, Via, refusal,
        },
        id::{OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::Store,
    text,
};

/// Records what an owner says of stories.
pub fn run(place: &Place, args: &AckArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(disposition) = Disposition::parse(&args.disposition) else {
        let words: Vec<&str> = Disposition::ALL.iter().map(|(word, _)| *word).collect();
        return Err(Failure::Mistake(format!("no disposition `{}`; there is {}", args.disposition, words.join(", "))));
    };
    say(place, (&args.stories, disposition, args.corrects), &args.said, json, out)
}

/// Records what was done about stories, or that nothing is left to do.
pub fn act(place: &Place, args: &ActArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    if args.said.reference.is_empty() && !args.close {
        let words = "nothing to attach: add --reference ticket:CHG-118, or --close";
        return Err(Failure::Mistake(words.to_owned()));
    }
    let disposition = if args.close { Disposition::Closed } else { Disposition::Acted };
    say(place, (&args.stories, disposition, None), &args.said, json, out)
}

fn say(
    place: &Place,
    (numbers, disposition, corrects): (&[i64], Disposition, Option<u64>),
    said: &SaidArgs,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let config = place.config()?;
    let now = Clock::System.now();
    let clean = |text: &String| Some(text::clean(text, MAX_NOTE * 4)).filter(|text| !text.is_empty());
    let note = said.note.as_ref().and_then(clean);
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE) {
        return Err(Failure::Mistake(format!(
            "the note is longer than {MAX_NOTE} characters: shorten it, or refer to where it stands"
        )));
    }
    if let Some(reason) = refusal(Some(disposition), note.as_deref()) {
        return Err(Failure::Mistake(format!("{reason}: add --note \"...\"")));
    }
    let references = said.reference.iter().map(|text| reference(text)).collect::<Result<_, _>>()?;
    let store = place.store(Some(&config))?;
    let stories = known_stories(&store, numbers)?;
    let owner = owner(&config, &store, said.owner.as_deref(), &stories)?;
    given_to(&store, &owner.id, &stories)?;
    let happened = said.at.as_deref().map(|text| happened(text, &owner.timezone, now)).transpose()?;
    let answer = Answer {
        owner: owner.id.clone(),
        digest: None,
        stories,
        disposition,
        note,
        references,
        corrects,
        happened,
        nonce: format!("shell-{}", hex(&random()?)),
        via: Via::Shell,
        haste: Haste::None,
    };
    let record = match acknowledge::record(&store, &answer, now)? {
        Recorded::New { record } | Recorded::Already { record, .. } => record,
        Recorded::Unfit(unfit) => return Err(Failure::Mistake(misfit(unfit))),
        Recorded::Passed => return Err(Failure::Mistake("the story went to somebody else meanwhile".to_owned())),
        Recorded::Changed | Recorded::Otherwise { .. } => {
            return Err(Failure::Mistake("the story has changed meanwhile: look at it again".to_owned()));
        }
    };
    if json {
        let references: Vec<String> = answer.references.iter().map(ToString::to_string).collect();
        let line = json!({
            "record": record, "stories": answer.stories, "disposition": disposition.as_str(), "owner": answer.owner,
            "references": references, "happened_at": format!("{:.0}", answer.happened.unwrap_or(now)),
            "recorded_at": format!("{now:.0}"),
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "Recorded as record {record}: {} for {}.", disposition.as_str(), answer.owner)?;
    }
    Ok(0)
}

fn misfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::NothingToClose => "nobody has answered this story yet: `sigtrail ack` or `sigtrail act` comes first".to_owned(),
        Unfit::ClosedWithoutTrace => "say how it was closed: add --note \"...\" or --reference ticket:CHG-118".to_owned(),
        Unfit::NotTheirs => {
            "--corrects names no answer of this owner to this story that was not corrected yet; the page shows their records"
                .to_owned()
        }
    }
}

/// `ticket:CHG-118`.
fn reference(typed: &str) -> Result<Reference, Failure> {
    let mistake = |words: String| Failure::Mistake(format!("--reference \"{typed}\": {words}"));
    let (word, text) = typed.split_once(':').unwrap_or((typed, ""));
    let Some(kind) = ReferenceKind::parse(word.trim()) else {
        let words: Vec<&str> = ReferenceKind::ALL.iter().map(|(word, _)| *word).collect();
        return Err(mistake(format!("begins with {} and a colon, such as ticket:CHG-118", words.join(", "))));
    };
    let text = text::clean(text, MAX_NOTE * 4);
    if text.is_empty() {
        return Err(mistake("nothing stands after the colon".to_owned()));
    }
    Ok(Reference { kind, text })
}

/// When it happened: a moment, or a day or an hour in the owner's zone. Nothing has happened in the future.
fn happened(typed: &str, zone: &TimeZone, now: Time) -> Result<Time, Failure> {
    let local = |at: civil::DateTime| at.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    let day = || typed.parse::<civil::Date>().ok().map(|day| day.at(0, 0, 0, 0)).and_then(local);
    let hour = || typed.parse::<civil::DateTime>().ok().and_then(local);
    // A date is read as its midnight by every wider form, so it comes first.
    let at = if typed.len() <= 10 { day() } else { typed.parse::<Time>().ok().or_else(hour) };
    match at {
        Some(at) if at > now => Err(Failure::Mistake(format!("--at {typed} is in the future"))),
        Some(at) => Ok(at),
        None => Err(Failure::Mistake(format!(
            "--at \"{typed}\": write 2026-11-18, \"2026-11-18 14:00\" or 2026-11-18T14:00:00Z"
        ))),
    }
}

/// The owner who is named, or the one who has all the stories.
fn owner<'c>(
    config: &'c Config,
    store: &Store,
    named: Option<&str>,
    stories: &[StoryNo],
) -> Result<&'c Owner, Failure> {
    let known = || config.owners.iter().map(|owner| owner.id.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(named) = named {
        let missing = || Failure::Mistake(format!("no owner `{named}` in config/owners.toml; there is {}", known()));
        return config.owner(&OwnerId::new(named)).ok_or_else(missing);
    }
    let mut have: Vec<OwnerId> = Vec::new();
    for story in stories {
        for one in store.read(|read| read.assignments(*story))? {
            if !have.contains(&one.owner) {
                have.push(one.owner);
            }
        }
    }
    let one = if let [one] = have.as_slice() { config.owner(one) } else { None };
    one.ok_or_else(|| {
        let have = if have.is_empty() {
            "nobody".to_owned()
        } else {
            have.iter().map(OwnerId::as_str).collect::<Vec<_>>().join(", ")
        };
        Failure::Mistake(format!("for whom? {have} has it: add --owner"))
    })
}

/// The stories by their numbers, each once.
fn known_stories(store: &Store, numbers: &[i64]) -> Result<Vec<StoryNo>, Failure> {
    let mut stories = Vec::new();
    for number in numbers {
        let no = StoryNo(*number);
        if store.read(|read| read.story_first_seen(no))?.is_none() {
            return Err(Failure::Mistake(format!("no story {no}; `sigtrail stories` lists them")));
        }
        if !stories.contains(&no) {
            stories.push(no);
        }
    }
    Ok(stories)
}

/// A story that went to others only is refused: nobody answers what they were never given.
fn given_to(store: &Store, owner: &OwnerId, stories: &[StoryNo]) -> Result<(), Failure> {
    for story in stories {
        let given = store.read(|read| read.assignments(*story))?;
        if !given.is_empty() && !given.iter().any(|one| one.owner == *owner) {
            let mut went: Vec<&str> = given.iter().map(|one| one.owner.as_str()).collect();
            went.dedup();
            return Err(Failure::Mistake(format!("story {story} went to {}, not to {owner}", went.join(", "))));
        }
    }
    Ok(())
}

fn random() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Mistake(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_what_it_is() {
        let one = reference("pull-request: https://git.example/7 ").unwrap();
        assert_eq!((one.kind, one.text.as_str()), (ReferenceKind::PullRequest, "https://git.example/7"));
        for wrong in ["CHG-118", "https://git.example/7", "ticket:", "ticket: "] {
            assert!(reference(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_read_in_the_owners_zone_and_none_is_in_the_future() {
        let now: Time = "2026-11-20T09:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |typed: &str| happened(typed, &zone, now).map(|at| at.to_string()).ok();
        assert_eq!(at("2026-11-18").unwrap(), "2026-11-17T23:00:00Z");
        assert_eq!(at("2026-11-18 14:00").unwrap(), "2026-11-18T13:00:00Z");
        assert_eq!(at("2026-11-18T14:00").unwrap(), "2026-11-18T13:00:00Z");
        assert_eq!(at("2026-11-18T14:00:00Z").unwrap(), "2026-11-18T14:00:00Z");
        for wrong in ["2026-11-21", "2026-11-20 10:01", "yesterday", "", "18.11.2026"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
