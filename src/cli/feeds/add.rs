//! `sigtrail feeds add`: writes a feed into the register, and its group where that is missing. Nothing is fetched; what is
//! written is what `register::propose` says, which `feeds test` shows.

use std::{collections::HashMap, io::Write};

use serde_json::json;
use url::Url;

use super::register::{Register, line_of, place_of, talk};
use crate::{
    catalogue::{self, Listed},
    cli::{args::AddArgs, failure::Failure, named, place::Place},
    config, link,
    model::id::FeedId,
    register::{Kind, NewFeed, NewGroup, Proposal, Source, insert, propose},
};

/// The source of the catalogue with this identifier, and its address.
fn from_catalogue(id: &str) -> Result<Option<(&'static Listed, &'static str)>, Failure> {
    let Some(listed) = catalogue::find(id) else { return Ok(None) };
    match listed.url.as_deref() {
        Some(url) => Ok(Some((listed, url))),
        None => Err(Failure::Mistake(format!("`{id}` has no feed: {}", listed.instead))),
    }
}

fn unknown(register: &Register<'_>, source: &str) -> Failure {
    let list = register.command("feeds catalogue");
    Failure::Mistake(format!("`{source}` is no URL, and the catalogue has none of this name; `{list}` lists it"))
}

/// Writes the feed and says what was written and what comes next.
pub(super) fn run(place: &Place, args: &AddArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let register = Register::open(place)?;
    let (listed, url) = match from_catalogue(&args.source)? {
        Some((listed, url)) => (Some(listed), new_address(&register, url)?),
        None if !args.source.contains(['.', ':', '/']) => return Err(unknown(&register, &args.source)),
        None => {
            let url = new_address(&register, &args.source)?;
            (catalogue::by_address(url.as_str()), url)
        }
    };
    let Proposal { feed, group, why_owner } = proposed(&register, args, listed, &url)?;
    let feed = NewFeed {
        every: args.every.clone().or(feed.every),
        unmatched: args.unmatched.clone().or(feed.unmatched),
        baseline: args.baseline,
        tlp: args.tlp.clone(),
        topics: args.topic.clone(),
        ..feed
    };
    let text = insert(register.text(), group.as_ref(), std::slice::from_ref(&feed))
        .map_err(|error| Failure::Mistake(format!("{error}; nothing was written")))?;
    register.write(&text)?;
    if json {
        writeln!(out, "{}", json_line(&register, &text, &feed, group.is_some()))?;
    } else {
        written(&register, &text, &feed, group.as_ref(), out)?;
    }
    out.flush()?;
    if let Some(listed) = listed.filter(|listed| listed.id != args.source) {
        talk(&format!("the catalogue has it as {}: {}", listed.id, listed.about));
    }
    if !why_owner.is_empty() {
        talk(&format!("owner: {}, {why_owner}; --owner names another", feed.owner));
    }
    talk(&format!("try it: {}", register.command(&format!("feeds test {}", feed.id))));
    talk(&format!("next: {}", register.next()));
    Ok(0)
}

/// The address, if a feed may have it and none has it yet, in whatever dress.
fn new_address(register: &Register<'_>, text: &str) -> Result<Url, Failure> {
    let url = config::feed_address(text, &register.config.fetch).map_err(Failure::Mistake)?;
    let canonical = link::canonical(url.as_str());
    let twin = |other: &Url| *other == url || canonical.is_some() && link::canonical(other.as_str()) == canonical;
    let Some(feed) = register.config.feeds.iter().find(|feed| twin(&feed.url)) else { return Ok(url) };
    let at = place_of(register.text(), Kind::Feed, feed.id.as_str());
    let what = if feed.url == url {
        format!("`{}` has this URL already ({at})", feed.id)
    } else {
        format!("`{}` is at {} already ({at}); if these are two feeds, write this one by hand", feed.id, feed.url)
    };
    Err(Failure::Mistake(format!("{what}; nothing was written")))
}

/// What to write, without what only the words of the command say. An identifier that was asked for must be free; one that
/// is made up avoids those under which the state keeps the history of another address, too.
fn proposed(register: &Register<'_>, args: &AddArgs, listed: Option<&Listed>, url: &Url) -> Result<Proposal, Failure> {
    let config = &register.config;
    let owner = args.owner.as_deref().map(|owner| named::owner(config, owner)).transpose()?;
    let owner = owner.map(|owner| owner.id.clone());
    let remembered: HashMap<String, String> = register.remembered();
    let is_taken = |id: &str| {
        config.feed(&FeedId::new(id)).is_some() || remembered.get(id).is_some_and(|known| known != url.as_str())
    };
    let source = Source {
        listed,
        name: args.name.as_deref(),
        id: args.id.as_deref(),
        owner: owner.as_ref(),
        group: args.group.as_deref(),
        ..Source::at(url)
    };
    let proposal = propose(config, &source, &is_taken);
    let id = &proposal.feed.id;
    if config.feed(&FeedId::new(id.as_str())).is_some() {
        let at = place_of(register.text(), Kind::Feed, id);
        let other = "; --id gives this one another identifier";
        return Err(Failure::Mistake(format!("there is a feed `{id}` already ({at}){other}; nothing was written")));
    }
    Ok(proposal)
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
