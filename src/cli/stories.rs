//! `sigtrail stories`: what arrived, for whom, what was said of it, and what nobody has answered.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    args::StoriesArgs,
    failure::Failure,
    named,
    place::{Place, is_watched},
    table::{moment, rendered, table, width},
};
use crate::{
    advisory, answer,
    clock::Clock,
    compose::words::grouped,
    jobs::unanswered::overdue,
    model::{
        id::{ComponentId, FeedId, OwnerId, StoryNo, TopicId},
        settings::Config,
        stack::{Tag, TagKind},
        time::Time,
    },
    store::{AnswerRow, AssignmentRow, OpenRow, Read, Search, Store, StoreError, StoryRow},
};

/// A story with everything that is known of it.
struct Shown {
    row: StoryRow,
    tags: Vec<Tag>,
    assignments: Vec<Assigned>,
    urgent: bool,
}

struct Assigned {
    owner: String,
    reason: String,
    digest: Option<i64>,
    is_overdue: bool,
    delivered_at: Option<Time>,
    answer: Option<AnswerRow>,
    references: Vec<String>,
}

/// Stories, newest first.
pub fn run(place: &Place, wanted: &StoriesArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    // Whose time is over follows from schedules and absences; everything else is found without them.
    let config = if wanted.overdue { Some(place.config()?) } else { place.config().ok() };
    let store = place.store(config.as_ref())?;
    if let Some(config) = &config {
        are_known(config, &store, wanted)?;
    }
    let now = Clock::System.now();
    let late = match &config {
        Some(config) => store.read(|read| overdue(read, config, now))?,
        None => Vec::new(),
    };
    let numbers = find(&store, wanted, &late)?;
    let zone = TimeZone::system();
    let mut shown_table = table(&["STORY", "SEEN", "TITLE", "TAGS", "OWNERS", "ANSWER"], width());
    for no in &numbers {
        let Some(shown) = store.read(|read| gather(read, *no, &late))? else { continue };
        if json {
            writeln!(out, "{}", json_line(&shown))?;
        } else {
            shown_table.add_row(cells(&shown, &moment(shown.row.first_seen, now, &zone)));
        }
    }
    if json {
        return Ok(0);
    }
    if numbers.is_empty() {
        writeln!(out, "{}", nothing(wanted))?;
        return Ok(0);
    }
    write!(out, "{}", rendered(&shown_table))?;
    if let Some(last) = numbers.last().filter(|_| numbers.len() == wanted.limit) {
        writeln!(out, "older ones: sigtrail stories{} --before {last}", typed(wanted))?;
    }
    Ok(0)
}

/// Refuses what neither the configuration nor the history knows: nothing found would read as nothing open.
fn are_known(config: &Config, store: &Store, wanted: &StoriesArgs) -> Result<(), Failure> {
    let ids = |sort: &str| -> Vec<&str> {
        match sort {
            "owner" => config.owners.iter().map(|one| one.id.as_str()).collect(),
            "component" => config.components.iter().map(|one| one.id.as_str()).collect(),
            "topic" => config.topics.iter().map(|one| one.id.as_str()).collect(),
            _ => config.feeds.iter().map(|one| one.id.as_str()).collect(),
        }
    };
    for (sort, id) in
        [("owner", &wanted.owner), ("component", &wanted.component), ("topic", &wanted.topic), ("feed", &wanted.feed)]
    {
        let Some(id) = id else { continue };
        let known = ids(sort);
        if !known.contains(&id.as_str()) && !store.read(|read| read.has_heard_of(sort, id))? {
            return Err(named::nothing((sort, id), known.into_iter()));
        }
    }
    Ok(())
}

