//! Hand over: gives stories to whoever is asked next, because their owner has left, is away, may not see them any more, or
//! does not answer. When and to whom is `reminder`'s business; the mails about it are `digest`'s.

use super::{
    Context, Fault,
    story::{feed_label, moved},
};
use crate::{
    model::{
        digest::HandOver,
        id::{AssignmentNo, OwnerId},
        settings::Config,
        time::Time,
    },
    reminder::{self, Step},
    route::{self, Assigned},
    store::{PendingRow, Read, Reassigned, StoreError},
};

/// Hands over everything that is not to wait any longer with whom it is.
pub(super) fn hand_over_due(context: &Context, now: Time) -> Result<(), Fault> {
    let config = &context.config;
    let moves = context.store.read(|read| {
        let mut moves = waiting(config, read, now)?;
        moves.extend(open(config, read, now)?);
        Ok(moves)
    })?;
    if moves.is_empty() {
        return Ok(());
    }
    context.store.write(|write| {
        for moved in &moves {
            write.reassign(moved, context.version, now)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// What no digest has carried yet and is not for its owner any more, or not now.
fn waiting(config: &Config, read: &Read<'_>, now: Time) -> Result<Vec<Reassigned>, StoreError> {
    let mut moves = Vec::new();
    for id in read.owners_with_post()? {
        for pending in read.pending(&id, false)? {
            let label = feed_label(config, read, &pending.feed)?;
            let moved = moved(config, (pending.no, &pending.reason, pending.urgent), &id, label, now);
            // What nobody can get waits until somebody can.
            let moved = moved.filter(|moved| moved.to.is_some() || moved.withheld.is_some());
            moves.extend(match moved {
                Some(moved) => Some(moved),
                None => away(config, read, &id, &pending, now)?,
            });
        }
    }
    Ok(moves)
}

/// What was told and waits for an answer, where somebody else is to be asked, or the label of the feed was raised above
/// what its owner may see.
fn open(config: &Config, read: &Read<'_>, now: Time) -> Result<Vec<Reassigned>, StoreError> {
    let mut moves = Vec::new();
    for row in read.open_assignments()? {
        let label = feed_label(config, read, &row.feed)?;
        if config.owner(&row.owner).is_some_and(|owner| owner.is_living(now) && label > owner.tlp) {
            let told = read.told_first(row.assignment)?.row;
            moves.extend(moved(config, (told.no, &told.reason, told.urgent), &row.owner, label, now));
            continue;
        }
        let step = match config.owner(&row.owner) {
            Some(owner) => reminder::step(&config.remind, owner, row.asked(), now),
            None => Step::HandOver(HandOver::Left),
        };
        let Step::HandOver(why) = step else { continue };
        let told = read.told_first(row.assignment)?.row;
        moves.extend(in_their_place(config, read, (&row.owner, &told), why, now)?);
    }
    Ok(moves)
}

/// The hand-over of what waits for somebody who is away; `None`: they are there, or nobody else is.
fn away(
    config: &Config,
    read: &Read<'_>,
    id: &OwnerId,
    pending: &PendingRow,
    now: Time,
) -> Result<Option<Reassigned>, StoreError> {
    if route::is_here(config, id, now) {
        return Ok(None);
    }
    in_their_place(config, read, (id, pending), HandOver::Away, now)
}

/// The hand-over of one assignment to whoever is next; `None`: nobody is.
fn in_their_place(
    config: &Config,
    read: &Read<'_>,
    (owner, told): (&OwnerId, &PendingRow),
    why: HandOver,
    now: Time,
) -> Result<Option<Reassigned>, StoreError> {
    let before = read.passed_by(told.no)?;
    let label = feed_label(config, read, &told.feed)?;
    let Some(to) = reminder::next(config, (owner, &before), (why, label), now) else { return Ok(None) };
    let reason = reminder::reason(config, owner, (&told.reason, &before), why, now);
    let assigned = Assigned { owner: to, reason, urgent: told.urgent };
    Ok(Some(Reassigned { assignment: told.no, why, to: Some(assigned), withheld: None }))
}

/// Who gets the stories of a digest that did not reach its owner; what nobody else may get stays where it is.
pub(super) fn all_in_their_place(
    config: &Config,
    read: &Read<'_>,
    (owner, assignments): (&OwnerId, &[AssignmentNo]),
    why: HandOver,
    now: Time,
) -> Result<Vec<Reassigned>, StoreError> {
    let mut anew = Vec::new();
    for assignment in assignments {
        let told = read.told_first(*assignment)?.row;
        anew.extend(in_their_place(config, read, (owner, &told), why, now)?);
    }
    Ok(anew)
}
