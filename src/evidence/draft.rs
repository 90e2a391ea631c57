//! The names and values that an event has in the log: one arm for each kind, and the list of them is the format.

use serde_json::{Map, Value, json};

use super::event::{Event, Personal};
use crate::{
    difference::Changes,
    model::{id::OwnerId, stack::Tag, time::rfc3339},
};

/// An event as names and values, before it has a place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The record's kind.
    pub kind: &'static str,
    /// What it says in the open.
    pub fields: Map<String, Value>,
    /// What enters only as a commitment, by the field's name; a name may carry an index: `file.0`.
    pub personal: Vec<(String, Personal)>,
}

impl Draft {
    fn new(kind: &'static str, fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        };
        Self { kind, fields, personal: Vec::new() }
    }

    fn with(mut self, name: impl Into<String>, personal: Personal) -> Self {
        self.personal.push((name.into(), personal));
        self
    }

    fn with_some(self, name: &str, personal: Option<Personal>) -> Self {
        match personal {
            Some(personal) => self.with(name, personal),
            None => self,
        }
    }
}

impl Event {
    /// Names and values of the event. Absent values are left out; there are no floating-point numbers.
    #[expect(clippy::too_many_lines, reason = "one arm a kind: the list is the format")]
    pub fn into_draft(self) -> Draft {
        match self {
            Event::LogBegun { origin } => Draft::new("log-begun", json!({ "origin": origin })),
            Event::Started { version, verb } => Draft::new("started", json!({ "version": version, "verb": verb })),
            Event::Stopped { reason } => Draft::new("stopped", json!({ "reason": reason })),
            Event::ConfigurationLoaded { version, files, counts: [feeds, owners, components, topics], difference } => {
                let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                let draft = Draft::new(
                    "configuration-loaded",
                    json!({
                        "config": version, "files": names, "feeds": feeds, "owners": owners,
                        "components": components, "topics": topics,
                        "changes": difference.as_ref().map(|difference| difference.to_json(false)),
                    }),
                );
                let texts = files.into_iter().enumerate().map(|(i, (_, text))| (format!("file.{i}"), text));
                let people = difference.iter().flat_map(|difference| changed_people(&difference.owners));
                texts.chain(people).fold(draft, |draft, (name, text)| draft.with(name, text))
            }
            Event::FeedRenamed { from, to, config } => {
                Draft::new("feed-renamed", json!({ "from": from, "to": to, "config": config }))
            }
            Event::FeedDropped { feed, group, reason } => {
                Draft::new("feed-dropped", json!({ "feed": feed, "group": group })).with("reason", reason)
            }
            Event::FeedMoved { feed, kind, from, to, since, times, reason } => Draft::new(
                "feed-moved",
                json!({
                    "feed": feed, "step": kind.as_str(), "from": from, "to": to, "since": since.map(rfc3339),
                    "times": times, "reason": reason,
                }),
            ),
            Event::Poll {
                feed,
                format,
                document,
                bytes,
                url,
                counts: [entries, new, revised],
                partial,
                baseline,
                config,
            } => Draft::new(
                "poll",
                json!({
                    "feed": feed, "format": format, "document": document, "bytes": bytes, "url": url,
                    "entries": entries, "new": new, "revised": revised, "partial": partial,
                    "baseline": baseline, "config": config,
                }),
            ),
            Event::QuietPolls { day, feeds } => {
                let feeds: Map<String, Value> = feeds.into_iter().map(|(id, n)| (id.to_string(), json!(n))).collect();
                Draft::new("quiet-polls", json!({ "day": day, "feeds": feeds }))
            }
            Event::ClockJumped { from, to } => {
                Draft::new("clock-jumped", json!({ "from": rfc3339(from), "to": rfc3339(to) }))
            }
            Event::NoNetwork { feeds, hosts } => Draft::new("no-network", json!({ "feeds": feeds, "hosts": hosts })),
            Event::NetworkBack { since } => Draft::new("network-back", json!({ "since": rfc3339(since) })),
            Event::FeedStateChanged { feed, from, to, status, cause } => Draft::new(
                "feed-state",
                json!({ "feed": feed, "from": from.as_str(), "to": to.as_str(), "status": status, "cause": cause }),
            ),
            Event::EntryReceived { feed, entry, revision, key, content, guid, link, title, story, changed } => {
                Draft::new(
                    "entry-received",
                    json!({
                        "feed": feed, "entry": entry, "revision": revision, "key": key, "content": content,
                        "guid": guid, "link": link, "title": title, "story": story, "changed": changed,
                    }),
                )
            }
            Event::EntryTagged { entry, revision, tags, config } => {
                let tags: Vec<Value> = tags.iter().map(tag_value).collect();
                Draft::new(
                    "entry-tagged",
                    json!({ "entry": entry, "revision": revision, "tags": tags, "config": config }),
                )
            }
            Event::EntryRouted { entry, revision, story, owner, reason, urgent, config } => Draft::new(
                "entry-routed",
                json!({ "entry": entry, "revision": revision, "story": story, "urgent": urgent, "config": config }),
            )
            .with("owner", owner)
            .with("reason", reason),
            Event::Withheld { story, owner, ask, config } => {
                Draft::new("withheld", json!({ "story": story, "config": config }))
                    .with("owner", owner)
                    .with("ask", ask)
            }
            Event::HandedOver { story, why, from, to, config } => {
                Draft::new("handed-over", json!({ "story": story, "why": why.as_str(), "config": config }))
                    .with("from", from)
                    .with("to", to)
            }
            Event::Reminded { digest, stories, owner } => {
                Draft::new("reminded", json!({ "digest": digest, "stories": stories })).with("owner", owner)
            }
            Event::UrgentWaits { story, why, owner } => {
                Draft::new("urgent-waits", json!({ "story": story, "why": why.as_str() })).with("owner", owner)
            }
            Event::EntriesListed { feed, entries, owner, config } => {
                Draft::new("entries-listed", json!({ "feed": feed, "entries": entries, "config": config }))
                    .with("owner", owner)
            }
            Event::NotForUs { feed, entries, config } => {
                Draft::new("not-for-us", json!({ "feed": feed, "entries": entries, "config": config }))
            }
            Event::Baseline { feed, entries, matched, config } => {
                let matched: Map<String, Value> = matched.into_iter().map(|(id, n)| (id, json!(n))).collect();
                Draft::new(
                    "baseline",
                    json!({ "feed": feed, "entries": entries, "matched": matched, "config": config }),
                )
            }
            Event::FloodHeld { feed, flood, entries, usual, sent, config } => Draft::new(
                "flood-held",
                json!({
                    "feed": feed, "flood": flood, "entries": entries, "usual": usual, "sent": sent, "config": config,
                }),
            ),
            Event::FloodDecided { feed, flood, decision, entries, digest, via, owner } => Draft::new(
                "flood-decided",
                json!({
                    "feed": feed, "flood": flood, "decision": decision.as_str(), "entries": entries, "digest": digest,
                    "via": via.as_str(),
                }),
            )
            .with("owner", owner),
            Event::DigestComposed {
                digest,
                owner,
                kind,
                message_id,
                sha256,
                bytes,
                stories,
                listed,
                floods,
                checkpoint,
            } => Draft::new(
                "digest-composed",
                json!({
                    "digest": digest, "kind": kind.as_str(), "message_id": message_id, "sha256": sha256,
                    "bytes": bytes, "stories": stories, "listed": listed, "checkpoint": checkpoint,
                    "floods": (!floods.is_empty()).then_some(floods),
                }),
            )
            .with("owner", owner),
            Event::DeliveryStarted { delivery, digest, attempt, address } => {
                Draft::new("delivery-started", json!({ "delivery": delivery, "digest": digest, "attempt": attempt }))
                    .with("address", address)
            }
            Event::DeliveryFinished { delivery, attempt, outcome, code, reply } => Draft::new(
                "delivery-finished",
                json!({ "delivery": delivery, "attempt": attempt, "outcome": outcome, "code": code }),
            )
            .with("reply", reply),
            Event::DeliveryEnded { delivery, state, reason } => {
                Draft::new("delivery-ended", json!({ "delivery": delivery, "state": state, "reason": reason }))
            }
            Event::Bounced { delivery, digest, report, answered } => Draft::new(
                "bounced",
                json!({
                    "delivery": delivery, "digest": digest, "message": report.message, "bytes": report.bytes,
                    "status": report.status, "answered": answered,
                }),
            )
            .with("diagnostic", report.diagnostic),
            Event::DeliveryReported { delivery, digest, action, report } => Draft::new(
                "delivery-reported",
                json!({
                    "delivery": delivery, "digest": digest, "action": action, "message": report.message,
                    "bytes": report.bytes, "status": report.status,
                }),
            )
            .with("diagnostic", report.diagnostic),
            Event::Acknowledged {
                acknowledgement,
                digest,
                stories,
                disposition,
                via,
                haste,
                corrects,
                owner,
                note,
                references,
            } => {
                let kinds: Vec<&str> = references.iter().map(|(kind, _)| kind.as_str()).collect();
                let draft = Draft::new(
                    "acknowledged",
                    json!({
                        "acknowledgement": acknowledgement, "digest": digest, "stories": stories,
                        "disposition": disposition.as_str(), "via": via.as_str(), "haste": haste.as_str(),
                        "corrects": corrects, "references": (!kinds.is_empty()).then_some(kinds),
                    }),
                )
                .with("owner", owner)
                .with_some("note", note);
                let texts = references.into_iter().enumerate();
                texts.fold(draft, |draft, (n, (_, text))| draft.with(format!("reference.{n}"), text))
            }
            Event::Disowned { kind, id, digest, owner, note } => {
                Draft::new("disowned", json!({ "what": kind.as_str(), "id": id, "digest": digest }))
                    .with("owner", owner)
                    .with("note", note)
            }
            Event::LinksAsked { digest, open, owner } => {
                Draft::new("links-asked", json!({ "digest": digest, "stories": open })).with("owner", owner)
            }
            Event::EntriesPurged { before, count } => {
                Draft::new("entries-purged", json!({ "before": rfc3339(before), "count": count }))
            }
        }
    }
}

/// The owners that a configuration added, dropped and changed, by the names of their fields.
fn changed_people(changes: &Changes) -> Vec<(String, Personal)> {
    let person = |id: &str, text: String| Personal { person: Some(OwnerId::new(id)), text };
    let named = |word: &'static str, ids: &[String]| -> Vec<(String, Personal)> {
        ids.iter().enumerate().map(|(i, id)| (format!("owner_{word}.{i}"), person(id, id.clone()))).collect()
    };
    let changed = changes.changed.iter().enumerate();
    let changed =
        changed.map(|(i, (id, keys))| (format!("owner_changed.{i}"), person(id, format!("{id}: {}", keys.join(", ")))));
    [named("added", &changes.added), named("dropped", &changes.dropped), changed.collect()].concat()
}

fn tag_value(tag: &Tag) -> Value {
    json!({
        "kind": tag.kind.as_str(), "id": tag.id, "term": tag.term, "field": tag.field.as_str(),
        "start": tag.start, "end": tag.end, "snippet": tag.snippet, "method": tag.method.as_str(),
        "confidence": tag.confidence,
    })
}
