//! Poll: ask feeds, understand what they answer, and commit it. Requests and reading run beside each other; plans
//! are made one after another, inside the transaction that commits them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Context, Fault,
    arrival::{self, Arrival, Unreadable},
    flood,
    under_way::Asking,
};
use crate::{
    clock::Stopwatch,
    evidence::event::Event,
    fetch::FetchRequest,
    health::{self, Sight},
    hex::hex,
    identity::{self, Fingerprint},
    marks,
    model::{
        feed::{Feed, FeedState, FeedStatus},
        id::{FeedId, FeedNo},
        outcome::{CacheHints, FetchOutcome, Fetched},
        time::Time,
    },
    moves::{self, Source},
    plan::{self, Answer, Arrived, Judged, Lookup},
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
/// After this time without a network its feeds are blind, whoever's fault that is, and their owners hear of it.
const LONGEST_OUTAGE: SignedDuration = SignedDuration::from_hours(6);
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
    /// What it changed about the feed's address.
    pub moved: Option<moves::Step>,
}

impl PolledFeed {
    /// Whether it could not be seen this time.
    pub fn is_blind(&self) -> bool {
        // A feed that was well before stays so while this machine has no network.
        !self.state.is_seen() || self.state != FeedState::Quiet && !self.cause.is_empty()
    }
}

/// What polling did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollReport {
    /// Every feed that was polled, in the order in which they ended.
    pub feeds: Vec<PolledFeed>,
    /// Whether this round found for the first time that this machine has no network.
    pub lost_network: bool,
}

impl PollReport {
    /// Sums over all feeds.
    pub fn sum(&self, number: impl Fn(&AppliedPoll) -> usize) -> usize {
        self.feeds.iter().map(|feed| number(&feed.applied)).sum()
    }

    /// How many feeds ended in a state that cannot be seen.
    pub fn failed(&self) -> usize {
        self.feeds.iter().filter(|feed| feed.is_blind()).count()
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
    source: Source,
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
    let claimed = claim(context, only)?;
    ask(context, claimed, progress)
}

/// Feeds whose next poll was moved on, because they are asked now.
#[derive(Debug)]
pub struct Claimed {
    feeds: Vec<(FeedStatus, Feed)>,
    at: Time,
    /// Dropped when they are done, or given up for whatever reason.
    asking: Asking,
}

impl Claimed {
    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }
}

/// Claims every feed that is due, or just these feeds, due or not. Of what is due, it leaves what is under way and
/// whatever else is at a publisher who is being asked: it stays due.
pub fn claim(context: &Context, only: Option<&[FeedId]>) -> Result<Claimed, Fault> {
    let (now, config) = (context.now(), &context.config);
    let is_free = context.under_way.free();
    let may_ask = |status: &FeedStatus, feed: &Feed| is_free(status.no, &moves::address(status, &feed.url));
    // While something slow is under way this is asked again and again, mostly in vain: no reason to write.
    let is_vain = only.is_none() && !context.under_way.is_empty() && {
        let due = context.store.read(|read| read.feeds_due(now))?;
        !due.iter().any(|status| config.feed(&status.id).is_some_and(|feed| may_ask(status, feed)))
    };
    let claimed = if is_vain {
        Vec::new()
    } else {
        context.store.write(|write| write.claim_polls(only, config, &may_ask, now))?
    };
    let feeds: Vec<(FeedStatus, Feed)> =
        claimed.into_iter().filter_map(|status| config.feed(&status.id).cloned().map(|feed| (status, feed))).collect();
    let asked: Vec<(FeedNo, Url)> =
        feeds.iter().map(|(status, feed)| (status.no, moves::address(status, &feed.url))).collect();
    let asking = context.under_way.begin(asked.iter().map(|(feed, address)| (*feed, address)));
    Ok(Claimed { feeds, at: now, asking })
}

