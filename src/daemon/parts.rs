//! What the loops and the main thread share: the configuration in force, a bell to wake each loop, and the signs of
//! life of each.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, RwLock},
    time::Duration,
};

use super::strikes::Panics;
use crate::{
    jobs::{Context, Pulse, Stop, vitals::Moving},
    mail::Mailer,
};

/// Wakes a loop before its pause is over. A ring while nobody sleeps is kept for the next pause.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    /// Wakes whoever pauses.
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Pauses for this time, or until the bell rings.
    pub(super) fn pause(&self, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// One loop, as the others see it.
#[derive(Debug, Default)]
pub(super) struct Loop {
    /// Wakes it.
    pub(super) bell: Bell,
    /// Shows that it goes on.
    pub(super) pulse: Pulse,
    /// Asks the verb at work to come to an end.
    pub(super) stop: Stop,
}

/// Everything that is shared.
pub(super) struct Parts {
    current: RwLock<Context>,
    /// Asks both loops to begin no other turn.
    pub(super) stopping: Stop,
    /// The loop that polls.
    pub(super) polling: Loop,
    /// The loop that mails.
    pub(super) mailing: Loop,
    /// Which loops go on, for monitoring.
    pub(super) moving: Arc<Moving>,
    /// The panics of both loops.
    pub(super) panics: Mutex<Panics>,
    sending: Mutex<Option<Arc<Mailer>>>,
}

impl Parts {
    pub(super) fn new(context: Context) -> Parts {
        Parts {
            current: RwLock::new(context),
            stopping: Stop::default(),
            polling: Loop::default(),
            mailing: Loop::default(),
            moving: Arc::default(),
            panics: Mutex::default(),
            sending: Mutex::default(),
        }
    }

    /// The context in force.
    pub(super) fn context(&self) -> Context {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The context in force as one loop uses it for one turn.
    pub(super) fn context_of(&self, part: &Loop) -> Context {
        Context { stop: part.stop.clone(), pulse: part.pulse.clone(), ..self.context() }
    }

    /// Puts another context in force; turns that are under way end with the one that they began with.
    pub(super) fn replace(&self, context: Context) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = context;
        self.polling.bell.ring();
        self.mailing.bell.ring();
    }

    /// Notes which mailer is at work, so that a stop reaches it after a reload as well.
    pub(super) fn sends_by(&self, mailer: &Arc<Mailer>) {
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(mailer));
    }

    /// Asks for the end: no other turn, no other mail, and a limit for the mail that is under way. A poll that is
    /// under way goes on until [`Loop::stop`] of the polling is asked.
    pub(super) fn stop(&self) {
        self.stopping.ask();
        self.mailing.stop.ask();
        self.context().mailer.hurry();
        if let Some(mailer) = self.sending.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            mailer.hurry();
        }
        self.polling.bell.ring();
        self.mailing.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stopwatch;

    #[test]
    fn a_bell_that_rang_before_the_pause_ends_it_at_once_and_only_once() {
        let bell = Bell::default();
        bell.ring();
        let watch = Stopwatch::start();
        bell.pause(Duration::from_secs(20));
        assert!(watch.elapsed() < Duration::from_secs(10));
        let watch = Stopwatch::start();
        bell.pause(Duration::from_millis(50));
        assert!(watch.elapsed() >= Duration::from_millis(50));
    }
}
