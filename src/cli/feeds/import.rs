//! `sigtrail feeds import`: takes the feeds of an OPML list into the register. What cannot be followed is left out and
//! named by its line; nothing is fetched, and nothing of the list but names and addresses is used.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::File,
    io::{Read as _, Write},
    path::Path,
};

use serde_json::{Value, json};
use url::Url;

use super::register::{Register, talk};
use crate::{
    cli::{args::ImportArgs, failure::Failure, named, place::Place, table::count},
    clock::Clock,
    config,
    model::{
        id::{FeedId, GroupId, OwnerId, slug},
        settings::Config,
        time::Time,
    },
    register::{
        NewFeed, default_owner, insert,
        opml::{self, List, Outline, Skipped},
        short_id,
    },
    text,
};

/// How many outlines are named on standard error; `--json` names them all.
const MOST_NAMED: usize = 200;

/// What became of an outline.
enum Fate {
    /// It becomes a feed.
    New(Box<NewFeed>),
    /// A feed of the register has its address.
    Present(FeedId),
    /// An outline before it has its address: that one's line.
    Again(usize),
    /// It cannot be followed, and why.
    Bad(String),
}

/// Reads the list, writes what can be followed, and names the rest.
pub(super) fn run(place: &Place, args: &ImportArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let register = Register::open(place)?;
    let group = known_group(&register, args.group.as_deref())?;
    let (owner, why) = match &args.owner {
        Some(owner) => (named::owner(&register.config, owner)?.id.clone(), ""),
        None => default_owner(&register.config, group.as_ref().and_then(|id| register.config.group(id))),
    };
    let List { outlines, skipped, is_cut } = read(&args.file)?;
    if is_cut {
        talk(&format!("{}: the list ends in the middle; what stands before is read", args.file.display()));
    }
    let mut taking = Taking::of(&register, Clock::System.now(), (owner, group));
    let fates: Vec<Fate> = outlines.iter().map(|outline| taking.fate(outline)).collect();
    let new: Vec<NewFeed> = fates
        .iter()
        .filter_map(|fate| if let Fate::New(feed) = fate { Some(feed.as_ref().clone()) } else { None })
        .collect();
    if !new.is_empty() {
        let text = insert(register.text(), None, &new)
            .map_err(|error| Failure::Mistake(format!("{error}; nothing was written")))?;
        register.write(&text)?;
    }
    if json {
        json_lines(&outlines, &fates, &skipped, out)?;
    } else {
        name_the_bad(&args.file, &outlines, &fates, &skipped);
        writeln!(out, "{}", summary(&register, &fates, &skipped))?;
    }
    out.flush()?;
    taking.say_what_was_made_up(why);
    if !new.is_empty() {
        talk(&format!("try them: {}", register.command("feeds test ID")));
        talk(&format!("next: {}", register.next()));
    }
    let is_present = fates.iter().any(|fate| matches!(fate, Fate::Present(_)));
    Ok(if new.is_empty() && !is_present { 2 } else { 0 })
}

fn read(path: &Path) -> Result<List, Failure> {
    let failed = |error| Failure::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let most = u64::try_from(opml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(failed)?;
    opml::read(&bytes)
        .map_err(|refused| Failure::Mistake(format!("{}: {refused}; nothing was written", path.display())))
}

fn known_group(register: &Register<'_>, id: Option<&str>) -> Result<Option<GroupId>, Failure> {
    let Some(id) = id else { return Ok(None) };
    let group = GroupId::new(id);
    if register.config.group(&group).is_some() {
        return Ok(Some(group));
    }
    Err(named::nothing(("group", id), register.config.groups.iter().map(|group| group.id.as_str())))
}

/// The outlines as they are taken in, one after another.
struct Taking<'c> {
    config: &'c Config,
    now: Time,
    owner: OwnerId,
    group: Option<GroupId>,
    /// Every address with the feed of the register that has it, or the line of the list that had it first.
    addresses: HashMap<Url, Result<FeedId, usize>>,
    ids: HashSet<String>,
    /// The identifiers that the state knows with their addresses.
    remembered: HashMap<String, String>,
    /// The last number that was tried behind an identifier.
    numbers: HashMap<String, usize>,
    /// How many feeds got the owner, because the list names none.
    ownerless: usize,
    /// For each feed the owner that the list names, and nobody is.
    lost_owners: Vec<String>,
    /// For each feed the group that the list names, and the register does not have.
    lost_groups: Vec<String>,
}

