//! What a feed's document would mean here: what matches the stack, who would get it, and what its dates and identifiers
//! say of its rhythm and its manners. Pure, and no decision: nothing is stored, and nobody is told.

use std::collections::HashSet;

use jiff::SignedDuration;

use crate::{
    marks,
    model::{
        entry::{Document, Entry},
        feed::Feed,
        id::OwnerId,
        settings::Config,
        stack::{Tag, TagKind},
        time::Time,
    },
    route::{self, Fate, Judgement},
    tag::{self, Matcher},
};

/// How many entries are shown.
const SHOWN: usize = 5;
/// A date further ahead than this is a mistake or a trick.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// A feed without an entry for this long may have been given up.
const SILENT: SignedDuration = SignedDuration::from_hours(180 * 24);
/// What counts as the last month.
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Fewer dates than this show no rhythm.
const LEAST_DATES: usize = 3;
/// A document that reaches back for less than this many intervals may lose entries.
const LEAST_INTERVALS: i32 = 3;

/// What a document would mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// How many entries it has.
    pub entries: usize,
    /// What its dates say.
    pub dates: Dates,
    /// How many entries have no identifier of their own.
    pub without_id: usize,
    /// How many identifiers stand more than once.
    pub repeated_ids: usize,
    /// How many entries a term of a component or topic was found in.
    pub matched: usize,
    /// The components and topics that were found, the most frequent first.
    pub matches: Vec<Match>,
    /// Who would get entries as stories, the most first.
    pub owners: Vec<Reached>,
    /// Who would get single lines under "also published", and how many.
    pub listed: Vec<(OwnerId, usize)>,
    /// How many entries would be recorded as not for us.
    pub not_for_us: usize,
    /// Who may not see entries because of the feed's label, and how many.
    pub withheld: Vec<(OwnerId, usize)>,
    /// The newest entries.
    pub newest: Vec<Shown>,
}

/// A component or topic and how many entries it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Which of the two it is.
    pub kind: TagKind,
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// In how many entries.
    pub entries: usize,
}

/// An owner and how much would come to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Who.
    pub owner: OwnerId,
    /// How many entries.
    pub entries: usize,
    /// How many of them at once.
    pub urgent: usize,
}

/// An entry that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its title; where it has none, the beginning of its text.
    pub title: Option<String>,
    /// Its link.
    pub link: Option<String>,
    /// Its stated date.
    pub date: Option<Time>,
    /// The components and topics that it has.
    pub tags: Vec<String>,
    /// Where it would end.
    pub judgement: Judgement,
}

/// What the stated dates of a document say. They decide nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dates {
    /// How many entries state one.
    pub stated: usize,
    /// The newest that is not ahead of now.
    pub newest: Option<Time>,
    /// The oldest.
    pub oldest: Option<Time>,
    /// The gap between two dates that is neither among the short nor among the long ones; `None` for fewer than three dates.
    pub usual_gap: Option<SignedDuration>,
    /// The longest.
    pub longest_gap: Option<SignedDuration>,
    /// How many entries are from the last thirty days.
    pub last_month: usize,
    /// How many are dated more than a day ahead.
    pub ahead: usize,
}

/// What this document would mean if it came from this feed now.
pub fn outlook(config: &Config, matcher: &Matcher, feed: &Feed, document: &Document, now: Time) -> Outlook {
    let from_feed = tag::feed_tags(config, feed);
    let mut counts = Counts::default();
    let mut judged: Vec<(Vec<Tag>, Judgement)> = Vec::with_capacity(document.entries.len());
    for entry in &document.entries {
        let mut tags = matcher.tags(entry);
        counts.matched += usize::from(!tags.is_empty());
        let is_new = |tag: &&Tag| !tags.iter().any(|found| found.kind == tag.kind && found.id == tag.id);
        let more: Vec<Tag> = from_feed.iter().filter(is_new).cloned().collect();
        tags.extend(more);
        let judgement = route::route(config, feed, &tags, &marks::marks(entry), now);
        counts.add(config, &tags, &judgement);
        judged.push((tags, judgement));
    }
    let (without_id, repeated_ids) = ids(&document.entries);
    let newest = newest(&document.entries).into_iter().filter_map(|place| {
        let (entry, (tags, judgement)) = (document.entries.get(place)?, judged.get(place)?);
        Some(shown(config, entry, tags, judgement.clone()))
    });
    let newest = newest.collect();
    counts.matches.sort_by(|a, b| b.entries.cmp(&a.entries).then_with(|| a.id.cmp(&b.id)));
    counts.owners.sort_by(|a, b| b.entries.cmp(&a.entries).then_with(|| a.owner.cmp(&b.owner)));
    Outlook {
        entries: document.entries.len(),
        dates: dates(&document.entries, now),
        without_id,
        repeated_ids,
        matched: counts.matched,
        matches: counts.matches,
        owners: counts.owners,
        listed: counts.listed,
        not_for_us: counts.not_for_us,
        withheld: counts.withheld,
        newest,
    }
}

