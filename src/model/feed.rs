//! Groups and their feeds as the configuration states them, and what sigtrail knows of a feed's health.

use std::fmt;

use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    days::ActiveDays,
    id::{DigestNo, FeedId, FeedNo, GroupId, OwnerId, TopicId},
    outcome::NO_NETWORK,
    time::Time,
};

/// The Traffic Light Protocol label (FIRST TLP 2.0), from the freest to the most restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tlp {
    /// May be shared with anybody.
    #[serde(rename = "CLEAR")]
    Clear,
    /// May be shared in the community.
    #[serde(rename = "GREEN")]
    Green,
    /// May be shared in the organisation and with its clients.
    #[serde(rename = "AMBER")]
    Amber,
    /// May be shared in the organisation only.
    #[serde(rename = "AMBER+STRICT")]
    AmberStrict,
    /// For the named recipients only.
    #[serde(rename = "RED")]
    Red,
}

impl Tlp {
    /// All labels, freest first.
    pub const ALL: [Tlp; 5] = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];

    /// The label as FIRST writes it, without the `TLP:` in front.
    pub fn as_str(self) -> &'static str {
        match self {
            Tlp::Clear => "CLEAR",
            Tlp::Green => "GREEN",
            Tlp::Amber => "AMBER",
            Tlp::AmberStrict => "AMBER+STRICT",
            Tlp::Red => "RED",
        }
    }

    /// Reads a label, with or without `TLP:` in front, in any case.
    pub fn parse(text: &str) -> Option<Tlp> {
        let upper = text.to_ascii_uppercase();
        let label = upper.strip_prefix("TLP:").unwrap_or(&upper);
        Tlp::ALL.into_iter().find(|tlp| tlp.as_str() == label)
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of an entry that matches no component, no topic and no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unmatched {
    /// One line in the feed owner's digest under "also published".
    List,
    /// A full story for the feed owner.
    Owner,
    /// Recorded as not for us.
    None,
}

/// A machine-readable source of a group, as `feeds.toml` states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Stable identifier; the slug of the name unless given.
    pub id: FeedId,
    /// What people call it.
    pub name: String,
    /// Where it is fetched.
    pub url: Url,
    /// Who answers for it.
    pub owner: OwnerId,
    /// The group it belongs to.
    pub group: Option<GroupId>,
    /// The interval between two polls.
    pub every: SignedDuration,
    /// Whether the editor stated that interval for this feed.
    pub every_stated: bool,
    /// Whether its publisher is asked for new entries only (RFC 3229 with `A-IM: feed`).
    pub a_im: bool,
    /// The silence beyond which it is reported; `None`: as its own history tells.
    pub expect: Option<SignedDuration>,
    /// What becomes of an entry that matches nothing.
    pub unmatched: Unmatched,
    /// How many entries of the first poll are treated as new.
    pub baseline: usize,
    /// The label of everything it publishes.
    pub tlp: Tlp,
    /// Topics that every entry of it has.
    pub topics: Vec<TopicId>,
    /// Whether it is polled.
    pub enabled: bool,
}

/// What a special interest group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupKind {
    /// An authority or national CERT.
    Government,
    /// A maker of something in the stack.
    Vendor,
    /// A trade association or sharing centre.
    Industry,
    /// An association of professionals.
    ProfessionalBody,
    /// A research group or archive.
    Research,
    /// An open community.
    Community,
}

impl GroupKind {
    /// Every kind with the word that stands for it in `feeds.toml`.
    pub const ALL: [(&'static str, GroupKind); 6] = [
        ("government", GroupKind::Government),
        ("vendor", GroupKind::Vendor),
        ("industry", GroupKind::Industry),
        ("professional-body", GroupKind::ProfessionalBody),
        ("research", GroupKind::Research),
        ("community", GroupKind::Community),
    ];
}

/// How one becomes a member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Membership {
    /// Nothing to do.
    Open,
    /// A subscription that costs nothing.
    FreeSubscription,
    /// A paid subscription.
    Paid,
    /// By invitation.
    Invited,
}

