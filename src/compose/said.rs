//! What a digest says, in words: the one source of both parts of the mail, so that they cannot disagree. No layout
//! here: neither markup nor line breaks nor sizes.

use jiff::SignedDuration;

use super::{
    Section,
    held::{Held, held},
    links::{Judge, Link},
    seen::{blindness, feeds_seen},
    words::{count, cut, grouped, line, moment, zone_name},
};
use crate::model::{
    digest::{
        AlsoPublished, BaselineNote, DigestContent, DigestStory, NotSeen, Notice, Restricted, SeenAgain, StorySource,
    },
    stack::{Field, Marks, Method, Tag},
    time::Time,
};

/// The longest title, in characters.
const MAX_TITLE: usize = 300;
/// The longest summary, in characters.
const MAX_SUMMARY: usize = 240;
/// The longest line that says what changed, in characters.
const MAX_CHANGE: usize = 480;
/// The longest reason, in characters.
const MAX_REASON: usize = 600;
/// The longest name of a feed, component or person, in characters.
const MAX_NAME: usize = 80;
/// The longest cause of a feed's trouble, in characters.
const MAX_CAUSE: usize = 160;
/// The longest notice about a feed, in characters.
const MAX_NOTICE: usize = 400;

/// A whole digest in words.
#[derive(Debug)]
pub(super) struct Said {
    /// What to do, in one line.
    pub action: String,
    /// How many stories for whom, and when.
    pub who_and_when: String,
    /// What could not be seen, in one sentence.
    pub blindness: Option<String>,
    /// The words of the link that answers everything.
    pub answer_all: Option<String>,
    /// Where that link leads.
    pub answer_all_url: String,
    /// The groups that have stories.
    pub groups: Vec<Group>,
    /// Floods that wait for a decision.
    pub held: Vec<Held>,
    /// What could not be seen.
    pub not_seen: Vec<String>,
    /// What is seen again.
    pub seen_again: Vec<String>,
    /// How many feeds were seen, in one sentence.
    pub feeds_seen: Option<String>,
    /// What is new about feeds that are seen.
    pub notices: Vec<String>,
    /// First polls.
    pub first_looks: Vec<String>,
    /// Stories that were withheld.
    pub restricted: Vec<String>,
    /// Single lines that need no answer.
    pub also: Vec<AlsoLine>,
    /// How many there are, with those that are only counted.
    pub also_total: usize,
    /// What the owner answers for, in one sentence.
    pub owns: Option<String>,
    /// The checkpoint, to the byte.
    pub checkpoint: Option<String>,
}

/// Stories under one heading.
#[derive(Debug)]
pub(super) struct Group {
    /// The heading without its count.
    pub heading: &'static str,
    /// Whether it did not wait.
    pub urgent: bool,
    /// The stories.
    pub stories: Vec<Story>,
}

/// One story in words.
#[derive(Debug)]
pub(super) struct Story {
    /// Its number.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// Its main link.
    pub link: Link,
    /// That it is exploited.
    pub exploited: Option<&'static str>,
    /// How bad it is said to be.
    pub severity: Option<String>,
    /// CVE ids.
    pub cves: Vec<String>,
    /// What it says.
    pub summary: Option<String>,
    /// What was and what is, where it is told again.
    pub changes: Vec<String>,
    /// Whose it is and why, in one sentence.
    pub reason: String,
    /// The proof: term, place, method, confidence; the best first.
    pub proofs: Vec<String>,
    /// Every feed that reports it.
    pub sources: Vec<Source>,
    /// When it was published and first seen.
    pub dates: String,
    /// Where it is answered.
    pub answer_url: String,
}

/// A feed that reports a story.
#[derive(Debug)]
pub(super) struct Source {
    /// The feed's name.
    pub feed: String,
    /// Where its entry leads.
    pub link: Link,
}

/// A line under "also published".
#[derive(Debug)]
pub(super) struct AlsoLine {
    /// The feed's name.
    pub feed: String,
    /// The entry's title, or how many more there are.
    pub title: String,
    /// Where it leads.
    pub link: Link,
}

/// Puts a digest into words.
pub(super) fn said(content: &DigestContent) -> Said {
    let judge = Judge::new(&content.answer_all_url);
    let stories = content.stories.len();
    Said {
        action: action(content, &judge),
        who_and_when: format!(
            "{} for {}, {} {}.",
            count(stories, "story", "stories"),
            cut(&content.owner_name, MAX_NAME),
            moment(content.now, &content.timezone, "%a %-d %b %Y, %H:%M"),
            zone_name(content.now, &content.timezone),
        ),
        blindness: blindness(content).map(|words| format!("{words}.")),
        answer_all: match stories {
            0 => None,
            1 => Some("Answer it".to_owned()),
            2 => Some("Answer both on one page".to_owned()),
            n => Some(format!("Answer all {} on one page", grouped(n as u64))),
        },
        answer_all_url: content.answer_all_url.clone(),
        groups: groups(content, &judge),
        held: content.held.iter().map(|flood| held(flood, &judge)).collect(),
        not_seen: content.not_seen.iter().map(|feed| not_seen(feed, content, &judge)).collect(),
        seen_again: content.seen_again.iter().map(|feed| seen_again(feed, content)).collect(),
        feeds_seen: feeds_seen(content),
        notices: content.notices.iter().map(|notice| judge.defang(&cut(notice, MAX_NOTICE))).collect(),
        first_looks: content.baselines.iter().map(first_look).collect(),
        restricted: content.restricted.iter().map(restricted).collect(),
        also: content.also_published.iter().flat_map(|feed| also(feed, &judge)).collect(),
        also_total: content.also_published.iter().map(|feed| feed.lines.len() + feed.more).sum(),
        owns: owns(&content.owns),
        checkpoint: content.checkpoint.clone(),
    }
}

