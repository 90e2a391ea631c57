//! Which identifiers the files declare, so that a reference can be followed or refused. Nothing else is judged here.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{
    fields::{Fields, Text},
    problem::{At, Report},
    spelling::nearest,
    values::identifier,
};
use crate::model::id::{OwnerId, slug};

/// The identifiers of one kind of thing.
#[derive(Debug)]
pub(super) struct Known {
    /// What one of them is called: `owner`.
    word: &'static str,
    /// The file that declares them.
    place: String,
    /// The text of the file, where it could not be understood and may hide some more of them.
    unclear: Option<String>,
    ids: BTreeMap<String, At>,
}

impl Known {
    /// Takes the identifiers of tables; one that stands twice is reported.
    pub(super) fn collect(word: &'static str, file: usize, tables: &[Fields<'_>], report: &mut Report<'_>) -> Self {
        let source = report.files.get(file);
        let place = source.map(|source| source.name.clone()).unwrap_or_default();
        let unclear = source.filter(|_| report.is_broken(file)).map(|source| source.text.clone());
        let mut known = Self { word, place, unclear, ids: BTreeMap::new() };
        for table in tables {
            let silent = &mut Report::silent(report.files);
            // What is no good identifier is refused where it stands, not wherever somebody uses it.
            let as_typed = |id: Text<'_>| (id.text.to_owned(), id.at);
            let named = declared(table, silent).or_else(|| table.text("id", silent).map(as_typed));
            let Some((id, at)) = named else { continue };
            if let Some(first) = known.ids.get(&id) {
                let hint = format!("the first one is on line {}; give this one another id", report.line(first));
                report.error(&at, format!("duplicate {word} `{id}`")).label("again").hint(hint);
            } else {
                known.ids.insert(id, at);
            }
        }
        known
    }

    /// Whether the file may declare this one in a part that could not be understood.
    fn may_hide(&self, id: &str) -> bool {
        self.unclear.as_deref().is_some_and(|text| text.is_empty() || text.contains(id))
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = (&str, &At)> {
        self.ids.iter().map(|(id, at)| (id.as_str(), at))
    }

    /// The identifier that a text refers to; an unknown one is reported.
    pub(super) fn resolve(&self, text: &Text<'_>, report: &mut Report<'_>) -> Option<String> {
        resolve_among(&[self], text, report)
    }
}

/// Everything that can be referred to, and who has left.
#[derive(Debug)]
pub(super) struct Names {
    pub owners: Known,
    pub groups: Known,
    pub feeds: Known,
    pub components: Known,
    pub topics: Known,
    /// Owners who are no living owners any more, with the day since when.
    pub left: BTreeMap<String, Date>,
}

impl Names {
    /// The owner that a text names; one who is unknown or has left is reported.
    pub(super) fn owner(&self, text: &Text<'_>, report: &mut Report<'_>) -> Option<OwnerId> {
        let id = self.owners.resolve(text, report)?;
        if let Some(day) = self.left.get(&id) {
            let label = format!("left on {day}");
            report.error(&text.at, format!("owner `{id}` has left")).label(label).hint("name a living owner");
            return None;
        }
        Some(OwnerId::new(id))
    }

    /// The owner that a key must name.
    pub(super) fn owner_of(&self, table: &Fields<'_>, key: &str, report: &mut Report<'_>) -> Option<OwnerId> {
        let text = table.need(key, report)?;
        self.owner(&text, report)
    }

    /// The deputy that a key may name; one who has left is only worth a warning.
    pub(super) fn deputy_of(&self, table: &Fields<'_>, report: &mut Report<'_>) -> Option<OwnerId> {
        let text = table.text("deputy", report)?;
        let id = self.owners.resolve(&text, report)?;
        if let Some(day) = self.left.get(&id) {
            let label = format!("left on {day}");
            report.warning(&text.at, format!("deputy `{id}` has left")).label(label).hint("name another deputy");
        }
        Some(OwnerId::new(id))
    }
}

/// The identifier that a text refers to, of whichever kind; an unknown one is reported.
pub(super) fn resolve_among(kinds: &[&Known], text: &Text<'_>, report: &mut Report<'_>) -> Option<String> {
    let id = text.text;
    if kinds.iter().any(|known| known.contains(id) || known.may_hide(id)) {
        return Some(id.to_owned());
    }
    if report.is_full() {
        return None;
    }
    let word = kinds.iter().map(|known| known.word).collect::<Vec<_>>().join(" or ");
    let place = kinds.first().map_or("", |known| known.place.as_str());
    let all: Vec<&str> = kinds.iter().flat_map(|known| known.ids.keys().map(String::as_str)).collect();
    let hint = match nearest(id, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => format!("{place} declares none"),
        None => format!("there is {}", some_of(&all)),
    };
    report.error(&text.at, format!("unknown {word} `{id}`")).label(format!("no such {word} in {place}")).hint(hint);
    None
}

/// The identifier that a table declares, or the slug of its name, and where.
pub(super) fn declared(table: &Fields<'_>, report: &mut Report<'_>) -> Option<(String, At)> {
    if table.has("id") {
        let at = table.text("id", report)?.at;
        return table.read("id", report, identifier).map(|id| (id, at));
    }
    let name = table.text("name", report)?;
    let id = slug(name.text);
    if id.is_empty() {
        let hint = "add id = \"...\"";
        report
            .error(&name.at, format!("no identifier in the name `{}`", name.text))
            .label("no letter from a to z")
            .hint(hint);
        return None;
    }
    Some((id, name.at))
}

fn some_of(all: &[&str]) -> String {
    let shown: Vec<String> = all.iter().take(6).map(|id| format!("`{id}`")).collect();
    let more = all.len().saturating_sub(shown.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
