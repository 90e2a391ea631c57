//! What to write into `feeds.toml` for a feed that is not there yet. Text only: nothing is written here.

use crate::{
    jobs::probe::{Known, Probed},
    model::{feed::Unmatched, id::GroupId, settings::Config},
    register::{NewFeed, NewGroup, insert},
};

/// The tables to write; `None` where the feed is configured already or there is none.
pub(super) fn block(probed: &Probed, config: &Config) -> Option<String> {
    let (Some(_), Known::Listed(_) | Known::Nowhere) = (&probed.reading, probed.known) else { return None };
    let of = &probed.feed;
    let listed = match probed.known {
        Known::Listed(listed) => Some(listed),
        Known::Configured | Known::Nowhere => None,
    };
    let new_group = listed.filter(|listed| config.group(&GroupId::new(listed.group_id.clone())).is_none());
    let new_group = new_group.map(|listed| NewGroup { owner: of.owner.to_string(), ..NewGroup::from(listed) });
    let feed = NewFeed {
        id: of.id.to_string(),
        name: of.name.clone(),
        url: of.url.to_string(),
        owner: of.owner.to_string(),
        group: listed.map(|listed| listed.group_id.clone()).or_else(|| of.group.as_ref().map(ToString::to_string)),
        every: listed.filter(|_| of.every != config.fetch.every).and_then(|listed| listed.every.clone()),
        unmatched: match of.unmatched {
            Unmatched::List => None,
            Unmatched::Owner => Some("owner".to_owned()),
            Unmatched::None => Some("none".to_owned()),
        },
        ..NewFeed::default()
    };
    insert("", new_group.as_ref(), &[feed]).ok()
}
