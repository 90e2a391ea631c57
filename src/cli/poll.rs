//! `sigtrail poll`: poll feeds once, with progress; beside a daemon, make them due and watch.

use std::{io::Write, thread, time::Duration};

use serde_json::json;

use super::{
    failure::Failure,
    named,
    place::{Place, become_owner, is_watched},
    table::{count, stretch},
};
use crate::{
    clock::{Clock, Stopwatch},
    compose::words::line,
    jobs::poll::{self, PollReport, PolledFeed, Progress},
    lock::InstanceLock,
    model::{id::FeedId, settings::Config},
};

/// For how long a daemon is watched before the command says that it goes on alone.
const WATCH: Duration = Duration::from_mins(1);

/// A counter on standard error while a person watches; nothing elsewhere.
pub struct Bar {
    is_watched: bool,
    is_shown: bool,
}

impl Bar {
    /// A bar that shows itself only on a terminal.
    pub(super) fn new() -> Bar {
        Bar { is_watched: is_watched(), is_shown: false }
    }

    /// Shows how far it is.
    pub fn show(&mut self, progress: &Progress<'_>) {
        if !self.is_watched || progress.total < 2 {
            return;
        }
        let filled = 20 * progress.done / progress.total.max(1);
        let arrow = if filled < 20 { ">" } else { "" };
        let bar = format!("{}{arrow}", "=".repeat(filled));
        let last = progress.last.map_or_else(String::new, |feed| feed.feed.to_string());
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away is no reason to stop polling.
        let _ = write!(stderr, "\r\x1b[Kpolling [{bar:<20}] {}/{}  {last}", progress.done, progress.total);
        let _ = stderr.flush();
        self.is_shown = true;
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if self.is_shown {
            let mut stderr = std::io::stderr().lock();
            // As above.
            let _ = write!(stderr, "\r\x1b[K");
            let _ = stderr.flush();
            self.is_shown = false;
        }
    }
}

/// Polls what is due, or the named feeds; `force` asks even when it is not time yet.
pub fn run(place: &Place, names: &[String], force: bool, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let watch = Stopwatch::start();
    let config = place.config()?;
    let named = named_feeds(&config, names)?;
    let state = place.state(Some(&config));
    // Nothing of root's may come to be in somebody else's state.
    become_owner(&state)?;
    if InstanceLock::is_taken(&state) {
        return beside_daemon(place, &config, &named, force, json, out);
    }
    let (context, _lock) = place.start(config)?;
    let wanted = wanted(&context.store, &context.config, &named, force)?;
    let mut bar = Bar::new();
    let mut report = poll::poll(&context, wanted.as_deref(), &mut |progress| bar.show(&progress))?;
    bar.clear();
    crate::jobs::checkpoint::checkpoint(&context)?;
    sort(&mut report);
    if json {
        return write_json(&report, out);
    }
    if report.feeds.is_empty() && named.is_empty() {
        writeln!(out, "no feed is due; --force asks now")?;
        return Ok(0);
    }
    write_feeds(&report, out)?;
    let seconds = jiff::SignedDuration::try_from(watch.elapsed()).unwrap_or_default();
    writeln!(out, "{}      {}", summary(&report), stretch(seconds))?;
    Ok(0)
}

/// Feeds end in the order of chance; people and scripts read them by identifier.
pub fn sort(report: &mut PollReport) {
    report.feeds.sort_by(|a, b| a.feed.cmp(&b.feed));
}

fn named_feeds(config: &Config, names: &[String]) -> Result<Vec<FeedId>, Failure> {
    names
        .iter()
        .map(|name| {
            let id = FeedId::new(name.clone());
            match config.feed(&id) {
                Some(feed) if feed.enabled => Ok(id),
                Some(_) => Err(Failure::Mistake(format!("feed `{name}` is not enabled in feeds.toml"))),
                None => Err(named::nothing(("feed", name), config.feeds.iter().map(|feed| feed.id.as_str()))),
            }
        })
        .collect()
}

