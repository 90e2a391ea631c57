//! Status: everything that wants a person's attention, with its reason by name. Reads only; who is asked for it is
//! the monitoring.

use jiff::SignedDuration;

use super::{
    disown,
    unanswered::{Unanswered, unanswered},
};
use crate::{
    compose::words::{count, cut},
    health,
    model::{
        delivery::RelayFault,
        feed::{FeedState, FeedStatus},
        id::OwnerId,
        settings::Config,
        stack::OwnedKind,
        time::Time,
    },
    moves,
    store::{QueuedRow, Read, RelayRow, StoreError},
};

/// For how long feeds may be overdue before nobody is held to be at work.
const OVERDUE: SignedDuration = SignedDuration::from_hours(2);
/// For how long a mail may wait.
const WAITING: SignedDuration = SignedDuration::from_hours(4);
/// For how long the mail server may be out of reach: it may be restarted.
const SERVER_DOWN: SignedDuration = SignedDuration::from_mins(30);
/// For how long a record may wait for its signature.
const UNSIGNED: SignedDuration = SignedDuration::from_hours(2);

/// Why a person is asked to look. Names are stable; more may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Feeds are overdue: nobody polls.
    NothingPolled,
    /// This machine reaches nearly none of the hosts that it asks.
    NoNetwork,
    /// The files say otherwise than the configuration that is in force.
    ConfigurationNotInForce,
    /// A feed is not there any more.
    FeedGone,
    /// A feed does not let us in.
    FeedRefused,
    /// A feed gives no answer that means anything.
    FeedBroken,
    /// What a feed answers is no feed.
    NotAFeed,
    /// A feed asks for fewer requests.
    FeedThrottled,
    /// A feed's answer is not to be trusted.
    FeedSuspicious,
    /// A feed is silent for too long.
    FeedStale,
    /// Entries of a flood wait for a decision.
    Held,
    /// A feed moves, and nobody has said yet whether that is right.
    MoveAsked,
    /// The mail server does not let us in.
    MailLoginRefused,
    /// The line to the mail server cannot be protected as the configuration asks.
    MailServerUntrusted,
    /// The mail server gives no connection, or turns everybody away.
    MailServerDown,
    /// A mail waits for longer than it should.
    DeliveryWaiting,
    /// A mail cannot go to this mail server as it is: too large, or an address that it does not take.
    DeliveryImpossible,
    /// An owner's newest mail was refused for good, or given up.
    DeliveryGivenUp,
    /// An owner's newest mail came back.
    DeliveryBounced,
    /// The mailbox that mails come back to cannot be read.
    InboundUnreachable,
    /// An owner said that something the configuration gives them is not theirs.
    NotTheirs,
    /// An owner has not answered for too long.
    AnswerOverdue,
    /// Records wait for a signed checkpoint.
    LogCheckpointOld,
}

impl Reason {
    /// Every reason with its name.
    pub const ALL: [(&'static str, Reason); 23] = [
        ("nothing-polled", Reason::NothingPolled),
        ("no-network", Reason::NoNetwork),
        ("configuration-not-in-force", Reason::ConfigurationNotInForce),
        ("feed-gone", Reason::FeedGone),
        ("feed-refused", Reason::FeedRefused),
        ("feed-broken", Reason::FeedBroken),
        ("not-a-feed", Reason::NotAFeed),
        ("feed-throttled", Reason::FeedThrottled),
        ("feed-suspicious", Reason::FeedSuspicious),
        ("feed-stale", Reason::FeedStale),
        ("held", Reason::Held),
        ("move-asked", Reason::MoveAsked),
        ("mail-login-refused", Reason::MailLoginRefused),
        ("mail-server-untrusted", Reason::MailServerUntrusted),
        ("mail-server-down", Reason::MailServerDown),
        ("delivery-waiting", Reason::DeliveryWaiting),
        ("delivery-impossible", Reason::DeliveryImpossible),
        ("delivery-given-up", Reason::DeliveryGivenUp),
        ("delivery-bounced", Reason::DeliveryBounced),
        ("inbound-unreachable", Reason::InboundUnreachable),
        ("not-theirs", Reason::NotTheirs),
        ("answer-overdue", Reason::AnswerOverdue),
        ("log-checkpoint-old", Reason::LogCheckpointOld),
    ];

    /// The reason's name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(name, reason)| (reason == self).then_some(name)).unwrap_or("nothing-polled")
    }

