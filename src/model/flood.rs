//! Floods: what a person may decide about entries that are held, and what the digest and the page say of them. No
//! counting and no routing here.

use jiff::tz::TimeZone;

use super::{
    acknowledgement::Via,
    id::{DigestNo, FloodNo, OwnerId},
    time::Time,
};

/// What becomes of held entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// They are routed as if they were new now.
    All,
    /// Those that match a component, a topic or a route are routed; the rest is recorded as not for us.
    Matching,
    /// They are recorded as not for us.
    None,
}

impl Decision {
    /// Every decision with its word.
    pub const ALL: [(&'static str, Decision); 3] =
        [("all", Decision::All), ("matching", Decision::Matching), ("none", Decision::None)];

    /// The decision's word in forms, the store and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::All => "all",
            Decision::Matching => "matching",
            Decision::None => "none",
        }
    }

    /// The decision that a word stands for.
    pub fn parse(word: &str) -> Option<Decision> {
        Self::ALL.into_iter().find_map(|(known, decision)| (known == word).then_some(decision))
    }
}

/// A flood that waits for a decision, as a digest tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFlood {
    /// The feed's name.
    pub feed: String,
    /// How many entries are held.
    pub entries: usize,
    /// The most that one poll brought before.
    pub usual: usize,
    /// How many were not held, because they concern the stack and are exploited.
    pub sent: usize,
    /// Whether some of them were known before, and changed.
    pub has_changed: bool,
    /// How many of those that are held match the stack, by the name of the component.
    pub matched: Vec<(String, usize)>,
    /// The flood: the link to its page ends in its number.
    pub flood: FloodNo,
}

/// A decision that stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenDecision {
    /// What was decided.
    pub decision: Decision,
    /// When.
    pub at: Time,
    /// Whose link or name it was.
    pub owner: OwnerId,
    /// How many entries it was about.
    pub entries: usize,
    /// The number of its record in the evidence log.
    pub record: u64,
}

/// A decision that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// The flood.
    pub flood: FloodNo,
    /// What is decided.
    pub decision: Decision,
    /// Whose decision.
    pub owner: OwnerId,
    /// The digest whose link was used, where there was one.
    pub digest: Option<DigestNo>,
    /// How many entries the person saw; `None`: whatever is held. More of them meanwhile, and nothing is recorded.
    pub seen: Option<usize>,
    /// The way it came.
    pub via: Via,
}

/// What came of deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is in the log now.
    New(GivenDecision),
    /// The flood had been decided before; nothing was added.
    Already(GivenDecision),
    /// More entries are held than the person saw; nothing was recorded.
    Grown {
        /// How many there are now.
        entries: usize,
    },
}

/// What the page of a flood shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloodPage {
    /// The flood.
    pub flood: FloodNo,
    /// The digest whose link was opened.
    pub digest: DigestNo,
    /// Whose link it is.
    pub owner: OwnerId,
    /// That person's name.
    pub owner_name: String,
    /// Whether that person may decide: a living owner.
    pub may_decide: bool,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
    /// The feed's name.
    pub feed: String,
    /// When the entries came.
    pub at: Time,
    /// How many entries are held, or were.
    pub entries: usize,
    /// The most that one poll brought before.
    pub usual: usize,
    /// How many were not held.
    pub sent: usize,
    /// Whether some of them were known before, and changed.
    pub has_changed: bool,
    /// How many match the stack, by the name of the component.
    pub matched: Vec<(String, usize)>,
    /// The titles of the first of them; none where the owner may not see the feed.
    pub titles: Vec<String>,
    /// What was decided, with the name of the person.
    pub decided: Option<(GivenDecision, String)>,
}

#[cfg(test)]
mod tests {
    use super::Decision;

    #[test]
    fn every_decision_reads_back_from_its_word() {
        for (word, decision) in Decision::ALL {
            assert_eq!(Decision::parse(word), Some(decision));
            assert_eq!(decision.as_str(), word);
        }
        assert_eq!(Decision::parse("some"), None);
    }
}
