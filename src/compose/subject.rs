//! The subject: what it is and how bad in the first 33 characters, 60 in all, the date last.

use std::collections::HashSet;

use super::{
    action::{and_more, by, label},
    portion::{Portion, lengths},
    seen::seen,
    words::{cut, days_ago, grouped, moment, unencoded},
};
use crate::model::{
    digest::{About, DigestContent, DigestKind, DigestStory, HandOver, NotSeen, Notice},
    stack::Severity,
};

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 60;
/// Telephones show this much of it.
const MAX_FIRST: usize = 33;
/// The longest name of a person, in characters.
const MAX_PERSON: usize = 16;

/// The subject of a mail that none of these mails had: a day tells most of them apart, else the minute does, else a
/// number.
pub(super) fn subject(content: &DigestContent, portion: &Portion, taken: &HashSet<String>) -> String {
    let mut exactness = 0;
    loop {
        let subject = unencoded(spelled_out(content, portion, exactness));
        // More mails of one minute than can be sent in it.
        if exactness > taken.len() + 1 || !taken.contains(&subject) {
            return subject;
        }
        exactness += 1;
    }
}

/// The day or moment and the place among the parts, as they stand at the end.
struct End<'p> {
    content: &'p DigestContent,
    portion: &'p Portion,
    exactness: usize,
}

impl End<'_> {
    /// ` (Fri 20 Nov, 2 of 3)`; `day` and `minute` are patterns.
    fn of(&self, day: &str, minute: &str) -> String {
        let when = moment(self.content.now, &self.content.timezone, if self.exactness == 0 { day } else { minute });
        let number = (self.exactness > 1).then(|| format!("no. {}", self.exactness));
        let all: Vec<String> = [Some(when), self.portion.place(), number].into_iter().flatten().collect();
        format!(" ({})", all.join(", "))
    }

    fn long(&self) -> String {
        self.of("%a %-d %b", "%a %-d %b %H:%M")
    }

    fn short(&self) -> String {
        self.of("%-d %b", "%-d %b %H:%M")
    }

    /// The same where the subject names a moment of its own: only what is needed.
    fn if_needed(&self) -> String {
        if self.exactness == 0 && self.portion.of == 1 { String::new() } else { self.short() }
    }
}

fn spelled_out(content: &DigestContent, portion: &Portion, exactness: usize) -> String {
    let end = End { content, portion, exactness };
    let stories = portion.stories(content);
    let named = |before: &str, after: &str| about_stories(before, stories, after);
    match (content.kind, &content.about) {
        (DigestKind::Heartbeat, _) => format!("{}{}", heartbeat(content), end.if_needed()),
        (DigestKind::Urgent, _) if !stories.is_empty() => urgent(content, stories, &end),
        (_, Some(About::Reminder { since, .. })) => {
            let since = moment(*since, &content.timezone, "%a %-d %b");
            named("Still open: ", &format!(", since {since}{}", end.if_needed()))
        }
        (_, Some(About::Takeover { from, why })) => {
            named("Now yours: ", &format!(", {}{}", handed_over(&first_name(from), *why), end.short()))
        }
        (_, Some(About::Passed { to, .. })) => named(&format!("Passed to {}: ", first_name(to)), &end.short()),
        (_, Some(About::Links { .. })) => named("New links: ", &end.short()),
        _ => {
            if let Some(trouble) = trouble(content, portion, &end.if_needed()) {
                return trouble;
            }
            let end = end.long();
            let room = MAX_SUBJECT.saturating_sub(end.chars().count());
            let news = if stories.is_empty() { quiet(content, portion) } else { news(stories, room) };
            format!("{}{end}", cut(&news, room))
        }
    }
}

/// A subject about stories: the first by name, as long as there is room for it, and how many more.
fn about_stories(before: &str, stories: &[DigestStory], after: &str) -> String {
    let fixed = before.chars().count() + and_more("", stories.len()).chars().count() + after.chars().count();
    let room = MAX_SUBJECT.saturating_sub(fixed).clamp(8, MAX_FIRST);
    let first = stories.first().map_or_else(|| "the rest".to_owned(), |story| label(story, room));
    format!("{before}{}{after}", and_more(&first, stories.len()))
}

fn handed_over(from: &str, why: HandOver) -> String {
    match why {
        HandOver::NoAnswer => format!("no answer from {from}"),
        HandOver::Away => format!("{from} is away"),
        HandOver::Undelivered => format!("no mail reaches {from}"),
        HandOver::Bounced => format!("mail to {from} came back"),
        HandOver::Left => format!("no longer {from}'s"),
    }
}

/// What colleagues call a person: the first word of the name, where it is a name and not a title or a surname.
fn first_name(name: &str) -> String {
    let first = name.split_whitespace().next().unwrap_or_default();
    let is_name = first.chars().count() > 1 && !first.ends_with(['.', ',']);
    cut(if is_name { first } else { name }, MAX_PERSON)
}

/// `Quillgate VPN exploited: answer by 14:00 today (20 Nov)`.
fn urgent(content: &DigestContent, stories: &[DigestStory], end: &End<'_>) -> String {
    let call = match &content.stand_in {
        Some(stand_in) if days_ago(stand_in.urgent_at, content.now, &content.timezone) == 0 => {
            format!(": answer by {} today{}", by(stand_in.urgent_at, content), end.short())
        }
        Some(stand_in) => format!(": answer by {}{}", by(stand_in.urgent_at, content), end.short()),
        None => format!(": answer now{}", end.of("%-d %b %H:%M", "%-d %b %H:%M")),
    };
    let room = MAX_SUBJECT.saturating_sub(call.chars().count());
    format!("{}{call}", cut(&news(stories, room), room))
}

/// `Quiet week 47: nothing for you, 14 of 14 feeds seen`.
fn heartbeat(content: &DigestContent) -> String {
    let week = moment(content.now, &content.timezone, "%-V");
    let (seen, all) = (seen(content), content.feeds_total);
    if seen < all {
        let blind = grouped((all - seen) as u64);
        format!("Blind in week {week}: {blind} of {} feeds not seen", grouped(all as u64))
    } else {
        format!("Quiet week {week}: nothing for you, {0} of {0} feeds seen", grouped(all as u64))
    }
}

/// The subject where there is nothing but feeds that went blind: `Blind: Tarnbase refuses us since Wed 18 Nov, +1 feed`.
fn trouble(content: &DigestContent, portion: &Portion, end: &str) -> Option<String> {
    let [stories, held, _, _, _, _, restricted, also] = lengths(content);
    if stories + held + restricted + also > 0 || portion.of > 1 {
        return None;
    }
    let has_news = content.not_seen.iter().any(|feed| feed.notice.is_some());
    if let (Some(first), false) = (content.seen_again.first(), has_news) {
        return Some(seen_again(content, &first.feed, end));
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
    let tail = format!("{does} since {since}{others}{end}");
    let room = MAX_SUBJECT.saturating_sub(call.len() + tail.chars().count());
    Some(format!("{call}{}{tail}", cut(&newest.feed, room)))
}

/// The subject where there is nothing but feeds that are seen again.
fn seen_again(content: &DigestContent, first: &str, end: &str) -> String {
    let when = if end.is_empty() { moment(content.now, &content.timezone, " (%a %-d %b)") } else { end.to_owned() };
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

fn quiet(content: &DigestContent, portion: &Portion) -> String {
    if portion.of > 1 && !content.stories.is_empty() {
        return "The rest of the digest".to_owned();
    }
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
