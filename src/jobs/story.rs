//! A story as one owner may see it: what the digest and the acknowledgement page share. Entries of feeds above the
//! owner's ceiling are not there, nor are those that went to nobody: held, of the baseline, not for us.

use std::collections::{HashMap, HashSet};

use crate::{
    advisory, change,
    model::{
        digest::{Exploitation, Fix, HandOver, StorySource},
        feed::Tlp,
        id::{AssignmentNo, EntryNo, FeedId, FeedNo, OwnerId, StoryNo},
        owner::Owner,
        settings::Config,
        stack::{Marks, Tag, TagKind},
        time::Time,
    },
    route::{self, Assigned, Withheld},
    store::{EntryRow, Read, Reassigned, StoreError, ToldRow},
};

/// How many CVE ids are shown.
const MAX_CVES: usize = 32;
/// The most entries of a story that are read and named as its sources.
const MAX_SOURCES: usize = 20;
/// How many of them may be of one feed.
const MAX_OF_ONE_FEED: usize = 3;
/// How many characters of another source's title are shown.
const MAX_OTHER_TITLE: usize = 90;

/// What this owner may be told of a story.
#[derive(Debug, Clone)]
pub(super) struct SeenStory {
    pub(super) title: String,
    pub(super) link: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) cves: Vec<String>,
    pub(super) marks: Marks,
    /// Who stated the exploitation first, of those that the owner may see.
    pub(super) exploited_by: Option<Exploitation>,
    /// What is stated of a fix.
    pub(super) fix: Option<Fix>,
    /// Whether the owner may see everything of it.
    pub(super) is_whole: bool,
    pub(super) sources: Vec<StorySource>,
    /// How many entries more say it.
    pub(super) more_sources: usize,
    pub(super) published: Option<Time>,
    /// The feeds that say any of it.
    pub(super) feeds: Vec<FeedNo>,
    /// The entries that this owner may see; none: nothing of the story may be shown.
    pub(super) entries: Vec<EntryNo>,
    /// What its entries are about, each component and topic once, with its name.
    pub(super) tags: Vec<(String, Tag)>,
    /// Why it came, with everything of the owner's that any of its entries is about.
    pub(super) reason: String,
}

impl SeenStory {
    /// The entries of a story that this owner may see.
    pub(super) fn entries(
        config: &Config,
        read: &Read<'_>,
        owner: &Owner,
        story: StoryNo,
    ) -> Result<Vec<EntryNo>, StoreError> {
        let told = read.told_entries(story)?;
        Ok(told.iter().filter(|one| label(config, one) <= owner.tlp).map(|one| one.entry).collect())
    }

    /// The story for this owner, told by the entry that brought it for this reason; what the other entries add stands
    /// in the tags, the reason and the sources.
    pub(super) fn of(
        config: &Config,
        read: &Read<'_>,
        owner: &Owner,
        story: StoryNo,
        (brought_by, reason): (EntryNo, &str),
    ) -> Result<SeenStory, StoreError> {
        let mut seen = read.told_entries(story)?;
        let all = seen.len();
        seen.retain(|one| label(config, one) <= owner.tlp);
        let brought_by = seen.iter().find(|one| one.entry == brought_by).or(seen.first()).map(|one| one.entry);
        let mut named: Vec<(&ToldRow, EntryRow)> = Vec::new();
        for one in chosen(&seen, brought_by) {
            named.extend(read.entry(one.entry)?.map(|row| (one, row)));
        }
        let brought = named.iter().find(|(one, _)| Some(one.entry) == brought_by).map(|(_, row)| &row.entry);
        let mut text = String::new();
        for (_, row) in &named {
            for part in [&row.entry.title, &row.entry.summary, &row.entry.body].into_iter().flatten() {
                text.push_str(part);
                text.push('\n');
            }
        }
        let tags = named_tags(config, owner, all_tags(read, &named)?);
        Ok(SeenStory {
            title: brought.and_then(|entry| entry.heading()).unwrap_or_else(|| "(no title)".to_owned()),
            link: brought.and_then(|entry| entry.link.clone()),
            summary: brought.and_then(|entry| entry.summary.clone().or_else(|| entry.body.clone())),
            cves: cves(&text),
            marks: seen.iter().map(|one| one.marks).fold(Marks::default(), worst),
            exploited_by: exploited_by(config, read, &seen)?,
            fix: named.iter().filter_map(|(_, row)| change::stated_fix(&row.entry)).reduce(both),
            is_whole: seen.len() == all,
            sources: sources(config, &named, brought.and_then(|entry| entry.title.as_deref())),
            more_sources: seen.len() - named.len(),
            published: brought.and_then(|entry| entry.published.or(entry.updated)),
            feeds: seen.iter().map(|one| one.feed).collect(),
            entries: seen.iter().map(|one| one.entry).collect(),
            reason: whole_reason(config, owner, reason, &tags),
            tags,
        })
    }
}

/// The entries that are named, oldest first: the one that brought the story, and of the others a few of each feed.
fn chosen(seen: &[ToldRow], brought_by: Option<EntryNo>) -> Vec<&ToldRow> {
    let (brought, others): (Vec<&ToldRow>, Vec<&ToldRow>) = seen.iter().partition(|one| Some(one.entry) == brought_by);
    let mut of_feed: HashMap<FeedNo, usize> = HashMap::new();
    let mut chosen: Vec<&ToldRow> = brought
        .into_iter()
        .chain(others)
        .filter(|one| {
            let count = of_feed.entry(one.feed).or_default();
            *count += 1;
            *count <= MAX_OF_ONE_FEED
        })
        .take(MAX_SOURCES)
        .collect();
    chosen.sort_by_key(|one| one.entry);
    chosen
}

