//! `away` and `quiet_hours` of an owner: when somebody is not there, and when they are not to be disturbed.

use jiff::civil::{Date, Time};

use super::{
    fields::{Fields, Shape},
    names::declared,
    problem::Report,
    values::Flaw,
};
use crate::model::owner::{Away, QuietHours};

const AWAY: Shape = Shape {
    title: "away = [{ from = 2026-12-20, to = 2027-01-03 }]",
    keys: &[("from", "2026-12-20"), ("to", "2027-01-03")],
    elsewhere: &[],
};
const QUIET: Shape = Shape {
    title: "quiet_hours = { from = \"22:00\", to = \"06:00\" }",
    keys: &[("from", "\"22:00\""), ("to", "\"06:00\"")],
    elsewhere: &[],
};

/// When an owner is away, in order. Days that end before they begin or that two absences share are errors.
pub(super) fn away(owner: &Fields<'_>, report: &mut Report<'_>) -> Vec<Away> {
    let mut all: Vec<Away> = Vec::new();
    for table in owner.tables("away", &AWAY, report) {
        for key in ["from", "to"].into_iter().filter(|key| !table.has(key)) {
            table.missing(key, report);
        }
        let (Some(from), Some(to)) = (table.date("from", report), table.date("to", report)) else { continue };
        if to < from {
            let hint = format!("write {{ from = {to}, to = {from} }}");
            report.error(&table.at, "an absence that ends before it begins").label("backward").hint(hint);
        } else if let Some(other) = all.iter().find(|other| from <= other.to && other.from <= to) {
            let label = format!("{} to {} is stated as well", other.from, other.to);
            let hint =
                format!("write {{ from = {}, to = {} }} in the place of both", from.min(other.from), to.max(other.to));
            report.error(&table.at, "two absences share a day").label(label).hint(hint);
        } else {
            all.push(Away { from, to });
        }
    }
    all.sort_by_key(|away| away.from);
    all
}

/// An owner's quiet hours.
pub(super) fn quiet_hours(owner: &Fields<'_>, report: &mut Report<'_>) -> Option<QuietHours> {
    let table = owner.table("quiet_hours", &QUIET, report)?;
    for key in ["from", "to"].into_iter().filter(|key| !table.has(key)) {
        table.missing(key, report);
    }
    let (from, to) = (table.read("from", report, time_of_day), table.read("to", report, time_of_day));
    let quiet = QuietHours { from: from?, to: to? };
    if quiet.from == quiet.to {
        let hint = "remove the key to be sent urgent mail at any hour";
        report.error(&table.at, "quiet hours that never begin").label("`from` is `to`").hint(hint);
        return None;
    }
    Some(quiet)
}

/// Hours and minutes, `06:00` to `23:59`, as on a clock of 24 hours.
fn time_of_day(text: &str) -> Result<Time, Flaw> {
    let two_digits =
        |part: &str| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?;
    let time =
        text.split_once(':').and_then(|(hour, minute)| Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok());
    time.ok_or_else(|| {
        let hint = if text == "24:00" { "write \"00:00\"" } else { "write something like \"22:00\"" };
        Flaw::new(format!("invalid time of day `{text}`"), "hours and minutes, 00:00 to 23:59", hint)
    })
}

/// Warns of days to come on which both an owner and their deputy are away: what comes then goes to whoever is next.
pub(super) fn away_together(tables: &[Fields<'_>], today: Date, report: &mut Report<'_>) {
    let silent = &mut Report::silent(report.files);
    let absences: Vec<(String, &Fields<'_>, Vec<Away>)> =
        tables.iter().filter_map(|table| Some((declared(table, silent)?.0, table, away(table, silent)))).collect();
    for (id, table, own) in &absences {
        let Some(deputy) = table.text("deputy", silent) else { continue };
        let Some((_, _, theirs)) = absences.iter().find(|(other, ..)| other == deputy.text) else { continue };
        let shared = own.iter().flat_map(|a| theirs.iter().map(move |b| (a.from.max(b.from), a.to.min(b.to))));
        let Some((from, to)) = shared.filter(|(from, to)| from <= to && *to >= today).min() else { continue };
        let message = format!("`{id}` and their deputy `{}` are away together", deputy.text);
        let hint = "what comes then goes to the deputy's deputy, else to the fallback owner";
        report.warning(&table.key_at("away"), message).label(format!("from {from} to {to}")).hint(hint);
    }
}
