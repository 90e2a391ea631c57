//! Manners towards a host: one request at a time and a gap between two starts, for everybody who asks through
//! the same door. The time spent waiting here does not count against a request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::OwnedMutexGuard;

use crate::clock::Stopwatch;

/// When the newest request to one host started.
type Gate = tokio::sync::Mutex<Option<Stopwatch>>;

/// The gates of all hosts.
pub(super) struct Gates {
    gap: Duration,
    hosts: Mutex<Hosts>,
}

struct Hosts {
    gates: HashMap<String, Arc<Gate>>,
    /// Gates that nobody needs any more are dropped when there are this many.
    tidy_at: usize,
}

/// The right to send one request to a host; the next one enters when it is dropped.
pub(super) struct Pass(OwnedMutexGuard<Option<Stopwatch>>);

impl Gates {
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, hosts: Mutex::new(Hosts { gates: HashMap::new(), tidy_at: 1_024 }) }
    }

    /// Waits for the turn at this host, in the order of asking, until the gap since the last start is over.
    pub(super) async fn enter(&self, host: &str) -> Pass {
        let turn = self.gate(host).lock_owned().await;
        if let Some(last_start) = *turn {
            tokio::time::sleep(self.gap.saturating_sub(last_start.elapsed())).await;
        }
        Pass(turn)
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = hosts.gates.get(host) {
            return Arc::clone(gate);
        }
        if hosts.gates.len() >= hosts.tidy_at {
            hosts.gates.retain(|_, gate| self.is_needed(gate));
            hosts.tidy_at = hosts.gates.len().saturating_mul(2).max(1_024);
        }
        Arc::clone(hosts.gates.entry(host.to_owned()).or_default())
    }

    fn is_needed(&self, gate: &Arc<Gate>) -> bool {
        Arc::strong_count(gate) > 1
            || gate.try_lock().is_ok_and(|last| last.is_some_and(|last_start| last_start.elapsed() < self.gap))
    }
}

impl Pass {
    /// The request starts now.
    pub(super) fn start(&mut self) {
        *self.0 = Some(Stopwatch::start());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