#[derive(Default)]
struct Counts {
    matched: usize,
    matches: Vec<Match>,
    owners: Vec<Reached>,
    listed: Vec<(OwnerId, usize)>,
    withheld: Vec<(OwnerId, usize)>,
    not_for_us: usize,
}

impl Counts {
    fn add(&mut self, config: &Config, tags: &[Tag], judgement: &Judgement) {
        for tag in tags {
            let known = self.matches.iter_mut().find(|known| known.kind == tag.kind && known.id == tag.id);
            if let Some(known) = known {
                known.entries += 1;
            } else {
                let (id, name) = (tag.id.clone(), name(config, tag));
                self.matches.push(Match { kind: tag.kind, id, name, entries: 1 });
            }
        }
        for assigned in &judgement.assignments {
            let urgent = usize::from(assigned.urgent);
            match self.owners.iter_mut().find(|known| known.owner == assigned.owner) {
                Some(known) => (known.entries, known.urgent) = (known.entries + 1, known.urgent + urgent),
                None => self.owners.push(Reached { owner: assigned.owner.clone(), entries: 1, urgent }),
            }
        }
        for withheld in &judgement.restricted {
            count(&mut self.withheld, &withheld.owner);
        }
        match &judgement.fate {
            Fate::Assigned => {}
            Fate::Listed(owner) => count(&mut self.listed, owner),
            Fate::NotForUs => self.not_for_us += 1,
        }
    }
}

fn count(counted: &mut Vec<(OwnerId, usize)>, owner: &OwnerId) {
    match counted.iter_mut().find(|(known, _)| known == owner) {
        Some((_, number)) => *number += 1,
        None => counted.push((owner.clone(), 1)),
    }
}

fn name(config: &Config, tag: &Tag) -> String {
    let named = match tag.kind {
        TagKind::Component => config.components.iter().find(|one| one.id.as_str() == tag.id).map(|one| &one.name),
        TagKind::Topic => config.topics.iter().find(|one| one.id.as_str() == tag.id).map(|one| &one.name),
    };
    named.unwrap_or(&tag.id).clone()
}

fn shown(config: &Config, entry: &Entry, tags: &[Tag], judgement: Judgement) -> Shown {
    Shown {
        title: entry.heading(),
        link: entry.link.clone(),
        date: date(entry),
        tags: tags.iter().map(|tag| name(config, tag)).collect(),
        judgement,
    }
}

fn date(entry: &Entry) -> Option<Time> {
    entry.published.max(entry.updated)
}

/// The places of the newest entries: by stated date, else in document order, as a first poll picks them.
fn newest(entries: &[Entry]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..entries.len()).collect();
    let date = |place: &usize| entries.get(*place).and_then(date);
    places.sort_by(|a, b| date(b).cmp(&date(a)).then(a.cmp(b)));
    places.truncate(SHOWN);
    places
}

/// How many entries have no identifier, and how many identifiers stand more than once.
fn ids(entries: &[Entry]) -> (usize, usize) {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for id in entries.iter().filter_map(|entry| entry.guid.as_deref()) {
        if !seen.insert(id) {
            repeated.insert(id);
        }
    }
    (entries.iter().filter(|entry| entry.guid.is_none()).count(), repeated.len())
}

