//! Deliver: hand frozen digests over, one attempt at a time, each committed before and after.

mod turn;

use std::time::Duration;

use jiff::SignedDuration;

use self::turn::Turn;
use super::{
    Context, Fault,
    acknowledge::open_places,
    hand_over::all_in_their_place,
    story::{feed_label, moved},
};
use crate::{
    delivery::{self, Next, Tried},
    mail::Outgoing,
    model::{
        delivery::{Attempted, DeliveryState, RelayFault, SendOutcome},
        digest::{DigestKind, HandOver},
        feed::Tlp,
        id::{AssignmentNo, DeliveryNo, OwnerId},
        owner::Owner,
        settings::{Config, MailTransport},
        time::Time,
    },
    route::{self, Assigned},
    store::{DigestRow, DueDelivery, Read, Reassigned, StoreError},
};

/// The longest that one attempt takes: ten minutes for the reply to the final dot, and the dialogue around it.
const LONGEST_SEND: Duration = Duration::from_mins(20);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What one attempt came to, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The delivery.
    pub delivery: DeliveryNo,
    /// Whose digest.
    pub owner: OwnerId,
    /// What came of it; `None`: it was withdrawn before it was tried.
    pub outcome: Option<SendOutcome>,
    /// Why it was withdrawn, before or after.
    pub reason: Option<String>,
}

/// What delivering did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliverReport {
    /// Every delivery that was tried, withdrawn, or found open after a death.
    pub deliveries: Vec<Delivered>,
    /// How many digests ended so that their stories are told anew at once, to their owner or to somebody else.
    pub to_compose_anew: usize,
}

/// Ends the attempts that a dead process left open, and says which: what became of their messages is not known.
pub fn settle_unfinished(context: &Context) -> Result<DeliverReport, Fault> {
    let now = context.now();
    let mut report = DeliverReport::default();
    for no in context.store.read(|read| read.unfinished_deliveries())? {
        let due = context.store.read(|read| read.delivery(no))?;
        let outcome = SendOutcome::Uncertain { cause: "sigtrail stopped before the end was known".to_owned() };
        let attempted = Attempted { outcome, trouble: None, size_limit: None };
        finish(context, (&due, due.attempts), attempted, (false, now), &mut report)?;
    }
    Ok(report)
}

/// Tries every delivery whose time has come, oldest first, over one connection. None begins after a stop was asked
/// for, while a mail server in trouble is left alone, or beyond the number that the server is given in a minute.
pub fn deliver_due(context: &Context) -> Result<DeliverReport, Fault> {
    let mut report = DeliverReport::default();
    // Messages that a server refuses for reasons of their own keep no other from showing it.
    let due = context.store.read(|read| {
        let is_refusing = read.relay_trouble()?.is_some_and(|row| row.trouble.fault == RelayFault::Sender);
        read.due_deliveries(is_refusing, context.now())
    })?;
    if due.is_empty() || context.store.read(|read| is_held(context, read))? {
        return Ok(report);
    }
    let (mut session, mut turn) = (context.mailer.session(), Turn::default());
    for no in due {
        if context.stop.is_asked() {
            break;
        }
        let due = context.store.read(|read| read.delivery(no))?;
        let now = context.now();
        if let Some(refusal) = context.store.read(|read| refusal(context, read, &due, now))? {
            withdraw(context, &due, &refusal, now)?;
            report.to_compose_anew += 1;
            let reason = Some(refusal.reason);
            report.deliveries.push(Delivered { delivery: no, owner: due.owner, outcome: None, reason });
            continue;
        }
        if context.store.read(|read| is_minute_full(context, read, now))? {
            break;
        }
        let Some(attempt) = begin(context, &due, now)? else { continue };
        let file = format!("{}-{}.eml", due.owner, due.digest);
        context.pulse.wait(LONGEST_SEND);
        let message = Outgoing { to: &due.address, message_id: &due.message_id, bytes: &due.bytes, file: &file };
        let attempted = session.hand_over(&message);
        context.pulse.beat();
        let is_refused = attempted.trouble.as_ref().is_some_and(|trouble| trouble.fault == RelayFault::Sender);
        let others_pass = is_refused && context.store.read(|read| read.others_pass_since(due.no))?;
        let attempted = turn.judged((&due, attempt), attempted, others_pass);
        // A server that asks for a login when it is given a message does not let us in either.
        let lets_in = |fault| matches!(fault, RelayFault::Busy | RelayFault::Sender);
        let is_turned_away = attempted.trouble.as_ref().is_some_and(|trouble| !lets_in(trouble.fault));
        let is_barred = session.is_barred() || is_turned_away;
        finish(context, (&due, attempt), attempted, (is_barred, context.now()), &mut report)?;
        turn.settle(context, context.now())?;
        if is_barred {
            // The others wait, and nothing has happened to them.
            return Ok(report);
        }
        if turn.is_hopeless() {
            break;
        }
    }
    turn.end(context, context.now())?;
    Ok(report)
}