/// The tags of these entries' newest revisions, each component and topic once with its best proof.
fn all_tags(read: &Read<'_>, named: &[(&ToldRow, EntryRow)]) -> Result<Vec<Tag>, StoreError> {
    let mut tags: Vec<Tag> = Vec::new();
    for (_, row) in named {
        for tag in read.tags(row.no, row.revision)? {
            match tags.iter_mut().find(|known| known.kind == tag.kind && known.id == tag.id) {
                Some(known) if known.confidence < tag.confidence => *known = tag,
                Some(_) => {}
                None => tags.push(tag),
            }
        }
    }
    Ok(tags)
}

/// The reason, and what else of the owner's the story is about: an entry that joined later brought it.
fn whole_reason(config: &Config, owner: &Owner, reason: &str, tags: &[(String, Tag)]) -> String {
    let mut whole = reason.to_owned();
    for (name, tag) in tags {
        let (is_theirs, sentence) = match tag.kind {
            TagKind::Component => (
                config.components.iter().any(|one| one.id.as_str() == tag.id && one.owner == owner.id),
                format!("{name} is yours."),
            ),
            TagKind::Topic => (
                config.topics.iter().any(|one| one.id.as_str() == tag.id && one.owner == owner.id),
                format!("You follow {name}."),
            ),
        };
        if is_theirs && !whole.contains(name.as_str()) {
            whole.push(' ');
            whole.push_str(&sentence);
        }
    }
    whole
}

/// The label of a source: as configured, else as the feed was configured last.
fn label(config: &Config, source: &ToldRow) -> Tlp {
    config.feed(&source.feed_id).map_or(source.label, |feed| feed.tlp)
}

/// The label of a feed: as configured, else as it was configured last.
pub(super) fn feed_label(config: &Config, read: &Read<'_>, id: &FeedId) -> Result<Tlp, StoreError> {
    config.feed(id).map_or_else(|| read.feed_label(id), |feed| Ok(feed.tlp))
}

/// Whose post is to be given to somebody else, and in which words: the owner has left, or may not see this label.
/// `None`: it is theirs.
pub(super) fn moved(
    config: &Config,
    (assignment, reason, urgent): (AssignmentNo, &str, bool),
    meant: &OwnerId,
    label: Tlp,
    now: Time,
) -> Option<Reassigned> {
    let owner = config.owner(meant).filter(|owner| owner.is_living(now));
    if owner.is_some_and(|owner| label <= owner.tlp) {
        return None;
    }
    let reason = route::passed_on(config, meant, reason);
    let to = route::stand_in(config, meant, label, now);
    let ask = to.clone().unwrap_or_else(|| config.fallback.clone());
    Some(Reassigned {
        assignment,
        why: HandOver::Left,
        to: to.map(|owner| Assigned { owner, reason, urgent }),
        withheld: owner.map(|owner| Withheld { owner: owner.id.clone(), ask }),
    })
}

fn cves(text: &str) -> Vec<String> {
    let ids = advisory::ids(text).into_iter().map(|id| id.to_string());
    ids.filter(|id| id.starts_with("CVE-")).take(MAX_CVES).collect()
}

/// The feeds of a story, each with its own title of it where that is another than the one above.
fn sources(config: &Config, named: &[(&ToldRow, EntryRow)], title: Option<&str>) -> Vec<StorySource> {
    let mut sources: Vec<StorySource> = Vec::new();
    for (one, row) in named {
        let name = feed_name(config, &one.feed_id);
        let other = row.entry.title.as_deref().filter(|other| Some(*other) != title);
        let feed = other.map_or_else(|| name.clone(), |other| format!("{name} (\"{}\")", shortened(other)));
        let source = StorySource { feed, link: row.entry.link.clone() };
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

fn shortened(title: &str) -> String {
    let mut short: String = title.chars().take(MAX_OTHER_TITLE).collect();
    if title.chars().nth(MAX_OTHER_TITLE).is_some() {
        short.truncate(short.trim_end().len());
        short.push('\u{2026}');
    }
    short
}

/// The feed that was first seen to state exploitation.
fn exploited_by(config: &Config, read: &Read<'_>, seen: &[ToldRow]) -> Result<Option<Exploitation>, StoreError> {
    let mut first: Option<Exploitation> = None;
    for one in seen.iter().filter(|one| one.marks.exploited).take(MAX_SOURCES) {
        let Some(since) = read.exploited_since(one.entry)? else { continue };
        if first.as_ref().is_none_or(|first| since < first.since) {
            first = Some(Exploitation { feed: feed_name(config, &one.feed_id), since });
        }
    }
    Ok(first)
}

/// What two sources state of a fix.
fn both(a: Fix, b: Fix) -> Fix {
    match (a, b) {
        (Fix::In(mut versions), Fix::In(more)) => {
            versions.extend(more);
            let mut known = HashSet::new();
            versions.retain(|version| known.insert(version.clone()));
            Fix::In(versions)
        }
        (Fix::In(versions), Fix::Stated) | (Fix::Stated, Fix::In(versions)) => Fix::In(versions),
        (Fix::Stated, Fix::Stated) => Fix::Stated,
    }
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
