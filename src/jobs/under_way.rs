//! Under way: which feeds this process asks right now, and whom it asks for them. What is under way is not asked once
//! more, and who keeps a poll waiting holds up no second one.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use url::Url;

use crate::{fetch::publisher, model::id::FeedNo};

/// The feeds that are under way, each with its publisher. A clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<HashMap<FeedNo, String>>>);

impl UnderWay {
    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// What may be asked now: by number and address, neither under way itself nor at a publisher who is being asked.
    pub(super) fn free(&self) -> impl Fn(FeedNo, &Url) -> bool + use<> {
        let feeds = self.list().clone();
        let publishers: HashSet<String> = feeds.values().cloned().collect();
        move |feed, address| !feeds.contains_key(&feed) && !publishers.contains(&publisher_of(address))
    }

    /// Notes that these feeds are asked at these addresses, until each is done or what is given back is dropped.
    pub(super) fn begin<'u>(&self, feeds: impl Iterator<Item = (FeedNo, &'u Url)>) -> Asking {
        let feeds: Vec<(FeedNo, String)> = feeds.map(|(feed, address)| (feed, publisher_of(address))).collect();
        let own = feeds.iter().map(|(feed, _)| *feed).collect();
        let asking = Asking { all: self.clone(), feeds: Mutex::new(own) };
        self.list().extend(feeds);
        asking
    }

    fn list(&self) -> MutexGuard<'_, HashMap<FeedNo, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn publisher_of(address: &Url) -> String {
    publisher(address.host_str().unwrap_or_default()).to_owned()
}

/// Feeds that are under way for as long as this value lives.
#[derive(Debug)]
pub(super) struct Asking {
    all: UnderWay,
    /// Those that are not over yet: one that is over may be under way again for another round.
    feeds: Mutex<HashSet<FeedNo>>,
}

impl Asking {
    /// Notes that these are over, before the others are.
    pub(super) fn done(&self, feeds: impl IntoIterator<Item = FeedNo>) {
        let mut own = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.all.list();
        for feed in feeds {
            if own.remove(&feed) {
                list.remove(&feed);
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let own = std::mem::take(self.feeds.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.all.list().retain(|feed, _| !own.contains(feed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_round_ends_nothing_that_a_later_round_asks() {
        let (all, address) = (UnderWay::default(), Url::parse("https://a.example/feed").unwrap());
        let other = Url::parse("https://b.example/feed").unwrap();
        let first = all.begin([(FeedNo(1), &address), (FeedNo(2), &other)].into_iter());
        first.done([FeedNo(1)]);
        let second = all.begin(std::iter::once((FeedNo(1), &address)));
        drop(first);
        assert!(!all.free()(FeedNo(1), &address), "the second round still asks it");
        assert!(all.free()(FeedNo(2), &other));
        drop(second);
        assert!(all.is_empty());
    }
}
