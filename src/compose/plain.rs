//! The text part: complete, at most 72 columns where words allow it, an address alone on its line and never broken.
//! Nothing is left out here that the HTML part shows.

use super::{
    links::Link,
    said::{AlsoLine, Said},
    story::{Source, Story},
    words::grouped,
};

/// The longest line that words are broken into, in characters.
const WIDTH: usize = 72;

/// Writes the text part; line ends are CR LF.
pub(super) fn plain(said: &Said) -> String {
    let mut page = Page::default();
    page.wrapped("", &said.action);
    page.blank();
    page.wrapped("", &said.who_and_when);
    for sentence in [&said.why, &said.still_open, &said.blindness, &said.if_silent].into_iter().flatten() {
        page.wrapped("", sentence);
    }
    if let Some(words) = &said.answer_all {
        page.wrapped("", &format!("{words}:"));
        page.alone("", &said.answer_all_url);
    }
    for group in &said.groups {
        page.heading(&format!("{} ({})", group.heading, grouped(group.stories.len() as u64)));
        for (i, one) in group.stories.iter().enumerate() {
            if i > 0 {
                page.blank();
            }
            if let Some(opening) = &one.opening {
                page.wrapped("", opening);
                page.blank();
            }
            write_story(&mut page, one);
        }
    }
    if let Some((words, url)) = &said.rest {
        page.blank();
        page.wrapped("", words);
        page.alone("", url);
    }
    closing(&mut page, said);
    page.0
}

/// One story as it stands in the text part, with the blank line before it.
pub(super) fn story(story: &Story) -> String {
    let mut page = Page("\r\n".to_owned());
    write_story(&mut page, story);
    page.0
}

fn closing(page: &mut Page, said: &Said) {
    if !said.held.is_empty() {
        page.heading(&format!("Held ({})", grouped(said.held.len() as u64)));
        for (i, one) in said.held.iter().enumerate() {
            if i > 0 {
                page.blank();
            }
            page.wrapped("", &one.words);
            page.wrapped("", &format!("{}:", one.decide));
            page.alone("", &one.url);
        }
    }
    page.list("Not seen", &said.not_seen);
    if let Some(seen) = &said.feeds_seen {
        if said.not_seen.is_empty() {
            page.blank();
        }
        page.wrapped("", seen);
    }
    page.list("Seen again", &said.seen_again);
    page.list("About the feeds", &said.notices);
    page.list("First look", &said.first_looks);
    page.list("Restricted", &said.restricted);
    if said.also_total > 0 {
        page.heading(&format!("Also published ({}, no answer needed)", grouped(said.also_total as u64)));
        for (i, line) in said.also.iter().enumerate() {
            if i > 0 {
                page.blank();
            }
            also(page, line);
        }
    }
    if said.owns.is_some() || said.wrong.is_some() {
        page.blank();
        let words: Vec<&str> =
            said.owns.as_deref().into_iter().chain(said.wrong.iter().map(|(words, _)| *words)).collect();
        page.wrapped("", &words.join(" "));
        if let Some((_, url)) = &said.wrong {
            page.alone("", url);
        }
    }
    if let Some(groups) = &said.owned_groups {
        page.wrapped("", groups);
    }
    if let Some(checkpoint) = &said.checkpoint {
        page.heading("Checkpoint of the evidence log");
        page.verbatim(checkpoint);
    }
}

