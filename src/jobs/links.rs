//! Links: whose link has ended can have the stories that are still open mailed again, with new links. Nothing is composed
//! here; the next mail turn does that.

use jiff::SignedDuration;

use super::acknowledge;
use crate::{
    jobs::acknowledge::Shown,
    model::{
        digest::{About, DigestKind},
        id::DigestNo,
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::{PendingRow, Read, Store, StoreError},
};

/// How long after new links were asked for the same digest's may be asked for again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Asks for new links to the stories of a digest that its owner has still to answer. They go to the owner's present
/// address; where there is no such owner, nothing is open, or they were asked for within a day, nothing happens.
pub fn ask(store: &Store, config: &Config, digest: DigestNo, now: Time) -> Result<(), StoreError> {
    let Some(page) = acknowledge::page(store, config, digest, Shown::Open)? else { return Ok(()) };
    let Some(owner) = config.owner(&page.owner).filter(|owner| owner.is_living(now)) else { return Ok(()) };
    let version = store.read(|read| read.configuration_version())?;
    let open: Vec<_> = page.places.iter().filter(|place| place.is_open).map(|place| place.story).collect();
    store.write(|write| {
        let asked = write.read().links_asked_at(digest)?;
        if asked.is_some_and(|asked| now.duration_since(asked) < AGAIN) {
            return Ok(());
        }
        let open = write.read().told_to(&open, &owner.id)?;
        if !open.is_empty() {
            write.ask_links(digest, &owner.id, &open, version, now)?;
        }
        Ok(())
    })
}

/// What waits for a digest of this kind, and what the digest is about: one mail for each digest whose links were asked for,
/// the oldest first, and no other carries its stories.
pub(super) fn waiting(
    read: &Read<'_>,
    owner: &Owner,
    kind: DigestKind,
) -> Result<(Vec<PendingRow>, Option<About>), StoreError> {
    let anew = read.anew(&owner.id)?;
    let asked = anew.first().map(|(digest, _)| *digest).filter(|_| kind == DigestKind::Links);
    let mut waiting = read.pending(&owner.id, kind == DigestKind::Urgent)?;
    waiting.retain(|row| anew.iter().find(|(_, no)| *no == row.no).map(|(digest, _)| *digest) == asked);
    let about = asked.map(|digest| read.message_id(digest)).transpose()?;
    Ok((waiting, about.map(|in_reply_to| About::Links { in_reply_to })))
}
