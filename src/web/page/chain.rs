//! The chain of a story as it is shown: a line for each record.

use super::{ShownReference, View, reference};
use crate::{
    compose::{
        links::Judge,
        words::{cut, grouped, moment, zone_name},
    },
    model::acknowledgement::{Chain, ChainStep},
};

/// The longest text of a step that is shown, in characters.
const MAX_TEXT: usize = 400;

/// The chain in words.
pub(super) struct ChainView {
    pub rows: Vec<ChainRow>,
    /// Stands after the first steps, where some are left out.
    pub left_out: Option<(usize, String)>,
    pub is_closed: bool,
    /// In which zone the times are.
    pub zone: String,
    /// The newest checkpoint of the log; it is printed with the page.
    pub checkpoint: Option<String>,
}

/// A step in words.
pub(super) struct ChainRow {
    pub when: String,
    pub machine: String,
    pub recorded: Option<String>,
    pub word: String,
    pub text: String,
    pub references: Vec<ShownReference>,
    pub record: String,
    pub corrected: Option<String>,
}

pub(super) fn chain_view(chain: &Chain, view: &View<'_>, judge: &Judge) -> ChainView {
    ChainView {
        rows: chain.steps.iter().map(|step| row(step, view, judge)).collect(),
        left_out: (chain.left_out > 0)
            .then(|| (10, format!("{} steps between are not shown", grouped(chain.left_out as u64)))),
        is_closed: chain.is_closed,
        zone: zone_name(view.now, &view.page.timezone),
        checkpoint: view.page.checkpoint.clone(),
    }
}

fn row(step: &ChainStep, view: &View<'_>, judge: &Judge) -> ChainRow {
    let zone = &view.page.timezone;
    // What is recorded at once has one date, the rest has both.
    let is_late = step.recorded.duration_since(step.at) >= jiff::SignedDuration::from_mins(1);
    ChainRow {
        when: moment(step.at, zone, "%-d %b %Y %H:%M"),
        machine: format!("{:.0}", step.at),
        recorded: is_late.then(|| format!("recorded {}", moment(step.recorded, zone, "%-d %b %Y %H:%M"))),
        word: step.word.clone(),
        text: judge.defang(cut(&step.text, MAX_TEXT)),
        references: step.references.iter().map(|one| reference(one, judge)).collect(),
        record: grouped(step.record),
        corrected: step.corrected_by.map(|record| format!("corrected by record {}", grouped(record))),
    }
}