impl Membership {
    /// Every membership with the word that stands for it in `feeds.toml`.
    pub const ALL: [(&'static str, Membership); 4] = [
        ("open", Membership::Open),
        ("free-subscription", Membership::FreeSubscription),
        ("paid", Membership::Paid),
        ("invited", Membership::Invited),
    ];
}

/// A special interest group in the register, with or without feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Stable identifier.
    pub id: GroupId,
    /// What people call it.
    pub name: String,
    /// Its home page.
    pub url: Option<Url>,
    /// What it is.
    pub kind: Option<GroupKind>,
    /// How one belongs to it.
    pub membership: Option<Membership>,
    /// Why the company follows it.
    pub reason: Option<String>,
    /// Who answers for the contact.
    pub owner: OwnerId,
    /// Who stands in.
    pub deputy: Option<OwnerId>,
    /// The controls that the contact serves.
    pub controls: Vec<String>,
    /// Since when.
    pub joined: Option<Date>,
    /// When it is looked at again.
    pub review_by: Option<Date>,
}

/// The health of a feed, as its last polls showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedState {
    /// Not polled yet.
    New,
    /// Answers, and what it answers can be read.
    Ok,
    /// Answers, and has brought nothing new for longer than usual, which is explained: a weekend, a holiday.
    Quiet,
    /// Answers, and has brought nothing new for longer than its own rhythm or `expect` allows.
    Stale,
    /// Answers, and the answer is not to be trusted: empty after many entries, or a converter's error as an entry.
    Suspicious,
    /// The publisher does not let us in (401, 403, a challenge page) or our own policy forbids the address.
    Refused,
    /// The publisher asks for fewer requests (429, 503).
    Throttled,
    /// Not there any more (404, 410).
    Gone,
    /// No answer that means anything: DNS, TLS, time-out, 5xx.
    Broken,
    /// Answers with something that is not a feed.
    NotAFeed,
}

impl FeedState {
    /// Every state with its word.
    pub const ALL: [(&'static str, FeedState); 10] = [
        ("new", FeedState::New),
        ("ok", FeedState::Ok),
        ("quiet", FeedState::Quiet),
        ("stale", FeedState::Stale),
        ("suspicious", FeedState::Suspicious),
        ("refused", FeedState::Refused),
        ("throttled", FeedState::Throttled),
        ("gone", FeedState::Gone),
        ("broken", FeedState::Broken),
        ("not-a-feed", FeedState::NotAFeed),
    ];

    /// The state's word in tables, mails and the log.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, state)| (state == self).then_some(word)).unwrap_or("new")
    }

    /// The state that a word stands for.
    pub fn parse(word: &str) -> Option<FeedState> {
        Self::ALL.into_iter().find_map(|(known, state)| (known == word).then_some(state))
    }

    /// Whether there is nothing to say to a person about the feed.
    pub fn is_seen(self) -> bool {
        matches!(self, FeedState::New | FeedState::Ok | FeedState::Quiet)
    }

    /// Whether the feed answered with a document that could be read, or with 304, whatever that may mean.
    pub fn answers(self) -> bool {
        matches!(self, FeedState::Ok | FeedState::Quiet | FeedState::Stale | FeedState::Suspicious)
    }
}

/// The validators of a conditional request (RFC 9110 section 13.1): opaque, kept byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag` field's value as received, quotes included.
    pub etag: Option<Vec<u8>>,
    /// The `Last-Modified` field's value as received.
    pub last_modified: Option<Vec<u8>>,
}

impl Validators {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What the last document of a feed itself says about when to come back. Kept, because a 304 brings no document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// RSS `ttl` or `sy:updatePeriod` divided by `sy:updateFrequency`, the longer one, in seconds.
    pub ttl_seconds: Option<u32>,
    /// RSS `skipHours`: hours of the day in GMT, 0 to 23.
    pub skip_hours: Vec<u8>,
    /// RSS `skipDays`: days of the week in GMT, 1 for Monday to 7 for Sunday.
    pub skip_days: Vec<u8>,
}

/// A permanent redirect that was seen and is not followed for good yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moving {
    /// Where it leads.
    pub to: String,
    /// When it was seen first.
    pub since: Time,
    /// How many answers in a row said the same.
    pub times: u32,
    /// When a person was asked, because it is proved and not one to follow unasked.
    pub asked_at: Option<Time>,
}

