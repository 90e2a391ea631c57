//! Reading the configuration anew under a running service: a good one takes the place of the old one, a bad one is
//! named problem by problem and changes nothing.

use std::fmt::Write as _;

use tracing::{error, info, warn};

use super::{parts::Parts, serve::Page};
use crate::{
    cli::Place,
    config::{self, Problem, Severity, counted},
    difference::Difference,
    fetch::Resolver,
    jobs::{Context, start},
};

/// What became of a reload, in words for the supervisor.
pub(super) enum Reloaded {
    /// The new configuration is in force: the context with it, and what differs.
    InForce(Box<Context>, String),
    /// The old one stays, and why.
    Refused(Box<Context>, String),
}

/// Reads the configuration again and puts it in force as a whole, or names everything that is wrong with it and changes
/// nothing.
pub(super) fn reload(place: &Place, parts: &Parts, page: &Page) -> Reloaded {
    let old = parts.context();
    let (config, warnings) = match config::load(&place.root) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(old, &problems.problems),
    };
    warnings.iter().for_each(log);
    let refused: Vec<String> = place.refused(&old.config, &config).into_iter().map(|(_, why)| why).collect();
    if !refused.is_empty() {
        error!(target: "reload", "the old configuration stays: {}", refused.join("; "));
        return Reloaded::Refused(Box::new(old), refused.join("; "));
    }
    match start::reload(&old, config, Resolver::System) {
        Ok((context, loaded)) => {
            page.replace(&context.config);
            parts.replace(context.clone());
            let words = || Difference::between(&old.config.files, &context.config.files).words();
            let what = if loaded.is_new { words() } else { "nothing changed".to_owned() };
            info!(target: "reload", config = loaded.version.0, "in force: {what}");
            Reloaded::InForce(Box::new(context), what)
        }
        Err(fault) => {
            error!(target: "reload", "the old configuration stays: {fault}");
            Reloaded::Refused(Box::new(old), fault.to_string())
        }
    }
}

fn refuse(old: Context, problems: &[Problem]) -> Reloaded {
    problems.iter().for_each(log);
    let mut errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let count = errors.clone().count();
    let first = errors.next().map_or("", |problem| problem.file.as_str());
    error!(target: "reload", errors = count, "the old configuration stays: the new one has errors");
    Reloaded::Refused(Box::new(old), format!("{}, the first in {first}", counted(count, "error")))
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
