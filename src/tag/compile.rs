//! Makes a [`Matcher`] of a stack's terms: every text that is searched once, whoever asks for it. Searching is `matcher`'s part.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;
use thiserror::Error;

use super::{
    bounds::is_word,
    fold::{cased_phrase, folded_phrase},
    pattern::compiled,
};
use crate::model::stack::{Case, Component, Pattern, TagKind, Term, Topic};

/// Up to so many bytes of phrases the faster automaton is used, which takes some 256 bytes of memory for each.
const MAX_DFA: usize = 16 * 1024;

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

/// All terms of a stack, ready to search.
#[derive(Debug)]
pub struct Matcher {
    pub(super) automaton: AhoCorasick,
    pub(super) phrases: Vec<Phrase>,
    pub(super) terms: Vec<CompiledTerm>,
    pub(super) subjects: Vec<Subject>,
    /// The numbers of the terms that are regular expressions.
    pub(super) expressions: Vec<usize>,
}

/// A component or topic.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) kind: TagKind,
    pub(super) id: String,
}

/// A text that is searched, whatever for. Several terms may share one.
#[derive(Debug, Default)]
pub(super) struct Phrase {
    /// The terms that it is a spelling of.
    pub(super) terms: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct CompiledTerm {
    pub(super) subject: usize,
    pub(super) label: String,
    pub(super) search: Search,
    /// The phrases that it is spelt by.
    pub(super) spellings: Vec<usize>,
    /// The phrases of which one must stand in the entry, as written and by their numbers.
    pub(super) near: Vec<(String, Vec<usize>)>,
    /// The phrases inside which it does not count.
    pub(super) not: Vec<(String, Vec<usize>)>,
}

#[derive(Debug)]
pub(super) enum Search {
    /// Words; with their spellings where the case must be exact.
    Words { exact: Option<Vec<String>>, is_particular: bool },
    /// A regular expression.
    Expression(Regex),
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
            let (search, spellings) = self.search(&owner, term)?;
            self.terms.push(CompiledTerm { subject, label: term.label(), search, spellings, near, not });
        }
        Ok(())
    }

    /// What a term looks for, and the phrases that it is spelt by.
    fn search(&mut self, owner: &str, term: &Term) -> Result<(Search, Vec<usize>), MatcherError> {
        let number = self.terms.len();
        match &term.pattern {
            Pattern::Text { text, case } => {
                let spellings = self.spelled(owner, term, text)?;
                for phrase in &spellings {
                    if let Some(phrase) = self.phrases.get_mut(*phrase) {
                        phrase.terms.push(number);
                    }
                }
                let cased = cased_phrase(text);
                let exact = (*case == Case::Exact).then(|| vec![cased.replace(' ', "-"), cased.clone()]);
                let is_particular = cased.chars().any(|c| matches!(c, '.' | '-' | '/' | ':' | '@'));
                Ok((Search::Words { exact, is_particular }, spellings))
            }
            Pattern::Regex(regex) => {
                let compiled = compiled(regex).map_err(|reason| MatcherError::Regex {
                    owner: owner.to_owned(),
                    regex: regex.clone(),
                    reason,
                })?;
                self.expressions.push(number);
                Ok((Search::Expression(compiled), Vec::new()))
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
        let size: usize = self.texts.iter().map(String::len).sum();
        let kind = if size <= MAX_DFA { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
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
