//! Where the configuration and the state are, and how a command gets at them.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use super::{args::Args, failure::Failure};
use crate::{
    clock::Clock,
    config::{self, Problems},
    jobs::{
        Context,
        start::{self, Surroundings},
    },
    lock::InstanceLock,
    model::settings::Config,
    store::Store,
    user,
};

/// The folders of one invocation.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder with `feeds.toml` and `config/`.
    pub root: PathBuf,
    state: Option<PathBuf>,
}

impl Place {
    /// The folders that were named.
    pub fn of(args: &Args) -> Place {
        Place { root: args.root.clone(), state: args.state.clone() }
    }

    /// The state folder: `--state`, else systemd's `STATE_DIRECTORY`, else the key `state` below the root.
    pub fn state(&self, config: Option<&Config>) -> PathBuf {
        if let Some(state) = &self.state {
            return state.clone();
        }
        if let Some(directory) = std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()) {
            return PathBuf::from(directory);
        }
        config.map_or_else(|| config::state_folder(&self.root), |config| config.state.clone())
    }

    /// What a service that runs under the one configuration cannot change to the other: the key, and why in words.
    pub fn refused(&self, old: &Config, new: &Config) -> Vec<(&'static str, String)> {
        let mut refused = Vec::new();
        if self.state(Some(old)) != self.state(Some(new)) {
            refused.push(("state", "`state` changed, which needs a restart".to_owned()));
        }
        let (before, after) = (old.web.listen, new.web.listen);
        if before != after {
            let why = format!("`listen` under [web] changed from {before} to {after}, which needs a restart");
            refused.push(("web.listen", why));
        }
        if old.metrics != new.metrics {
            refused.push(("metrics.listen", "`listen` under [metrics] changed, which needs a restart".to_owned()));
        }
        let (before, after) = (&old.evidence.origin, &new.evidence.origin);
        if before != after {
            let why = format!(
                "the log's name became {after}; it is {before} and never changes: write `origin = \"{before}\"` under \
                 [evidence]"
            );
            refused.push(("evidence.origin", why));
        }
        refused
    }

    /// How another command is typed here: `sigtrail --root DIR feeds test ID`.
    pub fn command(&self, words: &str) -> String {
        let root = self.root.display().to_string();
        if root == "." { format!("sigtrail {words}") } else { format!("sigtrail --root {root} {words}") }
    }

    /// The checked configuration; its warnings go to standard error.
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(self.load()?)
    }

    /// The same, with the problems as they are.
    pub fn load(&self) -> Result<Config, Problems> {
        let (config, warnings) = config::load(&self.root)?;
        let mut stderr = std::io::stderr();
        let said = config::render(&warnings, &config.files, color_on(&stderr));
        // Warnings are no reason to stop, and standard error may be closed.
        let _ = stderr.write_all(said.as_bytes());
        Ok(config)
    }

    /// A store for commands that read, or write beside a daemon; never makes one.
    pub fn store(&self, config: Option<&Config>) -> Result<Store, Failure> {
        let state = self.state(config);
        become_owner(&state)?;
        // A state that may not be looked into is not the same as none.
        match std::fs::metadata(state.join(crate::store::DATABASE)) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Failure::File { path: state, error })
            }
            _ => Ok(Store::open(&state, Clock::System)?),
        }
    }

    /// The store, for a command that stays who it is: nothing where there is none, or it cannot be read, or as root on a
    /// state of another user.
    pub fn store_as_it_is(&self, config: &Config) -> Option<Store> {
        let state = self.state(Some(config));
        if user::is_guest_at(&state) { None } else { Store::open(&state, Clock::System).ok() }
    }

    /// The whole machinery, with the instance lock, for commands that do the work.
    pub fn start(&self, config: Config) -> Result<(Context, InstanceLock), Failure> {
        let state = self.state(Some(&config));
        become_owner(&state)?;
        make_state(&state)?;
        let lock = InstanceLock::take(&state)?;
        let (context, _) = start::start(config, &state, Surroundings::default())?;
        Ok((context, lock))
    }
}

/// As root, becomes the user that this state belongs to, before anything of it is touched.
pub fn become_owner(state: &Path) -> Result<(), Failure> {
    user::become_owner_of(state).map_err(|error| Failure::File { path: state.to_owned(), error })
}

fn make_state(state: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|error| Failure::File { path: state.to_owned(), error })
}

/// Whether this stream wants colour: a terminal, unless `NO_COLOR` says no; `CLICOLOR_FORCE` says yes.
pub fn color_on(stream: &impl std::io::IsTerminal) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_COLOR") {
        return false;
    }
    let is_zero = |name: &str| std::env::var_os(name).is_some_and(|value| value == "0");
    if is_set("CLICOLOR_FORCE") && !is_zero("CLICOLOR_FORCE") {
        return true;
    }
    stream.is_terminal() && !is_zero("CLICOLOR")
}

/// Whether a person watches standard error.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
