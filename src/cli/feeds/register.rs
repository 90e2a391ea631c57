//! The register's file on disk, and the one way in which commands change it: judged whole, then written whole.

use std::{collections::HashMap, io::Write as _};

use crate::{
    cli::{
        failure::Failure,
        place::{Place, become_owner, color_on},
    },
    clock::Clock,
    config::{self, Problem, Problems},
    lock::InstanceLock,
    model::settings::Config,
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
        let (config, warnings) = config::load(&place.root).map_err(|problems| refusal(problems, ""))?;
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
        let as_it_would_be = "feeds.toml is shown as it would be, which is not as it is; ";
        let (config, warnings) = judged.map_err(|problems| refusal(problems, as_it_would_be))?;
        let is_new = |warning: &&Problem| !self.warnings.iter().any(|known| known.message == warning.message);
        let new: Vec<Problem> = warnings.iter().filter(is_new).cloned().collect();
        let mut stderr = std::io::stderr();
        let color = color_on(&stderr);
        // Nobody has to listen.
        let _ = write!(stderr, "{}", config::render(&new, &config.files, color));
        Ok(config::replace(&config::feeds_file(&self.place.root), self.text(), text)?)
    }

    /// The identifiers that the state knows with their addresses, as far as it may be looked into: a feed that was dropped
    /// keeps its history under its own.
    pub(super) fn remembered(&self) -> HashMap<String, String> {
        let store = self.place.store_as_it_is(&self.config);
        let known = store.and_then(|store| store.read(|read| read.known_feeds()).ok()).unwrap_or_default();
        known.into_iter().map(|(id, url)| (id.to_string(), url)).collect()
    }

    /// How the next command is typed.
    pub(super) fn command(&self, words: &str) -> String {
        self.place.command(words)
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

/// Talk, which is no result: to standard error.
pub(super) fn talk(words: &str) {
    // Nobody has to listen.
    let _ = writeln!(std::io::stderr(), "{words}");
}

fn refusal(problems: Problems, which: &str) -> Failure {
    Failure::Configuration(format!("{}{which}nothing was written\n", Failure::from(problems)))
}