impl<'c> Taking<'c> {
    fn of(register: &'c Register<'_>, now: Time, (owner, group): (OwnerId, Option<GroupId>)) -> Self {
        let config = &register.config;
        let addresses = config.feeds.iter().map(|feed| (feed.url.clone(), Ok(feed.id.clone()))).collect();
        let ids = config.feeds.iter().map(|feed| feed.id.to_string()).collect();
        Self {
            config,
            now,
            owner,
            group,
            addresses,
            ids,
            remembered: register.remembered(),
            numbers: HashMap::new(),
            ownerless: 0,
            lost_owners: Vec::new(),
            lost_groups: Vec::new(),
        }
    }

    fn fate(&mut self, outline: &Outline) -> Fate {
        // What follows a # is never sent, so the address is the same without it.
        let sent = outline.url.split('#').next().unwrap_or_default();
        let url = match config::feed_address(sent, &self.config.fetch) {
            Ok(url) => url,
            Err(why) => return Fate::Bad(why),
        };
        if url.as_str().len() > opml::MAX_URL {
            return Fate::Bad("the address is too long".to_owned());
        }
        match self.addresses.get(&url) {
            Some(Ok(feed)) => return Fate::Present(feed.clone()),
            Some(Err(line)) => return Fate::Again(*line),
            None => {}
        }
        self.addresses.insert(url.clone(), Err(outline.line));
        Fate::New(Box::new(self.feed(outline, &url)))
    }

    fn feed(&mut self, outline: &Outline, url: &Url) -> NewFeed {
        let host = url.host_str().unwrap_or_default();
        let name = if outline.name.is_empty() { host.to_owned() } else { outline.name.clone() };
        let id = match &outline.id {
            Some(id) if is_plain(id) && self.ids.insert(id.clone()) => id.clone(),
            Some(id) => self.free_id(id, url),
            None if slug(&name).is_empty() => self.free_id(&slug(host), url),
            None => self.free_id(&slug(&name), url),
        };
        NewFeed {
            id,
            name,
            url: url.to_string(),
            owner: self.owner_of(outline).to_string(),
            group: self.group_of(outline).map(|group| group.to_string()),
            heading: Some(outline.folder.clone()).filter(|folder| !folder.is_empty()),
            ..NewFeed::default()
        }
    }

    fn owner_of(&mut self, outline: &Outline) -> OwnerId {
        let Some(named) = &outline.owner else {
            self.ownerless += 1;
            return self.owner.clone();
        };
        let known = self.config.owner(&OwnerId::new(named.as_str()));
        if let Some(owner) = known.filter(|owner| owner.is_living(self.now)) {
            return owner.id.clone();
        }
        self.lost_owners.push(named.clone());
        self.owner.clone()
    }

    fn group_of(&mut self, outline: &Outline) -> Option<GroupId> {
        let Some(named) = &outline.group else { return self.group.clone() };
        let group = GroupId::new(named.as_str());
        if self.config.group(&group).is_some() {
            return Some(group);
        }
        self.lost_groups.push(named.clone());
        self.group.clone()
    }

    /// Says who answers for feeds whose owner nobody named, and what the list says that the register cannot take.
    fn say_what_was_made_up(&self, why: &str) {
        let owner = &self.owner;
        for (lost, words) in [
            (&self.lost_groups, "groups that feeds.toml does not have"),
            (&self.lost_owners, "owners that nobody in config/owners.toml is"),
        ] {
            let names: BTreeSet<&str> = lost.iter().map(String::as_str).collect();
            if !lost.is_empty() {
                let feeds = if lost.len() == 1 { "1 feed names" } else { &format!("{} feeds name", lost.len()) };
                talk(&format!("{feeds} {words}: {}", named::some_of(names.into_iter())));
            }
        }
        if !why.is_empty() && self.ownerless + self.lost_owners.len() > 0 {
            talk(&format!("owner: {owner}, {why}; --owner names another"));
        }
    }

