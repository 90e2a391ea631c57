//! The page of one story: what it says, why it came, what was said of it, the form, and the chain below.

use askama::Template;
use jiff::tz::TimeZone;

use super::{
    Banner, Mark, Outcome, ShownReference, View, banner,
    chain::{ChainView, chain_view},
    form_view::{FormView, form},
    marks, name, reference, standing, story_title, title,
};
use crate::{
    compose::{
        links::{Judge, Link},
        said,
        words::{cut, grouped, moment},
    },
    model::acknowledgement::{GivenAnswer, PageStory, Standing},
    web::desk::style_name,
};

/// A text longer than this, in characters, is folded behind its beginning.
const FOLD: usize = 1_200;

#[derive(Template)]
#[template(path = "story.html")]
pub(super) struct StoryPage<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    story: ShownStory,
    banner: Banner,
    form: Option<FormView<'a>>,
    all: Option<(String, String)>,
    next: Option<(String, String)>,
    chain: Option<ChainView>,
}

/// A story in words.
struct ShownStory {
    title: String,
    exploited: bool,
    marks: Vec<Mark>,
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
    references: Vec<ShownReference>,
    record: String,
    corrected: Option<String>,
}

pub(super) fn story_page<'a>(story: &'a PageStory, view: &'a View<'_>, judge: &Judge) -> StoryPage<'a> {
    let page = view.page;
    let shown = shown(story, &page.timezone, judge);
    let next = view.all_path.as_ref().and_then(|all| {
        let open = || page.places.iter().filter(|place| place.is_open);
        let later = open().find(|place| place.number > story.number);
        let next = later.or_else(|| open().find(|place| place.number < story.number))?;
        Some((format!("{all}/{}", next.number), format!("Next: {} of {}", next.number, page.places.len())))
    });
    let mut banner = Banner { next: next.clone(), ..banner(view) };
    let standing = standing(story, view);
    let form = standing.is_none().then(|| form(view, Some(story)));
    if let Some(words) = standing {
        if view.outcome == Outcome::Gone {
            banner.trouble = Some(format!("Not recorded. {words}"));
        } else {
            banner.known = Some(match banner.known.take() {
                Some(known) => format!("{known} {words}"),
                None => words,
            });
        }
        banner = banner.without_form(&view.form.typed());
    }
    let is_shown = !matches!(story.standing, Standing::Restricted { .. });
    StoryPage {
        root: view.root,
        style: style_name(),
        title: title(&shown.title, &banner),
        story: shown,
        form,
        banner,
        all: view.all_path.clone().map(|path| (path, format!("All {} stories", grouped(page.places.len() as u64)))),
        next,
        chain: is_shown.then(|| chain_view(&story.chain, view, judge)),
    }
}

fn shown(story: &PageStory, zone: &TimeZone, judge: &Judge) -> ShownStory {
    let text = judge.defang(cut(story.summary.as_deref().unwrap_or_default(), usize::MAX));
    let summary = cut(&text, FOLD);
    ShownStory {
        title: story_title(story, judge),
        exploited: story.marks.exploited,
        marks: marks(story),
        whole_text: (summary != text).then_some(text),
        summary,
        reason: judge.defang(cut(&story.reason, 300)),
        proofs: story.tags.iter().map(|(name, tag)| judge.defang(said::proof(name, tag, &story.reason))).collect(),
        sources: story
            .sources
            .iter()
            .map(|source| (judge.defang(cut(&source.feed, 80)), judge.link(source.link.as_deref())))
            .collect(),
        more_sources: (story.more_sources > 0).then(|| format!("and {} more", grouped(story.more_sources as u64))),
        answers: story.answers.iter().map(|answer| earlier(answer, &story.answers, zone, judge)).collect(),
    }
}

fn earlier(answer: &GivenAnswer, all: &[GivenAnswer], zone: &TimeZone, judge: &Judge) -> Earlier {
    let corrected = all.iter().find(|other| other.corrects == Some(answer.record));
    Earlier {
        who_and_when: format!("{}, {}", answer.owner_name, moment(answer.happened, zone, "%-d %b %Y at %H:%M")),
        said: name(answer.disposition),
        note: answer.note.clone(),
        references: answer.references.iter().map(|one| reference(one, judge)).collect(),
        record: grouped(answer.record),
        corrected: corrected.map(|other| format!("corrected by record {}", grouped(other.record))),
    }
}
