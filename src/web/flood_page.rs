//! What the page of a flood shows, in words and markup (askama templates). Pure: everything comes in, HTML goes out.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use url::Url;

use super::{
    desk::style_name,
    page::{Banner, respond},
};
use crate::{
    compose::{
        held::{brought, mailed, matched},
        links::Judge,
        words::{count, cut, grouped, moment},
    },
    model::flood::{Decision, FloodPage, GivenDecision},
};

/// Everything that the page of a flood is made of.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The path that every address of ours begins with.
    pub root: &'a str,
    /// The path of this page, where its form goes.
    pub path: String,
    /// What stands behind the link.
    pub page: &'a FloodPage,
    /// The nonce of the form.
    pub nonce: String,
    /// What was chosen in the form.
    pub chosen: Option<Decision>,
    /// Our own address, which no feed may link to.
    pub base_url: Url,
}

#[derive(Template)]
#[template(path = "flood.html")]
struct Page<'a> {
    root: &'a str,
    style: &'static str,
    title: String,
    heading: String,
    when: String,
    facts: Vec<String>,
    titles: Vec<String>,
    more: Option<String>,
    decided: Option<(&'static str, String)>,
    banner: Banner,
    form: Option<FormView<'a>>,
}

/// The form as it is shown.
struct FormView<'a> {
    path: &'a str,
    nonce: &'a str,
    entries: usize,
    /// Value, name, what it does, whether it is chosen.
    choices: Vec<(&'static str, &'static str, &'static str, bool)>,
    promise: String,
}

/// A decision as it can be chosen.
fn choice(decision: Decision, chosen: Option<Decision>) -> (&'static str, &'static str, &'static str, bool) {
    let (name, hint) = match decision {
        Decision::All => ("All", "route them as if they were new now"),
        Decision::Matching => ("Matching", "route what matches the stack; the rest is not for us"),
        Decision::None => ("None", "record all of them as not for us"),
    };
    (decision.as_str(), name, hint, chosen == Some(decision))
}

/// What a decision came to.
fn outcome(given: &GivenDecision) -> &'static str {
    match given.decision {
        Decision::All => "All of them are routed as if they were new.",
        Decision::Matching => "What matches the stack is routed; the rest is recorded as not for us.",
        Decision::None => "All of them are recorded as not for us.",
    }
}

/// The page of a flood.
pub(super) fn show(status: StatusCode, view: &View<'_>, banner: Banner) -> Response {
    let judge = Judge::new(view.base_url.as_str());
    let page = view.page;
    let feed = judge.defang(cut(&page.feed, 80));
    let heading = format!("{feed}: {} held", count(page.entries, "entry", "entries"));
    let rest = page.entries.saturating_sub(page.titles.len());
    respond(
        status,
        &Page {
            root: view.root,
            style: style_name(),
            title: if banner.is_error() { format!("Error: {heading}") } else { format!("{heading} - sigtrail") },
            when: format!("Since {}.", moment(page.at, &page.timezone, "%-d %b %Y at %H:%M")),
            facts: [
                Some(format!("{feed} {}", brought(page.entries + page.sent, page.usual, page.has_changed))),
                page.decided.is_none().then(|| mailed(page.sent)),
                matched(&page.matched),
            ]
            .into_iter()
            .flatten()
            .collect(),
            titles: page.titles.iter().map(|title| judge.defang(cut(title, 160))).collect(),
            more: (rest > 0 && !page.titles.is_empty()).then(|| format!("and {} more", grouped(rest as u64))),
            decided: page.decided.as_ref().map(|(given, name)| {
                let when = moment(given.at, &page.timezone, "%-d %b %Y at %H:%M");
                (outcome(given), format!("Decided by {name} on {when}, record {}.", grouped(given.record)))
            }),
            form: (page.decided.is_none() && page.may_decide).then(|| FormView {
                path: &view.path,
                nonce: &view.nonce,
                entries: page.entries,
                choices: Decision::ALL.into_iter().map(|(_, one)| choice(one, view.chosen)).collect(),
                promise: format!(
                    "Recorded as decided with the link sent to {}. A decision is never changed.",
                    page.owner_name
                ),
            }),
            heading,
            banner,
        },
    )
}
