//! The two loops: turn after turn until they are asked to stop. A turn does what is due and says when the next one is.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
    thread::{self, Scope},
    time::Duration,
};

use jiff::SignedDuration;
use tracing::{error, warn};

use super::{
    news,
    parts::{Loop, Parts},
    rounds::Rounds,
    strikes::Faults,
};
use crate::{
    cli::Failure,
    clock::Stopwatch,
    jobs::{self, Fault, poll, wake::Watchman},
    model::{feed::FeedState, id::FeedId, time::Time},
    store::{Read, StoreError},
};

/// The longest pause of the polling loop: a command beside the daemon may make feeds due at any time.
const LONGEST_POLL_PAUSE: Duration = Duration::from_secs(2);
/// The pause between two looks at feeds that are due and not ours to poll, as in the middle of a reload.
const NOT_OURS: Duration = Duration::from_secs(1);
/// The pause before another look where no other round may begin.
const CROWDED: Duration = Duration::from_millis(400);
/// The pause of the mailing loop; a poll that ended wakes it before.
const MAIL_PAUSE: Duration = Duration::from_secs(10);

/// Polls what is due, until asked to stop; then waits for what is under way.
pub(super) fn polling(parts: &Parts) -> Result<(), Failure> {
    thread::scope(|scope| {
        let (mut watchman, mut rounds) = (Watchman::default(), Rounds::default());
        let ended =
            turn_after_turn(parts, &parts.polling, "polling", || poll_turn(parts, &mut watchman, scope, &mut rounds));
        let last = catch_unwind(AssertUnwindSafe(|| rounds.end()));
        match (ended, last) {
            (Ok(()), Ok(last)) => last.map_err(Failure::from),
            (ended, _) => ended,
        }
    })
}

/// Composes and sends what is due, until asked to stop.
pub(super) fn mailing(parts: &Parts) -> Result<(), Failure> {
    turn_after_turn(parts, &parts.mailing, "mailing", || mail_turn(parts))
}

fn poll_turn<'s, 'p: 's>(
    parts: &'p Parts,
    watchman: &mut Watchman,
    scope: &'s Scope<'s, '_>,
    rounds: &mut Rounds<'s>,
) -> Result<Duration, Fault> {
    let context = parts.context_of(&parts.polling);
    rounds.wait_for_the_stuck(parts);
    rounds.reap()?;
    news::looked(&watchman.look(&context)?);
    if rounds.is_full() {
        return Ok(CROWDED);
    }
    let now = context.now();
    let pause = context.store.read(|read| Ok(read.next_poll_at()?.map(|next| until(next, now))))?;
    let pause = pause.unwrap_or(LONGEST_POLL_PAUSE);
    if !pause.is_zero() {
        return Ok(pause.min(LONGEST_POLL_PAUSE));
    }
    let claimed = poll::claim(&context, None)?;
    if claimed.is_empty() {
        return Ok(NOT_OURS);
    }
    rounds.begin(scope, parts, &context, claimed)?;
    rounds.gather();
    rounds.reap()?;
    Ok(Duration::ZERO)
}

/// How each feed stands.
pub(super) fn states(read: &Read<'_>) -> Result<HashMap<FeedId, FeedState>, StoreError> {
    Ok(read.feeds()?.into_iter().map(|feed| (feed.id, feed.state)).collect())
}

fn mail_turn(parts: &Parts) -> Result<Duration, Fault> {
    let context = parts.context_of(&parts.mailing);
    parts.sends_by(&context.mailer);
    news::returned(&jobs::inbound::look_due(&context)?);
    let (digests, deliveries) = jobs::mail_due(&context)?;
    news::composed(&digests);
    news::delivered(&deliveries);
    Ok(MAIL_PAUSE)
}

/// The time until a moment; none when it has passed.
fn until(moment: Time, now: Time) -> Duration {
    let left = moment.duration_since(now);
    if left <= SignedDuration::ZERO { Duration::ZERO } else { left.unsigned_abs() }
}

/// Takes turns until asked to stop. A turn that fails or panics is given up and tried again after a pause; what is
/// due is still due then. Errors: a broken log, a failed disk, or too many failures.
fn turn_after_turn(
    parts: &Parts,
    this: &Loop,
    name: &'static str,
    mut turn: impl FnMut() -> Result<Duration, Fault>,
) -> Result<(), Failure> {
    let clock = Stopwatch::start();
    let mut faults = Faults::default();
    while !parts.stopping.is_asked() {
        this.pulse.beat();
        let pause = match catch_unwind(AssertUnwindSafe(&mut turn)) {
            Ok(Ok(pause)) => {
                faults.forget();
                pause
            }
            Ok(Err(fault)) => after_fault(name, fault, &mut faults)?,
            Err(_) => after_panic(parts, name, clock.elapsed())?,
        };
        this.pulse.beat();
        this.bell.pause(pause);
    }
    Ok(())
}