/// Talk, which is no data: to standard error.
fn talk(words: &str) {
    // Nobody has to listen.
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// The feeds to poll; `None`: all that are due. Named feeds whose time has not come are left alone unless forced.
fn wanted(
    store: &crate::store::Store,
    config: &Config,
    named: &[FeedId],
    force: bool,
) -> Result<Option<Vec<FeedId>>, Failure> {
    if named.is_empty() {
        let all = || config.feeds.iter().filter(|feed| feed.enabled).map(|feed| feed.id.clone()).collect();
        return Ok(force.then(all));
    }
    if force {
        return Ok(Some(named.to_vec()));
    }
    let now = Clock::System.now();
    let mut due = Vec::new();
    for feed in store.read(|read| read.feeds())?.into_iter().filter(|feed| named.contains(&feed.id)) {
        if feed.next_poll_at <= now {
            due.push(feed.id);
        } else {
            talk(&format!("{}: not before {:.0}; --force asks now", feed.id, feed.next_poll_at));
        }
    }
    Ok(Some(due))
}

/// What there is to say of single feeds: how one that was not seen stands, and what was repaired.
pub fn write_feeds(report: &PollReport, out: &mut dyn Write) -> Result<(), Failure> {
    for feed in &report.feeds {
        if feed.is_blind() {
            writeln!(
                out,
                "{}: {} ({}), next try {:.0}",
                feed.feed,
                feed.state.as_str(),
                line(&feed.cause),
                feed.next_poll_at
            )?;
        }
        for warning in &feed.warnings {
            writeln!(out, "{}: {warning}", feed.feed)?;
        }
    }
    Ok(())
}

fn summary(report: &PollReport) -> String {
    let new = report.sum(|applied| applied.new);
    let with_news = report.feeds.iter().filter(|feed| feed.applied.new > 0).count();
    let changed = report.sum(|applied| applied.revised);
    let failed = report.failed();
    let quiet = report.feeds.len() - failed - with_news;
    let mut parts = vec![format!("{} new in {with_news}", count(new, "entry", "entries"))];
    if changed > 0 {
        parts.push(format!("{changed} changed"));
    }
    let held = report.sum(|applied| applied.held);
    if held > 0 {
        parts.push(format!("{held} held"));
    }
    parts.push(format!("{quiet} without news"));
    if failed > 0 {
        parts.push(format!("{failed} not seen"));
    }
    format!("{}: {}", count(report.feeds.len(), "feed", "feeds"), parts.join(", "))
}

fn write_json(report: &PollReport, out: &mut dyn Write) -> Result<u8, Failure> {
    for feed in &report.feeds {
        writeln!(out, "{}", json_line(feed))?;
    }
    Ok(0)
}

/// What came of one feed, as `poll --json` and `tick --json` print it.
pub fn json_line(feed: &PolledFeed) -> serde_json::Value {
    json!({
        "feed": feed.feed, "state": feed.state.as_str(), "reason": Some(&feed.cause).filter(|cause| !cause.is_empty()),
        "new": feed.applied.new, "revised": feed.applied.revised, "held": feed.applied.held, "not_modified": feed.not_modified,
        "warnings": feed.warnings, "next_poll_at": format!("{:.0}", feed.next_poll_at),
    })
}

/// The daemon polls: the feeds are made due and watched until they have been polled.
fn beside_daemon(
    place: &Place,
    config: &Config,
    named: &[FeedId],
    force: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let store = place.store(Some(config))?;
    let all: Vec<FeedId> = config.feeds.iter().filter(|feed| feed.enabled).map(|feed| feed.id.clone()).collect();
    let asked = if named.is_empty() { &all } else { named };
    let now = Clock::System.now();
    if !force {
        talk("a daemon is at work on this state and polls what is due; --force makes these feeds due now");
        return Ok(0);
    }
    store.write(|write| write.make_due(asked, now))?;
    let watch = Stopwatch::start();
    loop {
        let rows = store.read(|read| read.feeds())?;
        let waiting: Vec<&str> = rows
            .iter()
            .filter(|row| asked.contains(&row.id) && row.last_poll_at.is_none_or(|at| at < now))
            .map(|row| row.id.as_str())
            .collect();
        if waiting.is_empty() {
            for row in rows.iter().filter(|row| asked.contains(&row.id)) {
                if json {
                    writeln!(out, "{}", json!({ "feed": row.id, "state": row.state.as_str() }))?;
                } else {
                    writeln!(out, "{}: {}", row.id, row.state.as_str())?;
                }
            }
            return Ok(0);
        }
        if watch.elapsed() > WATCH {
            talk(&format!("the daemon is still polling: {}", waiting.join(", ")));
            return Ok(0);
        }
        thread::sleep(Duration::from_millis(250));
    }
}
