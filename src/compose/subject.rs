//! The subject: what it is and how bad in the first 33 characters, 60 in all, the date last. Where there is not room for
//! all of it, words that matter less are left out before a name is cut, and what kind of mail it is, how bad it is, its
//! day and its part always stand.

use std::collections::HashSet;

use super::{
    action::{and_more, by, label},
    portion::{Portion, lengths},
    seen::{seen, silent},
    words::{cut, days_ago, grouped, line, moment, unencoded},
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
/// What is left of a name that is cut, at least, where any wording allows it.
const ENOUGH: usize = 12;
/// The shortest beginning of a name that says anything.
const LEAST: usize = 4;
/// The longest of the words that say how bad a story is, in characters.
const MOST_STATE: usize = " exploited".len();

/// The subject of a mail that none of these mails had: a day tells most of them apart, else the minute does, else a
/// number.
pub(super) fn subject(content: &DigestContent, portion: &Portion, taken: &HashSet<String>) -> String {
    let mut exactness = 0;
    loop {
        let subject = unencoded(line(&spelled_out(content, portion, exactness)));
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
    match (content.kind, &content.about) {
        (DigestKind::Heartbeat, _) => heartbeat(content, &end.if_needed()),
        (DigestKind::Urgent, _) if !stories.is_empty() => urgent(content, stories, &end),
        (_, Some(About::Reminder { since, .. })) => {
            let since = |pattern| moment(*since, &content.timezone, pattern);
            let tails = [
                format!(", since {}{}", since("%a %-d %b"), end.if_needed()),
                format!(", since {}{}", since("%-d %b"), end.if_needed()),
                end.short(),
            ];
            about_stories(&["Still open: "], stories, &tails)
        }
        (_, Some(About::Takeover { from, why })) => {
            let (from, end) = (first_name(from), end.short());
            let tails = [format!(", {}{end}", handed_over(&from, *why)), format!(", from {from}{end}"), end];
            about_stories(&["Now yours: "], stories, &tails)
        }
        (_, Some(About::Passed { to, .. })) => {
            about_stories(&[&format!("Passed to {}: ", first_name(to)), "Passed on: "], stories, &[end.short()])
        }
        (_, Some(About::Links { .. })) => about_stories(&["New links: "], stories, &[end.short()]),
        _ => {
            if let Some(trouble) = trouble(content, portion, &end.if_needed()) {
                return trouble;
            }
            let end = end.long();
            let room = room_beside(&[&end]);
            let news = if stories.is_empty() { quiet(content, portion, room) } else { news(stories, room) };
            format!("{}{end}", cut(&news, room))
        }
    }
}

/// How many characters these texts leave of a subject.
fn room_beside(texts: &[&str]) -> usize {
    MAX_SUBJECT.saturating_sub(texts.iter().map(|text| text.chars().count()).sum())
}

/// The first wording of what stands before and after a name that leaves enough of it, else the last; the beginnings matter
/// more than the ends.
fn around<'w>(befores: &[&'w str], between: &str, tails: &'w [String]) -> (&'w str, &'w str) {
    let mut all = befores.iter().flat_map(|before| tails.iter().map(move |tail| (*before, tail.as_str())));
    let last = (befores.last().copied().unwrap_or_default(), tails.last().map_or("", String::as_str));
    all.find(|(before, tail)| room_beside(&[before, between, tail]) >= ENOUGH).unwrap_or(last)
}

/// A name with what stands around it, cut where there is no room for all of it.
fn named(befores: &[&str], name: &str, tails: &[String]) -> String {
    let (before, tail) = around(befores, "", tails);
    format!("{before}{}{tail}", cut(name, room_beside(&[before, tail])))
}

/// A subject about stories: the first by name, as long as there is room for it, and how many more.
fn about_stories(befores: &[&str], stories: &[DigestStory], tails: &[String]) -> String {
    let more = and_more("", stories.len());
    let (before, tail) = around(befores, &more, tails);
    let room = room_beside(&[before, &more, tail]);
    // A name says more than how many there are beside it.
    let (room, more) = if room < LEAST { (room_beside(&[before, tail]), "") } else { (room, more.as_str()) };
    let room = room.min(MAX_FIRST);
    let first = stories.first().map_or_else(|| cut("the rest", room), |story| label(story, room));
    format!("{before}{first}{more}{tail}")
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
    let calls = match &content.stand_in {
        Some(stand_in) => {
            let (at, short) = (by(stand_in.urgent_at, content), end.short());
            let is_today = days_ago(stand_in.urgent_at, content.now, &content.timezone) == 0;
            let today = is_today.then(|| format!(": answer by {at} today{short}"));
            let mut calls: Vec<String> = today.into_iter().collect();
            calls.extend([format!(": answer by {at}{short}"), format!(": answer{short}")]);
            calls
        }
        None => vec![format!(": answer now{}", end.of("%-d %b %H:%M", "%-d %b %H:%M"))],
    };
    let first = stories.first().map(|story| item(story, MAX_FIRST)).unwrap_or_default();
    let whole = spelled(&[first], stories.len(), "").chars().count();
    let enough = ENOUGH + MOST_STATE;
    let leaves = |room: usize| calls.iter().find(|call| room_beside(&[call]) >= room);
    let call = leaves(whole).or_else(|| leaves(enough)).or(calls.last()).map_or("", String::as_str);
    let room = room_beside(&[call]);
    format!("{}{call}", cut(&news(stories, room), room))
}

