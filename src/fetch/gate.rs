//! Manners towards a host: one request at a time, a gap between two starts, and one connection for those who
//! stand in line, for everybody who asks through the same door. The time spent waiting here does not count
//! against a request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Client;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::clock::Stopwatch;

/// At most this many connections are kept for those in line. Each costs some 100 KiB while it is idle, and with
/// hundreds of hosts at once that is worth more than a connection made anew.
const KEPT: usize = 32;

/// arXiv's terms of use: one connection and three seconds between two requests, over all of its names together.
const ARXIV: &str = "arxiv.org";
const ARXIV_GAP: Duration = Duration::from_secs(3);

/// What the next request to a host takes over from the one before.
#[derive(Default)]
struct Turn {
    last_start: Option<Stopwatch>,
    /// The client with its connection, and the door that made it: another door has other rules.
    kept: Option<(u64, Client, OwnedSemaphorePermit)>,
}

type Gate = tokio::sync::Mutex<Turn>;

/// The gates of all hosts.
pub(super) struct Gates {
    gap: Duration,
    hosts: Arc<Mutex<Hosts>>,
    keeping: Arc<Semaphore>,
    /// Counts the doors that these gates stood before.
    door: u64,
}

struct Hosts {
    gates: HashMap<String, Arc<Gate>>,
    /// Gates that nobody needs any more are dropped when there are this many.
    tidy_at: usize,
}

/// The right to send one request to a host; the next one enters when it is dropped.
pub(super) struct Pass {
    turn: OwnedMutexGuard<Turn>,
    client: Option<Client>,
    keeping: Arc<Semaphore>,
    door: u64,
}

impl Gates {
    pub(super) fn new(gap: Duration) -> Self {
        let hosts = Arc::new(Mutex::new(Hosts { gates: HashMap::new(), tidy_at: 1_024 }));
        Self { gap, hosts, keeping: Arc::new(Semaphore::new(KEPT)), door: 0 }
    }

    /// The same gates before another door: what hosts were promised holds on, and no connection is taken over.
    pub(super) fn renewed(&self, gap: Duration) -> Self {
        Self { gap, hosts: Arc::clone(&self.hosts), keeping: Arc::clone(&self.keeping), door: self.door + 1 }
    }

    /// Waits for the turn at this host, in the order of asking, until the gap since the last start is over.
    pub(super) async fn enter(&self, host: &str) -> Pass {
        let publisher = publisher(host);
        let turn = self.gate(publisher).lock_owned().await;
        if let Some(last_start) = turn.last_start {
            tokio::time::sleep(self.gap(publisher).saturating_sub(last_start.elapsed())).await;
        }
        Pass { turn, client: None, keeping: Arc::clone(&self.keeping), door: self.door }
    }

    fn gap(&self, publisher: &str) -> Duration {
        if publisher == ARXIV { self.gap.max(ARXIV_GAP) } else { self.gap }
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = hosts.gates.get(host) {
            return Arc::clone(gate);
        }
        if hosts.gates.len() >= hosts.tidy_at {
            hosts.gates.retain(|publisher, gate| self.is_needed(publisher, gate));
            hosts.tidy_at = hosts.gates.len().saturating_mul(2).max(1_024);
        }
        Arc::clone(hosts.gates.entry(host.to_owned()).or_default())
    }

    fn is_needed(&self, publisher: &str, gate: &Arc<Gate>) -> bool {
        let gap = self.gap(publisher);
        Arc::strong_count(gate) > 1
            || gate.try_lock().is_ok_and(|turn| turn.last_start.is_some_and(|start| start.elapsed() < gap))
    }
}

/// Whom manners are shown to: the host, for which a dot at its end makes no difference; all of arXiv is one.
pub fn publisher(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_arxiv = host.strip_suffix(ARXIV).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    if is_arxiv { ARXIV } else { host }
}

impl Pass {
    /// The request starts now, by the client of the one before or, for the first in line, by a new one.
    pub(super) fn start<E>(&mut self, new_client: impl FnOnce() -> Result<Client, E>) -> Result<Client, E> {
        self.turn.last_start = Some(Stopwatch::start());
        let client = match self.turn.kept.take() {
            Some((door, client, _)) if door == self.door => client,
            _ => new_client()?,
        };
        self.client = Some(client.clone());
        Ok(client)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // The table holds the gate and so do we; whoever else does stands in line.
        let in_line = Arc::strong_count(OwnedMutexGuard::mutex(&self.turn)) > 2;
        if let (true, Some(client)) = (in_line, self.client.take()) {
            let room = Arc::clone(&self.keeping).try_acquire_owned().ok();
            self.turn.kept = room.map(|room| (self.door, client, room));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_24_all_names_of_arxiv_are_one_publisher_with_three_seconds_between_requests() {
        let gates = Gates::new(Duration::from_secs(1));
        for host in ["arxiv.org", "rss.arxiv.org", "export.arxiv.org."] {
            assert_eq!(publisher(host), ARXIV);
            assert_eq!(gates.gap(publisher(host)), Duration::from_secs(3));
        }
        for host in ["notarxiv.org", "arxiv.org.example", "feeds.example"] {
            assert_eq!(publisher(host), host);
            assert_eq!(gates.gap(publisher(host)), Duration::from_secs(1));
        }
        assert_eq!(publisher("feeds.example."), "feeds.example");
    }

    #[test]
    fn gates_that_nobody_needs_do_not_pile_up() {
        let gates = Gates::new(Duration::ZERO);
        let kept = gates.gate("kept.example");
        for number in 0..10_000 {
            gates.gate(&format!("h{number}.example"));
        }
        let hosts = gates.hosts.lock().unwrap();
        assert!(hosts.gates.len() <= 1_025, "{}", hosts.gates.len());
        assert!(Arc::ptr_eq(&kept, &hosts.gates["kept.example"]));
    }
}
