//! One request with its redirects, from the policy to the outcome. Every hop is checked anew: the URL, the
//! literal address, and (in `dial`) the address that a name leads to.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use reqwest::{
    Client, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::{
    body::{self, Body, Budget, Caps},
    cause::{self, NoAnswer},
    client::Clients,
    decode,
    fetcher::FetchRequest,
    gate::Gates,
    head,
};
use crate::{
    address::{check_url, literal, may_dial},
    clock::Clock,
    model::{
        feed::{FeedState, Validators},
        outcome::{CacheHints, FetchOutcome, Fetched, OUR_RULES, Room},
        settings::AddressRange,
    },
};

/// A request follows at most this many redirects.
const MOST_REDIRECTS: u32 = 5;
/// What we read, best first.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/json;q=0.9, \
                      application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5";

/// Everything that a request needs; shared by all of them.
pub(super) struct Door {
    pub(super) clients: Clients,
    pub(super) user_agent: HeaderValue,
    pub(super) gates: Gates,
    /// Room for one large document, over all batches.
    pub(super) large: Arc<Semaphore>,
    pub(super) clock: Clock,
    pub(super) allow: Arc<[AddressRange]>,
    pub(super) ports: Vec<u16>,
    pub(super) caps: Caps,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
}

/// How many requests of one batch run at once, and how many large documents of all batches.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) slots: Arc<Semaphore>,
    pub(super) large: Arc<Semaphore>,
}

/// An outcome with the room that it takes in its lane, which is given back when the outcome has been taken.
pub(super) struct Parcel {
    pub(super) outcome: FetchOutcome,
    pub(super) room: Vec<OwnedSemaphorePermit>,
}

impl Parcel {
    fn failed(state: FeedState, status: Option<StatusCode>, cause: String, hints: CacheHints) -> Self {
        let status = status.map(|status| status.as_u16());
        Self { outcome: FetchOutcome::Failed { state, status, reached: true, cause, hints }, room: Vec::new() }
    }

    fn not_modified(validators: Validators, moved: Option<Url>, hints: CacheHints) -> Self {
        Self { outcome: FetchOutcome::NotModified { validators, moved, hints }, room: Vec::new() }
    }

    fn without_answer(failure: NoAnswer, hints: CacheHints) -> Self {
        let NoAnswer { state, words: cause, reached } = failure;
        Self { outcome: FetchOutcome::Failed { state, status: None, reached, cause, hints }, room: Vec::new() }
    }
}

/// Where a request stands on its way through the redirects.
struct Journey<'a> {
    url: Url,
    known: &'a Validators,
    a_im: bool,
    redirects: u32,
    moved_permanently: bool,
    retry_after: Option<SignedDuration>,
    budget: Budget,
}

impl Door {
    /// Asks for a feed and says what came of it; never fails but with words.
    pub(super) async fn ask(&self, request: &FetchRequest, lane: &Lane) -> Parcel {
        let mut url = request.url.clone();
        url.set_fragment(None);
        let mut journey = Journey {
            url,
            known: &request.validators,
            a_im: request.a_im,
            redirects: 0,
            moved_permanently: true,
            retry_after: None,
            budget: Budget::new(self.timeout),
        };
        loop {
            if let Some(parcel) = self.hop(&mut journey, lane).await {
                return parcel;
            }
        }
    }

    /// One request; `None`: it was redirected, and the journey stands at the next URL.
    async fn hop(&self, journey: &mut Journey<'_>, lane: &Lane) -> Option<Parcel> {
        if let Err(refused) = self.admit(journey) {
            return Some(Parcel::without_answer(NoAnswer::beyond(refused), journey.hints()));
        }
        // The turn comes before the slot: a request that waits for its host takes no slot from the others.
        let mut turn = self.gates.enter(journey.url.host_str().unwrap_or_default()).await;
        let slot = Arc::clone(&lane.slots).acquire_owned().await.ok();
        let client = turn.start(|| self.clients.new_client());
        let mut parcel = match self.send(client, journey).await {
            Err(mut failure) => {
                // Whoever redirected us was reached.
                failure.reached |= journey.redirects > 0;
                Parcel::without_answer(failure, journey.hints())
            }
            Ok(response) => self.judge(response, journey, lane).await?,
        };
        parcel.room.extend(slot);
        Some(parcel)
    }

    /// Whether this URL may be asked at all.
    fn admit(&self, journey: &Journey<'_>) -> Result<(), (FeedState, String)> {
        let way = if journey.redirects > 0 { " after a redirect" } else { "" };
        let refused = |by: &str, words: String| (FeedState::Refused, format!("{by}{way}: {words}"));
        check_url(&journey.url, &[]).map_err(|words| refused("refused", words))?;
        // From here on it is the configuration that decides.
        check_url(&journey.url, &self.ports).map_err(|words| refused(OUR_RULES, words))?;
        match literal(&journey.url) {
            Some(ip) if !may_dial(ip, &self.allow) => Err(refused(OUR_RULES, "its address is not public".to_owned())),
            _ => Ok(()),
        }
    }