/// Whether a mail server in trouble is left alone for now.
fn is_held(context: &Context, read: &Read<'_>) -> Result<bool, StoreError> {
    let is_local = matches!(context.config.mail.transport, MailTransport::Directory);
    let row = read.relay_trouble()?.filter(|_| !is_local);
    Ok(row.is_some_and(|row| delivery::is_held(row.hold_until, context.now())))
}

/// Whether the mail server has had as many messages within a minute as it is given.
fn is_minute_full(context: &Context, read: &Read<'_>, now: Time) -> Result<bool, StoreError> {
    let Some(most) = context.config.mail.per_minute.and_then(|most| usize::try_from(most).ok()) else {
        return Ok(false);
    };
    Ok(read.attempts_between(now.saturating_sub(MINUTE).unwrap_or(now), now)? >= most)
}

/// Commits that an attempt begins; which one it is.
fn begin(context: &Context, due: &DueDelivery, now: Time) -> Result<Option<u32>, Fault> {
    let begun = context.store.write(|write| {
        write.claim_relay(now)?;
        write.start_attempt(due, now)
    })?;
    Ok(begun)
}

/// Commits what came of an attempt. A digest that will not arrive, or not soon, ends here, and its stories go on in the
/// same transaction.
fn finish(
    context: &Context,
    (due, attempt): (&DueDelivery, u32),
    attempted: Attempted,
    (is_barred, now): (bool, Time),
    report: &mut DeliverReport,
) -> Result<(), Fault> {
    let is_taken = matches!(attempted.outcome, SendOutcome::Accepted { .. } | SendOutcome::Written { .. });
    let fails = attempted.trouble.is_none() && !is_taken;
    let tried = Tried {
        delivery: due.no,
        attempt,
        is_urgent: due.is_urgent,
        // What lies ahead was noted by a clock that was wrong.
        failing_since: due.failing_since.filter(|since| *since <= now).or(fails.then_some(now)),
        now,
    };
    // A digest that meets a server in trouble stays the first in the queue.
    let trouble = attempted.trouble.as_ref().filter(|_| is_barred);
    let held_until = trouble.map(|trouble| delivery::hold_until(trouble.fault, attempt, now));
    let next = held_until.map_or_else(|| delivery::next(&attempted.outcome, &tried), Next::At);
    let ending = context.store.write(|write| {
        write.finish_attempt(due, &attempted.outcome, &tried, &next)?;
        write.see_relay(&attempted, held_until, now)?;
        let ending = ending(context, &write.read(), due, &attempted, (&tried, &next))?;
        if let Some(ending) = &ending {
            if let Some(reason) = ending.reason {
                write.withdraw(due, reason, now)?;
            }
            write.give_anew(due, &ending.anew, ending.is_due, context.version, now)?;
        }
        Ok(ending)
    })?;
    report.to_compose_anew += usize::from(ending.is_some());
    report.deliveries.push(Delivered {
        delivery: due.no,
        owner: due.owner.clone(),
        outcome: Some(attempted.outcome),
        reason: ending.and_then(|ending| ending.reason).map(str::to_owned),
    });
    Ok(())
}

/// How a digest ends that was not handed over.
struct Ending {
    /// Why it is withdrawn; `None`: its delivery has ended by itself. It names nobody: it stands open in the log.
    reason: Option<&'static str>,
    /// Who gets its stories now.
    anew: Vec<Reassigned>,
    /// Whether its owner is told again at once.
    is_due: bool,
}

const TOO_LARGE: &str =
    "the mail server takes no message of this size: what it tells is composed anew in smaller parts";
const UNDELIVERED: &str = "no attempt succeeded in time: its stories went to whoever stands in";
const UNCONFIRMED: &str =
    "nothing confirmed it in time: it may have arrived, and its stories went to whoever stands in";

/// Whether a digest ends with this attempt although it was not handed over, and how.
fn ending(
    context: &Context,
    read: &Read<'_>,
    due: &DueDelivery,
    attempted: &Attempted,
    (tried, next): (&Tried, &Next),
) -> Result<Option<Ending>, StoreError> {
    let mut open = Vec::new();
    for (_, assignment) in read.digest(due.digest)?.map(|digest| digest.stories).unwrap_or_default() {
        if read.is_open(assignment)? {
            open.push(assignment);
        }
    }
    let is_due = waits_for_the_hour(due.kind);
    let is_too_large = matches!(attempted.outcome, SendOutcome::TooLarge { .. });
    if is_too_large && read.items(due.digest)? > 1 && !read.cannot_shrink(due.digest)? {
        // What is no news has its occasion still once this digest does not count any more.
        if matches!(due.kind, DigestKind::Reminder | DigestKind::Links | DigestKind::Passed) {
            return Ok(Some(Ending { reason: Some(TOO_LARGE), anew: Vec::new(), is_due: false }));
        }
        let again = open.iter().map(|assignment| told_again(read, &due.owner, *assignment, true));
        let anew = again.collect::<Result<_, _>>()?;
        return Ok(Some(Ending { reason: Some(TOO_LARGE), anew, is_due }));
    }
    let is_over = matches!(next, Next::Done(DeliveryState::Rejected | DeliveryState::GivenUp));
    let is_overdue = matches!(next, Next::At(_)) && attempted.trouble.is_none() && tried.is_overdue();
    if !(is_over || is_overdue) {
        return Ok(None);
    }
    let mut anew = Vec::new();
    for assignment in open {
        let why = HandOver::Undelivered;
        let elsewhere = all_in_their_place(&context.config, read, (&due.owner, &[assignment]), why, tried.now)?;
        anew.push(match elsewhere.into_iter().next() {
            Some(moved) => moved,
            // What nobody else can take waits for its owner; where it was refused, until the owner's hour.
            None => told_again(read, &due.owner, assignment, is_overdue)?,
        });
    }
    if is_over {
        return Ok(Some(Ending { reason: None, anew, is_due: false }));
    }
    let is_taken = anew.iter().any(|moved| moved.to.as_ref().is_some_and(|to| to.owner != due.owner));
    let is_uncertain = matches!(attempted.outcome, SendOutcome::Uncertain { .. });
    let reason = Some(if is_uncertain { UNCONFIRMED } else { UNDELIVERED });
    Ok(is_taken.then_some(Ending { reason, anew, is_due }))
}