/// The numbers of the stories that are asked for. While a person watches, a long search says how far it is.
fn find(store: &Store, wanted: &StoriesArgs, late: &[OpenRow]) -> Result<Vec<StoryNo>, Failure> {
    let is_asked = |row: &&OpenRow| wanted.owner.as_ref().is_none_or(|owner| row.owner.as_str() == owner);
    let search = Search {
        text: wanted.text.clone(),
        owner: wanted.owner.clone().map(OwnerId::new),
        component: wanted.component.clone().map(ComponentId::new),
        topic: wanted.topic.clone().map(TopicId::new),
        feed: wanted.feed.clone().map(FeedId::new),
        is_open: wanted.open,
        among: wanted.overdue.then(|| late.iter().filter(is_asked).map(|row| row.story).collect()),
    };
    let (mut numbers, mut before, mut is_shown) = (Vec::new(), wanted.before.map(StoryNo), false);
    let is_watched = is_watched();
    loop {
        let left = wanted.limit.saturating_sub(numbers.len());
        let found = store.read(|read| read.stories(&search, before, left))?;
        numbers.extend(found.stories);
        before = found.below;
        let Some(below) = before.filter(|_| numbers.len() < wanted.limit) else { break };
        if is_watched {
            is_shown = true;
            let left = grouped(u64::try_from(below.0).unwrap_or_default());
            // A terminal that went away is no reason to stop searching.
            let _ = write!(std::io::stderr(), "\r\x1b[Ksearching: {left} older stories left");
        }
    }
    if is_shown {
        // As above.
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Ok(numbers)
}

/// What was asked for, as it would be typed.
fn typed(wanted: &StoriesArgs) -> String {
    let mut words: Vec<String> = Vec::new();
    for (name, is_asked) in [("open", wanted.open), ("overdue", wanted.overdue)] {
        if is_asked {
            words.push(format!(" --{name}"));
        }
    }
    for (name, value) in
        [("owner", &wanted.owner), ("component", &wanted.component), ("topic", &wanted.topic), ("feed", &wanted.feed)]
    {
        if let Some(value) = value {
            words.push(format!(" --{name} {value}"));
        }
    }
    if let Some(text) = &wanted.text {
        words.push(format!(" {text:?}"));
    }
    words.concat()
}

/// Why there is nothing to show.
fn nothing(wanted: &StoriesArgs) -> String {
    match (typed(wanted), wanted.before) {
        (asked, None) if asked.is_empty() => "nothing has arrived yet".to_owned(),
        (asked, Some(story)) if asked.is_empty() => format!("no story is older than {story}"),
        (asked, None) if asked == " --open" => "nothing is open".to_owned(),
        (asked, None) if asked == " --overdue" => "nothing is overdue".to_owned(),
        (asked, None) => format!("no story matches{asked}; leave something out"),
        (asked, Some(story)) => format!("no story older than {story} matches{asked}"),
    }
}

fn gather(read: &Read<'_>, no: StoryNo, late: &[OpenRow]) -> Result<Option<Shown>, StoreError> {
    let Some(row) = read.story(no)? else { return Ok(None) };
    let mut tags: Vec<Tag> = Vec::new();
    for source in &row.sources {
        for tag in read.tags(source.entry.no, source.entry.revision)? {
            if !tags.iter().any(|known| known.kind == tag.kind && known.id == tag.id) {
                tags.push(tag);
            }
        }
    }
    let answers = read.answers(no)?;
    let standing = answer::standing(&answers);
    let mut assignments = Vec::new();
    let mut urgent = false;
    for AssignmentRow { owner, reason, digest, urgent: is_urgent, answered_from } in read.assignments(no)? {
        urgent |= is_urgent;
        let delivered = match digest {
            Some(digest) => read.delivery_of(digest)?.delivered_at,
            None => None,
        };
        let own = || standing.iter().filter(|one| one.answer.owner == owner);
        let mut references: Vec<String> = Vec::new();
        for reference in own().flat_map(|one| &one.answer.references) {
            let reference = reference.to_string();
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        assignments.push(Assigned {
            references,
            is_overdue: late.iter().any(|row| row.story == no && row.owner == owner),
            // What was answered before the story changed answers no change.
            answer: own().rfind(|one| one.first.record >= answered_from).map(|one| one.answer.clone()),
            owner: owner.to_string(),
            reason,
            digest: digest.map(|digest| digest.0),
            delivered_at: delivered,
        });
    }
    Ok(Some(Shown { row, tags, assignments, urgent }))
}

impl Assigned {
    /// What was said, or how the wait for it stands.
    fn answer(&self) -> &'static str {
        match (&self.answer, self.delivered_at) {
            (Some(answer), _) => answer.disposition.as_str(),
            (None, None) => "not sent",
            (None, Some(_)) if self.is_overdue => "overdue",
            (None, Some(_)) => "open",
        }
    }
}

fn cells(shown: &Shown, seen: &str) -> Vec<String> {
    let tags: Vec<&str> = shown.tags.iter().map(|tag| tag.id.as_str()).collect();
    let owners: Vec<&str> = shown.assignments.iter().map(|one| one.owner.as_str()).collect();
    let answers: Vec<&str> = shown.assignments.iter().map(|one| one.answer()).collect();
    let title = shown.row.heading().unwrap_or_else(|| "(no title)".to_owned());
    vec![shown.row.no.to_string(), seen.to_owned(), title, tags.join(", "), owners.join(", "), answers.join(", ")]
}

fn json_line(shown: &Shown) -> Value {
    let mut cves: Vec<String> = Vec::new();
    for source in &shown.row.sources {
        let of = &source.entry.entry;
        for text in [&of.title, &of.summary, &of.body].into_iter().flatten() {
            let ids = advisory::ids(text).into_iter().map(|id| id.to_string()).filter(|id| id.starts_with("CVE-"));
            for id in ids {
                if !cves.contains(&id) {
                    cves.push(id);
                }
            }
        }
    }
    let ids = |kind: TagKind| -> Vec<&str> {
        shown.tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.id.as_str()).collect()
    };
    let sources: Vec<Value> = shown
        .row
        .sources
        .iter()
        .map(|source| json!({ "feed": source.feed_id, "entry": source.entry.no, "link": source.entry.entry.link }))
        .collect();
    let tags: Vec<Value> = shown
        .tags
        .iter()
        .map(|tag| {
            json!({
                "id": tag.id, "kind": tag.kind.as_str(), "term": tag.term, "field": tag.field.as_str(),
                "snippet": tag.snippet, "method": tag.method.as_str(), "confidence": tag.confidence,
            })
        })
        .collect();
    json!({
        "story": shown.row.no, "title": shown.row.title(), "first_seen": format!("{:.0}", shown.row.first_seen),
        "urgent": shown.urgent, "cves": cves, "components": ids(TagKind::Component), "topics": ids(TagKind::Topic),
        "sources": sources, "tags": tags,
        "assignments": shown.assignments.iter().map(assignment_value).collect::<Vec<_>>(),
    })
}

fn assignment_value(one: &Assigned) -> Value {
    let answer = one.answer.as_ref();
    json!({
        "owner": one.owner, "reason": one.reason, "digest": one.digest, "delivered_at": one.delivered_at.map(|at| format!("{at:.0}")),
        "acknowledged_at": answer.map(|answer| format!("{:.0}", answer.at)),
        "disposition": answer.map(|answer| answer.disposition.as_str()),
        "note": answer.and_then(|answer| answer.note.clone()),
        "references": one.references,
    })
}
