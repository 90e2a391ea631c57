//! Whether a loop goes on: its signs of life against the time. The decision is pure; the clock is an argument.

use std::time::Duration;

use tracing::{error, info};

use crate::jobs::Pulse;

/// How often the signs of life are looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What was last seen of one loop.
#[derive(Debug)]
pub(super) struct Watch<'p> {
    pulse: &'p Pulse,
    seen: Seen,
}

/// The last new sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    count: u64,
    at: Duration,
    is_stuck: bool,
}

impl Seen {
    /// What is seen now: `count` signs so far, the last of which holds for `allowance`.
    fn next(self, count: u64, allowance: Duration, now: Duration) -> Seen {
        if count != self.count {
            return Seen { count, at: now, is_stuck: false };
        }
        Seen { is_stuck: now.saturating_sub(self.at) > allowance, ..self }
    }
}

impl<'p> Watch<'p> {
    pub(super) fn new(pulse: &'p Pulse) -> Watch<'p> {
        Watch { pulse, seen: Seen { count: pulse.read().0, at: Duration::ZERO, is_stuck: false } }
    }

    /// Looks, `now` after the first look: whether the loop goes on. A loop that stops going on, and one that goes on
    /// again, is logged once.
    pub(super) fn look(&mut self, now: Duration, name: &str) -> bool {
        let (count, allowance) = self.pulse.read();
        let before = self.seen;
        self.seen = before.next(count, allowance, now);
        match (before.is_stuck, self.seen.is_stuck) {
            (false, true) => {
                let silent = now.saturating_sub(before.at).as_secs();
                error!(target: "run", "{name} has not moved for {silent} s: the supervisor is told no more that all is well");
            }
            (true, false) => info!(target: "run", "{name} moves again"),
            _ => {}
        }
        !self.seen.is_stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Seen = Seen { count: 7, at: Duration::ZERO, is_stuck: false };
    const ALLOWED: Duration = Duration::from_secs(45);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn s_04_a_loop_without_signs_of_life_is_stuck_within_a_minute() {
        let mut seen = START;
        let mut last_well = at(0);
        for now in (0..=12).map(|n| at(n * LOOK_EVERY.as_secs())) {
            seen = seen.next(7, ALLOWED, now);
            if !seen.is_stuck {
                last_well = now;
            }
        }
        assert!(last_well <= at(60), "the last keep-alive was sent {last_well:?} after the last sign of life");
        assert!(seen.is_stuck);
    }

    #[test]
    fn s_04_a_loop_that_moves_is_never_stuck() {
        let mut seen = START;
        for n in 1..1_000 {
            seen = seen.next(7 + n / 4, ALLOWED, at(n * 10));
            assert!(!seen.is_stuck, "{n}");
        }
    }

    #[test]
    fn m_17_a_bounded_wait_counts_as_progress_until_its_end() {
        let begun = START.next(8, Duration::from_mins(20), at(10));
        assert!(!begun.next(8, Duration::from_mins(20), at(10 + 20 * 60)).is_stuck);
        assert!(begun.next(8, Duration::from_mins(20), at(11 + 20 * 60)).is_stuck);
    }

    #[test]
    fn a_loop_that_moves_again_is_well_again() {
        let stuck = START.next(7, ALLOWED, at(50));
        assert!(stuck.is_stuck);
        assert!(!stuck.next(8, ALLOWED, at(60)).is_stuck);
    }

    #[test]
    fn the_watch_follows_the_pulse() {
        let pulse = Pulse::default();
        let mut watch = Watch::new(&pulse);
        assert!(watch.look(at(45), "polling"));
        assert!(!watch.look(at(46), "polling"));
        pulse.beat();
        assert!(watch.look(at(47), "polling"));
    }
}
