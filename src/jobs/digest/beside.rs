//! What a digest says beside its stories: single lines, first polls, what was withheld, and what its owner answers for.

use crate::{
    change,
    jobs::story::{feed_label, feed_name},
    model::{
        digest::{AlsoPublished, BaselineNote, OwnedGroup, Restricted},
        feed::FeedStatus,
        id::{EntryNo, FeedNo},
        owner::Owner,
        settings::Config,
        time::Time,
    },
    route,
    store::{ListedRow, Read, StoreError, WithheldRow},
};

/// How many lines of one feed stand under "also published".
const LISTED_LINES: usize = 20;

/// The entries of each line under "also published", with their feeds.
pub(super) type ListedLines = Vec<Vec<(EntryNo, FeedNo)>>;

/// A story that was withheld, with whom to ask for it.
pub(super) fn restricted(config: &Config, row: &WithheldRow) -> Restricted {
    Restricted {
        feed: feed_name(config, &row.feed),
        tlp: config.feed(&row.feed).map_or_else(String::new, |feed| feed.tlp.to_string()),
        ask: config.owner(&row.ask).map_or_else(|| row.ask.to_string(), |owner| owner.name.clone()),
    }
}

/// The lines that wait for this owner, and those of people who left or may not see them and for whom this owner
/// stands in; and how they are shown.
pub(super) fn also_published(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
    now: Time,
) -> Result<(ListedLines, Vec<AlsoPublished>), StoreError> {
    let mut rows: Vec<ListedRow> = Vec::new();
    for id in read.owners_with_post()? {
        for row in read.listed(&id)? {
            let label = feed_label(config, read, &row.feed)?;
            if route::stand_in(config, &id, label, now).is_some_and(|to| to == owner.id) {
                rows.push(row);
            }
        }
    }
    rows.sort_by(|a, b| a.feed.cmp(&b.feed).then(a.entry.cmp(&b.entry)));
    let (mut listed, mut shown): (ListedLines, Vec<AlsoPublished>) = (Vec::new(), Vec::new());
    for row in &rows {
        let name = feed_name(config, &row.feed);
        if shown.last().is_none_or(|last| last.feed != name) {
            shown.push(AlsoPublished { feed: name, lines: Vec::new(), more: 0 });
        }
        let Some(last) = shown.last_mut() else { continue };
        let one = (row.entry, row.feed_no);
        if last.lines.len() < LISTED_LINES {
            let title = row.title.as_deref().unwrap_or("(no title)");
            let title = if row.is_update { format!("{} {title}", change::UPDATED) } else { title.to_owned() };
            last.lines.push((title, row.link.clone()));
            listed.push(vec![one]);
        } else if last.more == 0 {
            last.more = 1;
            listed.push(vec![one]);
        } else {
            last.more += 1;
            listed.last_mut().into_iter().for_each(|counted| counted.push(one));
        }
    }
    Ok((listed, shown))
}

/// The first polls that this owner was not told of yet, and what is said of each.
pub(super) fn baseline_notes(
    config: &Config,
    read: &Read<'_>,
    owner: &Owner,
) -> Result<(Vec<FeedNo>, Vec<BaselineNote>), StoreError> {
    let (mut told, mut notes) = (Vec::new(), Vec::new());
    for row in read.baselines_for(owner.id.as_str())? {
        let is_feed_owner = config.feed(&row.id).is_some_and(|feed| feed.owner == owner.id);
        let matched: Vec<(String, usize)> = row
            .matched
            .iter()
            .filter_map(|(id, count)| {
                let component = config.components.iter().find(|one| one.id.as_str() == id)?;
                (is_feed_owner || component.owner == owner.id).then(|| (component.name.clone(), *count))
            })
            .collect();
        if is_feed_owner || !matched.is_empty() {
            told.push(row.feed);
            notes.push(BaselineNote { feed: feed_name(config, &row.id), recorded: row.recorded, matched });
        }
    }
    Ok((told, notes))
}

/// What this owner answers for, by name.
pub(super) fn owned(config: &Config, owner: &Owner) -> Vec<String> {
    let components = config.components.iter().filter(|one| one.owner == owner.id).map(|one| one.name.clone());
    let topics = config.topics.iter().filter(|one| one.owner == owner.id).map(|one| one.name.clone());
    components.chain(topics).collect()
}

/// The groups that this owner answers for, and their feeds without a group, with when each was last heard of; the newest
/// first.
pub(super) fn owned_groups(config: &Config, owner: &Owner, feeds: &[FeedStatus]) -> Vec<OwnedGroup> {
    let heard = |is_of: &dyn Fn(&FeedStatus) -> bool| {
        let of: Vec<&FeedStatus> = feeds.iter().filter(|feed| feed.enabled && is_of(feed)).collect();
        (!of.is_empty()).then(|| of.iter().filter_map(|feed| feed.last_entry_at).max())
    };
    let group_of = |status: &FeedStatus| config.feed(&status.id).and_then(|feed| feed.group.as_ref());
    let groups = config.groups.iter().filter(|group| group.owner == owner.id).filter_map(|group| {
        let last_entry_at = heard(&|feed| group_of(feed) == Some(&group.id))?;
        Some(OwnedGroup { name: group.name.clone(), last_entry_at })
    });
    let alone = config.feeds.iter().filter(|feed| feed.group.is_none() && feed.owner == owner.id).filter_map(|feed| {
        let last_entry_at = heard(&|status| status.id == feed.id)?;
        Some(OwnedGroup { name: feed.name.clone(), last_entry_at })
    });
    let mut all: Vec<OwnedGroup> = groups.chain(alone).collect();
    all.sort_by_key(|group| std::cmp::Reverse(group.last_entry_at));
    all
}
