//! Probe: ask for one feed as a poll would, find it where only its page is known, and say what it would mean. Loads and
//! decides, and commits nothing: there is no store here.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use jiff::SignedDuration;
use url::Url;

use super::arrival::{self, Arrival, Unreadable};
use crate::{
    catalogue::{self, Listed},
    clock::Stopwatch,
    config::DEFAULT_BASELINE,
    discover::{self, Candidate, How},
    fetch::{FetchRequest, Fetcher},
    link,
    model::{
        entry::Document,
        feed::{Feed, FeedState, Tlp, Unmatched, Validators},
        id::{FeedId, GroupId, OwnerId},
        outcome::{CacheHints, FetchOutcome, Fetched},
        settings::Config,
        time::Time,
    },
    outlook::{self, Outlook},
    register::{Proposal, Source, insert, propose},
    repair,
    tag::Matcher,
    text::clean,
};

/// How many addresses are asked at the most, the first one included.
pub const MOST_TRIES: usize = 8;
/// The longest name that a draft takes over from a document's title, in bytes.
const LONGEST_NAME: usize = 80;

/// What a probe works with: no state is among it.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'p> {
    /// The configuration in force.
    pub config: &'p Config,
    /// The terms of the stack, ready to search.
    pub matcher: &'p Matcher,
    /// The door to the feeds: the same address policy, manners and User-Agent as of every poll.
    pub fetcher: &'p Fetcher,
    /// What time it is.
    pub now: Time,
    /// The feeds that a state knows, with their addresses; empty where there is none.
    pub remembered: &'p [(FeedId, String)],
}

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Asked<'a> {
    /// A feed of the configuration, at the address that it is asked at.
    Feed(&'a Feed, Url),
    /// An address: of a feed, or of a page with a feed behind it.
    Address(Url),
}

/// One address that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Which.
    pub url: Url,
    /// How it came to be asked.
    pub how: How,
    /// The state that the answer would put a feed in; `Ok` where it was a feed.
    pub state: FeedState,
    /// What came, in words.
    pub said: String,
}

/// A document that was read as a feed.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The address that was asked.
    pub url: Url,
    /// The address that answered, after redirects.
    pub final_url: Url,
    /// Whether all of these redirects were permanent.
    pub moved_permanently: bool,
    /// How the address was found.
    pub how: How,
    /// What the document says.
    pub document: Document,
    /// Its size in bytes.
    pub bytes: usize,
    /// How many bytes came over the wire.
    pub wire_bytes: u64,
    /// How long the answer took, the wait for the host's turn included.
    pub took: Duration,
    /// The validators that came with it.
    pub validators: Validators,
    /// How long the response says that it stays fresh, and when to come back.
    pub hints: CacheHints,
}

impl Reading {
    /// The address to write into `feeds.toml`: the one that answered where the move is for good.
    pub fn address(&self) -> &Url {
        if self.moved_permanently { &self.final_url } else { &self.url }
    }

    /// For how long the document itself says that it stays fresh.
    pub fn ttl(&self) -> Option<SignedDuration> {
        self.document.hints.wishes.ttl_seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds)))
    }

    /// Whether another address answered than was asked.
    pub fn is_redirected(&self) -> bool {
        self.final_url != self.url
    }
}

/// Where the feed stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// In `feeds.toml`.
    Configured,
    /// In the catalogue only.
    Listed(&'static Listed),
    /// Nowhere.
    Nowhere,
}

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The address that was asked for.
    pub asked: Url,
    /// Whether it was asked for as a feed of the configuration.
    pub is_configured: bool,
    /// Every address that was asked, in order; at least one.
    pub tries: Vec<Try>,
    /// The document, where one was found.
    pub reading: Option<Reading>,
    /// Feeds that the page names and that were not asked.
    pub also: Vec<Candidate>,
    /// The feed as which it is judged: the configured one, or a draft of one.
    pub feed: Feed,
    /// Where it stands already.
    pub known: Known,
    /// What to write into `feeds.toml`; `None` where the feed is there already, or there is none.
    pub proposal: Option<Proposal>,
    /// What it would mean.
    pub outlook: Option<Outlook>,
}

impl Probed {
    /// Whether what was asked for can be polled: a configured feed at its own address, anything else where it was found.
    pub fn is_good(&self) -> bool {
        match &self.reading {
            Some(reading) => !self.is_configured || reading.how == How::Asked,
            None => false,
        }
    }

