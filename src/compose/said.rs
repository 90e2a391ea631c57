//! What a mail of a digest says, in words: the one source of both of its parts, so that they cannot disagree. No layout
//! here: neither markup nor line breaks nor sizes. One story's words are in `story`, the first lines in `action`.

pub(crate) use super::story::{fix, proof, severity};
use super::{
    Section,
    action::{action, answer_all, if_silent, label, still_open, who_and_when, why},
    held::{Held, held},
    links::{Judge, Link},
    portion::{Portion, is_answered, slice},
    seen::{blindness, feeds_seen},
    story::{MAX_NAME, MAX_TITLE, Story, since, story},
    words::{count, cut, days_ago, grouped, line, row},
};
use crate::model::digest::{
    AlsoPublished, BaselineNote, DigestContent, DigestStory, NotSeen, Notice, OwnedGroup, Restricted, SeenAgain,
};

/// The longest cause of a feed's trouble, in characters.
const MAX_CAUSE: usize = 160;
/// The longest notice about a feed, in characters.
const MAX_NOTICE: usize = 400;
/// How many of what the owner answers for are named.
const MAX_OWNED: usize = 40;
/// How many groups are named.
const MAX_GROUPS: usize = 20;
/// How many components of a first poll are named.
const MAX_MATCHED: usize = 20;

