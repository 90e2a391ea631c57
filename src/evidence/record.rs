//! One record as bytes: version 1 of the format of docs/evidence-format.md, written and read. What the kinds of
//! records say is `event`'s business; where records are kept is the store's.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{
    canonical::{self, SpellingError},
    draft::Draft,
    merkle::{Hash, leaf_hash},
};
use crate::{
    hex::{hex, unhex},
    model::{
        id::OwnerId,
        time::{Time, rfc3339},
    },
};

/// The version of the format that is written here, and the only one that is read.
pub const VERSION: u64 = 1;

/// The longest record, in bytes, that is read.
pub const MAX_RECORD: usize = 16 * 1024 * 1024;

/// A text about a person, kept beside the log: the opening of one commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalRow {
    /// The name of the record's field.
    pub field: String,
    /// Whose data it is; `None` where it names several people.
    pub person: Option<OwnerId>,
    /// 32 random bytes, used for nothing else.
    pub salt: [u8; 32],
    /// The text itself.
    pub text: String,
}

/// A record that is ready to be stored, with what must be stored beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The record: one line of canonical JSON without a line end.
    pub bytes: Vec<u8>,
    /// Its leaf in the tree.
    pub leaf_hash: Hash,
    /// The openings of its commitments.
    pub personal: Vec<PersonalRow>,
}

