//! What counts as evidence: every kind of record with its fields. The names they have in the log are `draft`'s business, how
//! they become bytes is `record`'s.

use crate::{
    difference::Difference,
    model::{
        acknowledgement::{Disposition, Haste, ReferenceKind, Via},
        digest::{DigestKind, HandOver, UrgentWait},
        entry::Format,
        feed::FeedState,
        flood::Decision,
        id::{
            AcknowledgementNo, ConfigVersion, DeliveryNo, DigestNo, EntryNo, FeedId, FloodNo, GroupId, OwnerId, StoryNo,
        },
        stack::{OwnedKind, Tag},
        time::Time,
    },
    moves,
};

/// A text about a person: enters a record only as a salted commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// Whose data it is; `None` for what names several people (a loaded configuration).
    pub person: Option<OwnerId>,
    /// The text itself.
    pub text: String,
}

impl Personal {
    /// A person's own identifier.
    pub fn owner(owner: &OwnerId) -> Self {
        Self { person: Some(owner.clone()), text: owner.to_string() }
    }

    /// A text about one person.
    pub fn of(owner: &OwnerId, text: impl Into<String>) -> Self {
        Self { person: Some(owner.clone()), text: text.into() }
    }

    /// A text about several people.
    pub fn shared(text: impl Into<String>) -> Self {
        Self { person: None, text: text.into() }
    }
}

/// What a mail server reported of a delivery (RFC 3464), and the message that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Hash of the message as it lies in the mailbox, of its first `bytes` where it is longer.
    pub message: String,
    /// How many bytes the hash is over.
    pub bytes: usize,
    /// The status code (RFC 3463), such as `5.1.1`.
    pub status: Option<String>,
    /// What the server at the other end said.
    pub diagnostic: Personal,
}

