//! `sigtrail feeds add`: writes a feed into the register, and its group where that is missing. Nothing is fetched.

use std::io::Write;

use serde_json::json;
use url::Url;

use super::register::{Register, line_of, place_of, talk};
use crate::{
    catalogue,
    cli::{args::AddArgs, failure::Failure, place::Place},
    config,
    model::{
        feed::Group,
        id::{FeedId, GroupId, slug},
    },
    register::{Kind, NewFeed, NewGroup, insert},
};

/// A feed as somebody proposes it: by its address, or out of the catalogue.
struct Proposal {
    /// `None`: made from the name.
    id: Option<String>,
    /// `None`: made from the address.
    name: Option<String>,
    url: String,
    /// The group it belongs to, without an owner.
    group: Option<NewGroup>,
    every: Option<String>,
    unmatched: Option<String>,
    /// A line above it.
    comment: Option<String>,
}

/// The feed of the catalogue with this identifier.
fn from_catalogue(id: &str) -> Result<Option<Proposal>, Failure> {
    let Some(listed) = catalogue::find(id) else { return Ok(None) };
    let Some(url) = listed.url.clone() else {
        return Err(Failure::Mistake(format!("`{id}` has no feed: {}", listed.instead)));
    };
    Ok(Some(Proposal {
        id: Some(listed.id.clone()),
        name: Some(listed.name.clone()),
        url,
        group: Some(NewGroup::from(listed)),
        every: listed.every.clone(),
        unmatched: listed.unmatched.clone(),
        comment: (!listed.note.is_empty()).then(|| listed.note.clone()),
    }))
}

fn from_address(text: &str) -> Proposal {
    let url = text.to_owned();
    Proposal { id: None, name: None, url, group: None, every: None, unmatched: None, comment: None }
}

fn unknown(register: &Register<'_>, source: &str) -> Failure {
    let list = register.command("feeds catalogue");
    Failure::Mistake(format!("`{source}` is no URL, and the catalogue has none of this name; `{list}` lists it"))
}

/// Writes the feed and says what was written and what comes next.
pub(super) fn run(place: &Place, args: &AddArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let register = Register::open(place)?;
    let proposal = match from_catalogue(&args.source)? {
        Some(proposal) => proposal,
        None if !args.source.contains(['.', ':', '/']) => return Err(unknown(&register, &args.source)),
        None => from_address(&args.source),
    };
    let url = new_address(&register, &proposal.url)?;
    let (name, id) = named(&register, args, &proposal, &url)?;
    let group_id = args.group.clone().or_else(|| proposal.group.as_ref().map(|group| group.id.clone()));
    let known = group_id.as_deref().and_then(|id| register.config.group(&GroupId::new(id)));
    let (owner, why) = match &args.owner {
        Some(owner) => (register.known_owner(owner)?, ""),
        None => register.default_owner(known),
    };
    let new_group = new_group(args, proposal.group, known, owner.as_str());
    let feed = NewFeed {
        id,
        name,
        url: url.to_string(),
        owner: owner.to_string(),
        group: group_id,
        every: args.every.clone().or(proposal.every),
        unmatched: args.unmatched.clone().or(proposal.unmatched),
        baseline: args.baseline,
        tlp: args.tlp.clone(),
        topics: args.topic.clone(),
        comment: proposal.comment,
        heading: None,
    };
    let text = insert(register.text(), new_group.as_ref(), std::slice::from_ref(&feed))
        .map_err(|error| Failure::Mistake(error.to_string()))?;
    register.write(&text)?;
    if json {
        writeln!(out, "{}", json_line(&register, &text, &feed, new_group.is_some()))?;
    } else {
        written(&register, &text, &feed, new_group.as_ref(), out)?;
    }
    out.flush()?;
    if !why.is_empty() {
        talk(&format!("owner: {owner}, {why}; --owner names another"));
    }
    talk(&format!("try it: {}", register.command(&format!("feeds test {}", feed.id))));
    talk(&format!("next: {}", register.next()));
    Ok(0)
}

/// The address, if a feed may have it and none has it yet.
fn new_address(register: &Register<'_>, text: &str) -> Result<Url, Failure> {
    let url = config::feed_address(text, &register.config.fetch).map_err(Failure::Mistake)?;
    match register.config.feeds.iter().find(|feed| feed.url == url) {
        None => Ok(url),
        Some(feed) => {
            let at = place_of(register.text(), Kind::Feed, feed.id.as_str());
            Err(Failure::Mistake(format!("`{}` has this URL already ({at}); nothing was written", feed.id)))
        }
    }
}

/// The name and the identifier. Where neither was asked for, the address gives both, so that no other feed has them.
fn named(register: &Register<'_>, args: &AddArgs, proposal: &Proposal, url: &Url) -> Result<(String, String), Failure> {
    let is_taken = |id: &str| register.config.feed(&FeedId::new(id)).is_some();
    let asked_id = args.id.clone().or_else(|| proposal.id.clone());
    let asked_name = args.name.clone().or_else(|| proposal.name.clone());
    let Some(id) = asked_id.or_else(|| asked_name.as_deref().map(slug)) else {
        return Ok(names_of(url)
            .map(|name| (name.clone(), slug(&name)))
            .find(|(_, id)| !is_taken(id))
            .unwrap_or_default());
    };
    if is_taken(&id) {
        let at = place_of(register.text(), Kind::Feed, &id);
        let other = "; --id gives this one another identifier";
        return Err(Failure::Mistake(format!("there is a feed `{id}` already ({at}){other}; nothing was written")));
    }
    let name = asked_name.unwrap_or_else(|| names_of(url).next().unwrap_or_default());
    Ok((name, id))
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

/// The proposed group, where it is the one that is wanted and the register has none of its name.
fn new_group(args: &AddArgs, proposed: Option<NewGroup>, known: Option<&Group>, owner: &str) -> Option<NewGroup> {
    let wanted = proposed.filter(|group| args.group.as_ref().is_none_or(|id| *id == group.id))?;
    known.is_none().then(|| NewGroup { owner: owner.to_owned(), ..wanted })
}

fn written(
    register: &Register<'_>,
    text: &str,
    feed: &NewFeed,
    group: Option<&NewGroup>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = register.path();
    if let Some(group) = group {
        let line = line_of(text, Kind::Group, &group.id).unwrap_or(0);
        writeln!(out, "written  {path}:{line}  group {}, owner {}", group.id, group.owner)?;
    }
    let line = line_of(text, Kind::Feed, &feed.id).unwrap_or(0);
    writeln!(out, "written  {path}:{line}  feed {}, owner {}", feed.id, feed.owner)?;
    Ok(())
}

fn json_line(register: &Register<'_>, text: &str, feed: &NewFeed, has_new_group: bool) -> serde_json::Value {
    json!({
        "feed": feed.id, "name": feed.name, "url": feed.url, "owner": feed.owner, "group": feed.group,
        "new_group": has_new_group, "file": register.path(), "line": line_of(text, Kind::Feed, &feed.id),
    })
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
}
