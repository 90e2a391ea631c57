//! `config/owners.toml`: who answers, who stands in, and who gets what nobody else answers for.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};

use super::{
    absence,
    fields::{Fields, Shape, Text},
    names::{Names, declared},
    problem::{At, Report},
    values,
};
use crate::model::{feed::Tlp, id::OwnerId, owner::Owner, time::Time};

/// The schedule of an owner who has none of their own.
const DEFAULT_DIGEST: &str = "0 8 * * MON-FRI";

/// How many days ahead somebody's leaving is warned of.
const NOTICE_DAYS: i32 = 30;

const TOP: Shape = Shape {
    title: "",
    keys: &[("fallback", "\"maria\""), ("owner", "[[owner]]")],
    elsewhere: &[("owners", "write [[owner]], once for each owner")],
};
const OWNER: Shape = Shape {
    title: "[[owner]]",
    keys: &[
        ("id", "\"maria\""),
        ("name", "\"Maria Lopez\""),
        ("address", "\"maria@example.com\""),
        ("role", "\"Security lead\""),
        ("deputy", "\"jon\""),
        ("timezone", "\"Europe/London\""),
        ("digest", "\"0 8 * * MON-FRI\""),
        ("tlp", "\"AMBER\""),
        ("until", "2027-06-30"),
        ("away", "[{ from = 2026-12-20, to = 2027-01-03 }]"),
        ("quiet_hours", "{ from = \"22:00\", to = \"06:00\" }"),
    ],
    elsewhere: &[
        ("fallback", "`fallback` stands above the first [[owner]]"),
        ("email", "write address = \"...\""),
        ("mail", "write address = \"...\""),
        ("schedule", "write digest = \"0 8 * * MON-FRI\""),
    ],
};

/// The tree of the file, opened.
#[derive(Debug)]
pub(super) struct OwnersFile<'t> {
    top: Fields<'t>,
    pub tables: Vec<Fields<'t>>,
}

impl<'t> OwnersFile<'t> {
    pub(super) fn open(file: usize, tree: &'t toml::de::DeTable<'t>, report: &mut Report<'_>) -> Self {
        let top = Fields::open(&TOP, tree, At { file, span: 0..0 }, report);
        let tables = top.tables("owner", &OWNER, report);
        Self { top, tables }
    }

    /// Who has left by now, in their own zone.
    pub(super) fn left(&self, now: Time, report: &Report<'_>) -> BTreeMap<String, Date> {
        let silent = &mut Report::silent(report.files);
        let mut left = BTreeMap::new();
        for table in &self.tables {
            let zone = table.read("timezone", silent, values::zone).unwrap_or(TimeZone::UTC);
            let (Some((id, _)), Some(until)) = (declared(table, silent), table.date("until", silent)) else { continue };
            if now.to_zoned(zone).date() >= until {
                left.insert(id, until);
            }
        }
        left
    }

    /// The owners and the fallback among them.
    pub(super) fn check(&self, names: &Names, now: Time, report: &mut Report<'_>) -> (Vec<Owner>, Option<OwnerId>) {
        if self.tables.is_empty() && !report.is_broken(self.top.at.file) {
            let hint = "add [[owner]] with id, name and address";
            report.whole_file(self.top.at.file, "no owner at all").hint(hint);
        }
        let owners = self.tables.iter().filter_map(|table| owner(table, names, report)).collect();
        self.tables.iter().for_each(|table| leaves_soon(table, now, report));
        absence::away_together(&self.tables, now.to_zoned(TimeZone::UTC).date(), report);
        let fallback = names.owner_of(&self.top, "fallback", report);
        cycles(&self.tables, report);
        (owners, fallback)
    }
}

fn owner(table: &Fields<'_>, names: &Names, report: &mut Report<'_>) -> Option<Owner> {
    if !table.has("id") {
        table.missing("id", report);
    }
    let id = declared(table, report).filter(|_| table.has("id"));
    let name = table.need("name", report);
    if !table.has("address") {
        table.missing("address", report);
    }
    let address = table.read("address", report, values::mail_address);
    let role = table.text("role", report).map(|role| role.text.to_owned());
    let deputy = names.deputy_of(table, report);
    let timezone = table.read("timezone", report, values::zone).unwrap_or(TimeZone::UTC);
    let digest = table.read("digest", report, values::schedule).unwrap_or_else(|| DEFAULT_DIGEST.to_owned());
    let tlp = table.word("tlp", &tlp_words(), report).unwrap_or(Tlp::Amber);
    let until = table.date("until", report);
    let away = absence::away(table, report);
    let quiet_hours = absence::quiet_hours(table, report);
    Some(Owner {
        id: OwnerId::new(id?.0),
        name: name?.text.to_owned(),
        address: address?,
        role,
        deputy,
        timezone,
        digest,
        tlp,
        until,
        away,
        quiet_hours,
    })
}

/// A warning in good time: once somebody has left, nothing is loaded that still names them.
fn leaves_soon(table: &Fields<'_>, now: Time, report: &mut Report<'_>) {
    let silent = &mut Report::silent(report.files);
    let (Some((id, _)), Some(until)) = (declared(table, silent), table.date("until", silent)) else { return };
    let zone = table.read("timezone", silent, values::zone).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned(zone).date();
    let days = (until - today).get_days();
    if (1..=NOTICE_DAYS).contains(&days) {
        let label = if days == 1 { "tomorrow".to_owned() } else { format!("in {days} days") };
        let hint = "name another owner for what is theirs; afterwards it is an error";
        report.warning(&table.key_at("until"), format!("owner `{id}` leaves on {until}")).label(label).hint(hint);
    }
}

/// Every label with its word.
pub(super) fn tlp_words() -> [(&'static str, Tlp); 5] {
    Tlp::ALL.map(|tlp| (tlp.as_str(), tlp))
}

/// Reports every circle of deputies once, at the first owner of it.
fn cycles(tables: &[Fields<'_>], report: &mut Report<'_>) {
    let silent = &mut Report::silent(report.files);
    let deputies: BTreeMap<String, Text<'_>> =
        tables.iter().filter_map(|table| Some((declared(table, silent)?.0, table.text("deputy", silent)?))).collect();
    let mut seen: Vec<String> = Vec::new();
    for table in tables {
        let Some((start, _)) = declared(table, silent) else { continue };
        let mut circle = vec![start.clone()];
        let mut next = deputies.get(&start);
        while let Some(deputy) = next {
            if circle.iter().any(|known| known == deputy.text) {
                break;
            }
            circle.push(deputy.text.to_owned());
            next = deputies.get(deputy.text);
        }
        let closes = next.is_some_and(|deputy| deputy.text == start);
        if !closes || seen.contains(&start) {
            continue;
        }
        seen.extend(circle.iter().cloned());
        let Some(first) = deputies.get(&start) else { continue };
        if circle.len() == 1 {
            let hint = "name somebody else, or remove the line";
            report.error(&first.at, format!("`{start}` is their own deputy")).label("the same person").hint(hint);
        } else {
            circle.push(start);
            let way = circle.join(" -> ");
            let hint = "leave one of them without a deputy; the fallback owner stands in last";
            report.error(&first.at, "a circle of deputies").label(way).hint(hint);
        }
    }
}
