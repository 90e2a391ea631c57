//! `sigtrail check`: everything that is wrong with the configuration, or, when it is well, when the digests go next
//! and which groups are followed.
//! What counts as wrong is decided in `config`.

use std::{io, io::Write, path::Path};

use jiff::{SignedDuration, Zoned, civil::Date, tz::TimeZone};
use serde_json::json;
use url::Url;

use super::{failure::Failure, place::Place, standing::Standing};
use crate::{
    config::{self, AddressNote, Problem, counted},
    jobs::Fault,
    model::{
        feed::{FeedStatus, Group, GroupKind, Membership, Tlp},
        id::{FeedId, OwnerId},
        owner::Owner,
        settings::{Config, SourceFile},
        time::Time,
    },
    moves, route,
    schedule::Schedule,
    store::{Read, StoreError},
};

/// How many runs of a schedule are shown.
const RUNS: usize = 3;

/// What a state knows beside the files.
struct Known {
    standing: Standing,
    /// How the feeds stand.
    feeds: Vec<FeedStatus>,
}

/// As [`run`], with what the state of this place knows: feeds that moved, and what a reload would change. A place
/// without a state, or with one that cannot be read, is judged by its files alone.
pub fn run_at(place: &Place, now: Time, json: bool, color: bool, out: &mut dyn Write) -> io::Result<u8> {
    judge(&place.root, now, json, color, out, |config| {
        if_readable(place, config, |read| {
            let Some(standing) = Standing::of(place, config, read, now)? else { return Ok(None) };
            Ok(Some(Known { standing, feeds: read.feeds()? }))
        })
    })
}

/// Judges the configuration below a root as of `now` and writes what it found: for people, or as JSON Lines.
///
/// Gives the exit code: 0 when there is no error (warnings do not count), 2 when there is one.
pub fn run(root: &Path, now: Time, json: bool, color: bool, out: &mut dyn Write) -> io::Result<u8> {
    judge(root, now, json, color, out, |_| None)
}

fn judge(
    root: &Path,
    now: Time,
    json: bool,
    color: bool,
    out: &mut dyn Write,
    known: impl FnOnce(&Config) -> Option<Known>,
) -> io::Result<u8> {
    match config::load_at(root, now) {
        Ok((config, mut warnings)) => {
            let known = known(&config);
            let notes = known.iter().flat_map(|known| address_notes(&config, known)).collect::<Vec<_>>();
            warnings.extend(config::address_warnings(&config, &notes));
            let order = |name: &str| config.files.iter().position(|file| file.name == name);
            warnings.sort_by_key(|problem| (order(&problem.file), problem.line, problem.column));
            if json {
                problem_lines(&warnings, &config.files, out)?;
                schedule_lines(&config, now, out)?;
                group_lines(&config, now, out)?;
                known.map_or(Ok(()), |known| writeln!(out, "{}", reload_line(&known.standing)))?;
            } else {
                out.write_all(config::render(&warnings, &config.files, color).as_bytes())?;
                out.write_all(schedule_table(&config, now).as_bytes())?;
                out.write_all(group_table(&config, now).as_bytes())?;
                writeln!(out, "{}", counts(&config))?;
                known.map_or(Ok(()), |known| writeln!(out, "{}", known.standing.words()))?;
            }
            Ok(0)
        }
        Err(problems) => {
            if json {
                problem_lines(&problems.problems, &problems.files, out)?;
            } else {
                out.write_all(config::render(&problems.problems, &problems.files, color).as_bytes())?;
            }
            Ok(2)
        }
    }
}

