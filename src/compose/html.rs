//! The HTML part: the templates `digest.html` and, for each story, `digest_story.html`. No wording here but the answers'
//! names, and no deciding what stands in which mail.

use askama::Template;

use super::{
    ComposeError,
    encode::{encode_line, is_no_line_feed, run},
    said::{Group, Said},
    story::{Source, Story},
    words::grouped,
};

/// How many sources and proofs of a story are shown here; the text part has all.
const SHOWN: usize = 4;
/// How many CVE ids of a story are shown here.
const SHOWN_CVES: usize = 8;
/// Stands where the stories come; no text of a feed can hold it, because its brackets would be escaped.
const STORIES: &str = "<!--stories-->";
/// More bytes than most stories take.
const STORY: usize = 2_304;
/// The type, in every cell.
const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

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
    /// Where the stories stand.
    stories: &'static str,
    lists: [(&'static str, &'a [String]); 4],
    font: &'static str,
}

#[derive(Template)]
#[template(path = "digest_story.html")]
struct Cell<'a> {
    story: &'a Story,
    urgent: bool,
    answers: [(&'static str, &'static str); 5],
    font: &'static str,
}

/// Renders the HTML part as it stands in the mail, quoted-printable.
pub(super) fn html(said: &Said, subject: &str) -> Result<Vec<u8>, ComposeError> {
    let page = Page {
        subject,
        said,
        stories: STORIES,
        lists: [
            ("Seen again", &said.seen_again),
            ("About the feeds", &said.notices),
            ("First look", &said.first_looks),
            ("Restricted", &said.restricted),
        ],
        font: FONT,
    };
    let frame = page.render()?;
    let (before, after) = frame.split_once(STORIES).unwrap_or((&frame, ""));
    let stories: usize = said.groups.iter().map(|group| group.stories.len()).sum();
    let mut out = Vec::with_capacity(frame.len() + frame.len() / 8 + stories * STORY);
    wire_lines(before, &mut out);
    // What is rendered is encoded at once, so that one small buffer does for all stories.
    let mut html = String::with_capacity(STORY);
    for group in &said.groups {
        heading(group, &mut html);
        for one in &group.stories {
            cell(one, group.urgent).render_into(&mut html)?;
            html.push('\n');
            wire_lines(&html, &mut out);
            html.clear();
        }
    }
    wire_lines(after, &mut out);
    Ok(out)
}

/// One story as it stands in the HTML part.
pub(super) fn story(story: &Story, urgent: bool) -> Result<Vec<u8>, ComposeError> {
    let mut out = Vec::new();
    wire_lines(&cell(story, urgent).render()?, &mut out);
    Ok(out)
}

fn cell(story: &Story, urgent: bool) -> Cell<'_> {
    Cell { story, urgent, answers: ANSWERS, font: FONT }
}

fn heading(group: &Group, out: &mut String) {
    let (class, colour) = if group.urgent { ("r", "#a31621") } else { ("s", "#56606b") };
    let (name, n) = (group.heading, grouped(group.stories.len() as u64));
    let cell = format!(
        "<tr><td class=\"c\" style=\"padding:16px 24px 8px;{FONT};font-size:14px;line-height:20px\">\r\n\
         <h2 class=\"{class}\" style=\"margin:0;font-size:14px;line-height:20px;font-weight:600;color:{colour}\">{name} ({n})</h2>\r\n\
         </td></tr>\r\n"
    );
    out.push_str(&cell);
}

/// Without the template's indents and empty lines, encoded, CR LF at every end.
fn wire_lines(html: &str, out: &mut Vec<u8>) {
    let mut verbatim = false;
    let mut rest = html;
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(run(rest.as_bytes(), is_no_line_feed)).unwrap_or((rest, ""));
        rest = after.strip_prefix('\n').unwrap_or(after);
        let line = line.strip_suffix('\r').unwrap_or(line);
        verbatim |= line.starts_with("<pre");
        let line = if verbatim { line } else { line.trim_ascii() };
        if verbatim || !line.is_empty() {
            encode_line(line.as_bytes(), out);
            out.extend_from_slice(b"\r\n");
        }
        verbatim &= !line.ends_with("</pre>");
    }
}

impl Said {
    fn has_foot(&self) -> bool {
        self.owns.is_some() || self.wrong.is_some() || self.owned_groups.is_some() || self.checkpoint.is_some()
    }
}

impl Story {
    fn has_marks(&self) -> bool {
        self.exploited.is_some() || self.has_calm_marks()
    }

    fn has_calm_marks(&self) -> bool {
        self.severity.is_some() || self.fix.is_some() || !self.cves.is_empty()
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

    fn shown_sources(&self) -> &[Source] {
        self.sources.get(..SHOWN).unwrap_or(&self.sources)
    }

    fn more_shown(&self) -> Option<String> {
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
}
