//! Poll: ask feeds, understand what they answer, and commit it. Requests and reading run beside each other; plans
//! are made one after another, inside the transaction that commits them.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::{Context, Fault, flood};
use crate::{
    clock::Stopwatch,
    fetch::FetchRequest,
    hex::hex,
    identity::{self, Fingerprint},
    marks,
    model::{
        feed::{Feed, FeedState, FeedStatus},
        id::{FeedId, FeedNo},
        outcome::{CacheHints, FetchOutcome, Fetched},
        time::Time,
    },
    plan::{self, Answer, Arrived, Judged, Lookup},
    reader,
    store::{AppliedPoll, PollCommit, Write},
    story, tag,
};

/// How many polls one transaction commits at the most.
const BATCH_POLLS: usize = 64;
/// How many entries, so that a transaction stays short beside people who want to answer.
const BATCH_ENTRIES: usize = 4_000;
/// For how long a batch waits for company.
const BATCH_WAIT: Duration = Duration::from_millis(200);
/// How often a wait for answers looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(250);
/// How much longer than one request and the gap behind it all hosts together may be silent.
const MARGIN: Duration = Duration::from_secs(30);

/// What a poll of one feed came to, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolledFeed {
    /// The feed.
    pub feed: FeedId,
    /// How it stands now.
    pub state: FeedState,
    /// Why, where it does not stand well.
    pub cause: String,
    /// When it is asked next.
    pub next_poll_at: Time,
    /// What was repaired in its document.
    pub warnings: Vec<String>,
    /// Whether the server had nothing new.
    pub not_modified: bool,
    /// What was written.
    pub applied: AppliedPoll,
}

/// What polling did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollReport {
    /// Every feed that was polled, in the order in which they ended.
    pub feeds: Vec<PolledFeed>,
}

impl PollReport {
    /// Sums over all feeds.
    pub fn sum(&self, number: impl Fn(&AppliedPoll) -> usize) -> usize {
        self.feeds.iter().map(|feed| number(&feed.applied)).sum()
    }

    /// How many feeds ended in a state that cannot be seen.
    pub fn failed(&self) -> usize {
        self.feeds.iter().filter(|feed| !feed.state.is_seen()).count()
    }
}

/// How far polling is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'p> {
    /// Feeds that ended.
    pub done: usize,
    /// Feeds in all.
    pub total: usize,
    /// The feed that ended last; `None` at the start.
    pub last: Option<&'p PolledFeed>,
}

/// One answer, understood as far as it can be without the store.
struct Understood {
    place: usize,
    answer: Answer,
    hints: CacheHints,
    warnings: Vec<String>,
}

/// Polls every feed that is due, or just these feeds, due or not. Weather is in the report, never an error.
///
/// When a stop is asked for, what has not answered is left: such a feed keeps its next poll, one interval from now.
pub fn poll(
    context: &Context,
    only: Option<&[FeedId]>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PollReport, Fault> {
    let now = context.now();
    let claimed = context.store.write(|write| write.claim_polls(only, &context.config, now))?;
    let mut report = PollReport::default();
    if claimed.is_empty() {
        return Ok(report);
    }
    progress(Progress { done: 0, total: claimed.len(), last: None });
    let feeds: Vec<(FeedStatus, Feed)> = claimed
        .into_iter()
        .filter_map(|status| context.config.feed(&status.id).cloned().map(|feed| (status, feed)))
        .collect();
    let requests = feeds
        .iter()
        .map(|(status, feed)| FetchRequest { url: feed.url.clone(), validators: plan::validators_to_send(status, now) })
        .collect();
    let outcomes = Mutex::new(context.fetcher.fetch_all(requests));
    let (sender, understood) = sync_channel(4);
    thread::scope(|scope| {
        for _ in 0..workers() {
            let sender = sender.clone();
            let (outcomes, feeds) = (&outcomes, &feeds);
            scope.spawn(move || read_answers(context, feeds, outcomes, &sender));
        }
        drop(sender);
        // By value: when a commit fails, the readers must find nobody listening.
        commit_all(context, &feeds, understood, &mut report, progress)
    })?;
    if context.stop.is_asked() {
        let left = |no: &&(FeedStatus, Feed)| report.feeds.iter().all(|polled| polled.feed != no.1.id);
        let left: Vec<FeedNo> = feeds.iter().filter(left).map(|(status, _)| status.no).collect();
        context.store.write(|write| write.release_claims(&left))?;
    }
    Ok(report)
}

fn workers() -> usize {
    thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 4))
}

/// Takes outcomes as they come and understands them, until there are no more, nobody listens or a stop is asked for.
fn read_answers(
    context: &Context,
    feeds: &[(FeedStatus, Feed)],
    outcomes: &Mutex<Receiver<(usize, FetchOutcome)>>,
    sender: &SyncSender<Understood>,
) {
    while !context.stop.is_asked() {
        let next = outcomes.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK);
        let (place, outcome) = match next {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some((_, feed)) = feeds.get(place) else { continue };
        if sender.send(understand(context, feed, place, outcome)).is_err() {
            return;
        }
    }
}

fn understand(context: &Context, feed: &Feed, place: usize, outcome: FetchOutcome) -> Understood {
    match outcome {
        FetchOutcome::Fetched { document, hints } => {
            let (answer, warnings) = understand_document(context, feed, *document);
            Understood { place, answer, hints, warnings }
        }
        FetchOutcome::NotModified { validators, hints } => {
            Understood { place, answer: Answer::NotModified(validators), hints, warnings: Vec::new() }
        }
        FetchOutcome::Failed { state, status, cause, hints } => {
            Understood { place, answer: Answer::Failed { state, status, cause }, hints, warnings: Vec::new() }
        }
    }
}

