//! Finds the terms of a whole stack in an entry: one Aho-Corasick pass for all words, one search per regular expression. The rules that
//! it applies are told at the top of the module `tag`.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;
use thiserror::Error;

use super::{
    bounds::{Spot, is_word},
    fold::{Folded, cased_phrase, folded_phrase},
    pattern::compiled,
    snippet::snippet,
};
use crate::model::{
    entry::Entry,
    stack::{Case, Component, Field, Method, Pattern, Tag, TagKind, Term, Topic},
};

/// The most places of one phrase that are looked at in one field.
const MAX_PLACES: usize = 1_000;

/// Why no matcher can be made of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MatcherError {
    /// A regular expression cannot be used.
    #[error("{owner}: term `/{regex}/`: {reason}")]
    Regex {
        /// The component or topic, as `component openssl`.
        owner: String,
        /// The expression.
        regex: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A term, a `near` or a `not` has nothing to look for.
    #[error("{owner}: term `{term}`: nothing to look for")]
    Empty {
        /// The component or topic, as `component openssl`.
        owner: String,
        /// The term.
        term: String,
    },
    /// There are more words than one search can hold.
    #[error("too many terms: {0}")]
    TooMany(String),
}

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

/// All terms of a stack, ready to search.
#[derive(Debug)]
pub struct Matcher {
    automaton: AhoCorasick,
    phrases: Vec<Phrase>,
    terms: Vec<CompiledTerm>,
    subjects: Vec<Subject>,
    /// The numbers of the terms that are regular expressions.
    expressions: Vec<usize>,
}

/// A component or topic.
#[derive(Debug)]
struct Subject {
    kind: TagKind,
    id: String,
}

/// A text that is searched, whatever for. Several terms may share one.
#[derive(Debug, Default)]
struct Phrase {
    /// The terms that it is a spelling of.
    terms: Vec<usize>,
}

#[derive(Debug)]
struct CompiledTerm {
    subject: usize,
    label: String,
    search: Search,
    /// The phrases of which one must stand in the entry, as written and by their numbers.
    near: Vec<(String, Vec<usize>)>,
    /// The phrases inside which it does not count.
    not: Vec<(String, Vec<usize>)>,
}

