//! How a digest becomes mails: one where it fits, else numbered parts that hold all of it together. What is in which part
//! is decided by size alone; every part is composed like a whole digest.

use std::{collections::HashSet, ops::Range};

use super::{
    ComposeError, MAX_HTML,
    encode::quoted_printable,
    html,
    links::Judge,
    message, plain,
    portion::{Holds, Identity, LISTS, Portion, SHORTEST, lengths},
    said::{Said, said},
    subject::subject,
};
use crate::model::digest::{Composed, DigestContent, DigestKind};

/// The most stories that can fit into one mail; one takes more than 700 bytes.
const MAX_STORIES: usize = 130;
/// The most other items that can fit; one takes more than 60 bytes.
const MAX_LINES: usize = 1_500;
/// What a heading of a list costs at the most.
const HEADING: Cost = Cost { html: 700, text: 64 };
/// What the first lines of two parts may differ by, and the opening of a component that goes on.
const SLACK: Cost = Cost { html: 1_200, text: 600 };

/// What the parts of a digest need to be mails of their own.
pub struct Envelopes<'e> {
    /// Message-ID and link of the part at this place, from 0; those of the first are the digest's own.
    pub identity: &'e dyn Fn(usize) -> Identity,
    /// The subjects of the owner's mails so far.
    pub taken: &'e HashSet<String>,
    /// The largest message in bytes that the mail server takes; `None`: any.
    pub size_limit: Option<u64>,
}

/// One mail of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its own Message-ID and link.
    pub identity: Identity,
    /// What stands in it.
    pub holds: Holds,
    /// Its bytes.
    pub composed: Composed,
}

/// A mail with the length of its HTML part as encoded.
pub(super) struct Made {
    pub(super) composed: Composed,
    html: usize,
}

/// Bytes as encoded.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    html: usize,
    text: usize,
}

impl Cost {
    fn and(self, more: Cost) -> Cost {
        Cost { html: self.html + more.html, text: self.text + more.text }
    }

    fn without(self, less: Cost) -> Cost {
        Cost { html: self.html.saturating_sub(less.html), text: self.text.saturating_sub(less.text) }
    }

    fn fits(self, size_limit: Option<u64>) -> bool {
        self.html <= MAX_HTML && size_limit.is_none_or(|limit| (self.html + self.text) as u64 <= limit)
    }
}

/// Composes a digest in as many mails as it needs: each with its own text part, link and place among them, HTML of at
/// most [`MAX_HTML`] bytes as encoded, and no longer than the mail server takes. Every item of the digest stands in
/// exactly one of them; its end stands in the last one, or in none where it alone would make a mail about no story. A single story that does not fit even alone is shortened, and says so.
pub fn parts(content: &DigestContent, envelopes: &Envelopes<'_>) -> Result<Vec<Part>, ComposeError> {
    let judge = Judge::new(&content.answer_all_url);
    let whole = Portion::whole(content);
    let all = lengths(content);
    let [stories, others @ ..] = all;
    if stories <= MAX_STORIES && others.iter().sum::<usize>() <= MAX_LINES {
        let made = make(content, &whole, &judge, envelopes.taken)?;
        if made.fits(envelopes.size_limit) {
            return Ok(vec![part(whole, made)]);
        }
    }
    let (frame, items) = costs(content, &whole, &judge)?;
    let mut ranges: Vec<(Range<usize>, u8)> =
        packed(frame, &items, &all, envelopes.size_limit).into_iter().map(|range| (range, 0)).collect();
    loop {
        if is_of_stories(content) {
            leave_end_out(&mut ranges, all.iter().sum());
        }
        match all_parts(content, &ranges, &judge, envelopes)? {
            Ok(parts) => return Ok(parts),
            Err(place) => split_or_shorten(&mut ranges, place),
        }
    }
}

/// Whether a digest is about some stories and nothing else.
fn is_of_stories(content: &DigestContent) -> bool {
    use DigestKind::{Links, Passed, Reminder, Takeover};
    matches!(content.kind, Reminder | Takeover | Passed | Links) && !content.stories.is_empty()
}

/// Leaves the end of a digest out where it would be a mail of its own; it comes after this many items.
fn leave_end_out(ranges: &mut Vec<(Range<usize>, u8)>, items: usize) {
    ranges.retain(|(range, _)| range.start < items);
}

/// Makes what did not fit smaller: two parts of one, or, where it is a single item, a shorter one.
fn split_or_shorten(ranges: &mut Vec<(Range<usize>, u8)>, place: usize) {
    let Some((range, short)) = ranges.get_mut(place) else { return };
    if range.len() > 1 {
        let (middle, end) = (range.start + range.len() / 2, range.end);
        range.end = middle;
        ranges.insert(place + 1, (middle..end, 0));
    } else {
        *short += 1;
    }
}