fn after_fault(name: &str, fault: Fault, faults: &mut Faults) -> Result<Duration, Failure> {
    let failure = Failure::from(fault);
    if failure.exit_code() != 1 {
        return Err(failure);
    }
    let Some(pause) = faults.count() else {
        return Err(Failure::Service(format!("{name} failed five times in a row, at last with: {failure}")));
    };
    if faults.is_first() {
        error!(target: "run", "{name} failed and is tried again in {} s: {failure}", pause.as_secs());
    }
    Ok(pause)
}

fn after_panic(parts: &Parts, name: &str, now: Duration) -> Result<Duration, Failure> {
    let (panics, is_too_many) = parts.panics.lock().unwrap_or_else(PoisonError::into_inner).count(now);
    if is_too_many {
        return Err(Failure::Service(format!("{name} panicked, for the {panics}th time within ten minutes")));
    }
    warn!(target: "run", panics, "{name} panicked: the turn was given up and is tried again");
    Ok(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        clock::Clock,
        config,
        jobs::{
            Context,
            start::{Surroundings, start},
        },
    };

    /// A service that polls nothing by itself, in a folder of its own.
    fn parts(folder: &Path) -> Parts {
        let now: Time = "2026-11-20T08:00:00Z".parse().unwrap();
        let (config, _) = config::load_at(Path::new(env!("CARGO_MANIFEST_DIR")), now).unwrap();
        let around = Surroundings { clock: Clock::manual(now), ..Surroundings::default() };
        let (context, _): (Context, _) = start(config, folder, around).unwrap();
        Parts::new(context)
    }

    #[test]
    fn s_05_a_panic_costs_one_turn_and_five_end_the_loop() {
        let folder = tempfile::tempdir().unwrap();
        let parts = parts(folder.path());
        let mut turns = 0;
        let ended = turn_after_turn(&parts, &parts.polling, "polling", || {
            turns += 1;
            // So that the test need not sit through the pause.
            parts.polling.bell.ring();
            assert!(turns % 2 == 0, "a panic on purpose");
            Ok(Duration::ZERO)
        });
        assert_eq!(turns, 9, "every other turn went well");
        assert_eq!(ended.unwrap_err().exit_code(), 1);
    }

    #[test]
    fn a_fault_is_tried_again_and_a_broken_disk_or_log_ends_the_loop_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let parts = parts(folder.path());
        let ends_after = |fault: fn() -> Fault| {
            let mut turns = 0;
            let ended = turn_after_turn(&parts, &parts.mailing, "mailing", || {
                turns += 1;
                parts.mailing.bell.ring();
                Err(fault())
            });
            (turns, ended.unwrap_err().exit_code())
        };
        assert_eq!(ends_after(|| Fault::Compose("no bytes".to_owned())), (5, 1));
        assert_eq!(ends_after(|| Fault::Store(StoreError::BrokenLog("a hash".to_owned()))), (1, 3));
        let full = || {
            let code = rusqlite::ffi::Error { code: rusqlite::ErrorCode::DiskFull, extended_code: 13 };
            Fault::Store(StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, None)))
        };
        assert_eq!(ends_after(full), (1, 74));
    }

    #[test]
    fn a_loop_that_was_asked_to_stop_takes_no_other_turn() {
        let folder = tempfile::tempdir().unwrap();
        let parts = parts(folder.path());
        let mut turns = 0;
        let ended = turn_after_turn(&parts, &parts.polling, "polling", || {
            turns += 1;
            parts.stop();
            Ok(Duration::from_mins(10))
        });
        assert!(ended.is_ok() && turns == 1);
    }

    #[test]
    fn a_moment_that_passed_while_the_machine_slept_is_due_now() {
        let now: Time = "2026-11-20T08:00:00Z".parse().unwrap();
        assert_eq!(until("2026-11-17T08:00:00Z".parse().unwrap(), now), Duration::ZERO);
        assert_eq!(until("2026-11-20T08:00:01Z".parse().unwrap(), now), Duration::from_secs(1));
    }
}