/// One kind of record with what it says. Feed texts in it are cleaned; hashes are lower-case hex SHA-256.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The log began (record 0).
    LogBegun {
        /// The log's name.
        origin: String,
    },
    /// The service started.
    Started {
        /// sigtrail's version.
        version: String,
        /// The verb: `run`, `tick`, `poll`, ...
        verb: String,
    },
    /// The service stopped in order.
    Stopped {
        /// Why: `signal`, `done`, ...
        reason: String,
    },
    /// A configuration was loaded that differs from the one before.
    ConfigurationLoaded {
        /// Its number.
        version: ConfigVersion,
        /// The four files: name and text.
        files: Vec<(String, Personal)>,
        /// How many feeds, owners, components and topics it has.
        counts: [usize; 4],
        /// What differs from the one before; `None` for the first.
        difference: Option<Box<Difference>>,
    },
    /// A feed changed its name while its address stayed.
    FeedRenamed {
        /// Before.
        from: FeedId,
        /// After.
        to: FeedId,
        /// The configuration that says so.
        config: ConfigVersion,
    },
    /// A feed was taken out of the register by command; its history stays.
    FeedDropped {
        /// The feed.
        feed: FeedId,
        /// The group that was taken out with it, where it was.
        group: Option<GroupId>,
        /// Why, as the person who did it says.
        reason: Personal,
    },
    /// A feed is asked at another address than its configuration says, is so no more, or a person is asked whether it
    /// shall be.
    FeedMoved {
        /// The feed.
        feed: FeedId,
        /// Which of these.
        kind: moves::Kind,
        /// The address before.
        from: String,
        /// The address after, or the one that is proposed.
        to: String,
        /// When the redirect was seen first; of an address that is given up, since when it was asked.
        since: Option<Time>,
        /// How many answers in a row said the same.
        times: u32,
        /// Why, in words.
        reason: String,
    },
    /// A poll brought new or changed entries, or was the first of its feed.
    Poll {
        /// The feed.
        feed: FeedId,
        /// The document's format.
        format: Format,
        /// Hash of the decoded document.
        document: String,
        /// Its length in bytes.
        bytes: usize,
        /// The address that answered.
        url: String,
        /// How many entries it has, how many of them are new, how many changed.
        counts: [usize; 3],
        /// Whether some of it could not be read.
        partial: bool,
        /// Whether this set the feed's baseline.
        baseline: bool,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// The polls of one day (UTC) that brought nothing new: feed and number.
    QuietPolls {
        /// The day, `2026-11-20`.
        day: String,
        /// The feeds with how often each was polled in vain.
        feeds: Vec<(FeedId, u32)>,
    },
    /// The machine's clock was set: where it stood or should have stood, and where it stood then.
    ClockJumped {
        /// Before, or what it should have shown.
        from: Time,
        /// What it showed.
        to: Time,
    },
    /// Most feeds of a round, on several hosts, could not be connected to: counted against none of them.
    NoNetwork {
        /// How many feeds.
        feeds: usize,
        /// On how many hosts.
        hosts: usize,
    },
    /// A feed could be connected to again after such a time.
    NetworkBack {
        /// Since when there had been no network, as far as polls showed.
        since: Time,
    },
    /// A feed's health changed, or its absence became an alarm.
    FeedStateChanged {
        /// The feed.
        feed: FeedId,
        /// Before.
        from: FeedState,
        /// After.
        to: FeedState,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// The cause in words.
        cause: String,
    },
    /// An entry, or a revision of one, arrived.
    EntryReceived {
        /// The feed.
        feed: FeedId,
        /// The entry.
        entry: EntryNo,
        /// 1 for the first version, 2 for the first change, ...
        revision: u32,
        /// Its identity in its feed, in hex.
        key: String,
        /// Hash of its content.
        content: String,
        /// The publisher's identifier.
        guid: Option<String>,
        /// Its link.
        link: Option<String>,
        /// Its title.
        title: Option<String>,
        /// The story it belongs to.
        story: StoryNo,
        /// What changed since the revision before, by name; `None` for a first version.
        changed: Option<Vec<&'static str>>,
    },
    /// Tags of an entry.
    EntryTagged {
        /// The entry.
        entry: EntryNo,
        /// Its revision.
        revision: u32,
        /// The tags with their proof.
        tags: Vec<Tag>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story was assigned to an owner.
    EntryRouted {
        /// The entry that brought it.
        entry: EntryNo,
        /// Its revision.
        revision: u32,
        /// The story.
        story: StoryNo,
        /// Who gets it.
        owner: Personal,
        /// Why, in one sentence.
        reason: Personal,
        /// Whether it does not wait.
        urgent: bool,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story was withheld from an owner because of its label.
    Withheld {
        /// The story.
        story: StoryNo,
        /// Who may not be sent it.
        owner: Personal,
        /// Who was given it instead.
        ask: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A story went from one person to another.
    HandedOver {
        /// The story.
        story: StoryNo,
        /// Why.
        why: HandOver,
        /// Whose it was.
        from: Personal,
        /// Whose it is.
        to: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// An owner was reminded of stories that wait for an answer; the mail has its own record.
    Reminded {
        /// The digest that reminds.
        digest: DigestNo,
        /// The stories in it.
        stories: Vec<StoryNo>,
        /// Who is reminded.
        owner: Personal,
    },
    /// An urgent story was not told at once.
    UrgentWaits {
        /// The story.
        story: StoryNo,
        /// Why.
        why: UrgentWait,
        /// Who waits for it.
        owner: Personal,
    },
    /// Entries that match nothing and are listed to the feed's owner under "also published".
    EntriesListed {
        /// The feed.
        feed: FeedId,
        /// Entries with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// Who sees the line.
        owner: Personal,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// Entries that are not for us.
    NotForUs {
        /// The feed.
        feed: FeedId,
        /// Entries with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// Entries of a first poll that are recorded and not mailed.
    Baseline {
        /// The feed.
        feed: FeedId,
        /// The entries.
        entries: Vec<EntryNo>,
        /// How many of them matched, by component.
        matched: Vec<(String, usize)>,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A poll brought many more new entries than usual, or changed such ones: they are held until somebody decides.
    FloodHeld {
        /// The feed.
        feed: FeedId,
        /// What the decision will be about; later polls may add to it.
        flood: FloodNo,
        /// The entries that are held, with their revision.
        entries: Vec<(EntryNo, u32)>,
        /// The most new entries that one poll brought before.
        usual: usize,
        /// How many entries were not held, or are not any more, because they concern the stack and are exploited.
        sent: usize,
        /// The configuration in force.
        config: ConfigVersion,
    },
    /// A person decided what becomes of the entries of a flood.
    FloodDecided {
        /// The feed.
        feed: FeedId,
        /// The flood.
        flood: FloodNo,
        /// What was decided.
        decision: Decision,
        /// How many entries it is about.
        entries: usize,
        /// The digest that carried the link, where there was one.
        digest: Option<DigestNo>,
        /// The way it came.
        via: Via,
        /// With the link issued to whom, or by whom at the shell.
        owner: Personal,
    },
    /// A digest's bytes are fixed.
    DigestComposed {
        /// The digest.
        digest: DigestNo,
        /// Whose.
        owner: Personal,
        /// Why now.
        kind: DigestKind,
        /// Its Message-ID, without angle brackets.
        message_id: String,
        /// Hash of its bytes.
        sha256: String,
        /// Its length in bytes.
        bytes: usize,
        /// The stories in it.
        stories: Vec<StoryNo>,
        /// The entries that it lists under "also published" (those counted only included).
        listed: Vec<EntryNo>,
        /// The floods that it tells of.
        floods: Vec<FloodNo>,
        /// The size of the checkpoint that it carries.
        checkpoint: Option<u64>,
    },
    /// An attempt to hand a digest over begins.
    DeliveryStarted {
        /// The delivery.
        delivery: DeliveryNo,
        /// The digest.
        digest: DigestNo,
        /// 1 for the first attempt.
        attempt: u32,
        /// Where it goes.
        address: Personal,
    },
    /// An attempt ended: the receipt.
    DeliveryFinished {
        /// The delivery.
        delivery: DeliveryNo,
        /// Which attempt.
        attempt: u32,
        /// `accepted`, `written`, `deferred`, ...
        outcome: String,
        /// The server's reply code.
        code: Option<u16>,
        /// The server's reply, or what happened.
        reply: Personal,
    },
    /// A delivery ended without having been handed over.
    DeliveryEnded {
        /// The delivery.
        delivery: DeliveryNo,
        /// `rejected`, `given-up` or `withdrawn`.
        state: String,
        /// Why, in words.
        reason: String,
    },
    /// A digest that a server had taken came back. Where its owner had answered with a link of it, it had arrived all the
    /// same and nothing else changes; otherwise its delivery is `bounced`.
    Bounced {
        /// The delivery.
        delivery: DeliveryNo,
        /// The digest.
        digest: DigestNo,
        /// Where the message that says so can be found.
        report: Reported,
        /// Whether the owner had answered.
        answered: bool,
    },
    /// A server reported something else of a delivery. It moves nothing, and says nothing of anybody having read.
    DeliveryReported {
        /// The delivery.
        delivery: DeliveryNo,
        /// The digest.
        digest: DigestNo,
        /// `delayed`, `relayed`, `expanded` or `delivered`; `failed` of a delivery that had ended otherwise.
        action: &'static str,
        /// What it says, and in which message.
        report: Reported,
    },
    /// A person answered.
    Acknowledged {
        /// The acknowledgement.
        acknowledgement: AcknowledgementNo,
        /// The digest that carried the link, where there was one.
        digest: Option<DigestNo>,
        /// The stories.
        stories: Vec<StoryNo>,
        /// What was said.
        disposition: Disposition,
        /// The way it came.
        via: Via,
        /// Whether it came too soon after the mail for a person.
        haste: Haste,
        /// The record of the earlier answer that it corrects.
        corrects: Option<u64>,
        /// With the link issued to whom, or for whom at the shell.
        owner: Personal,
        /// Why.
        note: Option<Personal>,
        /// What it refers to: what it is, and the text.
        references: Vec<(ReferenceKind, Personal)>,
    },
    /// An owner said that something the configuration gives them is not theirs.
    Disowned {
        /// What it is.
        kind: OwnedKind,
        /// Its identifier.
        id: String,
        /// The digest that carried the link.
        digest: DigestNo,
        /// With the link issued to whom.
        owner: Personal,
        /// Why, or whose it is.
        note: Personal,
    },
    /// With a link that had ended, new ones were asked for.
    LinksAsked {
        /// The digest whose link it was.
        digest: DigestNo,
        /// The stories of it that were still open: they are mailed again, to the owner's present address.
        open: Vec<StoryNo>,
        /// Whose digest.
        owner: Personal,
    },
    /// The texts of old entries were removed by stated retention; their keys and records stay.
    EntriesPurged {
        /// Entries last seen before this moment.
        before: Time,
        /// How many.
        count: usize,
    },
}