fn understand_document(context: &Context, feed: &Feed, fetched: Fetched) -> (Answer, Vec<String>) {
    let (sha256, bytes) = (hex(&Sha256::digest(&fetched.bytes)), fetched.bytes.len());
    let url = fetched.final_url.to_string();
    let document = match reader::read(fetched.bytes, fetched.charset, Some(fetched.final_url)) {
        Ok(document) => document,
        Err(error) => {
            let (state, cause) = match fetched.cut {
                Some(cut) => (FeedState::Broken, format!("{cut}; nothing of it could be read: {error}")),
                None => (FeedState::NotAFeed, error.to_string()),
            };
            return (Answer::Failed { state, status: Some(200), cause }, Vec::new());
        }
    };
    let mut warnings = document.warnings;
    let partial = document.partial || fetched.cut.is_some();
    warnings.extend(fetched.cut);
    let from_feed = tag::feed_tags(&context.config, feed);
    let fingerprints: Vec<Fingerprint> = document.entries.iter().map(identity::fingerprint).collect();
    let keys = story::keys_in_document(&document.entries, &fingerprints);
    let judged = document
        .entries
        .iter()
        .zip(fingerprints)
        .zip(keys)
        .map(|((entry, fingerprint), story)| {
            let mut tags = context.matcher.tags(entry);
            for tag in &from_feed {
                if !tags.iter().any(|found| found.kind == tag.kind && found.id == tag.id) {
                    tags.push(tag.clone());
                }
            }
            Judged { fingerprint, tags, marks: marks::marks(entry), story }
        })
        .collect();
    let arrived = Arrived {
        format: document.format,
        entries: document.entries,
        judged,
        sha256,
        bytes,
        url,
        partial,
        validators: fetched.validators,
        ttl: document.hints.ttl,
        room: fetched.room,
    };
    (Answer::Document(Box::new(arrived)), warnings)
}

/// Commits what was understood, in batches that are bounded in number and in time.
#[expect(clippy::needless_pass_by_value, reason = "dropping it tells the readers that nobody listens")]
fn commit_all(
    context: &Context,
    feeds: &[(FeedStatus, Feed)],
    understood: Receiver<Understood>,
    report: &mut PollReport,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Fault> {
    while let Some(first) = next(context, &understood) {
        let mut batch = vec![first];
        let mut entries = 0;
        while batch.len() < BATCH_POLLS && entries < BATCH_ENTRIES {
            match understood.recv_timeout(BATCH_WAIT) {
                Ok(one) => {
                    if let Answer::Document(arrived) = &one.answer {
                        entries += arrived.entries.len();
                    }
                    batch.push(one);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let now = context.now();
        let polled = context.store.write(|write| {
            let mut polled = Vec::with_capacity(batch.len());
            for one in batch {
                let Some((status, feed)) = feeds.get(one.place) else { continue };
                polled.extend(commit(context, write, (status.no, feed), one, now)?);
            }
            Ok(polled)
        })?;
        context.pulse.beat();
        for feed in polled {
            report.feeds.push(feed);
            progress(Progress { done: report.feeds.len(), total: feeds.len(), last: report.feeds.last() });
        }
    }
    Ok(())
}

/// The next answer; `None`: there are no more. Waiting is a sign of life for as long as some host may still be asked.
fn next(context: &Context, understood: &Receiver<Understood>) -> Option<Understood> {
    let fetch = &context.config.fetch;
    let patience = fetch.timeout.saturating_add(fetch.per_host_gap).unsigned_abs().saturating_add(MARGIN);
    let waited = Stopwatch::start();
    loop {
        match understood.recv_timeout(LOOK) {
            Ok(one) => return Some(one),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if waited.elapsed() < patience => context.pulse.beat(),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Plans one answer against the store as it is at this point of the transaction, and writes it.
fn commit(
    context: &Context,
    write: &mut Write<'_>,
    (no, feed): (FeedNo, &Feed),
    understood: Understood,
    now: Time,
) -> Result<Option<PolledFeed>, crate::store::StoreError> {
    let Understood { mut answer, hints, warnings, .. } = understood;
    let Some(before) = write.read().feed_status(no)? else { return Ok(None) };
    if write.read().feed_url(no)?.is_none_or(|url| url != feed.url.as_str()) {
        // A reload gave the feed another address meanwhile and made it due there: this answer is nobody's.
        return Ok(None);
    }
    let update = plan::feed_update(&context.config, feed, &before, &answer, &hints, now);
    let mut plans = match &mut answer {
        Answer::Document(arrived) => {
            let judged = (std::mem::take(&mut arrived.entries), std::mem::take(&mut arrived.judged));
            let first = before.baseline_at.is_none();
            let read = write.read();
            plan::entries(
                &context.config,
                feed,
                judged,
                first,
                now,
                &Lookup { known: &|key| read.known(no, key), baseline: &|entry| read.baseline_marks(entry) },
            )?
        }
        _ => plan::EntryPlans::default(),
    };
    flood::hold(&write.read(), (no, &before), &mut plans)?;
    let polled = PolledFeed {
        feed: feed.id.clone(),
        state: update.status.state,
        cause: update.status.cause.clone(),
        next_poll_at: update.status.next_poll_at,
        warnings,
        not_modified: matches!(answer, Answer::NotModified(_)),
        applied: AppliedPoll::default(),
    };
    let config = context.version;
    let applied = write.apply_poll(PollCommit { feed, answer: &answer, update, plans, config, now })?;
    Ok(Some(PolledFeed { applied, ..polled }))
}
