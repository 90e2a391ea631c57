//! One story in words: its marks as they are stated, what changed, what was said of it before, why it came, who
//! reports it. Both parts of the mail read it. No layout here.

use jiff::SignedDuration;

use super::{
    links::{Judge, Link},
    portion::SHORTEST,
    words::{count, cut, day, grouped, moment, weekday},
};
use crate::model::{
    digest::{DigestContent, DigestStory, EarlierNote, Exploitation, Fix, StorySource},
    stack::{Field, Marks, Method, Tag},
    time::Time,
};

/// The longest title, in characters.
pub(super) const MAX_TITLE: usize = 300;
/// The longest summary, in characters.
const MAX_SUMMARY: usize = 240;
/// The longest line that says what changed, in characters.
const MAX_CHANGE: usize = 480;
/// The longest earlier note, in characters.
const MAX_NOTE: usize = 240;
/// The longest reason, in characters.
const MAX_REASON: usize = 600;
/// The longest name of a feed, component or person, in characters.
pub(super) const MAX_NAME: usize = 80;
/// How many fixed versions are named.
const MAX_FIXES: usize = 3;

/// One story in words.
#[derive(Debug)]
pub(super) struct Story {
    /// Its number.
    pub number: usize,
    /// What it is about, with how many stories are, where it is the first of several groups of them.
    pub opening: Option<String>,
    /// Its title.
    pub title: String,
    /// Its main link.
    pub link: Link,
    /// That it is exploited, and who says so.
    pub exploited: Option<String>,
    /// How bad it is said to be.
    pub severity: Option<String>,
    /// What is said of a fix.
    pub fix: Option<String>,
    /// CVE ids.
    pub cves: Vec<String>,
    /// What it says.
    pub summary: Option<String>,
    /// What the lines of changes begin with.
    pub changed: String,
    /// What was and what is, where it is told again.
    pub changes: Vec<String>,
    /// What was said of it before.
    pub earlier: Vec<String>,
    /// Whose it is and why, in whole sentences.
    pub reason: String,
    /// Why it was not told at once.
    pub waited: Option<String>,
    /// The proof: term, place, method, confidence; the best first.
    pub proofs: Vec<String>,
    /// The feeds that report it.
    pub sources: Vec<Source>,
    /// How many entries more report it.
    pub more_sources: usize,
    /// When it was published and first seen.
    pub dates: String,
    /// That texts were cut, where the mail server takes only small mails.
    pub cut_short: Option<&'static str>,
    /// Where it is answered; `None`: it is somebody else's.
    pub answer_url: Option<String>,
}

/// A feed that reports a story.
#[derive(Debug)]
pub(super) struct Source {
    /// The feed's name.
    pub feed: String,
    /// Where its entry leads.
    pub link: Link,
}

/// How much of each text of a story is told.
struct Lengths {
    title: usize,
    summary: usize,
    note: usize,
    notes: usize,
    reason: usize,
    proofs: usize,
    cves: usize,
    sources: usize,
    link: usize,
}

impl Lengths {
    fn of(short: u8) -> Lengths {
        let whole = Lengths {
            title: MAX_TITLE,
            summary: MAX_SUMMARY,
            note: usize::MAX,
            notes: usize::MAX,
            reason: MAX_REASON,
            proofs: usize::MAX,
            cves: usize::MAX,
            sources: usize::MAX,
            link: usize::MAX,
        };
        match short {
            0 => whole,
            1 => Lengths { summary: 160, note: 160, notes: 2, reason: 300, proofs: 2, cves: 8, sources: 3, ..whole },
            2 => Lengths {
                title: 120,
                summary: 0,
                note: 100,
                notes: 1,
                reason: 160,
                proofs: 1,
                cves: 4,
                sources: 1,
                link: 500,
            },
            _ => Lengths {
                title: 60,
                summary: 0,
                note: 0,
                notes: 0,
                reason: 0,
                proofs: 0,
                cves: 1,
                sources: 0,
                link: 100,
            },
        }
    }
}

