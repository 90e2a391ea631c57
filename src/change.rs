//! What changed between two versions of an entry, in facts and in words, and which changes an owner hears of. Pure; how
//! versions are found and who is told is the business of others.
//!
//! **Material** is what changes somebody's work: it is stated to be exploited (or used for ransomware) and was not, its
//! severity is higher, or high or critical where none was stated, other CVE ids, a fix where there was none, a withdrawal, another
//! component of the stack, or a text that was rewritten: most of what it said is gone, and most of what it says is new.
//! What most of a document says anew at once ([`Kind`]) is the publisher's way of writing, not news.
//! Everything else (a word, a link, a category, a lower severity) is a revision that is recorded and mailed to nobody.

mod signs;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::words::Passage;
use crate::{
    advisory,
    model::{
        digest::Fix,
        entry::Entry,
        id::EntryNo,
        stack::{Marks, Severity, Tag, TagKind},
    },
};

/// The most CVE ids that are named in one sentence.
const MAX_NAMED: usize = 5;
/// The most CVE ids of a version that are compared.
const MAX_CVES: usize = 200;
/// The longest title that is kept, in characters.
const MAX_TITLE: usize = 200;

/// One version of an entry with what was found out about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// What it says.
    pub entry: Entry,
    /// How bad it says it is.
    pub marks: Marks,
    /// What it is about.
    pub tags: Vec<Tag>,
}

/// What an owner was told of a story, by whichever of its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    exploited: bool,
    ransomware: bool,
    fix: bool,
    severity: Option<Severity>,
    /// CVE ids, each with the entries that name it.
    cves: BTreeMap<String, BTreeSet<EntryNo>>,
    components: BTreeSet<String>,
}

impl Heard {
    /// Adds what this version of an entry told.
    pub fn add(&mut self, entry: EntryNo, told: &Version) {
        self.exploited |= told.marks.exploited;
        self.ransomware = self.ransomware || signs::states_ransomware(&told.entry);
        self.fix = self.fix || signs::states_fix(&told.entry);
        self.severity = self.severity.max(told.marks.severity);
        for id in cves(&told.entry) {
            self.cves.entry(id).or_default().insert(entry);
        }
        self.components.extend(components(told).into_iter().map(str::to_owned));
    }

    fn is_named_by_another(&self, id: &str, than: EntryNo) -> bool {
        self.cves.get(id).is_some_and(|entries| entries.iter().any(|entry| *entry != than))
    }
}

/// What changed from one version of an entry to the next. Its JSON is stored with the revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own: none excludes another")]
pub struct Change {
    /// The title, before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<(String, String)>,
    /// Whether the link is another one.
    #[serde(skip_serializing_if = "is_false")]
    pub link: bool,
    /// Whether it is filed under other categories.
    #[serde(skip_serializing_if = "is_false")]
    pub categories: bool,
    /// Whether it is stated to be exploited and was not.
    #[serde(skip_serializing_if = "is_false")]
    pub exploited: bool,
    /// Whether it is stated to be used for ransomware and was not.
    #[serde(skip_serializing_if = "is_false")]
    pub ransomware: bool,
    /// The stated severity, before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<(Option<Severity>, Option<Severity>)>,
    /// CVE ids that it names now and did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cves_added: Vec<String>,
    /// CVE ids that it named and does not any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cves_removed: Vec<String>,
    /// Whether it says that there is a fix and did not.
    #[serde(skip_serializing_if = "is_false")]
    pub fix: bool,
    /// Whether it is withdrawn or rejected and was not.
    #[serde(skip_serializing_if = "is_false")]
    pub withdrawn: bool,
    /// Components that it is about now and was not, by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Whether most of the text was replaced.
    #[serde(skip_serializing_if = "is_false")]
    pub rewritten: bool,
    /// The changed passages of the text with a few words around them, within bounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<Passage>,
    /// How many changed passages more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

/// A kind of change that says nothing of any one entry where most of a document has it at once. Exploitation is none of
/// them: it is told however many it is stated of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A severity that was not stated, or another one.
    Severity,
    /// CVE ids that came or went.
    Cves,
    /// A fix.
    Fix,
    /// A withdrawal.
    Withdrawn,
    /// Another component.
    Components,
    /// Another text.
    Rewritten,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] =
        [Kind::Severity, Kind::Cves, Kind::Fix, Kind::Withdrawn, Kind::Components, Kind::Rewritten];
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// What an entry states of a fix: in which versions, or that there is one; `None`: nothing.
pub fn stated_fix(entry: &Entry) -> Option<Fix> {
    signs::stated_fix(entry)
}

