//! Inbound: look into the mailbox that mails come back to, and move exactly the delivery that a report names. Answers of
//! programs, notifications and letters are counted and move nothing; nothing that comes by mail is an acknowledgement.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::{Context, Fault, hand_over::all_in_their_place, story::feed_label};
use crate::{
    bounce::{self, Action, Incoming, Recipient, Report},
    inbound::{Letter, Limits, Look, Seen},
    model::{
        digest::HandOver,
        id::{DeliveryNo, OwnerId},
        settings::InboundSettings,
        time::Time,
    },
    route::{self, Assigned},
    store::{Looked, NewReport, Read, Reassigned, SentDigest, Sorted, StoreError},
};

/// The longest that one look takes beside what its limits say: reading and committing.
const BESIDE: Duration = Duration::from_mins(1);
/// No look is planned further ahead than this, but for a longer interval: what lies beyond was planned by a clock that
/// was ahead.
const FAR: SignedDuration = SignedDuration::from_hours(1);

/// A report about one of our digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The delivery.
    pub delivery: DeliveryNo,
    /// Whose digest it was.
    pub owner: OwnerId,
    /// What the report says.
    pub action: Action,
    /// Whether the delivery has moved by it.
    pub has_moved: bool,
}

/// What a look brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboundReport {
    /// How many messages were read.
    pub messages: usize,
    /// The reports about our digests.
    pub reports: Vec<Returned>,
    /// How many reports were about nothing of ours.
    pub strange: usize,
    /// How many messages a program had written.
    pub automatic: usize,
    /// How many were anything else.
    pub others: usize,
    /// Why the mailbox could not be read, or not to its end.
    pub trouble: Option<String>,
}

/// Looks into the mailbox, if there is one and it is time.
pub fn look_due(context: &Context) -> Result<InboundReport, Fault> {
    look_due_within(context, Limits::default())
}

/// The same, with other limits on what a server may take.
pub fn look_due_within(context: &Context, limits: Limits) -> Result<InboundReport, Fault> {
    let mut report = InboundReport::default();
    let Some(settings) = &context.config.inbound else { return Ok(report) };
    let (now, name) = (context.now(), settings.source.name());
    let row = context.store.read(|read| read.inbound(&name))?;
    let far = now.saturating_add(settings.every.max(FAR)).unwrap_or(now);
    if context.stop.is_asked() || row.as_ref().is_some_and(|row| row.next_look_at > now && row.next_look_at <= far) {
        return Ok(report);
    }
    let next = now.saturating_add(settings.every).unwrap_or(now);
    context.store.write(|write| write.claim_look(&name, next))?;
    let seen = row.map(|row| Seen { uid_validity: row.uid_validity, last_uid: row.last_uid }).unwrap_or_default();
    context.pulse.wait(limits.whole + BESIDE);
    let looked = look(context, settings, seen, limits, &mut report)?;
    context.pulse.beat();
    context.store.write(|write| write.finish_look(&looked, settings.every, context.now()))?;
    Ok(report)
}

/// Reads what is unread. What goes wrong with one message keeps none of the others from being read.
fn look(
    context: &Context,
    settings: &InboundSettings,
    seen: Seen,
    limits: Limits,
    report: &mut InboundReport,
) -> Result<Looked, Fault> {
    let stop = context.stop.clone();
    let ended = Arc::new(move || stop.is_asked());
    let mut failed = None;
    let has_more = match Look::begin(settings, seen, bounce::LONGEST, limits, ended) {
        Err(trouble) => {
            failed = Some(trouble);
            false
        }
        Ok(mut look) => {
            while !context.stop.is_asked() {
                match look.next() {
                    Ok(None) => break,
                    Err(trouble) => {
                        failed.get_or_insert(trouble);
                    }
                    Ok(Some(letter)) => {
                        take(context, &letter, report)?;
                        if let Err(trouble) = look.mark(&letter) {
                            failed.get_or_insert(trouble);
                        }
                    }
                }
            }
            look.has_more() || context.stop.is_asked()
        }
    };
    if context.stop.is_asked() {
        // The end of the service is nobody's trouble.
        return Ok(Looked::More);
    }
    report.trouble = failed.as_ref().map(|trouble| trouble.cause.clone());
    Ok(match failed {
        Some(trouble) => Looked::Failed { trouble: trouble.cause, login: trouble.login },
        None if has_more => Looked::More,
        None => Looked::Done,
    })
}

