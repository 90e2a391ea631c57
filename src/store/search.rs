//! Looking for stories: by what they say, whom they concern and whether anybody has answered. Newest first, a stretch of
//! numbers at a time, so that whoever waits can be told how far the search is.

use std::fmt::Write as _;

use rusqlite::{ToSql, named_params};

use super::{Read, StoreError};
use crate::model::id::{ComponentId, FeedId, OwnerId, StoryNo, TopicId};

/// How many stories are looked at in one stretch, where each of them has to be.
const STRETCH: i64 = 20_000;

/// What a story must be to be found; the default finds every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// In a title of one of its entries, in any case of ASCII.
    pub text: Option<String>,
    /// Who was given it, and still has it.
    pub owner: Option<OwnerId>,
    /// What one of its entries is about.
    pub component: Option<ComponentId>,
    /// What one of its entries is about.
    pub topic: Option<TopicId>,
    /// Which feed reports it.
    pub feed: Option<FeedId>,
    /// Whether somebody, or the owner above, was handed it and has not answered.
    pub is_open: bool,
    /// One of these; `None`: any.
    pub among: Option<Vec<StoryNo>>,
}

/// What one stretch of a search brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The stories, newest first.
    pub stories: Vec<StoryNo>,
    /// Every story from this one on was looked at; `None`: there is none left.
    pub below: Option<StoryNo>,
}

impl Search {
    /// The conditions on `story`, for SQL.
    fn conditions(&self) -> String {
        let mut sql = String::new();
        let mut and = |condition: &str| {
            // Writing to a string cannot fail.
            let _ = write!(sql, " AND {condition}");
        };
        if self.among.is_some() {
            and("story.no IN (SELECT value FROM json_each(:among))");
        }
        if self.is_open {
            and("story.no IN (SELECT assignment.story FROM open_state
                     JOIN assignment ON assignment.no = open_state.assignment
                     JOIN digest_story ON digest_story.assignment = assignment.no
                     JOIN delivery ON delivery.digest = digest_story.digest
                     JOIN delivery_state ON delivery_state.delivery = delivery.no
                     WHERE state IN ('accepted', 'written') AND (:owner IS NULL OR open_state.owner = :owner))");
        } else if self.owner.is_some() {
            and("EXISTS (SELECT 1 FROM assignment WHERE assignment.story = story.no AND owner = :owner
                     AND NOT EXISTS (SELECT 1 FROM reassigned WHERE reassigned.assignment = assignment.no))");
        }
        if self.text.is_some() {
            and("EXISTS (SELECT 1 FROM entry JOIN revision ON revision.entry = entry.no
                     WHERE entry.story = story.no AND instr(lower(title), lower(:text)) > 0)");
        }
        for (is_asked, condition) in [
            (self.component.is_some(), "kind = 'component' AND tag.id = :component"),
            (self.topic.is_some(), "kind = 'topic' AND tag.id = :topic"),
        ] {
            if is_asked {
                and(&format!(
                    "EXISTS (SELECT 1 FROM entry JOIN tag ON tag.entry = entry.no
                         AND tag.revision = (SELECT max(n) FROM revision WHERE revision.entry = entry.no)
                         WHERE entry.story = story.no AND {condition})"
                ));
            }
        }
        if self.feed.is_some() {
            and("EXISTS (SELECT 1 FROM entry WHERE entry.story = story.no
                     AND entry.feed = (SELECT no FROM feed WHERE id = :feed))");
        }
        sql
    }

    /// Whether a few rows say which stories there are, or each one has to be looked at.
    fn is_narrow(&self) -> bool {
        self.is_open || self.among.is_some()
    }
}

impl Read<'_> {
    /// The number of the newest story; 0 where there is none.
    pub fn newest_story(&self) -> Result<StoryNo, StoreError> {
        let no = self.tx.query_row("SELECT coalesce(max(no), 0) FROM story", [], |row| row.get(0))?;
        Ok(StoryNo(no))
    }

    /// Whether any story has to do with an `owner`, `component`, `topic` or `feed` of this identifier: the configuration may
    /// have it no more.
    pub fn has_heard_of(&self, sort: &str, id: &str) -> Result<bool, StoreError> {
        let sql = match sort {
            "owner" => "SELECT EXISTS (SELECT 1 FROM assignment WHERE owner = ?2)",
            "feed" => "SELECT EXISTS (SELECT 1 FROM feed WHERE id = ?2)",
            _ => "SELECT EXISTS (SELECT 1 FROM tag WHERE kind = ?1 AND id = ?2)",
        };
        Ok(self.tx.prepare_cached(sql)?.query_row([sort, id], |row| row.get(0))?)
    }

    /// The stories below `before` that are like this, newest first, at most `limit` of them, from one stretch of numbers.
    pub fn stories(&self, search: &Search, before: Option<StoryNo>, limit: usize) -> Result<Found, StoreError> {
        let newest = self.newest_story()?.0;
        let before = before.map_or(newest.saturating_add(1), |before| before.0.min(newest.saturating_add(1)));
        let from = if search.is_narrow() { 0 } else { before.saturating_sub(STRETCH).max(0) };
        let sql = format!(
            "SELECT no FROM story WHERE no < :below AND no >= :from{} ORDER BY no DESC LIMIT :limit",
            search.conditions()
        );
        let among = search.among.as_ref().and_then(|among| {
            let numbers: Vec<i64> = among.iter().map(|story| story.0).collect();
            serde_json::to_string(&numbers).ok()
        });
        let all: &[(&str, &dyn ToSql)] = named_params! {
            ":below": before, ":from": from, ":limit": limit,
            ":text": search.text, ":owner": search.owner.as_ref().map(OwnerId::as_str),
            ":component": search.component.as_ref().map(ComponentId::as_str),
            ":topic": search.topic.as_ref().map(TopicId::as_str), ":feed": search.feed.as_ref().map(FeedId::as_str),
            ":among": among,
        };
        let mut query = self.tx.prepare_cached(&sql)?;
        for (name, value) in all {
            if let Some(index) = query.parameter_index(name)? {
                query.raw_bind_parameter(index, value)?;
            }
        }
        let mut stories = Vec::new();
        let mut rows = query.raw_query();
        while let Some(row) = rows.next()? {
            stories.push(StoryNo(row.get(0)?));
        }
        let below = match stories.last() {
            Some(last) if stories.len() >= limit => Some(*last),
            _ => (from > 0).then_some(StoryNo(from)),
        };
        Ok(Found { stories, below })
    }
}
