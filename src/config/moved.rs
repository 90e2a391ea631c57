//! What a state knows of feeds' addresses, as warnings at the lines of `feeds.toml` that name them. Whether a feed moved is
//! decided elsewhere; here it gets its place.

use toml::de::{DeTable, DeValue};

use super::problem::{At, Problem, Report};
use crate::model::{id::FeedId, settings::Config};

/// Something to be said beside the address of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressNote {
    /// The feed.
    pub feed: FeedId,
    /// What is so, in lower case and without a full stop.
    pub message: String,
    /// What is to be said beside the address.
    pub label: String,
    /// What to do.
    pub hint: String,
}

/// The notes as warnings, each at the `url` of its feed in a configuration that was loaded without errors; a note for a
/// feed that is not configured is left out.
pub fn address_warnings(config: &Config, notes: &[AddressNote]) -> Vec<Problem> {
    let Some(file) = config.files.first().filter(|_| !notes.is_empty()) else { return Vec::new() };
    let (tree, _) = DeTable::parse_recoverable(&file.text);
    let tables = tree.get_ref().get("feed").and_then(|list| list.get_ref().as_array());
    let mut report = Report::new(&config.files);
    for note in notes {
        // Feeds stand in the configuration in the order of their tables, none left out.
        let place = config.feeds.iter().position(|feed| feed.id == note.feed);
        let table = place.and_then(|place| tables?.get(place)).and_then(|table| table.get_ref().as_table());
        let Some(url) = table.and_then(|table| table.get("url")) else { continue };
        if matches!(url.get_ref(), DeValue::String(_)) {
            let at = At { file: 0, span: url.span() };
            report.warning(&at, note.message.clone()).label(note.label.clone()).hint(note.hint.clone());
        }
    }
    report.finish()
}
