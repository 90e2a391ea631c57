//! Links: whose link has ended can have the stories that are still open mailed again, with new links. Nothing is composed
//! here; the next mail turn does that.

use jiff::SignedDuration;

use super::acknowledge::{Shown, open_places, page};
use crate::{
    model::{
        digest::About,
        id::{DigestNo, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::{Read, Store, StoreError, ToldAgain},
};

/// How long after new links were asked for the same digest's may be asked for again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// For how long a request is heard whose mail was taken back before it left.
const HEARD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Asks for new links to the stories of a digest that its owner has still to answer. They go to the owner's present
/// address; where there is no such owner, nothing is open, or they were asked for within a day, nothing happens.
pub fn ask(store: &Store, config: &Config, digest: DigestNo, now: Time) -> Result<(), StoreError> {
    let Some(page) = page(store, config, digest, Shown::Open)? else { return Ok(()) };
    let Some(owner) = config.owner(&page.owner).filter(|owner| owner.is_living(now)) else { return Ok(()) };
    let open: Vec<StoryNo> = page.places.iter().filter(|place| place.is_open).map(|place| place.story).collect();
    if open.is_empty() {
        return Ok(());
    }
    store.write(|write| {
        let asked = write.read().links_asked_at(digest)?;
        if asked.is_none_or(|asked| now.duration_since(asked) >= AGAIN || asked > now) {
            write.ask_links(digest, &owner.id, open, now)?;
        }
        Ok(())
    })
}

/// The stories to which an owner asked for new links and was not sent any yet, each once, and what the mail is about. A
/// request lapses after a day: what was answered meanwhile needs no link. One whose mail waited for the mail server and was
/// taken back does not lapse with it.
pub(super) fn wanted(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    now: Time,
) -> Result<(Vec<ToldAgain>, Option<About>), StoreError> {
    let before = |time| now.saturating_sub(time).unwrap_or(now);
    let (mut stories, mut first): (Vec<ToldAgain>, _) = (Vec::new(), None);
    for asked in read.links_asked(&owner.id, before(HEARD))? {
        for place in open_places(config, read, owner, asked.digest)? {
            let is_wanted = match read.links_told(place.assignment, asked.record)? {
                Some(is_told) => !is_told,
                None => asked.at >= before(AGAIN),
            };
            if is_wanted && stories.iter().all(|known| known.row.story != place.story) {
                stories.push(read.told_first(place.assignment)?);
                first.get_or_insert(asked.digest);
            }
        }
    }
    let first = first.map(|digest| read.message_id(digest)).transpose()?;
    Ok((stories, first.map(|in_reply_to| About::Links { in_reply_to })))
}
