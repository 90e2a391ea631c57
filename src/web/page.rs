//! What the answer page shows, in words and markup (askama templates). Pure: everything comes in, HTML goes out.

use askama::Template;
use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use url::Url;

use super::{
    desk::style_name,
    form::{Form, Mistake},
};
use crate::{
    compose::{
        links::{Judge, Link},
        said,
        words::{count, cut, grouped, moment},
    },
    model::{
        acknowledgement::{AnswerPage, Disposition, GivenAnswer, MAX_NOTE, PageStory},
        time::Time,
    },
};

/// A text longer than this, in characters, is folded behind its beginning.
const FOLD: usize = 1_200;

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
    },
    /// The form says something that cannot be recorded.
    Mistakes(Vec<Mistake>),
    /// Nothing was recorded, for a reason that is not in the form.
    Trouble(&'static str),
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
    /// The number of the one story that is shown; `None`: all.
    pub number: Option<usize>,
    /// What the form holds.
    pub form: Form,
    /// What came of it.
    pub outcome: Outcome,
    /// Our own address, which no feed may link to.
    pub base_url: Url,
}

/// Whether this owner has not answered the story since this digest told it.
pub(super) fn is_open(story: &PageStory, page: &AnswerPage) -> bool {
    story.answers.iter().all(|answer| answer.owner != page.owner || answer.at < page.told_at)
}

/// The page of a story or of a whole digest.
pub(super) fn answer(status: StatusCode, view: &View<'_>) -> Response {
    let judge = Judge::new(view.base_url.as_str());
    let shown = view.page.stories.iter().find(|story| Some(story.number) == view.number);
    match shown {
        Some(story) => respond(status, &one_story(story, view, &judge)),
        None => respond(status, &whole_digest(view, &judge)),
    }
}

/// A page that says one thing.
pub(super) fn notice(status: StatusCode, root: &str, words: &str, advice: &str) -> Response {
    respond(status, &NoticePage { root, style: style_name(), title: words, words, advice })
}

/// The page of a link that has ended.
pub(super) fn expired(root: &str, at: Time) -> Response {
    let words = format!("This link ended on {}.", moment(at, &TimeZone::UTC, "%-d %b %Y"));
    notice(StatusCode::GONE, root, &words, "Whoever runs sigtrail can record your answer for you.")
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
    title: &'a str,
    words: &'a str,
    advice: &'a str,
}

#[derive(Template)]
#[template(path = "story.html")]
struct StoryPage<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    story: ShownStory,
    banner: Banner,
    form: FormView<'a>,
    all: Option<(String, String)>,
    next: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "stories.html")]
struct StoriesPage<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    heading: String,
    state: String,
    rows: Vec<Row>,
    banner: Banner,
    form: Option<FormView<'a>>,
}

/// A line of the list of a digest's stories.
struct Row {
    number: usize,
    title: String,
    path: String,
    marks: Vec<String>,
    exploited: bool,
    said: Option<&'static str>,
}

/// A story in words.
struct ShownStory {
    title: String,
    exploited: bool,
    marks: Vec<String>,
    summary: String,
    whole_text: Option<String>,
    reason: String,
    proofs: Vec<String>,
    sources: Vec<(String, Link)>,
    more_sources: Option<String>,
    answers: Vec<Earlier>,
}

/// An answer that was given before.
struct Earlier {
    who_and_when: String,
    said: &'static str,
    note: Option<String>,
    reference: Option<String>,
    record: String,
}

/// The lines above everything else.
#[derive(Default)]
pub(super) struct Banner {
    pub good: Option<String>,
    pub next: Option<(String, String)>,
    pub known: Option<String>,
    pub trouble: Option<&'static str>,
    pub mistakes: Vec<Mistake>,
}

impl Banner {
    pub(super) fn is_error(&self) -> bool {
        self.trouble.is_some() || !self.mistakes.is_empty()
    }
}

/// The form as it is shown.
struct FormView<'a> {
    path: &'a str,
    heading: String,
    choices: Vec<Choice>,
    note: &'a str,
    reference: &'a str,
    nonce: &'a str,
    button: String,
    promise: String,
    max_note: usize,
    choose_mistake: Option<String>,
    note_mistake: Option<String>,
    reference_mistake: Option<String>,
}

/// One answer to choose.
struct Choice {
    word: &'static str,
    name: &'static str,
    hint: &'static str,
    checked: bool,
}

/// A disposition's name on the page and in the mail.
fn name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Acted => "Acted",
        Disposition::Covered => "Covered",
        Disposition::NotRelevant => "Not relevant",
        Disposition::Watching => "Watching",
        Disposition::Discuss => "Discuss",
    }
}

fn hint(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Acted => "something was done",
        Disposition::Covered => "already in place",
        Disposition::NotRelevant => "needs a reason",
        Disposition::Watching => "under observation",
        Disposition::Discuss => "for a meeting",
    }
}

fn one_story<'a>(story: &PageStory, view: &'a View<'_>, judge: &Judge) -> StoryPage<'a> {
    let page = view.page;
    let heading = if is_open(story, page) { "What do you say?" } else { "Add another answer" };
    let shown = shown(story, page, judge);
    let next = view.all_path.as_ref().and_then(|all| {
        let later = page.stories.iter().filter(|one| one.number > story.number && is_open(one, page));
        let earlier = page.stories.iter().filter(|one| one.number < story.number && is_open(one, page));
        let next = later.chain(earlier).next()?;
        Some((format!("{all}/{}", next.number), format!("Next: {} of {}", next.number, page.in_digest)))
    });
    let banner = Banner { next: next.clone(), ..banner(view) };
    StoryPage {
        root: view.root,
        style: style_name(),
        title: title(&shown.title, &banner),
        story: shown,
        form: form(view, heading.to_owned(), "Record answer".to_owned()),
        banner,
        all: view.all_path.clone().map(|path| (path, format!("All {} stories", grouped(page.in_digest as u64)))),
        next,
    }
}