fn dates(entries: &[Entry], now: Time) -> Dates {
    let all: Vec<Time> = entries.iter().filter_map(date).collect();
    let age = |at: &Time| now.duration_since(*at);
    let mut past: Vec<Time> = all.iter().copied().filter(|at| age(at) >= -AHEAD).collect();
    let last_month = past.iter().filter(|at| age(at) <= MONTH).count();
    past.sort_unstable();
    let (newest, oldest) = (past.last().copied(), past.first().copied());
    past.dedup();
    let mut gaps: Vec<SignedDuration> =
        past.iter().zip(past.iter().skip(1)).map(|(before, after)| after.duration_since(*before)).collect();
    gaps.sort_unstable();
    let is_enough = past.len() >= LEAST_DATES;
    Dates {
        stated: all.len(),
        newest,
        oldest,
        usual_gap: gaps.get(gaps.len() / 2).copied().filter(|_| is_enough),
        longest_gap: gaps.last().copied().filter(|_| is_enough),
        last_month,
        ahead: all.iter().filter(|at| age(at) < -AHEAD).count(),
    }
}

impl Outlook {
    /// What an editor should know before relying on the feed, one sentence each, without a full stop.
    pub fn remarks(&self, feed: &Feed, now: Time) -> Vec<String> {
        if self.entries == 0 {
            return vec![
                "it has no entries at all, which looks the same as a feed that has died: look at its page".into(),
            ];
        }
        let (mut remarks, dates) = (Vec::new(), &self.dates);
        if dates.stated == 0 {
            remarks.push("no entry states a date: nothing tells how old they are".to_owned());
        }
        if let Some(silence) = dates.newest.map(|newest| now.duration_since(newest)).filter(|gap| *gap > SILENT) {
            remarks.push(format!("its newest entry is {} old: it may have been given up", in_words(silence)));
        }
        if dates.ahead > 0 {
            remarks.push(format!("{} dated ahead of today; dates decide nothing here", entries(dates.ahead)));
        }
        if self.without_id > 0 {
            let which = if self.without_id == self.entries { "no entry has" } else { "not every entry has" };
            let number = self.without_id;
            remarks.push(format!("{which} an identifier ({number} without): the link or the title tells them apart"));
        }
        if self.repeated_ids > 0 {
            remarks.push(format!("{} more than once in the document", identifiers(self.repeated_ids)));
        }
        remarks.extend(self.too_slow(feed));
        remarks
    }

    /// Whether entries may come and go between two polls.
    fn too_slow(&self, feed: &Feed) -> Option<String> {
        let reach = self.dates.newest?.duration_since(self.dates.oldest?);
        let is_rhythm = self.dates.usual_gap.is_some() && reach > SignedDuration::from_mins(10);
        let needed = feed.every.checked_mul(LEAST_INTERVALS)?;
        (is_rhythm && reach < needed).then(|| {
            let (reach, every) = (in_words(reach), in_words(feed.every));
            format!("the document reaches back {reach} and is asked every {every}: ask more often, or entries are lost")
        })
    }
}

fn entries(number: usize) -> String {
    if number == 1 { "1 entry is".to_owned() } else { format!("{number} entries are") }
}

fn identifiers(number: usize) -> String {
    if number == 1 { "1 identifier stands".to_owned() } else { format!("{number} identifiers stand") }
}

