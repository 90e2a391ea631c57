//! The door as the verbs see it: blocking calls in front of a small runtime of its own.

use std::{
    fmt,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use jiff::SignedDuration;
use reqwest::header::HeaderValue;
use rustls::RootCertStore;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{Semaphore, mpsc},
};
use url::Url;

use super::{
    body::Caps,
    client::Clients,
    dial::{PolicyResolver, Resolver},
    door::{Door, Lane, Parcel},
    gate::Gates,
};
use crate::{
    clock::Clock,
    model::{
        feed::{FeedState, Validators},
        outcome::{CacheHints, FetchOutcome},
        settings::FetchSettings,
    },
};

/// How many requests of one batch run at once.
const CONCURRENT: usize = 32;
/// How many outcomes may wait to be taken.
const WAITING: usize = 8;
/// The most time that a connection may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Threads for lookups of names; one that hangs cannot be stopped, only left alone.
const LOOKUP_THREADS: usize = 128;

/// Why a fetcher cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The contact cannot stand in a header.
    #[error("the contact cannot stand in the User-Agent: {0:?}")]
    Contact(String),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// The machine gives no threads.
    #[error("the fetch threads cannot be started: {0}")]
    Threads(#[from] std::io::Error),
}

/// A feed to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where it is.
    pub url: Url,
    /// The validators of what we have, sent byte for byte; empty ones make the request unconditional.
    pub validators: Validators,
    /// Whether only what is new is asked for (`A-IM: feed`, RFC 3229); takes effect with an `ETag`.
    pub a_im: bool,
}