/// Where a feed stands: what its polls showed and when it is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStatus {
    /// Its number.
    pub no: FeedNo,
    /// Its identifier.
    pub id: FeedId,
    /// Whether the configuration in force has it and enables it.
    pub enabled: bool,
    /// When it is asked next.
    pub next_poll_at: Time,
    /// Why then, in words: "its own interval of 1h", "the publisher asks for 12h (max-age)".
    pub next_poll_why: String,
    /// Claims that were not finished.
    pub attempt: u32,
    /// What the next conditional request sends.
    pub validators: Validators,
    /// How it stands.
    pub state: FeedState,
    /// Since when.
    pub since: Time,
    /// Why, in words.
    pub cause: String,
    /// Failed polls in a row.
    pub failures: u32,
    /// How many of them, the last ones, put it in the state that it is in: each kind of failure has its own back-off.
    pub failures_alike: u32,
    /// Since when it has not answered with anything that could be read, whatever came instead; `None`: it answers.
    pub unseen_since: Option<Time>,
    /// The last poll that ended, and not for want of a network.
    pub last_poll_at: Option<Time>,
    /// The last poll that brought a new entry.
    pub last_entry_at: Option<Time>,
    /// The last fetch of a whole document.
    pub full_fetch_at: Option<Time>,
    /// When the first document was read.
    pub baseline_at: Option<Time>,
    /// Whether the last document could be read only in part.
    pub partial: bool,
    /// What its last document says about when to come back.
    pub wishes: Wishes,
    /// When the first 410 of an unbroken row of them came.
    pub gone_at: Option<Time>,
    /// When its absence became an alarm: not found, and not seen for 72 hours, or gone (410) twice, a day or more apart.
    pub alarm_at: Option<Time>,
    /// Documents in a row that were empty though there had been entries.
    pub empties: u32,
    /// Documents in a row that could be read only in part.
    pub cuts: u32,
    /// The days on which it brought new entries.
    pub active: ActiveDays,
    /// A move that is being watched.
    pub moving: Option<Moving>,
    /// The address that is asked instead of the configured one, after a move that was proved.
    pub moved_to: Option<String>,
    /// Since when that address is asked.
    pub moved_at: Option<Time>,
    /// The digest that told of the move, or asked about it.
    pub move_told: Option<DigestNo>,
}

impl FeedStatus {
    /// How a feed stands that was never polled: enabled, and due at this moment.
    pub fn unpolled(no: FeedNo, id: FeedId, now: Time) -> FeedStatus {
        FeedStatus {
            no,
            id,
            enabled: true,
            next_poll_at: now,
            next_poll_why: String::new(),
            attempt: 0,
            validators: Validators::default(),
            state: FeedState::New,
            since: now,
            cause: String::new(),
            failures: 0,
            failures_alike: 0,
            unseen_since: None,
            last_poll_at: None,
            last_entry_at: None,
            full_fetch_at: None,
            baseline_at: None,
            partial: false,
            wishes: Wishes::default(),
            gone_at: None,
            alarm_at: None,
            empties: 0,
            cuts: 0,
            active: ActiveDays::default(),
            moving: None,
            moved_to: None,
            moved_at: None,
            move_told: None,
        }
    }

    /// Whether it could not be asked at the last try, because this machine had no network.
    pub fn is_unasked(&self) -> bool {
        self.cause == NO_NETWORK
    }

    /// Whether the last try saw it, and there is nothing to say to a person about it.
    pub fn is_seen(&self) -> bool {
        self.state.is_seen() && self.state != FeedState::New && !self.is_unasked()
    }

    /// Since when it is not seen, through every kind of failure; since when it is in its state where it answers.
    pub fn in_trouble_since(&self) -> Time {
        self.unseen_since.unwrap_or(self.since)
    }

    /// Whether its publisher said 410 twice, a day or more apart: it is looked at once a week from then on.
    pub fn is_gone_for_good(&self) -> bool {
        self.gone_at.zip(self.alarm_at).is_some_and(|(gone, alarm)| alarm > gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ordered_and_read_with_or_without_their_prefix() {
        assert_eq!(Tlp::parse("TLP:amber+strict"), Some(Tlp::AmberStrict));
        assert_eq!(Tlp::parse("AMBER"), Some(Tlp::Amber));
        assert_eq!(Tlp::parse("white"), None);
        assert!(Tlp::Clear < Tlp::Red);
    }

    #[test]
    fn every_state_reads_back_from_its_word() {
        for (word, state) in FeedState::ALL {
            assert_eq!(FeedState::parse(word), Some(state));
            assert_eq!(state.as_str(), word);
        }
    }
}
