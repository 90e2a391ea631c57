//! The subject: what it is and how bad in the first 33 characters, 60 in all, the date last.

use super::{
    said::label,
    seen::seen,
    words::{cut, grouped, moment},
};
use crate::model::{
    digest::{DigestContent, DigestKind, DigestStory, NotSeen, Notice},
    stack::Severity,
};

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 60;
/// Telephones show this much of it.
const MAX_FIRST: usize = 33;

/// The subject of a digest. No two of one owner are equal: a scheduled one ends in its day, an urgent one in its
/// minute, and one that only tells of trouble in the day on which the newest trouble began.
pub(super) fn subject(content: &DigestContent) -> String {
    if let Some(trouble) = trouble(content) {
        return trouble;
    }
    let (call, pattern) = match content.kind {
        DigestKind::Urgent => (": answer now", "(%-d %b %H:%M)"),
        _ => ("", "(%a %-d %b)"),
    };
    let tail = format!("{call} {}", moment(content.now, &content.timezone, pattern));
    let room = MAX_SUBJECT.saturating_sub(tail.chars().count());
    let news = if content.stories.is_empty() { quiet(content) } else { news(&content.stories, room) };
    format!("{}{tail}", cut(&news, room))
}

/// The subject where there is nothing but feeds that went blind: `Blind: Tarnbase refuses us since Wed 18 Nov, +1 feed`.
fn trouble(content: &DigestContent) -> Option<String> {
    if !(content.stories.is_empty()
        && content.held.is_empty()
        && content.also_published.is_empty()
        && content.restricted.is_empty())
    {
        return None;
    }
    let has_news = content.not_seen.iter().any(|feed| feed.notice.is_some());
    if let (Some(first), false) = (content.seen_again.first(), has_news) {
        return Some(seen_again(content, &first.feed));
    }
    let is_alarm = |feed: &&NotSeen| feed.notice == Some(Notice::Alarm);
    let alarm = content.not_seen.iter().rev().filter(is_alarm).max_by_key(|feed| feed.since);
    let newest = alarm.or_else(|| content.not_seen.iter().rev().max_by_key(|feed| feed.since))?;
    let call = match alarm {
        Some(_) => "Still blind: ",
        None if newest.state == "stale" => "Silent: ",
        None => "Blind: ",
    };
    let does = match newest.state.as_str() {
        "refused" => " refuses us",
        "throttled" => " puts us off",
        "gone" => " is gone",
        "not-a-feed" => " is no feed",
        "stale" => "",
        "suspicious" => " is in doubt",
        _ => " is broken",
    };
    // What another trouble began is told as long as it lasts.
    let (does, since) = match newest.unseen_since.filter(|_| alarm.is_some()) {
        Some(unseen_since) => (" is not seen", unseen_since),
        None => (does, newest.since),
    };
    let others = others(content.not_seen.len());
    let since = moment(since, &content.timezone, "%a %-d %b");
    let tail = format!("{does} since {since}{others}");
    let room = MAX_SUBJECT.saturating_sub(call.len() + tail.chars().count());
    Some(format!("{call}{}{tail}", cut(&newest.feed, room)))
}

/// The subject where there is nothing but feeds that are seen again.
fn seen_again(content: &DigestContent, first: &str) -> String {
    let when = moment(content.now, &content.timezone, " (%a %-d %b)");
    let tail = format!("{}{when}", others(content.seen_again.len()));
    let room = MAX_SUBJECT.saturating_sub("Seen again: ".len() + tail.chars().count());
    format!("Seen again: {}{tail}", cut(first, room))
}

/// How many feeds there are beside the one that is named.
fn others(all: usize) -> String {
    match all.saturating_sub(1) {
        0 => String::new(),
        1 => ", +1 feed".to_owned(),
        n => format!(", +{} feeds", grouped(n as u64)),
    }
}

fn quiet(content: &DigestContent) -> String {
    if let Some(flood) = content.held.first() {
        return format!("Decide: {} entries of {} held", grouped(flood.entries as u64), flood.feed);
    }
    let also: usize = content.also_published.iter().map(|feed| feed.lines.len() + feed.more).sum();
    let seen = seen(content);
    if seen < content.feeds_total {
        format!("Nothing for you, {} of {} feeds seen", grouped(seen as u64), grouped(content.feeds_total as u64))
    } else if also > 0 {
        format!("Nothing to answer, {} also published", grouped(also as u64))
    } else {
        "Nothing for you, all feeds seen".to_owned()
    }
}

/// As many stories by name as there is room for, no name twice, then how many more there are.
fn news(stories: &[DigestStory], room: usize) -> String {
    let (mut named, mut labels): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for story in stories {
        let name = label(story, MAX_FIRST);
        if labels.contains(&name) {
            continue;
        }
        labels.push(name);
        let mut longer = named.clone();
        longer.push(item(story));
        if !named.is_empty() && spelled(&longer, stories.len(), "").chars().count() > room {
            break;
        }
        named = longer;
    }
    if let [one] = named.as_slice() {
        let rest = spelled(&[String::new()], stories.len(), "").chars().count();
        named = vec![cut(one, room.saturating_sub(rest))];
    }
    let friendly = spelled(&named, stories.len(), " for you");
    if friendly.chars().count() <= room { friendly } else { spelled(&named, stories.len(), "") }
}

fn spelled(named: &[String], stories: usize, for_whom: &str) -> String {
    match stories.saturating_sub(named.len()) {
        0 => named.join(", "),
        rest => format!("{}, +{}{for_whom}", named.join(", "), grouped(rest as u64)),
    }
}

fn item(story: &DigestStory) -> String {
    let state = match (story.marks.exploited, story.marks.severity) {
        (true, _) => " exploited",
        (false, Some(Severity::Critical)) => " critical",
        (false, Some(Severity::High)) => " high",
        _ => "",
    };
    format!("{}{state}", label(story, MAX_FIRST - state.len()))
}
