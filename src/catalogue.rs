//! The catalogue: sources that are worth knowing, built in as one list of facts to choose from. Nothing here is polled,
//! and nothing here is in force: only what stands in `feeds.toml` is.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::link;

/// The list itself.
const TEXT: &str = include_str!("catalogue.toml");

static LISTED: LazyLock<Vec<Listed>> = LazyLock::new(|| read(TEXT).unwrap_or_default());

/// How sure it is that a source is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// A maintained project ships it, or its site makes one for everything by rule.
    #[serde(rename = "A")]
    Shipped,
    /// It is in several public lists.
    #[serde(rename = "B")]
    Common,
    /// It was seen once or with contradictions, or the address is a guess.
    #[serde(rename = "C")]
    Unsure,
    /// There is no feed; [`Listed::instead`] says what to do.
    #[serde(rename = "none")]
    NoFeed,
}

impl Standing {
    /// The mark in tables and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Shipped => "A",
            Standing::Common => "B",
            Standing::Unsure => "C",
            Standing::NoFeed => "none",
        }
    }
}

/// A source of the catalogue, together with the group that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its identifier here, and the one that it gets in `feeds.toml`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is fetched; `None`: there is no feed.
    pub url: Option<String>,
    /// The identifier of its group.
    pub group_id: String,
    /// What people call the group.
    pub group_name: String,
    /// The group's home page.
    pub group_url: Option<String>,
    /// What the group is, as the word of `kind` in `feeds.toml` ([`GroupKind::ALL`](crate::model::feed::GroupKind::ALL)).
    pub kind: String,
    /// Why a company may follow the group, to be adapted for its register.
    pub reason: String,
    /// What the source brings, in one line.
    pub about: String,
    /// The family of formats as `parse` names it; `none` where there is no feed.
    pub format: String,
    /// The sample of the tests that has its structure; empty where there is no feed.
    pub shape: String,
    /// How sure it is that it is there.
    pub status: Standing,
    /// The interval to write, where the default does not fit: `4h`.
    pub every: Option<String>,
    /// The word of `unmatched` to write, where the default does not fit.
    pub unmatched: Option<String>,
    /// What to know of it; empty where there is nothing.
    pub note: String,
    /// What to do where there is no feed; empty where there is one.
    pub instead: String,
}

/// Every source, in the order of the list: authorities first.
pub fn all() -> &'static [Listed] {
    &LISTED
}

/// The source of this identifier.
pub fn find(id: &str) -> Option<&'static Listed> {
    all().iter().find(|listed| listed.id == id)
}

/// The source of this address, whatever its scheme, tracking parameters or last slash.
pub fn by_address(url: &str) -> Option<&'static Listed> {
    let asked = link::canonical(url)?;
    all().iter().find(|listed| listed.url.as_deref().and_then(link::canonical).as_ref() == Some(&asked))
}

/// The sources in which each of these words stands somewhere, in any case; without words, all of them.
pub fn search(text: &str) -> Vec<&'static Listed> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    all().iter().filter(|listed| words.iter().all(|word| listed.says(word))).collect()
}

