//! What a loop does about its own failures: pure counting, no clock.

use std::{collections::VecDeque, time::Duration};

/// Panics are counted over this time.
const WINDOW: Duration = Duration::from_mins(10);
/// So many panics within it end the process.
const MOST_PANICS: usize = 5;
/// So many failed turns of one loop in a row end the process.
const MOST_FAULTS: u32 = 5;

/// When the last panics were.
#[derive(Debug, Default)]
pub(super) struct Panics(VecDeque<Duration>);

impl Panics {
    /// Counts a panic at this time since the start: how many there were within ten minutes, and whether that is too
    /// many.
    pub(super) fn count(&mut self, now: Duration) -> (usize, bool) {
        self.0.retain(|at| now.saturating_sub(*at) < WINDOW);
        self.0.push_back(now);
        (self.0.len(), self.0.len() >= MOST_PANICS)
    }
}

/// Failed turns in a row.
#[derive(Debug, Default)]
pub(super) struct Faults(u32);

impl Faults {
    /// A turn went well.
    pub(super) fn forget(&mut self) {
        self.0 = 0;
    }

    /// A turn failed: how long to wait before the next one; `None`: that was one too many.
    pub(super) fn count(&mut self) -> Option<Duration> {
        self.0 += 1;
        (self.0 < MOST_FAULTS).then(|| Duration::from_secs(1 << self.0))
    }

    /// Whether this is the first in a row, which is the one that is logged as an error.
    pub(super) fn is_first(&self) -> bool {
        self.0 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_05_five_panics_within_ten_minutes_are_too_many() {
        let mut panics = Panics::default();
        let minute = Duration::from_mins;
        assert_eq!((1..=4).map(|at| panics.count(minute(at)).1).collect::<Vec<_>>(), [false; 4]);
        assert_eq!(panics.count(minute(10)), (5, true));
    }

    #[test]
    fn s_05_panics_that_are_far_apart_are_lived_with() {
        let mut panics = Panics::default();
        for at in (0..100).map(|n| Duration::from_mins(3 * n)) {
            assert!(!panics.count(at).1, "{at:?}");
        }
    }

    #[test]
    fn the_fifth_fault_in_a_row_ends_the_process_and_a_good_turn_forgives() {
        let mut faults = Faults::default();
        let pauses: Vec<_> = (0..4).map(|_| faults.count().map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(2), Some(4), Some(8), Some(16)]);
        assert_eq!(faults.count(), None);
        faults.forget();
        assert!(faults.count().is_some() && faults.is_first());
    }
}