/// Puts a story into words: its number in the mail, the link that answers the whole of it (`None`: it is not answered
/// here), and how much it is shortened.
pub(super) fn story(
    story: &DigestStory,
    content: &DigestContent,
    judge: &Judge,
    (number, answer_all_url): (usize, Option<&str>),
    short: u8,
) -> Story {
    let most = Lengths::of(short.min(SHORTEST));
    let title = judge.defang(cut(&story.title, most.title));
    let link = |address: Option<&str>| judge.link(address.filter(|address| address.len() <= most.link));
    let main = link(story.link.as_deref());
    // One of the sources leads to where the story does.
    let source = |one: &StorySource| Source {
        feed: judge.defang(cut(&one.feed, 2 * MAX_NAME)),
        link: if one.link == story.link { main.clone() } else { link(one.link.as_deref()) },
    };
    let notes = story.earlier.iter().map(|note| earlier(note, content, judge, most.note.min(MAX_NOTE)));
    let more_notes = story.more_earlier + story.earlier.len().saturating_sub(most.notes);
    let more_notes = (more_notes > 0 && most.notes > 0)
        .then(|| format!("{} on the page.", count(more_notes, "earlier answer is", "earlier answers are")));
    let shown_sources = story.sources.len().min(most.sources);
    Story {
        number,
        opening: None,
        title: if title.is_empty() { "(no title)".to_owned() } else { title },
        link: main.clone(),
        exploited: story.marks.exploited.then(|| exploited(story.exploited_by.as_ref(), content, judge)),
        severity: severity(story.marks),
        fix: story.fix.as_ref().map(|stated| judge.defang(fix(stated))),
        cves: story.cves.iter().take(most.cves).map(|cve| judge.defang(cut(cve, MAX_NAME))).collect(),
        summary: story
            .summary
            .as_deref()
            .map(|text| judge.defang(within(text, most.summary)))
            .filter(|s| !s.is_empty()),
        changed: story.told_before.map_or_else(
            || "What changed:".to_owned(),
            |at| format!("Changed since {}:", weekday(at, content.now, &content.timezone)),
        ),
        changes: story
            .changes
            .iter()
            .take(most.notes)
            .map(|line| judge.defang(cut(line, most.note.min(MAX_CHANGE))))
            .collect(),
        earlier: notes.take(most.notes).chain(more_notes).collect(),
        reason: judge.defang(within(&story.reason, most.reason)),
        waited: story.waited.as_deref().map(|words| cut(words, MAX_REASON)),
        proofs: story
            .tags
            .iter()
            .take(most.proofs)
            .map(|(name, tag)| judge.defang(proof(name, tag, &story.reason)))
            .collect(),
        sources: story.sources.iter().take(shown_sources).map(source).collect(),
        more_sources: story.more_sources + story.sources.len() - shown_sources,
        dates: dates(story, content),
        cut_short: (short > 0)
            .then_some("Shortened, because the mail server takes only small mails; the page has more."),
        answer_url: answer_all_url.map(|all| format!("{all}/{number}")),
    }
}

/// A text of at most so many characters; of none, nothing.
fn within(text: &str, most: usize) -> String {
    if most == 0 { String::new() } else { cut(text, most) }
}

/// `Exploited (KEV-S, 19 Nov)`: who says so first, and when.
fn exploited(by: Option<&Exploitation>, content: &DigestContent, judge: &Judge) -> String {
    match by {
        Some(by) => format!(
            "Exploited ({}, {})",
            judge.defang(cut(&by.feed, MAX_NAME)),
            day(by.since, content.now, &content.timezone)
        ),
        None => "Exploited".to_owned(),
    }
}

/// `Fix 9.1.4`, or that there is one.
pub(crate) fn fix(fix: &Fix) -> String {
    match fix {
        Fix::In(versions) if !versions.is_empty() => {
            let named: Vec<String> = versions.iter().take(MAX_FIXES).map(|version| cut(version, 40)).collect();
            format!("Fix {}", named.join(", "))
        }
        _ => "Fix available".to_owned(),
    }
}

/// `Jon Bright, 3 Nov, covered: only the build image uses it.`
fn earlier(note: &EarlierNote, content: &DigestContent, judge: &Judge, most: usize) -> String {
    let who = cut(&note.who, MAX_NAME);
    let when = day(note.at, content.now, &content.timezone);
    let said = note.disposition.as_str().replace('-', " ");
    let why = note.note.as_deref().map(|text| judge.defang(within(text, most))).filter(|text| !text.is_empty());
    match why {
        Some(why) => format!("{who}, {when}, {said}: {why}"),
        None => format!("{who}, {when}: {said}."),
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
    let says_it = reason.contains(&name) || reason.to_lowercase().contains(&name.to_lowercase());
    let opening = if says_it { String::new() } else { format!("{name}: ") };
    let confidence = tag.confidence.min(100);
    match tag.method {
        Method::Feed => format!("{name} belongs to every entry of the feed, confidence {confidence}."),
        Method::Term | Method::Regex => {
            let snippet = if tag.field == Field::Title { String::new() } else { cut(&tag.snippet, 160) };
            let around =
                if snippet.is_empty() || snippet == term { String::new() } else { format!(" (\"{snippet}\")") };
            let term = if tag.method == Method::Regex { format!("Pattern {term}") } else { format!("\"{term}\"") };
            format!("{opening}{term} {}{around}, confidence {confidence}.", place(tag.field))
        }
    }
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

/// A moment of the past, with its year where that is another one.
pub(super) fn since(at: Time, content: &DigestContent) -> String {
    let same_year =
        at.to_zoned(content.timezone.clone()).year() == content.now.to_zoned(content.timezone.clone()).year();
    moment(at, &content.timezone, if same_year { "%a %-d %b %H:%M" } else { "%-d %b %Y %H:%M" })
}

impl Story {
    /// The marks in their order, without the CVE ids.
    pub(super) fn marks(&self) -> impl Iterator<Item = &str> {
        [&self.exploited, &self.severity, &self.fix].into_iter().flatten().map(String::as_str)
    }

    /// The names of the sources, neighbours that are alike once.
    pub(super) fn source_names(&self) -> Vec<&str> {
        let mut feeds: Vec<&str> = self.sources.iter().map(|source| source.feed.as_str()).collect();
        feeds.dedup();
        feeds
    }

    /// `and 1,481 more`; `None`: all are named.
    pub(super) fn more_sources_words(&self) -> Option<String> {
        (self.more_sources > 0).then(|| format!("and {} more", grouped(self.more_sources as u64)))
    }
}
