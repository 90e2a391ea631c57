//! The HTML part: the template `digest.html` with as many stories and lines as its size allows; what does not fit is
//! counted and stands in the text part. No wording here but of what was left out.

use askama::Template;

use super::{
    ComposeError, MAX_HTML,
    held::Held,
    message,
    said::{AlsoLine, Group, Said, Story},
    words::{count, grouped},
};

/// The most that everything but stories and single lines may take.
const MAX_FRAME: usize = 40 * 1024;
/// How many lines of each list are tried, most first.
const LIST_LENGTHS: [usize; 4] = [60, 20, 6, 0];
/// The most stories that can fit; a story takes more than 700 bytes.
const MAX_STORIES: usize = 130;
/// The most single lines that can fit; one takes more than 200 bytes.
const MAX_LINES: usize = 400;
/// How many sources and proofs of a story are shown here; the text part has all.
const SHOWN: usize = 4;
/// How many CVE ids of a story are shown here.
const SHOWN_CVES: usize = 8;

/// The dispositions as answer links: word of the address, word of the link.
const ANSWERS: [(&str, &str); 5] = [
    ("acted", "Acted"),
    ("covered", "Covered"),
    ("not-relevant", "Not relevant"),
    ("watching", "Watching"),
    ("discuss", "Discuss"),
];

#[derive(Template)]
#[template(path = "digest.html")]
struct Page<'a> {
    subject: &'a str,
    said: &'a Said,
    groups: Vec<(&'a Group, &'a [Story])>,
    left_out: Option<String>,
    held: &'a [Held],
    held_left_out: Option<String>,
    not_seen: Lines<'a>,
    lists: [Lines<'a>; 4],
    also: &'a [AlsoLine],
    also_left_out: Option<String>,
}

/// The shown lines of a list, and how many more there are.
struct Lines<'a> {
    heading: &'static str,
    shown: &'a [String],
    all: usize,
    more: Option<String>,
}

impl<'a> Lines<'a> {
    fn first(heading: &'static str, lines: &'a [String], most: usize) -> Self {
        let shown = lines.get(..most).unwrap_or(lines);
        let left = lines.len() - shown.len();
        Self { heading, shown, all: lines.len(), more: (left > 0).then(|| more_in_text(left)) }
    }
}

/// How much of a digest is shown.
#[derive(Debug, Clone, Copy)]
struct Amount {
    stories: usize,
    list: usize,
    lines: usize,
}

/// Renders the HTML part, at most [`MAX_HTML`] bytes as encoded; line ends are CR LF.
pub(super) fn html(said: &Said, subject: &str) -> Result<String, ComposeError> {
    let stories: usize = said.groups.iter().map(|group| group.stories.len()).sum();
    if stories <= MAX_STORIES && said.also.len() <= MAX_LINES {
        // Nearly every digest fits whole, and is rendered once.
        let whole = render(said, subject, Amount { stories: usize::MAX, list: usize::MAX, lines: usize::MAX })?;
        if message::encoded_len(&whole)? <= MAX_HTML {
            return Ok(whole);
        }
    }
    let mut amount = Amount { stories: 0, list: 0, lines: 0 };
    for list in LIST_LENGTHS {
        amount.list = list;
        if message::encoded_len(&render(said, subject, amount)?)? <= MAX_FRAME {
            break;
        }
    }
    amount.stories = most(stories.min(MAX_STORIES), |n| fits(said, subject, Amount { stories: n, ..amount }))?;
    amount.lines = most(said.also.len().min(MAX_LINES), |n| fits(said, subject, Amount { lines: n, ..amount }))?;
    render(said, subject, amount)
}

fn fits(said: &Said, subject: &str, amount: Amount) -> Result<bool, ComposeError> {
    Ok(message::encoded_len(&render(said, subject, amount)?)? <= MAX_HTML)
}

