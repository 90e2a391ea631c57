//! The chain of a story in words: what a record of the log says of it to the person who answers. Which records there are,
//! and which of them this person may see, is decided elsewhere.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value};

use crate::{
    answer::{self, Said},
    compose::words::grouped,
    evidence::record::Record,
    model::{
        acknowledgement::{Chain, ChainStep, Disposition, Reference, ReferenceKind},
        id::OwnerId,
    },
};

/// The most steps that are shown: so many of the first, and the rest of the newest.
const FIRST: usize = 10;
const NEWEST: usize = 50;
/// How many tags of an entry are named.
const MAX_TAGS: usize = 2;
/// How many words of a record of any other kind are told.
const MAX_PARTS: usize = 6;

/// The texts that a record commits to, by field, each with whose data it is.
pub type Texts = BTreeMap<String, (Option<OwnerId>, String)>;

/// What people call feeds and owners.
pub trait Names {
    /// The name of an owner.
    fn owner(&self, id: &str) -> String;
    /// The name of a feed.
    fn feed(&self, id: &str) -> String;
}

/// What a record says of the story; `None`: nothing that is a step of its own.
pub fn step(record: &Record, texts: &Texts, names: &dyn Names) -> Option<ChainStep> {
    let seen = Seen { record, texts, names };
    let (word, text, references) = match record.kind.as_str() {
        "entry-received" => seen.received()?,
        "entry-tagged" => ("tagged".to_owned(), seen.tagged()?, Vec::new()),
        "entry-routed" => ("routed".to_owned(), seen.routed(), Vec::new()),
        "digest-composed" => seen.composed()?,
        "delivery-finished" => (seen.outcome(), seen.reply(), Vec::new()),
        "acknowledged" => seen.answered(),
        "reminded" => ("reminded".to_owned(), seen.whose("owner"), Vec::new()),
        "handed-over" => ("handed over".to_owned(), seen.handed_over(), Vec::new()),
        "bounced" => ("came back".to_owned(), seen.returned(), Vec::new()),
        "urgent-waits" => ("waits".to_owned(), seen.waits(), Vec::new()),
        "delivery-ended" => ("not delivered".to_owned(), seen.ended(), Vec::new()),
        "withheld" => return None,
        other => (other.replace('-', " "), seen.parts(), Vec::new()),
    };
    Some(ChainStep {
        at: record.time,
        recorded: record.recorded,
        word,
        text,
        references,
        record: record.index,
        corrected_by: None,
    })
}

/// The steps as they are shown: corrected answers know by what, and of very many the first and the newest stand.
pub fn chain(mut steps: Vec<ChainStep>, records: &[&Record]) -> Chain {
    for record in records {
        if let Some(corrected) = Answered(record).corrects()
            && let Some(step) = steps.iter_mut().find(|step| step.record == corrected)
        {
            step.corrected_by = Some(record.index);
        }
    }
    let is_closed = is_closed(records);
    let left_out = steps.len().saturating_sub(FIRST + NEWEST);
    if left_out > 0 {
        steps.drain(FIRST..FIRST + left_out);
    }
    Chain { steps, left_out, is_closed }
}

/// A record of an answer among the records of a story.
struct Answered<'r>(&'r Record);

impl Said for Answered<'_> {
    fn record(&self) -> u64 {
        self.0.index
    }

    fn corrects(&self) -> Option<u64> {
        self.0.fields.get("corrects").and_then(Value::as_u64)
    }
}

/// Whether the last answer that stands closed the story, and nobody was given it since.
fn is_closed(records: &[&Record]) -> bool {
    let of = |kind: &'static str| records.iter().filter(move |record| record.kind == kind);
    let answers: Vec<Answered<'_>> = of("acknowledged").map(|record| Answered(record)).collect();
    let standing = answer::standing(&answers);
    let Some(last) = standing.last() else { return false };
    let is_given_since = of("entry-routed").any(|routed| routed.index > last.first.record());
    !is_given_since && text(&last.answer.0.fields, "disposition") == Some(Disposition::Closed.as_str())
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

struct Seen<'s> {
    record: &'s Record,
    texts: &'s Texts,
    names: &'s dyn Names,
}

