//! Finds the terms of a whole stack in an entry: one Aho-Corasick pass for all words, one search per regular expression. The rules that
//! it applies are told at the top of the module `tag`.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

use super::{
    bounds::Spot,
    compile::{CompiledTerm, Matcher, Search},
    fold::{Folded, cased_phrase},
    snippet::snippet,
};
use crate::model::{
    entry::Entry,
    stack::{Field, Method, Tag, TagKind},
};

/// The most places of one phrase that are looked at in one field.
const MAX_PLACES: usize = 1_000;

/// The most places of all phrases that are kept of one field; only hostile text has more.
const MAX_FOUND: usize = 50_000;

/// What came of a term that was found in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts,
    /// It is part of a longer name (`django` in `django-cms`).
    PartOfName,
    /// It stands only within addresses of the web.
    InAddress,
    /// It is written in another case than the term asks for.
    OtherCase,
    /// It stands only inside this phrase of the term's `not`.
    Excluded(String),
    /// None of these phrases of the term's `near` stands in the entry.
    NoContext(Vec<String>),
}

/// A term that was found, and whether it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// The tag that it makes, or would make.
    pub tag: Tag,
    /// What came of it.
    pub verdict: Verdict,
}

/// Where a phrase or an expression was found, in bytes of the original field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    phrase: usize,
    field: usize,
    start: usize,
    end: usize,
}

/// The best or, where none counts, the first place of a term.
struct Judged {
    term: usize,
    place: Place,
    confidence: u8,
    verdict: Verdict,
}

impl Matcher {
    /// The tags of an entry: for every component and topic that it names its best place, best first.
    pub fn tags(&self, entry: &Entry) -> Vec<Tag> {
        let fields = fields(entry);
        let mut best: HashMap<usize, Judged> = HashMap::new();
        for judged in self.judge(&fields) {
            if judged.verdict != Verdict::Counts {
                continue;
            }
            let Some(subject) = self.terms.get(judged.term).map(|term| term.subject) else { continue };
            match best.get(&subject) {
                Some(other) if rank(other) <= rank(&judged) => {}
                _ => {
                    best.insert(subject, judged);
                }
            }
        }
        let mut best: Vec<(usize, Judged)> = best.into_iter().collect();
        best.sort_by_key(|(subject, judged)| (Reverse(judged.confidence), *subject));
        best.iter().filter_map(|(_, judged)| self.tag(judged, &fields)).collect()
    }

    /// Every term that was found in an entry, whether it counts, and if not, why: those that count first, best first, then the
    /// others in the order of the stack.
    pub fn explain(&self, entry: &Entry) -> Vec<Considered> {
        let fields = fields(entry);
        let mut all = self.judge(&fields);
        all.sort_by_key(order);
        let considered =
            all.into_iter().filter_map(|one| Some(Considered { tag: self.tag(&one, &fields)?, verdict: one.verdict }));
        considered.collect()
    }