/// A stretch of time in the one unit that says enough: `3 days`, `5 h`, `20 min`.
pub fn in_words(duration: SignedDuration) -> String {
    let minutes = (duration.as_secs() + 30) / 60;
    match minutes {
        2_880.. => format!("{} days", minutes / 1_440),
        120.. | 60 => format!("{} h", minutes / 60),
        _ => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            entry::{DocumentHints, Format},
            stack::{Case, Pattern, Term},
        },
        route::tests::config,
    };

    fn now() -> Time {
        "2026-11-20T08:00:00Z".parse().unwrap()
    }

    fn entry(title: &str, date: &str) -> Entry {
        Entry {
            guid: Some(title.to_owned()),
            title: Some(title.to_owned()),
            published: date.parse().ok(),
            ..Entry::default()
        }
    }

    fn document(entries: Vec<Entry>) -> Document {
        Document {
            format: Format::Rss,
            title: None,
            entries,
            warnings: Vec::new(),
            partial: false,
            hints: DocumentHints::default(),
        }
    }

    #[test]
    fn dates_show_the_rhythm_and_those_ahead_are_left_out_of_it() {
        let days = [1, 2, 3, 5, 6, 7, 17].map(|day| entry("x", &format!("2026-11-{day:02}T08:00:00Z")));
        let mut entries = days.to_vec();
        entries.push(entry("x", "2030-01-01T00:00:00Z"));
        entries.push(entry("x", "no date"));
        entries.push(entry("x", "2026-09-01T00:00:00Z"));
        let dates = dates(&entries, now());
        assert_eq!((dates.stated, dates.ahead, dates.last_month), (9, 1, 7));
        assert_eq!(dates.newest, "2026-11-17T08:00:00Z".parse().ok());
        assert_eq!(dates.usual_gap, Some(SignedDuration::from_hours(24)));
        assert_eq!(dates.longest_gap.map(in_words), Some("61 days".to_owned()));
        assert_eq!(super::dates(&entries[..2], now()).usual_gap, None, "two dates show no rhythm");
        assert_eq!(super::dates(&[], now()), Dates::default());
    }

    #[test]
    fn an_outlook_says_what_would_match_and_who_would_get_it() {
        let mut config = config();
        let pattern = Pattern::Text { text: "quillgate".into(), case: Case::Any };
        config.components[0].terms = vec![Term { pattern, near: Vec::new(), not: Vec::new() }];
        let (component, owner) = (config.components[0].clone(), config.components[0].owner.clone());
        let matcher = Matcher::new(&config.components, &config.topics).unwrap();
        let feed = config.feeds[0].clone();
        let entries = vec![
            entry("Nothing of ours", "2026-11-19T08:00:00Z"),
            entry("A hole in Quillgate", "2026-11-18T08:00:00Z"),
        ];
        let outlook = outlook(&config, &matcher, &feed, &document(entries), now());
        assert_eq!((outlook.entries, outlook.matched), (2, 1));
        assert_eq!((outlook.matches[0].name.as_str(), outlook.matches[0].entries), (component.name.as_str(), 1));
        assert!(outlook.owners.iter().any(|reached| reached.owner == owner && reached.entries >= 1));
        let ended = outlook.listed.iter().map(|(_, number)| number).sum::<usize>() + outlook.not_for_us;
        let assigned = outlook.newest.iter().filter(|shown| shown.judgement.fate == Fate::Assigned).count();
        assert_eq!(ended + assigned, 2, "every entry ends somewhere");
        assert_eq!(outlook.newest[0].title.as_deref(), Some("Nothing of ours"));
        assert_eq!(outlook.newest[1].tags, [component.name]);
    }

    #[test]
    fn remarks_name_what_an_editor_should_know_and_nothing_else() {
        let config = config();
        let matcher = Matcher::new(&[], &[]).unwrap();
        let feed = Feed { every: SignedDuration::from_hours(1), ..config.feeds[0].clone() };
        let remarks = |entries| outlook(&config, &matcher, &feed, &document(entries), now()).remarks(&feed, now());
        let good = ["17", "18", "19"].map(|day| entry(day, &format!("2026-11-{day}T08:00:00Z")));
        assert_eq!(remarks(good.to_vec()), [""; 0]);
        assert!(remarks(Vec::new())[0].starts_with("it has no entries at all"));
        let fast = ["00", "40", "59"].map(|minute| entry(minute, &format!("2026-11-20T07:{minute}:00Z")));
        assert_eq!(
            remarks(fast.to_vec()),
            ["the document reaches back 59 min and is asked every 1 h: ask more often, or entries are lost"]
        );
        let mut odd = [entry("a", "2020-01-01T00:00:00Z"), entry("a", "2031-01-01T00:00:00Z"), entry("b", "")];
        odd[2].guid = None;
        let said = remarks(odd.to_vec());
        for (at, words) in ["2515 days old", "1 entry is dated ahead", "(1 without)", "1 identifier stands more"]
            .into_iter()
            .enumerate()
        {
            assert!(said[at].contains(words), "{said:?}");
        }
    }
}
