//! Wake: what a long-running service does when it finds that time did not pass as it should: the clock was set, or the
//! machine was asleep.

use jiff::SignedDuration;

use super::{Context, Fault};
use crate::{clock::Reading, model::time::Time, store::clock::JUMP};

/// A service that has not looked for longer was asleep, stopped or starved.
const PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// Looks at the clock from time to time and remembers the last look.
#[derive(Debug, Default)]
pub struct Watchman {
    last: Option<Reading>,
}

/// What a look found; usually nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The clock was set: from where it should have stood to where it stands.
    pub jump: Option<(Time, Time)>,
    /// How many late polls were spread over the next hour.
    pub spread: usize,
}

impl Watchman {
    /// Looks. A jump is recorded, and the plan of polls moves with it. After a pause, and at the first look, polls that
    /// are late are spread.
    pub fn look(&mut self, context: &Context) -> Result<Found, Fault> {
        let Reading { now, running } = context.clock.reading();
        let jump = self.last.and_then(|last| jump(last, Reading { now, running }));
        let paused = self.last.is_none_or(|last| running - last.running > PAUSE);
        let mut spread = 0;
        if jump.is_some() || paused {
            spread = context.store.write(|write| {
                if let Some((from, to)) = jump {
                    write.clock_jumped(from, to)?;
                }
                if paused { write.spread_overdue(now) } else { Ok(0) }
            })?;
        }
        // Only now: a look that failed is taken again.
        self.last = Some(Reading { now, running });
        Ok(Found { jump, spread })
    }
}

/// Where the clock should stand and where it stands, if it was set.
fn jump(last: Reading, this: Reading) -> Option<(Time, Time)> {
    let passed = this.running - last.running;
    let expected = last.now.saturating_add(passed).unwrap_or(last.now);
    (this.now.duration_since(expected).abs() > JUMP).then_some((expected, this.now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(now: &str, running: i64) -> Reading {
        Reading { now: now.parse().unwrap(), running: SignedDuration::from_secs(running) }
    }

    #[test]
    fn p_25_sleep_daylight_saving_and_leap_seconds_are_no_jumps() {
        let last = reading("2026-03-29T00:59:58Z", 100);
        for this in [
            reading("2026-03-29T01:00:00Z", 102),
            reading("2026-03-29T00:59:59Z", 102),
            reading("2026-04-01T00:59:58Z", 100 + 3 * 86_400),
            reading("2026-03-29T01:04:00Z", 102),
        ] {
            assert_eq!(jump(last, this), None, "{this:?}");
        }
    }

    #[test]
    fn p_25_a_clock_that_was_set_is_told_from_time_that_passed() {
        let last = reading("2026-11-20T08:00:00Z", 100);
        for (to, running) in
            [("2036-11-20T08:00:00Z", 102), ("2016-11-20T08:00:00Z", 102), ("2026-11-20T08:00:02Z", 702)]
        {
            let (expected, found) = jump(last, reading(to, running)).unwrap();
            assert_eq!(found, to.parse().unwrap());
            assert_eq!(expected.duration_since(last.now), SignedDuration::from_secs(running - 100));
        }
    }
}
