//! Deliver: hand frozen digests over, one attempt at a time, each committed before and after.

use std::time::Duration;

use super::{
    Context, Fault,
    hand_over::all_in_their_place,
    story::{feed_label, moved},
};
use crate::{
    delivery::{self, Next},
    model::{
        delivery::{DeliveryState, SendOutcome},
        digest::{DigestKind, HandOver},
        feed::Tlp,
        id::{AssignmentNo, DeliveryNo, OwnerId},
        settings::Config,
        time::Time,
    },
    route::{self, Assigned},
    store::{DigestRow, DueDelivery, Read, Reassigned, StoreError},
};

/// The longest that one attempt takes: ten minutes for the reply to the final dot, and the dialogue around it.
const LONGEST_SEND: Duration = Duration::from_mins(20);

/// What one attempt came to, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The delivery.
    pub delivery: DeliveryNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// What came of it; `None`: it was withdrawn.
    pub outcome: Option<SendOutcome>,
    /// Why it was withdrawn.
    pub reason: Option<String>,
}

/// What delivering did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliverReport {
    /// Every delivery that was tried, withdrawn, or found open after a death.
    pub deliveries: Vec<Delivered>,
}

/// Ends the attempts that a dead process left open, and says which: what became of their messages is not known.
pub fn settle_unfinished(context: &Context) -> Result<DeliverReport, Fault> {
    let now = context.now();
    let mut report = DeliverReport::default();
    for open in context.store.read(|read| read.unfinished_attempts())? {
        let outcome = SendOutcome::Uncertain { cause: "sigtrail stopped before the end was known".to_owned() };
        let next = delivery::next(&outcome, open.attempt, open.queued_at, now, open.delivery);
        finish(context, (open.delivery, open.attempt), &open.owner, &outcome, &next, now)?;
        let (delivery, owner) = (open.delivery, open.owner);
        report.deliveries.push(Delivered { delivery, owner, outcome: Some(outcome), reason: None });
    }
    Ok(report)
}

/// Tries every delivery whose time has come, oldest first, over one connection. None begins after a stop was asked
/// for.
pub fn deliver_due(context: &Context) -> Result<DeliverReport, Fault> {
    let mut report = DeliverReport::default();
    let due = context.store.read(|read| read.due_deliveries(context.now()))?;
    let mut session = context.mailer.session();
    for no in due {
        if context.stop.is_asked() {
            break;
        }
        let due = context.store.read(|read| read.delivery(no))?;
        let now = context.now();
        if let Some(refusal) = context.store.read(|read| refusal(context, read, &due, now))? {
            withdraw(context, &due, &refusal, now)?;
            let reason = Some(refusal.reason);
            report.deliveries.push(Delivered { delivery: no, owner: due.owner, outcome: None, reason });
            continue;
        }
        let Some(attempt) = context.store.write(|write| write.start_attempt(&due, now))? else { continue };
        let file = format!("{}-{}.eml", due.owner, due.digest);
        context.pulse.wait(LONGEST_SEND);
        let outcome = session.send(&due.address, &due.bytes, &file);
        context.pulse.beat();
        let now = context.now();
        let next = delivery::next(&outcome, attempt, due.queued_at, now, no);
        finish(context, (no, attempt), &due.owner, &outcome, &next, now)?;
        report.deliveries.push(Delivered { delivery: no, owner: due.owner, outcome: Some(outcome), reason: None });
    }
    Ok(report)
}

/// Commits what came of an attempt. What will never arrive goes to whoever stands in, in the same transaction.
fn finish(
    context: &Context,
    (delivery, attempt): (DeliveryNo, u32),
    owner: &OwnerId,
    outcome: &SendOutcome,
    next: &Next,
    now: Time,
) -> Result<(), Fault> {
    let is_lost = matches!(next, Next::Done(DeliveryState::Rejected | DeliveryState::GivenUp));
    context
        .store
        .write(|write| {
            write.finish_attempt((delivery, attempt), owner, outcome, next, now)?;
            if is_lost {
                let anew = in_their_place(context, &write.read(), (delivery, owner), now)?;
                write.escalate(&anew, context.version, now)?;
            }
            Ok(())
        })
        .map_err(Fault::from)
}

