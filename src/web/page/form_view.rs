//! The form as it is shown: what can be chosen, what was typed, and what is wrong with it.

use super::{Outcome, View, What, name};
use crate::{
    answer,
    compose::words::grouped,
    model::acknowledgement::{Disposition, MAX_NOTE, PageStory, ReferenceKind},
};

/// The form as it is shown.
pub(super) struct FormView<'a> {
    pub path: &'a str,
    pub heading: String,
    /// What can be said; none: it is `not-relevant`, and only the reason is asked for.
    pub choices: Vec<Choice>,
    pub note_label: &'static str,
    pub note: &'a str,
    pub kinds: Vec<(&'static str, &'static str, bool)>,
    pub reference: &'a str,
    /// The earlier answers that this one may correct: record, words, whether it is chosen.
    pub corrects: Vec<(u64, String, bool)>,
    pub nonce: &'a str,
    pub button: String,
    pub promise: String,
    pub max_note: usize,
    pub choose_mistake: Option<String>,
    pub note_mistake: Option<String>,
    pub kind_mistake: Option<String>,
    pub reference_mistake: Option<String>,
    pub corrects_mistake: Option<String>,
}

/// One answer to choose.
pub(super) struct Choice {
    pub word: &'static str,
    pub name: &'static str,
    pub hint: &'static str,
    pub checked: bool,
}

fn hint(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Acted => "something was done",
        Disposition::Covered => "already in place",
        Disposition::NotRelevant => "needs a reason",
        Disposition::Watching => "under observation",
        Disposition::Discuss => "for a meeting",
        Disposition::Closed => "nothing is left to do",
    }
}

fn kind_name(kind: ReferenceKind) -> &'static str {
    match kind {
        ReferenceKind::Minutes => "Minutes",
        ReferenceKind::Ticket => "Ticket",
        ReferenceKind::PullRequest => "Pull request",
        ReferenceKind::Risk => "Risk",
        ReferenceKind::Chat => "Chat",
    }
}

/// The form for one story, or for all that are open.
pub(super) fn form<'a>(view: &'a View<'_>, story: Option<&PageStory>) -> FormView<'a> {
    let mistake = |field: &str| match &view.outcome {
        Outcome::Mistakes(mistakes) => {
            mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.words.clone())
        }
        _ => None,
    };
    let (heading, button) = heading(view, story);
    let is_rest = view.what == What::Rest;
    FormView {
        path: &view.path,
        heading,
        choices: if is_rest { Vec::new() } else { choices(view, story) },
        note_label: if is_rest { "One reason for all" } else { "Reason or note" },
        note: &view.form.note,
        kinds: ReferenceKind::ALL
            .into_iter()
            .map(|(word, kind)| (word, kind_name(kind), view.form.kind == Some(kind)))
            .collect(),
        reference: &view.form.reference,
        corrects: story.map(|story| correctable(view, story)).unwrap_or_default(),
        nonce: &view.form.nonce,
        button,
        promise: format!(
            "Recorded as given with the link sent to {}. Answers are never changed; you can add another.",
            view.page.owner_name
        ),
        max_note: MAX_NOTE,
        choose_mistake: mistake("disposition"),
        note_mistake: mistake("note"),
        kind_mistake: mistake("kind"),
        reference_mistake: mistake("reference"),
        corrects_mistake: mistake("corrects"),
    }
}

fn heading(view: &View<'_>, story: Option<&PageStory>) -> (String, String) {
    if let Some(story) = story {
        let is_open = view.page.is_open(story.number);
        let heading = if is_open { "What do you say?" } else { "Add another answer" };
        return (heading.to_owned(), "Record answer".to_owned());
    }
    let open = view.page.open();
    let n = grouped(open as u64);
    let heading = match (view.what, open) {
        (What::Rest, 1) => "The open story is not relevant".to_owned(),
        (What::Rest, 2) => "Both open stories are not relevant".to_owned(),
        (What::Rest, _) => format!("All {n} open stories are not relevant"),
        (_, 1) => "Answer the open story".to_owned(),
        (_, 2) => "One answer for both open stories".to_owned(),
        _ => format!("One answer for all {n} open stories"),
    };
    let button = match open {
        1 => "Record answer".to_owned(),
        2 => "Record for both".to_owned(),
        _ => format!("Record for all {n}"),
    };
    (heading, button)
}

/// Closing is offered only where somebody has answered the story before.
fn choices(view: &View<'_>, story: Option<&PageStory>) -> Vec<Choice> {
    let may_close = story.is_some_and(|story| !story.answers.is_empty());
    Disposition::ALL
        .into_iter()
        .filter(|(_, one)| *one != Disposition::Closed || may_close)
        .map(|(word, one)| Choice {
            word,
            name: name(one),
            hint: hint(one),
            checked: view.form.disposition == Some(one),
        })
        .collect()
}

fn correctable(view: &View<'_>, story: &PageStory) -> Vec<(u64, String, bool)> {
    answer::standing(&story.answers)
        .into_iter()
        .map(|one| one.answer)
        .filter(|answer| answer.owner == view.page.owner)
        .map(|answer| {
            let words =
                format!("corrects record {} ({})", grouped(answer.record), name(answer.disposition).to_lowercase());
            (answer.record, words, view.form.corrects == Some(answer.record))
        })
        .collect()
}