impl Seen<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        text(&self.record.fields, name)
    }

    /// The name of the owner that a text names; somebody who was erased has none.
    fn whose(&self, name: &str) -> String {
        self.texts.get(name).map_or_else(|| "(erased)".to_owned(), |(_, id)| self.names.owner(id))
    }

    fn received(&self) -> Option<(String, String, Vec<Reference>)> {
        let feed = self.names.feed(self.field("feed")?);
        let entry = self.record.fields.get("entry").and_then(Value::as_i64)?;
        if self.record.fields.get("revision").and_then(Value::as_u64) == Some(1) {
            return Some(("received".to_owned(), format!("{feed}, entry {entry}"), Vec::new()));
        }
        let changed = match self.record.fields.get("changed") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        };
        let text = if changed.is_empty() { feed } else { format!("{feed}: {changed}") };
        Some(("revised".to_owned(), text, Vec::new()))
    }

    fn tagged(&self) -> Option<String> {
        let Some(Value::Array(tags)) = self.record.fields.get("tags") else { return None };
        let mut best: Vec<(u64, String)> = tags
            .iter()
            .filter_map(|tag| {
                let tag = tag.as_object()?;
                let confidence = tag.get("confidence")?.as_u64()?;
                let named = format!("{confidence}: \"{}\" in {}", text(tag, "term")?, text(tag, "field")?);
                Some((confidence, named))
            })
            .collect();
        best.sort_by_key(|(confidence, _)| std::cmp::Reverse(*confidence));
        let more = best.len().saturating_sub(MAX_TAGS);
        let named: Vec<String> = best.into_iter().take(MAX_TAGS).map(|(_, named)| named).collect();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| format!("{}{more}", named.join("; ")))
    }

    fn routed(&self) -> String {
        let owner = self.whose("owner");
        match self.texts.get("reason") {
            Some((_, reason)) => format!("{owner}: {reason}"),
            None => owner,
        }
    }

    /// A scheduled or urgent digest is a step when it is delivered; the others are one by themselves.
    fn composed(&self) -> Option<(String, String, Vec<Reference>)> {
        let owner = self.whose("owner");
        let (word, text) = match self.field("kind")? {
            "passed" => ("told", format!("{owner}: somebody else has it")),
            "links" => ("new links", owner),
            _ => return None,
        };
        Some((word.to_owned(), text, Vec::new()))
    }

    fn handed_over(&self) -> String {
        let why = self.field("why").unwrap_or_default().replace('-', " ");
        format!("{} to {}: {why}", self.whose("from"), self.whose("to"))
    }

    fn returned(&self) -> String {
        let mut said = String::new();
        if let Some((person, diagnostic)) = self.texts.get("diagnostic") {
            if let Some(id) = person {
                let _ = write!(said, "{}: ", self.names.owner(id.as_str()));
            }
            if let Some(status) = self.field("status") {
                let _ = write!(said, "{status} ");
            }
            said.push_str(diagnostic);
        } else {
            let _ = write!(said, "(erased): {}", self.field("status").unwrap_or_default());
        }
        if self.record.fields.get("answered").and_then(Value::as_bool) == Some(true) {
            said.push_str("; it had been answered");
        }
        said.trim_end().to_owned()
    }

    fn waits(&self) -> String {
        let why = match self.field("why") {
            Some("quiet-hours") => "quiet hours",
            Some("capped") => "one urgent mail too many for this day",
            other => other.unwrap_or_default(),
        };
        format!("{}: {why}", self.whose("owner"))
    }

    fn ended(&self) -> String {
        let state = self.field("state").unwrap_or_default().replace('-', " ");
        self.field("reason").map_or_else(|| state.clone(), |reason| format!("{state}: {reason}"))
    }

    fn outcome(&self) -> String {
        match self.field("outcome") {
            Some("accepted") => "delivered",
            Some("written") => "written to file",
            Some("deferred") => "put off",
            Some("rejected") => "refused",
            Some(other) => other,
            None => "delivery",
        }
        .to_owned()
    }

    fn reply(&self) -> String {
        let Some((person, reply)) = self.texts.get("reply") else { return "(erased)".to_owned() };
        let owner = person.as_ref().map(|id| self.names.owner(id.as_str()));
        let code = self.record.fields.get("code").and_then(Value::as_u64);
        let reply = match code.map(|code| code.to_string()) {
            Some(code) if !reply.starts_with(&code) => format!("{code} {reply}"),
            _ => reply.clone(),
        };
        owner.map_or_else(|| reply.clone(), |owner| format!("{owner}: {reply}"))
    }

    fn answered(&self) -> (String, String, Vec<Reference>) {
        let disposition = self.field("disposition").unwrap_or_default();
        let corrects = Answered(self.record).corrects();
        let word = match (corrects, Disposition::parse(disposition)) {
            (Some(_), _) => "corrected",
            (None, Some(Disposition::Closed)) => "closed",
            (None, _) => "answered",
        };
        let mut said = format!("{}: {}", self.whose("owner"), disposition.replace('-', " "));
        if let Some((_, note)) = self.texts.get("note") {
            let _ = write!(said, ", \"{}\"", note.replace('\n', " "));
        }
        if let Some(record) = corrects {
            let _ = write!(said, "; instead of record {}", grouped(record));
        }
        match self.field("haste") {
            Some("fast") => said.push_str("; fast: within seconds of the mail"),
            Some("confirmed") => said.push_str("; within seconds of the mail, and confirmed"),
            _ => {}
        }
        if self.field("via") == Some("shell") {
            said.push_str("; recorded at the shell");
        }
        (word.to_owned(), said, self.references())
    }

    fn references(&self) -> Vec<Reference> {
        let Some(Value::Array(kinds)) = self.record.fields.get("references") else { return Vec::new() };
        let kinds = kinds.iter().filter_map(Value::as_str).filter_map(ReferenceKind::parse).enumerate();
        kinds
            .filter_map(|(n, kind)| {
                let (_, text) = self.texts.get(&format!("reference.{n}"))?;
                Some(Reference { kind, text: text.clone() })
            })
            .collect()
    }

    /// Every word that a record of any other kind says, owners by their names.
    fn parts(&self) -> String {
        let people = self.texts.iter().map(|(field, (person, text))| {
            let is_id = person.as_ref().is_some_and(|id| id.as_str() == text);
            format!("{field} {}", if is_id { self.names.owner(text) } else { text.clone() })
        });
        let words = self.record.fields.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_str()?)));
        people.chain(words).take(MAX_PARTS).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Plain;

    impl Names for Plain {
        fn owner(&self, id: &str) -> String {
            id.to_uppercase()
        }

        fn feed(&self, id: &str) -> String {
            id.to_owned()
        }
    }

    fn record(index: u64, kind: &str, fields: Value) -> Record {
        let at = "2026-11-20T09:31:00Z".parse().unwrap();
        let Value::Object(fields) = fields else { panic!("an object") };
        Record { index, kind: kind.to_owned(), time: at, recorded: at, fields }
    }

    fn texts(of: &[(&str, &str)]) -> Texts {
        of.iter()
            .map(|(field, text)| ((*field).to_owned(), (Some(OwnerId::new("maria")), (*text).to_owned())))
            .collect()
    }

    #[track_caller]
    fn are_told(cases: &[(Record, Texts, (&str, &str))]) {
        for (record, texts, said) in cases {
            let step = step(record, texts, &Plain).unwrap();
            assert_eq!((step.word.as_str(), step.text.as_str()), *said);
        }
    }

    #[test]
    fn each_record_is_told_in_words() {
        let cases = [
            (
                record(1, "entry-received", json!({ "feed": "psirt", "entry": 7, "revision": 1 })),
                texts(&[]),
                ("received", "psirt, entry 7"),
            ),
            (
                record(2, "entry-received", json!({ "feed": "psirt", "entry": 7, "revision": 2, "changed": ["fix"] })),
                texts(&[]),
                ("revised", "psirt: fix"),
            ),
            (
                record(3, "entry-tagged", json!({ "tags": [{ "confidence": 90, "term": "VPN", "field": "title" }] })),
                texts(&[]),
                ("tagged", "90: \"VPN\" in title"),
            ),
            (
                record(4, "entry-routed", json!({})),
                texts(&[("owner", "maria"), ("reason", "VPN is yours.")]),
                ("routed", "MARIA: VPN is yours."),
            ),
            (
                record(5, "delivery-finished", json!({ "outcome": "accepted", "code": 250 })),
                texts(&[("reply", "2.0.0 Ok")]),
                ("delivered", "MARIA: 250 2.0.0 Ok"),
            ),
        ];
        are_told(&cases);
    }

    #[test]
    fn what_people_said_and_what_went_wrong_is_told_in_words() {
        let cases = [
            (
                record(6, "acknowledged", json!({ "disposition": "acted", "haste": "fast" })),
                texts(&[("owner", "maria"), ("note", "portal\noff")]),
                ("answered", "MARIA: acted, \"portal off\"; fast: within seconds of the mail"),
            ),
            (
                record(7, "acknowledged", json!({ "disposition": "acted", "corrects": 6 })),
                texts(&[]),
                ("corrected", "(erased): acted; instead of record 6"),
            ),
            (
                record(7, "acknowledged", json!({ "disposition": "not-relevant" })),
                texts(&[("owner", "maria")]),
                ("answered", "MARIA: not relevant"),
            ),
            (
                record(7, "digest-composed", json!({ "kind": "passed" })),
                texts(&[("owner", "maria")]),
                ("told", "MARIA: somebody else has it"),
            ),
            (
                record(8, "handed-over", json!({ "why": "no-answer" })),
                texts(&[("from", "maria"), ("to", "jon")]),
                ("handed over", "MARIA to JON: no answer"),
            ),
            (
                record(8, "bounced", json!({ "status": "5.1.1", "message": "3f7a", "answered": true })),
                texts(&[("diagnostic", "smtp; 550 no such user")]),
                ("came back", "MARIA: 5.1.1 smtp; 550 no such user; it had been answered"),
            ),
            (
                record(8, "urgent-waits", json!({ "why": "capped" })),
                texts(&[("owner", "maria")]),
                ("waits", "MARIA: one urgent mail too many for this day"),
            ),
            (
                record(8, "delivery-ended", json!({ "state": "withdrawn", "reason": "its addressee is away" })),
                texts(&[]),
                ("not delivered", "withdrawn: its addressee is away"),
            ),
            (
                record(9, "something-new", json!({ "why": "no-answer" })),
                texts(&[("to", "maria")]),
                ("something new", "to MARIA, why no-answer"),
            ),
        ];
        are_told(&cases);
    }

    #[test]
    fn a_chain_is_closed_by_its_last_answer_only() {
        let answer = |index, disposition: &str| record(index, "acknowledged", json!({ "disposition": disposition }));
        let (acted, closed, routed) = (answer(1, "acted"), answer(2, "closed"), record(3, "entry-routed", json!({})));
        let corrected = record(4, "acknowledged", json!({ "disposition": "acted", "corrects": 2 }));
        let is = |records: &[&Record]| chain(Vec::new(), records).is_closed;
        assert!(is(&[&acted, &closed]));
        assert!(!is(&[&closed, &acted]), "somebody answered after it");
        assert!(!is(&[&acted, &closed, &routed]), "somebody was given it after it");
        assert!(!is(&[&acted, &closed, &corrected]));
        let older = record(4, "acknowledged", json!({ "disposition": "watching", "corrects": 1 }));
        assert!(is(&[&acted, &closed, &older]), "what was corrected was said before it was closed");
        let late = record(5, "acknowledged", json!({ "disposition": "closed", "corrects": 2 }));
        assert!(!is(&[&acted, &closed, &routed, &late]), "it was given to somebody between the two");
        assert!(!is(&[]));
    }

    #[test]
    fn of_very_many_steps_the_first_and_the_newest_are_shown() {
        let records: Vec<Record> = (0..200).map(|n| record(n, "entry-received", json!({}))).collect();
        let steps = (0..200).map(|n| ChainStep {
            at: records[0].time,
            recorded: records[0].time,
            word: String::new(),
            text: String::new(),
            references: Vec::new(),
            record: n,
            corrected_by: None,
        });
        let chain = chain(steps.collect(), &[]);
        assert_eq!((chain.steps.len(), chain.left_out), (60, 140));
        assert_eq!((chain.steps[9].record, chain.steps[10].record), (9, 150));
    }
}
