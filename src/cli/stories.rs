//! `sigtrail stories`: what arrived, for whom, and what was said of it.

use std::io::Write;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    place::Place,
    table::{moment, rendered, table, width},
};
use crate::{
    advisory,
    clock::Clock,
    model::{
        id::StoryNo,
        stack::{Tag, TagKind},
    },
    store::{AnswerRow, AssignmentRow, Read, StoreError, StoryRow},
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
    delivered_at: Option<String>,
    answer: Option<AnswerRow>,
    references: Vec<String>,
}

/// Stories, newest first.
pub fn run(
    place: &Place,
    text: Option<&str>,
    before: Option<i64>,
    limit: usize,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let config = place.config().ok();
    let store = place.store(config.as_ref())?;
    let numbers = store.read(|read| read.stories(text, before.map(StoryNo), limit))?;
    let now = Clock::System.now();
    let zone = TimeZone::system();
    let mut shown_table = table(&["STORY", "SEEN", "TITLE", "TAGS", "OWNERS", "ANSWER"], width());
    for no in &numbers {
        let Some(shown) = store.read(|read| gather(read, *no))? else { continue };
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
        let what = match (text, before) {
            (None, None) => "nothing has arrived yet".to_owned(),
            (None, Some(story)) => format!("no story is older than {story}"),
            (Some(text), None) => format!("no title with {text:?}"),
            (Some(text), Some(story)) => format!("no title with {text:?} in a story older than {story}"),
        };
        writeln!(out, "{what}")?;
        return Ok(0);
    }
    write!(out, "{}", rendered(&shown_table))?;
    if let Some(last) = numbers.last().filter(|_| numbers.len() == limit) {
        writeln!(out, "older ones: sigtrail stories --before {last}")?;
    }
    Ok(0)
}

fn gather(read: &Read<'_>, no: StoryNo) -> Result<Option<Shown>, StoreError> {
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
    let mut assignments = Vec::new();
    let mut urgent = false;
    for AssignmentRow { owner, reason, digest, urgent: is_urgent, created_at } in read.assignments(no)? {
        urgent |= is_urgent;
        let delivered = match digest {
            Some(digest) => read.delivery_of(digest)?.delivered_at,
            None => None,
        };
        let mut references: Vec<String> = Vec::new();
        for reference in answers.iter().filter(|answer| answer.owner == owner).flat_map(|one| &one.references) {
            let reference = reference.to_string();
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        assignments.push(Assigned {
            references,
            // What was answered before the story changed answers no change.
            answer: answers.iter().rev().find(|answer| answer.owner == owner && answer.at >= created_at).cloned(),
            owner: owner.to_string(),
            reason,
            digest: digest.map(|digest| digest.0),
            delivered_at: delivered.map(|at| format!("{at:.0}")),
        });
    }
    Ok(Some(Shown { row, tags, assignments, urgent }))
}

fn cells(shown: &Shown, seen: &str) -> Vec<String> {
    let tags: Vec<&str> = shown.tags.iter().map(|tag| tag.id.as_str()).collect();
    let owners: Vec<&str> = shown.assignments.iter().map(|one| one.owner.as_str()).collect();
    let answers: Vec<&str> = shown
        .assignments
        .iter()
        .map(|one| one.answer.as_ref().map_or("open", |answer| answer.disposition.as_str()))
        .collect();
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
        "owner": one.owner, "reason": one.reason, "digest": one.digest, "delivered_at": one.delivered_at,
        "acknowledged_at": answer.map(|answer| format!("{:.0}", answer.at)),
        "disposition": answer.map(|answer| answer.disposition.as_str()),
        "note": answer.and_then(|answer| answer.note.clone()),
        "references": one.references,
    })
}
