//! The digest: what goes into the mail, before `compose` has made bytes of it and after.

use jiff::tz::TimeZone;

use super::{
    acknowledgement::Disposition,
    flood::HeldFlood,
    id::{OwnerId, StoryNo},
    stack::{Marks, Tag},
    time::Time,
};

/// Why a digest is composed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestKind {
    /// At the owner's hour.
    Scheduled,
    /// At once, for urgent stories only.
    Urgent,
    /// Stories of earlier digests that still wait for an answer.
    Reminder,
    /// At once, to whoever stands in: stories that were somebody else's.
    Takeover,
    /// To the owner whose stories somebody else has now.
    Passed,
    /// Once a week where there was nothing else to say: sigtrail lives, and saw this much.
    Heartbeat,
    /// The links of earlier digests anew, because their owner asked for them.
    Links,
}

impl DigestKind {
    /// Every kind with its word.
    pub const ALL: [(&'static str, DigestKind); 7] = [
        ("scheduled", DigestKind::Scheduled),
        ("urgent", DigestKind::Urgent),
        ("reminder", DigestKind::Reminder),
        ("takeover", DigestKind::Takeover),
        ("passed", DigestKind::Passed),
        ("heartbeat", DigestKind::Heartbeat),
        ("links", DigestKind::Links),
    ];

    /// The kind's word in the store and the log.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, kind)| (kind == self).then_some(word)).unwrap_or("scheduled")
    }

    /// The kind that a word stands for.
    pub fn parse(word: &str) -> Option<DigestKind> {
        Self::ALL.into_iter().find_map(|(known, kind)| (known == word).then_some(kind))
    }
}

/// Why a story went from one person to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandOver {
    /// Nobody answered in time.
    NoAnswer,
    /// The owner is away.
    Away,
    /// The mail could not be handed to the owner's server, or not in time.
    Undelivered,
    /// The mail came back.
    Bounced,
    /// The owner has left, or may not see it any more.
    Left,
}

impl HandOver {
    /// Every reason with its word.
    pub const ALL: [(&'static str, HandOver); 5] = [
        ("no-answer", HandOver::NoAnswer),
        ("away", HandOver::Away),
        ("undelivered", HandOver::Undelivered),
        ("bounced", HandOver::Bounced),
        ("left", HandOver::Left),
    ];

    /// The reason's word in the store and the log.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, why)| (why == self).then_some(word)).unwrap_or("left")
    }

    /// The reason that a word stands for.
    pub fn parse(word: &str) -> Option<HandOver> {
        Self::ALL.into_iter().find_map(|(known, why)| (known == word).then_some(why))
    }
}

/// Why an urgent story was not told at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrgentWait {
    /// It is its owner's quiet hours.
    QuietHours,
    /// Its owner was sent as many urgent digests as a day may bring.
    Capped,
}

impl UrgentWait {
    /// Every reason with its word.
    pub const ALL: [(&'static str, UrgentWait); 2] =
        [("quiet-hours", UrgentWait::QuietHours), ("capped", UrgentWait::Capped)];

    /// The reason's word in the store and the log.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, why)| (why == self).then_some(word)).unwrap_or("capped")
    }

    /// The reason that a word stands for.
    pub fn parse(word: &str) -> Option<UrgentWait> {
        Self::ALL.into_iter().find_map(|(known, why)| (known == word).then_some(why))
    }
}

/// What a digest is about that is not simply news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Stories that still wait for an answer.
    Reminder {
        /// Since when the oldest of them is with the owner.
        since: Time,
        /// The Message-ID of the digest that told of it first, without angle brackets.
        in_reply_to: String,
        /// When whoever stands in is asked, and their name.
        then: Option<(Time, String)>,
    },
    /// Stories that were somebody else's.
    Takeover {
        /// That person's name.
        from: String,
        /// Why.
        why: HandOver,
    },
    /// Stories that were the owner's and are somebody else's now.
    Passed {
        /// That person's name.
        to: String,
        /// Why.
        why: HandOver,
        /// How many of them an earlier mail told.
        told: usize,
    },
    /// New links to stories of earlier digests.
    Links {
        /// The Message-ID of the digest whose links ended, without angle brackets.
        in_reply_to: String,
    },
}