    /// The tables to write into `feeds.toml`, where there is something to write.
    pub fn block(&self) -> Option<String> {
        let proposal = self.proposal.as_ref()?;
        insert("", proposal.group.as_ref(), std::slice::from_ref(&proposal.feed)).ok()
    }

    /// What stands in the way, in words; of the address that was asked for, where that was asked at all.
    pub fn trouble(&self) -> Option<&Try> {
        let failed = |one: &&Try| one.state != FeedState::Ok;
        self.tries.iter().filter(failed).find(|one| one.how == How::Asked).or_else(|| self.tries.iter().find(failed))
    }
}

/// Asks for a feed and says what came of it. Bad weather is in the answer, never an error.
///
/// At most [`MOST_TRIES`] addresses are asked, and no further one after twice `fetch.timeout`: the rules for known sites
/// first, then the address itself; behind a page what it names, what it links to, and usual addresses; and where the
/// address is gone, the same behind the front page of its site.
pub fn probe(probe: &Probe<'_>, asked: &Asked<'_>) -> Probed {
    let (url, configured) = match asked {
        Asked::Feed(feed, at) => (at.clone(), Some(*feed)),
        Asked::Address(url) => (url.clone(), None),
    };
    let mut walk = Walk::begin(probe, &url, configured.is_none());
    while walk.reading.is_none() && walk.step() {}
    let reading = walk.reading.or(walk.spare);
    let configured = configured.or_else(|| {
        let mut addresses = reading.iter().flat_map(|reading| [&reading.url, &reading.final_url]).chain([&url]);
        addresses.find_map(|url| configured_at(probe.config, url))
    });
    let found = reading.as_ref().map_or(&url, |reading| reading.address());
    let listed = catalogue::by_address(found.as_str()).or_else(|| catalogue::by_address(url.as_str()));
    let (feed, known, proposal) = if let Some(feed) = configured {
        (feed.clone(), Known::Configured, None)
    } else {
        let proposal = proposed(probe, found, reading.as_ref(), listed);
        let known = listed.map_or(Known::Nowhere, Known::Listed);
        (draft(probe.config, found, &proposal), known, reading.as_ref().map(|_| proposal))
    };
    let outlook = reading
        .as_ref()
        .map(|reading| outlook::outlook(probe.config, probe.matcher, &feed, &reading.document, probe.now));
    let is_configured = matches!(asked, Asked::Feed(..));
    let also = walk.queue.into_iter().filter(|one| one.how == How::Named).collect();
    Probed { asked: url, is_configured, tries: walk.tries, reading, also, feed, known, proposal, outlook }
}

/// What to write for what was found.
fn proposed(probe: &Probe<'_>, url: &Url, reading: Option<&Reading>, listed: Option<&Listed>) -> Proposal {
    let title = reading.and_then(|reading| reading.document.title.as_deref());
    let title = title.map(|title| clean(title, LONGEST_NAME)).filter(|title| !title.is_empty());
    let is_taken = |id: &str| {
        let is_anothers = |(known, address): &(FeedId, String)| known.as_str() == id && address != url.as_str();
        probe.config.feed(&FeedId::new(id)).is_some() || probe.remembered.iter().any(is_anothers)
    };
    propose(probe.config, &Source { listed, title: title.as_deref(), ..Source::at(url) }, &is_taken)
}

fn configured_at<'c>(config: &'c Config, url: &Url) -> Option<&'c Feed> {
    let asked = link::canonical(url.as_str())?;
    config.feeds.iter().find(|feed| link::canonical(feed.url.as_str()).as_ref() == Some(&asked))
}

/// From one address to the next, until a feed is found.
struct Walk<'p> {
    probe: &'p Probe<'p>,
    watch: Stopwatch,
    queue: VecDeque<Candidate>,
    seen: HashSet<Url>,
    tries: Vec<Try>,
    reading: Option<Reading>,
    /// A feed without entries that was not asked for by name: better than nothing.
    spare: Option<Reading>,
}

/// What one address gave.
enum Given {
    Feed(Box<Reading>),
    /// A web page, with the address that answered.
    Page(String, Url),
    Nothing,
}

impl<'p> Walk<'p> {
    fn begin(probe: &'p Probe<'p>, url: &Url, by_rule: bool) -> Self {
        let mut queue: VecDeque<Candidate> = if by_rule { discover::by_rule(url).into() } else { VecDeque::new() };
        queue.push_back(Candidate::new(url.clone(), How::Asked));
        Self {
            probe,
            watch: Stopwatch::start(),
            queue,
            seen: HashSet::new(),
            tries: Vec::new(),
            reading: None,
            spare: None,
        }
    }

