//! The mails of one digest: what makes each a mail of its own, and committing all of them together. What a digest says is
//! gathered elsewhere, how it is split is `compose`'s business.

use std::ops::Range;

use jiff::SignedDuration;

use super::{ComposedDigest, Gathered};
use crate::{
    compose::{self, ComposeError, Envelopes, Identity, Part, words::moment},
    jobs::Context,
    model::{
        digest::DigestContent,
        id::{DigestNo, EntryNo, FeedNo},
        owner::Owner,
        time::Time,
    },
    store::{NewDigest, NoticeRow, Read, StoreError, Write},
    token::{self, Scope},
};

/// For how long the links of a digest can be answered.
const LINK_DAYS: i64 = 30;

/// Whose digest it is, and the number of its first mail; the others follow.
pub(super) struct Sender<'s> {
    pub(super) context: &'s Context,
    pub(super) owner: &'s Owner,
    pub(super) first: DigestNo,
    pub(super) now: Time,
}

impl Sender<'_> {
    /// The number of the mail at this place, from 0.
    fn no(&self, place: usize) -> DigestNo {
        DigestNo(self.first.0.saturating_add(i64::try_from(place).unwrap_or(i64::MAX)))
    }

    /// Message-ID and link of the mail at this place: one link for all of it; a story's link adds its number, so that the
    /// page can lead on to the next one.
    pub(super) fn identity(&self, place: usize) -> Identity {
        let (key, config) = (&self.context.link_key, &self.context.config);
        let expires = self.now.saturating_add(SignedDuration::from_hours(24 * LINK_DAYS)).unwrap_or(self.now);
        let scope = Scope { digest: self.no(place), story: None, expires };
        let base = config.web.base_url.as_str().trim_end_matches('/');
        Identity {
            message_id: token::message_id(key, self.no(place), &self.owner.address, self.domain()),
            answer_all_url: format!("{base}/a/{}", token::mint(key, &scope)),
        }
    }

    /// What all mails of this month to the owner refer to.
    pub(super) fn thread_root(&self) -> String {
        let month = moment(self.now, &self.owner.timezone, "%Y-%m");
        token::thread_root(&self.context.link_key, &month, self.owner.id.as_str(), self.domain())
    }

    fn domain(&self) -> &str {
        let address = &self.context.config.mail.from_address;
        address.rsplit_once('@').map_or(address, |(_, domain)| domain)
    }
}

/// The digest in as many mails as it takes, each no longer than the mail server took last.
pub(super) fn composed_parts(
    sender: &Sender<'_>,
    read: &Read<'_>,
    content: &DigestContent,
) -> Result<Result<Vec<Part>, ComposeError>, StoreError> {
    let taken = read.subjects(&sender.owner.id)?;
    let identity = |place| sender.identity(place);
    Ok(compose::parts(content, &Envelopes { identity: &identity, taken: &taken, size_limit: read.relay_size_limit()? }))
}

/// Commits every mail of a digest, each with what stands in it.
pub(super) fn commit(
    write: &mut Write<'_>,
    sender: &Sender<'_>,
    gathered: &Gathered,
    parts: &[Part],
    planned: Time,
) -> Result<Vec<ComposedDigest>, StoreError> {
    let mut composed = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let told = Told::of(gathered, part);
        let new = NewDigest {
            no: sender.no(place),
            owner: &sender.owner.id,
            address: &sender.owner.address,
            kind: gathered.content.kind,
            scheduled_for: planned,
            message_id: &part.identity.message_id,
            composed: &part.composed,
            stories: slice(&gathered.stories, &part.holds.stories),
            listed: &told.listed,
            feeds: &told.feeds,
            withheld: slice(&gathered.withheld, &part.holds.restricted),
            baselines: slice(&gathered.baselines, &part.holds.baselines),
            moves: slice(&gathered.moves.told, &part.holds.notices),
            notices: &told.notices,
            floods: slice(&gathered.floods, &part.holds.held),
            checkpoint: gathered.checkpoint,
        };
        write.insert_digest(&new, sender.now)?;
        let stories = part.holds.stories.len();
        let link = &part.identity.answer_all_url;
        composed.push(ComposedDigest {
            no: new.no,
            owner: sender.owner.id.clone(),
            subject: part.composed.subject.clone(),
            stories,
            owner_name: sender.owner.name.clone(),
            answer_all_url: link.clone(),
            answer_urls: (1..=stories).map(|number| format!("{link}/{number}")).collect(),
        });
    }
    Ok(composed)
}

/// What one mail tells that has to be remembered: what stands in it, and nothing that stands in another part.
struct Told {
    listed: Vec<EntryNo>,
    feeds: Vec<FeedNo>,
    notices: Vec<NoticeRow>,
}

impl Told {
    fn of(gathered: &Gathered, part: &Part) -> Told {
        let holds = &part.holds;
        let lines: Vec<(EntryNo, FeedNo)> = slice(&gathered.listed, &holds.also).iter().flatten().copied().collect();
        let mut feeds: Vec<FeedNo> = slice(&gathered.story_feeds, &holds.stories).iter().flatten().copied().collect();
        feeds.extend(lines.iter().map(|(_, feed)| *feed));
        feeds.extend(slice(&gathered.flood_feeds, &holds.held));
        let moved = slice(&gathered.moves.told, &holds.notices);
        feeds.extend(moved.iter().filter(|feed| gathered.moves.named.contains(feed)));
        // Lines that tell nothing new follow those that do.
        let troubles = gathered.troubles.iter().take(holds.not_seen.end).skip(holds.not_seen.start);
        let recoveries = slice(&gathered.recoveries, &holds.seen_again);
        let notices = troubles.chain(recoveries).map(|(row, _)| *row).collect();
        feeds.sort_unstable();
        feeds.dedup();
        Told { listed: lines.into_iter().map(|(entry, _)| entry).collect(), feeds, notices }
    }
}

fn slice<'g, T>(items: &'g [T], range: &Range<usize>) -> &'g [T] {
    items.get(range.clone()).unwrap_or_default()
}