/// What a story is called where there is room for few characters: its best tag, else the beginning of its title.
pub(super) fn label(story: &DigestStory, max: usize) -> String {
    match story.tags.first() {
        Some((name, _)) => cut(name, max),
        None => cut(&story.title, max),
    }
}

fn action(content: &DigestContent, judge: &Judge) -> String {
    let urgent = content.stories.iter().filter(|story| story.urgent).count();
    let calm = content.stories.len() - urgent;
    let first = |story: Option<&DigestStory>| story.map_or_else(String::new, |story| judge.defang(&label(story, 60)));
    match (urgent, calm) {
        (0, 0) if !content.held.is_empty() => {
            format!("{} to decide about", count(content.held.len(), "flood of entries", "floods of entries"))
        }
        (0, 0) => match blindness(content) {
            None => "Nothing to answer".to_owned(),
            Some(blindness) => format!("Nothing to answer, and {blindness}"),
        },
        (0, 1) => format!("One story to answer: {}", first(content.stories.first())),
        (0, n) => format!("{} stories to answer, none of them urgent", grouped(n as u64)),
        (1, 0) => format!("Urgent: {}", first(content.stories.first())),
        (n, 0) => format!("{} urgent stories to answer", grouped(n as u64)),
        (1, n) => format!(
            "Answer {} first; {} can wait",
            first(content.stories.iter().find(|story| story.urgent)),
            count(n, "other story", "other stories")
        ),
        (u, n) => {
            format!("Answer {} urgent stories first; {} can wait", grouped(u as u64), count(n, "other", "others"))
        }
    }
}

fn groups(content: &DigestContent, judge: &Judge) -> Vec<Group> {
    Section::ALL
        .into_iter()
        .map(|section| Group {
            heading: section.heading(),
            urgent: section == Section::Urgent,
            stories: content
                .stories
                .iter()
                .filter(|story| Section::of(story) == section)
                .map(|one| story(one, content, judge))
                .collect(),
        })
        .filter(|group| !group.stories.is_empty())
        .collect()
}

fn story(story: &DigestStory, content: &DigestContent, judge: &Judge) -> Story {
    let title = judge.defang(&cut(&story.title, MAX_TITLE));
    Story {
        number: story.number,
        title: if title.is_empty() { "(no title)".to_owned() } else { title },
        link: judge.link(story.link.as_deref()),
        exploited: story.marks.exploited.then_some("Exploited"),
        severity: severity(story.marks),
        cves: story.cves.iter().map(|cve| judge.defang(&cut(cve, MAX_NAME))).collect(),
        summary: story.summary.as_deref().map(|text| judge.defang(&cut(text, MAX_SUMMARY))).filter(|s| !s.is_empty()),
        changes: story.changes.iter().map(|line| judge.defang(&cut(line, MAX_CHANGE))).collect(),
        reason: judge.defang(&cut(&story.reason, MAX_REASON)),
        proofs: story.tags.iter().map(|(name, tag)| judge.defang(&proof(name, tag, &story.reason))).collect(),
        sources: story.sources.iter().map(|one| source(one, judge)).collect(),
        dates: dates(story, content),
        answer_url: story.answer_url.clone(),
    }
}

/// `CVSS 9.8 (critical)`, `CVSS 9.8`, `Severity high`: what is stated.
pub(crate) fn severity(marks: Marks) -> Option<String> {
    match (marks.cvss_tenths, marks.severity) {
        (Some(tenths), Some(severity)) => Some(format!("CVSS {}.{} ({})", tenths / 10, tenths % 10, severity.as_str())),
        (Some(tenths), None) => Some(format!("CVSS {}.{}", tenths / 10, tenths % 10)),
        (None, Some(severity)) => Some(format!("Severity {}", severity.as_str())),
        (None, None) => None,
    }
}

/// Where a term stands, in words.
fn place(field: Field) -> &'static str {
    match field {
        Field::Title => "in the title",
        Field::Summary => "in the summary",
        Field::Body => "in the text",
        Field::Categories => "in the categories",
        Field::Feed => "from the feed itself",
    }
}