    /// Asks the next address; false when there is none, or it is time to stop.
    fn step(&mut self) -> bool {
        let patience = self.probe.config.fetch.timeout.saturating_mul(2).unsigned_abs();
        if self.tries.len() >= MOST_TRIES || (!self.tries.is_empty() && self.watch.elapsed() > patience) {
            return false;
        }
        let Some(candidate) = self.queue.pop_front() else { return false };
        if !self.seen.insert(candidate.url.clone()) {
            return true;
        }
        match self.ask(&candidate) {
            Given::Feed(reading) if reading.document.entries.is_empty() && candidate.how != How::Asked => {
                self.spare.get_or_insert(*reading);
            }
            Given::Feed(reading) => self.reading = Some(*reading),
            Given::Page(html, url) if matches!(candidate.how, How::Asked | How::FrontPage) => {
                self.queue.extend(discover::on_page(&html, &url));
                self.queue.extend(discover::guesses(&url));
            }
            Given::Nothing if candidate.how == How::Asked => {
                let is_gone = self.tries.last().is_some_and(|last| last.state == FeedState::Gone);
                self.queue.extend(is_gone.then(|| discover::front_page(&candidate.url)).flatten());
            }
            Given::Page(..) | Given::Nothing => {}
        }
        true
    }

    /// Asks one address, unconditionally, and notes what came.
    fn ask(&mut self, candidate: &Candidate) -> Given {
        let watch = Stopwatch::start();
        let request = FetchRequest { url: candidate.url.clone(), validators: Validators::default(), a_im: false };
        let outcome = self.probe.fetcher.fetch(request);
        let (state, said, given) = match outcome {
            FetchOutcome::Fetched { document, hints } => understand(*document, hints, candidate, watch),
            FetchOutcome::NotModified { .. } => {
                (FeedState::Broken, "not modified, without having been asked (304)".to_owned(), Given::Nothing)
            }
            FetchOutcome::Failed { state, cause, .. } => (state, cause, Given::Nothing),
        };
        self.tries.push(Try { url: candidate.url.clone(), how: candidate.how, state, said });
        given
    }
}

fn understand(fetched: Fetched, hints: CacheHints, asked: &Candidate, watch: Stopwatch) -> (FeedState, String, Given) {
    let took = watch.elapsed();
    let Fetched { bytes, wire_bytes, cut, charset, validators, final_url, moved_permanently, .. } = fetched;
    let kept = bytes.clone();
    let document = match arrival::read(bytes, charset.clone(), &final_url, cut) {
        Ok(Arrival { mut document, converter_error }) => {
            document.warnings.extend(converter_error);
            document
        }
        Err(Unreadable { state, cause, is_page: true }) => {
            let html = repair::decode(&kept, charset.as_deref()).text.into_owned();
            return (state, cause, Given::Page(html, final_url));
        }
        Err(Unreadable { state, cause, .. }) => return (state, cause, Given::Nothing),
    };
    let said = match document.entries.len() {
        1 => "a feed with 1 entry".to_owned(),
        number => format!("a feed with {number} entries"),
    };
    let reading = Reading {
        url: asked.url.clone(),
        final_url,
        moved_permanently,
        how: asked.how,
        document,
        bytes: kept.len(),
        wire_bytes,
        took,
        validators,
        hints,
    };
    (FeedState::Ok, said, Given::Feed(Box::new(reading)))
}

/// The feed that a proposal would make.
fn draft(config: &Config, url: &Url, proposal: &Proposal) -> Feed {
    let of = &proposal.feed;
    let every = of.every.as_deref().and_then(|every| every.parse().ok());
    Feed {
        id: FeedId::new(of.id.as_str()),
        name: of.name.clone(),
        url: url.clone(),
        owner: OwnerId::new(of.owner.as_str()),
        group: of.group.as_deref().map(GroupId::new).filter(|id| config.group(id).is_some()),
        every: every.unwrap_or(config.fetch.every).max(config.fetch.min_interval),
        every_stated: every.is_some(),
        a_im: false,
        expect: None,
        unmatched: match of.unmatched.as_deref() {
            Some("owner") => Unmatched::Owner,
            Some("none") => Unmatched::None,
            _ => Unmatched::List,
        },
        baseline: usize::try_from(DEFAULT_BASELINE).unwrap_or(usize::MAX),
        tlp: Tlp::Clear,
        topics: Vec::new(),
        enabled: true,
    }
}