#[derive(Debug)]
enum Search {
    /// Words; with their spellings where the case must be exact.
    Words { exact: Option<Vec<String>>, is_particular: bool },
    /// A regular expression.
    Expression(Regex),
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
    /// Makes a matcher of the terms of these components and topics.
    pub fn new(components: &[Component], topics: &[Topic]) -> Result<Matcher, MatcherError> {
        let mut builder = Builder::default();
        for component in components {
            builder.add(TagKind::Component, component.id.as_str(), &component.terms)?;
        }
        for topic in topics {
            builder.add(TagKind::Topic, topic.id.as_str(), &topic.terms)?;
        }
        builder.build()
    }

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
        all.sort_by_key(|judged| (judged.verdict != Verdict::Counts, rank(judged)));
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
            for found in self.automaton.find_overlapping_iter(folded.text()) {
                if is_inside_word(folded.text().as_bytes(), found.start(), found.end()) {
                    continue;
                }
                let (start, end) = (folded.start(found.start()), folded.end(found.end()));
                if (Spot { text, start, end }).is_whole() {
                    places.push(Place { phrase: found.pattern().as_usize(), field, start, end });
                }
            }
        }
        places.sort_unstable();
        places
    }

    /// The best of a term's places that count, else the first of those that do not.
    fn judge_term(&self, number: usize, places: &Places, fields: &[(Field, Cow<'_, str>)]) -> Option<Judged> {
        let term = self.terms.get(number)?;
        let mut best: Option<Judged> = None;
        let mut judge = |place: Place| {
            let Some((field, text)) = fields.get(place.field) else { return };
            let verdict = self.verdict(term, place, text, places);
            let confidence = self.confidence(term, *field);
            let judged = Judged { term: number, place, confidence, verdict };
            let is_better = best.as_ref().is_none_or(|best| {
                (judged.verdict != Verdict::Counts, rank(&judged)) < (best.verdict != Verdict::Counts, rank(best))
            });
            if is_better {
                best = Some(judged);
            }
        };
        match &term.search {
            Search::Words { .. } => self.spellings(number, places).for_each(&mut judge),
            Search::Expression(regex) => {
                for (field, (_, text)) in fields.iter().enumerate() {
                    let found = regex.find_iter(text).filter(|found| !found.is_empty()).take(MAX_PLACES);
                    found.for_each(|found| {
                        judge(Place { phrase: usize::MAX, field, start: found.start(), end: found.end() });
                    });
                }
            }
        }
        best
    }

    /// Where any spelling of a term stands.
    fn spellings<'a>(&'a self, number: usize, places: &'a Places) -> impl Iterator<Item = Place> + 'a {
        let found = places.phrases().filter(move |phrase| {
            self.phrases.get(*phrase).is_some_and(|phrase| phrase.terms.binary_search(&number).is_ok())
        });
        found.flat_map(|phrase| places.of(phrase).iter().take(MAX_PLACES).copied())
    }

    fn verdict(&self, term: &CompiledTerm, place: Place, text: &str, places: &Places) -> Verdict {
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
        let inside = |phrases: &[usize]| phrases.iter().any(|phrase| places.has_around(*phrase, place));
        if let Some((phrase, _)) = term.not.iter().find(|(_, phrases)| inside(phrases)) {
            return Verdict::Excluded(phrase.clone());
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

    /// Whether a place of this phrase holds this place.
    fn has_around(&self, phrase: usize, inner: Place) -> bool {
        let all = self.of(phrase);
        let until = all.partition_point(|place| (place.field, place.start) <= (inner.field, inner.start));
        // Places of one phrase are about as long as each other, so the last few that begin before decide.
        let near = all.get(until.saturating_sub(4)..until).unwrap_or_default();
        near.iter().any(|place| place.field == inner.field && place.end >= inner.end)
    }
}

/// Collects the phrases of a stack.
#[derive(Default)]
struct Builder {
    numbers: HashMap<String, usize>,
    texts: Vec<String>,
    phrases: Vec<Phrase>,
    terms: Vec<CompiledTerm>,
    subjects: Vec<Subject>,
    expressions: Vec<usize>,
}

impl Builder {
    fn add(&mut self, kind: TagKind, id: &str, terms: &[Term]) -> Result<(), MatcherError> {
        let owner = format!("{} {id}", kind.as_str());
        let subject = self.subjects.len();
        self.subjects.push(Subject { kind, id: id.to_owned() });
        for term in terms {
            let near = self.context(&owner, term, &term.near)?;
            let not = self.context(&owner, term, &term.not)?;
            let search = self.search(&owner, term)?;
            self.terms.push(CompiledTerm { subject, label: term.label(), search, near, not });
        }
        Ok(())
    }

    fn search(&mut self, owner: &str, term: &Term) -> Result<Search, MatcherError> {
        let number = self.terms.len();
        match &term.pattern {
            Pattern::Text { text, case } => {
                for phrase in self.spelled(owner, term, text)? {
                    if let Some(phrase) = self.phrases.get_mut(phrase) {
                        phrase.terms.push(number);
                    }
                }
                let cased = cased_phrase(text);
                let exact = (*case == Case::Exact).then(|| vec![cased.replace(' ', "-"), cased.clone()]);
                let is_particular = cased.chars().any(|c| matches!(c, '.' | '-' | '/' | ':' | '@'));
                Ok(Search::Words { exact, is_particular })
            }
            Pattern::Regex(regex) => {
                let compiled = compiled(regex).map_err(|reason| MatcherError::Regex {
                    owner: owner.to_owned(),
                    regex: regex.clone(),
                    reason,
                })?;
                self.expressions.push(number);
                Ok(Search::Expression(compiled))
            }
        }
    }

    fn context(
        &mut self,
        owner: &str,
        term: &Term,
        phrases: &[String],
    ) -> Result<Vec<(String, Vec<usize>)>, MatcherError> {
        phrases.iter().map(|phrase| Ok((phrase.clone(), self.spelled(owner, term, phrase)?))).collect()
    }

    /// The numbers of a phrase and of its spelling with hyphens.
    fn spelled(&mut self, owner: &str, term: &Term, phrase: &str) -> Result<Vec<usize>, MatcherError> {
        let folded = folded_phrase(phrase);
        if !folded.chars().any(|c| is_word(c) || !c.is_ascii()) {
            return Err(MatcherError::Empty { owner: owner.to_owned(), term: term.label() });
        }
        let hyphenated = folded.replace(' ', "-");
        let mut numbers = vec![self.number(&folded)];
        if hyphenated != folded {
            numbers.push(self.number(&hyphenated));
        }
        Ok(numbers)
    }

    fn number(&mut self, folded: &str) -> usize {
        if let Some(number) = self.numbers.get(folded) {
            return *number;
        }
        let number = self.texts.len();
        self.texts.push(folded.to_owned());
        self.phrases.push(Phrase::default());
        self.numbers.insert(folded.to_owned(), number);
        number
    }

    fn build(self) -> Result<Matcher, MatcherError> {
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&self.texts)
            .map_err(|error| MatcherError::TooMany(error.to_string()))?;
        Ok(Matcher {
            automaton,
            phrases: self.phrases,
            terms: self.terms,
            subjects: self.subjects,
            expressions: self.expressions,
        })
    }
}
