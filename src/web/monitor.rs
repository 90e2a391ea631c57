//! The listener of monitoring: `/healthz` and `/metrics`, and nothing else. What the figures mean is not decided here.

use std::{
    future::Future,
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

use super::{
    listener::{self, Limits},
    metrics,
};
use crate::{
    clock::Clock,
    jobs::vitals::{Ailment, Figures, Moving, ailments, figures},
    model::{settings::Config, time::Time},
    store::Store,
};

/// What this listener puts up with: a few programs that ask every few seconds.
const LIMITS: Limits = Limits { places: 32, head: Duration::from_secs(10), stay: Duration::from_mins(10) };
/// The longest that a request may take.
const MAX_TIME: Duration = Duration::from_secs(20);
/// The media type of what `/healthz` says.
const PLAIN: &str = "text/plain; charset=utf-8";

/// What the listener works with.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// Where the figures come from.
    pub store: Store,
    /// The configuration in force; replaced on a reload.
    pub config: Arc<RwLock<Arc<Config>>>,
    /// What time it is.
    pub clock: Clock,
    /// Which loops go on.
    pub moving: Arc<Moving>,
    /// Since when the service runs.
    pub started_at: Time,
}

impl Monitor {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves both until `stop` is ready.
pub async fn serve(listener: TcpListener, monitor: Monitor, stop: impl Future<Output = ()> + Send) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(told))
        .with_state(monitor)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, MAX_TIME));
    listener::serve(listener, router, LIMITS, stop).await
}

/// 200 and `ok`, or 503 and why, a name on each line.
async fn health(State(monitor): State<Monitor>) -> Response {
    let found = look(monitor, |monitor| ailments(&monitor.store, &monitor.moving)).await;
    let found = found.unwrap_or_else(|| vec![Ailment::DatabaseUnreadable]);
    let (status, words) = if found.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        let names: Vec<&str> = found.iter().map(|ailment| ailment.as_str()).collect();
        (StatusCode::SERVICE_UNAVAILABLE, names.join("\n") + "\n")
    };
    answer(status, PLAIN, words)
}

async fn told(State(monitor): State<Monitor>) -> Response {
    let started_at = monitor.started_at.as_second();
    let seen = look(monitor, |monitor| {
        let found = ailments(&monitor.store, &monitor.moving);
        let read = monitor.store.read(|read| figures(read, &monitor.config(), monitor.clock.now()));
        if let Err(error) = &read {
            tracing::warn!(target: "run", %error, "the figures for monitoring cannot be read");
        }
        (found, read.ok())
    });
    let (found, figures): (Vec<Ailment>, Option<Figures>) =
        seen.await.unwrap_or_else(|| (vec![Ailment::DatabaseUnreadable], None));
    answer(StatusCode::OK, metrics::MEDIA_TYPE, metrics::render(started_at, &found, figures.as_ref()))
}

/// Looks on a thread that may wait for the disk; `None`: that thread came to no end.
async fn look<T: Send + 'static>(monitor: Monitor, look: fn(&Monitor) -> T) -> Option<T> {
    tokio::task::spawn_blocking(move || look(&monitor)).await.ok()
}

fn answer(status: StatusCode, media_type: &'static str, text: String) -> Response {
    (status, [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")], text).into_response()
}