/// Asks the feeds that were claimed, and commits what comes of it.
pub fn ask(context: &Context, claimed: Claimed, progress: &mut dyn FnMut(Progress<'_>)) -> Result<PollReport, Fault> {
    let Claimed { feeds, at: now, asking } = claimed;
    let mut report = PollReport::default();
    if feeds.is_empty() {
        return Ok(report);
    }
    progress(Progress { done: 0, total: feeds.len(), last: None });
    let requests = feeds
        .iter()
        .map(|(status, feed)| FetchRequest {
            url: moves::address(status, &feed.url),
            validators: plan::validators_to_send(status, now),
            a_im: feed.a_im,
        })
        .collect();
    let outcomes = Mutex::new(context.fetcher.fetch_all(requests));
    let (sender, understood) = sync_channel(4);
    thread::scope(|scope| {
        for _ in 0..workers().min(feeds.len()) {
            let sender = sender.clone();
            let (outcomes, feeds) = (&outcomes, &feeds);
            scope.spawn(move || read_answers(context, feeds, outcomes, &sender));
        }
        drop(sender);
        // By value: when a commit fails, the readers must find nobody listening.
        commit_all(context, (&feeds, &asking), understood, &mut report, progress)
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
            let moved = document.moved_permanently.then(|| document.final_url.clone());
            let (answer, warnings) = understand_document(context, feed, *document);
            let is_proof = matches!(&answer, Answer::Document(arrived) if !arrived.entries.is_empty());
            let source = if is_proof { Source::of(moved) } else { Source::Nowhere };
            Understood { place, answer, source, hints, warnings }
        }
        FetchOutcome::NotModified { validators, moved, hints } => {
            let (answer, source) = (Answer::NotModified(validators), Source::of(moved));
            Understood { place, answer, source, hints, warnings: Vec::new() }
        }
        FetchOutcome::Failed { state, status, reached, cause, hints } => {
            let answer = Answer::Failed { state, status, reached, cause };
            Understood { place, answer, source: Source::Nowhere, hints, warnings: Vec::new() }
        }
    }
}

fn understand_document(context: &Context, feed: &Feed, fetched: Fetched) -> (Answer, Vec<String>) {
    let (sha256, bytes) = (hex(&Sha256::digest(&fetched.bytes)), fetched.bytes.len());
    let url = fetched.final_url.to_string();
    let arrival = match arrival::read(fetched.bytes, fetched.charset, &fetched.final_url, fetched.cut) {
        Ok(arrival) => arrival,
        Err(Unreadable { state, cause, .. }) => {
            return (Answer::Failed { state, status: Some(200), reached: true, cause }, Vec::new());
        }
    };
    let Arrival { document, converter_error } = arrival;
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
    // What cut it is noted last.
    let cut = document.partial.then(|| document.warnings.last().cloned().unwrap_or_default());
    let arrived = Arrived {
        format: document.format,
        entries: document.entries,
        judged,
        sha256,
        bytes,
        url,
        partial: document.partial,
        validators: fetched.validators,
        is_delta: fetched.is_delta,
        wishes: document.hints.wishes,
        sight: Sight { converter_error, cut, ..Sight::default() },
        room: fetched.room,
    };
    (Answer::Document(Box::new(arrived)), document.warnings)
}

/// The feeds of a round, and the list on which they are under way.
type Asked<'a> = (&'a [(FeedStatus, Feed)], &'a Asking);

/// Commits what was understood, in batches that are bounded in number and in time. What got no connection waits for the
/// end: only then is it clear whether it was the feeds or this machine.
#[expect(clippy::needless_pass_by_value, reason = "dropping it tells the readers that nobody listens")]
fn commit_all(
    context: &Context,
    feeds: Asked<'_>,
    understood: Receiver<Understood>,
    report: &mut PollReport,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Fault> {
    let mut unreached = Vec::new();
    let mut hosts = BTreeMap::new();
    while let Some(first) = next(context, &understood) {
        let mut batch = Vec::new();
        let mut entries = 0;
        let mut one = Some(first);
        while let Some(this) = one.take() {
            if let Answer::Document(arrived) = &this.answer {
                entries += arrived.entries.len();
            }
            let reached = !matches!(this.answer, Answer::Failed { reached: false, .. });
            note_host(&mut hosts, feeds.0, this.place, reached);
            let group = if reached { &mut batch } else { &mut unreached };
            group.push(this);
            if batch.len() < BATCH_POLLS && entries < BATCH_ENTRIES {
                one = understood.recv_timeout(BATCH_WAIT).ok();
            }
        }
        commit_batch(context, feeds, batch, report, progress)?;
    }
    if is_cut_off(context, &hosts, unreached.len(), report)? {
        for one in &mut unreached {
            one.answer = Answer::NoNetwork;
        }
    }
    commit_batch(context, feeds, unreached, report, progress)
}

fn note_host(hosts: &mut BTreeMap<String, bool>, feeds: &[(FeedStatus, Feed)], place: usize, reached: bool) {
    if let Some(host) = feeds.get(place).and_then(|(_, feed)| feed.url.host_str()) {
        *hosts.entry(host.to_owned()).or_default() |= reached;
    }
}

/// Whether it is this machine that has no network; not for longer than feeds may stay unseen without anybody hearing of
/// it.
fn is_cut_off(
    context: &Context,
    hosts: &BTreeMap<String, bool>,
    feeds: usize,
    report: &mut PollReport,
) -> Result<bool, Fault> {
    if hosts.is_empty() {
        return Ok(false);
    }
    let now = context.now();
    let outage = context.store.write(|write| write.see_network(hosts, feeds, now))?;
    report.lost_network = outage.is_some_and(|outage| outage.begins);
    Ok(outage.is_some_and(|outage| now.duration_since(outage.since) <= LONGEST_OUTAGE))
}

fn commit_batch(
    context: &Context,
    (feeds, asking): Asked<'_>,
    batch: Vec<Understood>,
    report: &mut PollReport,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let now = context.now();
    let over: Vec<FeedNo> = batch.iter().filter_map(|one| feeds.get(one.place)).map(|(status, _)| status.no).collect();
    let polled = context.store.write(|write| {
        let mut polled = Vec::with_capacity(batch.len());
        for one in batch {
            let Some((status, feed)) = feeds.get(one.place) else { continue };
            polled.extend(commit(context, write, (status, feed), one, now)?);
        }
        Ok(polled)
    })?;
    asking.done(over);
    context.pulse.beat();
    for feed in polled {
        report.feeds.push(feed);
        progress(Progress { done: report.feeds.len(), total: feeds.len(), last: report.feeds.last() });
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
    (claimed, feed): (&FeedStatus, &Feed),
    understood: Understood,
    now: Time,
) -> Result<Option<PolledFeed>, crate::store::StoreError> {
    let Understood { mut answer, source, hints, warnings, .. } = understood;
    let no = claimed.no;
    let Some(before) = write.read().feed_status(no)? else { return Ok(None) };
    let asked = moves::address(claimed, &feed.url);
    if write.read().feed_address(no)?.is_none_or(|url| url != asked.as_str()) {
        // A reload gave the feed another address meanwhile and made it due there: this answer is nobody's.
        return Ok(None);
    }
    let mut plans = match &mut answer {
        Answer::Document(arrived) => {
            let judged = (std::mem::take(&mut arrived.entries), std::mem::take(&mut arrived.judged));
            let first = before.baseline_at.is_none();
            let read = write.read();
            // A feed that brought nothing yet need not be asked for each of its keys.
            let is_known = read.has_brought(no, 1)?;
            let has_aliases = is_known && read.has_aliases(no)?;
            let known = |key: &identity::Key| match is_known.then(|| read.known(no, key)).transpose()?.flatten() {
                None if has_aliases => read.known_by_alias(no, key),
                found => Ok(found),
            };
            plan::entries(
                &context.config,
                feed,
                judged,
                first,
                now,
                &Lookup {
                    known: &known,
                    recent: &|limit| read.recent_entries(no, limit),
                    stored: &|entry| read.stored_version(entry),
                    heard: &|story, owner| read.heard(story, owner),
                },
            )?
        }
        _ => plan::EntryPlans::default(),
    };
    if let Answer::Document(arrived) = &mut answer {
        arrived.sight.brings_new = plans.entries.iter().any(|plan| plan.revises.is_none());
        arrived.sight.is_hollow =
            plans.total == 0 && !arrived.is_delta && write.read().has_brought(no, health::KNOWN_WELL)?;
    }
    flood::hold(&write.read(), (&context.config, feed), &before, &mut plans, now)?;
    let mut update = plan::feed_update(&context.config, feed, &before, &answer, &hints, now);
    // That nothing changed since an empty document says as little as that document.
    let says_nothing = matches!(answer, Answer::NotModified(_)) && update.status.empties > 0;
    let source = if says_nothing { Source::Nowhere } else { source };
    let moved = moves::observe(&mut update.status, &feed.url, &source, now);
    record_move(write, feed, moved.as_ref(), now)?;
    let polled = PolledFeed {
        feed: feed.id.clone(),
        state: update.status.state,
        cause: update.status.cause.clone(),
        next_poll_at: update.status.next_poll_at,
        warnings,
        not_modified: matches!(answer, Answer::NotModified(_)),
        applied: AppliedPoll::default(),
        moved,
    };
    let config = context.version;
    let applied = write.apply_poll(PollCommit { feed, answer: &answer, update, plans, config, now })?;
    Ok(Some(PolledFeed { applied, ..polled }))
}

/// A redirect that was seen once is only logged; what it leads to later is evidence.
fn record_move(
    write: &mut Write<'_>,
    feed: &Feed,
    moved: Option<&moves::Step>,
    now: Time,
) -> Result<(), crate::store::StoreError> {
    let Some(step) = moved.filter(|step| step.kind != moves::Kind::Seen).cloned() else { return Ok(()) };
    let moves::Step { kind, from, to, since, times, reason } = step;
    write.record(Event::FeedMoved { feed: feed.id.clone(), kind, from, to, since, times, reason }, now)?;
    Ok(())
}
