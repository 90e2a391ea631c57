//! What an owner is to do, by when, and why the mail comes: the first lines of a digest, one set for each kind. The
//! subject says the same in fewer words. No layout here.

use super::{
    links::Judge,
    portion::{Portion, is_answered},
    seen::blindness,
    story::{MAX_NAME, since},
    words::{count, cut, days_ago, grouped, moment, spelled, weekday, zone_name},
};
use crate::model::{
    digest::{About, DigestContent, DigestKind, DigestStory, HandOver, StandIn},
    time::Time,
};

/// The longest name of a story in the first line, in characters.
const MAX_LABEL: usize = 60;

/// What a story is called where there is room for few characters: its best tag, else the beginning of its title.
pub(super) fn label(story: &DigestStory, max: usize) -> String {
    match story.tags.first() {
        Some((name, _)) => cut(name, max),
        None => cut(&story.title, max),
    }
}

/// `Quillgate VPN`, `Quillgate VPN and 2 more`: a name, and how many stories beside the one that it stands for.
pub(super) fn and_more(first: &str, stories: usize) -> String {
    match stories.saturating_sub(1) {
        0 => first.to_owned(),
        more => format!("{first} and {} more", grouped(more as u64)),
    }
}

/// The first line: what to do.
pub(super) fn action(content: &DigestContent, portion: &Portion, judge: &Judge) -> String {
    let stories = portion.stories(content);
    let first = stories.first().map(|story| judge.defang(label(story, MAX_LABEL)));
    match (content.kind, first) {
        (DigestKind::Heartbeat, _) => {
            let nothing =
                if content.still_open > 0 { "Nothing new for you this week" } else { "Nothing for you this week" };
            blindness(content).map_or_else(|| nothing.to_owned(), |blindness| format!("{nothing}, and {blindness}"))
        }
        (DigestKind::Reminder, Some(first)) => format!("Still open: {}", and_more(&first, stories.len())),
        (DigestKind::Takeover, Some(first)) => format!("Now yours: {}", and_more(&first, stories.len())),
        (DigestKind::Links, Some(first)) => format!("New links: {}", and_more(&first, stories.len())),
        (DigestKind::Passed, Some(first)) => {
            let to = match &content.about {
                Some(About::Passed { to, .. }) => cut(to, MAX_NAME),
                _ => "somebody else".to_owned(),
            };
            let have = if stories.len() == 1 { "has" } else { "now has" };
            format!("Nothing to do: {to} {have} {}", and_more(&first, stories.len()))
        }
        (_, Some(_)) => answer(content, stories, judge),
        (_, None) => nothing(content, portion),
    }
}

fn nothing(content: &DigestContent, portion: &Portion) -> String {
    if portion.of > 1 {
        return "Nothing to answer in this part".to_owned();
    }
    if !content.held.is_empty() {
        return format!("{} to decide about", count(content.held.len(), "flood of entries", "floods of entries"));
    }
    let nothing = if content.still_open > 0 { "Nothing new to answer" } else { "Nothing to answer" };
    blindness(content).map_or_else(|| nothing.to_owned(), |blindness| format!("{nothing}, and {blindness}"))
}

/// What a mail without a story says of those of earlier mails.
pub(super) fn still_open(content: &DigestContent) -> Option<String> {
    let is = if content.still_open == 1 { "is" } else { "are" };
    let open = count(content.still_open, "story of an earlier mail", "stories of earlier mails");
    (content.still_open > 0 && content.stories.is_empty()).then(|| format!("{open} {is} still open."))
}

fn answer(content: &DigestContent, stories: &[DigestStory], judge: &Judge) -> String {
    let urgent: Vec<&DigestStory> = stories.iter().filter(|story| story.urgent).collect();
    let calm = stories.len() - urgent.len();
    let first = urgent.first().copied().or(stories.first());
    let first = first.map_or_else(String::new, |story| judge.defang(label(story, MAX_LABEL)));
    let n = |n: usize| grouped(n as u64);
    if let Some(StandIn { urgent_at, calm_at, .. }) = content.stand_in {
        let (soon, later) = (by(urgent_at, content), by(calm_at, content));
        let until = until(calm_at, content);
        return match (urgent.len(), calm) {
            (0, 1) => format!("Answer {first} by {later}"),
            (0, all) => format!("{} stories to answer by {later}, none of them urgent", n(all)),
            (1, 0) => format!("Answer {first} by {soon}"),
            (all, 0) => format!("Answer {} urgent stories by {soon}", n(all)),
            (1, calm) => format!("Answer {first} by {soon}; {} more can wait until {until}", spelled(calm)),
            (all, calm) => {
                format!("Answer {} urgent stories by {soon}; {} more can wait until {until}", n(all), spelled(calm))
            }
        };
    }
    match (urgent.len(), calm) {
        (0, 1) => format!("One story to answer: {first}"),
        (0, all) => format!("{} stories to answer, none of them urgent", n(all)),
        (1, 0) => format!("Urgent: {first}"),
        (all, 0) => format!("{} urgent stories to answer", n(all)),
        (1, calm) => format!("Answer {first} first; {} can wait", count(calm, "other story", "other stories")),
        (all, calm) => format!("Answer {} urgent stories first; {} can wait", n(all), count(calm, "other", "others")),
    }
}