impl Listed {
    /// Whether a word in lower case stands in any of its fields.
    fn says(&self, word: &str) -> bool {
        let optional = [&self.url, &self.group_url].into_iter().flatten();
        let fields = [
            &self.id,
            &self.name,
            &self.group_id,
            &self.group_name,
            &self.kind,
            &self.reason,
            &self.about,
            &self.format,
            &self.note,
            &self.instead,
        ];
        fields.into_iter().chain(optional).any(|field| field.to_lowercase().contains(word))
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
    source: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    id: String,
    name: String,
    url: Option<String>,
    kind: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    id: String,
    name: String,
    group: String,
    url: Option<String>,
    format: String,
    #[serde(default)]
    shape: String,
    status: Standing,
    about: String,
    every: Option<String>,
    unmatched: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    instead: String,
}

/// Reads the list; an error says what is wrong with it. A source whose group is missing is an error too.
fn read(text: &str) -> Result<Vec<Listed>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let listed = file.source.into_iter().map(|source| {
        let group = file.group.iter().find(|group| group.id == source.group);
        let group = group.ok_or_else(|| format!("`{}` names no group: `{}`", source.id, source.group))?;
        Ok(Listed {
            group_id: group.id.clone(),
            group_name: group.name.clone(),
            group_url: group.url.clone(),
            kind: group.kind.clone(),
            reason: group.reason.clone(),
            id: source.id,
            name: source.name,
            url: source.url,
            about: source.about,
            format: source.format,
            shape: source.shape,
            status: source.status,
            every: source.every,
            unmatched: source.unmatched,
            note: source.note,
            instead: source.instead,
        })
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use url::Url;

    use super::*;
    use crate::model::{feed::GroupKind, id::slug};

    #[test]
    fn every_source_of_the_catalogue_says_all_that_a_register_asks() {
        let listed = read(TEXT).unwrap();
        assert!(listed.len() >= 60, "{}", listed.len());
        for one in &listed {
            let id = &one.id;
            assert_eq!(slug(id), *id);
            assert_eq!(slug(&one.group_id), one.group_id, "{id}");
            assert!(GroupKind::ALL.iter().any(|(word, _)| *word == one.kind), "{id}: {}", one.kind);
            for (text, least) in [(&one.name, 3), (&one.group_name, 3), (&one.reason, 25), (&one.about, 10)] {
                assert!(text.len() >= least && !text.ends_with('.') && !text.contains(['"', '\\']), "{id}: {text:?}");
            }
            assert!(one.unmatched.as_deref().is_none_or(|word| ["list", "owner", "none"].contains(&word)), "{id}");
            let is_feed = one.status != Standing::NoFeed;
            assert_eq!(is_feed, one.url.is_some(), "{id}");
            assert_eq!(is_feed, !one.shape.is_empty(), "{id}");
            assert_eq!(is_feed, one.instead.is_empty(), "{id}");
            assert_eq!(is_feed, one.format != "none", "{id}");
            let formats = ["rss", "rdf", "atom", "json", "kev", "csaf", "advisories", "none"];
            assert!(formats.contains(&one.format.as_str()), "{id}: {}", one.format);
            for url in [&one.url, &one.group_url].into_iter().flatten() {
                let url = Url::parse(url).unwrap();
                assert_eq!((url.scheme(), url.fragment()), ("https", None), "{id}");
            }
        }
    }

    #[test]
    fn no_identifier_and_no_address_is_listed_twice() {
        let listed = read(TEXT).unwrap();
        let ids: HashSet<&str> = listed.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids.len(), listed.len());
        let urls: Vec<&str> = listed.iter().filter_map(|one| one.url.as_deref()).collect();
        let canonical: HashSet<String> = urls.iter().filter_map(|url| link::canonical(url)).collect();
        assert_eq!(canonical.len(), urls.len());
        let file: File = toml::from_str(TEXT).unwrap();
        let groups: HashSet<&str> = file.group.iter().map(|group| group.id.as_str()).collect();
        assert_eq!(groups.len(), file.group.len());
        assert!(groups.iter().all(|id| listed.iter().any(|one| one.group_id == *id)), "a group without a source");
    }

    #[test]
    fn a_source_is_found_by_its_id_its_address_and_any_of_its_words() {
        assert_eq!(find("cisa-kev").unwrap().format, "kev");
        assert_eq!(find("cisa"), None);
        assert_eq!(by_address("http://rustsec.org/feed.xml/?utm_source=x").unwrap().id, "rustsec-advisories");
        assert_eq!(by_address("https://rustsec.example/feed.xml"), None);
        assert!(search("prompt INJECTION").iter().any(|one| one.id == "owasp-genai"));
        assert!(search("research arxiv").iter().all(|one| one.group_id == "arxiv"));
        assert_eq!(search("").len(), all().len());
        assert!(search("no such word anywhere").is_empty());
    }

    #[test]
    fn a_list_with_a_mistake_is_refused_whole() {
        assert!(read("group = []\nsource = []\nfeed = []").is_err());
        let lost = "group = []\n[[source]]\nid = \"a\"\nname = \"A\"\ngroup = \"b\"\nformat = \"rss\"\n\
                    status = \"A\"\nabout = \"x\"\n";
        assert_eq!(read(lost).unwrap_err(), "`a` names no group: `b`");
    }
}