/// Every part, or the place of the first one that does not fit and can be made smaller.
fn all_parts(
    content: &DigestContent,
    ranges: &[(Range<usize>, u8)],
    judge: &Judge,
    envelopes: &Envelopes<'_>,
) -> Result<Result<Vec<Part>, usize>, ComposeError> {
    let mut taken = envelopes.taken.clone();
    let mut parts = Vec::with_capacity(ranges.len());
    for (place, (range, short)) in ranges.iter().enumerate() {
        let portion = Portion {
            identity: (envelopes.identity)(place),
            number: place + 1,
            of: ranges.len(),
            holds: Holds::of(content, range),
            short: *short,
        };
        let made = make(content, &portion, judge, &taken)?;
        let can_shrink = range.len() > 1 || (*short < SHORTEST && !portion.holds.stories.is_empty());
        if can_shrink && !made.fits(envelopes.size_limit) {
            return Ok(Err(place));
        }
        taken.insert(made.composed.subject.clone());
        parts.push(part(portion, made));
    }
    Ok(Ok(parts))
}

fn part(portion: Portion, made: Made) -> Part {
    Part { identity: portion.identity, holds: portion.holds, composed: made.composed }
}

/// Composes one mail, whatever its size.
pub(super) fn make(
    content: &DigestContent,
    portion: &Portion,
    judge: &Judge,
    taken: &HashSet<String>,
) -> Result<Made, ComposeError> {
    let said = said(content, portion, judge);
    let subject = subject(content, portion, taken);
    let text = quoted_printable(&plain::plain(&said));
    let html = html::html(&said, &subject)?;
    let length = html.len();
    let bytes = message::message(content, &portion.identity, &subject, (text, html))?;
    Ok(Made { composed: Composed { subject, bytes }, html: length })
}

impl Made {
    fn fits(&self, size_limit: Option<u64>) -> bool {
        self.html <= MAX_HTML && size_limit.is_none_or(|limit| self.composed.bytes.len() as u64 <= limit)
    }
}

/// What a mail without any item costs, headers and headings apart, and what each item adds; the last of them is the end of
/// the digest.
fn costs(content: &DigestContent, whole: &Portion, judge: &Judge) -> Result<(Cost, Vec<Cost>), ComposeError> {
    let count: usize = lengths(content).iter().sum();
    let of = |items: Range<usize>| {
        let portion = Portion { number: 1, of: 1_000, holds: Holds::of(content, &items), ..whole.clone() };
        let said = said(content, &portion, judge);
        frame_cost(content, &portion, &said)
    };
    let frame = of(0..0)?;
    let end = of(count..count + 1)?.without(frame);
    let said = said(content, whole, judge);
    let mut items = Vec::with_capacity(count + 1);
    for group in &said.groups {
        for story in &group.stories {
            items.push(Cost { html: html::story(story, group.urgent)?.len(), text: length(&plain::story(story)) });
        }
    }
    items.extend(said.held.iter().map(|one| line_cost(&[&one.words, &one.decide, &one.decide, &one.url, &one.url])));
    let lists = [&said.not_seen, &said.seen_again, &said.notices, &said.first_looks, &said.restricted];
    items.extend(lists.into_iter().flatten().map(|line| line_cost(&[line])));
    items.extend(said.also.iter().map(|line| {
        let url = line.link.url().unwrap_or_default();
        line_cost(&[&line.feed, &line.title, url, line.link.beside()])
    }));
    items.push(end);
    Ok((frame.and(SLACK), items))
}

fn frame_cost(content: &DigestContent, portion: &Portion, said: &Said) -> Result<Cost, ComposeError> {
    let subject = subject(content, portion, &HashSet::new());
    let html = html::html(said, &subject)?;
    let html_length = html.len();
    let text = quoted_printable(&plain::plain(said));
    let all = message::message(content, &portion.identity, &subject, (text, html))?.len();
    Ok(Cost { html: html_length, text: all.saturating_sub(html_length) })
}

fn length(text: &str) -> usize {
    quoted_printable(text).len()
}

/// What a line of these texts costs, with the markup around it.
fn line_cost(texts: &[&str]) -> Cost {
    let text: usize = texts.iter().map(|text| length(text) + 4).sum();
    // What is escaped takes five characters for one at the most.
    let escaped =
        |text: &str| text.bytes().filter(|byte| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'')).count() * 5;
    let html = text + texts.iter().map(|text| escaped(text)).sum::<usize>() + 160;
    Cost { html, text: text + 8 }
}

/// The items of each part: as many as fit, in their order, at least one.
fn packed(frame: Cost, items: &[Cost], lists: &[usize; LISTS], size_limit: Option<u64>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut cost) = (0, frame);
    let mut starts = Vec::with_capacity(LISTS);
    let mut before = 0;
    for length in lists {
        starts.push(before);
        before += length;
    }
    for (place, item) in items.iter().enumerate() {
        let mut next = cost.and(*item);
        if place == start || starts.contains(&place) {
            next = next.and(HEADING);
        }
        if place > start && !next.fits(size_limit) {
            ranges.push(start..place);
            start = place;
            next = frame.and(*item).and(HEADING);
        }
        cost = next;
    }
    ranges.push(start..items.len());
    ranges
}
