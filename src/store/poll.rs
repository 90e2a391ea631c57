//! Committing what a poll brought: entries, revisions, tags, assignments and the feed's status with their records.

use rusqlite::params;

use super::{StoreError, Write, assignment::Told, fate::Fates, held::Holds, signed};
use crate::{
    change::{self, Change},
    evidence::event::Event,
    hex::hex,
    model::{
        feed::Feed,
        id::{ConfigVersion, EntryNo, FeedNo, OwnerId, StoryNo},
        stack::{Marks, Severity, Tag},
        time::{Time, millis},
    },
    plan::{Answer, Arrived, EntryPlan, EntryPlans, Fate, FeedUpdate, baseline_matches},
};

/// What committing a poll wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppliedPoll {
    /// New entries.
    pub new: usize,
    /// New revisions of known entries.
    pub revised: usize,
    /// Entries that went to an owner.
    pub assigned: usize,
    /// Entries that are listed.
    pub listed: usize,
    /// Entries that are not for us.
    pub not_for_us: usize,
    /// Entries of the baseline.
    pub baseline: usize,
    /// Entries of a flood, held until somebody decides.
    pub held: usize,
    /// Assignments that do not wait.
    pub urgent: usize,
}

/// A poll that is about to be committed.
#[derive(Debug)]
pub struct PollCommit<'p> {
    /// The feed.
    pub feed: &'p Feed,
    /// What its server said.
    pub answer: &'p Answer,
    /// How the feed stands from now on.
    pub update: FeedUpdate,
    /// The entries that are new or changed.
    pub plans: EntryPlans,
    /// The configuration in force.
    pub config: ConfigVersion,
    /// When the answer came.
    pub now: Time,
}

