//! What the answer page shows, in words and markup (askama templates). Pure: everything comes in, HTML goes out. Here is
//! what all its pages share; one story, the list of a digest, the form and the chain have files of their own.

mod chain;
mod form_view;
mod list;
mod story;

use askama::Template;
use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use url::Url;

use super::{
    desk::style_name,
    form::{Form, Mistake, some},
};
use crate::{
    compose::{
        links::{Judge, Link},
        said,
        words::{cut, grouped, moment},
    },
    model::{
        acknowledgement::{AnswerPage, Disposition, PageStory, Reference, Standing},
        time::Time,
    },
};

/// What came of the request, or of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The page was opened.
    Nothing,
    /// An answer was recorded.
    Recorded {
        /// Its record.
        record: u64,
    },
    /// The same form had been recorded before.
    Already {
        /// When.
        at: Time,
        /// As which record.
        record: u64,
    },
    /// The same form had been recorded before, with another answer; nothing was recorded.
    Otherwise {
        /// The record of that answer.
        record: u64,
    },
    /// It came within seconds of the mail, and has to be said once more.
    OnceMore,
    /// The form says something that cannot be recorded.
    Mistakes(Vec<Mistake>),
    /// Nothing was recorded, because nothing here is the owner's to answer any more.
    Gone,
    /// Nothing was recorded, for a reason that is not in the form.
    Trouble(String),
}

/// What of a digest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The story of this number.
    One(usize),
    /// Every story of it, and one answer for those still open.
    Whole,
    /// Those still open, and one reason why none of them is for us.
    Rest,
}

/// Everything that an answer page is made of.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The path that every address of ours begins with.
    pub root: &'a str,
    /// The path of this page, where its form goes.
    pub path: String,
    /// The path of the page of the whole digest, where the link opens it.
    pub all_path: Option<String>,
    /// What stands behind the link.
    pub page: &'a AnswerPage,
    /// What of it is shown.
    pub what: What,
    /// What the form holds.
    pub form: Form,
    /// What came of it.
    pub outcome: Outcome,
    /// Our own address, which no feed may link to.
    pub base_url: Url,
    /// The time.
    pub now: Time,
}

/// The page of a story or of a whole digest.
pub(super) fn answer(status: StatusCode, view: &View<'_>) -> Response {
    let judge = Judge::new(view.base_url.as_str());
    let shown = match view.what {
        What::One(number) => view.page.stories.iter().find(|story| story.number == number),
        What::Whole | What::Rest => None,
    };
    match shown {
        Some(shown) => respond(status, &story::story_page(shown, view, &judge)),
        None => respond(status, &list::list_page(view, &judge)),
    }
}

/// A page that says one thing.
pub(super) fn notice(status: StatusCode, root: &str, words: &str, advice: &str) -> Response {
    instead(status, &Instead { root, words, advice, form: None, typed: None })
}

/// What is shown where there is no page.
#[derive(Debug)]
pub(super) struct Instead<'a> {
    /// The path that every address of ours begins with.
    pub root: &'a str,
    /// Why, in a sentence.
    pub words: &'a str,
    /// What to do.
    pub advice: &'a str,
    /// The path and the nonce of the form that asks for a new link.
    pub form: Option<(&'a str, &'a str)>,
    /// What was typed into a form that was sent here and not recorded; `None`: none was sent.
    pub typed: Option<&'a str>,
}

/// The page in the place of one that cannot be shown.
pub(super) fn instead(status: StatusCode, view: &Instead<'_>) -> Response {
    let heading = view.typed.map_or(view.words, |_| "Not recorded");
    let lines = [view.words, view.advice].into_iter().filter(|line| !line.is_empty() && *line != heading);
    let page = NoticePage {
        root: view.root,
        style: style_name(),
        title: view.typed.map_or_else(|| heading.to_owned(), |_| format!("Error: {heading}")),
        heading,
        lines: lines.collect(),
        typed: view.typed.filter(|text| !text.is_empty()),
        form: view.form,
    };
    respond(status, &page)
}

pub(super) fn respond(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    heading: &'a str,
    lines: Vec<&'a str>,
    typed: Option<&'a str>,
    form: Option<(&'a str, &'a str)>,
}

/// The lines above everything else.
#[derive(Default)]
pub(super) struct Banner {
    pub good: Option<String>,
    pub next: Option<(String, String)>,
    pub known: Option<String>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
    /// What was typed, was not recorded and stands in no form of the page.
    pub typed: Option<String>,
}

impl Banner {
    pub(super) fn of_trouble(words: impl Into<String>) -> Banner {
        Banner { trouble: Some(words.into()), ..Banner::default() }
    }

    pub(super) fn is_error(&self) -> bool {
        self.trouble.is_some() || !self.mistakes.is_empty()
    }

    /// The same on a page that has no form: what was typed can be copied.
    pub(super) fn without_form(self, typed: &str) -> Banner {
        let typed = some(typed).filter(|_| self.is_error());
        Banner { typed, ..self }
    }
}

/// How what a form says anew can be recorded.
pub(super) const AGAIN: &str = "That stands. To say this as well, send it again.";

