//! Bringing the feeds of the store in line with a configuration: new ones come in, renamed ones keep their rows, those
//! that were dropped are not polled any more and keep all that they brought. What is due and how a feed stands is the
//! business of `feed`.
//!
//! A feed is known again by its address, else by its identifier. One that is enabled may change its address and goes on
//! where it was; one that comes back from being off at another address begins anew, because nobody followed it there.

use std::collections::{HashMap, HashSet};

use rusqlite::params;

use super::{StoreError, Write};
use crate::{
    evidence::event::Event,
    model::{
        feed::Feed,
        id::{ConfigVersion, FeedId},
        settings::Config,
        time::{Time, from_millis, millis},
    },
    moves::Kind,
};

/// A feed as the store has it.
struct Stored {
    no: i64,
    id: FeedId,
    /// The address that it was aligned to last.
    url: String,
    /// The address that is asked instead, after a move.
    moved_to: Option<String>,
    /// Since when.
    moved_at: Option<i64>,
    /// Where permanent redirects lead.
    moving_to: Option<String>,
    /// Whether the configuration before had it, and had it on.
    enabled: bool,
}

impl Write<'_> {
    /// Makes the feeds of the store those of the configuration; those that it does not have are not enabled.
    pub(super) fn align_feeds(&mut self, config: &Config, version: ConfigVersion, now: Time) -> Result<(), StoreError> {
        self.rename_feeds(config, version, now)?;
        let stored: HashMap<FeedId, Stored> =
            self.stored_feeds()?.into_iter().map(|stored| (stored.id.clone(), stored)).collect();
        self.tx.execute("UPDATE feed_state SET enabled = 0 WHERE enabled = 1", [])?;
        for feed in &config.feeds {
            let no = match stored.get(&feed.id) {
                Some(known) => {
                    self.align_address(known, feed, now)?;
                    known.no
                }
                None => self.insert_feed(feed, now)?,
            };
            self.tx
                .prepare_cached("UPDATE feed_state SET enabled = ?2, tlp = ?3, drop_record = NULL WHERE feed = ?1")?
                .execute(params![no, feed.enabled, feed.tlp.as_str()])?;
        }
        Ok(())
    }

    fn stored_feeds(&self) -> Result<Vec<Stored>, StoreError> {
        let mut query = self.tx.prepare_cached(
            "SELECT no, id, url, moved_to, moved_at, moving_to, enabled
             FROM feed JOIN feed_state ON feed_state.feed = feed.no ORDER BY enabled DESC, no",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Stored {
                no: row.get(0)?,
                id: FeedId::new(row.get::<_, String>(1)?),
                url: row.get(2)?,
                moved_to: row.get(3)?,
                moved_at: row.get(4)?,
                moving_to: row.get(5)?,
                enabled: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn insert_feed(&mut self, feed: &Feed, now: Time) -> Result<i64, StoreError> {
        self.tx
            .prepare_cached("INSERT INTO feed (id, url) VALUES (?1, ?2)")?
            .execute(params![feed.id.as_str(), feed.url.as_str()])?;
        let no = self.tx.last_insert_rowid();
        self.tx
            .prepare_cached(
                "INSERT INTO feed_state (feed, enabled, next_poll_at, since, next_poll_why)
                 VALUES (?1, 0, ?2, ?2, 'it was never polled')",
            )?
            .execute(params![no, millis(now)])?;
        Ok(no)
    }

    /// Gives a known feed the address of the configuration. Its history stays; what belongs to the old address goes,
    /// unless the new one is where its answers come from already.
    fn align_address(&mut self, known: &Stored, feed: &Feed, now: Time) -> Result<(), StoreError> {
        let url = feed.url.as_str();
        if known.url == url {
            return Ok(());
        }
        self.tx.execute("UPDATE feed SET url = ?2 WHERE no = ?1", params![known.no, url])?;
        let is_settled = [&known.moving_to, &known.moved_to].into_iter().flatten().any(|to| to == url);
        let ended = match &known.moved_to {
            _ if is_settled => Some((Kind::Agreed, known.url.clone(), "feeds.toml names it now")),
            Some(moved_to) => Some((Kind::Dropped, moved_to.clone(), "feeds.toml names another address")),
            None => None,
        };
        if let Some((kind, from, reason)) = ended {
            let (feed, to, reason) = (feed.id.clone(), url.to_owned(), reason.to_owned());
            let since = known.moved_at.map(from_millis);
            self.record(Event::FeedMoved { feed, kind, from, to, since, times: 0, reason }, now)?;
        }
        self.tx.execute(
            "UPDATE feed_state SET moved_to = NULL, moved_at = NULL, moving_to = NULL, moving_since = NULL,
                 moving_times = 0, moving_asked = NULL, move_told = NULL WHERE feed = ?1",
            [known.no],
        )?;
        if !is_settled {
            // Validators belong to an address, and so does what its publisher wished and how often it failed.
            self.tx.execute(
                "UPDATE feed_state SET etag = NULL, last_modified = NULL, attempt = 0, failures = 0, failures_alike = 0, wishes = '{}',
                     gone_at = NULL, empties = 0, cuts = 0, next_poll_at = ?2, next_poll_why = 'its address changed'
                 WHERE feed = ?1",
                params![known.no, millis(now)],
            )?;
            if !known.enabled {
                self.begin_anew(known.no)?;
            }
        }
        Ok(())
    }

    /// Makes the next document of a feed a first one: what an address held that nobody followed is no news, and what is
    /// usual elsewhere is nothing to measure it by. The entries stay.
    fn begin_anew(&mut self, no: i64) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE feed_state SET baseline_at = NULL, full_fetch_at = NULL, last_entry_at = NULL, active = NULL
             WHERE feed = ?1",
            [no],
        )?;
        self.tx.execute("DELETE FROM baseline WHERE feed = ?1", [no])?;
        Ok(())
    }

    /// A feed at the address of a stored one is that one, whatever its name is now; the address that it moved to is as
    /// good. So names may be swapped, and an old name may be given to another feed.
    fn rename_feeds(&mut self, config: &Config, version: ConfigVersion, now: Time) -> Result<(), StoreError> {
        let stored = self.stored_feeds()?;
        let renamed: Vec<(&Stored, &Feed)> =
            by_address(&stored, config).into_iter().filter(|(stored, feed)| stored.id != feed.id).collect();
        for (stored, _) in &renamed {
            // No configured identifier looks like this; two feeds may change theirs for each other's.
            self.tx.execute("UPDATE feed SET id = '#' || no WHERE no = ?1", [stored.no])?;
        }
        for (stored, feed) in renamed {
            self.tx.execute("UPDATE feed SET id = ?2 WHERE no = ?1", params![stored.no, feed.id.as_str()])?;
            let event = Event::FeedRenamed { from: stored.id.clone(), to: feed.id.clone(), config: version };
            self.record(event, now)?;
        }
        Ok(())
    }
}

