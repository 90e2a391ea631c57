//! What counts as evidence: every kind of record with its fields. How one becomes bytes is `record`'s business.

use serde_json::{Map, Value, json};

use crate::{
    difference::{Changes, Difference},
    model::{
        acknowledgement::{Disposition, Haste, ReferenceKind, Via},
        digest::{DigestKind, HandOver, UrgentWait},
        entry::Format,
        feed::FeedState,
        flood::Decision,
        id::{
            AcknowledgementNo, ConfigVersion, DeliveryNo, DigestNo, EntryNo, FeedId, FloodNo, GroupId, OwnerId, StoryNo,
        },
        stack::{OwnedKind, Tag},
        time::{Time, rfc3339},
    },
    moves,
};

/// A text about a person: enters a record only as a salted commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// Whose data it is; `None` for what names several people (a loaded configuration).
    pub person: Option<OwnerId>,
    /// The text itself.
    pub text: String,
}

impl Personal {
    /// A person's own identifier.
    pub fn owner(owner: &OwnerId) -> Self {
        Self { person: Some(owner.clone()), text: owner.to_string() }
    }

    /// A text about one person.
    pub fn of(owner: &OwnerId, text: impl Into<String>) -> Self {
        Self { person: Some(owner.clone()), text: text.into() }
    }

    /// A text about several people.
    pub fn shared(text: impl Into<String>) -> Self {
        Self { person: None, text: text.into() }
    }
}