    async fn send(&self, client: reqwest::Result<Client>, journey: &mut Journey<'_>) -> Result<Response, NoAnswer> {
        let failure = |error: &reqwest::Error| cause::of(error, self.connect_timeout, self.clients.has_roots);
        let client = client.map_err(|error| failure(&error))?;
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPTED));
        headers.extend(head::conditions(journey.known));
        if journey.wants_delta() {
            headers.insert(HeaderName::from_static("a-im"), HeaderValue::from_static("feed"));
        }
        let request = client.get(journey.url.clone()).headers(headers).send();
        let response = match journey.budget.spend(request).await {
            Err(_) => return Err(NoAnswer::beyond((FeedState::Broken, journey.budget.no_answer()))),
            Ok(Err(error)) => return Err(failure(&error)),
            Ok(Ok(response)) => response,
        };
        // The resolver has filtered what was dialled; this holds even if a later version of the client dials by
        // other ways.
        match response.remote_addr() {
            Some(remote) if !may_dial(remote.ip(), &self.allow) => {
                let words = format!("{OUR_RULES}: the answer came from an address that is not public");
                Err(NoAnswer::beyond((FeedState::Refused, words)))
            }
            _ => Ok(response),
        }
    }

    /// What an answer means; `None`: it was a redirect, and the journey stands at the next URL.
    async fn judge(&self, response: Response, journey: &mut Journey<'_>, lane: &Lane) -> Option<Parcel> {
        let status = response.status();
        let mut hints = head::hints(response.headers(), self.clock.now());
        hints.retry_after = hints.retry_after.max(journey.retry_after);
        if head::is_challenged(response.headers()) {
            let (state, words) = head::failure(status, true);
            return Some(Parcel::failed(state, Some(status), words, hints));
        }
        if let Some(permanent) = head::redirect(status) {
            journey.retry_after = hints.retry_after;
            let (state, words) = journey.follow(&response, permanent).err()?;
            return Some(Parcel::failed(state, Some(status), words, hints));
        }
        let validators = head::validators(response.headers());
        let same = journey.known.etag.is_some() && journey.known.etag == validators.etag;
        Some(match status {
            // A server that ignores the condition and sends the same document again.
            StatusCode::OK if same => Parcel::not_modified(validators, journey.moved(), hints),
            StatusCode::OK => self.document(response, validators, hints, journey, lane).await,
            StatusCode::IM_USED if journey.wants_delta() && head::is_feed_delta(response.headers()) => {
                self.document(response, validators, hints, journey, lane).await
            }
            StatusCode::NOT_MODIFIED if !journey.known.is_empty() => {
                Parcel::not_modified(validators, journey.moved(), hints)
            }
            _ => {
                let (state, words) = head::failure(status, false);
                Parcel::failed(state, Some(status), words, hints)
            }
        })
    }

    async fn document(
        &self,
        mut response: Response,
        validators: Validators,
        hints: CacheHints,
        journey: &mut Journey<'_>,
        lane: &Lane,
    ) -> Parcel {
        let status = response.status();
        let encodings = response.headers().get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let codings = match decode::codings(encodings) {
            Ok(codings) => codings,
            Err(words) => return Parcel::failed(FeedState::Broken, Some(status), words, hints),
        };
        let charset = head::charset(response.headers());
        let remote = response.remote_addr();
        let body = body::read(&mut response, &codings, self.caps, &mut journey.budget, &lane.large).await;
        let Body { bytes, wire_bytes, cut, large } = body;
        if let (true, Some(words)) = (bytes.is_empty(), &cut) {
            let words = format!("nothing of the document came: {words}");
            return Parcel::failed(FeedState::Broken, Some(status), words, hints);
        }
        let moved_permanently = journey.moved().is_some();
        let final_url = journey.url.clone();
        let room = large.map(Room::taken).unwrap_or_default();
        let document = Fetched {
            bytes,
            wire_bytes,
            cut,
            charset,
            validators,
            is_delta: status == StatusCode::IM_USED,
            final_url,
            moved_permanently,
            remote,
            room,
        };
        let outcome = FetchOutcome::Fetched { document: Box::new(document), hints };
        Parcel { outcome, room: Vec::new() }
    }
}

impl Journey<'_> {
    /// Where it stands, if only permanent redirects led there.
    fn moved(&self) -> Option<Url> {
        (self.redirects > 0 && self.moved_permanently).then(|| self.url.clone())
    }

    /// Whether only what is new is asked for: it must be clear against what it is new (RFC 3229 section 10.5.3).
    fn wants_delta(&self) -> bool {
        self.a_im && self.known.etag.is_some()
    }

    /// What a redirect said of when to come back, where no answer came behind it.
    fn hints(&self) -> CacheHints {
        CacheHints { retry_after: self.retry_after, ..CacheHints::default() }
    }

    /// Steps to where a redirect leads, or says why not.
    fn follow(&mut self, response: &Response, permanent: bool) -> Result<(), (FeedState, String)> {
        if self.redirects == MOST_REDIRECTS {
            return Err((FeedState::Broken, format!("more than {MOST_REDIRECTS} redirects")));
        }
        self.url = head::target(&self.url, response.headers(), response.status().as_u16())?;
        self.redirects += 1;
        self.moved_permanently &= permanent;
        Ok(())
    }
}
