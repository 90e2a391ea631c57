//! What the supervisor is told (`sd_notify(3)`): ready, reloading, stopping, and that all is well. Without a supervisor
//! nothing happens; a supervisor that does not listen changes nothing.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tracing::debug;

use super::reload::Reloaded;
use crate::jobs::Context;

/// The most characters of the status line that tell of a reload.
const LONGEST_NEWS: usize = 300;

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
    tell(&[NotifyState::Ready, NotifyState::Status(&status(context))]);
}

fn status(context: &Context) -> String {
    let feeds = context.config.feeds.iter().filter(|feed| feed.enabled).count();
    let owners = context.config.owners.len();
    format!("{feeds} feeds, {owners} owners, configuration {}", context.version.0)
}

/// Reloads, with word before and after. What is not reloaded is ready as well.
pub(super) fn around_reload(reload: impl FnOnce() -> Reloaded) {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    tell(&states);
    let (context, news) = match reload() {
        Reloaded::InForce(context, what) => (context, format!("last reload: {what}")),
        Reloaded::Refused(context, why) => (context, format!("last reload REFUSED: {why}")),
    };
    let news: String = news.chars().take(LONGEST_NEWS).collect();
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("{}; {news}", status(&context)))]);
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