    fn tag(&self, judged: &Judged, fields: &[(Field, Cow<'_, str>)]) -> Option<Tag> {
        let term = self.terms.get(judged.term)?;
        let subject = self.subjects.get(term.subject)?;
        let (field, text) = fields.get(judged.place.field)?;
        Some(Tag {
            kind: subject.kind,
            id: subject.id.clone(),
            term: term.label.clone(),
            field: *field,
            start: judged.place.start,
            end: judged.place.end,
            snippet: snippet(text, judged.place.start, judged.place.end),
            method: if matches!(term.search, Search::Expression(_)) { Method::Regex } else { Method::Term },
            confidence: judged.confidence,
        })
    }

    /// One judgement per term that was found.
    fn judge(&self, fields: &[(Field, Cow<'_, str>)]) -> Vec<Judged> {
        let places = Places { places: self.search(fields) };
        let mut judged = Vec::new();
        let mut wanted: Vec<usize> = Vec::new();
        for phrase in places.phrases() {
            wanted.extend(self.phrases.get(phrase).into_iter().flat_map(|phrase| &phrase.terms));
        }
        wanted.sort_unstable();
        wanted.dedup();
        for number in wanted {
            judged.extend(self.judge_term(number, &places, fields));
        }
        for &number in &self.expressions {
            judged.extend(self.judge_term(number, &places, fields));
        }
        judged
    }

    /// One pass over every field for all phrases.
    fn search(&self, fields: &[(Field, Cow<'_, str>)]) -> Vec<Place> {
        let mut places = Vec::new();
        let mut folded = Folded::default();
        for (field, (_, text)) in fields.iter().enumerate() {
            folded.fold(text);
            let room = places.len() + MAX_FOUND;
            for found in self.automaton.find_overlapping_iter(folded.text()) {
                if is_inside_word(folded.text().as_bytes(), found.start(), found.end()) {
                    continue;
                }
                let (start, end) = (folded.start(found.start()), folded.end(found.end()));
                if (Spot { text, start, end }).is_whole() {
                    if places.len() == room {
                        break;
                    }
                    places.push(Place { phrase: found.pattern().as_usize(), field, start, end });
                }
            }
        }
        places.sort_unstable();
        places
    }

    /// The best of a term's places that count, else the first of those that do not. Within one field the first that
    /// counts is the best.
    fn judge_term(&self, number: usize, places: &Places, fields: &[(Field, Cow<'_, str>)]) -> Option<Judged> {
        let term = self.terms.get(number)?;
        let mut best: Option<Judged> = None;
        for (field, (kind, text)) in fields.iter().enumerate() {
            let confidence = self.confidence(term, *kind);
            let mut judge = |place: Place| {
                let verdict = self.verdict(term, place, text, places);
                let is_done = verdict == Verdict::Counts;
                let judged = Judged { term: number, place, confidence, verdict };
                if best.as_ref().is_none_or(|best| order(&judged) < order(best)) {
                    best = Some(judged);
                }
                is_done
            };
            match &term.search {
                Search::Words { .. } => {
                    for phrase in &term.spellings {
                        let _ = places.within(*phrase, field).iter().take(MAX_PLACES).any(|place| judge(*place));
                    }
                }
                Search::Expression(regex) => {
                    let mut found = regex.find_iter(text).filter(|found| !found.is_empty()).take(MAX_PLACES);
                    let _ = found.any(|found| {
                        judge(Place { phrase: usize::MAX, field, start: found.start(), end: found.end() })
                    });
                }
            }
        }
        best
    }

    fn verdict(&self, term: &CompiledTerm, place: Place, text: &str, places: &Places) -> Verdict {
        let inside = |phrases: &[usize]| phrases.iter().any(|phrase| places.has_around(*phrase, place));
        if let Some((phrase, _)) = term.not.iter().find(|(_, phrases)| inside(phrases)) {
            return Verdict::Excluded(phrase.clone());
        }
        if let Search::Words { exact, is_particular } = &term.search {
            let spot = Spot { text, start: place.start, end: place.end };
            if exact.as_ref().is_some_and(|exact| !exact.contains(&cased_phrase(spot.itself()))) {
                return Verdict::OtherCase;
            }
            let is_subject = self.subjects.get(term.subject).is_some_and(|subject| subject.kind == TagKind::Topic);
            if !is_particular && spot.is_in_address() {
                return Verdict::InAddress;
            }
            if !is_particular && !spot.is_own_name(is_subject) {
                return Verdict::PartOfName;
            }
        }
        let is_near = |phrases: &[usize]| phrases.iter().any(|phrase| !places.of(*phrase).is_empty());
        if !term.near.is_empty() && !term.near.iter().any(|(_, phrases)| is_near(phrases)) {
            return Verdict::NoContext(term.near.iter().map(|(phrase, _)| phrase.clone()).collect());
        }
        Verdict::Counts
    }

    /// How sure a place of this term makes us; the table is at the top of the module `tag`.
    fn confidence(&self, term: &CompiledTerm, field: Field) -> u8 {
        let kind = self.subjects.get(term.subject).map_or(TagKind::Topic, |subject| subject.kind);
        let base = match (kind, field) {
            (TagKind::Component, Field::Title) => 50,
            (TagKind::Component, Field::Categories) => 40,
            (TagKind::Component, _) | (TagKind::Topic, Field::Title) => 30,
            (TagKind::Topic, _) => 20,
        };
        let context = if term.near.is_empty() { 0 } else { 10 };
        let case = if matches!(term.search, Search::Words { exact: Some(_), .. }) { 5 } else { 0 };
        base + context + case
    }
}

/// The better of two places: the surer one, then the earlier one; the stack's order decides the rest.
fn rank(judged: &Judged) -> (Reverse<u8>, usize, usize, usize) {
    (Reverse(judged.confidence), judged.place.field, judged.place.start, judged.term)
}

/// What counts before what does not, and then the better place.
fn order(judged: &Judged) -> (bool, (Reverse<u8>, usize, usize, usize)) {
    (judged.verdict != Verdict::Counts, rank(judged))
}

/// The texts of an entry in which terms are searched.
fn fields(entry: &Entry) -> Vec<(Field, Cow<'_, str>)> {
    let mut fields: Vec<(Field, Cow<'_, str>)> = Vec::with_capacity(4);
    fields.extend(entry.title.as_deref().map(|text| (Field::Title, Cow::Borrowed(text))));
    fields.extend(entry.summary.as_deref().map(|text| (Field::Summary, Cow::Borrowed(text))));
    fields.extend(entry.body.as_deref().map(|text| (Field::Body, Cow::Borrowed(text))));
    if !entry.categories.is_empty() {
        fields.push((Field::Categories, Cow::Owned(entry.categories.join("; "))));
    }
    fields
}

/// Whether letters plainly go on at one end: the quick half of `Spot::is_whole`, for the many finds in the middle of words.
fn is_inside_word(text: &[u8], start: usize, end: usize) -> bool {
    let at = |index: Option<usize>| index.and_then(|index| text.get(index)).copied();
    let is_letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    (is_letter(at(Some(start))) && is_letter(at(start.checked_sub(1))))
        || (is_letter(at(end.checked_sub(1))) && at(Some(end)).is_some_and(|byte| byte.is_ascii_alphabetic()))
}

/// Every place of every phrase in an entry, in order.
struct Places {
    places: Vec<Place>,
}

impl Places {
    /// The phrases that were found, each once.
    fn phrases(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.chunk_by(|a, b| a.phrase == b.phrase).filter_map(|places| places.first()).map(|place| place.phrase)
    }

    /// The places of a phrase.
    fn of(&self, phrase: usize) -> &[Place] {
        let from = self.places.partition_point(|place| place.phrase < phrase);
        let to = self.places.partition_point(|place| place.phrase <= phrase);
        self.places.get(from..to).unwrap_or_default()
    }

    /// The places of a phrase in one field.
    fn within(&self, phrase: usize, field: usize) -> &[Place] {
        let all = self.of(phrase);
        let from = all.partition_point(|place| place.field < field);
        let to = all.partition_point(|place| place.field <= field);
        all.get(from..to).unwrap_or_default()
    }

    /// Whether a place of this phrase holds this place.
    fn has_around(&self, phrase: usize, inner: Place) -> bool {
        let all = self.of(phrase);
        let until = all.partition_point(|place| (place.field, place.start) <= (inner.field, inner.start));
        // Places of one phrase are about as long as each other, so the last few that begin before decide.
        let near = all.get(until.saturating_sub(4)..until).unwrap_or_default();
        near.iter().any(|place| place.field == inner.field && place.end >= inner.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stack::{Case, Component, Pattern, Term, Topic};

    fn term(text: &str) -> Term {
        Term { pattern: Pattern::Text { text: text.into(), case: Case::Any }, near: Vec::new(), not: Vec::new() }
    }

    fn component(id: &str, terms: Vec<Term>) -> Component {
        Component { id: id.into(), name: id.into(), owner: "jon".into(), terms }
    }

    fn topic(id: &str, terms: Vec<Term>) -> Topic {
        Topic { id: id.into(), name: id.into(), owner: "jon".into(), terms }
    }

    fn one(terms: Vec<Term>) -> Matcher {
        Matcher::new(&[component("it", terms)], &[]).unwrap()
    }

    fn entry(title: &str, summary: &str) -> Entry {
        Entry { title: Some(title.into()), summary: Some(summary.into()), ..Entry::default() }
    }

    fn verdict(matcher: &Matcher, text: &str) -> Option<Verdict> {
        matcher.explain(&entry("", text)).into_iter().next().map(|considered| considered.verdict)
    }

    #[test]
    fn a_tag_carries_its_proof() {
        let matcher = one(vec![term("Quillgate VPN")]);
        let entry = entry("Advisory", "A flaw in the  QUILLGATE\nvpn lets anybody in.");
        let tags = matcher.tags(&entry);
        assert_eq!(tags.len(), 1);
        let tag = &tags[0];
        assert_eq!((tag.kind, tag.id.as_str(), tag.term.as_str()), (TagKind::Component, "it", "Quillgate VPN"));
        assert_eq!((tag.field, tag.method, tag.confidence), (Field::Summary, Method::Term, 30));
        assert_eq!(entry.summary.unwrap().get(tag.start..tag.end), Some("QUILLGATE\nvpn"));
        assert_eq!(tag.snippet, "A flaw in the QUILLGATE vpn lets anybody in.");
    }

    #[test]
    fn the_best_place_wins_and_the_surest_tag_comes_first() {
        let stack = [component("a", vec![term("libmarrow")]), component("b", vec![term("quillgate"), term("qg-vpn")])];
        let topics = [topic("t", vec![term("prompt injection")])];
        let matcher = Matcher::new(&stack, &topics).unwrap();
        let mut entry = entry("Prompt-injection in Quillgate", "libmarrow, quillgate, qg-vpn");
        entry.categories = vec!["x".into(), "libmarrow".into()];
        let tags = matcher.tags(&entry);
        let seen: Vec<_> = tags.iter().map(|tag| (tag.id.as_str(), tag.field, tag.confidence)).collect();
        assert_eq!(seen, [("b", Field::Title, 50), ("a", Field::Categories, 40), ("t", Field::Title, 30)]);
        assert_eq!(tags[1].snippet, "x; libmarrow");
    }

    #[test]
    fn names_with_signs_are_found_and_not_confused() {
        let stack = [
            component("c", vec![term("c")]),
            component("c++", vec![term("c++")]),
            component("c#", vec![term("C#")]),
            component(".net", vec![term(".NET")]),
            component("node.js", vec![term("node.js")]),
            component("node", vec![term("node")]),
            component("net", vec![term("net")]),
        ];
        let matcher = Matcher::new(&stack, &[]).unwrap();
        let ids = |text: &str| {
            let mut ids: Vec<String> = matcher.tags(&entry("", text)).into_iter().map(|tag| tag.id).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids("written in C++ and C#"), ["c#", "c++"]);
        assert_eq!(ids("written in C, for .NET"), [".net", "c"]);
        assert_eq!(ids("Node.js and a node"), ["node", "node.js"]);
        assert_eq!(ids("Node.js"), ["node.js"]);
        assert_eq!(ids("the net; example.net"), ["net"]);
        assert_eq!(ids("example.net, subnet, nodes, abc"), Vec::<String>::new());
    }

    #[test]
    fn overlapping_names_count_each() {
        let stack = [component("a", vec![term("openssl")]), component("b", vec![term("openssl 3.0")])];
        let matcher = Matcher::new(&stack, &[]).unwrap();
        assert_eq!(matcher.tags(&entry("OpenSSL 3.0", "")).len(), 2);
    }

    #[test]
    fn an_exact_term_counts_as_written_only() {
        let exact = |text: &str| Term {
            pattern: Pattern::Text { text: text.into(), case: Case::Exact },
            near: Vec::new(),
            not: Vec::new(),
        };
        let matcher = one(vec![exact("Go")]);
        assert_eq!(verdict(&matcher, "a program in Go, not go"), Some(Verdict::Counts));
        assert_eq!(verdict(&matcher, "go and GO"), Some(Verdict::OtherCase));
        assert_eq!(matcher.tags(&entry("", "in Go"))[0].confidence, 35);
        let phrase = one(vec![exact("SAP Cloud")]);
        assert_eq!(verdict(&phrase, "SAP\nCloud"), Some(Verdict::Counts));
        assert_eq!(verdict(&phrase, "SAP-Cloud"), Some(Verdict::Counts));
        assert_eq!(verdict(&phrase, "SAP cloud"), Some(Verdict::OtherCase));
    }

    #[test]
    fn near_may_stand_anywhere_in_the_entry_but_must_stand() {
        let vault = Term { near: vec!["HashiCorp".into(), "vaultproject.io".into()], ..term("vault") };
        let matcher = one(vec![vault]);
        assert_eq!(
            verdict(&matcher, "a bank vault"),
            Some(Verdict::NoContext(vec!["HashiCorp".into(), "vaultproject.io".into()]))
        );
        assert_eq!(
            verdict(&matcher, "a vault of hashicorps"),
            Some(Verdict::NoContext(vec!["HashiCorp".into(), "vaultproject.io".into()]))
        );
        let tags = matcher.tags(&entry("Vault 1.2", "see https://www.vaultproject.io/docs"));
        assert_eq!((tags[0].field, tags[0].confidence), (Field::Title, 60));
        let mut by_category = entry("Vault 1.2", "");
        by_category.categories = vec!["hashicorp".into()];
        assert_eq!(matcher.tags(&by_category).len(), 1);
    }

    #[test]
    fn an_occurrence_inside_an_excluded_phrase_does_not_count_but_others_do() {
        let ssl = Term { not: vec!["SSL VPN".into(), "free SSL certificate".into()], ..term("SSL") };
        let matcher = one(vec![ssl]);
        assert_eq!(verdict(&matcher, "the ssl-vpn portal"), Some(Verdict::Excluded("SSL VPN".into())));
        assert_eq!(verdict(&matcher, "a free SSL certificate"), Some(Verdict::Excluded("free SSL certificate".into())));
        assert_eq!(verdict(&matcher, "the SSL VPN speaks SSL"), Some(Verdict::Counts));
        assert_eq!(verdict(&matcher, "the SSL VPNs"), Some(Verdict::Counts));
        let regex = Term { pattern: Pattern::Regex("SS[LH]".into()), near: vec![], not: vec!["SSL VPN".into()] };
        let matcher = one(vec![regex]);
        assert_eq!(verdict(&matcher, "an SSL VPN"), Some(Verdict::Excluded("SSL VPN".into())));
        assert_eq!(verdict(&matcher, "an SSL VPN over SSH"), Some(Verdict::Counts));
    }

    #[test]
    fn expressions_see_the_original_text() {
        let matcher = one(vec![Term { pattern: Pattern::Regex("openssl-[0-9.]+".into()), near: vec![], not: vec![] }]);
        let tags = matcher.tags(&entry("", "é\u{a0} openssl-3.0.17 and OpenSSL-1"));
        assert_eq!((tags[0].method, tags[0].term.as_str()), (Method::Regex, "/openssl-[0-9.]+/"));
        assert_eq!((tags[0].start, tags[0].end), (5, 19));
        assert_eq!(matcher.tags(&entry("", "OpenSSL-1")).len(), 0);
    }

    #[test]
    fn what_does_not_count_is_explained() {
        let matcher = one(vec![term("django"), term("docker")]);
        assert_eq!(verdict(&matcher, "a flaw in django-cms"), Some(Verdict::PartOfName));
        assert_eq!(verdict(&matcher, "see https://example.com/docker/cli"), Some(Verdict::InAddress));
        assert_eq!(verdict(&matcher, "dockers"), None);
    }

    #[test]
    fn two_subjects_may_share_a_word() {
        let stack = [component("a", vec![term("SSL"), term("ssl")]), component("b", vec![term("ssl")])];
        let matcher = Matcher::new(&stack, &[]).unwrap();
        assert_eq!(matcher.tags(&entry("SSL", "")).len(), 2);
    }

    #[test]
    fn a_stack_that_cannot_be_searched_is_refused_with_the_term() {
        let bad = Term { pattern: Pattern::Regex("(".into()), near: vec![], not: vec![] };
        let error = Matcher::new(&[component("it", vec![bad])], &[]).unwrap_err();
        assert_eq!(error.to_string(), "component it: term `/(/`: unclosed group");
        let error = Matcher::new(&[], &[topic("t", vec![term(" \u{200b} ")])]).unwrap_err();
        assert!(error.to_string().contains("nothing to look for"));
        assert!(Matcher::new(&[], &[]).unwrap().tags(&entry("a", "b")).is_empty());
    }

    #[test]
    fn hostile_texts_are_judged_in_time() {
        let not: Vec<String> = (0..20).map(|n| format!("a a{}", " a".repeat(n))).collect();
        let matcher = one(vec![Term { not, near: vec!["zz".into()], ..term("a") }, term("https"), term("b-")]);
        for text in ["a ".repeat(32_768), "https://a.b/".repeat(5_461), "a-b-".repeat(16_384), "語a".repeat(16_384)] {
            matcher.tags(&Entry { body: Some(text.clone()), summary: Some(text), ..Entry::default() });
        }
    }
}
