//! How a daemon and its verbs speak while a verb works: the daemon asks for an end, the verb shows that it goes on.
//! Counters only; who reads them brings the clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The longest that a verb works between two signs of life.
const USUAL: Duration = Duration::from_secs(45);

/// The wish that a verb comes to an end soon. Clones share it; the default is never asked.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end. It cannot be taken back.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Signs of life of one loop. Clones share them.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    count: AtomicU64,
    allowance: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Beats { count: AtomicU64::new(0), allowance: AtomicU64::new(in_millis(USUAL)) }))
    }
}

impl Pulse {
    /// Work goes on; the next sign comes within 45 s.
    pub fn beat(&self) {
        self.wait(USUAL);
    }

    /// A wait begins that ends by itself, after this time at the latest.
    pub fn wait(&self, most: Duration) {
        self.0.allowance.store(in_millis(most), Ordering::SeqCst);
        self.0.count.fetch_add(1, Ordering::SeqCst);
    }

    /// How many signs there were, and for how long the last one holds.
    pub fn read(&self) -> (u64, Duration) {
        let count = self.0.count.load(Ordering::SeqCst);
        (count, Duration::from_millis(self.0.allowance.load(Ordering::SeqCst)))
    }
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_wish_to_stop_and_the_signs_of_life() {
        let (stop, pulse) = (Stop::default(), Pulse::default());
        let (other_stop, other_pulse) = (stop.clone(), pulse.clone());
        assert!(!other_stop.is_asked() && !Stop::default().is_asked());
        stop.ask();
        assert!(other_stop.is_asked());
        pulse.wait(Duration::from_mins(20));
        assert_eq!(other_pulse.read(), (1, Duration::from_mins(20)));
        pulse.beat();
        assert_eq!(other_pulse.read(), (2, USUAL));
    }
}
