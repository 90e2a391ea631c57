//! P-21 at length: the real daemon is started and ended a thousand times within an hour, by SIGTERM and SIGKILL in turn, at
//! random moments of its life. No feed may be asked before it was due.
//!
//! When a feed is due is read from the state before every start: a request is early when it comes before that moment, or
//! when it is the second of one life within the interval. Over all lives together, two requests of a feed lie an interval
//! apart, less the time that a claim may stand before its request.

use std::{
    collections::BTreeMap, os::unix::process::ExitStatusExt as _, path::Path, process::ExitStatus, thread,
    time::Duration,
};

use sigtrail::clock::{Clock, Stopwatch};

use crate::{
    Options, Outcome,
    publisher::{Publishers, Step, answer, rss},
    seed::Seed,
    service::{Service, Source, due, verify, write_site},
};

const FEEDS: usize = 30;
/// The interval of every feed, as it is written and in milliseconds.
const EVERY: (&str, i64) = ("1m", 60_000);
/// How long a claim may stand before its request leaves, in milliseconds.
const CLAIM: i64 = 3_000;
/// What a feed says of its freshness, in seconds: every third one says more than its interval.
const FRESH: i64 = 90;

/// Runs the restarts.
pub fn run(options: &Options) -> Outcome {
    let (restarts, minutes) = (options.value("--restarts", 1_000_u32)?, options.value("--minutes", 60_u32)?);
    let mut seed = Seed::of(&[options.value("--seed", 1_u64)?]);
    let publishers = Publishers::start(Box::new(|request| {
        let items = (0..10 + request.before).map(|n| (format!("Notice {n}"), format!("{n}")));
        // Without a validator it would be asked once a day, and no restart could be early.
        let validator = format!("ETag: \"{}\"\r\n", request.before);
        let fresh = if request.feed % 3 == 0 { format!("Cache-Control: max-age={FRESH}\r\n") } else { String::new() };
        vec![Step::Send(answer("200 OK", &(validator + &fresh), rss("Publisher", items).as_bytes()))]
    }))?;
    let folder = tempfile::tempdir()?;
    let sources: Vec<Source> =
        (0..FEEDS).map(|feed| Source { id: format!("feed-{feed}"), url: publishers.url(feed) }).collect();
    write_site(folder.path(), &sources, EVERY.0, "per_host_gap = \"0s\"")?;
    let (watch, mean) = (Stopwatch::start(), Duration::from_mins(u64::from(minutes)) / restarts.max(1));
    let mut early = 0;
    for n in 0..restarts {
        let life = mean.mul_f64(seed.below(1_000) as f64 / 500.0);
        early += one_life(folder.path(), &publishers, life, n % 2 == 0)?;
        if n % 100 == 99 {
            println!("{} restarts in {:.0} s, {early} early requests", n + 1, watch.elapsed().as_secs_f64());
        }
    }
    let (asked, close) = gaps(&publishers);
    let verified = verify(folder.path())?;
    println!(
        "{restarts} restarts in {:.0} s, {FEEDS} feeds every {}: {asked} requests, {early} before they were due, {close} closer than the interval; the log verifies: {verified}",
        watch.elapsed().as_secs_f64(),
        EVERY.0
    );
    Ok(asked > FEEDS && early == 0 && close == 0 && verified)
}

/// Starts it, ends it after this time, and counts the early requests.
fn one_life(
    root: &Path,
    publishers: &Publishers,
    life: Duration,
    kills: bool,
) -> Result<usize, Box<dyn std::error::Error>> {
    let dues: BTreeMap<String, i64> = due(root)?.into_iter().collect();
    let began = Clock::System.now().as_millisecond();
    let mut service = Service::start(root)?;
    thread::sleep(life);
    if let Some(status) = service.ended()? {
        return Err(format!("it ended by itself with {status}: {}", service.last_words()).into());
    }
    if kills {
        service.kill()?;
    } else if !is_in_order(service.stop()?.0) {
        return Err(format!("it did not end well: {}", service.last_words()).into());
    }
    let mut early = 0;
    for (feed, times) in publishers.asked() {
        let of_this_life: Vec<i64> = times.into_iter().filter(|at| *at >= began).collect();
        let due = dues.get(&format!("feed-{feed}")).copied().unwrap_or(0);
        early += usize::from(of_this_life.first().is_some_and(|at| *at < due));
        early += of_this_life.windows(2).filter(|two| matches!(two, [a, b] if b - a < EVERY.1 - CLAIM)).count();
    }
    Ok(early)
}

/// Whether it stopped as it should, or was ended by the signal before it listened to signals.
fn is_in_order(status: ExitStatus) -> bool {
    /// The number of SIGTERM.
    const TERM: i32 = 15;
    status.success() || status.signal() == Some(TERM)
}

/// How many requests there were, and how many came within an interval of the one before.
fn gaps(publishers: &Publishers) -> (usize, usize) {
    let asked = publishers.asked();
    let close = asked
        .values()
        .flat_map(|times| times.windows(2))
        .filter(|two| matches!(two, [a, b] if b - a < EVERY.1 - CLAIM));
    (asked.values().map(Vec::len).sum(), close.count())
}