/// Who gets the stories of a digest that cannot be handed over; what nobody else may get stays where it is.
fn in_their_place(
    context: &Context,
    read: &Read<'_>,
    (delivery, owner): (DeliveryNo, &OwnerId),
    now: Time,
) -> Result<Vec<Reassigned>, StoreError> {
    let due = read.delivery(delivery)?;
    let stories = read.digest(due.digest)?.map(|digest| digest.stories).unwrap_or_default();
    let assignments: Vec<AssignmentNo> = stories.into_iter().map(|(_, assignment)| assignment).collect();
    all_in_their_place(&context.config, read, (owner, &assignments), HandOver::Undelivered, now)
}

/// Why a digest may not leave any more, and who gets its stories now. The reason names nobody: it stands open in the
/// log.
struct Refusal {
    reason: String,
    anew: Vec<Reassigned>,
}

/// Looks again, just before sending, whether this digest may go where it was addressed.
fn refusal(context: &Context, read: &Read<'_>, due: &DueDelivery, now: Time) -> Result<Option<Refusal>, StoreError> {
    let config = &context.config;
    let Some(digest) = read.digest(due.digest)? else { return Ok(None) };
    let owner = config.owner(&due.owner).filter(|owner| owner.is_living(now));
    let mut highest = Tlp::Clear;
    for feed in read.digest_feeds(due.digest)? {
        highest = highest.max(feed_label(config, read, &feed)?);
    }
    let reason = match owner {
        None => "its addressee is not an owner any more".to_owned(),
        Some(owner) if owner.address != due.address => "the owner's address changed".to_owned(),
        Some(owner) if highest > owner.tlp => {
            format!("something in it is labelled TLP:{highest}, above TLP:{}, the owner's ceiling", owner.tlp)
        }
        Some(_) => return away(config, read, digest, now),
    };
    let mut anew = Vec::new();
    for (_, assignment) in digest.stories {
        let (_, feed, why, urgent) = read.assignment(assignment)?;
        let label = feed_label(config, read, &feed)?;
        let kept = || Reassigned {
            assignment,
            why: HandOver::Left,
            to: Some(Assigned { owner: due.owner.clone(), reason: why.clone(), urgent }),
            withheld: None,
        };
        let moved = moved(config, (assignment, &why, urgent), &due.owner, label, now);
        // What nobody can get waits under the name that it has until somebody can.
        anew.push(moved.filter(|moved| moved.to.is_some() || moved.withheld.is_some()).unwrap_or_else(kept));
    }
    Ok(Some(Refusal { reason, anew }))
}

/// A digest whose addressee went away before it left, where somebody else can get all of its stories.
fn away(config: &Config, read: &Read<'_>, digest: DigestRow, now: Time) -> Result<Option<Refusal>, StoreError> {
    if digest.kind == DigestKind::Passed || route::is_here(config, &digest.owner, now) {
        return Ok(None);
    }
    let assignments: Vec<AssignmentNo> = digest.stories.into_iter().map(|(_, assignment)| assignment).collect();
    let anew = all_in_their_place(config, read, (&digest.owner, &assignments), HandOver::Away, now)?;
    let reason = "its addressee is away".to_owned();
    Ok((anew.len() == assignments.len()).then_some(Refusal { reason, anew }))
}

fn withdraw(context: &Context, due: &DueDelivery, refusal: &Refusal, now: Time) -> Result<(), Fault> {
    context
        .store
        .write(|write| write.withdraw(due, &refusal.reason, &refusal.anew, context.version, now))
        .map_err(Fault::from)
}