    /// The identifier itself where it is free, else with the first number behind it that is. One under which the state
    /// keeps the history of another address is not.
    fn free_id(&mut self, wanted: &str, url: &Url) -> String {
        let base = short_id(wanted);
        let number = self.numbers.entry(base.clone()).or_insert(1);
        loop {
            let id = if *number == 1 { base.clone() } else { format!("{base}-{number}") };
            *number += 1;
            let is_anothers = self.remembered.get(&id).is_some_and(|known| known != url.as_str());
            if !is_anothers && self.ids.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// Whether an identifier is one as it stands.
fn is_plain(id: &str) -> bool {
    id.len() == id.trim_matches('-').len()
}

/// The address of an outline for people; nothing where it holds a password, or may hold one and cannot be read.
fn address(outline: &Outline) -> Option<String> {
    let is_open = match Url::parse(&outline.url) {
        Ok(url) if url.has_host() => url.username().is_empty() && url.password().is_none(),
        _ => !outline.url.contains('@'),
    };
    is_open.then(|| text::clean(&outline.url, opml::MAX_URL))
}

/// Why an outline was left out, where it is no mere repetition.
fn bad(outlines: &[Outline], fates: &[Fate], skipped: &[Skipped]) -> Vec<Skipped> {
    let judged = outlines.iter().zip(fates).filter_map(|(outline, fate)| match fate {
        Fate::Bad(why) => {
            let what =
                if outline.name.is_empty() { address(outline).unwrap_or_default() } else { outline.name.clone() };
            Some(Skipped { line: outline.line, what, why: why.clone() })
        }
        _ => None,
    });
    let mut bad: Vec<Skipped> = skipped.iter().cloned().chain(judged).collect();
    bad.sort_by_key(|skipped| skipped.line);
    bad
}

fn name_the_bad(file: &Path, outlines: &[Outline], fates: &[Fate], skipped: &[Skipped]) {
    let bad = bad(outlines, fates, skipped);
    for Skipped { line, what, why } in bad.iter().take(MOST_NAMED) {
        let what = if what.is_empty() { "an outline" } else { what.as_str() };
        talk(&format!("{}:{line}: left out: {what}: {}", file.display(), text::clean(why, 400)));
    }
    if bad.len() > MOST_NAMED {
        talk(&format!("and {} more; --json names them all", bad.len() - MOST_NAMED));
    }
}

/// `imported 12 feeds into feeds.toml; left out: 2 that cannot be followed, 1 duplicate, 3 already there`.
fn summary(register: &Register<'_>, fates: &[Fate], skipped: &[Skipped]) -> String {
    let (mut new, mut present, mut again, mut bad) = (0, 0, 0, skipped.len());
    for fate in fates {
        match fate {
            Fate::New(_) => new += 1,
            Fate::Present(_) => present += 1,
            Fate::Again(_) => again += 1,
            Fate::Bad(_) => bad += 1,
        }
    }
    let mut left = Vec::new();
    if bad > 0 {
        left.push(format!("{bad} that cannot be followed"));
    }
    if again > 0 {
        left.push(count(again, "duplicate", "duplicates"));
    }
    if present > 0 {
        left.push(format!("{present} already there"));
    }
    let left = if left.is_empty() { String::new() } else { format!("; left out: {}", left.join(", ")) };
    format!("imported {} into {}{left}", count(new, "feed", "feeds"), register.path())
}

fn json_lines(outlines: &[Outline], fates: &[Fate], skipped: &[Skipped], out: &mut dyn Write) -> Result<(), Failure> {
    let mut lines: Vec<(usize, Value)> = skipped
        .iter()
        .map(|Skipped { line, what, why }| {
            let value =
                json!({ "line": line, "name": what, "url": null, "imported": false, "feed": null, "reason": why });
            (*line, value)
        })
        .collect();
    for (outline, fate) in outlines.iter().zip(fates) {
        let (feed, reason) = match fate {
            Fate::New(feed) => (Some(feed.id.clone()), None),
            Fate::Present(feed) => (Some(feed.to_string()), Some("already there".to_owned())),
            Fate::Again(line) => (None, Some(format!("a duplicate of line {line}"))),
            Fate::Bad(why) => (None, Some(why.clone())),
        };
        let value = json!({
            "line": outline.line, "name": outline.name, "url": address(outline),
            "imported": matches!(fate, Fate::New(_)), "feed": feed, "reason": reason,
        });
        lines.push((outline.line, value));
    }
    lines.sort_by_key(|(line, _)| *line);
    for (_, line) in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
