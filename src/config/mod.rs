//! The configuration: four files of TOML, read whole, judged whole and turned into their meaning.
//!
//! `raw` is the spanned document tree, `fields` takes keys out of it, and the files named after the configuration's
//! own files judge what they say; everything wrong in all of them is reported at once. Nothing is fetched, mailed
//! or stored here.

use std::path::{Path, PathBuf};

use toml::de::DeTable;
use url::Url;

use crate::{
    clock::Clock,
    model::{
        settings::{Config, FetchSettings, SourceFile},
        stack::{Component, Topic},
        time::Time,
    },
};

mod absence;
mod feeds;
mod fields;
mod inbound;
mod init;
mod mail;
mod moved;
mod names;
mod owners;
mod problem;
mod raw;
mod read;
mod remind;
mod render;
mod replace;
mod settings;
mod spelling;
mod stack;
mod terms;
mod values;
mod web;

pub(crate) use feeds::DEFAULT_BASELINE;
pub use init::{InitError, init};
pub use moved::{AddressNote, address_warnings};
pub use problem::{Problem, Problems, Severity};
pub(crate) use render::counted;
pub use render::render;
pub use replace::{ReplaceError, replace};
pub use spelling::nearest;

use names::{Known, Names};
use problem::Report;

/// Reads the four files below a root folder as of now.
///
/// Gives the configuration with the warnings about it, or everything that is wrong with the files, all at once.
pub fn load(root: &Path) -> Result<(Config, Vec<Problem>), Problems> {
    load_at(root, Clock::System.now())
}

/// Reads the four files below a root folder; `now` decides which owners have left.
///
/// Relative paths in the files are meant from the root. Gives the configuration with the warnings about it, or
/// everything that is wrong with the files, all at once.
pub fn load_at(root: &Path, now: Time) -> Result<(Config, Vec<Problem>), Problems> {
    load_texts(root, &read::NAMES.map(|name| read::read(&settings::below(root, name))), now)
}

/// Judges the configuration below a root folder as it would be with another text in `feeds.toml`; writes nothing.
///
/// The lines and columns of what is wrong with `feeds.toml` are those of that text.
pub fn load_with_feeds(root: &Path, feeds: &str, now: Time) -> Result<(Config, Vec<Problem>), Problems> {
    let [_, owners, stack, settings] = read::NAMES.map(|name| read::read(&settings::below(root, name)));
    load_texts(root, &[read::sized(&feeds_file(root), feeds), owners, stack, settings], now)
}

/// Judges the texts of four files as they were loaded once, in their order, as if they were below this root today.
pub fn load_texts_of(root: &Path, files: &[SourceFile], now: Time) -> Result<(Config, Vec<Problem>), Problems> {
    let no_text = || (String::new(), String::new());
    let text = |place: usize| files.get(place).map(|file| file.text.clone()).ok_or_else(no_text);
    load_texts(root, &std::array::from_fn(text), now)
}

/// The state folder that the files below a root name, as far as they can be understood.
pub fn state_folder(root: &Path) -> PathBuf {
    let text = read::read(&settings::below(root, read::SETTINGS)).unwrap_or_default();
    let mut report = Report::silent(&[]);
    let tree = raw::tree(0, &text, &mut report);
    settings::check(0, &tree, root, &mut report).state
}

/// When one of the files below a root was written last; `None`: the system does not say.
pub fn written_at(root: &Path) -> Option<Time> {
    let written = |name| std::fs::metadata(settings::below(root, name)).and_then(|meta| meta.modified()).ok();
    read::NAMES.into_iter().filter_map(written).max().and_then(|at| Time::try_from(at).ok())
}

/// Where `feeds.toml` is.
pub fn feeds_file(root: &Path) -> PathBuf {
    settings::below(root, read::FEEDS)
}

/// The address that a feed may have, or why it may not, in one line: what `check` says of it.
pub fn feed_address(text: &str, fetch: &FetchSettings) -> Result<Url, String> {
    feeds::judged_address(text, fetch).map_err(|flaw| flaw.in_one_line())
}