/// `Quiet week 47: nothing for you, 14 of 14 feeds seen`.
fn heartbeat(content: &DigestContent, end: &str) -> String {
    let week = moment(content.now, &content.timezone, "%-V");
    let unseen = content.feeds_total.saturating_sub(seen(content));
    let silent = silent(content);
    let (blind, all) = (grouped(unseen as u64), grouped(content.feeds_total as u64));
    let wordings = if unseen > silent {
        [
            format!("Blind in week {week}: {blind} of {all} feeds not seen{end}"),
            format!("Blind in week {week}: {blind} of {all} feeds{end}"),
            format!("Blind in week {week}{end}"),
        ]
    } else if silent > 0 {
        [
            format!("Quiet week {week}: {blind} of {all} feeds silent for too long{end}"),
            format!("Quiet week {week}: {blind} of {all} feeds silent{end}"),
            format!("Quiet week {week}{end}"),
        ]
    } else {
        let nothing = if content.still_open > 0 { "nothing new" } else { "nothing for you" };
        [
            format!("Quiet week {week}: {nothing}, {all} of {all} feeds seen{end}"),
            format!("Quiet week {week}: {all} of {all} feeds seen{end}"),
            format!("Quiet week {week}{end}"),
        ]
    };
    let [.., shortest] = &wordings;
    wordings.iter().find(|words| words.chars().count() <= MAX_SUBJECT).unwrap_or(shortest).clone()
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
    let tails =
        [format!("{does} since {since}{others}{end}"), format!("{does}{others}{end}"), format!("{others}{end}")];
    Some(named(&[call], &newest.feed, &tails))
}

/// The subject where there is nothing but feeds that are seen again.
fn seen_again(content: &DigestContent, first: &str, end: &str) -> String {
    let when = if end.is_empty() { moment(content.now, &content.timezone, " (%a %-d %b)") } else { end.to_owned() };
    named(&["Seen again: "], first, &[format!("{}{when}", others(content.seen_again.len())), when])
}

/// How many feeds there are beside the one that is named.
fn others(all: usize) -> String {
    match all.saturating_sub(1) {
        0 => String::new(),
        1 => ", +1 feed".to_owned(),
        n => format!(", +{} feeds", grouped(n as u64)),
    }
}

fn quiet(content: &DigestContent, portion: &Portion, room: usize) -> String {
    if portion.of > 1 && !content.stories.is_empty() {
        return "The rest of the digest".to_owned();
    }
    if let Some(flood) = content.held.first() {
        let before = format!("Decide: {} entries of ", grouped(flood.entries as u64));
        let left = room.saturating_sub(before.chars().count() + " held".len());
        return format!("{before}{} held", cut(&flood.feed, left));
    }
    let also: usize = content.also_published.iter().map(|feed| feed.lines.len() + feed.more).sum();
    let seen = seen(content);
    let (nothing, for_you) = if content.still_open > 0 { ("Nothing new", "") } else { ("Nothing", " for you") };
    if seen < content.feeds_total {
        format!("{nothing}{for_you}, {} of {} feeds seen", grouped(seen as u64), grouped(content.feeds_total as u64))
    } else if also > 0 {
        format!("{nothing} to answer, {} also published", grouped(also as u64))
    } else {
        format!("{nothing}{for_you}, all feeds seen")
    }
}

/// As many stories by name as there is room for, no name twice, then how many more there are. How bad the first is stands
/// there however long its name is.
fn news(stories: &[DigestStory], room: usize) -> String {
    let (mut named, mut labels): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for story in stories {
        let name = label(story, MAX_FIRST);
        if labels.contains(&name) {
            continue;
        }
        labels.push(name);
        let mut longer = named.clone();
        longer.push(item(story, MAX_FIRST));
        if !named.is_empty() && spelled(&longer, stories.len(), "").chars().count() > room {
            break;
        }
        named = longer;
    }
    if let ([_], Some(first)) = (named.as_slice(), stories.first()) {
        let rest = spelled(&[String::new()], stories.len(), "").chars().count();
        named = vec![item(first, room.saturating_sub(rest).min(MAX_FIRST))];
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

/// A story in at most so many characters: its name, and how bad it is.
fn item(story: &DigestStory, most: usize) -> String {
    let state = match (story.marks.exploited, story.marks.severity) {
        (true, _) => " exploited",
        (false, Some(Severity::Critical)) => " critical",
        (false, Some(Severity::High)) => " high",
        _ => "",
    };
    match most.saturating_sub(state.len()) {
        room if room < LEAST => label(story, most),
        room => format!("{}{state}", label(story, room)),
    }
}