impl Write<'_> {
    /// Commits one poll: new entries and revisions, tags, assignments, the feed's status and validators, and the
    /// records of all of it.
    pub fn apply_poll(&mut self, poll: PollCommit<'_>) -> Result<AppliedPoll, StoreError> {
        let PollCommit { feed, answer, mut update, plans, config, now } = poll;
        let no = update.status.no;
        if let Some(from) = update.changed_from {
            let event = Event::FeedStateChanged {
                feed: feed.id.clone(),
                from,
                to: update.status.state,
                status: update.http_status,
                cause: update.status.cause.clone(),
            };
            self.record(event, now)?;
        }
        self.store_aliases(no, &plans)?;
        let mut applied = AppliedPoll::default();
        match answer {
            Answer::Document(arrived) if plans.baseline || !plans.entries.is_empty() => {
                let is_baseline = plans.baseline;
                applied = self.apply_entries((feed, no), arrived, plans, config, now)?;
                if applied.new > 0 {
                    update.status.last_entry_at = Some(now);
                    if !is_baseline {
                        update.status.active.mark(now);
                    }
                }
            }
            Answer::Document(arrived) if arrived.partial || arrived.sight.converter_error.is_some() => {}
            // That nothing came is known only where the document could be believed.
            Answer::Document(_) | Answer::NotModified(_) if update.status.empties > 0 || update.status.cuts > 0 => {}
            Answer::Document(_) | Answer::NotModified(_) => self.count_quiet_poll(no, now)?,
            Answer::Failed { .. } | Answer::NoNetwork => {}
        }
        self.store_feed_status(&update.status)?;
        Ok(applied)
    }

    /// Keeps the newest other key of each entry that came under one.
    fn store_aliases(&mut self, feed: FeedNo, plans: &EntryPlans) -> Result<(), StoreError> {
        for (key, entry) in &plans.aliases {
            self.tx
                .prepare_cached("INSERT OR REPLACE INTO entry_alias_state (entry, feed, key) VALUES (?1, ?2, ?3)")?
                .execute(params![entry.0, feed.0, key.0])?;
        }
        Ok(())
    }

    fn apply_entries(
        &mut self,
        (feed, no): (&Feed, FeedNo),
        arrived: &Arrived,
        plans: EntryPlans,
        config: ConfigVersion,
        now: Time,
    ) -> Result<AppliedPoll, StoreError> {
        let new = plans.entries.iter().filter(|plan| plan.revises.is_none()).count();
        let matched = if plans.baseline { baseline_matches(&plans.entries) } else { Vec::new() };
        let poll = Event::Poll {
            feed: feed.id.clone(),
            format: arrived.format,
            document: arrived.sha256.clone(),
            bytes: arrived.bytes,
            url: arrived.url.clone(),
            counts: [plans.total, new, plans.entries.len() - new],
            partial: arrived.partial,
            baseline: plans.baseline,
            config,
        };
        self.record(poll, now)?;
        let mut applied = AppliedPoll::default();
        let (mut fates, mut holds) = (Fates::default(), Holds::default());
        let flood = plans.flood;
        for plan in plans.entries {
            let Some((entry, revision, story)) = self.insert_revision(feed, no, &plan, config, now)? else { continue };
            match revision {
                1 => applied.new += 1,
                _ => applied.revised += 1,
            }
            applied.urgent += self.insert_judgement(no, &plan, (entry, revision, story), config, now)?;
            holds.add(&plan, entry, revision);
            fates.add(plan.fate, entry, revision);
        }
        applied.assigned = fates.assigned;
        applied.listed = fates.listed.len();
        applied.not_for_us = fates.not_for_us.len();
        applied.baseline = fates.baseline.len();
        applied.held = fates.held;
        self.hold((feed, no), holds, flood, config, now)?;
        self.record_fates(feed, no, fates, matched, plans.baseline, config, now)?;
        Ok(applied)
    }

    /// The entry, the number of the revision that was written and the story; `None`: somebody else wrote it meanwhile.
    fn insert_revision(
        &mut self,
        feed: &Feed,
        no: FeedNo,
        plan: &EntryPlan,
        config: ConfigVersion,
        now: Time,
    ) -> Result<Option<(EntryNo, u32, StoryNo)>, StoreError> {
        let Some((entry, revision, story)) = self.place_of_revision(no, plan, now)? else { return Ok(None) };
        let of = &plan.entry;
        let event = Event::EntryReceived {
            feed: feed.id.clone(),
            entry,
            revision,
            key: hex(&plan.key.0),
            content: hex(&plan.judged.fingerprint.content),
            guid: of.guid.clone(),
            link: of.link.clone(),
            title: of.title.clone(),
            story,
            changed: plan.change.as_ref().map(Change::names),
        };
        let record = self.record(event, now)?;
        let marks = plan.judged.marks;
        self.tx
            .prepare_cached(
                "INSERT INTO revision (entry, n, seen_at, content, fate, config, record, published, updated, exploited,
                     cvss, severity, guid, link, title, summary, body, authors, categories, change)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?
            .execute(params![
                entry.0,
                revision,
                millis(now),
                plan.judged.fingerprint.content,
                plan.fate.as_str(),
                config.0,
                signed(record),
                of.published.map(millis),
                of.updated.map(millis),
                marks.exploited,
                marks.cvss_tenths,
                marks.severity.map(Severity::as_str),
                of.guid,
                of.link,
                of.title,
                of.summary,
                of.body,
                json_list(&of.authors),
                json_list(&of.categories),
                plan.change.as_ref().and_then(|change| serde_json::to_string(change).ok()),
            ])?;
        Ok(Some((entry, revision, story)))
    }

    /// The entry, the revision's number and the story: those of the entry that is revised, else of a new one.
    fn place_of_revision(
        &mut self,
        no: FeedNo,
        plan: &EntryPlan,
        now: Time,
    ) -> Result<Option<(EntryNo, u32, StoryNo)>, StoreError> {
        if let Some((entry, revision)) = plan.revises {
            let story: i64 = self
                .tx
                .prepare_cached("SELECT story FROM entry WHERE no = ?1")?
                .query_row([entry.0], |row| row.get(0))?;
            self.keep_keys(&plan.judged.story, StoryNo(story))?;
            return Ok(Some((entry, revision, StoryNo(story))));
        }
        let story = self.story_for(&plan.judged.story, no, now)?;
        let inserted = self
            .tx
            .prepare_cached(
                "INSERT INTO entry (feed, key, story, first_seen_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![no.0, plan.key.0, story.0, millis(now)])?;
        Ok((inserted > 0).then(|| (EntryNo(self.tx.last_insert_rowid()), 1, story)))
    }

    /// Writes tags, assignments and what is withheld; how many assignments are urgent.
    fn insert_judgement(
        &mut self,
        no: FeedNo,
        plan: &EntryPlan,
        (entry, revision, story): (EntryNo, u32, StoryNo),
        config: ConfigVersion,
        now: Time,
    ) -> Result<usize, StoreError> {
        self.insert_tags(entry, revision, &plan.judged.tags, config, now)?;
        let mut urgent = 0;
        self.ask_for_others(story, &plan.stood_in, now)?;
        for assigned in &plan.assigned {
            let joins_as =
                if revision == 1 { self.news_of_joining(plan.judged.marks, story, &assigned.owner)? } else { None };
            let update = plan.update_for(&assigned.owner).or(joins_as.as_deref());
            let assigned = Told { assigned, update };
            let is_new = self.assign(story, (entry, revision), assigned, config, now)?;
            let assigned = assigned.assigned;
            urgent += usize::from(is_new && assigned.urgent);
        }
        for stood_in in &plan.stood_in {
            self.stood_in(story, (entry, revision), stood_in, config, now)?;
        }
        for withheld in &plan.withheld {
            self.withhold(story, no, withheld, config, now)?;
        }
        if let Fate::Listed(owner) = &plan.fate {
            self.list(entry, no, owner, now)?;
        }
        if plan.is_listed_again {
            self.list_again(entry)?;
        }
        Ok(urgent)
    }

    /// A line that was told waits once more, unless its owner has the story.
    fn list_again(&mut self, entry: EntryNo) -> Result<(), StoreError> {
        self.tx.execute(
            "INSERT OR IGNORE INTO listing_state (entry, owner)
             SELECT listing.entry, listing.owner FROM listing WHERE entry = ?1
                 AND NOT EXISTS (SELECT 1 FROM entry JOIN assignment ON assignment.story = entry.story
                     WHERE entry.no = ?1 AND assignment.owner = listing.owner)",
            [entry.0],
        )?;
        Ok(())
    }

    /// What an entry that joins a story tells an owner who was told of it before: that it is exploited, if nobody told
    /// them so yet.
    pub(super) fn news_of_joining(
        &self,
        marks: Marks,
        story: StoryNo,
        owner: &OwnerId,
    ) -> Result<Option<String>, StoreError> {
        let is_news = marks.exploited && self.read().is_told_without_exploitation(story, owner)?;
        Ok(is_news.then(change::exploited_sentence))
    }

    fn insert_tags(
        &mut self,
        entry: EntryNo,
        revision: u32,
        tags: &[Tag],
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        if tags.is_empty() {
            return Ok(());
        }
        self.record(Event::EntryTagged { entry, revision, tags: tags.to_vec(), config }, now)?;
        let mut insert = self.tx.prepare_cached(
            "INSERT INTO tag (entry, revision, kind, id, term, field, start, stop, snippet, method, confidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        )?;
        for tag in tags {
            insert.execute(params![
                entry.0,
                revision,
                tag.kind.as_str(),
                tag.id,
                tag.term,
                tag.field.as_str(),
                tag.start,
                tag.end,
                tag.snippet,
                tag.method.as_str(),
                tag.confidence,
            ])?;
        }
        Ok(())
    }
}

fn json_list(list: &[String]) -> Option<String> {
    if list.is_empty() { None } else { serde_json::to_string(list).ok() }
}