/// One kind of record with what it says. Feed texts in it are cleaned; hashes are lower-case hex SHA-256.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The log began (record 0).
    LogBegun {
        /// The log's name.
        origin: String,
    },
    /// The service started.
    Started {
        /// sigtrail's version.
        version: String,
        /// The verb: `run`, `tick`, `poll`, ...
        verb: String,
    },
    /// The service stopped in order.
    Stopped {
        /// Why: `signal`, `done`, ...
        reason: String,
    },
    /// A configuration was loaded that differs from the one before.
    ConfigurationLoaded {
        /// Its number.
        version: ConfigVersion,
        /// The four files: name and text.
        files: Vec<(String, Personal)>,
        /// How many feeds, owners, components and topics it has.
        counts: [usize; 4],
        /// What differs from the one before; `None` for the first.
        difference: Option<Box<Difference>>,
    },
    /// A feed changed its name while its address stayed.
    FeedRenamed {
        /// Before.
        from: FeedId,
        /// After.
        to: FeedId,
        /// The configuration that says so.
        config: ConfigVersion,
    },
    /// A feed was taken out of the register by command; its history stays.
    FeedDropped {
        /// The feed.
        feed: FeedId,
        /// The group that was taken out with it, where it was.
        group: Option<GroupId>,
        /// Why, as the person who did it says.
        reason: Personal,
    },
    /// A feed is asked at another address than its configuration says, is so no more, or a person is asked whether it
    /// shall be.
    FeedMoved {
        /// The feed.
        feed: FeedId,
        /// Which of these.
        kind: moves::Kind,
        /// The address before.
        from: String,
        /// The address after, or the one that is proposed.
        to: String,
        /// When the redirect was seen first; of an address that is given up, since when it was asked.
        since: Option<Time>,
        /// How many answers in a row said the same.
        times: u32,
        /// Why, in words.
        reason: String,
    },
    /// A poll brought new or changed entries, or was the first of its feed.
    Poll {
        /// The feed.
        feed: FeedId,
        /// The document's format.
        format: Format,
        /// Hash of the decoded document.
        document: String,
        /// Its length in bytes.
        bytes: usize,
        /// The address that answered.
        url: String,
        /// How many entries it has, how many of them are new, how many changed.
        counts: [usize; 3],
        /// Whether some of it could not be read.
        partial: bool,
        /// Whether this set the feed's baseline.
        baseline: bool,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// The polls of one day (UTC) that brought nothing new: feed and number.
    QuietPolls {
        /// The day, `2026-11-20`.
        day: String,
        /// The feeds with how often each was polled in vain.
        feeds: Vec<(FeedId, u32)>,
    },
    /// The machine's clock was set: where it stood or should have stood, and where it stood then.
    ClockJumped {
        /// Before, or what it should have shown.
        from: Time,
        /// What it showed.
        to: Time,
    },
    /// Most feeds of a round, on several hosts, could not be connected to: counted against none of them.
    NoNetwork {
        /// How many feeds.
        feeds: usize,
        /// On how many hosts.
        hosts: usize,
    },
    /// A feed could be connected to again after such a time.
    NetworkBack {
        /// Since when there had been no network, as far as polls showed.
        since: Time,
    },
    /// A feed's health changed, or its absence became an alarm.
    FeedStateChanged {
        /// The feed.
        feed: FeedId,
        /// Before.
        from: FeedState,
        /// After.
        to: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The cause in words.
        cause: String,
    },
    /// An entry, or a revision of one, arrived.
    EntryReceived {
        /// The feed.
        feed: FeedId,
        /// The entry.
        entry: EntryNo,
        /// 1 for the first version, 2 for the first change, ...
        revision: u32,
        /// Its identity in its feed, in hex.
        key: String,
        /// Hash of its content.
        content: String,
        /// The publisher's identifier.
        guid: Option<String>,
        /// Its link.
        link: Option<String>,
        /// Its title.
        title: Option<String>,
        /// The story it belongs to.
        story: StoryNo,
        /// What changed since the revision before, by name; `None` for a first version.
        changed: Option<Vec<&'static str>>,
    },
    /// Tags of an entry.
    EntryTagged {
        /// The entry.
        entry: EntryNo,
        /// Its revision.
        revision: u32,
        /// The tags with their proof.
        tags: Vec<Tag>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story was assigned to an owner.
    EntryRouted {
        /// The entry that brought it.
        entry: EntryNo,
        /// Its revision.
        revision: u32,
        /// The story.
        story: StoryNo,
        /// Who gets it.
        owner: Personal,
        /// Why, in one sentence.
        reason: Personal,
        /// Whether it does not wait.
        urgent: bool,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story was withheld from an owner because of its label.
    Withheld {
        /// The story.
        story: StoryNo,
        /// Who may not be sent it.
        owner: Personal,
        /// Who was given it instead.
        ask: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story went from one person to another.
    HandedOver {
        /// The story.
        story: StoryNo,
        /// Why.
        why: HandOver,
        /// Whose it was.
        from: Personal,
        /// Whose it is.
        to: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// An owner was reminded of stories that wait for an answer; the mail has its own record.
    Reminded {
        /// The digest that reminds.
        digest: DigestNo,
        /// The stories in it.
        stories: Vec<StoryNo>,
        /// Who is reminded.
        owner: Personal,
    },
    /// An urgent story was not told at once.
    UrgentWaits {
        /// The story.
        story: StoryNo,
        /// Why.
        why: UrgentWait,
        /// Who waits for it.
        owner: Personal,
    },
    /// Entries that match nothing and are listed to the feed's owner under "also published".
    EntriesListed {
        /// The feed.
        feed: FeedId,
        /// Entries with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// Who sees the line.
        owner: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// Entries that are not for us.
    NotForUs {
        /// The feed.
        feed: FeedId,
        /// Entries with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// Entries of a first poll that are recorded and not mailed.
    Baseline {
        /// The feed.
        feed: FeedId,
        /// The entries.
        entries: Vec<EntryNo>,
        /// How many of them matched, by component.
        matched: Vec<(String, usize)>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A poll brought many more new entries than usual, or changed such ones: they are held until somebody decides.
    FloodHeld {
        /// The feed.
        feed: FeedId,
        /// What the decision will be about; later polls may add to it.
        flood: FloodNo,
        /// The entries that are held, with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// The most new entries that one poll brought before.
        usual: usize,
        /// How many entries were not held, or are not any more, because they concern the stack and are exploited.
        sent: usize,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A person decided what becomes of the entries of a flood.
    FloodDecided {
        /// The feed.
        feed: FeedId,
        /// The flood.
        flood: FloodNo,
        /// What was decided.
        decision: Decision,
        /// How many entries it is about.
        entries: usize,
        /// The digest that carried the link, where there was one.
        digest: Option<DigestNo>,
        /// The way it came.
        via: Via,
        /// With the link issued to whom, or by whom at the shell.
        owner: Personal,
    },
    /// A digest's bytes are fixed.
    DigestComposed {
        /// The digest.
        digest: DigestNo,
        /// Whose.
        owner: Personal,
        /// Why now.
        kind: DigestKind,
        /// Its Message-ID, without angle brackets.
        message_id: String,
        /// Hash of its bytes.
        sha256: String,
        /// Its length in bytes.
        bytes: usize,
        /// The stories in it.
        stories: Vec<StoryNo>,
        /// The entries that it lists under "also published" (those counted only included).
        listed: Vec<EntryNo>,
        /// The floods that it tells of.
        floods: Vec<FloodNo>,
        /// The size of the checkpoint that it carries.
        checkpoint: Option<u64>,
    },
    /// An attempt to hand a digest over begins.
    DeliveryStarted {
        /// The delivery.
        delivery: DeliveryNo,
        /// The digest.
        digest: DigestNo,
        /// 1 for the first attempt.
        attempt: u32,
        /// Where it goes.
        address: Personal,
    },
    /// An attempt ended: the receipt.
    DeliveryFinished {
        /// The delivery.
        delivery: DeliveryNo,
        /// Which attempt.
        attempt: u32,
        /// `accepted`, `written`, `deferred`, ...
        outcome: String,
        /// The server's reply code.
        code: Option<u16>,
        /// The server's reply, or what happened.
        reply: Personal,
    },
    /// A delivery ended without having been handed over.
    DeliveryEnded {
        /// The delivery.
        delivery: DeliveryNo,
        /// `rejected`, `given-up` or `withdrawn`.
        state: String,
        /// Why, in words.
        reason: String,
    },
    /// A person answered.
    Acknowledged {
        /// The acknowledgement.
        acknowledgement: AcknowledgementNo,
        /// The digest that carried the link, where there was one.
        digest: Option<DigestNo>,
        /// The stories.
        stories: Vec<StoryNo>,
        /// What was said.
        disposition: Disposition,
        /// The way it came.
        via: Via,
        /// Whether it came too soon after the mail for a person.
        haste: Haste,
        /// The record of the earlier answer that it corrects.
        corrects: Option<u64>,
        /// With the link issued to whom, or for whom at the shell.
        owner: Personal,
        /// Why.
        note: Option<Personal>,
        /// What it refers to: what it is, and the text.
        references: Vec<(ReferenceKind, Personal)>,
    },
    /// An owner said that something the configuration gives them is not theirs.
    Disowned {
        /// What it is.
        kind: OwnedKind,
        /// Its identifier.
        id: String,
        /// The digest that carried the link.
        digest: DigestNo,
        /// With the link issued to whom.
        owner: Personal,
        /// Why, or whose it is.
        note: Personal,
    },
    /// With a link that had ended, new ones were asked for.
    LinksAsked {
        /// The digest whose link it was.
        digest: DigestNo,
        /// The stories of it that were still open: they are mailed again, to the owner's present address.
        open: Vec<StoryNo>,
        /// Whose digest.
        owner: Personal,
    },
    /// The texts of old entries were removed by stated retention; their keys and records stay.
    EntriesPurged {
        /// Entries last seen before this moment.
        before: Time,
        /// How many.
        count: usize,
    },
}

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
