//! Acknowledge: show what a link stands for, and record what a person says. Only a deliberate act records.

use jiff::SignedDuration;

use super::{
    story::SeenStory,
    trail::{chain_of, owner_name},
};
use crate::{
    answer::unfit,
    model::{
        acknowledgement::{Answer, AnswerPage, Chain, GivenAnswer, Haste, PageStory, Place, Recorded, Standing},
        feed::Tlp,
        id::{DigestNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::{AnswerRow, DigestRow, PlaceRow, Read, Store, StoreError},
};

/// How many stories the page of a whole digest lists at once.
pub const LISTED: usize = 100;

/// An answer that comes within this time of the mail may be a machine's.
const FAST: SignedDuration = SignedDuration::from_secs(3);

/// Whether an answer comes too soon after the mail was sent; `is_sure`: it was asked for once more.
pub fn haste(sent_at: Option<Time>, is_sure: bool, now: Time) -> Haste {
    match sent_at {
        _ if is_sure => Haste::Confirmed,
        // What lies ahead was noted by a clock that was wrong, and says nothing of how soon this is.
        Some(sent) if now.duration_since(sent) > FAST || sent > now => Haste::None,
        _ => Haste::Fast,
    }
}

/// Which stories of a digest are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The one of this number, with everything that became of it.
    One(usize),
    /// A list, from this number on; beyond the last one, the last of the list.
    From(usize),
    /// All that are still open, within the length of a list.
    Open,
}

/// What stands behind a link to a digest. `None`: there is no such digest, or no such story in it. Changes nothing.
pub fn page(store: &Store, config: &Config, digest: DigestNo, shown: Shown) -> Result<Option<AnswerPage>, StoreError> {
    store.read(|read| {
        let Some(row) = read.digest(digest)? else { return Ok(None) };
        // Who has left the configuration can still read what was sent to them, by identifier and in UTC.
        let owner = config.owner(&row.owner).cloned().unwrap_or_else(|| departed(&row.owner, &row.address));
        let rows = read.places(digest, &owner.id)?;
        let hidden = hidden(config, read, &owner, &row, &rows)?;
        let places: Vec<Place> = rows.iter().map(|place| placed(place, &hidden)).collect();
        let first = first_listed(&rows, shown);
        let wanted = rows.iter().zip(&places).filter(|(place, of)| match shown {
            Shown::One(number) => place.number == number,
            Shown::From(_) => place.number >= first,
            Shown::Open => of.is_open,
        });
        let mut stories = Vec::new();
        for (place, _) in wanted.take(LISTED) {
            stories.extend(page_story(config, read, &owner, place, shown)?);
        }
        if stories.is_empty() && matches!(shown, Shown::One(_)) {
            return Ok(None);
        }
        Ok(Some(AnswerPage {
            digest,
            owner: owner.id.clone(),
            owner_name: owner.name.clone(),
            timezone: owner.timezone.clone(),
            stories,
            places,
            told_at: row.composed_at,
            checkpoint: read.newest_checkpoint()?.map(|stored| stored.note),
            sent_at: read.last_sent_at(digest)?,
        }))
    })
}

/// The stories of a digest that its owner has still to answer.
pub(super) fn open_places(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    digest: DigestNo,
) -> Result<Vec<PlaceRow>, StoreError> {
    let Some(row) = read.digest(digest)? else { return Ok(Vec::new()) };
    let mut rows = read.places(digest, &owner.id)?;
    let hidden = hidden(config, read, owner, &row, &rows)?;
    rows.retain(|place| placed(place, &hidden).is_open);
    Ok(rows)
}

/// The number that a list begins with.
fn first_listed(places: &[PlaceRow], shown: Shown) -> usize {
    let last = places.last().map_or(1, |place| place.number);
    match shown {
        Shown::From(number) if number > last => (last + 1).saturating_sub(LISTED),
        Shown::From(number) => number,
        Shown::One(_) | Shown::Open => 1,
    }
}

fn placed(place: &PlaceRow, hidden: &[StoryNo]) -> Place {
    let is_theirs = place.passed.is_none() && !hidden.contains(&place.story);
    Place { story: place.story, number: place.number, is_open: is_theirs && !place.is_answered }
}

/// The stories of a digest of which this owner may see nothing any more.
fn hidden(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    digest: &DigestRow,
    places: &[PlaceRow],
) -> Result<Vec<StoryNo>, StoreError> {
    let mut is_above = false;
    for feed in read.digest_feeds(digest.no)? {
        is_above |= super::story::feed_label(config, read, &feed)? > owner.tlp;
    }
    let mut hidden = Vec::new();
    for place in places.iter().filter(|_| is_above) {
        if SeenStory::entries(config, read, owner, place.story)?.is_empty() {
            hidden.push(place.story);
        }
    }
    Ok(hidden)
}

fn departed(id: &OwnerId, address: &str) -> Owner {
    Owner {
        id: id.clone(),
        name: id.to_string(),
        address: address.to_owned(),
        role: None,
        deputy: None,
        timezone: jiff::tz::TimeZone::UTC,
        digest: String::new(),
        tlp: Tlp::Clear,
        until: None,
        away: Vec::new(),
        quiet_hours: None,
    }
}

fn given(read: &Read<'_>, story: StoryNo, name: &dyn Fn(&OwnerId) -> String) -> Result<Vec<GivenAnswer>, StoreError> {
    let answers = read.answers(story)?.into_iter().map(|row| GivenAnswer {
        at: row.at,
        happened: row.happened,
        owner_name: name(&row.owner),
        owner: row.owner,
        disposition: row.disposition,
        note: row.note,
        references: row.references,
        corrects: row.corrects,
        haste: row.haste,
        record: row.record,
    });
    Ok(answers.collect())
}

fn page_story(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    place: &PlaceRow,
    shown: Shown,
) -> Result<Option<PageStory>, StoreError> {
    let no = place.story;
    if read.story_first_seen(no)?.is_none() {
        return Ok(None);
    }
    let ((brought_by, _), _, reason, _) = read.assignment(place.assignment)?;
    let seen = SeenStory::of(config, read, owner, no, (brought_by, &reason))?;
    let standing = standing(config, read, owner, place, &seen)?;
    if matches!(standing, Standing::Restricted { .. }) {
        return Ok(Some(restricted(place, standing)));
    }
    let chain = match shown {
        Shown::One(_) => chain_of(config, read, no, &seen)?,
        Shown::From(_) | Shown::Open => Chain::default(),
    };
    Ok(Some(PageStory {
        story: no,
        number: place.number,
        standing,
        title: seen.title,
        summary: seen.summary,
        cves: seen.cves,
        marks: seen.marks,
        fix: seen.fix,
        reason: seen.reason,
        tags: seen.tags,
        sources: seen.sources,
        more_sources: seen.more_sources,
        answers: given(read, no, &|id| owner_name(config, id))?,
        chain,
    }))
}

/// A story of which nothing may be shown but that it is there.
fn restricted(place: &PlaceRow, standing: Standing) -> PageStory {
    PageStory {
        story: place.story,
        number: place.number,
        standing,
        title: "A restricted story".to_owned(),
        summary: None,
        cves: Vec::new(),
        marks: crate::model::stack::Marks::default(),
        fix: None,
        reason: String::new(),
        tags: Vec::new(),
        sources: Vec::new(),
        more_sources: 0,
        answers: Vec::new(),
        chain: Chain::default(),
    }
}

fn standing(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    place: &PlaceRow,
    seen: &SeenStory,
) -> Result<Standing, StoreError> {
    let is_restricted = seen.entries.is_empty();
    if !is_restricted && place.passed.is_none() {
        return Ok(Standing::Theirs);
    }
    let others = read.assignments(place.story)?;
    let holder = others.iter().rev().map(|one| &one.owner).find(|id| **id != owner.id);
    let name = owner_name(config, holder.unwrap_or(&config.fallback));
    Ok(match place.passed {
        Some(since) if !is_restricted => Standing::With { name, since },
        _ => Standing::Restricted { ask: name },
    })
}

/// Records an answer with its evidence, finds that the same form was recorded before, or that it fits no more: what
/// was looked at when the page was shown may have changed since.
pub fn record(store: &Store, answer: &Answer, now: Time) -> Result<Recorded, StoreError> {
    record_of_form(store, answer, None, now)
}

/// What comes of a form that was recorded before. Its stories are not compared: those that were open are answered now.
fn again(before: &AnswerRow, answer: &Answer) -> Recorded {
    let is_same = before.disposition == answer.disposition
        && before.note == answer.note
        && before.references == answer.references
        && before.corrects == answer.corrects;
    let record = before.record;
    if is_same { Recorded::Already { at: before.at, record } } else { Recorded::Otherwise { record } }
}

/// The same for the answer of a form that was shown at a moment: it answers nothing that its owner was told of, or told of
/// anew, since then.
pub fn record_of_form(store: &Store, answer: &Answer, shown: Option<Time>, now: Time) -> Result<Recorded, StoreError> {
    store.write(|write| {
        let read = write.read();
        if let Some(before) = read.answer_of_form(&answer.nonce)? {
            return Ok(again(&before, answer));
        }
        if answer.stories.is_empty() {
            return Ok(Recorded::Changed);
        }
        for story in &answer.stories {
            // What lies ahead was noted by a clock that was wrong.
            let asked_at = read.asked_at(*story, &answer.owner)?.filter(|asked_at| *asked_at <= now);
            if shown.zip(asked_at).is_some_and(|(shown, asked_at)| asked_at.as_second() > shown.as_second()) {
                return Ok(Recorded::Changed);
            }
            if read.passed_since(*story, &answer.owner)?.is_some() {
                return Ok(Recorded::Passed);
            }
            let before = given(&read, *story, &ToString::to_string)?;
            if let Some(unfit) = unfit(answer, &before) {
                return Ok(Recorded::Unfit(unfit));
            }
        }
        Ok(Recorded::New { record: write.acknowledge(answer, now)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::AssignmentNo;

    #[test]
    fn a_list_that_would_begin_beyond_the_last_story_shows_the_last_of_them() {
        let places = |count: i64| -> Vec<PlaceRow> {
            let place = |no: i64| PlaceRow {
                story: StoryNo(no),
                number: usize::try_from(no).unwrap(),
                assignment: AssignmentNo(no),
                is_answered: false,
                passed: None,
            };
            (1..=count).map(place).collect()
        };
        for (count, from, first) in [
            (130, 1, 1),
            (130, 101, 101),
            (130, 130, 130),
            (130, 131, 31),
            (130, usize::MAX, 31),
            (3, 99, 0),
            (0, 7, 0),
        ] {
            assert_eq!(first_listed(&places(count), Shown::From(from)), first, "{from} of {count}");
        }
    }
}
