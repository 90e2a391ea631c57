//! Start: open or make the state, check the log against its newest checkpoint, and load the configuration.

use std::{path::Path, sync::Arc};

use super::{Context, Fault, Pulse, Stop, checkpoint, under_way::UnderWay};
use crate::{
    clock::Clock,
    evidence::event::Event,
    fetch::{Fetcher, Resolver},
    key::{self, EvidenceKey},
    mail::Mailer,
    model::settings::Config,
    store::{Faults, LoadedConfiguration, Store, log},
    tag::Matcher,
    token::LinkKey,
};

/// What a start needs beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// How names become addresses.
    pub resolver: Resolver,
    /// Failures that a test asks for.
    pub faults: Faults,
}

/// Opens the state in this folder, making it where there is none, and loads the configuration into it. Errors: a
/// broken log, after which nothing is written; a missing key beside an existing log; the disk.
pub fn start(config: Config, state: &Path, around: Surroundings) -> Result<(Context, LoadedConfiguration), Fault> {
    let store = Store::create(state, around.clock.clone(), around.faults)?;
    let (evidence_key, link_key) = open_log(&store, state, &config)?;
    let now = around.clock.now();
    let loaded = store.write(|write| write.load_configuration(&config, now))?;
    let context = Context {
        matcher: Arc::new(Matcher::new(&config.components, &config.topics)?),
        fetcher: Fetcher::new(&config.fetch, around.clock.clone(), around.resolver)?,
        mailer: Arc::new(Mailer::open(&config.mail, &state.join("outbox"))?),
        config: Arc::new(config),
        version: loaded.version,
        clock: around.clock,
        link_key: Arc::new(link_key),
        evidence_key: Arc::new(evidence_key),
        under_way: UnderWay::default(),
        stop: Stop::default(),
        pulse: Pulse::default(),
        store,
    };
    Ok((context, loaded))
}

/// The same state under another configuration: what a reload does. The doors are opened anew, and nothing of the
/// old context changes when it fails.
pub fn reload(context: &Context, config: Config, resolver: Resolver) -> Result<(Context, LoadedConfiguration), Fault> {
    let matcher = Arc::new(Matcher::new(&config.components, &config.topics)?);
    let fetcher = context.fetcher.renewed(&config.fetch, context.clock.clone(), resolver)?;
    let mailer = Arc::new(Mailer::open(&config.mail, &context.store.dir().join("outbox"))?);
    let now = context.now();
    let loaded = context.store.write(|write| write.load_configuration(&config, now))?;
    let renewed =
        Context { matcher, fetcher, mailer, config: Arc::new(config), version: loaded.version, ..context.clone() };
    Ok((renewed, loaded))
}

/// The state as it is, for a look: nothing is made, loaded or recorded. The keys must be there.
pub fn look(config: Config, state: &Path, around: Surroundings) -> Result<Context, Fault> {
    let store = Store::open(state, around.clock.clone())?;
    let version = store.read(|read| read.configuration_version())?;
    let evidence_key = key::evidence_key(state, &config.evidence.origin, true)?;
    Ok(Context {
        matcher: Arc::new(Matcher::new(&config.components, &config.topics)?),
        fetcher: Fetcher::new(&config.fetch, around.clock.clone(), around.resolver)?,
        mailer: Arc::new(Mailer::open(&config.mail, &state.join("outbox"))?),
        config: Arc::new(config),
        version,
        clock: around.clock,
        link_key: Arc::new(key::link_key(state)?),
        evidence_key: Arc::new(evidence_key),
        under_way: UnderWay::default(),
        stop: Stop::default(),
        pulse: Pulse::default(),
        store,
    })
}

fn open_log(store: &Store, state: &Path, config: &Config) -> Result<(EvidenceKey, LinkKey), Fault> {
    let begun = store.with_connection(|connection| log::size(connection).map_err(Fault::from))? > 0;
    let origin = &config.evidence.origin;
    let evidence_key = key::evidence_key(state, origin, begun)?;
    let link_key = key::link_key(state)?;
    let path = state.join(checkpoint::FILE);
    let kept = log::kept_note(&path).map_err(|error| Fault::File { path, error })?;
    store.with_connection(|connection| {
        log::self_check(connection, kept.as_deref(), &evidence_key.verifier).map_err(Fault::from)
    })?;
    if !begun {
        let now = store.clock().now();
        store.write(|write| write.record(Event::LogBegun { origin: origin.clone() }, now))?;
    }
    Ok((evidence_key, link_key))
}
