//! What the supervisor is told (`sd_notify(3)`): ready, reloading, stopping, and that all is well. Without a supervisor
//! nothing happens; a supervisor that does not listen changes nothing.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tracing::debug;

use crate::jobs::Context;

/// The supervisor's wish to hear that all is well.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// How often it is told: three times in the time after which it would act.
    pub(super) interval: Duration,
}

impl Watchdog {
    /// The wish in `WATCHDOG_USEC`, if it is for this process.
    pub(super) fn from_environment() -> Option<Watchdog> {
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())?;
        Some(Watchdog { interval: limit / 3 })
    }

    /// All is well.
    #[expect(clippy::unused_self, reason = "only a supervisor that wants to hear it is told")]
    pub(super) fn keep_alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }
}

/// The service does its work from now on.
pub(super) fn ready(context: &Context) {
    let feeds = context.config.feeds.iter().filter(|feed| feed.enabled).count();
    let owners = context.config.owners.len();
    let status = format!("{feeds} feeds, {owners} owners, configuration {}", context.version.0);
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Reloads, with word before and after. What is not reloaded is ready as well.
pub(super) fn around_reload(reload: impl FnOnce() -> Option<Context>) {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    tell(&states);
    match reload() {
        Some(context) => ready(&context),
        None => tell(&[NotifyState::Ready]),
    }
}

/// The service comes to its end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    let told: io::Result<()> = sd_notify::notify(states);
    if let Err(error) = told {
        debug!(target: "run", "the supervisor was not told: {error}");
    }
}