fn load_texts(
    root: &Path,
    texts: &[Result<String, (String, String)>; 4],
    now: Time,
) -> Result<(Config, Vec<Problem>), Problems> {
    let files: Vec<SourceFile> = read::NAMES
        .iter()
        .zip(texts)
        .map(|(name, text)| SourceFile { name: (*name).to_owned(), text: text.as_ref().cloned().unwrap_or_default() })
        .collect();
    let mut report = Report::new(&files);
    for (file, text) in texts.iter().enumerate() {
        if let Err((message, hint)) = text {
            report.unread(file, message.clone(), hint.clone());
        }
    }
    let config = check(root, &files, now, &mut report);
    let problems = report.finish();
    let broken = problems.iter().any(|problem| problem.severity == Severity::Error);
    match config {
        Some(config) if !broken => Ok((Config { hash: read::hash(&files), files, ..config }, problems)),
        _ => Err(Problems { problems, files }),
    }
}

/// Reads the components and topics of one file, without asking who their owners are; routes are left aside.
pub fn load_stack(file: &Path) -> Result<(Vec<Component>, Vec<Topic>), Problems> {
    let text = read::read(file);
    let files = vec![SourceFile { name: file.display().to_string(), text: text.as_ref().cloned().unwrap_or_default() }];
    let mut report = Report::new(&files);
    if let Err((message, hint)) = text {
        report.unread(0, message, hint);
    }
    let tree = files.first().map(|file| raw::tree(0, &file.text, &mut report)).unwrap_or_default();
    let stack = stack::StackFile::open(0, &tree, &mut report);
    stack::duplicates(0, &stack, &mut report);
    let components = stack.check_components(None, &mut report);
    let topics = stack.check_topics(None, &mut report);
    let problems = report.finish();
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(Problems { problems, files });
    }
    Ok((components, topics))
}

/// Judges the four files; the meaning is only there where none of its parts is missing.
fn check(root: &Path, files: &[SourceFile], now: Time, report: &mut Report<'_>) -> Option<Config> {
    let trees: Vec<DeTable<'_>> =
        files.iter().enumerate().map(|(file, source)| raw::tree(file, &source.text, report)).collect();
    let [feeds_tree, owners_tree, stack_tree, settings_tree] = trees.as_slice() else { return None };
    let feeds = feeds::FeedsFile::open(0, feeds_tree, report);
    let owners = owners::OwnersFile::open(1, owners_tree, report);
    let stack = stack::StackFile::open(2, stack_tree, report);
    let names = Names {
        owners: Known::collect("owner", 1, &owners.tables, report),
        groups: Known::collect("group", 0, &feeds.groups, report),
        feeds: Known::collect("feed", 0, &feeds.feeds, report),
        components: Known::collect("component", 2, &stack.components, report),
        topics: Known::collect("topic", 2, &stack.topics, report),
        left: owners.left(now, report),
    };
    stack::one_name_for_two(&names, report);
    let settings = settings::check(3, settings_tree, root, report);
    let (owners, fallback) = owners.check(&names, now, report);
    let groups = feeds.check_groups(&names, report);
    let feeds = feeds.check_feeds(&names, &owners, &settings.fetch, report);
    let components = stack.check_components(Some(&names), report);
    let topics = stack.check_topics(Some(&names), report);
    let routes = stack.check_routes(&names, report);
    Some(Config {
        files: Vec::new(),
        hash: String::new(),
        feeds,
        groups,
        owners,
        fallback: fallback?,
        components,
        topics,
        routes,
        state: settings.state,
        mail: settings.mail?,
        inbound: settings.inbound,
        web: settings.web?,
        metrics: settings.metrics,
        fetch: settings.fetch,
        evidence: settings.evidence?,
        remind: settings.remind,
        urgent: settings.urgent,
        retention: settings.retention,
    })
}