/// Asks publishers for feeds. A clone shares connections and the manners towards hosts with the original.
#[derive(Clone)]
pub struct Fetcher {
    door: Arc<Door>,
    runtime: Arc<Background>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

/// A runtime that can be dropped anywhere, also inside another one.
struct Background(Option<Runtime>);

impl Background {
    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Fetcher {
    /// A fetcher that trusts the certificate authorities of the machine.
    pub fn new(settings: &FetchSettings, clock: Clock, resolver: Resolver) -> Result<Fetcher, FetchError> {
        Self::with_roots(settings, clock, resolver, roots_of_the_machine())
    }

    /// A fetcher under other settings that goes on where this one stands: a host that was asked a moment ago is not
    /// asked again before its gap is over, nor while this one still asks it.
    pub fn renewed(&self, settings: &FetchSettings, clock: Clock, resolver: Resolver) -> Result<Fetcher, FetchError> {
        let gates = self.door.gates.renewed(std_duration(settings.per_host_gap));
        Self::build(settings, clock, resolver, roots_of_the_machine(), gates, Arc::clone(&self.door.large))
    }

    /// A fetcher that trusts these certificate authorities and no others.
    pub fn with_roots(
        settings: &FetchSettings,
        clock: Clock,
        resolver: Resolver,
        roots: RootCertStore,
    ) -> Result<Fetcher, FetchError> {
        let gates = Gates::new(std_duration(settings.per_host_gap));
        Self::build(settings, clock, resolver, roots, gates, Arc::new(Semaphore::new(1)))
    }

    fn build(
        settings: &FetchSettings,
        clock: Clock,
        resolver: Resolver,
        roots: RootCertStore,
        gates: Gates,
        large: Arc<Semaphore>,
    ) -> Result<Fetcher, FetchError> {
        let timeout = std_duration(settings.timeout);
        let connect_timeout = CONNECT_TIMEOUT.min(timeout);
        let allow: Arc<[_]> = settings.allow_addresses.as_slice().into();
        let policy = PolicyResolver { resolver, allow: Arc::clone(&allow) };
        let clients = Clients::new(roots, policy, connect_timeout)?;
        // What is wrong with the machine shows now, and not at the first poll.
        clients.new_client()?;
        let door = Door {
            clients,
            user_agent: user_agent(settings.contact.as_deref())?,
            gates,
            large,
            clock,
            allow,
            ports: settings.allow_ports.clone(),
            caps: Caps { wire: settings.max_wire, decoded: settings.max_decoded },
            timeout,
            connect_timeout,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(LOOKUP_THREADS)
            .thread_name("fetch")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Fetcher { door: Arc::new(door), runtime: Arc::new(Background(Some(runtime))) })
    }

    /// Asks for one feed and waits for the outcome. Not for use on a thread that is taking outcomes from
    /// [`Fetcher::fetch_all`]: a host's turn may be held by an outcome that waits to be taken.
    pub fn fetch(&self, request: FetchRequest) -> FetchOutcome {
        let (give, take) = sync_channel(1);
        let door = Arc::clone(&self.door);
        if let Some(runtime) = self.runtime.handle() {
            runtime.spawn(async move {
                let lane = Lane { slots: Arc::new(Semaphore::new(1)), large: Arc::clone(&door.large) };
                let parcel = door.ask(&request, &lane).await;
                let _gone = give.send(parcel.outcome);
            });
        }
        take.recv().unwrap_or_else(|_| given_up())
    }

    /// Asks for many feeds at once and gives each outcome, with the place of its request, as soon as it is there.
    ///
    /// Outcomes wait to be taken: few bodies lie about at any time, and while none is taken, no new request of the batch
    /// starts. Over all batches only one large body is there until its [`Room`](crate::model::outcome::Room) is given
    /// back. Dropping the receiver stops what is still under way. When the receiver ends
    /// before every request has its outcome, the machine had no thread left for the batch.
    pub fn fetch_all(&self, requests: Vec<FetchRequest>) -> Receiver<(usize, FetchOutcome)> {
        let (give, take) = sync_channel(0);
        let (parcels, arriving) = mpsc::channel(WAITING);
        let lane = Lane { slots: Arc::new(Semaphore::new(CONCURRENT)), large: Arc::clone(&self.door.large) };
        if let Some(runtime) = self.runtime.handle() {
            for (place, request) in requests.into_iter().enumerate() {
                runtime.spawn(carry(Arc::clone(&self.door), lane.clone(), place, request, parcels.clone()));
            }
        }
        drop(parcels);
        // The runtime must outlive the batch, whatever becomes of the fetcher that began it.
        let runtime = Arc::clone(&self.runtime);
        let counter = std::thread::Builder::new().name("fetch-counter".to_owned());
        let _thread = counter.spawn(move || {
            hand_over(arriving, &give);
            drop(runtime);
        });
        take
    }
}

/// Gives outcomes to whoever takes them, and their room back only then.
fn hand_over(mut arriving: mpsc::Receiver<(usize, Parcel)>, give: &SyncSender<(usize, FetchOutcome)>) {
    while let Some((place, parcel)) = arriving.blocking_recv() {
        if give.send((place, parcel.outcome)).is_err() {
            return;
        }
        drop(parcel.room);
    }
}

/// One request of a batch; an error in our own code becomes that feed's failure and nobody else's.
async fn carry(
    door: Arc<Door>,
    lane: Lane,
    place: usize,
    request: FetchRequest,
    parcels: mpsc::Sender<(usize, Parcel)>,
) {
    let mut asked = tokio::spawn(async move { door.ask(&request, &lane).await });
    let parcel = tokio::select! {
        () = parcels.closed() => {
            asked.abort();
            return;
        }
        answered = &mut asked => answered,
    };
    let parcel = parcel.unwrap_or_else(|_| Parcel { outcome: given_up(), room: Vec::new() });
    let _gone = parcels.send((place, parcel)).await;
}

fn given_up() -> FetchOutcome {
    FetchOutcome::Failed {
        state: FeedState::Broken,
        status: None,
        reached: true,
        cause: "sigtrail gave the request up because of an error of its own".to_owned(),
        hints: CacheHints::default(),
    }
}

fn roots_of_the_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// `sigtrail/1.2.3 (+contact)`: who asks, and whom to write to.
fn user_agent(contact: Option<&str>) -> Result<HeaderValue, FetchError> {
    let product = concat!("sigtrail/", env!("CARGO_PKG_VERSION"));
    let text = contact.map_or_else(|| product.to_owned(), |contact| format!("{product} (+{contact})"));
    HeaderValue::from_str(&text).map_err(|_| FetchError::Contact(contact.unwrap_or_default().to_owned()))
}

/// A length of time; a negative one is none.
fn std_duration(span: SignedDuration) -> Duration {
    Duration::try_from(span).unwrap_or_default()
}
