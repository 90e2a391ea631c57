//! Vitals: whether the service is well, and its figures for monitoring. Reads only.

use std::sync::atomic::{AtomicBool, Ordering};

use super::unanswered::unanswered;
use crate::{
    model::{
        feed::FeedState,
        id::{FeedId, OwnerId},
        settings::Config,
        time::Time,
    },
    store::{Read, Store, StoreError},
};

/// Which loops of the service go on, as it last saw them itself.
#[derive(Debug)]
pub struct Moving {
    polling: AtomicBool,
    mailing: AtomicBool,
}

impl Default for Moving {
    fn default() -> Moving {
        Moving { polling: AtomicBool::new(true), mailing: AtomicBool::new(true) }
    }
}

impl Moving {
    /// Notes whether polling goes on.
    pub fn set_polling(&self, moves: bool) {
        self.polling.store(moves, Ordering::SeqCst);
    }

    /// Notes whether mailing goes on.
    pub fn set_mailing(&self, moves: bool) {
        self.mailing.store(moves, Ordering::SeqCst);
    }
}

/// Why the service is not well. Names are stable; more may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// The polling loop has shown no sign of life for too long.
    PollingStuck,
    /// The mailing loop has shown no sign of life for too long.
    MailingStuck,
    /// The database cannot be read.
    DatabaseUnreadable,
    /// The evidence log does not hold together.
    LogBroken,
}

impl Ailment {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Ailment::PollingStuck => "polling-stuck",
            Ailment::MailingStuck => "mailing-stuck",
            Ailment::DatabaseUnreadable => "database-unreadable",
            Ailment::LogBroken => "log-broken",
        }
    }
}

/// Everything that keeps the service from its work; empty: it is well.
pub fn ailments(store: &Store, moving: &Moving) -> Vec<Ailment> {
    let stuck = [(&moving.polling, Ailment::PollingStuck), (&moving.mailing, Ailment::MailingStuck)];
    let mut found: Vec<Ailment> =
        stuck.into_iter().filter(|(moves, _)| !moves.load(Ordering::SeqCst)).map(|(_, ailment)| ailment).collect();
    match store.read(|read| read.glance_at_log()) {
        Ok(()) => {}
        Err(StoreError::BrokenLog(_)) => found.push(Ailment::LogBroken),
        Err(_) => found.push(Ailment::DatabaseUnreadable),
    }
    found
}

/// The figures of one feed; ages in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFigures {
    /// Which.
    pub feed: FeedId,
    /// How it stands.
    pub state: FeedState,
    /// Since its newest poll, where that answered; since its first poll that did not, where it does not answer any more;
    /// `None`: it was never asked.
    pub success_age: Option<i64>,
    /// Since its newest entry came.
    pub entry_age: Option<i64>,
}

/// What one owner has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerFigures {
    /// Who.
    pub owner: OwnerId,
    /// How many stories wait.
    pub open: usize,
    /// How many of them for too long.
    pub overdue: usize,
}

/// The figures of the service; ages and times over due in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Every feed that is followed.
    pub feeds: Vec<FeedFigures>,
    /// How many mails have not left.
    pub outbox: usize,
    /// Since the oldest of them was queued; 0 where there is none.
    pub outbox_age: i64,
    /// How long the most overdue digest is over its time; 0 where none is.
    pub digest_lag: i64,
    /// Every owner.
    pub owners: Vec<OwnerFigures>,
    /// How many records the log has.
    pub records: u64,
    /// Since the newest record was written that a checkpoint covers; `None`: there is no checkpoint.
    pub checkpoint_age: Option<i64>,
    /// Since the oldest record was written that no checkpoint covers; 0 where all are covered.
    pub unsigned_age: i64,
}

/// The figures as they are now. `config` says who is followed and who owns.
pub fn figures(read: &Read<'_>, config: &Config, now: Time) -> Result<Figures, StoreError> {
    let age = |since: Time| now.duration_since(since).as_secs().max(0);
    let (outbox, oldest) = read.outbox()?;
    let log = read.log_figures()?;
    let feeds = read.feeds()?.into_iter().filter(|feed| feed.enabled);
    // Nobody composes for who has left.
    let living = config.owners.iter().filter(|owner| owner.is_living(now));
    let planned: Vec<Option<Time>> = living.map(|owner| read.next_digest_at(&owner.id)).collect::<Result<_, _>>()?;
    let mut owners: Vec<OwnerFigures> = unanswered(read, config, now)?
        .into_iter()
        .map(|one| OwnerFigures { owner: one.owner, open: one.open, overdue: one.overdue })
        .collect();
    for owner in &config.owners {
        if owners.iter().all(|known| known.owner != owner.id) {
            owners.push(OwnerFigures { owner: owner.id.clone(), open: 0, overdue: 0 });
        }
    }
    owners.sort_by(|a, b| a.owner.cmp(&b.owner));
    Ok(Figures {
        feeds: feeds
            .map(|feed| FeedFigures {
                state: feed.state,
                success_age: feed.unseen_since.or(feed.last_poll_at).map(age),
                entry_age: feed.last_entry_at.map(age),
                feed: feed.id,
            })
            .collect(),
        outbox,
        outbox_age: oldest.map_or(0, age),
        digest_lag: planned.into_iter().flatten().min().map_or(0, age),
        owners,
        records: log.records,
        checkpoint_age: log.covered_at.map(age),
        unsigned_age: log.unsigned_since.map_or(0, age),
    })
}
