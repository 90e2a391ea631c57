//! What one turn of deliveries shows of a mail server that refuses a sender: it refuses every message of ours, or this one
//! for a reason of its own. A message is judged by what the others of its turn meet.

use crate::{
    delivery::{self, REFUSED_SENDERS},
    jobs::{Context, Fault},
    model::{
        delivery::{Attempted, RelayFault, RelayTrouble},
        id::DeliveryNo,
        time::Time,
    },
    store::DueDelivery,
};

/// A turn as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Whether the server took the sender of a message.
    is_sender_taken: bool,
    /// The messages whose sender it refused before it took one.
    refused: Vec<Refused>,
}

/// A message whose sender was refused.
#[derive(Debug)]
struct Refused {
    delivery: DeliveryNo,
    attempt: u32,
    trouble: RelayTrouble,
}

impl Turn {
    /// An attempt as it counts: a sender that is refused while others pass, or once more with a message that failed by
    /// itself before, is no trouble of the server; `others_pass`: the server took another message since this one was tried
    /// last, which few turns show that a minute's allowance cuts short. Whose the others are is not known yet.
    pub(super) fn judged(
        &mut self,
        (due, attempt): (&DueDelivery, u32),
        attempted: Attempted,
        others_pass: bool,
    ) -> Attempted {
        self.is_sender_taken |= delivery::is_sender_taken(&attempted);
        let Some(trouble) = attempted.trouble.as_ref().filter(|trouble| trouble.fault == RelayFault::Sender) else {
            return attempted;
        };
        // It says neither that the server lets us in nor that it does not.
        if self.is_sender_taken || others_pass || due.failing_since.is_some() {
            return Attempted { trouble: None, size_limit: None, ..attempted };
        }
        self.refused.push(Refused { delivery: due.no, attempt, trouble: trouble.clone() });
        Attempted { size_limit: None, ..attempted }
    }

    /// Whether so many were refused, and none taken, that no other is tried.
    pub(super) fn is_hopeless(&self) -> bool {
        self.refused.len() >= REFUSED_SENDERS
    }

    /// Commits what is known now: as soon as one sender was taken, those that were refused before fail by themselves.
    pub(super) fn settle(&mut self, context: &Context, now: Time) -> Result<(), Fault> {
        if !self.is_sender_taken || self.refused.is_empty() {
            return Ok(());
        }
        let refused = std::mem::take(&mut self.refused);
        context.store.write(|write| refused.iter().try_for_each(|one| write.fails_itself(one.delivery, now)))?;
        Ok(())
    }

    /// Commits how the turn ended: where every sender was refused it is the server's trouble, and they stay the first in
    /// the queue.
    pub(super) fn end(self, context: &Context, now: Time) -> Result<(), Fault> {
        let Some(last) = self.refused.last() else { return Ok(()) };
        let attempt = self.refused.iter().map(|one| one.attempt).max().unwrap_or(1);
        let until = delivery::hold_until(last.trouble.fault, attempt, now);
        context.store.write(|write| {
            write.hold_relay(&last.trouble, until, now)?;
            self.refused.iter().try_for_each(|one| write.plan_attempt(one.delivery, until))
        })?;
        Ok(())
    }
}