/// One source of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorySource {
    /// The feed's name, with its own title of the story where that is another.
    pub feed: String,
    /// Where the entry leads, an http or https address.
    pub link: Option<String>,
}

/// Who states that a story is exploited, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exploitation {
    /// The name of the feed that said it first.
    pub feed: String,
    /// When it was first seen to say so.
    pub since: Time,
}

/// What a source states of a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// That there is one, in these versions, at least one.
    In(Vec<String>),
    /// That there is one.
    Stated,
}

/// What somebody said of a story before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierNote {
    /// That person's name.
    pub who: String,
    /// When.
    pub at: Time,
    /// What was said.
    pub disposition: Disposition,
    /// Why, where it was said.
    pub note: Option<String>,
}

/// One story of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestStory {
    /// The story.
    pub story: StoryNo,
    /// Its title, cleaned.
    pub title: String,
    /// Its main link.
    pub link: Option<String>,
    /// What it says, cleaned; `compose` cuts it.
    pub summary: Option<String>,
    /// CVE ids, in order.
    pub cves: Vec<String>,
    /// Stated severity and exploitation.
    pub marks: Marks,
    /// Who states the exploitation, where it is stated and known.
    pub exploited_by: Option<Exploitation>,
    /// What is stated of a fix; `None`: nothing is.
    pub fix: Option<Fix>,
    /// Why it came to this owner, in whole sentences: "Quillgate VPN is yours."
    pub reason: String,
    /// Why it was not told at once although it is urgent, in one sentence.
    pub waited: Option<String>,
    /// What was and what is, a line each, where a story that was told before is told again because it changed.
    pub changes: Vec<String>,
    /// When the owner was told of it before; `None`: never.
    pub told_before: Option<Time>,
    /// What was said of it before, newest first, within bounds.
    pub earlier: Vec<EarlierNote>,
    /// How many more times something was said of it.
    pub more_earlier: usize,
    /// The tags that led here, best first, each with the name of its component or topic.
    pub tags: Vec<(String, Tag)>,
    /// The feeds that report it, within bounds.
    pub sources: Vec<StorySource>,
    /// How many entries more report it.
    pub more_sources: usize,
    /// Whether it did not wait for the hour.
    pub urgent: bool,
    /// When the publisher says it was published; `None`: no date, or one that cannot be.
    pub published: Option<Time>,
    /// When sigtrail first saw it.
    pub first_seen: Time,
}

/// What one feed published that matched nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlsoPublished {
    /// The feed's name.
    pub feed: String,
    /// The lines that are shown: title and link.
    pub lines: Vec<(String, Option<String>)>,
    /// How many more there were.
    pub more: usize,
}

/// Something about a feed that a person is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// It cannot be seen, or is silent for too long.
    Trouble,
    /// It could not be seen for three days, or its publisher says twice that it is gone for good.
    Alarm,
    /// It is seen again.
    Recovery,
}

impl Notice {
    /// Every notice with its word.
    pub const ALL: [(&'static str, Notice); 3] =
        [("trouble", Notice::Trouble), ("alarm", Notice::Alarm), ("recovery", Notice::Recovery)];

    /// The notice's word in the store.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, notice)| (notice == self).then_some(word)).unwrap_or("trouble")
    }

    /// The notice that a word stands for.
    pub fn parse(word: &str) -> Option<Notice> {
        Self::ALL.into_iter().find_map(|(known, notice)| (known == word).then_some(notice))
    }
}

/// A feed that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSeen {
    /// The feed's name.
    pub feed: String,
    /// The state's word: `refused`, `gone`, ...
    pub state: String,
    /// The cause in words.
    pub cause: String,
    /// Since when.
    pub since: Time,
    /// Since when it is not seen, where that is longer: another trouble came before this one.
    pub unseen_since: Option<Time>,
    /// How many tries failed since it is so.
    pub tries: u32,
    /// Whether this is the first time that the owner is told of it; `None`: it was told before, or to somebody else.
    pub notice: Option<Notice>,
    /// What the owner can do about it, where it is theirs to do.
    pub advice: Option<String>,
}

