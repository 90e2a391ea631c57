//! What a name on the command line stands for, and what to say of one that stands for nothing.

use super::failure::Failure;
use crate::{
    config::nearest,
    model::{id::OwnerId, owner::Owner, settings::Config},
};

/// How many names are told at once.
const MAX_NAMES: usize = 12;

/// The owner of this identifier.
pub(super) fn owner<'c>(config: &'c Config, id: &str) -> Result<&'c Owner, Failure> {
    config.owner(&OwnerId::new(id)).ok_or_else(|| no_owner(config, id))
}

/// There is no owner of this identifier.
pub(super) fn no_owner(config: &Config, id: &str) -> Failure {
    nothing(("owner", id), config.owners.iter().map(|owner| owner.id.as_str()))
}

/// There is nothing of this sort and identifier in the file that it would be in: the one that is meant, or what there is.
pub(super) fn nothing<'i>((sort, id): (&str, &str), known: impl Iterator<Item = &'i str> + Clone) -> Failure {
    let file = match sort {
        "owner" => "config/owners.toml",
        "component" | "topic" => "config/stack.toml",
        _ => "feeds.toml",
    };
    let instead = match nearest(id, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is {}", some_of(known)),
    };
    Failure::Mistake(format!("no {sort} `{id}` in {file}; {instead}"))
}

/// The first of these names, and how many more there are.
pub(super) fn some_of<'i>(names: impl Iterator<Item = &'i str>) -> String {
    let all: Vec<&str> = names.collect();
    let shown = all.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MAX_NAMES) {
        _ if all.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_for_nothing_is_answered_with_the_nearest_or_with_all() {
        let said = |id| nothing(("owner", id), ["maria", "jon"].into_iter()).to_string();
        assert_eq!(said("mria"), "no owner `mria` in config/owners.toml; did you mean `maria`?");
        assert_eq!(said("nobody"), "no owner `nobody` in config/owners.toml; there is maria, jon");
        assert_eq!(some_of([].into_iter()), "none");
        assert!(some_of(["a"; 14].into_iter()).ends_with(" and 2 more"));
    }
}