/// What changed from one version to another. A version whose texts retention removed is compared by its marks only.
pub fn between(before: &Version, now: &Version) -> Change {
    let raised = before.marks.severity != now.marks.severity;
    let facts = Change {
        exploited: now.marks.exploited && !before.marks.exploited,
        severity: raised.then_some((before.marks.severity, now.marks.severity)),
        components: components(now).difference(&components(before)).map(|id| (*id).to_owned()).collect(),
        ..Change::default()
    };
    let of = |version: &Version| version.entry.title.is_some() || has_text(&version.entry);
    if !of(before) {
        return Change { components: Vec::new(), ..facts };
    }
    let (cves_before, cves_now) = (cves(&before.entry), cves(&now.entry));
    let newly = |states: fn(&Entry) -> bool| states(&now.entry) && !states(&before.entry);
    let (was, is) = (text(&before.entry), text(&now.entry));
    let difference = words::difference(&was, &is);
    Change {
        title: titles(before, now),
        link: before.entry.link != now.entry.link,
        categories: filed(&before.entry) != filed(&now.entry),
        ransomware: newly(signs::states_ransomware),
        cves_added: cves_now.difference(&cves_before).cloned().collect(),
        cves_removed: cves_before.difference(&cves_now).cloned().collect(),
        fix: newly(signs::states_fix),
        withdrawn: newly(signs::states_withdrawal),
        rewritten: is_rewritten(&before.entry, &now.entry, (&was, &is)),
        text: difference.passages,
        more: difference.more,
        ..facts
    }
}

fn titles(before: &Version, now: &Version) -> Option<(String, String)> {
    let of = |version: &Version| {
        let title = version.entry.title.as_deref().unwrap_or_default();
        title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_TITLE).collect::<String>()
    };
    let (was, is) = (of(before), of(now));
    (was != is).then_some((was, is))
}

fn has_text(entry: &Entry) -> bool {
    entry.summary.is_some() || entry.body.is_some()
}

/// What an entry says, each text once.
fn text(entry: &Entry) -> String {
    let (summary, body) = (entry.summary.as_deref().unwrap_or_default(), entry.body.as_deref().unwrap_or_default());
    if body.contains(summary) { body.to_owned() } else { format!("{summary}\n{body}") }
}

/// A text that came or went is no rewriting: publishers switch between titles, excerpts and whole texts.
fn is_rewritten(before: &Entry, now: &Entry, (was, is): (&str, &str)) -> bool {
    match (has_text(before), has_text(now)) {
        (true, true) => words::is_rewritten(was, is),
        (false, false) => {
            words::is_rewritten(before.title.as_deref().unwrap_or_default(), now.title.as_deref().unwrap_or_default())
        }
        _ => false,
    }
}

fn filed(entry: &Entry) -> BTreeSet<&str> {
    entry.categories.iter().map(|category| category.trim()).collect()
}

fn components(version: &Version) -> BTreeSet<&str> {
    version.tags.iter().filter(|tag| tag.kind == TagKind::Component).map(|tag| tag.id.as_str()).collect()
}

/// The CVE ids of an entry's title, texts and own id.
fn cves(entry: &Entry) -> BTreeSet<String> {
    let texts = [&entry.guid, &entry.title, &entry.summary, &entry.body];
    let ids = texts.into_iter().flatten().flat_map(|text| advisory::ids(text));
    ids.filter(advisory::AdvisoryId::is_cve).take(MAX_CVES).map(|id| id.to_string()).collect()
}

impl Change {
    /// Whether the owners of a story are told of it again.
    pub fn is_material(&self) -> bool {
        self.is_worse()
            || self.fix
            || self.withdrawn
            || self.rewritten
            || !(self.cves_added.is_empty() && self.cves_removed.is_empty() && self.components.is_empty())
    }

    /// Whether it says something worse than before: the only change that takes an entry out of the baseline.
    pub fn is_worse(&self) -> bool {
        self.exploited || self.ransomware || self.is_more_severe()
    }

    /// A first statement that is low or medium says nothing worse than its absence did.
    fn is_more_severe(&self) -> bool {
        self.severity.is_some_and(|(was, is)| is > was.or(Some(Severity::Medium)))
    }