/// The feeds about which the last try says nothing, beside those that could not be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unasked {
    /// How many could not be asked, because this machine had no network.
    pub cut_off: usize,
    /// Since when it has had none; `None`: it has one again.
    pub no_network_since: Option<Time>,
    /// How many were never polled yet.
    pub new: usize,
}

/// A feed that is seen again after the owner was told that it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAgain {
    /// The feed's name.
    pub feed: String,
    /// The word of the state that it was in.
    pub was: String,
    /// Since when it is seen.
    pub since: Time,
}

/// A feed whose first poll set its baseline since the owner's last digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineNote {
    /// The feed's name.
    pub feed: String,
    /// How many entries were recorded without being mailed.
    pub recorded: usize,
    /// How many of them matched the stack, by the name of the component.
    pub matched: Vec<(String, usize)>,
}

/// A story that the owner may not be sent because of its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restricted {
    /// The feed's name.
    pub feed: String,
    /// The label.
    pub tlp: String,
    /// The name of the person to ask.
    pub ask: String,
}

/// Who is asked when an owner does not answer, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// That person's name.
    pub name: String,
    /// When, for urgent stories of a digest that is handed over at its moment.
    pub urgent_at: Time,
    /// When, for the others.
    pub calm_at: Time,
}

/// A group that the owner answers for, or a feed without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedGroup {
    /// Its name.
    pub name: String,
    /// When the newest entry of its feeds came; `None`: none ever did.
    pub last_entry_at: Option<Time>,
}

/// Everything that a digest says; `compose` decides how it looks.
#[derive(Debug, Clone)]
pub struct DigestContent {
    /// Why now.
    pub kind: DigestKind,
    /// What it is about, where it is not simply news.
    pub about: Option<About>,
    /// Whose digest.
    pub owner: OwnerId,
    /// The owner's name, for the greeting and the To header.
    pub owner_name: String,
    /// The owner's address.
    pub owner_address: String,
    /// Who is asked when the owner does not answer; `None`: nobody.
    pub stand_in: Option<StandIn>,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
    /// The moment that the digest is for.
    pub now: Time,
    /// The stories, in the order in which they are shown.
    pub stories: Vec<DigestStory>,
    /// How many stories of earlier mails wait for the owner's answer.
    pub still_open: usize,
    /// What matched nothing, by feed.
    pub also_published: Vec<AlsoPublished>,
    /// What could not be seen.
    pub not_seen: Vec<NotSeen>,
    /// What is new about feeds of the owner's that are seen, one sentence each: a move.
    pub notices: Vec<String>,
    /// What is seen again.
    pub seen_again: Vec<SeenAgain>,
    /// How many feeds are followed.
    pub feeds_total: usize,
    /// Those of them that nothing is known of.
    pub unasked: Unasked,
    /// First polls since the last digest.
    pub baselines: Vec<BaselineNote>,
    /// Floods that wait for the owner's decision.
    pub held: Vec<HeldFlood>,
    /// Stories that were withheld.
    pub restricted: Vec<Restricted>,
    /// What the owner answers for, by name.
    pub owns: Vec<String>,
    /// The groups that the owner answers for, with feeds.
    pub groups: Vec<OwnedGroup>,
    /// The link that answers the whole digest, where it is one mail; a number behind it answers one story.
    pub answer_all_url: String,
    /// The newest checkpoint of the log, the whole signed note.
    pub checkpoint: Option<String>,
    /// The Message-ID without angle brackets.
    pub message_id: String,
    /// The Message-ID that this month's mails to the owner refer to, without angle brackets. No mail has it.
    pub thread_root: String,
    /// The display name of the sender.
    pub from_name: String,
    /// The address of the sender.
    pub from_address: String,
}

/// A digest whose bytes are fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The subject, decoded.
    pub subject: String,
    /// The whole message (RFC 5322), CR LF line ends.
    pub bytes: Vec<u8>,
}