    /// The reason that a feed's state is; `None`: the state needs nobody.
    fn of_state(state: FeedState) -> Option<Reason> {
        match state {
            FeedState::New | FeedState::Ok | FeedState::Quiet => None,
            FeedState::Stale => Some(Reason::FeedStale),
            FeedState::Suspicious => Some(Reason::FeedSuspicious),
            FeedState::Refused => Some(Reason::FeedRefused),
            FeedState::Throttled => Some(Reason::FeedThrottled),
            FeedState::Gone => Some(Reason::FeedGone),
            FeedState::Broken => Some(Reason::FeedBroken),
            FeedState::NotAFeed => Some(Reason::NotAFeed),
        }
    }
}

/// One thing that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Why.
    pub reason: Reason,
    /// The feed, the owner, or `sigtrail` itself.
    pub subject: String,
    /// Since when.
    pub since: Time,
    /// What it is and what to do, in sentences. Causes in it may hold what a publisher wrote.
    pub text: String,
}

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What wants attention, by reason and subject.
    pub attention: Vec<Attention>,
    /// How many feeds are followed.
    pub feeds: usize,
    /// How many of them are seen.
    pub seen: usize,
    /// The end of the newest poll.
    pub last_poll_at: Option<Time>,
    /// How many stories wait for an answer, counted by owner.
    pub open: usize,
    /// How many of them have waited for too long.
    pub overdue: usize,
    /// How many mails have not left.
    pub outbox: usize,
}

impl Status {
    /// Adds what the store does not know.
    pub fn add(&mut self, attention: Attention) {
        self.attention.push(attention);
        self.attention.sort_by(|a, b| (a.reason, &a.subject).cmp(&(b.reason, &b.subject)));
    }
}

/// How everything stands now.
pub fn status(read: &Read<'_>, config: &Config, now: Time) -> Result<Status, StoreError> {
    let feeds: Vec<FeedStatus> = read.feeds()?.into_iter().filter(|feed| feed.enabled).collect();
    let last_poll_at = feeds.iter().filter_map(|feed| feed.last_poll_at).max();
    let mut attention: Vec<Attention> = feeds.iter().filter_map(|feed| of_feed(config, feed)).collect();
    attention.extend(feeds.iter().filter_map(|feed| move_asked(config, feed)));
    attention.extend(nothing_polled(&feeds, last_poll_at, now));
    attention.extend(no_network(read.network_lost_at()?, &feeds));
    attention.extend(held(read)?);
    attention.extend(deliveries(read, config, now)?);
    attention.extend(bounced(read, config, now)?);
    attention.extend(inbound(read, config)?);
    attention.extend(not_theirs(read, config)?);
    let unanswered = unanswered(read, config, now)?;
    attention.extend(unanswered.iter().filter_map(answer_overdue));
    attention.extend(checkpoint(read, now)?);
    attention.sort_by(|a, b| (a.reason, &a.subject).cmp(&(b.reason, &b.subject)));
    let seen = feeds.iter().filter(|feed| feed.is_seen()).count();
    Ok(Status {
        attention,
        feeds: feeds.len(),
        seen,
        last_poll_at,
        open: unanswered.iter().map(|one| one.open).sum(),
        overdue: unanswered.iter().map(|one| one.overdue).sum(),
        outbox: read.outbox()?.0,
    })
}

fn of_feed(config: &Config, status: &FeedStatus) -> Option<Attention> {
    let reason = Reason::of_state(status.state)?;
    let advice = config.feed(&status.id).and_then(|feed| health::advice(feed, status)).unwrap_or_default();
    let cause = status.cause.trim_end_matches('.');
    let text = if cause.is_empty() { advice } else { format!("{cause}. {advice}") };
    Some(Attention { reason, subject: status.id.to_string(), since: status.since, text: text.trim().to_owned() })
}

/// A question about a move that is open.
fn move_asked(config: &Config, status: &FeedStatus) -> Option<Attention> {
    let moving = status.moving.as_ref()?;
    let (since, feed) = (moving.asked_at?, config.feed(&status.id)?);
    let text = format!("Its publisher {}: {}", moves::question(&feed.url, &moving.to), moving.to);
    Some(Attention { reason: Reason::MoveAsked, subject: status.id.to_string(), since, text })
}

/// A feed that is due for long, while no other one was polled: what waits behind a slow host waits alone.
fn nothing_polled(feeds: &[FeedStatus], last_poll_at: Option<Time>, now: Time) -> Option<Attention> {
    let since = feeds.iter().map(|feed| feed.next_poll_at).min()?;
    (now.duration_since(since.max(last_poll_at.unwrap_or(since))) > OVERDUE).then(|| Attention {
        reason: Reason::NothingPolled,
        subject: "sigtrail".to_owned(),
        since,
        text: "Feeds are due and nobody polls them. Start the service: `systemctl start sigtrail`, or `sigtrail run`."
            .to_owned(),
    })
}