/// Looks at the state of a place; one that is not there, or that cannot be read, is as good as none.
fn if_readable<T>(
    place: &Place,
    config: &Config,
    look: impl FnOnce(&Read<'_>) -> Result<Option<T>, StoreError>,
) -> Option<T> {
    let found = place.store(Some(config)).and_then(|store| store.read(look).map_err(Failure::from));
    found.unwrap_or_else(|failure| {
        if !matches!(failure, Failure::Fault(Fault::Store(StoreError::NoState(_)))) {
            // Nobody has to listen.
            let _ = writeln!(io::stderr(), "the state is not looked at: {failure}");
        }
        None
    })
}

/// What is to be said of the addresses of feeds that moved or want to.
fn address_notes(config: &Config, known: &Known) -> Vec<AddressNote> {
    let mut notes = Vec::new();
    let edited = |id: &FeedId| known.standing.difference.feeds.has_other(id.as_str(), "url");
    // Under another address in the file the move is over with the next load.
    for status in known.feeds.iter().filter(|status| !edited(&status.id)) {
        let Some(feed) = config.feed(&status.id) else { continue };
        if let Some(moving) = status.moving.as_ref().filter(|moving| moving.asked_at.is_some()) {
            let to = Url::parse(&moving.to).ok();
            let why = to.and_then(|to| moves::objection(&feed.url, &to)).unwrap_or_default();
            notes.push(AddressNote {
                feed: status.id.clone(),
                message: format!("feed `{}` moves, and a person has to agree", status.id),
                label: why,
                hint: format!("if this is the publisher's wish, write url = \"{}\"", moving.to),
            });
        } else if let Some(moved_to) = &status.moved_to {
            let since = status.moved_at.map(|at| format!(" since {}", at.strftime("%-d %b %Y"))).unwrap_or_default();
            notes.push(AddressNote {
                feed: status.id.clone(),
                message: format!("feed `{}` moved", status.id),
                label: format!("asked at its new address{since}"),
                hint: format!("write url = \"{moved_to}\""),
            });
        }
    }
    notes
}

fn reload_line(standing: &Standing) -> serde_json::Value {
    let Standing { loaded, difference, differs, refused, .. } = standing;
    json!({
        "loaded": loaded, "reload": differs.then(|| difference.to_json(true)),
        "needs_restart": refused.iter().map(|(key, _)| key).collect::<Vec<_>>(),
    })
}

fn problem_lines(problems: &[Problem], files: &[SourceFile], out: &mut dyn Write) -> io::Result<()> {
    for problem in problems {
        let place = (problem.line > 0).then_some((problem.line, problem.column));
        let line = json!({
            "severity": problem.severity.as_str(),
            "file": problem.file,
            "line": place.map(|(line, _)| line),
            "column": place.map(|(_, column)| column),
            "text": problem.offending(files),
            "message": problem.message,
            "label": problem.label,
            "hint": problem.hint,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// An absence in which an owner would have been sent a digest.
struct Absence {
    /// Its last day.
    until: Date,
    /// Whether it has begun.
    is_now: bool,
    /// Who gets the owner's stories; `None`: nobody else can, and they are sent to the owner.
    stands_in: Option<OwnerId>,
}

/// What an owner's schedule brings next.
struct Next {
    /// The runs that bring the owner a digest, on the owner's clocks.
    runs: Vec<Zoned>,
    /// The first absence before the last of them that falls on a run.
    absence: Option<Absence>,
}

/// The next runs of an owner's schedule. What waits in an absence comes with the first run after it.
fn next_runs(config: &Config, owner: &Owner, now: Time) -> Next {
    let mut found = Next { runs: Vec::with_capacity(RUNS), absence: None };
    let Ok(schedule) = Schedule::parse(&owner.digest) else { return found };
    let mut after = now;
    while let (true, Some(next)) = (found.runs.len() < RUNS, schedule.next_after(&owner.timezone, after)) {
        let Some((until, back)) = owner.away_until(next).zip(owner.back_at(next)) else {
            found.runs.push(next.to_zoned(owner.timezone.clone()));
            after = next;
            continue;
        };
        let stands_in = route::stand_in_now(config, &owner.id, Tlp::Clear, next).filter(|id| *id != owner.id);
        let is_now = owner.away_until(now) == Some(until);
        found.absence.get_or_insert(Absence { until, is_now, stands_in });
        // The midnight at which it ends may be a run itself.
        after = back.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(back).max(next);
    }
    found
}

impl Absence {
    /// `away until 3 Jan 2027: jon gets the stories`.
    fn words(&self) -> String {
        let away = if self.is_now { "away until" } else { "will be away until" };
        let whose = match &self.stands_in {
            Some(id) => format!("{id} gets the stories"),
            None => "nobody stands in, all is mailed as ever".to_owned(),
        };
        format!("{away} {}: {whose}", self.until.strftime("%-d %b %Y"))
    }
}

fn zone_name(owner: &Owner) -> &str {
    owner.timezone.iana_name().unwrap_or("UTC")
}

fn schedule_lines(config: &Config, now: Time, out: &mut dyn Write) -> io::Result<()> {
    for owner in &config.owners {
        let Next { runs, absence } = next_runs(config, owner, now);
        let next: Vec<String> = runs.iter().map(|run| run.timestamp().to_string()).collect();
        let line = json!({
            "owner": owner.id,
            "role": owner.role,
            "timezone": zone_name(owner),
            "digest": owner.digest,
            "next": next,
            "away_until": absence.as_ref().map(|absence| absence.until.to_string()),
            "stands_in": absence.and_then(|absence| absence.stands_in),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn schedule_table(config: &Config, now: Time) -> String {
    let mut rows = vec![["OWNER", "ROLE", "DIGEST", "ZONE", "NEXT", "", "", ""].map(str::to_owned)];
    for owner in &config.owners {
        let Next { runs, absence } = next_runs(config, owner, now);
        let mut runs = runs.into_iter().map(|run| run.strftime("%a %-d %b %H:%M").to_string());
        let mut next = || runs.next().unwrap_or_default();
        let role = owner.role.clone().unwrap_or_default();
        let zone = zone_name(owner).to_owned();
        let away = absence.map(|absence| absence.words()).unwrap_or_default();
        rows.push([owner.id.to_string(), role, owner.digest.clone(), zone, next(), next(), next(), away]);
    }
    aligned(&rows)
}

/// The word that stands for one of a list.
fn word<T: PartialEq>(all: &[(&'static str, T)], value: Option<&T>) -> Option<&'static str> {
    all.iter().find_map(|(word, one)| (Some(one) == value).then_some(*word))
}

/// How many feeds a group has.
fn feeds_of(config: &Config, group: &Group) -> usize {
    config.feeds.iter().filter(|feed| feed.group.as_ref() == Some(&group.id)).count()
}

/// Whether the day of a group's next review has passed, in UTC.
fn is_overdue(group: &Group, now: Time) -> bool {
    group.review_by.is_some_and(|day| day < now.to_zoned(TimeZone::UTC).date())
}

/// The groups as they stand in the register, all of it.
fn group_lines(config: &Config, now: Time, out: &mut dyn Write) -> io::Result<()> {
    for group in &config.groups {
        let line = json!({
            "group": group.id, "name": group.name, "url": group.url.as_ref().map(Url::as_str),
            "kind": word(&GroupKind::ALL, group.kind.as_ref()),
            "membership": word(&Membership::ALL, group.membership.as_ref()),
            "reason": group.reason, "owner": group.owner, "deputy": group.deputy, "controls": group.controls,
            "joined": group.joined.map(|day| day.to_string()), "review_by": group.review_by.map(|day| day.to_string()),
            "review_overdue": is_overdue(group, now), "feeds": feeds_of(config, group),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The groups in short; nothing where there is none.
fn group_table(config: &Config, now: Time) -> String {
    if config.groups.is_empty() {
        return String::new();
    }
    let mut rows = vec![["GROUP", "KIND", "MEMBERSHIP", "FEEDS", "OWNER", "DEPUTY", "REVIEW BY"].map(str::to_owned)];
    for group in &config.groups {
        let overdue = if is_overdue(group, now) { ", overdue" } else { "" };
        rows.push([
            group.id.to_string(),
            word(&GroupKind::ALL, group.kind.as_ref()).unwrap_or_default().to_owned(),
            word(&Membership::ALL, group.membership.as_ref()).unwrap_or_default().to_owned(),
            feeds_of(config, group).to_string(),
            group.owner.to_string(),
            group.deputy.as_ref().map(ToString::to_string).unwrap_or_default(),
            group.review_by.map(|day| format!("{day}{overdue}")).unwrap_or_default(),
        ]);
    }
    aligned(&rows)
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn counts(config: &Config) -> String {
    let on = config.feeds.iter().filter(|feed| feed.enabled).count();
    let off = config.feeds.len() - on;
    let feeds = if off == 0 { counted(on, "feed") } else { format!("{} and {off} not enabled", counted(on, "feed")) };
    let terms = config.components.iter().map(|component| component.terms.len()).sum::<usize>()
        + config.topics.iter().map(|topic| topic.terms.len()).sum::<usize>();
    [
        feeds,
        counted(config.groups.len(), "group"),
        counted(config.owners.len(), "owner"),
        counted(config.components.len(), "component"),
        counted(config.topics.len(), "topic"),
        counted(terms, "term"),
        counted(config.routes.len(), "route"),
    ]
    .join(", ")
}
