//! Rounds of polls that run beside each other: a feed that answers slowly holds up its own round, and what falls due
//! meanwhile is asked in the next.

use std::{
    panic::resume_unwind,
    thread::{Builder, Scope, ScopedJoinHandle, sleep},
    time::Duration,
};

use super::{news, parts::Parts};
use crate::{
    clock::Stopwatch,
    fetch::FetchError,
    jobs::{
        Context, Fault, Pulse,
        poll::{self, Claimed, PollReport},
    },
};

/// So many rounds run at once at the most; the next one waits for one of them. Feeds that are silent until their time is over
/// keep a round each when they fall due at moments of their own, and there may be many of those.
const MOST: usize = 32;
/// With so many more rounds under way, the next one gathers for as long again: there are fewer of them, with more feeds each.
const CROWD: usize = 8;
/// For how long feeds that fall due gather after a round began, before the next one begins.
const GATHER: Duration = Duration::from_millis(400);
/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(50);

/// The rounds that are under way.
#[derive(Debug, Default)]
pub(super) struct Rounds<'s> {
    under_way: Vec<Round<'s>>,
}

#[derive(Debug)]
struct Round<'s> {
    thread: ScopedJoinHandle<'s, Result<PollReport, Fault>>,
    pulse: Pulse,
    /// How many signs of life it had given when the last new one was seen, and when that was.
    seen: (u64, Stopwatch),
}

impl Round<'_> {
    /// Whether it has been silent for longer than its last sign of life holds.
    fn is_stuck(&mut self) -> bool {
        let (count, allowance) = self.pulse.read();
        if count != self.seen.0 {
            self.seen = (count, Stopwatch::start());
        }
        !self.thread.is_finished() && self.seen.1.elapsed() > allowance
    }
}

impl<'s> Rounds<'s> {
    /// Whether no other round may begin now.
    pub(super) fn is_full(&self) -> bool {
        self.under_way.len() >= MOST
    }

    /// Begins a round.
    pub(super) fn begin<'p: 's>(
        &mut self,
        scope: &'s Scope<'s, '_>,
        parts: &'p Parts,
        context: &Context,
        claimed: Claimed,
    ) -> Result<(), Fault> {
        let pulse = Pulse::default();
        let context = Context { pulse: pulse.clone(), ..context.clone() };
        let thread = Builder::new().name("round".to_owned()).spawn_scoped(scope, move || {
            let report = play(&context, claimed)?;
            news::network(&report);
            parts.mailing.bell.ring();
            Ok(report)
        });
        let thread = thread.map_err(|error| Fault::Fetch(FetchError::Threads(error)))?;
        self.under_way.push(Round { thread, seen: (pulse.read().0, Stopwatch::start()), pulse });
        Ok(())
    }

    /// Lets feeds that fall due gather: until all rounds are over, at most for a while, and longer where many are under way.
    pub(super) fn gather(&self) {
        let crowds = u32::try_from(self.under_way.len() / CROWD).unwrap_or_default();
        self.settle(GATHER.saturating_mul(crowds.saturating_add(1)));
    }

    /// Waits until all rounds are over, at most this long.
    fn settle(&self, most: Duration) {
        let watch = Stopwatch::start();
        while watch.elapsed() < most && self.under_way.iter().any(|round| !round.thread.is_finished()) {
            sleep(LOOK);
        }
    }

    /// Takes in the rounds that are over. Errors: the first fault of any. A panic goes on here.
    pub(super) fn reap(&mut self) -> Result<(), Fault> {
        while let Some(at) = self.under_way.iter().position(|round| round.thread.is_finished()) {
            match self.under_way.swap_remove(at).thread.join() {
                Ok(report) => report.map(drop)?,
                Err(panic) => resume_unwind(panic),
            }
        }
        Ok(())
    }

    /// Waits for as long as a round gives no sign of life, so that the loop gives none either.
    pub(super) fn wait_for_the_stuck(&mut self, parts: &Parts) {
        while !parts.stopping.is_asked() && self.under_way.iter_mut().any(Round::is_stuck) {
            sleep(LOOK);
        }
    }

    /// Waits for all that are under way, which were asked to end. Errors: as of [`Rounds::reap`].
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        while !self.under_way.is_empty() {
            self.settle(LOOK);
            self.reap()?;
        }
        Ok(())
    }
}

fn play(context: &Context, claimed: Claimed) -> Result<PollReport, Fault> {
    let before = context.store.read(super::loops::states)?;
    poll::ask(context, claimed, &mut |progress| {
        context.pulse.beat();
        if let Some(feed) = progress.last {
            news::polled(feed, before.get(&feed.feed).copied());
        }
    })
}