fn held(read: &Read<'_>) -> Result<Vec<Attention>, StoreError> {
    let held = read.open_floods()?.into_iter().map(|flood| Attention {
        reason: Reason::Held,
        text: format!(
            "{} for a decision: the link is in the digest, or `sigtrail feeds release {} --as all|matching|none --owner ...`.",
            count(flood.entries, "entry of it waits", "entries of it wait"),
            flood.feed
        ),
        subject: flood.feed.to_string(),
        since: flood.at,
    });
    Ok(held.collect())
}

/// A time without a network, for as long as no poll ended it.
fn no_network(lost_at: Option<Time>, feeds: &[FeedStatus]) -> Option<Attention> {
    let unasked = feeds.iter().filter(|feed| feed.is_unasked()).count();
    let since = lost_at?;
    Some(Attention {
        reason: Reason::NoNetwork,
        subject: "sigtrail".to_owned(),
        since,
        text: format!(
            "Nearly no host can be connected to{}. Look at this machine's network, its name servers and its firewall.",
            match unasked {
                0 => String::new(),
                1 => ", and 1 feed could not be asked".to_owned(),
                n => format!(", and {n} feeds could not be asked"),
            }
        ),
    })
}

fn deliveries(read: &Read<'_>, config: &Config, now: Time) -> Result<Vec<Attention>, StoreError> {
    let queue = read.queue()?;
    let before = now.saturating_sub(WAITING).unwrap_or(now);
    let mut found: Vec<Attention> =
        read.relay_trouble()?.and_then(|row| mail_server(&row, queue.len(), now)).into_iter().collect();
    found.extend(waiting(&queue, before));
    found.extend(queue.iter().filter_map(impossible));
    let gone = read.owners_out_of_reach()?.into_iter().filter(|(owner, ..)| is_written_to(config, owner, now));
    found.extend(gone.map(|(owner, since, reply)| Attention {
        reason: Reason::DeliveryGivenUp,
        subject: owner.to_string(),
        since,
        text: format!("The newest mail could not be delivered ({reply}). Correct the address in config/owners.toml."),
    }));
    Ok(found)
}

/// Whether mail goes to an owner: to who has left none will ever go, nor need an address be put right.
fn is_written_to(config: &Config, owner: &OwnerId, now: Time) -> bool {
    config.owner(owner).is_some_and(|owner| owner.is_living(now))
}

/// The mail server is in trouble: nobody's mail leaves.
fn mail_server(row: &RelayRow, waiting: usize, now: Time) -> Option<Attention> {
    let (reason, advice) = match row.trouble.fault {
        RelayFault::Login => (
            Reason::MailLoginRefused,
            "Put the right password into the file that `password_file` names; it is read again at the next try",
        ),
        RelayFault::Tls => {
            (Reason::MailServerUntrusted, "Look at its certificate, and at `tls` and `ca_file` in config/sigtrail.toml")
        }
        RelayFault::Down | RelayFault::Busy => {
            (Reason::MailServerDown, "Look at it, and at `host` and `port` in config/sigtrail.toml")
        }
        RelayFault::Sender => (
            Reason::MailServerDown,
            "Look at what it takes from this machine, and at `from` and `envelope_from` in config/sigtrail.toml",
        ),
    };
    let is_short = reason == Reason::MailServerDown && now.duration_since(row.since) < SERVER_DOWN;
    let cause = row.trouble.cause.trim_end_matches('.');
    (!is_short).then(|| Attention {
        reason,
        subject: "sigtrail".to_owned(),
        since: row.since,
        text: format!(
            "{cause}. {}. {advice}.",
            count(waiting, "mail waits and is not lost", "mails wait and none is lost")
        ),
    })
}