/// Whether what a digest of this kind told waits for its owner's hour; what is urgent, and what came from somebody else, has an
/// occasion of its own.
fn waits_for_the_hour(kind: DigestKind) -> bool {
    !matches!(kind, DigestKind::Urgent | DigestKind::Takeover)
}

/// The same owner is told again, as urgently as before where `keeps_urgency`.
fn told_again(
    read: &Read<'_>,
    owner: &OwnerId,
    assignment: AssignmentNo,
    keeps_urgency: bool,
) -> Result<Reassigned, StoreError> {
    let (_, _, reason, urgent) = read.assignment(assignment)?;
    let to = Some(Assigned { owner: owner.clone(), reason, urgent: urgent && keeps_urgency });
    Ok(Reassigned { assignment, why: HandOver::Undelivered, to, withheld: None })
}

/// Why a digest may not leave any more, and who gets its stories now. The reason names nobody: it stands open in the
/// log.
struct Refusal {
    reason: String,
    anew: Vec<Reassigned>,
}

const ANSWERED: &str = "nothing in it waits for an answer of its addressee any more";
const PART_ANSWERED: &str = "some of it waits for no answer of its addressee any more: it is composed anew of the rest";

/// Whether a mail that asks once more for an answer asks for too much by now.
fn asked_in_vain(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    digest: &DigestRow,
) -> Result<Option<Refusal>, StoreError> {
    let refused = |reason: &str| Some(Refusal { reason: reason.to_owned(), anew: Vec::new() });
    let open = match digest.kind {
        DigestKind::Links => open_places(config, read, owner, digest.no)?.len(),
        DigestKind::Reminder => {
            let open = read.open_of(&owner.id)?;
            let is_open = |assignment: &AssignmentNo| open.iter().any(|row| row.assignment == *assignment);
            digest.stories.iter().filter(|(_, assignment)| is_open(assignment)).count()
        }
        _ => return Ok(None),
    };
    Ok(match open {
        0 => refused(ANSWERED),
        some if some < digest.stories.len() => refused(PART_ANSWERED),
        _ => None,
    })
}

/// Looks again, just before sending, whether this digest may go where it was addressed.
fn refusal(context: &Context, read: &Read<'_>, due: &DueDelivery, now: Time) -> Result<Option<Refusal>, StoreError> {
    let config = &context.config;
    let Some(digest) = read.digest(due.digest)? else { return Ok(None) };
    let owner = config.owner(&due.owner).filter(|owner| owner.is_living(now));
    if let Some(refusal) = owner.map_or(Ok(None), |owner| asked_in_vain(config, read, owner, &digest))? {
        return Ok(Some(refusal));
    }
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
    // New links were asked for, by whoever is away as well.
    if matches!(digest.kind, DigestKind::Passed | DigestKind::Links) || route::is_here(config, &digest.owner, now) {
        return Ok(None);
    }
    let reason = "its addressee is away".to_owned();
    if digest.kind == DigestKind::Reminder {
        // What cannot wait for the return is somebody else's by now.
        return Ok(Some(Refusal { reason, anew: Vec::new() }));
    }
    let assignments: Vec<AssignmentNo> = digest.stories.into_iter().map(|(_, assignment)| assignment).collect();
    let anew = all_in_their_place(config, read, (&digest.owner, &assignments), HandOver::Away, now)?;
    Ok((anew.len() == assignments.len()).then_some(Refusal { reason, anew }))
}

fn withdraw(context: &Context, due: &DueDelivery, refusal: &Refusal, now: Time) -> Result<(), Fault> {
    context.store.write(|write| {
        write.withdraw(due, &refusal.reason, now)?;
        // What was due is due still, and does not wait for another hour.
        let is_due = waits_for_the_hour(due.kind) && !refusal.anew.is_empty();
        write.give_anew(due, &refusal.anew, is_due, context.version, now)
    })?;
    Ok(())
}