/// The commitment to a text: HMAC-SHA-256 (RFC 2104) with the salt as key over the field's name, a line feed and
/// the text in UTF-8.
pub fn commitment(salt: &[u8; 32], field: &str, text: &str) -> Hash {
    // HMAC fills a key up to the hash's block of 64 bytes with zeros; doing so here leaves nothing that can fail.
    let mut block = [0; 64];
    block.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(field.as_bytes());
    mac.update(b"\n");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The bytes of a record at its place in the log. Texts about people become commitments, each with a fresh salt;
/// fails only where `salt` does.
pub fn encode<E>(
    draft: Draft,
    index: u64,
    time: Time,
    recorded: Time,
    salt: &mut dyn FnMut() -> Result<[u8; 32], E>,
) -> Result<Encoded, E> {
    let Draft { kind, mut fields, personal } = draft;
    let mut rows = Vec::with_capacity(personal.len());
    for (field, personal) in personal {
        let salt = salt()?;
        let mut value = Map::new();
        value.insert("commitment".to_owned(), hex(&commitment(&salt, &field, &personal.text)).into());
        fields.insert(field.clone(), Value::Object(value));
        rows.push(PersonalRow { field, person: personal.person, salt, text: personal.text });
    }
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(b"{\"fields\":");
    canonical::write(&Value::Object(fields), &mut bytes);
    bytes.extend_from_slice(format!(",\"index\":{index},\"kind\":").as_bytes());
    canonical::write_text(kind, &mut bytes);
    let times = format!(",\"recorded\":\"{}\",\"time\":\"{}\",\"v\":{VERSION}}}", rfc3339(recorded), rfc3339(time));
    bytes.extend_from_slice(times.as_bytes());
    let leaf_hash = leaf_hash(&bytes);
    Ok(Encoded { bytes, leaf_hash, personal: rows })
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its kind; kinds that this version does not know are read all the same.
    pub kind: String,
    /// When it happened.
    pub time: Time,
    /// When it was written down.
    pub recorded: Time,
    /// What it says.
    pub fields: Map<String, Value>,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The JSON is wrong or not in its one spelling.
    #[error("{0}")]
    Spelling(#[from] SpellingError),
    /// The format has a version that is not known here.
    #[error("has version {0} of the format, and this program reads version {VERSION}; a newer one may read it")]
    Version(String),
    /// A member is missing, of the wrong type, or has no business there.
    #[error("has no proper {0:?}")]
    Member(&'static str),
    /// There are more members than the format has.
    #[error("has members that version {VERSION} of the format does not know")]
    Unknown,
}

/// Reads a record, without its line end, and holds it to the format.
pub fn read(bytes: &[u8]) -> Result<Record, RecordError> {
    let Value::Object(mut members) = canonical::read(bytes)? else { return Err(RecordError::Member("v")) };
    match members.remove("v") {
        Some(Value::Number(version)) if version.as_u64() == Some(VERSION) => {}
        Some(other) => return Err(RecordError::Version(other.to_string())),
        None => return Err(RecordError::Member("v")),
    }
    let index = members.remove("index").and_then(|value| value.as_u64()).ok_or(RecordError::Member("index"))?;
    let Some(Value::String(kind)) = members.remove("kind") else { return Err(RecordError::Member("kind")) };
    let time = read_time(members.remove("time")).ok_or(RecordError::Member("time"))?;
    let recorded = read_time(members.remove("recorded")).ok_or(RecordError::Member("recorded"))?;
    let Some(Value::Object(fields)) = members.remove("fields") else { return Err(RecordError::Member("fields")) };
    if !members.is_empty() {
        return Err(RecordError::Unknown);
    }
    Ok(Record { index, kind, time, recorded, fields })
}

fn read_time(value: Option<Value>) -> Option<Time> {
    let text = value?;
    let text = text.as_str()?;
    let time: Time = text.parse().ok()?;
    (rfc3339(time) == text).then_some(time)
}

impl Record {
    /// The commitments among its fields: name and value.
    pub fn commitments(&self) -> impl Iterator<Item = (&str, Hash)> {
        self.fields.iter().filter_map(|(name, value)| {
            let value = value.as_object().filter(|value| value.len() == 1)?;
            Some((name.as_str(), unhex(value.get("commitment")?.as_str()?)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{
        difference::{Changes, Difference},
        evidence::event::{Event, Personal, Reported},
        model::{
            acknowledgement::{Disposition, Haste, ReferenceKind, Via},
            delivery::SendOutcome,
            digest::DigestKind,
            entry::Format,
            feed::FeedState,
            flood::Decision,
            id::{AcknowledgementNo, ConfigVersion, DeliveryNo, DigestNo, EntryNo, FloodNo, StoryNo},
            stack::{Field, Method, OwnedKind, Tag, TagKind},
            time::from_millis,
        },
        moves,
    };

    fn encoded(event: Event, index: u64) -> Encoded {
        let mut next = 0;
        let mut salt = || {
            next += 1;
            Ok::<_, Infallible>([next; 32])
        };
        let (time, recorded) = (from_millis(1_794_304_800_000), from_millis(1_794_304_801_234));
        encode(event.into_draft(), index, time, recorded, &mut salt).unwrap()
    }

    #[test]
    fn a_record_is_one_line_of_canonical_json() {
        let record = encoded(Event::Stopped { reason: "signal".into() }, 7);
        assert_eq!(
            String::from_utf8(record.bytes).unwrap(),
            "{\"fields\":{\"reason\":\"signal\"},\"index\":7,\"kind\":\"stopped\",\
             \"recorded\":\"2026-11-10T10:00:01.234Z\",\"time\":\"2026-11-10T10:00:00.000Z\",\"v\":1}"
        );
        assert!(record.personal.is_empty());
    }

    #[test]
    fn a_text_about_a_person_enters_only_as_a_commitment() {
        let owner = OwnerId::new("maria");
        let event = Event::DeliveryFinished {
            delivery: DeliveryNo(3),
            attempt: 1,
            outcome: SendOutcome::Accepted { code: 250, reply: String::new() }.as_str().into(),
            code: Some(250),
            reply: Personal::of(&owner, "2.0.0 Ok maria@example.com"),
        };
        let record = encoded(event, 0);
        let text = String::from_utf8(record.bytes.clone()).unwrap();
        assert!(!text.contains("maria"), "{text}");
        let [row] = record.personal.as_slice() else { panic!("one row") };
        assert_eq!((row.field.as_str(), row.person.as_ref(), row.salt), ("reply", Some(&owner), [1; 32]));
        let read = read(&record.bytes).unwrap();
        let commitments: Vec<_> = read.commitments().collect();
        assert_eq!(commitments, [("reply", commitment(&[1; 32], "reply", "2.0.0 Ok maria@example.com"))]);
    }

    #[test]
    fn every_commitment_has_its_own_salt_and_hides_equal_texts() {
        let owner = OwnerId::new("maria");
        let event = Event::EntryRouted {
            entry: EntryNo(1),
            revision: 1,
            story: StoryNo(1),
            owner: Personal::owner(&owner),
            reason: Personal::of(&owner, "maria"),
            urgent: false,
            config: ConfigVersion(1),
        };
        let record = encoded(event, 0);
        let salts: Vec<_> = record.personal.iter().map(|row| row.salt).collect();
        assert_eq!(salts, [[1; 32], [2; 32]]);
        let read = read(&record.bytes).unwrap();
        let hashes: Vec<_> = read.commitments().map(|(_, hash)| hash).collect();
        assert_eq!(hashes.len(), 2);
        assert_ne!(hashes.first(), hashes.last());
    }

    #[test]
    fn a_commitment_is_the_hmac_that_other_tools_compute() {
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:0101..01
        assert_eq!(
            hex(&commitment(&[1; 32], "owner", "maria")),
            "ab026c81e1f974e2b3fa35d36feff89c50afcae3bbbfda0937869c1fc2ba90a1"
        );
    }

    #[test]
    fn e_12_an_unknown_version_is_refused_in_words() {
        let line = |v: &str| {
            format!(
                "{{\"fields\":{{}},\"index\":0,\"kind\":\"x\",\"recorded\":\"2026-11-10T10:00:00.000Z\",\
                 \"time\":\"2026-11-10T10:00:00.000Z\",\"v\":{v}}}"
            )
        };
        assert!(read(line("1").as_bytes()).is_ok(), "a kind that is not known is read");
        let error = read(line("2").as_bytes()).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
        assert!(read(line("\"1\"").as_bytes()).is_err());
    }

    #[test]
    fn what_is_not_a_record_is_refused_by_the_member_that_is_wrong() {
        let good = "{\"fields\":{},\"index\":0,\"kind\":\"x\",\"recorded\":\"2026-11-10T10:00:00.000Z\",\
                    \"time\":\"2026-11-10T10:00:00.000Z\",\"v\":1}";
        assert!(read(good.as_bytes()).is_ok());
        for (from, to, what) in [
            ("\"index\":0", "\"index\":-1", "index"),
            ("\"index\":0", "\"index\":\"0\"", "index"),
            ("\"kind\":\"x\"", "\"kind\":1", "kind"),
            ("\"time\":\"2026-11-10T10:00:00.000Z\"", "\"time\":\"2026-11-10T10:00:00Z\"", "time"),
            ("\"recorded\":\"2026-11-10T10", "\"recorded\":\"2026-13-10T10", "recorded"),
            ("{\"fields\":{}", "{\"fields\":[]", "fields"),
            (",\"v\":1", "", "v"),
        ] {
            let error = read(good.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert_eq!(error, RecordError::Member(what));
        }
        assert_eq!(read(good.replacen(",\"kind\"", ",\"j\":1,\"kind\"", 1).as_bytes()), Err(RecordError::Unknown));
        assert!(read(b"[]").is_err());
    }

    fn reported(owner: &OwnerId) -> Reported {
        Reported {
            message: hex(&[5; 32]),
            bytes: 9,
            status: Some("5.1.1".into()),
            diagnostic: Personal::of(owner, "no such user"),
        }
    }

    /// One event of every kind, with everything that may be left out.
    #[expect(clippy::too_many_lines, reason = "one a kind: the list is the format")]
    fn one_of_each() -> Vec<Event> {
        let config = ConfigVersion(2);
        let maria = OwnerId::new("maria");
        let tag = Tag {
            kind: TagKind::Component,
            id: "quillgate-vpn".into(),
            term: "Quillgate".into(),
            field: Field::Title,
            start: 0,
            end: 9,
            snippet: "Quillgate \"VPN\"\u{2028}é".into(),
            method: Method::Term,
            confidence: 90,
        };
        vec![
            Event::LogBegun { origin: "example.com/sigtrail".into() },
            Event::Started { version: "0.1.0".into(), verb: "run".into() },
            Event::Stopped { reason: "signal".into() },
            Event::ConfigurationLoaded {
                version: config,
                files: vec![
                    ("feeds.toml".into(), Personal::shared("a")),
                    ("owners.toml".into(), Personal::shared("b")),
                ],
                counts: [1, 2, 3, 4],
                difference: Some(Box::new(Difference {
                    owners: Changes {
                        added: vec!["jon".into()],
                        dropped: vec!["ada".into()],
                        renamed: Vec::new(),
                        changed: vec![("maria".into(), vec!["address".into()])],
                    },
                    keys: vec!["mail.host".into()],
                    ..Difference::default()
                })),
            },
            Event::FeedRenamed { from: "a".into(), to: "b".into(), config },
            Event::FeedDropped { feed: "a".into(), group: Some("b".into()), reason: Personal::shared("c") },
            Event::FeedMoved {
                feed: "a".into(),
                kind: moves::Kind::Followed,
                from: "https://psirt.quillgate.example/feed".into(),
                to: "https://www.quillgate.example/feed".into(),
                since: Some(from_millis(0)),
                times: 3,
                reason: "same site".into(),
            },
            Event::Poll {
                feed: "a".into(),
                format: Format::Atom,
                document: hex(&[1; 32]),
                bytes: 4_096,
                url: "https://psirt.quillgate.example/feed".into(),
                counts: [3, 2, 1],
                partial: false,
                baseline: true,
                config,
            },
            Event::QuietPolls { day: "2026-11-20".into(), feeds: vec![("b".into(), 2), ("a".into(), 24)] },
            Event::ClockJumped { from: Time::UNIX_EPOCH, to: Time::UNIX_EPOCH + jiff::SignedDuration::from_hours(9) },
            Event::NoNetwork { feeds: 12, hosts: 9 },
            Event::NetworkBack { since: Time::UNIX_EPOCH },
            Event::FeedStateChanged {
                feed: "a".into(),
                from: FeedState::Ok,
                to: FeedState::Refused,
                status: Some(403),
                cause: "403".into(),
            },
            Event::EntryReceived {
                feed: "a".into(),
                entry: EntryNo(1),
                revision: 1,
                key: hex(&[2; 32]),
                content: hex(&[3; 32]),
                guid: Some("urn:x".into()),
                link: Some("https://psirt.quillgate.example/1".into()),
                title: Some("Fix 9.1.4\t\u{1f}".into()),
                story: StoryNo(1),
                changed: None,
            },
            Event::EntryTagged { entry: EntryNo(1), revision: 1, tags: vec![tag], config },
            Event::EntryRouted {
                entry: EntryNo(1),
                revision: 1,
                story: StoryNo(1),
                owner: Personal::owner(&maria),
                reason: Personal::of(&maria, "Quillgate VPN is yours."),
                urgent: true,
                config,
            },
            Event::Withheld { story: StoryNo(1), owner: Personal::owner(&maria), ask: Personal::owner(&maria), config },
            Event::EntriesListed {
                feed: "a".into(),
                entries: vec![(EntryNo(1), 1)],
                owner: Personal::owner(&maria),
                config,
            },
            Event::NotForUs { feed: "a".into(), entries: vec![(EntryNo(1), 1)], config },
            Event::Baseline { feed: "a".into(), entries: vec![EntryNo(1)], matched: vec![("x".into(), 2)], config },
            Event::FloodHeld {
                feed: "a".into(),
                flood: FloodNo(1),
                entries: vec![(EntryNo(1), 1)],
                usual: 12,
                sent: 1,
                config,
            },
            Event::FloodDecided {
                feed: "a".into(),
                flood: FloodNo(1),
                decision: Decision::Matching,
                entries: 1,
                digest: Some(DigestNo(1)),
                via: Via::Link,
                owner: Personal::owner(&maria),
            },
            Event::DigestComposed {
                digest: DigestNo(1),
                owner: Personal::owner(&maria),
                kind: DigestKind::Scheduled,
                message_id: "x@example.com".into(),
                sha256: hex(&[4; 32]),
                bytes: 9,
                stories: vec![StoryNo(1)],
                listed: vec![EntryNo(2)],
                floods: vec![FloodNo(1)],
                checkpoint: Some(4),
            },
            Event::DeliveryStarted {
                delivery: DeliveryNo(1),
                digest: DigestNo(1),
                attempt: 1,
                address: Personal::of(&maria, "maria@example.com"),
            },
            Event::DeliveryFinished {
                delivery: DeliveryNo(1),
                attempt: 1,
                outcome: SendOutcome::Accepted { code: 250, reply: String::new() }.as_str().into(),
                code: Some(250),
                reply: Personal::of(&maria, "2.0.0 Ok"),
            },
            Event::DeliveryEnded { delivery: DeliveryNo(1), state: "given-up".into(), reason: "five days".into() },
            Event::Bounced { delivery: DeliveryNo(1), digest: DigestNo(1), report: reported(&maria), answered: true },
            Event::DeliveryReported {
                delivery: DeliveryNo(1),
                digest: DigestNo(1),
                action: "delayed",
                report: reported(&maria),
            },
            Event::Acknowledged {
                acknowledgement: AcknowledgementNo(1),
                digest: Some(DigestNo(1)),
                stories: vec![StoryNo(1)],
                disposition: Disposition::Watching,
                via: Via::Link,
                owner: Personal::owner(&maria),
                note: Some(Personal::of(&maria, "next week")),
                haste: Haste::Fast,
                corrects: Some(3),
                references: vec![(ReferenceKind::Ticket, Personal::of(&maria, "TICKET-1"))],
            },
            Event::Disowned {
                kind: OwnedKind::Component,
                id: "quillgate".into(),
                digest: DigestNo(1),
                owner: Personal::owner(&maria),
                note: Personal::of(&maria, "Jon runs it"),
            },
            Event::LinksAsked { digest: DigestNo(1), open: vec![StoryNo(1)], owner: Personal::owner(&maria) },
            Event::EntriesPurged { before: from_millis(0), count: 3 },
        ]
    }

    #[test]
    fn every_kind_of_record_reads_back_and_is_described_in_the_format() {
        let format = include_str!("../../docs/evidence-format.md");
        for event in one_of_each() {
            let kind = event.clone().into_draft().kind;
            let record = encoded(event, 5);
            let read = read(&record.bytes).unwrap();
            assert_eq!((read.index, read.kind.as_str()), (5, kind));
            assert_eq!(read.commitments().count(), record.personal.len(), "{kind}");
            let row = format.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
            let row = row.unwrap_or_else(|| panic!("{kind} is not described"));
            for name in read.fields.keys() {
                assert!(row.contains(&format!("`{name}`")), "{kind}: {name} is not described");
            }
        }
    }
}
