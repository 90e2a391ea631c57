//! What is in force on a state beside what the files say: for the commands that tell people how things stand. What
//! differs is `difference`'s to find.

use super::place::Place;
use crate::{
    config,
    difference::Difference,
    model::{
        id::ConfigVersion,
        settings::{Config, SourceFile},
        time::Time,
    },
    store::{Read, StoreError},
};

/// The configuration that was loaded last, held against the files.
pub struct Standing {
    /// Its number.
    pub loaded: ConfigVersion,
    /// What it means; only where the files say otherwise, and `None` where that cannot be told any more.
    pub in_force: Option<Config>,
    /// What the files say otherwise.
    pub difference: Difference,
    /// Whether any byte of them differs.
    pub differs: bool,
    /// What a reload would refuse to change: the key, and why in words.
    pub refused: Vec<(&'static str, String)>,
}

impl Standing {
    /// Holds the files of this place against what its state has loaded; `None`: it has loaded nothing yet.
    pub fn of(place: &Place, config: &Config, read: &Read<'_>, now: Time) -> Result<Option<Standing>, StoreError> {
        let Some((loaded, files)) = read.loaded_configuration()? else { return Ok(None) };
        let differs = files.iter().map(|file| &file.text).ne(config.files.iter().map(|file| &file.text));
        let in_force = if differs { understood(place, &files, now) } else { None };
        let refused = in_force.as_ref().map(|old| place.refused(old, config)).unwrap_or_default();
        let difference = Difference::between(&files, &config.files);
        Ok(Some(Standing { loaded, in_force, difference, differs, refused }))
    }

    /// Whether what the files say is not what is in force.
    pub fn is_pending(&self) -> bool {
        self.differs && !(self.difference.is_empty() && self.refused.is_empty())
    }

    /// What a reload would do, in one line.
    pub fn words(&self) -> String {
        let (number, words) = (self.loaded.0, self.difference.words());
        if !self.differs {
            return format!("this is configuration {number}, the one that was loaded last");
        }
        if self.refused.is_empty() {
            return format!("reload would: {words} (against configuration {number})");
        }
        format!("reload would be refused: {} (against configuration {number}: {words})", self.why_refused())
    }

    /// Why a reload would be refused, in words.
    pub fn why_refused(&self) -> String {
        let why: Vec<&str> = self.refused.iter().map(|(_, why)| why.as_str()).collect();
        why.join("; ")
    }
}

/// What files that were loaded once mean today; `None`: nothing any more.
pub fn understood(place: &Place, files: &[SourceFile], now: Time) -> Option<Config> {
    config::load_texts_of(&place.root, files, now).ok().map(|(config, _)| config)
}