/// A whole mail in words.
#[derive(Debug)]
pub(super) struct Said {
    /// What to do, in one line.
    pub action: String,
    /// How many stories for whom, and when.
    pub who_and_when: String,
    /// Why it comes.
    pub why: Option<String>,
    /// What could not be seen, in one sentence.
    pub blindness: Option<String>,
    /// What of earlier mails waits for an answer, in one sentence.
    pub still_open: Option<String>,
    /// Who is asked when nothing is answered.
    pub if_silent: Option<String>,
    /// The words of the link that answers everything.
    pub answer_all: Option<String>,
    /// Where that link leads.
    pub answer_all_url: String,
    /// The groups that have stories.
    pub groups: Vec<Group>,
    /// The words and the address of the link that answers what is still open with one reason.
    pub rest: Option<(&'static str, String)>,
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
    /// The words and the address of the link that says that something is not theirs.
    pub wrong: Option<(&'static str, String)>,
    /// When their groups were last heard of, in one sentence.
    pub owned_groups: Option<String>,
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

/// A line under "also published".
#[derive(Debug)]
pub(super) struct AlsoLine {
    /// The feed's name.
    pub feed: String,
    /// The entry's title, or how many more there are.
    pub title: String,
    /// Where it leads.
    pub link: Link,
    /// How many entries it stands for.
    pub entries: usize,
}

/// Puts a mail of a digest into words.
pub(super) fn said(content: &DigestContent, portion: &Portion, judge: &Judge) -> Said {
    let Portion { holds, identity, .. } = portion;
    let link = &identity.answer_all_url;
    let also = also(content, portion, judge);
    let last = holds.is_last;
    let owns_something = !(content.owns.is_empty() && content.groups.is_empty());
    // The list of them stands in one part only.
    let elsewhere =
        if content.not_seen.is_empty() || !holds.not_seen.is_empty() { "" } else { "; another part names them" };
    Said {
        action: action(content, portion, judge),
        who_and_when: who_and_when(content, portion),
        why: why(content),
        blindness: blindness(content).map(|words| format!("{words}{elsewhere}.")),
        still_open: still_open(content),
        if_silent: if_silent(content, portion),
        answer_all: answer_all(content, portion),
        answer_all_url: link.clone(),
        groups: groups(content, portion, judge),
        rest: (is_answered(content) && holds.stories.len() > 1)
            .then(|| ("All stories still open: seen, nothing for us, one reason for all", format!("{link}/rest"))),
        held: slice(&content.held, &holds.held).iter().map(|flood| held(flood, link, judge)).collect(),
        not_seen: slice(&content.not_seen, &holds.not_seen).iter().map(|feed| not_seen(feed, content, judge)).collect(),
        seen_again: slice(&content.seen_again, &holds.seen_again)
            .iter()
            .map(|feed| seen_again(feed, content))
            .collect(),
        feeds_seen: feeds_seen(content).filter(|_| last),
        notices: slice(&content.notices, &holds.notices)
            .iter()
            .map(|notice| judge.defang(cut(notice, MAX_NOTICE)))
            .collect(),
        first_looks: slice(&content.baselines, &holds.baselines).iter().map(first_look).collect(),
        restricted: slice(&content.restricted, &holds.restricted).iter().map(|one| restricted(one, content)).collect(),
        also_total: also.iter().map(|line| line.entries).sum(),
        also,
        owns: owns(&content.owns).filter(|_| last),
        wrong: (last && is_answered(content) && owns_something).then(|| ("Not yours?", format!("{link}/wrong"))),
        owned_groups: owned_groups(content).filter(|_| last),
        checkpoint: content.checkpoint.clone(),
    }
}

fn groups(content: &DigestContent, portion: &Portion, judge: &Judge) -> Vec<Group> {
    let stories = portion.stories(content);
    let link = is_answered(content).then_some(portion.identity.answer_all_url.as_str());
    Section::ALL
        .into_iter()
        .map(|section| {
            let of_section: Vec<(usize, &DigestStory)> =
                stories.iter().enumerate().filter(|(_, story)| Section::of(story) == section).collect();
            let openings = openings(&of_section, section, judge);
            let in_words = of_section.iter().zip(openings).map(|((i, one), opening)| Story {
                opening,
                ..story(one, content, judge, (i + 1, link), portion.short)
            });
            Group { heading: section.heading(), urgent: section == Section::Urgent, stories: in_words.collect() }
        })
        .filter(|group| !group.stories.is_empty())
        .collect()
}

/// `libmarrow (2)` before the first story of each component, where a section has stories of several and one of them
/// more than one; `None` elsewhere.
fn openings(stories: &[(usize, &DigestStory)], section: Section, judge: &Judge) -> Vec<Option<String>> {
    let none = vec![None; stories.len()];
    if section != Section::Components {
        return none;
    }
    let name = |story: &DigestStory| label(story, MAX_NAME);
    let mut runs: Vec<(String, usize, usize)> = Vec::new();
    for (place, (_, story)) in stories.iter().enumerate() {
        match runs.last_mut().filter(|(last, ..)| *last == name(story)) {
            Some((_, _, n)) => *n += 1,
            None => runs.push((name(story), place, 1)),
        }
    }
    if runs.len() < 2 || runs.len() == stories.len() {
        return none;
    }
    let mut openings = none;
    for (name, place, n) in runs {
        if let Some(opening) = openings.get_mut(place) {
            *opening = Some(judge.defang(format!("{name} ({})", grouped(n as u64))));
        }
    }
    openings
}

fn not_seen(feed: &NotSeen, content: &DigestContent, judge: &Judge) -> String {
    let state = state_in_words(&feed.state);
    let cause = judge.defang(cut(&feed.cause, MAX_CAUSE));
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
    let was = line(state_in_words(&feed.was));
    format!("{}: seen again since {}; it was {was}.", cut(&feed.feed, MAX_NAME), since(feed.since, content))
}

/// What an owner reads of a feed's state.
fn state_in_words(state: &str) -> &str {
    match state {
        "stale" => "silent",
        "not-a-feed" => "not a feed",
        other => other,
    }
}

fn first_look(note: &BaselineNote) -> String {
    let recorded = count(note.recorded, "older entry was", "older entries were");
    let opening = format!("{}: {recorded} recorded and not mailed", cut(&note.feed, MAX_NAME));
    if note.matched.is_empty() {
        return format!("{opening}; none of them matches the stack.");
    }
    let matched: Vec<String> =
        note.matched.iter().map(|(name, n)| format!("{} {}", cut(name, MAX_NAME), grouped(*n as u64))).collect();
    format!("{opening}; matches among them: {}.", row(&matched, MAX_MATCHED))
}

fn restricted(entry: &Restricted, content: &DigestContent) -> String {
    let tlp = line(&entry.tlp);
    let label = tlp.strip_prefix("TLP:").unwrap_or(&tlp);
    let whom = if entry.ask == content.owner_name {
        "no owner's ceiling is high enough".to_owned()
    } else {
        format!("ask {}", cut(&entry.ask, MAX_NAME))
    };
    format!("A restricted entry (TLP:{label}) of {}: {whom}.", cut(&entry.feed, MAX_NAME))
}

fn also(content: &DigestContent, portion: &Portion, judge: &Judge) -> Vec<AlsoLine> {
    let all = content.also_published.iter().flat_map(|feed| {
        let more = (feed.more > 0).then_some(feed.lines.len());
        (0..feed.lines.len()).chain(more).map(move |place| (feed, place))
    });
    let range = portion.holds.also.clone();
    all.skip(range.start).take(range.len()).map(|(feed, place)| also_line(feed, place, judge)).collect()
}

fn also_line(feed: &AlsoPublished, place: usize, judge: &Judge) -> AlsoLine {
    let name = judge.defang(cut(&feed.feed, MAX_NAME));
    match feed.lines.get(place) {
        Some((title, link)) => AlsoLine {
            feed: name,
            title: judge.defang(cut(title, MAX_TITLE)),
            link: judge.link(link.as_deref()),
            entries: 1,
        },
        None => AlsoLine {
            feed: name,
            title: format!("and {} more", grouped(feed.more as u64)),
            link: Link::Absent,
            entries: feed.more,
        },
    }
}

fn owns(names: &[String]) -> Option<String> {
    let names: Vec<String> = names.iter().map(|name| cut(name, MAX_NAME)).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then(|| format!("You own: {}.", row(&names, MAX_OWNED)))
}

/// `Groups: Quillgate PSIRT today, Fernwald quiet 31 days.`
fn owned_groups(content: &DigestContent) -> Option<String> {
    let heard = |group: &OwnedGroup| {
        let name = cut(&group.name, MAX_NAME);
        let Some(at) = group.last_entry_at else { return format!("{name} nothing yet") };
        match days_ago(at, content.now, &content.timezone) {
            ..=0 => format!("{name} today"),
            1 => format!("{name} yesterday"),
            days @ 2..=7 => format!("{name} {days} days ago"),
            days => format!("{name} quiet {} days", grouped(u64::from(days.unsigned_abs()))),
        }
    };
    let groups: Vec<String> = content.groups.iter().map(heard).collect();
    (!groups.is_empty()).then(|| format!("Groups: {}.", row(&groups, MAX_GROUPS)))
}
