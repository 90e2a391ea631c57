//! The asynchronous side: the acknowledgement page, the listener of monitoring and the signals, on a small runtime of
//! their own.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc::Sender},
};

use tokio::{
    runtime::{Builder, Runtime},
    select,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{Message, Part};
use crate::{
    cli::Failure,
    jobs::{Context, vitals::Moving},
    model::settings::Config,
    web::{self, Desk, Monitor},
};

/// Threads for answers that wait for the store.
const ANSWER_THREADS: usize = 16;

/// The runtime of the page and the signals.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(ANSWER_THREADS)
        .thread_name("page")
        .enable_all()
        .build()
        .map_err(|error| Failure::Service(format!("the threads of the page cannot be started: {error}")))
}

/// Listens to signals from now on: SIGTERM and SIGINT end the service, SIGHUP reloads.
pub(super) fn signals(runtime: &Runtime, sender: &Sender<Message>) -> Result<(), Failure> {
    let _inside = runtime.enter();
    let open = |kind| signal(kind).map_err(|error| Failure::Service(format!("signals cannot be heard: {error}")));
    let (mut terminate, mut interrupt) = (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let mut hang_up = open(SignalKind::hangup())?;
    let sender = sender.clone();
    runtime.spawn(async move {
        loop {
            let message = select! {
                Some(()) = terminate.recv() => Message::Stop("SIGTERM"),
                Some(()) = interrupt.recv() => Message::Stop("SIGINT"),
                Some(()) = hang_up.recv() => Message::Reload,
                else => return,
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The acknowledgement page.
pub(super) struct Page {
    /// Where it listens.
    pub(super) address: SocketAddr,
    config: Arc<RwLock<Arc<Config>>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Page {
    /// Opens the page. Errors: nobody can listen at this address.
    pub(super) fn open(runtime: &Runtime, context: &Context, sender: &Sender<Message>) -> Result<Page, Failure> {
        let listen = context.config.web.listen;
        let no_page = |error: io::Error| {
            Failure::Service(format!("nobody can listen at {listen}: {error} (`listen` under [web])"))
        };
        let _inside = runtime.enter();
        let listener = web::listen(listen).map_err(no_page)?;
        let address = listener.local_addr().map_err(no_page)?;
        let config = Arc::new(RwLock::new(Arc::clone(&context.config)));
        let desk = Desk {
            store: context.store.clone(),
            config: Arc::clone(&config),
            key: Arc::clone(&context.link_key),
            clock: context.clock.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let sender = sender.clone();
        runtime.spawn(async move {
            let until = async {
                // A page that was dropped is over as well.
                let _ = stopped.await;
            };
            let ended = web::serve(listener, web::router(desk), until).await;
            let ended = ended.map_err(|error| Failure::Service(format!("the acknowledgement page: {error}")));
            // The main thread may be gone already.
            let _ = sender.send(Message::Ended(Part::Page, ended));
        });
        Ok(Page { address, config, stop: Mutex::new(Some(stop)) })
    }

    /// Opens the listener of monitoring beside it, where `[metrics]` says so, until the runtime ends: it is watched
    /// while the rest stops. Where it listens. Errors: nobody can listen there.
    pub(super) fn monitor(
        &self,
        runtime: &Runtime,
        context: &Context,
        moving: &Arc<Moving>,
    ) -> Result<Option<SocketAddr>, Failure> {
        let Some(settings) = context.config.metrics else { return Ok(None) };
        let listen = settings.listen;
        let nobody = |error: io::Error| {
            Failure::Service(format!("nobody can listen at {listen}: {error} (`listen` under [metrics])"))
        };
        let _inside = runtime.enter();
        let listener = web::listen(listen).map_err(nobody)?;
        let address = listener.local_addr().map_err(nobody)?;
        let monitor = Monitor {
            store: context.store.clone(),
            config: Arc::clone(&self.config),
            clock: context.clock.clone(),
            moving: Arc::clone(moving),
            started_at: context.now(),
        };
        runtime.spawn(web::serve_monitor(listener, monitor, std::future::pending()));
        Ok(Some(address))
    }

    /// Puts another configuration in force.
    pub(super) fn replace(&self, config: &Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(config);
    }

    /// Takes no other request; those under way are finished.
    pub(super) fn stop(&self) {
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody hears it when the page is over already.
            let _ = stop.send(());
        }
    }
}
