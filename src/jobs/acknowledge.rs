//! Acknowledge: show what a link stands for, and record what a person says. Only a deliberate act records.

use super::story::SeenStory;
use crate::{
    model::{
        acknowledgement::{Answer, AnswerPage, GivenAnswer, PageStory, Recorded},
        feed::Tlp,
        id::{DigestNo, EntryNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    store::{Read, Store, StoreError},
};

/// What stands behind a link to a digest (`story`: `None`, every story of it) or to one story of it. `None`:
/// there is no such digest or story. Changes nothing.
pub fn page(
    store: &Store,
    config: &Config,
    digest: DigestNo,
    story: Option<StoryNo>,
) -> Result<Option<AnswerPage>, StoreError> {
    store.read(|read| {
        let Some(row) = read.digest(digest)? else { return Ok(None) };
        // Who has left the configuration can still read what was sent to them, by identifier and in UTC.
        let owner = config.owner(&row.owner).cloned().unwrap_or_else(|| departed(&row.owner, &row.address));
        let (mut stories, mut open) = (Vec::new(), 0);
        for (i, (no, assignment)) in row.stories.iter().enumerate() {
            let answers = given(config, read, *no)?;
            let is_answered =
                read.answers(*no)?.iter().any(|answer| answer.owner == owner.id && answer.at >= row.composed_at);
            open += usize::from(!is_answered);
            if story.is_none_or(|wanted| wanted == *no) {
                let ((brought_by, _), _, reason, _) = read.assignment(*assignment)?;
                let told = (brought_by, reason.as_str());
                stories.extend(page_story(config, read, &owner, (i + 1, *no), told, answers)?);
            }
        }
        if story.is_some() && stories.is_empty() {
            return Ok(None);
        }
        Ok(Some(AnswerPage {
            digest,
            owner: owner.id.clone(),
            owner_name: owner.name.clone(),
            timezone: owner.timezone.clone(),
            stories,
            in_digest: row.stories.len(),
            told_at: row.composed_at,
            open,
        }))
    })
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

fn given(config: &Config, read: &Read<'_>, story: StoryNo) -> Result<Vec<GivenAnswer>, StoreError> {
    let answers = read.answers(story)?.into_iter().map(|row| GivenAnswer {
        at: row.at,
        owner_name: config.owner(&row.owner).map_or_else(|| row.owner.to_string(), |owner| owner.name.clone()),
        owner: row.owner,
        disposition: row.disposition,
        note: row.note,
        reference: row.reference,
        record: row.record,
    });
    Ok(answers.collect())
}

fn page_story(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    (number, no): (usize, StoryNo),
    told: (EntryNo, &str),
    answers: Vec<GivenAnswer>,
) -> Result<Option<PageStory>, StoreError> {
    if read.story_first_seen(no)?.is_none() {
        return Ok(None);
    }
    let seen = SeenStory::of(config, read, owner, no, told)?;
    Ok(Some(PageStory {
        story: no,
        number,
        title: seen.title,
        summary: seen.summary,
        cves: seen.cves,
        marks: seen.marks,
        reason: seen.reason,
        tags: seen.tags,
        sources: seen.sources,
        more_sources: seen.more_sources,
        answers,
    }))
}

/// Records an answer with its evidence, or finds that the same form was recorded before.
pub fn record(store: &Store, answer: &Answer, now: Time) -> Result<Recorded, StoreError> {
    store.write(|write| write.acknowledge(answer, now))
}