/// A moment to come by which something is due: `14:00` today, `Wed 08:00` within six days, else `Wed 2 Dec 08:00`, with its
/// year where that is another.
pub(super) fn by(at: Time, content: &DigestContent) -> String {
    let pattern = match days_ago(at, content.now, &content.timezone) {
        0 => "%H:%M",
        -6..=-1 => "%a %H:%M",
        _ if is_this_year(at, content) => "%a %-d %b %H:%M",
        _ => "%a %-d %b %Y %H:%M",
    };
    moment(at, &content.timezone, pattern)
}

/// The day until which something can wait, today's hour where it is today.
fn until(at: Time, content: &DigestContent) -> String {
    let pattern = match days_ago(at, content.now, &content.timezone) {
        0 => "%H:%M",
        -6..=-1 => "%A",
        _ if is_this_year(at, content) => "%a %-d %b",
        _ => "%a %-d %b %Y",
    };
    moment(at, &content.timezone, pattern)
}

fn is_this_year(at: Time, content: &DigestContent) -> bool {
    let year = |at: Time| at.to_zoned(content.timezone.clone()).year();
    year(at) == year(content.now)
}

/// Which part, how many stories for whom, and when.
pub(super) fn who_and_when(content: &DigestContent, portion: &Portion) -> String {
    let stories = |n: usize| count(n, "story", "stories");
    let (here, all) = (portion.stories(content).len(), content.stories.len());
    let what = match portion.place() {
        None if content.kind == DigestKind::Heartbeat => "A sign of life".to_owned(),
        None => stories(all),
        Some(place) if here == 0 => format!("Part {place}, after {}", stories(all)),
        Some(place) => format!("Part {place}, with {} of {}", grouped(here as u64), stories(all)),
    };
    format!(
        "{what} for {}, {} {}.",
        cut(&content.owner_name, MAX_NAME),
        moment(content.now, &content.timezone, "%a %-d %b %Y, %H:%M"),
        zone_name(content.now, &content.timezone),
    )
}

/// Why the mail comes, in a sentence or two; `None`: it is the owner's own hour, or urgent.
pub(super) fn why(content: &DigestContent) -> Option<String> {
    if content.kind == DigestKind::Heartbeat {
        let nothing = if content.still_open > 0 {
            "No new story for you in the last seven days."
        } else {
            "No story of yours in the last seven days; nothing to do."
        };
        return Some(nothing.to_owned());
    }
    Some(match content.about.as_ref()? {
        About::Reminder { since: from, then, .. } => {
            let from = weekday(*from, content.now, &content.timezone);
            let then = then
                .as_ref()
                .map(|(at, name)| format!(" On {} {} is asked.", since(*at, content), cut(name, MAX_NAME)));
            format!("With you since {from}, and not answered.{}", then.unwrap_or_default())
        }
        About::Takeover { from, why } => {
            let from = cut(from, MAX_NAME);
            match why {
                HandOver::NoAnswer => format!("{from} has not answered in time."),
                HandOver::Away => format!("{from} is away."),
                HandOver::Undelivered => format!("No mail could be handed over for {from}."),
                HandOver::Bounced => format!("The mail to {from} came back."),
                HandOver::Left => format!("{from} has left, or may not see it any more."),
            }
        }
        About::Passed { why, told, .. } => {
            let why = match why {
                HandOver::NoAnswer => "There was no answer in time.",
                HandOver::Away => "You were away.",
                HandOver::Undelivered => "No mail to you could be handed over.",
                HandOver::Bounced => "Mail to you came back.",
                HandOver::Left => "You may not see it any more, or have left.",
            };
            let them = match (*told, content.stories.len()) {
                (0, _) => return Some(why.to_owned()),
                (1, 1) => "it",
                (told, all) if told == all => "them",
                _ => "what it told",
            };
            format!("{why} The links of the earlier mail still show {them}, and no longer decide.")
        }
        About::Links { .. } => "The links of your earlier mail have ended. These are new, and last as long.".to_owned(),
    })
}

/// Who is asked when nothing is answered, with the moment where the first line does not name it.
pub(super) fn if_silent(content: &DigestContent, portion: &Portion) -> Option<String> {
    let stories = portion.stories(content);
    let says_who = matches!(&content.about, Some(About::Reminder { then: Some(_), .. }));
    if stories.is_empty() || !is_answered(content) || says_who || content.kind == DigestKind::Reminder {
        return None;
    }
    let stand_in = content.stand_in.as_ref()?;
    let name = cut(&stand_in.name, MAX_NAME);
    if content.about.is_none() {
        return Some(format!("Without an answer, {name} is asked."));
    }
    let at = if stories.iter().any(|story| story.urgent) { stand_in.urgent_at } else { stand_in.calm_at };
    Some(format!("Without an answer by {}, {name} is asked.", by(at, content)))
}

/// The words of the link that answers every story of a mail.
pub(super) fn answer_all(content: &DigestContent, portion: &Portion) -> Option<String> {
    if !is_answered(content) {
        return None;
    }
    match portion.stories(content).len() {
        0 => None,
        1 => Some("Answer it".to_owned()),
        2 => Some("Answer both on one page".to_owned()),
        n => Some(format!("Answer all {} on one page", grouped(n as u64))),
    }
}