/// The largest number up to `limit` that fits, where fewer always fit when more do.
fn most(limit: usize, fits: impl Fn(usize) -> Result<bool, ComposeError>) -> Result<usize, ComposeError> {
    if fits(limit)? {
        return Ok(limit);
    }
    let (mut good, mut bad) = (0, limit);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if fits(middle)? { good = middle } else { bad = middle }
    }
    Ok(good)
}

fn render(said: &Said, subject: &str, amount: Amount) -> Result<String, ComposeError> {
    let mut room = amount.stories;
    let mut groups = Vec::new();
    let mut left = 0;
    for group in &said.groups {
        let shown = group.stories.get(..room).unwrap_or(&group.stories);
        room -= shown.len();
        left += group.stories.len() - shown.len();
        if !shown.is_empty() {
            groups.push((group, shown));
        }
    }
    let also = said.also.get(..amount.lines).unwrap_or(&said.also);
    let also_left = said.also.len() - also.len();
    let held = said.held.get(..amount.list).unwrap_or(&said.held);
    let held_left = said.held.len() - held.len();
    let page = Page {
        subject,
        said,
        groups,
        left_out: (left > 0).then(|| {
            let are = if left == 1 { "is" } else { "are" };
            format!(
                "{} {are} in the text part of this mail and on the page.",
                count(left, "more story", "more stories")
            )
        }),
        held,
        held_left_out: (held_left > 0).then(|| more_in_text(held_left)),
        not_seen: Lines::first("Not seen", &said.not_seen, amount.list),
        lists: [
            Lines::first("Seen again", &said.seen_again, amount.list),
            Lines::first("About the feeds", &said.notices, amount.list),
            Lines::first("First look", &said.first_looks, amount.list),
            Lines::first("Restricted", &said.restricted, amount.list),
        ],
        also,
        also_left_out: (also_left > 0).then(|| more_in_text(also_left)),
    };
    Ok(wire_lines(&page.render()?))
}

fn more_in_text(left: usize) -> String {
    format!("{} in the text part of this mail.", count(left, "more line stands", "more lines stand"))
}

/// Without the template's indents and empty lines, CR LF at every end.
fn wire_lines(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut verbatim = false;
    for line in html.lines() {
        verbatim |= line.contains("<pre");
        let line = if verbatim { line } else { line.trim() };
        if verbatim || !line.is_empty() {
            out.push_str(line);
            out.push_str("\r\n");
        }
        verbatim &= !line.contains("</pre>");
    }
    out
}

impl Story {
    fn has_marks(&self) -> bool {
        self.exploited.is_some() || self.severity.is_some() || !self.cves.is_empty()
    }

    fn shown_cves(&self) -> &[String] {
        self.cves.get(..SHOWN_CVES).unwrap_or(&self.cves)
    }

    fn more_cves(&self) -> Option<String> {
        let more = self.cves.len().saturating_sub(SHOWN_CVES);
        (more > 0).then(|| format!(" and {} more", grouped(more as u64)))
    }

    fn shown_proofs(&self) -> &[String] {
        self.proofs.get(..SHOWN).unwrap_or(&self.proofs)
    }

    fn shown_sources(&self) -> &[super::said::Source] {
        self.sources.get(..SHOWN).unwrap_or(&self.sources)
    }

    fn more_sources(&self) -> Option<String> {
        let in_text = self.sources.len().saturating_sub(SHOWN);
        let words = |n: usize| grouped(n as u64);
        match (in_text, self.more_sources) {
            (0, 0) => None,
            (_, 0) => Some(format!("and {} more in the text part", words(in_text))),
            (0, more) => Some(format!("and {} more", words(more))),
            (_, more) => {
                Some(format!("and {} more, {} of them in the text part", words(in_text + more), words(in_text)))
            }
        }
    }

    /// Five answers, each an address and its word.
    fn answers(&self) -> Vec<(String, &'static str)> {
        let joint = if self.answer_url.contains('?') { '&' } else { '?' };
        ANSWERS.into_iter().map(|(word, name)| (format!("{}{joint}as={word}", self.answer_url), name)).collect()
    }
}