fn whole_digest<'a>(view: &'a View<'_>, judge: &Judge) -> StoriesPage<'a> {
    let page = view.page;
    let open = page.stories.iter().filter(|story| is_open(story, page)).count();
    let banner = banner(view);
    let heading = match open {
        0 => "Nothing is open".to_owned(),
        n => format!("{} to answer", count(n, "story", "stories")),
    };
    let all_path = format!("{}/", view.path);
    StoriesPage {
        root: view.root,
        style: style_name(),
        title: title(&heading, &banner),
        state: format!("For {}: {} in this digest.", page.owner_name, count(page.stories.len(), "story", "stories")),
        heading,
        rows: page.stories.iter().map(|story| row(story, page, &all_path, judge)).collect(),
        form: (open > 0).then(|| {
            let (heading, button) = match open {
                1 => ("Answer the open story".to_owned(), "Record answer".to_owned()),
                2 => ("One answer for both open stories".to_owned(), "Record for both".to_owned()),
                n => {
                    let n = grouped(n as u64);
                    (format!("One answer for all {n} open stories"), format!("Record for all {n}"))
                }
            };
            form(view, heading, button)
        }),
        banner,
    }
}

fn title(heading: &str, banner: &Banner) -> String {
    if banner.is_error() { format!("Error: {heading}") } else { format!("{heading} - sigtrail") }
}

fn row(story: &PageStory, page: &AnswerPage, all_path: &str, judge: &Judge) -> Row {
    let own = story.answers.iter().rev().find(|answer| answer.owner == page.owner);
    Row {
        number: story.number,
        title: story_title(story, judge),
        path: format!("{all_path}{}", story.number),
        marks: marks(story),
        exploited: story.marks.exploited,
        said: own.map(|answer| name(answer.disposition)),
    }
}

fn story_title(story: &PageStory, judge: &Judge) -> String {
    let title = judge.defang(&cut(&story.title, 300));
    if title.is_empty() { "(no title)".to_owned() } else { title }
}

/// Severity and CVE ids; that it is exploited is marked apart.
fn marks(story: &PageStory) -> Vec<String> {
    said::severity(story.marks).into_iter().chain(story.cves.iter().map(|cve| cut(cve, 40))).collect()
}

fn shown(story: &PageStory, page: &AnswerPage, judge: &Judge) -> ShownStory {
    let text = judge.defang(&cut(story.summary.as_deref().unwrap_or_default(), usize::MAX));
    let summary = cut(&text, FOLD);
    ShownStory {
        title: story_title(story, judge),
        exploited: story.marks.exploited,
        marks: marks(story),
        whole_text: (summary != text).then_some(text),
        summary,
        reason: judge.defang(&cut(&story.reason, 300)),
        proofs: story.tags.iter().map(|(name, tag)| judge.defang(&said::proof(name, tag, &story.reason))).collect(),
        sources: story
            .sources
            .iter()
            .map(|source| (judge.defang(&cut(&source.feed, 80)), judge.link(source.link.as_deref())))
            .collect(),
        more_sources: (story.more_sources > 0).then(|| format!("and {} more", grouped(story.more_sources as u64))),
        answers: story.answers.iter().map(|answer| earlier(answer, &page.timezone)).collect(),
    }
}

fn earlier(answer: &GivenAnswer, zone: &TimeZone) -> Earlier {
    Earlier {
        who_and_when: format!("{}, {}", answer.owner_name, moment(answer.at, zone, "%-d %b %Y at %H:%M")),
        said: name(answer.disposition),
        note: answer.note.clone(),
        reference: answer.reference.clone(),
        record: grouped(answer.record),
    }
}

fn banner(view: &View<'_>) -> Banner {
    match &view.outcome {
        Outcome::Nothing => Banner::default(),
        Outcome::Recorded { record } => {
            let open = match view.page.open {
                0 => "Nothing of this digest is open any more.".to_owned(),
                1 => "1 story is still open.".to_owned(),
                n => format!("{} stories are still open.", grouped(n as u64)),
            };
            Banner {
                good: Some(format!("Recorded. Your answer is record {}. {open}", grouped(*record))),
                ..Banner::default()
            }
        }
        Outcome::Already { at } => {
            let when = moment(*at, &view.page.timezone, "%-d %b at %H:%M");
            Banner { known: Some(format!("Already recorded on {when}. Nothing was added.")), ..Banner::default() }
        }
        Outcome::Mistakes(mistakes) => Banner { mistakes: mistakes.clone(), ..Banner::default() },
        Outcome::Trouble(words) => Banner { trouble: Some(words), ..Banner::default() },
    }
}

fn form<'a>(view: &'a View<'_>, heading: String, button: String) -> FormView<'a> {
    let mistake = |field: &str| match &view.outcome {
        Outcome::Mistakes(mistakes) => {
            mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.words.clone())
        }
        _ => None,
    };
    FormView {
        path: &view.path,
        heading,
        choices: Disposition::ALL
            .into_iter()
            .map(|(word, one)| Choice {
                word,
                name: name(one),
                hint: hint(one),
                checked: view.form.disposition == Some(one),
            })
            .collect(),
        note: &view.form.note,
        reference: &view.form.reference,
        nonce: &view.form.nonce,
        button,
        promise: format!(
            "Recorded as given with the link sent to {}. Answers are never changed; you can add another.",
            view.page.owner_name
        ),
        max_note: MAX_NOTE,
        choose_mistake: mistake("disposition"),
        note_mistake: mistake("note"),
        reference_mistake: mistake("reference"),
    }
}

#[cfg(test)]
mod tests;
