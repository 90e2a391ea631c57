//! Floor 3, the verbs: load, decide, commit. One file per verb; here is what they all need, and `tick`.

pub mod acknowledge;
mod arrival;
pub mod checkpoint;
pub mod deliver;
pub mod digest;
pub mod disown;
pub mod drop;
pub mod flood;
mod hand_over;
pub mod inbound;
pub mod links;
mod notice;
mod occasion;
pub mod poll;
pub mod probe;
pub mod pulse;
pub mod purge;
pub mod start;
pub mod status;
mod story;
mod trail;
pub mod unanswered;
pub mod under_way;
pub mod vitals;
pub mod wake;

use std::sync::Arc;

pub use self::pulse::{Pulse, Stop};
use crate::{
    clock::Clock,
    fetch::{FetchError, Fetcher},
    key::{EvidenceKey, KeyError},
    mail::{MailError, Mailer},
    model::{id::ConfigVersion, settings::Config, time::Time},
    store::{Store, StoreError, log::LogError},
    tag::{Matcher, MatcherError},
    token::LinkKey,
};

/// What every verb works with. Cheap to clone; a reload makes a new one.
#[derive(Clone)]
pub struct Context {
    /// The store.
    pub store: Store,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Its number.
    pub version: ConfigVersion,
    /// The time.
    pub clock: Clock,
    /// The terms of the stack, ready to search.
    pub matcher: Arc<Matcher>,
    /// The door to the feeds.
    pub fetcher: Fetcher,
    /// The door to the mail server.
    pub mailer: Arc<Mailer>,
    /// Signs links.
    pub link_key: Arc<LinkKey>,
    /// Signs checkpoints.
    pub evidence_key: Arc<EvidenceKey>,
    /// Which feeds are being asked; a reload keeps it.
    pub under_way: under_way::UnderWay,
    /// Whether the verb at work shall come to an end soon.
    pub stop: Stop,
    /// Where it shows that it goes on.
    pub pulse: Pulse,
}

impl Context {
    /// What time it is.
    pub fn now(&self) -> Time {
        self.clock.now()
    }
}

/// We or the disk failed: nothing that the world outside did.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The evidence log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The fetch door.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The mail door.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The terms of the stack.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// A digest could not be composed.
    #[error("digest: {0}")]
    Compose(String),
    /// A file beside the database.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// What one tick did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TickReport {
    /// Polling.
    pub poll: poll::PollReport,
    /// What came back.
    pub inbound: inbound::InboundReport,
    /// Digests composed.
    pub digests: digest::DigestReport,
    /// Deliveries.
    pub deliveries: deliver::DeliverReport,
}

/// How often one turn composes and sends: again only where stories of a digest that did not leave are told anew at once.
/// What is left then goes in the next turn.
const MAIL_ROUNDS: usize = 8;

/// Does everything that is due now, once: what the daemon does in a loop.
pub fn tick(context: &Context, progress: &mut dyn FnMut(poll::Progress<'_>)) -> Result<TickReport, Fault> {
    let poll = poll::poll(context, None, progress)?;
    let inbound = inbound::look_due(context)?;
    let (digests, deliveries) = mail_due(context)?;
    Ok(TickReport { poll, inbound, digests, deliveries })
}

/// The half of a tick that needs no feed: digests, deliveries, retention, the day's summary and the checkpoint.
pub fn mail_due(context: &Context) -> Result<(digest::DigestReport, deliver::DeliverReport), Fault> {
    let now = context.now();
    let mut deliveries = deliver::settle_unfinished(context)?;
    context.store.write(|write| {
        write.bring_polls_back(&context.config, now)?;
        write.summarise_quiet_polls(now)
    })?;
    checkpoint::checkpoint(context)?;
    context.pulse.beat();
    flood::release_due(context)?;
    let mut digests = digest::DigestReport::default();
    for _ in 0..MAIL_ROUNDS {
        let composed = digest::digest_due(context)?;
        digests.digests.extend(composed.digests);
        digests.failed = composed.failed;
        let sent = deliver::deliver_due(context)?;
        deliveries.deliveries.extend(sent.deliveries);
        if sent.to_compose_anew == 0 {
            break;
        }
    }
    if !context.stop.is_asked() {
        context.pulse.beat();
        purge::purge_due(context)?;
    }
    checkpoint::checkpoint(context)?;
    Ok((digests, deliveries))
}
