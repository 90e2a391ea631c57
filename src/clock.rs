//! The one file that reads the clock. Everything else is told what time it is.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

use crate::model::time::{Time, from_millis, millis};

/// Tells the time: the machine's, or one that a test moves by hand.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved.
    Manual(Arc<Hands>),
}

/// The hands of a clock that a test moves, in milliseconds.
#[derive(Debug, Default)]
pub struct Hands {
    wall: AtomicI64,
    running: AtomicI64,
}

/// Two clocks, read together. Where they disagree over a stretch of time, somebody set the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What time it is.
    pub now: Time,
    /// For how long the machine has run, sleep included; nobody can set it. Only differences within one process mean
    /// anything.
    pub running: SignedDuration,
}

impl Clock {
    /// A clock that stands at this moment until [`Clock::advance`].
    pub fn manual(start: Time) -> Self {
        Self::Manual(Arc::new(Hands { wall: AtomicI64::new(millis(start)), running: AtomicI64::new(0) }))
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(at) => from_millis(at.wall.load(Ordering::SeqCst)),
        }
    }

    /// What time it is, beside a clock that nobody can set.
    pub fn reading(&self) -> Reading {
        let running = match self {
            Self::System => running(),
            Self::Manual(at) => SignedDuration::from_millis(at.running.load(Ordering::SeqCst)),
        };
        Reading { now: self.now(), running }
    }

    /// Moves a manual clock as time does; the machine's clock is left alone.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Manual(at) = self {
            at.running.fetch_add(whole_millis(by), Ordering::SeqCst);
        }
        self.set_by(by);
    }

    /// Sets a manual clock forward or back, without any time passing; the machine's clock is left alone.
    pub fn set_by(&self, by: SignedDuration) {
        if let Self::Manual(at) = self {
            at.wall.fetch_add(whole_millis(by), Ordering::SeqCst);
        }
    }
}

fn whole_millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The machine's running time, sleep included.
#[cfg(target_os = "linux")]
fn running() -> SignedDuration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(|time| SignedDuration::new(time.tv_sec(), i32::try_from(time.tv_nsec()).unwrap_or_default()))
        .unwrap_or_default()
}

/// Where the system does not say, nothing is known of jumps.
#[cfg(not(target_os = "linux"))]
fn running() -> SignedDuration {
    static STARTED: std::sync::LazyLock<Stopwatch> = std::sync::LazyLock::new(Stopwatch::start);
    SignedDuration::try_from(STARTED.elapsed()).unwrap_or_default()
}

/// Measures how long something took, for a closing line that a person reads.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}