/// The mails of each owner that wait for too long, with what was said of the oldest.
fn waiting(queue: &[QueuedRow], before: Time) -> Vec<Attention> {
    let mut found: Vec<(&QueuedRow, usize)> = Vec::new();
    for row in queue.iter().filter(|row| row.queued_at < before) {
        match found.iter_mut().find(|(oldest, _)| oldest.owner == row.owner) {
            Some((_, mails)) => *mails += 1,
            None => found.push((row, 1)),
        }
    }
    let told = found.into_iter().map(|(oldest, mails)| Attention {
        reason: Reason::DeliveryWaiting,
        subject: oldest.owner.to_string(),
        since: oldest.queued_at,
        text: format!(
            "{} for the mail server{}. `sigtrail digest --queue` shows each; look at the server, and at `[mail]` in \
             config/sigtrail.toml.",
            count(mails, "mail waits", "mails wait"),
            oldest.last.as_ref().map(|(_, _, reply)| format!(" ({reply})")).unwrap_or_default()
        ),
    });
    told.collect()
}

/// A mail that no waiting helps.
fn impossible(row: &QueuedRow) -> Option<Attention> {
    let (outcome, _, reply) = row.last.as_ref()?;
    let advice = match outcome.as_str() {
        "too-large" => "No part of it can be made smaller. Raise the size that the server takes",
        "unfit" => "Correct the address in config/owners.toml, or use a server that takes it",
        _ => return None,
    };
    Some(Attention {
        reason: Reason::DeliveryImpossible,
        subject: row.owner.to_string(),
        since: row.queued_at,
        text: format!("{}. {advice}; the mail is tried again every hour.", reply.trim_end_matches('.')),
    })
}

fn bounced(read: &Read<'_>, config: &Config, now: Time) -> Result<Vec<Attention>, StoreError> {
    let bounced = read.owners_who_bounce(now)?.into_iter().filter(|(owner, ..)| is_written_to(config, owner, now));
    let bounced = bounced.map(|(owner, since, said)| Attention {
        reason: Reason::DeliveryBounced,
        subject: owner.to_string(),
        since,
        text: format!("The newest mail came back ({said}). Correct the address in config/owners.toml."),
    });
    Ok(bounced.collect())
}

/// The mailbox that cannot be read: what comes back is not known for as long.
fn inbound(read: &Read<'_>, config: &Config) -> Result<Option<Attention>, StoreError> {
    let Some(settings) = &config.inbound else { return Ok(None) };
    let failing = read.inbound(&settings.source.name())?.and_then(|row| Some((row.failing_since?, row.trouble)));
    Ok(failing.map(|(since, trouble)| Attention {
        reason: Reason::InboundUnreachable,
        subject: "sigtrail".to_owned(),
        since,
        text: format!(
            "Bounces cannot be read: {trouble}. Look at `[inbound]` in config/sigtrail.toml, and at that mailbox."
        ),
    }))
}

/// What owners say is not theirs, as long as the configuration says that it is.
fn not_theirs(read: &Read<'_>, config: &Config) -> Result<Vec<Attention>, StoreError> {
    let said = read.disowned()?.into_iter().filter_map(|said| {
        let name = disown::still_theirs(config, &said)?;
        let owner = config.owner(&said.owner).map_or_else(|| said.owner.to_string(), |owner| owner.name.clone());
        let file = if said.kind == OwnedKind::Feed { "feeds.toml" } else { "config/stack.toml" };
        Some(Attention {
            reason: Reason::NotTheirs,
            text: format!(
                "{owner} says that {name} is not theirs: \"{}\" (record {}). Talk to them, and give it its owner in {file}.",
                cut(&said.note, 200),
                said.record
            ),
            subject: said.id,
            since: said.at,
        })
    });
    Ok(said.collect())
}

fn answer_overdue(one: &Unanswered) -> Option<Attention> {
    let (owner, stories) = (&one.owner, count(one.overdue, "story waits", "stories wait"));
    Some(Attention {
        reason: Reason::AnswerOverdue,
        subject: owner.to_string(),
        since: one.overdue_since?,
        text: format!("{stories} for an answer: `sigtrail stories --overdue --owner {owner}`."),
    })
}

fn checkpoint(read: &Read<'_>, now: Time) -> Result<Option<Attention>, StoreError> {
    let since = read.unsigned_since()?;
    Ok(since.filter(|since| now.duration_since(*since) > UNSIGNED).map(|since| Attention {
        reason: Reason::LogCheckpointOld,
        subject: "sigtrail".to_owned(),
        since,
        text: "The evidence log has records that no checkpoint covers. `sigtrail evidence checkpoint` says why."
            .to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_is_not_seen_is_a_reason_and_no_name_stands_twice() {
        for (_, state) in FeedState::ALL {
            assert_eq!(Reason::of_state(state).is_none(), state.is_seen(), "{}", state.as_str());
        }
        for (name, reason) in Reason::ALL {
            assert_eq!(reason.as_str(), name);
        }
    }
}