/// What is said of a form that was recorded before with the same words.
pub(super) fn already(when: &str, record: u64) -> String {
    format!("Already recorded on {when}. Nothing was added. It is record {}.", grouped(record))
}

/// What is said of a form that was recorded before and says something else now; `advice` says how that can be recorded too.
pub(super) fn otherwise(record: u64, advice: &str) -> String {
    let record = grouped(record);
    format!("Not recorded: this form was recorded before, as record {record}, and said something else. {advice}")
}

/// A disposition's name on the page.
fn name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Acted => "Acted",
        Disposition::Covered => "Covered",
        Disposition::NotRelevant => "Not relevant",
        Disposition::Watching => "Watching",
        Disposition::Discuss => "Discuss",
        Disposition::Closed => "Closed",
    }
}

fn title(heading: &str, banner: &Banner) -> String {
    if banner.is_error() { format!("Error: {heading}") } else { format!("{heading} - sigtrail") }
}

fn story_title(story: &PageStory, judge: &Judge) -> String {
    let title = judge.defang(cut(&story.title, 300));
    if title.is_empty() { "(no title)".to_owned() } else { title }
}

/// What is stated of a story, in the order of the digest.
struct Mark {
    words: String,
    /// Whether it is that there is a fix.
    is_fix: bool,
}

/// Severity, fix and CVE ids; that it is exploited is marked apart.
fn marks(story: &PageStory) -> Vec<Mark> {
    let severity = said::severity(story.marks).map(|words| Mark { words, is_fix: false });
    let fix = story.fix.as_ref().map(|fix| Mark { words: said::fix(fix), is_fix: true });
    let cves = story.cves.iter().map(|cve| Mark { words: cut(cve, 40), is_fix: false });
    severity.into_iter().chain(fix).chain(cves).collect()
}

/// A reference as it is shown: what it is, the text, and where it leads if that is safe.
struct ShownReference {
    kind: &'static str,
    text: String,
    url: Option<String>,
    beside: String,
}

fn reference(reference: &Reference, judge: &Judge) -> ShownReference {
    let link = judge.link(Some(&reference.text));
    let url = link.url().filter(|url| url.starts_with("https://")).map(str::to_owned);
    let beside = match &link {
        Link::Words(_) => "(not linked)".to_owned(),
        Link::To { .. } | Link::Absent => String::new(),
    };
    let text = cut(&reference.text, 300);
    let text = if url.is_some() { text } else { judge.defang(text) };
    ShownReference { kind: reference.kind.as_str(), text, url, beside }
}

/// Why a story is not the owner's to decide; `None`: it is.
fn standing(story: &PageStory, view: &View<'_>) -> Option<String> {
    match &story.standing {
        Standing::Theirs => None,
        Standing::With { name, since } => {
            Some(format!("This story is with {name} since {}. You can still read it.", since_when(*since, view)))
        }
        Standing::Restricted { ask } => Some(format!("This entry is restricted. Ask {ask}.")),
    }
}

/// A moment of today by its hour, an earlier one by its day.
fn since_when(since: Time, view: &View<'_>) -> String {
    let zone = &view.page.timezone;
    let day = |time: Time| time.to_zoned(zone.clone()).date();
    let pattern = if day(since) == day(view.now) { "%H:%M" } else { "%-d %b, %H:%M" };
    moment(since, zone, pattern)
}

/// Whether there is something on the page that its owner can answer.
fn has_form(view: &View<'_>) -> bool {
    match view.what {
        What::One(number) => {
            view.page.stories.iter().any(|story| story.number == number && story.standing == Standing::Theirs)
        }
        What::Whole | What::Rest => view.page.open() > 0,
    }
}

fn banner(view: &View<'_>) -> Banner {
    match &view.outcome {
        Outcome::Nothing => Banner::default(),
        Outcome::Recorded { record } => {
            let open = match view.page.open() {
                0 => "Nothing of this digest is open any more.".to_owned(),
                1 => "1 story is still open.".to_owned(),
                n => format!("{} stories are still open.", grouped(n as u64)),
            };
            Banner {
                good: Some(format!("Recorded. Your answer is record {}. {open}", grouped(*record))),
                ..Banner::default()
            }
        }
        Outcome::Already { at, record } => {
            let when = moment(*at, &view.page.timezone, "%-d %b at %H:%M");
            Banner { known: Some(already(&when, *record)), ..Banner::default() }
        }
        Outcome::Otherwise { record } => {
            let advice = if has_form(view) { AGAIN } else { "That stands; a story's own page takes further answers." };
            Banner::of_trouble(otherwise(*record, advice))
        }
        Outcome::OnceMore => {
            let words = "Not recorded yet: the mail was sent a moment ago, and programs that look through mail press \
                         buttons as well. Record your answer once more.";
            Banner { known: Some(words.to_owned()), ..Banner::default() }
        }
        Outcome::Mistakes(mistakes) => Banner { mistakes: mistakes.clone(), ..Banner::default() },
        Outcome::Gone => Banner::of_trouble(
            "Not recorded: nothing of this is open any more. It was answered, or somebody else has it, since you opened it.",
        ),
        Outcome::Trouble(words) => Banner::of_trouble(words),
    }
}

#[cfg(test)]
mod tests;
