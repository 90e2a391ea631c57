//! A story as one owner may see it: what the digest and the acknowledgement page share. Entries of feeds above the
//! owner's ceiling are not there.

use crate::{
    advisory,
    model::{
        digest::StorySource,
        feed::Tlp,
        id::{EntryNo, FeedId},
        owner::Owner,
        settings::Config,
        stack::{Marks, Tag, TagKind},
        time::Time,
    },
    store::{StoryRow, StorySourceRow},
};

/// How many CVE ids are shown.
const MAX_CVES: usize = 32;

/// What this owner may be told of a story.
#[derive(Debug, Clone)]
pub(super) struct SeenStory {
    pub(super) title: String,
    pub(super) link: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) cves: Vec<String>,
    pub(super) marks: Marks,
    pub(super) sources: Vec<StorySource>,
    pub(super) published: Option<Time>,
}

impl SeenStory {
    /// The story for this owner, told by the entry that brought it.
    pub(super) fn of(config: &Config, owner: &Owner, row: &StoryRow, brought_by: EntryNo) -> SeenStory {
        let seen: Vec<&StorySourceRow> = row.sources.iter().filter(|one| label(config, one) <= owner.tlp).collect();
        let brought = seen.iter().find(|one| one.entry.no == brought_by).or(seen.first());
        let entry = brought.map(|one| &one.entry.entry);
        let mut text = String::new();
        let mut marks = Marks::default();
        for one in &seen {
            let of = &one.entry.entry;
            for part in [&of.title, &of.summary, &of.body].into_iter().flatten() {
                text.push_str(part);
                text.push('\n');
            }
            marks = worst(marks, one.entry.marks);
        }
        SeenStory {
            title: entry.and_then(|entry| entry.title.clone()).unwrap_or_else(|| "(no title)".to_owned()),
            link: entry.and_then(|entry| entry.link.clone()),
            summary: entry.and_then(|entry| entry.summary.clone().or_else(|| entry.body.clone())),
            cves: cves(&text),
            marks,
            sources: sources(config, &seen),
            published: entry.and_then(|entry| entry.published.or(entry.updated)),
        }
    }
}

fn label(config: &Config, source: &StorySourceRow) -> Tlp {
    config.feed(&source.feed_id).map_or(Tlp::Clear, |feed| feed.tlp)
}

fn cves(text: &str) -> Vec<String> {
    let ids = advisory::ids(text).into_iter().map(|id| id.to_string());
    ids.filter(|id| id.starts_with("CVE-")).take(MAX_CVES).collect()
}

fn sources(config: &Config, seen: &[&StorySourceRow]) -> Vec<StorySource> {
    let mut sources: Vec<StorySource> = Vec::new();
    for one in seen {
        let source = StorySource { feed: feed_name(config, &one.feed_id), link: one.entry.entry.link.clone() };
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// The worst that any entry states.
fn worst(a: Marks, b: Marks) -> Marks {
    Marks {
        cvss_tenths: a.cvss_tenths.max(b.cvss_tenths),
        severity: a.severity.max(b.severity),
        exploited: a.exploited || b.exploited,
    }
}

/// What people call a feed; its identifier when the configuration has it no more.
pub(super) fn feed_name(config: &Config, id: &FeedId) -> String {
    config.feed(id).map_or_else(|| id.to_string(), |feed| feed.name.clone())
}

/// Tags with the names of what they stand for, the owner's own first.
pub(super) fn named_tags(config: &Config, owner: &Owner, tags: Vec<Tag>) -> Vec<(String, Tag)> {
    let described = |tag: &Tag| match tag.kind {
        TagKind::Component => {
            config.components.iter().find(|one| one.id.as_str() == tag.id).map(|one| (&one.name, &one.owner))
        }
        TagKind::Topic => config.topics.iter().find(|one| one.id.as_str() == tag.id).map(|one| (&one.name, &one.owner)),
    };
    let mut named: Vec<(bool, String, Tag)> = tags
        .into_iter()
        .map(|tag| match described(&tag) {
            Some((name, whose)) => (*whose != owner.id, name.clone(), tag),
            None => (true, tag.id.clone(), tag),
        })
        .collect();
    named.sort_by_key(|(is_other, _, tag)| (*is_other, tag.kind, 100 - tag.confidence.min(100)));
    named.into_iter().map(|(_, name, tag)| (name, tag)).collect()
}
