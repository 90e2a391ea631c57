//! Entries of CSAF 2.0 ROLIE feeds (section 7.1.15, RFC 8322 in JSON). The advisories that they point to are not read.

use serde::Deserialize;
use url::Url;

use super::{
    json::plain,
    loose::{FromText, LooseList, LooseText, Maybe},
    xml::list,
};
use crate::{date, link::http_link, model::entry::Entry};

/// One entry of a ROLIE feed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RolieEntry {
    id: LooseText,
    title: LooseText,
    link: LooseList<RolieLink>,
    published: LooseText,
    updated: LooseText,
    summary: Maybe<RolieText>,
    content: Maybe<RolieContent>,
    category: LooseList<RolieCategory>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RolieLink {
    rel: LooseText,
    href: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RolieText {
    content: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RolieContent {
    src: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RolieCategory {
    term: LooseText,
}

impl FromText for RolieLink {
    fn from_text(text: &str) -> Self {
        Self { href: LooseText(Some(text.to_owned())), ..Self::default() }
    }
}

impl FromText for RolieCategory {
    fn from_text(text: &str) -> Self {
        Self { term: LooseText(Some(text.to_owned())) }
    }
}

impl RolieEntry {
    /// The entry; its link is the page for people where there is one, else the advisory itself.
    pub(super) fn entry(self, base: Option<&Url>) -> Entry {
        let of_rel = |rel: &str| {
            let mut links = self.link.0.iter().filter(|link| link.rel.as_deref().unwrap_or("alternate") == rel);
            links.find_map(|link| http_link(link.href.as_deref()?, base))
        };
        let source = self.content.0.as_ref().and_then(|content| http_link(content.src.as_deref()?, base));
        Entry {
            guid: plain(&self.id),
            link: of_rel("alternate").or_else(|| of_rel("self")).or(source),
            title: plain(&self.title),
            published: self.published.as_deref().and_then(date::parse),
            updated: self.updated.as_deref().and_then(date::parse),
            categories: list(self.category.0.iter().filter_map(|category| category.term.as_deref())),
            summary: self.summary.0.as_ref().and_then(|summary| plain(&summary.content)),
            ..Entry::default()
        }
    }
}
