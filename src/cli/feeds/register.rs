//! The register's file on disk, and the one way in which commands change it: judged whole, then written whole.

use std::io::Write as _;

use crate::{
    cli::{
        failure::Failure,
        place::{Place, become_owner, color_on},
    },
    clock::Clock,
    config::{self, Problem, Problems, ReplaceError},
    lock::InstanceLock,
    model::{feed::Group, id::OwnerId, settings::Config},
    register::{Kind, blocks},
    store,
};

/// `feeds.toml` as it stands, in a configuration without errors.
pub(super) struct Register<'p> {
    place: &'p Place,
    /// What the four files mean.
    pub config: Config,
    /// What `check` warns of already.
    warnings: Vec<Problem>,
}

impl<'p> Register<'p> {
    /// Reads it; a configuration with errors is refused, since nobody could tell what an edit does to it.
    pub(super) fn open(place: &'p Place) -> Result<Self, Failure> {
        let (config, warnings) = config::load(&place.root).map_err(refusal)?;
        Ok(Self { place, config, warnings })
    }

    /// Its text.
    pub(super) fn text(&self) -> &str {
        self.config.files.first().map_or("", |file| file.text.as_str())
    }

    /// Where it is, as people name it.
    pub(super) fn path(&self) -> String {
        config::feeds_file(&self.place.root).display().to_string()
    }

    /// Writes another text in its place, if `check` has nothing against it; what is only a warning, and new, is said.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let judged = config::load_with_feeds(&self.place.root, text, Clock::System.now());
        let (config, warnings) = judged.map_err(refusal)?;
        let is_new = |warning: &&Problem| !self.warnings.iter().any(|known| known.message == warning.message);
        let new: Vec<Problem> = warnings.iter().filter(is_new).cloned().collect();
        let mut stderr = std::io::stderr();
        let color = color_on(&stderr);
        // Nobody has to listen.
        let _ = write!(stderr, "{}", config::render(&new, &config.files, color));
        config::replace(&config::feeds_file(&self.place.root), self.text(), text).map_err(|error| match error {
            ReplaceError::Changed(_) => Failure::Mistake(error.to_string()),
            ReplaceError::File { path, error } => Failure::File { path, error },
        })
    }

    /// Who answers where nobody is named, and why: the group's owner, the only owner, or the fallback.
    pub(super) fn default_owner(&self, group: Option<&Group>) -> (OwnerId, &'static str) {
        match (group, self.config.owners.as_slice()) {
            (Some(group), _) => (group.owner.clone(), "who answers for the group"),
            (None, [only]) => (only.id.clone(), "the only owner"),
            _ => (self.config.fallback.clone(), "the fallback"),
        }
    }

    /// The owner of this identifier, or who there is.
    pub(super) fn known_owner(&self, id: &str) -> Result<OwnerId, Failure> {
        let owner = OwnerId::new(id);
        if self.config.owner(&owner).is_some() {
            return Ok(owner);
        }
        let known = self.config.owners.iter().map(|owner| owner.id.as_str());
        Err(Failure::Mistake(format!("no owner `{id}` in config/owners.toml; there is {}", some_of(known))))
    }

    /// How the next command is typed: `sigtrail --root DIR feeds test ID`.
    pub(super) fn command(&self, words: &str) -> String {
        let root = self.place.root.display().to_string();
        if root == "." { format!("sigtrail {words}") } else { format!("sigtrail --root {root} {words}") }
    }

    /// What puts the change in force. As root, this becomes the state's user for good: nothing of root's comes after it.
    pub(super) fn next(&self) -> String {
        let state = self.place.state(Some(&self.config));
        match std::fs::metadata(state.join(store::DATABASE)) {
            Ok(_) if become_owner(&state).is_ok() && InstanceLock::is_taken(&state) => {
                "a service runs on this state: `systemctl reload sigtrail` (SIGHUP) puts the change in force".to_owned()
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "`systemctl reload sigtrail` puts the change in force where the service runs".to_owned()
            }
            _ => format!("nothing runs on this state; the next `{}` takes the change up", self.command("tick")),
        }
    }
}

/// The line of a feed's or group's header in a text, from 1.
pub(super) fn line_of(text: &str, kind: Kind, id: &str) -> Option<usize> {
    blocks(text).ok()?.iter().find(|block| block.kind == kind && block.id == id).map(|block| block.line)
}

/// A place in the register for people: `feeds.toml line 12`, or only the file where the line is not known.
pub(super) fn place_of(text: &str, kind: Kind, id: &str) -> String {
    line_of(text, kind, id).map_or_else(|| "feeds.toml".to_owned(), |line| format!("feeds.toml, line {line}"))
}

/// A few identifiers for a message, and how many more there are.
pub(super) fn some_of<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let all: Vec<&str> = ids.collect();
    let shown = all.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(12) {
        _ if all.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Talk, which is no result: to standard error.
pub(super) fn talk(words: &str) {
    // Nobody has to listen.
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn refusal(problems: Problems) -> Failure {
    Failure::Configuration(format!("{}nothing was written\n", Failure::from(problems)))
}