/// Judges one message and commits what follows, together with how far the mailbox is read.
fn take(context: &Context, letter: &Letter, report: &mut InboundReport) -> Result<(), Fault> {
    let now = context.now();
    // A message that the reader cannot bear is one that says nothing.
    let incoming = catch_unwind(AssertUnwindSafe(|| bounce::read(&letter.bytes))).unwrap_or(Incoming::Other);
    let seen = letter.seen.map(|seen| (seen.uid_validity, seen.last_uid));
    let returned = context.store.write(|write| {
        let mut returned = None;
        let sorted = match &incoming {
            Incoming::Notification | Incoming::AutoReply => Sorted::Automatic,
            Incoming::Other => Sorted::Other,
            Incoming::Report(reported) => match find(&write.read(), reported)? {
                None => Sorted::Strange,
                Some((sent, said)) => {
                    let sha256 = Sha256::digest(&letter.bytes).into();
                    let new = NewReport { said, sha256, bytes: letter.bytes.len() };
                    let has_moved = write.report_delivery(&sent, &new, now)?;
                    if has_moved {
                        let anew = in_their_place(context, &write.read(), &sent, now)?;
                        for moved in &anew {
                            write.reassign(moved, context.version, now)?;
                        }
                    }
                    let (delivery, owner, action) = (sent.delivery, sent.owner, said.action);
                    returned = Some(Returned { delivery, owner, action, has_moved });
                    Sorted::Report
                }
            },
        };
        write.note_message(sorted, seen)?;
        Ok((sorted, returned))
    })?;
    report.messages += 1;
    match returned.0 {
        Sorted::Report => report.reports.extend(returned.1),
        Sorted::Strange => report.strange += 1,
        Sorted::Automatic => report.automatic += 1,
        Sorted::Other => report.others += 1,
    }
    Ok(())
}

/// The digest that a report is about, and what it says of it.
fn find<'r>(read: &Read<'_>, report: &'r Report) -> Result<Option<(SentDigest, &'r Recipient)>, StoreError> {
    for local in bounce::candidates(report) {
        let Some(sent) = read.sent_digest(local)? else { continue };
        if let Some(said) = bounce::about(report, &sent.message_id, &sent.address) {
            return Ok(Some((sent, said)));
        }
    }
    Ok(None)
}

/// Who gets the stories of a digest that came back: their owner anew where the address was corrected meanwhile, else the
/// first who stands in and was not tried in vain, else their owner at their hour. What was answered stays.
fn in_their_place(
    context: &Context,
    read: &Read<'_>,
    sent: &SentDigest,
    now: Time,
) -> Result<Vec<Reassigned>, StoreError> {
    let (config, owner) = (&context.config, &sent.owner);
    let mut anew = Vec::new();
    for (_, assignment) in read.digest(sent.digest)?.map(|digest| digest.stories).unwrap_or_default() {
        if !read.is_open(assignment)? {
            continue;
        }
        let (_, feed, reason, urgent) = read.assignment(assignment)?;
        let label = feed_label(config, read, &feed)?;
        let is_corrected = config.owner(owner).is_some_and(|owner| owner.address != sent.address);
        let told_again = |urgent| {
            let to = Some(Assigned { owner: owner.clone(), reason: reason.clone(), urgent });
            Reassigned { assignment, why: HandOver::Bounced, to, withheld: None }
        };
        if is_corrected && route::can_get(config, owner, label, now) {
            anew.push(told_again(urgent));
            continue;
        }
        let elsewhere = all_in_their_place(config, read, (owner, &[assignment]), HandOver::Bounced, now)?;
        // What nobody else may get is told again at the owner's hour.
        anew.push(elsewhere.into_iter().next().unwrap_or_else(|| told_again(false)));
    }
    Ok(anew)
}
