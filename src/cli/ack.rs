//! `sigtrail ack` and `sigtrail act`: record at the shell what an owner says, and the next steps after it.

use std::io::Write;

use jiff::{civil, tz::TimeZone};
use serde_json::json;

use super::{
    args::{AckArgs, ActArgs, SaidArgs},
    failure::Failure,
    named,
    place::Place,
};
use crate::{
    answer::refusal,
    clock::Clock,
    compose::words::{cut, grouped},
    hex::hex,
    jobs::acknowledge,
    model::{
        acknowledgement::{Answer, Disposition, Haste, MAX_NOTE, Recorded, Reference, ReferenceKind, Unfit, Via},
        id::{OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::Store,
    text,
};

/// How many characters of a title are told.
const MAX_TITLE: usize = 80;

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
    let owner = answering(&config, said.owner.as_deref(), &stories)?;
    for story in &stories {
        story.is_given_to(&store, &owner.id)?;
    }
    let happened = said.at.as_deref().map(|text| happened(text, &owner.timezone, now)).transpose()?;
    let answer = Answer {
        owner: owner.id.clone(),
        digest: None,
        stories: stories.iter().map(|story| story.no).collect(),
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
        let titles: Vec<&str> = stories.iter().map(|story| story.title.as_str()).collect();
        let line = json!({
            "record": record, "stories": answer.stories, "titles": titles, "disposition": disposition.as_str(), "owner": answer.owner,
            "references": references, "happened_at": format!("{:.0}", answer.happened.unwrap_or(now)),
            "recorded_at": format!("{now:.0}"),
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "Recorded as record {}: {} for {}.", grouped(record), disposition.as_str(), answer.owner)?;
        // The numbers of a mail are not those of the stories: whoever took one for the other sees it here.
        for story in &stories {
            writeln!(out, "  {}  {}", story.no, cut(&story.title, MAX_TITLE))?;
        }
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

/// A story that is answered.
struct Answered {
    no: StoryNo,
    title: String,
    /// Who has it, each once.
    holders: Vec<OwnerId>,
}

impl Answered {
    fn named(&self) -> String {
        format!("story {}, \"{}\",", self.no, cut(&self.title, MAX_TITLE))
    }

    /// Nobody answers what they were never given, nor what somebody else has now.
    fn is_given_to(&self, store: &Store, owner: &OwnerId) -> Result<(), Failure> {
        if self.holders.contains(owner) {
            return Ok(());
        }
        if self.holders.is_empty() {
            return Err(self.is_nobodys());
        }
        let named = self.named();
        let with = listed(&self.holders);
        let had_it = store.read(|read| read.passed_since(self.no, owner))?.is_some();
        let not = if had_it { "and not any more with" } else { "not with" };
        Err(Failure::Mistake(format!("{named} is with {with}, {not} {owner}; `sigtrail stories` shows who has which")))
    }

    fn is_nobodys(&self) -> Failure {
        let named = self.named();
        Failure::Mistake(format!(
            "{named} was given to nobody, so nobody answers it; `sigtrail stories` shows who has which"
        ))
    }
}

fn listed(owners: &[OwnerId]) -> String {
    owners.iter().map(OwnerId::as_str).collect::<Vec<_>>().join(", ")
}

/// The owner who is named, or the one who has all the stories.
fn answering<'c>(config: &'c Config, named: Option<&str>, stories: &[Answered]) -> Result<&'c Owner, Failure> {
    if let Some(named) = named {
        return named::owner(config, named);
    }
    if let Some(story) = stories.iter().find(|story| story.holders.is_empty()) {
        return Err(story.is_nobodys());
    }
    let mut holders: Vec<OwnerId> = Vec::new();
    for one in stories.iter().flat_map(|story| &story.holders) {
        if !holders.contains(one) {
            holders.push(one.clone());
        }
    }
    let one = if let [one] = holders.as_slice() { config.owner(one) } else { None };
    one.ok_or_else(|| {
        Failure::Mistake(format!("for whom? it is with {}: name the owner with --owner", listed(&holders)))
    })
}

/// The stories by their numbers, each once.
fn known_stories(store: &Store, numbers: &[i64]) -> Result<Vec<Answered>, Failure> {
    let mut stories: Vec<Answered> = Vec::new();
    for number in numbers {
        let no = StoryNo(*number);
        let (row, assignments) = store.read(|read| Ok((read.story(no)?, read.assignments(no)?)))?;
        let Some(row) = row else {
            return Err(Failure::Mistake(format!("no story {no}; `sigtrail stories` lists them")));
        };
        if stories.iter().any(|story| story.no == no) {
            continue;
        }
        let mut holders: Vec<OwnerId> = assignments.into_iter().map(|one| one.owner).collect();
        holders.dedup();
        let title = row.heading().unwrap_or_else(|| "(no title)".to_owned());
        stories.push(Answered { no, title, holders });
    }
    Ok(stories)
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