/// The stored feeds that are known again by their address, with the feeds that they are now. A stored feed whose
/// identifier is configured and whose address is not is the one of its identifier, with a new address.
fn by_address<'s, 'c>(stored: &'s [Stored], config: &'c Config) -> Vec<(&'s Stored, &'c Feed)> {
    let configured: HashMap<&str, &Feed> = config.feeds.iter().map(|feed| (feed.url.as_str(), feed)).collect();
    let mut taken: HashMap<&FeedId, &Stored> = HashMap::new();
    let mut placed: HashSet<i64> = HashSet::new();
    // The configured address says more than the one that it led to.
    let urls = stored.iter().map(|stored| (stored, stored.url.as_str()));
    let moved = stored.iter().filter_map(|stored| Some((stored, stored.moved_to.as_deref()?)));
    for (stored, url) in urls.chain(moved) {
        if let Some(feed) = configured.get(url)
            && !placed.contains(&stored.no)
            && !taken.contains_key(&feed.id)
        {
            taken.insert(&feed.id, stored);
            placed.insert(stored.no);
        }
    }
    let ids: HashMap<&FeedId, &Feed> = config.feeds.iter().map(|feed| (&feed.id, feed)).collect();
    let mut left: Vec<&Stored> = stored.iter().filter(|stored| !placed.contains(&stored.no)).collect();
    // Whoever has to give way goes by their own identifier, and may drive out another one there.
    while let Some(stored) = left.pop() {
        left.extend(taken.remove(&stored.id));
    }
    let mut found: Vec<_> = taken.into_iter().filter_map(|(id, stored)| Some((stored, *ids.get(id)?))).collect();
    found.sort_by_key(|(stored, _)| stored.no);
    found
}
