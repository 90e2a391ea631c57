//! Reading the configuration anew under a running service: a good one takes the place of the old one, a bad one is
//! named problem by problem and changes nothing.

use std::fmt::Write as _;

use tracing::{error, info, warn};

use super::{parts::Parts, serve::Page};
use crate::{
    cli::{Failure, Place},
    config::{self, Problem, Problems, Severity},
    fetch::Resolver,
    jobs::{Context, start},
    model::settings::Config,
};

/// How many identifiers of one kind are named in the line about a reload.
const MOST_NAMED: usize = 20;

/// The configuration for a start, with the warnings about it.
pub(super) fn read(place: &Place) -> Result<(Config, Vec<Problem>), Failure> {
    config::load(&place.root).map_err(|Problems { problems, files }| {
        Failure::Configuration(config::render(&problems, &files, crate::cli::color_on(&std::io::stderr())))
    })
}

/// Reads the configuration again and puts it in force; the context with it. `None`: the old one stays, and the log
/// says why.
pub(super) fn reload(place: &Place, parts: &Parts, page: &Page) -> Option<Context> {
    let (config, warnings) = match config::load(&place.root) {
        Ok(loaded) => loaded,
        Err(problems) => {
            refuse(&problems.problems);
            return None;
        }
    };
    warnings.iter().for_each(log);
    let old = parts.context();
    let changes = fixed(place, &old.config, &config);
    if !changes.is_empty() {
        error!(target: "reload", "the old configuration stays: {}", changes.join("; "));
        return None;
    }
    match start::reload(&old, config, Resolver::System) {
        Ok((context, loaded)) => {
            page.replace(&context.config);
            parts.replace(context.clone());
            let what =
                if loaded.is_new { difference(&old.config, &context.config) } else { "nothing changed".to_owned() };
            info!(target: "reload", config = loaded.version.0, "in force: {what}");
            Some(context)
        }
        Err(fault) => {
            error!(target: "reload", "the old configuration stays: {fault}");
            None
        }
    }
}

fn refuse(problems: &[Problem]) {
    problems.iter().for_each(log);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    error!(target: "reload", errors, "the old configuration stays: the new one has errors");
}

/// One problem in one line, with its place.
pub(super) fn log(problem: &Problem) {
    let Problem { file, line, column, message, label, hint, .. } = problem;
    let mut words = message.clone();
    if !label.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(words, " ({label})");
    }
    if let Some(hint) = hint {
        // As above.
        let _ = write!(words, "; {hint}");
    }
    match problem.severity {
        Severity::Error => error!(target: "check", "{file}:{line}:{column}: {words}"),
        Severity::Warning => warn!(target: "check", "{file}:{line}:{column}: {words}"),
    }
}

/// What a running service cannot change, in words.
fn fixed(place: &Place, old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    if old.web.listen != new.web.listen {
        let (old, new) = (old.web.listen, new.web.listen);
        changes.push(format!("`listen` under [web] changed from {old} to {new}, which needs a restart"));
    }
    if old.evidence.origin != new.evidence.origin {
        let (old, new) = (&old.evidence.origin, &new.evidence.origin);
        changes.push(format!(
            "the log's name became {new}; it is {old} and never changes: write `origin = \"{old}\"` under [evidence]"
        ));
    }
    if place.state(Some(old)) != place.state(Some(new)) {
        changes.push("`state` changed, which needs a restart".to_owned());
    }
    changes
}

/// What differs between two configurations, in one line.
fn difference(old: &Config, new: &Config) -> String {
    let mut parts = vec![
        compare("feeds", &old.feeds, &new.feeds, |feed| feed.id.as_str()),
        compare("groups", &old.groups, &new.groups, |group| group.id.as_str()),
        compare("owners", &old.owners, &new.owners, |owner| owner.id.as_str()),
        compare("components", &old.components, &new.components, |component| component.id.as_str()),
        compare("topics", &old.topics, &new.topics, |topic| topic.id.as_str()),
    ];
    for (name, differs) in [
        ("routes", old.routes != new.routes),
        ("the fallback owner", old.fallback != new.fallback),
        ("[mail]", old.mail != new.mail),
        ("[web]", old.web != new.web),
        ("[fetch]", old.fetch != new.fetch),
        ("[retention]", old.retention.entries.to_string() != new.retention.entries.to_string()),
    ] {
        parts.push(differs.then(|| format!("{name} changed")));
    }
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "only comments changed".to_owned() } else { parts.join("; ") }
}

fn compare<T: PartialEq>(name: &str, old: &[T], new: &[T], id: impl Fn(&T) -> &str) -> Option<String> {
    let find = |list: &'_ [T], wanted: &str| list.iter().position(|one| id(one) == wanted);
    let added = new.iter().map(&id).filter(|wanted| find(old, wanted).is_none()).collect();
    let dropped = old.iter().map(&id).filter(|wanted| find(new, wanted).is_none()).collect();
    let changed = new.iter().filter(|one| find(old, id(one)).and_then(|at| old.get(at)).is_some_and(|was| was != *one));
    let changed = changed.map(&id).collect();
    let told = [("added", added), ("dropped", dropped), ("changed", changed)];
    let told: Vec<String> = told.into_iter().filter_map(|(word, ids)| named(word, ids)).collect();
    (!told.is_empty()).then(|| format!("{name} {}", told.join(", ")))
}

fn named(word: &str, ids: Vec<&str>) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    let more = ids.len().saturating_sub(MOST_NAMED);
    let mut list = ids.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(" ");
    if more > 0 {
        // Writing to a string cannot fail.
        let _ = write!(list, " and {more} more");
    }
    Some(format!("{word} ({list})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_what_was_added_dropped_and_changed() {
        let (old, new) = ([("a", 1), ("b", 1), ("c", 1)], [("b", 2), ("c", 1), ("d", 1)]);
        let told = compare("feeds", &old, &new, |one| one.0);
        assert_eq!(told.as_deref(), Some("feeds added (d), dropped (a), changed (b)"));
        assert_eq!(compare("feeds", &old, &old, |one| one.0), None);
    }

    #[test]
    fn a_long_list_is_counted_to_its_end() {
        let ids: Vec<String> = (0..25).map(|n| format!("f{n}")).collect();
        let told = named("added", ids.iter().map(String::as_str).collect()).unwrap();
        assert!(told.starts_with("added (f0 f1 ") && told.ends_with("f19 and 5 more)"), "{told}");
    }
}
