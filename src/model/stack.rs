//! The company's stack: components, topics, their terms, the routes, and the tags that come of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{ComponentId, FeedId, GroupId, OwnerId, TopicId};

/// Whether a term is searched in any case or exactly as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Case {
    /// Upper and lower case are the same.
    #[default]
    Any,
    /// Only as written.
    Exact,
}

/// What a term looks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// A word or phrase, found as whole tokens only.
    Text {
        /// The words as the editor wrote them.
        text: String,
        /// In which case.
        case: Case,
    },
    /// A regular expression in the syntax of the `regex` crate.
    Regex(String),
}

/// A name that betrays a component or topic, with the context it needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    /// What is looked for.
    pub pattern: Pattern,
    /// At least one of these must stand somewhere in the entry; empty asks for nothing.
    pub near: Vec<String>,
    /// An occurrence inside one of these does not count.
    pub not: Vec<String>,
}

impl Term {
    /// The term as the editor wrote it; a regular expression stands between slashes.
    pub fn label(&self) -> String {
        match &self.pattern {
            Pattern::Text { text, .. } => text.clone(),
            Pattern::Regex(regex) => format!("/{regex}/"),
        }
    }
}

/// A part of the company's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Stable identifier.
    pub id: ComponentId,
    /// What people call it.
    pub name: String,
    /// Who answers for it.
    pub owner: OwnerId,
    /// The names that betray it.
    pub terms: Vec<Term>,
}

/// A subject that somebody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Stable identifier.
    pub id: TopicId,
    /// What people call it.
    pub name: String,
    /// Who follows it.
    pub owner: OwnerId,
    /// The names that betray it.
    pub terms: Vec<Term>,
}

/// The qualitative severity of CVSS 3.1, section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 0.1 to 3.9.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9.
    High,
    /// 9.0 to 10.0.
    Critical,
}

impl Severity {
    /// Every severity with its word, lowest first.
    pub const ALL: [(&'static str, Severity); 4] = [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];

    /// The severity's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, severity)| (severity == self).then_some(word)).unwrap_or("low")
    }

    /// The severity that a word stands for, in any case.
    pub fn parse(word: &str) -> Option<Severity> {
        Self::ALL.into_iter().find_map(|(known, severity)| known.eq_ignore_ascii_case(word).then_some(severity))
    }
}

/// What an entry states about how bad it is; nothing is inferred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// A stated CVSS base score in tenths, 0 to 100; the highest where several stand.
    pub cvss_tenths: Option<u8>,
    /// The stated severity: from the score where there is one, else from a stated word.
    pub severity: Option<Severity>,
    /// Whether it is stated to be exploited.
    pub exploited: bool,
}

/// A rule beyond ownership: entries that meet all of its conditions go to its owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Only entries of these feeds; empty: of any.
    pub feeds: Vec<FeedId>,
    /// Only entries of feeds of these groups; empty: of any.
    pub groups: Vec<GroupId>,
    /// Only entries with one of these components or topics; empty: with any tag or none.
    pub tags: Vec<String>,
    /// Only entries of at least this severity.
    pub severity: Option<Severity>,
    /// Who gets them.
    pub to: Vec<OwnerId>,
    /// Whether they do not wait for the owner's hour.
    pub urgent: bool,
}

/// Whether a tag names a component or a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TagKind {
    /// A part of the stack.
    Component,
    /// A subject that somebody follows.
    Topic,
}

impl TagKind {
    /// The kind's word.
    pub fn as_str(self) -> &'static str {
        match self {
            TagKind::Component => "component",
            TagKind::Topic => "topic",
        }
    }
}

/// What an owner answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnedKind {
    /// A part of the stack.
    Component,
    /// A subject that somebody follows.
    Topic,
    /// A feed.
    Feed,
}

impl OwnedKind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, OwnedKind); 3] =
        [("component", OwnedKind::Component), ("topic", OwnedKind::Topic), ("feed", OwnedKind::Feed)];

    /// The kind's word in the store, the log and the form.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, kind)| (kind == self).then_some(word)).unwrap_or("component")
    }

    /// The kind that a word stands for.
    pub fn parse(word: &str) -> Option<OwnedKind> {
        Self::ALL.into_iter().find_map(|(known, kind)| (known == word).then_some(kind))
    }
}

/// The field of an entry that a tag was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// The title.
    Title,
    /// The summary.
    Summary,
    /// The full text.
    Body,
    /// The categories, joined with `; `.
    Categories,
    /// No text at all: the feed itself brings the tag.
    Feed,
}

impl Field {
    /// Every field with its word.
    pub const ALL: [(&'static str, Field); 5] = [
        ("title", Field::Title),
        ("summary", Field::Summary),
        ("body", Field::Body),
        ("categories", Field::Categories),
        ("feed", Field::Feed),
    ];

    /// The field's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, field)| (field == self).then_some(word)).unwrap_or("body")
    }

    /// The field that a word stands for.
    pub fn parse(word: &str) -> Option<Field> {
        Self::ALL.into_iter().find_map(|(known, field)| (known == word).then_some(field))
    }
}

/// How a tag was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A term's words.
    Term,
    /// A term's regular expression.
    Regex,
    /// The feed's own `topics`.
    Feed,
}

impl Method {
    /// Every method with its word.
    pub const ALL: [(&'static str, Method); 3] =
        [("term", Method::Term), ("regex", Method::Regex), ("feed", Method::Feed)];

    /// The method's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, method)| (method == self).then_some(word)).unwrap_or("term")
    }

    /// The method that a word stands for.
    pub fn parse(word: &str) -> Option<Method> {
        Self::ALL.into_iter().find_map(|(known, method)| (known == word).then_some(method))
    }
}

/// A component or topic that an entry is about, with its proof: the best place for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Component or topic.
    pub kind: TagKind,
    /// Its identifier.
    pub id: String,
    /// The term, as [`Term::label`] writes it.
    pub term: String,
    /// Where the term stands.
    pub field: Field,
    /// The first byte of the place in that field.
    pub start: usize,
    /// The byte after the place.
    pub end: usize,
    /// The place with its surroundings, at most 160 characters.
    pub snippet: String,
    /// How it was found.
    pub method: Method,
    /// How sure it is, 0 to 100.
    pub confidence: u8,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.id)
    }
}
