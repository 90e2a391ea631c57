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
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at this moment until [`Clock::advance`].
    pub fn manual(start: Time) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(millis(start))))
    }

    /// What time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(at) => from_millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's clock is left alone.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Manual(at) = self {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
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