    /// Whether it has something of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Severity => self.severity.is_some(),
            Kind::Cves => !(self.cves_added.is_empty() && self.cves_removed.is_empty()),
            Kind::Fix => self.fix,
            Kind::Withdrawn => self.withdrawn,
            Kind::Components => !self.components.is_empty(),
            Kind::Rewritten => self.rewritten,
        }
    }

    /// The change without everything of these kinds.
    #[must_use]
    pub fn without(mut self, kinds: &[Kind]) -> Change {
        for kind in kinds {
            match kind {
                Kind::Severity => self.severity = None,
                Kind::Cves => (self.cves_added, self.cves_removed) = (Vec::new(), Vec::new()),
                Kind::Fix => self.fix = false,
                Kind::Withdrawn => self.withdrawn = false,
                Kind::Components => self.components.clear(),
                Kind::Rewritten => self.rewritten = false,
            }
        }
        self
    }

    /// The change of this entry without what an owner was told already, by another entry of the story or by an earlier
    /// version of this one: two feeds that report one change are one piece of news. What nobody told them is news.
    #[must_use]
    pub fn beyond(mut self, entry: EntryNo, heard: &Heard) -> Change {
        self.exploited &= !heard.exploited;
        self.ransomware &= !heard.ransomware;
        self.fix &= !heard.fix;
        self.severity = self.severity.filter(|(_, is)| *is > heard.severity);
        self.cves_added.retain(|id| !heard.cves.contains_key(id));
        self.cves_removed.retain(|id| !heard.is_named_by_another(id, entry));
        self.components.retain(|id| !heard.components.contains(id));
        self
    }

    /// What changed, by name, for the log: `title`, `link`, `categories`, `exploited`, `ransomware`, `severity`, `cves`,
    /// `fix`, `withdrawn`, `components`, `text`, `rewritten`.
    pub fn names(&self) -> Vec<&'static str> {
        let is_other_list = !(self.cves_added.is_empty() && self.cves_removed.is_empty());
        let all = [
            ("title", self.title.is_some()),
            ("link", self.link),
            ("categories", self.categories),
            ("exploited", self.exploited),
            ("ransomware", self.ransomware),
            ("severity", self.severity.is_some()),
            ("cves", is_other_list),
            ("fix", self.fix),
            ("withdrawn", self.withdrawn),
            ("components", !self.components.is_empty()),
            ("text", !self.text.is_empty()),
            ("rewritten", self.rewritten),
        ];
        all.into_iter().filter_map(|(name, is_so)| is_so.then_some(name)).collect()
    }

    /// The material changes in one sentence, `Updated: severity critical, was high; a fix is published.`; `None`:
    /// there are none. `component` gives the name of a new component where this reader is meant by it.
    pub fn sentence(&self, component: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        let mut say = |is_so: bool, words: &str| {
            if is_so {
                parts.push(words.to_owned());
            }
        };
        say(self.withdrawn, "its publisher withdrew it");
        say(self.exploited, NOW_EXPLOITED);
        say(self.ransomware, "now known to be used for ransomware");
        if let Some((was, Some(is))) = self.severity.filter(|_| self.is_more_severe()) {
            let before = was.map_or_else(|| "first stated".to_owned(), |was| format!("was {}", was.as_str()));
            parts.push(format!("severity {}, {before}", is.as_str()));
        }
        parts.extend(listed("names ", &self.cves_added, " as well"));
        parts.extend(listed("names ", &self.cves_removed, " no longer"));
        if self.fix {
            parts.push("a fix is published".to_owned());
        }
        let names: Vec<String> = self.components.iter().filter_map(|id| component(id)).collect();
        parts.extend(listed("now about ", &names, " too"));
        if self.rewritten {
            parts.push("its text was rewritten".to_owned());
        }
        (!parts.is_empty()).then(|| sentence_of(&parts))
    }

    /// What was and what is, a line each: the title and the changed passages. Feed text, to be shown as such.
    pub fn lines(&self) -> Vec<String> {
        let title = self.title.as_ref().filter(|(was, _)| !was.is_empty());
        let title = title.map(|(was, _)| format!("The title was \"{was}\"."));
        let passages = self.text.iter().filter_map(Passage::line);
        let more = match self.more {
            0 => None,
            1 => Some("One more passage changed.".to_owned()),
            n => Some(format!("{n} more passages changed.")),
        };
        title.into_iter().chain(passages).chain(more).collect()
    }
}

/// The word that what is told again begins with.
pub const UPDATED: &str = "Updated:";
/// The words for what is exploited now and was not.
const NOW_EXPLOITED: &str = "now stated to be exploited";

/// The sentence for a story whose first exploited entry is a new one.
pub fn exploited_sentence() -> String {
    sentence_of(&[NOW_EXPLOITED.to_owned()])
}

fn sentence_of(parts: &[String]) -> String {
    format!("{UPDATED} {}.", parts.join("; "))
}

fn listed(before: &str, names: &[String], after: &str) -> Option<String> {
    let shown = names.get(..MAX_NAMED).unwrap_or(names).join(", ");
    let more = names.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{before}{shown}{more}{after}"))
}

#[cfg(test)]
mod tests;