fn write_story(page: &mut Page, story: &Story) {
    page.wrapped_after(&format!("{}. ", story.number), &story.title);
    let cves = (!story.cves.is_empty()).then(|| story.cves.join(", "));
    let marks: Vec<&str> = story.marks().chain(cves.as_deref()).collect();
    if !marks.is_empty() {
        page.wrapped("   ", &format!("{}.", marks.join(". ")));
    }
    if let Some(summary) = &story.summary {
        page.wrapped("   ", summary);
    }
    if !story.changes.is_empty() {
        let told: Vec<&str> = story.changes.iter().map(|line| line.trim_end_matches('.')).collect();
        page.wrapped("   ", &format!("{} {}.", story.changed, told.join("; ")));
    }
    for line in &story.earlier {
        page.wrapped("   ", line);
    }
    if !story.reason.is_empty() {
        page.wrapped("   ", &format!("Why you: {} {}", story.reason, story.proofs.join(" ")));
    }
    if let Some(words) = &story.waited {
        page.wrapped("   ", words);
    }
    page.wrapped("   ", &story.dates);
    sources(page, story);
    if let Some(words) = story.cut_short {
        page.wrapped("   ", words);
    }
    if let Some(url) = &story.answer_url {
        page.wrapped("   ", "Answer:");
        page.alone("   ", url);
    }
}

/// The sources by name and how many more there are, then each address once.
fn sources(page: &mut Page, story: &Story) {
    let more = story.more_sources_words();
    match (story.source_names().as_slice(), more) {
        ([], _) => {}
        ([one], None) => page.wrapped("   ", &format!("Source: {one}")),
        (several, None) => page.wrapped("   ", &format!("Sources: {}", several.join(", "))),
        (several, Some(more)) => page.wrapped("   ", &format!("Sources: {}, {more}", several.join(", "))),
    }
    let mut shown: Vec<&Link> = Vec::new();
    for link in std::iter::once(&story.link).chain(story.sources.iter().map(|Source { link, .. }| link)) {
        if !shown.contains(&link) {
            shown.push(link);
            page.link("   ", link);
        }
    }
}

fn also(page: &mut Page, line: &AlsoLine) {
    page.wrapped("", &format!("{}: {}", line.feed, line.title));
    page.link("", &line.link);
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn end_line(&mut self) {
        self.0.truncate(self.0.trim_end_matches(' ').len());
        self.0.push_str("\r\n");
    }

    fn blank(&mut self) {
        if !self.0.is_empty() {
            self.end_line();
        }
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let rest = if rest.is_empty() { String::new() } else { format!("({rest}") };
        self.wrapped("", &format!("{}{rest}", name.to_uppercase()));
        self.blank();
    }

    fn list(&mut self, heading: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(&format!("{heading} ({})", grouped(lines.len() as u64)));
        for line in lines {
            self.wrapped("", line);
        }
    }

    /// Words, broken between them; every line begins with the indent.
    fn wrapped(&mut self, indent: &str, text: &str) {
        self.fill(indent, indent, text);
    }

    /// Words after a number; further lines stand below the first word.
    fn wrapped_after(&mut self, opening: &str, text: &str) {
        self.fill(opening, &" ".repeat(opening.chars().count()), text);
    }

    fn fill(&mut self, first: &str, further: &str, text: &str) {
        self.0.push_str(first);
        let mut column = first.chars().count();
        let mut at_start = true;
        let is_ascii = text.is_ascii();
        for word in text.split([' ']).filter(|word| !word.is_empty()) {
            let width = if is_ascii { word.len() } else { word.chars().count() };
            if !at_start && column + 1 + width > WIDTH {
                self.end_line();
                self.0.push_str(further);
                column = further.chars().count();
                at_start = true;
            }
            if !at_start {
                self.0.push(' ');
                column += 1;
            }
            self.0.push_str(word);
            column += width;
            at_start = false;
        }
        self.end_line();
    }

    /// An address on a line of its own.
    fn alone(&mut self, indent: &str, address: &str) {
        self.0.push_str(indent);
        self.0.push_str(address);
        self.end_line();
    }

    fn link(&mut self, indent: &str, link: &Link) {
        match link {
            Link::To { url, .. } => self.alone(indent, url),
            Link::Words(words) => self.wrapped(indent, words),
            Link::Absent => {}
        }
    }

    /// Lines that stay as they are, to the byte.
    fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            self.0.push_str(line);
            self.0.push_str("\r\n");
        }
    }
}
