//! `sigtrail match`: get the text or the entry, and the stack to hold it against. What is said is `matching`'s.

use std::{
    io::{BufRead as _, Write},
    path::Path,
};

use super::{args::MatchArgs, failure::Failure, matching, place::Place};
use crate::{
    advisory,
    clock::Clock,
    config, identity,
    jobs::Fault,
    marks,
    model::{
        entry::Entry,
        feed::Feed,
        id::{EntryNo, FeedId},
        settings::Config,
        stack::{Component, Tag, Topic},
    },
    route, story,
    tag::{self, Matcher},
};

/// Explains a text or an entry; with `json` and no text, answers JSON Lines on standard input.
pub fn run(place: &Place, args: &MatchArgs, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let other = args.stack.as_deref().map(stack_of).transpose()?;
    if let (true, None, None, Some((components, topics))) = (json, &args.text, args.entry, &other) {
        return answer_lines(&Matcher::new(components, topics).map_err(Fault::Matcher)?, out);
    }
    let mut config = place.config()?;
    if let Some((components, topics)) = other {
        (config.components, config.topics) = (components, topics);
    }
    let matcher = Matcher::new(&config.components, &config.topics).map_err(Fault::Matcher)?;
    if json && args.text.is_none() && args.entry.is_none() {
        return answer_lines(&matcher, out);
    }
    let (entry, feed) = asked(place, args, &config)?;
    let mut tags: Vec<Tag> = matcher.tags(&entry);
    let mut from_feed = tag::feed_tags(&config, &feed);
    from_feed.retain(|tag| !tags.iter().any(|found| found.kind == tag.kind && found.id == tag.id));
    tags.extend(from_feed.iter().cloned());
    let marks = marks::marks(&entry);
    let is_ours = args.stack.is_none();
    let judgement = is_ours.then(|| route::route(&config, &feed, &tags, &marks, Clock::System.now()));
    if json {
        writeln!(out, "{}", matching::judged_line(args.entry, &tags, judgement.as_ref()))?;
        return Ok(0);
    }
    let mut text = String::new();
    for part in [&entry.title, &entry.summary, &entry.body].into_iter().flatten() {
        text.push_str(part);
        text.push('\n');
    }
    let findings = matching::Findings {
        considered: &matcher.explain(&entry),
        feed_tags: &from_feed,
        mentions: &advisory::ids(&text),
        marks: &marks,
        judgement: judgement.as_ref(),
    };
    write!(out, "{}", matching::report(&config, &findings))?;
    let keys = story::keys(&entry, &identity::fingerprint(&entry));
    for key in &keys.joins {
        writeln!(out, "joins stories by {key}")?;
    }
    Ok(0)
}

/// The components and topics of another stack file than the configured one.
fn stack_of(file: &Path) -> Result<(Vec<Component>, Vec<Topic>), Failure> {
    Ok(config::load_stack(file)?)
}

fn answer_lines(matcher: &Matcher, out: &mut dyn Write) -> Result<u8, Failure> {
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| Failure::Mistake(format!("standard input: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = matching::json_line(matcher, &line)
            .map_err(|error| Failure::Mistake(format!("line {} of standard input: {error}", number + 1)))?;
        writeln!(out, "{answer}")?;
    }
    Ok(0)
}

fn asked(place: &Place, args: &MatchArgs, config: &Config) -> Result<(Entry, Feed), Failure> {
    let named = match &args.feed {
        None => None,
        Some(id) => {
            let feed = config.feed(&FeedId::new(id.clone())).cloned();
            Some(feed.ok_or_else(|| Failure::Mistake(format!("no feed `{id}` in feeds.toml")))?)
        }
    };
    if let Some(number) = args.entry {
        let store = place.store(Some(config))?;
        let found = store.read(|read| {
            let Some(row) = read.entry(EntryNo(number))? else { return Ok(None) };
            let feed = read.feed_status(row.feed)?.map(|status| status.id);
            Ok(Some((row.entry, feed)))
        })?;
        let Some((entry, feed)) = found else {
            return Err(Failure::Mistake(format!("no entry {number}; `sigtrail stories --json` lists them")));
        };
        let own = feed.and_then(|id| config.feed(&id).cloned());
        return Ok((entry, named.or(own).unwrap_or_else(|| matching::feed_of_text(config))));
    }
    let Some(text) = &args.text else {
        return Err(Failure::Mistake("say which text: sigtrail match \"TEXT\", or --entry ID".to_owned()));
    };
    Ok((matching::entry_of(text), named.unwrap_or_else(|| matching::feed_of_text(config))))
}
