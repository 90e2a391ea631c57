//! The page of a whole digest: its stories with how they stand, and one answer for those still open; or only those, with
//! one reason why none of them is for us.

use askama::Template;

use super::{
    Banner, Mark, View, What, banner,
    form_view::{FormView, form},
    marks, name, standing, story_title, title,
};
use crate::{
    answer,
    compose::{
        links::Judge,
        words::{count, grouped},
    },
    model::acknowledgement::{PageStory, Standing},
    web::desk::style_name,
};

#[derive(Template)]
#[template(path = "stories.html")]
pub(super) struct ListPage<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    heading: String,
    state: String,
    rows: Vec<Row>,
    banner: Banner,
    form: Option<FormView<'a>>,
    links: Vec<(String, String)>,
}

/// A line of the list of a digest's stories.
struct Row {
    number: usize,
    title: String,
    path: String,
    marks: Vec<Mark>,
    exploited: bool,
    colour: &'static str,
    state: String,
}

pub(super) fn list_page<'a>(view: &'a View<'_>, judge: &Judge) -> ListPage<'a> {
    let page = view.page;
    let open = page.open();
    let form = (open > 0).then(|| form(view, None));
    let banner = if form.is_some() { banner(view) } else { banner(view).without_form(&view.form.typed()) };
    let all_path = view.all_path.clone().unwrap_or_else(|| view.path.clone());
    let heading = match (open, view.what) {
        (0, _) => "Nothing is open".to_owned(),
        (_, What::Rest) => "All stories still open: seen, nothing for us".to_owned(),
        (n, _) => format!("{} to answer", count(n, "story", "stories")),
    };
    let in_digest = count(page.places.len(), "story", "stories");
    let state = match view.what {
        What::Rest if open > 0 => format!("For {}: {open} of {in_digest} in this digest.", page.owner_name),
        _ => format!("For {}: {in_digest} in this digest.", page.owner_name),
    };
    ListPage {
        root: view.root,
        style: style_name(),
        title: title(&heading, &banner),
        state,
        heading,
        rows: page.stories.iter().map(|story| row(story, view, &all_path, judge)).collect(),
        form,
        links: links(view, &all_path),
        banner,
    }
}

/// Where to go from here: the rest of a long list, the other page of the digest.
fn links(view: &View<'_>, all_path: &str) -> Vec<(String, String)> {
    let page = view.page;
    let mut links = Vec::new();
    let (first, last) = (page.stories.first().map(|one| one.number), page.stories.last().map(|one| one.number));
    if view.what == What::Whole {
        if first.is_some_and(|first| first > 1) {
            links.push((all_path.to_owned(), "From the first story on".to_owned()));
        }
        if let Some(next) = last.filter(|last| *last < page.places.len()) {
            let words = format!("From story {} on", grouped(next as u64 + 1));
            links.push((format!("{all_path}?from={}", next + 1), words));
        }
        if page.open() > 1 {
            links.push((format!("{all_path}/rest"), "All of the rest: seen, nothing for us".to_owned()));
        }
    } else {
        let words = format!("All {} stories", grouped(page.places.len() as u64));
        links.push((all_path.to_owned(), words));
    }
    links
}

fn row(story: &PageStory, view: &View<'_>, all_path: &str, judge: &Judge) -> Row {
    let page = view.page;
    let said = answer::standing(&story.answers);
    let own = said.iter().map(|one| one.answer).rfind(|answer| answer.owner == page.owner);
    let (colour, state) = match (&story.standing, own) {
        (Standing::With { name, .. }, _) => ("plain", format!("with {name}")),
        (Standing::Restricted { .. }, _) => ("plain", standing(story, view).unwrap_or_default()),
        (Standing::Theirs, Some(answer)) if !page.is_open(story.number) => {
            ("green", format!("answered: {}", name(answer.disposition)))
        }
        (Standing::Theirs, Some(answer)) => ("amber", format!("open again, before: {}", name(answer.disposition))),
        (Standing::Theirs, None) => ("amber", "open".to_owned()),
    };
    Row {
        number: story.number,
        title: story_title(story, judge),
        path: format!("{all_path}/{}", story.number),
        marks: marks(story),
        exploited: story.marks.exploited,
        colour,
        state,
    }
}
