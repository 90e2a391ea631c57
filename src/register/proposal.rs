//! What to write for a source that is no feed yet, from its address and what is known of it. One answer for all who ask:
//! `feeds test` shows it, `feeds add` writes it. Whether it may stand in the register is not judged here.

use jiff::SignedDuration;
use url::Url;

use super::{NewFeed, NewGroup};
use crate::{
    catalogue::Listed,
    model::{
        feed::Group,
        id::{GroupId, OwnerId, slug},
        settings::Config,
    },
};

/// The longest identifier that is made of a name, in bytes; leaves room for a number.
const LONGEST_ID: usize = 58;
/// How many names are made of an address before an identifier gets a number of its own.
const MOST_NAMES: usize = 100;

/// What is known of a source; what is `None` is made up.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s> {
    /// Where it is fetched.
    pub url: &'s Url,
    /// What the catalogue says of it.
    pub listed: Option<&'s Listed>,
    /// What it calls itself.
    pub title: Option<&'s str>,
    /// The name that somebody asks for; the identifier is its slug then, whether that is free or not.
    pub name: Option<&'s str>,
    /// The identifier that somebody asks for, whether that is free or not.
    pub id: Option<&'s str>,
    /// The owner that somebody asks for.
    pub owner: Option<&'s OwnerId>,
    /// The group that somebody asks for.
    pub group: Option<&'s str>,
}

impl<'s> Source<'s> {
    /// A source of which only the address is known.
    pub fn at(url: &'s Url) -> Source<'s> {
        Source { url, listed: None, title: None, name: None, id: None, owner: None, group: None }
    }
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The feed.
    pub feed: NewFeed,
    /// Its group, where the register has none of this name.
    pub group: Option<NewGroup>,
    /// Why this owner, in words; empty where somebody asked for them.
    pub why_owner: &'static str,
}

/// What to write for this source. `is_taken` says which identifiers are not to be made up.
pub fn propose(config: &Config, source: &Source<'_>, is_taken: &dyn Fn(&str) -> bool) -> Proposal {
    let listed = source.listed;
    let group = source.group.or(listed.map(|listed| listed.group_id.as_str()));
    let known = group.and_then(|group| config.group(&GroupId::new(group)));
    let (owner, why_owner) = match source.owner {
        Some(owner) => (owner.clone(), ""),
        None => default_owner(config, known),
    };
    let (name, id) = names(source, is_taken);
    let every = listed.and_then(|listed| listed.every.as_deref()?.parse::<SignedDuration>().ok());
    let proposed = listed.filter(|listed| known.is_none() && group == Some(&listed.group_id));
    Proposal {
        feed: NewFeed {
            id,
            name,
            url: source.url.to_string(),
            owner: owner.to_string(),
            group: group.map(str::to_owned),
            every: every.map(|every| in_toml(every.max(config.fetch.min_interval))),
            unmatched: listed.and_then(|listed| listed.unmatched.clone()),
            comment: listed.map(|listed| listed.note.clone()).filter(|note| !note.is_empty()),
            ..NewFeed::default()
        },
        group: proposed.map(|listed| NewGroup { owner: owner.to_string(), ..NewGroup::from(listed) }),
        why_owner,
    }
}

/// Who answers where nobody is named, and why: the group's owner, the only owner, or the fallback.
pub fn default_owner(config: &Config, group: Option<&Group>) -> (OwnerId, &'static str) {
    match (group, config.owners.as_slice()) {
        (Some(group), _) => (group.owner.clone(), "who answers for the group"),
        (None, [only]) => (only.id.clone(), "the only owner"),
        _ => (config.fallback.clone(), "the fallback"),
    }
}

/// An identifier as it is wanted, short enough for a number behind it; `feed` where nothing is left.
pub fn short_id(wanted: &str) -> String {
    let base = wanted.get(..wanted.floor_char_boundary(LONGEST_ID)).unwrap_or_default().trim_matches('-');
    if base.is_empty() { "feed".to_owned() } else { base.to_owned() }
}

/// The name and the identifier.
fn names(source: &Source<'_>, is_taken: &dyn Fn(&str) -> bool) -> (String, String) {
    let listed = source.listed;
    let said = source.name.or(listed.map(|listed| listed.name.as_str())).or(source.title);
    let asked = source.id.map(str::to_owned).or_else(|| source.name.map(slug));
    let host = source.url.host_str().unwrap_or_default();
    let fits = |id: &str| id.len() <= LONGEST_ID && !is_taken(id);
    let by_address = || {
        let free = names_of(source.url).take(MOST_NAMES).map(|name| (slug(&name), name)).find(|(id, _)| fits(id));
        free.map_or_else(|| (host.to_owned(), free_id(&slug(host), is_taken)), |(id, name)| (name, id))
    };
    match (asked, said) {
        (Some(id), Some(name)) => (name.to_owned(), id),
        (Some(id), None) => (by_address().0, id),
        (None, Some(name)) => {
            let wanted = [listed.map(|listed| listed.id.clone()), Some(slug(name)), Some(slug(host))];
            let wanted = wanted.into_iter().flatten().find(|id| !id.is_empty()).unwrap_or_default();
            (name.to_owned(), free_id(&wanted, is_taken))
        }
        (None, None) => by_address(),
    }
}

/// The identifier, where it is taken with the first number behind it that is free.
fn free_id(wanted: &str, is_taken: &dyn Fn(&str) -> bool) -> String {
    let base = short_id(wanted);
    let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|id| !is_taken(id)).unwrap_or_default()
}

/// Names that an address suggests: its host, the host with the last word of its path, then numbered.
fn names_of(url: &Url) -> impl Iterator<Item = String> {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host).to_owned();
    let words = url.path().rsplit('/').map(|part| part.split('.').next().unwrap_or_default());
    let word = words.map(slug).find(|word| !matches!(word.as_str(), "" | "feed" | "rss" | "atom" | "index" | "feeds"));
    let longer = word.map(|word| format!("{host} {word}"));
    let numbered = host.clone();
    let numbers = (2..).map(move |number| format!("{numbered} {number}"));
    std::iter::once(host).chain(longer).chain(numbers)
}

/// A stretch of time as a value of `feeds.toml`: `4h`.
fn in_toml(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(unit, _)| seconds % unit == 0).unwrap_or((1, "s"));
    format!("{}{}", seconds / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_suggests_names_that_tell_its_feeds_apart() {
        let names = |url: &str| names_of(&url.parse().unwrap()).take(3).collect::<Vec<_>>();
        assert_eq!(
            names("https://www.cisa.example/news/advisories.xml"),
            ["cisa.example", "cisa.example advisories", "cisa.example 2"]
        );
        assert_eq!(names("https://blog.example/feed/"), ["blog.example", "blog.example 2", "blog.example 3"]);
        assert_eq!(names("https://a.example/team/red/index.xml")[1], "a.example red");
    }

    #[test]
    fn an_identifier_that_is_made_up_is_free_and_short() {
        let taken = ["tarn", "tarn-2"];
        assert_eq!(free_id("tarn", &|id| taken.contains(&id)), "tarn-3");
        assert_eq!(free_id(&"long-".repeat(40), &|_| false).len(), LONGEST_ID);
        assert_eq!(free_id("", &|_| false), "feed");
    }

    #[test]
    fn a_stretch_of_time_is_written_as_the_file_has_it() {
        assert_eq!(
            [900, 14_400, 5_400].map(|seconds| in_toml(SignedDuration::from_secs(seconds))),
            ["15m", "4h", "90m"]
        );
    }
}