/// The proof of a tag in one sentence: term, place, surroundings, confidence; the name in front where the reason does
/// not say it.
pub(crate) fn proof(name: &str, tag: &Tag, reason: &str) -> String {
    let (name, term) = (cut(name, MAX_NAME), cut(&tag.term, MAX_NAME));
    let opening =
        if reason.to_lowercase().contains(&name.to_lowercase()) { String::new() } else { format!("{name}: ") };
    let confidence = tag.confidence.min(100);
    match tag.method {
        Method::Feed => format!("{name} belongs to every entry of the feed, confidence {confidence}."),
        Method::Term | Method::Regex => {
            let snippet = cut(&tag.snippet, 160);
            let around = if tag.field == Field::Title || snippet.is_empty() || snippet == term {
                String::new()
            } else {
                format!(" (\"{snippet}\")")
            };
            let term = if tag.method == Method::Regex { format!("Pattern {term}") } else { format!("\"{term}\"") };
            format!("{opening}{term} {}{around}, confidence {confidence}.", place(tag.field))
        }
    }
}

fn source(source: &StorySource, judge: &Judge) -> Source {
    Source { feed: judge.defang(&cut(&source.feed, MAX_NAME)), link: judge.link(source.link.as_deref()) }
}

/// The stated date, where it can be one: a feed's dates are shown, never believed.
fn dates(story: &DigestStory, content: &DigestContent) -> String {
    let seen = format!("first seen {}", since(story.first_seen, content));
    let earliest: Time = Time::from_second(631_152_000).unwrap_or_default();
    let latest = content.now.saturating_add(SignedDuration::from_hours(48)).unwrap_or(Time::MAX);
    match story.published.filter(|at| (earliest..=latest).contains(at)) {
        Some(at) => format!("Published {}, {seen}.", moment(at, &content.timezone, "%-d %b %Y")),
        None => format!("Date unclear, {seen}."),
    }
}

pub(super) fn since(at: Time, content: &DigestContent) -> String {
    let same_year =
        at.to_zoned(content.timezone.clone()).year() == content.now.to_zoned(content.timezone.clone()).year();
    moment(at, &content.timezone, if same_year { "%a %-d %b %H:%M" } else { "%-d %b %Y %H:%M" })
}

fn not_seen(feed: &NotSeen, content: &DigestContent, judge: &Judge) -> String {
    let state = if feed.state == "not-a-feed" { "not a feed" } else { &feed.state };
    let cause = judge.defang(&cut(&feed.cause, MAX_CAUSE));
    let cause = cause.trim_end_matches('.');
    let tries =
        if feed.tries > 0 { format!(", {}", count(feed.tries as usize, "try", "tries")) } else { String::new() };
    let call = match feed.notice {
        Some(Notice::Trouble | Notice::Recovery) => "New: ",
        Some(Notice::Alarm) => "Please act: ",
        None => "",
    };
    let name = cut(&feed.feed, MAX_NAME);
    let longer = feed.unseen_since.map(|at| format!(", not seen since {}", since(at, content))).unwrap_or_default();
    let opening = format!("{call}{name}: {} since {}{tries}{longer}", line(state), since(feed.since, content));
    let mut words =
        if cause.is_empty() || cause == state { format!("{opening}.") } else { format!("{opening}; {cause}.") };
    if let Some(advice) = &feed.advice {
        words.push(' ');
        words.push_str(&line(advice));
    }
    words
}

fn seen_again(feed: &SeenAgain, content: &DigestContent) -> String {
    let was = match feed.was.as_str() {
        "stale" => "silent",
        "not-a-feed" => "not a feed",
        other => other,
    };
    format!("{}: seen again since {}; it was {}.", cut(&feed.feed, MAX_NAME), since(feed.since, content), line(was))
}

fn first_look(note: &BaselineNote) -> String {
    let recorded = count(note.recorded, "older entry was", "older entries were");
    let opening = format!("{}: {recorded} recorded and not mailed", cut(&note.feed, MAX_NAME));
    if note.matched.is_empty() {
        return format!("{opening}; none of them matches the stack.");
    }
    let matched: Vec<String> =
        note.matched.iter().map(|(name, n)| format!("{} {}", cut(name, MAX_NAME), grouped(*n as u64))).collect();
    format!("{opening}; matches among them: {}.", matched.join(", "))
}

fn restricted(entry: &Restricted) -> String {
    let tlp = line(&entry.tlp);
    let label = tlp.strip_prefix("TLP:").unwrap_or(&tlp);
    format!("A restricted entry (TLP:{label}) of {}: ask {}.", cut(&entry.feed, MAX_NAME), cut(&entry.ask, MAX_NAME))
}

fn also(feed: &AlsoPublished, judge: &Judge) -> Vec<AlsoLine> {
    let name = judge.defang(&cut(&feed.feed, MAX_NAME));
    let mut lines: Vec<AlsoLine> = feed
        .lines
        .iter()
        .map(|(title, link)| AlsoLine {
            feed: name.clone(),
            title: judge.defang(&cut(title, MAX_TITLE)),
            link: judge.link(link.as_deref()),
        })
        .collect();
    if feed.more > 0 {
        let title = format!("and {} more", grouped(feed.more as u64));
        lines.push(AlsoLine { feed: name, title, link: Link::Absent });
    }
    lines
}

fn owns(names: &[String]) -> Option<String> {
    let names: Vec<String> = names.iter().map(|name| cut(name, MAX_NAME)).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then(|| format!("You own: {}.", names.join(", ")))
}
